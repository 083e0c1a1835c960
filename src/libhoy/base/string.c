/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text that grows, and questions about strings that more than one part asks. Runs in the runtime.
 * Must not depend on the locale: configuration and messages are bytes.
 */
#include "base/string.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sys/cleanup.h"
#include "sys/error.h"

#define TEXT_SIZE_FIRST 128

static bool is_in_place(const struct text *text)
{
	return text->bytes && text->bytes == text->place;
}

static void text_fail(struct text *text)
{
	text_done(text);
	text->failed = true;
}

/** Moves the text to where it has `size` bytes. @returns where, or NULL */
static char *text_move(struct text *text, size_t size)
{
	char *bytes;

	if (!text->bytes && size <= text->place_size)
		return text->place;
	if (!is_in_place(text))
		return realloc(text->bytes, size);
	bytes = malloc(size);
	if (bytes)
		memcpy(bytes, text->bytes, text->len + 1);
	return bytes;
}

/** Makes room for `len` more bytes and the terminator. */
static bool text_reserve(struct text *text, size_t len)
{
	size_t size = text->size	 ? text->size
		      : text->place_size ? text->place_size
					 : TEXT_SIZE_FIRST;
	char *bytes;

	if (text->failed)
		return false;
	if (text->bytes && len < text->size - text->len)
		return true;
	if (len > SIZE_MAX / 4 - text->len) {
		text_fail(text);
		return false;
	}
	while (size <= text->len + len)
		size *= 2;
	bytes = text_move(text, size);
	if (!bytes) {
		text_fail(text);
		return false;
	}
	text->bytes = bytes;
	text->size = size;
	return true;
}

void text_add_bytes(struct text *text, const char *bytes, size_t len)
{
	if (!text_reserve(text, len))
		return;
	if (len)
		memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
	text->bytes[text->len] = '\0';
}

void text_add(struct text *text, const char *string)
{
	text_add_bytes(text, string, strlen(string));
}

void text_add_char(struct text *text, char byte)
{
	text_add_bytes(text, &byte, 1);
}

void text_add_format(struct text *text, const char *format, ...)
{
	va_list arguments;
	size_t len;

	/* It mostly fits where there is room already. */
	if (!text_reserve(text, 0))
		return;
	va_start(arguments, format);
	len = format_text_v(text->bytes + text->len, text->size - text->len, format, arguments);
	va_end(arguments);
	if (len >= text->size - text->len) {
		if (!text_reserve(text, len))
			return;
		va_start(arguments, format);
		(void)format_text_v(text->bytes + text->len, len + 1, format, arguments);
		va_end(arguments);
	}
	text->len += len;
}

/** How many bytes at the start of a string are shown as they are. */
static size_t plain_len(const char *string)
{
	size_t len = 0;

	while ((unsigned char)string[len] >= 0x20 && string[len] != 0x7f && string[len] != '\\')
		len++;
	return len;
}

void text_add_escaped(struct text *text, const char *string)
{
	for (;;) {
		const size_t plain = plain_len(string);
		unsigned char byte = (unsigned char)string[plain];

		text_add_bytes(text, string, plain);
		if (byte == '\0')
			return;
		string += plain + 1;
		if (byte == '\n')
			text_add(text, "\\n");
		else if (byte == '\t')
			text_add(text, "\\t");
		else if (byte == '\\')
			text_add(text, "\\\\");
		else
			text_add_format(text, "\\x%02x", byte);
	}
}

char *text_take(struct text *text)
{
	char *bytes;

	if (text->failed)
		text_done(text);
	else
		text_add_bytes(text, "", 0);
	bytes = is_in_place(text) ? strdup(text->bytes) : text->bytes;
	*text = (struct text){ 0 };
	return bytes;
}

void text_done(struct text *text)
{
	if (!is_in_place(text))
		free(text->bytes);
	*text = (struct text){ 0 };
}

bool string_starts(const char *string, const char *prefix)
{
	return strncmp(string, prefix, strlen(prefix)) == 0;
}

bool string_ends(const char *string, const char *suffix)
{
	size_t len = strlen(string), suffix_len = strlen(suffix);

	return len >= suffix_len && strcmp(string + len - suffix_len, suffix) == 0;
}

bool string_has_control(const char *string)
{
	for (; *string; string++)
		if ((unsigned char)*string < 0x20 || *string == 0x7f)
			return true;
	return false;
}

bool string_is_made_of(const char *string, const char *allowed)
{
	return string[strspn(string, allowed)] == '\0';
}

static unsigned char lower(char byte)
{
	return (unsigned char)(byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte);
}

static unsigned int least(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int least = a < b ? a : b;

	return least < c ? least : c;
}

/* Longer words are never compared: a misspelt word has the length of a word. */
#define DISTANCE_LEN_MAX 63

/**
 * Fills row `i` of the table of distances between prefixes.
 * @param rows  the present row and the two before it
 * @returns the smallest number in it: no later row has a smaller one
 */
static unsigned int distance_row(const char *a, size_t i, const char *b, size_t b_len,
				 unsigned char (*rows[3])[DISTANCE_LEN_MAX + 1])
{
	unsigned char *row = *rows[0], *above = *rows[1], *above_above = *rows[2];
	unsigned int best = (unsigned int)i;

	row[0] = (unsigned char)i;
	for (size_t j = 1; j <= b_len; j++) {
		unsigned int differs = lower(a[i - 1]) != lower(b[j - 1]);

		row[j] = (unsigned char)least(above[j] + 1U, row[j - 1] + 1U,
					      above[j - 1] + differs);
		if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
		    lower(a[i - 2]) == lower(b[j - 1]) && row[j] > above_above[j - 2] + 1)
			row[j] = (unsigned char)(above_above[j - 2] + 1);
		if (row[j] < best)
			best = row[j];
	}
	return best;
}

unsigned int string_distance(const char *a, const char *b, unsigned int limit)
{
	unsigned char tables[3][DISTANCE_LEN_MAX + 1];
	unsigned char(*rows[3])[DISTANCE_LEN_MAX + 1] = { &tables[0], &tables[1], &tables[2] };
	size_t a_len = strnlen(a, DISTANCE_LEN_MAX + 1), b_len = strnlen(b, DISTANCE_LEN_MAX + 1);
	size_t difference = a_len > b_len ? a_len - b_len : b_len - a_len;
	unsigned int distance;

	if (a_len > DISTANCE_LEN_MAX || b_len > DISTANCE_LEN_MAX || difference > limit)
		return limit + 1;
	for (size_t j = 0; j <= b_len; j++)
		(*rows[1])[j] = (unsigned char)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned char(*oldest)[DISTANCE_LEN_MAX + 1] = rows[2];

		if (distance_row(a, i, b, b_len, rows) > limit)
			return limit + 1;
		rows[2] = rows[1];
		rows[1] = rows[0];
		rows[0] = oldest;
	}
	distance = (*rows[1])[b_len];
	return distance > limit ? limit + 1 : distance;
}

unsigned int string_near(const char *string)
{
	size_t len = strnlen(string, 5);

	return len < 3 ? 0 : len < 5 ? 1 : 2;
}
