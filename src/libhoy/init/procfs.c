/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc that can be trusted: an instance of our own that no container has ever seen, or where the
 * kernel refuses one, the caller's, opened before any namespace was entered. Sysctls and labels are
 * written through it and never through a path inside the container (CVE-2019-16884,
 * CVE-2025-52881). Runs in init.
 */
#include "init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>

#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/path.h"

/* The root directory of every procfs has this inode number (fs/proc/root.c, PROC_ROOT_INO). */
#define PROC_ROOT_INODE 1

static int new_instance(void)
{
	autoclose int fs = -1;

	fs = fsopen("proc", FSOPEN_CLOEXEC);
	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return fsmount(fs, FSMOUNT_CLOEXEC,
		       MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

/* Our own pid as this instance counts it; by number, as "self" is a link. */
static pid_t own_pid(int procfs)
{
	char self[24];
	ssize_t len = readlinkat(procfs, "self", self, sizeof(self) - 1);
	pid_t pid = 0;

	for (ssize_t i = 0; i < len; i++) {
		if (self[i] < '0' || self[i] > '9' || pid > 100000000)
			return 0;
		pid = pid * 10 + (self[i] - '0');
	}
	return pid;
}

static int procfs_get(struct init *init, struct hoy_error *err)
{
	autoclose int fd = -1;
	struct stat st;

	if (init->procfs >= 0)
		return 0;
	fd = new_instance();
	if (fd < 0)
		fd = fcntl(init->fds->procfs, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return fail(err, errno, "get a procfs to write through");
	if (path_fs_type(fd) != PROC_SUPER_MAGIC || fstat(fd, &st) < 0 ||
	    st.st_ino != PROC_ROOT_INODE)
		return fail(err, 0, "/proc is not the root of a procfs");
	init->procfs_pid = own_pid(fd);
	if (init->procfs_pid <= 0)
		return fail(err, 0, "this process is not in the procfs at hand");
	init->procfs = take_fd(&fd);
	return 0;
}

int procfs_open(struct init *init, const char *path, int flags, struct hoy_error *err)
{
	struct open_how how = {
		/* openat2(2) refuses O_NOCTTY beside O_PATH. */
		.flags = (uint64_t)(flags | O_CLOEXEC | (flags & O_PATH ? 0 : O_NOCTTY)),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	if (procfs_get(init, err) < 0)
		return -1;
	fd = openat2(init->procfs, path, &how, sizeof(how));
	return fd >= 0 ? fd : fail(err, errno, "open %s in /proc", path);
}

int procfs_open_self(struct init *init, const char *name, int flags, struct hoy_error *err)
{
	char path[64];

	if (procfs_get(init, err) < 0)
		return -1;
	format_text(path, sizeof(path), "%d/%s", (int)init->procfs_pid, name);
	return procfs_open(init, path, flags, err);
}

static int write_sysctl(struct init *init, const struct plan_sysctl *sysctl, struct hoy_error *err)
{
	autoclose int fd = -1;
	char path[512];
	size_t len = strlen(sysctl->value);

	format_text(path, sizeof(path), "sys/%s", sysctl->path);
	fd = procfs_open(init, path, O_WRONLY, err);
	if (fd < 0)
		return fail_from(err, sysctl->at);
	if (write(fd, sysctl->value, len) != (ssize_t)len)
		return fail_at(err, sysctl->at, errno, "write '%s'", sysctl->value);
	return 0;
}

/* After: the namespaces they belong to are ours. Spec: config-linux.md#sysctl. */
int step_sysctl(struct init *init, struct hoy_error *err)
{
	for (size_t i = 0; i < init->plan->sysctls_len; i++)
		if (write_sysctl(init, &init->plan->sysctls[i], err) < 0)
			return -1;
	return 0;
}

/*
 * The file that takes the label of the next execve. Opened while we may, written when all else is
 * done. The apparmor/ directory exists since 5.8 and cannot be taken over by another LSM.
 */
int step_open_labels(struct init *init, struct hoy_error *err)
{
	const struct plan_process *process = &init->plan->process;

	if (process->apparmor_profile) {
		init->apparmor = procfs_open_self(init, "attr/apparmor/exec", O_WRONLY, err);
		if (init->apparmor < 0)
			return fail_from(err, "process.apparmorProfile");
	}
	if (process->selinux_label) {
		init->selinux = procfs_open_self(init, "attr/exec", O_WRONLY, err);
		if (init->selinux < 0)
			return fail_from(err, "process.selinuxLabel");
	}
	return 0;
}
