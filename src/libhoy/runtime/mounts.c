/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hoy_mounts_add and hoy_mounts_remove: mounts of a container that runs already. Runs in the
 * runtime, under the container's lock; the mounts are made by a process that init/running_mounts.c
 * describes. The saved configuration stays as it is; but for checkpoint, which cannot dump what was
 * added, nothing reads its mounts again.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include <hoy/container.h>
#include <hoy/state.h>

#include "runtime/context.h"
#include "runtime/input.h"
#include "runtime/launch.h"
#include "sys/cleanup.h"
#include "sys/error.h"
#include "sys/process.h"

/* Everything that one change has in its hands. */
struct mounting {
	const struct hoy_context *context;
	enum init_task task;
	struct log log;
	struct container container;
	struct input input;
	/** pidfd of the container's init. */
	int init;
	struct launch launch;
};

/*
 * The namespaces that decide what a mount is; the owner of the others comes first. Not that of
 * pids: there the container could look at us.
 */
static const struct {
	const char *name;
	uint64_t type;
} namespaces[] = {
	{ "user", CLONE_NEWUSER }, { "cgroup", CLONE_NEWCGROUP }, { "ipc", CLONE_NEWIPC },
	{ "net", CLONE_NEWNET },   { "mnt", CLONE_NEWNS },
};

static int check_container(struct mounting *mounting, struct hoy_error *err)
{
	const struct state_record *record = mounting->container.record;
	enum hoy_status status;

	if (container_status(&mounting->container, &status, &mounting->init, err) < 0)
		return -1;
	if (mounting->init < 0 || status == HOY_CREATING)
		return fail(err, 0, "container %s is %s: container not running", record->id,
			    hoy_status_name(status));
	if (!(record->namespaces & CLONE_NEWNS))
		return fail(err, 0, "container %s has no mount namespace: it uses the host's",
			    record->id);
	return 0;
}

static int read_mounts(struct mounting *mounting, const char *file, struct hoy_error *err)
{
	const struct config_report report = input_report(mounting->context);
	struct input *input = &mounting->input;
	autoclose int fd = -1;

	if (input_saved(input, mounting->container.dir.fd, err) < 0)
		return -1;
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return fail(err, errno, "open %s", file);
	return mounting->task == INIT_MOUNTS
		       ? config_read_mounts(fd, file, &input->arena, &report, input->config, err)
		       : config_read_mount_points(fd, file, &input->arena, &report, input->config,
						  err);
}

static int make_plan(struct mounting *mounting, struct hoy_error *err)
{
	const struct state_record *record = mounting->container.record;
	const struct plan_options options = {
		.id = record->id,
		.bundle = record->bundle,
		.cgroup_manager = record->cgroup_manager,
	};
	struct input *input = &mounting->input;
	const struct plan_input plan_input = {
		.config = input->config,
		.options = &options,
		.host = &input->host,
		.sources = input_sources(input, record->bundle),
	};

	if (!plan_input.sources)
		return fail(err, ENOMEM, "plan the mounts");
	if (host_probe(&input->host, err) < 0)
		return -1;
	return mounting->task == INIT_MOUNTS
		       ? plan_build_mounts(&input->arena, &plan_input, &input->plan, err)
		       : plan_build_unmounts(&input->arena, &plan_input, &input->plan, err);
}

/* By their files: a pidfd would be of no use to a process that has given up the host's rights. */
static int open_namespaces(struct mounting *mounting, struct hoy_error *err)
{
	const struct state_record *record = mounting->container.record;
	struct launch *launch = &mounting->launch;
	struct launch_fds *fds = &launch->fds;
	uint64_t wanted = record->namespaces;

	/* New file systems show the namespaces of their maker; to unmount takes none of those. */
	if (mounting->task == INIT_UNMOUNTS)
		wanted &= CLONE_NEWUSER | CLONE_NEWNS;
	fds->joins = arena_array(&mounting->input.arena, struct launch_join, ARRAY_LEN(namespaces));
	if (!fds->joins)
		return fail(err, ENOMEM, "join the container");
	for (size_t i = 0; i < ARRAY_LEN(namespaces); i++) {
		char name[48];
		int fd;

		if (!(wanted & namespaces[i].type))
			continue;
		format_text(name, sizeof(name), "%d/ns/%s", (int)record->pid, namespaces[i].name);
		fd = openat(launch->procfs, name, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return fail(err, errno, "open the container's %s namespace",
				    namespaces[i].name);
		fds->joins[fds->joins_len++] = (struct launch_join){ .fd = fd,
								     .types = namespaces[i].type,
								     .at = "" };
	}
	/* Of a pid that was free again in between they could be the host's. */
	if (process_wait_end(mounting->init, 0) != 0)
		return fail(err, 0, "container %s has ended: container not running", record->id);
	return 0;
}

static int carry_out(struct mounting *mounting, struct hoy_error *err)
{
	const uint64_t types = mounting->container.record->namespaces;
	struct input *input = &mounting->input;
	struct launch *launch = &mounting->launch;

	input->plan->namespaces.become_root = (types & CLONE_NEWUSER) != 0;
	launch->plan = input->plan;
	launch->host = &input->host;
	launch->log = &mounting->log;
	launch->fds.task = mounting->task;
	launch->fds.lock = mounting->container.dir.fd;
	if (launch_prepare(launch, &input->arena, err) < 0 || open_namespaces(mounting, err) < 0 ||
	    launch_find_staging(launch, mounting->container.dir.fd, &input->arena, err) < 0 ||
	    launch_clone(launch, err) < 0)
		return -1;
	return launch_serve(launch, err);
}

static int change(const struct hoy_context *context, const char *id, const char *file,
		  enum init_task task, struct hoy_error *err)
{
	struct mounting mounting = {
		.context = context,
		.task = task,
		.log = context_log(context),
		.container = CONTAINER_NONE,
		.input = INPUT_NONE,
		.init = -1,
		.launch = LAUNCH_NONE,
	};
	int r;

	if (container_open_locked(context, id, &mounting.container, err) < 0)
		return -1;
	r = check_container(&mounting, err);
	if (r == 0)
		r = read_mounts(&mounting, file, err);
	if (r == 0)
		r = make_plan(&mounting, err);
	if (r == 0)
		r = input_warnings(mounting.input.plan, &mounting.log, context->strict, err);
	if (r == 0)
		r = carry_out(&mounting, err);
	launch_done(&mounting.launch);
	cleanup_close(&mounting.init);
	container_done(&mounting.container);
	input_done(&mounting.input);
	return r < 0 ? -1 : 0;
}

int hoy_mounts_add(const struct hoy_context *context, const char *id, const char *file,
		   struct hoy_error *err)
{
	return change(context, id, file, INIT_MOUNTS, err);
}

int hoy_mounts_remove(const struct hoy_context *context, const char *id, const char *file,
		      struct hoy_error *err)
{
	return change(context, id, file, INIT_UNMOUNTS, err);
}
