/* SPDX-License-Identifier: Apache-2.0 */
/* runtime/descriptors.c: what CRIU calls the descriptors of a caller. */
#include "unit.h"

#include <errno.h>
#include <pty.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "runtime/descriptors.h"
#include "sys/file.h"

/** The name of one descriptor. */
static const char *name_of(struct arena *arena, int fd)
{
	const char **names = descriptors_names(arena, (size_t)fd + 1);

	assert_non_null(names);
	return names[fd];
}

static void each_kind_has_a_name(void **state)
{
	struct unit *unit = *state;
	struct arena arena = { 0 };
	char expected[64];
	int pipes[2], sockets[2], file, master, slave, fifo;
	struct stat st;

	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(fstat(pipes[0], &st), 0);
	snprintf(expected, sizeof(expected), "pipe:[%lu]", (unsigned long)st.st_ino);
	assert_string_equal(name_of(&arena, pipes[0]), expected);
	/* Both ends are one pipe. */
	assert_string_equal(name_of(&arena, pipes[1]), expected);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	assert_int_equal(fstat(sockets[0], &st), 0);
	snprintf(expected, sizeof(expected), "socket:[%lu]", (unsigned long)st.st_ino);
	assert_string_equal(name_of(&arena, sockets[0]), expected);
	file = openat(unit->dirfd, "file", O_CREAT | O_RDWR, 0600);
	assert_int_equal(fstat(file, &st), 0);
	snprintf(expected, sizeof(expected), ":%lx]", (unsigned long)st.st_ino);
	assert_memory_equal(name_of(&arena, file), "file[", 5);
	assert_non_null(strstr(name_of(&arena, file), expected));
	/* A FIFO with a name is a file. */
	assert_int_equal(mkfifoat(unit->dirfd, "fifo", 0600), 0);
	fifo = openat(unit->dirfd, "fifo", O_RDWR);
	assert_memory_equal(name_of(&arena, fifo), "file[", 5);
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	assert_int_equal(fstat(slave, &st), 0);
	snprintf(expected, sizeof(expected), "tty[%lx:%lx]", (unsigned long)st.st_rdev,
		 (unsigned long)st.st_dev);
	assert_string_equal(name_of(&arena, slave), expected);
	for (int *fd = (int[]){ pipes[0], pipes[1], sockets[0], sockets[1], file, fifo, master,
				slave, -1 };
	     *fd >= 0; fd++)
		close(*fd);
	assert_string_equal(name_of(&arena, slave), "");
	arena_done(&arena);
}

static void what_is_not_dumped_is_told(void **state)
{
	(void)state;
	assert_true(descriptors_is_external("file[1a:2b]"));
	assert_true(descriptors_is_external("tty[8800:16]"));
	assert_false(descriptors_is_external("pipe:[1]"));
	assert_false(descriptors_is_external("socket:[1]"));
	assert_false(descriptors_is_external(""));
	/* CRIU's path of an external file: see descriptors.h. */
	assert_string_equal(descriptors_inherited("file[1a:2b]"), "ile[1a:2b]");
	assert_string_equal(descriptors_inherited("pipe:[1]"), "pipe:[1]");
	assert_string_equal(descriptors_inherited("tty[8800:16]"), "tty[8800:16]");
}

static void names_are_written_and_read(void **state)
{
	static const char *const names[] = { "pipe:[1]", "", "file[1:\"2]" };
	struct unit *unit = *state;
	struct arena arena = { 0 };
	const char **found;
	struct hoy_error err;
	char text[64];
	size_t len;

	assert_int_equal(descriptors_write(unit->dirfd, names, 3, &err), 0);
	assert_true(file_read(unit->dirfd, DESCRIPTORS_FILE, text, sizeof(text)) > 0);
	assert_string_equal(text, "[\"pipe:[1]\",\"\",\"file[1:\\\"2]\"]");
	assert_int_equal(descriptors_read(unit->dirfd, &arena, &found, &len, &err), 0);
	assert_int_equal(len, 3);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(found[i], names[i]);
	arena_done(&arena);
}

static void images_are_not_trusted(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "{}", "a list of texts is expected" },
		{ "[\"pipe:[1]\",2]", "item 1 is no text" },
		{ "[\"pipe:[1]\"", "read " DESCRIPTORS_FILE },
	};
	struct unit *unit = *state;
	struct arena arena = { 0 };
	const char **found;
	struct hoy_error err;
	size_t len;

	assert_int_equal(descriptors_read(unit->dirfd, &arena, &found, &len, &err), -1);
	assert_int_equal(err.code, ENOENT);
	assert_non_null(strstr(err.hint, "hoy checkpoint"));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(file_replace(unit->dirfd, DESCRIPTORS_FILE, cases[i].text,
					      strlen(cases[i].text), 0600),
				 0);
		assert_int_equal(descriptors_read(unit->dirfd, &arena, &found, &len, &err), -1);
		assert_non_null(strstr(err.text, cases[i].message));
	}
	assert_int_equal(unlinkat(unit->dirfd, DESCRIPTORS_FILE, 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", unit->dirfd, DESCRIPTORS_FILE), 0);
	assert_int_equal(descriptors_read(unit->dirfd, &arena, &found, &len, &err), -1);
	assert_int_equal(err.code, ELOOP);
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(each_kind_has_a_name),
		UNIT_TEST(what_is_not_dumped_is_told),
		UNIT_TEST(names_are_written_and_read),
		UNIT_TEST(images_are_not_trusted),
	};

	return cmocka_run_group_tests_name("descriptors", tests, NULL, NULL);
}
