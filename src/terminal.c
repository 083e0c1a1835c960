/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies between the caller's stdin and stdout and the master of the container's terminal. Runs in
 * the program while a container is in the foreground. Must not set the caller's descriptors to
 * O_NONBLOCK: they are shared with its shell.
 */
#include "terminal.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "sys/error.h"
#include "sys/fd.h"

enum { POLL_INPUT, POLL_MASTER, POLL_OUTPUT };

/* The program has one terminal, and mostly none. */
static char buffers[2][TERMINAL_BYTES];

static void set_raw(struct terminal *terminal)
{
	struct termios modes;

	if (tcgetattr(STDIN_FILENO, &terminal->saved) < 0)
		return;
	modes = terminal->saved;
	cfmakeraw(&modes);
	/* What the container's terminal does no more, the caller's has to do. */
	modes.c_oflag |= OPOST;
	terminal->is_raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &modes) == 0;
}

int terminal_begin(struct terminal *terminal, int master, struct hoy_error *err)
{
	int r;

	terminal->master = master;
	terminal->is_raw = false;
	terminal->input = (struct terminal_stream){ .from = STDIN_FILENO,
						    .to = master,
						    .bytes = buffers[0] };
	terminal->output = (struct terminal_stream){ .from = master,
						     .to = STDOUT_FILENO,
						     .bytes = buffers[1] };
	r = fd_set_nonblock(master, true);
	if (r < 0)
		return fail(err, r, "set up the terminal");
	terminal_resize(terminal);
	set_raw(terminal);
	return 0;
}

void terminal_resize(const struct terminal *terminal)
{
	struct winsize size;

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (ioctl(fd, TIOCGWINSZ, &size) < 0)
			continue;
		(void)ioctl(terminal->master, TIOCSWINSZ, &size);
		return;
	}
}

static bool is_empty(const struct terminal_stream *stream)
{
	return stream->start == stream->end;
}

void terminal_poll(const struct terminal *terminal, struct pollfd fds[TERMINAL_FDS])
{
	const struct terminal_stream *input = &terminal->input, *output = &terminal->output;

	for (int i = 0; i < TERMINAL_FDS; i++)
		fds[i] = (struct pollfd){ .fd = -1 };
	if (is_empty(input) && !input->ended)
		fds[POLL_INPUT] = (struct pollfd){ .fd = input->from, .events = POLLIN };
	if (!is_empty(output))
		fds[POLL_OUTPUT] = (struct pollfd){ .fd = output->to, .events = POLLOUT };
	if (!output->ended && is_empty(output))
		fds[POLL_MASTER].events |= POLLIN;
	if (!is_empty(input))
		fds[POLL_MASTER].events |= POLLOUT;
	if (fds[POLL_MASTER].events)
		fds[POLL_MASTER].fd = terminal->master;
}

static void stream_read(struct terminal_stream *stream)
{
	ssize_t len = read(stream->from, stream->bytes, TERMINAL_BYTES);

	if (len < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	stream->start = 0;
	stream->end = len > 0 ? (size_t)len : 0;
	/* EIO: no process has the slave open any more. */
	stream->ended = len <= 0;
}

static void stream_write(struct terminal_stream *stream)
{
	ssize_t len = write(stream->to, stream->bytes + stream->start, stream->end - stream->start);

	if (len < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	/* Nobody listens any more: what comes next is dropped, so that the container goes on. */
	stream->start = len < 0 ? stream->end : stream->start + (size_t)len;
}

/** Hands the end of stdin on as the end-of-file character of a terminal that reads lines. */
static void end_input(struct terminal_stream *input)
{
	struct termios modes;

	if (tcgetattr(input->to, &modes) < 0 || !(modes.c_lflag & ICANON) ||
	    modes.c_cc[VEOF] == _POSIX_VDISABLE)
		return;
	input->bytes[0] = (char)modes.c_cc[VEOF];
	input->start = 0;
	input->end = 1;
}

void terminal_copy(struct terminal *terminal, const struct pollfd fds[TERMINAL_FDS])
{
	struct terminal_stream *input = &terminal->input, *output = &terminal->output;

	if (fds[POLL_INPUT].fd >= 0 && fds[POLL_INPUT].revents) {
		stream_read(input);
		if (input->ended)
			end_input(input);
	}
	if (fds[POLL_OUTPUT].fd >= 0 && fds[POLL_OUTPUT].revents)
		stream_write(output);
	if (fds[POLL_MASTER].fd < 0)
		return;
	if (fds[POLL_MASTER].revents & (POLLIN | POLLHUP | POLLERR) && is_empty(output) &&
	    !output->ended)
		stream_read(output);
	if (fds[POLL_MASTER].revents & (POLLOUT | POLLHUP | POLLERR) && !is_empty(input))
		stream_write(input);
}

void terminal_drain(struct terminal *terminal, int64_t deadline_ms)
{
	terminal->input.ended = true;
	terminal->input.start = terminal->input.end;
	while (!terminal->output.ended || !is_empty(&terminal->output)) {
		struct pollfd fds[TERMINAL_FDS];
		int64_t left_ms = deadline_ms - clock_ms();
		int ready;

		terminal_poll(terminal, fds);
		ready = poll(fds, TERMINAL_FDS, left_ms > 0 ? (int)left_ms : 0);
		if (ready == 0 || (ready < 0 && errno != EINTR))
			return;
		if (ready > 0)
			terminal_copy(terminal, fds);
	}
}

void terminal_done(struct terminal *terminal)
{
	if (terminal->is_raw)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal->saved);
	terminal->is_raw = false;
}
