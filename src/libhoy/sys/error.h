/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filling struct hoy_error, and the small formatter behind it. Neither allocates nor uses stdio
 * or the locale, so both work between clone and execve.
 */
#ifndef HOY_SYS_ERROR_H
#define HOY_SYS_ERROR_H

#include <stdarg.h>
#include <stddef.h>

#include <hoy/error.h>

/**
 * Formats like snprintf, for %s %.*s %c %d %u %x %o with the lengths none, l, ll and z, %0N[dxou],
 * and %%. NULL for %s prints "(null)".
 * @returns the length that the whole text has; what does not fit is cut, always terminated
 */
size_t format_text(char *buffer, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
size_t format_text_v(char *buffer, size_t size, const char *format, va_list arguments)
	__attribute__((format(printf, 3, 0)));

/**
 * Sets the error: `code` is an errno value (either sign) or 0, the text must not repeat its words.
 * @returns -1, so that a caller can write `return fail(err, ...)`
 */
int fail(struct hoy_error *err, int code, const char *format, ...)
	__attribute__((cold, format(printf, 3, 4)));

/** As fail(), for a value of the configuration: `at` is its path there. */
int fail_at(struct hoy_error *err, const char *at, int code, const char *format, ...)
	__attribute__((cold, format(printf, 4, 5)));

/** Adds context in front of an error that is set: "CONTEXT: TEXT". @returns -1 */
int fail_in(struct hoy_error *err, const char *format, ...)
	__attribute__((cold, format(printf, 2, 3)));

/** Names the configuration path of an error that is set and has none yet. @returns -1 */
int fail_from(struct hoy_error *err, const char *at) __attribute__((cold));

/** Adds the hint; the first one stays. @returns -1 */
int fail_hint(struct hoy_error *err, const char *format, ...)
	__attribute__((cold, format(printf, 2, 3)));

/** The errno's own words in English, whatever the locale. */
const char *error_words(int code);

#endif
