/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of config.md#scheduler, config.md#io-priority and config-linux.md#memory-policy:
 * sched_setattr(2), ioprio_set(2), set_mempolicy(2). Runs in the runtime. Data.
 */
#include "spec/scheduler.h"

#include <linux/mempolicy.h>

/* linux/sched.h cannot be included together with sched.h, which the C library's headers pull in. */
static const struct word flags[] = {
	{ "SCHED_FLAG_DL_OVERRUN", 0x04 },     { "SCHED_FLAG_KEEP_PARAMS", 0x10 },
	{ "SCHED_FLAG_KEEP_POLICY", 0x08 },    { "SCHED_FLAG_RECLAIM", 0x02 },
	{ "SCHED_FLAG_RESET_ON_FORK", 0x01 },  { "SCHED_FLAG_UTIL_CLAMP_MAX", 0x40 },
	{ "SCHED_FLAG_UTIL_CLAMP_MIN", 0x20 },
};

static const struct word policies[] = {
	{ "SCHED_BATCH", SCHEDULER_BATCH }, { "SCHED_DEADLINE", SCHEDULER_DEADLINE },
	{ "SCHED_FIFO", SCHEDULER_FIFO },   { "SCHED_IDLE", SCHEDULER_IDLE },
	{ "SCHED_ISO", SCHEDULER_ISO },	    { "SCHED_OTHER", SCHEDULER_OTHER },
	{ "SCHED_RR", SCHEDULER_RR },
};

static const struct word classes[] = {
	{ "IOPRIO_CLASS_BE", IO_PRIORITY_BE },
	{ "IOPRIO_CLASS_IDLE", IO_PRIORITY_IDLE },
	{ "IOPRIO_CLASS_RT", IO_PRIORITY_RT },
};

/* Linux 6.9; kernel headers in use may be older. */
#define MODE_WEIGHTED_INTERLEAVE 6

static const struct word modes[] = {
	{ "MPOL_BIND", MPOL_BIND },
	{ "MPOL_DEFAULT", MPOL_DEFAULT },
	{ "MPOL_INTERLEAVE", MPOL_INTERLEAVE },
	{ "MPOL_LOCAL", MPOL_LOCAL },
	{ "MPOL_PREFERRED", MPOL_PREFERRED },
	{ "MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY },
	{ "MPOL_WEIGHTED_INTERLEAVE", MODE_WEIGHTED_INTERLEAVE },
};

static const struct word mode_flags[] = {
	{ "MPOL_F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING },
	{ "MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES },
	{ "MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES },
};

const struct vocabulary scheduler_policies = VOCABULARY("policy", policies);
const struct vocabulary scheduler_flags = VOCABULARY("flag", flags);
const struct vocabulary io_priority_classes = VOCABULARY("class", classes);
const struct vocabulary memory_policy_modes = VOCABULARY("mode", modes);
const struct vocabulary memory_policy_flags = VOCABULARY("flag", mode_flags);
