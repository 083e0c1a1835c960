/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What descriptors of the caller are, in CRIU's words. Runs in the runtime; reads the caller's
 * descriptors and changes nothing about them. Spec: criu(8), --external and --inherit-fd.
 */
#include "runtime/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/json_read.h"
#include "base/json_write.h"
#include "base/string.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/file.h"

#define FILE_SIZE_MAX (1UL << 20)

/* A FIFO of a file system and a pipe differ by where the kernel says they are. */
static const char *name_of_fifo(struct arena *arena, int fd, const char *otherwise)
{
	char target[64];

	if (fd_path(fd, target, sizeof(target)) > 0 && string_starts(target, "pipe:["))
		return arena_strdup(arena, target);
	return otherwise;
}

/* isatty(3) would ask the device itself, which may be a slow one. */
static bool is_terminal(const struct statx *st)
{
	const unsigned int number = st->stx_rdev_major;

	/* VT and serial, /dev/tty and /dev/console, Unix98 slaves: the kernel's devices.txt. */
	return number == 4 || number == 5 || number == 204 || (number >= 136 && number <= 143);
}

static const char *name_of(struct arena *arena, int fd)
{
	const char *file;
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID, &st) < 0)
		return "";
	if (S_ISSOCK(st.stx_mode))
		return arena_format(arena, "socket:[%llu]", (unsigned long long)st.stx_ino);
	if (S_ISCHR(st.stx_mode) && is_terminal(&st))
		return arena_format(
			arena, "tty[%llx:%llx]",
			(unsigned long long)makedev(st.stx_rdev_major, st.stx_rdev_minor),
			(unsigned long long)makedev(st.stx_dev_major, st.stx_dev_minor));
	file = arena_format(arena, "file[%llx:%llx]", (unsigned long long)st.stx_mnt_id,
			    (unsigned long long)st.stx_ino);
	return S_ISFIFO(st.stx_mode) ? name_of_fifo(arena, fd, file) : file;
}

const char **descriptors_names(struct arena *arena, size_t len)
{
	const char **names = arena_array(arena, const char *, len + 1);

	for (size_t i = 0; names && i < len; i++)
		names[i] = name_of(arena, (int)i);
	return arena->failed ? NULL : names;
}

bool descriptors_is_external(const char *name)
{
	return string_starts(name, "file[") || string_starts(name, "tty[");
}

const char *descriptors_inherited(const char *name)
{
	return string_starts(name, "file[") ? name + 1 : name;
}

int descriptors_write(int images, const char *const *names, size_t len, struct hoy_error *err)
{
	struct json_writer writer = { 0 };
	autofree char *text = NULL;
	int r;

	json_write_list(&writer, NULL);
	for (size_t i = 0; i < len; i++)
		json_write_string(&writer, NULL, names[i]);
	json_write_end(&writer);
	text = json_write_take(&writer);
	if (!text)
		return fail(err, ENOMEM, "write " DESCRIPTORS_FILE);
	r = file_replace(images, DESCRIPTORS_FILE, text, strlen(text), 0600);
	return r < 0 ? fail(err, r, "write " DESCRIPTORS_FILE " beside the images") : 0;
}

int descriptors_read(int images, struct arena *arena, const char ***ret_names, size_t *ret_len,
		     struct hoy_error *err)
{
	autoclose int fd = openat(images, DESCRIPTORS_FILE,
				  O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	const struct json_node *list;
	const char **names;
	size_t len = 0;

	if (fd < 0) {
		fail(err, errno, "open " DESCRIPTORS_FILE " beside the images");
		return fail_hint(err, "this is no directory that `hoy checkpoint` has written");
	}
	if (json_read_fd(fd, FILE_SIZE_MAX, DESCRIPTORS_FILE, arena, &list, err) < 0)
		return fail_in(err, "read " DESCRIPTORS_FILE);
	names = list->type == JSON_LIST ? arena_array(arena, const char *, list->len + 1) : NULL;
	if (!names)
		return fail(err, list->type == JSON_LIST ? ENOMEM : EINVAL,
			    "read " DESCRIPTORS_FILE ": a list of texts is expected");
	for (const struct json_node *node = list->children; node; node = node->next)
		if (json_get_string(node, &names[len++]) < 0)
			return fail(err, EINVAL, "read " DESCRIPTORS_FILE ": item %zu is no text",
				    len - 1);
	*ret_names = names;
	*ret_len = len;
	return 0;
}
