/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hoy restore: a container from images, in the foreground unless --detach is given. Runs in the
 * program; all else is hoy_restore().
 */
#include "cmd_checkpoint.h"
#include "cmd_create.h"
#include "cmd_run.h"
#include "sys/error.h"

static struct hoy_restore_options line;
static bool detach, keep, no_subreaper;

const struct option restore_options[] = {
	{ "bundle", 'b', OPTION_TEXT, &line.bundle, "DIR", "bundle directory (default: .)", NULL },
	{ NULL, 0, OPTION_TABLE, (void *)criu_options, NULL, NULL, NULL },
	{ "detach", 'd', OPTION_FLAG, &detach, NULL, "do not wait for the process", NULL },
	{ "keep", 0, OPTION_FLAG, &keep, NULL, "do not delete the container afterwards", NULL },
	{ "console-socket", 0, OPTION_TEXT, &line.console_socket, "SOCKET",
	  "send the terminal's master there", NULL },
	{ "pid-file", 0, OPTION_TEXT, &line.pid_file, "FILE", "write the process' pid there",
	  NULL },
	{ "no-subreaper", 0, OPTION_FLAG, &no_subreaper, NULL,
	  "do not take in processes that the container leaves behind", NULL },
	{ "no-pivot", 0, OPTION_FLAG, &line.no_pivot, NULL, "has no effect: CRIU has its own way",
	  NULL },
	{ "preserve-fds", 0, OPTION_NUMBER, &line.preserve_fds, "N",
	  "descriptors 3 to 3+N-1 take the place of those preserved before", NULL },
	{ "tcp-close", 0, OPTION_FLAG, &line.tcp_close, NULL,
	  "restore TCP connections as closed ones", NULL },
	{ "lsm-profile", 0, OPTION_TEXT, &line.lsm_profile, "TYPE:NAME",
	  "AppArmor profile or SELinux label instead of the dumped one", NULL },
	{ "lsm-mount-context", 0, OPTION_TEXT, &line.lsm_mount_context, "CONTEXT",
	  "SELinux context of mounts instead of the dumped one", NULL },
	OPTION_END,
};

static int restore_in_foreground(const struct program *program, const char *id,
				 struct foreground *foreground, struct hoy_error *err)
{
	struct hoy_error ignored;

	if (foreground_begin(foreground, !no_subreaper, err) < 0)
		return -1;
	line.ret_pid = &foreground->pid;
	line.ret_pidfd = &foreground->pidfd;
	if (!line.console_socket)
		line.ret_terminal = &foreground->master;
	if (hoy_restore(&program->context, id, &line, err) < 0)
		return -1;
	if (foreground_attach(foreground, err) < 0) {
		(void)hoy_delete(&program->context, id, true, &ignored);
		return -1;
	}
	return run_wait_and_delete(program, id, foreground, keep, err);
}

int cmd_restore(const struct program *program, char **words, struct hoy_error *err)
{
	struct foreground foreground = FOREGROUND_NONE;
	int status;

	if (check_preserved(program, line.preserve_fds, 0, err) < 0)
		return -1;
	checkpoint_command_line(&line.criu);
	if (detach)
		return hoy_restore(&program->context, words[0], &line, err);
	status = restore_in_foreground(program, words[0], &foreground, err);
	foreground_done(&foreground);
	return status;
}
