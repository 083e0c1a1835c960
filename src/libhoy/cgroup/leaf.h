/* SPDX-License-Identifier: Apache-2.0 */
/* The cgroup in which a container's processes live, where it is not the one with the limits. */
#ifndef HOY_CGROUP_LEAF_H
#define HOY_CGROUP_LEAF_H

#include <sys/types.h>

#include <hoy/error.h>

#include "cgroup/driver.h"

/**
 * Makes plan->leaf below the container's cgroup and gives it to plan->owner.
 * @param pid  moved there; 0 = nobody, the clone will be
 * @returns a descriptor or -1
 */
int leaf_make(const struct cgroup *cgroup, const struct plan_cgroup *plan, pid_t pid,
	      struct hoy_error *err);

#endif
