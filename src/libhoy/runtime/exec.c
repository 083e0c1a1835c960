/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec: one more process in a running container. Runs in the runtime. The process is made from the
 * configuration that create saved, never from the bundle, and has the rights of the container's
 * init: the command line may narrow them, and widen them only by an option of that name.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>

#include <hoy/container.h>
#include <hoy/state.h>

#include "base/number.h"
#include "base/string.h"
#include "cgroup/tree.h"
#include "runtime/context.h"
#include "runtime/handover.h"
#include "runtime/input.h"
#include "runtime/launch.h"
#include "runtime/resctrl.h"
#include "spec/capability.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/process.h"

/* Everything that one exec has in its hands. */
struct execution {
	const struct hoy_context *context;
	const struct hoy_exec_options *options;
	struct log log;
	struct container container;
	struct input input;
	struct config_process *process;
	/** pidfd of the container's init. */
	int init;
	struct cgroup cgroup;
	/** The process has to be moved into the cgroup, not to be cloned there. */
	bool by_move;
	struct launch launch;
	struct handover handover;
};

/* ---- the process object ---- */

static size_t words_len(char *const *words)
{
	size_t len = 0;

	while (words && words[len])
		len++;
	return len;
}

/* Appends words to a list of the configuration. */
static int extend(struct arena *arena, struct string_list *list, char *const *words,
		  struct hoy_error *err)
{
	size_t more = words_len(words);
	char **items;

	if (!more)
		return 0;
	items = arena_array(arena, char *, list->len + more + 1);
	if (!items)
		return fail(err, ENOMEM, "compose the process");
	memcpy(items, list->items, list->len * sizeof(*items));
	memcpy(items + list->len, words, more * sizeof(*items));
	*list = (struct string_list){ .items = items, .len = list->len + more, .set = true };
	return 0;
}

static int parse_user(const char *text, struct config_user *user, struct hoy_error *err)
{
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);
	char uid[16];

	if (len >= sizeof(uid))
		return fail(err, ERANGE, "--user %s", text);
	memcpy(uid, text, len);
	uid[len] = '\0';
	if (number_uid(uid, &user->uid) < 0)
		return fail(err, EINVAL, "--user %s: the user is a number, 0 to 4294967294", text);
	if (colon && number_gid(colon + 1, &user->gid) < 0)
		return fail(err, EINVAL, "--user %s: the group is a number, 0 to 4294967294", text);
	return 0;
}

static int parse_groups(struct arena *arena, char *const *words, struct config_user *user,
			struct hoy_error *err)
{
	size_t more = words_len(words), len = user->additional_gids.len;
	uint32_t *items;

	if (!more)
		return 0;
	items = arena_array(arena, uint32_t, len + more);
	if (!items)
		return fail(err, ENOMEM, "compose the groups");
	memcpy(items, user->additional_gids.items, len * sizeof(*items));
	for (size_t i = 0; i < more; i++)
		if (number_gid(words[i], &items[len + i]) < 0)
			return fail(err, EINVAL, "--additional-gids %s: no group id", words[i]);
	user->additional_gids.items = items;
	user->additional_gids.len = len + more;
	return 0;
}

/* --cap widens bounding, effective and permitted, never inheritable or ambient (CVE-2022-29162). */
static int add_capabilities(struct execution *execution, struct config_process *process,
			    struct hoy_error *err)
{
	char *const *words = execution->options->capabilities;
	struct arena *arena = &execution->input.arena;
	struct config_capabilities *sets;

	if (!words_len(words))
		return 0;
	for (size_t i = 0; words[i]; i++)
		if (capability_find(words[i]) < 0)
			log_warning(&execution->log, "--cap %s: this capability is not known",
				    words[i]);
	sets = arena_new(arena, struct config_capabilities);
	if (!sets)
		return fail(err, ENOMEM, "compose the capabilities");
	if (process->capabilities)
		*sets = *process->capabilities;
	process->capabilities = sets;
	if (extend(arena, &sets->bounding, words, err) < 0 ||
	    extend(arena, &sets->effective, words, err) < 0 ||
	    extend(arena, &sets->permitted, words, err) < 0)
		return -1;
	return 0;
}

