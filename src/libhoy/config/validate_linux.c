/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules for linux, but for resources and seccomp: config-linux.md. Runs in the runtime. Pure: what
 * namespaces and devices the host has is found when they are used.
 */
#include "config/validate.h"

#include <linux/mempolicy.h>
#include <stdlib.h>
#include <string.h>

#include "base/string.h"
#include "spec/namespace.h"
#include "spec/scheduler.h"
#include "spec/sysctl.h"
#include "sys/cleanup.h"
#include "sys/compat.h"

#define SYSCTL_PATH_SIZE 512

static void validate_namespaces(struct problems *problems, const struct config_linux *linux)
{
	uint64_t seen = 0;

	for (size_t i = 0; i < linux->namespaces.len; i++) {
		uint64_t type = linux->namespaces.items[i].type;

		if (type & seen)
			problem_at(problems, AT("linux.namespaces[%zu].type", i), "duplicate %s",
				   word_name(&namespace_types, type));
		seen |= type;
	}
}

static void validate_user_mappings(struct problems *problems, const struct config *config)
{
	const struct config_linux *linux = config->linux;
	const struct config_namespace *user = config_namespace_find(config, CLONE_NEWUSER);

	validate_id_mappings(problems, &linux->uid_mappings, "linux.uidMappings");
	validate_id_mappings(problems, &linux->gid_mappings, "linux.gidMappings");
	/* Engines write mappings beside a joined user namespace: it has its own. */
	if (problem_known(problems, "linux.namespaces") || (user && user->path))
		return;
	if (!user && linux->uid_mappings.len > 0)
		problem_at(problems, "linux.uidMappings", "needs a user namespace");
	if (!user && linux->gid_mappings.len > 0)
		problem_at(problems, "linux.gidMappings", "needs a user namespace");
	if (user && linux->uid_mappings.len > 0 && linux->gid_mappings.len == 0)
		problem_at(problems, "linux.gidMappings", "missing beside uidMappings");
	if (user && linux->gid_mappings.len > 0 && linux->uid_mappings.len == 0)
		problem_at(problems, "linux.uidMappings", "missing beside gidMappings");
}

static void validate_time_offsets(struct problems *problems, const struct config *config)
{
	const struct config_namespace *namespace = config_namespace_find(config, CLONE_NEWTIME);

	if (problem_known(problems, "linux.namespaces") || (namespace && !namespace->path))
		return;
	if (config->linux->monotonic.set)
		problem_at(problems, "linux.timeOffsets.monotonic", "needs a new time namespace");
	if (config->linux->boottime.set)
		problem_at(problems, "linux.timeOffsets.boottime", "needs a new time namespace");
}

static void validate_device(struct problems *problems, const struct config_device *device, size_t i)
{
	if (!device->type)
		return;
	if (device->type != 'p' && !device->major.set &&
	    !problem_known(problems, AT("linux.devices[%zu].major", i)))
		problem_at(problems, AT("linux.devices[%zu].major", i), "missing");
	if (device->type != 'p' && !device->minor.set &&
	    !problem_known(problems, AT("linux.devices[%zu].minor", i)))
		problem_at(problems, AT("linux.devices[%zu].minor", i), "missing");
}

static int compare_devices(const void *a, const void *b)
{
	const struct config_device *const *first = a, *const *second = b;
	int order = strcmp((*first)->path, (*second)->path);

	if (order != 0)
		return order;
	return *first < *second ? -1 : *first > *second;
}

static bool is_same_device(const struct config_device *a, const struct config_device *b)
{
	return a->type == b->type && (a->type == 'p' || (a->major.value == b->major.value &&
							 a->minor.value == b->minor.value));
}

/**
 * Two nodes cannot have one name. That one is listed twice happens: `ctr run --privileged --device`
 * does so. Configurations with --privileged have hundreds of devices.
 */
static void validate_device_paths(struct problems *problems, const struct config_linux *linux)
{
	autofree const struct config_device **sorted = NULL;
	const struct config_device *devices = linux->devices.items;
	size_t len = 0;

	if (linux->devices.len < 2)
		return;
	sorted = calloc(linux->devices.len, sizeof(struct config_device *));
	for (size_t i = 0; sorted && i < linux->devices.len; i++)
		if (devices[i].path)
			sorted[len++] = &devices[i];
	if (len < 2)
		return;
	qsort(sorted, len, sizeof(struct config_device *), compare_devices);
	for (size_t i = 1; i < len; i++)
		if (strcmp(sorted[i - 1]->path, sorted[i]->path) == 0 &&
		    !is_same_device(sorted[i - 1], sorted[i]))
			problem_at(problems,
				   AT("linux.devices[%zu].path", (size_t)(sorted[i] - devices)),
				   "another device is '%.200s' already", sorted[i]->path);
}

