/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts[].options: what the table of spec/mount_option.h knows becomes attributes, propagation
 * and such; all else is a parameter of the file system, in the order given. Also what the kernel's
 * calls make of parameters that are too long for them. Runs in the runtime; pure.
 * Spec: config.md#linux-mount-options.
 */
#include <string.h>

#include "base/string.h"
#include "plan/build.h"
#include "spec/mount_option.h"
#include "sys/compat.h"
#include "sys/error.h"

/** What fsconfig(2) takes as a key or value; mount(2) takes no more than a page of all together. */
#define PARAMETER_MAX 255
#define DATA_MAX      4095

/** A mount whose options are being read. */
struct reader {
	struct plan_builder *builder;
	const struct config_mount *from;
	struct plan_mount *mount;
	struct mount_attributes plain, recursive;
	/** Of the last idmap or ridmap. */
	bool has_idmap;
	const char *idmap;
};

/* ---- parameters of the file system ---- */

int plan_mount_parameter(struct plan_builder *builder, struct plan_mount *mount, const char *key,
			 const char *value)
{
	struct plan_parameter *parameter = PLAN_APPEND(builder, mount->parameters);

	if (!parameter)
		return -1;
	parameter->key = key;
	parameter->value = value;
	return 0;
}

bool plan_mount_has(const struct plan_mount *mount, const char *key)
{
	for (size_t i = 0; i < mount->parameters_len; i++)
		if (strcmp(mount->parameters[i].key, key) == 0)
			return true;
	return false;
}

/* Length of the first of several options in one string: commas in quotes or after '\' are data. */
static size_t word_len(const char *text)
{
	bool quoted = false;
	size_t len = 0;

	for (; text[len] && (quoted || text[len] != ','); len++) {
		if (text[len] == '"')
			quoted = !quoted;
		else if (text[len] == '\\' && text[len + 1])
			len++;
	}
	return len;
}

static int add_word(struct reader *reader, const char *text, size_t len)
{
	char *word = arena_strndup(reader->builder->arena, text, len);
	char *value;

	if (!word)
		return plan_no_memory(reader->builder);
	value = strchr(word, '=');
	if (value)
		*value++ = '\0';
	/* The quotes of context="..." only protect its commas from mount(2). */
	if (value && value[0] == '"' && word + len - value >= 2 && word[len - 1] == '"') {
		word[len - 1] = '\0';
		value++;
	}
	return plan_mount_parameter(reader->builder, reader->mount, word, value);
}

static int read_data(struct reader *reader, const char *option)
{
	if (reader->mount->kind == PLAN_MOUNT_REMOUNT)
		return fail_at(reader->builder->err, reader->mount->at, 0,
			       "option '%s' is of the file system: a remount cannot change it",
			       option);
	/* A bind mount in place of type cgroup: its options were those of cgroup v1. */
	if (reader->mount->kind == PLAN_MOUNT_BIND)
		return 0;
	while (*option) {
		size_t len = word_len(option);

		if (len && add_word(reader, option, len) < 0)
			return -1;
		option += len + (option[len] == ',');
	}
	return 0;
}

/* ---- options of the table ---- */

static int read_superblock(struct reader *reader, const struct mount_option *option)
{
	if (reader->mount->kind == PLAN_MOUNT_NEW)
		return plan_mount_parameter(reader->builder, reader->mount, option->name, NULL);
	if (option->set)
		plan_warn(reader->builder, reader->mount->at,
			  "option '%s' is one of the file system: without effect here",
			  option->name);
	return 0;
}

static int read_copy_up(struct reader *reader)
{
	struct plan_mount *mount = reader->mount;

	if (mount->kind != PLAN_MOUNT_NEW || strcmp(mount->fstype, "tmpfs") != 0)
		return fail_at(reader->builder->err, mount->at, 0, "tmpcopyup is for a tmpfs only");
	mount->copy_up = true;
	return 0;
}

static int check_is_bind(const struct reader *reader, const char *text)
{
	if (reader->mount->kind == PLAN_MOUNT_BIND)
		return 0;
	return fail_at(reader->builder->err, reader->mount->at, 0, "%s is for a bind mount only",
		       text);
}

static void read_propagation(struct reader *reader, uint64_t propagation)
{
	reader->mount->attributes.propagation = propagation & ~(uint64_t)MS_REC;
	reader->mount->attributes.propagation_recursive = (propagation & MS_REC) != 0;
}

static void read_idmap(struct reader *reader, const struct mount_option *option, const char *text)
{
	const char *value = strchr(text, '=');

	reader->has_idmap = true;
	reader->idmap = value ? value + 1 : NULL;
	reader->mount->idmap_recursive = option->set != 0;
}