/* The container's own process, with what the command line says instead. */
static int process_of_options(struct execution *execution, struct hoy_error *err)
{
	const struct hoy_exec_options *options = execution->options;
	struct arena *arena = &execution->input.arena;
	struct config_process *process = arena_new(arena, struct config_process);

	if (!process)
		return fail(err, ENOMEM, "compose the process");
	if (execution->input.config->process)
		*process = *execution->input.config->process;
	process->args = (struct string_list){ .items = (char **)options->args,
					      .len = words_len(options->args),
					      .set = true };
	process->terminal = options->terminal;
	process->no_new_privileges |= options->no_new_privileges;
	if (options->cwd)
		process->cwd = options->cwd;
	if (!process->cwd)
		process->cwd = "/";
	if (process->cwd[0] != '/')
		return fail(err, 0, "--cwd %s: an absolute path is needed", process->cwd);
	if (options->apparmor)
		process->apparmor_profile = options->apparmor;
	if (options->process_label)
		process->selinux_label = options->process_label;
	if (options->user && parse_user(options->user, &process->user, err) < 0)
		return -1;
	execution->process = process;
	if (parse_groups(arena, options->additional_gids, &process->user, err) < 0 ||
	    add_capabilities(execution, process, err) < 0)
		return -1;
	return extend(arena, &process->env, options->env, err);
}

static int read_process(struct execution *execution, struct hoy_error *err)
{
	const struct hoy_context *context = execution->context;
	const struct config_report report = input_report(context);
	const char *file = execution->options->process_file;
	autoclose int fd = -1;

	if (!file)
		return process_of_options(execution, err);
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return fail(err, errno, "--process %s", file);
	return config_read_process(fd, file, &execution->input.arena, &report, &execution->process,
				   err);
}

static int make_plan(struct execution *execution, struct hoy_error *err)
{
	const struct state_record *record = execution->container.record;
	const struct plan_options options = {
		.id = record->id,
		.bundle = record->bundle,
		.cgroup_manager = record->cgroup_manager,
		/* The caller's keyring is no more the container's than the caller's root is. */
		.no_new_keyring = !record->new_keyring,
		.preserve_fds = execution->options->preserve_fds,
		.umask = input_umask(execution->context),
	};
	struct input *input = &execution->input;
	struct plan_seccomp filter = { 0 };
	const struct plan_input plan_input = {
		.config = input->config,
		.options = &options,
		.host = &input->host,
		.filter = &filter,
	};

	if (input_filter(input, input->config, &execution->log, execution->container.root, &filter,
			 err) < 0 ||
	    host_probe(&input->host, err) < 0)
		return -1;
	return plan_build_exec(&input->arena, &plan_input, execution->process, &input->plan, err);
}

/* ---- joining ---- */

static int check_status(struct execution *execution, struct hoy_error *err)
{
	const struct state_record *record = execution->container.record;
	enum hoy_status status;

	if (container_status(&execution->container, &status, &execution->init, err) < 0)
		return -1;
	if (status == HOY_PAUSED && execution->options->ignore_paused)
		return 0;
	if (status == HOY_PAUSED) {
		fail(err, 0, "container %s is paused", record->id);
		return fail_hint(err, "resume it, or use --ignore-paused");
	}
	if (status != HOY_CREATED && status != HOY_RUNNING)
		return fail(err, 0, "container %s is %s: container not running", record->id,
			    hoy_status_name(status));
	return 0;
}

/* All namespaces at once through init's pidfd, their owner first. */
static int join_init(struct execution *execution, struct hoy_error *err)
{
	const struct state_record *record = execution->container.record;
	struct plan_namespaces *namespaces = &execution->input.plan->namespaces;
	struct launch_join *join;

	namespaces->bootstrap = true;
	namespaces->joined = record->namespaces;
	namespaces->become_root = (record->namespaces & CLONE_NEWUSER) != 0;
	if (!record->namespaces)
		return 0;
	join = arena_new(&execution->input.arena, struct launch_join);
	if (!join)
		return fail(err, ENOMEM, "join the container");
	*join = (struct launch_join){ .fd = take_fd(&execution->init),
				      .types = record->namespaces,
				      .at = "" };
	execution->launch.fds.joins = join;
	execution->launch.fds.joins_len = 1;
	return 0;
}

