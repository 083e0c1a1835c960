/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What create and exec hand to their caller besides the container: the terminal's master and a
 * pidfd over sockets, the pid in a file. The sockets are connected before anything is made.
 */
#ifndef HOY_RUNTIME_HANDOVER_H
#define HOY_RUNTIME_HANDOVER_H

#include <stdbool.h>
#include <sys/types.h>

#include <hoy/error.h>

struct handover {
	/** Connected sockets; -1 = none. */
	int console, pidfd;
};

#define HANDOVER_NONE ((struct handover){ .console = -1, .pidfd = -1 })

/**
 * Checks that a terminal has somewhere to go, and connects.
 * @param ret_terminal  the caller's place for the master where there is no console socket, or NULL
 */
int handover_open(struct handover *handover, bool terminal, const char *console_socket,
		  const char *pidfd_socket, const int *ret_terminal, struct hoy_error *err);

/** Sends the master (-1 = none) as engines expect it: one descriptor, the device's name as payload.
 */
int handover_terminal(const struct handover *handover, int master, struct hoy_error *err);
int handover_pidfd(const struct handover *handover, int pidfd, struct hoy_error *err);

/** Writes the pid in decimal without a line feed, as a whole (temporary name, rename). */
int handover_pid_file(const char *path, pid_t pid, struct hoy_error *err);

void handover_done(struct handover *handover);

#endif
