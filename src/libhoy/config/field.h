/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON objects to structs by tables: one row a member, one table an object of the specification.
 * Runtime only.
 */
#ifndef HOY_CONFIG_FIELD_H
#define HOY_CONFIG_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/problem.h"
#include "spec/word.h"

struct arena;

enum field_type {
	/** Of another platform, or of an older version: any value is accepted and forgotten. */
	FIELD_IGNORED,
	/** const char *; "" counts as absent unless the field is required or keeps it. */
	FIELD_STRING,
	/** bool */
	FIELD_BOOL,
	/** uint32_t or uint64_t */
	FIELD_UNSIGNED,
	/** int64_t */
	FIELD_SIGNED,
	/** struct opt_u64, struct opt_i64 */
	FIELD_OPTIONAL_UNSIGNED,
	FIELD_OPTIONAL_SIGNED,
	/** A word of a vocabulary: char, int or uint32_t, or uint64_t; "" as for strings. */
	FIELD_WORD,
	/** A list of words, their values combined: uint64_t. */
	FIELD_FLAGS,
	/** CONFIG_LIST(uint32_t) of words, or of numbers. */
	FIELD_WORD_LIST,
	FIELD_NUMBER_LIST,
	/** struct string_list, struct string_map */
	FIELD_STRING_LIST,
	FIELD_STRING_MAP,
	/** A struct inside this one, a pointer to one, a CONFIG_LIST of them. */
	FIELD_OBJECT,
	FIELD_OBJECT_POINTER,
	FIELD_OBJECT_LIST,
	/** A JSON object with free names as CONFIG_LIST: the name is each struct's first member. */
	FIELD_OBJECT_MAP,
};

struct object;

struct field {
	const char *name;
	enum field_type type;
	bool required;
	/** "" is a value, and must pass the check. */
	bool keeps_empty;
	/** Of the member in its struct. */
	size_t offset, size;
	/** Range of numbers; max 0 means that the type is the only limit. */
	int64_t min;
	uint64_t max;
	/** Bits of numbers that are dropped. */
	uint64_t drop;
	const struct object *object;
	const struct vocabulary *words;
	/** What is wrong with a string, or with an item of a list of strings; NULL if it is good.
	 */
	const char *(*check)(const char *string);
};

struct object {
	const struct field *fields;
	size_t len;
	/** Of the struct. */
	size_t size;
	/** What a new struct starts as, if not zeroed. */
	const void *preset;
	/** The struct has a bool at `set_offset` that says that the object is present. */
	bool has_set;
	size_t set_offset;
	/** Names not in the table are invalid rather than of a future version. */
	bool closed;
};

/** A row for member `member` of a struct; further members of struct field may follow. */
#define FIELD(type_, struct_, member, name_, ...)                                  \
	{                                                                          \
		.name = name_, .type = type_, .offset = offsetof(struct_, member), \
		.size = sizeof(((struct_ *)NULL)->member), __VA_ARGS__             \
	}
#define IGNORED(name_)                               \
	{                                            \
		.name = name_, .type = FIELD_IGNORED \
	}

#define OBJECT(struct_, fields_, ...)                                             \
	{                                                                         \
		.fields = fields_, .len = sizeof(fields_) / sizeof((fields_)[0]), \
		.size = sizeof(struct_), __VA_ARGS__                              \
	}

/**
 * Reads an object into a zeroed struct, telling every problem on the way. What has a problem is
 * left as absent.
 * @returns 0, or -1 only if memory ran out
 */
int field_read_object(struct problems *problems, struct arena *arena, const struct json_node *node,
		      const struct object *object, void *target);

#endif
