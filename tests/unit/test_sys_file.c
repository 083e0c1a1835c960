/* SPDX-License-Identifier: Apache-2.0 */
/* sys/file.c: small files beneath a directory, hostile things in their place. */
#include "unit.h"

#include <errno.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/statfs.h>

#include "sys/cleanup.h"
#include "sys/file.h"

static void make_file(int dirfd, const char *name, const char *text)
{
	autoclose int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void assert_content(int dirfd, const char *name, const char *expected)
{
	char buffer[256];

	assert_int_equal(file_read(dirfd, name, buffer, sizeof(buffer)), strlen(expected));
	assert_string_equal(buffer, expected);
}

static unsigned int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	unsigned int entries = 0;

	assert_non_null(dir);
	while (readdir(dir))
		entries++;
	closedir(dir);
	return entries - 2;
}

static void write_needs_an_existing_file(void **state)
{
	struct unit *unit = *state;

	assert_int_equal(file_write_text(unit->dirfd, "a", "1"), -ENOENT);
	make_file(unit->dirfd, "a", "");
	assert_int_equal(file_write(unit->dirfd, "a", "two", 2), 0);
	assert_content(unit->dirfd, "a", "tw");
	assert_int_equal(file_write_text(unit->dirfd, "a", "12"), 0);
	assert_content(unit->dirfd, "a", "12");
}

static void write_tells_the_errno(void **state)
{
	autoclose int dev = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_int_equal(file_write_text(dev, "full", "x"), -ENOSPC);
	assert_int_equal(file_write_text(-1, "full", "x"), -EBADF);
}

static void names_stay_beneath_the_directory(void **state)
{
	struct unit *unit = *state;
	char buffer[64];

	assert_int_equal(mkdirat(unit->dirfd, "sub", 0755), 0);
	make_file(unit->dirfd, "sub/file", "text");
	assert_content(unit->dirfd, "sub/file", "text");
	assert_content(unit->dirfd, "sub/../sub/file", "text");
	assert_int_equal(file_read(unit->dirfd, "../etc/hostname", buffer, sizeof(buffer)), -EXDEV);
	assert_int_equal(file_read(unit->dirfd, "/etc/passwd", buffer, sizeof(buffer)), -EXDEV);
	assert_int_equal(file_write_text(unit->dirfd, "/dev/null", "x"), -EXDEV);
}

static void symlinks_are_refused(void **state)
{
	struct unit *unit = *state;
	autoclose int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char buffer[64];

	make_file(unit->dirfd, "target", "kept");
	assert_int_equal(symlinkat("target", unit->dirfd, "link"), 0);
	assert_int_equal(symlinkat(".", unit->dirfd, "dir"), 0);
	assert_int_equal(symlinkat("nowhere", unit->dirfd, "dangling"), 0);
	assert_int_equal(file_write_text(unit->dirfd, "link", "x"), -ELOOP);
	assert_int_equal(file_read(unit->dirfd, "link", buffer, sizeof(buffer)), -ELOOP);
	assert_int_equal(file_read(unit->dirfd, "dir/target", buffer, sizeof(buffer)), -ELOOP);
	assert_int_equal(file_write_text(unit->dirfd, "dangling", "x"), -ELOOP);
	assert_int_equal(file_read(proc, "self/stat", buffer, sizeof(buffer)), -ELOOP);
	assert_content(unit->dirfd, "target", "kept");
}

static void another_file_system_is_refused(void **state)
{
	autoclose int top = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char buffer[64];

	(void)state;
	assert_int_equal(file_read(top, "proc/version", buffer, sizeof(buffer)), -EXDEV);
}

static void read_tells_just_fits_from_too_long(void **state)
{
	struct unit *unit = *state;
	char buffer[9];

	make_file(unit->dirfd, "file", "12345678");
	assert_int_equal(file_read(unit->dirfd, "file", buffer, 9), 8);
	assert_string_equal(buffer, "12345678");
	assert_int_equal(file_read(unit->dirfd, "file", buffer, 8), -EFBIG);
	assert_int_equal(file_read(unit->dirfd, "file", buffer, 1), -EFBIG);
	assert_int_equal(file_read(unit->dirfd, "file", buffer, 0), -EFBIG);
	make_file(unit->dirfd, "empty", "");
	assert_int_equal(file_read(unit->dirfd, "empty", buffer, 1), 0);
	assert_string_equal(buffer, "");
}

