/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between create and start: init lets go of the runtime (commit), waits until `start` says go, and
 * says when execve is next. Runs in init, already confined but for seccomp.
 */
#include "init/init.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "sys/error.h"
#include "sys/fd.h"

/*
 * Two-way, so that success is reported only when init will outlive the runtime (trap 6): after
 * the answer the death signal is off, and only then does the runtime report success.
 */
int step_commit(struct init *init, struct hoy_error *err)
{
	if (init_request(init, REQUEST_CREATED, err) < 0)
		return -1;
	if (prctl(PR_SET_PDEATHSIG, 0) < 0)
		return fail(err, errno, "clear the parent-death signal");
	if (init_note(init->fds, NOTE_COMMITTED, 0, -1, err) < 0)
		return -1;
	if (init->fds->go < 0)
		return 0; /* `exec`: the runtime waits for execve itself */
	init->committed = true;
	(void)close(init->fds->socket);
	init->fds->socket = -1;
	return 0;
}

/*
 * Both FIFOs are open for reading and writing here, so that neither side's open blocks and a
 * reader never sees end of file while nobody has come yet.
 */
static int wait_go(const struct init *init, struct hoy_error *err)
{
	struct gate_message message;
	ssize_t len;

	do
		len = read(init->fds->go, &message, GATE_SHORT);
	while (len < 0 && errno == EINTR);
	if (len != (ssize_t)GATE_SHORT || message.type != GATE_GO)
		return fail(err, len < 0 ? errno : 0, "wait at the start gate");
	return 0;
}

/* Spec: runtime.md#start. */
int step_gate(struct init *init, struct hoy_error *err)
{
	if (wait_go(init, err) < 0)
		return -1;
	if (!init->plan->process.present)
		return fail(err, 0, "the configuration has no process to start");
	return 0;
}

static int tell(const struct init *init, enum gate_type type, struct hoy_error *err)
{
	struct gate_message message = { .type = type };

	if (write(init->fds->result, &message, GATE_SHORT) != (ssize_t)GATE_SHORT)
		return fail(err, errno, "tell start");
	return 0;
}

/* Late limits: nothing is forked from here on. Then the last message before execve. */
int step_execing(struct init *init, struct hoy_error *err)
{
	const bool filtered = init->plan->process.seccomp.len > 0;

	if (init->fds->go < 0)
		return init_note(init->fds, NOTE_EXECING, 0, -1, err);
	if (init->plan->cgroup.has_late_writes &&
	    (tell(init, GATE_LIMITS, err) < 0 || wait_go(init, err) < 0))
		return -1;
	return tell(init, filtered ? GATE_EXECING_FILTERED : GATE_EXECING, err);
}
