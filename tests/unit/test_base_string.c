/* SPDX-License-Identifier: Apache-2.0 */
/* base/string.c: text that grows, escaping, distances between words. */
#include "unit.h"

#include "base/string.h"

static void text_grows(void **state)
{
	struct text text = { 0 };
	char *taken;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		text_add(&text, "ab");
		text_add_char(&text, 'c');
		text_add_format(&text, "%d", i % 10);
	}
	assert_int_equal(text.len, 4000);
	assert_int_equal(strlen(text.bytes), 4000);
	assert_memory_equal(text.bytes + 3996, "abc9", 5);
	taken = text_take(&text);
	assert_null(text.bytes);
	assert_int_equal(text.len, 0);
	free(taken);
	text_done(&text);
}

/* A short text stays where it begins; one that is longer or given away has memory of its own. */
static void text_begins_in_an_array(void **state)
{
	char place[8];
	struct text text = TEXT_IN(place);
	char *taken;

	(void)state;
	text_add(&text, "1234567");
	assert_ptr_equal(text.bytes, place);
	text_add_char(&text, '8');
	assert_ptr_not_equal(text.bytes, place);
	assert_string_equal(text.bytes, "12345678");
	text_done(&text);

	text = TEXT_IN(place);
	text_add(&text, "short");
	taken = text_take(&text);
	memset(place, 'x', sizeof(place));
	assert_string_equal(taken, "short");
	free(taken);

	text = TEXT_IN(place);
	text_add(&text, "x");
	text_add_bytes(&text, "x", SIZE_MAX / 2);
	assert_true(text.failed);
	assert_null(text.bytes);
}

static void nothing_is_an_empty_string(void **state)
{
	struct text text = { 0 };
	char *taken = text_take(&text);

	(void)state;
	assert_string_equal(taken, "");
	free(taken);
}

static void failed_text_is_null_and_stays_so(void **state)
{
	struct text text = { 0 };

	(void)state;
	text_add(&text, "x");
	text_add_bytes(&text, "x", SIZE_MAX / 2);
	assert_true(text.failed);
	text_add(&text, "y");
	assert_int_equal(text.len, 0);
	assert_null(text_take(&text));
}

static void control_bytes_are_escaped(void **state)
{
	struct text text = { 0 };

	(void)state;
	text_add_escaped(&text, "a\n\t\\\x1b[0m\x7f\xc3\xa9");
	assert_string_equal(text.bytes, "a\\n\\t\\\\\\x1b[0m\\x7f\xc3\xa9");
	text_done(&text);
}

static void questions(void **state)
{
	(void)state;
	assert_true(string_starts("abc", "ab"));
	assert_true(string_starts("abc", ""));
	assert_false(string_starts("a", "ab"));
	assert_true(string_ends("abc", "bc"));
	assert_false(string_ends("c", "bc"));
	assert_true(string_has_control("a\x01"));
	assert_true(string_has_control("\x7f"));
	assert_false(string_has_control("a\xff b"));
	assert_true(string_is_made_of("aab", "ab"));
	assert_true(string_is_made_of("", "ab"));
	assert_false(string_is_made_of("abc", "ab"));
}

static void distances(void **state)
{
	char long_word[100];

	(void)state;
	assert_int_equal(string_distance("seccomp", "seccomp", 3), 0);
	assert_int_equal(string_distance("secomp", "seccomp", 3), 1);
	assert_int_equal(string_distance("seccommp", "seccomp", 3), 1);
	assert_int_equal(string_distance("sexcomp", "seccomp", 3), 1);
	assert_int_equal(string_distance("nosiud", "nosuid", 3), 1);
	assert_int_equal(string_distance("onsiud", "nosuid", 3), 2);
	assert_int_equal(string_distance("Terminal", "terminal", 3), 0);
	assert_int_equal(string_distance("", "ab", 3), 2);
	assert_int_equal(string_distance("", "", 3), 0);
	assert_int_equal(string_distance("abcd", "wxyz", 3), 4);
	assert_int_equal(string_distance("abcdef", "abxyef", 1), 2);
	memset(long_word, 'a', sizeof(long_word) - 1);
	long_word[sizeof(long_word) - 1] = '\0';
	assert_int_equal(string_distance(long_word, long_word, 2), 3);
	assert_int_equal(string_near("c"), 0);
	assert_int_equal(string_near("dev"), 1);
	assert_int_equal(string_near("nodev"), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(text_grows),
		UNIT_TEST(text_begins_in_an_array),
		UNIT_TEST(nothing_is_an_empty_string),
		UNIT_TEST(failed_text_is_null_and_stays_so),
		UNIT_TEST(control_bytes_are_escaped),
		UNIT_TEST(questions),
		UNIT_TEST(distances),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
