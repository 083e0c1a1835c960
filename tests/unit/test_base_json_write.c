/* SPDX-License-Identifier: Apache-2.0 */
/* base/json_write.c: compact and pretty documents, escaping, and reading back what was written. */
#include "unit.h"

#include "base/arena.h"
#include "base/json_read.h"
#include "base/json_write.h"

static void write_sample(struct json_writer *writer)
{
	static const char *const strings[] = { "x", "y", NULL };

	json_write_object(writer, NULL);
	json_write_string(writer, "s", "a\"b");
	json_write_signed(writer, "i", INT64_MIN);
	json_write_unsigned(writer, "u", UINT64_MAX);
	json_write_bool(writer, "t", true);
	json_write_null(writer, "n");
	json_write_list(writer, "l");
	json_write_object(writer, NULL);
	json_write_end(writer);
	json_write_number_text(writer, NULL, "0.25");
	json_write_end(writer);
	json_write_strings(writer, "w", strings);
	json_write_strings(writer, "e", NULL);
	json_write_end(writer);
}

static void compact(void **state)
{
	struct json_writer writer = { 0 };
	char *text;

	(void)state;
	write_sample(&writer);
	text = json_write_take(&writer);
	assert_string_equal(text, "{\"s\":\"a\\\"b\",\"i\":-9223372036854775808,"
				  "\"u\":18446744073709551615,\"t\":true,\"n\":null,"
				  "\"l\":[{},0.25],\"w\":[\"x\",\"y\"],\"e\":[]}");
	free(text);
}

static void pretty(void **state)
{
	struct json_writer writer = { .pretty = true };
	char *text;

	(void)state;
	json_write_object(&writer, NULL);
	json_write_list(&writer, "l");
	json_write_signed(&writer, NULL, 1);
	json_write_object(&writer, NULL);
	json_write_end(&writer);
	json_write_end(&writer);
	json_write_string(&writer, "s", "");
	json_write_end(&writer);
	text = json_write_take(&writer);
	assert_string_equal(text, "{\n    \"l\": [\n        1,\n        {}\n    ],\n"
				  "    \"s\": \"\"\n}");
	free(text);
}

static void strings_are_always_valid_json(void **state)
{
	static const struct {
		const char *string, *quoted;
	} rows[] = {
		{ "", "\"\"" },
		{ "\\\"/", "\"\\\\\\\"/\"" },
		{ "a\n\t\r\x01\x1f\x7f", "\"a\\n\\t\\u000d\\u0001\\u001f\\u007f\"" },
		{ "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
		  "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
		/* a stray byte, an overlong form, a surrogate, beyond U+10FFFF, a cut sequence */
		{ "\xff", "\"\xef\xbf\xbd\"" },
		{ "\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct text text = { 0 };

		json_quote(&text, rows[i].string);
		assert_string_equal(text.bytes, rows[i].quoted);
		text_done(&text);
	}
}

static void what_was_written_is_read_back(void **state)
{
	struct json_writer first = { .pretty = true }, second = { .pretty = true };
	struct arena arena = { 0 };
	struct hoy_error err = { 0 };
	const struct json_node *document;
	char *text, *again;

	(void)state;
	write_sample(&first);
	text = json_write_take(&first);
	assert_int_equal(json_read(text, strlen(text), &arena, &document, &err), 0);
	json_write_node(&second, NULL, document);
	again = json_write_take(&second);
	assert_string_equal(again, text);
	free(text);
	free(again);
	arena_done(&arena);
}

static void too_deep_is_a_failure(void **state)
{
	struct json_writer writer = { 0 };

	(void)state;
	for (int i = 0; i < 65; i++)
		json_write_list(&writer, NULL);
	for (int i = 0; i < 65; i++)
		json_write_end(&writer);
	assert_null(json_write_text(&writer));
	assert_null(json_write_take(&writer));
	json_write_done(&writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(compact),
		UNIT_TEST(pretty),
		UNIT_TEST(strings_are_always_valid_json),
		UNIT_TEST(what_was_written_is_read_back),
		UNIT_TEST(too_deep_is_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
