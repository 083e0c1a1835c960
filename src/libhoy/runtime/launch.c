/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clones init and answers it. Runs in the runtime. Nothing that init sends is trusted: lengths and
 * types are checked, and every wait also watches init's pidfd, so that no death is waited for.
 * Must not know the order of set-up, and must not touch the caller's process.
 */
#include "runtime/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "cgroup/leaf.h"
#include "runtime/hooks.h"
#include "runtime/listener.h"
#include "runtime/scheduling.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/message.h"
#include "sys/path.h"
#include "sys/process.h"

/* How long init may be silent while it does nothing that the configuration can draw out. */
#define SILENCE_MS	(60 * 1000)
#define PROC_ROOT_INODE 1
/* As init/bootstrap.c says it too. */
#define CLONE_INIT "clone init"

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

int launch_open_procfs(struct hoy_error *err)
{
	autoclose int fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(err, errno, "open /proc");
	if (path_fs_type(fd) != PROC_SUPER_MAGIC || st.st_ino != PROC_ROOT_INODE)
		return fail(err, 0, "/proc is not the root of a procfs");
	return take_fd(&fd);
}

static int open_joins(struct launch *launch, struct arena *arena, struct hoy_error *err)
{
	const struct plan_namespaces *namespaces = &launch->plan->namespaces;
	struct launch_fds *fds = &launch->fds;

	if (!namespaces->joins_len)
		return 0;
	fds->joins = arena_array(arena, struct launch_join, namespaces->joins_len);
	if (!fds->joins)
		return fail(err, ENOMEM, "prepare the namespaces");
	for (size_t i = 0; i < namespaces->joins_len; i++) {
		const struct plan_join *join = &namespaces->joins[i];
		int fd = open(join->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

		if (fd < 0)
			return fail_at(err, join->at, errno, "open %s", join->path);
		fds->joins[fds->joins_len++] = (struct launch_join){ .fd = fd,
								     .types = join->type,
								     .at = join->at };
		/* setns(2) would name no reason: a wrong kind of file is told apart here. */
		if ((uint64_t)ioctl(fd, NS_GET_NSTYPE) != join->type)
			return fail_at(err, join->at, EINVAL, "%s is not a namespace of this type",
				       join->path);
	}
	return 0;
}

static int *places(struct arena *arena, size_t count)
{
	int *fds = arena_array(arena, int, count + 1);

	for (size_t i = 0; fds && i <= count; i++)
		fds[i] = -1;
	return fds;
}

/* Init could not open them: it is in the container's mount namespace when it runs its hooks. */
static int open_hook_output(struct launch *launch, struct hoy_error *err)
{
	const struct plan_hooks *hooks = &launch->plan->hooks[PLAN_CREATE_CONTAINER];
	struct launch_fds *fds = &launch->fds;

	if (!hooks->len)
		hooks = &launch->plan->hooks[PLAN_START_CONTAINER];
	if (hooks->len && hooks->stdout_path) {
		fds->hook_stdout = hooks_open_output(hooks->stdout_path, err);
		if (fds->hook_stdout < 0)
			return -1;
	}
	if (hooks->len && hooks->stderr_path) {
		fds->hook_stderr = hooks_open_output(hooks->stderr_path, err);
		if (fds->hook_stderr < 0)
			return -1;
	}
	return 0;
}

int launch_prepare(struct launch *launch, struct arena *arena, struct hoy_error *err)
{
	struct launch_fds *fds = &launch->fds;
	int pair[2], r;

	fds->sources = places(arena, launch->plan->sources_len);
	fds->mounts = places(arena, launch->plan->mounts_len);
	fds->idmaps = places(arena, launch->plan->mounts_len);
	if (!fds->sources || !fds->mounts || !fds->idmaps)
		return fail(err, ENOMEM, "prepare the launch");
	r = message_pair(pair);
	if (r < 0)
		return fail(err, r, "make the socket to init");
	launch->socket = pair[0];
	fds->runtime_socket = pair[0];
	fds->socket = pair[1];
	launch->procfs = launch_open_procfs(err);
	if (launch->procfs < 0)
		return -1;
	fds->procfs = launch->procfs;
	if (open_joins(launch, arena, err) < 0 || launch_make_idmaps(launch, err) < 0 ||
	    open_hook_output(launch, err) < 0)
		return -1;
	return listener_connect(launch, arena, err);
}

int launch_find_staging(struct launch *launch, int directory, struct arena *arena,
			struct hoy_error *err)
{
	char link[48], path[PATH_MAX];
	ssize_t len;

	if (!launch->plan->staged)
		return 0;
	format_text(link, sizeof(link), "%d/fd/%d", (int)getpid(), directory);
	len = readlinkat(launch->procfs, link, path, sizeof(path) - 1);
	if (len < 0)
		return fail(err, errno, "find the container's directory");
	path[len] = '\0';
	launch->fds.staging = arena_strdup(arena, path);
	return launch->fds.staging ? 0 : fail(err, ENOMEM, "prepare the launch");
}

/* ---- the clone ---- */

/* Written by us, while init is still ours to write to (trap 5). Spec: config.md (oomScoreAdj). */
static int write_oom_score(struct launch *launch, struct hoy_error *err)
{
	const struct plan_process *process = &launch->plan->process;
	char name[64], value[16];
	int r;

	if (!process->set_oom_score_adj)
		return 0;
	format_text(name, sizeof(name), "%d/oom_score_adj", (int)launch->pid);
	format_text(value, sizeof(value), "%d", process->oom_score_adj);
	r = file_write_text(launch->procfs, name, value);
	if (r == 0 || ((r == -EPERM || r == -EACCES) && process->oom_score_adj_optional))
		return 0;
	fail_at(err, "process.oomScoreAdj", r, "set oom_score_adj to %s", value);
	return r == -EACCES || r == -EPERM
		       ? fail_hint(err, "lowering it below the caller's own needs CAP_SYS_RESOURCE")
		       : -1;
}

static int cloned(struct launch *launch, struct hoy_error *err)
{
	if (launch->move_to.fd >= 0 && !launch->fds.in_cgroup &&
	    cgroup_move(&launch->move_to, launch->pid, err) < 0)
		return -1;
	if (launch->on_cloned && launch->on_cloned(launch, launch->data, err) < 0)
		return -1;
	return write_oom_score(launch, err);
}

int launch_explain(const struct launch *launch, enum failure failure, struct hoy_error *err)
{
	struct host host = *launch->host;
	const char *cause;

	host_probe_causes(&host);
	cause = cause_find(&host, launch->plan, failure, err->code);
	return cause ? fail_hint(err, "%s", cause) : -1;
}

/* What of the plan an error of init is about, -1 if nothing that has causes. */
static int failure_of(const struct launch *launch, const struct hoy_error *err)
{
	for (size_t i = 0; i < launch->plan->mounts_len; i++) {
		const struct plan_mount *mount = &launch->plan->mounts[i];

		if (strcmp(mount->at, err->at) != 0)
			continue;
		if (mount->kind == PLAN_MOUNT_BIND)
			return mount->recursive ? FAILURE_RBIND : FAILURE_BIND;
		return mount->fstype && strcmp(mount->fstype, "proc") == 0 ? FAILURE_PROC
									   : FAILURE_MOUNT;
	}
	/* Bootstrap clones as the runtime does. */
	return strcmp(err->text, CLONE_INIT) == 0 ? FAILURE_NAMESPACES : -1;
}

static int explain_clone(const struct launch *launch, int code, struct hoy_error *err)
{
	fail(err, code, CLONE_INIT);
	(void)launch_explain(launch, FAILURE_NAMESPACES, err);
	if (code == -EAGAIN)
		return fail_hint(err, "a limit of processes is reached: pids.max of the cgroup or "
				      "one above, or the user's RLIMIT_NPROC");
	if (code == -EBUSY)
		return fail_hint(err, "the cgroup has controllers enabled for its children: "
				      "processes can only live in its leaves");
	return -1;
}

/*
 * Into the cgroup if possible: a move makes the kernel wait until every processor has passed
 * through its scheduler (an RCU grace period), which takes longer than all the rest. Sources are
 * staged before, since what that costs is not for the container to pay.
 */
static pid_t clone_bootstrap(struct launch *launch)
{
	struct launch_fds *fds = &launch->fds;
	pid_t pid;

	fds->in_cgroup = fds->cgroup >= 0 && !launch->plan->staged;
	pid = process_clone(0, fds->in_cgroup ? fds->cgroup : -1, SIGCHLD, &launch->pidfd);
	if (pid < 0 && fds->in_cgroup && launch->move_to.fd >= 0) {
		/* Full, or only systemd may put somebody there: init will be moved. */
		fds->in_cgroup = false;
		fds->cgroup = -1;
		pid = process_clone(0, -1, SIGCHLD, &launch->pidfd);
	}
	if (pid == 0)
		bootstrap_main(launch->plan, fds);
	return pid;
}

int launch_clone(struct launch *launch, struct hoy_error *err)
{
	const struct plan_namespaces *namespaces = &launch->plan->namespaces;
	struct launch_fds *fds = &launch->fds;
	pid_t pid;

	/* A deadline wants to be free to go anywhere (sched(7)). */
	if (!launch->plan->process.scheduler.set)
		turns_begin(&launch->turns);
	fds->takes_turns = launch->turns.taken;
	if (namespaces->bootstrap) {
		pid = clone_bootstrap(launch);
	} else {
		pid = process_clone(init_clone_flags(launch->plan), fds->cgroup, SIGCHLD,
				    &launch->pidfd);
		if (pid == 0)
			init_main(launch->plan, fds);
	}
	if (pid < 0)
		return explain_clone(launch, pid, err);
	/* Only init holds its end now, so that its death is end of file. */
	(void)close(fds->socket);
	fds->socket = -1;
	launch->pid = pid;
	return namespaces->bootstrap ? 0 : cloned(launch, err);
}

/* ---- answers ---- */

static int answer(struct launch *launch, struct hoy_error *err)
{
	struct message message = { .type = ANSWER_DONE, .pid = launch->pid };
	int r = message_send(launch->socket, &message, MESSAGE_SHORT, NULL, 0);

	return r < 0 ? fail(err, r, "answer init") : 0;
}

/*
 * Whoever may look into bootstrap or init could name a stranger, whose limits and cgroup we would
 * then set: only what the kernel says of the pidfd counts, and only of a child of our own.
 */
static int check_init(const struct launch *launch, pid_t pid, int pidfd, struct hoy_error *err)
{
	char name[64], text[256], *found;
	ssize_t len;

	format_text(name, sizeof(name), "%d/fdinfo/%d", (int)getpid(), pidfd);
	len = file_read(launch->procfs, name, text, sizeof(text));
	if (len < 0)
		return fail(err, (int)len, "ask for init's pid");
	found = strstr(text, "\nPid:");
	if (!found || strtol(found + strlen("\nPid:"), NULL, 10) != pid ||
	    process_is_child(pidfd) <= 0)
		return fail(err, 0, "process %d that bootstrap named is not ours", (int)pid);
	return 0;
}

/* Bootstrap has done its work: from now on pid and pidfd are init's. */
static int adopt_init(struct launch *launch, const struct message *message, int *pidfd,
		      struct hoy_error *err)
{
	if (!launch->plan->namespaces.bootstrap || *pidfd < 0 || message->pid <= 0)
		return fail(err, 0, "bootstrap sent an unexpected message");
	if (check_init(launch, message->pid, *pidfd, err) < 0)
		return -1;
	(void)process_wait(launch->pidfd, clock_ms() + SILENCE_MS, NULL);
	(void)close(launch->pidfd);
	launch->pidfd = take_fd(pidfd);
	launch->pid = message->pid;
	launch->adopted = true;
	return cloned(launch, err);
}

static int adopt_cgroup(struct launch *launch, struct hoy_error *err)
{
	const struct cgroup_driver *driver = cgroup_driver_of(&launch->plan->cgroup);

	autoclose int leaf = -1;

	if (driver && driver->adopt &&
	    driver->adopt(&launch->plan->cgroup, launch->pid, launch->cgroup, err) < 0)
		return -1;
	if (launch->plan->cgroup.leaf && launch->cgroup && launch->cgroup->fd >= 0) {
		leaf = leaf_make(launch->cgroup, &launch->plan->cgroup, launch->pid, err);
		if (leaf < 0)
			return -1;
	}
	return answer(launch, err);
}

static int move_net_devices(struct launch *launch, struct hoy_error *err)
{
	if (netdevice_move(launch->plan, launch->procfs, launch->pid, &launch->net_devices, err) <
	    0)
		return -1;
	return answer(launch, err);
}

static int run_runtime_hooks(struct launch *launch, struct hoy_error *err)
{
	const struct plan_hooks *hooks = launch->plan->hooks;

	launch->hooks_ran = true;
	turns_end(&launch->turns);
	if (hooks_run(&hooks[PLAN_PRESTART], "prestart", launch->pid, launch->log, err) < 0 ||
	    hooks_run(&hooks[PLAN_CREATE_RUNTIME], "createRuntime", launch->pid, launch->log, err) <
		    0)
		return -1;
	return answer(launch, err);
}

/* Only the runtime may raise a hard limit of a process in a user namespace (trap 27). */
static int set_rlimits(const struct launch *launch, struct hoy_error *err)
{
	const struct plan *plan = launch->plan;

	if (!((plan->namespaces.create | plan->namespaces.joined) & CLONE_NEWUSER))
		return 0; /* init has done it */
	for (size_t i = 0; i < plan->process.rlimits_len; i++) {
		const struct plan_rlimit *limit = &plan->process.rlimits[i];
		uint64_t value[2] = { limit->soft, limit->hard };

		if (syscall(SYS_prlimit64, launch->pid, limit->type, value, NULL) < 0)
			return fail_at(err, limit->at, errno, "set %s to %llu:%llu", limit->name,
				       (unsigned long long)limit->soft,
				       (unsigned long long)limit->hard);
	}
	return 0;
}

static int commit(struct launch *launch, struct hoy_error *err)
{
	if (set_rlimits(launch, err) < 0 ||
	    scheduling_apply(&launch->plan->process, launch->pid, err) < 0)
		return -1;
	if (launch->on_created && launch->on_created(launch, launch->data, err) < 0)
		return -1;
	return answer(launch, err);
}

static void take_terminal(struct launch *launch, int *fd)
{
	if (launch->terminal < 0)
		launch->terminal = take_fd(fd);
}

static void log_warning_of(const struct launch *launch, struct hoy_error *warning)
{
	warning->at[sizeof(warning->at) - 1] = '\0';
	warning->text[sizeof(warning->text) - 1] = '\0';
	log_event_at(launch->log, HOY_LOG_WARNING, warning->at, warning->code, "%s", warning->text);
}

/* ---- serving ---- */

static bool has_memory_limit(const struct plan_cgroup *plan)
{
	for (size_t i = 0; i < plan->writes_len; i++)
		if (strcmp(plan->writes[i].file, "memory.max") == 0)
			return true;
	return false;
}

static int explain_death(struct launch *launch, struct hoy_error *err)
{
	int status = 0;
	int r = process_wait(launch->pidfd, clock_ms() + SILENCE_MS, &status);

	if (launch->cgroup && cgroup_oom_kills(launch->cgroup) > 0) {
		fail_at(err, "linux.resources.memory.limit", 0,
			"init was killed for lack of memory while the container was set up");
		return fail_hint(err, "the memory limit is too small for the set-up");
	}
	if (r > 0 && status > 128) {
		fail(err, 0, "init was killed by signal %d during set-up", status - 128);
		/* systemd removes the scope with its counters as soon as it is empty. */
		return status == 128 + SIGKILL && has_memory_limit(&launch->plan->cgroup)
			       ? fail_hint(err, "a memory limit that is too small for the set-up "
						"does that")
			       : -1;
	}
	return fail(err, 0, "init ended with status %d during set-up", status);
}

/* Init's last words: it is about to exit. */
static int take_error(struct launch *launch, struct message *message, size_t len,
		      struct hoy_error *err)
{
	int failure;

	if (len != sizeof(*message))
		return fail(err, 0, "init sent a malformed error");
	*err = message->error;
	err->at[sizeof(err->at) - 1] = '\0';
	err->text[sizeof(err->text) - 1] = '\0';
	err->hint[sizeof(err->hint) - 1] = '\0';
	if (err->text[0] == '\0')
		(void)fail(err, 0, "init sent an error without words");
	failure = failure_of(launch, err);
	if (failure >= 0 && !err->hint[0])
		(void)launch_explain(launch, (enum failure)failure, err);
	(void)process_wait(launch->pidfd, clock_ms() + SILENCE_MS, NULL);
	return -1;
}

/* Each is said once: another time it is not init that speaks. */
static int note_type(struct launch *launch, uint32_t type, struct hoy_error *err)
{
	const uint32_t bit = type < 32 ? 1U << type : 0;

	if (launch->heard & bit && type != NOTE_WARNING)
		return fail(err, 0, "init sent message %u twice", (unsigned int)type);
	launch->heard |= bit;
	return 0;
}

static int handle(struct launch *launch, struct message *message, size_t len, int *fd,
		  struct hoy_error *err)
{
	if (note_type(launch, message->type, err) < 0)
		return -1;
	switch (message->type) {
	case NOTE_CLONED:
		return adopt_init(launch, message, fd, err);
	case REQUEST_ID_MAPS:
		turns_end(&launch->turns); /* newuidmap may be executed */
		return launch_write_maps(launch, err) < 0 ? -1 : answer(launch, err);
	case REQUEST_CGROUP:
		return adopt_cgroup(launch, err);
	case REQUEST_NET_DEVICES:
		return move_net_devices(launch, err);
	case REQUEST_RUNTIME_HOOKS:
		return run_runtime_hooks(launch, err);
	case NOTE_TERMINAL:
		take_terminal(launch, fd);
		return 0;
	case NOTE_WARNING:
		if (len == sizeof(*message))
			log_warning_of(launch, &message->error);
		return 0;
	case REQUEST_CREATED:
		return commit(launch, err);
	case NOTE_COMMITTED:
	case NOTE_EXECING:
		return 0;
	case NOTE_DONE:
		return launch->fds.task != INIT_PROGRAM
			       ? 0
			       : fail(err, 0, "init sent an unexpected message");
	case NOTE_ERROR:
		return take_error(launch, message, len, err);
	}
	return 0;
}

/*
 * Init may be heard before bootstrap has told of it, and is answered only then: until it is known
 * there is nobody whose maps could be written. By its end bootstrap has told, or never will.
 */
static int put_off(struct launch *launch, uint32_t type, int *fd, struct hoy_error *err)
{
	if (launch->early_len == ARRAY_LEN(launch->early) || type == NOTE_COMMITTED ||
	    type == NOTE_EXECING)
		return fail(err, 0, "init sent an unexpected message");
	launch->early[launch->early_len++] = (struct launch_early){ type, take_fd(fd) };
	(void)process_wait_end(launch->pidfd, clock_ms() + SILENCE_MS);
	return 0;
}

static int handle_early(struct launch *launch, struct hoy_error *err)
{
	for (size_t i = 0; i < launch->early_len; i++) {
		struct message message = { .type = launch->early[i].type };

		if (handle(launch, &message, MESSAGE_SHORT, &launch->early[i].fd, err) < 0)
			return -1;
	}
	return 0;
}

static int take(struct launch *launch, struct message *message, size_t len, int *fd,
		struct hoy_error *err)
{
	if (!launch->plan->namespaces.bootstrap || launch->adopted || message->type == NOTE_ERROR)
		return handle(launch, message, len, fd, err);
	if (message->type != NOTE_CLONED)
		return put_off(launch, message->type, fd, err);
	return handle(launch, message, len, fd, err) < 0 ? -1 : handle_early(launch, err);
}

/* Whether some hook of init's own may take as long as it likes. */
static int64_t deadline(const struct launch *launch)
{
	const struct plan_hooks *hooks = &launch->plan->hooks[PLAN_CREATE_CONTAINER];
	int64_t end = clock_ms() + SILENCE_MS;

	if (launch->early_len && !launch->adopted)
		return clock_ms(); /* bootstrap has ended, so that all it has said is there */
	for (size_t i = 0; i < hooks->len; i++) {
		if (hooks->items[i].timeout_ms < 0)
			return -1;
		end += hooks->items[i].timeout_ms;
	}
	return end;
}

/* @returns the message's type, 0 at end of file, -1 on failure */
static int serve_one(struct launch *launch, struct hoy_error *err)
{
	int fds[MESSAGE_FDS_MAX] = { -1, -1, -1, -1 };
	struct message message;
	size_t fds_len = 0;
	ssize_t len;
	int r;

	len = message_receive(launch->socket, &message, sizeof(message), fds, &fds_len,
			      deadline(launch));
	if (len == -EPIPE || len == -ECONNRESET)
		return 0;
	if (len == -ETIMEDOUT && launch->early_len && !launch->adopted)
		return 0; /* killed before it could tell of init, which ends with our socket */
	if (len == -ETIMEDOUT)
		return fail(err, ETIMEDOUT, "init does not get on with the set-up");
	if (len < 0)
		return fail(err, (int)len, "hear from init");
	if ((size_t)len != sizeof(message) && (size_t)len != MESSAGE_SHORT)
		r = fail(err, 0, "init sent a message of %zd bytes", len);
	else if (message.type < NOTE_CLONED || message.type > NOTE_ERROR)
		r = fail(err, 0, "init sent an unknown message");
	else
		r = take(launch, &message, (size_t)len, &fds[0], err);
	for (size_t i = 0; i < MESSAGE_FDS_MAX; i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
	return r < 0 ? -1 : (int)message.type;
}

static int serve(struct launch *launch, struct hoy_error *err)
{
	const bool has_gate = launch->fds.go >= 0;
	bool execing = false;

	for (;;) {
		int type = serve_one(launch, err);

		if (type < 0)
			return -1;
		if (type == 0)
			return execing ? 0 : explain_death(launch, err);
		if (type == NOTE_DONE || (type == NOTE_COMMITTED && has_gate))
			return 0;
		if (type == NOTE_EXECING)
			execing = true;
	}
}

int launch_serve(struct launch *launch, struct hoy_error *err)
{
	int r = serve(launch, err);

	if (r < 0 || !launch->keeps_turns)
		turns_end(&launch->turns);
	return r;
}

void launch_done(struct launch *launch)
{
	struct launch_fds *fds = &launch->fds;

	turns_end(&launch->turns);
	if (launch->pid > 0 && launch->pidfd >= 0)
		process_kill_and_reap(launch->pidfd);
	netdevice_put_back(&launch->net_devices, launch->log);
	close_fd(&launch->pidfd);
	close_fd(&launch->socket);
	close_fd(&launch->procfs);
	close_fd(&launch->terminal);
	close_fd(&fds->socket);
	close_fd(&fds->go);
	close_fd(&fds->result);
	close_fd(&fds->listener);
	close_fd(&fds->exec_root);
	close_fd(&fds->hook_stdout);
	close_fd(&fds->hook_stderr);
	for (size_t i = 0; i < launch->early_len; i++)
		close_fd(&launch->early[i].fd);
	for (size_t i = 0; i < fds->joins_len; i++)
		close_fd(&fds->joins[i].fd);
	for (size_t i = 0; fds->idmaps && i < launch->plan->mounts_len; i++)
		close_fd(&fds->idmaps[i]);
}
