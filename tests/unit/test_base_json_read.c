/* SPDX-License-Identifier: Apache-2.0 */
/* base/json_read.c, json_node.c: the tree, its places, its paths, and what is refused. */
#include "unit.h"

#include "base/arena.h"
#include "base/json_read.h"

#define TEXT(literal) literal, sizeof(literal) - 1

static void values_have_types_and_places(void **state)
{
	struct arena arena = { 0 };
	struct hoy_error err = { 0 };
	const struct json_node *document, *list, *item;

	(void)state;
	assert_int_equal(json_read(TEXT("{\n  \"a\" : [1,\n\ttrue, \"x\\u00e9\\n\"],\r\n"
					"  \"b c\":{\"d\":-1.5e3}, \"n\":null}\n"),
				   &arena, &document, &err),
			 0);
	assert_int_equal(document->type, JSON_OBJECT);
	assert_int_equal(document->len, 3);
	list = json_member(document, "a");
	assert_int_equal(list->type, JSON_LIST);
	assert_int_equal(list->len, 3);
	assert_int_equal(list->key_line, 2);
	assert_int_equal(list->key_column, 3);
	assert_int_equal(list->line, 2);
	assert_int_equal(list->column, 9);
	item = json_find(document, "a[1]");
	assert_true(item->truth);
	assert_int_equal(item->line, 3);
	assert_int_equal(item->column, 2);
	item = json_find(document, "a[2]");
	assert_string_equal(item->text, "x\xc3\xa9\n");
	assert_int_equal(item->len, 4);
	assert_int_equal(item->column, 8);
	item = json_find(document, "[\"b c\"].d");
	assert_string_equal(item->text, "-1.5e3");
	assert_int_equal(item->line, 4);
	assert_int_equal(json_member(document, "n")->type, JSON_NULL);
	assert_null(json_member(document, "x"));
	assert_null(json_member(NULL, "x"));
	assert_null(json_member(list, "x"));
	arena_done(&arena);
}

static void paths_lead_back_to_their_values(void **state)
{
	static const char *const paths[] = {
		"",	     "a",    "a[0]",	 "a[1].b",
		"[\"x.y\"]", "a[1]", "[\"\"].c", "[\"q\\\"\\\\\"][0]",
		"a-b_c1",
	};
	struct arena arena = { 0 };
	struct hoy_error err = { 0 };
	const struct json_node *document;

	(void)state;
	assert_int_equal(json_read(TEXT("{\"a\":[1,{\"b\":2}],\"x.y\":3,\"\":{\"c\":4},"
					"\"q\\\"\\\\\":[5],\"a-b_c1\":6}"),
				   &arena, &document, &err),
			 0);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const struct json_node *node = json_find(document, paths[i]);
		char path[JSON_PATH_SIZE];

		assert_non_null(node);
		assert_int_equal(json_path_node(path, 0, node), strlen(paths[i]));
		assert_string_equal(path, paths[i]);
	}
	assert_null(json_find(document, "a[2]"));
	assert_null(json_find(document, "a[99999999999999999999]"));
	assert_null(json_find(document, "a[x]"));
	assert_null(json_find(document, "a.b"));
	assert_null(json_find(document, "a[0].b"));
	assert_null(json_find(document, "[\"x.y"));
	assert_ptr_equal(json_find_nearest(document, "a[1].z.y"), json_find(document, "a[1]"));
	assert_ptr_equal(json_find_nearest(document, "z"), document);
	arena_done(&arena);
}

static void long_paths_are_cut(void **state)
{
	char path[JSON_PATH_SIZE] = "", key[400];
	size_t len;

	(void)state;
	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	len = json_path_member(path, 0, key);
	len = json_path_item(path, len, 12);
	len = json_path_member(path, len, "x\"y");
	assert_int_equal(len, JSON_PATH_SIZE - 1);
	assert_int_equal(strlen(path), JSON_PATH_SIZE - 1);
}

struct refusal {
	const char *text;
	size_t len;
	unsigned int line, column;
	const char *at, *message;
};

#define REFUSAL(text, ...)              \
	{                               \
		TEXT(text), __VA_ARGS__ \
	}

