/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes back the nodes and links that a failed create has left in the root. Runs in the runtime, on
 * the host's side: the root is hostile, so names are resolved below its descriptor and removed as
 * one name in their directory.
 */
#include "runtime/leftovers.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hoy/state.h>

#include "sys/cleanup.h"
#include "sys/error.h"
#include "sys/path.h"

static int open_root(const char *path)
{
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static bool is_missing(int root, const char *path)
{
	autoclose int fd = path_open(root, path, O_PATH | O_NOFOLLOW);

	return fd == -ENOENT;
}

int leftovers_note(struct leftovers *leftovers, const struct plan *plan, struct arena *arena,
		   struct hoy_error *err)
{
	autoclose int root = -1;
	size_t len = 0;

	for (size_t i = 0; i < plan->devices_len; i++)
		len += !plan->devices[i].dev_name;
	for (size_t i = 0; i < plan->links_len; i++)
		len += !plan->links[i].dev_name;
	if (len == 0)
		return 0;
	root = open_root(plan->root.path);
	leftovers->paths = arena_array(arena, const char *, len + 1);
	if (root < 0 || !leftovers->paths)
		return fail_at(err, plan->root.at, root < 0 ? errno : ENOMEM, "look into %s",
			       plan->root.path);
	len = 0;
	for (size_t i = 0; i < plan->devices_len; i++)
		if (!plan->devices[i].dev_name && is_missing(root, plan->devices[i].path))
			leftovers->paths[len++] = plan->devices[i].path;
	for (size_t i = 0; i < plan->links_len; i++)
		if (!plan->links[i].dev_name && is_missing(root, plan->links[i].path))
			leftovers->paths[len++] = plan->links[i].path;
	return 0;
}

static void remove_one(int root, const char *path)
{
	autoclose int parent = -1;
	char name[NAME_MAX + 1];
	struct stat st;

	parent = path_open_parent(root, path, false, name);
	if (parent < 0 || fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	/* What init makes is a node, a link, or an empty file to bind onto. */
	if (!S_ISDIR(st.st_mode) && (!S_ISREG(st.st_mode) || st.st_size == 0))
		(void)unlinkat(parent, name, 0);
}

static bool is_on(const struct hoy_state *state, const struct stat *root)
{
	autoclose int fd = state->status == HOY_STOPPED ? -1 : open_root(state->rootfs);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == root->st_dev &&
	       st.st_ino == root->st_ino;
}

/* What cannot be found out counts as yes: too much in a root is the lesser evil. */
static bool is_shared(const struct hoy_context *context, const char *id, int fd)
{
	struct hoy_context silent = *context;
	struct hoy_state *states;
	struct hoy_error unused;
	struct stat root;
	bool shared = false;
	size_t len;

	silent.log = NULL;
	if (fstat(fd, &root) < 0 || hoy_list(&silent, &states, &len, &unused) < 0)
		return true;
	for (size_t i = 0; i < len; i++) {
		shared |= strcmp(states[i].id, id) != 0 && is_on(&states[i], &root);
		hoy_state_done(&states[i]);
	}
	free(states);
	return shared;
}

void leftovers_remove(const struct leftovers *leftovers, const struct hoy_context *context,
		      const struct plan *plan)
{
	autoclose int root = -1;

	if (!leftovers->paths || !leftovers->paths[0])
		return;
	root = open_root(plan->root.path);
	if (root < 0 || is_shared(context, plan->id, root))
		return;
	for (size_t i = 0; leftovers->paths[i]; i++)
		remove_one(root, leftovers->paths[i]);
}
