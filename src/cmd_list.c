/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hoy list: all containers as a table, as JSON, or their ids alone. Runs in the program. That one
 * of them cannot be read is told in the log.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/string.h"
#include "command.h"
#include "sys/cleanup.h"
#include "sys/error.h"

static const char *format = "table";
static bool quiet;

const struct option list_options[] = {
	{ "format", 'f', OPTION_TEXT, &format, "FORMAT", "table (default) or json", "table json" },
	{ "quiet", 'q', OPTION_FLAG, &quiet, NULL, "print ids only", NULL },
	OPTION_END,
};

static int widest(int width, const char *text)
{
	int len = (int)strlen(text);

	return len > width ? len : width;
}

/* Whatever the directory is called, a container is one line, and the terminal is left alone. */
static char *printable(const char *path)
{
	struct text text = { 0 };

	text_add_escaped(&text, path);
	return text_take(&text);
}

static int print_table(const struct hoy_state *states, size_t len, struct hoy_error *err)
{
	int id = 2, bundle = 6, created = 7;

	for (size_t i = 0; i < len; i++) {
		autofree char *path = printable(states[i].bundle);

		if (!path)
			return fail(err, ENOMEM, "print container %s", states[i].id);
		id = widest(id, states[i].id);
		bundle = widest(bundle, path);
		created = widest(created, states[i].created);
	}
	printf("%-*s  %-10s  %-8s  %-*s  %-*s  %s\n", id, "ID", "PID", "STATUS", bundle, "BUNDLE",
	       created, "CREATED", "OWNER");
	for (size_t i = 0; i < len; i++) {
		autofree char *path = printable(states[i].bundle);

		printf("%-*s  %-10d  %-8s  %-*s  %-*s  %s\n", id, states[i].id, states[i].pid,
		       hoy_status_name(states[i].status), bundle, path ? path : "", created,
		       states[i].created, states[i].owner);
	}
	return 0;
}

static int print_json(const struct hoy_state *states, size_t len, struct hoy_error *err)
{
	putchar('[');
	for (size_t i = 0; i < len; i++) {
		autofree char *json = hoy_state_json(&states[i]);

		if (!json)
			return fail(err, ENOMEM, "print container %s", states[i].id);
		printf("%s%s", i > 0 ? "," : "", json);
	}
	puts("]");
	return 0;
}

static int print(const struct hoy_state *states, size_t len, struct hoy_error *err)
{
	if (quiet) {
		for (size_t i = 0; i < len; i++)
			puts(states[i].id);
		return 0;
	}
	if (strcmp(format, "json") == 0)
		return print_json(states, len, err);
	return print_table(states, len, err);
}

int cmd_list(const struct program *program, char **words, struct hoy_error *err)
{
	struct hoy_state *states;
	size_t len;
	int r;

	(void)words;
	if (hoy_list(&program->context, &states, &len, err) < 0)
		return -1;
	r = print(states, len, err);
	for (size_t i = 0; i < len; i++)
		hoy_state_done(&states[i]);
	free(states);
	return r;
}
