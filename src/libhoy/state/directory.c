/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state root and the directories below it: how one appears under its id, is locked, and goes
 * away, each at once or not at all. Runs in the runtime. Everything is opened relative to the
 * root's descriptor and no symlink is followed: whoever may write into a container's volumes must
 * gain nothing from a state root that lies there by mistake.
 */
#include "state/directory.h"

#include <dirent.h>
#include <limits.h>
#include <poll.h>
#include <stdalign.h>
#include <sys/random.h>

#include "base/string.h"
#include "state/state.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/fd.h"

#define ID_LEN_MAX 240
/* ".ID.XXXXXXXX" with random letters: no valid id starts with a dot. */
#define SUFFIX_LEN 8
/* Directories below each other that are removed with the notify socket. */
#define NOTIFY_LEVELS_MAX 32
#define TRIES_MAX	  16

/* All that hoy ever makes in a container's directory. */
static const char *const known_names[] = {
	STATE_FILE,	   STATE_CONFIG_FILE, STATE_GATE_GO,	 STATE_GATE_RESULT,
	STATE_COPY_CGROUP, STATE_COPY_INIT,   STATE_COPY_MOUNTS, STATE_COPY_RESCTRL,
};

bool hoy_id_is_valid(const char *id)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789_+.-";

	return id && id[0] != '\0' && id[0] != '.' && id[0] != '-' && strlen(id) <= ID_LEN_MAX &&
	       string_is_made_of(id, allowed);
}

int state_check_id(const char *id, struct hoy_error *err)
{
	if (hoy_id_is_valid(id))
		return 0;
	return fail(err, 0,
		    "container id '%s': use 1 to 240 of the characters A-Z a-z 0-9 _ + . -, the "
		    "first neither . nor -",
		    id ? id : "");
}

static int fail_missing(const char *id, struct hoy_error *err)
{
	/* Without the errno's words: engines take those for a program that was not found. */
	fail(err, 0, "container %s does not exist", id);
	return -ENOENT;
}

/* ---- the root ---- */

/** mkdir -p. The path is the caller's word, so its symlinks are followed but for the last name. */
static int make_path(const char *path)
{
	char prefix[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(prefix))
		return -ENAMETOOLONG;
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(prefix, path, i);
		prefix[i] = '\0';
		if (mkdirat(AT_FDCWD, prefix, 0700) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

int state_root_open(const struct hoy_context *context, bool make, struct hoy_error *err)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	const char *path = context->state_root;
	autoclose int fd = -1;
	struct stat stat;
	int r;

	if (!path || path[0] != '/')
		return fail(err, EINVAL, "state root \"%s\" is not absolute", path ? path : "");
	fd = openat(AT_FDCWD, path, flags);
	if (fd < 0 && errno == ENOENT && make) {
		r = make_path(path);
		if (r < 0)
			return fail(err, r, "make state root %s", path);
		fd = openat(AT_FDCWD, path, flags);
	}
	if (fd < 0) {
		r = -errno;
		fail(err, r, "open state root %s", path);
		return r == -ENOENT ? -ENOENT : -1;
	}
	if (fstat(fd, &stat) < 0)
		return fail(err, errno, "stat state root %s", path);
	if (stat.st_mode & S_IWOTH || (stat.st_uid != 0 && stat.st_uid != geteuid()))
		return fail(err, EPERM, "state root %s can be written by other users", path);
	return take_fd(&fd);
}

/* ---- names and contents ---- */

static int temporary_name(const char *id, char name[NAME_MAX + 1])
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
	unsigned char random[SUFFIX_LEN];
	char suffix[SUFFIX_LEN + 1];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -EIO;
	for (size_t i = 0; i < SUFFIX_LEN; i++)
		suffix[i] = letters[random[i] % 32];
	suffix[SUFFIX_LEN] = '\0';
	format_text(name, NAME_MAX + 1, ".%s.%s", id, suffix);
	return 0;
}

static bool is_temporary_of(const char *name, const char *id)
{
	size_t len = strlen(id);

	return strlen(name) == len + 2 + SUFFIX_LEN && name[0] == '.' &&
	       strncmp(name + 1, id, len) == 0 && name[len + 1] == '.';
}

/** Whether hoy may have made a file of that name in a container's directory. */
static bool is_known(const char *name)
{
	/* file_replace() may leave its own name with a dot before and a number after it. */
	const char *plain = name[0] == '.' ? name + 1 : name;

	for (size_t i = 0; i < ARRAY_LEN(known_names); i++) {
		size_t len = strlen(known_names[i]);

		if (strncmp(plain, known_names[i], len) != 0)
			continue;
		if (plain[len] == (name[0] == '.' ? '.' : '\0'))
			return true;
	}
	return false;
}

