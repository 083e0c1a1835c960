/* SPDX-License-Identifier: Apache-2.0 */
/* hoy start: runs in the program; all else is hoy_start(). */
#include "command.h"

int cmd_start(const struct program *program, char **words, struct hoy_error *err)
{
	return hoy_start(&program->context, words[0], err);
}
