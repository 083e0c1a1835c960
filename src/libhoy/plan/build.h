/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of plan/ share while a plan is being made; nobody else includes this. Every
 * concern is one function plan_CONCERN() that reads the configuration, the host and what earlier
 * concerns have put into the plan, and fills its own members. plan.c calls them in order.
 *
 * What config_read() checks is not checked again here; only what depends on the host, the options
 * or other decisions is.
 *
 * Memory: text that is only stored may be NULL when the arena is exhausted, as plan_build() looks
 * at arena->failed at its end; what is looked at or written to meanwhile is checked at once.
 */
#ifndef HOY_PLAN_BUILD_H
#define HOY_PLAN_BUILD_H

#include "base/arena.h"
#include "config/config.h"
#include "host.h"
#include "plan/plan.h"

/** The version of the specification that the state document complies with. */
#define PLAN_OCI_VERSION "1.3.0"

/** What a plan is made from, and what its concerns have decided for each other. */
struct plan_builder {
	struct arena *arena;
	const struct config *config;
	/** config->linux, or an empty one. */
	const struct config_linux *platform;
	const struct plan_options *options;
	const struct host *host;
	const struct plan_source_facts *sources;
	const struct plan_seccomp *filter;
	struct plan *plan;
	struct hoy_error *err;
	/** The container's processes live in a user namespace, whoever made it. */
	bool in_user_namespace;
	/** Maps of the container's user namespace as far as they are known; len 0 = every id. */
	struct plan_id_map *uid_maps, *gid_maps;
	size_t uid_maps_len, gid_maps_len;
};

/* ---- plan.c ---- */

/** Sets the error for exhausted memory. @returns -1 */
int plan_no_memory(struct plan_builder *builder);

/** Adds a warning about a value of the configuration. */
void plan_warn(struct plan_builder *builder, const char *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** Use PLAN_APPEND. @returns the list with room for one more entry, zeroed; NULL with err set */
void *plan_grow(struct plan_builder *builder, void *items, size_t len, size_t size);

/**
 * A new zeroed entry at the end of a list of the plan, whose length is the member NAME_len.
 * NULL with the error set if memory ran out.
 */
#define PLAN_APPEND(builder, list)                                                               \
	({                                                                                       \
		__typeof__(list) _items = plan_grow(builder, list, list##_len, sizeof(*(list))); \
		_items ? (list = _items, &_items[list##_len++]) : NULL;                          \
	})

/** Configuration path of a list's item: "mounts[3]". */
const char *plan_at_item(struct plan_builder *builder, const char *list, size_t index);

/** Configuration path of an object's member with any name: "linux.sysctl[\"net.core.x\"]". */
const char *plan_at_member(struct plan_builder *builder, const char *object, const char *key);

/** A path with ".", ".." and doubled slashes resolved as text, from "/". NULL with err set. */
const char *plan_clean_path(struct plan_builder *builder, const char *at, const char *path);

/** The namespaces that processes of the container do not share with the host. */
static inline bool plan_has_own(const struct plan_builder *builder, uint64_t type)
{
	const struct plan_namespaces *namespaces = &builder->plan->namespaces;

	return ((namespaces->create | namespaces->joined) & type) != 0;
}

/* ---- the concerns, by file ---- */

/* namespaces.c, ids.c */
int plan_namespaces(struct plan_builder *builder);
int plan_id_maps(struct plan_builder *builder);
/** Whether bind sources must be staged for init; after plan_mounts(). */
int plan_staging(struct plan_builder *builder);
/** Whether an id of the container is mapped by its user namespace, and to what id of the host. */
bool plan_maps_uid(const struct plan_builder *builder, uint32_t uid, uint32_t *ret_host_uid);
bool plan_maps_gid(const struct plan_builder *builder, uint32_t gid);
/** Mappings of the configuration as those of the plan. */
int plan_copy_maps(struct plan_builder *builder, const config_id_mappings *from,
		   struct plan_id_map **ret_maps, size_t *ret_len);

/* netdevices.c */
int plan_net_devices(struct plan_builder *builder);

/* root.c */
int plan_root(struct plan_builder *builder);
int plan_paths(struct plan_builder *builder);
int plan_sysctl(struct plan_builder *builder);

/* mounts.c, mount_types.c, mount_options.c */
int plan_mounts(struct plan_builder *builder);
/** What follows from mounts[].type; before the options, as it may change the kind of mount. */
int plan_mount_type(struct plan_builder *builder, struct plan_mount *mount);
/** What follows from type, options and destination together; after the options. */
int plan_mount_finish(struct plan_builder *builder, const struct config_mount *from,
		      struct plan_mount *mount);
/** Applies mounts[].options to a mount whose kind, destination and file system are known. */
int plan_mount_options(struct plan_builder *builder, const struct config_mount *from,
		       struct plan_mount *mount);
/** Whether nothing can be made below a mount, as the kernel fills it. */
bool plan_mount_is_fixed(const struct plan_mount *mount);
/** Adds a file system parameter. */
int plan_mount_parameter(struct plan_builder *builder, struct plan_mount *mount, const char *key,
			 const char *value);
/** Whether a mount has a parameter of this name. */
bool plan_mount_has(const struct plan_mount *mount, const char *key);
/** Makes the one text of parameters that fsconfig(2) cannot take. */
int plan_mount_data(struct plan_builder *builder, struct plan_mount *mount);
/** What depends on all mounts together; after plan_devices(). */
int plan_mount_order(struct plan_builder *builder);
/** Refuses what is no mount, or cannot be one, while the container runs; after plan_mounts(). */
int plan_running_mounts(struct plan_builder *builder);
/** The mounts of the configuration as what is to be taken out. */
int plan_unmounts(struct plan_builder *builder);
/** Whether `path` lies below `directory`, both cleaned. */
bool plan_is_below(const char *path, const char *directory);

/* devices.c */
int plan_devices(struct plan_builder *builder);

/* process.c, capabilities.c, scheduling.c */
int plan_process(struct plan_builder *builder, const struct config_process *process);
int plan_capabilities(struct plan_builder *builder, const struct config_process *process);
int plan_scheduling(struct plan_builder *builder, const struct config_process *process);
/** CPU affinities: of a further process only, never of init (config.md#linux-process). */
int plan_affinity(struct plan_builder *builder, const struct config_process *process);

/* hooks.c */
int plan_hooks(struct plan_builder *builder);
/** For `exec`: the state that the seccomp agent is told, without any hook. */
int plan_agent_state(struct plan_builder *builder);

/* intelrdt.c */
int plan_intel_rdt(struct plan_builder *builder);

/* cgroup.c, resources.c */
int plan_cgroup(struct plan_builder *builder);
/** Where init lives in the container's cgroup. */
int plan_leaf(struct plan_builder *builder);
/** Whom the cgroup is handed to; after plan_mounts(). */
int plan_cgroup_owner(struct plan_builder *builder);
/** Adds what `resources` asks for to plan->cgroup.writes. */
int plan_resources(struct plan_builder *builder, const struct config_resources *resources);

#endif