static const struct refusal refusals[] = {
	REFUSAL("", 1, 1, "", "unexpected end of file"),
	REFUSAL("  \n ", 2, 2, "", "unexpected end of file"),
	REFUSAL("5", 1, 1, "", "expected an object"),
	REFUSAL("\"x\"", 1, 1, "", "expected an object"),
	REFUSAL("{", 1, 2, "", "unexpected end of file"),
	REFUSAL("{\"a\":[1,2", 1, 10, "a[2]", "unexpected end of file"),
	REFUSAL("{\"a\":\"xy", 1, 6, "a", "unexpected end of file"),
	REFUSAL("{\"a\":tr", 1, 6, "a", "invalid JSON"),
	REFUSAL("{\"a\":1,}", 1, 7, "", "trailing comma"),
	REFUSAL("{\"a\":[1,\n]}", 1, 8, "a[1]", "trailing comma"),
	REFUSAL("[1,,2]", 1, 4, "[1]", "invalid JSON"),
	REFUSAL("{\"a\" 1}", 1, 6, "a", "invalid JSON"),
	REFUSAL("{\"a\":1 \"b\":2}", 1, 8, "", "invalid JSON"),
	REFUSAL("{a:1}", 1, 2, "", "invalid JSON"),
	REFUSAL("{\"a\":'x'}", 1, 6, "a", "invalid JSON"),
	REFUSAL("{\"a\":NaN}", 1, 6, "a", "invalid JSON"),
	REFUSAL("{\"a\":+1}", 1, 6, "a", "invalid JSON"),
	REFUSAL("{\"a\":-}", 1, 6, "a", "invalid JSON"),
	REFUSAL("{\"a\":1.}", 1, 6, "a", "invalid JSON"),
	REFUSAL("{\"a\":/*x*/1}", 1, 6, "a", "invalid JSON"),
	REFUSAL("[\v1]", 1, 2, "[0]", "invalid JSON"),
	REFUSAL("{} {}", 1, 4, "", "text after the document"),
	REFUSAL("{}\n,", 2, 2, "", "text after the document"),
	REFUSAL("{\"a\":1\0}", 1, 7, "", "NUL in the file"),
	REFUSAL("{\"a\":\"x\0y\"}", 1, 6, "a", "invalid string"),
	REFUSAL("{\"a\":\"x\ny\"}", 1, 6, "a", "invalid string"),
	REFUSAL("{\"a\":\"\\q\"}", 1, 6, "a", "invalid string"),
	REFUSAL("{\"a\":\"\\u12\"}", 1, 6, "a", "invalid string"),
	REFUSAL("{\"a\":\"\xff\"}", 1, 6, "a", "string is not valid UTF-8"),
	REFUSAL("{\"a\":\"\xc3\"}", 1, 6, "a", "string is not valid UTF-8"),
	REFUSAL("{\"a\":\"\\u0000\"}", 1, 6, "a", "NUL in a string"),
	REFUSAL("{\"b\":{\"a\\u0000\":1}}", 1, 7, "b", "NUL in a string"),
	REFUSAL("{\"a\":\"\\ud83d\"}", 1, 6, "a", "half of a surrogate pair in a string"),
	REFUSAL("{\"a\":\"\\ud83d\\ud83d\"}", 1, 6, "a", "half of a surrogate pair in a string"),
	REFUSAL("{\"a\":\"\\ude00\"}", 1, 6, "a", "half of a surrogate pair in a string"),
	REFUSAL("{\"a\":1,\n \"a\":2}", 2, 2, "a", "duplicate member"),
	REFUSAL("{\"a\":{\"b\":1,\"c\":2,\"\\u0062\":3}}", 1, 19, "a.b", "duplicate member"),
};

static void what_is_no_json_is_refused_at_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *refusal = &refusals[i];
		const struct json_node *document = NULL;
		struct arena arena = { 0 };
		struct hoy_error err = { 0 };

		assert_int_equal(json_read(refusal->text, refusal->len, &arena, &document, &err),
				 -1);
		if (strcmp(err.text, refusal->message) != 0 || err.line != refusal->line ||
		    err.column != refusal->column || strcmp(err.at, refusal->at) != 0)
			print_error("%s\n", refusal->text);
		assert_string_equal(err.text, refusal->message);
		assert_string_equal(err.at, refusal->at);
		assert_int_equal(err.line, refusal->line);
		assert_int_equal(err.column, refusal->column);
		assert_null(document);
		arena_done(&arena);
	}
}

static void pairs_and_escapes_are_decoded(void **state)
{
	struct arena arena = { 0 };
	struct hoy_error err = { 0 };
	const struct json_node *document;

	(void)state;
	assert_int_equal(json_read(TEXT("[\"\\ud83d\\ude00\\u00e9\", \"\\\\ud800\", \"\\/\"]"),
				   &arena, &document, &err),
			 0);
	assert_string_equal(json_find(document, "[0]")->text, "\xf0\x9f\x98\x80\xc3\xa9");
	assert_string_equal(json_find(document, "[1]")->text, "\\ud800");
	assert_string_equal(json_find(document, "[2]")->text, "/");
	arena_done(&arena);
}

static void depth_is_limited(void **state)
{
	(void)state;
	for (size_t depth = 62; depth <= 70; depth++) {
		const struct json_node *document;
		struct arena arena = { 0 };
		struct hoy_error err = { 0 };
		char text[200];
		int expected = depth < JSON_DEPTH_REFUSED ? 0 : -1;

		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		assert_int_equal(json_read(text, 2 * depth, &arena, &document, &err), expected);
		if (expected < 0) {
			assert_string_equal(err.text, "nested too deeply");
			assert_int_equal(err.column, 64);
		}
		arena_done(&arena);
	}
}

