/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a container's cgroup comes from: a directory made by hoy (cgroupfs), or a scope made by
 * systemd. The two differ only behind this interface. Runs in the runtime; reads plan->cgroup and
 * nothing else of the plan.
 */
#ifndef HOY_CGROUP_DRIVER_H
#define HOY_CGROUP_DRIVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <hoy/error.h>

#include "plan/plan.h"

/** A container's cgroup, held by a directory descriptor. */
struct cgroup {
	/** O_DIRECTORY; -1 = the container has no cgroup of its own. */
	int fd;
	/** Inode number of the directory: its identity. */
	uint64_t inode;
	/** Absolute path, for messages and the record. */
	char path[4096];
};

#define CGROUP_NONE ((struct cgroup){ .fd = -1 })

struct cgroup_driver {
	const char *name;
	/**
	 * Makes the cgroup before the clone, writes all limits that are not late, attaches the device
	 * program. A driver that can only adopt a process (systemd) leaves fd -1 here.
	 */
	int (*prepare)(const struct plan_cgroup *plan, struct cgroup *ret_cgroup,
		       struct hoy_error *err);
	/** Puts init into it, answering REQUEST_CGROUP; NULL where the clone did that already. */
	int (*adopt)(const struct plan_cgroup *plan, pid_t pid, struct cgroup *cgroup,
		     struct hoy_error *err);
};

/** The driver for a plan; NULL for none (plan->path == NULL). */
const struct cgroup_driver *cgroup_driver_of(const struct plan_cgroup *plan);

/** Writes the late limits (or all, for `late` false) of a list, in order. */
int cgroup_write_all(int cgroup, const struct plan_cgroup_write *writes, size_t len, bool late,
		     struct hoy_error *err);

/** Opens a recorded cgroup: -1 without error set to 0 if it is gone (or has another inode). */
int cgroup_open_recorded(const char *path, uint64_t inode, struct cgroup *ret_cgroup);

/** SIGKILL to all in it, new forks included (cgroup.kill), sub-cgroups too. Silent. */
int cgroup_kill(const struct cgroup *cgroup);

/** Sends a signal to every process in it and below, once each. Silent. */
int cgroup_signal(const struct cgroup *cgroup, int signal);

/** Waits until no process is left (cgroup.events). @returns 1, 0 at the deadline, -errno */
int cgroup_wait_empty(const struct cgroup *cgroup, int64_t deadline_ms);

/**
 * Removes it and what the payload made below it, deepest first, retrying EBUSY until the deadline.
 * Parents that hoy made (".../hoy") stay. Silent.
 */
int cgroup_remove(struct cgroup *cgroup, int64_t deadline_ms);

/** 1 frozen, 0 not, or -errno. */
int cgroup_is_frozen(const struct cgroup *cgroup);

/** Freezes or thaws and waits until done. Silent. */
int cgroup_freeze(const struct cgroup *cgroup, bool frozen, int64_t deadline_ms);

/** How often a process in it was killed for lack of memory (memory.events oom_kill), 0 if unknown. */
uint64_t cgroup_oom_kills(const struct cgroup *cgroup);

void cgroup_done(struct cgroup *cgroup);

/* ---- devices.c ---- */

/**
 * Compiles and attaches the device program to a cgroup directory (BPF_F_ALLOW_MULTI), replacing
 * the one with id `old` (0 = none) atomically.
 * @returns 0 and the new program's id
 */
int cgroup_attach_devices(int cgroup, const struct plan_device_rule *rules, size_t len,
			  uint32_t old, uint32_t *ret_id, struct hoy_error *err);

#endif
