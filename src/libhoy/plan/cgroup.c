/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the container's cgroup is, by which manager it is made, what its device program allows
 * and to whom it is handed. The limits are in resources.c. Runs in the runtime; pure.
 * Spec: config-linux.md#cgroups-path, #cgroup-ownership, #allowed-device-list.
 */
#include <string.h>

#include "base/string.h"
#include "plan/build.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"

/** Below which cgroups are made whose place is ours to choose. */
#define OWN_PARENT "hoy"

#define PROPERTY_PREFIX "org.systemd.property."

static const char at_path[] = "linux.cgroupsPath";
static const char at_devices[] = "linux.resources.devices";

/* The first write that some limit really depends on, or NULL. */
static const struct plan_cgroup_write *find_demand(const struct plan_cgroup *cgroup)
{
	for (size_t i = 0; i < cgroup->writes_len; i++)
		if (!cgroup->writes[i].optional)
			return &cgroup->writes[i];
	return NULL;
}

/* ---- device program ---- */

enum {
	MKNOD = 1,
	READ = 2,
	WRITE = 4,
	ALL = MKNOD | READ | WRITE,
};

/** Always usable, whatever the configuration denies: what every container has, and tun. */
static const struct plan_device_rule default_rules[] = {
	{ true, 'c', -1, -1, MKNOD }, { true, 'b', -1, -1, MKNOD }, { true, 'c', 1, 3, ALL },
	{ true, 'c', 1, 5, ALL },     { true, 'c', 1, 7, ALL },	    { true, 'c', 1, 8, ALL },
	{ true, 'c', 1, 9, ALL },     { true, 'c', 5, 0, ALL },	    { true, 'c', 5, 2, ALL },
	{ true, 'c', 136, -1, ALL },  { true, 'c', 10, 200, ALL },
};

static unsigned int access_bits(const char *access)
{
	unsigned int bits = 0;

	for (const char *c = access ? access : ""; *c; c++)
		bits |= *c == 'm' ? MKNOD : *c == 'r' ? READ : *c == 'w' ? WRITE : 0;
	return bits ? bits : ALL;
}

static int plan_device_rules(struct plan_builder *builder, const struct config_resources *from)
{
	struct plan_cgroup *cgroup = &builder->plan->cgroup;

	if (!from || !from->devices.len)
		return 0;
	if (!cgroup->path || !builder->host->privileged) {
		plan_warn(builder, at_devices, "not applied: %s",
			  cgroup->path ? "only privileged callers can limit devices"
				       : "the container has no cgroup");
		return 0;
	}
	for (size_t i = 0; i < from->devices.len; i++) {
		const struct config_device_rule *item = &from->devices.items[i];
		struct plan_device_rule *rule = PLAN_APPEND(builder, cgroup->device_rules);

		if (!rule)
			return -1;
		rule->allow = item->allow;
		rule->type = item->type ? item->type : 'a';
		rule->major = item->major.set ? item->major.value : -1;
		rule->minor = item->minor.set ? item->minor.value : -1;
		rule->access = access_bits(item->access);
	}
	for (size_t i = 0; i < ARRAY_LEN(default_rules); i++) {
		struct plan_device_rule *rule = PLAN_APPEND(builder, cgroup->device_rules);

		if (!rule)
			return -1;
		*rule = default_rules[i];
	}
	cgroup->has_device_rules = true;
	return 0;
}

/* ---- the path of cgroupfs ---- */

static bool is_systemd_form(const char *path)
{
	const char *second = strchr(path, ':');

	second = second ? strchr(second + 1, ':') : NULL;
	return second && !strchr(second + 1, ':') && !strchr(path, '/');
}

/* It is a path all the same: dockerd's BuildKit writes such ones without asking for systemd. */
static void check_path(struct plan_builder *builder, const char *path)
{
	if (is_systemd_form(path))
		plan_warn(builder, at_path,
			  "'%s' is a path here, not systemd's slice:prefix:name: use "
			  "--systemd-cgroup for that",
			  path);
}

/* Beside the caller's own cgroup: there a user may make cgroups, if anywhere. */
static const char *parent_of_own(struct plan_builder *builder)
{
	const char *own = builder->host->cgroup_own;

	return arena_strndup(builder->arena, own, (size_t)(strrchr(own, '/') - own));
}

