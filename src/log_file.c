/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of the program and its last words. Engines read both: podman parses the whole JSON log
 * as one object, containerd looks for its last error, conmon keeps 8 KiB of stderr. Every line is
 * one write(2), with control bytes escaped. Runs in the program.
 */
#include "log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <hoy/features.h>

#include "base/json_write.h"
#include "base/string.h"
#include "sys/cleanup.h"
#include "sys/error.h"
#include "sys/fd.h"

/* As many problems are told of one configuration, as many warnings, and as many other events. */
#define HELD_MAX 50
/* Warnings must leave room for what went wrong in the end. */
#define STDERR_FOR_ERRORS 3072
/* Room for most lines without memory of their own. */
#define LINE_MOSTLY 512

struct log_held {
	enum hoy_log_level level;
	char *message, *at;
	unsigned int line, column;
	int code;
};

static const char *const level_names[] = { "error", "warning", "info", "debug" };

int log_file_open(struct log_file *log, const char *path, struct hoy_error *err)
{
	if (!path || path[0] == '\0')
		return 0;
	log->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
	return log->fd < 0 ? fail(err, errno, "open log %s", path) : 0;
}

/* ---- lines ---- */

/** RFC 3339 in UTC, with nanoseconds. */
static void format_time(char *buffer, size_t size)
{
	struct timespec now;
	struct tm utc;
	size_t len;

	if (clock_gettime(CLOCK_REALTIME, &now) < 0 || !gmtime_r(&now.tv_sec, &utc))
		memset(&utc, 0, sizeof(utc));
	len = strftime(buffer, size, "%Y-%m-%dT%H:%M:%S", &utc);
	format_text(buffer + len, size - len, ".%09ldZ", now.tv_nsec);
}

static void write_stderr(struct log_file *log, struct text *line)
{
	size_t len = line->len < log->stderr_left ? line->len : log->stderr_left;

	if (len == 0 || !line->bytes)
		return;
	/* What is cut still ends its line. */
	line->bytes[len - 1] = '\n';
	log->stderr_left -= len;
	(void)fd_write_all(STDERR_FILENO, line->bytes, len);
}

/** Writes a line to the log file; without one to stderr. */
static void write_line(struct log_file *log, struct text *line)
{
	text_add_char(line, '\n');
	if (!line->bytes)
		return;
	if (log->fd >= 0)
		(void)fd_write_all(log->fd, line->bytes, line->len);
	else
		write_stderr(log, line);
}

static void add_command(struct text *text, const struct log_file *log)
{
	if (log->command[0] == '\0')
		return;
	text_add_escaped(text, log->command);
	text_add(text, ": ");
}

/** "config.json:12:5: PATH: MESSAGE: ERRNO'S WORDS" */
static void add_message(struct text *text, const struct log_file *log,
			const struct hoy_log_entry *entry)
{
	if (entry->line > 0) {
		text_add_escaped(text, log->config_name);
		text_add_format(text, ":%u:%u: ", entry->line, entry->column);
	}
	if (entry->at[0]) {
		text_add_escaped(text, entry->at);
		text_add(text, ": ");
	}
	text_add_escaped(text, entry->message);
	if (entry->code != 0)
		text_add_format(text, ": %s", error_words(entry->code));
}

/** A line of a message that is escaped already. */
static void write_text(struct log_file *log, enum hoy_log_level level, const char *message)
{
	char time[48], place[LINE_MOSTLY];
	autotext struct text line = TEXT_IN(place);

	if (log->fd < 0) {
		text_add_format(&line, "hoy: %s: ", level_names[level]);
	} else {
		format_time(time, sizeof(time));
		text_add_format(&line, "%s %s: ", time, level_names[level]);
	}
	text_add(&line, message);
	write_line(log, &line);
}

static void begin_json(struct json_writer *writer, const struct hoy_log_entry *entry,
		       const char *message)
{
	char time[48];

	format_time(time, sizeof(time));
	json_write_object(writer, NULL);
	json_write_string(writer, "level", level_names[entry->level]);
	json_write_string(writer, "msg", message);
	json_write_string(writer, "time", time);
	if (entry->at[0])
		json_write_string(writer, "path", entry->at);
	if (entry->code != 0)
		json_write_signed(writer, "errno", entry->code);
}