static void read_keeps_nul_bytes(void **state)
{
	struct unit *unit = *state;
	char buffer[8];

	make_file(unit->dirfd, "file", "");
	assert_int_equal(file_write(unit->dirfd, "file", "a\0b", 3), 0);
	assert_int_equal(file_read(unit->dirfd, "file", buffer, sizeof(buffer)), 3);
	assert_memory_equal(buffer, "a\0b", 4);
}

static void read_takes_regular_files_only(void **state)
{
	struct unit *unit = *state;
	autoclose int dev = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char buffer[16];

	assert_int_equal(mkfifoat(unit->dirfd, "fifo", 0644), 0);
	assert_int_equal(mkdirat(unit->dirfd, "dir", 0755), 0);
	assert_int_equal(file_read(unit->dirfd, "fifo", buffer, sizeof(buffer)), -EINVAL);
	assert_int_equal(file_read(unit->dirfd, "dir", buffer, sizeof(buffer)), -EISDIR);
	assert_int_equal(file_read(dev, "zero", buffer, sizeof(buffer)), -EINVAL);
	assert_int_equal(file_read(unit->dirfd, "missing", buffer, sizeof(buffer)), -ENOENT);
}

static void read_fd_continues_at_the_offset(void **state)
{
	struct unit *unit = *state;
	autoclose int fd = -1;
	char buffer[16];

	make_file(unit->dirfd, "file", "abcdef");
	fd = openat(unit->dirfd, "file", O_RDONLY | O_CLOEXEC);
	assert_int_equal(lseek(fd, 2, SEEK_SET), 2);
	assert_int_equal(file_read_fd(fd, buffer, sizeof(buffer)), 4);
	assert_string_equal(buffer, "cdef");
	assert_int_equal(file_read_fd(-1, buffer, sizeof(buffer)), -EBADF);
}

static void replace_makes_and_replaces_with_the_mode(void **state)
{
	struct unit *unit = *state;
	struct stat stat;

	umask(077);
	assert_int_equal(file_replace(unit->dirfd, "f", "one", 3, 0644), 0);
	umask(0);
	assert_content(unit->dirfd, "f", "one");
	assert_int_equal(fstatat(unit->dirfd, "f", &stat, 0), 0);
	assert_int_equal(stat.st_mode & 07777, 0644);
	assert_int_equal(file_replace(unit->dirfd, "f", "2", 1, 0600), 0);
	assert_content(unit->dirfd, "f", "2");
	assert_int_equal(fstatat(unit->dirfd, "f", &stat, 0), 0);
	assert_int_equal(stat.st_mode & 07777, 0600);
	assert_int_equal(count_entries(unit->path), 1);
}

