/* SPDX-License-Identifier: Apache-2.0 */
/* Text that grows, and what is asked of strings in many places. May allocate: runtime only. */
#ifndef HOY_BASE_STRING_H
#define HOY_BASE_STRING_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/**
 * Text that grows as it is written. A zeroed one is empty and valid. When memory runs out it
 * becomes empty for good and `failed`, so that a caller checks once, at the end.
 */
struct text {
	/** Terminated; NULL as long as nothing was added. */
	char *bytes;
	size_t len, size;
	bool failed;
	/** Memory of the user's to begin in, so that short texts need no allocation; or NULL. */
	char *place;
	size_t place_size;
};

/** A text that begins in an array. */
#define TEXT_IN(array) ((struct text){ .place = (array), .place_size = sizeof(array) })

void text_add(struct text *text, const char *string);
void text_add_bytes(struct text *text, const char *bytes, size_t len);
void text_add_char(struct text *text, char byte);
/** As format_text(): not all that printf knows. */
void text_add_format(struct text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** Adds the string with control bytes and backslashes written as \n, \t, \\ or \xHH. */
void text_add_escaped(struct text *text, const char *string);

/** Gives the bytes away, to be released with free(); NULL if memory ran out. Empties the text. */
char *text_take(struct text *text);
void text_done(struct text *text);

#define autotext __attribute__((cleanup(text_done)))

bool string_starts(const char *string, const char *prefix);
bool string_ends(const char *string, const char *suffix);

/** True if a byte is below 0x20 or 0x7f. */
bool string_has_control(const char *string);

/** True if every byte is in `allowed`; an empty string is true. */
bool string_is_made_of(const char *string, const char *allowed);

/**
 * How many insertions, deletions, replacements or exchanges of neighbours turn one into the other
 * (optimal string alignment, case ignored).
 * @param limit  of interest, at most 3: a larger distance is returned as limit + 1
 */
unsigned int string_distance(const char *a, const char *b, unsigned int limit);

/**
 * Up to which distance a word of this length is taken for a misspelt one: 2, less for short ones;
 * those of one or two letters only differ in case.
 */
unsigned int string_near(const char *string);

#endif
