/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hoy create, and what `run` shares with it: the options, and the descriptors that are passed on.
 * Runs in the program; all else is hoy_create().
 */
#include "cmd_create.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/number.h"
#include "sys/error.h"

static struct hoy_create_options line;

const struct option create_options[] = {
	{ "bundle", 'b', OPTION_TEXT, &line.bundle, "DIR", "bundle directory (default: .)", NULL },
	{ "config", 'f', OPTION_TEXT, &line.config_file, "FILE",
	  "configuration (default: config.json in the bundle)", NULL },
	{ "console-socket", 0, OPTION_TEXT, &line.console_socket, "SOCKET",
	  "send the terminal's master there", NULL },
	{ "pidfd-socket", 0, OPTION_TEXT, &line.pidfd_socket, "SOCKET",
	  "send a pidfd of the container's process there", NULL },
	{ "pid-file", 0, OPTION_TEXT, &line.pid_file, "FILE", "write the process' pid there",
	  NULL },
	{ "no-pivot", 0, OPTION_FLAG, &line.no_pivot, NULL,
	  "move the root instead of pivot_root(2), for roots on initramfs", NULL },
	{ "no-new-keyring", 0, OPTION_FLAG, &line.no_new_keyring, NULL,
	  "keep the caller's session keyring", NULL },
	{ "preserve-fds", 0, OPTION_NUMBER, &line.preserve_fds, "N",
	  "leave descriptors 3 to 3+N-1 open", NULL },
	{ "no-subreaper", 0, OPTION_IGNORED, NULL, NULL, NULL, NULL },
	OPTION_END,
};

/** How many descriptors a service manager has passed to this very process (sd_listen_fds(3)). */
static unsigned int count_listen_fds(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t number;

	if (!pid || !fds || number_unsigned(pid, INT_MAX, &number) < 0 ||
	    number != (uint64_t)getpid() || number_unsigned(fds, INT_MAX / 2, &number) < 0)
		return 0;
	return (unsigned int)number;
}

int check_preserved(const struct program *program, unsigned int preserve_fds,
		    unsigned int listen_fds, struct hoy_error *err)
{
	for (unsigned int i = 0; i < preserve_fds + listen_fds; i++) {
		const int fd = 3 + (int)i;

		/* The log is the only one that hoy has opened so far. */
		if (fcntl(fd, F_GETFD) < 0 || fd == program->log->fd)
			return fail(err, EBADF, "--preserve-fds=%u: descriptor %d is not open",
				    preserve_fds, fd);
	}
	return 0;
}

const char *create_notify_socket(const struct program *program)
{
	const struct hoy_context *context = &program->context;
	const struct log log = { context->log, context->log_data, context->log_level };
	const char *path = getenv("NOTIFY_SOCKET");

	if (!path || !*path)
		return NULL;
	if (*path == '/' || *path == '@')
		return path;
	log_warning(&log, "NOTIFY_SOCKET=%s is ignored: it is neither a path nor an abstract name",
		    path);
	return NULL;
}

int create_command_line(const struct program *program, struct hoy_create_options *ret_options,
			struct hoy_error *err)
{
	line.listen_fds = count_listen_fds();
	line.notify = create_notify_socket(program) != NULL;
	if (check_preserved(program, line.preserve_fds, line.listen_fds, err) < 0)
		return -1;
	if (line.config_file)
		program->log->config_name = line.config_file;
	*ret_options = line;
	return 0;
}

int cmd_create(const struct program *program, char **words, struct hoy_error *err)
{
	struct hoy_create_options options;

	if (create_command_line(program, &options, err) < 0)
		return -1;
	return hoy_create(&program->context, words[0], &options, err);
}
