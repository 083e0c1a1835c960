/* SPDX-License-Identifier: Apache-2.0 */
/* src/option.c: how engines and people write options. */
#include "unit.h"

#include <hoy/error.h>

#include "option.h"

static bool flag;
static const char *text, *choice;
static unsigned int number;
static struct option_list list;

static const struct option inner[] = {
	{ "inner", 'i', OPTION_FLAG, &flag, NULL, "inside", NULL },
	OPTION_END,
};

static const struct option table[] = {
	{ NULL, 0, OPTION_TABLE, (void *)inner, NULL, NULL, NULL },
	{ "bundle", 'b', OPTION_TEXT, &text, "DIR", "text", NULL },
	{ "format", 'f', OPTION_TEXT, &choice, "FORMAT", "choice", "table json" },
	{ "number", 'n', OPTION_NUMBER, &number, "N", "number", NULL },
	{ "env", 'e', OPTION_LIST, &list, "NAME=VALUE", "list", NULL },
	{ "no-subreaper", 0, OPTION_IGNORED, NULL, NULL, NULL, NULL },
	OPTION_END,
};

#define WORDS_MAX 16

struct parsed {
	int len;
	bool help;
	char *words[WORDS_MAX];
	struct hoy_error err;
};

static struct parsed parse(enum option_words mode, const char *const *arguments)
{
	static char copies[WORDS_MAX][64];
	char *mutable[WORDS_MAX] = { NULL };
	struct parsed parsed = { 0 };

	flag = false;
	text = choice = NULL;
	number = 0;
	free(list.items);
	list = (struct option_list){ 0 };
	for (int i = 0; arguments[i]; i++) {
		strcpy(copies[i], arguments[i]);
		mutable[i] = copies[i];
	}
	parsed.len = option_parse(table, mutable, mode, parsed.words, &parsed.help, &parsed.err);
	return parsed;
}

#define PARSE(...)	parse(OPTION_WORDS_ANYWHERE, (const char *const[]){ __VA_ARGS__, NULL })
#define PARSE_LAST(...) parse(OPTION_WORDS_LAST, (const char *const[]){ __VA_ARGS__, NULL })

static void all_spellings_of_a_value(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--bundle", "x", "c1").len, 1);
	assert_string_equal(text, "x");
	PARSE("--bundle=y=z");
	assert_string_equal(text, "y=z");
	PARSE("-b", "z");
	assert_string_equal(text, "z");
	PARSE("-bw");
	assert_string_equal(text, "w");
	PARSE("-bundle", "v");
	assert_string_equal(text, "v");
	PARSE("-bundle=u");
	assert_string_equal(text, "u");
	PARSE("--bundle=");
	assert_string_equal(text, "");
}

static void flags(void **state)
{
	struct parsed parsed = PARSE("-no-subreaper", "--no-subreaper", "--inner", "c1");

	(void)state;
	assert_int_equal(parsed.len, 1);
	assert_true(flag);
	PARSE("--inner", "--inner=false");
	assert_false(flag);
	PARSE("-ib", "x");
	assert_true(flag);
	assert_string_equal(text, "x");
	parsed = PARSE("--inner=maybe");
	assert_int_equal(parsed.len, -1);
	assert_string_equal(parsed.err.text, "option --inner: invalid value \"maybe\"");
}

static void lists_and_numbers(void **state)
{
	(void)state;
	PARSE("-e", "A=1", "--env=B", "-n", "7");
	assert_int_equal(list.len, 2);
	assert_string_equal(list.items[0], "A=1");
	assert_string_equal(list.items[1], "B");
	assert_null(list.items[2]);
	assert_int_equal(number, 7);
	for (const char **bad = (const char *[]){ "-1", "x", "1x", "0x1", "99999999999", "", NULL };
	     *bad; bad++) {
		struct parsed parsed = PARSE("--number", *bad);

		assert_int_equal(parsed.len, -1);
		assert_non_null(strstr(parsed.err.text, "option --number: invalid N"));
	}
}

static void words_stand_anywhere_or_end_the_options(void **state)
{
	struct parsed parsed = PARSE("c1", "--inner", "KILL");

	(void)state;
	assert_int_equal(parsed.len, 2);
	assert_true(flag);
	parsed = PARSE("--", "--inner", "-");
	assert_int_equal(parsed.len, 2);
	assert_false(flag);
	assert_string_equal(parsed.words[0], "--inner");
	parsed = PARSE_LAST("--inner", "c1", "sh", "-c", "--", "--inner=x");
	assert_int_equal(parsed.len, 5);
	assert_string_equal(parsed.words[2], "-c");
	assert_string_equal(parsed.words[3], "--");
	assert_string_equal(parsed.words[4], "--inner=x");
	parsed = PARSE_LAST("--", "c1", "-x");
	assert_int_equal(parsed.len, 2);
	assert_string_equal(parsed.words[1], "-x");
}

static void what_is_wrong_is_told(void **state)
{
	struct parsed parsed = PARSE("--bundel", "x");

	(void)state;
	assert_string_equal(parsed.err.text, "unknown option --bundel, did you mean --bundle?");
	parsed = PARSE("--frobnicate");
	assert_string_equal(parsed.err.text, "unknown option --frobnicate");
	parsed = PARSE("-ix");
	assert_string_equal(parsed.err.text, "unknown option -ix");
	parsed = PARSE("c1", "--bundle");
	assert_string_equal(parsed.err.text, "option --bundle needs a value");
	parsed = PARSE("--format", "jsn");
	assert_string_equal(parsed.err.text,
			    "option --format: invalid FORMAT \"jsn\", allowed are: table json");
	parsed = PARSE("--format", "tab");
	assert_int_equal(parsed.len, -1);
}

static void help_is_known_everywhere(void **state)
{
	(void)state;
	assert_true(PARSE("-h").help);
	assert_true(PARSE("c1", "--help").help);
	assert_false(PARSE_LAST("c1", "--help").help);
	assert_false(PARSE("c1").help);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(all_spellings_of_a_value),
		UNIT_TEST(flags),
		UNIT_TEST(lists_and_numbers),
		UNIT_TEST(words_stand_anywhere_or_end_the_options),
		UNIT_TEST(what_is_wrong_is_told),
		UNIT_TEST(help_is_known_everywhere),
	};

	return cmocka_run_group_tests_name("option", tests, NULL, NULL);
}
