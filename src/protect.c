/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process inside a container can open /proc/PID/exe of a runtime process that joins or makes its
 * namespaces, and write to that file if it may: the host's binary, executed by root next time
 * (CVE-2019-5736). So create, run and exec part from their file (leave.c); where the kernel does
 * not let them, they execute themselves once more from a copy that cannot be written and is nowhere
 * mounted. Runs at the top of the program, before anything is open but stdio.
 */
#include "protect.h"

#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "base/number.h"
#include "base/string.h"
#include "leave.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/process.h"

/* Holds the pid that was marked: execve(2) keeps it, a child that inherits the mark has another. */
#define MARK "_HOY_PROTECTED"

/* fsconfig(2) takes at most this many bytes of a string. */
#define FSCONFIG_MAX 255
/* An overlay of one layer that cannot be written is refused, so there is a second one, unused. */
#define SECOND_LAYER "/dev"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/** Whether this process was executed by protect_binary(). */
static bool is_marked(void)
{
	const char *mark = getenv(MARK);
	uint64_t pid;
	bool marked = mark && number_unsigned(mark, INT_MAX, &pid) == 0 &&
		      pid == (uint64_t)getpid();

	(void)unsetenv(MARK);
	return marked;
}

/** Whether the binary is what the mark says: an environment proves nothing. */
static bool is_unwritable(void)
{
	autoclose int fd = openat(AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct statfs stat;
	int seals;

	if (fd < 0)
		return false;
	seals = fcntl(fd, F_GET_SEALS);
	if (seals >= 0 && (seals & SEALS) == SEALS)
		return true;
	return fstatfs(fd, &stat) == 0 && stat.f_type == OVERLAYFS_SUPER_MAGIC &&
	       (stat.f_flags & ST_RDONLY);
}

static int execute(int dirfd, const char *name, char *const *argv, int flags)
{
	char pid[16];

	format_text(pid, sizeof(pid), "%d", (int)getpid());
	if (setenv(MARK, pid, 1) < 0)
		return -ENOMEM;
	(void)syscall(SYS_execveat, dirfd, name, argv, environ, flags);
	return -errno;
}

/** "DIR:SECOND_LAYER" with what overlay's syntax gives a meaning escaped. */
static int format_layers(const char *directory, char layers[FSCONFIG_MAX + 1])
{
	autotext struct text text = { 0 };

	for (; *directory; directory++) {
		if (strchr("\\:,", *directory))
			text_add_char(&text, '\\');
		text_add_char(&text, *directory);
	}
	text_add(&text, ":" SECOND_LAYER);
	if (!text.bytes || text.len > FSCONFIG_MAX)
		return -ENAMETOOLONG;
	memcpy(layers, text.bytes, text.len + 1);
	return 0;
}

/** Mounts, nowhere, an overlay of the binary's directory. @returns the mount's descriptor */
static int mount_overlay(const char *directory)
{
	autoclose int context = -1;
	char layers[FSCONFIG_MAX + 1];
	int r = format_layers(directory, layers), mount;

	if (r < 0)
		return r;
	context = fsopen("overlay", FSOPEN_CLOEXEC);
	if (context < 0 || fsconfig(context, FSCONFIG_SET_STRING, "lowerdir", layers, 0) < 0 ||
	    fsconfig(context, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
	    fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	mount = fsmount(context, FSMOUNT_CLOEXEC,
			MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	return mount < 0 ? -errno : mount;
}

static int execute_from_overlay(char *const *argv)
{
	char path[PATH_MAX];
	ssize_t len = readlinkat(AT_FDCWD, "/proc/self/exe", path, sizeof(path) - 1);
	autoclose int mount = -1;
	char *name;

	if (len <= 0)
		return -ENOENT;
	path[len] = '\0';
	name = strrchr(path, '/');
	if (!name || name == path)
		return -EINVAL;
	*name++ = '\0';
	mount = mount_overlay(path);
	return mount < 0 ? mount : execute(mount, name, argv, 0);
}

static int execute_from_memfd(char *const *argv)
{
	autoclose int exe = openat(AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC);
	autoclose int copy = memfd_create("hoy", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	ssize_t sent;

	if (exe < 0)
		return -errno;
	/* MFD_EXEC is new in Linux 6.3, before which there is no other kind. */
	if (copy < 0 && errno == EINVAL)
		copy = memfd_create("hoy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (copy < 0)
		return -errno;
	do
		sent = sendfile(copy, exe, NULL, INT_MAX);
	while (sent > 0 || (sent < 0 && errno == EINTR));
	if (sent < 0 || fcntl(copy, F_ADD_SEALS, SEALS) < 0)
		return -errno;
	return execute(copy, "", argv, AT_EMPTY_PATH);
}

int protect_binary(char *const *argv, struct hoy_error *err)
{
	int r;

	if (is_marked()) {
		if (!is_unwritable())
			return fail(err, 0, "the protected copy of the binary can be written");
		/* The kernel names a process that is executed by descriptor after its number. */
		(void)prctl(PR_SET_NAME, "hoy");
		return 0;
	}
	if (leave_binary(argv) == 0)
		return 0;
	(void)execute_from_overlay(argv);
	r = execute_from_memfd(argv);
	return fail(err, r, "execute a protected copy of the binary");
}

int protect_process(struct hoy_error *err)
{
	int r = fd_cloexec_from(3);

	if (r < 0)
		return fail(err, r, "mark descriptors close-on-exec");
	if (geteuid() == 0 && process_in_initial_user_namespace() > 0 &&
	    prctl(PR_SET_DUMPABLE, 0) < 0)
		return fail(err, errno, "make the process undumpable");
	return 0;
}