static int plan_cgroupfs(struct plan_builder *builder)
{
	struct plan_cgroup *cgroup = &builder->plan->cgroup;
	const char *path = builder->platform->cgroups_path;
	const char *parent = "";

	if (path)
		check_path(builder, path);
	if (!path || !*path)
		path = builder->options->id;
	if (path[0] != '/') {
		if (!builder->host->privileged && !builder->host->cgroup_own[0])
			return 0;
		if (!builder->host->privileged)
			parent = parent_of_own(builder);
		if (!parent)
			return plan_no_memory(builder);
		path = arena_format(builder->arena, "%s/" OWN_PARENT "/%s", parent, path);
		if (!path)
			return plan_no_memory(builder);
	}
	cgroup->path = plan_clean_path(builder, at_path, path);
	if (!cgroup->path)
		return -1;
	/* To delete the container would be to kill all that runs. */
	if (cgroup->path[1] == '\0')
		return fail_at(builder->err, at_path, 0, "the root cgroup cannot be a container's");
	return 0;
}

/* ---- systemd's scope ---- */

static bool is_slice(const char *name)
{
	size_t len = strlen(name);

	if (strcmp(name, "-.slice") == 0)
		return true;
	return string_ends(name, ".slice") && len > strlen(".slice") && !strchr(name, '/') &&
	       !string_has_control(name) && name[0] != '-' &&
	       name[len - strlen(".slice") - 1] != '-' && !strstr(name, "--");
}

/* "a-b.slice" lies in "a.slice": its place below the manager's root (systemd.slice(5)). */
static const char *slice_path(struct plan_builder *builder, const char *slice)
{
	const char *path = "";

	if (strcmp(slice, "-.slice") == 0)
		return path;
	for (const char *dash = strchr(slice, '-'); dash && path; dash = strchr(dash + 1, '-'))
		path = arena_format(builder->arena, "%s/%.*s.slice", path, (int)(dash - slice),
				    slice);
	return path ? arena_format(builder->arena, "%s/%s", path, slice) : NULL;
}

/* Where the user's systemd has its tree; that of the system has the whole. */
static const char *manager_path(struct plan_builder *builder)
{
	const struct host *host = builder->host;
	const char *service = strstr(host->cgroup_own, "/user@"), *end;

	if (host->privileged)
		return "";
	end = service ? strstr(service, ".service") : NULL;
	if (end)
		return arena_strndup(builder->arena, host->cgroup_own,
				     (size_t)(end - host->cgroup_own) + strlen(".service"));
	return arena_format(builder->arena, "/user.slice/user-%u.slice/user@%u.service", host->euid,
			    host->euid);
}

/* Takes "slice:prefix:name" apart; what is absent or empty has a default. */
static int read_systemd_path(struct plan_builder *builder, const char **ret_slice,
			     const char **ret_unit)
{
	const char *path = builder->platform->cgroups_path;
	const char *prefix, *name;
	bool is_privileged = builder->host->privileged;

	*ret_slice = is_privileged ? "system.slice" : "user.slice";
	if (!path || !*path) {
		*ret_unit = arena_format(builder->arena, "hoy-%s.scope", builder->options->id);
		return 0;
	}
	if (!is_systemd_form(path))
		return fail_at(builder->err, at_path, 0,
			       "'%s' is not of systemd's form slice:prefix:name", path);
	prefix = strchr(path, ':') + 1;
	name = strchr(prefix, ':') + 1;
	if (prefix - 1 > path)
		*ret_slice = arena_strndup(builder->arena, path, (size_t)(prefix - 1 - path));
	if (!*name)
		return fail_at(builder->err, at_path, 0, "'%s' has no name", path);
	if (string_ends(name, ".slice"))
		*ret_unit = name;
	else
		*ret_unit = arena_format(builder->arena, "%.*s%s%s.scope", (int)(name - 1 - prefix),
					 prefix, name - 1 > prefix ? "-" : "", name);
	return 0;
}

static int plan_properties(struct plan_builder *builder)
{
	const struct string_map *annotations = &builder->config->annotations;
	struct plan_cgroup *cgroup = &builder->plan->cgroup;

	for (size_t i = 0; i < annotations->len; i++) {
		struct plan_parameter *property;

		if (!string_starts(annotations->items[i].key, PROPERTY_PREFIX))
			continue;
		property = PLAN_APPEND(builder, cgroup->properties);
		if (!property)
			return -1;
		property->key = annotations->items[i].key + strlen(PROPERTY_PREFIX);
		property->value = annotations->items[i].value;
	}
	return 0;
}

static int plan_systemd(struct plan_builder *builder)
{
	struct plan_cgroup *cgroup = &builder->plan->cgroup;
	const char *manager, *parent;

	if (read_systemd_path(builder, &cgroup->slice, &cgroup->unit) < 0)
		return -1;
	if (!cgroup->slice || !cgroup->unit)
		return plan_no_memory(builder);
	if (!is_slice(cgroup->slice))
		return fail_at(builder->err, at_path, 0, "'%s' is not the name of a slice",
			       cgroup->slice);
	manager = manager_path(builder);
	parent = slice_path(builder, cgroup->slice);
	if (!manager || !parent)
		return plan_no_memory(builder);
	cgroup->path = arena_format(builder->arena, "%s%s/%s", manager, parent, cgroup->unit);
	cgroup->unshare_late = (builder->plan->namespaces.create & CLONE_NEWCGROUP) != 0;
	return plan_properties(builder);
}

