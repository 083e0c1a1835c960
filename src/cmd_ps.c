/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hoy ps: the processes of a container, as JSON or as those lines of ps(1) that are about them.
 * Runs in the program.
 */
#include <ctype.h>
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"

static const char *format = "table";

const struct option ps_options[] = {
	{ "format", 'f', OPTION_TEXT, &format, "FORMAT", "table (default) or json", "table json" },
	OPTION_END,
};

/** Sorted. */
struct pids {
	int *items;
	size_t len;
};

static void print_json(const struct pids *pids)
{
	putchar('[');
	for (size_t i = 0; i < pids->len; i++)
		printf("%s%d", i > 0 ? "," : "", pids->items[i]);
	puts("]");
}

/* ---- the table of ps(1) ---- */

static bool has(const struct pids *pids, long pid)
{
	for (size_t i = 0; i < pids->len; i++)
		if (pids->items[i] == pid)
			return true;
	return false;
}

/** Start of a line's column, counted from 0; NULL if there are fewer. */
static const char *column(const char *line, size_t index)
{
	for (;; index--) {
		line += strspn(line, " \t");
		if (*line == '\0' || *line == '\n')
			return NULL;
		if (index == 0)
			return line;
		line += strcspn(line, " \t\n");
	}
}

/** Which column of the header is PID. */
static int find_pid_column(const char *header, size_t *ret_index)
{
	const char *word;

	for (size_t i = 0; (word = column(header, i)); i++)
		if (strcspn(word, " \t\n") == 3 && strncmp(word, "PID", 3) == 0) {
			*ret_index = i;
			return 0;
		}
	return -ENOENT;
}

static int print_lines(FILE *stream, const struct pids *pids, struct hoy_error *err)
{
	autofree char *line = NULL;
	size_t size = 0, index;

	if (getline(&line, &size, stream) < 0)
		return fail(err, 0, "ps has printed nothing");
	if (find_pid_column(line, &index) < 0)
		return fail(err, 0, "the output of ps has no column PID");
	fputs(line, stdout);
	while (getline(&line, &size, stream) >= 0) {
		const char *word = column(line, index);

		if (word && isdigit((unsigned char)*word) && has(pids, strtol(word, NULL, 10)))
			fputs(line, stdout);
	}
	return 0;
}

static int spawn_ps(char **words, int output, pid_t *ret_pid)
{
	static char *default_words[] = { "ps", "-ef", NULL };
	posix_spawn_file_actions_t actions;
	int code = posix_spawn_file_actions_init(&actions);

	if (code)
		return -code;
	code = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	if (!code)
		code = posix_spawnp(ret_pid, "ps", &actions, NULL, words ? words : default_words,
				    environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -code;
}

/** @param words  with room for argv[0] before the options of ps, or NULL */
static int print_table(char **words, const struct pids *pids, struct hoy_error *err)
{
	int pipe_fds[2], status = 0, r;
	FILE *stream;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return fail(err, errno, "run ps");
	r = spawn_ps(words, pipe_fds[1], &pid);
	(void)close(pipe_fds[1]);
	stream = r < 0 ? NULL : fdopen(pipe_fds[0], "r");
	if (!stream) {
		(void)close(pipe_fds[0]);
		return fail(err, r < 0 ? r : ENOMEM, "run ps");
	}
	r = print_lines(stream, pids, err);
	(void)fclose(stream);
	if (waitpid(pid, &status, 0) < 0 || (r == 0 && status != 0))
		return fail(err, 0, "ps has failed");
	return r;
}

int cmd_ps(const struct program *program, char **words, struct hoy_error *err)
{
	struct pids pids = { 0 };
	char **ps_words = NULL;
	int r = 0;

	if (hoy_processes(&program->context, words[0], &pids.items, &pids.len, err) < 0)
		return -1;
	if (words[1]) {
		words[0] = "ps";
		ps_words = words;
	}
	if (strcmp(format, "json") == 0)
		print_json(&pids);
	else
		r = print_table(ps_words, &pids, err);
	free(pids.items);
	return r;
}
