/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens, walks and removes directories of the cgroup2 tree. Runs in the runtime. The payload of a
 * delegated cgroup decides how deep and wide the tree is and changes it meanwhile, so a walk holds
 * no descriptor and no stack frame per level: it goes up through "..", which is safe as cgroup2
 * knows neither symlinks nor renames.
 */
#include "cgroup/tree.h"

#include <dirent.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cgroup/events.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/fd.h"
#include "sys/path.h"

static int open_directory(int dirfd, const char *path, uint64_t resolve)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW,
		.resolve = resolve | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	do
		fd = openat2(dirfd, path, &how, sizeof(how));
	while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	return fd < 0 ? -errno : fd;
}

int tree_open(const char *path)
{
	autoclose int fd = open_directory(AT_FDCWD, path, 0);
	long type;

	if (fd < 0)
		return fd;
	type = path_fs_type(fd);
	if (type != CGROUP2_SUPER_MAGIC)
		return type == 0 ? -EIO : -ENOTSUP;
	return take_fd(&fd);
}

int tree_open_below(int dirfd, const char *path)
{
	return open_directory(dirfd, path, RESOLVE_BENEATH | RESOLVE_NO_XDEV);
}

/* A walk through the tree: the directory it is in, and where it was in each one above. */
struct walk {
	DIR *stream;
	size_t depth;
	/* Per level; only tree_visit() comes back to where it was. */
	long *offsets;
	size_t offsets_len;
};

static void walk_done(struct walk *walk)
{
	if (walk->stream)
		closedir(walk->stream);
	free(walk->offsets);
}

/* Goes to another directory; takes the descriptor. */
static int walk_to(struct walk *walk, int fd)
{
	DIR *stream = fdopendir(fd);

	if (!stream) {
		int code = errno;

		close(fd);
		return -code;
	}
	if (walk->stream)
		closedir(walk->stream);
	walk->stream = stream;
	return 0;
}

static int walk_start(struct walk *walk, int dirfd)
{
	/* Not dup(2): the position in the directory is the open file's, not the descriptor's. */
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : walk_to(walk, fd);
}

static int walk_up(struct walk *walk)
{
	int fd = openat(dirfd(walk->stream), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? -errno : walk_to(walk, fd);

	walk->depth--;
	return r;
}

/* The name of the next cgroup in the present directory, NULL at its end. */
static const char *walk_next(struct walk *walk)
{
	const struct dirent *entry;

	while ((entry = readdir(walk->stream)))
		if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			return entry->d_name;
	return NULL;
}

/* Remembers the position on this level for the way back. */
static int walk_remember(struct walk *walk)
{
	if (walk->depth == walk->offsets_len) {
		size_t len = walk->offsets_len ? walk->offsets_len * 2 : 16;
		long *offsets = realloc(walk->offsets, len * sizeof(*offsets));

		if (!offsets)
			return -ENOMEM;
		walk->offsets = offsets;
		walk->offsets_len = len;
	}
	walk->offsets[walk->depth] = telldir(walk->stream);
	return 0;
}

static int visit_next(struct walk *walk, int (*visit)(int dirfd, void *data), void *data)
{
	const char *name = walk_next(walk);
	int fd, r;

	if (!name) {
		if (walk->depth == 0)
			return 0;
		r = walk_up(walk);
		if (r >= 0)
			seekdir(walk->stream, walk->offsets[walk->depth]);
		return r < 0 ? r : 1;
	}
	fd = tree_open_below(dirfd(walk->stream), name);
	if (fd < 0)
		return fd == -ENOENT ? 1 : fd;
	r = visit(fd, data);
	if (r >= 0)
		r = walk_remember(walk);
	if (r < 0) {
		close(fd);
		return r;
	}
	walk->depth++;
	r = walk_to(walk, fd);
	return r < 0 ? r : 1;
}

int tree_visit(int dirfd, int (*visit)(int dirfd, void *data), void *data)
{
	struct walk walk = { .stream = NULL };
	int r = visit(dirfd, data);

	if (r >= 0)
		r = walk_start(&walk, dirfd);
	do
		r = r < 0 ? r : visit_next(&walk, visit, data);
	while (r > 0);
	walk_done(&walk);
	return r;
}

/* All below the present directory is removed: waits until it is empty itself, then goes up. */
static int remove_up(struct walk *walk, int64_t deadline_ms)
{
	int r;

	if (walk->depth == 0)
		return 0;
	r = events_wait(dirfd(walk->stream), "populated", 0, deadline_ms);
	if (r == 0)
		return -EBUSY;
	if (r < 0 && r != -ENODEV && r != -ENOENT)
		return r;
	/* The directory is read from its start again: it holds one cgroup less each time. */
	r = walk_up(walk);
	return r < 0 ? r : 1;
}

static int remove_next(struct walk *walk, int64_t deadline_ms)
{
	const char *name = walk_next(walk);
	int fd, r;

	if (!name)
		return remove_up(walk, deadline_ms);
	if (unlinkat(dirfd(walk->stream), name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 1;
	if (errno != EBUSY)
		return -errno;
	/* It was emptied before and is in use again: someone keeps filling it. */
	if (deadline_ms >= 0 && clock_ms() >= deadline_ms)
		return -EBUSY;
	fd = tree_open_below(dirfd(walk->stream), name);
	if (fd < 0)
		return fd == -ENOENT ? 1 : fd;
	walk->depth++;
	r = walk_to(walk, fd);
	return r < 0 ? r : 1;
}

int tree_remove_below(int dirfd, int64_t deadline_ms)
{
	struct walk walk = { .stream = NULL };
	int r = walk_start(&walk, dirfd);

	do
		r = r < 0 ? r : remove_next(&walk, deadline_ms);
	while (r > 0);
	walk_done(&walk);
	return r;
}