static void end_json(struct log_file *log, struct json_writer *writer)
{
	autotext struct text line = { 0 };
	autofree char *object = NULL;

	json_write_end(writer);
	object = json_write_take(writer);
	if (!object)
		return;
	text_add(&line, object);
	write_line(log, &line);
}

static void write_json(struct log_file *log, const struct hoy_log_entry *entry, const char *message)
{
	struct json_writer writer = { 0 };

	begin_json(&writer, entry, message);
	end_json(log, &writer);
}

static void write_entry(struct log_file *log, const struct hoy_log_entry *entry)
{
	char place[LINE_MOSTLY];
	autotext struct text message = TEXT_IN(place);

	add_message(&message, log, entry);
	if (!message.bytes)
		return;
	if (log->json)
		write_json(log, entry, message.bytes);
	else if (log->fd >= 0 || log->stderr_left > STDERR_FOR_ERRORS)
		write_text(log, entry->level, message.bytes);
}

/* ---- what is held back ---- */

static void hold(struct log_held **held, size_t *len, const struct hoy_log_entry *entry)
{
	struct log_held *items;

	if (*len == HELD_MAX)
		return;
	items = realloc(*held, (*len + 1) * sizeof(**held));
	if (!items)
		return;
	*held = items;
	items[*len] = (struct log_held){ entry->level, strdup(entry->message), strdup(entry->at),
					 entry->line,  entry->column,	       entry->code };
	*len += items[*len].message && items[*len].at;
}

static void held_done(struct log_held **held, size_t *len)
{
	for (size_t i = 0; i < *len; i++) {
		free((*held)[i].message);
		free((*held)[i].at);
	}
	free(*held);
	*held = NULL;
	*len = 0;
}

static struct hoy_log_entry entry_of(const struct log_held *held)
{
	return (struct hoy_log_entry){
		.level = held->level,
		.message = held->message,
		.at = held->at,
		.line = held->line,
		.column = held->column,
		.code = held->code,
	};
}

void log_file_event(const struct hoy_log_entry *entry, void *data)
{
	struct log_file *log = data;

	if (entry->is_problem)
		hold(&log->problems, &log->problems_len, entry);
	else if (entry->level > log->level)
		return;
	else if (log->json && entry->level == HOY_LOG_WARNING)
		hold(&log->warnings, &log->warnings_len, entry);
	else if (log->json)
		hold(&log->events, &log->events_len, entry);
	else
		write_entry(log, entry);
}

/* ---- the end ---- */

/** Who did what, and how long it took: what a log is read for when all went well. */
static void log_what_was_done(struct log_file *log)
{
	const struct timespec *from = &log->started;
	struct timespec now;
	char text[sizeof(log->command) + 64];

	if (log->command[0] == '\0' || log->level < HOY_LOG_DEBUG ||
	    clock_gettime(CLOCK_MONOTONIC, &now) < 0)
		return;
	format_text(text, sizeof(text), "hoy %s: %s: done in %lld us", hoy_version(), log->command,
		    (now.tv_sec - from->tv_sec) * 1000000LL + (now.tv_nsec - from->tv_nsec) / 1000);
	write_entry(log, &(struct hoy_log_entry){ HOY_LOG_DEBUG, .message = text, .at = "" });
}

static void write_and_release(struct log_file *log, struct log_held **held, size_t *len)
{
	for (size_t i = 0; i < *len; i++) {
		struct hoy_log_entry entry = entry_of(&(*held)[i]);

		write_entry(log, &entry);
	}
	held_done(held, len);
}

void log_file_flush(struct log_file *log)
{
	write_and_release(log, &log->events, &log->events_len);
	write_and_release(log, &log->warnings, &log->warnings_len);
	held_done(&log->problems, &log->problems_len);
}

void log_file_succeed(struct log_file *log)
{
	log_file_flush(log);
	log_what_was_done(log);
}

