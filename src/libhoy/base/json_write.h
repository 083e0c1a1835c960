/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes JSON into memory. Every value has a key inside an object and NULL elsewhere. Strings are
 * escaped so that the result is one line (unless pretty) of valid UTF-8 without control bytes;
 * bytes that are no UTF-8 become U+FFFD. Runtime only.
 */
#ifndef HOY_BASE_JSON_WRITE_H
#define HOY_BASE_JSON_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/string.h"

struct json_node;

struct json_writer {
	struct text text;
	/** Four blanks a level, one value a line; set before the first value. */
	bool pretty;
	unsigned int depth;
	/** Per level: '}' or ']', and whether something was written there. */
	char closing[64];
	bool filled[64];
};

void json_write_object(struct json_writer *writer, const char *key);
void json_write_list(struct json_writer *writer, const char *key);
/** Ends the innermost object or list. */
void json_write_end(struct json_writer *writer);

void json_write_string(struct json_writer *writer, const char *key, const char *string);
void json_write_signed(struct json_writer *writer, const char *key, int64_t number);
void json_write_unsigned(struct json_writer *writer, const char *key, uint64_t number);
void json_write_bool(struct json_writer *writer, const char *key, bool truth);
void json_write_null(struct json_writer *writer, const char *key);
/** A number already formatted as JSON, "0.25". */
void json_write_number_text(struct json_writer *writer, const char *key, const char *number);
/** A list of strings, NULL-terminated; NULL writes an empty one. */
void json_write_strings(struct json_writer *writer, const char *key, const char *const *strings);
/** A tree that json_read() made. */
void json_write_node(struct json_writer *writer, const char *key, const struct json_node *node);

/** Adds one JSON string with its quotes to a text. */
void json_quote(struct text *text, const char *string);

/** The finished document, to be released with free(); NULL if memory ran out. Resets the writer. */
char *json_write_take(struct json_writer *writer);
/** The same where it stands, until json_write_done(), which is due in any case (autojson). */
const char *json_write_text(struct json_writer *writer);
void json_write_done(struct json_writer *writer);

#define autojson __attribute__((cleanup(json_write_done)))

#endif
