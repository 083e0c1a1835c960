/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON into memory. Runs in the runtime. yajl's generator is not used: it refuses strings that are
 * no UTF-8, and paths and messages may be any bytes; what is written here is always valid JSON.
 */
#include "base/json_write.h"

#include <inttypes.h>
#include <string.h>

#include "base/json_read.h"
#include "sys/cleanup.h"

static void add_indent(struct json_writer *writer)
{
	if (!writer->pretty)
		return;
	text_add_char(&writer->text, '\n');
	for (unsigned int i = 0; i < writer->depth; i++)
		text_add(&writer->text, "    ");
}

/** Writes what stands before a value: comma, line feed, key. */
static void begin_value(struct json_writer *writer, const char *key)
{
	if (writer->depth > 0) {
		if (writer->filled[writer->depth - 1])
			text_add_char(&writer->text, ',');
		writer->filled[writer->depth - 1] = true;
		add_indent(writer);
	}
	if (key) {
		json_quote(&writer->text, key);
		text_add(&writer->text, writer->pretty ? ": " : ":");
	}
}

static void begin_level(struct json_writer *writer, const char *key, const char *brackets)
{
	begin_value(writer, key);
	if (writer->depth >= ARRAY_LEN(writer->closing)) {
		writer->text.failed = true;
		return;
	}
	text_add_char(&writer->text, brackets[0]);
	writer->closing[writer->depth] = brackets[1];
	writer->filled[writer->depth] = false;
	writer->depth++;
}

void json_write_object(struct json_writer *writer, const char *key)
{
	begin_level(writer, key, "{}");
}

void json_write_list(struct json_writer *writer, const char *key)
{
	begin_level(writer, key, "[]");
}

void json_write_end(struct json_writer *writer)
{
	if (writer->depth == 0)
		return;
	writer->depth--;
	if (writer->filled[writer->depth])
		add_indent(writer);
	text_add_char(&writer->text, writer->closing[writer->depth]);
}

/** Length of the UTF-8 sequence at `bytes` (terminated), 0 if it is none (RFC 3629). */
static size_t utf8_len(const unsigned char *bytes)
{
	static const struct {
		unsigned char first, last, second_min, second_max;
		size_t len;
	} forms[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	if (bytes[0] < 0x80)
		return 1;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if (bytes[0] < forms[i].first || bytes[0] > forms[i].last)
			continue;
		if (bytes[1] < forms[i].second_min || bytes[1] > forms[i].second_max)
			return 0;
		for (size_t j = 2; j < forms[i].len; j++)
			if ((bytes[j] & 0xc0) != 0x80)
				return 0;
		return forms[i].len;
	}
	return 0;
}

/** Bytes that stand for themselves inside a JSON string. */
static bool is_plain(unsigned char byte)
{
	return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

/** Writes the character at `bytes`, escaped where it must be. @returns its length */
static size_t quote_character(struct text *text, const unsigned char *bytes)
{
	size_t len = utf8_len(bytes);

	if (len == 0) {
		text_add(text, "\xef\xbf\xbd");
		return 1;
	}
	if (len > 1) {
		text_add_bytes(text, (const char *)bytes, len);
		return len;
	}
	switch (*bytes) {
	case '"':
	case '\\':
		text_add_format(text, "\\%c", *bytes);
		break;
	case '\n':
		text_add(text, "\\n");
		break;
	case '\t':
		text_add(text, "\\t");
		break;
	default:
		text_add_format(text, "\\u%04x", *bytes);
		break;
	}
	return 1;
}

void json_quote(struct text *text, const char *string)
{
	const unsigned char *bytes = (const unsigned char *)string;

	text_add_char(text, '"');
	while (*bytes) {
		size_t plain = 0;

		while (is_plain(bytes[plain]))
			plain++;
		text_add_bytes(text, (const char *)bytes, plain);
		bytes += plain;
		if (*bytes)
			bytes += quote_character(text, bytes);
	}
	text_add_char(text, '"');
}

void json_write_string(struct json_writer *writer, const char *key, const char *string)
{
	begin_value(writer, key);
	json_quote(&writer->text, string);
}

void json_write_signed(struct json_writer *writer, const char *key, int64_t number)
{
	begin_value(writer, key);
	text_add_format(&writer->text, "%" PRId64, number);
}

void json_write_unsigned(struct json_writer *writer, const char *key, uint64_t number)
{
	begin_value(writer, key);
	text_add_format(&writer->text, "%" PRIu64, number);
}

void json_write_number_text(struct json_writer *writer, const char *key, const char *number)
{
	begin_value(writer, key);
	text_add(&writer->text, number);
}

void json_write_bool(struct json_writer *writer, const char *key, bool truth)
{
	json_write_number_text(writer, key, truth ? "true" : "false");
}

void json_write_null(struct json_writer *writer, const char *key)
{
	json_write_number_text(writer, key, "null");
}

void json_write_strings(struct json_writer *writer, const char *key, const char *const *strings)
{
	json_write_list(writer, key);
	for (; strings && *strings; strings++)
		json_write_string(writer, NULL, *strings);
	json_write_end(writer);
}

void json_write_node(struct json_writer *writer, const char *key, const struct json_node *node)
{
	switch (node->type) {
	case JSON_NULL:
		json_write_null(writer, key);
		return;
	case JSON_BOOL:
		json_write_bool(writer, key, node->truth);
		return;
	case JSON_NUMBER:
		json_write_number_text(writer, key, node->text);
		return;
	case JSON_STRING:
		json_write_string(writer, key, node->text);
		return;
	case JSON_LIST:
		json_write_list(writer, key);
		break;
	case JSON_OBJECT:
		json_write_object(writer, key);
		break;
	}
	/* The reader limits the depth, so this recursion is bounded. */
	for (const struct json_node *child = node->children; child; child = child->next)
		json_write_node(writer, child->key, child);
	json_write_end(writer);
}

char *json_write_take(struct json_writer *writer)
{
	char *document = text_take(&writer->text);

	*writer = (struct json_writer){ .pretty = writer->pretty };
	return document;
}

const char *json_write_text(struct json_writer *writer)
{
	return writer->text.failed ? NULL : writer->text.bytes;
}

void json_write_done(struct json_writer *writer)
{
	text_done(&writer->text);
	*writer = (struct json_writer){ .pretty = writer->pretty };
}
