/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scheduler and I/O priority of a process that is set up and about to be committed: late, so that
 * set-up and hooks run as usual, and by the runtime, since the kernel asks for a capability in the
 * initial user namespace. Runs in the runtime. Spec: config.md#linux-process.
 */
#include "runtime/scheduling.h"

#include <errno.h>
#include <string.h>

#include "spec/scheduler.h"
#include "sys/compat.h"
#include "sys/error.h"

/* ioprio_set(2): one process. */
#define IOPRIO_WHO_PROCESS 1

static int fail_scheduler(const struct plan_scheduler *scheduler, int code, struct hoy_error *err)
{
	const char *policy = word_name(&scheduler_policies, scheduler->policy);

	/* Only flags can be unknown to a kernel that knows the policy. */
	fail_at(err, code == EOPNOTSUPP ? "process.scheduler.flags" : "process.scheduler", code,
		"set %s, nice %d, priority %u, flags 0x%llx", policy, scheduler->nice,
		scheduler->priority, (unsigned long long)scheduler->flags);
	if (code == EPERM)
		return fail_hint(err,
				 "it needs CAP_SYS_NICE on the host, and a deadline all of the "
				 "host's CPUs");
	if (code == EBUSY)
		return fail_hint(err, "the CPUs have no such runtime left for deadlines");
	return -1;
}

static int set_scheduler(const struct plan_scheduler *scheduler, pid_t pid, struct hoy_error *err)
{
	struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_policy = scheduler->policy,
		.sched_flags = scheduler->flags,
		.sched_nice = scheduler->nice,
		.sched_priority = scheduler->priority,
		.sched_runtime = scheduler->runtime,
		.sched_deadline = scheduler->deadline,
		.sched_period = scheduler->period,
	};

	if (!scheduler->set)
		return 0;
	if (scheduler->reset_on_fork)
		attr.sched_flags |= SCHED_FLAG_RESET_ON_FORK;
	return sched_setattr(pid, &attr, 0) < 0 ? fail_scheduler(scheduler, errno, err) : 0;
}

int scheduling_apply(const struct plan_process *process, pid_t pid, struct hoy_error *err)
{
	if (process->io_priority >= 0 &&
	    ioprio_set(IOPRIO_WHO_PROCESS, pid, process->io_priority) < 0)
		return fail_at(err, "process.ioPriority", errno, "set I/O priority 0x%x",
			       (unsigned int)process->io_priority);
	return set_scheduler(&process->scheduler, pid, err);
}
