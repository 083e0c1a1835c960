/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lets systemd make the container's cgroup, as a scope unit that is delegated to hoy. Runs in the
 * runtime. systemd cannot start a scope without a process in it, so init is cloned outside and
 * adopted. What systemd knows of the limits it is told, lest it undo them on daemon-reload; then
 * they are written to the files as well, which have the last word on what systemd rounds or lacks.
 */
#include "cgroup/systemd.h"

#include <limits.h>
#include <string.h>
#include <time.h>

#include "base/string.h"
#include "cgroup/bus.h"
#include "cgroup/controllers.h"
#include "cgroup/events.h"
#include "cgroup/resources.h"
#include "cgroup/tree.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/file.h"

/* For all that is asked of systemd in one operation. */
#define SYSTEMD_MS 30000

/* How long the unit of a container that has just ended may stand in the way of a new one. */
#define EXISTS_TRIES   20
#define EXISTS_WAIT_NS 50000000

#define DEVICES_SIZE 16384

/* Root may still act for a user: in a user namespace, the cgroup lies below the user's manager. */
static bool is_of_user(const char *path)
{
	const char *user = strstr(path, "/user@");

	return geteuid() != 0 || (user && strstr(user, ".service/"));
}

static int open_manager(const char *path, struct bus *ret_bus, struct hoy_error *err)
{
	return bus_open(is_of_user(path), clock_ms() + SYSTEMD_MS, ret_bus, err);
}

/* Whether systemd is there is seen before anything is made. */
static int systemd_prepare(const struct plan_cgroup *plan, struct cgroup *ret_cgroup,
			   struct hoy_error *err)
{
	struct bus bus;

	if (!string_ends(plan->unit, ".scope"))
		return fail_at(err, plan->at, 0,
			       "unit %s is no scope: processes can be put only "
			       "into a scope",
			       plan->unit);
	if (open_manager(plan->path, &bus, err) < 0)
		return -1;
	bus_done(&bus);
	*ret_cgroup = CGROUP_NONE;
	format_text(ret_cgroup->path, sizeof(ret_cgroup->path), "%s%s", plan->mount_point,
		    plan->path);
	return 0;
}

/* ---- properties ---- */

static void add_devices(struct systemd_properties *properties, const struct plan_cgroup *plan)
{
	autoclose int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *devices = arena_alloc(properties->arena, 1, DEVICES_SIZE);

	/* Without the list systemd is told more than the rules allow, which hoy's program narrows.
	 */
	if (devices && (proc < 0 || file_read(proc, "devices", devices, DEVICES_SIZE) < 0))
		*devices = '\0';
	if (devices)
		systemd_add_devices(properties, plan->device_rules, plan->device_rules_len,
				    devices);
	else
		properties->failed = true;
}

static int make_properties(const struct plan_cgroup *plan, pid_t pid,
			   struct systemd_properties *properties, struct hoy_error *err)
{
	systemd_add_string(properties, "Description",
			   arena_format(properties->arena, "container %s", plan->unit));
	systemd_add_string(properties, "Slice", plan->slice);
	systemd_add_number(properties, "Delegate", "b", true);
	systemd_add_number(properties, "PIDs", "au", (uint64_t)pid);
	/* The engine, not the shutdown of the machine, decides when a container is stopped. */
	systemd_add_number(properties, "DefaultDependencies", "b", false);
	/* Not to be kept for inspection when it has failed: the id can be used again. */
	systemd_add_string(properties, "CollectMode", "inactive-or-failed");
	systemd_add_limits(properties, plan->writes, plan->writes_len, false);
	if (plan->has_device_rules)
		add_devices(properties, plan);
	for (size_t i = 0; i < plan->properties_len; i++)
		if (systemd_add_annotation(properties, plan->properties[i].key,
					   plan->properties[i].value, err) < 0)
			return -1;
	return properties->failed ? fail(err, ENOMEM, "describe systemd unit %s", plan->unit) : 0;
}

/* ---- the scope ---- */

/* True if no process is in the unit's cgroup, or it is gone: systemd may never notice the latter.
 */
