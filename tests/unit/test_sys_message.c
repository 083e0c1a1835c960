/* SPDX-License-Identifier: Apache-2.0 */
/* sys/message.c: datagrams with descriptors, hostile peers, connecting and sending in time. */
#include "unit.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "sys/cleanup.h"
#include "sys/fd.h"
#include "sys/message.h"

struct pair {
	int ours, peers;
};

static struct pair make_pair(void)
{
	int fds[2];

	assert_int_equal(message_pair(fds), 0);
	return (struct pair){ fds[0], fds[1] };
}

static void close_pair(struct pair *pair)
{
	close(pair->ours);
	close(pair->peers);
}

/* As a hostile peer sends: any number of descriptors, any length. */
static void send_raw(int fd, const void *data, size_t len, int passed, size_t fds_len)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(64 * sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fds_len > 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(fds_len * sizeof(int));
		for (size_t i = 0; i < fds_len; i++)
			memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &passed, sizeof(int));
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(fds_len * sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &message, MSG_NOSIGNAL), len);
}

static void both_ends_are_close_on_exec(void **state)
{
	struct pair pair = make_pair();

	(void)state;
	assert_true(fcntl(pair.ours, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(pair.peers, F_GETFD) & FD_CLOEXEC);
	close_pair(&pair);
}

static void a_message_arrives_as_it_was_sent(void **state)
{
	struct pair pair = make_pair();
	char buffer[16];
	size_t fds_len = 7;

	(void)state;
	assert_int_equal(message_send(pair.peers, "one", 3, NULL, 0), 0);
	assert_int_equal(message_send(pair.peers, "seven77", 7, NULL, 0), 0);
	assert_int_equal(message_receive(pair.ours, buffer, sizeof(buffer), NULL, &fds_len, -1), 3);
	assert_memory_equal(buffer, "one", 3);
	assert_int_equal(fds_len, 0);
	assert_int_equal(message_receive(pair.ours, buffer, 7, NULL, NULL, -1), 7);
	assert_memory_equal(buffer, "seven77", 7);
	close_pair(&pair);
}

static void descriptors_arrive_in_order_and_close_on_exec(void **state)
{
	struct unit *unit = *state;
	struct pair pair = make_pair();
	int fds[MESSAGE_FDS_MAX], received[MESSAGE_FDS_MAX];
	size_t fds_len = 0;
	char byte;

	for (size_t i = 0; i < MESSAGE_FDS_MAX; i++) {
		char name[8];

		snprintf(name, sizeof(name), "%zu", i);
		fds[i] = openat(unit->dirfd, name, O_CREAT | O_RDWR, 0600);
	}
	for (size_t len = 1; len <= MESSAGE_FDS_MAX; len++) {
		assert_int_equal(message_send(pair.peers, "x", 1, fds, len), 0);
		assert_int_equal(message_receive(pair.ours, &byte, 1, received, &fds_len, -1), 1);
		assert_int_equal(fds_len, len);
		for (size_t i = 0; i < len; i++) {
			assert_true(fd_same_inode(received[i], fds[i]));
			assert_true(fcntl(received[i], F_GETFD) & FD_CLOEXEC);
			close(received[i]);
		}
	}
	for (size_t i = 0; i < MESSAGE_FDS_MAX; i++)
		close(fds[i]);
	close_pair(&pair);
}

static void what_cannot_be_received_is_not_sent(void **state)
{
	struct unit *unit = *state;
	struct pair pair = make_pair();
	int fds[MESSAGE_FDS_MAX + 1];

	for (size_t i = 0; i <= MESSAGE_FDS_MAX; i++)
		fds[i] = unit->dirfd;
	assert_int_equal(message_send(pair.peers, "", 0, NULL, 0), -EINVAL);
	assert_int_equal(message_send(pair.peers, "x", 1, fds, MESSAGE_FDS_MAX + 1), -EINVAL);
	assert_int_equal(fd_wait(pair.ours, POLLIN, 0), 0);
	close_pair(&pair);
}

static void a_message_that_is_too_long_is_an_error(void **state)
{
	struct unit *unit = *state;
	struct pair pair = make_pair();
	unsigned int before = unit_count_fds();
	int received[MESSAGE_FDS_MAX] = { -7, -7, -7, -7 };
	size_t fds_len = 7;
	char buffer[4];

	send_raw(pair.peers, "12345", 5, unit->dirfd, 2);
	assert_int_equal(message_receive(pair.ours, buffer, 4, received, &fds_len, -1), -EMSGSIZE);
	assert_int_equal(fds_len, 7);
	assert_int_equal(received[0], -7);
	assert_int_equal(unit_count_fds(), before);
	assert_int_equal(message_send(pair.peers, "ok", 2, NULL, 0), 0);
	assert_int_equal(message_receive(pair.ours, buffer, 4, received, &fds_len, -1), 2);
	close_pair(&pair);
}

static void surplus_descriptors_are_closed(void **state)
{
	struct unit *unit = *state;
	struct pair pair = make_pair();
	unsigned int before = unit_count_fds();
	int received[MESSAGE_FDS_MAX];
	size_t fds_len = 7;
	char byte;

	for (size_t len = MESSAGE_FDS_MAX + 1; len <= 64; len++) {
		send_raw(pair.peers, "x", 1, unit->dirfd, len);
		assert_int_equal(message_receive(pair.ours, &byte, 1, received, &fds_len, -1),
				 -EMSGSIZE);
		assert_int_equal(unit_count_fds(), before);
	}
	for (size_t len = 1; len <= 64; len++) {
		send_raw(pair.peers, "x", 1, unit->dirfd, len);
		assert_int_equal(message_receive(pair.ours, &byte, 1, NULL, &fds_len, -1),
				 -EMSGSIZE);
		assert_int_equal(unit_count_fds(), before);
	}
	assert_int_equal(fds_len, 7);
	close_pair(&pair);
}

static void receiving_ends_at_the_deadline(void **state)
{
	struct pair pair = make_pair();
	int64_t start_ms = clock_ms();
	char byte;

	(void)state;
	assert_int_equal(message_receive(pair.ours, &byte, 1, NULL, NULL, start_ms + 30),
			 -ETIMEDOUT);
	assert_true(clock_ms() - start_ms >= 30);
	assert_int_equal(message_receive(pair.ours, &byte, 1, NULL, NULL, 0), -ETIMEDOUT);
	assert_int_equal(message_send(pair.peers, "x", 1, NULL, 0), 0);
	assert_int_equal(message_receive(pair.ours, &byte, 1, NULL, NULL, 0), 1);
	assert_int_equal(message_receive(-1, &byte, 1, NULL, NULL, 0), -EBADF);
	close_pair(&pair);
}

static void end_of_file_is_an_error(void **state)
{
	struct unit *unit = *state;
	struct pair pair = make_pair();
	unsigned int before = unit_count_fds();
	int received[MESSAGE_FDS_MAX];
	size_t fds_len;
	char byte;

	/* A datagram without a byte passes for it, and its descriptors go too. */
	send_raw(pair.peers, "", 0, unit->dirfd, 1);
	assert_int_equal(message_receive(pair.ours, &byte, 1, received, &fds_len, -1), -EPIPE);
	assert_int_equal(unit_count_fds(), before);
	close(pair.peers);
	assert_int_equal(message_receive(pair.ours, &byte, 1, NULL, NULL, -1), -EPIPE);
	assert_int_equal(message_receive(pair.ours, &byte, 1, NULL, NULL, -1), -EPIPE);
	assert_int_equal(message_send(pair.ours, "x", 1, NULL, 0), -EPIPE);
	close(pair.ours);
}

static void last_words_survive_a_peer_that_did_not_listen(void **state)
{
	struct pair pair = make_pair();
	char buffer[16];

	(void)state;
	assert_int_equal(message_send(pair.ours, "unread", 6, NULL, 0), 0);
	assert_int_equal(message_send(pair.peers, "last words", 10, NULL, 0), 0);
	close(pair.peers);
	assert_int_equal(message_receive(pair.ours, buffer, sizeof(buffer), NULL, NULL, -1), 10);
	assert_memory_equal(buffer, "last words", 10);
	assert_int_equal(message_receive(pair.ours, buffer, sizeof(buffer), NULL, NULL, -1),
			 -EPIPE);
	close(pair.ours);
}

/* Listens at the relative name below the test's directory, whatever the length of its path. */
static int listen_at(struct unit *unit, const char *dir, const char *name, int backlog)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(cwd >= 0 && fd >= 0);
	assert_int_equal(fchdir(unit->dirfd), 0);
	assert_int_equal(chdir(dir), 0);
	strcpy(address.sun_path, name);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(fchdir(cwd), 0);
	close(cwd);
	return fd;
}

