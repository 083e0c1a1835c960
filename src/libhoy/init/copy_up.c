/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tmpcopyup: fills a new tmpfs with what the directory below it holds. Runs in init, as root of the
 * container's user namespace. The source is hostile: no link is followed, nothing but directories,
 * regular files and links is copied, and depth is bounded.
 */
#include "init/init.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"

#define DEPTH_MAX 32

struct entry {
	uint64_t inode;
	int64_t offset;
	unsigned short length;
	unsigned char type;
	char name[];
};

static int copy_directory(int from, int to, int depth);

static int copy_attributes(int to, const struct stat *st)
{
	if (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0)
		return -errno;
	return 0;
}

static int copy_file(int from, int to, const char *name)
{
	autoclose int in = -1, out = -1;
	struct stat st;
	ssize_t len;

	in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	/* Another file than the one that was looked at, if somebody exchanges them. */
	if (in >= 0 && (fstat(in, &st) < 0 || !S_ISREG(st.st_mode)))
		return -ESTALE;
	out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (in < 0 || out < 0)
		return -errno;
	while ((len = sendfile(out, in, NULL, 1 << 20)) > 0)
		;
	return len < 0 ? -errno : copy_attributes(out, &st);
}

static int copy_link(int from, int to, const char *name, const struct stat *st)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(from, name, target, sizeof(target) - 1);

	if (len < 0)
		return -errno;
	target[len] = '\0';
	if (symlinkat(target, to, name) < 0 ||
	    fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

static int copy_subdirectory(int from, int to, const char *name, const struct stat *st, int depth)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	autoclose int in = -1, out = -1;
	int r;

	if (depth >= DEPTH_MAX)
		return -ELOOP;
	if (mkdirat(to, name, 0700) < 0)
		return -errno;
	in = openat(from, name, flags);
	out = openat(to, name, flags);
	if (in < 0 || out < 0)
		return -errno;
	r = copy_directory(in, out, depth + 1);
	return r < 0 ? r : copy_attributes(out, st);
}

static int copy_entry(int from, int to, const char *name, int depth)
{
	struct stat st;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISREG(st.st_mode))
		return copy_file(from, to, name);
	if (S_ISLNK(st.st_mode))
		return copy_link(from, to, name, &st);
	if (S_ISDIR(st.st_mode))
		return copy_subdirectory(from, to, name, &st, depth);
	return 0; /* sockets, FIFOs and nodes are made by whoever needs them */
}

static int copy_directory(int from, int to, int depth)
{
	_Alignas(8) char buffer[2048];
	long len;

	while ((len = syscall(SYS_getdents64, from, buffer, sizeof(buffer))) > 0) {
		for (long at = 0; at < len;) {
			const struct entry *entry = (const void *)(buffer + at);
			int r = copy_entry(from, to, entry->name, depth);

			if (r < 0)
				return r;
			at += entry->length;
		}
	}
	return len < 0 ? -errno : 0;
}

int copy_up(int from, int to, const char *at, struct hoy_error *err)
{
	autoclose int in = -1;
	struct stat st;
	int r;

	/* The target is an O_PATH descriptor; "." opens the same directory for reading. */
	in = openat(from, ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (in < 0 || fstat(in, &st) < 0)
		return fail_at(err, at, errno, "open the directory to copy");
	r = copy_directory(in, to, 0);
	if (r < 0)
		return fail_at(err, at, r, "copy what the tmpfs covers");
	return 0;
}
