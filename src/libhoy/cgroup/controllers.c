/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the controllers that the limits need available in the container's cgroup: enables them in
 * every cgroup above it, as cgroup v2 demands (Documentation/admin-guide/cgroup-v2.rst, "Enabling
 * and Disabling"). Runs in the runtime. Never disables one, and writes nothing where nothing is
 * missing: those cgroups are not ours.
 */
#include "cgroup/controllers.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cgroup/tree.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/file.h"

/* A process on its way out of the cgroup makes it EBUSY for a moment. */
#define BUSY_TRIES   20
#define BUSY_WAIT_NS 1000000

/** The controllers that are needed, each by the first write that needs it. */
struct needs {
	const struct plan_cgroup_write *items[32];
	size_t len;
};

static bool has_word(const char *list, const char *word, size_t word_len)
{
	for (const char *at = list; *at; at += strcspn(at, " \n")) {
		at += strspn(at, " \n");
		if (strcspn(at, " \n") == word_len && strncmp(at, word, word_len) == 0)
			return true;
	}
	return false;
}

static bool has_controller(const char *list, const char *controller)
{
	return has_word(list, controller, strlen(controller));
}

static void add_need(struct needs *needs, const struct plan_cgroup_write *write)
{
	if (!write->controller || needs->len == ARRAY_LEN(needs->items))
		return;
	for (size_t i = 0; i < needs->len; i++)
		if (strcmp(needs->items[i]->controller, write->controller) == 0)
			return;
	needs->items[needs->len++] = write;
}

/* The controllers of `list`, a line of cgroup.controllers or cgroup.subtree_control, are met. */
static void drop_met(struct needs *needs, const char *list)
{
	size_t len = 0;

	for (size_t i = 0; i < needs->len; i++)
		if (!has_controller(list, needs->items[i]->controller))
			needs->items[len++] = needs->items[i];
	needs->len = len;
}

/* What /proc/cgroups tells of a controller that the root of the tree does not offer. */
enum absence {
	ABSENCE_NOT_COMPILED,
	ABSENCE_DISABLED,
	ABSENCE_V1,
	/* The kernel has it, yet not this cgroup: it is not the root, or the caller's view ends
	   here. */
	ABSENCE_NOT_DELEGATED,
};

/* A line of /proc/cgroups: name, hierarchy, number of cgroups, enabled. */
static enum absence absence_of_line(const char *line)
{
	char *end;
	long hierarchy = strtol(line, &end, 10), enabled;

	(void)strtol(end, &end, 10);
	enabled = strtol(end, NULL, 10);
	if (!enabled)
		return ABSENCE_DISABLED;
	return hierarchy ? ABSENCE_V1 : ABSENCE_NOT_DELEGATED;
}

static enum absence absence_of(const char *controller)
{
	/* The io controller has the name of its predecessor there. */
	const char *name = strcmp(controller, "io") == 0 ? "blkio" : controller;
	autoclose int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	size_t len = strlen(name);
	char table[4096];

	if (proc < 0 || file_read(proc, "cgroups", table, sizeof(table)) < 0)
		return ABSENCE_NOT_DELEGATED;
	for (const char *line = table; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, len) == 0 && line[len] == '\t')
			return absence_of_line(line + len);
	}
	return ABSENCE_NOT_COMPILED;
}

/* True at the top of the whole hierarchy: only the true root has no cgroup.type. */
static bool is_true_root(int cgroup)
{
	return faccessat(cgroup, "cgroup.type", F_OK, 0) < 0 && errno == ENOENT;
}

/* The error for a controller that `cgroup`, at `prefix` of the path, does not have itself. */
static int fail_missing(struct hoy_error *err, const struct plan_cgroup_write *write, int cgroup,
			const char *prefix)
{
	static const struct {
		const char *reason, *hint;
	} texts[] = {
		[ABSENCE_NOT_COMPILED] = { "not compiled into this kernel", NULL },
		[ABSENCE_DISABLED] = { "disabled by the kernel parameter cgroup_disable",
				       "remove cgroup_disable from the kernel's command line" },
		[ABSENCE_V1] = { "bound to cgroup v1",
				 "boot with systemd.unified_cgroup_hierarchy=1 or "
				 "cgroup_no_v1=all" },
		[ABSENCE_NOT_DELEGATED] = { "not delegated to this cgroup",
					    "enable it in cgroup.subtree_control of the cgroup "
					    "above, or delegate it (systemd: Delegate=yes)" },
	};
	enum absence absence = absence_of(write->controller);

	/* Newer kernels list only what can be bound to cgroup v1. */
	if (absence == ABSENCE_NOT_COMPILED && !is_true_root(cgroup))
		absence = ABSENCE_NOT_DELEGATED;
	fail_at(err, write->at, 0, "cgroup controller %s is not available in /%s: %s",
		write->controller, prefix, texts[absence].reason);
	return texts[absence].hint ? fail_hint(err, "%s", texts[absence].hint) : -1;
}

