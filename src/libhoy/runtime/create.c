/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create: from a bundle to a container whose process waits at the start gate. Runs in the runtime.
 * The record is written ahead of every side effect, and whatever fails afterwards takes all of it
 * back before the error is returned. Spec: runtime.md#create.
 */
#include <hoy/container.h>

#include "runtime/creation.h"

/* Init may not pass a barrier before the record knows it. */
static int on_cloned(struct launch *launch, void *data, struct hoy_error *err)
{
	(void)launch;
	return creation_note_init(data, err);
}

static int on_created(struct launch *launch, void *data, struct hoy_error *err)
{
	struct creation *creation = data;

	if (handover_terminal(&creation->handover, launch->terminal, err) < 0 ||
	    handover_pidfd(&creation->handover, launch->pidfd, err) < 0)
		return -1;
	return creation_complete(creation, err);
}

static int launch(struct creation *creation, struct hoy_error *err)
{
	struct launch *launch = &creation->launch;

	launch->plan = creation->input.plan;
	launch->log = &creation->log;
	launch->on_cloned = on_cloned;
	launch->on_created = on_created;
	launch->data = creation;
	launch->fds.lock = creation->dir.fd;
	if (launch_find_staging(launch, creation->dir.fd, &creation->input.arena, err) < 0 ||
	    gate_open_init(&creation->dir, &launch->fds.go, &launch->fds.result, err) < 0 ||
	    launch_clone(launch, err) < 0 || launch_serve(launch, err) < 0)
		return -1;
	return 0;
}

static int create(struct creation *creation, struct hoy_error *err)
{
	const struct hoy_create_options *options = creation->options;
	const char *pidfd_socket = options->pidfd_socket;

	if (creation_read(creation, err) < 0)
		return -1;
	if (!pidfd_socket)
		pidfd_socket = config_annotation(creation->input.config, ANNOTATION_PIDFD_RECEIVER);
	if (handover_open(&creation->handover, creation->input.plan->process.terminal,
			  options->console_socket, pidfd_socket, options->ret_terminal, err) < 0 ||
	    launch_prepare(&creation->launch, &creation->input.arena, err) < 0 ||
	    creation_make(creation, err) < 0 || launch(creation, err) < 0)
		return -1;
	return handover_pid_file(options->pid_file, creation->launch.pid, err);
}

int creation_run(struct creation *creation, struct hoy_error *err)
{
	if (create(creation, err) == 0)
		return 0;
	if (creation->input.config)
		config_locate(creation->input.config, err);
	creation_take_back(creation, err);
	return -1;
}

int hoy_create(const struct hoy_context *context, const char *id,
	       const struct hoy_create_options *options, struct hoy_error *err)
{
	struct creation creation;
	int r;

	if (state_check_id(id, err) < 0)
		return -1;
	creation_begin(&creation, context, id, options);
	r = creation_run(&creation, err);
	if (r == 0)
		creation_hand_out(&creation);
	creation_done(&creation);
	return r;
}
