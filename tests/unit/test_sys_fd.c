/* SPDX-License-Identifier: Apache-2.0 */
/* sys/fd.c: what is close-on-exec or closed, how long is waited, what is written. */
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "sys/cleanup.h"
#include "sys/fd.h"

static bool is_cloexec(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	assert_true(flags >= 0);
	return flags & FD_CLOEXEC;
}

/* Changes of all descriptors belong in a child: the answer is its exit status. */
static int in_child(int (*function)(int fd), int fd)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(function(fd));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int mark_from(int fd)
{
	if (fd_cloexec_from((unsigned int)fd) < 0)
		return 1;
	if (fcntl(fd, F_GETFD) != FD_CLOEXEC || fcntl(fd + 1, F_GETFD) != FD_CLOEXEC)
		return 2;
	return fcntl(fd - 1, F_GETFD) == 0 ? 0 : 3;
}

static int close_from(int fd)
{
	if (fd_close_from((unsigned int)fd) < 0)
		return 1;
	if (fcntl(fd, F_GETFD) >= 0 || fcntl(fd + 1, F_GETFD) >= 0)
		return 2;
	return fcntl(fd - 1, F_GETFD) >= 0 ? 0 : 3;
}

static void ranges_start_at_the_first_descriptor(void **state)
{
	struct unit *unit = *state;

	for (int fd = 199; fd <= 201; fd++)
		assert_int_equal(dup2(unit->dirfd, fd), fd);
	assert_int_equal(in_child(mark_from, 200), 0);
	assert_int_equal(in_child(close_from, 200), 0);
	for (int fd = 199; fd <= 201; fd++)
		close(fd);
}

static void a_copy_is_close_on_exec_and_high_enough(void **state)
{
	struct unit *unit = *state;
	autoclose int fd = fd_dup(unit->dirfd, 100);

	assert_true(fd >= 100);
	assert_true(is_cloexec(fd));
	assert_true(fd_same_inode(fd, unit->dirfd));
	assert_int_equal(fd_dup(-1, 0), -EBADF);
}

static void waiting_ends_at_the_deadline(void **state)
{
	int64_t start_ms = clock_ms();
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(fd_wait(fds[0], POLLIN, start_ms + 30), 0);
	assert_true(clock_ms() - start_ms >= 30);
	assert_int_equal(fd_wait(fds[0], POLLIN, start_ms - 1000), 0);
	assert_int_equal(fd_wait(fds[0], POLLIN, 0), 0);
	close(fds[0]);
	close(fds[1]);
}

static void waiting_tells_the_events(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(fd_wait(fds[1], POLLOUT, -1), POLLOUT);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(fd_wait(fds[0], POLLIN, -1), POLLIN);
	close(fds[1]);
	assert_int_equal(fd_wait(fds[0], POLLIN, INT64_MAX), POLLIN | POLLHUP);
	close(fds[0]);
	assert_int_equal(fd_wait(fds[0], POLLIN, -1), -EBADF);
	assert_int_equal(fd_wait(-1, POLLIN, -1), -EBADF);
}

static void nothing(int signal)
{
	(void)signal;
}

/* Interrupts the main thread every millisecond until it is told to end. */
struct interrupter {
	pthread_t thread;
	pthread_t target;
	int stop;
};

static void *interrupt(void *argument)
{
	struct interrupter *interrupter = argument;

	while (!__atomic_load_n(&interrupter->stop, __ATOMIC_RELAXED)) {
		pthread_kill(interrupter->target, SIGUSR1);
		usleep(1000);
	}
	return NULL;
}

static void start_interrupter(struct interrupter *interrupter)
{
	struct sigaction action = { .sa_handler = nothing };

	sigaction(SIGUSR1, &action, NULL);
	interrupter->target = pthread_self();
	interrupter->stop = 0;
	assert_int_equal(pthread_create(&interrupter->thread, NULL, interrupt, interrupter), 0);
}

static void stop_interrupter(struct interrupter *interrupter)
{
	__atomic_store_n(&interrupter->stop, 1, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(interrupter->thread, NULL), 0);
}

static void interrupted_waiting_keeps_its_deadline(void **state)
{
	struct interrupter interrupter;
	int64_t start_ms, end_ms;
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	start_interrupter(&interrupter);
	start_ms = clock_ms();
	assert_int_equal(fd_wait(fds[0], POLLIN, start_ms + 50), 0);
	end_ms = clock_ms();
	stop_interrupter(&interrupter);
	assert_true(end_ms - start_ms >= 50);
	close(fds[0]);
	close(fds[1]);
}

struct reader {
	int fd;
	size_t len;
};

static void *read_slowly(void *argument)
{
	struct reader *reader = argument;
	char buffer[3000];
	ssize_t got;

	while ((got = read(reader->fd, buffer, sizeof(buffer))) > 0)
		reader->len += (size_t)got;
	return NULL;
}

static void writing_survives_interruption_and_short_writes(void **state)
{
	size_t len = 4 << 20;
	char *data = calloc(1, len);
	struct interrupter interrupter;
	struct reader reader = { 0 };
	pthread_t thread;
	int fds[2];

	(void)state;
	assert_non_null(data);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	reader.fd = fds[0];
	assert_int_equal(pthread_create(&thread, NULL, read_slowly, &reader), 0);
	start_interrupter(&interrupter);
	assert_int_equal(fd_write_all(fds[1], data, len), 0);
	stop_interrupter(&interrupter);
	close(fds[1]);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(reader.len, len);
	close(fds[0]);
	free(data);
}

static void writing_tells_the_errno(void **state)
{
	autoclose int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(fd_write_all(full, "x", 1), -ENOSPC);
	assert_int_equal(fd_write_all(full, "", 0), 0);
	assert_int_equal(fd_write_all(-1, "x", 1), -EBADF);
}

static void inodes_are_compared_by_device_and_number(void **state)
{
	struct unit *unit = *state;
	autoclose int same = open(unit->path, O_PATH | O_CLOEXEC);
	autoclose int other = open("/proc", O_PATH | O_CLOEXEC);

	assert_true(fd_same_inode(unit->dirfd, same));
	assert_false(fd_same_inode(unit->dirfd, other));
	assert_false(fd_same_inode(unit->dirfd, -1));
	assert_false(fd_same_inode(-1, -1));
}

static void nonblock_is_set_and_cleared(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(fd_set_nonblock(fds[0], true), 0);
	assert_true(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	assert_int_equal(fd_set_nonblock(fds[0], false), 0);
	assert_false(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(fd_set_nonblock(fds[0], true), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(ranges_start_at_the_first_descriptor),
		UNIT_TEST(a_copy_is_close_on_exec_and_high_enough),
		UNIT_TEST(waiting_ends_at_the_deadline),
		UNIT_TEST(waiting_tells_the_events),
		UNIT_TEST(interrupted_waiting_keeps_its_deadline),
		UNIT_TEST(writing_survives_interruption_and_short_writes),
		UNIT_TEST(writing_tells_the_errno),
		UNIT_TEST(inodes_are_compared_by_device_and_number),
		UNIT_TEST(nonblock_is_set_and_cleared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
