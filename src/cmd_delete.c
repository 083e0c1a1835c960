/* SPDX-License-Identifier: Apache-2.0 */
/* hoy delete: runs in the program; all else is hoy_delete(). */
#include "matching.h"

static bool force, regex;

const struct option delete_options[] = {
	{ "force", 'f', OPTION_FLAG, &force, NULL,
	  "kill it first; works from any state, also a damaged one", NULL },
	{ "regex", 'r', OPTION_FLAG, &regex, NULL, "ID is a regular expression for many", NULL },
	OPTION_END,
};

static int delete_one(const struct program *program, const char *id, struct hoy_error *err)
{
	return hoy_delete(&program->context, id, force, err);
}

int cmd_delete(const struct program *program, char **words, struct hoy_error *err)
{
	if (regex)
		return for_each_matching(program, words[0], delete_one, err);
	return delete_one(program, words[0], err);
}
