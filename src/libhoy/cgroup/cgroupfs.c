/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the container's cgroup as a directory of the cgroup2 tree, enables the controllers its
 * limits need, and sets them, before any process is in it. Runs in the runtime, as root or as the
 * user that the tree above is delegated to. Joins an existing cgroup only if nobody is in it; when
 * it fails it removes what it made, and nothing else.
 */
#include "cgroup/cgroupfs.h"

#include <limits.h>
#include <string.h>

#include "cgroup/controllers.h"
#include "cgroup/events.h"
#include "cgroup/resources.h"
#include "cgroup/tree.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/file.h"

/* How long the way down is tried again when someone removes an empty parent under our feet. */
#define WALK_MS 1000

/** A cgroup in the making. */
struct making {
	const struct plan_cgroup *plan;
	/** plan->path without its leading slash. */
	const char *path;
	int mount;
	struct cgroup cgroup;
	/** How much of `path` names the topmost cgroup that this call made; 0 = none. */
	size_t made;
	bool leaf_made;
};

static int fail_path(struct hoy_error *err, const struct plan_cgroup *plan, int code,
		     const char *what, const char *path)
{
	fail_at(err, plan->at, code, "%s cgroup %s%s%s", what, plan->mount_point,
		*path == '/' ? "" : "/", path);
	if (code == -EACCES || code == -EPERM || code == -EROFS)
		fail_hint(err, "this part of the cgroup tree is not delegated to the user");
	if (code == -EAGAIN)
		fail_hint(err, "cgroup.max.descendants or cgroup.max.depth of a cgroup above is "
			       "reached");
	return -1;
}

/* Names that the kernel would take as another place, or that cannot be made. */
static bool is_usable(const char *path)
{
	for (const char *name = path;; name += strcspn(name, "/") + 1) {
		size_t len = strcspn(name, "/");

		if (len == 0 || len > NAME_MAX || (len <= 2 && strncmp(name, "..", len) == 0))
			return false;
		if (name[len] == '\0')
			return true;
	}
}

/* Makes one cgroup; another runtime may make the same at this moment. */
static int make_one(int parent, const char *name, bool *ret_made)
{
	if (mkdirat(parent, name, 0755) == 0) {
		*ret_made = true;
		return 0;
	}
	return errno == EEXIST ? 0 : -errno;
}

/* Opens the cgroup that holds the container's, making what is missing, one name at a time. */
static int enter_parent(struct making *making, char *name)
{
	autoclose int parent = tree_open_below(making->mount, ".");
	const char *rest = making->path;
	size_t len;

	for (; parent >= 0 && rest[len = strcspn(rest, "/")]; rest += len + 1) {
		bool made = false;
		int next, r = 0;

		format_text(name, NAME_MAX + 1, "%.*s", (int)len, rest);
		next = tree_open_below(parent, name);
		if (next == -ENOENT)
			r = make_one(parent, name, &made);
		if (made && making->made == 0)
			making->made = (size_t)(rest - making->path) + len;
		if (next == -ENOENT)
			next = r < 0 ? r : tree_open_below(parent, name);
		cleanup_close(&parent);
		parent = next;
	}
	format_text(name, NAME_MAX + 1, "%s", rest);
	return take_fd(&parent);
}

/* Finds the container's cgroup. @returns 1 if there is one, 0 if not, -errno */
static int find_leaf(struct making *making, int parent, const char *name)
{
	int r = tree_open_below(parent, name);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	making->cgroup.fd = r;
	return 1;
}

/*
 * Controllers come first: another runtime that is about to enable the same ones shows them already
 * while their files are still being made; only mkdir(2) waits for it.
 */
static int enable_above(const struct making *making, struct hoy_error *err)
{
	const struct plan_cgroup *plan = making->plan;

	if (plan->owner >= 0)
		controllers_offer(making->mount, making->path);
	return controllers_enable(making->mount, making->path, plan->writes, plan->writes_len, err);
}

