/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runtime and init take turns: while one works the other waits. On one CPU a turn costs a context
 * switch, on two it costs waking an idle one, which takes several times as long.
 */
#ifndef HOY_RUNTIME_TURNS_H
#define HOY_RUNTIME_TURNS_H

#include <stdbool.h>
#include <stdint.h>

/** What the calling thread's affinity was, as sched_setaffinity(2) takes it. */
struct turns {
	bool taken;
	uint64_t cpus[8192 / 64];
	long size;
};

/**
 * Keeps the calling thread, and what it clones, on the CPU where it is. Where the kernel does not
 * have that, all goes on as it was, only slower. Init undoes it for itself and its hooks.
 */
void turns_begin(struct turns *turns);

/** Lets it go where it could before: also before a program of somebody else is executed. */
void turns_end(struct turns *turns);

#endif
