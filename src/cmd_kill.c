/* SPDX-License-Identifier: Apache-2.0 */
/* hoy kill: signals by name or number. Runs in the program; all else is hoy_kill(). */
#include <signal.h>
#include <string.h>

#include "matching.h"
#include "spec/signal.h"
#include "sys/error.h"

static struct hoy_kill_options options = { .signal = SIGTERM };
static bool regex;

const struct option kill_options[] = {
	{ "all", 'a', OPTION_FLAG, &options.all, NULL, "signal every process of the container",
	  NULL },
	{ "regex", 'r', OPTION_FLAG, &regex, NULL, "ID is a regular expression for many", NULL },
	OPTION_END,
};

static int kill_one(const struct program *program, const char *id, struct hoy_error *err)
{
	return hoy_kill(&program->context, id, &options, err);
}

int cmd_kill(const struct program *program, char **words, struct hoy_error *err)
{
	if (words[1]) {
		/* Signal 0 only asks whether there is a process. */
		options.signal = strcmp(words[1], "0") == 0 ? 0 : signal_find(words[1]);
		if (options.signal < 0)
			return fail(err, 0, "unknown signal \"%s\"", words[1]);
	}
	if (regex)
		return for_each_matching(program, words[0], kill_one, err);
	return kill_one(program, words[0], err);
}
