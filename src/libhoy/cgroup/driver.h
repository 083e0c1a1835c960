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
	/**
	 * How many cgroups above it were made on the way, for the record: whoever removes the
	 * cgroup removes them too. The common parent of cgroups without a place of their own stays.
	 */
	unsigned int made_above;
	/** Id of the device program that was attached, 0 = none. For the record. */
	uint32_t device_program;
};

#define CGROUP_NONE ((struct cgroup){ .fd = -1 })

struct cgroup_driver {
	const char *name;
	/**
	 * Makes the cgroup before the clone, writes all limits that are not late, attaches the
	 * device program. A driver that can only adopt a process (systemd) leaves fd -1 here, and
	 * so does one that may not make a cgroup where plan->optional is set. Nothing stays when it
	 * fails.
	 */
	int (*prepare)(const struct plan_cgroup *plan, struct cgroup *ret_cgroup,
		       struct hoy_error *err);
	/** Puts init into it, answering REQUEST_CGROUP; NULL where the clone did that already. */
	int (*adopt)(const struct plan_cgroup *plan, pid_t pid, struct cgroup *cgroup,
		     struct hoy_error *err);
	/** Tells the manager of new limits before their files are written; NULL = nobody to tell.
	 */
	int (*update)(const struct plan_cgroup *plan, const struct cgroup *cgroup,
		      struct hoy_error *err);
};

/** The driver for a plan; NULL for none (plan->path == NULL). */
const struct cgroup_driver *cgroup_driver_of(const struct plan_cgroup *plan);

/** Writes the late limits (or all, for `late` false) of a list, in order. */
int cgroup_write_all(int cgroup, const struct plan_cgroup_write *writes, size_t len, bool late,
		     struct hoy_error *err);

/**
 * Writes the late limits of a list to a container's cgroup, telling systemd first if it is a
 * unit's.
 * @param unit  systemd unit, "" = none
 */
int cgroup_write_late(const struct cgroup *cgroup, const char *unit,
		      const struct plan_cgroup_write *writes, size_t len, struct hoy_error *err);

/**
 * Stops a container's systemd unit and waits until it is gone, so that its name can be used again.
 * For a container whose processes have ended: systemd would kill them otherwise.
 * @param path  recorded cgroup, which tells the system's units from a user's
 * @returns 0, also if there is no such unit, or -1
 */
int cgroup_stop_unit(const char *unit, const char *path, int64_t deadline_ms,
		     struct hoy_error *err);

/**
 * Opens a recorded cgroup by its absolute path, following no symlink. Silent.
 * @param inode  that the directory must have; 0 (only intended) finds nothing, see
 *               cgroup_remove_intended()
 * @returns 0, with ret_cgroup->fd -1 if the cgroup is gone: nothing there or another inode;
 *          -ENOTSUP if the tree it was in is not mounted there; -errno if nothing was found out
 */
int cgroup_open_recorded(const char *path, uint64_t inode, struct cgroup *ret_cgroup);

/**
 * Removes a cgroup that a killed runtime meant to make and may have made: only if it is empty, as
 * it may as well be a stranger's. Silent.
 * @returns 0 if there is nothing (any more), -EBUSY if it holds processes or cgroups, -errno
 */
int cgroup_remove_intended(const char *path);

/** Where `exec` puts its process. */
struct cgroup_target {
	/** Directory of the container's cgroup or one below it; -1 = stay. */
	int fd;
	/** The unit and the absolute path of its cgroup, if systemd has made it; else "" or NULL.
	 */
	const char *unit, *unit_path;
};

/** Moves a process, by systemd where the caller may not. pids.max does not count a move. */
int cgroup_move(const struct cgroup_target *target, pid_t pid, struct hoy_error *err);

/** SIGKILL to all in it, new forks included (cgroup.kill), sub-cgroups too. Silent. */
int cgroup_kill(const struct cgroup *cgroup);

/**
 * Sends a signal to every process in it and below, once each, as far as they lie in this pid
 * namespace. Each is signalled by a pidfd that is known to be a member's. Silent.
 */
int cgroup_signal(const struct cgroup *cgroup, int signal);

/** Waits until no process is left (cgroup.events). @returns 1, 0 at the deadline, -errno */
int cgroup_wait_empty(const struct cgroup *cgroup, int64_t deadline_ms);

/**
 * Removes it and what the payload made below it, deepest first, retrying EBUSY until the deadline.
 * Parents stay, see cgroup_remove_above(). Silent.
 */
int cgroup_remove(struct cgroup *cgroup, int64_t deadline_ms);

/**
 * Removes cgroups above a removed one that were made for it (struct cgroup, made_above), as long as
 * nobody else uses them. Silent.
 */
void cgroup_remove_above(const char *path, unsigned int levels);

/** 1 frozen, 0 not, or -errno. */
int cgroup_is_frozen(const struct cgroup *cgroup);

/**
 * Freezes or thaws and waits until done. A freeze that is not complete by the deadline is undone.
 * Silent. @returns 0, -ETIMEDOUT, -errno
 */
int cgroup_freeze(const struct cgroup *cgroup, bool frozen, int64_t deadline_ms);

/** How often a process in it was killed for lack of memory (memory.events oom_kill), 0 if unknown.
 */
uint64_t cgroup_oom_kills(const struct cgroup *cgroup);

void cgroup_done(struct cgroup *cgroup);

/* ---- devices.c ---- */

/**
 * Compiles and attaches the device program to a cgroup directory (BPF_F_ALLOW_MULTI), replacing
 * the one with id `old` (0 = none) atomically; programs of others stay. What no rule allows is
 * denied. Rules that allow everything need no program: then, and without an old one to replace,
 * nothing is attached and the id is 0.
 * @returns 0 and the new program's id
 */
int cgroup_attach_devices(int cgroup, const struct plan_device_rule *rules, size_t len,
			  uint32_t old, uint32_t *ret_id, struct hoy_error *err);

#endif
