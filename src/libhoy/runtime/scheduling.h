/* SPDX-License-Identifier: Apache-2.0 */
/* What the runtime, with its own rights, sets on init: scheduler and I/O priority. */
#ifndef HOY_RUNTIME_SCHEDULING_H
#define HOY_RUNTIME_SCHEDULING_H

#include <sys/types.h>

#include <hoy/error.h>

#include "plan/plan.h"

/** Spec: config.md#linux-process (scheduler, ioPriority). @returns 0 or -1 */
int scheduling_apply(const struct plan_process *process, pid_t pid, struct hoy_error *err);

#endif
