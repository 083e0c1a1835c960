/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON to a tree in an arena. Runs in the runtime. yajl's event parser does the grammar; the tree,
 * the places and the stricter rules are ours. Its tree parser must not be used: it takes duplicate
 * members, cuts strings at \u0000, turns large numbers into doubles and overflows the stack on
 * deep nesting.
 */
#include "base/json_read.h"

#include <errno.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yajl/yajl_parse.h>

#include "base/arena.h"
#include "base/number.h"
#include "sys/cleanup.h"
#include "sys/error.h"

/** Objects up to this size are searched for duplicates pairwise, larger ones are sorted. */
#define DUPLICATES_PAIRWISE 16
/** In bytes; most configurations and all records are shorter. */
#define SHORT_DOCUMENT 16384
#define SHORT_FILE     8192

/** An object or list that is being read, and where its next child is hung. */
struct level {
	struct json_node *node;
	struct json_node **tail;
};

struct reader {
	yajl_handle parser;
	/** The parser's own memory, and the way out of it when there is no more: it never asks. */
	struct arena *parser_memory;
	jmp_buf no_memory;
	const char *bytes;
	size_t len;
	struct arena *arena;
	struct hoy_error *err;
	/** Where the last token ended, on which line that is, and where this line began. */
	size_t end, line_start;
	unsigned int line;
	/** Of the token at hand. */
	unsigned int token_line, token_column;
	/** The key that waits for its value. */
	const char *key;
	unsigned int key_line, key_column;
	struct json_node *document;
	struct level levels[JSON_DEPTH_REFUSED];
	size_t depth;
	bool failed;
};

/** The path of what is being read: of the member whose key is known, or of the next item. */
static void present_path(const struct reader *reader, char path[JSON_PATH_SIZE])
{
	const struct json_node *node;
	size_t len;

	path[0] = '\0';
	if (reader->depth == 0)
		return;
	node = reader->levels[reader->depth - 1].node;
	len = json_path_node(path, 0, node);
	if (node->type == JSON_LIST)
		(void)json_path_item(path, len, node->len);
	else if (reader->key)
		(void)json_path_member(path, len, reader->key);
}

/** Fails at a place, with the path of what is being read. @returns 0, which stops yajl */
static int refuse_at(struct reader *reader, unsigned int line, unsigned int column,
		     const char *message)
{
	char path[JSON_PATH_SIZE];

	if (reader->failed)
		return 0;
	present_path(reader, path);
	(void)fail_at(reader->err, path, 0, "%s", message);
	reader->err->line = line;
	reader->err->column = column;
	reader->failed = true;
	return 0;
}

static int refuse(struct reader *reader, const char *message)
{
	return refuse_at(reader, reader->token_line, reader->token_column, message);
}

/** Moves over what may stand between two tokens, counting lines, to the place of the next one. */
static void skip_blanks(struct reader *reader)
{
	for (; reader->end < reader->len; reader->end++) {
		char byte = reader->bytes[reader->end];

		if (byte == '\n') {
			reader->line++;
			reader->line_start = reader->end + 1;
		} else if (byte != ' ' && byte != '\t' && byte != '\r' && byte != ',' &&
			   byte != ':') {
			break;
		}
	}
	reader->token_line = reader->line;
	reader->token_column = (unsigned int)(reader->end - reader->line_start + 1);
}

/**
 * Places the token that yajl has just reported; refuses what yajl alone takes for a blank.
 * @param len  of its source in bytes, or 0 to take it from yajl
 * @returns offset of its first byte
 */
static size_t place_token(struct reader *reader, size_t len)
{
	size_t start;

	skip_blanks(reader);
	start = reader->end;
	if (start < reader->len && (reader->bytes[start] == '\v' || reader->bytes[start] == '\f'))
		(void)refuse(reader, "invalid JSON");
	/* At the end of a cut file yajl reports a number while it is fed a blank: len covers it. */
	reader->end = len ? start + len : yajl_get_bytes_consumed(reader->parser);
	if (reader->end < start || reader->end > reader->len)
		reader->end = start;
	return start;
}

static int refuse_memory(struct reader *reader)
{
	(void)fail(reader->err, ENOMEM, "read JSON");
	reader->failed = true;
	return 0;
}

/** Hangs a new value where it belongs. @returns it, or NULL when reading has failed */
static struct json_node *add_node(struct reader *reader, enum json_type type)
{
	struct json_node *node;

