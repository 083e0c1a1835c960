/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run: create and start under one lock, and what is then known of the container, so that deleting
 * it need not find that out again. Runs in the runtime. Whoever holds on to a container keeps
 * nobody from it: what was changed meanwhile is read anew. Spec: runtime.md#lifecycle.
 */
#include <errno.h>
#include <stdlib.h>

#include <hoy/container.h>

#include "runtime/creation.h"
#include "runtime/destroy.h"
#include "runtime/start.h"
#include "sys/cleanup.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/process.h"

/* For what was killed already. */
#define REAP_MS 1000

struct hoy_container {
	char id[256];
	/** Of which the directory, unlocked, the record and what that points to are of use. */
	struct creation creation;
	/** The record's file as it was when the lock was given up. */
	int version;
};

/* The container's directory, locked, and its record are lent to `start`. */
static int start_it(struct hoy_container *held, const struct hoy_start_options *options,
		    struct hoy_error *err)
{
	struct creation *creation = &held->creation;
	const int *handed_out = creation->options->ret_pidfd;
	struct container container = { .root = -1,
				       .dir = creation->dir,
				       .record = &creation->record };
	autoclose int own = handed_out ? -1 : take_fd(&creation->launch.pidfd);
	struct starting starting = { .container = &container,
				     .pidfd = handed_out ? *handed_out : own,
				     .options = options,
				     .log = &creation->log,
				     .turns = creation->launch.turns,
				     .version = -1,
				     .destroy = true };
	int r;

	creation->launch.turns.taken = false;
	/* It has both ends of the gate open; who has the terminal or a pidfd waits for no more. */
	launch_done(&creation->launch);
	handover_done(&creation->handover);
	r = start_created(&starting, err);
	/* Nobody else is its parent. */
	if (r < 0)
		(void)process_wait(starting.pidfd, clock_ms() + REAP_MS, NULL);
	creation->dir = container.dir;
	held->version = starting.version;
	return r;
}

/* Lets others at the container. */
static void let_go(struct hoy_container *container)
{
	cleanup_close(&container->version);
	container->version = state_dir_unlock(&container->creation.dir);
}

/* What is of no more use is closed; the record goes on to point to the cgroup's path. */
static void hold(struct hoy_container *container)
{
	struct creation *creation = &container->creation;

	cleanup_close(&creation->cgroup.fd);
	cleanup_close(&creation->leaf);
	cleanup_close(&creation->resctrl);
	creation->cgroup.fd = creation->leaf = creation->resctrl = -1;
	if (creation->dir.locked)
		let_go(container);
}

int hoy_run(const struct hoy_context *context, const char *id,
	    const struct hoy_create_options *create, const struct hoy_start_options *start,
	    struct hoy_error *err)
{
	struct hoy_container *container;
	int r;

	if (state_check_id(id, err) < 0)
		return -1;
	container = malloc(sizeof(*container));
	if (!container)
		return fail(err, ENOMEM, "run container %s", id);
	container->version = -1;
	format_text(container->id, sizeof(container->id), "%s", id);
	creation_begin(&container->creation, context, container->id, create);
	container->creation.launch.keeps_turns = true;
	r = creation_run(&container->creation, err);
	if (r == 0) {
		creation_hand_out(&container->creation);
		r = start_it(container, start, err);
	}
	if (r == 0 && start && start->ret_container) {
		hold(container);
		*start->ret_container = container;
	} else {
		hoy_container_done(container);
	}
	return r;
}

int hoy_container_delete(const struct hoy_context *context, struct hoy_container *container,
			 struct hoy_error *err)
{
	struct creation *creation = &container->creation;
	struct state_dir *dir = &creation->dir;
	const struct log log = context_log(context);
	int r = state_dir_lock_again(dir, container->version);

	if (r > 0) {
		r = destroy_container(dir, &creation->record, &log, err);
	} else if (r == 0) {
		let_go(container);
		r = hoy_delete(context, container->id, true, err);
	} else {
		r = 0; /* one of the same name that another has made since is not ours */
	}
	/* What has failed others may try, and we once more. */
	if (r < 0)
		let_go(container);
	else
		state_dir_done(dir);
	return r;
}

void hoy_container_done(struct hoy_container *container)
{
	if (!container)
		return;
	cleanup_close(&container->version);
	creation_done(&container->creation);
	free(container);
}
