/* SPDX-License-Identifier: Apache-2.0 */
/* The root file system as CRIU wants to find it when it restores a container. */
#ifndef HOY_RUNTIME_RESTORE_ROOT_H
#define HOY_RUNTIME_RESTORE_ROOT_H

#include "plan/plan.h"
#include "runtime/criu.h"

/* What is in the covered directory: the root, and an empty directory. */
#define RESTORE_ROOT   "root"
#define RESTORE_NOTIFY "notify"

/**
 * Runs a request to restore in a mount namespace of its own, which goes away with it: there the
 * container's root is mounted in `stage`, and all mount points of the plan are in it. Missing ones
 * are made in the root file system, as create does it.
 * @param stage  absolute path of a directory, which is covered there and nowhere else
 * @returns the pid of the restored root process, a child of the caller's, or -1
 */
int restore_in_root(const struct plan *plan, const char *stage, const struct criu_request *request,
		    struct hoy_error *err);

#endif
