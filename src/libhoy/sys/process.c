/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes by pidfd: clone3(2), waiting with a deadline, signals. Runs in the runtime and, after
 * the clone, in bootstrap and init: it must not allocate or report, and names no process by pid.
 */
#include "sys/process.h"

#include <poll.h>

#include "sys/compat.h"
#include "sys/fd.h"
#include "sys/path.h"

/* Long enough for a killed process to unmap all it has, short enough to be no hang. */
#define KILL_TIMEOUT_MS 10000

/* Its inode has had this number since Linux 3.8; <linux/nsfs.h> says so since 6.18. */
#define INITIAL_USER_NAMESPACE 0xEFFFFFFDU

/* The kernel's set of signals 1 to 64: the C library's calls refuse 32 and 33. */
#define SIGNALS_MAX	  64
#define KERNEL_SIGSET_LEN (SIGNALS_MAX / 8)

pid_t process_clone(uint64_t flags, int cgroup, int exit_signal, int *ret_pidfd)
{
	int pidfd = -1;
	struct clone_args args = {
		.flags = flags,
		.exit_signal = (uint64_t)exit_signal,
	};
	pid_t pid;

	if (ret_pidfd) {
		args.flags |= CLONE_PIDFD;
		args.pidfd = (uintptr_t)&pidfd;
	}
	if (cgroup >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup;
	}
	pid = clone3(&args, sizeof(args));
	if (pid < 0)
		return -errno;
	if (pid > 0 && ret_pidfd)
		*ret_pidfd = pidfd;
	return pid;
}

int process_in_initial_user_namespace(void)
{
	struct stat st;

	if (fstatat(AT_FDCWD, "/proc/self/ns/user", &st, 0) < 0)
		return -errno;
	return st.st_ino == INITIAL_USER_NAMESPACE;
}

int process_pidfd_open(pid_t pid)
{
	int pidfd = pidfd_open(pid, 0);

	return pidfd < 0 ? -errno : pidfd;
}

uint64_t process_inode(int pidfd)
{
	struct stat st;

	/* Before there was a pidfs, all pidfds were one inode. */
	if (path_fs_type(pidfd) != PIDFS_MAGIC || fstat(pidfd, &st) < 0)
		return 0;
	return st.st_ino;
}

int process_signal(int pidfd, int signal)
{
	return pidfd_send_signal(pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

/* @returns 1 when reaped, 0 with WNOHANG if it still runs, or -errno */
static int reap(int pidfd, int flags, int *ret_status)
{
	siginfo_t info = { .si_pid = 0 };
	int r;

	/* __WALL: a child with exit signal 0 (CLONE_PARENT) is no child to waitid(2) without it. */
	do
		r = waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | __WALL | flags);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	if (info.si_pid == 0)
		return 0;
	if (ret_status)
		*ret_status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	return 1;
}

int process_is_child(int pidfd)
{
	int r = reap(pidfd, WNOHANG | WNOWAIT, NULL);

	return r >= 0 ? 1 : r == -ECHILD ? 0 : r;
}

int process_wait(int pidfd, int64_t deadline_ms, int *ret_status)
{
	int r;

	if (deadline_ms < 0)
		return reap(pidfd, 0, ret_status);
	r = reap(pidfd, WNOHANG, ret_status);
	while (r == 0) {
		r = fd_wait(pidfd, POLLIN, deadline_ms);
		if (r <= 0)
			return r;
		r = reap(pidfd, WNOHANG, ret_status);
		if (r > 0 || clock_ms() >= deadline_ms)
			break;
		/* Ended, but a debugger that is attached gets to see it first. */
		(void)poll(NULL, 0, 1);
	}
	return r;
}

int process_wait_end(int pidfd, int64_t deadline_ms)
{
	int events = fd_wait(pidfd, POLLIN, deadline_ms);

	return events > 0 ? 1 : events;
}

void process_kill_and_reap(int pidfd)
{
	(void)process_signal(pidfd, SIGKILL);
	(void)process_wait(pidfd, clock_ms() + KILL_TIMEOUT_MS, NULL);
}

int process_reset_signals(void)
{
	/* struct sigaction as the kernel has it, whatever the order of its members: all are zero.
	 */
	static const unsigned long default_action[8];
	static const unsigned char no_signals[KERNEL_SIGSET_LEN];

	for (int signal = 1; signal <= SIGNALS_MAX; signal++) {
		if (signal == SIGKILL || signal == SIGSTOP)
			continue;
		if (syscall(SYS_rt_sigaction, signal, default_action, NULL, KERNEL_SIGSET_LEN) < 0)
			return -errno;
	}
	if (syscall(SYS_rt_sigprocmask, SIG_SETMASK, no_signals, NULL, KERNEL_SIGSET_LEN) < 0)
		return -errno;
	return 0;
}

int process_reset_affinity(void)
{
	/* As many as the kernel can be built for. */
	unsigned long all[8192 / (8 * sizeof(long))];

	memset(all, 0xff, sizeof(all));
	return syscall(SYS_sched_setaffinity, 0, sizeof(all), all) < 0 ? -errno : 0;
}