static int make_leaf(struct making *making, int parent, const char *name)
{
	int r = make_one(parent, name, &making->leaf_made);

	if (making->leaf_made && making->made == 0)
		making->made = strlen(making->path);
	if (r == 0)
		r = find_leaf(making, parent, name);
	return r == 0 ? -ENOENT : r;
}

/* Makes or finds the container's cgroup. @returns 1, 0 if a parent has gone again, or -1 */
static int enter(struct making *making, struct hoy_error *err)
{
	char name[NAME_MAX + 1];
	autoclose int parent = enter_parent(making, name);
	int r = parent < 0 ? parent : find_leaf(making, parent, name);

	if (r == 0) {
		if (enable_above(making, err) < 0)
			return err->code == ENOENT ? 0 : -1;
		r = make_leaf(making, parent, name);
	}
	if (r == -ENOENT)
		return 0;
	return r < 0 ? fail_path(err, making->plan, r, "make", making->plan->path) : 1;
}

/* A count of tries would not do: who removes may be as fast as we are, and for a while in step. */
static int enter_in_time(struct making *making, struct hoy_error *err)
{
	int r = enter(making, err);
	int64_t deadline = r == 0 ? clock_ms() + WALK_MS : 0;

	while (r == 0 && clock_ms() < deadline)
		r = enter(making, err);
	return r;
}

/* Takes the inode; and the umask of libhoy's caller must not show. */
static int identify(struct making *making)
{
	struct stat stat;

	if (fstat(making->cgroup.fd, &stat) < 0)
		return -errno;
	making->cgroup.inode = stat.st_ino;
	if (making->leaf_made && (stat.st_mode & 0777) != 0755 &&
	    fchmod(making->cgroup.fd, 0755) < 0)
		return -errno;
	return 0;
}

static int make(struct making *making, struct hoy_error *err)
{
	const struct plan_cgroup *plan = making->plan;
	int r;

	format_text(making->cgroup.path, sizeof(making->cgroup.path), "%s%s", plan->mount_point,
		    plan->path);
	if (*plan->path != '/' || !is_usable(making->path) ||
	    strlen(plan->mount_point) + strlen(plan->path) >= sizeof(making->cgroup.path))
		return fail_at(err, plan->at, 0, "cgroup path \"%s\" is not usable", plan->path);
	making->mount = tree_open(plan->mount_point);
	if (making->mount == -ENOTSUP)
		return fail_at(err, plan->at, 0, "%s is no cgroup2 file system", plan->mount_point);
	if (making->mount < 0)
		return fail_path(err, plan, making->mount, "open", "");
	r = enter_in_time(making, err);
	if (r == 0)
		r = fail_path(err, plan, -ENOENT, "make", plan->path);
	if (r < 0)
		return -1;
	r = identify(making);
	return r < 0 ? fail_path(err, plan, r, "make", plan->path) : 0;
}

/* An existing cgroup is joined only if no process is in it or below, and none would stop in it. */
static int check_joinable(const struct making *making, struct hoy_error *err)
{
	const struct plan_cgroup *plan = making->plan;
	int64_t frozen = events_read(making->cgroup.fd, "cgroup.events", "frozen");
	int64_t populated = 0;
	char list[1024];
	ssize_t len = 0;

	if (!making->leaf_made) {
		populated = events_read(making->cgroup.fd, "cgroup.events", "populated");
		len = file_read(making->cgroup.fd, "cgroup.subtree_control", list, sizeof(list));
	}
	if (frozen < 0 || populated < 0 || len < 0)
		return fail_path(err, plan,
				 (int)(frozen < 0      ? frozen
				       : populated < 0 ? populated
						       : len),
				 "examine", plan->path);
	if (populated)
		return fail_at(err, plan->at, 0, "cgroup %s already exists and is not empty",
			       making->cgroup.path);
	if (frozen)
		return fail_at(err, plan->at, 0, "cgroup %s is frozen", making->cgroup.path);
	/* cgroup.subtree_control is a single line feed if it is empty. */
	if (len > 1)
		return fail_at(err, plan->at, 0,
			       "cgroup %s already exists and has sub-cgroups with controllers",
			       making->cgroup.path);
	return 0;
}

