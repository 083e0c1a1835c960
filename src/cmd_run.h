/* SPDX-License-Identifier: Apache-2.0 */
/* What `run` and `restore` share. */
#ifndef HOY_CMD_RUN_H
#define HOY_CMD_RUN_H

#include "command.h"
#include "foreground.h"

/**
 * Waits for a container's process in the foreground and deletes the container.
 * @returns the process' status, or -1
 */
int run_wait_and_delete(const struct program *program, const char *id,
			struct foreground *foreground, bool keeps, struct hoy_error *err);

#endif
