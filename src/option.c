/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Option tables: parsing and help. Values go straight to where a row says. Runs in the program.
 * Must know no option but --help.
 */
#include "option.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/string.h"
#include "sys/error.h"

static bool option_help_wanted;

static const struct option help_table[] = {
	{ "help", 'h', OPTION_FLAG, &option_help_wanted, NULL, "print this help", NULL },
	OPTION_END,
};

/** Where the parser stands. */
struct parser {
	const struct option *table;
	char *const *next;
	struct hoy_error *err;
};

static bool is_flag(const struct option *option)
{
	return option->type == OPTION_FLAG || option->type == OPTION_IGNORED;
}

static bool is_end(const struct option *option)
{
	return !option->name && option->type != OPTION_TABLE;
}

static const struct option *find_long(const struct option *table, const char *name, size_t len)
{
	for (; !is_end(table); table++) {
		const struct option *found = NULL;

		if (table->type == OPTION_TABLE)
			found = find_long(table->value, name, len);
		else if (strlen(table->name) == len && strncmp(table->name, name, len) == 0)
			found = table;
		if (found)
			return found;
	}
	return NULL;
}

static const struct option *find_letter(const struct option *table, char letter)
{
	for (; !is_end(table); table++) {
		const struct option *found = NULL;

		if (table->type == OPTION_TABLE)
			found = find_letter(table->value, letter);
		else if (table->letter == letter)
			found = table;
		if (found)
			return found;
	}
	return NULL;
}

/** The name that was probably meant, or NULL. */
static const char *nearest(const struct option *table, const char *name, unsigned int *best)
{
	const char *found = NULL;

	for (; !is_end(table); table++) {
		unsigned int distance;
		const char *other;

		if (table->type == OPTION_TABLE) {
			other = nearest(table->value, name, best);
			found = other ? other : found;
			continue;
		}
		distance = string_distance(name, table->name, *best - 1);
		if (distance < *best) {
			*best = distance;
			found = table->name;
		}
	}
	return found;
}

static int fail_unknown(const struct parser *parser, const char *argument)
{
	const char *name = argument + strspn(argument, "-");
	unsigned int best = string_near(name) + 1;
	const char *meant = nearest(parser->table, name, &best);

	if (meant)
		return fail(parser->err, 0, "unknown option %s, did you mean --%s?", argument,
			    meant);
	return fail(parser->err, 0, "unknown option %s", argument);
}

static int fail_value(const struct parser *parser, const struct option *option, const char *value)
{
	return fail(parser->err, 0, "option --%s: invalid %s \"%s\"%s%s", option->name,
		    option->argument ? option->argument : "value", value,
		    option->words ? ", allowed are: " : "", option->words ? option->words : "");
}

/** Whether a word is one of those in a list separated by blanks. */
static bool is_word_of(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *place = words; len > 0 && place; place = strchr(place, ' ')) {
		place += *place == ' ';
		if (strncmp(place, word, len) == 0 && (place[len] == ' ' || place[len] == '\0'))
			return true;
	}
	return false;
}

static int add_to_list(struct option_list *list, char *value)
{
	char **items = reallocarray(list->items, list->len + 2, sizeof(*items));

	if (!items)
		return -ENOMEM;
	items[list->len++] = value;
	items[list->len] = NULL;
	list->items = items;
	return 0;
}

static int set_flag(const struct parser *parser, const struct option *option, const char *value)
{
	bool on = !value || strcmp(value, "true") == 0 || strcmp(value, "1") == 0;

	if (!on && strcmp(value, "false") != 0 && strcmp(value, "0") != 0)
		return fail_value(parser, option, value);
	if (option->type == OPTION_FLAG)
		*(bool *)option->value = on;
	return 0;
}