static bool is_abandoned(struct bus *bus, const struct plan_cgroup *plan)
{
	char path[PATH_MAX], group[PATH_MAX];
	struct hoy_error unimportant;
	autoclose int fd = -1;

	if (bus_control_group(bus, plan->unit, group, sizeof(group), &unimportant) < 0)
		return true;
	if (format_text(path, sizeof(path), "%s%s", plan->mount_point, group) >= sizeof(path))
		return false;
	fd = tree_open(path);
	return fd == -ENOENT || (fd >= 0 && events_read(fd, "cgroup.events", "populated") == 0);
}

/*
 * A unit of this name may be what is left of a container that has ended, or about to go. One with
 * processes in it is somebody's: it is never stopped for us.
 */
static int start_unit(struct bus *bus, const struct plan_cgroup *plan,
		      const struct systemd_properties *properties, struct hoy_error *err)
{
	const struct timespec pause = { .tv_nsec = EXISTS_WAIT_NS };
	struct hoy_error unimportant;
	int r;

	for (int tries = 1;; tries++) {
		r = bus_start_unit(bus, plan->unit, properties, err);
		if (r != -EEXIST || tries == EXISTS_TRIES)
			break;
		if (is_abandoned(bus, plan)) {
			(void)bus_stop_unit(bus, plan->unit, &unimportant);
			bus_reset_failed(bus, plan->unit);
		}
		(void)nanosleep(&pause, NULL);
	}
	return r < 0 ? fail_from(err, plan->at) : 0;
}

/* Opens the cgroup that systemd has made, and sees that init is in it. */
static int open_scope(struct bus *bus, const struct plan_cgroup *plan, struct cgroup *cgroup,
		      struct hoy_error *err)
{
	char path[sizeof(cgroup->path) - 256];
	struct stat stat;
	int fd;

	if (bus_control_group(bus, plan->unit, path, sizeof(path), err) < 0)
		return -1;
	if (format_text(cgroup->path, sizeof(cgroup->path), "%s%s", plan->mount_point, path) >=
	    sizeof(cgroup->path))
		return fail(err, ENAMETOOLONG, "open cgroup %s", path);
	fd = tree_open(cgroup->path);
	if (fd < 0)
		return fail(err, fd, "open cgroup %s", cgroup->path);
	cgroup->fd = fd;
	if (fstat(fd, &stat) < 0)
		return fail(err, errno, "examine cgroup %s", cgroup->path);
	cgroup->inode = stat.st_ino;
	if (events_read(fd, "cgroup.events", "populated") != 1)
		return fail(err, 0, "systemd has not put the container into cgroup %s",
			    cgroup->path);
	return 0;
}

/* Limits in the files, for what systemd does not know; the path is systemd's, not the plan's. */
static int limit(const struct plan_cgroup *plan, struct cgroup *cgroup, struct hoy_error *err)
{
	autoclose int mount = tree_open(plan->mount_point);

	if (mount < 0)
		return fail_at(err, plan->at, mount, "open cgroup %s", plan->mount_point);
	if (controllers_enable(mount, cgroup->path + strlen(plan->mount_point) + 1, plan->writes,
			       plan->writes_len, err) < 0 ||
	    cgroup_write_all(cgroup->fd, plan->writes, plan->writes_len, false, err) < 0 ||
	    resources_delegate(cgroup->fd, plan, err) < 0)
		return -1;
	if (!plan->has_device_rules)
		return 0;
	return cgroup_attach_devices(cgroup->fd, plan->device_rules, plan->device_rules_len, 0,
				     &cgroup->device_program, err);
}

static int adopt(struct bus *bus, const struct plan_cgroup *plan, pid_t pid, struct cgroup *cgroup,
		 struct hoy_error *err)
{
	struct arena arena = { .blocks = NULL };
	struct systemd_properties properties = { .arena = &arena };
	int r = make_properties(plan, pid, &properties, err);

	if (r >= 0)
		r = start_unit(bus, plan, &properties, err);
	arena_done(&arena);
	if (r >= 0)
		r = open_scope(bus, plan, cgroup, err);
	return r < 0 ? -1 : limit(plan, cgroup, err);
}

/* When it fails, the caller ends init, and with its last process the scope goes. */
static int systemd_adopt(const struct plan_cgroup *plan, pid_t pid, struct cgroup *cgroup,
			 struct hoy_error *err)
{
	struct bus bus;
	int r;

