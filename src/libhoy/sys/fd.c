/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors: close-on-exec ranges, copies, waiting with a deadline. Runs in the runtime and,
 * after the clone, in init: it must not allocate or report. The two functions that change the
 * descriptors of the whole process are not for libhoy in its caller.
 */
#include "sys/fd.h"

#include <limits.h>
#include <poll.h>
#include <time.h>

#include "sys/compat.h"
#include "sys/error.h"

int fd_cloexec_from(unsigned int first)
{
	return close_range(first, UINT_MAX, CLOSE_RANGE_CLOEXEC) < 0 ? -errno : 0;
}

int fd_close_from(unsigned int first)
{
	return close_range(first, UINT_MAX, 0) < 0 ? -errno : 0;
}

int fd_close_but(unsigned int first, const int *keep, size_t len)
{
	for (;;) {
		unsigned int next = ~0U;

		for (size_t i = 0; i < len; i++)
			if (keep[i] >= 0 && (unsigned int)keep[i] >= first &&
			    (unsigned int)keep[i] < next)
				next = (unsigned int)keep[i];
		if (next > first && close_range(first, next == ~0U ? ~0U : next - 1, 0) < 0)
			return -errno;
		if (next == ~0U)
			return 0;
		first = next + 1;
	}
}

int fd_dup(int fd, int minimum)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, minimum);

	return copy < 0 ? -errno : copy;
}

int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What poll(2) is to wait for: it counts in int, a deadline in the past is no wait. */
static int poll_timeout_ms(int64_t deadline_ms)
{
	int64_t left_ms;

	if (deadline_ms < 0)
		return -1;
	left_ms = deadline_ms - clock_ms();
	if (left_ms <= 0)
		return 0;
	return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

int fd_wait(int fd, short events, int64_t deadline_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };

	/* poll(2) passes over a negative one, and would wait for nothing. */
	if (fd < 0)
		return -EBADF;
	for (;;) {
		int timeout_ms = poll_timeout_ms(deadline_ms);
		int ready = poll(&poll_fd, 1, timeout_ms);

		if (ready > 0)
			return poll_fd.revents & POLLNVAL ? -EBADF : poll_fd.revents;
		if (ready < 0 && errno != EINTR)
			return -errno;
		if (ready == 0 && timeout_ms == 0)
			return 0;
	}
}

int fd_write_all(int fd, const void *data, size_t len)
{
	const char *rest = data;

	while (len > 0) {
		ssize_t written = write(fd, rest, len);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return written < 0 ? -errno : -EIO;
		rest += written;
		len -= (size_t)written;
	}
	return 0;
}

bool fd_same_inode(int a, int b)
{
	struct stat stat_a, stat_b;

	return fstat(a, &stat_a) == 0 && fstat(b, &stat_b) == 0 && stat_a.st_dev == stat_b.st_dev &&
	       stat_a.st_ino == stat_b.st_ino;
}

ssize_t fd_path(int fd, char *buffer, size_t size)
{
	char link[32];
	ssize_t len;

	format_text(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlinkat(AT_FDCWD, link, buffer, size);
	if (len < 0)
		return -errno;
	if ((size_t)len == size)
		return -ENAMETOOLONG;
	buffer[len] = '\0';
	return len;
}

int fd_set_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}
