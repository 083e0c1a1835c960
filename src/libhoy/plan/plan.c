/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the plan: calls the concerns in order, each of which fills its members of struct plan, and
 * holds what they all use. Runs in the runtime. Nothing in plan/ does any I/O, asks the system, or
 * keeps memory outside the arena; all that is known about the machine comes in struct host.
 */
#include "plan/plan.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json_read.h"
#include "plan/build.h"
#include "sys/cleanup.h"
#include "sys/error.h"
#include "sys/path.h"

int plan_no_memory(struct plan_builder *builder)
{
	return fail(builder->err, ENOMEM, "make the plan");
}

void *plan_grow(struct plan_builder *builder, void *items, size_t len, size_t size)
{
	void *grown;

	/* Room doubles: a list is full exactly when its length is 0 or a power of two. */
	if (len & (len - 1))
		return items;
	grown = arena_alloc(builder->arena, len ? 2 * len : 1, size);
	if (!grown)
		return plan_no_memory(builder), NULL;
	return len ? memcpy(grown, items, len * size) : grown;
}

void plan_warn(struct plan_builder *builder, const char *at, const char *format, ...)
{
	struct plan_warning *warning = PLAN_APPEND(builder, builder->plan->warnings);
	char text[512];
	va_list arguments;

	if (!warning)
		return;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	warning->at = at;
	warning->text = arena_strdup(builder->arena, text);
}

const char *plan_at_item(struct plan_builder *builder, const char *list, size_t index)
{
	return arena_format(builder->arena, "%s[%zu]", list, index);
}

const char *plan_at_member(struct plan_builder *builder, const char *object, const char *key)
{
	char path[JSON_PATH_SIZE];
	size_t len = strlen(object);

	if (len >= sizeof(path))
		return object;
	memcpy(path, object, len + 1);
	json_path_member(path, len, key);
	return arena_strdup(builder->arena, path);
}

const char *plan_clean_path(struct plan_builder *builder, const char *at, const char *path)
{
	char clean[PATH_MAX];
	const char *copy;
	int len = path_clean(path, clean, sizeof(clean));

	if (len < 0)
		return fail_at(builder->err, at, len, "path %s", path), NULL;
	copy = arena_strndup(builder->arena, clean, (size_t)len);
	if (!copy)
		plan_no_memory(builder);
	return copy;
}

/* ---- the plan as a whole ---- */

static int plan_annotations(struct plan_builder *builder)
{
	const struct string_map *annotations = &builder->config->annotations;
	struct plan *plan = builder->plan;

	for (size_t i = 0; i < annotations->len; i++) {
		struct plan_parameter *pair = PLAN_APPEND(builder, plan->annotations);

		if (!pair)
			return -1;
		pair->key = annotations->items[i].key;
		pair->value = annotations->items[i].value;
	}
	return 0;
}

/** Things that are off by a value other than zero. */
static void set_defaults(struct plan *plan)
{
	static char *none[] = { NULL };

	plan->oci_version = PLAN_OCI_VERSION;
	plan->process.args = none;
	plan->process.env = none;
	plan->process.env_home = -1;
	plan->process.io_priority = -1;
	plan->process.memory_policy = -1;
	plan->cgroup.owner = -1;
	plan->cgroup.manager = HOY_CGROUP_DISABLED;
}

static int start_plan(struct plan_builder *builder)
{
	static const struct config_linux nothing;

	builder->platform = builder->config->linux ? builder->config->linux : &nothing;
	builder->plan = arena_new(builder->arena, struct plan);
	if (!builder->plan)
		return plan_no_memory(builder);
	set_defaults(builder->plan);
	builder->plan->id = arena_strdup(builder->arena, builder->options->id);
	builder->plan->bundle = arena_strdup(builder->arena, builder->options->bundle);
	return 0;
}

static int plan_own_process(struct plan_builder *builder)
{
	return builder->config->process ? plan_process(builder, builder->config->process) : 0;
}

