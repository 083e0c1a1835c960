/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hoy exec: one more process in a container, in the foreground unless --detach is given. Runs in
 * the program; all else is hoy_exec().
 */
#include <string.h>

#include "cmd_create.h"
#include "foreground.h"
#include "sys/error.h"

/* What engines take for "the process could not be started". */
#define STATUS_NOT_STARTED 255

static struct hoy_exec_options line;
static struct option_list env, additional_gids, capabilities;

const struct option exec_options[] = {
	{ "process", 'p', OPTION_TEXT, &line.process_file, "FILE",
	  "process object to run instead of COMMAND", NULL },
	{ "user", 'u', OPTION_TEXT, &line.user, "UID[:GID]", "ids of the process", NULL },
	{ "cwd", 0, OPTION_TEXT, &line.cwd, "DIR", "its working directory", NULL },
	{ "env", 'e', OPTION_LIST, &env, "NAME=VALUE", "add to its environment", NULL },
	{ "tty", 't', OPTION_FLAG, &line.terminal, NULL, "give it a terminal", NULL },
	{ "additional-gids", 'g', OPTION_LIST, &additional_gids, "GID", "add a group", NULL },
	{ "cap", 'c', OPTION_LIST, &capabilities, "CAPABILITY", "add a capability", NULL },
	{ "no-new-privs", 0, OPTION_FLAG, &line.no_new_privileges, NULL, "set no_new_privs", NULL },
	{ "process-label", 0, OPTION_TEXT, &line.process_label, "LABEL", "SELinux context", NULL },
	{ "apparmor", 0, OPTION_TEXT, &line.apparmor, "PROFILE", "AppArmor profile", NULL },
	{ "cgroup", 0, OPTION_TEXT, &line.cgroup, "PATH",
	  "put it into a cgroup below the container's", NULL },
	{ "ignore-paused", 0, OPTION_FLAG, &line.ignore_paused, NULL,
	  "also if the container is paused", NULL },
	{ "detach", 'd', OPTION_FLAG, &line.detach, NULL, "do not wait for the process", NULL },
	{ "pid-file", 0, OPTION_TEXT, &line.pid_file, "FILE", "write its pid there", NULL },
	{ "console-socket", 0, OPTION_TEXT, &line.console_socket, "SOCKET",
	  "send the terminal's master there", NULL },
	{ "pidfd-socket", 0, OPTION_TEXT, &line.pidfd_socket, "SOCKET", "send its pidfd there",
	  NULL },
	{ "preserve-fds", 0, OPTION_NUMBER, &line.preserve_fds, "N",
	  "leave descriptors 3 to 3+N-1 open", NULL },
	{ "no-subreaper", 0, OPTION_IGNORED, NULL, NULL, NULL, NULL },
	OPTION_END,
};

static int fail_not_started(struct hoy_error *err)
{
	err->status = STATUS_NOT_STARTED;
	return -1;
}

static int check_line(char **args, struct hoy_error *err)
{
	if (line.process_file && args[0])
		(void)fail(err, 0, "both --process and a command are given");
	else if (!line.process_file && !args[0])
		(void)fail(err, 0, "neither a command nor --process is given");
	else
		return 0;
	return COMMAND_USAGE;
}

static int exec_in_foreground(const struct program *program, const char *id,
			      struct foreground *foreground, struct hoy_error *err)
{
	if (foreground_begin(foreground, false, err) < 0)
		return -1;
	line.ret_pid = &foreground->pid;
	line.ret_pidfd = &foreground->pidfd;
	if (!line.console_socket)
		line.ret_terminal = &foreground->master;
	if (hoy_exec(&program->context, id, &line, err) < 0)
		return fail_not_started(err);
	log_file_flush(program->log);
	return foreground_attach(foreground, err) < 0 ? -1 : foreground_wait(foreground, err);
}

int cmd_exec(const struct program *program, char **words, struct hoy_error *err)
{
	struct foreground foreground = FOREGROUND_NONE;
	char **args = words + 1;
	int status;

	/* "exec ID -- COMMAND" is how cautious people write it. */
	if (args[0] && strcmp(args[0], "--") == 0)
		args++;
	status = check_line(args, err);
	if (status < 0)
		return status;
	if (check_preserved(program, line.preserve_fds, 0, err) < 0)
		return fail_not_started(err);
	line.args = args[0] ? args : NULL;
	line.env = env.items;
	line.additional_gids = additional_gids.items;
	line.capabilities = capabilities.items;
	if (line.process_file)
		program->log->config_name = line.process_file;
	if (!line.detach) {
		status = exec_in_foreground(program, words[0], &foreground, err);
		foreground_done(&foreground);
		return status;
	}
	if (line.terminal && !line.console_socket)
		(void)fail(err, 0, "a terminal in the background needs --console-socket");
	else if (hoy_exec(&program->context, words[0], &line, err) == 0)
		return 0;
	return fail_not_started(err);
}