	if (reader->failed)
		return NULL;
	node = arena_new(reader->arena, struct json_node);
	if (!node) {
		(void)refuse_memory(reader);
		return NULL;
	}
	node->type = type;
	node->line = reader->token_line;
	node->column = reader->token_column;
	node->key = reader->key;
	node->key_line = reader->key_line;
	node->key_column = reader->key_column;
	if (reader->depth > 0) {
		struct level *level = &reader->levels[reader->depth - 1];

		node->parent = level->node;
		*level->tail = node;
		level->tail = &node->next;
		level->node->len++;
	} else if (type != JSON_OBJECT && type != JSON_LIST) {
		(void)refuse(reader, "expected an object");
		return NULL;
	} else {
		reader->document = node;
	}
	reader->key = NULL;
	reader->key_line = reader->key_column = 0;
	return node;
}

/** True if the source of a string has half of a surrogate pair, which yajl turns into "?". */
static bool has_half_pair(const char *source, size_t len)
{
	unsigned int first = 0;

	for (size_t i = 0; i + 1 < len; i++) {
		char digits[5] = "";
		unsigned int unit = 0;

		if (source[i] == '\\') {
			if (source[i + 1] == 'u' && i + 5 < len) {
				memcpy(digits, source + i + 2, 4);
				unit = (unsigned int)strtoul(digits, NULL, 16);
			}
			i += unit ? 5 : 1;
		}
		if ((first != 0) != (unit >= 0xdc00 && unit <= 0xdfff))
			return true;
		first = unit >= 0xd800 && unit <= 0xdbff ? unit : 0;
	}
	return first != 0;
}

/** Copies a string that yajl has decoded. @returns NULL when reading has failed */
static const char *take_string(struct reader *reader, const unsigned char *bytes, size_t len)
{
	size_t start = place_token(reader, 0);
	size_t source_len = reader->end - start;
	const char *copy;

	if (reader->failed)
		return NULL;
	if (memchr(bytes, '\0', len)) {
		(void)refuse(reader, "NUL in a string");
		return NULL;
	}
	if (source_len != len + 2 && has_half_pair(reader->bytes + start, source_len)) {
		(void)refuse(reader, "half of a surrogate pair in a string");
		return NULL;
	}
	copy = arena_strndup(reader->arena, (const char *)bytes, len);
	if (!copy)
		(void)refuse_memory(reader);
	return copy;
}

static int on_null(void *data)
{
	struct reader *reader = data;

	(void)place_token(reader, 0);
	return add_node(reader, JSON_NULL) != NULL;
}

static int on_boolean(void *data, int truth)
{
	struct reader *reader = data;
	struct json_node *node;

	(void)place_token(reader, 0);
	node = add_node(reader, JSON_BOOL);
	if (!node)
		return 0;
	node->truth = truth != 0;
	return 1;
}

static int on_number(void *data, const char *bytes, size_t len)
{
	struct reader *reader = data;
	struct json_node *node;

	(void)place_token(reader, len);
	node = add_node(reader, JSON_NUMBER);
	if (!node)
		return 0;
	node->text = arena_strndup(reader->arena, bytes, len);
	node->len = len;
	return node->text ? 1 : refuse_memory(reader);
}

static int on_string(void *data, const unsigned char *bytes, size_t len)
{
	struct reader *reader = data;
	const char *text = take_string(reader, bytes, len);
	struct json_node *node = text ? add_node(reader, JSON_STRING) : NULL;

	if (!node)
		return 0;
	node->text = text;
	node->len = len;
	return 1;
}

static int on_key(void *data, const unsigned char *bytes, size_t len)
{
	struct reader *reader = data;

	reader->key = take_string(reader, bytes, len);
	reader->key_line = reader->token_line;
	reader->key_column = reader->token_column;
	return reader->key != NULL;
}

static int start(struct reader *reader, enum json_type type)
{
	struct json_node *node;

	(void)place_token(reader, 1);
	if (reader->depth + 1 >= JSON_DEPTH_REFUSED)
		return refuse(reader, "nested too deeply");
	node = add_node(reader, type);
	if (!node)
		return 0;
	reader->levels[reader->depth++] = (struct level){ node, &node->children };
	return 1;
}

static int on_start_object(void *data)
{
	return start(data, JSON_OBJECT);
}

static int on_start_list(void *data)
{
	return start(data, JSON_LIST);
}

static int compare_keys(const void *a, const void *b)
{
	const struct json_node *const *first = a, *const *second = b;

	return strcmp((*first)->key, (*second)->key);
}

