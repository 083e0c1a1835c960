/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What hoy reads but does not apply yet is refused by name, since config.md#valid-values forbids to
 * drop it silently. Runs in the runtime. This table is the only place that knows: a row goes when
 * its field is applied.
 */
#include "config/unsupported.h"

#include <string.h>

#include "base/string.h"
#include "sys/cleanup.h"

struct unsupported {
	/** A path in the configuration, through objects only. */
	const char *path;
	/** Whether the value there asks for anything. */
	bool (*asks)(const struct json_node *node);
};

static bool asks_by_presence(const struct json_node *node)
{
	return node->type != JSON_NULL;
}

/** An empty object changes nothing. */
static bool asks_by_content(const struct json_node *node)
{
	return node->len > 0;
}

static const struct unsupported table[] = {
	{ "linux.intelRdt", asks_by_presence },
};

static const struct json_node *member(const struct json_node *object, const char *name, size_t len)
{
	const struct json_node *child = object->type == JSON_OBJECT ? object->children : NULL;

	while (child && (strncmp(child->key, name, len) != 0 || child->key[len] != '\0'))
		child = child->next;
	return child;
}

/** Follows a row's path from a node; the tables above limit the depth. */
static void tell(struct problems *problems, const struct json_node *node, const char *path,
		 const struct unsupported *row)
{
	size_t len;

	if (*path == '\0') {
		if (row->asks(node))
			problem_node(problems, node, "not supported yet");
		return;
	}
	path += *path == '.';
	len = strcspn(path, ".");
	node = member(node, path, len);
	if (node)
		tell(problems, node, path + len, row);
}

void unsupported_tell(struct problems *problems)
{
	size_t prefix_len = strlen(problems->prefix);

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (string_starts(table[i].path, problems->prefix))
			tell(problems, problems->document, table[i].path + prefix_len, &table[i]);
}
