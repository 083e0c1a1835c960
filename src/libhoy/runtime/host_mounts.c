/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container without a mount namespace has its mounts in the runtime's, where nothing but delete
 * ever undoes them. Each is recorded as "ID PATH": its path in the container, and the id of the
 * mount that covered that path before (0 = there was no such path), by which what hoy has made is
 * told from what has always been there. Runs in the runtime. What lies below the root is the
 * container's to rename, so every path is resolved below its descriptor.
 * Spec: config.md#mounts, config-linux.md#masked-paths, #readonly-paths.
 */
#include "runtime/host_mounts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/path.h"

struct list {
	struct arena *arena;
	const char *root;
	const char **items;
	size_t len;
};

/* Opened anew each time: a mount over the root is found behind its path only. */
static int open_below(const char *root_path, const char *path, struct statx *ret_found)
{
	autoclose int root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;

	if (root < 0)
		return -errno;
	fd = path_open(root, path, O_PATH);
	if (fd < 0)
		return fd;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, ret_found) < 0)
		return -errno;
	return take_fd(&fd);
}

static void add(struct list *list, const char *path)
{
	struct statx found = { 0 };
	autoclose int fd = open_below(list->root, path, &found);

	list->items[list->len++] = arena_format(
		list->arena, "%llu %s", (unsigned long long)(fd < 0 ? 0 : found.stx_mnt_id), path);
}

int host_mounts_record(const struct plan *plan, struct arena *arena, struct state_record *record,
		       struct hoy_error *err)
{
	struct list list = { .arena = arena, .root = plan->root.path };

	if (!plan->root.host_mounts)
		return 0;
	list.items = arena_array(arena, const char *,
				 plan->mounts_len + plan->devices_len + plan->masked_paths_len +
					 plan->readonly_paths_len + 2);
	if (!list.items)
		return fail(err, ENOMEM, "record the mounts");
	/* In the order of init's steps. */
	if (plan->root.readonly)
		add(&list, "/");
	for (size_t i = 0; i < plan->mounts_len; i++)
		if (plan->mounts[i].kind != PLAN_MOUNT_REMOUNT)
			add(&list, plan->mounts[i].destination);
	for (size_t i = 0; i < plan->devices_len; i++)
		if (plan->devices[i].bind_source)
			add(&list, plan->devices[i].path);
	if (plan->process.terminal)
		add(&list, "/dev/console");
	for (size_t i = 0; i < plan->masked_paths_len; i++)
		add(&list, plan->masked_paths[i].path);
	for (size_t i = 0; i < plan->readonly_paths_len; i++)
		add(&list, plan->readonly_paths[i].path);
	if (arena->failed)
		return fail(err, ENOMEM, "record the mounts");
	record->host_mounts = list.items;
	record->host_mounts_len = list.len;
	return 0;
}

static int undo(const char *root, const char *entry, struct hoy_error *err)
{
	char *path, link[48];
	const unsigned long long before = strtoull(entry, &path, 10);
	autoclose int fd = -1;
	struct statx found;

	if (path == entry || *path != ' ')
		return fail(err, EINVAL, "undo the mount '%s'", entry);
	path++;
	fd = open_below(root, path, &found);
	/* Recorded before it was made, so it may never have been, or be gone since. */
	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	if (fd < 0)
		return fail(err, fd, "unmount %s%s", root, path);
	if (!(found.stx_attributes & STATX_ATTR_MOUNT_ROOT) || found.stx_mnt_id == before)
		return 0;
	format_text(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (umount2(link, MNT_DETACH) < 0 && errno != EINVAL)
		return fail(err, errno, "unmount %s%s", root, path);
	return 0;
}

int host_mounts_undo(const struct state_record *record, struct hoy_error *err)
{
	for (size_t i = record->host_mounts_len; i > 0; i--)
		if (undo(record->rootfs, record->host_mounts[i - 1], err) < 0)
			return -1;
	return 0;
}
