/* SPDX-License-Identifier: Apache-2.0 */
/* sys/error.c: the formatter against snprintf, filling and printing of struct hoy_error. */
#include "unit.h"

#include <errno.h>
#include <limits.h>

#include "sys/error.h"

/* The same text and length as snprintf, for buffers of every size that matters. */
#define ASSERT_AS_SNPRINTF(...)                                                           \
	do {                                                                              \
		char ours[128], theirs[128];                                              \
		for (size_t size = 0; size <= sizeof(ours); size++) {                     \
			memset(ours, '#', sizeof(ours));                                  \
			memset(theirs, '#', sizeof(theirs));                              \
			assert_int_equal((int)format_text(ours, size, __VA_ARGS__),       \
					 snprintf(theirs, size, __VA_ARGS__));            \
			assert_memory_equal(ours, theirs, size ? strlen(theirs) + 1 : 1); \
			assert_true(size == sizeof(ours) || ours[size] == '#');           \
		}                                                                         \
	} while (0)

static void format_text_writes_what_snprintf_writes(void **state)
{
	(void)state;
	ASSERT_AS_SNPRINTF("%s", "");
	ASSERT_AS_SNPRINTF("plain");
	ASSERT_AS_SNPRINTF("100%%");
	ASSERT_AS_SNPRINTF("%%%s%%", "x");
	ASSERT_AS_SNPRINTF("%s: %s", "memory.max", "write");
	ASSERT_AS_SNPRINTF("%.*s|%.*s|%.*s", 2, "abcdef", 0, "abc", 9, "abc");
	ASSERT_AS_SNPRINTF("%.*s", -1, "abcdef");
	ASSERT_AS_SNPRINTF("%c%c", 'a', '\xff');
	ASSERT_AS_SNPRINTF("%d %d %d %d", 0, -1, INT_MAX, INT_MIN);
	ASSERT_AS_SNPRINTF("%ld %ld", LONG_MAX, LONG_MIN);
	ASSERT_AS_SNPRINTF("%lld %lld", LLONG_MAX, LLONG_MIN);
	ASSERT_AS_SNPRINTF("%zd %zu", (ssize_t)-5, (size_t)5);
	ASSERT_AS_SNPRINTF("%u %lu %llu", UINT_MAX, ULONG_MAX, ULLONG_MAX);
	ASSERT_AS_SNPRINTF("%x %lx %llx %zx", 0xdeadbeefU, 0x1UL, ULLONG_MAX, SIZE_MAX);
	ASSERT_AS_SNPRINTF("%o %lo %llo %zo", 0755U, 01777UL, ULLONG_MAX, SIZE_MAX);
	ASSERT_AS_SNPRINTF("%04d %04d %04d", 7, -7, 12345);
	ASSERT_AS_SNPRINTF("%08x %03o %010u %020lld", 0x2aU, 7U, 42U, -1LL);
	ASSERT_AS_SNPRINTF("%030llu", ULLONG_MAX);
	ASSERT_AS_SNPRINTF("%s=%d,%c%03o/%.*s", "mode", -3, ':', 8U, 3, "cgroup");
}

static void format_text_writes_random_numbers_as_snprintf(void **state)
{
	char ours[256], theirs[256];
	uint64_t value = 88172645463325252ULL;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		long long number;

		value ^= value << 13;
		value ^= value >> 7;
		value ^= value << 17;
		number = (long long)(value >> (i % 64));
		assert_int_equal(format_text(ours, sizeof(ours), "%lld %d %llx %llo %lu %08u",
					     number, (int)number, number, number,
					     (unsigned long)number, (unsigned int)number),
				 snprintf(theirs, sizeof(theirs), "%lld %d %llx %llo %lu %08u",
					  number, (int)number, number, number,
					  (unsigned long)number, (unsigned int)number));
		assert_string_equal(ours, theirs);
	}
}

static void format_text_prints_a_null_string(void **state)
{
	char buffer[16];
	const char *volatile nothing = NULL;

	(void)state;
	assert_int_equal(format_text(buffer, sizeof(buffer), "%s", nothing), 6);
	assert_string_equal(buffer, "(null)");
}

static void format_text_reads_no_further_than_the_precision(void **state)
{
	char *unterminated = malloc(3);
	char buffer[16];

	(void)state;
	assert_non_null(unterminated);
	memcpy(unterminated, "abc", 3);
	format_text(buffer, sizeof(buffer), "<%.*s>", 3, unterminated);
	assert_string_equal(buffer, "<abc>");
	free(unterminated);
}

static void fail_replaces_the_whole_error(void **state)
{
	struct hoy_error err;

	(void)state;
	memset(&err, 'x', sizeof(err));
	assert_int_equal(fail(&err, -EBUSY, "write %s", "memory.max"), -1);
	assert_int_equal(err.code, EBUSY);
	assert_int_equal(err.status, 1);
	assert_int_equal(err.line, 0);
	assert_int_equal(err.column, 0);
	assert_string_equal(err.at, "");
	assert_string_equal(err.text, "write memory.max");
	assert_string_equal(err.hint, "");
	fail(&err, ENOENT, "open");
	assert_int_equal(err.code, ENOENT);
	fail(&err, 0, "open");
	assert_int_equal(err.code, 0);
}

