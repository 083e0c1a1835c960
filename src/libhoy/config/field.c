/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine that reads JSON objects by field tables: types, ranges, vocabularies, required and
 * unknown members. Runs in the runtime. Must not know any field: rules between fields are in
 * validate*.c.
 */
#include "config/field.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/number.h"
#include "base/string.h"

struct reading {
	struct problems *problems;
	struct arena *arena;
};

/** What CONFIG_LIST() declares, for any type of item. */
struct any_list {
	void *items;
	size_t len;
	bool set;
};

/* Longer values are cut in messages. */
#define SHOWN "%.100s"

static int read_object(const struct reading *reading, const struct json_node *node,
		       const struct object *object, void *target);

/** Tells a value of another type. @returns true if it has the type */
static bool expect(const struct reading *reading, const struct json_node *node, enum json_type type)
{
	static const char *const expected[] = {
		[JSON_NULL] = "null",	    [JSON_BOOL] = "true or false",
		[JSON_NUMBER] = "a number", [JSON_STRING] = "a string",
		[JSON_LIST] = "a list",	    [JSON_OBJECT] = "an object",
	};

	if (node->type == type)
		return true;
	problem_node(reading->problems, node, "expected %s, found %s", expected[type],
		     json_type_name(node->type));
	return false;
}

/** Programs in Go write "" for strings that are unset. */
static bool is_unset(const struct json_node *node, const struct field *field)
{
	return node->len == 0 && !field->required && !field->keeps_empty &&
	       (field->type == FIELD_STRING || field->type == FIELD_WORD);
}

static const char *read_string(const struct reading *reading, const struct json_node *node,
			       const struct field *field)
{
	const char *wrong;

	if (!expect(reading, node, JSON_STRING))
		return NULL;
	if (is_unset(node, field))
		return NULL;
	wrong = field->check ? field->check(node->text) : NULL;
	if (!wrong)
		return node->text;
	problem_node(reading->problems, node, "%s: '" SHOWN "'", wrong, node->text);
	return NULL;
}

static bool is_signed(const struct field *field)
{
	return field->type == FIELD_SIGNED || field->type == FIELD_OPTIONAL_SIGNED;
}

static void tell_number(const struct reading *reading, const struct json_node *node,
			const struct field *field, int result)
{
	uint64_t max = field->max ? field->max : is_signed(field) ? INT64_MAX : UINT64_MAX;
	long long min = field->min || !is_signed(field) || field->max ? field->min : INT64_MIN;

	if (result == -EINVAL)
		problem_node(reading->problems, node, "not a whole number%s: " SHOWN,
			     is_signed(field) ? "" : " of at least 0", node->text);
	else
		problem_node(reading->problems, node,
			     "out of range: " SHOWN " is not in %lld to %llu", node->text, min,
			     (unsigned long long)max);
}

static bool read_unsigned(const struct reading *reading, const struct json_node *node,
			  const struct field *field, uint64_t *ret_number)
{
	uint64_t number;
	int result;

	if (!expect(reading, node, JSON_NUMBER))
		return false;
	result = number_unsigned(node->text, UINT64_MAX, &number);
	if (result == 0) {
		number &= ~field->drop;
		if ((field->max && number > field->max) ||
		    (field->min > 0 && number < (uint64_t)field->min))
			result = -ERANGE;
	}
	if (result < 0) {
		tell_number(reading, node, field, result);
		return false;
	}
	*ret_number = number;
	return true;
}

static bool read_signed(const struct reading *reading, const struct json_node *node,
			const struct field *field, int64_t *ret_number)
{
	bool limited = field->min || field->max;
	int result;

	if (!expect(reading, node, JSON_NUMBER))
		return false;
	result = number_signed(node->text, limited ? field->min : INT64_MIN,
			       field->max ? (int64_t)field->max : INT64_MAX, ret_number);
	if (result < 0)
		tell_number(reading, node, field, result);
	return result == 0;
}

static bool read_word(const struct reading *reading, const struct json_node *node,
		      const struct field *field, uint64_t *ret_value)
{
	const char *nearest;

	if (!expect(reading, node, JSON_STRING))
		return false;
	if (is_unset(node, field))
		return false;
	if (word_find(field->words, node->text, ret_value))
		return true;
	nearest = word_nearest(field->words, node->text);
	problem_node(reading->problems, node, "unknown %s '" SHOWN "'%s%s", field->words->kind,
		     node->text, nearest ? ", did you mean " : "", nearest ? nearest : "");
	return false;
}

static void store_number(const struct field *field, void *member, uint64_t number)
{
	uint32_t word = (uint32_t)number;
	char byte = (char)number;

	if (field->size == sizeof(number))
		memcpy(member, &number, sizeof(number));
	else if (field->size == sizeof(word))
		memcpy(member, &word, sizeof(word));
	else
		memcpy(member, &byte, sizeof(byte));
}

