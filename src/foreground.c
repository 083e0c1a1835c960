/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for the container's process towards the caller: signals go to it, its end is ours.
 * Runs in the program, whose signal mask and subreaper setting it changes; libhoy resets signals in
 * whatever it starts.
 */
#include "foreground.h"

#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

#include <hoy/container.h>

#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/process.h"

/* For output that other processes of the container still have in the terminal. */
#define DRAIN_MS 500
/* More messages are not waiting in a socket unless somebody goes on sending. */
#define MESSAGES_MAX 512

enum {
	POLL_SIGNALS,
	POLL_PROCESS,
	POLL_NOTIFY,
	POLL_TERMINAL,
	POLL_LEN = POLL_TERMINAL + TERMINAL_FDS
};

int foreground_begin(struct foreground *foreground, bool subreaper, struct hoy_error *err)
{
	/* Signals of our own mistakes must end us. */
	static const int own[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS };
	sigset_t set;

	/* sigfillset() leaves out more than one signal that others send: with musl SIGRTMIN. */
	memset(&set, 0xff, sizeof(set));
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		sigdelset(&set, own[i]);
	foreground->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (foreground->signals < 0)
		return fail(err, errno, "make a signalfd");
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return fail(err, errno, "block signals");
	if (subreaper && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return fail(err, errno, "become a subreaper");
	return 0;
}

/** Reaps what the container has left to us; the process itself is waited for by its pidfd. */
static void reap_orphans(pid_t pid)
{
	for (;;) {
		siginfo_t info = { .si_pid = 0 };

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0 ||
		    info.si_pid == pid)
			return;
		(void)waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG);
	}
}

static void forward_signals(const struct foreground *foreground)
{
	const struct terminal *terminal = &foreground->terminal;
	struct signalfd_siginfo info;

	while (read(foreground->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		int signal = (int)info.ssi_signo;

		if (signal == SIGCHLD)
			reap_orphans(foreground->pid);
		else if (signal == SIGWINCH && terminal->master >= 0)
			terminal_resize(terminal);
		else if (signal != SIGPIPE && signal != SIGURG && signal != SIGTTOU &&
			 signal != SIGTTIN)
			(void)process_signal(foreground->pidfd, signal);
	}
}

/**
 * Once the container is ready what else it says is taken and forgotten. The service manager watches
 * us: the end of the process is ours.
 */
static void pass_on(struct foreground *foreground)
{
	struct hoy_error unused;

	if (hoy_notify(foreground->notify, foreground->notify_socket, getpid(), &unused) > 0)
		foreground->notify_socket = NULL;
}

/** What the process said before it ended; others may go on. */
static void pass_on_rest(struct foreground *foreground)
{
	for (int i = 0; i < MESSAGES_MAX && foreground->notify_socket &&
			fd_wait(foreground->notify, POLLIN, 0) > 0;
	     i++)
		pass_on(foreground);
}

/** @returns 0 once the process has ended, or -errno */
static int watch(struct foreground *foreground)
{
	struct terminal *terminal = &foreground->terminal;

	for (;;) {
		struct pollfd fds[POLL_LEN] = {
			[POLL_SIGNALS] = { .fd = foreground->signals, .events = POLLIN },
			[POLL_PROCESS] = { .fd = foreground->pidfd, .events = POLLIN },
			[POLL_NOTIFY] = { .fd = foreground->notify, .events = POLLIN },
		};
		nfds_t len = POLL_TERMINAL;

		if (terminal->master >= 0) {
			terminal_poll(terminal, fds + POLL_TERMINAL);
			len = POLL_LEN;
		}
		if (poll(fds, len, -1) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (fds[POLL_SIGNALS].revents)
			forward_signals(foreground);
		if (terminal->master >= 0)
			terminal_copy(terminal, fds + POLL_TERMINAL);
		if (fds[POLL_NOTIFY].revents)
			pass_on(foreground);
		if (fds[POLL_PROCESS].revents) {
			pass_on_rest(foreground);
			return 0;
		}
	}
}

int foreground_attach(struct foreground *foreground, struct hoy_error *err)
{
	if (foreground->master < 0)
		return 0;
	return terminal_begin(&foreground->terminal, foreground->master, err);
}

int foreground_wait(struct foreground *foreground, struct hoy_error *err)
{
	int status, r = watch(foreground);

	if (r == 0)
		r = process_wait(foreground->pidfd, -1, &status);
	if (r < 0)
		return fail(err, r, "wait for the container's process");
	if (foreground->terminal.master >= 0)
		terminal_drain(&foreground->terminal, clock_ms() + DRAIN_MS);
	return status;
}

void foreground_done(struct foreground *foreground)
{
	terminal_done(&foreground->terminal);
	cleanup_close(&foreground->signals);
	cleanup_close(&foreground->pidfd);
	cleanup_close(&foreground->master);
	cleanup_close(&foreground->notify);
}
