/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container is doing right now: never what the record says alone, always what the kernel
 * says about the process and the gate. Runs in the runtime. A pid is believed only together with
 * its start time, this boot's id and, where the kernel numbers processes, that number, looked at
 * while a pidfd keeps the pid from being given away.
 */
#include <poll.h>

#include "state/state.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/process.h"

#define BOOT_ID_LEN 36

int state_boot_id(char buffer[BOOT_ID_LEN + 1])
{
	/* It stays the same for as long as this process can live. */
	static _Thread_local char known[BOOT_ID_LEN + 1];
	autoclose int fd = -1;
	ssize_t len;

	if (known[0] == '\0') {
		fd = openat(AT_FDCWD, "/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		len = read(fd, buffer, BOOT_ID_LEN);
		if (len != BOOT_ID_LEN)
			return len < 0 ? -errno : -EINVAL;
		memcpy(known, buffer, BOOT_ID_LEN);
	}
	memcpy(buffer, known, sizeof(known));
	return 0;
}

int state_set_init(struct state_record *record, int procfs, pid_t pid, int pidfd)
{
	int r = file_start_time(procfs, pid, &record->start_time);

	if (r < 0)
		return r;
	record->pid = pid;
	record->pid_inode = process_inode(pidfd);
	return 0;
}

/* The next process may get the pid within the same tick: only the inode tells the two apart. */
static bool is_same(const struct state_record *record, uint64_t start_time, int pidfd)
{
	uint64_t inode = process_inode(pidfd);

	return start_time == record->start_time &&
	       (inode == record->pid_inode || inode == 0 || record->pid_inode == 0);
}

bool state_is_of_this_boot(const struct state_record *record)
{
	char boot_id[37];

	/* In a container /proc/sys may be out of sight. */
	return state_boot_id(boot_id) < 0 || record->boot_id[0] == '\0' ||
	       strcmp(boot_id, record->boot_id) == 0;
}

/** @returns 1 and a pidfd if init is alive, 0 if it has ended, -errno if that cannot be told */
static int find_init(const struct state_record *record, int *ret_pidfd)
{
	autoclose int pidfd = -1, proc = -1;
	uint64_t start_time;
	int r;

	if (record->pid <= 0 || !state_is_of_this_boot(record))
		return 0;
	pidfd = process_pidfd_open(record->pid);
	/* EINVAL: the number now belongs to a thread that leads no process. */
	if (pidfd == -ESRCH || pidfd == -EINVAL)
		return 0;
	if (pidfd < 0)
		return pidfd;
	proc = openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return -errno;
	r = file_start_time(proc, record->pid, &start_time);
	if (r == -ENOENT || r == -ESRCH)
		return 0;
	if (r < 0)
		return r;
	/* A pidfd is readable once its process is a zombie: stopped, whoever may reap it. */
	if (!is_same(record, start_time, pidfd) || fd_wait(pidfd, POLLIN, 0) != 0)
		return 0;
	*ret_pidfd = take_fd(&pidfd);
	return 1;
}

/** Whether a command that changes the container is at work: while it creates, its creator. */
static bool is_locked_by_another(const struct state_dir *dir)
{
	if (dir->locked)
		return false;
	if (flock(dir->fd, LOCK_SH | LOCK_NB) < 0)
		return errno == EWOULDBLOCK;
	(void)flock(dir->fd, LOCK_UN);
	return false;
}

static enum hoy_status status_of(const struct state_dir *dir, const struct state_record *record,
				 bool alive)
{
	if (record->phase == STATE_PHASE_CREATING && is_locked_by_another(dir))
		return HOY_CREATING;
	/* A creator that was killed leaves a container that will never be complete. */
	if (!alive || record->phase == STATE_PHASE_CREATING || record->phase == STATE_PHASE_DELETED)
		return HOY_STOPPED;
	return gate_is_closed(dir) ? HOY_CREATED : HOY_RUNNING;
}

int state_find_init(const struct state_record *record, int *ret_pidfd, struct hoy_error *err)
{
	int alive = find_init(record, ret_pidfd);

	if (alive < 0)
		return fail(err, alive, "look for process %d of container %s", (int)record->pid,
			    record->id);
	return alive;
}

int state_status(const struct state_dir *dir, const struct state_record *record,
		 enum hoy_status *ret_status, int *ret_pidfd, struct hoy_error *err)
{
	autoclose int pidfd = -1;
	int alive = state_find_init(record, &pidfd, err);

	if (alive < 0)
		return -1;
	*ret_status = status_of(dir, record, alive);
	if (ret_pidfd)
		*ret_pidfd = take_fd(&pidfd);
	return 0;
}