/** Makes room for a list's items. @returns 0, or -1 if memory ran out */
static int start_list(const struct reading *reading, const struct json_node *node, size_t item_size,
		      struct any_list *list)
{
	/* One more than needed: lists of strings end with NULL. */
	list->items = arena_alloc(reading->arena, node->len + 1, item_size);
	list->len = 0;
	list->set = true;
	return list->items ? 0 : -1;
}

static int read_string_list(const struct reading *reading, const struct json_node *node,
			    const struct field *field, void *member)
{
	struct any_list list;
	char **items;

	if (start_list(reading, node, sizeof(char *), &list) < 0)
		return -1;
	items = list.items;
	for (const struct json_node *item = node->children; item; item = item->next) {
		const char *string = read_string(reading, item, field);

		/* A place is kept for what has a problem: paths in messages count items. */
		items[list.len++] = (char *)(uintptr_t)(string ? string : "");
	}
	memcpy(member, &list, sizeof(list));
	return 0;
}

static int read_number_list(const struct reading *reading, const struct json_node *node,
			    const struct field *field, void *member)
{
	struct any_list list;
	uint32_t *items;

	if (start_list(reading, node, sizeof(uint32_t), &list) < 0)
		return -1;
	items = list.items;
	for (const struct json_node *item = node->children; item; item = item->next) {
		uint64_t number;
		bool good = field->words ? read_word(reading, item, field, &number)
					 : read_unsigned(reading, item, field, &number);

		items[list.len++] = good ? (uint32_t)number : 0;
	}
	memcpy(member, &list, sizeof(list));
	return 0;
}

static int read_flags(const struct reading *reading, const struct json_node *node,
		      const struct field *field, void *member)
{
	uint64_t flags = 0, flag;

	for (const struct json_node *item = node->children; item; item = item->next)
		if (read_word(reading, item, field, &flag))
			flags |= flag;
	memcpy(member, &flags, sizeof(flags));
	return 0;
}

static int read_string_map(const struct reading *reading, const struct json_node *node,
			   void *member)
{
	struct string_map map = { 0 };

	map.items = arena_array(reading->arena, struct string_pair, node->len);
	if (!map.items)
		return -1;
	for (const struct json_node *child = node->children; child; child = child->next) {
		if (!expect(reading, child, JSON_STRING))
			continue;
		map.items[map.len++] = (struct string_pair){ child->key, child->text };
	}
	memcpy(member, &map, sizeof(map));
	return 0;
}

/** Lists of structs, from a JSON list or from an object with free names. */
static int read_objects(const struct reading *reading, const struct json_node *node,
			const struct field *field, void *member)
{
	struct any_list list;

	if (start_list(reading, node, field->object->size, &list) < 0)
		return -1;
	for (const struct json_node *child = node->children; child; child = child->next) {
		void *item = (char *)list.items + list.len++ * field->object->size;

		if (expect(reading, child, JSON_OBJECT) &&
		    read_object(reading, child, field->object, item) < 0)
			return -1;
		if (field->type == FIELD_OBJECT_MAP)
			memcpy(item, &child->key, sizeof(child->key));
	}
	memcpy(member, &list, sizeof(list));
	return 0;
}

static int read_object_pointer(const struct reading *reading, const struct json_node *node,
			       const struct field *field, void *member)
{
	void *pointer = arena_alloc(reading->arena, 1, field->object->size);

	if (!pointer)
		return -1;
	memcpy(member, &pointer, sizeof(pointer));
	return read_object(reading, node, field->object, pointer);
}

static enum json_type field_json_type(const struct field *field)
{
	switch (field->type) {
	case FIELD_FLAGS:
	case FIELD_WORD_LIST:
	case FIELD_NUMBER_LIST:
	case FIELD_STRING_LIST:
	case FIELD_OBJECT_LIST:
		return JSON_LIST;
	case FIELD_STRING_MAP:
	case FIELD_OBJECT:
	case FIELD_OBJECT_POINTER:
	case FIELD_OBJECT_MAP:
		return JSON_OBJECT;
	case FIELD_BOOL:
		return JSON_BOOL;
	case FIELD_STRING:
	case FIELD_WORD:
		return JSON_STRING;
	default:
		return JSON_NUMBER;
	}
}

/** Lists, objects and optional numbers: programs in Go write null for them when they are unset. */
static bool null_is_absent(const struct field *field)
{
	enum json_type type = field_json_type(field);

	return type == JSON_LIST || type == JSON_OBJECT || field->type == FIELD_OPTIONAL_UNSIGNED ||
	       field->type == FIELD_OPTIONAL_SIGNED;
}

