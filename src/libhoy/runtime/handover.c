/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Terminal, pidfd and pid file for the caller, as engines expect them. Runs in the runtime. Every
 * wait has a deadline: an engine that does not read must not hang us.
 */
#include "runtime/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "sys/cleanup.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/message.h"

#define SOCKET_MS 10000

static int connect_to(const char *option, const char *path, int *ret_fd, struct hoy_error *err)
{
	int fd;

	if (!path)
		return 0;
	fd = message_connect(path, clock_ms() + SOCKET_MS);
	if (fd < 0)
		return fail(err, fd, "%s: connect to %s", option, path);
	*ret_fd = fd;
	return 0;
}

int handover_open(struct handover *handover, bool terminal, const char *console_socket,
		  const char *pidfd_socket, const int *ret_terminal, struct hoy_error *err)
{
	if (terminal && !console_socket && !ret_terminal)
		return fail_at(err, "process.terminal", 0,
			       "a terminal in the background needs --console-socket");
	if (!terminal && console_socket)
		return fail(err, 0, "--console-socket is given, but process.terminal is not true");
	if (connect_to("--console-socket", console_socket, &handover->console, err) < 0)
		return -1;
	return connect_to("--pidfd-socket", pidfd_socket, &handover->pidfd, err);
}

/*
 * For a caller that copies the terminal to its own, which adds the carriage returns itself: they
 * must not come twice. Done before the program can write its first line.
 */
static int clear_onlcr(int master, struct hoy_error *err)
{
	struct termios settings;

	if (tcgetattr(master, &settings) < 0)
		return fail(err, errno, "read the terminal's settings");
	settings.c_oflag &= ~(tcflag_t)ONLCR;
	if (tcsetattr(master, TCSANOW, &settings) < 0)
		return fail(err, errno, "change the terminal's settings");
	return 0;
}

int handover_terminal(const struct handover *handover, int master, struct hoy_error *err)
{
	char name[32];
	int number, r;

	if (handover->console < 0)
		return master < 0 ? 0 : clear_onlcr(master, err);
	if (master < 0)
		return fail(err, 0, "init has sent no terminal");
	/* The name is never opened, but it must not be empty. */
	if (ioctl(master, TIOCGPTN, &number) < 0)
		return fail(err, errno, "ask for the terminal's number");
	format_text(name, sizeof(name), "/dev/pts/%d", number);
	r = message_send_stream(handover->console, name, strlen(name), &master, 1,
				clock_ms() + SOCKET_MS);
	return r < 0 ? fail(err, r, "--console-socket: send the terminal") : 0;
}

int handover_pidfd(const struct handover *handover, int pidfd, struct hoy_error *err)
{
	int r;

	if (handover->pidfd < 0)
		return 0;
	r = message_send_stream(handover->pidfd, "pidfd", 5, &pidfd, 1, clock_ms() + SOCKET_MS);
	return r < 0 ? fail(err, r, "--pidfd-socket: send the pidfd") : 0;
}

int handover_pid_file(const char *path, pid_t pid, struct hoy_error *err)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	autoclose int directory = -1;
	char parent[PATH_MAX], text[16];
	size_t len;
	int r;

	if (!path)
		return 0;
	len = slash ? (size_t)(slash - path) + 1 : 0;
	if (len >= sizeof(parent))
		return fail(err, ENAMETOOLONG, "--pid-file %s", path);
	memcpy(parent, path, len);
	parent[len] = '\0';
	directory = open(len ? parent : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return fail(err, errno, "--pid-file %s: open its directory", path);
	len = format_text(text, sizeof(text), "%d", (int)pid);
	r = file_replace(directory, slash ? slash + 1 : path, text, len, 0644);
	return r < 0 ? fail(err, r, "--pid-file %s", path) : 0;
}

void handover_done(struct handover *handover)
{
	cleanup_close(&handover->console);
	cleanup_close(&handover->pidfd);
	*handover = HANDOVER_NONE;
}
