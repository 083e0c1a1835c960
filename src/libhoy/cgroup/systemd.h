/* SPDX-License-Identifier: Apache-2.0 */
/* The driver that lets systemd make the container's cgroup, as a scope unit. Runtime only. */
#ifndef HOY_CGROUP_SYSTEMD_H
#define HOY_CGROUP_SYSTEMD_H

#include "cgroup/driver.h"

extern const struct cgroup_driver systemd_driver;

#endif