static int read_option(struct reader *reader, const char *text)
{
	const struct mount_option *option = mount_option_find(text);

	if (!option)
		return read_data(reader, text);
	switch (option->kind) {
	case MOUNT_OPTION_NO_EFFECT:
	case MOUNT_OPTION_REMOUNT:
		return 0;
	case MOUNT_OPTION_ATTRIBUTE:
		mount_option_fold(&reader->plain, option);
		return 0;
	case MOUNT_OPTION_ATTRIBUTE_RECURSIVE:
		/* Nothing lies below a new mount. */
		mount_option_fold(reader->mount->kind == PLAN_MOUNT_NEW ? &reader->plain
									: &reader->recursive,
				  option);
		return 0;
	case MOUNT_OPTION_SUPERBLOCK:
		return read_superblock(reader, option);
	case MOUNT_OPTION_PROPAGATION:
		read_propagation(reader, option->set);
		return 0;
	case MOUNT_OPTION_BIND:
		reader->mount->recursive = (option->set & MS_REC) != 0;
		return 0;
	case MOUNT_OPTION_IDMAP:
		read_idmap(reader, option, text);
		return 0;
	case MOUNT_OPTION_COPY_UP:
		return read_copy_up(reader);
	case MOUNT_OPTION_COPY_SYMLINK:
		return check_is_bind(reader, text); /* plan_mounts() has seen to it */
	case MOUNT_OPTION_SOURCE_NOFOLLOW:
		reader->mount->source_nofollow = true;
		return check_is_bind(reader, text);
	case MOUNT_OPTION_DESTINATION_NOFOLLOW:
		reader->mount->destination_nofollow = true;
		return 0;
	}
	return 0;
}

/* ---- id mappings of the mount ---- */

/* One number of "0-1000-10" and what follows it. */
static bool read_number(const char **text, char end, uint32_t *ret_number)
{
	uint64_t number = 0;
	const char *c = *text;

	if (*c < '0' || *c > '9')
		return false;
	for (; *c >= '0' && *c <= '9'; c++) {
		number = number * 10 + (uint64_t)(*c - '0');
		if (number > UINT32_MAX)
			return false;
	}
	if (end && *c++ != end)
		return false;
	*text = c;
	*ret_number = (uint32_t)number;
	return true;
}

static bool read_triplets(struct plan_builder *builder, const char **text,
			  config_id_mappings *mappings)
{
	mappings->items = arena_array(builder->arena, struct config_id_mapping, strlen(*text));
	if (!mappings->items)
		return false;
	for (;;) {
		struct config_id_mapping *mapping = &mappings->items[mappings->len];

		if (!read_number(text, '-', &mapping->container_id) ||
		    !read_number(text, '-', &mapping->host_id) ||
		    !read_number(text, '\0', &mapping->size))
			return false;
		mappings->len++;
		if (**text != '#')
			return true;
		++*text;
	}
}

/* "uids=0-1000-10#10-2000-5;gids=0-1000-10": container's id, id in the mount, how many. */
static int read_inline_maps(struct reader *reader, config_id_mappings *uids,
			    config_id_mappings *gids)
{
	const char *text = reader->idmap;
	struct plan_builder *builder = reader->builder;

	while (*text) {
		config_id_mappings *mappings = NULL;

		if (strncmp(text, "uids=", 5) == 0)
			mappings = uids;
		else if (strncmp(text, "gids=", 5) == 0)
			mappings = gids;
		if (!mappings || mappings->len)
			break;
		text += 5;
		if (!read_triplets(builder, &text, mappings))
			break;
		if (*text == ';')
			text++;
		else
			break;
	}
	if (builder->arena->failed)
		return plan_no_memory(builder);
	if (*text || !uids->len || !gids->len)
		return fail_at(builder->err, reader->mount->at, 0,
			       "option 'idmap=%s' is not of the form "
			       "idmap=uids=CONTAINER-HOST-SIZE[#...];gids=...",
			       reader->idmap);
	return 0;
}

static int set_maps(struct reader *reader, const config_id_mappings *uids,
		    const config_id_mappings *gids)
{
	struct plan_builder *builder = reader->builder;
	struct plan_mount *mount = reader->mount;

	if (plan_copy_maps(builder, uids, &mount->uid_maps, &mount->uid_maps_len) < 0)
		return -1;
	return plan_copy_maps(builder, gids, &mount->gid_maps, &mount->gid_maps_len);
}

