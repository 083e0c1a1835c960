/* SPDX-License-Identifier: Apache-2.0 */
/* What `create`, `run` and others share. */
#ifndef HOY_CMD_CREATE_H
#define HOY_CMD_CREATE_H

#include <hoy/container.h>

#include "command.h"

/**
 * Whether the caller has opened all that is to stay open: else it would be hoy's own that does.
 * Call it before opening anything.
 */
int check_preserved(const struct program *program, unsigned int preserve_fds,
		    unsigned int listen_fds, struct hoy_error *err);

/** The service manager's socket (sd_notify(3)), or NULL. */
const char *create_notify_socket(const struct program *program);

/**
 * What the command line said, completed by what the environment adds (LISTEN_FDS, NOTIFY_SOCKET).
 * Names the configuration file for the log.
 * @returns 0, or -1 if a descriptor to be preserved is not open
 */
int create_command_line(const struct program *program, struct hoy_create_options *ret_options,
			struct hoy_error *err);

#endif
