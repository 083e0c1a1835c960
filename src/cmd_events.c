/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hoy events: what a container uses, once or at intervals, and that it ran out of memory: one
 * line of JSON each. Runs in the program until the container has ended.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "command.h"
#include "sys/cleanup.h"
#include "sys/error.h"
#include "sys/fd.h"

static const char *interval = "5s";
static bool stats;

const struct option events_options[] = {
	{ "stats", 0, OPTION_FLAG, &stats, NULL, "print once what is used, and end", NULL },
	{ "interval", 0, OPTION_TEXT, &interval, "TIME",
	  "print it every TIME: a number with ms, s, m or h (default: 5s)", NULL },
	OPTION_END,
};

static int read_interval(int *ret_ms, struct hoy_error *err)
{
	static const struct {
		const char *name;
		unsigned int ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60 * 1000 }, { "h", 60 * 60 * 1000 } };
	size_t digits = strspn(interval, "0123456789");
	char number[16];
	uint64_t count;

	format_text(number, sizeof(number), "%.*s", (int)digits, interval);
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(interval + digits, units[i].name) != 0)
			continue;
		if (number_unsigned(number, (uint64_t)INT_MAX / units[i].ms, &count) < 0 ||
		    count == 0)
			break;
		*ret_ms = (int)(count * units[i].ms);
		return 0;
	}
	return fail(err, 0, "option --interval: invalid TIME \"%s\"", interval);
}

/* The id needs no escapes: see hoy_id_is_valid(). */
static int print_line(const char *type, const char *id, const char *data, struct hoy_error *err)
{
	printf("{\"type\":\"%s\",\"id\":\"%s\"%s%s}\n", type, id, data ? ",\"data\":" : "",
	       data ? data : "");
	return fflush(stdout) == 0 ? 0 : fail(err, errno, "write to stdout");
}

static int print_stats(const struct program *program, const char *id, struct hoy_error *err)
{
	autofree char *json = NULL;

	if (hoy_statistics(&program->context, id, &json, err) < 0)
		return -1;
	return print_line("stats", id, json, err);
}

/** Tells of kills until the interval is over. @returns 1, 0 if the container has ended, or -1 */
static int wait_interval(const struct program *program, const char *id, int interval_ms,
			 uint64_t *kills, struct hoy_error *err)
{
	int64_t end_ms = clock_ms() + interval_ms;

	for (;;) {
		int64_t left_ms = end_ms - clock_ms();
		int r = hoy_wait_oom(&program->context, id, left_ms > 0 ? (int)left_ms : 0, kills,
				     err);

		if (r < 0 || (r == HOY_OOM_KILLED && print_line("oom", id, NULL, err) < 0))
			return -1;
		if (r == HOY_OOM_ENDED)
			return 0;
		if (r == HOY_OOM_TIMEOUT)
			return 1;
	}
}

int cmd_events(const struct program *program, char **words, struct hoy_error *err)
{
	uint64_t kills = HOY_OOM_FROM_NOW;
	struct hoy_error ignored;
	int interval_ms = 0, r;

	if (read_interval(&interval_ms, err) < 0)
		return -1;
	/* What happens between the first line and the first wait must count, too. */
	if (!stats && hoy_wait_oom(&program->context, words[0], 0, &kills, err) < 0)
		return -1;
	r = print_stats(program, words[0], err);
	while (r == 0 && !stats) {
		int running = wait_interval(program, words[0], interval_ms, &kills, err);

		if (running <= 0)
			return running;
		r = print_stats(program, words[0], err);
		/* It may have ended since. */
		if (r < 0 && wait_interval(program, words[0], 0, &kills, &ignored) == 0)
			return 0;
	}
	return r;
}
