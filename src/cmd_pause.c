/* SPDX-License-Identifier: Apache-2.0 */
/* hoy pause and hoy resume: run in the program; all else is in libhoy. */
#include "command.h"

int cmd_pause(const struct program *program, char **words, struct hoy_error *err)
{
	return hoy_pause(&program->context, words[0], err);
}

int cmd_resume(const struct program *program, char **words, struct hoy_error *err)
{
	return hoy_resume(&program->context, words[0], err);
}
