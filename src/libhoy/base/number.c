/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers out of strings, one strict parser per kind. Runs in the runtime. Must not use the C
 * library's parsers: they skip blanks, take signs and prefixes, and wrap.
 */
#include "base/number.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "sys/cleanup.h"

/**
 * Reads digits up to the first other byte.
 * @param ret_end  where they stopped
 * @returns 0, -EINVAL without a digit, -ERANGE beyond max (all digits are still consumed)
 */
static int read_digits(const char *string, unsigned int base, uint64_t max, const char **ret_end,
		       uint64_t *ret_number)
{
	const char *place = string;
	uint64_t number = 0;
	bool fits = true;

	for (; *place >= '0' && *place < '0' + (char)base; place++) {
		fits = fits && !__builtin_mul_overflow(number, base, &number) &&
		       !__builtin_add_overflow(number, (uint64_t)(*place - '0'), &number) &&
		       number <= max;
	}
	*ret_end = place;
	if (place == string)
		return -EINVAL;
	if (!fits)
		return -ERANGE;
	*ret_number = number;
	return 0;
}

static int read_all(const char *string, unsigned int base, uint64_t max, uint64_t *ret_number)
{
	const char *end;
	uint64_t number = 0;
	int result = read_digits(string, base, max, &end, &number);

	if (*end != '\0')
		return -EINVAL;
	if (result < 0)
		return result;
	*ret_number = number;
	return 0;
}

int number_unsigned(const char *string, uint64_t max, uint64_t *ret_number)
{
	return read_all(string, 10, max, ret_number);
}

int number_signed(const char *string, int64_t min, int64_t max, int64_t *ret_number)
{
	bool negative = string[0] == '-';
	uint64_t magnitude;
	int64_t number;
	int result;

	result = read_all(string + negative, 10, (uint64_t)INT64_MAX + negative, &magnitude);
	if (result < 0)
		return result;
	number = (int64_t)(negative ? -magnitude : magnitude);
	if (number < min || number > max)
		return -ERANGE;
	*ret_number = number;
	return 0;
}

int number_uid(const char *string, uint32_t *ret_uid)
{
	uint64_t number;
	int result = read_all(string, 10, UINT32_MAX - 1, &number);

	if (result < 0)
		return result;
	*ret_uid = (uint32_t)number;
	return 0;
}

int number_gid(const char *string, uint32_t *ret_gid)
{
	return number_uid(string, ret_gid);
}

int number_octal(const char *string, uint32_t max, uint32_t *ret_mode)
{
	uint64_t number;
	int result = read_all(string, 8, max, &number);

	if (result < 0)
		return result;
	*ret_mode = (uint32_t)number;
	return 0;
}

/** How far a suffix shifts, or -EINVAL. */
static int suffix_shift(const char *suffix)
{
	static const char letters[] = "kmgt";
	const char *letter;
	char lower = (char)(suffix[0] | 0x20);

	if (suffix[0] == '\0')
		return 0;
	letter = strchr(letters, lower);
	if (!letter)
		return -EINVAL;
	if (suffix[1] == 'b' || suffix[1] == 'B')
		suffix++;
	if (suffix[1] != '\0')
		return -EINVAL;
	return (int)(letter - letters + 1) * 10;
}

int number_size(const char *string, uint64_t *ret_bytes)
{
	const char *suffix;
	uint64_t number = 0;
	int result = read_digits(string, 10, UINT64_MAX, &suffix, &number);
	int shift;

	if (result == -EINVAL)
		return result;
	shift = suffix_shift(suffix);
	if (shift < 0)
		return shift;
	if (result < 0 || number > UINT64_MAX >> shift)
		return -ERANGE;
	*ret_bytes = number << shift;
	return 0;
}

int number_limit(const char *string, int64_t *ret_bytes)
{
	uint64_t bytes;
	int result;

	if (strcmp(string, "-1") == 0) {
		*ret_bytes = -1;
		return 0;
	}
	result = number_size(string, &bytes);
	if (result < 0)
		return result;
	if (bytes > INT64_MAX)
		return -ERANGE;
	*ret_bytes = (int64_t)bytes;
	return 0;
}

/** Reads "3" or "3-5" and stops behind it. */
static int read_range(const char **place, unsigned int max, uint64_t *ret_first, uint64_t *ret_last)
{
	uint64_t first, last;
	int result = read_digits(*place, 10, max, place, &first);

	if (result < 0)
		return result;
	last = first;
	if (**place == '-') {
		result = read_digits(*place + 1, 10, max, place, &last);
		if (result < 0)
			return result;
	}
	if (last < first)
		return -EINVAL;
	*ret_first = first;
	*ret_last = last;
	return 0;
}

int number_list(const char *string, unsigned int max,
		void (*set)(void *data, unsigned int first, unsigned int last), void *data)
{
	const char *place = string + strspn(string, " ");

	while (*place != '\0') {
		uint64_t first, last;
		int result = read_range(&place, max, &first, &last);

		if (result < 0)
			return result;
		place += strspn(place, " ");
		if (*place != '\0' && *place != ',')
			return -EINVAL;
		if (set)
			set(data, (unsigned int)first, (unsigned int)last);
		place += strspn(place, ", ");
	}
	return 0;
}
