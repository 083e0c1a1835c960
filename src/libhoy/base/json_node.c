/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding values in a tree that json_read() made, and reading their scalars. Runs in the runtime.
 * Must not change the tree.
 */
#include "base/json_read.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "sys/error.h"

const char *json_type_name(enum json_type type)
{
	static const char *const names[] = {
		[JSON_NULL] = "null",	  [JSON_BOOL] = "boolean", [JSON_NUMBER] = "number",
		[JSON_STRING] = "string", [JSON_LIST] = "list",	   [JSON_OBJECT] = "object",
	};

	return names[type];
}

const struct json_node *json_member(const struct json_node *object, const char *key)
{
	if (!object || object->type != JSON_OBJECT)
		return NULL;
	for (const struct json_node *member = object->children; member; member = member->next)
		if (strcmp(member->key, key) == 0)
			return member;
	return NULL;
}

static bool is_plain_byte(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9') || byte == '_' || byte == '-';
}

static bool is_plain(const char *key)
{
	if (*key == '\0')
		return false;
	while (is_plain_byte(*key))
		key++;
	return *key == '\0';
}

static size_t append(char *path, size_t len, const char *bytes, size_t bytes_len)
{
	if (bytes_len > JSON_PATH_SIZE - 1 - len)
		bytes_len = JSON_PATH_SIZE - 1 - len;
	memcpy(path + len, bytes, bytes_len);
	path[len + bytes_len] = '\0';
	return len + bytes_len;
}

size_t json_path_member(char *path, size_t len, const char *key)
{
	if (is_plain(key)) {
		if (len > 0)
			len = append(path, len, ".", 1);
		return append(path, len, key, strlen(key));
	}
	len = append(path, len, "[\"", 2);
	for (; *key; key++) {
		if (*key == '"' || *key == '\\')
			len = append(path, len, "\\", 1);
		len = append(path, len, key, 1);
	}
	return append(path, len, "\"]", 2);
}

size_t json_path_item(char *path, size_t len, size_t index)
{
	char number[32];

	return append(path, len, number, format_text(number, sizeof(number), "[%zu]", index));
}

size_t json_path_node(char *path, size_t len, const struct json_node *node)
{
	size_t index = 0;

	path[len] = '\0';
	if (!node->parent)
		return len;
	/* The reader limits the depth, so this recursion is bounded. */
	len = json_path_node(path, len, node->parent);
	if (node->key)
		return json_path_member(path, len, node->key);
	for (const struct json_node *item = node->parent->children; item != node; item = item->next)
		index++;
	return json_path_item(path, len, index);
}

/** True if a plain name at `place` is this key; moves behind it. */
static bool match_plain(const char **place, const char *key)
{
	size_t len = strlen(key);

	if (!is_plain(key) || strncmp(*place, key, len) != 0 || is_plain_byte((*place)[len]))
		return false;
	*place += len;
	return true;
}

/** True if a name at `place`, just behind '["', is this key; moves behind '"]'. */
static bool match_quoted(const char **place, const char *key)
{
	const char *byte = *place;

	for (; *key; key++, byte++) {
		if (*byte == '\\')
			byte++;
		else if (*byte == '"')
			return false;
		if (*byte != *key)
			return false;
	}
	if (byte[0] != '"' || byte[1] != ']')
		return false;
	*place = byte + 2;
	return true;
}

static const struct json_node *find_item(const struct json_node *list, const char **place)
{
	const struct json_node *item = list->children;
	const char *digits = *place;
	size_t index = 0;

	while (*digits >= '0' && *digits <= '9' && index < list->len)
		index = index * 10 + (size_t)(*digits++ - '0');
	if (*digits != ']' || digits == *place)
		return NULL;
	while (item && index-- > 0)
		item = item->next;
	*place = digits + 1;
	return item;
}

/** The child that the first step of a path names; moves behind the step. NULL if there is none. */
static const struct json_node *find_step(const struct json_node *node, const char **place)
{
	bool quoted = (*place)[0] == '[' && (*place)[1] == '"';

	if (node->type == JSON_LIST) {
		if (**place != '[')
			return NULL;
		(*place)++;
		return find_item(node, place);
	}
	if (node->type != JSON_OBJECT)
		return NULL;
	*place += quoted ? 2 : **place == '.';
	for (const struct json_node *member = node->children; member; member = member->next)
		if (quoted ? match_quoted(place, member->key) : match_plain(place, member->key))
			return member;
	return NULL;
}

const struct json_node *json_find(const struct json_node *document, const char *path)
{
	const struct json_node *node = document;

	while (node && *path != '\0')
		node = find_step(node, &path);
	return node;
}

const struct json_node *json_find_nearest(const struct json_node *document, const char *path)
{
	const struct json_node *node = document, *child;

	while (*path != '\0' && (child = find_step(node, &path)))
		node = child;
	return node;
}

int json_get_string(const struct json_node *node, const char **ret_string)
{
	if (!node || node->type != JSON_STRING)
		return -EINVAL;
	*ret_string = node->text;
	return 0;
}

int json_get_bool(const struct json_node *node, bool *ret_truth)
{
	if (!node || node->type != JSON_BOOL)
		return -EINVAL;
	*ret_truth = node->truth;
	return 0;
}

int json_get_unsigned(const struct json_node *node, uint64_t max, uint64_t *ret_number)
{
	if (!node || node->type != JSON_NUMBER)
		return -EINVAL;
	return number_unsigned(node->text, max, ret_number);
}

int json_get_signed(const struct json_node *node, int64_t min, int64_t max, int64_t *ret_number)
{
	if (!node || node->type != JSON_NUMBER)
		return -EINVAL;
	return number_signed(node->text, min, max, ret_number);
}
