/* SPDX-License-Identifier: Apache-2.0 */
/* Enabling controllers for a cgroup. Runtime only. */
#ifndef HOY_CGROUP_CONTROLLERS_H
#define HOY_CGROUP_CONTROLLERS_H

#include <stddef.h>

#include <hoy/error.h>

#include "plan/plan.h"

/**
 * Enables, in every cgroup above `path`, those controllers that the writes need and that are not
 * enabled there yet (cgroup.subtree_control).
 * @param mount  descriptor of the cgroup2 mount point
 * @param path   of the container's cgroup below it, which need not exist yet; no leading slash
 * @returns 0, or -1 with an error that names the field, the controller, and why it is missing
 */
int controllers_enable(int mount, const char *path, const struct plan_cgroup_write *writes,
		       size_t len, struct hoy_error *err);

/**
 * Gives the cgroup at `path` every controller that can be had, for whoever manages it from now on.
 * What cannot be enabled is left out: nobody has asked for one in particular. Silent.
 */
void controllers_offer(int mount, const char *path);

#endif
