/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which namespaces are made, which are joined, and what belongs to a fresh one: names, time
 * offsets, lo. Decides whether the kernel demands a bootstrap process. Runs in the runtime; pure.
 * Spec: config-linux.md#namespaces, config.md#hostname.
 */
#include <linux/capability.h>
#include <string.h>

#include "plan/build.h"
#include "sys/compat.h"
#include "sys/error.h"

/** The kernel's __NEW_UTS_LEN. */
#define UTS_NAME_MAX 64

static int add_namespace(struct plan_builder *builder, size_t index)
{
	const struct config_namespace *from = &builder->platform->namespaces.items[index];
	struct plan_namespaces *namespaces = &builder->plan->namespaces;
	const char *at = plan_at_item(builder, "linux.namespaces", index);
	struct plan_join *join;

	if (plan_has_own(builder, from->type))
		return fail_at(builder->err, at, 0, "this type of namespace is listed twice");
	if (!from->path) {
		namespaces->create |= from->type;
		return 0;
	}
	join = PLAN_APPEND(builder, namespaces->joins);
	if (!join)
		return -1;
	join->at = at;
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
	namespaces->time_offsets =
		arena_format(builder->arena, "%s%s %lld %u\n",
			     namespaces->time_offsets ? namespaces->time_offsets : "", clock,
			     (long long)offset->secs, offset->nanosecs);
}

static int plan_time(struct plan_builder *builder)
{
	const struct config_linux *platform = builder->platform;

	if (!platform->monotonic.set && !platform->boottime.set)
		return 0;
	if (!(builder->plan->namespaces.create & CLONE_NEWTIME))
		return fail_at(builder->err, "linux.timeOffsets", 0,
			       "offsets need a new time namespace");
	add_offset(builder, "monotonic", &platform->monotonic);
	add_offset(builder, "boottime", &platform->boottime);
	return 0;
}

/* Sets a name of the uts namespace; the host's own are never changed. */
static int plan_name(struct plan_builder *builder, const char *at, const char *name,
		     const char **ret_name)
{
	if (!name)
		return 0;
	if (!plan_has_own(builder, CLONE_NEWUTS))
		return fail_at(builder->err, at, 0,
			       "'%s' needs a uts namespace, else it would be set on the host", name);
	if (strlen(name) > UTS_NAME_MAX)
		return fail_at(builder->err, at, 0, "'%s' is longer than %d bytes", name,
			       UTS_NAME_MAX);
	*ret_name = name;
	return 0;
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
	       namespaces->time_offsets;
}

int plan_namespaces(struct plan_builder *builder)
{
	struct plan_namespaces *namespaces = &builder->plan->namespaces;

	for (size_t i = 0; i < builder->platform->namespaces.len; i++)
		if (add_namespace(builder, i) < 0)
			return -1;
	if (!plan_has_own(builder, CLONE_NEWUSER) && needs_user_namespace(builder))
		namespaces->create |= CLONE_NEWUSER;
	builder->in_user_namespace =
		plan_has_own(builder, CLONE_NEWUSER) || builder->host->in_user_namespace;
	namespaces->loopback = (namespaces->create & CLONE_NEWNET) != 0;
	if (plan_time(builder) < 0 ||
	    plan_name(builder, "hostname", builder->config->hostname, &namespaces->hostname) < 0 ||
	    plan_name(builder, "domainname", builder->config->domainname,
		      &namespaces->domainname) < 0)
		return -1;
	namespaces->bootstrap = needs_bootstrap(namespaces);
	return 0;
}

/* After the mounts: only the owner of a file system may map its ids, which init is not here. */
int plan_staging(struct plan_builder *builder)
{
	struct plan *plan = builder->plan;

	if (!((plan->namespaces.create | plan->namespaces.joined) & CLONE_NEWUSER))
		return 0;
	for (size_t i = 0; i < plan->mounts_len; i++)
		if (plan->mounts[i].kind == PLAN_MOUNT_BIND && plan->mounts[i].uid_maps_len)
			plan->staged = true;
	plan->namespaces.bootstrap |= plan->staged;
	return 0;
}
