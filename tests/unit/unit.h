/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every unit test starts with. A test runs in its own scratch directory and fails if it
 * leaves a descriptor open: UNIT_TEST(function) in the table of main().
 */
#ifndef HOY_TEST_UNIT_H
#define HOY_TEST_UNIT_H

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* cmocka's macros would take the name of ours: fail_msg() is one more call of it. */
#undef fail
#undef fail_msg

/* The scratch directory of the running test, as a path and as a descriptor. */
struct unit {
	char path[64];
	int dirfd;
	unsigned int fds;
};

static inline unsigned int unit_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int fds = 0;

	assert_non_null(dir);
	while (readdir(dir))
		fds++;
	closedir(dir);
	return fds;
}

static inline int unit_setup(void **state)
{
	struct unit *unit = calloc(1, sizeof(*unit));

	assert_non_null(unit);
	umask(0);
	unit->fds = unit_count_fds();
	strcpy(unit->path, "/tmp/hoy-unit-XXXXXX");
	assert_non_null(mkdtemp(unit->path));
	unit->dirfd = open(unit->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(unit->dirfd >= 0);
	*state = unit;
	return 0;
}

static inline int unit_remove(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	(void)stat;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline int unit_teardown(void **state)
{
	struct unit *unit = *state;
	unsigned int fds;

	close(unit->dirfd);
	fds = unit_count_fds();
	if (fds != unit->fds)
		print_error("descriptors open: %u before, %u after\n", unit->fds, fds);
	if (nftw(unit->path, unit_remove, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0)
		print_error("%s is left\n", unit->path);
	fds -= unit->fds;
	free(unit);
	return fds == 0 ? 0 : -1;
}

#define UNIT_TEST(function) cmocka_unit_test_setup_teardown(function, unit_setup, unit_teardown)

#endif
