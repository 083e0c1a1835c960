/* SPDX-License-Identifier: Apache-2.0 */
/* The words of process.scheduler, process.ioPriority and linux.memoryPolicy. */
#ifndef HOY_SPEC_SCHEDULER_H
#define HOY_SPEC_SCHEDULER_H

#include "spec/word.h"

/** SCHED_* */
extern const struct vocabulary scheduler_policies;
/** SCHED_FLAG_* */
extern const struct vocabulary scheduler_flags;
/** IOPRIO_CLASS_* */
extern const struct vocabulary io_priority_classes;
/** MPOL_* */
extern const struct vocabulary memory_policy_modes;
/** MPOL_F_* */
extern const struct vocabulary memory_policy_flags;

/* linux/sched.h and linux/ioprio.h clash with sched.h or are absent from older headers. */
enum scheduler_policy {
	SCHEDULER_OTHER = 0,
	SCHEDULER_FIFO = 1,
	SCHEDULER_RR = 2,
	SCHEDULER_BATCH = 3,
	SCHEDULER_ISO = 4,
	SCHEDULER_IDLE = 5,
	SCHEDULER_DEADLINE = 6,
};

enum io_priority_class {
	IO_PRIORITY_RT = 1,
	IO_PRIORITY_BE = 2,
	IO_PRIORITY_IDLE = 3,
};

#endif
