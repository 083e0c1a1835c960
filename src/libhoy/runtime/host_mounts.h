/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts of a container without a mount namespace: recorded before, undone by delete. */
#ifndef HOY_RUNTIME_HOST_MOUNTS_H
#define HOY_RUNTIME_HOST_MOUNTS_H

#include <hoy/error.h>

#include "base/arena.h"
#include "plan/plan.h"
#include "state/state.h"

/** Enters into the record where init is going to mount something, and what is there now. */
int host_mounts_record(const struct plan *plan, struct arena *arena, struct state_record *record,
		       struct hoy_error *err);

/** Undoes in reverse order what is recorded and was made; what stood there before stays. */
int host_mounts_undo(const struct state_record *record, struct hoy_error *err);

#endif
