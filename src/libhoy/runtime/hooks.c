/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks of the runtime's namespaces. Runs in the runtime, a hook in a child of it. Between the
 * clone and execve nothing allocates; nothing of libhoy's caller is changed. No wait is longer
 * than the hook's own process lives: its children may hold the pipe for as long as they like.
 */
#include "runtime/hooks.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/process.h"

/* How much of the end of a hook's stderr is quoted, in bytes. */
#define STDERR_TAIL   512
#define PID_FIELD_LEN 10
/* How a child says that its hook was never executed: this on stderr, and the status. */
#define CANNOT_EXECUTE	      "cannot be executed: "
#define STATUS_CANNOT_EXECUTE 127
#define KILL_TIMEOUT_MS	      10000

/** The last bytes that were read of a hook's stderr. */
struct tail {
	char bytes[STDERR_TAIL];
	size_t len;
};

static void tail_add(struct tail *tail, const char *bytes, size_t len)
{
	size_t keep = tail->len;

	if (len > STDERR_TAIL) {
		bytes += len - STDERR_TAIL;
		len = STDERR_TAIL;
	}
	if (keep > STDERR_TAIL - len)
		keep = STDERR_TAIL - len;
	memmove(tail->bytes, tail->bytes + tail->len - keep, keep);
	memcpy(tail->bytes + keep, bytes, len);
	tail->len = keep + len;
}

/** Reads what is there now. @returns false at end of file or on an error */
static bool tail_read(struct tail *tail, int fd)
{
	char bytes[4096];
	ssize_t len;

	do {
		len = read(fd, bytes, sizeof(bytes));
		if (len > 0)
			tail_add(tail, bytes, (size_t)len);
	} while (len == (ssize_t)sizeof(bytes));
	return len > 0 || (len < 0 && (errno == EAGAIN || errno == EINTR));
}

/** A memfd with the state, the pid written into the blanks that are kept for it. */
static int make_stdin(const struct plan_hooks *hooks, pid_t pid, struct hoy_error *err)
{
	autofree char *state = malloc(hooks->state_len + 1);
	char digits[PID_FIELD_LEN + 2];
	size_t len;
	int fd;

	if (!state)
		return fail(err, ENOMEM, "state for the hook");
	memcpy(state, hooks->state, hooks->state_len);
	len = format_text(digits, sizeof(digits), "%d", (int)pid);
	if (pid >= 0 && len <= PID_FIELD_LEN &&
	    hooks->pid_offset + PID_FIELD_LEN <= hooks->state_len)
		memcpy(state + hooks->pid_offset + PID_FIELD_LEN - len, digits, len);
	fd = file_sealed("state", state, hooks->state_len);
	return fd < 0 ? fail(err, fd, "state for the hook") : fd;
}

int hooks_open_output(const char *path, struct hoy_error *err)
{
	/* Without the flag a FIFO that nobody reads would be waited for. */
	autoclose int fd = openat(AT_FDCWD, path,
				  O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
				  0644);
	int copy = fd < 0 ? -errno : fd_dup(fd, 3);

	if (copy >= 0)
		(void)fd_set_nonblock(copy, false);
	return copy < 0 ? fail_at(err, "annotations", copy, "open %s for the output of hooks", path)
			: copy;
}

struct hook_stdio {
	int input, output, error;
	/** Takes the reason if the hook cannot be executed. */
	int report;
};

/** The child: becomes the hook, or reports why not. */
static _Noreturn void become_hook(const struct plan_hook *hook, const struct hook_stdio *stdio)
{
	static char *no_args[] = { NULL, NULL };
	char **args = hook->args && hook->args[0] ? hook->args : no_args;
	char message[256];
	size_t len;

	if (args == no_args)
		no_args[0] = (char *)hook->path;
	(void)setsid();
	/* A hook is part of the operation: it does not outlive a runtime that is killed. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* The three descriptors lie above 2, so none is overwritten before it is copied. */
	if (dup2(stdio->input, 0) == 0 && dup2(stdio->output, 1) == 1 &&
	    dup2(stdio->error, 2) == 2 && fd_cloexec_from(3) == 0 && process_reset_signals() == 0)
		execve(hook->path, args, hook->env ? hook->env : environ);
	len = format_text(message, sizeof(message), CANNOT_EXECUTE "%s", error_words(errno));
	(void)!write(stdio->report, message, len < sizeof(message) ? len : sizeof(message) - 1);
	_exit(STATUS_CANNOT_EXECUTE);
}

/** A pipe, its end to write above 2. @returns 0 or -1 */
static int make_pipe(int *ret_read, int *ret_write, struct hoy_error *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return fail(err, errno, "make a pipe");
	*ret_read = fds[0];
	*ret_write = fd_dup(fds[1], 3);
	(void)close(fds[1]);
	if (*ret_write < 0 || fd_set_nonblock(*ret_read, true) < 0)
		return fail(err, EMFILE, "make a pipe");
	return 0;
}

/** Opens a hook's stdio above 2 and starts it. @returns its pid and pidfd, or -1 */
static pid_t start_hook(const struct plan_hooks *hooks, const struct plan_hook *hook, int input,
			int *ret_pidfd, int *ret_report, struct hoy_error *err)
{
	autoclose int state = fd_dup(input, 3), output = -1, error = -1, report = -1, read_end = -1;
	struct hook_stdio stdio;
	pid_t pid;

	if (state < 0)
		return fail(err, state, "open the hook's stdin");
	if (make_pipe(&read_end, &report, err) < 0)
		return -1;
	output = hooks_open_output(hooks->stdout_path ? hooks->stdout_path : "/dev/null", err);
	if (output < 0)
		return -1;
	if (hooks->stderr_path) {
		error = hooks_open_output(hooks->stderr_path, err);
		if (error < 0)
			return -1;
	}
	stdio = (struct hook_stdio){ state, output, error < 0 ? report : error, report };
	pid = process_clone(0, -1, SIGCHLD, ret_pidfd);
	if (pid < 0)
		return fail(err, pid, "clone a process for the hook");
	if (pid == 0)
		become_hook(hook, &stdio);
	*ret_report = take_fd(&read_end);
	return pid;
}

