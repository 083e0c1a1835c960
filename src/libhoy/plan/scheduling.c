/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When and where the process runs: scheduler, I/O priority, NUMA memory policy, CPU affinity. Runs
 * in the runtime; pure. Spec: config.md#linux-process, config-linux.md#memory-policy.
 */
#include "base/number.h"
#include "plan/build.h"
#include "sys/cleanup.h"
#include "sys/error.h"

/** IOPRIO_CLASS_SHIFT of ioprio_set(2). */
#define IO_PRIORITY_CLASS_SHIFT 13

static void plan_scheduler(struct plan_builder *builder, const struct config_scheduler *from)
{
	struct plan_scheduler *scheduler = &builder->plan->process.scheduler;

	if (!from)
		return;
	scheduler->set = true;
	scheduler->policy = (uint32_t)from->policy;
	scheduler->flags = from->flags;
	scheduler->nice = from->nice.set ? (int32_t)from->nice.value : 0;
	scheduler->priority = from->priority.set ? (uint32_t)from->priority.value : 0;
	scheduler->runtime = from->runtime.set ? from->runtime.value : 0;
	scheduler->deadline = from->deadline.set ? from->deadline.value : 0;
	scheduler->period = from->period.set ? from->period.value : 0;
}

static void plan_io_priority(struct plan_builder *builder, const struct config_io_priority *from)
{
	if (from)
		builder->plan->process.io_priority = from->class << IO_PRIORITY_CLASS_SHIFT |
						     (from->priority.set ? (int)from->priority.value
									 : 0);
}

/* Sets bits first to last of a mask; `data` is its array of 64-bit words. */
static void set_bits(void *data, unsigned int first, unsigned int last)
{
	uint64_t *mask = data;

	for (unsigned int i = first; i <= last; i++)
		mask[i / 64] |= 1ULL << i % 64;
}

static int read_list(struct plan_builder *builder, const char *at, const char *list, uint64_t *mask,
		     size_t words)
{
	int r = number_list(list, (unsigned int)(words * 64 - 1), set_bits, mask);

	if (r < 0)
		return fail_at(builder->err, at, 0, "'%s' has a number above %zu", list,
			       words * 64 - 1);
	return 0;
}

/* ---- memory policy ---- */

static int plan_memory_policy(struct plan_builder *builder)
{
	const struct config_memory_policy *from = builder->platform->memory_policy;
	struct plan_process *process = &builder->plan->process;
	bool has_nodes;

	if (!from)
		return 0;
	has_nodes = from->nodes && *from->nodes;
	process->memory_policy = from->mode | (int)from->flags;
	process->set_memory_nodes = has_nodes;
	return has_nodes ? read_list(builder, "linux.memoryPolicy.nodes", from->nodes,
				     process->memory_nodes, ARRAY_LEN(process->memory_nodes))
			 : 0;
}

int plan_scheduling(struct plan_builder *builder, const struct config_process *process)
{
	plan_scheduler(builder, process->scheduler);
	plan_io_priority(builder, process->io_priority);
	return plan_memory_policy(builder);
}

/* ---- affinity ---- */

static int plan_cpus(struct plan_builder *builder, const char *at, const char *list,
		     struct plan_cpus *cpus)
{
	if (!list || !*list)
		return 0;
	cpus->set = true;
	return read_list(builder, at, list, cpus->mask, PLAN_CPU_WORDS);
}

int plan_affinity(struct plan_builder *builder, const struct config_process *process)
{
	struct plan_process *to = &builder->plan->process;

	if (plan_cpus(builder, "process.execCPUAffinity.initial",
		      process->exec_cpu_affinity.initial, &to->initial_cpus) < 0 ||
	    plan_cpus(builder, "process.execCPUAffinity.final", process->exec_cpu_affinity.final,
		      &to->final_cpus) < 0)
		return -1;
	to->reset_cpus = !to->initial_cpus.set && !to->final_cpus.set;
	return 0;
}
