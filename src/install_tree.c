/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files below a root directory, for `hoy install`: read as a whole, replaced as a whole. Runs in
 * the program. A symlink in a file's place is an error, since whoever made it wants to keep it.
 */
#include "install_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/cleanup.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/path.h"

/* No configuration of an engine is larger. */
#define FILE_SIZE_MAX (1024 * 1024)

/** A path in its two parts. */
struct place {
	char directory[PATH_MAX];
	const char *name;
};

static struct place split(const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	struct place place = { .name = name };

	format_text(place.directory, sizeof(place.directory), "%.*s", (int)(name - path), path);
	return place;
}

static int fail_file(const struct tree *tree, const char *path, int code, const char *what,
		     struct hoy_error *err)
{
	fail(err, code, "%s %s%s", what, tree->root, path);
	if (code == -ELOOP)
		fail_hint(err, "it is a symbolic link: edit what it points to, or remove it");
	return -1;
}

static int open_directory(const struct tree *tree, const struct place *place)
{
	return path_open(tree->rootfd, place->directory, O_PATH | O_DIRECTORY);
}

int tree_read(const struct tree *tree, const char *path, char **ret_text, struct hoy_error *err)
{
	struct place place = split(path);
	autoclose int dirfd = open_directory(tree, &place);
	autofree char *text = malloc(FILE_SIZE_MAX + 1);
	ssize_t len;

	if (!text)
		return fail_file(tree, path, -ENOMEM, "read", err);
	len = dirfd < 0 ? dirfd : file_read(dirfd, place.name, text, FILE_SIZE_MAX + 1);
	if (len < 0 && len != -ENOENT)
		return fail_file(tree, path, (int)len, "read", err);
	if (len >= 0 && strlen(text) != (size_t)len)
		return fail(err, 0, "%s%s has a byte of value 0", tree->root, path);
	*ret_text = len < 0 ? NULL : take_ptr(&text);
	return 0;
}

int tree_write(const struct tree *tree, const char *path, const char *text, struct hoy_error *err)
{
	struct place place = split(path);
	autoclose int dirfd = open_directory(tree, &place);
	struct stat stat = { .st_mode = 0644, .st_uid = geteuid(), .st_gid = getegid() };
	int r = dirfd;

	if (r >= 0 && fstatat(dirfd, place.name, &stat, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
		r = -errno;
	if (r >= 0)
		r = file_replace(dirfd, place.name, text, strlen(text), stat.st_mode & 07777);
	if (r >= 0 && (stat.st_uid != geteuid() || stat.st_gid != getegid()) &&
	    fchownat(dirfd, place.name, stat.st_uid, stat.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		r = -errno;
	return r < 0 ? fail_file(tree, path, r, "write", err) : 0;
}

/** Adds the directory's last `count` components, the outermost first. */
static void add_made(struct text *made, const char *directory, unsigned int count)
{
	char path[PATH_MAX];

	if (count == 0)
		return;
	format_text(path, sizeof(path), "%s", directory);
	*strrchr(path, '/') = '\0';
	add_made(made, path, count - 1);
	text_add_format(made, "%s\n", directory);
}

int tree_make_directory_of(const struct tree *tree, const char *path, struct text *made,
			   struct hoy_error *err)
{
	struct place place = split(path);
	unsigned int count = 0;
	autoclose int dirfd = path_make_dir(tree->rootfd, place.directory, 0755, &count);

	place.directory[strlen(place.directory) - 1] = '\0';
	if (dirfd < 0)
		return fail_file(tree, place.directory, dirfd, "make directory", err);
	add_made(made, place.directory, count);
	return 0;
}

static int remove_name(const struct tree *tree, const char *path, int flags)
{
	struct place place = split(path);
	autoclose int dirfd = open_directory(tree, &place);

	if (dirfd < 0)
		return dirfd;
	return unlinkat(dirfd, place.name, flags) < 0 ? -errno : 0;
}

int tree_remove(const struct tree *tree, const char *path, struct hoy_error *err)
{
	int r = remove_name(tree, path, 0);

	return r < 0 && r != -ENOENT ? fail_file(tree, path, r, "remove", err) : 0;
}

int tree_remove_directory(const struct tree *tree, const char *path, struct hoy_error *err)
{
	int r = remove_name(tree, path, AT_REMOVEDIR);

	if (r == 0 || r == -ENOENT || r == -ENOTEMPTY || r == -EEXIST || r == -EBUSY)
		return 0;
	return fail_file(tree, path, r, "remove", err);
}