static void replace_replaces_a_symlink_itself(void **state)
{
	struct unit *unit = *state;
	struct stat stat;

	make_file(unit->dirfd, "target", "kept");
	assert_int_equal(symlinkat("target", unit->dirfd, "f"), 0);
	assert_int_equal(file_replace(unit->dirfd, "f", "new", 3, 0644), 0);
	assert_content(unit->dirfd, "target", "kept");
	assert_int_equal(fstatat(unit->dirfd, "f", &stat, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(stat.st_mode));
}

static void replace_takes_over_what_a_killed_one_left(void **state)
{
	struct unit *unit = *state;
	char left[64];

	snprintf(left, sizeof(left), ".f.%d", (int)getpid());
	assert_int_equal(symlinkat("f", unit->dirfd, left), 0);
	make_file(unit->dirfd, "f", "old");
	assert_int_equal(file_replace(unit->dirfd, "f", "new", 3, 0644), 0);
	assert_content(unit->dirfd, "f", "new");
	assert_int_equal(count_entries(unit->path), 1);
}

static void a_failed_replace_leaves_the_old_file_alone(void **state)
{
	struct unit *unit = *state;
	char name[NAME_MAX + 1];

	assert_int_equal(mkdirat(unit->dirfd, "dir", 0755), 0);
	assert_int_equal(file_replace(unit->dirfd, "dir", "x", 1, 0644), -EISDIR);
	assert_int_equal(count_entries(unit->path), 1);
	assert_int_equal(file_replace(unit->dirfd, "dir/f", "x", 1, 0644), -EINVAL);
	memset(name, 'n', NAME_MAX);
	name[NAME_MAX] = '\0';
	assert_int_equal(file_replace(unit->dirfd, name, "x", 1, 0644), -ENAMETOOLONG);
	assert_int_equal(count_entries(unit->path), 1);
}

static void a_sealed_file_can_only_be_read(void **state)
{
	char buffer[16];
	autoclose int fd = file_sealed("hook", "data", 4);

	(void)state;
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(file_read_fd(fd, buffer, sizeof(buffer)), 4);
	assert_string_equal(buffer, "data");
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, 100), -1);
	assert_true(fcntl(fd, F_GET_SEALS) & F_SEAL_SEAL);
	assert_ptr_equal(mmap(NULL, 4, PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
}

/* The expected value by another way: behind the known name. */
static uint64_t own_start_time(int proc, const char *comm)
{
	char name[32], stat[1024], prefix[64];
	unsigned long long start_time = 0;

	snprintf(name, sizeof(name), "%d/stat", (int)getpid());
	assert_true(file_read(proc, name, stat, sizeof(stat)) > 0);
	snprintf(prefix, sizeof(prefix), "%d (%s) ", (int)getpid(), comm);
	assert_memory_equal(stat, prefix, strlen(prefix));
	assert_int_equal(
		sscanf(stat + strlen(prefix),
		       "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
		       "%*d %*d %llu",
		       &start_time),
		1);
	return start_time;
}

static void the_start_time_is_found_behind_any_name(void **state)
{
	static const char *const names[] = { "plain", "a b c", ") R 1 2 3", "((((", "))) 5 5 5" };
	autoclose int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t start_time;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_int_equal(prctl(PR_SET_NAME, names[i]), 0);
		start_time = 0;
		assert_int_equal(file_start_time(proc, getpid(), &start_time), 0);
		assert_true(start_time > 0);
		assert_true(start_time == own_start_time(proc, names[i]));
	}
	assert_int_equal(prctl(PR_SET_NAME, "test_sys_file"), 0);
}

static void the_start_time_of_no_process_is_an_error(void **state)
{
	struct unit *unit = *state;
	autoclose int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t start_time = 7;

	assert_int_equal(file_start_time(proc, 0x7ffffff0, &start_time), -ENOENT);
	assert_int_equal(mkdirat(unit->dirfd, "1", 0755), 0);
	make_file(unit->dirfd, "1/stat", "1 (x) R 1 2 3\n");
	assert_int_equal(file_start_time(unit->dirfd, 1, &start_time), -EINVAL);
	make_file(unit->dirfd, "1/stat", "1 2 3\n");
	assert_int_equal(file_start_time(unit->dirfd, 1, &start_time), -EINVAL);
	make_file(unit->dirfd, "1/stat",
		  "1 (x) R 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 18446744073709551616 "
		  "23\n");
	assert_int_equal(file_start_time(unit->dirfd, 1, &start_time), -ERANGE);
	make_file(unit->dirfd, "1/stat",
		  "1 (x) R 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 -1 23\n");
	assert_int_equal(file_start_time(unit->dirfd, 1, &start_time), -EINVAL);
	assert_int_equal(start_time, 7);
	make_file(unit->dirfd, "1/stat",
		  "1 (x) R 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 18446744073709551615 "
		  "23\n");
	assert_int_equal(file_start_time(unit->dirfd, 1, &start_time), 0);
	assert_true(start_time == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(write_needs_an_existing_file),
		UNIT_TEST(write_tells_the_errno),
		UNIT_TEST(names_stay_beneath_the_directory),
		UNIT_TEST(symlinks_are_refused),
		UNIT_TEST(another_file_system_is_refused),
		UNIT_TEST(read_tells_just_fits_from_too_long),
		UNIT_TEST(read_keeps_nul_bytes),
		UNIT_TEST(read_takes_regular_files_only),
		UNIT_TEST(read_fd_continues_at_the_offset),
		UNIT_TEST(replace_makes_and_replaces_with_the_mode),
		UNIT_TEST(replace_replaces_a_symlink_itself),
		UNIT_TEST(replace_takes_over_what_a_killed_one_left),
		UNIT_TEST(a_failed_replace_leaves_the_old_file_alone),
		UNIT_TEST(a_sealed_file_can_only_be_read),
		UNIT_TEST(the_start_time_is_found_behind_any_name),
		UNIT_TEST(the_start_time_of_no_process_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
