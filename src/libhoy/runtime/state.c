/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hoy_state (runtime.md#query-state) and its document (runtime.md#state). Runs in the runtime and
 * takes no lock: hooks call it while create, start or delete holds the container.
 */
#include "runtime/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_write.h"
#include "base/number.h"
#include "sys/cleanup.h"
#include "sys/error.h"

/** The uid in a line of passwd(5) whose name ends at the first colon. */
static bool line_has_uid(char *line, uid_t uid)
{
	uint32_t found;
	char *rest = line, *field = NULL;

	for (int i = 0; i < 3; i++)
		field = strsep(&rest, ":");
	return field && number_uid(field, &found) == 0 && found == uid;
}

/** The name in /etc/passwd, or the number. Not getpwuid(3): no name service belongs in a runtime.
 */
static char *owner_name(uid_t uid)
{
	autofree char *line = NULL;
	FILE *passwd = fopen("/etc/passwd", "re");
	char number[16];
	size_t size = 0;
	bool found = false;

	while (passwd && !found && getline(&line, &size, passwd) > 0)
		found = line_has_uid(line, uid);
	if (passwd)
		(void)fclose(passwd);
	format_text(number, sizeof(number), "%u", (unsigned int)uid);
	/* The search has ended the line's name with a NUL. */
	return strdup(found ? line : number);
}

static bool copy_annotations(const struct state_record *record, struct hoy_state *state)
{
	state->annotations = calloc(record->annotations_len * 2 + 1, sizeof(char *));
	if (!state->annotations)
		return false;
	for (size_t i = 0; i < record->annotations_len; i++) {
		state->annotations[2 * i] = strdup(record->annotations[i].key);
		state->annotations[2 * i + 1] = strdup(record->annotations[i].value);
		state->annotations_len++;
		if (!state->annotations[2 * i] || !state->annotations[2 * i + 1])
			return false;
	}
	return true;
}

int state_of_container(const struct container *container, struct hoy_state *ret_state,
		       struct hoy_error *err)
{
	const struct state_record *record = container->record;
	struct hoy_state state = { 0 };

	if (container_status(container, &state.status, NULL, err) < 0)
		return -1;
	state.pid = state.status == HOY_STOPPED ? 0 : record->pid;
	state.id = strdup(record->id);
	state.bundle = strdup(record->bundle);
	state.rootfs = strdup(record->rootfs);
	state.created = strdup(record->created);
	state.owner = owner_name(record->owner);
	if (!copy_annotations(record, &state) || !state.id || !state.bundle || !state.rootfs ||
	    !state.created || !state.owner) {
		hoy_state_done(&state);
		return fail(err, ENOMEM, "state of container %s", record->id);
	}
	*ret_state = state;
	return 0;
}

int hoy_state(const struct hoy_context *context, const char *id, struct hoy_state *ret_state,
	      struct hoy_error *err)
{
	struct container container;
	int r;

	if (container_open(context, id, &container, err) < 0)
		return -1;
	r = state_of_container(&container, ret_state, err);
	container_done(&container);
	return r;
}

void hoy_state_done(struct hoy_state *state)
{
	free(state->id);
	free(state->bundle);
	free(state->rootfs);
	free(state->created);
	free(state->owner);
	for (size_t i = 0; i < state->annotations_len * 2; i++)
		free(state->annotations[i]);
	free(state->annotations);
	*state = (struct hoy_state){ 0 };
}

char *hoy_state_json(const struct hoy_state *state)
{
	struct json_writer writer = { .pretty = true };

	json_write_object(&writer, NULL);
	json_write_string(&writer, "ociVersion", SPEC_VERSION);
	json_write_string(&writer, "id", state->id);
	json_write_signed(&writer, "pid", state->pid);
	json_write_string(&writer, "status", hoy_status_name(state->status));
	json_write_string(&writer, "bundle", state->bundle);
	json_write_string(&writer, "rootfs", state->rootfs);
	json_write_string(&writer, "created", state->created);
	if (state->annotations_len > 0) {
		json_write_object(&writer, "annotations");
		for (size_t i = 0; i < state->annotations_len; i++)
			json_write_string(&writer, state->annotations[2 * i],
					  state->annotations[2 * i + 1]);
		json_write_end(&writer);
	}
	json_write_string(&writer, "owner", state->owner);
	json_write_end(&writer);
	return json_write_take(&writer);
}
