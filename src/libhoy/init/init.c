/* SPDX-License-Identifier: Apache-2.0 */
/*
 * THE ordered table of steps: the one place that knows in which order a container is set up. Runs
 * in init, a clone of the runtime with the container's namespaces. Each step does its part of the
 * plan (nothing, if its list is empty) and the first failure ends init with an error that names
 * what failed. Must not allocate, lock, use stdio, or read anything but the plan.
 */
#include "init/init.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/cleanup.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/message.h"
#include "sys/process.h"

/* How long init waits for an answer. */
#define ANSWER_MS (10 * 60 * 1000)

static const struct step create_steps[] = {
	{ "prepare", step_prepare },
	{ "join namespaces", step_join },
	{ "write id maps", step_id_maps },
	{ "enter the cgroup", step_cgroup },
	/* Sources are cloned with the caller's ids: the container's may not reach them (trap 1). */
	/* Bidirectional volumes stay peers of the host's mounts, so they come before the cut. */
	{ "clone shared sources", step_shared_sources },
	{ "set propagation", step_propagation },
	{ "attach the root", step_root },
	{ "clone bind sources", step_sources },
	{ "become root", step_become_root },
	{ "keyring", step_keyring },
	{ "network", step_network },
	{ "network devices", step_net_devices },
	{ "hostname", step_hostname },
	{ "mounts", step_mounts },
	{ "devices", step_devices },
	{ "device links", step_links },
	{ "terminal", step_terminal },
	{ "console", step_console },
	/* Both kinds of hooks expect the finished root below root.path, not yet pivoted. */
	{ "runtime hooks", step_runtime_hooks },
	{ "createContainer hooks", step_create_container_hooks },
	{ "late read-only", step_late_readonly },
	{ "masked paths", step_masked_paths },
	{ "readonly paths", step_readonly_paths },
	{ "pivot", step_pivot },
	{ "root attributes", step_root_attributes },
	/* Now that read-only is read-only: a directory is made only where one may be made. */
	{ "working directory", step_make_cwd },
	{ "sysctl", step_sysctl },
	{ "labels", step_open_labels },
	{ "standard streams", step_stdio },
	{ "home", step_home },
	{ "descriptors", step_descriptors },
	{ "rlimits", step_rlimits },
	{ "identity", step_identity },
	{ "cwd", step_cwd },
	{ "executable", step_executable },
	{ "label", step_label },
	{ "self-check", step_self_check },
	{ "commit", step_commit },
	{ "gate", step_gate },
	{ "startContainer hooks", step_start_container_hooks },
	/* A thread: before the last limits, one of which may be pids.max. */
	{ "listener", step_listener },
	{ "execing", step_execing },
	/* Until here the runtime or `start` has taken turns with us, on the same CPU. */
	{ "scheduling", step_scheduling },
	{ "scheduler", step_scheduler },
	{ "capabilities", step_capabilities },
	{ "no new privileges", step_no_new_privileges },
	{ "execute", step_execute },
};

/* One more process in a running container: its namespaces were joined by bootstrap. */
static const struct step exec_steps[] = {
	{ "prepare", step_prepare },
	{ "join namespaces", step_join },
	{ "enter the root", step_exec_root },
	{ "become root", step_become_root },
	{ "keyring", step_keyring },
	{ "terminal", step_terminal },
	{ "labels", step_open_labels },
	{ "standard streams", step_stdio },
	{ "home", step_home },
	{ "descriptors", step_descriptors },
	{ "rlimits", step_rlimits },
	{ "identity", step_identity },
	{ "cwd", step_cwd },
	{ "executable", step_executable },
	{ "label", step_label },
	{ "self-check", step_self_check },
	{ "commit", step_commit },
	/* Only with the commit is it certain that the runtime has moved us to the cgroup. */
	{ "scheduling", step_scheduling },
	{ "listener", step_listener },
	{ "execing", step_execing },
	{ "scheduler", step_scheduler },
	{ "capabilities", step_capabilities },
	{ "no new privileges", step_no_new_privileges },
	{ "execute", step_execute },
};

/* Mounts of a running container: made beside it, from a copy of the host's mounts as create has. */
static const struct step mount_steps[] = {
	{ "prepare", step_prepare },
	{ "stage mapped sources", step_stage },
	/* The copy is made in the container's user namespace, which locks the host's flags (trap
	   1). */
	{ "join the user namespace", step_join_outer },
	{ "clone shared sources", step_shared_sources },
	{ "set propagation", step_propagation },
	{ "clone bind sources", step_sources },
	{ "become root", step_become_root },
	{ "new file systems", step_new_mounts },
	{ "join the mount namespace", step_join_inner },
	{ "open the root", step_running_root },
	{ "mounts", step_add_mounts },
	{ "done", step_done },
};

