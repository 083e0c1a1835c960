/* SPDX-License-Identifier: Apache-2.0 */
/* start, for whoever has the container in its hands already. */
#ifndef HOY_RUNTIME_START_H
#define HOY_RUNTIME_START_H

#include "runtime/context.h"
#include "runtime/turns.h"

/** One start of a container that is created and locked. */
struct starting {
	struct container *container;
	/** Init's; not owned. */
	int pidfd;
	/** May be NULL. While the start waits for readiness the lock is given up. */
	const struct hoy_start_options *options;
	const struct log *log;
	/** As create has left them; over at the end. */
	struct turns turns;
	/** If the lock was given up what state_dir_unlock() has returned, or -1; the caller's. */
	int version;
	/** Whatever fails, the container goes. It does where its gate was opened in vain. */
	bool destroy;
};

int start_created(struct starting *starting, struct hoy_error *err);

#endif
