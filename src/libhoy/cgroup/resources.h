/* SPDX-License-Identifier: Apache-2.0 */
/* Handing a cgroup to a user; the limits themselves are cgroup_write_all() of driver.h. */
#ifndef HOY_CGROUP_RESOURCES_H
#define HOY_CGROUP_RESOURCES_H

#include <hoy/error.h>

#include "plan/plan.h"

/**
 * Gives the directory and the files that the kernel lists in /sys/kernel/cgroup/delegate (as far
 * as they exist) to plan->owner, and nothing else (config-linux.md, "Cgroup ownership").
 */
int resources_delegate(int cgroup, const struct plan_cgroup *plan, struct hoy_error *err);

#endif
