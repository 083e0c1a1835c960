/* SPDX-License-Identifier: Apache-2.0 */
/* sys/process.c: cloning, waiting with a deadline, signals and their dispositions. */
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/fd.h"
#include "sys/process.h"

static void pause_for_ever(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

/* A child that ends with this status, or never if it is < 0. */
static int start_child(int status)
{
	int pidfd = -1;
	pid_t pid = process_clone(0, -1, SIGCHLD, &pidfd);

	assert_true(pid >= 0);
	if (pid == 0) {
		if (status < 0)
			pause_for_ever();
		_exit(status);
	}
	assert_true(pidfd >= 0);
	return pidfd;
}

static void clone_returns_twice(void **state)
{
	int pidfd = -7, status = -7;
	pid_t pid = process_clone(0, -1, SIGCHLD, &pidfd);

	(void)state;
	if (pid == 0)
		_exit(pidfd == -7 ? 9 : 1);
	assert_true(pid > 0);
	assert_true(fcntl(pidfd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(process_wait(pidfd, -1, &status), 1);
	assert_int_equal(status, 9);
	close(pidfd);
}

static void each_process_has_an_inode_or_none_has(void **state)
{
	autoclose int own = process_pidfd_open(getpid()), again = process_pidfd_open(getpid()),
		      other = process_pidfd_open(getppid());
	struct unit *unit = *state;

	assert_true(process_inode(own) == process_inode(again));
	if (process_inode(own) != 0)
		assert_true(process_inode(own) != process_inode(other));
	assert_true(process_inode(unit->dirfd) == 0);
	assert_true(process_inode(-1) == 0);
}

static void clone_needs_no_pidfd(void **state)
{
	pid_t pid = process_clone(0, -1, SIGCHLD, NULL);
	int status;

	(void)state;
	if (pid == 0)
		_exit(4);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 4);
}

static void clone_tells_the_errno(void **state)
{
	struct unit *unit = *state;
	int pidfd = -7;

	assert_int_equal(process_clone(CLONE_THREAD, -1, SIGCHLD, &pidfd), -EINVAL);
	/* A directory, but of no cgroup. */
	assert_int_equal(process_clone(0, unit->dirfd, SIGCHLD, &pidfd), -EBADF);
	assert_int_equal(pidfd, -7);
}

static void wait_reaps_a_child_without_exit_signal(void **state)
{
	int pidfd = -1, status = -1;
	pid_t pid = process_clone(0, -1, 0, &pidfd);

	(void)state;
	if (pid == 0)
		_exit(3);
	assert_true(pid > 0);
	assert_int_equal(process_wait(pidfd, clock_ms() + 5000, &status), 1);
	assert_int_equal(status, 3);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	close(pidfd);
}

static void wait_reaps_the_child_of_a_child_with_clone_parent(void **state)
{
	int grandchild = -1, child = -1, status = -1;
	int fds[2];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = process_clone(0, -1, SIGCHLD, &child);
	if (pid == 0) {
		pid = process_clone(CLONE_PARENT, -1, 0, NULL);
		if (pid == 0)
			_exit(6);
		_exit(write(fds[1], &pid, sizeof(pid)) == sizeof(pid) ? 0 : 1);
	}
	assert_int_equal(read(fds[0], &pid, sizeof(pid)), sizeof(pid));
	grandchild = process_pidfd_open(pid);
	assert_true(grandchild >= 0);
	assert_int_equal(process_wait(grandchild, clock_ms() + 5000, &status), 1);
	assert_int_equal(status, 6);
	assert_int_equal(process_wait(child, clock_ms() + 5000, &status), 1);
	assert_int_equal(status, 0);
	close(grandchild);
	close(child);
	close(fds[0]);
	close(fds[1]);
}

static void wait_ends_at_the_deadline(void **state)
{
	autoclose int pidfd = start_child(-1);
	int64_t start_ms = clock_ms();
	int status = -7;

	(void)state;
	assert_int_equal(process_wait(pidfd, start_ms + 30, &status), 0);
	assert_int_equal(process_wait_end(pidfd, start_ms + 60), 0);
	assert_true(clock_ms() - start_ms >= 60);
	assert_int_equal(process_wait(pidfd, 0, &status), 0);
	assert_int_equal(status, -7);
	process_kill_and_reap(pidfd);
}

static void a_signal_is_a_status_above_128(void **state)
{
	autoclose int pidfd = start_child(-1);
	int status;

	(void)state;
	assert_int_equal(process_signal(pidfd, 0), 0);
	assert_int_equal(process_signal(pidfd, SIGTERM), 0);
	assert_int_equal(process_wait(pidfd, clock_ms() + 5000, &status), 1);
	assert_int_equal(status, 128 + SIGTERM);
	assert_int_equal(process_signal(pidfd, SIGTERM), -ESRCH);
	assert_int_equal(process_wait(pidfd, clock_ms() + 5000, &status), -ECHILD);
	assert_int_equal(process_wait(pidfd, -1, &status), -ECHILD);
	assert_int_equal(process_wait_end(pidfd, clock_ms() + 5000), 1);
}

/* Attaches to the process and then never looks at it. */
static int start_tracer(pid_t pid, int ready)
{
	int pidfd = -1;

	if (process_clone(0, -1, SIGCHLD, &pidfd) != 0)
		return pidfd;
	if (write(ready, ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0 ? "y" : "n", 1) != 1)
		_exit(1);
	pause_for_ever();
	return -1;
}

static void a_child_its_tracer_holds_is_reaped_later(void **state)
{
	int child = -1, tracer, status = -7;
	pid_t pid = process_clone(0, -1, SIGCHLD, &child);
	char traced = 'n';
	int fds[2];

	(void)state;
	if (pid == 0)
		pause_for_ever();
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	tracer = start_tracer(pid, fds[1]);
	assert_int_equal(read(fds[0], &traced, 1), 1);
	if (traced == 'y') {
		assert_int_equal(process_signal(child, SIGKILL), 0);
		assert_int_equal(process_wait_end(child, clock_ms() + 5000), 1);
		assert_int_equal(process_wait(child, clock_ms() + 30, &status), 0);
		assert_int_equal(status, -7);
	}
	process_kill_and_reap(tracer);
	assert_int_equal(process_signal(child, SIGKILL), 0);
	assert_int_equal(process_wait(child, clock_ms() + 5000, &status), 1);
	assert_int_equal(status, 128 + SIGKILL);
	close(fds[0]);
	close(fds[1]);
	close(tracer);
	close(child);
}

static void only_children_are_reaped(void **state)
{
	autoclose int self = process_pidfd_open(getpid());

	(void)state;
	assert_true(self >= 0);
	assert_true(fcntl(self, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(process_wait(self, clock_ms() + 5000, NULL), -ECHILD);
	assert_int_equal(process_wait(-1, -1, NULL), -EINVAL);
	assert_int_equal(process_wait(STDIN_FILENO, 0, NULL), -EBADF);
}

static void the_end_is_seen_without_reaping(void **state)
{
	autoclose int pidfd = start_child(5);
	int status;

	(void)state;
	assert_int_equal(process_wait_end(pidfd, clock_ms() + 5000), 1);
	assert_int_equal(process_wait_end(pidfd, -1), 1);
	assert_int_equal(process_wait(pidfd, 0, &status), 1);
	assert_int_equal(status, 5);
}

static void kill_and_reap_leaves_no_zombie(void **state)
{
	autoclose int running = start_child(-1);
	autoclose int ended = start_child(0);

	(void)state;
	process_kill_and_reap(running);
	process_kill_and_reap(ended);
	process_kill_and_reap(ended);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void no_pidfd_of_no_process(void **state)
{
	(void)state;
	assert_int_equal(process_pidfd_open(0x7ffffff0), -ESRCH);
	assert_int_equal(process_pidfd_open(-1), -EINVAL);
	assert_int_equal(process_signal(-1, SIGTERM), -EBADF);
}

/* The three masks of /proc/self/status that must be empty, or the exit status that names one. */
static int check_signals(void)
{
	static const char *const fields[] = { "SigBlk:", "SigIgn:", "SigCgt:" };
	char status[8192];
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ssize_t len = read(fd, status, sizeof(status) - 1);

	if (len <= 0)
		return 10;
	status[len] = '\0';
	for (int i = 0; i < 3; i++) {
		const char *field = strstr(status, fields[i]);

		if (!field || strtoull(field + strlen(fields[i]), NULL, 16) != 0)
			return 1 + i;
	}
	return 0;
}

static void reset_leaves_no_signal_ignored_handled_or_blocked(void **state)
{
	autoclose int pidfd = -1;
	int status;
	pid_t pid;

	(void)state;
	pid = process_clone(0, -1, SIGCHLD, &pidfd);
	if (pid == 0) {
		/* What a parent may hand down: even the two that the C library keeps for itself. */
		static const unsigned long ignore[8] = { (unsigned long)SIG_IGN };
		static const unsigned char all[8] = { 255, 255, 255, 255, 255, 255, 255, 255 };

		for (int signal = 1; signal <= 64; signal++)
			syscall(SYS_rt_sigaction, signal, ignore, NULL, sizeof(all));
		syscall(SYS_rt_sigprocmask, SIG_SETMASK, all, NULL, sizeof(all));
		if (check_signals() != 1)
			_exit(20);
		_exit(process_reset_signals() < 0 ? 21 : check_signals());
	}
	assert_int_equal(process_wait(pidfd, clock_ms() + 5000, &status), 1);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(clone_returns_twice),
		UNIT_TEST(each_process_has_an_inode_or_none_has),
		UNIT_TEST(clone_needs_no_pidfd),
		UNIT_TEST(clone_tells_the_errno),
		UNIT_TEST(wait_reaps_a_child_without_exit_signal),
		UNIT_TEST(wait_reaps_the_child_of_a_child_with_clone_parent),
		UNIT_TEST(wait_ends_at_the_deadline),
		UNIT_TEST(a_signal_is_a_status_above_128),
		UNIT_TEST(a_child_its_tracer_holds_is_reaped_later),
		UNIT_TEST(only_children_are_reaped),
		UNIT_TEST(the_end_is_seen_without_reaping),
		UNIT_TEST(kill_and_reap_leaves_no_zombie),
		UNIT_TEST(no_pidfd_of_no_process),
		UNIT_TEST(reset_leaves_no_signal_ignored_handled_or_blocked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