	if (open_manager(plan->path, &bus, err) < 0)
		return -1;
	r = adopt(&bus, plan, pid, cgroup, err);
	bus_done(&bus);
	return r;
}

/* ---- afterwards ---- */

static int set_properties(const char *unit, const char *path,
			  const struct systemd_properties *properties, struct hoy_error *err)
{
	struct bus bus;
	int r;

	if (properties->failed)
		return fail(err, ENOMEM, "change systemd unit %s", unit);
	if (properties->len == 0)
		return 0;
	if (open_manager(path, &bus, err) < 0)
		return -1;
	r = bus_set_properties(&bus, unit, properties, err);
	bus_done(&bus);
	return r;
}

static int systemd_update(const struct plan_cgroup *plan, const struct cgroup *cgroup,
			  struct hoy_error *err)
{
	struct arena arena = { .blocks = NULL };
	struct systemd_properties properties = { .arena = &arena };
	int r;

	systemd_add_limits(&properties, plan->writes, plan->writes_len, false);
	systemd_add_limits(&properties, plan->writes, plan->writes_len, true);
	if (plan->has_device_rules)
		add_devices(&properties, plan);
	r = set_properties(plan->unit, cgroup->path, &properties, err);
	arena_done(&arena);
	return r;
}

int cgroup_write_late(const struct cgroup *cgroup, const char *unit,
		      const struct plan_cgroup_write *writes, size_t len, struct hoy_error *err)
{
	struct arena arena = { .blocks = NULL };
	struct systemd_properties properties = { .arena = &arena };
	int r = 0;

	if (*unit) {
		systemd_add_limits(&properties, writes, len, true);
		r = set_properties(unit, cgroup->path, &properties, err);
		arena_done(&arena);
	}
	return r < 0 ? -1 : cgroup_write_all(cgroup->fd, writes, len, true, err);
}

int cgroup_stop_unit(const char *unit, const char *path, int64_t deadline_ms, struct hoy_error *err)
{
	struct bus bus;
	int r;

	if (bus_open(is_of_user(path), deadline_ms, &bus, err) < 0)
		return -1;
	r = bus_stop_unit(&bus, unit, err);
	if (r >= 0)
		bus_reset_failed(&bus, unit);
	bus_done(&bus);
	return r < 0 ? -1 : 0;
}

/* Where a directory of the cgroup2 tree is below another one; "/" if they are the same. */
static int find_below(int target, const char *top, char *below, size_t size)
{
	char link[48], path[PATH_MAX];
	size_t top_len = strlen(top);
	ssize_t len;

	format_text(link, sizeof(link), "/proc/self/fd/%d", target);
	len = readlinkat(AT_FDCWD, link, path, sizeof(path) - 1);
	if (len < 0)
		return -errno;
	path[len] = '\0';
	if (!string_starts(path, top) || (path[top_len] != '/' && path[top_len] != '\0'))
		return -EXDEV;
	format_text(below, size, "%s", path[top_len] ? path + top_len : "/");
	return 0;
}

int cgroup_move(const struct cgroup_target *target, pid_t pid, struct hoy_error *err)
{
	char number[16], below[PATH_MAX];
	struct hoy_error unimportant;
	struct bus bus;
	int r, attached;

	format_text(number, sizeof(number), "%d", (int)pid);
	r = file_write_text(target->fd, "cgroup.procs", number);
	if (r >= 0)
		return 0;
	fail(err, r, "put the process into the container's cgroup");
	/* A user may move within his part of the tree only; his systemd can ask that of the system.
	 */
	if ((r != -EACCES && r != -EPERM) || !target->unit || !*target->unit ||
	    find_below(target->fd, target->unit_path, below, sizeof(below)) < 0 ||
	    open_manager(target->unit_path, &bus, &unimportant) < 0)
		return -1;
	attached = bus_attach_process(&bus, target->unit, below, pid, err);
	bus_done(&bus);
	return attached;
}

const struct cgroup_driver systemd_driver = {
	.name = "systemd",
	.prepare = systemd_prepare,
	.adopt = systemd_adopt,
	.update = systemd_update,
};