static void assert_connects(int listener, const char *path)
{
	int fd = message_connect(path, clock_ms() + 5000);
	int peer;

	assert_true(fd >= 0);
	peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(peer >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
	close(peer);
	close(fd);
}

static void paths_of_any_length_are_connected_to(void **state)
{
	struct unit *unit = *state;
	char path[512], name[128];
	int listener;

	snprintf(path, sizeof(path), "%s/sock", unit->path);
	listener = listen_at(unit, ".", "sock", 5);
	assert_connects(listener, path);
	close(listener);

	/* Around the length of sun_path, where the other way begins. */
	for (size_t len = 100; len <= 112; len++) {
		memset(name, 'd', sizeof(name));
		name[len - strlen(unit->path) - strlen("//s")] = '\0';
		assert_int_equal(mkdirat(unit->dirfd, name, 0755), 0);
		snprintf(path, sizeof(path), "%s/%s/s", unit->path, name);
		assert_int_equal(strlen(path), len);
		listener = listen_at(unit, name, "s", 5);
		assert_connects(listener, path);
		close(listener);
	}
}

static void connecting_tells_the_errno(void **state)
{
	struct unit *unit = *state;
	char path[PATH_MAX + 64];

	assert_int_equal(message_connect("", -1), -ENOENT);
	snprintf(path, sizeof(path), "%s/none", unit->path);
	assert_int_equal(message_connect(path, -1), -ENOENT);
	assert_int_equal(mknodat(unit->dirfd, "file", S_IFREG | 0600, 0), 0);
	snprintf(path, sizeof(path), "%s/file", unit->path);
	assert_int_equal(message_connect(path, -1), -ECONNREFUSED);
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(message_connect(path, -1), -ENAMETOOLONG);
	path[0] = '/';
	assert_int_equal(message_connect(path, -1), -ENAMETOOLONG);
	path[200] = '\0';
	assert_int_equal(message_connect(path, -1), -ENAMETOOLONG);
	path[150] = '/';
	assert_int_equal(message_connect(path, -1), -ENOENT);
}

static void connecting_ends_at_the_deadline(void **state)
{
	struct unit *unit = *state;
	int listener = listen_at(unit, ".", "sock", 0);
	int64_t start_ms = clock_ms();
	char path[128];
	int waiting;

	snprintf(path, sizeof(path), "%s/sock", unit->path);
	waiting = message_connect(path, start_ms + 5000);
	assert_true(waiting >= 0);
	start_ms = clock_ms();
	assert_int_equal(message_connect(path, start_ms + 30), -ETIMEDOUT);
	assert_true(clock_ms() - start_ms >= 30);
	close(waiting);
	close(listener);
}

static void *accept_later(void *argument)
{
	usleep(30000);
	close(accept4(*(int *)argument, NULL, NULL, SOCK_CLOEXEC));
	return NULL;
}

static void connecting_waits_for_a_full_backlog(void **state)
{
	struct unit *unit = *state;
	int listener = listen_at(unit, ".", "sock", 0);
	char path[128];
	int first, second;
	pthread_t thread;

	snprintf(path, sizeof(path), "%s/sock", unit->path);
	first = message_connect(path, clock_ms() + 5000);
	assert_int_equal(pthread_create(&thread, NULL, accept_later, &listener), 0);
	second = message_connect(path, clock_ms() + 5000);
	assert_true(second >= 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	close(first);
	close(second);
	close(listener);
}

struct stream_reader {
	int fd;
	size_t len, fds;
};

static void *read_stream(void *argument)
{
	struct stream_reader *reader = argument;
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(64 * sizeof(int))];
	} control;
	char buffer[5000];

	for (;;) {
		struct iovec iov = { .iov_base = buffer, .iov_len = sizeof(buffer) };
		struct msghdr message = { .msg_iov = &iov,
					  .msg_iovlen = 1,
					  .msg_control = &control,
					  .msg_controllen = sizeof(control) };
		ssize_t len = recvmsg(reader->fd, &message, MSG_CMSG_CLOEXEC);

		if (len <= 0)
			return NULL;
		reader->len += (size_t)len;
		if (CMSG_FIRSTHDR(&message)) {
			int fd;

			reader->fds++;
			memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
			close(fd);
		}
	}
}

