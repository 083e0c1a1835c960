/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prepares the hand-over of the seccomp listener: init sends it (init/listener.c), over a socket
 * that the runtime has connected before the clone, with a message that is complete but for the pid.
 * Runs in the runtime.
 */
#include "runtime/listener.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>

#include "base/json_write.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/message.h"

/* How long the agent may take to accept the connection. */
#define CONNECT_MS 10000
/* A pid is written into this many blanks. */
#define PID_BLANKS "          "

/* {"ociVersion", "fds", "pid", "metadata", "state"} of the specification. */
static int compose(struct launch *launch, struct arena *arena, struct hoy_error *err)
{
	const struct plan_hooks *state = &launch->plan->hooks[PLAN_START_CONTAINER];
	const struct plan_seccomp *seccomp = &launch->plan->process.seccomp;
	struct launch_fds *fds = &launch->fds;
	autotext struct text text = { 0 };

	text_add(&text, "{\"ociVersion\":\"1.3.0\",\"fds\":[\"seccompFd\"],\"pid\":");
	fds->listener_pid_offsets[0] = text.len;
	text_add(&text, PID_BLANKS);
	if (seccomp->listener_metadata) {
		text_add(&text, ",\"metadata\":");
		json_quote(&text, seccomp->listener_metadata);
	}
	text_add(&text, ",\"state\":");
	fds->listener_pid_offsets[1] = text.len + state->pid_offset;
	text_add_bytes(&text, state->state, state->state_len);
	text_add(&text, "}");
	if (text.failed)
		return fail(err, ENOMEM, "compose the seccomp agent's message");
	if (launch->container_pid > 0) {
		char digits[12];
		size_t len = format_text(digits, sizeof(digits), "%d", (int)launch->container_pid);

		memcpy(text.bytes + fds->listener_pid_offsets[1] + strlen(PID_BLANKS) - len, digits,
		       len);
		fds->listener_pid_offsets[1] = fds->listener_pid_offsets[0];
	}
	fds->listener_state_len = text.len;
	fds->listener_state = arena_copy(arena, text.bytes, text.len);
	return fds->listener_state ? 0 : fail(err, ENOMEM, "compose the agent's message");
}

int listener_connect(struct launch *launch, struct arena *arena, struct hoy_error *err)
{
	const struct plan_seccomp *seccomp = &launch->plan->process.seccomp;
	int fd;

	if (!seccomp->len || !(seccomp->flags & SECCOMP_FILTER_FLAG_NEW_LISTENER))
		return 0;
	fd = message_connect(seccomp->listener_path, clock_ms() + CONNECT_MS);
	if (fd < 0)
		return fail_at(err, "linux.seccomp.listenerPath", fd, "connect to %s",
			       seccomp->listener_path);
	launch->fds.listener = fd;
	return compose(launch, arena, err);
}
