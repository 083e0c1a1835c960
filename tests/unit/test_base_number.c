/* SPDX-License-Identifier: Apache-2.0 */
/* base/number.c: what is a number of which kind, and what is not. */
#include "unit.h"

#include <errno.h>

#include "base/number.h"

/* Each is refused by every parser. */
static const char *const never[] = { "",    " ", "x",	"1 ",  " 1",  "+1",  "0x1", "1x",
				     "--1", "-", "1.0", "1e3", "1_0", "\t1", "1\n", "\xd9\xa1" };

static void nonsense_is_no_number(void **state)
{
	uint64_t number = 77;
	int64_t signed_number = 77;
	uint32_t word = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		assert_int_equal(number_unsigned(never[i], UINT64_MAX, &number), -EINVAL);
		assert_int_equal(number_signed(never[i], INT64_MIN, INT64_MAX, &signed_number),
				 -EINVAL);
		assert_int_equal(number_uid(never[i], &word), -EINVAL);
		assert_int_equal(number_gid(never[i], &word), -EINVAL);
		assert_int_equal(number_octal(never[i], 0777, &word), -EINVAL);
		assert_int_equal(number_size(never[i], &number), -EINVAL);
		assert_int_equal(number_limit(never[i], &signed_number), -EINVAL);
	}
	assert_int_equal(number, 77);
	assert_int_equal(signed_number, 77);
	assert_int_equal(word, 77);
}

static void unsigned_numbers(void **state)
{
	uint64_t number;

	(void)state;
	assert_int_equal(number_unsigned("0", 0, &number), 0);
	assert_int_equal(number, 0);
	assert_int_equal(number_unsigned("007", 10, &number), 0);
	assert_int_equal(number, 7);
	assert_int_equal(number_unsigned("18446744073709551615", UINT64_MAX, &number), 0);
	assert_true(number == UINT64_MAX);
	assert_int_equal(number_unsigned("18446744073709551616", UINT64_MAX, &number), -ERANGE);
	assert_int_equal(number_unsigned("99999999999999999999999", UINT64_MAX, &number), -ERANGE);
	assert_int_equal(number_unsigned("11", 10, &number), -ERANGE);
	assert_int_equal(number_unsigned("-1", UINT64_MAX, &number), -EINVAL);
	assert_int_equal(number_unsigned("99999999999999999999999x", 1, &number), -EINVAL);
}

static void signed_numbers(void **state)
{
	int64_t number;

	(void)state;
	assert_int_equal(number_signed("-9223372036854775808", INT64_MIN, INT64_MAX, &number), 0);
	assert_true(number == INT64_MIN);
	assert_int_equal(number_signed("9223372036854775807", INT64_MIN, INT64_MAX, &number), 0);
	assert_true(number == INT64_MAX);
	assert_int_equal(number_signed("9223372036854775808", INT64_MIN, INT64_MAX, &number),
			 -ERANGE);
	assert_int_equal(number_signed("-9223372036854775809", INT64_MIN, INT64_MAX, &number),
			 -ERANGE);
	assert_int_equal(number_signed("-1001", -1000, 1000, &number), -ERANGE);
	assert_int_equal(number_signed("-0", -1, 1, &number), 0);
	assert_int_equal(number, 0);
}

static void ids(void **state)
{
	uint32_t id;

	(void)state;
	assert_int_equal(number_uid("4294967294", &id), 0);
	assert_int_equal(id, 4294967294U);
	assert_int_equal(number_uid("4294967295", &id), -ERANGE);
	assert_int_equal(number_gid("4294967296", &id), -ERANGE);
	assert_int_equal(number_uid("-1", &id), -EINVAL);
}

static void modes(void **state)
{
	uint32_t mode;

	(void)state;
	assert_int_equal(number_octal("0755", 0777, &mode), 0);
	assert_int_equal(mode, 0755);
	assert_int_equal(number_octal("1777", 0777, &mode), -ERANGE);
	assert_int_equal(number_octal("8", 0777, &mode), -EINVAL);
}

static void sizes(void **state)
{
	uint64_t bytes;
	int64_t limit;

	(void)state;
	assert_int_equal(number_size("1024", &bytes), 0);
	assert_int_equal(bytes, 1024);
	assert_int_equal(number_size("512k", &bytes), 0);
	assert_int_equal(bytes, 512 << 10);
	assert_int_equal(number_size("3MB", &bytes), 0);
	assert_int_equal(bytes, 3 << 20);
	assert_int_equal(number_size("2G", &bytes), 0);
	assert_true(bytes == 2ULL << 30);
	assert_int_equal(number_size("1t", &bytes), 0);
	assert_true(bytes == 1ULL << 40);
	assert_int_equal(number_size("16777216T", &bytes), -ERANGE);
	assert_int_equal(number_size("k", &bytes), -EINVAL);
	assert_int_equal(number_size("1kk", &bytes), -EINVAL);
	assert_int_equal(number_size("1b", &bytes), -EINVAL);
	assert_int_equal(number_size("-1", &bytes), -EINVAL);
	assert_int_equal(number_limit("-1", &limit), 0);
	assert_int_equal(limit, -1);
	assert_int_equal(number_limit("-2", &limit), -EINVAL);
	assert_int_equal(number_limit("1g", &limit), 0);
	assert_int_equal(limit, 1 << 30);
	assert_int_equal(number_limit("9223372036854775808", &limit), -ERANGE);
}

static void add_range(void *data, unsigned int first, unsigned int last)
{
	char *text = data;

	(void)sprintf(text + strlen(text), "[%u,%u]", first, last);
}

static void lists(void **state)
{
	static const struct {
		const char *list, *ranges;
	} good[] = {
		{ "", "" },
		{ "0", "[0,0]" },
		{ "0-3,7", "[0,3][7,7]" },
		{ " 1, 2-2 ,,3", "[1,1][2,2][3,3]" },
		{ "9,1", "[9,9][1,1]" },
	};
	static const char *const bad[] = { "x", "1-", "-1", "3-1", "1-2-3", "1;2", "0x1", "1 -2" };
	char ranges[128];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ranges[0] = '\0';
		assert_int_equal(number_list(good[i].list, 9, add_range, ranges), 0);
		assert_string_equal(ranges, good[i].ranges);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(number_list(bad[i], 9, NULL, NULL), -EINVAL);
	assert_int_equal(number_list("0-10", 9, NULL, NULL), -ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(nonsense_is_no_number),
		UNIT_TEST(unsigned_numbers),
		UNIT_TEST(signed_numbers),
		UNIT_TEST(ids),
		UNIT_TEST(modes),
		UNIT_TEST(sizes),
		UNIT_TEST(lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
