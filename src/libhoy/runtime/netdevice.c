/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netDevices: the runtime's side, and the keeper that it clones for them. The keeper enters the
 * container's network namespace, which the caller of libhoy must not, moves the devices, and waits
 * on its socket: a message means that the container is made, end of file that it is not, be it that
 * create failed or that the runtime was killed. In the keeper nothing may allocate.
 */
#include "runtime/netdevice.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol.h"
#include "runtime/netdevice_link.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/message.h"
#include "sys/process.h"

/* For addresses and routes of all devices together. */
#define MEMORY_SIZE (4UL << 20)
/* Moving a device waits for the kernel to forget it: some tens of milliseconds for each. */
#define MOVE_MS 60000

/* ---- the keeper ---- */

struct keeper {
	const struct plan *plan;
	int socket;
	struct link_place host, container;
	struct link_memory memory;
	struct link *links;
};

/* The places of the descriptors that the keeper has; all others are the runtime's. */
enum {
	KEEPER_SOCKET = 3,
	KEEPER_HOST,
	KEEPER_CONTAINER,
	KEEPER_END,
};

static void tell(const struct keeper *keeper, const struct hoy_error *err)
{
	struct message message = { .type = err ? NOTE_ERROR : ANSWER_DONE };

	if (err)
		message.error = *err;
	(void)message_send(keeper->socket, &message, err ? sizeof(message) : MESSAGE_SHORT, NULL,
			   0);
}

/* Keeps three descriptors, whatever their numbers, and nothing that a caller may wait for. */
static int keep_only(int socket, int host, int container)
{
	int fds[] = { fd_dup(socket, KEEPER_END), fd_dup(host, KEEPER_END),
		      fd_dup(container, KEEPER_END) };

	for (int i = 0; i < (int)ARRAY_LEN(fds); i++)
		if (fds[i] < 0 || dup3(fds[i], KEEPER_SOCKET + i, O_CLOEXEC) < 0)
			return -errno;
	for (int i = 0; i < KEEPER_SOCKET; i++)
		(void)close(i);
	return fd_close_from(KEEPER_END);
}

/* Signals of a terminal are for the runtime: the keeper ends with it and not before. */
static int become_keeper(int socket, int host, int container)
{
	int r = process_reset_signals();

	(void)prctl(PR_SET_NAME, "hoy-net");
	if (r == 0 && setsid() < 0)
		r = -errno;
	return r < 0 ? r : keep_only(socket, host, container);
}

