/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cache and memory bandwidth allocation: which group of resctrl the container's processes are in,
 * who makes and removes it, and what is written there. Runs in the runtime; pure.
 * Spec: config-linux.md#intelrdt.
 */
#include <string.h>

#include "base/string.h"
#include "plan/build.h"
#include "sys/error.h"

#define AT "linux.intelRdt"

static int add_schema(struct plan_builder *builder, const char *at, const char *line,
		      bool is_compared)
{
	struct plan_intel_rdt *rdt = &builder->plan->intel_rdt;
	struct plan_schema *schema = PLAN_APPEND(builder, rdt->schemata);

	if (!schema)
		return -1;
	*schema = (struct plan_schema){ .at = at, .line = line, .is_compared = is_compared };
	return 0;
}

/* In the order in which they must be written: what comes later has the last word. */
static int plan_schemata(struct plan_builder *builder, const struct config_intel_rdt *from)
{
	bool is_compared = from->clos_id != NULL;

	if (from->l3_cache_schema && !string_starts(from->l3_cache_schema, "L3"))
		plan_warn(builder, AT ".l3CacheSchema",
			  "'%s' does not begin with L3:", from->l3_cache_schema);
	if (from->l3_cache_schema &&
	    add_schema(builder, AT ".l3CacheSchema", from->l3_cache_schema, is_compared) < 0)
		return -1;
	if (from->mem_bw_schema &&
	    add_schema(builder, AT ".memBwSchema", from->mem_bw_schema, is_compared) < 0)
		return -1;
	for (size_t i = 0; i < from->schemata.len; i++)
		if (add_schema(builder, plan_at_item(builder, AT ".schemata", i),
			       from->schemata.items[i], false) < 0)
			return -1;
	return 0;
}

int plan_intel_rdt(struct plan_builder *builder)
{
	const struct config_intel_rdt *from = builder->platform->intel_rdt;
	struct plan_intel_rdt *rdt = &builder->plan->intel_rdt;

	if (!from)
		return 0;
	rdt->group = from->clos_id ? from->clos_id : builder->plan->id;
	if (from->clos_id && strcmp(from->clos_id, "/") == 0)
		rdt->group = "";
	rdt->is_own = !from->clos_id;
	rdt->monitoring = from->enable_monitoring;
	if (plan_schemata(builder, from) < 0)
		return -1;
	rdt->must_exist = from->clos_id && !rdt->schemata_len;
	return 0;
}
