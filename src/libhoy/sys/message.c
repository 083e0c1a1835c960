/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams with descriptors between the runtime and init, and descriptors for other programs over
 * a stream socket (console, seccomp agent). Runs in the runtime and, after the clone, in init: it
 * must not allocate or report. The peer is hostile: nothing it sends is kept but what was asked
 * for.
 */
#include "sys/message.h"

#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/fd.h"

/* A full backlog of an AF_UNIX listener cannot be polled for. */
#define CONNECT_RETRY_MS 5

/* Room for the descriptors of one message, aligned as the kernel's header in it. */
union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(MESSAGE_FDS_MAX * sizeof(int))];
};

int message_pair(int ret_fds[2])
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	ret_fds[0] = fds[0];
	ret_fds[1] = fds[1];
	return 0;
}

static ssize_t send_once(int fd, const void *data, size_t len, const int *fds, size_t fds_len,
			 int flags)
{
	union control control;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t sent;

	/* Nothing to tell it from end of file by, and no byte for descriptors to travel with. */
	if (len == 0 || fds_len > MESSAGE_FDS_MAX)
		return -EINVAL;
	if (fds_len > 0) {
		memset(&control, 0, sizeof(control));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(fds_len * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, fds_len * sizeof(int));
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(fds_len * sizeof(int));
	}
	do
		sent = sendmsg(fd, &message, flags | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : sent;
}

int message_send(int fd, const void *data, size_t len, const int *fds, size_t fds_len)
{
	ssize_t sent = send_once(fd, data, len, fds, fds_len, 0);

	if (sent < 0)
		return (int)sent;
	return (size_t)sent == len ? 0 : -EIO;
}

/* Takes the descriptors out of a received message: all that the kernel has installed. */
static size_t take_fds(struct msghdr *message, int fds[MESSAGE_FDS_MAX])
{
	size_t fds_len = 0;

	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
	     header = CMSG_NXTHDR(message, header)) {
		size_t len = header->cmsg_len - CMSG_LEN(0);

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		/* The control length leaves room for no more, so no descriptor is left over. */
		if (len > (MESSAGE_FDS_MAX - fds_len) * sizeof(int))
			len = (MESSAGE_FDS_MAX - fds_len) * sizeof(int);
		memcpy(fds + fds_len, CMSG_DATA(header), len);
		fds_len += len / sizeof(int);
	}
	return fds_len;
}

/* @returns as message_receive(), -EAGAIN if nothing is there */
static ssize_t receive_once(int fd, void *data, size_t size, int *ret_fds, size_t *ret_fds_len)
{
	union control control;
	struct iovec iov = { .iov_base = data, .iov_len = size };
	/* Without a control buffer the kernel drops descriptors itself and sets MSG_CTRUNC. */
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = ret_fds ? &control : NULL,
		.msg_controllen = ret_fds ? CMSG_LEN(MESSAGE_FDS_MAX * sizeof(int)) : 0,
	};
	int fds[MESSAGE_FDS_MAX];
	size_t fds_len;
	ssize_t len = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (len < 0)
		return -errno;
	fds_len = take_fds(&message, fds);
	if (len == 0 || message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		for (size_t i = 0; i < fds_len; i++)
			(void)close(fds[i]);
		return len == 0 ? -EPIPE : -EMSGSIZE;
	}
	if (ret_fds)
		memcpy(ret_fds, fds, fds_len * sizeof(int));
	if (ret_fds_len)
		*ret_fds_len = fds_len;
	return len;
}

ssize_t message_receive(int fd, void *data, size_t size, int *ret_fds, size_t *ret_fds_len,
			int64_t deadline_ms)
{
	for (;;) {
		int events = fd_wait(fd, POLLIN, deadline_ms);
		ssize_t len;

		if (events <= 0)
			return events < 0 ? events : -ETIMEDOUT;
		len = receive_once(fd, data, size, ret_fds, ret_fds_len);
		/*
		 * ECONNRESET: the peer has gone without reading all of ours. The kernel says so
		 * once, ahead of what it has sent us before: its last words are still to come.
		 */
		if (len != -EAGAIN && len != -EINTR && len != -ECONNRESET)
			return len;
	}
}

/*
 * Fills in the address of a path. One that is too long is reached through its parent directory,
 * opened as *ret_parent, which must stay open until the socket is connected.
 */
static int make_address(const char *path, struct sockaddr_un *address, int *ret_parent)
{
	size_t len = strlen(path);
	char parent_path[PATH_MAX];
	const char *name = strrchr(path, '/');
	int parent;

	if (len == 0)
		return -ENOENT;
	if (len < sizeof(address->sun_path)) {
		memcpy(address->sun_path, path, len + 1);
		return 0;
	}
	if (len >= sizeof(parent_path) || !name)
		return -ENAMETOOLONG;
	name++;
	memcpy(parent_path, path, (size_t)(name - path));
	parent_path[name - path] = '\0';
	parent = open(parent_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return -errno;
	if (format_text(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/%s", parent,
			name) >= sizeof(address->sun_path)) {
		cleanup_close(&parent);
		return -ENAMETOOLONG;
	}
	*ret_parent = parent;
	return 0;
}

static int connect_until(int fd, const struct sockaddr_un *address, int64_t deadline_ms)
{
	for (;;) {
		if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (deadline_ms >= 0 && clock_ms() >= deadline_ms)
			return -ETIMEDOUT;
		(void)poll(NULL, 0, CONNECT_RETRY_MS);
	}
}

int message_connect(const char *path, int64_t deadline_ms)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	autoclose int parent = -1;
	autoclose int fd = -1;
	int r;

	r = make_address(path, &address, &parent);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = connect_until(fd, &address, deadline_ms);
	if (r < 0)
		return r;
	r = fd_set_nonblock(fd, false);
	return r < 0 ? r : take_fd(&fd);
}

int message_connect_datagram(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t size = sizeof(address);
	autoclose int parent = -1;
	autoclose int fd = -1;
	int r;

	r = make_address(path, &address, &parent);
	if (r < 0)
		return r;
	/* Of an abstract name every byte counts, the last zero too. */
	if (path[0] == '@') {
		address.sun_path[0] = '\0';
		size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	}
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, size) < 0)
		return -errno;
	return take_fd(&fd);
}

int message_send_stream(int fd, const void *data, size_t len, const int *fds, size_t fds_len,
			int64_t deadline_ms)
{
	const char *rest = data;

	do {
		ssize_t sent = send_once(fd, rest, len, fds, fds_len, MSG_DONTWAIT);
		int events;

		if (sent > 0) {
			rest += sent;
			len -= (size_t)sent;
			/* They went with the first byte. */
			fds_len = 0;
			continue;
		}
		if (sent != -EAGAIN)
			return (int)sent;
		events = fd_wait(fd, POLLOUT, deadline_ms);
		if (events <= 0)
			return events < 0 ? events : -ETIMEDOUT;
	} while (len > 0);
	return 0;
}
