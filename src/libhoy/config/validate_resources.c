/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules for linux.resources: config-linux.md#control-groups, and warnings for what cgroup v2 does
 * not have. Runs in the runtime. Pure. Values that change nothing (0, -1, false) are silent:
 * engines write them on every host.
 */
#include "config/validate.h"

#include <string.h>

#include "base/string.h"

#define AT_RESOURCES "linux.resources."

static void warn_v1(struct problems *problems, bool asks, const char *at)
{
	if (asks)
		warning_at(problems, at, "ignored, cgroup v2 has nothing like it");
}

static bool asks_signed(const struct opt_i64 *number)
{
	return number->set && number->value != 0 && number->value != -1;
}

static bool asks_unsigned(const struct opt_u64 *number)
{
	return number->set && number->value != 0;
}

static void validate_memory(struct problems *problems, const struct config_memory *memory)
{
	bool has_limit = memory->limit.set && memory->limit.value > 0;
	const char *at = AT_RESOURCES "memory.swap";

	/* What can be made of memory plus swap in cgroup v2 is the difference. */
	if (memory->swap.set && memory->swap.value > 0 &&
	    !problem_known(problems, AT_RESOURCES "memory.limit")) {
		if (!has_limit)
			problem_at(problems, at, "needs a memory limit");
		else if (memory->swap.value < memory->limit.value)
			problem_at(problems, at, "%lld is below the memory limit %lld",
				   (long long)memory->swap.value, (long long)memory->limit.value);
	}
	warn_v1(problems, asks_signed(&memory->kernel), AT_RESOURCES "memory.kernel");
	warn_v1(problems, asks_signed(&memory->kernel_tcp), AT_RESOURCES "memory.kernelTCP");
	warn_v1(problems, asks_unsigned(&memory->swappiness), AT_RESOURCES "memory.swappiness");
	warn_v1(problems, memory->disable_oom_killer, AT_RESOURCES "memory.disableOOMKiller");
}

static void validate_cpu(struct problems *problems, const struct config_cpu *cpu)
{
	if (cpu->quota.value > 0 && cpu->burst.value > (uint64_t)cpu->quota.value)
		problem_at(problems, AT_RESOURCES "cpu.burst", "%llu is above the quota %lld",
			   (unsigned long long)cpu->burst.value, (long long)cpu->quota.value);
	warn_v1(problems, asks_signed(&cpu->realtime_runtime), AT_RESOURCES "cpu.realtimeRuntime");
	warn_v1(problems, asks_unsigned(&cpu->realtime_period), AT_RESOURCES "cpu.realtimePeriod");
}

/** 0 leaves a weight as it is. */
static void validate_weight(struct problems *problems, const struct opt_u64 *weight, const char *at)
{
	if (weight->set && weight->value != 0 && (weight->value < 10 || weight->value > 1000))
		problem_at(problems, at, "out of range: %llu is not in 10 to 1000",
			   (unsigned long long)weight->value);
}

static void validate_block_io(struct problems *problems, const struct config_block_io *block_io)
{
	validate_weight(problems, &block_io->weight, AT_RESOURCES "blockIO.weight");
	warn_v1(problems, asks_unsigned(&block_io->leaf_weight), AT_RESOURCES "blockIO.leafWeight");
	for (size_t i = 0; i < block_io->weight_device.len; i++) {
		const struct config_weight_device *device = &block_io->weight_device.items[i];
		const char *at = AT(AT_RESOURCES "blockIO.weightDevice[%zu]", i);

		if (problem_known(problems, at))
			continue;
		if (!device->weight.set && !device->leaf_weight.set)
			problem_at(problems, at, "neither weight nor leafWeight");
		validate_weight(problems, &device->weight,
				AT(AT_RESOURCES "blockIO.weightDevice[%zu].weight", i));
		warn_v1(problems, asks_unsigned(&device->leaf_weight),
			AT(AT_RESOURCES "blockIO.weightDevice[%zu].leafWeight", i));
	}
}

static void validate_hugepage_limits(struct problems *problems,
				     const struct config_resources *resources)
{
	const struct config_hugepage_limit *limits = resources->hugepage_limits.items;

	/* The kernel has a handful of page sizes: past them all are duplicates. */
	for (size_t i = 1; i < resources->hugepage_limits.len && i < 64; i++)
		for (size_t j = 0; j < i; j++)
			if (limits[i].page_size && limits[j].page_size &&
			    strcmp(limits[i].page_size, limits[j].page_size) == 0) {
				problem_at(problems,
					   AT(AT_RESOURCES "hugepageLimits[%zu].pageSize", i),
					   "duplicate %s", limits[i].page_size);
				break;
			}
}

static void validate_rdma(struct problems *problems, const struct config_resources *resources)
{
	for (size_t i = 0; i < resources->rdma.len; i++) {
		const struct config_rdma *rdma = &resources->rdma.items[i];
		const char *at = AT_MEMBER(AT_RESOURCES "rdma", rdma->device);

		if (*rdma->device == '\0' || strpbrk(rdma->device, "/ ") ||
		    string_has_control(rdma->device))
			problem_at(problems, at, "not the name of a device");
		else if (!rdma->hca_handles.set && !rdma->hca_objects.set &&
			 !problem_known(problems, at))
			problem_at(problems, at, "neither hcaHandles nor hcaObjects");
	}
}

/** A key is the name of a file in the container's cgroup: "memory.high". */
static void validate_unified(struct problems *problems, const struct string_map *unified)
{
	for (size_t i = 0; i < unified->len; i++) {
		const char *key = unified->items[i].key, *dot = strchr(key, '.');

		if (strchr(key, '/') || strchr(key, ' ') || string_has_control(key) || !dot ||
		    dot == key || dot[1] == '\0')
			problem_at(problems, AT_MEMBER(AT_RESOURCES "unified", key),
				   "not the name of a cgroup file");
	}
}

void validate_resources(struct problems *problems, const struct config_resources *resources)
{
	if (resources->memory)
		validate_memory(problems, resources->memory);
	if (resources->cpu)
		validate_cpu(problems, resources->cpu);
	if (resources->block_io)
		validate_block_io(problems, resources->block_io);
	validate_hugepage_limits(problems, resources);
	if (resources->network) {
		warn_v1(problems, asks_unsigned(&resources->network->class_id),
			AT_RESOURCES "network.classID");
		warn_v1(problems, resources->network->priorities.len > 0,
			AT_RESOURCES "network.priorities");
	}
	validate_rdma(problems, resources);
	validate_unified(problems, &resources->unified);
}
