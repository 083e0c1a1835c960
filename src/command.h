/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of the program. */
#ifndef HOY_COMMAND_H
#define HOY_COMMAND_H

#include <stdbool.h>
#include <stdio.h>

#include <hoy/hoy.h>

#include "log_file.h"
#include "option.h"

/** What every command is given. */
struct program {
	struct hoy_context context;
	struct log_file *log;
};

enum command_flags {
	/** Starts processes in a container: runs from a copy of the binary out of their reach. */
	COMMAND_PROTECTED = 1,
	/** What follows the first word belongs to the container's process. */
	COMMAND_WORDS_LAST = 2,
	/** Needs CRIU: --help fails where that does not work, which engines probe. */
	COMMAND_CHECKPOINT = 4,
};

/** What a command returns that was called wrongly: the usage line is printed too. */
#define COMMAND_USAGE (-2)

struct command {
	const char *name;
	/** Its words, for the usage line. */
	const char *words;
	const char *summary;
	const struct option *options;
	unsigned int words_min, words_max;
	unsigned int flags;
	/**
	 * @param words  NULL-terminated, as many as words_min and words_max allow
	 * @returns the exit status, -1 with err filled, or COMMAND_USAGE likewise
	 */
	int (*run)(const struct program *program, char **words, struct hoy_error *err);
};

/** Sorted by the order of a container's life; ends with a row without name. */
extern const struct command commands[];

const struct command *command_find(const char *name);

/** One line. @param command  NULL for the program's own */
void command_usage(const struct command *command, FILE *stream);

/** Usage, summary, commands and options. */
void command_help(const struct command *command, const struct option *options, FILE *stream);

int cmd_checkpoint(const struct program *program, char **words, struct hoy_error *err);
int cmd_create(const struct program *program, char **words, struct hoy_error *err);
int cmd_delete(const struct program *program, char **words, struct hoy_error *err);
int cmd_events(const struct program *program, char **words, struct hoy_error *err);
int cmd_exec(const struct program *program, char **words, struct hoy_error *err);
int cmd_explain(const struct program *program, char **words, struct hoy_error *err);
int cmd_features(const struct program *program, char **words, struct hoy_error *err);
int cmd_help(const struct program *program, char **words, struct hoy_error *err);
int cmd_install(const struct program *program, char **words, struct hoy_error *err);
int cmd_kill(const struct program *program, char **words, struct hoy_error *err);
int cmd_list(const struct program *program, char **words, struct hoy_error *err);
int cmd_mounts(const struct program *program, char **words, struct hoy_error *err);
int cmd_pause(const struct program *program, char **words, struct hoy_error *err);
int cmd_ps(const struct program *program, char **words, struct hoy_error *err);
int cmd_restore(const struct program *program, char **words, struct hoy_error *err);
int cmd_resume(const struct program *program, char **words, struct hoy_error *err);
int cmd_run(const struct program *program, char **words, struct hoy_error *err);
int cmd_spec(const struct program *program, char **words, struct hoy_error *err);
int cmd_start(const struct program *program, char **words, struct hoy_error *err);
int cmd_state(const struct program *program, char **words, struct hoy_error *err);
int cmd_update(const struct program *program, char **words, struct hoy_error *err);

/* Each command's options stand beside its function. */
extern const struct option checkpoint_options[], create_options[], criu_options[], delete_options[],
	events_options[], exec_options[], explain_options[], help_options[], install_options[],
	kill_options[], list_options[], no_options[], ps_options[], restore_options[],
	run_options[], spec_options[], update_options[];

/* The options that stand before the command. */
extern const struct option global_options[];

#endif
