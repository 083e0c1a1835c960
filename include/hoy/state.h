/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOY_STATE_H
#define HOY_STATE_H

#include <hoy/container.h>

#pragma GCC visibility push(default)

enum hoy_status {
	HOY_CREATING,
	HOY_CREATED,
	HOY_RUNNING,
	HOY_PAUSED,
	HOY_STOPPED,
};

/** The word of the specification for a status (runtime.md#state). */
const char *hoy_status_name(enum hoy_status status);

/** A container as `state` and `list` report it. Release with hoy_state_done(). */
struct hoy_state {
	char *id;
	char *bundle;
	char *rootfs;
	/** RFC 3339, UTC, with fraction. */
	char *created;
	/** Name of the user that made it; the uid in decimal where the user has no name. */
	char *owner;
	enum hoy_status status;
	/** 0 when stopped. */
	int pid;
	/** Pairs key, value, sorted as in the configuration. */
	char **annotations;
	size_t annotations_len;
};

/** Reads one container's state; fails with "does not exist" in the text if there is none. */
int hoy_state(const struct hoy_context *context, const char *id, struct hoy_state *ret_state,
	      struct hoy_error *err);

void hoy_state_done(struct hoy_state *state);

/**
 * All containers below the state root, sorted by id. One that cannot be read is left out with a
 * warning. Release each with hoy_state_done(), then the array with free().
 */
int hoy_list(const struct hoy_context *context, struct hoy_state **ret_states, size_t *ret_len,
	     struct hoy_error *err);

/** The state as the specification's JSON (without a line feed at the end); release with free(). */
char *hoy_state_json(const struct hoy_state *state);

#pragma GCC visibility pop

#endif
