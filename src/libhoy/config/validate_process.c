/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules for process: config.md#process. Runs in the runtime. Pure: whether the kernel or the
 * caller's rights allow it is found when it is done.
 */
#include "config/validate.h"

#include <string.h>

#include "spec/capability.h"
#include "spec/rlimit.h"
#include "spec/scheduler.h"

static void validate_args(struct problems *problems, const struct config_process *process)
{
	if (process->args.set && process->args.len == 0)
		problem_at(problems, "process.args", "empty");
}

/* The kernel's struct winsize has 16 bits for each. */
static void validate_console_size(struct problems *problems, const struct config_process *process)
{
	if (!process->terminal || !process->console_size.set)
		return;
	if (process->console_size.height > UINT16_MAX)
		problem_at(problems, "process.consoleSize.height",
			   "out of range: %llu is above 65535",
			   (unsigned long long)process->console_size.height);
	if (process->console_size.width > UINT16_MAX)
		problem_at(problems, "process.consoleSize.width",
			   "out of range: %llu is above 65535",
			   (unsigned long long)process->console_size.width);
}

static void validate_rlimits(struct problems *problems, const struct config_process *process)
{
	uint64_t seen = 0;

	for (size_t i = 0; i < process->rlimits.len; i++) {
		const struct config_rlimit *rlimit = &process->rlimits.items[i];

		if (problem_known(problems, AT("process.rlimits[%zu]", i)))
			continue;
		if (seen & 1ULL << rlimit->type)
			problem_at(problems, AT("process.rlimits[%zu].type", i), "duplicate %s",
				   word_name(&rlimit_types, (uint64_t)rlimit->type));
		seen |= 1ULL << rlimit->type;
		if (rlimit->soft > rlimit->hard)
			problem_at(problems, AT("process.rlimits[%zu].soft", i),
				   "%llu is above the hard limit %llu",
				   (unsigned long long)rlimit->soft,
				   (unsigned long long)rlimit->hard);
	}
}

/**
 * Warns of names that nobody knows: config.md#linux-process forbids to fail for them.
 * @param name  of the set
 * @returns the set as a mask
 */
static uint64_t validate_capability_names(struct problems *problems, const struct string_list *list,
					  const char *name)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < list->len; i++) {
		int capability = capability_find(list->items[i]);
		char nearest[CAPABILITY_NAME_SIZE];
		bool near;

		if (capability >= 0) {
			mask |= 1ULL << capability;
			continue;
		}
		if (problem_known(problems, AT("process.capabilities.%s[%zu]", name, i)))
			continue;
		near = capability_nearest(list->items[i], nearest);
		warning_at(problems, AT("process.capabilities.%s[%zu]", name, i),
			   "unknown capability '%.100s'%s%s", list->items[i],
			   near ? ", did you mean " : "", near ? nearest : "");
	}
	return mask;
}

/**
 * Warns of capabilities that capset(2) or prctl(2) would refuse for lack of them in another set.
 * @param needed  the other set as a mask
 * @param words   its name
 */
static void warn_ungrantable(struct problems *problems, const struct string_list *list,
			     const char *name, uint64_t needed, const char *words)
{
	for (size_t i = 0; i < list->len; i++) {
		int capability = capability_find(list->items[i]);

		if (capability >= 0 && !(needed & 1ULL << capability))
			warning_at(problems, AT("process.capabilities.%s[%zu]", name, i),
				   "%s cannot be granted, it is not %s", list->items[i], words);
	}
}

static void validate_capabilities(struct problems *problems, const struct config_capabilities *sets)
{
	uint64_t permitted = validate_capability_names(problems, &sets->permitted, "permitted");
	uint64_t inheritable = validate_capability_names(problems, &sets->inheritable,
							 "inheritable");

	(void)validate_capability_names(problems, &sets->bounding, "bounding");
	(void)validate_capability_names(problems, &sets->effective, "effective");
	(void)validate_capability_names(problems, &sets->ambient, "ambient");
	warn_ungrantable(problems, &sets->effective, "effective", permitted, "permitted");
	warn_ungrantable(problems, &sets->ambient, "ambient", permitted & inheritable,
			 "permitted and inheritable");
}

static bool is_real_time(const struct config_scheduler *scheduler)
{
	return scheduler->policy == SCHEDULER_FIFO || scheduler->policy == SCHEDULER_RR;
}

static void validate_deadline(struct problems *problems, const struct config_scheduler *scheduler)
{
	uint64_t period = scheduler->period.value ? scheduler->period.value
						  : scheduler->deadline.value;

	if (scheduler->policy != SCHEDULER_DEADLINE) {
		if (scheduler->runtime.value || scheduler->deadline.value ||
		    scheduler->period.value)
			problem_at(problems, "process.scheduler",
				   "runtime, deadline and period are for SCHED_DEADLINE");
		return;
	}
	if (!scheduler->runtime.value || !scheduler->deadline.value)
		problem_at(problems, "process.scheduler",
			   "SCHED_DEADLINE needs runtime and deadline");
	else if (scheduler->runtime.value > scheduler->deadline.value ||
		 scheduler->deadline.value > period)
		problem_at(problems, "process.scheduler",
			   "runtime, deadline and period must not be smaller each than the former");
}

/** What sched_setattr(2) refuses, told in the words of the configuration. */
static void validate_scheduler(struct problems *problems, const struct config_scheduler *scheduler)
{
	if (problem_known(problems, "process.scheduler"))
		return;
	if (is_real_time(scheduler) && scheduler->priority.value == 0)
		problem_at(problems, "process.scheduler.priority", "%s needs a priority of 1 to 99",
			   word_name(&scheduler_policies, (uint64_t)scheduler->policy));
	if (!is_real_time(scheduler) && scheduler->priority.value != 0)
		problem_at(problems, "process.scheduler.priority",
			   "priorities are for SCHED_FIFO and SCHED_RR");
	validate_deadline(problems, scheduler);
}

void validate_process(struct problems *problems, const struct config_process *process)
{
	validate_args(problems, process);
	validate_console_size(problems, process);
	validate_rlimits(problems, process);
	if (process->capabilities)
		validate_capabilities(problems, process->capabilities);
	if (process->scheduler)
		validate_scheduler(problems, process->scheduler);
}
