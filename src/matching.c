/* SPDX-License-Identifier: Apache-2.0 */
/* Ids by regular expression, for kill and delete. Runs in the program. */
#include "matching.h"

#include <regex.h>
#include <stdlib.h>

#include "sys/error.h"

static int call_matching(const struct program *program, const regex_t *regex, matching_fn *function,
			 struct hoy_error *err)
{
	struct hoy_state *states;
	size_t len;
	int result = 0;

	if (hoy_list(&program->context, &states, &len, err) < 0)
		return -1;
	for (size_t i = 0; i < len; i++) {
		struct hoy_error later;

		if (regexec(regex, states[i].id, 0, NULL, 0) == 0 &&
		    function(program, states[i].id, result < 0 ? &later : err) < 0) {
			fail_in(result < 0 ? &later : err, "%s", states[i].id);
			result = -1;
		}
		hoy_state_done(&states[i]);
	}
	free(states);
	return result;
}

int for_each_matching(const struct program *program, const char *pattern, matching_fn *function,
		      struct hoy_error *err)
{
	regex_t regex;
	int r = regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB);
	char words[128];

	if (r != 0) {
		regerror(r, &regex, words, sizeof(words));
		return fail(err, 0, "regular expression \"%s\": %s", pattern, words);
	}
	r = call_matching(program, &regex, function, err);
	regfree(&regex);
	return r;
}
