/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks, and the state that each kind reads from its stdin: complete but for the pid, which nobody
 * knows yet and which is written over blanks (JSON allows them before a number). Runs in the
 * runtime; pure. Spec: config.md#posix-platform-hooks, runtime.md#state.
 */
#include <limits.h>
#include <string.h>

#include <hoy/state.h>

#include "base/json_write.h"
#include "plan/build.h"
#include "sys/cleanup.h"

/** Where the pid goes: as wide as the largest one. */
#define PID_BLANKS "          "

struct kind {
	enum plan_hook_kind kind;
	const char *at;
	enum hoy_status status;
	/** Runs in the container's namespaces: without env it gets none, not hoy's. */
	bool in_container;
};

static const struct kind kinds[] = {
	{ PLAN_PRESTART, "hooks.prestart", HOY_CREATING, false },
	{ PLAN_CREATE_RUNTIME, "hooks.createRuntime", HOY_CREATING, false },
	{ PLAN_CREATE_CONTAINER, "hooks.createContainer", HOY_CREATING, true },
	{ PLAN_START_CONTAINER, "hooks.startContainer", HOY_CREATED, true },
	{ PLAN_POSTSTART, "hooks.poststart", HOY_RUNNING, false },
	{ PLAN_POSTSTOP, "hooks.poststop", HOY_STOPPED, false },
};

static const config_hook_list *list_of(const struct config_hooks *hooks, enum plan_hook_kind kind)
{
	const config_hook_list *const lists[] = {
		[PLAN_PRESTART] = &hooks->prestart,
		[PLAN_CREATE_RUNTIME] = &hooks->create_runtime,
		[PLAN_CREATE_CONTAINER] = &hooks->create_container,
		[PLAN_START_CONTAINER] = &hooks->start_container,
		[PLAN_POSTSTART] = &hooks->poststart,
		[PLAN_POSTSTOP] = &hooks->poststop,
	};

	return lists[kind];
}

static int plan_hook(struct plan_builder *builder, const struct kind *kind,
		     const struct config_hook *from, struct plan_hook *hook)
{
	static char *none[] = { NULL };

	hook->path = from->path;
	hook->args = from->args.items;
	if (!from->args.len) {
		hook->args = arena_array(builder->arena, char *, 2);
		if (!hook->args)
			return plan_no_memory(builder);
		hook->args[0] = (char *)from->path;
	}
	hook->env = from->env.set && from->env.items ? from->env.items : NULL;
	if (!hook->env && (kind->in_container || from->env.set))
		hook->env = none;
	hook->timeout_ms = -1;
	if (from->timeout.set)
		hook->timeout_ms = from->timeout.value > INT_MAX / 1000
					   ? INT_MAX
					   : (int)from->timeout.value * 1000;
	return 0;
}

static int plan_state(struct plan_builder *builder, enum hoy_status status,
		      struct plan_hooks *hooks)
{
	const struct plan *plan = builder->plan;
	struct json_writer writer = { 0 };

	json_write_object(&writer, NULL);
	json_write_string(&writer, "ociVersion", plan->oci_version);
	json_write_string(&writer, "id", plan->id);
	json_write_string(&writer, "status", hoy_status_name(status));
	json_write_number_text(&writer, "pid", PID_BLANKS);
	hooks->pid_offset = writer.text.len - strlen(PID_BLANKS);
	json_write_string(&writer, "bundle", plan->bundle);
	json_write_object(&writer, "annotations");
	for (size_t i = 0; i < plan->annotations_len; i++)
		json_write_string(&writer, plan->annotations[i].key, plan->annotations[i].value);
	json_write_end(&writer);
	json_write_end(&writer);
	autofree char *text = json_write_take(&writer);

	hooks->state = text ? arena_strdup(builder->arena, text) : NULL;
	if (!hooks->state)
		return plan_no_memory(builder);
	hooks->state_len = strlen(hooks->state);
	return 0;
}

static bool wants_agent(const struct plan_builder *builder)
{
	return builder->filter && builder->filter->len && builder->filter->listener_path;
}

static int plan_kind(struct plan_builder *builder, const struct kind *kind)
{
	static const struct config_hooks none = { 0 };
	const struct config_hooks *from = builder->config->hooks ? builder->config->hooks : &none;
	const config_hook_list *list = list_of(from, kind->kind);
	struct plan_hooks *hooks = &builder->plan->hooks[kind->kind];

	/* The seccomp agent is told the state that startContainer hooks would be told. */
	if (!list->len && kind->kind == PLAN_START_CONTAINER && wants_agent(builder))
		return plan_state(builder, kind->status, hooks);
	if (!list->len)
		return 0;
	hooks->items = arena_array(builder->arena, struct plan_hook, list->len);
	if (!hooks->items)
		return plan_no_memory(builder);
	hooks->len = list->len;
	hooks->stdout_path = config_annotation(builder->config, ANNOTATION_HOOKS_STDOUT);
	hooks->stderr_path = config_annotation(builder->config, ANNOTATION_HOOKS_STDERR);
	for (size_t i = 0; i < list->len; i++) {
		hooks->items[i].at = plan_at_item(builder, kind->at, i);
		if (plan_hook(builder, kind, &list->items[i], &hooks->items[i]) < 0)
			return -1;
	}
	return plan_state(builder, kind->status, hooks);
}

int plan_agent_state(struct plan_builder *builder)
{
	return wants_agent(builder) ? plan_state(builder, HOY_RUNNING,
						 &builder->plan->hooks[PLAN_START_CONTAINER])
				    : 0;
}

int plan_hooks(struct plan_builder *builder)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (plan_kind(builder, &kinds[i]) < 0)
			return -1;
	return 0;
}
