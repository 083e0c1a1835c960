/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hoy run: create and start, wait, delete, and nothing that those operations do not do. Runs in the
 * program, in the foreground unless --detach is given.
 */
#include "cmd_run.h"

#include <stdlib.h>

#include "cmd_create.h"
#include "sys/error.h"

static bool detach, keep, no_subreaper;

/** Its memory goes with the process. */
static struct hoy_container *container;

const struct option run_options[] = {
	/* Before that of create, where it means nothing. */
	{ "no-subreaper", 0, OPTION_FLAG, &no_subreaper, NULL,
	  "do not reap what the container leaves behind", NULL },
	{ NULL, 0, OPTION_TABLE, (void *)create_options, NULL, NULL, NULL },
	{ "detach", 'd', OPTION_FLAG, &detach, NULL, "do not wait for the process", NULL },
	{ "keep", 0, OPTION_FLAG, &keep, NULL, "do not delete the container afterwards", NULL },
	OPTION_END,
};

/** The terminal is set up before anything is written to it. */
static int attach(void *foreground, struct hoy_error *err)
{
	return foreground_attach(foreground, err);
}

/**
 * Creates and starts; on failure nothing of the container is left.
 * @param foreground  NULL if detached
 */
static int create_and_start(const struct program *program, const char *id,
			    const struct hoy_create_options *options, struct foreground *foreground,
			    struct hoy_error *err)
{
	struct hoy_start_options start = {
		.notify_socket = options->notify ? getenv("NOTIFY_SOCKET") : NULL,
	};

	if (foreground) {
		foreground->notify_socket = start.notify_socket;
		start.ret_notify = &foreground->notify;
		start.ret_container = keep ? NULL : &container;
		start.before = attach;
		start.data = foreground;
	}
	return hoy_run(&program->context, id, options, &start, err);
}

static int delete_it(const struct program *program, const char *id, struct hoy_error *err)
{
	if (container)
		return hoy_container_delete(&program->context, container, err);
	return hoy_delete(&program->context, id, true, err);
}

int run_wait_and_delete(const struct program *program, const char *id,
			struct foreground *foreground, bool keeps, struct hoy_error *err)
{
	struct hoy_error ignored;
	int status;

	log_file_flush(program->log);
	status = foreground_wait(foreground, err);
	if (status < 0) {
		(void)delete_it(program, id, &ignored);
		return -1;
	}
	if (!keeps && delete_it(program, id, err) < 0)
		return fail_in(err, "the process has ended with status %d, but", status);
	return status;
}

static int run_in_foreground(const struct program *program, const char *id,
			     struct foreground *foreground, struct hoy_create_options *options,
			     struct hoy_error *err)
{
	if (foreground_begin(foreground, !no_subreaper, err) < 0)
		return -1;
	options->ret_pid = &foreground->pid;
	options->ret_pidfd = &foreground->pidfd;
	if (!options->console_socket)
		options->ret_terminal = &foreground->master;
	if (create_and_start(program, id, options, foreground, err) < 0)
		return -1;
	return run_wait_and_delete(program, id, foreground, keep, err);
}

int cmd_run(const struct program *program, char **words, struct hoy_error *err)
{
	struct hoy_create_options options;
	struct foreground foreground = FOREGROUND_NONE;
	int status;

	if (create_command_line(program, &options, err) < 0)
		return -1;
	if (detach)
		return create_and_start(program, words[0], &options, NULL, err);
	status = run_in_foreground(program, words[0], &foreground, &options, err);
	foreground_done(&foreground);
	return status;
}
