/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of process: config.md#process. Runs in the runtime. Data. */
#include "config/table.h"

#include "config/check.h"
#include "spec/rlimit.h"
#include "spec/scheduler.h"

static const struct field console_size_fields[] = {
	FIELD(FIELD_UNSIGNED, struct config_process, console_size.height, "height",
	      .required = true),
	FIELD(FIELD_UNSIGNED, struct config_process, console_size.width, "width", .required = true),
};

/* A part of struct config_process that has no name of its own. */
static const struct object console_size_table = OBJECT(
	struct config_process, console_size_fields, .has_set = true,
	.set_offset = offsetof(struct config_process, console_size.set));

static const struct field user_fields[] = {
	FIELD(FIELD_UNSIGNED, struct config_user, uid, "uid", .required = true, .max = ID_MAX),
	FIELD(FIELD_UNSIGNED, struct config_user, gid, "gid", .required = true, .max = ID_MAX),
	FIELD(FIELD_OPTIONAL_UNSIGNED, struct config_user, umask, "umask", .max = 0777),
	FIELD(FIELD_NUMBER_LIST, struct config_user, additional_gids, "additionalGids",
	      .max = ID_MAX),
	IGNORED("username"),
};

static const struct object user_table = OBJECT(struct config_user, user_fields);

static const struct field capabilities_fields[] = {
	FIELD(FIELD_STRING_LIST, struct config_capabilities, bounding, "bounding"),
	FIELD(FIELD_STRING_LIST, struct config_capabilities, permitted, "permitted"),
	FIELD(FIELD_STRING_LIST, struct config_capabilities, effective, "effective"),
	FIELD(FIELD_STRING_LIST, struct config_capabilities, inheritable, "inheritable"),
	FIELD(FIELD_STRING_LIST, struct config_capabilities, ambient, "ambient"),
};

static const struct object capabilities_table = OBJECT(struct config_capabilities,
						       capabilities_fields);

static const struct field rlimit_fields[] = {
	FIELD(FIELD_WORD, struct config_rlimit, type, "type", .required = true,
	      .words = &rlimit_types),
	FIELD(FIELD_UNSIGNED, struct config_rlimit, hard, "hard", .required = true),
	FIELD(FIELD_UNSIGNED, struct config_rlimit, soft, "soft", .required = true),
};

static const struct object rlimit_table = OBJECT(struct config_rlimit, rlimit_fields);

static const struct field scheduler_fields[] = {
	FIELD(FIELD_WORD, struct config_scheduler, policy, "policy", .required = true,
	      .words = &scheduler_policies),
	FIELD(FIELD_OPTIONAL_SIGNED, struct config_scheduler, nice, "nice", .min = -20, .max = 19),
	FIELD(FIELD_OPTIONAL_SIGNED, struct config_scheduler, priority, "priority", .max = 99),
	FIELD(FIELD_FLAGS, struct config_scheduler, flags, "flags", .words = &scheduler_flags),
	FIELD(FIELD_OPTIONAL_UNSIGNED, struct config_scheduler, runtime, "runtime"),
	FIELD(FIELD_OPTIONAL_UNSIGNED, struct config_scheduler, deadline, "deadline"),
	FIELD(FIELD_OPTIONAL_UNSIGNED, struct config_scheduler, period, "period"),
};

static const struct object scheduler_table = OBJECT(struct config_scheduler, scheduler_fields);

static const struct field io_priority_fields[] = {
	FIELD(FIELD_WORD, struct config_io_priority, class, "class", .required = true,
	      .words = &io_priority_classes),
	FIELD(FIELD_OPTIONAL_SIGNED, struct config_io_priority, priority, "priority", .max = 7),
};

static const struct object io_priority_table = OBJECT(struct config_io_priority,
						      io_priority_fields);

static const struct field exec_cpu_affinity_fields[] = {
	FIELD(FIELD_STRING, struct config_process, exec_cpu_affinity.initial, "initial",
	      .check = check_number_list),
	FIELD(FIELD_STRING, struct config_process, exec_cpu_affinity.final, "final",
	      .check = check_number_list),
};

static const struct object exec_cpu_affinity_table = OBJECT(struct config_process,
							    exec_cpu_affinity_fields);

static const struct field fields[] = {
	FIELD(FIELD_BOOL, struct config_process, terminal, "terminal"),
	{ .name = "consoleSize", .type = FIELD_OBJECT, .object = &console_size_table },
	FIELD(FIELD_OBJECT, struct config_process, user, "user", .object = &user_table),
	FIELD(FIELD_STRING_LIST, struct config_process, args, "args", .required = true),
	FIELD(FIELD_STRING_LIST, struct config_process, env, "env", .check = check_environment),
	FIELD(FIELD_STRING, struct config_process, cwd, "cwd", .required = true,
	      .check = check_absolute_path),
	FIELD(FIELD_OBJECT_POINTER, struct config_process, capabilities, "capabilities",
	      .object = &capabilities_table),
	FIELD(FIELD_OBJECT_LIST, struct config_process, rlimits, "rlimits",
	      .object = &rlimit_table),
	FIELD(FIELD_BOOL, struct config_process, no_new_privileges, "noNewPrivileges"),
	FIELD(FIELD_STRING, struct config_process, apparmor_profile, "apparmorProfile",
	      .check = check_printable),
	FIELD(FIELD_OPTIONAL_SIGNED, struct config_process, oom_score_adj, "oomScoreAdj",
	      .min = -1000, .max = 1000),
	FIELD(FIELD_OBJECT_POINTER, struct config_process, scheduler, "scheduler",
	      .object = &scheduler_table),
	FIELD(FIELD_STRING, struct config_process, selinux_label, "selinuxLabel",
	      .check = check_printable),
	FIELD(FIELD_OBJECT_POINTER, struct config_process, io_priority, "ioPriority",
	      .object = &io_priority_table),
	{ .name = "execCPUAffinity", .type = FIELD_OBJECT, .object = &exec_cpu_affinity_table },
	IGNORED("commandLine"),
};

const struct object process_table = OBJECT(struct config_process, fields);
