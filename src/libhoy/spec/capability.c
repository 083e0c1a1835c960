/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of capabilities: capabilities(7), by libcap. Runs in the runtime. Must not look at the
 * capabilities of any process: init does that with raw system calls.
 */
#include "spec/capability.h"

#include <linux/capability.h>
#include <string.h>
#include <strings.h>
#include <sys/capability.h>

#include "base/string.h"

bool capability_name(unsigned int capability, char name[CAPABILITY_NAME_SIZE])
{
	char *found;
	bool is_name;

	if (capability >= capability_count())
		return false;
	found = cap_to_name((cap_value_t)capability);
	/* What libcap has no name for is a number. */
	is_name = found && strncmp(found, "cap_", 4) == 0 && strlen(found) < CAPABILITY_NAME_SIZE;
	for (size_t i = 0; is_name && i <= strlen(found); i++)
		name[i] = (char)(found[i] >= 'a' && found[i] <= 'z' ? found[i] - ('a' - 'A')
								    : found[i]);
	cap_free(found);
	return is_name;
}

int capability_find(const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
	cap_value_t number;

	/* libcap also takes numbers, and a name with anything behind it but a letter or '_'. */
	if (strncasecmp(name, "cap_", 4) != 0 || !string_is_made_of(name, letters) ||
	    cap_from_name(name, &number) < 0 || (unsigned int)number >= capability_count())
		return -1;
	return number;
}

unsigned int capability_count(void)
{
	return CAP_LAST_CAP + 1;
}

bool capability_nearest(const char *name, char nearest[CAPABILITY_NAME_SIZE])
{
	char candidate[CAPABILITY_NAME_SIZE];
	unsigned int best = string_near(name) + 1;
	bool found = false;

	for (unsigned int i = 0; i < capability_count(); i++) {
		unsigned int distance;

		if (!capability_name(i, candidate))
			continue;
		distance = string_distance(name, candidate, best - 1);
		if (distance >= best)
			continue;
		best = distance;
		memcpy(nearest, candidate, sizeof(candidate));
		found = true;
	}
	return found;
}
