/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What hoy reads but does not apply yet is refused by name, since config.md#valid-values forbids to
 * drop it silently. Runs in the runtime. This table is the only place that knows: a row goes when
 * its field is applied.
 */
#include "config/unsupported.h"

#include <string.h>

#include "base/string.h"
#include "spec/mount_option.h"
#include "sys/cleanup.h"

struct unsupported {
	/** A path in the configuration; "[]" is any item. */
	const char *path;
	/** Whether the value there asks for anything. */
	bool (*asks)(const struct json_node *node);
};

static bool asks_by_presence(const struct json_node *node)
{
	return node->type != JSON_NULL;
}

/** 0, -1, false and what is empty change nothing: engines write them without being asked. */
static bool asks_by_value(const struct json_node *node)
{
	switch (node->type) {
	case JSON_NULL:
		return false;
	case JSON_BOOL:
		return node->truth;
	case JSON_NUMBER:
		return strcmp(node->text, "0") != 0 && strcmp(node->text, "-1") != 0;
	default:
		return node->len > 0;
	}
}

static bool asks_for_id_mapping(const struct json_node *node)
{
	const struct mount_option *option = node->type == JSON_STRING
						    ? mount_option_find(node->text)
						    : NULL;

	return option && option->kind == MOUNT_OPTION_IDMAP;
}

static const struct unsupported table[] = {
	{ "linux.intelRdt", asks_by_presence },
	{ "linux.netDevices", asks_by_value },
	{ "linux.resources.blockIO.throttleReadBpsDevice", asks_by_value },
	{ "linux.resources.blockIO.throttleReadIOPSDevice", asks_by_value },
	{ "linux.resources.blockIO.throttleWriteBpsDevice", asks_by_value },
	{ "linux.resources.blockIO.throttleWriteIOPSDevice", asks_by_value },
	{ "linux.resources.blockIO.weight", asks_by_value },
	{ "linux.resources.blockIO.weightDevice", asks_by_value },
	{ "linux.resources.cpu.burst", asks_by_value },
	{ "linux.resources.cpu.cpus", asks_by_value },
	{ "linux.resources.cpu.idle", asks_by_value },
	{ "linux.resources.cpu.mems", asks_by_value },
	{ "linux.resources.cpu.period", asks_by_value },
	{ "linux.resources.cpu.quota", asks_by_value },
	{ "linux.resources.cpu.shares", asks_by_value },
	{ "linux.resources.hugepageLimits", asks_by_value },
	{ "linux.resources.memory.limit", asks_by_value },
	{ "linux.resources.memory.reservation", asks_by_value },
	{ "linux.resources.memory.swap", asks_by_value },
	{ "linux.resources.pids.limit", asks_by_value },
	{ "linux.resources.rdma", asks_by_value },
	{ "linux.resources.unified", asks_by_value },
	{ "mounts[].gidMappings", asks_by_value },
	{ "mounts[].options[]", asks_for_id_mapping },
	{ "mounts[].uidMappings", asks_by_value },
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
	if (string_starts(path, "[]")) {
		const struct json_node *item = node->type == JSON_LIST ? node->children : NULL;

		for (; item; item = item->next)
			tell(problems, item, path + 2, row);
		return;
	}
	path += *path == '.';
	len = strcspn(path, ".[");
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
