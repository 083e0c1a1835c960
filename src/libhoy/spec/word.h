/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of the specification and what the kernel calls them. One sorted table per vocabulary,
 * read by the parser, `hoy features` and the tests. Nothing here allocates.
 */
#ifndef HOY_SPEC_WORD_H
#define HOY_SPEC_WORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct word {
	const char *name;
	uint64_t value;
};

struct vocabulary {
	/** What one word is, for messages: "namespace type". */
	const char *kind;
	/** Sorted by name (strcmp). Where two words have one value, the first listed is its name.
	 */
	const struct word *words;
	size_t len;
};

/** A vocabulary of the table `words`. */
#define VOCABULARY(kind, words)                                 \
	{                                                       \
		kind, words, sizeof(words) / sizeof((words)[0]) \
	}

/** Looks up a word exactly. @returns true with its value */
bool word_find(const struct vocabulary *vocabulary, const char *name, uint64_t *ret_value);

/** The name of a value, or NULL. */
const char *word_name(const struct vocabulary *vocabulary, uint64_t value);

/** The word that was probably meant, or NULL. */
const char *word_nearest(const struct vocabulary *vocabulary, const char *name);

#endif
