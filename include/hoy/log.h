/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOY_LOG_H
#define HOY_LOG_H

enum hoy_log_level {
	HOY_LOG_ERROR,
	HOY_LOG_WARNING,
	HOY_LOG_INFO,
	HOY_LOG_DEBUG,
};

/** One event. Strings are valid only during the call; none is NULL. */
struct hoy_log_entry {
	enum hoy_log_level level;
	const char *message;
	/** Path in config.json the event is about, or "". */
	const char *at;
	/** Position in the configuration file, counted from 1; 0 if unknown. */
	unsigned int line, column;
	/** errno, or 0. */
	int code;
	/** True for a problem of the configuration: an error follows that names the first of them.
	 */
	int is_problem;
};

typedef void hoy_log_fn(const struct hoy_log_entry *entry, void *data);

#endif
