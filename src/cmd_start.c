/* SPDX-License-Identifier: Apache-2.0 */
/* hoy start: runs in the program; all else is hoy_start(). */
#include "cmd_create.h"

int cmd_start(const struct program *program, char **words, struct hoy_error *err)
{
	const struct hoy_start_options options = { .notify_socket = create_notify_socket(program) };

	return hoy_start(&program->context, words[0], &options, err);
}