/* The mappings of the entry, those of the option, or those of the container, in this order. */
static int resolve_idmap(struct reader *reader)
{
	const struct config_mount *from = reader->from;
	struct plan_builder *builder = reader->builder;
	struct plan_mount *mount = reader->mount;
	config_id_mappings uids = { 0 }, gids = { 0 };

	if (!reader->has_idmap && !from->uid_mappings.len && !from->gid_mappings.len)
		return 0;
	if (mount->kind == PLAN_MOUNT_REMOUNT)
		return fail_at(builder->err, mount->at, 0, "a remount cannot map ids");
	if (from->uid_mappings.len || from->gid_mappings.len)
		return set_maps(reader, &from->uid_mappings, &from->gid_mappings);
	if (reader->idmap)
		return read_inline_maps(reader, &uids, &gids) < 0 ? -1
								  : set_maps(reader, &uids, &gids);
	if (!builder->uid_maps_len || !builder->gid_maps_len)
		return fail_at(builder->err, mount->at, 0,
			       "idmap needs mappings: the mount has none and the container no user "
			       "namespace with some");
	mount->uid_maps = builder->uid_maps;
	mount->uid_maps_len = builder->uid_maps_len;
	mount->gid_maps = builder->gid_maps;
	mount->gid_maps_len = builder->gid_maps_len;
	return 0;
}

int plan_mount_options(struct plan_builder *builder, const struct config_mount *from,
		       struct plan_mount *mount)
{
	struct reader reader = { .builder = builder, .from = from, .mount = mount };

	for (size_t i = 0; i < from->options.len; i++)
		if (read_option(&reader, from->options.items[i]) < 0)
			return -1;
	mount->attributes.set = reader.plain.set;
	mount->attributes.clear = reader.plain.clear;
	mount->attributes.recursive_set = reader.recursive.set;
	mount->attributes.recursive_clear = reader.recursive.clear;
	return resolve_idmap(&reader);
}

/* ---- long parameters ---- */

static bool is_long(const struct plan_parameter *parameter)
{
	return strlen(parameter->key) > PARAMETER_MAX ||
	       (parameter->value && strlen(parameter->value) > PARAMETER_MAX);
}

static bool has_long(const struct plan_mount *mount)
{
	for (size_t i = 0; i < mount->parameters_len; i++)
		if (is_long(&mount->parameters[i]))
			return true;
	return mount->source && strlen(mount->source) > PARAMETER_MAX;
}

/* Whether a list of overlay layers can be given one by one: no escapes, no data-only layers. */
static bool can_split(const struct plan_parameter *parameter)
{
	return parameter->value && is_long(parameter) && strcmp(parameter->key, "lowerdir") == 0 &&
	       !strchr(parameter->value, '\\') && !strstr(parameter->value, "::");
}

static int add_layers(struct plan_builder *builder, struct plan_mount *mount, const char *layers)
{
	for (;;) {
		size_t len = strcspn(layers, ":");
		const char *layer = arena_strndup(builder->arena, layers, len);

		if (!layer)
			return plan_no_memory(builder);
		if (plan_mount_parameter(builder, mount, "lowerdir+", layer) < 0)
			return -1;
		if (!layers[len])
			return 0;
		layers += len + 1;
	}
}

/* Since Linux 6.8 overlay takes its layers one by one. */
static int split_layers(struct plan_builder *builder, struct plan_mount *mount)
{
	struct plan_parameter *parameters = mount->parameters;
	size_t len = mount->parameters_len;

	mount->parameters = NULL;
	mount->parameters_len = 0;
	for (size_t i = 0; i < len; i++) {
		int r = can_split(&parameters[i])
				? add_layers(builder, mount, parameters[i].value)
				: plan_mount_parameter(builder, mount, parameters[i].key,
						       parameters[i].value);

		if (r < 0)
			return -1;
	}
	return 0;
}

static const char *join_parameters(struct plan_builder *builder, const struct plan_mount *mount)
{
	const char *data = "";

	for (size_t i = 0; i < mount->parameters_len && data; i++) {
		const struct plan_parameter *parameter = &mount->parameters[i];
		const char *value = parameter->value ? parameter->value : "";
		const char *quote = string_starts(parameter->key, "context") ||
						    string_ends(parameter->key, "context")
					    ? "\""
					    : "";

		data = arena_format(builder->arena, "%s%s%s%s%s%s%s", data, *data ? "," : "",
				    parameter->key, parameter->value ? "=" : "", quote, value,
				    quote);
	}
	return data;
}

int plan_mount_data(struct plan_builder *builder, struct plan_mount *mount)
{
	if (has_long(mount) && strcmp(mount->fstype, "overlay") == 0 &&
	    builder->host->kernel >= 6008 && split_layers(builder, mount) < 0)
		return -1;
	if (!has_long(mount))
		return 0;
	mount->data = join_parameters(builder, mount);
	if (!mount->data)
		return plan_no_memory(builder);
	/* The kernel would cut it without a word. */
	if (strlen(mount->data) > DATA_MAX)
		return fail_at(builder->err, mount->at, 0,
			       "the options are %zu bytes together: the kernel takes %d",
			       strlen(mount->data), DATA_MAX);
	return 0;
}
