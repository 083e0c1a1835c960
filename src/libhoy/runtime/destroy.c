/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes back what create made. Runs in the runtime; needs nothing but the record, and each part of
 * it may be done already. Every wait has a deadline. Whatever cannot be removed is an error that
 * names it: the record stays, and the next try goes on from there.
 */
#include "runtime/destroy.h"

#include "cgroup/driver.h"
#include "runtime/context.h"
#include "runtime/hooks.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/process.h"

/* For all processes to end: a large one takes a while to give its memory back. */
#define END_MS 10000

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

static int wait_for_end(const struct state_record *record, const struct cgroup *cgroup, int pidfd,
			int64_t deadline_ms, struct hoy_error *err)
{
	int r = pidfd >= 0 ? process_wait_end(pidfd, deadline_ms) : 1;

	if (r <= 0)
		return fail(err, r ? r : ETIMEDOUT, "process %d was killed and has not ended",
			    (int)record->pid);
	r = cgroup->fd >= 0 ? cgroup_wait_empty(cgroup, deadline_ms) : 1;
	if (r <= 0)
		return fail(err, r ? r : ETIMEDOUT,
			    "processes in cgroup %s were killed and have not ended",
			    record->cgroup);
	return 0;
}

static int remove_cgroup(const struct state_record *record, struct cgroup *cgroup,
			 int64_t deadline_ms, const struct log *log, struct hoy_error *err)
{
	int r = 0;

	if (cgroup->fd >= 0)
		r = cgroup_remove(cgroup, deadline_ms);
	else if (record->cgroup[0] != '\0' && record->cgroup_inode == 0)
		r = cgroup_remove_intended(record->cgroup);
	/* Whoever is in a cgroup that was only intended, the container's processes are not. */
	if (r == -EBUSY && record->cgroup_inode == 0) {
		log_info(log, "cgroup %s is in use and not this container's", record->cgroup);
		return 0;
	}
	return r < 0 ? fail(err, r, "remove cgroup %s", record->cgroup) : 0;
}

static int undo_mounts(const struct state_record *record, struct hoy_error *err)
{
	for (size_t i = record->host_mounts_len; i > 0; i--) {
		const char *path = record->host_mounts[i - 1];

		/* Recorded before it was made, so it may never have been, or be gone since. */
		if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL &&
		    errno != ENOENT)
			return fail(err, errno, "unmount %s", path);
	}
	return 0;
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
		r = undo_mounts(record, err);
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
