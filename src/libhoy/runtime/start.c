/* SPDX-License-Identifier: Apache-2.0 */
/*
 * start: opens the gate of a created container and tells the true result of execve. Runs in the
 * runtime. Watches init's pidfd at every wait, so that it can never hang on a dead init.
 * Spec: runtime.md#start, #lifecycle (steps 6 to 9).
 */
#include "runtime/start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <unistd.h>

#include <hoy/container.h>
#include <hoy/state.h>

#include "protocol.h"
#include "runtime/destroy.h"
#include "runtime/hooks.h"
#include "runtime/notify.h"
#include "runtime/turns.h"
#include "state/directory.h"
#include "sys/cleanup.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/file.h"

/* For what is only a matter of microseconds. */
#define LAST_FIFO_MS 1000

struct gate {
	int go, result, pidfd;
};

static int send_go(const struct container *container, const struct gate *gate,
		   struct hoy_error *err)
{
	/* A reader of our own while we write: if init ended just now, SIGPIPE would end our caller.
	 */
	autoclose int reader = openat(container->dir.fd, STATE_GATE_GO,
				      O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	struct gate_message message = { .type = GATE_GO };

	if (reader < 0 || write(gate->go, &message, GATE_SHORT) != (ssize_t)GATE_SHORT)
		return fail(err, errno, "open the start gate");
	return 0;
}

/*
 * Without a deadline, for startContainer hooks may have none; init's end is in the poll set.
 * @returns 1 with a message, 0 at end of file (init let go of the gate or ended), -1
 */
static int receive(const struct gate *gate, struct gate_message *message, struct hoy_error *err)
{
	struct pollfd fds[2] = {
		{ .fd = gate->result, .events = POLLIN },
		{ .fd = gate->pidfd, .events = POLLIN },
	};
	ssize_t len;
	int r;

	do
		r = poll(fds, 2, -1);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return fail(err, errno, "wait for init");
	/* What init said before it ended is still in the pipe. A pipe knows no message borders. */
	len = read(gate->result, message, GATE_SHORT);
	if (len < 0 && errno == EAGAIN && !(fds[1].revents & POLLIN))
		return receive(gate, message, err);
	if (len == 0 || (len < 0 && errno == EAGAIN))
		return 0;
	if (len != (ssize_t)GATE_SHORT)
		return fail(err, len < 0 ? errno : 0, "hear from init");
	if (message->type == GATE_ERROR &&
	    read(gate->result, &message->error, sizeof(message->error)) !=
		    (ssize_t)sizeof(message->error))
		return fail(err, 0, "init sent a malformed error");
	return 1;
}

static int write_late_limits(const struct container *container, struct hoy_error *err)
{
	const struct state_record *record = container->record;
	struct cgroup cgroup = CGROUP_NONE;
	int r;

	if (container_open_cgroup(record, &cgroup, err) < 0)
		return -1;
	if (cgroup.fd < 0)
		return fail(err, ENOENT, "open the container's cgroup %s", record->cgroup);
	r = cgroup_write_late(&cgroup, record->unit, record->late_writes, record->late_writes_len,
			      err);
	cgroup_done(&cgroup);
	return r;
}

static int take_error(const struct gate_message *message, struct hoy_error *err)
{
	*err = message->error;
	err->at[sizeof(err->at) - 1] = '\0';
	err->text[sizeof(err->text) - 1] = '\0';
	err->hint[sizeof(err->hint) - 1] = '\0';
	return -1;
}

/*
 * The kernel lets go of the two FIFOs one after the other, not in a certain order. What comes after
 * us must not take the container for one that is still waiting.
 */
static void wait_for_last_fifo(const struct container *container)
{
	const int64_t deadline_ms = clock_ms() + LAST_FIFO_MS;

	while (gate_is_closed(&container->dir) && clock_ms() < deadline_ms)
		(void)poll(NULL, 0, 1);
}

static int explain_death(const struct container *container, struct hoy_error *err)
{
	struct cgroup cgroup = CGROUP_NONE;
	struct hoy_error unused;
	bool no_memory;

	(void)container_open_cgroup(container->record, &cgroup, &unused);
	no_memory = cgroup.fd >= 0 && cgroup_oom_kills(&cgroup) > 0;
	cgroup_done(&cgroup);
	if (no_memory) {
		fail_at(err, "linux.resources.memory.limit", 0,
			"init was killed for lack of memory at execve");
		return fail_hint(err, "the memory limit is too small for the program");
	}
	return fail_at(
		err, "linux.seccomp", 0,
		"init was killed at execve; a filter that forbids execve does that (SIGSYS)");
}

/*
 * End of file before EXECING means that init died. After it, it means that execve has closed the
 * gate, unless init is still called init and on its way out: then its filter or a limit of its
 * cgroup has killed it. Without either /proc need not be asked.
 * @param last  the last message
 */
static int end_of_gate(const struct container *container, enum gate_type last,
		       struct hoy_error *err)
{
	const struct state_record *record = container->record;
	autoclose int procfs = -1;