static struct plan_builder builder_of(struct arena *arena, const struct plan_input *input,
				      struct hoy_error *err)
{
	return (struct plan_builder){
		.arena = arena,
		.config = input->config,
		.options = input->options,
		.host = input->host,
		.sources = input->sources,
		.filter = input->filter,
		.err = err,
	};
}

int plan_build(struct arena *arena, const struct plan_input *input, struct plan **ret_plan,
	       struct hoy_error *err)
{
	/** A concern may read what those above it have put into the plan. */
	static int (*const concerns[])(struct plan_builder *) = {
		plan_annotations,  plan_namespaces,  plan_id_maps,     plan_net_devices,
		plan_root,	   plan_cgroup,	     plan_mounts,      plan_staging,
		plan_cgroup_owner, plan_devices,     plan_mount_order, plan_paths,
		plan_sysctl,	   plan_own_process, plan_hooks,       plan_intel_rdt,
	};
	struct plan_builder builder = builder_of(arena, input, err);

	if (start_plan(&builder) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(concerns); i++)
		if (concerns[i](&builder) < 0)
			return -1;
	if (arena->failed)
		return plan_no_memory(&builder);
	*ret_plan = builder.plan;
	return 0;
}

int plan_build_cgroup(struct arena *arena, const struct plan_input *input, struct plan **ret_plan,
		      struct hoy_error *err)
{
	struct plan_builder builder = builder_of(arena, input, err);

	if (start_plan(&builder) < 0 || plan_namespaces(&builder) < 0 ||
	    plan_id_maps(&builder) < 0 || plan_cgroup(&builder) < 0)
		return -1;
	if (arena->failed)
		return plan_no_memory(&builder);
	*ret_plan = builder.plan;
	return 0;
}

int plan_build_mounts(struct arena *arena, const struct plan_input *input, struct plan **ret_plan,
		      struct hoy_error *err)
{
	struct plan_builder builder = builder_of(arena, input, err);

	if (start_plan(&builder) < 0 || plan_namespaces(&builder) < 0 ||
	    plan_id_maps(&builder) < 0 || plan_root(&builder) < 0 || plan_cgroup(&builder) < 0 ||
	    plan_mounts(&builder) < 0 || plan_running_mounts(&builder) < 0 ||
	    plan_staging(&builder) < 0 || plan_mount_order(&builder) < 0)
		return -1;
	builder.plan->namespaces = (struct plan_namespaces){ 0 };
	builder.plan->cgroup = (struct plan_cgroup){ 0 };
	if (arena->failed)
		return plan_no_memory(&builder);
	*ret_plan = builder.plan;
	return 0;
}

int plan_build_unmounts(struct arena *arena, const struct plan_input *input, struct plan **ret_plan,
			struct hoy_error *err)
{
	struct plan_builder builder = builder_of(arena, input, err);

	if (start_plan(&builder) < 0 || plan_unmounts(&builder) < 0)
		return -1;
	if (arena->failed)
		return plan_no_memory(&builder);
	*ret_plan = builder.plan;
	return 0;
}

int plan_build_exec(struct arena *arena, const struct plan_input *input,
		    const struct config_process *process, struct plan **ret_plan,
		    struct hoy_error *err)
{
	struct plan_builder builder = builder_of(arena, input, err);

	if (start_plan(&builder) < 0 || plan_namespaces(&builder) < 0 ||
	    plan_id_maps(&builder) < 0 || plan_process(&builder, process) < 0 ||
	    plan_affinity(&builder, process) < 0 || plan_leaf(&builder) < 0 ||
	    plan_annotations(&builder) < 0 || plan_agent_state(&builder) < 0)
		return -1;
	builder.plan->namespaces = (struct plan_namespaces){ 0 };
	if (arena->failed)
		return plan_no_memory(&builder);
	*ret_plan = builder.plan;
	return 0;
}