static void duplicates_are_found_in_large_objects(void **state)
{
	struct arena arena = { 0 };
	struct hoy_error err = { 0 };
	const struct json_node *document;
	char text[20000] = "{";
	size_t len = 1;

	(void)state;
	for (int i = 0; i < 1000; i++)
		len += (size_t)sprintf(text + len, "\"k%d\":%d,\n", i, i);
	len += (size_t)sprintf(text + len, "\"z\":1}");
	assert_int_equal(json_read(text, len, &arena, &document, &err), 0);
	assert_int_equal(document->len, 1001);
	arena_done(&arena);
	len -= 6;
	len += (size_t)sprintf(text + len, "\"k500\":1}");
	assert_int_equal(json_read(text, len, &arena, &document, &err), -1);
	assert_string_equal(err.text, "duplicate member");
	assert_string_equal(err.at, "k500");
	assert_int_equal(err.line, 1001);
	arena_done(&arena);
}

static void scalars_are_read_by_type(void **state)
{
	struct arena arena = { 0 };
	struct hoy_error err = { 0 };
	const struct json_node *document;
	const char *string;
	uint64_t number;
	int64_t signed_number;
	bool truth = false;

	(void)state;
	assert_int_equal(json_read(TEXT("{\"s\":\"x\",\"n\":7,\"m\":-7,\"t\":true,\"f\":1.5}"),
				   &arena, &document, &err),
			 0);
	assert_int_equal(json_get_string(json_member(document, "s"), &string), 0);
	assert_string_equal(string, "x");
	assert_true(json_get_string(json_member(document, "n"), &string) < 0);
	assert_true(json_get_string(NULL, &string) < 0);
	assert_int_equal(json_get_unsigned(json_member(document, "n"), 7, &number), 0);
	assert_int_equal(number, 7);
	assert_true(json_get_unsigned(json_member(document, "n"), 6, &number) < 0);
	assert_true(json_get_unsigned(json_member(document, "m"), 7, &number) < 0);
	assert_true(json_get_unsigned(json_member(document, "f"), 7, &number) < 0);
	assert_int_equal(json_get_signed(json_member(document, "m"), -7, 7, &signed_number), 0);
	assert_int_equal(signed_number, -7);
	assert_int_equal(json_get_bool(json_member(document, "t"), &truth), 0);
	assert_true(truth);
	assert_true(json_get_bool(json_member(document, "s"), &truth) < 0);
	arena_done(&arena);
}

/* A file in the scratch directory with this text, open for reading. */
static int make_file(const struct unit *unit, const char *text, size_t len)
{
	int fd = openat(unit->dirfd, "file", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void files_are_read_up_to_a_limit(void **state)
{
	const struct unit *unit = *state;
	struct arena arena = { 0 };
	struct hoy_error err = { 0 };
	const struct json_node *document;
	int fd = make_file(unit, TEXT("{\"a\":1}"));

	assert_int_equal(json_read_fd(fd, 100, "f.json", &arena, &document, &err), 0);
	assert_int_equal(document->len, 1);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(json_read_fd(fd, 7, "f.json", &arena, &document, &err), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(json_read_fd(fd, 6, "f.json", &arena, &document, &err), -1);
	assert_string_equal(err.text, "f.json: larger than 6 bytes");
	close(fd);
	assert_int_equal(json_read_fd(unit->dirfd, 100, "dir", &arena, &document, &err), -1);
	assert_string_equal(err.text, "read dir");
	assert_true(err.code != 0);
	arena_done(&arena);
}

static void pipes_are_read_to_their_end(void **state)
{
	struct arena arena = { 0 };
	struct hoy_error err = { 0 };
	const struct json_node *document;
	char text[20000];
	int fds[2];

	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text + sizeof(text) - 2, "{}", 2);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], text, sizeof(text)), sizeof(text));
	close(fds[1]);
	assert_int_equal(json_read_fd(fds[0], 1 << 20, "-", &arena, &document, &err), 0);
	assert_int_equal(document->column, 19999);
	close(fds[0]);
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(values_have_types_and_places),
		UNIT_TEST(paths_lead_back_to_their_values),
		UNIT_TEST(long_paths_are_cut),
		UNIT_TEST(what_is_no_json_is_refused_at_its_place),
		UNIT_TEST(pairs_and_escapes_are_decoded),
		UNIT_TEST(depth_is_limited),
		UNIT_TEST(duplicates_are_found_in_large_objects),
		UNIT_TEST(scalars_are_read_by_type),
		UNIT_TEST(files_are_read_up_to_a_limit),
		UNIT_TEST(pipes_are_read_to_their_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
