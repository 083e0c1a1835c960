/* SPDX-License-Identifier: Apache-2.0 */
/* src/log_file.c: what engines read of a failure. */
#include "unit.h"

#include <errno.h>

#include "base/arena.h"
#include "base/json_read.h"
#include "log_file.h"
#include "sys/error.h"
#include "sys/file.h"

/* stderr goes to a file of the scratch directory while one of these exists. */
struct capture {
	int saved;
};

static struct capture begin_capture(const struct unit *unit)
{
	struct capture capture = { dup(STDERR_FILENO) };
	int fd = openat(unit->dirfd, "err", O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);

	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	close(fd);
	return capture;
}

static void end_capture(const struct unit *unit, struct capture capture, char text[16384])
{
	assert_int_equal(dup2(capture.saved, STDERR_FILENO), STDERR_FILENO);
	close(capture.saved);
	assert_true(file_read(unit->dirfd, "err", text, 16384) >= 0);
}

static struct log_file open_log(const struct unit *unit, bool json)
{
	struct log_file log = LOG_FILE_NONE;
	char path[128];
	struct hoy_error err;

	snprintf(path, sizeof(path), "%s/log", unit->path);
	assert_int_equal(log_file_open(&log, path, &err), 0);
	log.json = json;
	strcpy(log.command, "create c1");
	return log;
}

static void send(struct log_file *log, enum hoy_log_level level, const char *message,
		 int is_problem)
{
	const struct hoy_log_entry entry = {
		.level = level,
		.message = message,
		.at = "process.cwd",
		.line = 3,
		.column = 5,
		.is_problem = is_problem,
	};

	log_file_event(&entry, log);
}