/* Not readdir(3), which allocates: a directory is also removed where there is no memory left. */
int directory_each(int dirfd, directory_function *function, void *data)
{
	alignas(struct dirent) char buffer[4096];
	long len;

	if (lseek(dirfd, 0, SEEK_SET) < 0)
		return -errno;
	while ((len = syscall(SYS_getdents64, dirfd, buffer, sizeof(buffer))) > 0) {
		const struct dirent *entry;

		for (long at = 0; at < len; at += entry->d_reclen) {
			int r = 0;

			entry = (const void *)(buffer + at);
			if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
				r = function(dirfd, entry, data);
			if (r < 0)
				return r;
		}
	}
	return len < 0 ? -errno : 0;
}

static bool is_directory(int dirfd, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	return fstatat(dirfd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int check_known(int dirfd, const struct dirent *entry, void *data)
{
	/* hoy makes no other directory in there. */
	if (strcmp(entry->d_name, STATE_NOTIFY) == 0 ||
	    (is_known(entry->d_name) && !is_directory(dirfd, entry)))
		return 0;
	format_text(data, NAME_MAX + 1, "%s", entry->d_name);
	return -ENOTEMPTY;
}

/** Removes whatever it is. @param data  levels of directories that may still follow */
static int remove_any(int dirfd, const struct dirent *entry, void *data)
{
	const char *name = entry->d_name;
	const unsigned int *levels = data;
	unsigned int below = *levels - 1;
	autoclose int fd = -1;
	int r;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	if (*levels == 0)
		return -ELOOP;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = directory_each(fd, remove_any, &below);
	return r < 0 ? r : unlinkat(dirfd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

static int remove_known(int dirfd, const struct dirent *entry, void *data)
{
	const char *name = entry->d_name;
	/* A container with the right to mount can have put there what it liked. */
	unsigned int levels = NOTIFY_LEVELS_MAX;

	(void)data;
	if (strcmp(name, STATE_NOTIFY) == 0)
		return remove_any(dirfd, entry, &levels);
	return is_known(name) && unlinkat(dirfd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/** Whether the directory that is held open is still the one of that name. @returns 1, 0, -errno */
static int has_name(const struct state_dir *dir, const char *name)
{
	struct stat held, named;

	if (fstat(dir->fd, &held) < 0)
		return -errno;
	if (fstatat(dir->root, name, &named, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	return held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

/* ---- a container's directory ---- */

/** One try to make a locked directory. @returns 1, 0 if somebody swept it away, -errno */
static int make_locked(struct state_dir *dir, const char *id)
{
	int r = temporary_name(id, dir->name);

	if (r < 0)
		return r;
	if (mkdirat(dir->root, dir->name, 0700) < 0)
		return errno == EEXIST ? 0 : -errno;
	dir->fd = openat(dir->root, dir->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = dir->fd < 0 || flock(dir->fd, LOCK_EX | LOCK_NB) < 0 ? -errno
								 : has_name(dir, dir->name);
	if (r > 0) {
		dir->locked = true;
		return 1;
	}
	(void)unlinkat(dir->root, dir->name, AT_REMOVEDIR);
	state_dir_done(dir);
	return r == -ENOENT || r == -EWOULDBLOCK ? 0 : r;
}

int state_dir_make(int root, const char *id, struct state_dir *ret_dir, struct hoy_error *err)
{
	struct state_dir dir = STATE_DIR_NONE;
	struct stat stat;
	int r = 0;

	if (state_check_id(id, err) < 0)
		return -1;
	if (fstatat(root, id, &stat, AT_SYMLINK_NOFOLLOW) == 0)
		return fail(err, 0, "container %s already exists", id);
	/* state_dir_sweep() may take the directory for an abandoned one before it is locked. */
	for (int try = 0; r == 0 && try < TRIES_MAX; try++) {
		dir.root = root;
		r = make_locked(&dir, id);
	}
	if (r <= 0)
		return fail(err, r ? r : EBUSY, "make a directory for %s in the state root", id);
	*ret_dir = dir;
	return 0;
}

int state_dir_publish(struct state_dir *dir, const char *id, struct hoy_error *err)
{
	if (renameat2(dir->root, dir->name, dir->root, id, RENAME_NOREPLACE) < 0) {
		if (errno == EEXIST)
			return fail(err, 0, "container %s already exists", id);
		return fail(err, errno, "rename %s to %s in the state root", dir->name, id);
	}
	format_text(dir->name, sizeof(dir->name), "%s", id);
	return 0;
}

int state_dir_make_notify(const struct state_dir *dir, struct hoy_error *err)
{
	/* The mode is subject to our caller's umask, which is not ours to change. */
	if (mkdirat(dir->fd, STATE_NOTIFY, 0755) < 0 ||
	    fchmodat(dir->fd, STATE_NOTIFY, 0755, 0) < 0)
		return fail(err, errno, "make the directory of the notify socket");
	return 0;
}

int state_dir_open(int root, const char *id, struct state_dir *ret_dir, struct hoy_error *err)
{
	struct state_dir dir = { .root = root, .fd = -1 };

	if (state_check_id(id, err) < 0)
		return -1;
	dir.fd = openat(root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir.fd < 0 && errno == ENOENT)
		return fail_missing(id, err);
	if (dir.fd < 0)
		return fail(err, errno, "open the state of container %s", id);
	format_text(dir.name, sizeof(dir.name), "%s", id);
	*ret_dir = dir;
	return 0;
}

int state_dir_lock(struct state_dir *dir, const char *id, int64_t deadline_ms,
		   struct hoy_error *err)
{
	int r;

	while (flock(dir->fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail(err, errno, "lock container %s", id);
		if (deadline_ms >= 0 && clock_ms() >= deadline_ms) {
			fail(err, 0, "container %s is in use by another command", id);
			return -EBUSY;
		}
		/* flock(2) knows no deadline. */
		(void)poll(NULL, 0, 5);
	}
	dir->locked = true;
	/* The one who held the lock may have deleted the container, and another made it anew. */
	r = has_name(dir, id);
	if (r < 0)
		return fail(err, r, "look for the state of container %s", id);
	return r == 0 ? fail_missing(id, err) : 0;
}

/* The record is never written to, only replaced: while its file is open it keeps its number. */
int state_dir_unlock(struct state_dir *dir)
{
	int version;

	if (dir->fd < 0)
		return -1;
	version = openat(dir->fd, STATE_FILE, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	dir->locked = false;
	(void)flock(dir->fd, LOCK_UN);
	return version;
}

int state_dir_lock_again(struct state_dir *dir, int version)
{
	struct stat then, now;
	int r;

	if (dir->fd < 0)
		return -ENOENT;
	dir->locked = flock(dir->fd, LOCK_EX | LOCK_NB) == 0;
	r = has_name(dir, dir->name);
	if (r <= 0 || !dir->locked || version < 0)
		return r == 0 ? -ENOENT : 0;
	return fstat(version, &then) == 0 &&
	       fstatat(dir->fd, STATE_FILE, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	       then.st_dev == now.st_dev && then.st_ino == now.st_ino;
}

bool state_dir_is_gone(const struct state_dir *dir)
{
	return has_name(dir, dir->name) == 0;
}

int state_dir_remove(struct state_dir *dir, struct hoy_error *err)
{
	char temporary[NAME_MAX + 1], stranger[NAME_MAX + 1];
	/* dir->fd is from before there was anything: some kernels' btrfs shows nothing by it. */
	autoclose int fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? -errno : directory_each(fd, check_known, stranger);

	if (r == -ENOTEMPTY)
		return fail(err, 0, "%s remains in the state of %s: it was not made by hoy",
			    stranger, dir->name);
	/* A single step takes the id away: whatever ends us later leaves what can be swept. */
	if (r == 0 && dir->name[0] != '.') {
		r = temporary_name(dir->name, temporary);
		if (r == 0 &&
		    renameat2(dir->root, dir->name, dir->root, temporary, RENAME_NOREPLACE) < 0)
			r = -errno;
		if (r == 0)
			format_text(dir->name, sizeof(dir->name), "%s", temporary);
	}
	if (r == 0)
		r = directory_each(fd, remove_known, NULL);
	if (r == 0 && unlinkat(dir->root, dir->name, AT_REMOVEDIR) < 0)
		r = -errno;
	return r < 0 ? fail(err, r, "remove directory %s from the state root", dir->name) : 0;
}

static int sweep_one(int root, const struct dirent *entry, void *data)
{
	const char *name = entry->d_name;
	struct state_dir dir = { .root = root, .fd = -1 };

	if (!is_temporary_of(name, data))
		return 0;
	dir.fd = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir.fd >= 0 && flock(dir.fd, LOCK_EX | LOCK_NB) == 0) {
		(void)directory_each(dir.fd, remove_known, NULL);
		(void)unlinkat(root, name, AT_REMOVEDIR);
	}
	state_dir_done(&dir);
	return 0;
}

void state_dir_sweep(int root, const char *id)
{
	char wanted[ID_LEN_MAX + 1];

	if (!hoy_id_is_valid(id))
		return;
	format_text(wanted, sizeof(wanted), "%s", id);
	(void)directory_each(root, sweep_one, wanted);
}

void state_dir_done(struct state_dir *dir)
{
	if (dir->fd >= 0)
		(void)close(dir->fd);
	*dir = STATE_DIR_NONE;
}
