/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOY_ERROR_H
#define HOY_ERROR_H

#pragma GCC visibility push(default)

/**
 * What every failing function of libhoy fills in.
 *
 * Fixed size and without pointers: it lives on the caller's stack, crosses the socket between
 * init and the runtime as it is, and is never freed. It is set once, where the failure is seen;
 * callers further up only add context in front of the text.
 */
struct hoy_error {
	/** errno of the failed call, or 0 where no system call failed. */
	int code;
	/** Exit status the program should end with: 1, or 126/127 if the program cannot be run. */
	int status;
	/** Position in the configuration file, counted from 1; 0 if unknown. */
	unsigned int line, column;
	/** Path of the value in config.json, "linux.resources.memory.limit", or "". */
	char at[256];
	/** What failed, lower case, with the value in question; without the errno's words. */
	char text[1024];
	/** One sentence saying what to change, or "". */
	char hint[256];
};

/**
 * Writes "AT: TEXT: ERRNO'S WORDS" as one line without a line feed, control bytes escaped.
 * @param size  of buffer in bytes; the result is cut to fit and always terminated
 * @returns the length of the result
 */
int hoy_error_format(const struct hoy_error *err, char *buffer, unsigned long size);

#pragma GCC visibility pop

#endif