static int set_value(const struct parser *parser, const struct option *option, char *value)
{
	uint64_t number;

	if (is_flag(option))
		return set_flag(parser, option, value);
	if (option->words && !is_word_of(option->words, value))
		return fail_value(parser, option, value);
	if (option->type == OPTION_TEXT) {
		*(const char **)option->value = value;
		return 0;
	}
	if (option->type == OPTION_LIST)
		return add_to_list(option->value, value) < 0
			       ? fail(parser->err, ENOMEM, "option --%s", option->name)
			       : 0;
	if (number_unsigned(value, INT_MAX, &number) < 0)
		return fail_value(parser, option, value);
	*(unsigned int *)option->value = (unsigned int)number;
	return 0;
}

/** Sets an option from its attached value, or from the next argument if it needs one. */
static int take_value(struct parser *parser, const struct option *option, char *attached)
{
	if (attached || is_flag(option))
		return set_value(parser, option, attached);
	if (!*parser->next)
		return fail(parser->err, 0, "option --%s needs a value", option->name);
	return set_value(parser, option, *parser->next++);
}

/** "-x", "-xVALUE", "-xyz". */
static int parse_letters(struct parser *parser, char *argument)
{
	for (char *letter = argument + 1; *letter; letter++) {
		const struct option *option = find_letter(parser->table, *letter);

		if (!option)
			option = find_letter(help_table, *letter);
		if (!option)
			return fail_unknown(parser, argument);
		if (!is_flag(option))
			return take_value(parser, option, letter[1] ? letter + 1 : NULL);
		if (set_flag(parser, option, NULL) < 0)
			return -1;
	}
	return 0;
}

static int parse_option(struct parser *parser, char *argument)
{
	char *name = argument + (argument[1] == '-' ? 2 : 1);
	size_t len = strcspn(name, "=");
	const struct option *option = find_long(parser->table, name, len);

	if (!option)
		option = find_long(help_table, name, len);
	/* containerd's shim writes -no-subreaper; a single letter is always a short option. */
	if (option && (argument[1] == '-' || len > 1))
		return take_value(parser, option, name[len] == '=' ? name + len + 1 : NULL);
	if (argument[1] == '-')
		return fail_unknown(parser, argument);
	return parse_letters(parser, argument);
}

int option_parse(const struct option *table, char *const *arguments, enum option_words mode,
		 char **ret_words, bool *ret_help, struct hoy_error *err)
{
	struct parser parser = { .table = table, .next = arguments, .err = err };
	bool options_end = false;
	int len = 0;

	option_help_wanted = false;
	while (*parser.next) {
		char *argument = *parser.next++;

		if (!options_end && strcmp(argument, "--") == 0) {
			options_end = true;
			continue;
		}
		/* A lone "-" is a word: standard input. */
		if (options_end || argument[0] != '-' || argument[1] == '\0') {
			ret_words[len++] = argument;
			options_end = options_end || mode == OPTION_WORDS_LAST;
			if (mode == OPTION_WORDS_LAST)
				break;
			continue;
		}
		if (parse_option(&parser, argument) < 0)
			return -1;
	}
	while (*parser.next)
		ret_words[len++] = *parser.next++;
	ret_words[len] = NULL;
	*ret_help = option_help_wanted;
	return len;
}

static void each_row(const struct option *table,
		     void (*visit)(const struct option *option, void *data), void *data)
{
	for (; !is_end(table); table++) {
		if (table->type == OPTION_TABLE)
			each_row(table->value, visit, data);
		else if (table->type != OPTION_IGNORED)
			visit(table, data);
	}
}

void option_each(const struct option *table, void (*visit)(const struct option *option, void *data),
		 void *data)
{
	each_row(table, visit, data);
	each_row(help_table, visit, data);
}

static void help_row(const struct option *option, void *data)
{
	FILE *stream = data;
	char names[64];

	format_text(names, sizeof(names), "%s%c%s--%s%s%s", option->letter ? "-" : "  ",
		    option->letter ? option->letter : ' ', option->letter ? ", " : " ",
		    option->name, option->argument ? " " : "",
		    option->argument ? option->argument : "");
	fprintf(stream, "  %-32s %s\n", names, option->help);
}

void option_help(const struct option *table, FILE *stream)
{
	fputs("Options:\n", stream);
	option_each(table, help_row, stream);
}
