/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done to a container's cgroup as a whole, whichever driver made it: kill, signal, freeze,
 * remove. Runs in the runtime. Works on the directory descriptor only, so never on a stranger's
 * cgroup of the same name.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgroup/driver.h"
#include "cgroup/events.h"
#include "cgroup/tree.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/process.h"

/* Processes that are held by pidfds at a time while they are signalled. */
#define BATCH 64

/* A file of a cgroup that was removed meanwhile: nobody is in it. */
static bool is_gone(int64_t code)
{
	return code == -ENOENT || code == -ENODEV;
}

int cgroup_kill(const struct cgroup *cgroup)
{
	int r = file_write_text(cgroup->fd, "cgroup.kill", "1");

	return is_gone(r) ? 0 : r;
}

/* Processes read from cgroup.procs, each with its pidfd, and whether it was seen again. */
struct batch {
	int signal;
	struct {
		pid_t pid;
		int pidfd;
		bool member;
	} items[BATCH];
	size_t len;
};

static FILE *open_procs(int dirfd)
{
	int fd = openat(dirfd, "cgroup.procs", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "re");

	if (!file && fd >= 0)
		close(fd);
	return file;
}

/* The next pid of the file; 0 at its end. Processes of other pid namespaces, shown as 0, are none.
 */
static pid_t next_pid(FILE *procs)
{
	char line[32];

	while (fgets(line, sizeof(line), procs)) {
		pid_t pid = (pid_t)strtol(line, NULL, 10);

		if (pid > 0)
			return pid;
	}
	return 0;
}

/*
 * A pid read before its pidfd was opened may have been another process' by then. If the file names
 * it once more afterwards, and the pidfd's process still lives, the pidfd is the member's.
 */
static int mark_members(int dirfd, struct batch *batch)
{
	FILE *procs = open_procs(dirfd);
	pid_t pid;

	if (!procs)
		return -errno;
	while ((pid = next_pid(procs)))
		for (size_t i = 0; i < batch->len; i++)
			batch->items[i].member |= batch->items[i].pid == pid;
	fclose(procs);
	return 0;
}

static int signal_batch(int dirfd, struct batch *batch)
{
	int r = batch->len ? mark_members(dirfd, batch) : 0;

	for (size_t i = 0; i < batch->len; i++) {
		int sent = 0;

		if (r >= 0 && batch->items[i].member)
			sent = process_signal(batch->items[i].pidfd, batch->signal);
		if (sent < 0 && sent != -ESRCH)
			r = sent;
		close(batch->items[i].pidfd);
	}
	batch->len = 0;
	return r;
}

static int add_to_batch(struct batch *batch, pid_t pid)
{
	int pidfd = process_pidfd_open(pid);

	/* Ended meanwhile; EINVAL is a thread, which only a changed pid can be. */
	if (pidfd == -ESRCH || pidfd == -EINVAL)
		return 0;
	if (pidfd < 0)
		return pidfd;
	batch->items[batch->len].pid = pid;
	batch->items[batch->len].pidfd = pidfd;
	batch->items[batch->len].member = false;
	batch->len++;
	return 0;
}

static int signal_one_cgroup(int dirfd, void *data)
{
	struct batch *batch = data;
	FILE *procs = open_procs(dirfd);
	int r = 0, sent;
	pid_t pid;

	if (!procs)
		return is_gone(-errno) ? 0 : -errno;
	/* A threaded cgroup has no list of processes (EOPNOTSUPP): they are in its parent's. */
	while (r >= 0 && (pid = next_pid(procs))) {
		r = add_to_batch(batch, pid);
		if (r >= 0 && batch->len == BATCH)
			r = signal_batch(dirfd, batch);
	}
	fclose(procs);
	sent = signal_batch(dirfd, batch);
	if (r >= 0)
		r = sent;
	return is_gone(r) ? 0 : r;
}

int cgroup_signal(const struct cgroup *cgroup, int signal)
{
	struct batch batch = { .signal = signal };

	/* By list, a process that keeps forking would always be one ahead. */
	if (signal == SIGKILL)
		return cgroup_kill(cgroup);
	return tree_visit(cgroup->fd, signal_one_cgroup, &batch);
}

int cgroup_wait_empty(const struct cgroup *cgroup, int64_t deadline_ms)
{
	int r = events_wait(cgroup->fd, "populated", 0, deadline_ms);

	return is_gone(r) ? 1 : r;
}

/* Removes the directory itself, unless another one stands in its place. */
static int remove_self(int parent, const char *name, uint64_t inode)
{
	struct stat stat;

	if (fstatat(parent, name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
		return is_gone(-errno) ? 0 : -errno;
	if (stat.st_ino != inode || unlinkat(parent, name, AT_REMOVEDIR) == 0)
		return 0;
	return errno == ENOENT ? 0 : -errno;
}

/* Removes what is below it and waits until nobody is in it. */
static int empty(const struct cgroup *cgroup, int64_t deadline_ms)
{
	int r = tree_remove_below(cgroup->fd, deadline_ms);

	if (r < 0)
		return is_gone(r) ? 0 : r;
	r = cgroup_wait_empty(cgroup, deadline_ms);
	return r == 0 ? -EBUSY : r;
}

int cgroup_remove(struct cgroup *cgroup, int64_t deadline_ms)
{
	const char *name = strrchr(cgroup->path, '/');
	autoclose int parent = -1;
	bool last = false;
	int r;

	if (cgroup->fd < 0)
		return 0;
	if (!name || !*++name)
		return -EINVAL;
	parent = openat(cgroup->fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return is_gone(-errno) ? 0 : -errno;
	while ((r = remove_self(parent, name, cgroup->inode)) == -EBUSY && !last) {
		last = deadline_ms >= 0 && clock_ms() >= deadline_ms;
		r = empty(cgroup, deadline_ms);
		if (r < 0)
			break;
	}
	if (r >= 0)
		cgroup_done(cgroup);
	return r;
}

void cgroup_remove_above(const char *path, unsigned int levels)
{
	char parent[PATH_MAX];

	if (format_text(parent, sizeof(parent), "%s", path) >= sizeof(parent))
		return;
	for (; levels > 0; levels--) {
		autoclose int above = -1;
		char *slash = strrchr(parent, '/');

		if (!slash || slash == parent)
			return;
		*slash = '\0'; /* the parent, to be removed from its own parent */
		slash = strrchr(parent, '/');
		if (!slash || slash == parent)
			return;
		*slash = '\0';
		above = tree_open(parent);
		*slash = '/';
		if (above < 0 || unlinkat(above, slash + 1, AT_REMOVEDIR) < 0)
			return;
	}
}

int cgroup_is_frozen(const struct cgroup *cgroup)
{
	return (int)events_read(cgroup->fd, "cgroup.events", "frozen");
}

int cgroup_freeze(const struct cgroup *cgroup, bool frozen, int64_t deadline_ms)
{
	int r = file_write_text(cgroup->fd, "cgroup.freeze", frozen ? "1" : "0");

	if (r < 0)
		return r;
	r = events_wait(cgroup->fd, "frozen", frozen, deadline_ms);
	if (r > 0)
		return 0;
	if (frozen)
		(void)file_write_text(cgroup->fd, "cgroup.freeze", "0");
	return r == 0 ? -ETIMEDOUT : r;
}

uint64_t cgroup_oom_kills(const struct cgroup *cgroup)
{
	int64_t kills;

	if (cgroup->fd < 0)
		return 0;
	kills = events_read(cgroup->fd, "memory.events", "oom_kill");
	return kills < 0 ? 0 : (uint64_t)kills;
}
