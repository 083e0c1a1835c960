/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the operations share: the caller's context in the library's own terms, and a container that
 * was found below the state root.
 */
#ifndef HOY_RUNTIME_CONTEXT_H
#define HOY_RUNTIME_CONTEXT_H

#include <hoy/container.h>
#include <hoy/error.h>
#include <hoy/state.h>

#include "base/arena.h"
#include "base/log.h"
#include "cgroup/driver.h"
#include "state/state.h"

/** How long a command waits for another one that holds the container, in milliseconds. */
#define CONTAINER_LOCK_MS 10000

/** Where the context's events go. */
struct log context_log(const struct hoy_context *context);

/** A container's directory and record. Release with container_done(). */
struct container {
	/** The state root; owned. */
	int root;
	struct state_dir dir;
	struct arena arena;
	struct state_record *record;
};

#define CONTAINER_NONE ((struct container){ .root = -1, .dir = { .root = -1, .fd = -1 } })

/**
 * Finds a container and reads its record, without a lock: for commands that change nothing.
 * One whose deletion has been recorded "does not exist".
 * @returns 0, -ENOENT if it does not exist, or -1
 */
int container_open(const struct hoy_context *context, const char *id,
		   struct container *ret_container, struct hoy_error *err);

/**
 * As container_open(), and nobody else changes the container until container_done().
 * @returns also -EBUSY if another command holds it for too long
 */
int container_open_locked(const struct hoy_context *context, const char *id,
			  struct container *ret_container, struct hoy_error *err);

void container_done(struct container *container);

/**
 * Opens the container's cgroup by the recorded path and inode number.
 * @returns 0, with ret_cgroup->fd -1 if it has none or it is gone, or -1
 */
int container_open_cgroup(const struct state_record *record, struct cgroup *ret_cgroup,
			  struct hoy_error *err);

/** state_status(), and paused where the cgroup is frozen. */
int container_status(const struct container *container, enum hoy_status *ret_status, int *ret_pidfd,
		     struct hoy_error *err);

#endif
