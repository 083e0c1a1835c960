/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's "flat keyed" files of a cgroup (lines "KEY NUMBER"), and waiting for cgroup.events.
 * Silent functions; runtime only.
 */
#ifndef HOY_CGROUP_EVENTS_H
#define HOY_CGROUP_EVENTS_H

#include <stdint.h>

/** The number after `key` in a file of a cgroup, or -errno; -ENODATA without such a line. */
int64_t events_read(int cgroup, const char *file, const char *key);

/**
 * Waits until `key` of cgroup.events ("populated", "frozen") is `value`.
 * @returns 1, 0 at the deadline, or -errno (-ENODEV or -ENOENT: the cgroup was removed)
 */
int events_wait(int cgroup, const char *key, int64_t value, int64_t deadline_ms);

#endif