static const struct step unmount_steps[] = {
	{ "prepare", step_prepare },	     { "join namespaces", step_join },
	{ "become root", step_become_root }, { "open the root", step_running_root },
	{ "unmount", step_remove_mounts },   { "done", step_done },
};

int init_lifeline(const struct launch_fds *fds, struct hoy_error *err)
{
	struct pollfd poll_fd = { .fd = fds->socket, .events = 0 };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return fail(err, errno, "set the parent-death signal");
	/* The runtime may have died before; getppid() cannot tell across pid namespaces. */
	if (poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLHUP | POLLERR)))
		return fail(err, 0, "the runtime has ended");
	return 0;
}

int init_note(const struct launch_fds *fds, enum message_type type, pid_t pid, int fd,
	      struct hoy_error *err)
{
	struct message message = { .type = type, .pid = pid };
	int r;

	r = message_send(fds->socket, &message, MESSAGE_SHORT, &fd, fd >= 0 ? 1 : 0);
	if (r < 0)
		return fail(err, r, "send message %d to the runtime", (int)type);
	return 0;
}

int init_request(struct init *init, enum message_type type, struct hoy_error *err)
{
	/* A hook without a timeout may take as long as it likes; the runtime's end is heard of. */
	const int64_t deadline = type == REQUEST_RUNTIME_HOOKS ? -1 : clock_ms() + ANSWER_MS;
	struct message answer;
	ssize_t len;

	if (init_note(init->fds, type, 0, -1, err) < 0)
		return -1;
	len = message_receive(init->fds->socket, &answer, sizeof(answer), NULL, NULL, deadline);
	if (len == -EPIPE)
		_exit(1); /* the runtime has ended, and with it whoever would read an error */
	if (len < 0)
		return fail(err, (int)len, "wait for the runtime's answer to message %d",
			    (int)type);
	if ((size_t)len < MESSAGE_SHORT || answer.type != ANSWER_DONE)
		return fail(err, 0, "the runtime sent an unexpected answer");
	init->pid = answer.pid;
	return 0;
}

static void send_gate_error(const struct init *init, const struct hoy_error *err)
{
	struct gate_message message = { .type = GATE_ERROR, .error = *err };

	if (write(init->fds->result, &message, sizeof(message)) < 0)
		return; /* nobody is left to be told */
}

void init_tell_error(const struct init *init, const struct hoy_error *err)
{
	struct message message = { .type = NOTE_ERROR };

	/* `exec` keeps its socket until execve, create's init has the gate after the commit. */
	if (init->committed && init->fds->result >= 0) {
		send_gate_error(init, err);
		return;
	}
	message.error = *err;
	/* write(2) and no other call: this may run under the container's filter. */
	if (write(init->fds->socket, &message, sizeof(message)) < 0)
		return; /* nobody is left to be told */
}

_Noreturn void init_die(struct init *init, struct hoy_error *err)
{
	init_tell_error(init, err);
	_exit(err->status > 0 ? err->status : 1);
}

static void run_steps(struct init *init, const struct step *steps, size_t len)
{
	struct hoy_error err = { 0 };

	for (size_t i = 0; i < len; i++)
		if (steps[i].run(init, &err) < 0)
			init_die(init, &err);
}

_Noreturn void init_main(const struct plan *plan, struct launch_fds *fds)
{
	struct init init = {
		.plan = plan,
		.fds = fds,
		.root = -1,
		.procfs = -1,
		.devpts = -1,
		.terminal = -1,
		.apparmor = -1,
		.selinux = -1,
		.mask_directory = -1,
		.mask_file = -1,
	};

	if (fds->task == INIT_MOUNTS)
		run_steps(&init, mount_steps, ARRAY_LEN(mount_steps));
	else if (fds->task == INIT_UNMOUNTS)
		run_steps(&init, unmount_steps, ARRAY_LEN(unmount_steps));
	else if (fds->go >= 0)
		run_steps(&init, create_steps, ARRAY_LEN(create_steps));
	else
		run_steps(&init, exec_steps, ARRAY_LEN(exec_steps));
	_exit(1); /* the last step does not return */
}
