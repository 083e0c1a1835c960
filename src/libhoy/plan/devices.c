/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device nodes and the links of /dev: those of the configuration, and those every container has.
 * Where /dev is a tmpfs of the configuration, what lies directly in it is made before that is
 * attached; where it is a bind mount, its owner has decided what is in it. Runs in the runtime;
 * pure. Spec: config-linux.md#devices, #default-devices, runtime-linux.md#dev-symbolic-links.
 */
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/string.h"
#include "plan/build.h"
#include "sys/cleanup.h"

#define DEVICE_MODE 0666

static const struct {
	const char *path;
	unsigned int major, minor;
} default_devices[] = {
	{ "/dev/null", 1, 3 },	 { "/dev/zero", 1, 5 },	   { "/dev/full", 1, 7 },
	{ "/dev/random", 1, 8 }, { "/dev/urandom", 1, 9 }, { "/dev/tty", 5, 0 },
};

static const struct {
	const char *path, *target;
	/** The target is below /proc: made only if something is mounted there. */
	bool needs_proc;
} default_links[] = {
	{ "/dev/fd", "/proc/self/fd", true },	    { "/dev/stdin", "/proc/self/fd/0", true },
	{ "/dev/stdout", "/proc/self/fd/1", true }, { "/dev/stderr", "/proc/self/fd/2", true },
	{ "/dev/core", "/proc/kcore", true },	    { "/dev/ptmx", "pts/ptmx", false },
};

static struct plan_mount *find_mount(const struct plan *plan, const char *destination)
{
	for (size_t i = plan->mounts_len; i > 0; i--)
		if (plan->mounts[i - 1].kind != PLAN_MOUNT_REMOUNT &&
		    plan->mounts[i - 1].kind != PLAN_MOUNT_LINK &&
		    strcmp(plan->mounts[i - 1].destination, destination) == 0)
			return &plan->mounts[i - 1];
	return NULL;
}

/* What is mounted on /dev in the end, NULL if it is part of the root. */
static struct plan_mount *find_dev(const struct plan *plan)
{
	struct plan_mount *dev = find_mount(plan, "/dev"), *root = find_mount(plan, "/");

	return dev && root && root > dev ? NULL : dev;
}

/* Name of a path directly in the tmpfs on /dev; NULL if it must be made by its path. */
static const char *name_in_dev(const struct plan_mount *dev, const char *path)
{
	const char *name = string_starts(path, "/dev/") ? path + strlen("/dev/") : NULL;

	return dev && dev->fill_devices && name && !strchr(name, '/') ? name : NULL;
}

/* ---- nodes ---- */

/* Nodes cannot be made without privilege over the host: its own are bound instead. */
static bool binds_devices(const struct plan_builder *builder)
{
	return builder->in_user_namespace || !(builder->host->capabilities & (1ULL << CAP_MKNOD));
}

static void place(struct plan_builder *builder, const struct plan_mount *dev,
		  struct plan_device *device)
{
	if (!S_ISFIFO(device->mode) && binds_devices(builder))
		device->bind_source = device->path;
	else
		device->dev_name = name_in_dev(dev, device->path);
}

static bool has_device(const struct plan *plan, const char *path)
{
	for (size_t i = 0; i < plan->devices_len; i++)
		if (strcmp(plan->devices[i].path, path) == 0)
			return true;
	return false;
}

static void set_number(const struct config_device *from, struct plan_device *device)
{
	mode_t mode = from->file_mode.set ? (mode_t)from->file_mode.value & 07777 : DEVICE_MODE;

	device->mode = mode | (from->type == 'p' ? S_IFIFO : from->type == 'b' ? S_IFBLK : S_IFCHR);
	if (from->type != 'p')
		device->device = makedev((unsigned int)from->major.value,
					 (unsigned int)from->minor.value);
}

static int add_device(struct plan_builder *builder, const struct plan_mount *dev, size_t index)
{
	const struct config_device *from = &builder->platform->devices.items[index];
	struct plan_device *device = PLAN_APPEND(builder, builder->plan->devices);

	if (!device)
		return -1;
	device->at = plan_at_item(builder, "linux.devices", index);
	device->uid = (uid_t)from->uid.value;
	device->gid = (gid_t)from->gid.value;
	set_number(from, device);
	device->path = plan_clean_path(builder, device->at, from->path);
	if (!device->path)
		return -1;
	place(builder, dev, device);
	return 0;
}

/* The configuration may have put something of its own there: a device, or a mount. */
static bool is_taken(const struct plan_builder *builder, const struct plan_mount *dev,
		     const char *path)
{
	return has_device(builder->plan, path) ||
	       (!name_in_dev(dev, path) && find_mount(builder->plan, path));
}

static int add_default_devices(struct plan_builder *builder, const struct plan_mount *dev)
{
	for (size_t i = 0; i < ARRAY_LEN(default_devices); i++) {
		const char *path = default_devices[i].path;
		struct plan_device *device;

		if (is_taken(builder, dev, path))
			continue;
		device = PLAN_APPEND(builder, builder->plan->devices);
		if (!device)
			return -1;
		device->at = "linux.devices";
		device->path = path;
		device->mode = S_IFCHR | DEVICE_MODE;
		device->device = makedev(default_devices[i].major, default_devices[i].minor);
		device->is_default = true;
		place(builder, dev, device);
	}
	return 0;
}

/* ---- links ---- */

static int add_links(struct plan_builder *builder, const struct plan_mount *dev)
{
	bool has_proc = find_mount(builder->plan, "/proc") != NULL;

	for (size_t i = 0; i < ARRAY_LEN(default_links); i++) {
		const char *path = default_links[i].path;
		struct plan_link *link;

		/* A mount point there must be what the mount finds, not where a link leads. */
		if ((default_links[i].needs_proc && !has_proc) || has_device(builder->plan, path) ||
		    find_mount(builder->plan, path))
			continue;
		link = PLAN_APPEND(builder, builder->plan->links);
		if (!link)
			return -1;
		link->path = path;
		link->target = default_links[i].target;
		link->dev_name = name_in_dev(dev, path);
	}
	return 0;
}

int plan_devices(struct plan_builder *builder)
{
	struct plan_mount *dev = find_dev(builder->plan);
	bool is_bind = dev && dev->kind == PLAN_MOUNT_BIND;

	if (dev && dev->kind == PLAN_MOUNT_NEW)
		dev->fill_devices = strcmp(dev->fstype, "tmpfs") == 0;
	for (size_t i = 0; i < builder->platform->devices.len; i++)
		if (add_device(builder, dev, i) < 0)
			return -1;
	if (is_bind)
		return 0;
	if (add_default_devices(builder, dev) < 0)
		return -1;
	return add_links(builder, dev);
}
