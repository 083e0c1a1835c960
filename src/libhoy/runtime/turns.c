/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The affinity of the calling thread while runtime and init take turns. Runs in the runtime; leaves
 * the thread as it found it. Nothing depends on its success.
 */
#include "runtime/turns.h"

#include <sched.h>

#include "sys/cleanup.h"
#include "sys/compat.h"

void turns_begin(struct turns *turns)
{
	const int cpu = sched_getcpu();
	uint64_t here[ARRAY_LEN(turns->cpus)] = { 0 };

	if (turns->taken || cpu < 0 || cpu >= (int)sizeof(here) * 8)
		return;
	here[cpu / 64] = 1ULL << cpu % 64;
	turns->size = syscall(SYS_sched_getaffinity, 0, sizeof(turns->cpus), turns->cpus);
	turns->taken = turns->size > 0 &&
		       syscall(SYS_sched_setaffinity, 0, sizeof(here), here) == 0;
}

void turns_end(struct turns *turns)
{
	if (turns->taken)
		(void)syscall(SYS_sched_setaffinity, 0, turns->size, turns->cpus);
	turns->taken = false;
}