/* ---- ownership ---- */

static bool is_writable_cgroup_mount(const struct plan_mount *mount)
{
	return mount->kind == PLAN_MOUNT_NEW && strcmp(mount->fstype, "cgroup2") == 0 &&
	       strcmp(mount->destination, "/sys/fs/cgroup") == 0 &&
	       !(mount->attributes.set & MOUNT_ATTR_RDONLY);
}

/* A container with a view of its own and write access gets its cgroup to manage. */
int plan_cgroup_owner(struct plan_builder *builder)
{
	const struct config_process *process = builder->config->process;
	struct plan *plan = builder->plan;
	uint32_t host_uid;

	if (!plan->cgroup.path || !builder->host->privileged ||
	    !(plan->namespaces.create & CLONE_NEWCGROUP))
		return 0;
	/* Whose ids they are is known only if the configuration describes the joined namespace. */
	if ((plan->namespaces.joined & CLONE_NEWUSER) && !builder->uid_maps_len)
		return 0;
	for (size_t i = 0; i < plan->mounts_len; i++)
		if (is_writable_cgroup_mount(&plan->mounts[i]) &&
		    plan_maps_uid(builder, process ? process->user.uid : 0, &host_uid))
			plan->cgroup.owner = host_uid;
	return 0;
}

/* ---- below the container's cgroup ---- */

/* Annotations of crun, which systemd in a container and engines for it use. */
int plan_leaf(struct plan_builder *builder)
{
	const char *group = config_annotation(builder->config, ANNOTATION_SYSTEMD_SUBGROUP);
	const char *delegated = config_annotation(builder->config, ANNOTATION_DELEGATE_CGROUP);
	bool has_group = group && *group && builder->options->cgroup_manager == HOY_CGROUP_SYSTEMD;
	bool has_delegated = delegated && *delegated;

	if (!has_group && !has_delegated)
		return 0;
	builder->plan->cgroup.leaf = arena_format(builder->arena, "%s%s%s", has_group ? group : "",
						  has_group && has_delegated ? "/" : "",
						  has_delegated ? delegated : "");
	return builder->plan->cgroup.leaf ? 0 : plan_no_memory(builder);
}

/* ---- all of it ---- */

/* Without a cgroup, what asks for one is an error that names the field. */
static int check_no_cgroup(struct plan_builder *builder, const char *why)
{
	const struct plan_cgroup_write *demand = find_demand(&builder->plan->cgroup);

	if (builder->plan->cgroup.path)
		return 0;
	if (demand)
		return fail_at(builder->err, demand->at, 0, "%s: no limit can be set", why);
	builder->plan->cgroup.writes_len = 0;
	return 0;
}

static int plan_place(struct plan_builder *builder)
{
	static const char *const no_mount = "no cgroup2 file system is mounted";
	static const char *const no_parent = "hoy's own cgroup is not known";

	switch (builder->options->cgroup_manager) {
	case HOY_CGROUP_DISABLED:
		return check_no_cgroup(builder, "the cgroup manager is disabled");
	case HOY_CGROUP_SYSTEMD:
		if (builder->host->cgroup_layout != HOST_CGROUP_NONE)
			return plan_systemd(builder);
		return check_no_cgroup(builder, no_mount);
	case HOY_CGROUP_CGROUPFS:
		if (builder->host->cgroup_layout == HOST_CGROUP_NONE)
			return check_no_cgroup(builder, no_mount);
		if (plan_cgroupfs(builder) < 0)
			return -1;
		return check_no_cgroup(builder, no_parent);
	}
	return 0;
}

int plan_cgroup(struct plan_builder *builder)
{
	const struct config_resources *resources = builder->platform->resources;
	struct plan_cgroup *cgroup = &builder->plan->cgroup;

	cgroup->at = at_path;
	cgroup->manager = builder->options->cgroup_manager;
	cgroup->mount_point = arena_strdup(builder->arena, builder->host->cgroup_root);
	if (resources && plan_resources(builder, resources) < 0)
		return -1;
	if (resources && resources->memory && resources->memory->check_before_update &&
	    resources->memory->limit.set && resources->memory->limit.value > 0)
		cgroup->check_memory_max = (uint64_t)resources->memory->limit.value;
	if (plan_place(builder) < 0 || plan_device_rules(builder, resources) < 0)
		return -1;
	for (size_t i = 0; i < cgroup->writes_len; i++)
		cgroup->has_late_writes |= cgroup->writes[i].late;
	cgroup->optional = !builder->host->privileged && !find_demand(cgroup);
	return cgroup->path ? plan_leaf(builder) : 0;
}