static void read_scalar(const struct reading *reading, const struct json_node *node,
			const struct field *field, void *member)
{
	struct opt_u64 optional_unsigned = { .set = true };
	struct opt_i64 optional_signed = { .set = true };
	const char *string;
	uint64_t number;
	int64_t signed_number;

	switch (field->type) {
	case FIELD_STRING:
		string = read_string(reading, node, field);
		if (string)
			memcpy(member, &string, sizeof(string));
		break;
	case FIELD_BOOL:
		if (expect(reading, node, JSON_BOOL))
			memcpy(member, &node->truth, sizeof(node->truth));
		break;
	case FIELD_UNSIGNED:
		if (read_unsigned(reading, node, field, &number))
			store_number(field, member, number);
		break;
	case FIELD_SIGNED:
		if (read_signed(reading, node, field, &signed_number))
			store_number(field, member, (uint64_t)signed_number);
		break;
	case FIELD_OPTIONAL_UNSIGNED:
		if (read_unsigned(reading, node, field, &optional_unsigned.value))
			memcpy(member, &optional_unsigned, sizeof(optional_unsigned));
		break;
	case FIELD_OPTIONAL_SIGNED:
		if (read_signed(reading, node, field, &optional_signed.value))
			memcpy(member, &optional_signed, sizeof(optional_signed));
		break;
	default:
		if (read_word(reading, node, field, &number))
			store_number(field, member, number);
		break;
	}
}

static int read_field(const struct reading *reading, const struct json_node *node,
		      const struct field *field, void *member)
{
	enum json_type type = field_json_type(field);

	if ((type == JSON_LIST || type == JSON_OBJECT) && !expect(reading, node, type))
		return 0;
	switch (field->type) {
	case FIELD_FLAGS:
		return read_flags(reading, node, field, member);
	case FIELD_WORD_LIST:
	case FIELD_NUMBER_LIST:
		return read_number_list(reading, node, field, member);
	case FIELD_STRING_LIST:
		return read_string_list(reading, node, field, member);
	case FIELD_STRING_MAP:
		return read_string_map(reading, node, member);
	case FIELD_OBJECT:
		return read_object(reading, node, field->object, member);
	case FIELD_OBJECT_POINTER:
		return read_object_pointer(reading, node, field, member);
	case FIELD_OBJECT_LIST:
	case FIELD_OBJECT_MAP:
		return read_objects(reading, node, field, member);
	default:
		read_scalar(reading, node, field, member);
		return 0;
	}
}

/** A member no table has: of a future version and nobody's business, unless it is a misspelling. */
static void tell_unknown(const struct reading *reading, const struct json_node *node,
			 const struct object *object)
{
	unsigned int best = string_near(node->key) + 1;
	const char *nearest = NULL;

	for (size_t i = 0; i < object->len; i++) {
		unsigned int distance = string_distance(node->key, object->fields[i].name,
							best - 1);

		if (distance < best) {
			best = distance;
			nearest = object->fields[i].name;
		}
	}
	if (object->closed)
		problem_key(reading->problems, node, "unknown%s%s",
			    nearest ? ", did you mean " : "", nearest ? nearest : "");
	else if (nearest)
		warning_key(reading->problems, node, "unknown, did you mean %s?", nearest);
}

static const struct field *find_field(const struct object *object, const char *name)
{
	for (size_t i = 0; i < object->len; i++)
		if (strcmp(object->fields[i].name, name) == 0)
			return &object->fields[i];
	return NULL;
}

static void tell_missing(const struct reading *reading, const struct json_node *node,
			 const struct object *object)
{
	for (size_t i = 0; i < object->len; i++) {
		const struct field *field = &object->fields[i];
		const struct json_node *member;
		char path[JSON_PATH_SIZE];
		size_t len;

		if (!field->required)
			continue;
		member = json_member(node, field->name);
		if (member && (member->type != JSON_NULL || !null_is_absent(field)))
			continue;
		len = problem_path(reading->problems, node, path);
		(void)json_path_member(path, len, field->name);
		problem_at(reading->problems, path, "missing");
	}
}

static int read_object(const struct reading *reading, const struct json_node *node,
		       const struct object *object, void *target)
{
	if (object->preset)
		memcpy(target, object->preset, object->size);
	if (object->has_set)
		memcpy((char *)target + object->set_offset, &(bool){ true }, sizeof(bool));
	tell_missing(reading, node, object);
	for (const struct json_node *child = node->children; child; child = child->next) {
		const struct field *field = find_field(object, child->key);

		if (!field) {
			tell_unknown(reading, child, object);
			continue;
		}
		if (field->type == FIELD_IGNORED ||
		    (child->type == JSON_NULL && null_is_absent(field)))
			continue;
		/* The tables limit the depth, so this recursion is bounded. */
		if (read_field(reading, child, field, (char *)target + field->offset) < 0)
			return -1;
	}
	return 0;
}

int field_read_object(struct problems *problems, struct arena *arena, const struct json_node *node,
		      const struct object *object, void *target)
{
	struct reading reading = { problems, arena };

	if (!expect(&reading, node, JSON_OBJECT))
		return 0;
	return read_object(&reading, node, object, target);
}