/* A container without a mount namespace has its root by chroot only. */
static int open_root(struct execution *execution, struct hoy_error *err)
{
	const struct state_record *record = execution->container.record;
	char name[32];
	int fd;

	if (record->namespaces & CLONE_NEWNS)
		return 0;
	format_text(name, sizeof(name), "%d/root", (int)record->pid);
	fd = openat(execution->launch.procfs, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(err, errno, "open the container's root");
	execution->launch.fds.exec_root = fd;
	/* Of a pid that was free again in between it could be the host's. */
	if (process_wait_end(execution->init, 0) != 0)
		return fail(err, 0, "container %s has ended: container not running", record->id);
	return 0;
}

static int open_cgroup(struct execution *execution, struct hoy_error *err)
{
	const struct state_record *record = execution->container.record;
	const char *below = execution->options->cgroup;
	const char *colon = below ? strchr(below, ':') : NULL;
	int fd;

	if (container_open_cgroup(record, &execution->cgroup, err) < 0)
		return -1;
	if (execution->cgroup.fd < 0)
		return record->cgroup[0] && record->cgroup_inode
			       ? fail(err, ENOENT, "open the container's cgroup %s", record->cgroup)
			       : 0;
	if (below) {
		/* cgroup v2 has one tree: the controller's name has no meaning. */
		fd = tree_open_below(execution->cgroup.fd, colon ? colon + 1 : below);
		if (fd < 0)
			return fail(err, fd, "--cgroup %s", below);
		(void)close(execution->cgroup.fd);
		execution->cgroup.fd = fd;
	}
	execution->launch.move_to = (struct cgroup_target){
		.fd = execution->cgroup.fd,
		.unit = record->unit,
		.unit_path = record->cgroup,
	};
	return 0;
}

/*
 * A payload that manages its own cgroups has enabled controllers for children of the recorded one,
 * so that no process may be put there (EBUSY): init's present cgroup below it is taken instead.
 */
static int enter_init_cgroup(struct execution *execution, struct hoy_error *err)
{
	const struct state_record *record = execution->container.record;
	char name[32], text[4200], *path = NULL;
	const char *tail = record->cgroup;
	ssize_t len;

	format_text(name, sizeof(name), "%d/cgroup", (int)record->pid);
	len = file_read(execution->launch.procfs, name, text, sizeof(text));
	if (len > 0)
		path = strstr(text, "0::/");
	if (!path)
		return fail(err, EBUSY, "find the cgroup of the container's init");
	path += strlen("0::");
	path[strcspn(path, "\n")] = '\0';
	/* The record has the mount point in front of what the kernel shows. */
	while (tail && !string_starts(path, tail))
		tail = strchr(tail + 1, '/');
	if (!tail || path[strlen(tail)] != '/')
		return fail(err, EBUSY, "the container's init is not below its cgroup");
	len = tree_open_below(execution->cgroup.fd, path + strlen(tail) + 1);
	if (len < 0)
		return fail(err, (int)len, "open the cgroup of the container's init");
	(void)close(execution->cgroup.fd);
	execution->cgroup.fd = (int)len;
	execution->launch.move_to.fd = (int)len;
	return 0;
}

static bool has_child_controllers(int cgroup)
{
	char text[256];

	return file_read(cgroup, "cgroup.subtree_control", text, sizeof(text)) > 1;
}

/* As its parent the runtime has passed on its own group. */
static int on_cloned(struct launch *launch, void *data, struct hoy_error *err)
{
	const struct execution *execution = data;
	const struct state_record *record = execution->container.record;
	autoclose int resctrl = -1;

	if (!record->resctrl.group)
		return 0;
	resctrl = resctrl_open(err);
	if (resctrl < 0)
		return -1;
	return resctrl_add(resctrl, record->resctrl.group,
			   record->resctrl.made_monitoring ? record->id : NULL, launch->pid, err);
}

static int on_created(struct launch *launch, void *data, struct hoy_error *err)
{
	struct execution *execution = data;

	if (handover_terminal(&execution->handover, launch->terminal, err) < 0 ||
	    handover_pidfd(&execution->handover, launch->pidfd, err) < 0)
		return -1;
	return handover_pid_file(execution->options->pid_file, launch->pid, err);
}

static int prepare_launch(struct execution *execution, struct hoy_error *err)
{
	struct launch *launch = &execution->launch;

	launch->plan = execution->input.plan;
	launch->host = &execution->input.host;
	launch->container_pid = execution->container.record->pid;
	launch->log = &execution->log;
	launch->on_cloned = on_cloned;
	launch->on_created = on_created;
	launch->data = execution;
	if (launch_prepare(launch, &execution->input.arena, err) < 0 ||
	    open_root(execution, err) < 0 || join_init(execution, err) < 0 ||
	    open_cgroup(execution, err) < 0)
		return -1;
	if (!execution->options->cgroup && execution->cgroup.fd >= 0 &&
	    (launch->plan->cgroup.leaf || has_child_controllers(execution->cgroup.fd)) &&
	    enter_init_cgroup(execution, err) < 0)
		return -1;
	if (!execution->by_move)
		launch->fds.cgroup = execution->cgroup.fd;
	return 0;
}

static int launch(struct execution *execution, struct hoy_error *err)
{
	if (prepare_launch(execution, err) < 0 || launch_clone(&execution->launch, err) < 0)
		return -1;
	return launch_serve(&execution->launch, err);
}

/*
 * Bootstrap was the last process that pids.max allows, and init would have been one too many.
 * Bootstrap has ended: from outside the cgroup another one can make an init to be moved there.
 */
static int launch_from_outside(struct execution *execution, struct hoy_error *err)
{
	launch_done(&execution->launch);
	execution->launch = LAUNCH_NONE;
	cleanup_close(&execution->init);
	cgroup_done(&execution->cgroup);
	execution->by_move = true;
	*err = (struct hoy_error){ .code = 0 };
	return check_status(execution, err) < 0 ? -1 : launch(execution, err);
}

static int execute(struct execution *execution, struct hoy_error *err)
{
	const struct hoy_exec_options *options = execution->options;
	const struct plan_process *process;

	if (check_status(execution, err) < 0 ||
	    input_saved(&execution->input, execution->container.dir.fd, err) < 0 ||
	    read_process(execution, err) < 0 || make_plan(execution, err) < 0 ||
	    input_warnings(execution->input.plan, &execution->log, execution->context->strict,
			   err) < 0)
		return -1;
	process = &execution->input.plan->process;
	if (handover_open(&execution->handover, process->terminal, options->console_socket,
			  options->pidfd_socket, options->ret_terminal, err) < 0)
		return -1;
	/* Bootstrap would stand still in a paused cgroup, and be too late for its first CPUs. */
	execution->by_move = options->ignore_paused || process->initial_cpus.set;
	if (launch(execution, err) == 0)
		return 0;
	if (!execution->launch.fds.in_cgroup || execution->launch.adopted || err->code != EAGAIN)
		return -1;
	return launch_from_outside(execution, err);
}

static void hand_out(struct execution *execution)
{
	const struct hoy_exec_options *options = execution->options;

	if (options->ret_terminal)
		*options->ret_terminal = take_fd(&execution->launch.terminal);
	if (options->ret_pid)
		*options->ret_pid = execution->launch.pid;
	if (options->ret_pidfd)
		*options->ret_pidfd = take_fd(&execution->launch.pidfd);
	execution->launch.pid = 0;
}

int hoy_exec(const struct hoy_context *context, const char *id,
	     const struct hoy_exec_options *options, struct hoy_error *err)
{
	struct execution execution = {
		.context = context,
		.options = options,
		.log = context_log(context),
		.container = CONTAINER_NONE,
		.input = INPUT_NONE,
		.init = -1,
		.cgroup = CGROUP_NONE,
		.launch = LAUNCH_NONE,
		.handover = HANDOVER_NONE,
	};
	int r;

	if (container_open(context, id, &execution.container, err) < 0)
		return -1;
	r = execute(&execution, err);
	if (r == 0)
		hand_out(&execution);
	launch_done(&execution.launch);
	cleanup_close(&execution.init);
	handover_done(&execution.handover);
	cgroup_done(&execution.cgroup);
	container_done(&execution.container);
	input_done(&execution.input);
	return r < 0 ? -1 : 0;
}
