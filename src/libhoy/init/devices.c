/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device nodes and the links of /dev. Runs in init, as root of the container's user namespace with
 * umask 0. Where the configuration mounts a tmpfs on /dev they are made in it before it is
 * attached, so that the image's /dev is never touched; elsewhere as one name in a directory opened
 * below the root, exclusively. Spec: config-linux.md#devices, #default-devices.
 */
#include "init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/path.h"

static int own(int dir, const char *name, const struct plan_device *device, struct hoy_error *err)
{
	if (device->uid == 0 && device->gid == 0)
		return 0;
	if (fchownat(dir, name, device->uid, device->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_at(err, device->at, errno, "change the owner of %s", device->path);
	/* A change of owner may have dropped bits of the mode; nodes have no setuid bits to lose.
	 */
	return 0;
}

/* What already stands there must be the device itself. Spec: config-linux.md#devices (path). */
static int check_existing(int dir, const char *name, const struct plan_device *device,
			  struct hoy_error *err)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_at(err, device->at, errno, "look at %s", device->path);
	if ((st.st_mode & S_IFMT) == (device->mode & S_IFMT) &&
	    (S_ISFIFO(st.st_mode) || st.st_rdev == device->device))
		return 0;
	return fail_at(err, device->at, EEXIST, "%s is not the device %u:%u asked for",
		       device->path, major(device->device), minor(device->device));
}

static int make_node(int dir, const char *name, const struct plan_device *device,
		     struct hoy_error *err)
{
	struct stat st;
	int code;

	if (mknodat(dir, name, device->mode, device->device) == 0)
		return own(dir, name, device, err);
	code = errno;
	if (code == EEXIST)
		return check_existing(dir, name, device, err);
	/* A read-only root may still have it. */
	if (code == EROFS && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return check_existing(dir, name, device, err);
	return fail_at(err, device->at, code, "make %s", device->path);
}

/* The host's node, opened on the host's side: never the image's own. */
static int clone_host_device(const struct plan_device *device, struct hoy_error *err)
{
	struct mount_attr attr = { .propagation = MS_PRIVATE };
	autoclose int fd = -1;
	struct stat st;

	fd = open_tree(AT_FDCWD, device->bind_source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail_at(err, device->at, errno, "bind the host's %s", device->bind_source);
	if ((st.st_mode & S_IFMT) != (device->mode & S_IFMT) || st.st_rdev != device->device)
		return fail_at(err, device->at, ENODEV, "the host's %s is not device %u:%u",
			       device->bind_source, major(device->device), minor(device->device));
	if (mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return fail_at(err, device->at, errno, "make the bind of %s private",
			       device->bind_source);
	return take_fd(&fd);
}

static int bind_device(const struct init *init, const struct plan_device *device,
		       struct hoy_error *err)
{
	autoclose int source = -1, target = -1;
	struct stat st;

	target = path_make_target(init->root, device->path, false);
	if (target < 0 || fstat(target, &st) < 0)
		return fail_at(err, device->at, target < 0 ? target : errno, "make %s",
			       device->path);
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
		if (st.st_rdev == device->device &&
		    (st.st_mode & S_IFMT) == (device->mode & S_IFMT))
			return 0;
	}
	source = clone_host_device(device, err);
	if (source < 0)
		return -1;
	if (move_mount(source, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
	    0)
		return fail_at(err, device->at, errno, "bind %s onto %s", device->bind_source,
			       device->path);
	return 0;
}

static int make_device(const struct init *init, const struct plan_device *device,
		       struct hoy_error *err)
{
	autoclose int parent = -1;
	char name[NAME_MAX + 1];

	if (device->bind_source)
		return bind_device(init, device, err);
	parent = path_open_parent(init->root, device->path, true, name);
	if (parent < 0)
		return fail_at(err, device->at, parent, "open the directory of %s", device->path);
	return make_node(parent, name, device, err);
}

/* What the detached /dev tmpfs already has is skipped; bound devices need the attached one. */
int step_devices(struct init *init, struct hoy_error *err)
{
	for (size_t i = 0; i < init->plan->devices_len; i++) {
		const struct plan_device *device = &init->plan->devices[i];

		if (device->dev_name && !device->bind_source)
			continue;
		if (make_device(init, device, err) < 0)
			return -1;
	}
	return 0;
}

static int make_link(const struct init *init, const struct plan_link *link, struct hoy_error *err)
{
	autoclose int parent = -1;
	char name[NAME_MAX + 1];

	parent = path_open_parent(init->root, link->path, true, name);
	if (parent < 0)
		return fail(err, parent, "open the directory of %s", link->path);
	if (symlinkat(link->target, parent, name) < 0 && errno != EEXIST && errno != EROFS)
		return fail(err, errno, "link %s to %s", link->path, link->target);
	return 0;
}

/* Spec: runtime-linux.md#dev-symbolic-links. What the image has at these names is left alone. */
int step_links(struct init *init, struct hoy_error *err)
{
	for (size_t i = 0; i < init->plan->links_len; i++)
		if (!init->plan->links[i].dev_name &&
		    make_link(init, &init->plan->links[i], err) < 0)
			return -1;
	return 0;
}

int devices_fill(const struct plan *plan, int dev, struct hoy_error *err)
{
	for (size_t i = 0; i < plan->devices_len; i++) {
		const struct plan_device *device = &plan->devices[i];

		if (!device->dev_name || device->bind_source)
			continue;
		if (make_node(dev, device->dev_name, device, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < plan->links_len; i++) {
		const struct plan_link *link = &plan->links[i];

		if (!link->dev_name)
			continue;
		if (symlinkat(link->target, dev, link->dev_name) < 0 && errno != EEXIST)
			return fail(err, errno, "link %s to %s", link->path, link->target);
	}
	return 0;
}