static void a_stream_gets_all_data_and_the_descriptors_once(void **state)
{
	struct unit *unit = *state;
	struct stream_reader reader = { 0 };
	size_t len = 3 << 20;
	char *data = calloc(1, len);
	pthread_t thread;
	int fds[2];

	assert_non_null(data);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	reader.fd = fds[1];
	assert_int_equal(pthread_create(&thread, NULL, read_stream, &reader), 0);
	assert_int_equal(
		message_send_stream(fds[0], data, len, &unit->dirfd, 1, clock_ms() + 20000), 0);
	close(fds[0]);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(reader.len, len);
	assert_int_equal(reader.fds, 1);
	close(fds[1]);
	free(data);
}

static void a_stream_nobody_reads_ends_at_the_deadline(void **state)
{
	size_t len = 3 << 20;
	char *data = calloc(1, len);
	int64_t start_ms = clock_ms();
	int fds[2];

	(void)state;
	assert_non_null(data);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(message_send_stream(fds[0], data, len, NULL, 0, start_ms + 30),
			 -ETIMEDOUT);
	assert_true(clock_ms() - start_ms >= 30);
	close(fds[1]);
	assert_int_equal(message_send_stream(fds[0], data, len, NULL, 0, start_ms + 5000), -EPIPE);
	assert_int_equal(message_send_stream(fds[0], data, 0, NULL, 0, -1), -EINVAL);
	close(fds[0]);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(both_ends_are_close_on_exec),
		UNIT_TEST(a_message_arrives_as_it_was_sent),
		UNIT_TEST(descriptors_arrive_in_order_and_close_on_exec),
		UNIT_TEST(what_cannot_be_received_is_not_sent),
		UNIT_TEST(a_message_that_is_too_long_is_an_error),
		UNIT_TEST(surplus_descriptors_are_closed),
		UNIT_TEST(receiving_ends_at_the_deadline),
		UNIT_TEST(end_of_file_is_an_error),
		UNIT_TEST(last_words_survive_a_peer_that_did_not_listen),
		UNIT_TEST(paths_of_any_length_are_connected_to),
		UNIT_TEST(connecting_tells_the_errno),
		UNIT_TEST(connecting_ends_at_the_deadline),
		UNIT_TEST(connecting_waits_for_a_full_backlog),
		UNIT_TEST(a_stream_gets_all_data_and_the_descriptors_once),
		UNIT_TEST(a_stream_nobody_reads_ends_at_the_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
