/* SPDX-License-Identifier: Apache-2.0 */
/* hoy features: the document on stdout, and nothing ever on stderr. Runs in the program. */
#include <errno.h>
#include <stdio.h>

#include "command.h"
#include "sys/cleanup.h"
#include "sys/error.h"

int cmd_features(const struct program *program, char **words, struct hoy_error *err)
{
	autofree char *json = hoy_features_json();

	(void)program;
	(void)words;
	if (!json)
		return fail(err, ENOMEM, "print the features");
	puts(json);
	return 0;
}
