/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One strict parser per kind of number: the whole string must match, in range; no blanks, no sign
 * but '-' where negative values exist, no prefix. They return 0, -EINVAL (no number of this kind)
 * or -ERANGE, and leave ret_ untouched unless they return 0. No locale, no allocation.
 */
#ifndef HOY_BASE_NUMBER_H
#define HOY_BASE_NUMBER_H

#include <stdint.h>

/** Decimal digits, 0 <= number <= max. */
int number_unsigned(const char *string, uint64_t max, uint64_t *ret_number);

/** Decimal digits after an optional '-', min <= number <= max. */
int number_signed(const char *string, int64_t min, int64_t max, int64_t *ret_number);

/** A user or group id; 4294967295, which the kernel reads as "unchanged", is -ERANGE. */
int number_uid(const char *string, uint32_t *ret_uid);
int number_gid(const char *string, uint32_t *ret_gid);

/** Octal digits, number <= max: a file mode or umask. */
int number_octal(const char *string, uint32_t max, uint32_t *ret_mode);

/** Decimal digits and an optional suffix k, m, g or t (any case, a "b" may follow), base 1024. */
int number_size(const char *string, uint64_t *ret_bytes);

/** As number_size(), or -1 for "no limit"; at most INT64_MAX. */
int number_limit(const char *string, int64_t *ret_bytes);

/**
 * A list of numbers and ranges "0-3,7" as cpuset files and CPU affinities have it; as in the
 * kernel, blanks and commas too many between them are nothing, and an empty list is one.
 * @param max  highest number that may occur
 * @param set  called with each range in order, first <= last; may be NULL
 */
int number_list(const char *string, unsigned int max,
		void (*set)(void *data, unsigned int first, unsigned int last), void *data);

#endif
