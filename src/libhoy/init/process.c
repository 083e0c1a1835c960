/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the process of the container is given before it is confined: session, scheduling, working
 * directory, HOME, descriptors, limits, and the program to run. Runs in init.
 * Spec: config.md#process.
 */
#include "init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "init/passwd.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/path.h"
#include "sys/process.h"

/* How much of /etc/passwd is searched for HOME. */
#define PASSWD_MAX (1024 * 1024)

/* First of all: let go of what is the runtime's, die with it, be nobody's debuggee. */
int step_prepare(struct init *init, struct hoy_error *err)
{
	struct launch_fds *fds = init->fds;

	if (fds->runtime_socket >= 0)
		(void)close(fds->runtime_socket);
	if (fds->lock >= 0)
		(void)close(fds->lock);
	fds->runtime_socket = -1;
	fds->lock = -1;
	if (init_lifeline(fds, err) < 0)
		return -1;
	if (process_reset_signals() < 0)
		return fail(err, errno, "reset the signals");
	/* With maps still to be written an unprivileged runtime needs us dumpable (trap 5). */
	if (!(init->plan->namespaces.create & CLONE_NEWUSER) && prctl(PR_SET_DUMPABLE, 0) < 0)
		return fail(err, errno, "become non-dumpable");
	if (setsid() < 0)
		return fail(err, errno, "become a session leader");
	(void)prctl(PR_SET_NAME, INIT_NAME);
	(void)umask(0);
	return 0;
}

static int set_affinity(const struct plan_cpus *cpus, const char *at, struct hoy_error *err)
{
	if (!cpus->set)
		return 0;
	if (syscall(SYS_sched_setaffinity, 0, sizeof(cpus->mask), cpus->mask) < 0)
		return fail_at(err, at, errno, "set the CPU affinity");
	return 0;
}

/* Who may not change an affinity has not narrowed ours either. */
static int reset_affinity(const struct launch_fds *fds, struct hoy_error *err)
{
	int r = process_reset_affinity();

	return r < 0 && fds->takes_turns ? fail(err, r, "let the process run on all CPUs") : 0;
}

int affinity_before_cgroup(const struct plan *plan, struct hoy_error *err)
{
	return set_affinity(&plan->process.initial_cpus, "process.execCPUAffinity.initial", err);
}

/*
 * After: the cgroup, which says what CPUs there are. Spec: config.md#linux-process
 * (execCPUAffinity), config-linux.md#memory-policy.
 */
int step_scheduling(struct init *init, struct hoy_error *err)
{
	const struct plan_process *process = &init->plan->process;
	unsigned long max_node = sizeof(process->memory_nodes) * 8 + 1;

	if (process->reset_cpus && reset_affinity(init->fds, err) < 0)
		return -1;
	if (set_affinity(&process->final_cpus, "process.execCPUAffinity.final", err) < 0)
		return -1;
	if (process->memory_policy >= 0 &&
	    syscall(SYS_set_mempolicy, process->memory_policy,
		    process->set_memory_nodes ? process->memory_nodes : NULL,
		    process->set_memory_nodes ? max_node : 0) < 0)
		return fail_at(err, "linux.memoryPolicy", errno, "set memory policy 0x%x",
			       (unsigned int)process->memory_policy);
	return 0;
}

/*
 * The runtime has set the scheduler, for a user namespace gives no right to; only the loan of a
 * flag is given back. After: hooks, and the thread for the seccomp listener. Before: capabilities.
 */
int step_scheduler(struct init *init, struct hoy_error *err)
{
	const struct plan_scheduler *scheduler = &init->plan->process.scheduler;
	struct sched_attr attr;

	if (!scheduler->reset_on_fork || scheduler->flags & SCHED_FLAG_RESET_ON_FORK)
		return 0;
	if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) < 0)
		return fail_at(err, "process.scheduler", errno, "read the scheduling policy");
	attr.sched_flags &= ~(uint64_t)SCHED_FLAG_RESET_ON_FORK;
	if (sched_setattr(0, &attr, 0) < 0)
		return fail_at(err, "process.scheduler", errno, "let children inherit the policy");
	return 0;
}

/* A missing working directory is made, as engines rely on. After: read-only, so never in there. */
int step_make_cwd(struct init *init, struct hoy_error *err)
{
	autoclose int fd = -1;

	if (!init->plan->process.present)
		return 0;
	fd = path_make_dir(init->root, init->plan->process.cwd, 0755, NULL);
	/* Whether it can be entered is decided when it is, with the process' own rights. */
	if (fd < 0 && fd != -EACCES && fd != -EROFS)
		return fail_at(err, "process.cwd", fd, "make %s", init->plan->process.cwd);
	return 0;
}

/* ---- HOME ---- */

static void find_home(struct passwd_scan *scan)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
				.resolve = RESOLVE_NO_MAGICLINKS };
	autoclose int fd = -1;
	size_t total = 0;
	char buffer[4096];
	struct stat st;
	ssize_t len;

	fd = openat2(AT_FDCWD, "/etc/passwd", &how, sizeof(how));
	/* The image is hostile: no FIFO to hang in, no endless file. */
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	while (total < PASSWD_MAX && (len = read(fd, buffer, sizeof(buffer))) > 0) {
		total += (size_t)len;
		if (passwd_scan(scan, buffer, (size_t)len))
			return;
	}
	(void)passwd_scan(scan, "\n", 1);
}

