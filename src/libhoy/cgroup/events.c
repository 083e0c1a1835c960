/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads and awaits what the kernel reports of a cgroup. Runs in the runtime; only reads, and
 * every wait has the caller's deadline.
 */
#include "cgroup/events.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/fd.h"
#include "sys/file.h"

/* Waits this often for a moment, each twice as long, before it sleeps until the kernel calls. */
#define SHORT_WAITS   10
#define FIRST_WAIT_NS 20000
/* Longest sleep: the kernel holds back a notice that follows another within 10 ms. */
#define LONGEST_WAIT_MS 100

static int64_t find_number(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, len) == 0 && line[len] == ' ')
			return strtoll(line + len + 1, NULL, 10);
	}
	return -ENODATA;
}

int64_t events_read(int cgroup, const char *file, const char *key)
{
	char text[4096];
	ssize_t len = file_read(cgroup, file, text, sizeof(text));

	return len < 0 ? len : find_number(text, key);
}

/* As events_read(), from the open cgroup.events: reading arms the notice that poll(2) awaits. */
static int64_t reread(int fd, const char *key)
{
	char text[256];
	ssize_t len;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	len = file_read_fd(fd, text, sizeof(text));
	return len < 0 ? len : find_number(text, key);
}

static void wait_shortly(unsigned int round)
{
	const struct timespec pause = { .tv_nsec = (long)FIRST_WAIT_NS << round };

	(void)nanosleep(&pause, NULL);
}

int events_wait(int cgroup, const char *key, int64_t value, int64_t deadline_ms)
{
	autoclose int fd = openat(cgroup, "cgroup.events", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	for (unsigned int round = 0;; round++) {
		int64_t now_ms, seen = reread(fd, key);

		if (seen < 0)
			return (int)seen;
		if (seen == value)
			return 1;
		now_ms = clock_ms();
		if (deadline_ms >= 0 && now_ms >= deadline_ms)
			return 0;
		if (round < SHORT_WAITS) {
			wait_shortly(round);
			continue;
		}
		now_ms += LONGEST_WAIT_MS;
		if (deadline_ms >= 0 && now_ms > deadline_ms)
			now_ms = deadline_ms;
		(void)fd_wait(fd, POLLPRI, now_ms);
	}
}