static int allocate(struct keeper *keeper)
{
	size_t links_size = keeper->plan->net_devices_len * sizeof(struct link);
	char *memory = mmap(NULL, links_size + MEMORY_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -errno;
	keeper->memory = (struct link_memory){ .data = memory, .size = MEMORY_SIZE };
	keeper->links = (struct link *)(void *)(memory + MEMORY_SIZE);
	for (size_t i = 0; i < keeper->plan->net_devices_len; i++)
		keeper->links[i].plan = &keeper->plan->net_devices[i];
	return 0;
}

/* A socket belongs to the namespace it was opened in, wherever its owner goes. */
static int open_places(struct keeper *keeper, struct hoy_error *err)
{
	int r;

	keeper->host.fd = KEEPER_HOST;
	keeper->container.fd = KEEPER_CONTAINER;
	r = netlink_open(&keeper->host.netlink);
	if (r < 0)
		return fail(err, r, "open a netlink socket");
	if (setns(KEEPER_CONTAINER, CLONE_NEWNET) < 0)
		return fail(err, errno, "enter the container's network namespace");
	r = netlink_open(&keeper->container.netlink);
	return r < 0 ? fail(err, r, "open a netlink socket") : 0;
}

static int move_all(struct keeper *keeper, struct hoy_error *err)
{
	for (size_t i = 0; i < keeper->plan->net_devices_len; i++) {
		struct link *link = &keeper->links[i];

		if (link_remember(&keeper->host, &keeper->memory, link, err) < 0 ||
		    link_move(&keeper->host, &keeper->container, &keeper->memory, link, err) < 0)
			return -1;
	}
	return 0;
}

/* The last one first, as its name may be one that an earlier one had. */
static int put_all_back(struct keeper *keeper, struct hoy_error *err)
{
	int r = 0;

	for (size_t i = keeper->plan->net_devices_len; i > 0; i--) {
		struct hoy_error next = { 0 };

		if (link_put_back(&keeper->host, &keeper->container, &keeper->memory,
				  &keeper->links[i - 1], &next) < 0 &&
		    r == 0) {
			*err = next;
			r = -1;
		}
	}
	return r;
}

static _Noreturn void keeper_main(const struct plan *plan, int socket, int host, int container)
{
	struct hoy_error err = { 0 }, second = { 0 };
	struct keeper keeper = { .plan = plan, .socket = socket };
	struct message word;
	int r = become_keeper(socket, host, container);

	if (r == 0)
		r = allocate(&keeper);
	if (r < 0) {
		fail(&err, r, "prepare to move network devices");
		tell(&keeper, &err);
		_exit(1);
	}
	keeper.socket = KEEPER_SOCKET;
	if (open_places(&keeper, &err) < 0 || move_all(&keeper, &err) < 0) {
		if (put_all_back(&keeper, &second) < 0)
			fail_hint(&err, "%s was moved and cannot be put back: %s", second.at,
				  second.text);
		tell(&keeper, &err);
		_exit(1);
	}
	tell(&keeper, NULL);
	if (message_receive(KEEPER_SOCKET, &word, sizeof(word), NULL, NULL, -1) > 0)
		_exit(0);
	r = put_all_back(&keeper, &err);
	tell(&keeper, r < 0 ? &err : NULL);
	_exit(r < 0);
}

/* ---- the runtime ---- */

static void forget(struct netdevice_keeper *keeper)
{
	if (keeper->pidfd >= 0) {
		if (process_wait(keeper->pidfd, clock_ms() + MOVE_MS, NULL) <= 0)
			process_kill_and_reap(keeper->pidfd);
		(void)close(keeper->pidfd);
	}
	if (keeper->socket >= 0)
		(void)close(keeper->socket);
	*keeper = NETDEVICE_KEEPER_NONE;
}

/* What the keeper says: that it has done as it was told, or why not. */
static int hear(struct netdevice_keeper *keeper, struct hoy_error *err)
{
	struct message message;
	ssize_t len = message_receive(keeper->socket, &message, sizeof(message), NULL, NULL,
				      clock_ms() + MOVE_MS);

	if (len == MESSAGE_SHORT && message.type == ANSWER_DONE)
		return 0;
	if (len != sizeof(message) || message.type != NOTE_ERROR)
		return fail_at(err, "linux.netDevices", len < 0 ? (int)len : 0,
			       "the process that moves network devices has ended");
	*err = message.error;
	return -1;
}

static int open_namespaces(int procfs, pid_t pid, int *ret_host, int *ret_container,
			   struct hoy_error *err)
{
	autoclose int host = -1, container = -1;
	char name[32];

	format_text(name, sizeof(name), "%d/ns/net", (int)pid);
	host = openat(procfs, "thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	container = openat(procfs, name, O_RDONLY | O_CLOEXEC);
	if (host < 0 || container < 0)
		return fail_at(err, "linux.netDevices", errno, "open the network namespaces");
	if (fd_same_inode(host, container))
		return fail_at(err, "linux.netDevices", 0,
			       "the network namespace of the container is that of the host: there "
			       "is nowhere to move devices to");
	*ret_host = take_fd(&host);
	*ret_container = take_fd(&container);
	return 0;
}

int netdevice_move(const struct plan *plan, int procfs, pid_t pid,
		   struct netdevice_keeper *ret_keeper, struct hoy_error *err)
{
	struct netdevice_keeper keeper = NETDEVICE_KEEPER_NONE;
	autoclose int host = -1, container = -1;
	int pair[2], r;

	if (open_namespaces(procfs, pid, &host, &container, err) < 0)
		return -1;
	r = message_pair(pair);
	if (r < 0)
		return fail(err, r, "make a socket");
	r = process_clone(0, -1, SIGCHLD, &keeper.pidfd);
	if (r == 0)
		keeper_main(plan, pair[1], host, container);
	(void)close(pair[1]);
	keeper.socket = pair[0];
	if (r < 0)
		fail(err, r, "clone a process to move network devices");
	else
		r = hear(&keeper, err);
	if (r < 0) {
		forget(&keeper);
		return -1;
	}
	*ret_keeper = keeper;
	return 0;
}

void netdevice_leave(struct netdevice_keeper *keeper)
{
	const struct message message = { .type = ANSWER_DONE };

	if (keeper->socket >= 0)
		(void)message_send(keeper->socket, &message, MESSAGE_SHORT, NULL, 0);
	forget(keeper);
}

void netdevice_put_back(struct netdevice_keeper *keeper, const struct log *log)
{
	struct hoy_error err = { 0 };

	if (keeper->socket >= 0) {
		(void)shutdown(keeper->socket, SHUT_WR);
		if (hear(keeper, &err) < 0)
			log_event_at(log, HOY_LOG_WARNING, err.at, err.code, "%s", err.text);
	}
	forget(keeper);
}
