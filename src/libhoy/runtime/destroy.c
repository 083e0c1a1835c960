/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes back what create made. Runs in the runtime; needs nothing but the record, and each part of
 * it may be done already. Every wait has a deadline. Whatever cannot be removed is an error that
 * names it: the record stays, and the next try goes on from there.
 */
#include "runtime/destroy.h"

#include <stdlib.h>

#include "cgroup/driver.h"
#include "runtime/context.h"
#include "runtime/hooks.h"
#include "runtime/host_mounts.h"
#include "runtime/resctrl.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/process.h"

/* For all processes to end: a large one takes a while to give its memory back. */
#define END_MS 10000
/* For the parents of processes that have ended to take note of it. */
#define REAP_MS 200
/* linux/sched.h of the kernel's own headers: getting shut down. */
#define PF_EXITING 0x4UL

/** Sends SIGKILL to all there is; new forks cannot escape the cgroup. */
static int kill_all(const struct state_record *record, const struct cgroup *cgroup, int pidfd,
		    struct hoy_error *err)
{
	int r = cgroup->fd >= 0 ? cgroup_kill(cgroup) : 0;

	if (r < 0)
		return fail(err, r, "kill the processes in cgroup %s", record->cgroup);
	r = pidfd >= 0 ? process_signal(pidfd, SIGKILL) : 0;
	if (r < 0 && r != -ESRCH)
		return fail(err, r, "kill process %d", (int)record->pid);
	return 0;
}

/**
 * Whether init is past its last instruction (PF_EXITING in field 9 of proc(5)'s stat). As the first
 * of a pid namespace it then waits for all in it to be reaped, also for those whose parents are
 * outside and take their time: processes of `exec`.
 */
static bool is_exiting(pid_t pid)
{
	autoclose int proc = openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char name[32], stat[1024], *field;

	format_text(name, sizeof(name), "%d/stat", (int)pid);
	if (proc < 0 || file_read(proc, name, stat, sizeof(stat)) < 0)
		return false;
	field = strrchr(stat, ')');
	for (int number = 2; field && number < 9; number++) {
		field = strchr(field, ' ');
		field = field ? field + 1 : NULL;
	}
	return field && strtoul(field, NULL, 10) & PF_EXITING;
}

static int wait_for_init(const struct state_record *record, bool is_alone, int pidfd,
			 int64_t deadline_ms, struct hoy_error *err)
{
	int r = process_wait_end(pidfd, is_alone ? clock_ms() + REAP_MS : deadline_ms);

	if (r == 0 && is_alone) {
		if (is_exiting(record->pid))
			return 0;
		r = process_wait_end(pidfd, deadline_ms);
	}
	return r > 0 ? 0
		     : fail(err, r ? r : ETIMEDOUT, "process %d was killed and has not ended",
			    (int)record->pid);
}

/** The cgroup is what proves that all have ended; without one it is init's pid namespace. */
static int wait_for_end(const struct state_record *record, const struct cgroup *cgroup, int pidfd,
			int64_t deadline_ms, struct hoy_error *err)
{
	int r = cgroup->fd >= 0 ? cgroup_wait_empty(cgroup, deadline_ms) : 1;

	if (r <= 0)
		return fail(err, r ? r : ETIMEDOUT,
			    "processes in cgroup %s were killed and have not ended",
			    record->cgroup);
	if (pidfd < 0)
		return 0;
	return wait_for_init(record, cgroup->fd >= 0, pidfd, deadline_ms, err);
}

static int remove_cgroup(const struct state_record *record, struct cgroup *cgroup,
			 int64_t deadline_ms, const struct log *log, struct hoy_error *err)
{
	int r = 0;

	/*
	 * The unit first: systemd removes its cgroup, and would show an empty one as active. A unit
	 * that was only intended may be a stranger's.
	 */
	if (record->unit[0] != '\0' && record->cgroup_inode != 0 &&
	    cgroup_stop_unit(record->unit, record->cgroup, deadline_ms, err) < 0)
		return -1;
	if (cgroup->fd >= 0)
		r = cgroup_remove(cgroup, deadline_ms);
	else if (record->cgroup[0] != '\0' && record->cgroup_inode == 0)
		r = cgroup_remove_intended(record->cgroup);
	if (r == 0)
		cgroup_remove_above(record->cgroup, record->cgroup_made_above);
	/* Whoever is in a cgroup that was only intended, the container's processes are not. */
	if (r == -EBUSY && record->cgroup_inode == 0) {
		log_info(log, "cgroup %s is in use and not this container's", record->cgroup);
		return 0;
	}
	return r < 0 ? fail(err, r, "remove cgroup %s", record->cgroup) : 0;
}

static int remove_resctrl(const struct state_record *record, struct hoy_error *err)
{
	const struct state_resctrl *made = &record->resctrl;
	struct hoy_error unused;
	autoclose int resctrl = -1;

	if (!made->made_group && !made->made_monitoring)
		return 0;
	/* If it is no longer mounted, its groups are gone with it. */
	resctrl = resctrl_open(&unused);
	return resctrl < 0 ? 0 : resctrl_remove(resctrl, made, record->id, err);
}

static void warn_of_the_unknown(const struct state_record *record, const struct log *log)
{
	if (record->pid > 0 && record->cgroup_inode == 0 && !record->private_pid_namespace)
		log_warning(
			log,
			"container %s had neither a cgroup nor a pid namespace of its own: only "
			"process %d is known to have ended",
			record->id, (int)record->pid);
}

int destroy_resources(const struct state_record *record, const struct log *log,
		      struct hoy_error *err)
{
	int64_t deadline_ms = clock_ms() + END_MS;
	struct cgroup cgroup = CGROUP_NONE;
	autoclose int pidfd = -1;
	int r;

	if (state_find_init(record, &pidfd, err) < 0 ||
	    container_open_cgroup(record, &cgroup, err) < 0)
		return -1;
	r = kill_all(record, &cgroup, pidfd, err);
	if (r == 0)
		r = wait_for_end(record, &cgroup, pidfd, deadline_ms, err);
	if (r == 0)
		r = remove_cgroup(record, &cgroup, deadline_ms, log, err);
	cgroup_done(&cgroup);
	if (r == 0)
		r = host_mounts_undo(record, err);
	if (r == 0)
		r = remove_resctrl(record, err);
	if (r == 0)
		warn_of_the_unknown(record, log);
	return r;
}

int destroy_container(struct state_dir *dir, struct state_record *record, const struct log *log,
		      struct hoy_error *err)
{
	if (destroy_resources(record, log, err) < 0)
		return -1;
	if (record->poststop.len > 0) {
		/* From here on the container is deleted, though the hooks still keep its id. */
		record->phase = STATE_PHASE_DELETED;
		if (state_write(dir, record, err) < 0)
			return fail_in(err, "all is removed but the state");
		hooks_run_all(&record->poststop, "poststop", 0, log);
	}
	if (state_dir_remove(dir, err) < 0)
		return fail_in(err, "all is removed but the state");
	return 0;
}
