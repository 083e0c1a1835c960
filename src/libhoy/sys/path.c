/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only resolver of paths inside a container. Runs in init, and in the runtime where it looks
 * into a root file system: what is below the root descriptor is hostile and may change under our
 * hands. It must not allocate or report, never hand a path of more than one component to any call
 * but openat2(2) with RESOLVE_IN_ROOT, and never make anything through a symlink.
 *
 * Modes of what is made are subject to the umask, which is 0 in init.
 */
#include "sys/path.h"

#include <limits.h>
#include <sys/vfs.h>
#include <time.h>

#include "sys/cleanup.h"
#include "sys/compat.h"

/* ".." beside a concurrent rename is EAGAIN: enough tries to win against any honest one. */
#define RACE_TRIES   128
#define RACE_TIME_NS 2000000

#define PARENT_MODE 0755
#define TARGET_MODE 0644

static int64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int open_resolved(int root, const char *path, uint64_t flags, mode_t mode, uint64_t resolve)
{
	const struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.mode = mode,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve,
	};
	int64_t end_ns = 0;

	path += strspn(path, "/");
	for (int tries = 1;; tries++) {
		int fd = openat2(root, *path ? path : ".", &how, sizeof(how));

		if (fd >= 0)
			return fd;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN || tries == RACE_TRIES)
			return -errno;
		if (end_ns == 0)
			end_ns = clock_ns() + RACE_TIME_NS;
		else if (clock_ns() >= end_ns)
			return -EAGAIN;
	}
}

static int open_in_root(int root, const char *path, uint64_t flags, mode_t mode)
{
	return open_resolved(root, path, flags, mode, 0);
}

int path_open(int root, const char *path, uint64_t flags)
{
	return open_in_root(root, path, flags, 0);
}

int path_open_strict(int root, const char *path, uint64_t flags)
{
	return open_resolved(root, path, flags, 0, RESOLVE_NO_SYMLINKS);
}

