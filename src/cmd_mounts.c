/* SPDX-License-Identifier: Apache-2.0 */
/* hoy mounts: the words of the command line. Runs in the program. */
#include <string.h>

#include "command.h"
#include "sys/error.h"

int cmd_mounts(const struct program *program, char **words, struct hoy_error *err)
{
	program->log->config_name = words[2];
	if (strcmp(words[0], "add") == 0)
		return hoy_mounts_add(&program->context, words[1], words[2], err);
	if (strcmp(words[0], "remove") == 0)
		return hoy_mounts_remove(&program->context, words[1], words[2], err);
	fail(err, 0, "mounts %s: the first word is add or remove", words[0]);
	return COMMAND_USAGE;
}
