/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What --no-pivot leaves below the container's root: the host's mounts. A complete procfs or sysfs
 * among them would let the container mount another one, without masks, in a user namespace of its
 * own, as the kernel then finds that it hides nothing; so they are taken away, or covered where
 * they are locked. Runs in init, in its copy of the host's mounts, right before the root is moved.
 */
#include "init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"

/* For one line of mountinfo, which has two paths in it. */
#define LINES_SIZE (32 * 1024)

/* Where the root is, as mountinfo says it. */
static int find_root(struct init *init, char *path, size_t size, struct hoy_error *err)
{
	autoclose int links = procfs_open_self(init, "fd", O_PATH | O_DIRECTORY, err);
	char name[16];
	ssize_t len;

	if (links < 0)
		return -1;
	format_text(name, sizeof(name), "%d", init->root);
	len = readlinkat(links, name, path, size - 1);
	if (len < 0)
		return fail(err, errno, "find where the root is mounted");
	path[len] = '\0';
	return 0;
}

static bool is_below(const char *point, const char *root)
{
	const size_t len = strlen(root);

	return strncmp(point, root, len) == 0 && (point[len] == '/' || point[len] == '\0');
}

/* Blanks and the like are written as three octal digits (proc(5)). */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		if (*from == '\\' && from[1] && from[2] && from[3]) {
			*to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + from[3] - '0');
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* "36 35 0:22 / /proc rw shared:14 - proc proc rw": the mount point of a complete one, or NULL. */
static char *view_point(char *line)
{
	const char *type = strstr(line, " - ");
	char *field = line, *end;

	if (!type || (strncmp(type, " - proc ", 8) != 0 && strncmp(type, " - sysfs ", 9) != 0))
		return NULL;
	for (int number = 1; field && number < 4; number++) {
		field = strchr(field, ' ');
		field = field ? field + 1 : NULL;
	}
	/* Part of one, as a container engine binds it, reveals nothing new. */
	if (!field || strncmp(field, "/ ", 2) != 0)
		return NULL;
	field += 2;
	end = strchr(field, ' ');
	if (!end)
		return NULL;
	*end = '\0';
	unescape(field);
	return field;
}

static int cover(const char *point, struct hoy_error *err)
{
	autoclose int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), mount = -1;

	if (fs >= 0 && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		mount = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
	if (mount < 0 || move_mount(mount, "", AT_FDCWD, point, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return fail(err, errno, "cover the host's %s", point);
	return 0;
}

static int hide(char *line, const char *root, struct hoy_error *err)
{
	const char *point = view_point(line);

	if (!point || is_below(point, root))
		return 0;
	if (umount2(point, MNT_DETACH | UMOUNT_NOFOLLOW) == 0 || errno == ENOENT)
		return 0;
	/* Locked, as it was copied into a user namespace; or below something that is. */
	if (errno == EINVAL || errno == EPERM)
		return cover(point, err);
	return fail(err, errno, "take the host's %s away", point);
}

/* Hides what complete lines of the text say. @returns the length of the rest, or -1 */
static ssize_t hide_lines(char *text, size_t len, const char *root, struct hoy_error *err)
{
	char *line = text, *end;

	text[len] = '\0';
	for (; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		if (hide(line, root, err) < 0)
			return -1;
	}
	len -= (size_t)(line - text);
	memmove(text, line, len);
	return (ssize_t)len;
}

int hide_host_views(struct init *init, struct hoy_error *err)
{
	char text[LINES_SIZE], root[PATH_MAX];
	autoclose int fd = -1;
	ssize_t len, rest = 0;

	if (find_root(init, root, sizeof(root), err) < 0)
		return -1;
	fd = procfs_open_self(init, "mountinfo", O_RDONLY, err);
	if (fd < 0)
		return -1;
	while ((len = read(fd, text + rest, sizeof(text) - 1 - (size_t)rest)) > 0) {
		rest = hide_lines(text, (size_t)(rest + len), root, err);
		if (rest < 0)
			return -1;
	}
	/* Also if a line finds no room: then nothing is left to read into. */
	if (len < 0 || rest > 0)
		return fail(err, len < 0 ? errno : EOVERFLOW, "read the mounts of the host");
	return 0;
}
