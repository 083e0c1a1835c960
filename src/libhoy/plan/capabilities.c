/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The five capability sets as masks, without what cannot be granted: that is a warning and no
 * error. Runs in the runtime; pure. Spec: config.md#linux-process (capabilities),
 * capabilities(7) for what the kernel allows.
 */
#include "spec/capability.h"

#include "plan/build.h"
#include "sys/compat.h"

/** A set of the configuration, as a mask. */
struct set {
	const char *at;
	const struct string_list *names;
	uint64_t *mask;
};

/* Names that nobody knows have been warned about when the configuration was read. */
static uint64_t mask_of(const struct string_list *names)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < names->len; i++) {
		int capability = capability_find(names->items[i]);

		if (capability >= 0 && capability < 64)
			mask |= 1ULL << capability;
	}
	return mask;
}

/* Takes out of a set what is not in `grantable`, telling each capability once for all sets. */
static void limit(struct plan_builder *builder, const struct set *set, uint64_t grantable,
		  uint64_t *told, const char *why)
{
	uint64_t lacking = *set->mask & ~grantable & ~*told;

	for (unsigned int i = 0; i < 64; i++) {
		char name[CAPABILITY_NAME_SIZE];

		if (lacking & 1ULL << i && capability_name(i, name))
			plan_warn(builder, set->at, "%s cannot be granted: %s", name, why);
	}
	*told |= lacking;
	*set->mask &= grantable;
}

int plan_capabilities(struct plan_builder *builder, const struct config_process *process)
{
	struct plan_capabilities *to = &builder->plan->process.capabilities;
	const struct config_capabilities *from = process->capabilities;
	const struct host *host = builder->host;
	uint64_t known = host->last_capability >= 63 ? ~0ULL : (2ULL << host->last_capability) - 1;
	uint64_t unknown = 0, lacking = 0, unbounded = 0;

	if (!from)
		return 0;
	const struct set sets[] = {
		{ "process.capabilities.bounding", &from->bounding, &to->bounding },
		{ "process.capabilities.permitted", &from->permitted, &to->permitted },
		{ "process.capabilities.effective", &from->effective, &to->effective },
		{ "process.capabilities.inheritable", &from->inheritable, &to->inheritable },
		{ "process.capabilities.ambient", &from->ambient, &to->ambient },
	};

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		*sets[i].mask = mask_of(sets[i].names);
		limit(builder, &sets[i], known, &unknown, "this kernel does not have it");
		/* The first process of a user namespace has them all in it. */
		if (!plan_has_own(builder, CLONE_NEWUSER))
			limit(builder, &sets[i], i ? host->capabilities : host->bounding, &lacking,
			      "hoy itself lacks it");
	}
	/* capset(2): the bounding set limits what can become inheritable. */
	limit(builder, &sets[3], to->bounding, &unbounded, "it is not in bounding");
	/* These two have been warned about when the configuration was read. */
	to->effective &= to->permitted;
	to->ambient &= to->permitted & to->inheritable;
	return 0;
}
