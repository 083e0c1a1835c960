/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hoy_list: every container below the state root. Runs in the runtime and takes no lock. One that
 * is damaged, or goes away meanwhile, does not hide the others.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/state.h"
#include "state/directory.h"
#include "sys/cleanup.h"
#include "sys/error.h"

struct names {
	char **items;
	size_t len, size;
};

static int add_name(int dirfd, const struct dirent *entry, void *data)
{
	const char *name = entry->d_name;
	struct names *names = data;

	(void)dirfd;
	/* Temporary directories and whatever else may lie here have names that are no ids. */
	if (!hoy_id_is_valid(name))
		return 0;
	if (names->len == names->size) {
		size_t size = names->size ? names->size * 2 : 16;
		char **items = realloc(names->items, size * sizeof(*items));

		if (!items)
			return -ENOMEM;
		names->items = items;
		names->size = size;
	}
	names->items[names->len] = strdup(name);
	if (!names->items[names->len])
		return -ENOMEM;
	names->len++;
	return 0;
}

static void names_done(struct names *names)
{
	for (size_t i = 0; i < names->len; i++)
		free(names->items[i]);
	free(names->items);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/** The ids below the state root, sorted; none where there is no root. */
static int read_names(const struct hoy_context *context, struct names *names, struct hoy_error *err)
{
	int root = state_root_open(context, false, err), r;

	if (root < 0)
		return root == -ENOENT ? 0 : -1;
	r = directory_each(root, add_name, names);
	(void)close(root);
	if (r < 0)
		return fail(err, r, "read state root %s", context->state_root);
	if (names->len > 1)
		qsort(names->items, names->len, sizeof(*names->items), compare_names);
	return 0;
}

int hoy_list(const struct hoy_context *context, struct hoy_state **ret_states, size_t *ret_len,
	     struct hoy_error *err)
{
	const struct log log = context_log(context);
	struct names names = { 0 };
	struct hoy_state *states;
	size_t len = 0;

	if (read_names(context, &names, err) < 0) {
		names_done(&names);
		return -1;
	}
	states = calloc(names.len + 1, sizeof(*states));
	for (size_t i = 0; states && i < names.len; i++) {
		struct container container;
		struct hoy_error cause;
		int r = container_open(context, names.items[i], &container, &cause);

		if (r == 0) {
			r = state_of_container(&container, &states[len], &cause);
			container_done(&container);
		}
		if (r == 0)
			len++;
		else if (r != -ENOENT)
			log_event_at(&log, HOY_LOG_WARNING, cause.at, cause.code, "%s", cause.text);
	}
	names_done(&names);
	if (!states)
		return fail(err, ENOMEM, "list containers");
	*ret_states = states;
	*ret_len = len;
	return 0;
}
