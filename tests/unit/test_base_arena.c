/* SPDX-License-Identifier: Apache-2.0 */
/* base/arena.c: pieces of all sizes, alignment, copies, running out. */
#include "unit.h"

#include "base/arena.h"

static void pieces_are_zeroed_aligned_and_apart(void **state)
{
	struct arena arena = { 0 };
	unsigned char *pieces[200];

	(void)state;
	for (size_t i = 0; i < 200; i++) {
		size_t size = i % 10 == 9 ? 5000 * i : i;

		pieces[i] = arena_alloc(&arena, 1, size);
		assert_non_null(pieces[i]);
		assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
		for (size_t j = 0; j < size; j++)
			assert_int_equal(pieces[i][j], 0);
		memset(pieces[i], (int)i, size);
	}
	for (size_t i = 0; i < 200; i++) {
		size_t size = i % 10 == 9 ? 5000 * i : i;

		for (size_t j = 0; j < size; j++)
			assert_int_equal(pieces[i][j], (unsigned char)i);
	}
	arena_done(&arena);
}

static void strings_are_copied(void **state)
{
	struct arena arena = { 0 };
	char source[] = "hello", long_text[1000];
	char *copy = arena_strdup(&arena, source);

	(void)state;
	source[0] = 'j';
	assert_string_equal(copy, "hello");
	assert_string_equal(arena_strndup(&arena, "abcdef", 3), "abc");
	assert_string_equal(arena_strdup(&arena, ""), "");
	assert_memory_equal(arena_copy(&arena, "a\0b", 3), "a\0b", 3);
	assert_string_equal(arena_format(&arena, "%s-%d", "x", 7), "x-7");
	memset(long_text, 'y', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	assert_string_equal(arena_format(&arena, "%s", long_text), long_text);
	arena_done(&arena);
}

static void large_pieces_do_not_waste_the_present_block(void **state)
{
	struct arena arena = { 0 };
	char *first = arena_alloc(&arena, 1, 16);
	char *large = arena_alloc(&arena, 1, 1 << 20);
	char *second = arena_alloc(&arena, 1, 16);

	(void)state;
	assert_non_null(large);
	assert_ptr_equal(second, first + 16);
	arena_done(&arena);
}

static void what_cannot_be_fails_for_good(void **state)
{
	struct arena arena = { 0 };

	(void)state;
	assert_null(arena_alloc(&arena, SIZE_MAX / 2, 4));
	assert_true(arena.failed);
	assert_null(arena_alloc(&arena, 1, 1));
	assert_null(arena_strdup(&arena, "x"));
	arena_done(&arena);
	assert_false(arena.failed);
	assert_non_null(arena_alloc(&arena, 0, 8));
	arena_done(&arena);
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(pieces_are_zeroed_aligned_and_apart),
		UNIT_TEST(strings_are_copied),
		UNIT_TEST(large_pieces_do_not_waste_the_present_block),
		UNIT_TEST(what_cannot_be_fails_for_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
