/* SPDX-License-Identifier: Apache-2.0 */
/* Where events and the final error go: --log, --log-format, and stderr. */
#ifndef HOY_LOG_FILE_H
#define HOY_LOG_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <hoy/error.h>
#include <hoy/log.h>

struct log_held;

struct log_file {
	/** -1: there is none and events go to stderr. */
	int fd;
	bool json;
	enum hoy_log_level level;
	/** "create c1": what was asked for, in front of every message. */
	char command[300];
	/** The file that lines and columns are about. */
	const char *config_name;
	/** What may still be written to stderr, in bytes. */
	size_t stderr_left;
	/** When the command began (CLOCK_MONOTONIC). */
	struct timespec started;
	/** Problems of the configuration, and in JSON all else, until the outcome is known. */
	struct log_held *problems, *warnings, *events;
	size_t problems_len, warnings_len, events_len;
};

#define LOG_STDERR_MAX 4096

#define LOG_FILE_NONE                                     \
	((struct log_file){ .fd = -1,                     \
			    .level = HOY_LOG_WARNING,     \
			    .config_name = "config.json", \
			    .stderr_left = LOG_STDERR_MAX })

/** Opens the file for appending, 0644. @param path  NULL or "" for none */
int log_file_open(struct log_file *log, const char *path, struct hoy_error *err);

/** The callback for struct hoy_context; data is a struct log_file. */
void log_file_event(const struct hoy_log_entry *entry, void *data);

/** All went well so far: what was held back is written. */
void log_file_flush(struct log_file *log);

/** All went well: what was held back is written, and at level debug what was done. */
void log_file_succeed(struct log_file *log);

/**
 * Writes the final error: exactly one object in JSON, with all that was held back in it; and in
 * plain text to stderr, one problem a line, this error last but for its hint.
 */
void log_file_fail(struct log_file *log, const struct hoy_error *err);

#endif
