/* SPDX-License-Identifier: Apache-2.0 */
/* A container's process in the foreground: `run` and `exec` without --detach. */
#ifndef HOY_FOREGROUND_H
#define HOY_FOREGROUND_H

#include <stdbool.h>
#include <sys/types.h>

#include <hoy/error.h>

#include "terminal.h"

struct foreground {
	/** signalfd(2) of all that is forwarded. */
	int signals;
	/** Of the process that is waited for: filled in by hoy_run(), hoy_restore() or hoy_exec().
	 */
	int pidfd, pid;
	/** The container's notify socket, or -1, and that of the service manager. */
	int notify;
	const char *notify_socket;
	/** The master of its terminal, or -1; filled in likewise. */
	int master;
	struct terminal terminal;
};

#define FOREGROUND_NONE                      \
	((struct foreground){ .signals = -1, \
			      .pidfd = -1,   \
			      .notify = -1,  \
			      .master = -1,  \
			      .terminal = { .master = -1 } })

/**
 * Holds back all signals, so that none is lost before the process can get it.
 * @param subreaper  what the container leaves behind becomes our child and is reaped
 */
int foreground_begin(struct foreground *foreground, bool subreaper, struct hoy_error *err);

/** Joins the process' terminal, if it has one, to the caller's; best before the program runs. */
int foreground_attach(struct foreground *foreground, struct hoy_error *err);

/**
 * Forwards signals and copies the terminal until the process ends.
 * @returns its exit status, or 128 + the signal that killed it, or -1
 */
int foreground_wait(struct foreground *foreground, struct hoy_error *err);

/** Gives the caller's terminal back as it was. */
void foreground_done(struct foreground *foreground);

#endif
