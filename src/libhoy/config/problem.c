/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling what is wrong with a configuration, all of it, each with its place. Runs in the runtime.
 * Must not decide what is a problem.
 */
#include "config/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/string.h"
#include "sys/error.h"

#define MESSAGE_SIZE 1024

struct place {
	const char *at;
	unsigned int line, column;
	/** errno of a failed call, or 0. */
	int code;
};

/* Not all of it at once: there is much room for paths, which mostly nobody touches. */
void problems_begin(struct problems *problems, const struct config_report *report,
		    const char *prefix, struct hoy_error *err)
{
	problems->report = report;
	problems->document = NULL;
	problems->prefix = prefix;
	problems->err = err;
	problems->problems = problems->warnings = 0;
}

static void send(const struct problems *problems, enum hoy_log_level level,
		 const struct place *place, const char *message)
{
	struct hoy_log_entry entry = {
		.level = level,
		.message = message,
		.at = place->at,
		.line = place->line,
		.column = place->column,
		.code = place->code,
		.is_problem = level == HOY_LOG_ERROR,
	};

	if (problems->report->log)
		problems->report->log(&entry, problems->report->log_data);
}

static void tell_problem(struct problems *problems, const struct place *place, const char *format,
			 va_list arguments)
{
	char message[MESSAGE_SIZE];

	(void)vsnprintf(message, sizeof(message), format, arguments);
	(void)snprintf(problems->told[problems->problems], JSON_PATH_SIZE, "%s", place->at);
	if (problems->problems++ == 0) {
		(void)fail_at(problems->err, place->at, 0, "%s", message);
		problems->err->line = place->line;
		problems->err->column = place->column;
	}
	send(problems, HOY_LOG_ERROR, place, message);
}

static void tell_warning(struct problems *problems, const struct place *place, const char *format,
			 va_list arguments)
{
	char message[MESSAGE_SIZE];

	if (problems->report->strict) {
		tell_problem(problems, place, format, arguments);
		return;
	}
	problems->warnings++;
	(void)vsnprintf(message, sizeof(message), format, arguments);
	send(problems, HOY_LOG_WARNING, place, message);
}

/** False, and counted, if enough problems were told. */
static bool may_tell_problem(struct problems *problems)
{
	if (problems->problems < PROBLEMS_TOLD)
		return true;
	problems->problems++;
	return false;
}

static bool may_tell_warning(struct problems *problems)
{
	if (problems->report->strict)
		return may_tell_problem(problems);
	if (problems->warnings < PROBLEMS_TOLD)
		return true;
	problems->warnings++;
	return false;
}

const struct json_node *problem_find(const struct json_node *document, const char *prefix,
				     const char *at)
{
	size_t len = strlen(prefix);

	if (!string_starts(at, prefix))
		return NULL;
	at += len;
	return json_find_nearest(document, len > 0 && *at == '.' ? at + 1 : at);
}

static struct place place_at(const struct problems *problems, const char *at)
{
	const struct json_node *node = problem_find(problems->document, problems->prefix, at);

	return (struct place){ at, node ? node->line : 0, node ? node->column : 0, 0 };
}

size_t problem_path(const struct problems *problems, const struct json_node *node, char *path)
{
	size_t len = strlen(problems->prefix);

	memcpy(path, problems->prefix, len + 1);
	return json_path_node(path, len, node);
}

void problem_at(struct problems *problems, const char *at, const char *format, ...)
{
	struct place place;
	va_list arguments;

	if (!may_tell_problem(problems))
		return;
	place = place_at(problems, at);
	va_start(arguments, format);
	tell_problem(problems, &place, format, arguments);
	va_end(arguments);
}

void problem_node(struct problems *problems, const struct json_node *node, const char *format, ...)
{
	char path[JSON_PATH_SIZE];
	struct place place = { path, node->line, node->column, 0 };
	va_list arguments;

	if (!may_tell_problem(problems))
		return;
	(void)problem_path(problems, node, path);
	va_start(arguments, format);
	tell_problem(problems, &place, format, arguments);
	va_end(arguments);
}

void problem_key(struct problems *problems, const struct json_node *node, const char *format, ...)
{
	char path[JSON_PATH_SIZE];
	struct place place = { path, node->key_line, node->key_column, 0 };
	va_list arguments;

	if (!may_tell_problem(problems))
		return;
	(void)problem_path(problems, node, path);
	va_start(arguments, format);
	tell_problem(problems, &place, format, arguments);
	va_end(arguments);
}

void warning_at(struct problems *problems, const char *at, const char *format, ...)
{
	struct place place;
	va_list arguments;

	if (!may_tell_warning(problems))
		return;
	place = place_at(problems, at);
	va_start(arguments, format);
	tell_warning(problems, &place, format, arguments);
	va_end(arguments);
}

void warning_key(struct problems *problems, const struct json_node *node, const char *format, ...)
{
	char path[JSON_PATH_SIZE];
	struct place place = { path, node->key_line, node->key_column, 0 };
	va_list arguments;

	if (!may_tell_warning(problems))
		return;
	(void)problem_path(problems, node, path);
	va_start(arguments, format);
	tell_warning(problems, &place, format, arguments);
	va_end(arguments);
}

bool problem_known(const struct problems *problems, const char *at)
{
	size_t len = strlen(at);
	unsigned int told = problems->problems;

	for (unsigned int i = 0; i < told && i < PROBLEMS_TOLD; i++) {
		const char *path = problems->told[i];

		if (strncmp(path, at, len) == 0 &&
		    (path[len] == '\0' || path[len] == '.' || path[len] == '['))
			return true;
	}
	/* What was not told one by one may be anywhere. */
	return told > PROBLEMS_TOLD;
}

int problem_error(struct problems *problems)
{
	const struct hoy_error *err = problems->err;
	struct place place = { err->at, err->line, err->column, err->code };

	problems->problems++;
	send(problems, HOY_LOG_ERROR, &place, err->text);
	return -1;
}

int problems_end(struct problems *problems)
{
	static const struct place nowhere = { .at = "" };
	char message[64];

	if (problems->warnings > PROBLEMS_TOLD) {
		(void)snprintf(message, sizeof(message), "%u more warnings",
			       problems->warnings - PROBLEMS_TOLD);
		send(problems, HOY_LOG_WARNING, &nowhere, message);
	}
	if (problems->problems > PROBLEMS_TOLD) {
		(void)snprintf(message, sizeof(message), "%u more problems",
			       problems->problems - PROBLEMS_TOLD);
		send(problems, HOY_LOG_ERROR, &nowhere, message);
	}
	return problems->problems > 0 ? -1 : 0;
}

const char *path_format(char *path, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)format_text_v(path, JSON_PATH_SIZE, format, arguments);
	va_end(arguments);
	return path;
}

const char *path_member(char *path, const char *object, const char *key)
{
	size_t len = strnlen(object, JSON_PATH_SIZE - 1);

	memcpy(path, object, len);
	path[len] = '\0';
	(void)json_path_member(path, len, key);
	return path;
}