static int timeout_ms_until(int64_t deadline_ms)
{
	int64_t left_ms = deadline_ms - clock_ms();

	if (deadline_ms < 0)
		return -1;
	return left_ms > 0 ? (int)left_ms : 0;
}

/** Waits for the hook's process, emptying its stderr. @returns 1, 0 at the deadline, -errno */
static int watch_hook(int pidfd, int error, int64_t deadline_ms, struct tail *tail)
{
	struct pollfd fds[] = {
		{ .fd = pidfd, .events = POLLIN },
		{ .fd = error, .events = POLLIN },
	};

	for (;;) {
		int ready = poll(fds, ARRAY_LEN(fds), timeout_ms_until(deadline_ms));

		if (ready < 0 && errno != EINTR)
			return -errno;
		if (ready > 0 && fds[1].revents && !tail_read(tail, error))
			fds[1].fd = -1;
		if (ready > 0 && fds[0].revents)
			return 1;
		if (ready <= 0 && deadline_ms >= 0 && clock_ms() >= deadline_ms)
			return 0;
	}
}

/** An error about a hook, with the end of its stderr. */
static int fail_hook(struct hoy_error *err, const struct plan_hook *hook, const char *what,
		     struct tail *tail)
{
	/* Messages end with a line feed, which is no part of what they say. */
	while (tail->len > 0 &&
	       (tail->bytes[tail->len - 1] == '\n' || tail->bytes[tail->len - 1] == ' '))
		tail->len--;
	return fail_at(err, hook->at ? hook->at : "", 0, "%s %s%s%.*s", hook->path, what,
		       tail->len > 0 && what[0] ? ": " : "", (int)tail->len, tail->bytes);
}

/** Reaps a hook that has ended and judges it. */
static int judge_hook(const struct plan_hook *hook, int pidfd, struct tail *tail,
		      struct hoy_error *err)
{
	siginfo_t info = { .si_pid = 0 };
	char what[64];
	int r;

	do
		r = waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | __WALL);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return fail_at(err, hook->at ? hook->at : "", errno, "wait for %s", hook->path);
	if (info.si_code == CLD_EXITED && info.si_status == 0)
		return 0;
	if (info.si_code == CLD_EXITED && info.si_status == STATUS_CANNOT_EXECUTE &&
	    tail->len >= strlen(CANNOT_EXECUTE) &&
	    memcmp(tail->bytes, CANNOT_EXECUTE, strlen(CANNOT_EXECUTE)) == 0)
		what[0] = '\0';
	else if (info.si_code == CLD_EXITED)
		format_text(what, sizeof(what), "exited with status %d", info.si_status);
	else
		format_text(what, sizeof(what), "was killed by signal %d", info.si_status);
	return fail_hook(err, hook, what, tail);
}

static int run_hook(const struct plan_hooks *hooks, const struct plan_hook *hook, pid_t state_pid,
		    struct hoy_error *err)
{
	autoclose int input = make_stdin(hooks, state_pid, err), pidfd = -1, error = -1;
	struct tail tail = { .len = 0 };
	char what[64];
	pid_t pid;
	int r;

	if (input < 0)
		return -1;
	pid = start_hook(hooks, hook, input, &pidfd, &error, err);
	if (pid < 0)
		return -1;
	r = watch_hook(pidfd, error, hook->timeout_ms < 0 ? -1 : clock_ms() + hook->timeout_ms,
		       &tail);
	if (r > 0) {
		(void)tail_read(&tail, error);
		return judge_hook(hook, pidfd, &tail, err);
	}
	/* The group first: the hook's own process is not reaped yet, so the id is still its. */
	(void)kill(-pid, SIGKILL);
	(void)process_signal(pidfd, SIGKILL);
	(void)process_wait(pidfd, clock_ms() + KILL_TIMEOUT_MS, NULL);
	if (r < 0)
		return fail_at(err, hook->at ? hook->at : "", r, "wait for %s", hook->path);
	format_text(what, sizeof(what), "was killed at its timeout of %d s",
		    hook->timeout_ms / 1000);
	return fail_hook(err, hook, what, &tail);
}

int hooks_run(const struct plan_hooks *hooks, const char *kind, pid_t pid, const struct log *log,
	      struct hoy_error *err)
{
	for (size_t i = 0; i < hooks->len; i++) {
		log_debug(log, "%s hook %zu: %s", kind, i, hooks->items[i].path);
		if (run_hook(hooks, &hooks->items[i], pid, err) < 0)
			return fail_in(err, "%s hook %zu", kind, i);
	}
	return 0;
}

void hooks_run_all(const struct plan_hooks *hooks, const char *kind, pid_t pid,
		   const struct log *log)
{
	for (size_t i = 0; i < hooks->len; i++) {
		struct hoy_error err;

		log_debug(log, "%s hook %zu: %s", kind, i, hooks->items[i].path);
		if (run_hook(hooks, &hooks->items[i], pid, &err) < 0)
			log_event_at(log, HOY_LOG_WARNING, err.at, err.code, "%s hook %zu: %s",
				     kind, i, err.text);
	}
}