int path_create(int root, const char *path, uint64_t flags, mode_t mode)
{
	return open_in_root(root, path, flags | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
}

/* @returns the component that starts at or behind `path`, and its length; 0 at the end */
static const char *next_component(const char *path, size_t *ret_len)
{
	path += strspn(path, "/");
	*ret_len = strcspn(path, "/");
	return path;
}

/* @returns the last component of path[0..end), its length in ret_len; 0 if there is none */
static const char *last_component(const char *path, size_t end, size_t *ret_len)
{
	size_t start;

	while (end > 0 && path[end - 1] == '/')
		end--;
	start = end;
	while (start > 0 && path[start - 1] != '/')
		start--;
	*ret_len = end - start;
	return path + start;
}

static bool is_dot(const char *name, size_t len)
{
	return len == 1 && name[0] == '.';
}

static bool is_dot_dot(const char *name, size_t len)
{
	return len == 2 && name[0] == '.' && name[1] == '.';
}

/* A way below the root that is walked: path[0..end) has been opened as `fd`. */
struct walk {
	int root;
	mode_t mode;
	unsigned int made;
	int fd;
	size_t end;
	char path[PATH_MAX];
};

/* Opens path[0..end) from the root again, so that ".." and symlinks mean what they mean there. */
static int walk_open(struct walk *walk, size_t end)
{
	char behind = walk->path[end];
	int fd;

	walk->path[end] = '\0';
	fd = open_in_root(walk->root, walk->path, O_PATH | O_DIRECTORY, 0);
	walk->path[end] = behind;
	if (fd < 0)
		return fd;
	cleanup_close(&walk->fd);
	walk->fd = fd;
	walk->end = end;
	return 0;
}

/* Opens the longest part of the path that exists; the whole of it is known not to. */
static int walk_existing(struct walk *walk)
{
	size_t end = strlen(walk->path);
	size_t len;
	int r = -ENOENT;

	while (r == -ENOENT && end > 0) {
		end = (size_t)(last_component(walk->path, end, &len) - walk->path);
		r = walk_open(walk, end);
	}
	return r;
}

/* Makes the directory name[0..len), which ends at walk->path[end], in walk->fd and opens it. */
static int walk_make(struct walk *walk, const char *name, size_t len)
{
	size_t end = (size_t)(name - walk->path) + len;
	char single[NAME_MAX + 1];
	int fd;

	if (len >= sizeof(single))
		return -ENAMETOOLONG;
	memcpy(single, name, len);
	single[len] = '\0';
	if (mkdirat(walk->fd, single, walk->mode) < 0) {
		/* Another made it first, or it is a dangling symlink: the resolver tells them
		 * apart. */
		return errno == EEXIST ? walk_open(walk, end) : -errno;
	}
	walk->made++;
	fd = openat(walk->fd, single, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	cleanup_close(&walk->fd);
	walk->fd = fd;
	walk->end = end;
	return 0;
}

/* Goes from the part that exists to the end of the path. */
static int walk_rest(struct walk *walk)
{
	size_t len;

	for (;;) {
		const char *name = next_component(walk->path + walk->end, &len);
		size_t end = (size_t)(name - walk->path) + len;
		int r;

		if (len == 0)
			return 0;
		if (is_dot(name, len) || is_dot_dot(name, len))
			r = walk_open(walk, end);
		else
			r = walk_make(walk, name, len);
		if (r < 0)
			return r;
	}
}

int path_make_dir(int root, const char *path, mode_t mode, unsigned int *ret_made)
{
	struct walk walk = { .root = root, .mode = mode, .fd = -1 };
	size_t len = strlen(path);
	int r;

	/* The common case, and the only system call of it. */
	r = open_in_root(root, path, O_PATH | O_DIRECTORY, 0);
	if (r >= 0 && ret_made)
		*ret_made = 0;
	if (r != -ENOENT)
		return r;
	if (len >= sizeof(walk.path))
		return -ENAMETOOLONG;
	memcpy(walk.path, path, len + 1);
	r = walk_existing(&walk);
	if (r >= 0)
		r = walk_rest(&walk);
	if (r < 0) {
		cleanup_close(&walk.fd);
		return r;
	}
	if (ret_made)
		*ret_made = walk.made;
	return walk.fd;
}

int path_open_parent(int root, const char *path, bool make, char *name)
{
	char parent[PATH_MAX];
	size_t path_len = strlen(path), parent_len, len;
	const char *last = last_component(path, path_len, &len);
	int fd;

	if (len == 0 || is_dot(last, len) || is_dot_dot(last, len))
		return -EINVAL;
	parent_len = (size_t)(last - path);
	if (len > NAME_MAX || parent_len >= sizeof(parent))
		return -ENAMETOOLONG;
	memcpy(parent, path, parent_len);
	parent[parent_len] = '\0';
	if (make)
		fd = path_make_dir(root, parent, PARENT_MODE, NULL);
	else
		fd = open_in_root(root, parent, O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	memcpy(name, last, len);
	name[len] = '\0';
	return fd;
}

static int make_target_file(int root, const char *path)
{
	char name[NAME_MAX + 1];
	autoclose int parent = path_open_parent(root, path, true, name);
	autoclose int fd = -1;
	struct stat stat;

	if (parent < 0)
		return parent;
	/* mknodat(2) instead of an open that creates: it leaves no writable descriptor to close. */
	if (mknodat(parent, name, S_IFREG | TARGET_MODE, 0) < 0) {
		/* Another made it first, or it is a dangling symlink: the resolver tells them
		 * apart. */
		return errno == EEXIST ? open_in_root(root, path, O_PATH, 0) : -errno;
	}
	fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &stat) < 0)
		return -errno;
	/* Exchanged since: O_PATH opens even a symlink. */
	return S_ISREG(stat.st_mode) ? take_fd(&fd) : -ELOOP;
}

int path_make_target(int root, const char *path, bool directory)
{
	int fd;

	if (directory)
		return path_make_dir(root, path, PARENT_MODE, NULL);
	fd = open_in_root(root, path, O_PATH, 0);
	return fd == -ENOENT ? make_target_file(root, path) : fd;
}

bool path_is_root(const char *path)
{
	size_t depth = 0, len;

	for (const char *name = next_component(path, &len); len > 0;
	     name = next_component(name + len, &len)) {
		if (is_dot_dot(name, len))
			depth -= depth > 0;
		else if (!is_dot(name, len))
			depth++;
	}
	return depth == 0;
}

/*
 * Goes from the end to the start, so that a name which a later ".." takes back needs no room: the
 * result grows downwards from the buffer's end and is moved to its start at last.
 */
int path_clean(const char *path, char *buffer, size_t size)
{
	size_t rest = strlen(path), start = size, taken_back = 0, len;

	if (size < sizeof("/"))
		return -ENAMETOOLONG;
	buffer[--start] = '\0';
	for (;;) {
		const char *name = last_component(path, rest, &len);

		rest = (size_t)(name - path);
		if (len == 0)
			break;
		if (is_dot_dot(name, len)) {
			taken_back++;
		} else if (!is_dot(name, len) && taken_back > 0) {
			taken_back--;
		} else if (!is_dot(name, len)) {
			if (start < len + 1)
				return -ENAMETOOLONG;
			start -= len;
			memcpy(buffer + start, name, len);
			buffer[--start] = '/';
		}
	}
	if (start == size - 1)
		buffer[--start] = '/';
	memmove(buffer, buffer + start, size - start);
	return (int)(size - start - 1);
}

long path_fs_type(int fd)
{
	struct statfs statfs;

	return fstatfs(fd, &statfs) == 0 ? (long)statfs.f_type : 0;
}
