/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root: cutting the inherited mounts off from the host, attaching the container's root, and
 * making it "/". Runs in init, in the container's mount namespace. The root directory is opened
 * once; from then on everything is resolved below that descriptor, never by path.
 */
#include "init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"

/* Before: every other mount. Nothing mounted from here on may appear on the host. */
int step_propagation(struct init *init, struct hoy_error *err)
{
	const struct plan_root *root = &init->plan->root;
	struct mount_attr attr = { .propagation = root->old_propagation };

	if (root->host_mounts)
		return 0;
	if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return fail_at(err, "linux.rootfsPropagation", errno,
			       "cut the mounts off from the host");
	return 0;
}

/* Opens root.path and makes sure that it still is what the runtime has checked. */
static int open_root(struct init *init, struct hoy_error *err)
{
	const struct plan_root *root = &init->plan->root;
	autoclose int fd = -1;
	struct stat st;

	fd = open(root->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail_at(err, root->at, errno, "open %s", root->path);
	if (st.st_dev != init->fds->root_device || st.st_ino != init->fds->root_inode)
		return fail_at(err, root->at, 0, "%s was replaced while it was checked",
			       root->path);
	return take_fd(&fd);
}

/*
 * A recursive clone of root.path, not shared, attached over root.path: a mount of its own, which
 * the pivot needs, and whose mount points hooks find at the path they know. Spec: config.md#root.
 */
int step_root(struct init *init, struct hoy_error *err)
{
	const struct plan_root *root = &init->plan->root;
	struct mount_attr attr = { .propagation = root->tree_propagation };
	autoclose int directory = -1, tree = -1;

	directory = open_root(init, err);
	if (directory < 0)
		return -1;
	/* Without a mount namespace only a read-only root needs a mount of its own to be that. */
	if (root->host_mounts && !root->readonly) {
		init->root = take_fd(&directory);
		return 0;
	}
	tree = open_tree(directory, "",
			 AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0)
		return fail_at(err, root->at, errno, "clone the mount of %s", root->path);
	if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return fail_at(err, root->at, errno, "set the root's propagation");
	if (move_mount(tree, "", directory, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
	    0)
		return fail_at(err, root->at, errno, "attach the root at %s", root->path);
	init->root = take_fd(&tree);
	return 0;
}

static int pivot(const struct init *init, struct hoy_error *err)
{
	const char *at = init->plan->root.at;

	if (fchdir(init->root) < 0)
		return fail_at(err, at, errno, "enter the root");
	/* The old root ends up on top of the new one, so "." names it for the unmount. */
	if (pivot_root(".", ".") < 0) {
		int code = errno;

		fail_at(err, at, code, "pivot_root");
		return code != EINVAL ? -1
				      : fail_hint(err, "the host's root is an initial ramdisk or a "
						       "chroot: --no-pivot works there");
	}
	if (umount2(".", MNT_DETACH) < 0)
		return fail_at(err, at, errno, "detach the old root");
	return 0;
}

static int move_over_root(struct init *init, struct hoy_error *err)
{
	const char *at = init->plan->root.at;

	if (hide_host_views(init, err) < 0)
		return fail_in(err, "--no-pivot");
	if (move_mount(init->root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return fail_at(err, at, errno, "move the root over /");
	return 0;
}

/* After: all mounts. Before: sysctl, labels. Spec: config.md#root, runtime.md#lifecycle. */
int step_pivot(struct init *init, struct hoy_error *err)
{
	const struct plan_root *root = &init->plan->root;

	if (!root->host_mounts && !root->no_pivot && pivot(init, err) < 0)
		return -1;
	if (root->no_pivot && !root->host_mounts && move_over_root(init, err) < 0)
		return -1;
	if (root->host_mounts || root->no_pivot) {
		if (fchdir(init->root) < 0 || chroot(".") < 0)
			return fail_at(err, root->at, errno, "change root");
	}
	if (chdir("/") < 0)
		return fail_at(err, root->at, errno, "enter the new root");
	return 0;
}

/* `exec`: after setns(2) the mount namespace's root is "/", unless the container is a chroot. */
int step_exec_root(struct init *init, struct hoy_error *err)
{
	if (init->fds->exec_root < 0)
		return 0;
	if (fchdir(init->fds->exec_root) < 0 || chroot(".") < 0 || chdir("/") < 0)
		return fail(err, errno, "enter the container's root");
	return 0;
}

/* Read-only comes last: hooks and mount points needed the root writable. Spec: config.md#root. */
int step_root_attributes(struct init *init, struct hoy_error *err)
{
	const struct plan_root *root = &init->plan->root;
	struct mount_attr attr = { .propagation = root->propagation };

	if (root->readonly)
		attr.attr_set = MOUNT_ATTR_RDONLY;
	if (root->host_mounts)
		attr.propagation = 0; /* the host's mounts keep theirs */
	if (!attr.attr_set && !attr.propagation)
		return 0;
	if (mount_setattr(init->root, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return fail_at(err, root->readonly ? "root.readonly" : "linux.rootfsPropagation",
			       errno, "set the root's mount attributes");
	return 0;
}
