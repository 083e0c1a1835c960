/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of hooks: config.md#posix-platform-hooks. Runs in the runtime. Data. */
#include "config/table.h"

#include "config/check.h"

static const struct field hook_fields[] = {
	FIELD(FIELD_STRING, struct config_hook, path, "path", .required = true,
	      .check = check_absolute_path),
	FIELD(FIELD_STRING_LIST, struct config_hook, args, "args"),
	FIELD(FIELD_STRING_LIST, struct config_hook, env, "env", .check = check_environment),
	FIELD(FIELD_OPTIONAL_SIGNED, struct config_hook, timeout, "timeout", .min = 1,
	      .max = INT32_MAX),
};

static const struct object hook_table = OBJECT(struct config_hook, hook_fields);

#define HOOKS(member, name) \
	FIELD(FIELD_OBJECT_LIST, struct config_hooks, member, name, .object = &hook_table)

static const struct field fields[] = {
	HOOKS(prestart, "prestart"),
	HOOKS(create_runtime, "createRuntime"),
	HOOKS(create_container, "createContainer"),
	HOOKS(start_container, "startContainer"),
	HOOKS(poststart, "poststart"),
	HOOKS(poststop, "poststop"),
};

const struct object hooks_table = OBJECT(struct config_hooks, fields);
