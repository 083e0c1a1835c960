/* SPDX-License-Identifier: Apache-2.0 */
/* The driver that makes the container's cgroup itself, as a directory. Runtime only. */
#ifndef HOY_CGROUP_CGROUPFS_H
#define HOY_CGROUP_CGROUPFS_H

#include "cgroup/driver.h"

extern const struct cgroup_driver cgroupfs_driver;

#endif