	if (last != GATE_EXECING && last != GATE_EXECING_FILTERED)
		return fail(err, 0, "init ended before it could start the process");
	if (last == GATE_EXECING_FILTERED || record->cgroup[0] != '\0') {
		procfs = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (file_process_is_exiting(procfs, record->pid, INIT_NAME) > 0)
			return explain_death(container, err);
	}
	wait_for_last_fifo(container);
	return 0;
}

static int run_gate(const struct container *container, const struct gate *gate,
		    struct hoy_error *err)
{
	enum gate_type last = GATE_GO;

	if (send_go(container, gate, err) < 0)
		return -1;
	for (;;) {
		struct gate_message message;
		int r = receive(gate, &message, err);

		if (r < 0)
			return -1;
		if (r == 0)
			return end_of_gate(container, last, err);
		if (message.type == GATE_ERROR)
			return take_error(&message, err);
		if (message.type == GATE_LIMITS &&
		    (write_late_limits(container, err) < 0 || send_go(container, gate, err) < 0))
			return -1;
		last = (enum gate_type)message.type;
	}
}

static int find_created(const struct container *container, int *ret_pidfd, struct hoy_error *err)
{
	enum hoy_status status;

	if (container_status(container, &status, ret_pidfd, err) < 0)
		return -1;
	if (status != HOY_CREATED)
		return fail(err, 0, "container %s cannot be started: it is %s, not created",
			    container->record->id, hoy_status_name(status));
	return 0;
}

static int open_gate(const struct container *container, struct gate *gate, struct hoy_error *err)
{
	const char *id = container->record->id;
	int r;

	if (!container->record->has_process)
		return fail_at(err, "process", 0, "container %s has no process to start", id);
	r = gate_open_start(&container->dir, &gate->go, &gate->result);
	return r < 0 ? fail(err, r, "open the start gate of %s", id) : 0;
}

static int start(struct starting *starting, struct hoy_error *err)
{
	const struct container *container = starting->container;
	struct gate gate = { -1, -1, starting->pidfd };
	int r = open_gate(container, &gate, err);

	if (r == 0) {
		starting->destroy = true;
		turns_begin(&starting->turns);
		r = run_gate(container, &gate, err);
		turns_end(&starting->turns);
	}
	if (r == 0)
		r = hooks_run(&container->record->poststart, "poststart", container->record->pid,
			      starting->log, err);
	cleanup_close(&gate.go);
	cleanup_close(&gate.result);
	return r;
}

/* The container runs: that nobody learns that it is ready is no failure of its start. */
static void pass_on(struct starting *starting, int notify)
{
	struct container *container = starting->container;
	autoclose int init = -1;
	struct hoy_error err = { 0 };

	/* Others may change it meanwhile. */
	if (state_find_init(container->record, &init, &err) >= 0) {
		starting->version = state_dir_unlock(&container->dir);
		if (notify_wait(notify, init, container->record->pid,
				starting->options->notify_socket, &err) == 0)
			return;
	}
	log_event_at(starting->log, HOY_LOG_WARNING, "", err.code, "NOTIFY_SOCKET: %s", err.text);
}

static int open_notify(const struct starting *starting, int *ret_notify, struct hoy_error *err)
{
	int fd;

	if (!starting->options || !starting->options->notify_socket)
		return 0;
	fd = notify_open(&starting->container->dir, err);
	if (fd < 0)
		return fd == -ENOENT ? 0 : -1;
	*ret_notify = fd;
	return 0;
}

int start_created(struct starting *starting, struct hoy_error *err)
{
	const struct hoy_start_options *options = starting->options;
	struct container *container = starting->container;
	struct hoy_error second = { 0 };
	autoclose int notify = -1;
	int r = open_notify(starting, &notify, err);

	if (r == 0 && options && options->before)
		r = options->before(options->data, err);
	if (r == 0)
		r = start(starting, err);
	turns_end(&starting->turns);
	/* A failed start ends the container, hooks and all (runtime.md#lifecycle). */
	if (r < 0 && starting->destroy &&
	    destroy_container(&container->dir, container->record, starting->log, &second) < 0)
		log_event(starting->log, HOY_LOG_WARNING, "clean up: %s", second.text);
	if (r == 0 && options && options->ret_notify)
		*options->ret_notify = take_fd(&notify);
	else if (r == 0 && notify >= 0)
		pass_on(starting, notify);
	return r < 0 ? -1 : 0;
}

int hoy_start(const struct hoy_context *context, const char *id,
	      const struct hoy_start_options *options, struct hoy_error *err)
{
	const struct log log = context_log(context);
	struct container container = CONTAINER_NONE;
	struct starting starting = {
		.container = &container, .options = options, .log = &log, .version = -1
	};
	autoclose int pidfd = -1;
	int r;

	if (container_open_locked(context, id, &container, err) < 0)
		return -1;
	r = find_created(&container, &pidfd, err);
	starting.pidfd = pidfd;
	if (r == 0)
		r = start_created(&starting, err);
	cleanup_close(&starting.version);
	container_done(&container);
	return r;
}
