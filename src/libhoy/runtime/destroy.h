/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a container (runtime.md#lifecycle, steps 12 and 13), for `delete` and for whatever in
 * create and start has to take back what was made.
 */
#ifndef HOY_RUNTIME_DESTROY_H
#define HOY_RUNTIME_DESTROY_H

#include <hoy/container.h>

#include "base/log.h"
#include "state/state.h"

/**
 * Ends the container's processes by SIGKILL and waits for that; removes its cgroup and its mounts
 * in the runtime's mount namespace. Touches nothing whose identity is not proven: a cgroup only by
 * the recorded inode number (one that is only intended is at most removed while empty), a process
 * only by its start time and boot id. Does not touch the state directory.
 * @returns 0 only if nothing of it remains; else -1 and err says what does
 */
int destroy_resources(const struct state_record *record, const struct log *log,
		      struct hoy_error *err);

/**
 * destroy_resources(), then records the phase `deleted`, runs the record's poststop hooks (their
 * failures are warnings) and removes the directory. The directory must be locked. Set
 * record->poststop.len to 0 where no poststop hook is due (create failed before any hook).
 * A child of the caller is left for the caller to reap.
 * @returns 0, or -1 with the directory kept, so that the next `delete` goes on
 */
int destroy_container(struct state_dir *dir, struct state_record *record, const struct log *log,
		      struct hoy_error *err);

#endif