static int fail_enable(struct hoy_error *err, const struct plan_cgroup_write *write, int code,
		       const char *prefix)
{
	fail_at(err, write->at, code, "enable cgroup controller %s in /%s", write->controller,
		prefix);
	if (code == -EBUSY)
		fail_hint(err, "a cgroup that holds processes cannot enable controllers for its "
			       "children (\"no internal processes\"): move them to a sub-cgroup");
	if (code == -EACCES || code == -EPERM || code == -EROFS)
		fail_hint(err, "the cgroup is not delegated to this user (systemd: Delegate=%s)",
			  write->controller);
	if (code == -EOPNOTSUPP)
		fail_hint(err, "the cgroup is threaded, which excludes this controller");
	return -1;
}

static int write_patiently(int cgroup, const char *change)
{
	const struct timespec pause = { .tv_nsec = BUSY_WAIT_NS };
	int r;

	for (int tries = 1;; tries++) {
		r = file_write_text(cgroup, "cgroup.subtree_control", change);
		if (r != -EBUSY || tries == BUSY_TRIES)
			return r;
		(void)nanosleep(&pause, NULL);
	}
}

/* Enables all that is needed; where the kernel refuses them together, says which one it is. */
static int enable(int cgroup, const struct needs *needs, const char *prefix, struct hoy_error *err)
{
	char change[1024];
	size_t len = 0;

	for (size_t i = 0; i < needs->len && len < sizeof(change); i++)
		len += format_text(change + len, sizeof(change) - len, "%s+%s", i ? " " : "",
				   needs->items[i]->controller);
	if (len < sizeof(change) && write_patiently(cgroup, change) >= 0)
		return 0;
	for (size_t i = 0; i < needs->len; i++) {
		int r;

		format_text(change, sizeof(change), "+%s", needs->items[i]->controller);
		r = write_patiently(cgroup, change);
		if (r < 0)
			return fail_enable(err, needs->items[i], r, prefix);
	}
	return 0;
}

/* One cgroup on the way down: what is needed must be there, and is enabled for those below. */
static int pass_down(int mount, const char *prefix, const struct needs *all, struct hoy_error *err)
{
	autoclose int cgroup = tree_open_below(mount, *prefix ? prefix : ".");
	struct needs missing = *all;
	char list[1024];
	int r = cgroup;

	if (r >= 0)
		r = (int)file_read(cgroup, "cgroup.subtree_control", list, sizeof(list));
	if (r >= 0) {
		drop_met(&missing, list);
		if (missing.len == 0)
			return 0;
		r = (int)file_read(cgroup, "cgroup.controllers", list, sizeof(list));
	}
	if (r < 0)
		return fail_at(err, all->items[0]->at, r, "read the controllers of cgroup /%s",
			       prefix);
	for (size_t i = 0; i < missing.len; i++)
		if (!has_controller(list, missing.items[i]->controller))
			return fail_missing(err, missing.items[i], cgroup, prefix);
	return enable(cgroup, &missing, prefix, err);
}

/* True if the cgroup above the container's passes all of them down already. */
static bool are_met(int mount, const char *path, const struct needs *all)
{
	const char *slash = strrchr(path, '/');
	struct needs missing = *all;
	char prefix[PATH_MAX] = ".", list[1024];
	autoclose int parent = -1;

	if (slash)
		format_text(prefix, sizeof(prefix), "%.*s", (int)(slash - path), path);
	parent = tree_open_below(mount, prefix);
	if (parent < 0 || file_read(parent, "cgroup.subtree_control", list, sizeof(list)) < 0)
		return false;
	drop_met(&missing, list);
	return missing.len == 0;
}

int controllers_enable(int mount, const char *path, const struct plan_cgroup_write *writes,
		       size_t len, struct hoy_error *err)
{
	struct needs all = { .len = 0 };
	char prefix[PATH_MAX] = "";

	for (size_t i = 0; i < len; i++)
		add_need(&all, &writes[i]);
	if (all.len == 0 || are_met(mount, path, &all))
		return 0;
	if (pass_down(mount, "", &all, err) < 0)
		return -1;
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		format_text(prefix, sizeof(prefix), "%.*s", (int)(slash - path), path);
		if (pass_down(mount, prefix, &all, err) < 0)
			return -1;
	}
	return 0;
}

/* Enables for the children of one cgroup what it has itself. */
static void offer_below(int mount, const char *prefix)
{
	autoclose int cgroup = tree_open_below(mount, *prefix ? prefix : ".");
	char available[1024], enabled[1024], change[64];

	if (cgroup < 0 ||
	    file_read(cgroup, "cgroup.controllers", available, sizeof(available)) < 0 ||
	    file_read(cgroup, "cgroup.subtree_control", enabled, sizeof(enabled)) < 0)
		return;
	for (const char *at = available; *at; at += strcspn(at, " \n")) {
		size_t len;

		at += strspn(at, " \n");
		len = strcspn(at, " \n");
		if (len == 0 || has_word(enabled, at, len))
			continue;
		format_text(change, sizeof(change), "+%.*s", (int)len, at);
		(void)file_write_text(cgroup, "cgroup.subtree_control", change);
	}
}

void controllers_offer(int mount, const char *path)
{
	char prefix[PATH_MAX] = "";

	offer_below(mount, "");
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		format_text(prefix, sizeof(prefix), "%.*s", (int)(slash - path), path);
		offer_below(mount, prefix);
	}
}
