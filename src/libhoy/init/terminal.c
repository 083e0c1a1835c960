/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's terminal and standard streams. Runs in init. The pty is opened in the devpts
 * that init itself mounted, and its slave through the master's descriptor (TIOCGPTPEER), so that
 * nothing in the image's /dev can redirect the console (CVE-2025-52565).
 * Spec: config.md#process (terminal, consoleSize), config-linux.md#default-devices.
 */
#include "init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/path.h"

/* The group that owns terminals on every distribution. */
#define TTY_GROUP 5

/*
 * Of our own devpts, else (the configuration mounts none, or this is `exec`) of what is at
 * /dev/pts. The container may have put anything there, and opening some devices does something.
 */
static int open_devpts(const struct init *init)
{
	autoclose int root = -1, fd = -1;

	if (init->devpts >= 0)
		return fcntl(init->devpts, F_DUPFD_CLOEXEC, 3);
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -1;
	fd = path_open(root, "/dev/pts", O_PATH | O_DIRECTORY);
	if (fd < 0 || path_fs_type(fd) != DEVPTS_SUPER_MAGIC) {
		errno = fd < 0 ? -fd : ENODEV;
		return -1;
	}
	return take_fd(&fd);
}

static int open_multiplexer(const struct init *init, struct hoy_error *err)
{
	autoclose int devpts = open_devpts(init);
	autoclose int fd = -1;
	struct stat st;

	if (devpts >= 0)
		fd = openat(devpts, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail_at(err, "process.terminal", errno, "open the pty multiplexer");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2) ||
	    path_fs_type(fd) != DEVPTS_SUPER_MAGIC)
		return fail_at(err, "process.terminal", ENODEV,
			       "what is mounted as devpts has no pty multiplexer");
	return take_fd(&fd);
}

static int open_slave(int master, struct hoy_error *err)
{
	autoclose int slave = -1;
	struct stat st;
	int unlocked = 0;

	if (ioctl(master, TIOCSPTLCK, &unlocked) < 0)
		return fail_at(err, "process.terminal", errno, "unlock the pty");
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0 || fstat(slave, &st) < 0)
		return fail_at(err, "process.terminal", errno, "open the pty's slave");
	if (!S_ISCHR(st.st_mode) || major(st.st_rdev) < 136 || major(st.st_rdev) > 143)
		return fail_at(err, "process.terminal", ENODEV, "the pty's slave is no terminal");
	return take_fd(&slave);
}

/* After: mounts. Before: pivot, for the host's devpts. The master goes to the runtime. */
int step_terminal(struct init *init, struct hoy_error *err)
{
	const struct plan_process *process = &init->plan->process;
	struct winsize size = { .ws_row = process->rows, .ws_col = process->columns };
	autoclose int master = -1;

	if (!process->terminal)
		return 0;
	master = open_multiplexer(init, err);
	if (master < 0)
		return -1;
	init->terminal = open_slave(master, err);
	if (init->terminal < 0)
		return -1;
	if ((size.ws_row || size.ws_col) && ioctl(master, TIOCSWINSZ, &size) < 0)
		return fail_at(err, "process.consoleSize", errno, "set the terminal's size");
	return init_note(init->fds, NOTE_TERMINAL, 0, master, err);
}

/* /dev/console is a bind of the slave. After: /dev exists. Before: pivot. */
int step_console(struct init *init, struct hoy_error *err)
{
	struct mount_attr attr = { .propagation = MS_PRIVATE };
	autoclose int target = -1, fd = -1;

	if (init->terminal < 0)
		return 0;
	target = path_make_target(init->root, "/dev/console", false);
	if (target < 0)
		return fail_at(err, "process.terminal", target, "make /dev/console");
	fd = open_tree(init->terminal, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ||
	    move_mount(fd, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return fail_at(err, "process.terminal", errno, "bind the pty to /dev/console");
	return 0;
}

/* So that the user can reopen /dev/stdout; what cannot be owned stays as it is (trap 26). */
static int own_stream(int fd, uid_t uid, struct hoy_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return errno == EBADF ? 0 : fail(err, errno, "look at descriptor %d", fd);
	if (!S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode))
		return 0;
	if (st.st_uid == uid || fchown(fd, uid, (gid_t)-1) == 0)
		return 0;
	if (errno == EPERM || errno == EINVAL || errno == EROFS)
		return 0;
	return fail(err, errno, "give descriptor %d to user %u", fd, (unsigned int)uid);
}

static int take_terminal(const struct init *init, struct hoy_error *err)
{
	const uid_t uid = init->plan->process.uid;

	/* Group tty may not be mapped in a user namespace, nor the user. */
	if (fchown(init->terminal, uid, TTY_GROUP) < 0 &&
	    fchown(init->terminal, uid, (gid_t)-1) < 0 && errno != EPERM && errno != EINVAL &&
	    errno != EROFS)
		return fail_at(err, "process.terminal", errno, "give the pty to user %u",
			       (unsigned int)uid);
	if (ioctl(init->terminal, TIOCSCTTY, 0) < 0)
		return fail_at(err, "process.terminal", errno, "take the controlling terminal");
	for (int fd = 0; fd <= 2; fd++)
		if (dup3(init->terminal, fd, 0) < 0)
			return fail_at(err, "process.terminal", errno, "make the pty descriptor %d",
				       fd);
	return 0;
}

/* After: setsid. Before: setresuid. */
int step_stdio(struct init *init, struct hoy_error *err)
{
	if (init->terminal >= 0)
		return take_terminal(init, err);
	for (int fd = 0; fd <= 2; fd++)
		if (own_stream(fd, init->plan->process.uid, err) < 0)
			return -1;
	return 0;
}
