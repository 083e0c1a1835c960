/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices and links that init makes in the root itself, where the configuration mounts nothing on
 * their directory. If create fails they are removed again, but only those that were not there.
 */
#ifndef HOY_RUNTIME_LEFTOVERS_H
#define HOY_RUNTIME_LEFTOVERS_H

#include <hoy/container.h>

#include "base/arena.h"
#include "plan/plan.h"

struct leftovers {
	/** Paths below the root that were missing, NULL-terminated; NULL = none. */
	const char **paths;
};

/** Before init runs: notes what is missing. @returns 0 or -1 */
int leftovers_note(struct leftovers *leftovers, const struct plan *plan, struct arena *arena,
		   struct hoy_error *err);

/**
 * After it has failed: removes what is there now, unless it is a file with content. All of it stays
 * where another container of the same state root lives on the same root: it may have found there
 * what we have made.
 */
void leftovers_remove(const struct leftovers *leftovers, const struct hoy_context *context,
		      const struct plan *plan);

#endif
