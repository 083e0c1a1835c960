/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events for the library's caller. Runs in the runtime. Must not print: what becomes of an event
 * is the caller's business.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#define MESSAGE_SIZE 2048

bool log_wants(const struct log *log, enum hoy_log_level level)
{
	return log && log->function && level <= log->level;
}

static void send(const struct log *log, struct hoy_log_entry *entry, const char *format,
		 va_list arguments)
{
	char message[MESSAGE_SIZE];

	if (vsnprintf(message, sizeof(message), format, arguments) < 0)
		return;
	entry->message = message;
	log->function(entry, log->data);
}

void log_event(const struct log *log, enum hoy_log_level level, const char *format, ...)
{
	struct hoy_log_entry entry = { .level = level, .at = "" };
	va_list arguments;

	if (!log_wants(log, level))
		return;
	va_start(arguments, format);
	send(log, &entry, format, arguments);
	va_end(arguments);
}

void log_event_at(const struct log *log, enum hoy_log_level level, const char *at, int code,
		  const char *format, ...)
{
	struct hoy_log_entry entry = { .level = level, .at = at, .code = code < 0 ? -code : code };
	va_list arguments;

	if (!log_wants(log, level))
		return;
	va_start(arguments, format);
	send(log, &entry, format, arguments);
	va_end(arguments);
}
