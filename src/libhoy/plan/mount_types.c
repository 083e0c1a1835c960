/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is particular to a type of file system: where it may be mounted, what stands in for it
 * where the kernel refuses a new one, and parameters that do not fit. Runs in the runtime; pure.
 */
#include <linux/capability.h>
#include <string.h>

#include "base/number.h"
#include "base/string.h"
#include "plan/build.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"

/** What the kernel makes for the caller's namespaces, so that it may refuse a new one (EPERM). */
static const struct type_rule {
	const char *fstype;
	/** Must land on a real directory: programs look for it by name. */
	bool no_symlinks;
	/** The kernel fills it: nothing can be made in it. */
	bool is_fixed;
	/** SELinux can label it by the parameter context=. */
	bool has_context;
	/** Bound instead in a user namespace that does not own the namespace it shows. */
	const char *fallback;
	bool fallback_recursive;
	/** That namespace; 0 if the kernel may refuse a new one even so. */
	uint64_t shows;
} rules[] = {
	{ "cgroup2", false, true, false, NULL, false, 0 },
	{ "devpts", true, true, true, NULL, false, 0 },
	{ "mqueue", true, true, false, "/dev/mqueue", false, CLONE_NEWIPC },
	{ "proc", true, true, false, "/proc", true, CLONE_NEWPID },
	{ "sysfs", true, true, false, "/sys", true, 0 },
};

static const struct type_rule *find_rule(const char *fstype)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (strcmp(rules[i].fstype, fstype) == 0)
			return &rules[i];
	return NULL;
}

bool plan_mount_is_fixed(const struct plan_mount *mount)
{
	const struct type_rule *rule = mount->kind == PLAN_MOUNT_NEW ? find_rule(mount->fstype)
								     : NULL;

	return rule && rule->is_fixed;
}

/* ---- cgroup ---- */

/* The directory of the container's cgroup on the host, its caller's if it has none; stored only. */
static const char *cgroup_directory(struct plan_builder *builder)
{
	const struct host *host = builder->host;
	const char *path = builder->plan->cgroup.path ? builder->plan->cgroup.path
						      : host->cgroup_own;
	const char *leaf = builder->plan->cgroup.leaf;

	return arena_format(builder->arena, "%s%s%s%s", host->cgroup_root,
			    strcmp(path, "/") == 0 ? "" : path, leaf ? "/" : "", leaf ? leaf : "");
}

/*
 * Type cgroup asks for the container's own cgroups, whatever the version: a new mount shows just
 * them in a new cgroup namespace; elsewhere it would show the whole host, so they are bound.
 */
static int plan_cgroup_mount(struct plan_builder *builder, struct plan_mount *mount)
{
	if (builder->plan->namespaces.create & CLONE_NEWCGROUP) {
		mount->fstype = "cgroup2";
		return 0;
	}
	if (builder->host->cgroup_layout == HOST_CGROUP_NONE)
		return fail_at(builder->err, mount->at, 0, "no cgroup2 file system is mounted");
	mount->kind = PLAN_MOUNT_BIND;
	mount->fstype = NULL;
	mount->source = cgroup_directory(builder);
	mount->source_is_directory = true;
	/* Where none can be made the container stays in its caller's. */
	if (builder->plan->cgroup.optional)
		mount->fallback_source = arena_format(
			builder->arena, "%s%s", builder->host->cgroup_root,
			strcmp(builder->host->cgroup_own, "/") == 0 ? ""
								    : builder->host->cgroup_own);
	return mount->source ? 0 : plan_no_memory(builder);
}

int plan_mount_type(struct plan_builder *builder, struct plan_mount *mount)
{
	if (mount->kind == PLAN_MOUNT_NEW && strcmp(mount->fstype, "cgroup") == 0)
		return plan_cgroup_mount(builder, mount);
	return 0;
}

/* ---- below /proc ---- */

/** What lxcfs and its like put over files of /proc. */
static const char *const proc_files[] = {
	"/proc/cpuinfo",
	"/proc/diskstats",
	"/proc/loadavg",
	"/proc/meminfo",
	"/proc/slabinfo",
	"/proc/stat",
	"/proc/swaps",
	"/proc/sys/crypto/fips_enabled",
	"/proc/sys/kernel/ns_last_pid",
	"/proc/uptime",
};

static bool is_proc_file(const char *destination)
{
	for (size_t i = 0; i < ARRAY_LEN(proc_files); i++)
		if (strcmp(proc_files[i], destination) == 0)
			return true;
	return false;
}

