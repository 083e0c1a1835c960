/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hands the seccomp listener to the agent. The filter may catch sendmsg, or answer it by asking the
 * very agent that waits for the message (trap 20); so a thread that is started before the filter is
 * loaded, and is not under it, sends the descriptor, while init itself only looks at memory. The
 * thread ends before execve. Runs in init.
 * Spec: config-linux.md#seccomp (listenerPath), #container-process-state.
 */
#include "init/init.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "sys/compat.h"
#include "sys/error.h"
#include "sys/message.h"

/* How long the agent may take to make room for the message. */
#define AGENT_SECONDS 10

enum { WAITING = -1, SENT = 0 };

static struct {
	/** The listener, once there is one. */
	atomic_int fd;
	/** WAITING, SENT, or an errno. */
	atomic_int result;
	const struct init *init;
	_Alignas(16) char stack[16 * 1024];
} listener; /* without an initial value: its pages are then never read from the file */

static int send_listener(void *unused)
{
	const struct launch_fds *fds = listener.init->fds;
	struct hoy_error err = { 0 };
	int fd, r;

	(void)unused;
	while ((fd = atomic_load(&listener.fd)) < 0)
		(void)sched_yield();
	r = message_send(fds->listener, fds->listener_state, fds->listener_state_len, &fd, 1);
	if (r < 0) {
		/* Here, as init itself is under the filter by now. */
		fail_at(&err, "linux.seccomp.listenerPath", r, "send the listener to the agent");
		init_tell_error(listener.init, &err);
	}
	atomic_store(&listener.result, r < 0 ? -r : SENT);
	return 0;
}

static void fill_pid(const struct init *init)
{
	char digits[12];
	size_t len = format_text(digits, sizeof(digits), "%d", (int)init->pid);

	for (size_t i = 0; i < 2; i++)
		memcpy(init->fds->listener_state + init->fds->listener_pid_offsets[i] + 10 - len,
		       digits, len);
}

/*
 * Starts the thread. Before: the last limits (pids.max) and the scheduler, which may forbid it; the
 * filter, which would catch it.
 */
int step_listener(struct init *init, struct hoy_error *err)
{
	const struct plan_seccomp *seccomp = &init->plan->process.seccomp;
	const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
			  CLONE_SYSVSEM;
	struct timeval limit = { .tv_sec = AGENT_SECONDS };

	if (!seccomp->len || !(seccomp->flags & SECCOMP_FILTER_FLAG_NEW_LISTENER))
		return 0;
	if (init->fds->listener < 0)
		return fail_at(err, "linux.seccomp.listenerPath", 0, "no agent is connected");
	fill_pid(init);
	listener.init = init;
	atomic_store(&listener.fd, -1);
	atomic_store(&listener.result, WAITING);
	if (setsockopt(init->fds->listener, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return fail_at(err, "linux.seccomp.listenerPath", errno, "limit the sending time");
	if (clone(send_listener, listener.stack + sizeof(listener.stack), flags, NULL) < 0)
		return fail_at(err, "linux.seccomp.listenerPath", errno,
			       "start the thread that sends the listener");
	return 0;
}

void listener_hand_over(int fd)
{
	atomic_store(&listener.fd, fd);
	while (atomic_load(&listener.result) == WAITING)
		;
	/* No agent, no supervision: the program must not run. */
	if (atomic_load(&listener.result) != SENT)
		_exit(1);
}
