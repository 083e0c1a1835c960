/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restore: a container from its bundle and the images of a checkpoint. Runs in the runtime. The
 * directory, the record and the cgroup are made as create makes them, and taken back like that;
 * CRIU makes what init would have made, and puts the processes into the cgroup.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hoy/container.h>

#include "cgroup/leaf.h"
#include "runtime/context.h"
#include "runtime/creation.h"
#include "runtime/criu_request.h"
#include "runtime/descriptors.h"
#include "runtime/destroy.h"
#include "runtime/hooks.h"
#include "runtime/restore_root.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/process.h"

#define LOG "restore.log"

/** Everything that one restore has in its hands. */
struct restoration {
	struct creation creation;
	const struct hoy_restore_options *options;
	int images, work, cgroup_procs;
	/** Its descriptors are owned. */
	struct criu_request request;
	/** A process that keeps a scope of systemd while nobody else is in it; -1 = none. */
	int placeholder;
	/** Set while CRIU was at work, which knows no more than that we gave up. */
	struct hoy_error err;
	bool failed;
};

/* ---- the request ---- */

/** Takes over an open descriptor, which CRIU gets by its number through an execve. */
static int add_descriptor(struct criu_request *request, int fd, const char *key)
{
	if (fd < 0)
		return -1;
	request->descriptors[request->descriptors_len++] = (struct criu_descriptor){ fd, key };
	return 0;
}

static int add_namespaces(struct restoration *restoration, struct hoy_error *err)
{
	const struct plan_namespaces *namespaces = &restoration->creation.input.plan->namespaces;

	for (size_t i = 0; i < namespaces->joins_len; i++) {
		const struct plan_join *join = &namespaces->joins[i];
		const char *name = criu_namespace_name(join->type);

		if (name &&
		    add_descriptor(&restoration->request,
				   open(join->path, O_RDONLY | O_NOCTTY | O_NONBLOCK), name) < 0)
			return fail_at(err, join->at, errno, "open %s", join->path);
	}
	return 0;
}

/* Copies, since CRIU closes what it was given, and with --shell-job looks at its stdin later. */
static int add_descriptors(struct restoration *restoration, struct hoy_error *err)
{
	struct arena *arena = &restoration->creation.input.arena;
	const size_t joins_len = restoration->creation.input.plan->namespaces.joins_len;
	struct criu_request *request = &restoration->request;
	const char **names;
	size_t len;

	if (descriptors_read(restoration->images, arena, &names, &len, err) < 0)
		return -1;
	request->descriptors = arena_array(arena, struct criu_descriptor, len + joins_len + 1);
	if (!request->descriptors)
		return fail(err, ENOMEM, "list the descriptors for CRIU");
	for (size_t i = 0; i < len && i < 3 + (size_t)restoration->options->preserve_fds; i++)
		if (names[i][0] && add_descriptor(request, fcntl((int)i, F_DUPFD, 3),
						  descriptors_inherited(names[i])) < 0)
			return fail(err, errno, "copy descriptor %zu", i);
	return add_namespaces(restoration, err);
}

static int compose(struct restoration *restoration, struct hoy_error *err)
{
	const struct hoy_restore_options *options = restoration->options;
	const struct plan *plan = restoration->creation.input.plan;
	struct arena *arena = &restoration->creation.input.arena;
	struct criu_request *request = &restoration->request;

	request->action = CRIU_RESTORE;
	request->images = restoration->images;
	request->work = restoration->work;
	request->log = LOG;
	request->lsm_profile = options->lsm_profile;
	request->lsm_mount_context = options->lsm_mount_context;
	request->config_file = criu_config_file(plan->annotations, plan->annotations_len);
	request->tcp_close = options->tcp_close;
	request->evasive_devices = true;
	request->orphan_terminal = true;
	criu_request_options(request, &options->criu);
	if (criu_request_mounts(request, arena, plan, err) < 0 ||
	    criu_request_joins(request, arena, plan, err) < 0)
		return -1;
	return add_descriptors(restoration, err);
}

/* ---- the cgroup ---- */

