/* SPDX-License-Identifier: Apache-2.0 */
/* Command line options: tables, parsing, help. */
#ifndef HOY_OPTION_H
#define HOY_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <hoy/error.h>

enum option_type {
	/** bool: "--name", "--name=true", "--name=false" */
	OPTION_FLAG,
	/** const char *; with `words` it must be one of them */
	OPTION_TEXT,
	/** unsigned int */
	OPTION_NUMBER,
	/** struct option_list: may be given several times */
	OPTION_LIST,
	/** A flag that is accepted and has no effect; not in the help. */
	OPTION_IGNORED,
	/** Not an option: `value` is another table that stands here. */
	OPTION_TABLE,
};

/** NULL-terminated; items is NULL as long as the option was not given. */
struct option_list {
	char **items;
	size_t len;
};

/** A row. A table ends with a row without name that is no OPTION_TABLE. */
struct option {
	const char *name;
	/** One letter, or 0. */
	char letter;
	enum option_type type;
	/** Where the value goes. */
	void *value;
	/** What its argument is called in the help, NULL for flags. */
	const char *argument;
	const char *help;
	/** The only arguments allowed, separated by blanks, or NULL. */
	const char *words;
};

#define OPTION_END \
	{          \
		0  \
	}

enum option_words {
	/** The first word that is no option ends them: what follows belongs to somebody else. */
	OPTION_WORDS_LAST,
	/** Options may stand behind words. */
	OPTION_WORDS_ANYWHERE,
};

/**
 * Parses options: --name VALUE, --name=VALUE, -x VALUE, -xVALUE, clusters of flags, a single dash
 * before a long name, "--" as their end. -h and --help are known everywhere.
 * @param arguments  NULL-terminated, without the program's name; not changed
 * @param ret_words  the arguments that are no options, NULL-terminated, as many as `arguments` has
 * @returns the number of words, or -1
 */
int option_parse(const struct option *table, char *const *arguments, enum option_words mode,
		 char **ret_words, bool *ret_help, struct hoy_error *err);

/** Calls `visit` for each option of a table that is in the help, --help included. */
void option_each(const struct option *table, void (*visit)(const struct option *option, void *data),
		 void *data);

/** Writes a line or two for each option. */
void option_help(const struct option *table, FILE *stream);

#endif
