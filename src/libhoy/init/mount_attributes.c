/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flags, access-time mode and propagation of one mount, through mount_setattr(2). Runs in init.
 * In a user namespace the kernel locks the flags a mount came with; those are kept, not cleared.
 */
#include "init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"

/* statfs(2) flag -> attribute that a user namespace may not clear. */
static const struct {
	long flag;
	uint64_t attribute;
} lockable[] = {
	{ ST_RDONLY, MOUNT_ATTR_RDONLY },
	{ ST_NOSUID, MOUNT_ATTR_NOSUID },
	{ ST_NODEV, MOUNT_ATTR_NODEV },
	{ ST_NOEXEC, MOUNT_ATTR_NOEXEC },
};

static int set(int mount, unsigned int flags, uint64_t set, uint64_t clear, uint64_t propagation)
{
	struct mount_attr attr = { .attr_set = set, .attr_clr = clear, .propagation = propagation };

	if (set == 0 && clear == 0 && propagation == 0)
		return 0;
	return mount_setattr(mount, "", AT_EMPTY_PATH | flags, &attr, sizeof(attr));
}

/* Sets flags; on EPERM once more without touching what may be locked. */
static int set_flags(int mount, unsigned int flags, uint64_t add, uint64_t clear)
{
	struct statfs fs;

	if (set(mount, flags, add, clear, 0) == 0)
		return 0;
	if (errno != EPERM || !clear || fstatfs(mount, &fs) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(lockable); i++)
		if (fs.f_flags & lockable[i].flag)
			clear &= ~lockable[i].attribute;
	if (!set(mount, flags, add, clear, 0))
		return 0;
	if (errno != EPERM || !(clear & MOUNT_ATTR__ATIME))
		return -1;
	/* The access-time mode is locked as a whole. */
	return set(mount, flags, add & ~(uint64_t)MOUNT_ATTR__ATIME,
		   clear & ~(uint64_t)MOUNT_ATTR__ATIME, 0);
}

bool attributes_are_initial(const struct plan_attributes *attributes)
{
	return (attributes->propagation == 0 || attributes->propagation == MS_PRIVATE) &&
	       attributes->recursive_set == 0 && attributes->recursive_clear == 0;
}

int attributes_apply(int mount, const struct plan_attributes *attributes, bool readonly_late,
		     const char *at, struct hoy_error *err)
{
	uint64_t add = attributes->set, recursive = attributes->recursive_set;
	unsigned int depth = attributes->propagation_recursive ? AT_RECURSIVE : 0;

	if (readonly_late) {
		add &= ~(uint64_t)MOUNT_ATTR_RDONLY;
		recursive &= ~(uint64_t)MOUNT_ATTR_RDONLY;
	}
	if (set(mount, depth, 0, 0, attributes->propagation) < 0)
		return fail_at(err, at, errno, "set the mount's propagation");
	if (set_flags(mount, 0, add, attributes->clear) < 0)
		return fail_at(err, at, errno, "set mount attributes 0x%llx, clear 0x%llx",
			       (unsigned long long)add, (unsigned long long)attributes->clear);
	if (set_flags(mount, AT_RECURSIVE, recursive, attributes->recursive_clear) < 0)
		return fail_at(err, at, errno,
			       "set recursive mount attributes 0x%llx, clear 0x%llx",
			       (unsigned long long)recursive,
			       (unsigned long long)attributes->recursive_clear);
	return 0;
}

int attributes_idmap(const struct launch_fds *fds, const struct plan *plan, size_t index, int mount,
		     struct hoy_error *err)
{
	const struct plan_mount *wanted = &plan->mounts[index];
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };
	unsigned int flags = AT_EMPTY_PATH | (wanted->idmap_recursive ? AT_RECURSIVE : 0);

	if (!fds->idmaps || fds->idmaps[index] < 0)
		return 0;
	attr.userns_fd = (uint64_t)fds->idmaps[index];
	if (mount_setattr(mount, "", flags, &attr, sizeof(attr)) == 0)
		return 0;
	fail_at(err, wanted->at, errno, "map the ids of %s",
		wanted->source ? wanted->source : wanted->destination);
	return err->code != EINVAL
		       ? -1
		       : fail_hint(err, "its file system does not support idmapped mounts "
					"on this kernel, or it is mapped already");
}