/** The later one in the file of two nodes. */
static const struct json_node *later(const struct json_node *a, const struct json_node *b)
{
	bool a_is_later = a->key_line != b->key_line ? a->key_line > b->key_line
						     : a->key_column > b->key_column;

	return a_is_later ? a : b;
}

static const struct json_node *duplicate_pairwise(const struct json_node *object)
{
	for (const struct json_node *a = object->children; a; a = a->next)
		for (const struct json_node *b = a->next; b; b = b->next)
			if (strcmp(a->key, b->key) == 0)
				return b;
	return NULL;
}

/** @returns 0 or -ENOMEM; ret_duplicate is the second of two members of one name, or NULL */
static int find_duplicate(const struct json_node *object, const struct json_node **ret_duplicate)
{
	autofree const struct json_node **members = NULL;
	const struct json_node *duplicate = NULL;
	size_t len = 0;

	if (object->len <= DUPLICATES_PAIRWISE) {
		*ret_duplicate = duplicate_pairwise(object);
		return 0;
	}
	members = calloc(object->len, sizeof(struct json_node *));
	if (!members)
		return -ENOMEM;
	for (const struct json_node *member = object->children; member; member = member->next)
		members[len++] = member;
	qsort(members, len, sizeof(struct json_node *), compare_keys);
	for (size_t i = 1; i < len && !duplicate; i++)
		if (strcmp(members[i - 1]->key, members[i]->key) == 0)
			duplicate = later(members[i - 1], members[i]);
	*ret_duplicate = duplicate;
	return 0;
}

static int on_end_object(void *data)
{
	struct reader *reader = data;
	const struct json_node *duplicate;

	(void)place_token(reader, 1);
	if (find_duplicate(reader->levels[reader->depth - 1].node, &duplicate) < 0)
		return refuse_memory(reader);
	if (duplicate) {
		reader->key = duplicate->key;
		return refuse_at(reader, duplicate->key_line, duplicate->key_column,
				 "duplicate member");
	}
	reader->depth--;
	return !reader->failed;
}

static int on_end_list(void *data)
{
	struct reader *reader = data;

	(void)place_token(reader, 1);
	reader->depth--;
	return !reader->failed;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_start_object,
	.yajl_map_key = on_key,
	.yajl_end_map = on_end_object,
	.yajl_start_array = on_start_list,
	.yajl_end_array = on_end_list,
};

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/** Moves to an offset behind the last token, counting lines. */
static void move_to(struct reader *reader, size_t offset)
{
	for (; reader->end < offset; reader->end++) {
		if (reader->bytes[reader->end] != '\n')
			continue;
		reader->line++;
		reader->line_start = reader->end + 1;
	}
	reader->token_line = reader->line;
	reader->token_column = (unsigned int)(offset - reader->line_start + 1);
}

/** What is wrong with the byte that no token can begin with, or a string that began there. */
static const char *explain_byte(char byte, const char *words)
{
	if (byte == '\0')
		return "NUL in the file";
	if (byte == '"' && strstr(words, "UTF8"))
		return "string is not valid UTF-8";
	if (byte == '"' && strstr(words, "string"))
		return "invalid string";
	return "invalid JSON";
}

/**
 * Tells what yajl stopped at. It says only where it stopped reading: the bytes between the last
 * good token and that place are looked at here.
 */
static void explain_syntax(struct reader *reader)
{
	unsigned char *words = yajl_get_error(reader->parser, 0, NULL, 0);
	const char *message, *reason = words ? (const char *)words : "";
	size_t offset = reader->end, separator = reader->len;

	for (; offset < reader->len; offset++) {
		char byte = reader->bytes[offset];

		if ((byte == ',' || byte == ':') && separator == reader->len)
			separator = offset;
		else if (!is_blank(byte))
			break;
	}
	if (reader->document && reader->depth == 0)
		message = "text after the document";
	else if (offset == reader->len || strstr(reason, "premature EOF"))
		message = "unexpected end of file";
	else
		message = explain_byte(reader->bytes[offset], reason);
	if (separator < offset && offset < reader->len && reader->bytes[separator] == ',' &&
	    (reader->bytes[offset] == '}' || reader->bytes[offset] == ']')) {
		message = "trailing comma";
		offset = separator;
	}
	move_to(reader, offset);
	(void)refuse(reader, message);
	yajl_free_error(reader->parser, words);
}

