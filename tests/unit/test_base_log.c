/* SPDX-License-Identifier: Apache-2.0 */
/* base/log.c: what reaches the caller. */
#include "unit.h"

#include <errno.h>

#include "base/log.h"

struct seen {
	unsigned int count;
	enum hoy_log_level level;
	char message[4096], at[64];
	int code;
};

static void record(const struct hoy_log_entry *entry, void *data)
{
	struct seen *seen = data;

	seen->count++;
	seen->level = entry->level;
	(void)snprintf(seen->message, sizeof(seen->message), "%s", entry->message);
	(void)snprintf(seen->at, sizeof(seen->at), "%s", entry->at);
	seen->code = entry->code;
	assert_int_equal(entry->is_problem, 0);
	assert_int_equal(entry->line, 0);
}

static void events_up_to_the_level_are_told(void **state)
{
	struct seen seen = { 0 };
	struct log log = { record, &seen, HOY_LOG_WARNING };

	(void)state;
	log_warning(&log, "%s %d", "a", 1);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.level, HOY_LOG_WARNING);
	assert_string_equal(seen.message, "a 1");
	assert_string_equal(seen.at, "");
	log_info(&log, "b");
	log_debug(&log, "b");
	assert_int_equal(seen.count, 1);
	log_error(&log, "c");
	assert_int_equal(seen.count, 2);
	log_event_at(&log, HOY_LOG_WARNING, "linux.seccomp", -EPERM, "d");
	assert_string_equal(seen.at, "linux.seccomp");
	assert_int_equal(seen.code, EPERM);
	assert_true(log_wants(&log, HOY_LOG_ERROR));
	assert_false(log_wants(&log, HOY_LOG_INFO));
}

static void without_a_function_nothing_happens(void **state)
{
	struct log log = { .level = HOY_LOG_DEBUG };

	(void)state;
	log_error(&log, "x");
	log_event_at(&log, HOY_LOG_ERROR, "", 0, "x");
	log_error((struct log *)NULL, "x");
	assert_false(log_wants(&log, HOY_LOG_ERROR));
}

static void long_messages_are_cut(void **state)
{
	struct seen seen = { 0 };
	struct log log = { record, &seen, HOY_LOG_ERROR };
	char text[3000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_error(&log, "%s", text);
	assert_int_equal(strlen(seen.message), 2047);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(events_up_to_the_level_are_told),
		UNIT_TEST(without_a_function_nothing_happens),
		UNIT_TEST(long_messages_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
