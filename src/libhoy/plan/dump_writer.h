/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries with members, written as lines of text or as JSON. Only dump.c includes this. Members
 * that are off or empty are left out.
 */
#ifndef HOY_PLAN_DUMP_WRITER_H
#define HOY_PLAN_DUMP_WRITER_H

#include <sys/types.h>

#include "base/json_write.h"

/** Where a walk writes to: JSON, or else text. */
struct dump {
	bool is_json;
	struct json_writer json;
	struct text text;
};

/** Entries between these two are a list in JSON; text knows no lists. */
void dump_begin_list(struct dump *dump, const char *name);
void dump_end_list(struct dump *dump);

/** Begins an entry; `member` is its name in JSON, NULL within a list. */
void dump_begin(struct dump *dump, const char *word, const char *member);
void dump_end(struct dump *dump);

/** NULL is left out. */
void dump_put_string(struct dump *dump, const char *name, const char *value);
void dump_put_signed(struct dump *dump, const char *name, int64_t value);
void dump_put_unsigned(struct dump *dump, const char *name, uint64_t value);
void dump_put_octal(struct dump *dump, const char *name, mode_t mode);
/** False is left out. */
void dump_put_flag(struct dump *dump, const char *name, bool flag);
/** NULL-terminated; NULL is left out, an empty list is not. */
void dump_put_strings(struct dump *dump, const char *name, char *const *strings);

/** Adds a word to a list of words with commas. */
void dump_add_word(struct text *words, const char *word);
/** Tells such a list as one string, unless it is empty, and releases it. */
void dump_put_words(struct dump *dump, const char *name, struct text *words);

#endif
