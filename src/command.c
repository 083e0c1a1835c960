/* SPDX-License-Identifier: Apache-2.0 */
/*
 * THE table of commands: parsing, help, manual pages and completion come from it. Runs in the
 * program. What a command does is in cmd_NAME.c.
 */
#include "command.h"

#include <string.h>

#include "sys/error.h"

const struct option no_options[] = { OPTION_END };

const struct command commands[] = {
	{ "create", "ID", "make a container from a bundle, ready to start", create_options, 1, 1,
	  COMMAND_PROTECTED, cmd_create },
	{ "start", "ID", "run the program of a created container", no_options, 1, 1, 0, cmd_start },
	{ "run", "ID", "create, start, wait for and delete a container", run_options, 1, 1,
	  COMMAND_PROTECTED, cmd_run },
	{ "exec", "ID [COMMAND [WORD...]]", "run one more process in a container", exec_options, 1,
	  ~0U, COMMAND_PROTECTED | COMMAND_WORDS_LAST, cmd_exec },
	{ "state", "ID", "print the state of a container", no_options, 1, 1, 0, cmd_state },
	{ "list", "", "print all containers", list_options, 0, 0, 0, cmd_list },
	{ "kill", "ID [SIGNAL]", "send a signal to a container", kill_options, 1, 2, 0, cmd_kill },
	{ "pause", "ID", "freeze all processes of a container", no_options, 1, 1, 0, cmd_pause },
	{ "resume", "ID", "let a paused container go on", no_options, 1, 1, 0, cmd_resume },
	{ "checkpoint", "ID", "write a running container to images", checkpoint_options, 1, 1,
	  COMMAND_CHECKPOINT, cmd_checkpoint },
	{ "restore", "ID", "make a container from a bundle and images", restore_options, 1, 1,
	  COMMAND_CHECKPOINT, cmd_restore },
	{ "update", "ID", "change the limits of a container", update_options, 1, 1, 0, cmd_update },
	{ "mounts", "add|remove ID FILE", "mount or unmount in a running container", no_options, 3,
	  3, COMMAND_PROTECTED, cmd_mounts },
	{ "ps", "ID [PS-OPTION...]", "print the processes of a container", ps_options, 1, ~0U,
	  COMMAND_WORDS_LAST, cmd_ps },
	{ "events", "ID", "print what a container uses, and when it lacks memory", events_options,
	  1, 1, 0, cmd_events },
	{ "delete", "ID", "remove a stopped container", delete_options, 1, 1, 0, cmd_delete },
	{ "explain", "[ID]", "print what create would do", explain_options, 0, 1, 0, cmd_explain },
	{ "spec", "", "write a default configuration", spec_options, 0, 0, 0, cmd_spec },
	{ "features", "", "print what this runtime can do", no_options, 0, 0, 0, cmd_features },
	{ "install", "podman|containerd|crio|docker", "have an engine use hoy", install_options, 0,
	  1, 0, cmd_install },
	{ "help", "[COMMAND]", "print help", help_options, 0, 1, 0, cmd_help },
	{ 0 },
};

const struct command *command_find(const char *name)
{
	for (const struct command *command = commands; command->name; command++)
		if (strcmp(command->name, name) == 0)
			return command;
	return NULL;
}

void command_usage(const struct command *command, FILE *stream)
{
	if (!command)
		fprintf(stream, "usage: hoy [OPTION...] COMMAND [OPTION...] [WORD...]\n");
	else
		fprintf(stream, "usage: hoy [OPTION...] %s [OPTION...]%s%s\n", command->name,
			command->words[0] ? " " : "", command->words);
}

void command_help(const struct command *command, const struct option *options, FILE *stream)
{
	command_usage(command, stream);
	if (command) {
		fprintf(stream, "\nhoy %s: %s\n\n", command->name, command->summary);
	} else {
		fprintf(stream, "\nhoy: an OCI container runtime\n\nCommands:\n");
		for (const struct command *row = commands; row->name; row++) {
			char words[64];

			format_text(words, sizeof(words), "%s %s", row->name, row->words);
			fprintf(stream, "  %-32s %s\n", words, row->summary);
		}
		fputc('\n', stream);
	}
	option_help(options, stream);
}
