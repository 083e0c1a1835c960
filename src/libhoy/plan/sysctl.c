/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.sysctl as files below /proc/sys. Only what belongs to a namespace of the container is
 * planned: anything else would be set for the whole host. Runs in the runtime; pure.
 * Spec: config-linux.md#sysctl.
 */
#include "spec/sysctl.h"

#include <limits.h>

#include "plan/build.h"
#include "sys/error.h"

static int plan_key(struct plan_builder *builder, const char *key, struct plan_sysctl *sysctl)
{
	char path[PATH_MAX];
	uint64_t type;

	if (sysctl_path(key, path, sizeof(path)) < 0)
		return fail_at(builder->err, sysctl->at, 0, "'%s' is not the name of a sysctl",
			       key);
	type = sysctl_namespace(path);
	if (!type || !plan_has_own(builder, type))
		return fail_at(builder->err, sysctl->at, 0, "'%s' would be set on the host", key);
	sysctl->path = arena_strdup(builder->arena, path);
	return 0;
}

int plan_sysctl(struct plan_builder *builder)
{
	const struct string_map *from = &builder->platform->sysctl;
	struct plan *plan = builder->plan;

	for (size_t i = 0; i < from->len; i++) {
		struct plan_sysctl *sysctl = PLAN_APPEND(builder, plan->sysctls);

		if (!sysctl)
			return -1;
		sysctl->at = plan_at_member(builder, "linux.sysctl", from->items[i].key);
		sysctl->value = from->items[i].value;
		if (plan_key(builder, from->items[i].key, sysctl) < 0)
			return -1;
	}
	return 0;
}
