/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the id maps of a new user namespace for init: by ourselves where we may, else by the
 * setuid helpers newuidmap and newgidmap. Runs in the runtime. The helpers are started before
 * anything of the image could be found in their place, by absolute path on the host.
 * Spec: config-linux.md#user-namespace-mappings; user_namespaces(7).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/string.h"
#include "runtime/launch.h"
#include "sys/cleanup.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/process.h"

#define HELPER_MS 10000
/* Words of one helper call: itself, the pid, three for each mapping, the end. */
#define HELPER_WORDS(mappings) (3 + 3 * (mappings))

/** A process whose user namespace waits for its maps. */
struct mapped {
	int procfs;
	pid_t pid;
};

static int write_map(const struct mapped *mapped, const char *file, const char *at,
		     const struct plan_id_map *maps, size_t len, struct hoy_error *err)
{
	autotext struct text text = { 0 };
	char name[64];
	int r;

	for (size_t i = 0; i < len; i++)
		text_add_format(&text, "%u %u %u\n", maps[i].container_id, maps[i].host_id,
				maps[i].size);
	if (text.failed)
		return fail_at(err, at, ENOMEM, "compose the map");
	format_text(name, sizeof(name), "%d/%s", (int)mapped->pid, file);
	r = file_write(mapped->procfs, name, text.bytes, text.len);
	if (r < 0)
		return fail_at(err, at, r, "write %s", file);
	return 0;
}

static int deny_setgroups(const struct launch *launch, struct hoy_error *err)
{
	char name[64];
	int r;

	format_text(name, sizeof(name), "%d/setgroups", (int)launch->pid);
	r = file_write_text(launch->procfs, name, "deny");
	return r < 0 ? fail_at(err, "linux.gidMappings", r, "deny setgroups") : 0;
}

/* ---- newuidmap(1), newgidmap(1) ---- */

static const char *find_helper(const char *const paths[2])
{
	struct stat st;

	for (int i = 0; i < 2; i++)
		if (stat(paths[i], &st) == 0 && S_ISREG(st.st_mode))
			return paths[i];
	return NULL;
}

/* With the last words of the helper, which knows best. */
static int fail_helper(const char *path, const char *at, int status, int output,
		       struct hoy_error *err)
{
	char text[256];
	ssize_t len = pread(output, text, sizeof(text) - 1, 0);

	text[len > 0 ? len : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return fail_at(err, at, 0, "%s ended with status %d%s%s", path, status, *text ? ": " : "",
		       text);
}

static _Noreturn void become_helper(const char *path, char **words, int output)
{
	char *environment[] = { NULL };

	if (dup2(output, STDOUT_FILENO) >= 0 && dup2(output, STDERR_FILENO) >= 0)
		(void)execve(path, words, environment);
	_exit(127);
}

static int run_helper(const char *path, char **words, const char *at, struct hoy_error *err)
{
	autoclose int pidfd = -1, output = memfd_create("helper-output", MFD_CLOEXEC);
	int status = 0, r;
	pid_t pid;

	if (output < 0)
		return fail_at(err, at, errno, "make a file for the output of %s", path);
	pid = process_clone(0, -1, SIGCHLD, &pidfd);
	if (pid < 0)
		return fail_at(err, at, pid, "start %s", path);
	if (pid == 0)
		become_helper(path, words, output);
	r = process_wait(pidfd, clock_ms() + HELPER_MS, &status);
	if (r <= 0) {
		process_kill_and_reap(pidfd);
		return fail_at(err, at, r < 0 ? r : ETIMEDOUT, "wait for %s", path);
	}
	return status == 0 ? 0 : fail_helper(path, at, status, output, err);
}

static int map_by_helper(const struct launch *launch, const char *const paths[2], const char *at,
			 const struct plan_id_map *maps, size_t len, struct hoy_error *err)
{
	const char *path = find_helper(paths);
	struct arena arena = { 0 };
	char **words;
	int r;

	if (!path) {
		fail_at(err, at, ENOENT, "find %s", paths[0]);
		return fail_hint(err,
				 "a map of more than one id needs the helpers of package uidmap "
				 "(shadow-utils)");
	}
	words = arena_array(&arena, char *, HELPER_WORDS(len));
	if (!words)
		return fail_at(err, at, ENOMEM, "call %s", path);
	words[0] = arena_strdup(&arena, path);
	words[1] = arena_format(&arena, "%d", (int)launch->pid);
	for (size_t i = 0; i < len; i++) {
		words[2 + 3 * i] = arena_format(&arena, "%u", maps[i].container_id);
		words[3 + 3 * i] = arena_format(&arena, "%u", maps[i].host_id);
		words[4 + 3 * i] = arena_format(&arena, "%u", maps[i].size);
	}
	r = arena.failed ? fail_at(err, at, ENOMEM, "call %s", path)
			 : run_helper(path, words, at, err);
	arena_done(&arena);
	return r;
}

int launch_write_maps(struct launch *launch, struct hoy_error *err)
{
	static const char *const uid_helper[2] = { "/usr/bin/newuidmap", "/bin/newuidmap" };
	static const char *const gid_helper[2] = { "/usr/bin/newgidmap", "/bin/newgidmap" };
	const struct plan_namespaces *plan = &launch->plan->namespaces;
	const struct mapped mapped = { launch->procfs, launch->pid };

	if (plan->helper_maps) {
		if (map_by_helper(launch, uid_helper, "linux.uidMappings", plan->uid_maps,
				  plan->uid_maps_len, err) < 0)
			return launch_explain(launch, FAILURE_UID_HELPER, err);
		if (map_by_helper(launch, gid_helper, "linux.gidMappings", plan->gid_maps,
				  plan->gid_maps_len, err) < 0)
			return launch_explain(launch, FAILURE_GID_HELPER, err);
		return 0;
	}
	if (plan->deny_setgroups && deny_setgroups(launch, err) < 0)
		return -1;
	if (write_map(&mapped, "uid_map", "linux.uidMappings", plan->uid_maps, plan->uid_maps_len,
		      err) < 0 ||
	    write_map(&mapped, "gid_map", "linux.gidMappings", plan->gid_maps, plan->gid_maps_len,
		      err) < 0)
		return launch_explain(launch, FAILURE_ID_MAP, err);
	return 0;
}

/* ---- idmapped mounts ---- */

/* Nothing runs in it: a process only carries the namespace until its maps are written. */
static _Noreturn void carry_namespace(pid_t parent)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Killed before that, it would have left us for ever, and its descriptors with us. */
	if (getppid() != parent)
		_exit(1);
	for (;;)
		(void)pause();
}

