/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A place in this machine's cgroup2 tree for unit tests: one directory hoy-test.PID below the mount
 * point, removed with all in it at the end. Nothing above it is written.
 */
#ifndef HOY_TEST_CGROUP2_H
#define HOY_TEST_CGROUP2_H

#include <signal.h>
#include <sys/wait.h>

#include "unit.h"

#include "cgroup/driver.h"
#include "cgroup/tree.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/process.h"

/* Where cgroup2 is mounted, "" if it is not or this user may not make cgroups. */
static char cgroup2_mount[256];
/* "/hoy-test.PID" */
static char cgroup2_top[64];

static inline void cgroup2_find_mount(void)
{
	FILE *mounts = fopen("/proc/self/mounts", "re");
	char path[256], type[64];

	while (mounts && fscanf(mounts, "%*s %255s %63s %*[^\n]", path, type) == 2)
		if (strcmp(type, "cgroup2") == 0)
			strcpy(cgroup2_mount, path);
	if (mounts)
		fclose(mounts);
}

/* The directory as descriptor, or a skipped test. */
static inline int cgroup2_open(void)
{
	char path[512];
	int fd;

	if (geteuid() != 0 || !cgroup2_mount[0]) {
		print_message("skipped: needs root and a cgroup2 tree\n");
		skip();
	}
	snprintf(path, sizeof(path), "%s%s", cgroup2_mount, cgroup2_top);
	fd = tree_open(path);
	if (fd < 0) {
		print_message("skipped: %s cannot be made\n", path);
		skip();
	}
	return fd;
}

static inline int cgroup2_group_setup(void **state)
{
	char path[512];

	(void)state;
	cgroup2_find_mount();
	snprintf(cgroup2_top, sizeof(cgroup2_top), "/hoy-test.%d", (int)getpid());
	snprintf(path, sizeof(path), "%s%s", cgroup2_mount, cgroup2_top);
	if (geteuid() == 0 && cgroup2_mount[0])
		(void)mkdir(path, 0755);
	return 0;
}

static inline int cgroup2_group_teardown(void **state)
{
	struct cgroup top = CGROUP_NONE;
	struct stat stat;

	(void)state;
	snprintf(top.path, sizeof(top.path), "%s%s", cgroup2_mount, cgroup2_top);
	top.fd = tree_open(top.path);
	if (top.fd < 0)
		return 0;
	if (fstat(top.fd, &stat) < 0)
		return -1;
	top.inode = stat.st_ino;
	(void)cgroup_kill(&top);
	return cgroup_remove(&top, clock_ms() + 5000);
}

/* A plan for a cgroup NAME below the test's directory. `path` keeps the text. */
static inline struct plan_cgroup cgroup2_plan(const char *name, char path[256])
{
	snprintf(path, 256, "%s/%s", cgroup2_top, name);
	return (struct plan_cgroup){
		.at = "linux.cgroupsPath",
		.path = path,
		.mount_point = cgroup2_mount,
		.owner = -1,
	};
}

static inline bool cgroup2_exists(int top, const char *name)
{
	return faccessat(top, name, F_OK, 0) == 0;
}

/* A child in the cgroup that sleeps until it is killed. @returns its pidfd */
static inline int cgroup2_spawn(int cgroup, pid_t *ret_pid)
{
	int pidfd = -1;
	pid_t pid = process_clone(0, cgroup, SIGCHLD, &pidfd);

	assert_true(pid >= 0);
	if (pid == 0)
		for (;;)
			pause();
	if (ret_pid)
		*ret_pid = pid;
	return pidfd;
}

/* Waits for a child. @returns its status as process_wait() gives it, -1 if it does not end */
static inline int cgroup2_reap(int pidfd)
{
	int status = -1;

	if (process_wait(pidfd, clock_ms() + 5000, &status) != 1)
		status = -1;
	close(pidfd);
	return status;
}

#endif