void validate_devices(struct problems *problems, const struct config_linux *linux)
{
	for (size_t i = 0; i < linux->devices.len; i++)
		validate_device(problems, &linux->devices.items[i], i);
	validate_device_paths(problems, linux);
}

static void validate_sysctl(struct problems *problems, const struct config *config,
			    const struct string_pair *pair)
{
	char path[SYSCTL_PATH_SIZE];
	const char *at = AT_MEMBER("linux.sysctl", pair->key);
	uint64_t type;

	if (sysctl_path(pair->key, path, sizeof(path)) < 0) {
		problem_at(problems, at, "not the name of a sysctl");
		return;
	}
	type = sysctl_namespace(path);
	if (!type)
		problem_at(problems, at, "not of a namespace: it would change the host");
	else if (!config_namespace_find(config, type) &&
		 !problem_known(problems, "linux.namespaces"))
		problem_at(problems, at, "needs a %s namespace: it would change the host",
			   word_name(&namespace_types, type));
}

static void validate_net_devices(struct problems *problems, const struct config *config)
{
	bool has_network = config_namespace_find(config, CLONE_NEWNET) ||
			   problem_known(problems, "linux.namespaces");

	if (config->linux->net_devices.len > 0 && !has_network)
		problem_at(problems, "linux.netDevices", "needs a network namespace");
	for (size_t i = 0; i < config->linux->net_devices.len; i++) {
		const char *device = config->linux->net_devices.items[i].device;

		if (*device == '\0' || strlen(device) > 15 || strpbrk(device, "/: \t") ||
		    string_has_control(device))
			problem_at(problems, AT_MEMBER("linux.netDevices", device),
				   "not the name of an interface");
	}
}

static void validate_intel_rdt(struct problems *problems, const struct config_intel_rdt *rdt)
{
	for (size_t i = 0; i < rdt->schemata.len; i++)
		if (strchr(rdt->schemata.items[i], '\n'))
			problem_at(problems, AT("linux.intelRdt.schemata[%zu]", i), "line feed");
}

/** set_mempolicy(2) */
static void validate_memory_policy(struct problems *problems,
				   const struct config_memory_policy *policy)
{
	const uint64_t exclusive = MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES;
	bool forbids = policy->mode == MPOL_DEFAULT || policy->mode == MPOL_LOCAL;

	if (problem_known(problems, "linux.memoryPolicy"))
		return;
	if (policy->nodes && forbids)
		problem_at(problems, "linux.memoryPolicy.nodes", "%s takes no nodes",
			   word_name(&memory_policy_modes, (uint64_t)policy->mode));
	if (!policy->nodes && !forbids && policy->mode != MPOL_PREFERRED)
		problem_at(problems, "linux.memoryPolicy.nodes", "%s needs nodes",
			   word_name(&memory_policy_modes, (uint64_t)policy->mode));
	if ((policy->flags & exclusive) == exclusive)
		problem_at(problems, "linux.memoryPolicy.flags",
			   "MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other");
}

static void validate_personality(struct problems *problems, const struct config_linux *linux)
{
	for (size_t i = 0; i < linux->personality.flags.len; i++)
		problem_at(problems, AT("linux.personality.flags[%zu]", i),
			   "unsupported flag '%.100s'", linux->personality.flags.items[i]);
}

void validate_linux(struct problems *problems, const struct config *config)
{
	const struct config_linux *linux = config->linux;

	if (!linux)
		return;
	validate_namespaces(problems, linux);
	validate_user_mappings(problems, config);
	validate_time_offsets(problems, config);
	validate_devices(problems, linux);
	for (size_t i = 0; i < linux->sysctl.len; i++)
		validate_sysctl(problems, config, &linux->sysctl.items[i]);
	validate_net_devices(problems, config);
	if (linux->intel_rdt)
		validate_intel_rdt(problems, linux->intel_rdt);
	if (linux->memory_policy)
		validate_memory_policy(problems, linux->memory_policy);
	validate_personality(problems, linux);
	if (linux->resources)
		validate_resources(problems, linux->resources);
	if (linux->seccomp)
		validate_seccomp(problems, config);
}
