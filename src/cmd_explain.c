/* SPDX-License-Identifier: Apache-2.0 */
/* hoy explain: prints the plan that create would carry out. Runs in the program. */
#include <stdio.h>

#include "command.h"
#include "sys/cleanup.h"

static struct hoy_create_options line;
static bool as_json;

const struct option explain_options[] = {
	{ "bundle", 'b', OPTION_TEXT, &line.bundle, "DIR", "bundle directory (default: .)", NULL },
	{ "config", 'f', OPTION_TEXT, &line.config_file, "FILE",
	  "configuration (default: config.json in the bundle)", NULL },
	{ "json", 0, OPTION_FLAG, &as_json, NULL, "one JSON object instead of lines", NULL },
	OPTION_END,
};

int cmd_explain(const struct program *program, char **words, struct hoy_error *err)
{
	autofree char *text = NULL;

	if (line.config_file)
		program->log->config_name = line.config_file;
	if (hoy_explain(&program->context, words[0] ? words[0] : "explain", &line, as_json, &text,
			err) < 0)
		return -1;
	fputs(text, stdout);
	if (as_json)
		putchar('\n');
	return 0;
}
