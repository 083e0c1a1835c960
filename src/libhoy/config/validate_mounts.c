/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules for mounts and for id mappings, theirs and the container's: config.md#mounts,
 * config-linux.md#user-namespace-mappings. Runs in the runtime. Pure: sources are not looked at.
 */
#include "config/validate.h"

#include <string.h>

#include "spec/mount_option.h"
#include "sys/compat.h"

/* What the kernel takes in one map: user_namespaces(7). */
#define ID_MAPPINGS_MAX 340

/** What the options of one mount ask for. */
struct mount_kind {
	bool is_bind, is_remount;
	/** Place of the last idmap option, or -1. */
	long idmap;
};

static struct mount_kind mount_kind(const struct config_mount *mount)
{
	struct mount_kind kind = { .idmap = -1 };

	for (size_t i = 0; i < mount->options.len; i++) {
		const struct mount_option *option = mount_option_find(mount->options.items[i]);

		if (!option)
			continue;
		kind.is_bind |= option->kind == MOUNT_OPTION_BIND;
		kind.is_remount |= option->kind == MOUNT_OPTION_REMOUNT;
		if (option->kind == MOUNT_OPTION_IDMAP)
			kind.idmap = (long)i;
	}
	return kind;
}

static bool overlap(uint32_t a, uint32_t a_size, uint32_t b, uint32_t b_size)
{
	return (uint64_t)a < (uint64_t)b + b_size && (uint64_t)b < (uint64_t)a + a_size;
}

static void validate_overlaps(struct problems *problems, const config_id_mappings *mappings,
			      const char *at, size_t i)
{
	const struct config_id_mapping *mapping = &mappings->items[i];

	for (size_t j = 0; j < i; j++) {
		const struct config_id_mapping *other = &mappings->items[j];

		if (overlap(mapping->container_id, mapping->size, other->container_id, other->size))
			problem_at(problems, AT("%s[%zu].containerID", at, i),
				   "ids overlap those of [%zu]", j);
		else if (overlap(mapping->host_id, mapping->size, other->host_id, other->size))
			problem_at(problems, AT("%s[%zu].hostID", at, i),
				   "ids overlap those of [%zu]", j);
		else
			continue;
		return;
	}
}

void validate_id_mappings(struct problems *problems, const config_id_mappings *mappings,
			  const char *at)
{
	if (mappings->len > ID_MAPPINGS_MAX) {
		problem_at(problems, at, "more than %d mappings", ID_MAPPINGS_MAX);
		return;
	}
	if (problem_known(problems, at))
		return;
	for (size_t i = 0; i < mappings->len; i++) {
		const struct config_id_mapping *mapping = &mappings->items[i];

		/* Id 4294967295 is none. */
		if (mapping->size > UINT32_MAX - mapping->container_id ||
		    mapping->size > UINT32_MAX - mapping->host_id)
			problem_at(problems, AT("%s[%zu].size", at, i),
				   "out of range: ids up to 4294967294 exist");
		validate_overlaps(problems, mappings, at, i);
	}
}

static void validate_mount_mappings(struct problems *problems, const struct config *config,
				    const struct mount_kind *kind, size_t i)
{
	const struct config_mount *mount = &config->mounts.items[i];
	bool has_uid = mount->uid_mappings.len > 0, has_gid = mount->gid_mappings.len > 0;

	if (has_uid)
		validate_id_mappings(problems, &mount->uid_mappings,
				     AT("mounts[%zu].uidMappings", i));
	if (has_gid)
		validate_id_mappings(problems, &mount->gid_mappings,
				     AT("mounts[%zu].gidMappings", i));
	if (has_uid && !has_gid)
		problem_at(problems, AT("mounts[%zu].gidMappings", i),
			   "missing beside uidMappings");
	if (has_gid && !has_uid)
		problem_at(problems, AT("mounts[%zu].uidMappings", i),
			   "missing beside gidMappings");
	if (kind->idmap < 0 || has_uid || has_gid || config_namespace_find(config, CLONE_NEWUSER))
		return;
	if (!strchr(mount->options.items[kind->idmap], '=') &&
	    !problem_known(problems, "linux.namespaces"))
		problem_at(problems, AT("mounts[%zu].options[%ld]", i, kind->idmap),
			   "%s needs uidMappings and gidMappings, or a user namespace",
			   mount->options.items[kind->idmap]);
}

static void validate_mount_options(struct problems *problems, const struct config_mount *mount,
				   const struct mount_kind *kind, size_t i)
{
	for (size_t j = 0; j < mount->options.len; j++) {
		const char *option = mount->options.items[j];
		const char *nearest;

		/* An empty one was told already. */
		if (*option == '\0' || mount_option_find(option))
			continue;
		nearest = mount_option_nearest(option);
		if (nearest)
			problem_at(problems, AT("mounts[%zu].options[%zu]", i, j),
				   "unknown option '%.100s', did you mean %s", option, nearest);
		else if (kind->is_bind)
			problem_at(problems, AT("mounts[%zu].options[%zu]", i, j),
				   "option '%.100s' of a file system on a bind mount", option);
	}
}

static void validate_mount(struct problems *problems, const struct config *config, size_t i)
{
	const struct config_mount *mount = &config->mounts.items[i];
	struct mount_kind kind = mount_kind(mount);

	if (mount->destination && mount->destination[0] != '/')
		warning_at(problems, AT("mounts[%zu].destination", i),
			   "'%.200s' is relative, taken from /", mount->destination);
	validate_mount_options(problems, mount, &kind, i);
	validate_mount_mappings(problems, config, &kind, i);
	/* What else is wrong with it may be why one of these is not seen. */
	if (problems->problems > 0 && problem_known(problems, AT("mounts[%zu]", i)))
		return;
	if (kind.is_bind && !kind.is_remount && !mount->source)
		problem_at(problems, AT("mounts[%zu].source", i), "missing on a bind mount");
	if (!kind.is_bind && !kind.is_remount && !mount->type)
		problem_at(problems, AT("mounts[%zu].type", i),
			   "missing on a mount that is no bind mount");
	if (!kind.is_bind && mount->type && strcmp(mount->type, "bind") == 0)
		problem_at(problems, AT("mounts[%zu].options", i),
			   "type bind needs the option bind or rbind");
}

void validate_mounts(struct problems *problems, const struct config *config)
{
	for (size_t i = 0; i < config->mounts.len; i++)
		validate_mount(problems, config, i);
}
