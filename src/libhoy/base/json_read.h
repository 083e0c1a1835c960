/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON to a tree in an arena, every value with its place in the file. Stricter than most readers:
 * duplicate members, NUL bytes (raw or escaped), halves of surrogate pairs, invalid UTF-8, more
 * than 63 levels and anything after the document are refused; the document is an object or a list.
 * Numbers stay text until somebody knows their type.
 */
#ifndef HOY_BASE_JSON_READ_H
#define HOY_BASE_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hoy/error.h>

struct arena;

/** Levels of nesting that are refused, the document itself being level 1. */
#define JSON_DEPTH_REFUSED 64
/** Largest file that is read, in bytes. */
#define JSON_SIZE_MAX (64UL << 20)
/** Enough for the longest path that fits in an error. */
#define JSON_PATH_SIZE 256

enum json_type {
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING,
	JSON_LIST,
	JSON_OBJECT,
};

struct json_node {
	enum json_type type;
	/** JSON_BOOL */
	bool truth;
	/** Counted from 1; columns in bytes. Of the value; of its key where it has one. */
	unsigned int line, column, key_line, key_column;
	/** Name of the member, or NULL for the document and items of lists. */
	const char *key;
	/** JSON_STRING: decoded; JSON_NUMBER: as in the file. Terminated. */
	const char *text;
	/** Length of text, or number of children. */
	size_t len;
	/** First member or item; the others follow through `next`, in the order of the file. */
	struct json_node *children, *next;
	/** The object or list it stands in; NULL for the document. */
	const struct json_node *parent;
};

/**
 * Parses a whole document.
 * @returns 0, or -1 with line, column and, where it is known, the path in err
 */
int json_read(const char *bytes, size_t len, struct arena *arena,
	      const struct json_node **ret_document, struct hoy_error *err);

/**
 * Reads a file from its present offset to the end and parses it.
 * @param size_max   in bytes, at most JSON_SIZE_MAX
 * @param file_name  for errors of reading
 */
int json_read_fd(int fd, size_t size_max, const char *file_name, struct arena *arena,
		 const struct json_node **ret_document, struct hoy_error *err);

/** "object", "list", "string", "number", "boolean", "null". */
const char *json_type_name(enum json_type type);

/** The member of that name, or NULL; also NULL if it is no object or NULL itself. */
const struct json_node *json_member(const struct json_node *object, const char *key);

/**
 * The value at a path: "a.b[2].c"; a name of other characters than letters, digits, '_' and '-' is
 * written ["net.ipv4.ip_forward"], with \" and \\ inside. NULL if there is none.
 */
const struct json_node *json_find(const struct json_node *document, const char *path);

/** As json_find(), but the nearest ancestor that exists. Never NULL. */
const struct json_node *json_find_nearest(const struct json_node *document, const char *path);

/**
 * Append a member's name or an item's index to a path, in the form that json_find() reads.
 * @param path  JSON_PATH_SIZE bytes, what does not fit is cut
 * @param len   of the present path
 * @returns the new length
 */
size_t json_path_member(char *path, size_t len, const char *key);
size_t json_path_item(char *path, size_t len, size_t index);

/** Appends where a value stands in its document, in the same form. @returns the new length */
size_t json_path_node(char *path, size_t len, const struct json_node *node);

/** The values of members that may be absent (NULL): -EINVAL for another type, -ERANGE. */
int json_get_string(const struct json_node *node, const char **ret_string);
int json_get_bool(const struct json_node *node, bool *ret_truth);
int json_get_unsigned(const struct json_node *node, uint64_t max, uint64_t *ret_number);
int json_get_signed(const struct json_node *node, int64_t min, int64_t max, int64_t *ret_number);

#endif
