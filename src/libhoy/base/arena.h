/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that lives and dies together: the configuration and the plan are each built in one arena
 * and freed at once. Runs in the runtime; init reads what was built here and never writes it.
 */
#ifndef HOY_BASE_ARENA_H
#define HOY_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *blocks;
	size_t used, size;
	/** Set when an allocation failed; arena_alloc() then returns NULL for good. */
	int failed;
};

/** Zeroed memory, aligned for any type; NULL when out of memory or on overflow of count * size. */
void *arena_alloc(struct arena *arena, size_t count, size_t size);
char *arena_strdup(struct arena *arena, const char *text);
char *arena_strndup(struct arena *arena, const char *text, size_t len);
void *arena_copy(struct arena *arena, const void *data, size_t size);
/** As format_text(): not all that printf knows. */
char *arena_format(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void arena_done(struct arena *arena);

/** One of the type, zeroed. */
#define arena_new(arena, type)		((type *)arena_alloc(arena, 1, sizeof(type)))
#define arena_array(arena, type, count) ((type *)arena_alloc(arena, count, sizeof(type)))

#endif
