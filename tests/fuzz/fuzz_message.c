/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: what a hostile init says to the runtime. The first byte: 1 = there is a bootstrap. Then
 * each datagram: its length in two bytes, the highest bit for a descriptor that comes with it; its
 * bytes.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "fuzz.h"
#include "plan/plan.h"
#include "protocol.h"
#include "runtime/launch.h"
#include "sys/compat.h"
#include "sys/message.h"
#include "sys/process.h"

#define DESCRIPTOR 0x8000
/* As much as a socket takes in without a reader. */
#define DATAGRAMS_MAX 32

/* A pidfd of a process that has ended: nothing is waited for. */
static int dead_pidfd(pid_t *ret_pid)
{
	static pid_t pid;
	static int pidfd = -1;

	if (pidfd < 0) {
		pid = process_clone(0, -1, SIGCHLD, &pidfd);
		if (pid == 0)
			_exit(0);
		MUST(pid > 0 && process_wait(pidfd, -1, NULL) >= 0);
	}
	*ret_pid = pid;
	return fcntl(pidfd, F_DUPFD_CLOEXEC, 3);
}

static void speak(int socket, const uint8_t *data, size_t size)
{
	for (int i = 0; i < DATAGRAMS_MAX && size > 2; i++) {
		size_t word = (size_t)data[0] << 8 | data[1], len = word & ~(size_t)DESCRIPTOR;
		int fds[1] = { STDERR_FILENO };

		data += 2;
		size -= 2;
		len = len < size ? len : size;
		(void)message_send(socket, data, len, fds, word & DESCRIPTOR ? 1 : 0);
		data += len;
		size -= len;
	}
	(void)shutdown(socket, SHUT_WR);
}

static void note(const struct hoy_log_entry *entry, void *data)
{
	(void)data;
	MUST(strlen(entry->message) < sizeof(((struct hoy_error *)NULL)->text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct log log = { .function = note, .level = HOY_LOG_DEBUG };
	struct plan plan = { .namespaces.bootstrap = size && data[0] & 1 };
	struct launch launch = LAUNCH_NONE;
	struct hoy_error err = { 0 };
	int pair[2], before, after;

	if (size == 0)
		return 0;
	before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	close(before);
	MUST(message_pair(pair) == 0);
	launch.plan = &plan;
	launch.host = &fuzz_hosts[0];
	launch.log = &log;
	launch.socket = pair[0];
	launch.fds.go = data[0] & 2 ? fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3) : -1;
	launch.procfs = launch_open_procfs(&err);
	launch.pidfd = dead_pidfd(&launch.pid);
	speak(pair[1], data + 1, size - 1);
	if (launch_serve(&launch, &err) < 0)
		MUST(err.text[0] && memchr(err.text, 0, sizeof(err.text)) &&
		     memchr(err.at, 0, sizeof(err.at)) && memchr(err.hint, 0, sizeof(err.hint)));
	close(pair[1]);
	launch_done(&launch);
	after = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	close(after);
	MUST(before == after); /* whatever was sent along has been closed */
	return 0;
}