/* ---- the parser's memory ---- */

/** What stands in front of each piece: its size. */
#define PIECE_HEADER alignof(max_align_t)

static void *parser_malloc(void *context, size_t size)
{
	struct reader *reader = context;
	unsigned char *piece = size <= SIZE_MAX - PIECE_HEADER
				       ? arena_alloc(reader->parser_memory, 1, PIECE_HEADER + size)
				       : NULL;

	if (!piece)
		longjmp(reader->no_memory, 1);
	memcpy(piece, &size, sizeof(size));
	return piece + PIECE_HEADER;
}

static void *parser_realloc(void *context, void *old, size_t size)
{
	unsigned char *piece = parser_malloc(context, size);
	size_t old_size = 0;

	if (old)
		memcpy(&old_size, (unsigned char *)old - PIECE_HEADER, sizeof(old_size));
	if (old_size > 0)
		memcpy(piece, old, old_size < size ? old_size : size);
	return piece;
}

/** All of it is freed at once. */
static void parser_free(void *context, void *piece)
{
	(void)context;
	(void)piece;
}

/** yajl writes to what malloc() returns, be it NULL, so that it must not come back from there. */
static void parse(struct reader *reader)
{
	yajl_alloc_funcs memory = { parser_malloc, parser_realloc, parser_free, reader };
	yajl_status status;

	if (setjmp(reader->no_memory) != 0) {
		reader->failed = true;
		(void)fail(reader->err, ENOMEM, "read JSON");
		return;
	}
	reader->parser = yajl_alloc(&callbacks, &memory, reader);
	status = yajl_parse(reader->parser, (const unsigned char *)reader->bytes, reader->len);
	if (status == yajl_status_ok)
		status = yajl_complete_parse(reader->parser);
	if (status != yajl_status_ok && !reader->failed)
		explain_syntax(reader);
}

int json_read(const char *bytes, size_t len, struct arena *arena,
	      const struct json_node **ret_document, struct hoy_error *err)
{
	struct arena own = { 0 };
	struct reader reader = {
		.bytes = bytes,
		.len = len,
		/* For a short document memory of its own costs more than it saves. */
		.parser_memory = len <= SHORT_DOCUMENT ? arena : &own,
		.arena = arena,
		.err = err,
		.line = 1,
	};

	parse(&reader);
	arena_done(&own);
	if (reader.failed)
		return -1;
	*ret_document = reader.document;
	return 0;
}

/**
 * Reads to the end of the file.
 * @param place       memory for a short one, SHORT_FILE bytes
 * @param ret_longer  memory for a longer one, to be released with free(); NULL for a short one
 * @returns the length, -EFBIG if it is longer than size_max, or -errno
 */
static ssize_t read_to_end(int fd, size_t size_max, char *place, char **ret_longer)
{
	autofree char *longer = NULL;
	struct stat status;
	size_t size = SHORT_FILE, len = 0;

	if (fstat(fd, &status) < 0)
		return -errno;
	if (S_ISREG(status.st_mode) && (uint64_t)status.st_size > size_max)
		return -EFBIG;
	for (;;) {
		ssize_t got;

		if (len == size) {
			char *larger;

			size = S_ISREG(status.st_mode) && (size_t)status.st_size >= size
				       ? (size_t)status.st_size + 1
				       : size * 2;
			larger = realloc(longer, size);
			if (!larger)
				return -ENOMEM;
			if (!longer)
				memcpy(larger, place, len);
			longer = larger;
		}
		got = read(fd, (longer ? longer : place) + len, size - len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		len += (size_t)got;
		if (len > size_max)
			return -EFBIG;
		if (got == 0)
			break;
	}
	*ret_longer = take_ptr(&longer);
	return (ssize_t)len;
}

int json_read_fd(int fd, size_t size_max, const char *file_name, struct arena *arena,
		 const struct json_node **ret_document, struct hoy_error *err)
{
	char place[SHORT_FILE];
	autofree char *longer = NULL;
	ssize_t len;

	if (size_max > JSON_SIZE_MAX)
		size_max = JSON_SIZE_MAX;
	len = read_to_end(fd, size_max, place, &longer);
	if (len == -EFBIG)
		return fail(err, 0, "%s: larger than %zu bytes", file_name, size_max);
	if (len < 0)
		return fail(err, (int)-len, "read %s", file_name);
	return json_read(longer ? longer : place, (size_t)len, arena, ret_document, err);
}
