/* SPDX-License-Identifier: Apache-2.0 */
/* What `checkpoint` and `restore` share. */
#ifndef HOY_CMD_CHECKPOINT_H
#define HOY_CMD_CHECKPOINT_H

#include <hoy/container.h>

#include "command.h"

/** What the command line said about CRIU. */
void checkpoint_command_line(struct hoy_criu_options *ret_options);

#endif
