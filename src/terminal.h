/* SPDX-License-Identifier: Apache-2.0 */
/* The foreground's terminal: between the caller's stdio and the master of the container's. */
#ifndef HOY_TERMINAL_H
#define HOY_TERMINAL_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>

#include <hoy/error.h>

#define TERMINAL_BYTES 4096

/** One direction of the copy. */
struct terminal_stream {
	int from, to;
	size_t start, end;
	bool ended;
	/** TERMINAL_BYTES of them. */
	char *bytes;
};

struct terminal {
	/** Not owned; -1 = there is no terminal. */
	int master;
	/** The caller's stdin is a terminal and its modes are saved. */
	bool is_raw;
	struct termios saved;
	struct terminal_stream input, output;
};

/** How many descriptors terminal_poll() fills in. */
#define TERMINAL_FDS 3

/**
 * Begins: turns NL to CR-NL mapping off in the container's terminal, gives it the size of the
 * caller's, and sets the caller's, if stdin is one, to raw mode. terminal_done() undoes that.
 */
int terminal_begin(struct terminal *terminal, int master, struct hoy_error *err);

/** Gives the container's terminal the caller's present size. */
void terminal_resize(const struct terminal *terminal);

/** What to wait for; entries that are not of interest have fd -1. */
void terminal_poll(const struct terminal *terminal, struct pollfd fds[TERMINAL_FDS]);

/** Copies what can be copied without waiting. */
void terminal_copy(struct terminal *terminal, const struct pollfd fds[TERMINAL_FDS]);

/** Copies what the container's processes have still written, until the deadline. */
void terminal_drain(struct terminal *terminal, int64_t deadline_ms);

void terminal_done(struct terminal *terminal);

#endif
