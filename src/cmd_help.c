/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hoy help: the help of the program or of a command; or all tables of commands and options, for
 * programs such as contrib/completions.py. Runs in the program.
 */
#include <string.h>

#include "command.h"
#include "sys/error.h"

static bool words_wanted;

const struct option help_options[] = {
	{ "words", 0, OPTION_FLAG, &words_wanted, NULL,
	  "print all commands and options, for programs", NULL },
	OPTION_END,
};

static const char *text_or_empty(const char *text)
{
	return text ? text : "";
}

static void print_option(const struct option *option, void *data)
{
	const struct command *command = data;
	const char letter[2] = { option->letter, '\0' };

	printf("option\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", command ? command->name : "", option->name,
	       letter, option->type == OPTION_LIST ? "many" : "once",
	       text_or_empty(option->argument), text_or_empty(option->words), option->help);
}

/** One row a line, columns parted by tabs: hoy-help(8) describes them. */
static void print_words(void)
{
	option_each(global_options, print_option, NULL);
	for (const struct command *command = commands; command->name; command++) {
		printf("command\t%s\t%s\t%s\n", command->name, command->words, command->summary);
		option_each(command->options, print_option, (void *)command);
	}
}

int cmd_help(const struct program *program, char **words, struct hoy_error *err)
{
	const struct command *command = NULL;

	(void)program;
	if (words_wanted) {
		print_words();
		return 0;
	}
	if (words[0]) {
		command = command_find(words[0]);
		if (!command) {
			(void)fail(err, 0, "unknown command %s", words[0]);
			return COMMAND_USAGE;
		}
	}
	command_help(command, command ? command->options : global_options, stdout);
	return 0;
}