static _Noreturn void be_placeholder(void)
{
	/* Nobody else may close the lock, the sockets and the caller's pipes. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)fd_close_from(0);
	for (;;)
		(void)pause();
}

/* systemd makes no scope without a process, and CRIU wants the cgroup before it makes one. */
static int adopt_placeholder(struct restoration *restoration, struct hoy_error *err)
{
	struct creation *creation = &restoration->creation;
	const struct plan_cgroup *plan = &creation->input.plan->cgroup;
	const struct cgroup_driver *driver = cgroup_driver_of(plan);
	pid_t pid;

	if (!driver || !driver->adopt || creation->cgroup.fd >= 0)
		return 0;
	pid = process_clone(0, -1, SIGCHLD, &restoration->placeholder);
	if (pid < 0)
		return fail(err, pid, "clone a process for the scope");
	if (pid == 0)
		be_placeholder();
	if (driver->adopt(plan, pid, &creation->cgroup, err) < 0)
		return -1;
	creation->record.cgroup = creation->cgroup.path;
	creation->record.cgroup_inode = creation->cgroup.inode;
	creation->record.device_program = creation->cgroup.device_program;
	if (state_write(&creation->dir, &creation->record, err) < 0)
		return -1;
	if (plan->leaf)
		creation->leaf = leaf_make(&creation->cgroup, plan, pid, err);
	return plan->leaf && creation->leaf < 0 ? -1 : 0;
}

static void end_placeholder(struct restoration *restoration)
{
	if (restoration->placeholder < 0)
		return;
	process_kill_and_reap(restoration->placeholder);
	cleanup_close(&restoration->placeholder);
	restoration->placeholder = -1;
}

static int prepare_cgroup(struct restoration *restoration, struct hoy_error *err)
{
	struct creation *creation = &restoration->creation;
	const struct plan_cgroup *plan = &creation->input.plan->cgroup;
	struct arena *arena = &creation->input.arena;
	struct criu_request *request = &restoration->request;

	if (adopt_placeholder(restoration, err) < 0)
		return -1;
	if (creation->cgroup.fd < 0) {
		request->cgroup_mode = CRIU_CGROUPS_IGNORE;
		return 0;
	}
	restoration->cgroup_procs = openat(creation->leaf >= 0 ? creation->leaf
							       : creation->cgroup.fd,
					   "cgroup.procs", O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (restoration->cgroup_procs < 0)
		return fail(err, errno, "open cgroup.procs of %s", creation->cgroup.path);
	request->cgroup_procs = restoration->cgroup_procs;
	/* Where the root of its cgroup namespace was made. */
	request->cgroup_root = arena_format(arena, "%s%s%s",
					    creation->cgroup.path + strlen(plan->mount_point),
					    plan->leaf ? "/" : "", plan->leaf ? plan->leaf : "");
	if (!request->cgroup_root)
		return fail(err, ENOMEM, "tell CRIU the cgroup");
	return 0;
}

static int write_late_limits(const struct creation *creation, struct hoy_error *err)
{
	const struct state_record *record = &creation->record;

	if (record->late_writes_len == 0 || creation->cgroup.fd < 0)
		return 0;
	return cgroup_write_late(&creation->cgroup, record->unit, record->late_writes,
				 record->late_writes_len, err);
}

/* ---- while CRIU is at work ---- */

/* The root process is there, and nothing else of the container. */
static int on_init(struct creation *creation, pid_t pid, struct hoy_error *err)
{
	const struct plan_hooks *hooks = creation->input.plan->hooks;
	struct launch *launch = &creation->launch;
	int pidfd;

	if (launch->pid != 0)
		return 0;
	pidfd = process_pidfd_open(pid);
	if (pidfd < 0)
		return fail(err, pidfd, "open process %d", (int)pid);
	launch->pid = pid;
	launch->pidfd = pidfd;
	if (creation_note_init(creation, err) < 0)
		return -1;
	launch->hooks_ran = true;
	if (hooks_run(&hooks[PLAN_PRESTART], "prestart", pid, &creation->log, err) < 0)
		return -1;
	return hooks_run(&hooks[PLAN_CREATE_RUNTIME], "createRuntime", pid, &creation->log, err);
}

static int on_terminal(struct creation *creation, int terminal, struct hoy_error *err)
{
	cleanup_close(&creation->launch.terminal);
	creation->launch.terminal = terminal;
	return handover_terminal(&creation->handover, terminal, err);
}

static int notify(const char *stage, pid_t pid, int terminal, void *data)
{
	struct restoration *restoration = data;
	int r = 0;

	if (strcmp(stage, "setup-namespaces") == 0)
		r = on_init(&restoration->creation, pid, &restoration->err);
	else if (terminal >= 0)
		r = on_terminal(&restoration->creation, terminal, &restoration->err);
	if (r < 0)
		restoration->failed = true;
	return r < 0 ? -1 : 0;
}

/*
 * Where a container had its notify socket, it finds an empty directory: it has said what it had to
 * say, and its service manager is not to be told again. Others have no mount of that name.
 */
static int add_notify(struct restoration *restoration, const char *stage)
{
	struct criu_request *request = &restoration->request;
	const char *source = arena_format(&restoration->creation.input.arena, "%s/" RESTORE_NOTIFY,
					  stage);

	request->mounts[request->mounts_len++] = (struct criu_mount){
		.key = PLAN_NOTIFY_DIRECTORY,
		.value = source,
	};
	return source ? 0 : -1;
}

static int run_criu(struct restoration *restoration, struct hoy_error *err)
{
	struct creation *creation = &restoration->creation;
	char stage[PATH_MAX];
	int pid, r;

	/* Its own directory will do: what is mounted there is seen by nobody else. */
	r = (int)fd_path(creation->dir.fd, stage, sizeof(stage));
	if (r < 0)
		return fail(err, r, "find the container's directory");
	if (add_notify(restoration, stage) < 0)
		return fail(err, ENOMEM, "list the mounts for CRIU");
	creation->launch.procfs = launch_open_procfs(err);
	if (creation->launch.procfs < 0)
		return -1;
	restoration->request.notify = notify;
	restoration->request.data = restoration;
	pid = restore_in_root(creation->input.plan, stage, &restoration->request, err);
	end_placeholder(restoration);
	if (restoration->failed)
		*err = restoration->err;
	return pid < 0 || restoration->failed ? -1 : on_init(creation, pid, err);
}

/* ---- the operation ---- */

/* What checkpoint has left of a container gives way to its restored self. */
static int make_room(const struct restoration *restoration, struct hoy_error *err)
{
	const struct creation *creation = &restoration->creation;
	struct container container;
	enum hoy_status status;
	int r = container_open_locked(creation->context, creation->id, &container, err);

	if (r < 0)
		return r == -ENOENT ? 0 : -1;
	r = container_status(&container, &status, NULL, err);
	if (r == 0 && status == HOY_STOPPED && container.record->phase == STATE_PHASE_CHECKPOINTED)
		r = destroy_container(&container.dir, container.record, &creation->log, err);
	container_done(&container);
	return r;
}

static int prepare(struct restoration *restoration, struct hoy_error *err)
{
	const struct hoy_restore_options *options = restoration->options;
	struct creation *creation = &restoration->creation;
	const bool terminal = creation->input.plan->process.terminal;

	if (criu_request_check(creation->input.plan, err) < 0 ||
	    criu_open_directories(&options->criu, false, &restoration->images, &restoration->work,
				  err) < 0 ||
	    compose(restoration, err) < 0)
		return -1;
	return handover_open(&creation->handover, terminal, options->console_socket, NULL,
			     options->ret_terminal, err);
}

static int restore(struct restoration *restoration, struct hoy_error *err)
{
	struct creation *creation = &restoration->creation;

	if (creation_read(creation, err) < 0 || prepare(restoration, err) < 0 ||
	    make_room(restoration, err) < 0 || creation_make(creation, err) < 0 ||
	    prepare_cgroup(restoration, err) < 0 || run_criu(restoration, err) < 0 ||
	    write_late_limits(creation, err) < 0 || creation_complete(creation, err) < 0)
		return -1;
	return handover_pid_file(restoration->options->pid_file, creation->launch.pid, err);
}

static void restoration_done(struct restoration *restoration)
{
	for (size_t i = 0; i < restoration->request.descriptors_len; i++)
		(void)close(restoration->request.descriptors[i].fd);
	cleanup_close(&restoration->images);
	cleanup_close(&restoration->work);
	cleanup_close(&restoration->cgroup_procs);
	creation_done(&restoration->creation);
}

int hoy_restore(const struct hoy_context *context, const char *id,
		const struct hoy_restore_options *options, struct hoy_error *err)
{
	const struct hoy_create_options create_options = {
		.bundle = options->bundle,
		.no_pivot = options->no_pivot,
		.no_new_keyring = true,
		.preserve_fds = options->preserve_fds,
		.ret_terminal = options->ret_terminal,
		.ret_pidfd = options->ret_pidfd,
		.ret_pid = options->ret_pid,
	};
	struct restoration restoration = {
		.options = options,
		.images = -1,
		.work = -1,
		.cgroup_procs = -1,
		.placeholder = -1,
	};
	struct creation *creation = &restoration.creation;
	int r;

	if (state_check_id(id, err) < 0)
		return -1;
	creation_begin(creation, context, id, &create_options);
	r = restore(&restoration, err);
	end_placeholder(&restoration);
	if (r == 0) {
		creation_hand_out(creation);
	} else {
		if (creation->input.config)
			config_locate(creation->input.config, err);
		creation_take_back(creation, err);
	}
	restoration_done(&restoration);
	return r;
}
