/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User and group id maps: those of the configuration, checked as the kernel will check them, or
 * for an unprivileged caller without any, maps for itself. Decides who writes them. Runs in the
 * runtime; pure. Spec: config-linux.md#user-namespace-mappings, user_namespaces(7).
 */
#include <linux/capability.h>

#include "plan/build.h"
#include "sys/compat.h"
#include "sys/error.h"

int plan_copy_maps(struct plan_builder *builder, const config_id_mappings *from,
		   struct plan_id_map **ret_maps, size_t *ret_len)
{
	struct plan_id_map *maps = arena_array(builder->arena, struct plan_id_map, from->len);

	if (!maps && from->len)
		return plan_no_memory(builder);
	for (size_t i = 0; i < from->len; i++) {
		maps[i].container_id = from->items[i].container_id;
		maps[i].host_id = from->items[i].host_id;
		maps[i].size = from->items[i].size;
	}
	*ret_maps = maps;
	*ret_len = from->len;
	return 0;
}

static bool find_id(const struct plan_id_map *maps, size_t len, uint32_t id, uint32_t *ret_host_id)
{
	if (len == 0) {
		*ret_host_id = id;
		return true;
	}
	for (size_t i = 0; i < len; i++) {
		if (id < maps[i].container_id || id - maps[i].container_id >= maps[i].size)
			continue;
		*ret_host_id = maps[i].host_id + (id - maps[i].container_id);
		return true;
	}
	return false;
}

bool plan_maps_uid(const struct plan_builder *builder, uint32_t uid, uint32_t *ret_host_uid)
{
	return find_id(builder->uid_maps, builder->uid_maps_len, uid, ret_host_uid);
}

bool plan_maps_gid(const struct plan_builder *builder, uint32_t gid)
{
	uint32_t host_gid;

	return find_id(builder->gid_maps, builder->gid_maps_len, gid, &host_gid);
}

/* The caller as root, and its subordinate ids (subuid(5)) after that where a helper maps them. */
static int own_map(struct plan_builder *builder, uint32_t id, const struct host_id_range *range,
		   struct plan_id_map **ret_maps, size_t *ret_len)
{
	const struct host *host = builder->host;
	struct plan_id_map *maps = arena_array(builder->arena, struct plan_id_map, 2);

	if (!maps)
		return plan_no_memory(builder);
	maps[0] = (struct plan_id_map){ 0, id, 1 };
	maps[1] = (struct plan_id_map){ 1, range->start, range->count };
	*ret_maps = maps;
	*ret_len = 1;
	if (host->subuid.count && host->subgid.count && host->has_newuidmap && host->has_newgidmap)
		*ret_len = 2;
	return 0;
}

static int configured_maps(struct plan_builder *builder)
{
	const struct config_linux *platform = builder->platform;

	if (plan_copy_maps(builder, &platform->uid_mappings, &builder->uid_maps,
			   &builder->uid_maps_len) < 0)
		return -1;
	return plan_copy_maps(builder, &platform->gid_mappings, &builder->gid_maps,
			      &builder->gid_maps_len);
}

static int own_maps(struct plan_builder *builder)
{
	const struct host *host = builder->host;

	if (host->euid == 0 && host->privileged)
		return fail_at(builder->err, "linux.uidMappings", 0,
			       "a new user namespace needs mappings");
	if (own_map(builder, host->euid, &host->subuid, &builder->uid_maps,
		    &builder->uid_maps_len) < 0)
		return -1;
	return own_map(builder, host->egid, &host->subgid, &builder->gid_maps,
		       &builder->gid_maps_len);
}

/* Whether the kernel refuses this map to a caller without the capability (user_namespaces(7)). */
static bool needs_helper(const struct plan_builder *builder, int capability,
			 const struct plan_id_map *maps, size_t len)
{
	const struct host *host = builder->host;
	uint32_t own = capability == CAP_SETUID ? host->euid : host->egid;

	if (host->capabilities & (1ULL << capability))
		return false;
	return len != 1 || maps[0].size != 1 || maps[0].host_id != own;
}

static int choose_writer(struct plan_builder *builder)
{
	struct plan_namespaces *namespaces = &builder->plan->namespaces;
	const struct host *host = builder->host;
	bool for_uids = needs_helper(builder, CAP_SETUID, namespaces->uid_maps,
				     namespaces->uid_maps_len);
	bool for_gids = needs_helper(builder, CAP_SETGID, namespaces->gid_maps,
				     namespaces->gid_maps_len);

	namespaces->helper_maps = for_uids || for_gids;
	/* A user maps his own group only so, be it by newgidmap; who maps more may set them. */
	namespaces->deny_setgroups = host->setgroups_denied ||
				     (!for_gids && !(host->capabilities & (1ULL << CAP_SETGID)));
	if (!namespaces->helper_maps || (host->has_newuidmap && host->has_newgidmap))
		return 0;
	fail_at(builder->err, host->has_newuidmap ? "linux.gidMappings" : "linux.uidMappings", 0,
		"user %u may map only itself, and %s is not installed", host->euid,
		host->has_newuidmap ? "newgidmap" : "newuidmap");
	return fail_hint(builder->err,
			 "install newuidmap and newgidmap (package uidmap or shadow-utils)");
}

static bool has_root(const struct plan_builder *builder)
{
	uint32_t host_uid;

	return plan_maps_uid(builder, 0, &host_uid) && plan_maps_gid(builder, 0);
}

int plan_id_maps(struct plan_builder *builder)
{
	struct plan_namespaces *namespaces = &builder->plan->namespaces;
	bool given = builder->platform->uid_mappings.len || builder->platform->gid_mappings.len;

	if (given && configured_maps(builder) < 0)
		return -1;
	namespaces->become_root = plan_has_own(builder, CLONE_NEWUSER) && has_root(builder);
	/* A joined one has its maps; those of the configuration then only describe them. */
	if (!(namespaces->create & CLONE_NEWUSER))
		return 0;
	if (!given && own_maps(builder) < 0)
		return -1;
	namespaces->uid_maps = builder->uid_maps;
	namespaces->uid_maps_len = builder->uid_maps_len;
	namespaces->gid_maps = builder->gid_maps;
	namespaces->gid_maps_len = builder->gid_maps_len;
	namespaces->become_root = has_root(builder);
	return choose_writer(builder);
}
