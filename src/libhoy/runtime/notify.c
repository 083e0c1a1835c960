/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sd_notify(3) for a container: it gets a socket of its own, as that of the service manager is
 * neither visible nor safe inside, and of what it says there only READY=1 is passed on. Runs in the
 * runtime. Every message is hostile: MAINPID, for one, would have the manager watch any process.
 */
#include "runtime/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <hoy/container.h>

#include "plan/plan.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/message.h"

/* How long the service manager may take to read what it is sent. */
#define MANAGER_MS 5000
/* More are not waiting in a socket unless somebody goes on sending. */
#define MESSAGES_MAX 512

/* Everybody in the container may send. The directory is the container's too: links are not
 * followed. */
static int open_to_all(int directory)
{
	autoclose int fd = openat(directory, PLAN_NOTIFY_SOCKET, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char link[32];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	format_text(link, sizeof(link), "/proc/self/fd/%d", fd);
	return fchmodat(AT_FDCWD, link, 0777, 0) < 0 ? -errno : 0;
}

static int bind_in(int directory, int fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	/* Of a start that was killed. */
	if (unlinkat(directory, PLAN_NOTIFY_SOCKET, 0) < 0 && errno != ENOENT)
		return -errno;
	format_text(address.sun_path, sizeof(address.sun_path),
		    "/proc/self/fd/%d/" PLAN_NOTIFY_SOCKET, directory);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return open_to_all(directory);
}

int notify_open(const struct state_dir *dir, struct hoy_error *err)
{
	autoclose int directory = openat(dir->fd, STATE_NOTIFY,
					 O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	autoclose int fd = -1;
	int r;

	if (directory < 0 && errno == ENOENT)
		return -ENOENT;
	if (directory < 0)
		return fail(err, errno, "open the directory of the notify socket");
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(err, errno, "make the notify socket");
	r = bind_in(directory, fd);
	return r < 0 ? fail(err, r, "make the notify socket") : take_fd(&fd);
}

/* ---- messages ---- */

/* Whether one of the lines says that the container is ready. */
static bool says_ready(const char *text, size_t len)
{
	static const char ready[] = "READY=1";
	const char *end = text + len;

	while (text < end) {
		const char *feed = memchr(text, '\n', (size_t)(end - text));
		size_t line_len = (size_t)((feed ? feed : end) - text);

		if (line_len == strlen(ready) && memcmp(text, ready, line_len) == 0)
			return true;
		text += line_len + 1;
	}
	return false;
}

static int tell(const char *notify_socket, const char *text, int fd)
{
	const int64_t deadline_ms = clock_ms() + MANAGER_MS;
	autoclose int manager = message_connect_datagram(notify_socket);
	int r;

	if (manager < 0)
		return manager;
	for (;;) {
		r = message_send(manager, text, strlen(text), &fd, fd >= 0 ? 1 : 0);
		/* Its queue is full of what others have to say. */
		if (r != -EAGAIN)
			return r;
		r = fd_wait(manager, POLLOUT, deadline_ms);
		if (r <= 0)
			return r < 0 ? r : -ETIMEDOUT;
	}
}

int hoy_notify(int fd, const char *notify_socket, int pid, struct hoy_error *err)
{
	char message[4096], text[64];
	int fds[MESSAGE_FDS_MAX];
	size_t fds_len = 0;
	ssize_t len = message_receive(fd, message, sizeof(message), fds, &fds_len, clock_ms());
	int r;

	/* Descriptors are a barrier of the container's: its end is what it waits for. */
	for (size_t i = 0; i < fds_len; i++)
		(void)close(fds[i]);
	if (len <= 0 || !says_ready(message, (size_t)len))
		return 0;
	if (!notify_socket)
		return 1;
	format_text(text, sizeof(text), "MAINPID=%d\nREADY=1", pid);
	r = tell(notify_socket, text, -1);
	return r < 0 ? fail(err, r, "tell %s that the container is ready", notify_socket) : 1;
}

/*
 * A manager finds out whose message it has by looking at the sender, which must not have ended by
 * then: it closes the descriptor once it has read all that was sent before (sd_notify_barrier(3)).
 */
static void barrier(const char *notify_socket)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	if (tell(notify_socket, "BARRIER=1", ends[1]) == 0) {
		cleanup_close(&ends[1]);
		ends[1] = -1;
		(void)fd_wait(ends[0], POLLIN, clock_ms() + MANAGER_MS);
	}
	cleanup_close(&ends[0]);
	cleanup_close(&ends[1]);
}

/* What it said before it ended is still there. @returns 1 if it was READY=1, 0, -1 */
static int take_last(int fd, pid_t pid, const char *notify_socket, struct hoy_error *err)
{
	int r = 0;

	for (int i = 0; r == 0 && i < MESSAGES_MAX && fd_wait(fd, POLLIN, 0) > 0; i++)
		r = hoy_notify(fd, notify_socket, pid, err);
	return r;
}

int notify_wait(int fd, int init, pid_t pid, const char *notify_socket, struct hoy_error *err)
{
	int r = 0;

	while (r == 0) {
		struct pollfd fds[2] = { { .fd = fd, .events = POLLIN },
					 { .fd = init, .events = POLLIN } };

		/* As long as it takes: how long that may be is for the manager to say. */
		if (init >= 0 && poll(fds, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			return fail(err, errno, "wait for the container to be ready");
		}
		if (init < 0 || fds[1].revents) {
			r = take_last(fd, pid, notify_socket, err);
			break;
		}
		r = hoy_notify(fd, notify_socket, pid, err);
	}
	if (r > 0)
		barrier(notify_socket);
	return r < 0 ? -1 : 0;
}
