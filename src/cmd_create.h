/* SPDX-License-Identifier: Apache-2.0 */
/* What `create` and `run` share. */
#ifndef HOY_CMD_CREATE_H
#define HOY_CMD_CREATE_H

#include <hoy/container.h>

#include "command.h"

/**
 * What the command line said, completed by what the environment adds (LISTEN_FDS). Names the
 * configuration file for the log.
 */
struct hoy_create_options create_command_line(const struct program *program);

#endif
