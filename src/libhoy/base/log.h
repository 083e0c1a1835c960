/* SPDX-License-Identifier: Apache-2.0 */
/* Events for the library's caller. Nothing here prints. Runtime only. */
#ifndef HOY_BASE_LOG_H
#define HOY_BASE_LOG_H

#include <stdbool.h>

#include <hoy/log.h>

/** Where events go; a zeroed one drops them all. */
struct log {
	hoy_log_fn *function;
	void *data;
	enum hoy_log_level level;
};

/** True if an event of this level would be told: for what is costly to format. */
bool log_wants(const struct log *log, enum hoy_log_level level);

/** The message is cut after 2047 bytes. */
void log_event(const struct log *log, enum hoy_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * As log_event(), about a value of the configuration and a failed call.
 * @param at    config path, or ""
 * @param code  errno (either sign), or 0
 */
void log_event_at(const struct log *log, enum hoy_log_level level, const char *at, int code,
		  const char *format, ...) __attribute__((format(printf, 5, 6)));

#define log_error(log, ...)   log_event(log, HOY_LOG_ERROR, __VA_ARGS__)
#define log_warning(log, ...) log_event(log, HOY_LOG_WARNING, __VA_ARGS__)
#define log_info(log, ...)    log_event(log, HOY_LOG_INFO, __VA_ARGS__)
#define log_debug(log, ...)   log_event(log, HOY_LOG_DEBUG, __VA_ARGS__)

#endif
