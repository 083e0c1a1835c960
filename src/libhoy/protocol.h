/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the runtime and init say to each other while a container is made. Init asks, the runtime
 * answers: the order of set-up is the order of steps[] in init/init.c and is known nowhere else.
 * Success is always a message; end of file is always an error. One message is one datagram.
 * Neither side trusts the other's lengths: init may already share a namespace with hostile code.
 *
 * The start gate (two FIFOs in the state directory) speaks struct gate_message the same way.
 */
#ifndef HOY_PROTOCOL_H
#define HOY_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <hoy/error.h>

/** Name of init (proc(5), comm) until execve. */
#define INIT_NAME "hoy-init"

enum message_type {
	/* init or bootstrap -> runtime */

	/** Bootstrap has cloned init: its pid, with the pidfd attached. No answer. */
	NOTE_CLONED = 1,
	/** Please write the id maps of this process. Answer: ANSWER_DONE. */
	REQUEST_ID_MAPS,
	/** Please put me into my cgroup now (drivers that adopt). Answer: ANSWER_DONE. */
	REQUEST_CGROUP,
	/** My network namespace is there; its devices please. Answer: ANSWER_DONE. */
	REQUEST_NET_DEVICES,
	/** The root is complete; please run prestart and createRuntime hooks. Answer: ANSWER_DONE.
	 */
	REQUEST_RUNTIME_HOOKS,
	/** The terminal's master, attached. No answer. */
	NOTE_TERMINAL,
	/** A warning for the log (payload: struct hoy_error). No answer. */
	NOTE_WARNING,
	/** All is set up; rlimits please. Answer: ANSWER_DONE, the commit: init now outlives us. */
	REQUEST_CREATED,
	/** Init has let go of its life line. No answer. */
	NOTE_COMMITTED,
	/** `exec` only, the last message before execve. */
	NOTE_EXECING,
	/** `mounts`: all is done; the sender exits. */
	NOTE_DONE,
	/** A step failed (payload: struct hoy_error); the sender exits. */
	NOTE_ERROR,

	/* runtime -> init */

	ANSWER_DONE,
};

struct message {
	uint32_t type;
	/** NOTE_CLONED: pid in the runtime's pid namespace. */
	int32_t pid;
	/** NOTE_ERROR and NOTE_WARNING only; others are sent without it. */
	struct hoy_error error;
};

/** Length of a message that carries no error. */
#define MESSAGE_SHORT offsetof(struct message, error)

/** `start` may be of another version than the init that waits: numbers keep their meaning. */
enum gate_type {
	/** start -> init: go on. */
	GATE_GO = 1,
	/** init -> start: hooks are done; late limits please. Answer: GATE_GO. */
	GATE_LIMITS,
	/** init -> start: execve comes next; end of file now means that it succeeded. */
	GATE_EXECING,
	/** init -> start: failed, with the error. */
	GATE_ERROR,
	/** As EXECING, but execve is made under the container's filter, which may kill init. */
	GATE_EXECING_FILTERED,
};

struct gate_message {
	uint32_t type;
	struct hoy_error error;
};

/** Length of a gate message that carries no error; all fit into PIPE_BUF. */
#define GATE_SHORT offsetof(struct gate_message, error)

#endif