/* After: pivot. HOME is that of the user in the container's passwd, else "/". */
int step_home(struct init *init, struct hoy_error *err)
{
	const struct plan_process *process = &init->plan->process;
	struct passwd_scan scan = { .uid = process->uid };

	(void)err;
	if (!process->present || process->env_home < 0)
		return 0;
	find_home(&scan);
	format_text(init->home, sizeof(init->home), "HOME=%s", scan.found ? scan.text : "/");
	process->env[process->env_home] = init->home;
	return 0;
}

/* ---- descriptors and limits ---- */

/*
 * From here on only 0-2, the preserved ones and those still needed are open, all of the latter
 * close-on-exec. Spec: runtime-linux.md#file-descriptors.
 */
int step_descriptors(struct init *init, struct hoy_error *err)
{
	const int needed[] = { init->fds->socket,      init->fds->go,	      init->fds->result,
			       init->apparmor,	       init->selinux,	      init->fds->listener,
			       init->fds->hook_stdout, init->fds->hook_stderr };
	unsigned int from = 3 + init->plan->process.preserve_fds;
	int r;

	for (unsigned int fd = 3; fd < from; fd++)
		if (fcntl((int)fd, F_SETFD, 0) < 0)
			return fail(err, errno, "preserve descriptor %u", fd);
	r = fd_close_but(from, needed, ARRAY_LEN(needed));
	if (r < 0)
		return fail(err, r, "close descriptors");
	init->root = -1;
	init->procfs = -1;
	return 0;
}

/* In a user namespace the runtime does it, which alone may raise a hard limit (trap 27). */
int step_rlimits(struct init *init, struct hoy_error *err)
{
	const struct plan *plan = init->plan;

	if ((plan->namespaces.create | plan->namespaces.joined) & CLONE_NEWUSER)
		return 0;
	for (size_t i = 0; i < plan->process.rlimits_len; i++) {
		const struct plan_rlimit *limit = &plan->process.rlimits[i];
		struct rlimit64 value = { limit->soft, limit->hard };

		if (syscall(SYS_prlimit64, 0, limit->type, &value, NULL) < 0)
			return fail_at(err, limit->at, errno, "set %s to %llu:%llu", limit->name,
				       (unsigned long long)limit->soft,
				       (unsigned long long)limit->hard);
	}
	return 0;
}

/* ---- the program ---- */

int fail_program(struct hoy_error *err, const char *at, int code, const char *verb,
		 const char *object)
{
	code = code < 0 ? -code : code;
	/* In Go's spelling: by these words docker run tells 127 and 126 from 125. */
	if (code == ENOENT)
		fail_at(err, at, 0, "%s '%s': no such file or directory", verb, object);
	else if (code == EACCES)
		fail_at(err, at, 0, "%s '%s': permission denied", verb, object);
	else
		fail_at(err, at, code, "%s '%s'", verb, object);
	err->status = code == ENOENT || code == ENOTDIR ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE;
	return -1;
}

/* @returns 0 if the file can be executed by this process, or -errno */
static int check_executable(const char *path)
{
	autoclose int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode) || !S_ISREG(st.st_mode))
		return -EACCES;
	if (syscall(SYS_faccessat2, fd, "", X_OK, AT_EMPTY_PATH | AT_EACCESS) < 0)
		return -errno;
	return 0;
}

/* Tries DIR/NAME for each directory of PATH; an empty entry is the working directory. */
static int search_path(struct init *init, const char *name)
{
	const char *dir = init->plan->process.path;
	int result = -ENOENT;

	while (dir && *dir) {
		size_t len = strcspn(dir, ":");
		int r;

		if (len + strlen(name) + 3 <= sizeof(init->executable)) {
			format_text(init->executable, sizeof(init->executable), "%.*s%s%s",
				    (int)(len ? len : 1), len ? dir : ".", "/", name);
			r = check_executable(init->executable);
			if (r == 0)
				return 0;
			if (r == -EACCES)
				result = r;
		}
		dir += len + (dir[len] == ':');
	}
	return result;
}

/* @returns 0 with init->executable set, or -errno */
static int find_program(struct init *init, const char *name)
{
	int r;

	if (!strchr(name, '/'))
		return search_path(init, name);
	if (strlen(name) >= sizeof(init->executable))
		return -ENAMETOOLONG;
	r = check_executable(name);
	if (r == 0)
		memcpy(init->executable, name, strlen(name) + 1);
	return r;
}

/*
 * With the rights that execve will have, so that create fails rather than start. After: identity,
 * which leaves all that is permitted effective. Spec: config.md (args).
 */
int step_executable(struct init *init, struct hoy_error *err)
{
	const struct plan_process *process = &init->plan->process;
	const char *name;
	int r;

	if (!process->present)
		return 0;
	name = process->args[0];
	if (capabilities_use(init, true, err) < 0)
		return -1;
	r = find_program(init, name);
	if (capabilities_use(init, false, err) < 0)
		return -1;
	if (r == 0)
		return 0;
	if (r != -ENOENT || strchr(name, '/'))
		return fail_program(err, "process.args[0]", r, "execute", name);
	/* These words and the status are what engines look for. */
	fail_at(err, "process.args[0]", 0, "'%s': executable file not found in $PATH", name);
	err->status = STATUS_NOT_FOUND;
	return -1;
}
