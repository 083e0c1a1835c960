/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroups below the container's own, for payloads that manage cgroups themselves: the limits stay
 * above them, out of their reach, and init starts in the lowest. Runs in the runtime.
 */
#include "cgroup/leaf.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "cgroup/controllers.h"
#include "cgroup/resources.h"
#include "cgroup/tree.h"
#include "sys/cleanup.h"
#include "sys/error.h"
#include "sys/file.h"

/* @returns the lowest one, made with all above it, or -errno */
static int make_all(int cgroup, const char *path)
{
	autoclose int parent = tree_open_below(cgroup, ".");
	char name[NAME_MAX + 1];

	while (parent >= 0 && *path) {
		size_t len = strcspn(path, "/");
		int next;

		if (format_text(name, sizeof(name), "%.*s", (int)len, path) >= sizeof(name))
			return -ENAMETOOLONG;
		if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
			return -errno;
		next = tree_open_below(parent, name);
		cleanup_close(&parent);
		parent = next;
		path += len + (path[len] == '/');
	}
	return take_fd(&parent);
}

int leaf_make(const struct cgroup *cgroup, const struct plan_cgroup *plan, pid_t pid,
	      struct hoy_error *err)
{
	autoclose int leaf = make_all(cgroup->fd, plan->leaf);
	char text[16];
	int r = leaf < 0 ? leaf : 0;

	if (r == 0 && pid > 0) {
		format_text(text, sizeof(text), "%d", (int)pid);
		r = file_write_text(leaf, "cgroup.procs", text);
	}
	if (r < 0)
		return fail_at(err, "annotations", r, "make cgroup %s/%s", cgroup->path,
			       plan->leaf);
	/* Only now, as controllers can be enabled only where no process is. */
	controllers_offer(cgroup->fd, plan->leaf);
	return resources_delegate(leaf, plan, err) < 0 ? -1 : take_fd(&leaf);
}
