/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded: lets allocations fail. FAIL_ALLOC=5 is the fifth, FAIL_ALLOC=5+ the fifth and all that
 * come after it. A program that has made fewer says so at its end, in words that begin with
 * "fail_alloc: ".
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);

static long left = -1;
static bool for_ever, has_failed;

static bool fails(void)
{
	if (left < 0) {
		const char *text = getenv("FAIL_ALLOC");

		left = text ? strtol(text, NULL, 10) : 0;
		for_ever = text && strchr(text, '+');
	}
	if (left == 0 || --left > 0)
		return false;
	if (for_ever)
		left = 1;
	has_failed = true;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
	return fails() ? NULL : __libc_realloc(block, size);
}

__attribute__((destructor)) static void tell(void)
{
	static const char text[] = "fail_alloc: no such allocation\n";

	if (left > 0 && !has_failed)
		(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
}
