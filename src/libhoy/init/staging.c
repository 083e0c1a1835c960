/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Idmapped bind sources for a container with a user namespace. Only the owner of the file system's
 * user namespace may map ids, and a mount that is handed to the container from outside its mount
 * namespace comes without locks: the container could undo the host's read-only (trap 1). So
 * bootstrap, privileged, maps the sources and attaches them in a mount namespace of its own; the
 * clone copies that into init's, which locks them, and init clones them from there.
 * Runs in bootstrap, before any namespace of the container is joined.
 */
#include "init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"

void staging_path(const struct launch_fds *fds, size_t index, char *path, size_t size)
{
	format_text(path, size, "%s/%zu", fds->staging, index);
}

/* A tmpfs over the container's directory, visible to nobody but us and init. */
static int make_stage(const struct launch_fds *fds, struct hoy_error *err)
{
	struct mount_attr attr = { .propagation = MS_SLAVE };
	autoclose int fs = -1, stage = -1;

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return fail(err, errno, "make the mount namespace for idmapped mounts");
	fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "mode", "700", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fail(err, errno, "make the stage for idmapped mounts");
	stage = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (stage < 0 || move_mount(stage, "", AT_FDCWD, fds->staging, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return fail(err, errno, "attach the stage for idmapped mounts");
	return take_fd(&stage);
}

static int make_place(int stage, const char *name, bool directory)
{
	autoclose int fd = -1;

	if (directory)
		return mkdirat(stage, name, 0700);
	fd = openat(stage, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -1 : 0;
}

static int stage_one(const struct plan *plan, const struct launch_fds *fds, int stage, size_t index,
		     struct hoy_error *err)
{
	const struct plan_mount *mount = &plan->mounts[index];
	struct mount_attr attr = { .propagation = MS_PRIVATE };
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
	autoclose int source = -1, place = -1;
	char name[24];

	if (mount->recursive)
		flags |= AT_RECURSIVE;
	if (mount->source_nofollow)
		flags |= AT_SYMLINK_NOFOLLOW;
	source = open_tree(AT_FDCWD, mount->source, flags);
	if (source < 0)
		return fail_at(err, mount->at, errno, "bind %s", mount->source);
	if (attributes_idmap(fds, plan, index, source, err) < 0)
		return -1;
	if (mount_setattr(source, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return fail_at(err, mount->at, errno, "make %s private", mount->source);
	format_text(name, sizeof(name), "%zu", index);
	if (make_place(stage, name, mount->source_is_directory) < 0)
		return fail_at(err, mount->at, errno, "make the stage of %s", mount->source);
	place = openat(stage, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (place < 0 || move_mount(source, "", place, "",
				    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return fail_at(err, mount->at, errno, "stage %s", mount->source);
	return 0;
}

int stage_sources(const struct plan *plan, const struct launch_fds *fds, struct hoy_error *err)
{
	autoclose int stage = -1;

	if (!plan->staged)
		return 0;
	stage = make_stage(fds, err);
	if (stage < 0)
		return -1;
	for (size_t i = 0; i < plan->mounts_len; i++)
		if (plan->mounts[i].kind == PLAN_MOUNT_BIND && plan->mounts[i].uid_maps_len &&
		    stage_one(plan, fds, stage, i, err) < 0)
			return -1;
	return 0;
}
