/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the hooks whose place is the runtime's namespaces: prestart, createRuntime, poststart and
 * poststop (config.md#posix-platform-hooks). Those of the container's namespaces are init's.
 *
 * A hook gets a session of its own, the state on stdin, nothing else of the runtime's descriptors;
 * what it writes to stdout is dropped, the end of what it writes to stderr is quoted in the error,
 * but where files are named for them (hooks->stdout_path).
 * It has ended when its own process has: children that it leaves behind are never waited for.
 */
#ifndef HOY_RUNTIME_HOOKS_H
#define HOY_RUNTIME_HOOKS_H

#include <sys/types.h>

#include <hoy/error.h>

#include "base/log.h"
#include "plan/plan.h"

/**
 * Runs hooks in order and stops at the first that fails: it cannot be executed, exits with a
 * status other than 0, dies by a signal, or runs into its timeout and is killed with its group.
 * @param kind  the member of `hooks` in the configuration, "createRuntime"
 * @param pid   init's pid for the state, in the runtime's pid namespace; 0 where there is none
 * @returns 0, or -1 with kind, index and path of the hook in err
 */
int hooks_run(const struct plan_hooks *hooks, const char *kind, pid_t pid, const struct log *log,
	      struct hoy_error *err);

/**
 * Opens a file that takes what hooks write, at its end; it is made where there is none.
 * @returns a descriptor above 2, or -1
 */
int hooks_open_output(const char *path, struct hoy_error *err);

/** As hooks_run(), but a failure is a warning in the log and the next hook is run all the same. */
void hooks_run_all(const struct plan_hooks *hooks, const char *kind, pid_t pid,
		   const struct log *log);

#endif