static int open_mapped(const struct launch *launch, const struct plan_mount *mount,
		       const struct mapped *mapped, struct hoy_error *err)
{
	char name[32];
	int fd;

	if (write_map(mapped, "uid_map", mount->at, mount->uid_maps, mount->uid_maps_len, err) <
		    0 ||
	    write_map(mapped, "gid_map", mount->at, mount->gid_maps, mount->gid_maps_len, err) < 0)
		return fail_in(err, "map the ids of the mount");
	format_text(name, sizeof(name), "%d/ns/user", (int)mapped->pid);
	fd = openat(launch->procfs, name, O_RDONLY | O_CLOEXEC);
	return fd >= 0 ? fd : fail_at(err, mount->at, errno, "open the mount's user namespace");
}

static int make_idmap(const struct launch *launch, const struct plan_mount *mount,
		      struct hoy_error *err)
{
	struct mapped mapped = { .procfs = launch->procfs };
	const pid_t parent = getpid();
	autoclose int pidfd = -1;
	int fd;

	mapped.pid = process_clone(CLONE_NEWUSER, -1, SIGCHLD, &pidfd);
	if (mapped.pid == 0)
		carry_namespace(parent);
	if (mapped.pid < 0)
		return fail_at(err, mount->at, mapped.pid, "make the mount's user namespace");
	fd = open_mapped(launch, mount, &mapped, err);
	process_kill_and_reap(pidfd);
	return fd;
}

/* Mounts with the same mapping share a namespace: most take the container's own. */
static int find_idmap(const struct launch *launch, size_t index)
{
	const struct plan_mount *mounts = launch->plan->mounts;

	for (size_t i = 0; i < index; i++)
		if (launch->fds.idmaps[i] >= 0 && mounts[i].uid_maps == mounts[index].uid_maps &&
		    mounts[i].gid_maps == mounts[index].gid_maps)
			return fcntl(launch->fds.idmaps[i], F_DUPFD_CLOEXEC, 3);
	return -1;
}

int launch_make_idmaps(struct launch *launch, struct hoy_error *err)
{
	for (size_t i = 0; i < launch->plan->mounts_len; i++) {
		const struct plan_mount *mount = &launch->plan->mounts[i];
		int *fd = &launch->fds.idmaps[i];

		if (!mount->uid_maps_len)
			continue;
		*fd = find_idmap(launch, i);
		if (*fd < 0)
			*fd = make_idmap(launch, mount, err);
		if (*fd < 0)
			return -1;
	}
	return 0;
}