static unsigned int count_lines(const char *text)
{
	unsigned int lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

static struct hoy_error an_error(void)
{
	struct hoy_error err;

	fail_at(&err, "linux.cgroupsPath", EBUSY, "write \"x\"\n");
	err.line = 9;
	err.column = 2;
	fail_hint(&err, "try again");
	return err;
}

static void a_failure_is_one_json_object(void **state)
{
	const struct unit *unit = *state;
	struct log_file log = open_log(unit, true);
	struct capture capture = begin_capture(unit);
	struct hoy_error err = an_error();
	const struct json_node *document;
	struct arena arena = { 0 };
	char text[16384], printed[16384];

	send(&log, HOY_LOG_WARNING, "careful", 0);
	send(&log, HOY_LOG_ERROR, "first", 1);
	send(&log, HOY_LOG_ERROR, "second", 1);
	log_file_fail(&log, &err);
	end_capture(unit, capture, printed);
	close(log.fd);
	assert_true(file_read(unit->dirfd, "log", text, sizeof(text)) > 0);
	assert_int_equal(count_lines(text), 1);
	assert_int_equal(json_read(text, strlen(text), &arena, &document, &err), 0);
	assert_string_equal(json_member(document, "level")->text, "error");
	assert_string_equal(json_member(document, "msg")->text,
			    "create c1: config.json:9:2: linux.cgroupsPath: write \"x\"\\n: Device "
			    "or resource busy");
	assert_string_equal(json_member(document, "path")->text, "linux.cgroupsPath");
	assert_string_equal(json_member(document, "errno")->text, "16");
	assert_string_equal(json_member(document, "hint")->text, "try again");
	assert_int_equal(strlen(json_member(document, "time")->text), 30);
	assert_string_equal(json_find(document, "problems[1].msg")->text, "second");
	assert_string_equal(json_find(document, "problems[0].line")->text, "3");
	assert_string_equal(json_find(document, "warnings[0].path")->text, "process.cwd");
	arena_done(&arena);
	assert_string_equal(printed, "hoy: create c1: config.json:3:5: process.cwd: first\n"
				     "hoy: create c1: config.json:3:5: process.cwd: second\n"
				     "hoy: create c1: config.json:9:2: linux.cgroupsPath: write "
				     "\"x\"\\n: Device or resource busy\n"
				     "hint: try again\n");
}

static void warnings_of_a_success_are_objects_each(void **state)
{
	const struct unit *unit = *state;
	struct log_file log = open_log(unit, true);
	char text[16384];

	send(&log, HOY_LOG_WARNING, "careful", 0);
	send(&log, HOY_LOG_WARNING, "\x1b[31m", 0);
	send(&log, HOY_LOG_INFO, "not asked for", 0);
	assert_int_equal(file_read(unit->dirfd, "log", text, sizeof(text)), 0);
	log_file_succeed(&log);
	close(log.fd);
	assert_true(file_read(unit->dirfd, "log", text, sizeof(text)) > 0);
	assert_int_equal(count_lines(text), 2);
	assert_non_null(strstr(text,
			       "\"level\":\"warning\",\"msg\":\"config.json:3:5: process.cwd: "
			       "careful\""));
	assert_null(strchr(text, 0x1b));
}

/* podman reads the file of a failure as one object, whatever the level. */
static void at_level_debug_a_failure_is_one_json_object_too(void **state)
{
	const struct unit *unit = *state;
	struct log_file log = open_log(unit, true);
	struct capture capture = begin_capture(unit);
	const struct hoy_log_entry entry = { HOY_LOG_DEBUG, .message = "seen", .at = "",
					     .code = 2 };
	struct hoy_error err = an_error();
	const struct json_node *document;
	struct arena arena = { 0 };
	char text[16384], printed[16384];

	log.level = HOY_LOG_DEBUG;
	send(&log, HOY_LOG_INFO, "told", 0);
	log_file_event(&entry, &log);
	log_file_fail(&log, &err);
	end_capture(unit, capture, printed);
	close(log.fd);
	assert_true(file_read(unit->dirfd, "log", text, sizeof(text)) > 0);
	assert_int_equal(json_read(text, strlen(text), &arena, &document, &err), 0);
	assert_null(json_member(document, "warnings"));
	assert_string_equal(json_find(document, "events[0].msg")->text, "told");
	assert_string_equal(json_find(document, "events[1].msg")->text, "seen");
	assert_string_equal(json_find(document, "events[1].errno")->text, "2");
	arena_done(&arena);
}

static void at_level_debug_a_success_says_what_was_done(void **state)
{
	const struct unit *unit = *state;
	struct log_file log = open_log(unit, true);
	const struct hoy_log_entry entry = { HOY_LOG_WARNING, .message = "lost", .at = "",
					     .code = 2 };
	char text[16384];

	log.level = HOY_LOG_DEBUG;
	log_file_event(&entry, &log);
	log_file_succeed(&log);
	close(log.fd);
	assert_true(file_read(unit->dirfd, "log", text, sizeof(text)) > 0);
	assert_int_equal(count_lines(text), 2);
	assert_non_null(strstr(text, "\"msg\":\"lost: No such file or directory\""));
	assert_non_null(strstr(text, ": create c1: done in "));
}

static void a_text_log_has_one_line_per_event(void **state)
{
	const struct unit *unit = *state;
	struct log_file log = open_log(unit, false);
	struct capture capture = begin_capture(unit);
	struct hoy_error err = an_error();
	char text[16384], printed[16384];

	send(&log, HOY_LOG_WARNING, "careful", 0);
	log_file_fail(&log, &err);
	end_capture(unit, capture, printed);
	close(log.fd);
	assert_true(file_read(unit->dirfd, "log", text, sizeof(text)) > 0);
	assert_int_equal(count_lines(text), 2);
	assert_non_null(strstr(text, " warning: config.json:3:5: process.cwd: careful\n"));
	assert_non_null(strstr(text, " error: create c1: config.json:9:2: linux.cgroupsPath: "));
	/* Warnings went to the log alone. */
	assert_int_equal(count_lines(printed), 2);
}

static void stderr_gets_four_kibibytes_at_most(void **state)
{
	const struct unit *unit = *state;
	struct log_file log = LOG_FILE_NONE;
	struct capture capture = begin_capture(unit);
	struct hoy_error err = an_error();
	char text[16384], message[512];

	memset(message, 'x', sizeof(message) - 1);
	message[sizeof(message) - 1] = '\0';
	for (int i = 0; i < 20; i++) {
		send(&log, HOY_LOG_WARNING, message, 0);
		send(&log, HOY_LOG_ERROR, message, 1);
	}
	log_file_fail(&log, &err);
	end_capture(unit, capture, text);
	assert_true(strlen(text) <= LOG_STDERR_MAX);
	assert_true(strlen(text) > LOG_STDERR_MAX / 2);
	assert_non_null(strstr(text, "Device or resource busy\nhint: try again\n"));
}

static void a_cause_among_the_problems_is_not_repeated(void **state)
{
	const struct unit *unit = *state;
	struct log_file log = LOG_FILE_NONE;
	struct capture capture = begin_capture(unit);
	struct hoy_error err;
	char text[16384];

	log.config_name = "/b/my.json";
	send(&log, HOY_LOG_ERROR, "first", 1);
	send(&log, HOY_LOG_ERROR, "second", 1);
	fail_at(&err, "process.cwd", 0, "first");
	err.line = 3;
	err.column = 5;
	log_file_fail(&log, &err);
	end_capture(unit, capture, text);
	assert_string_equal(text, "hoy: /b/my.json:3:5: process.cwd: second\n"
				  "hoy: /b/my.json:3:5: process.cwd: first\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(a_failure_is_one_json_object),
		UNIT_TEST(warnings_of_a_success_are_objects_each),
		UNIT_TEST(at_level_debug_a_failure_is_one_json_object_too),
		UNIT_TEST(at_level_debug_a_success_says_what_was_done),
		UNIT_TEST(a_text_log_has_one_line_per_event),
		UNIT_TEST(stderr_gets_four_kibibytes_at_most),
		UNIT_TEST(a_cause_among_the_problems_is_not_repeated),
	};

	return cmocka_run_group_tests_name("log_file", tests, NULL, NULL);
}
