/* SPDX-License-Identifier: Apache-2.0 */
/*
 * maskedPaths and readonlyPaths. Runs in init, before the pivot: what is laid over a file comes
 * from the host's /dev, whose identity is checked, never from the image's (CVE-2025-31133).
 * A missing target is no error, anything else is. Spec: config-linux.md#masked-paths,
 * #readonly-paths.
 */
#include "init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/path.h"

/* @returns a private detached clone of the host's /dev/null, verified */
static int clone_null(struct hoy_error *err)
{
	struct mount_attr attr = { .propagation = MS_PRIVATE };
	autoclose int fd = -1;
	struct stat st;

	fd = open_tree(AT_FDCWD, "/dev/null",
		       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(err, errno, "bind the host's /dev/null");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		return fail(err, ENODEV, "the host's /dev/null is not character device 1:3");
	if (mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return fail(err, errno, "make the bind of /dev/null private");
	return take_fd(&fd);
}

/* @returns a detached empty read-only tmpfs */
static int make_empty(const struct plan *plan, struct hoy_error *err)
{
	autoclose int fs = -1;
	int fd;

	fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "size", "0", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", "1", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_SET_STRING, "mode", "755", 0) < 0)
		return fail(err, errno, "make the tmpfs for masked directories");
	if (plan->mount_label &&
	    fsconfig(fs, FSCONFIG_SET_STRING, plan->mount_label_option, plan->mount_label, 0) < 0)
		return fail_at(err, "linux.mountLabel", errno, "label the masks '%s'",
			       plan->mount_label);
	if (fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fail(err, errno, "make the tmpfs for masked directories");
	fd = fsmount(fs, FSMOUNT_CLOEXEC,
		     MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (fd < 0)
		return fail(err, errno, "make the tmpfs for masked directories");
	return fd;
}

/*
 * The first mask of its kind is made, and stays reachable through *kept once attached; the others
 * are clones of it (a detached mount cannot be cloned before Linux 6.15, trap 18).
 */
static int next_mask(const struct plan *plan, bool directory, int *kept, struct hoy_error *err)
{
	int fd;

	if (*kept < 0) {
		*kept = directory ? make_empty(plan, err) : clone_null(err);
		return *kept < 0 ? -1 : fcntl(*kept, F_DUPFD_CLOEXEC, 3);
	}
	fd = open_tree(*kept, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	return fd >= 0 ? fd : fail(err, errno, "clone a mask");
}

/* ---- where the paths are ---- */

static bool is_kernels(int mount)
{
	long type = path_fs_type(mount);

	return type == PROC_SUPER_MAGIC || type == SYSFS_MAGIC;
}

/*
 * Who shares the root may rename the directory that /proc is mounted on; a path below would not be
 * found, and what it names left as it is. In the kernel's own file systems nobody renames anything,
 * so paths in them are looked up from the mount's descriptor, be it wherever it may. First it has
 * to be in its place, not below another one.
 */
static int check_mount(const struct init *init, size_t index, struct hoy_error *err)
{
	const struct plan_mount *mount = &init->plan->mounts[index];
	int *kept = &init->fds->mounts[index];
	struct statx wanted, found;
	autoclose int fd = -1;

	if (!is_kernels(*kept)) {
		cleanup_close(kept);
		*kept = -1;
		return 0;
	}
	fd = path_open(init->root, mount->destination, O_PATH);
	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &found) < 0 ||
	    statx(*kept, "", AT_EMPTY_PATH, STATX_MNT_ID, &wanted) < 0)
		return fail_at(err, mount->at, fd < 0 ? fd : errno, "look at %s for paths to mask",
			       mount->destination);
	if (wanted.stx_mnt_id != found.stx_mnt_id)
		return fail_at(err, mount->at, 0, "%s was replaced before its paths were masked",
			       mount->destination);
	return 0;
}

static int check_mounts(const struct init *init, struct hoy_error *err)
{
	for (size_t i = 0; i < init->plan->mounts_len; i++)
		if (init->plan->mounts[i].has_paths && check_mount(init, i, err) < 0)
			return -1;
	return 0;
}

/* @returns an O_PATH descriptor or -errno */
static int open_path(const struct init *init, const struct plan_path *path)
{
	int mount = path->mount < 0 ? -1 : init->fds->mounts[path->mount];
	const char *below;

	if (mount < 0)
		return path_open(init->root, path->path, O_PATH);
	below = path->path + strlen(init->plan->mounts[path->mount].destination);
	return path_open(mount, *below ? below : "/", O_PATH);
}

/* ---- what is done to them ---- */

static int mask(struct init *init, const struct plan_path *path, struct hoy_error *err)
{
	autoclose int target = -1, fd = -1;
	struct stat st;

	target = open_path(init, path);
	if (target == -ENOENT || target == -ENOTDIR)
		return 0;
	if (target < 0 || fstat(target, &st) < 0)
		return fail_at(err, path->at, target < 0 ? target : errno, "open %s", path->path);
	fd = next_mask(init->plan, S_ISDIR(st.st_mode),
		       S_ISDIR(st.st_mode) ? &init->mask_directory : &init->mask_file, err);
	if (fd < 0)
		return fail_from(err, path->at);
	if (move_mount(fd, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return fail_at(err, path->at, errno, "mask %s", path->path);
	return 0;
}

int step_masked_paths(struct init *init, struct hoy_error *err)
{
	if (check_mounts(init, err) < 0)
		return -1;
	for (size_t i = 0; i < init->plan->masked_paths_len; i++)
		if (mask(init, &init->plan->masked_paths[i], err) < 0)
			return -1;
	return 0;
}

/* A recursive bind of the path onto itself keeps all other flags of the mounts it covers. */
static int make_readonly(const struct init *init, const struct plan_path *path,
			 struct hoy_error *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY, .propagation = MS_PRIVATE };
	autoclose int target = -1, fd = -1;

	target = open_path(init, path);
	if (target == -ENOENT || target == -ENOTDIR)
		return 0;
	if (target < 0)
		return fail_at(err, path->at, target, "open %s", path->path);
	fd = open_tree(target, "",
		       AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd < 0)
		return fail_at(err, path->at, errno, "clone %s", path->path);
	if (mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return fail_at(err, path->at, errno, "make %s read-only", path->path);
	if (move_mount(fd, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return fail_at(err, path->at, errno, "attach the read-only %s", path->path);
	return 0;
}

/* After: masked paths, so that a mask below a read-only path is in the clone. */
int step_readonly_paths(struct init *init, struct hoy_error *err)
{
	for (size_t i = 0; i < init->plan->readonly_paths_len; i++)
		if (make_readonly(init, &init->plan->readonly_paths[i], err) < 0)
			return -1;
	return 0;
}
