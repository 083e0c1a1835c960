/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks that run in the container's namespaces: createContainer before the pivot (their paths are
 * the host's), startContainer after it. Runs in init. Each gets its own session, the state on
 * stdin, no environment but its own, and is killed as a group when its time is up.
 * Spec: config.md#posix-platform-hooks.
 */
#include "init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/process.h"

/* How much of what a failed hook printed is repeated in the error. */
#define OUTPUT_TAIL 400
/* How a child says that its hook was never executed. */
#define CANNOT_EXECUTE "cannot be executed: "

int step_runtime_hooks(struct init *init, struct hoy_error *err)
{
	if (!init->plan->hooks[PLAN_PRESTART].len && !init->plan->hooks[PLAN_CREATE_RUNTIME].len)
		return 0;
	return init_request(init, REQUEST_RUNTIME_HOOKS, err);
}

/* The state for stdin, with the pid that this process has in the container's pid namespace. */
static int make_stdin(const struct plan_hooks *hooks, struct hoy_error *err)
{
	char digits[12];
	size_t len;
	int fd;

	fd = memfd_create("hook-state", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || fd_write_all(fd, hooks->state, hooks->state_len) < 0)
		return fail(err, errno, "make the hook's stdin");
	len = format_text(digits, sizeof(digits), "%d", (int)getpid());
	if (pwrite(fd, digits, len, (off_t)(hooks->pid_offset + 10 - len)) != (ssize_t)len ||
	    lseek(fd, 0, SEEK_SET) != 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
		fail(err, errno, "fill the hook's stdin");
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* The hook writes to the files named for it, if any, and else to `report`, as a failure to execute
 * it does. */
static _Noreturn void run_child(const struct launch_fds *fds, const struct plan_hook *hook,
				int input, int report)
{
	int output = fds->hook_stdout >= 0 ? fds->hook_stdout : report;
	int error = fds->hook_stderr >= 0 ? fds->hook_stderr : report;
	char *no_environment[] = { NULL };
	const char *words;

	if (setsid() < 0 || dup3(input, 0, 0) < 0 || dup3(output, 1, 0) < 0 ||
	    dup3(error, 2, 0) < 0 || fd_cloexec_from(3) < 0 ||
	    (process_reset_affinity() < 0 && fds->takes_turns))
		_exit(125);
	(void)umask(022);
	(void)execve(hook->path, hook->args, hook->env ? hook->env : no_environment);
	words = error_words(errno);
	if (write(report, CANNOT_EXECUTE, strlen(CANNOT_EXECUTE)) < 0 ||
	    write(report, words, strlen(words)) < 0)
		_exit(126);
	_exit(127);
}

/* The last words of the hook, as one line. */
static void read_tail(int output, char *text, size_t size)
{
	off_t end = lseek(output, 0, SEEK_END);
	off_t from = end > (off_t)size - 1 ? end - (off_t)(size - 1) : 0;
	ssize_t len = pread(output, text, size - 1, from);

	while (len > 0 && text[len - 1] == '\n')
		len--;
	text[len > 0 ? len : 0] = '\0';
}

static int fail_hook(const struct plan_hook *hook, int status, int output, struct hoy_error *err)
{
	char tail[OUTPUT_TAIL];

	read_tail(output, tail, sizeof(tail));
	if (status == 127 && strncmp(tail, CANNOT_EXECUTE, strlen(CANNOT_EXECUTE)) == 0)
		return fail_at(err, hook->at, 0, "hook %s %s", hook->path, tail);
	if (status > 128)
		return fail_at(err, hook->at, 0, "hook %s was killed by signal %d%s%s", hook->path,
			       status - 128, tail[0] ? ": " : "", tail);
	return fail_at(err, hook->at, 0, "hook %s ended with status %d%s%s", hook->path, status,
		       tail[0] ? ": " : "", tail);
}

static int run_hook(const struct launch_fds *fds, const struct plan_hooks *hooks,
		    const struct plan_hook *hook, struct hoy_error *err)
{
	int64_t deadline = hook->timeout_ms < 0 ? -1 : clock_ms() + hook->timeout_ms;
	autoclose int input = -1, output = -1, pidfd = -1;
	int status = 0, r;
	pid_t pid;

	input = make_stdin(hooks, err);
	if (input < 0)
		return fail_from(err, hook->at);
	output = memfd_create("hook-output", MFD_CLOEXEC);
	if (output < 0)
		return fail_at(err, hook->at, errno, "make the hook's output file");
	pid = process_clone(0, -1, SIGCHLD, &pidfd);
	if (pid < 0)
		return fail_at(err, hook->at, pid, "clone the hook %s", hook->path);
	if (pid == 0)
		run_child(fds, hook, input, output);
	r = process_wait(pidfd, deadline, &status);
	if (r == 0) {
		(void)kill(-pid, SIGKILL);
		process_kill_and_reap(pidfd);
		return fail_at(err, hook->at, ETIMEDOUT, "hook %s ran longer than %d s", hook->path,
			       hook->timeout_ms / 1000);
	}
	if (r < 0)
		return fail_at(err, hook->at, r, "wait for hook %s", hook->path);
	return status == 0 ? 0 : fail_hook(hook, status, output, err);
}

static int run_all(const struct init *init, enum plan_hook_kind kind, struct hoy_error *err)
{
	const struct plan_hooks *hooks = &init->plan->hooks[kind];

	for (size_t i = 0; i < hooks->len; i++)
		if (run_hook(init->fds, hooks, &hooks->items[i], err) < 0)
			return -1;
	return 0;
}

/* After: runtime hooks. Before: pivot. */
int step_create_container_hooks(struct init *init, struct hoy_error *err)
{
	return run_all(init, PLAN_CREATE_CONTAINER, err);
}

/* After: the gate. Before: seccomp. */
int step_start_container_hooks(struct init *init, struct hoy_error *err)
{
	return run_all(init, PLAN_START_CONTAINER, err);
}