static void fail_takes_arguments_out_of_the_error_it_replaces(void **state)
{
	struct hoy_error err;

	(void)state;
	fail_at(&err, "process.cwd", EIO, "inner");
	fail_at(&err, err.at, err.code, "outer (%s)", err.text);
	assert_string_equal(err.at, "process.cwd");
	assert_string_equal(err.text, "outer (inner)");
}

static void fail_cuts_between_characters(void **state)
{
	struct hoy_error err;
	char text[sizeof(err.text) + 8];

	(void)state;
	for (size_t len = sizeof(err.text) - 6; len < sizeof(err.text) + 2; len++) {
		memset(text, 'a', sizeof(text));
		memcpy(text + len, "\xe2\x82\xac", 4);
		fail(&err, 0, "%s", text);
		if (len + 3 < sizeof(err.text))
			assert_string_equal(err.text, text);
		else
			assert_int_equal(strspn(err.text, "a"), strlen(err.text));
		assert_true(strlen(err.text) >= sizeof(err.text) - 4);
	}
}

static void fail_at_names_the_value(void **state)
{
	struct hoy_error err;
	char longer[sizeof(err.at) * 2];

	(void)state;
	assert_int_equal(fail_at(&err, "linux.resources.memory.limit", -ERANGE, "%d", 5), -1);
	assert_string_equal(err.at, "linux.resources.memory.limit");
	assert_string_equal(err.text, "5");
	assert_int_equal(err.code, ERANGE);
	memset(longer, 'a', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	fail_at(&err, longer, 0, "x");
	assert_int_equal(strlen(err.at), sizeof(err.at) - 1);
}

static void fail_in_puts_context_in_front(void **state)
{
	struct hoy_error err;

	(void)state;
	fail_at(&err, "mounts[3]", EINVAL, "fsconfig size=%s", "bogus");
	assert_int_equal(fail_in(&err, "mount %s", "/dev/shm"), -1);
	assert_int_equal(fail_in(&err, "create %s", "c1"), -1);
	assert_string_equal(err.text, "create c1: mount /dev/shm: fsconfig size=bogus");
	assert_string_equal(err.at, "mounts[3]");
	assert_int_equal(err.code, EINVAL);
	fail(&err, 0, "inner");
	fail_in(&err, "(%s)", err.text);
	assert_string_equal(err.text, "(inner): inner");
}

static void fail_in_keeps_the_cause_of_a_long_text(void **state)
{
	struct hoy_error err;
	char text[sizeof(err.text)];
	char context[2000];

	(void)state;
	memset(text, 'm', sizeof(text));
	strcpy(text + sizeof(text) - 10, "the cause");
	memset(context, 'c', sizeof(context));
	context[sizeof(context) - 1] = '\0';

	fail(&err, 0, "%s", text);
	fail_in(&err, "outer");
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_memory_equal(err.text, "outer: ...mmm", 13);
	assert_string_equal(err.text + sizeof(err.text) - 10, "the cause");

	fail_in(&err, "%s", context);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_int_equal(strspn(err.text, "c"), 255);
	assert_string_equal(err.text + sizeof(err.text) - 10, "the cause");
}

static void fail_in_cuts_between_characters(void **state)
{
	struct hoy_error err;
	char printed[2048];

	(void)state;
	for (size_t shift = 0; shift < 3; shift++) {
		memset(err.text, 0, sizeof(err.text));
		for (size_t i = shift; i + 3 < sizeof(err.text); i += 3)
			memcpy(err.text + i, "\xe2\x82\xac", 3);
		memset(err.text, 'a', shift);
		err.code = 0;
		err.at[0] = '\0';
		fail_in(&err, "outer");
		hoy_error_format(&err, printed, sizeof(printed));
		assert_null(strchr(printed, '\\'));
		assert_memory_equal(printed, "outer: ...\xe2\x82\xac", 13);
	}
}

static void fail_in_fits_at_every_length(void **state)
{
	struct hoy_error err;
	char text[sizeof(err.text)];

	(void)state;
	for (size_t len = sizeof(text) - 20; len < sizeof(text); len++) {
		memset(text, 'm', len);
		text[len] = '\0';
		fail(&err, 0, "%s", text);
		fail_in(&err, "outer");
		assert_memory_equal(err.text, "outer: ", 7);
		if (len + 7 < sizeof(text))
			assert_string_equal(err.text + 7, text);
		else
			assert_int_equal(strlen(err.text), sizeof(text) - 1);
	}
}

static void fail_from_keeps_the_first_position(void **state)
{
	struct hoy_error err;

	(void)state;
	fail(&err, 0, "x");
	assert_int_equal(fail_from(&err, "process.args"), -1);
	assert_int_equal(fail_from(&err, "process"), -1);
	assert_string_equal(err.at, "process.args");
}

static void fail_hint_keeps_the_first_hint(void **state)
{
	struct hoy_error err;

	(void)state;
	fail(&err, 0, "x");
	assert_int_equal(fail_hint(&err, "install %s", "newuidmap"), -1);
	assert_int_equal(fail_hint(&err, "other"), -1);
	assert_string_equal(err.hint, "install newuidmap");
	assert_string_equal(err.text, "x");
}

static void error_words_are_those_of_the_errno(void **state)
{
	(void)state;
	assert_string_equal(error_words(EBUSY), "Device or resource busy");
	assert_string_equal(error_words(-ENOENT), "No such file or directory");
	assert_string_equal(error_words(99999), "Unknown error");
	assert_string_equal(error_words(INT_MIN), "Unknown error");
}

static void assert_printed(const struct hoy_error *err, const char *expected)
{
	char buffer[4096];
	int len = hoy_error_format(err, buffer, sizeof(buffer));

	assert_string_equal(buffer, expected);
	assert_int_equal(len, strlen(expected));
}

static void an_error_is_printed_with_the_parts_it_has(void **state)
{
	struct hoy_error err;

	(void)state;
	fail(&err, 0, "no such command");
	assert_printed(&err, "no such command");
	fail(&err, EBUSY, "write memory.max");
	assert_printed(&err, "write memory.max: Device or resource busy");
	fail_from(&err, "linux.resources.memory.limit");
	assert_printed(&err, "linux.resources.memory.limit: write memory.max: "
			     "Device or resource busy");
	fail_at(&err, "process.user", 0, "expected an object");
	assert_printed(&err, "process.user: expected an object");
}

static void control_bytes_are_printed_as_escapes(void **state)
{
	struct hoy_error err;

	(void)state;
	fail_at(&err, "a\tb", 0, "line\nfeed \x1b[31m \x7f end");
	assert_printed(&err, "a\\x09b: line\\x0afeed \\x1b[31m \\x7f end");
	fail(&err, 0, "C1 \xc2\x9b and \xc2\x85, not \xc2\xa0");
	assert_printed(&err, "C1 \\xc2\\x9b and \\xc2\\x85, not \xc2\xa0");
	fail(&err, 0, "%c", '\x01');
	assert_printed(&err, "\\x01");
}

static void only_valid_utf8_is_printed_as_it_is(void **state)
{
	struct hoy_error err;

	(void)state;
	fail(&err, 0, "\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x90\xb3 \xed\x9f\xbf \xf4\x8f\xbf\xbf");
	assert_printed(&err, err.text);
	fail(&err, 0, "\xff \x80 \xc3 \xc0\xaf");
	assert_printed(&err, "\\xff \\x80 \\xc3 \\xc0\\xaf");
	fail(&err, 0, "\xed\xa0\x80 \xe0\x80\x80 \xf0\x80\x80\x80 \xf4\x90\x80\x80 \xe6\xbc");
	assert_printed(&err, "\\xed\\xa0\\x80 \\xe0\\x80\\x80 \\xf0\\x80\\x80\\x80 "
			     "\\xf4\\x90\\x80\\x80 \\xe6\\xbc");
}

static void a_cut_error_ends_between_characters(void **state)
{
	static const size_t ends[] = { 0, 1, 2, 4, 7, 11, 15, 16 };
	struct hoy_error err;
	char whole[64], buffer[64];

	(void)state;
	fail(&err, 0, "ab\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x90\xb3\x1b.");
	hoy_error_format(&err, whole, sizeof(whole));
	for (size_t size = 1; size <= 17; size++) {
		size_t expected = 0;

		for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
			expected = ends[i] < size ? ends[i] : expected;
		memset(buffer, '#', sizeof(buffer));
		assert_int_equal(hoy_error_format(&err, buffer, size), expected);
		assert_int_equal(strlen(buffer), expected);
		assert_memory_equal(buffer, whole, expected);
		assert_int_equal(buffer[size], '#');
	}
	buffer[0] = '#';
	assert_int_equal(hoy_error_format(&err, buffer, 0), 0);
	assert_int_equal(buffer[0], '#');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(format_text_writes_what_snprintf_writes),
		UNIT_TEST(format_text_writes_random_numbers_as_snprintf),
		UNIT_TEST(format_text_prints_a_null_string),
		UNIT_TEST(format_text_reads_no_further_than_the_precision),
		UNIT_TEST(fail_replaces_the_whole_error),
		UNIT_TEST(fail_takes_arguments_out_of_the_error_it_replaces),
		UNIT_TEST(fail_cuts_between_characters),
		UNIT_TEST(fail_at_names_the_value),
		UNIT_TEST(fail_in_puts_context_in_front),
		UNIT_TEST(fail_in_keeps_the_cause_of_a_long_text),
		UNIT_TEST(fail_in_cuts_between_characters),
		UNIT_TEST(fail_in_fits_at_every_length),
		UNIT_TEST(fail_from_keeps_the_first_position),
		UNIT_TEST(fail_hint_keeps_the_first_hint),
		UNIT_TEST(error_words_are_those_of_the_errno),
		UNIT_TEST(an_error_is_printed_with_the_parts_it_has),
		UNIT_TEST(control_bytes_are_printed_as_escapes),
		UNIT_TEST(only_valid_utf8_is_printed_as_it_is),
		UNIT_TEST(a_cut_error_ends_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