static void write_held(struct json_writer *writer, const char *key, const struct log_held *held,
		       size_t len)
{
	if (len == 0)
		return;
	json_write_list(writer, key);
	for (size_t i = 0; i < len; i++) {
		json_write_object(writer, NULL);
		json_write_string(writer, "path", held[i].at);
		json_write_unsigned(writer, "line", held[i].line);
		json_write_unsigned(writer, "column", held[i].column);
		json_write_string(writer, "msg", held[i].message);
		if (held[i].code != 0)
			json_write_signed(writer, "errno", held[i].code);
		json_write_end(writer);
	}
	json_write_end(writer);
}

static void fail_json(struct log_file *log, const struct hoy_log_entry *entry, const char *message,
		      const char *hint)
{
	struct json_writer writer = { 0 };

	begin_json(&writer, entry, message);
	write_held(&writer, "problems", log->problems, log->problems_len);
	write_held(&writer, "warnings", log->warnings, log->warnings_len);
	write_held(&writer, "events", log->events, log->events_len);
	if (hint[0])
		json_write_string(&writer, "hint", hint);
	end_json(log, &writer);
}

/** Whether a held problem is what the error is about. */
static bool is_cause(const struct log_held *held, const struct hoy_error *err)
{
	return held->line == err->line && held->column == err->column &&
	       strcmp(held->at, err->at) == 0;
}

/** The problems but the cause, one a line, as far as there is room before `reserved` bytes. */
static void print_problems(struct log_file *log, const struct hoy_error *err, size_t reserved)
{
	for (size_t i = 0; i < log->problems_len; i++) {
		struct hoy_log_entry entry = entry_of(&log->problems[i]);
		autotext struct text line = { 0 };

		if (i == 0 && is_cause(&log->problems[i], err))
			continue;
		text_add(&line, "hoy: ");
		add_command(&line, log);
		add_message(&line, log, &entry);
		text_add_char(&line, '\n');
		if (line.len + reserved > log->stderr_left)
			return;
		write_stderr(log, &line);
	}
}

/** The error's own words are told even if there is no memory for the rest. */
static void fail_without_memory(const struct log_file *log, const struct hoy_error *err)
{
	static const char json[] = "{\"level\":\"error\",\"msg\":\"out of memory\"}\n";
	char text[STDERR_FOR_ERRORS], line[sizeof(text) + sizeof("hoy: \n")];
	size_t len;

	(void)hoy_error_format(err, text, sizeof(text));
	len = format_text(line, sizeof(line), "hoy: %s\n", text);
	(void)fd_write_all(STDERR_FILENO, line, len);
	if (log->fd >= 0)
		(void)fd_write_all(log->fd, log->json ? json : line,
				   log->json ? sizeof(json) - 1 : len);
}

void log_file_fail(struct log_file *log, const struct hoy_error *err)
{
	const struct hoy_log_entry entry = {
		.level = HOY_LOG_ERROR,
		.message = err->text,
		.at = err->at,
		.line = err->line,
		.column = err->column,
		.code = err->code,
	};
	autotext struct text message = { 0 }, line = { 0 }, hint = { 0 };

	add_command(&message, log);
	add_message(&message, log, &entry);
	text_add_format(&line, "hoy: %s\n", message.bytes ? message.bytes : "");
	if (message.failed || line.failed) {
		fail_without_memory(log, err);
		return;
	}
	if (log->json)
		fail_json(log, &entry, message.bytes, err->hint);
	else if (log->fd >= 0)
		write_text(log, HOY_LOG_ERROR, message.bytes);
	if (err->hint[0]) {
		text_add(&hint, "hint: ");
		text_add_escaped(&hint, err->hint);
		text_add_char(&hint, '\n');
	}
	print_problems(log, err, line.len + hint.len);
	write_stderr(log, &line);
	write_stderr(log, &hint);
	held_done(&log->problems, &log->problems_len);
	held_done(&log->warnings, &log->warnings_len);
	held_done(&log->events, &log->events_len);
}