static bool is_denied(const struct hoy_error *err)
{
	return err->code == EACCES || err->code == EPERM || err->code == EROFS;
}

static int attach_devices(struct making *making, struct hoy_error *err)
{
	const struct plan_cgroup *plan = making->plan;

	if (!plan->has_device_rules ||
	    cgroup_attach_devices(making->cgroup.fd, plan->device_rules, plan->device_rules_len, 0,
				  &making->cgroup.device_program, err) == 0)
		return 0;
	if (!plan->optional || !is_denied(err))
		return -1;
	*err = (struct hoy_error){ .code = 0 };
	return 0;
}

/* The device program comes last: once it is attached nothing fails, so it is never left behind. */
static int limit(struct making *making, struct hoy_error *err)
{
	const struct plan_cgroup *plan = making->plan;

	if (check_joinable(making, err) < 0 ||
	    (!making->leaf_made && enable_above(making, err) < 0) ||
	    cgroup_write_all(making->cgroup.fd, plan->writes, plan->writes_len, false, err) < 0 ||
	    resources_delegate(making->cgroup.fd, plan, err) < 0)
		return -1;
	return attach_devices(making, err);
}

/* Removes what this call made, upwards; a parent that others use by now is not empty and stays. */
static void undo(const struct making *making)
{
	const char *path = making->path;
	size_t len = strlen(path);
	char prefix[PATH_MAX];

	if (!making->leaf_made)
		len = strrchr(path, '/') ? (size_t)(strrchr(path, '/') - path) : 0;
	while (making->made > 0 && len >= making->made) {
		format_text(prefix, sizeof(prefix), "%.*s", (int)len, path);
		if (unlinkat(making->mount, prefix, AT_REMOVEDIR) < 0)
			break;
		while (len > 0 && path[--len] != '/')
			;
	}
}

/* The levels between the topmost cgroup that this call made and the leaf. */
static unsigned int count_made_above(const struct making *making)
{
	unsigned int levels = 0;

	if (!making->leaf_made || making->made == 0)
		return 0;
	for (const char *c = making->path + making->made; *c; c++)
		levels += *c == '/';
	/* "hoy" is where all containers go that ask for no place: it is made once. */
	if (levels > 0 && making->made == strlen("hoy") && strncmp(making->path, "hoy/", 4) == 0)
		levels--;
	return levels;
}

static int cgroupfs_prepare(const struct plan_cgroup *plan, struct cgroup *ret_cgroup,
			    struct hoy_error *err)
{
	struct making making = {
		.plan = plan,
		.path = plan->path + 1,
		.mount = -1,
		.cgroup = CGROUP_NONE,
	};
	int r = make(&making, err);

	if (r >= 0)
		r = limit(&making, err);
	if (r < 0) {
		undo(&making);
		cgroup_done(&making.cgroup);
	}
	cleanup_close(&making.mount);
	if (r < 0 && !(plan->optional && is_denied(err)))
		return -1;
	if (r < 0)
		*err = (struct hoy_error){ .code = 0 };
	making.cgroup.made_above = count_made_above(&making);
	*ret_cgroup = making.cgroup;
	return 0;
}

/* A limit of a kind that the container did not have before needs its controller. */
static int cgroupfs_update(const struct plan_cgroup *plan, const struct cgroup *cgroup,
			   struct hoy_error *err)
{
	size_t mount_len = strlen(plan->mount_point);
	autoclose int mount = tree_open(plan->mount_point);

	if (mount < 0)
		return fail_path(err, plan, mount, "open", "");
	/* Where it is, which need not be where the plan of another caller would make it. */
	if (strncmp(cgroup->path, plan->mount_point, mount_len) != 0 ||
	    cgroup->path[mount_len] != '/')
		return fail_at(err, plan->at, 0, "cgroup %s is not below %s", cgroup->path,
			       plan->mount_point);
	return controllers_enable(mount, cgroup->path + mount_len + 1, plan->writes,
				  plan->writes_len, err);
}

const struct cgroup_driver cgroupfs_driver = {
	.name = "cgroupfs",
	.prepare = cgroupfs_prepare,
	.update = cgroupfs_update,
};
