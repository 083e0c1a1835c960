/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start gate: two FIFOs in the container's directory, of which init holds the only lasting
 * descriptors, close-on-exec. As long as init waits, `start` can open "go"; once it has executed
 * the program or ended, the kernel says ENXIO. Runs in the runtime; init uses what it inherits and
 * never opens them by name.
 */
#include <sys/stat.h>

#include "state/directory.h"
#include "state/state.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"

int gate_make(const struct state_dir *dir, struct hoy_error *err)
{
	if (mkfifoat(dir->fd, STATE_GATE_GO, 0600) < 0)
		return fail(err, errno, "make the FIFO " STATE_GATE_GO);
	if (mkfifoat(dir->fd, STATE_GATE_RESULT, 0600) < 0)
		return fail(err, errno, "make the FIFO " STATE_GATE_RESULT);
	return 0;
}

/** Opens a FIFO that nobody can have replaced: only root's directories lead here. */
static int open_fifo(const struct state_dir *dir, const char *name, int flags)
{
	autoclose int fd = openat(dir->fd, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
	struct stat stat;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &stat) < 0)
		return -errno;
	if (!S_ISFIFO(stat.st_mode))
		return -EINVAL;
	return take_fd(&fd);
}

int gate_open_init(const struct state_dir *dir, int *ret_go, int *ret_result, struct hoy_error *err)
{
	/* O_RDWR opens a FIFO without waiting for the other side, and fifo(7) allows it on Linux.
	 */
	autoclose int go = open_fifo(dir, STATE_GATE_GO, O_RDWR);
	autoclose int result = open_fifo(dir, STATE_GATE_RESULT, O_RDWR);

	if (go < 0)
		return fail(err, go, "open the FIFO " STATE_GATE_GO);
	if (result < 0)
		return fail(err, result, "open the FIFO " STATE_GATE_RESULT);
	*ret_go = take_fd(&go);
	*ret_result = take_fd(&result);
	return 0;
}

int gate_open_start(const struct state_dir *dir, int *ret_go, int *ret_result)
{
	autoclose int go = open_fifo(dir, STATE_GATE_GO, O_WRONLY | O_NONBLOCK);
	autoclose int result = -1;

	if (go < 0)
		return go;
	result = open_fifo(dir, STATE_GATE_RESULT, O_RDONLY | O_NONBLOCK);
	if (result < 0)
		return result;
	*ret_go = take_fd(&go);
	*ret_result = take_fd(&result);
	return 0;
}

bool gate_is_closed(const struct state_dir *dir)
{
	autoclose int go = open_fifo(dir, STATE_GATE_GO, O_WRONLY | O_NONBLOCK);

	return go >= 0;
}
