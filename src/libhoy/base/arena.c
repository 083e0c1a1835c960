/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that is released at once: a chain of blocks, each twice the size of the one before, from
 * which pieces are cut. Runs in the runtime. Must not be given anything that needs more than
 * free() to go away.
 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sys/error.h"

struct arena_block {
	struct arena_block *next;
	alignas(max_align_t) unsigned char bytes[];
};

/* Enough for most configurations: what is not cut is not touched, and a second block costs more. */
#define BLOCK_SIZE_FIRST   (64UL << 10)
#define BLOCK_SIZE_LARGEST (1UL << 20)
/* Larger pieces get a block of their own. */
#define ALONE_FROM (4UL << 10)

static struct arena_block *block_new(size_t size)
{
	struct arena_block *block;

	if (size > SIZE_MAX - sizeof(struct arena_block))
		return NULL;
	block = malloc(sizeof(struct arena_block) + size);
	if (block)
		block->next = NULL;
	return block;
}

/** A block for one large piece goes behind the present one, which keeps being cut from. */
static void *alloc_alone(struct arena *arena, size_t size)
{
	struct arena_block *block = block_new(size);

	if (!block)
		return NULL;
	if (arena->blocks) {
		block->next = arena->blocks->next;
		arena->blocks->next = block;
	} else {
		arena->blocks = block;
		arena->used = arena->size = size;
	}
	return block->bytes;
}

static int add_block(struct arena *arena)
{
	size_t size = arena->size * 2;
	struct arena_block *block;

	if (size < BLOCK_SIZE_FIRST)
		size = BLOCK_SIZE_FIRST;
	if (size > BLOCK_SIZE_LARGEST)
		size = BLOCK_SIZE_LARGEST;
	block = block_new(size);
	if (!block)
		return -1;
	block->next = arena->blocks;
	arena->blocks = block;
	arena->size = size;
	arena->used = 0;
	return 0;
}

/** `len` bytes at a multiple of `alignment`, with whatever is in them. */
static void *cut_bytes(struct arena *arena, size_t len, size_t alignment)
{
	size_t start = (arena->used + alignment - 1) & ~(alignment - 1);
	void *bytes;

	if (arena->failed)
		return NULL;
	if (start <= arena->size && len <= arena->size - start) {
		arena->used = start + len;
		return arena->blocks->bytes + start;
	}
	if (len > ALONE_FROM) {
		bytes = alloc_alone(arena, len);
		arena->failed = !bytes;
		return bytes;
	}
	if (add_block(arena) < 0) {
		arena->failed = 1;
		return NULL;
	}
	arena->used = len;
	return arena->blocks->bytes;
}

void *arena_alloc(struct arena *arena, size_t count, size_t size)
{
	size_t len;
	void *bytes;

	if (__builtin_mul_overflow(count, size, &len) || len > SIZE_MAX / 2) {
		arena->failed = 1;
		return NULL;
	}
	/* An empty array is no failure and has an address of its own. */
	bytes = cut_bytes(arena, len ? len : 1, alignof(max_align_t));
	/* Only what is cut is cleared: of a block that is hardly used the rest is not touched. */
	if (bytes)
		memset(bytes, 0, len);
	return bytes;
}

void *arena_copy(struct arena *arena, const void *data, size_t size)
{
	void *copy = cut_bytes(arena, size ? size : 1, alignof(max_align_t));

	if (copy && size)
		memcpy(copy, data, size);
	return copy;
}

char *arena_strndup(struct arena *arena, const char *text, size_t len)
{
	char *copy;

	if (len > SIZE_MAX / 2) {
		arena->failed = 1;
		return NULL;
	}
	copy = cut_bytes(arena, len + 1, 1);
	if (!copy)
		return NULL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
	return arena_strndup(arena, text, strlen(text));
}

char *arena_format(struct arena *arena, const char *format, ...)
{
	char small[256];
	va_list arguments;
	char *text;
	size_t len;

	va_start(arguments, format);
	len = format_text_v(small, sizeof(small), format, arguments);
	va_end(arguments);
	if (len < sizeof(small))
		return arena_strndup(arena, small, len);
	text = cut_bytes(arena, len + 1, 1);
	if (!text)
		return NULL;
	va_start(arguments, format);
	(void)format_text_v(text, len + 1, format, arguments);
	va_end(arguments);
	return text;
}

void arena_done(struct arena *arena)
{
	struct arena_block *block = arena->blocks;

	while (block) {
		struct arena_block *next = block->next;

		free(block);
		block = next;
	}
	memset(arena, 0, sizeof(*arena));
}
