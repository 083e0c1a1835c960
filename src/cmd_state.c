/* SPDX-License-Identifier: Apache-2.0 */
/* hoy state: the specification's document on stdout. Runs in the program. */
#include <errno.h>
#include <stdio.h>

#include "command.h"
#include "sys/cleanup.h"
#include "sys/error.h"

int cmd_state(const struct program *program, char **words, struct hoy_error *err)
{
	autofree char *json = NULL;
	struct hoy_state state;

	if (hoy_state(&program->context, words[0], &state, err) < 0)
		return -1;
	json = hoy_state_json(&state);
	hoy_state_done(&state);
	if (!json)
		return fail(err, ENOMEM, "print the state");
	puts(json);
	return 0;
}
