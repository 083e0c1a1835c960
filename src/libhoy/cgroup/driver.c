/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of cgroup drivers, and finding a cgroup that an earlier command recorded. Runs in the
 * runtime. Of a recorded cgroup only the inode is trusted, never the path alone: after a crash or
 * a reboot a stranger's cgroup may stand there.
 */
#include "cgroup/driver.h"

#include <limits.h>
#include <string.h>

#include "cgroup/cgroupfs.h"
#include "cgroup/systemd.h"
#include "cgroup/tree.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"

const struct cgroup_driver *cgroup_driver_of(const struct plan_cgroup *plan)
{
	static const struct cgroup_driver *const drivers[] = {
		[HOY_CGROUP_CGROUPFS] = &cgroupfs_driver,
		[HOY_CGROUP_SYSTEMD] = &systemd_driver,
		[HOY_CGROUP_DISABLED] = NULL,
	};

	return plan->path ? drivers[plan->manager] : NULL;
}

/* What tree_open() says where there is no cgroup2 directory of that path. */
static bool is_absent(int code)
{
	return code == -ENOENT || code == -ENOTDIR || code == -ENOTSUP || code == -ELOOP ||
	       code == -ENODEV;
}

/**
 * Whether the tree that the path leads into is there, so that what is missing in it is gone. Where
 * another mount namespace has no cgroup2 tree in that place, nothing can be said.
 * @param fd  what tree_open() has said of the path itself
 */
static bool is_in_sight(const char *path, int fd)
{
	char above[PATH_MAX], *slash;

	format_text(above, sizeof(above), "%s", path);
	while ((fd == -ENOENT || fd == -ENODEV) && (slash = strrchr(above, '/')) != NULL) {
		*slash = '\0';
		fd = tree_open(*above ? above : "/");
	}
	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

int cgroup_open_recorded(const char *path, uint64_t inode, struct cgroup *ret_cgroup)
{
	struct cgroup found = CGROUP_NONE;
	autoclose int fd = -1;
	struct stat stat;

	if (*path == '\0' || inode == 0) {
		*ret_cgroup = found;
		return 0;
	}
	if (format_text(found.path, sizeof(found.path), "%s", path) >= sizeof(found.path))
		return -ENAMETOOLONG;
	fd = tree_open(path);
	if (fd < 0 && is_absent(fd) && !is_in_sight(path, fd))
		return -ENOTSUP;
	if (fd < 0 && !is_absent(fd))
		return fd;
	if (fd >= 0 && fstat(fd, &stat) < 0)
		return -errno;
	if (fd >= 0 && stat.st_ino == inode) {
		found.fd = take_fd(&fd);
		found.inode = inode;
	}
	*ret_cgroup = found;
	return 0;
}

int cgroup_remove_intended(const char *path)
{
	const char *name = strrchr(path, '/');
	char parent_path[sizeof(((struct cgroup *)NULL)->path)];
	autoclose int parent = -1;

	if (!name || !name[1])
		return *path ? -EINVAL : 0;
	if (format_text(parent_path, sizeof(parent_path), "%.*s", (int)(name - path), path) >=
	    sizeof(parent_path))
		return -ENAMETOOLONG;
	parent = tree_open(parent_path);
	if (parent < 0)
		return is_absent(parent) ? 0 : parent;
	if (unlinkat(parent, name + 1, AT_REMOVEDIR) == 0 || is_absent(-errno))
		return 0;
	return -errno;
}

void cgroup_done(struct cgroup *cgroup)
{
	cleanup_close(&cgroup->fd);
	*cgroup = CGROUP_NONE;
}