static int plan_proc_rule(struct plan_builder *builder, struct plan_mount *mount)
{
	const char *destination = mount->destination;
	bool is_proc = strcmp(destination, "/proc") == 0;
	bool is_type_proc = mount->kind == PLAN_MOUNT_NEW && strcmp(mount->fstype, "proc") == 0;

	if (!is_proc && !plan_is_below(destination, "/proc"))
		return 0;
	if (is_proc && mount->kind == PLAN_MOUNT_NEW && !is_type_proc)
		return fail_at(builder->err, mount->at, 0,
			       "a %s cannot be mounted on /proc: only proc can", mount->fstype);
	if (is_type_proc || mount->kind == PLAN_MOUNT_REMOUNT || is_proc_file(destination))
		mount->proc_rule = PLAN_PROC_ALLOWED;
	else if (mount->kind == PLAN_MOUNT_BIND)
		mount->proc_rule = PLAN_PROC_FROM_PROC;
	return 0;
}

/* ---- fall-backs ---- */

static void plan_fallback(struct plan_builder *builder, const struct type_rule *rule,
			  struct plan_mount *mount)
{
	if (strcmp(mount->fstype, "cgroup2") == 0 &&
	    builder->host->cgroup_layout != HOST_CGROUP_NONE)
		mount->fallback_source = cgroup_directory(builder);
	if (!rule->fallback || !builder->in_user_namespace ||
	    (rule->shows && plan_has_own(builder, rule->shows)))
		return;
	mount->fallback_source = rule->fallback;
	mount->fallback_recursive = rule->fallback_recursive;
}

/*
 * A cgroup tree of the host that belongs to the caller must not be writable from inside: its
 * owner's other processes are in it (CVE-2023-25809).
 */
static void protect_cgroups(const struct plan_builder *builder, const struct config_mount *from,
			    struct plan_mount *mount)
{
	bool is_cgroup = from->type && string_starts(from->type, "cgroup");

	if (is_cgroup && mount->kind != PLAN_MOUNT_REMOUNT && !builder->host->privileged &&
	    !(builder->plan->namespaces.create & CLONE_NEWCGROUP))
		mount->attributes.set |= MOUNT_ATTR_RDONLY;
}

/* ---- parameters ---- */

/* devpts refuses ids that the user namespace does not map; the configuration cannot know them. */
static void drop_unmapped(struct plan_builder *builder, struct plan_mount *mount)
{
	size_t kept = 0;

	for (size_t i = 0; i < mount->parameters_len; i++) {
		const struct plan_parameter parameter = mount->parameters[i];
		uint32_t gid;

		if (strcmp(parameter.key, "gid") == 0 && parameter.value &&
		    number_gid(parameter.value, &gid) == 0 && !plan_maps_gid(builder, gid)) {
			plan_warn(builder, mount->at,
				  "option 'gid=%s' is dropped: the user namespace does not map it",
				  parameter.value);
			continue;
		}
		mount->parameters[kept++] = parameter;
	}
	mount->parameters_len = kept;
}

static int add_label(struct plan_builder *builder, const struct type_rule *rule,
		     struct plan_mount *mount)
{
	const char *label = builder->plan->mount_label;
	const char *option = builder->plan->mount_label_option;

	if (!label || (rule && !rule->has_context) || plan_mount_has(mount, option))
		return 0;
	return plan_mount_parameter(builder, mount, option, label);
}

/* A read-only block device can only be mounted by a read-only file system. */
static int add_readonly(struct plan_builder *builder, struct plan_mount *mount)
{
	if (!(mount->attributes.set & MOUNT_ATTR_RDONLY) || !mount->source ||
	    mount->source[0] != '/')
		return 0;
	return plan_mount_parameter(builder, mount, "ro", NULL);
}

static int finish_new(struct plan_builder *builder, struct plan_mount *mount)
{
	const struct type_rule *rule = find_rule(mount->fstype);

	if (rule) {
		mount->no_symlinks |= rule->no_symlinks;
		plan_fallback(builder, rule, mount);
	} else if (add_readonly(builder, mount) < 0) {
		return -1;
	}
	if (strcmp(mount->fstype, "devpts") == 0) {
		mount->is_devpts = true;
		drop_unmapped(builder, mount);
	}
	if (strcmp(mount->fstype, "tmpfs") == 0)
		mount->inherit_mode = !plan_mount_has(mount, "mode");
	if (add_label(builder, rule, mount) < 0)
		return -1;
	return plan_mount_data(builder, mount);
}

int plan_mount_finish(struct plan_builder *builder, const struct config_mount *from,
		      struct plan_mount *mount)
{
	protect_cgroups(builder, from, mount);
	if (plan_proc_rule(builder, mount) < 0)
		return -1;
	return mount->kind == PLAN_MOUNT_NEW ? finish_new(builder, mount) : 0;
}
