/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hoy_kill (runtime.md#kill). Runs in the runtime and takes no lock: hooks may call it. A process
 * is signalled through a pidfd whose start time was compared, a cgroup by its recorded inode.
 */
#include "runtime/context.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/process.h"

/* Engines match both halves: "container not running" and the words of ESRCH. */
static int fail_not_running(struct hoy_error *err)
{
	return fail(err, ESRCH, "container not running");
}

static int signal_init(int pidfd, int signal, struct hoy_error *err)
{
	int r;

	if (pidfd < 0)
		return fail_not_running(err);
	r = process_signal(pidfd, signal);
	if (r == -ESRCH)
		return fail_not_running(err);
	return r < 0 ? fail(err, r, "send signal %d", signal) : 0;
}

static int signal_cgroup(const struct cgroup *cgroup, int signal, struct hoy_error *err)
{
	int r;

	if (cgroup_wait_empty(cgroup, clock_ms()) == 1)
		return fail_not_running(err);
	r = signal == SIGKILL ? cgroup_kill(cgroup) : cgroup_signal(cgroup, signal);
	return r < 0 ? fail(err, r, "send signal %d to cgroup %s", signal, cgroup->path) : 0;
}

/** Signals all processes where there is no cgroup that names them. */
static int signal_without_cgroup(const struct hoy_context *context,
				 const struct state_record *record, int pidfd,
				 const struct hoy_kill_options *options, struct hoy_error *err)
{
	const struct log log = context_log(context);

	if (options->all && options->signal != SIGKILL)
		return fail(err, 0, "container %s has no cgroup: only SIGKILL can reach all of it",
			    record->id);
	/* The end of a pid namespace's init is the end of all in it. */
	if (!record->private_pid_namespace)
		log_warning(
			&log,
			"container %s has neither a cgroup nor a pid namespace of its own: only "
			"process %d is killed",
			record->id, (int)record->pid);
	return signal_init(pidfd, options->signal, err);
}

static int kill_container(const struct hoy_context *context, const struct container *container,
			  const struct hoy_kill_options *options, struct hoy_error *err)
{
	const struct state_record *record = container->record;
	bool all = options->all || (options->signal == SIGKILL && !record->private_pid_namespace);
	struct cgroup cgroup = CGROUP_NONE;
	enum hoy_status status;
	autoclose int pidfd = -1;
	int r;

	if (state_status(&container->dir, record, &status, &pidfd, err) < 0)
		return -1;
	/* With --all what outlives init can be reached, as engines do without a pid namespace. */
	if (status == HOY_CREATING || (status == HOY_STOPPED && !options->all))
		return fail_not_running(err);
	if (!all)
		return signal_init(pidfd, options->signal, err);
	if (container_open_cgroup(record, &cgroup, err) < 0)
		return -1;
	if (cgroup.fd >= 0)
		r = signal_cgroup(&cgroup, options->signal, err);
	else if (status == HOY_STOPPED)
		r = fail_not_running(err);
	else
		r = signal_without_cgroup(context, record, pidfd, options, err);
	cgroup_done(&cgroup);
	return r;
}

int hoy_kill(const struct hoy_context *context, const char *id,
	     const struct hoy_kill_options *options, struct hoy_error *err)
{
	struct container container;
	int r;

	if (options->signal < 0 || options->signal > 64)
		return fail(err, EINVAL, "signal %d", options->signal);
	if (container_open(context, id, &container, err) < 0)
		return -1;
	r = kill_container(context, &container, options, err);
	container_done(&container);
	return r;
}
