/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking up words in the sorted tables of this directory, and the nearest one for "did you mean".
 * Runs in the runtime. Must not know any vocabulary.
 */
#include "spec/word.h"

#include <string.h>

#include "base/string.h"

bool word_find(const struct vocabulary *vocabulary, const char *name, uint64_t *ret_value)
{
	size_t low = 0, high = vocabulary->len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, vocabulary->words[middle].name);

		if (order == 0) {
			*ret_value = vocabulary->words[middle].value;
			return true;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

const char *word_name(const struct vocabulary *vocabulary, uint64_t value)
{
	for (size_t i = 0; i < vocabulary->len; i++)
		if (vocabulary->words[i].value == value)
			return vocabulary->words[i].name;
	return NULL;
}

const char *word_nearest(const struct vocabulary *vocabulary, const char *name)
{
	unsigned int best = string_near(name) + 1;
	const char *nearest = NULL;

	for (size_t i = 0; i < vocabulary->len; i++) {
		unsigned int distance = string_distance(name, vocabulary->words[i].name, best - 1);

		if (distance < best) {
			best = distance;
			nearest = vocabulary->words[i].name;
		}
		if (best == 0)
			break;
	}
	return nearest;
}
