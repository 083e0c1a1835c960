/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which namespaces are made, which are joined, and what belongs to a fresh one: names, time
 * offsets, lo. Decides whether the kernel demands a bootstrap process. Runs in the runtime; pure.
 * Spec: config-linux.md#namespaces, config.md#hostname.
 */
#include <linux/capability.h>

#include "plan/build.h"
#include "sys/compat.h"

static int add_namespace(struct plan_builder *builder, size_t index)
{
	const struct config_namespace *from = &builder->platform->namespaces.items[index];
	struct plan_namespaces *namespaces = &builder->plan->namespaces;
	struct plan_join *join;

	if (!from->path) {
		namespaces->create |= from->type;
		return 0;
	}
	join = PLAN_APPEND(builder, namespaces->joins);
	if (!join)
		return -1;
	join->at = plan_at_item(builder, "linux.namespaces", index);
	join->type = from->type;
	join->path = from->path;
	namespaces->joined |= from->type;
	return 0;
}

/* Without privilege every other namespace, and every mount, needs a user namespace first. */
static bool needs_user_namespace(const struct plan_builder *builder)
{
	const struct host *host = builder->host;

	return host->euid != 0 || !(host->capabilities & (1ULL << CAP_SYS_ADMIN));
}

static void add_offset(struct plan_builder *builder, const char *clock,
		       const struct config_time_offset *offset)
{
	struct plan_namespaces *namespaces = &builder->plan->namespaces;

	if (!offset->set)
		return;
	namespaces->time_offsets = arena_format(builder->arena, "%s%s %lld %u\n",
						namespaces->time_offsets ? namespaces->time_offsets
									 : "",
						clock, (long long)offset->secs, offset->nanosecs);
}

/*
 * setns(2) into a pid namespace moves only children; a user namespace that is joined or new
 * changes what else may be joined, so others come before or after it;
 * time offsets can be written only before anybody is in.
 */
static bool needs_bootstrap(const struct plan_namespaces *namespaces)
{
	return (namespaces->joined & (CLONE_NEWUSER | CLONE_NEWPID)) ||
	       ((namespaces->create & CLONE_NEWUSER) && namespaces->joined) ||
	       (namespaces->time_offsets && !namespaces->time_offsets_inside);
}

int plan_namespaces(struct plan_builder *builder)
{
	struct plan_namespaces *namespaces = &builder->plan->namespaces;

	for (size_t i = 0; i < builder->platform->namespaces.len; i++)
		if (add_namespace(builder, i) < 0)
			return -1;
	if (!plan_has_own(builder, CLONE_NEWUSER) && needs_user_namespace(builder))
		namespaces->create |= CLONE_NEWUSER;
	builder->in_user_namespace = plan_has_own(builder, CLONE_NEWUSER) ||
				     builder->host->in_user_namespace;
	namespaces->loopback = (namespaces->create & CLONE_NEWNET) != 0;
	namespaces->hostname = builder->config->hostname;
	namespaces->domainname = builder->config->domainname;
	/* Of a joined time namespace the offsets are those it has. */
	if (namespaces->create & CLONE_NEWTIME) {
		add_offset(builder, "monotonic", &builder->platform->monotonic);
		add_offset(builder, "boottime", &builder->platform->boottime);
	}
	namespaces->time_offsets_inside = namespaces->time_offsets &&
					  (namespaces->create & CLONE_NEWUSER) &&
					  needs_user_namespace(builder);
	namespaces->bootstrap = needs_bootstrap(namespaces);
	return 0;
}

/*
 * After the mounts: only the owner of a file system may map its ids, which init in a user namespace
 * is not; and past a bootstrap it has no descriptor left to map them by.
 */
int plan_staging(struct plan_builder *builder)
{
	struct plan *plan = builder->plan;

	if (!((plan->namespaces.create | plan->namespaces.joined) & CLONE_NEWUSER) &&
	    !plan->namespaces.bootstrap)
		return 0;
	for (size_t i = 0; i < plan->mounts_len; i++)
		if (plan->mounts[i].kind == PLAN_MOUNT_BIND && plan->mounts[i].uid_maps_len)
			plan->staged = true;
	plan->namespaces.bootstrap |= plan->staged;
	return 0;
}
