/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of linux.seccomp: config-linux.md#seccomp. Runs in the runtime. Data. */
#include "config/table.h"

#include "config/check.h"
#include "spec/seccomp_name.h"

/* What the low half of a filter's return value holds. */
#define ERRNO_RET_MAX 0xffff

static const struct field arg_fields[] = {
	FIELD(FIELD_UNSIGNED, struct config_seccomp_arg, index, "index", .required = true,
	      .max = 5),
	FIELD(FIELD_UNSIGNED, struct config_seccomp_arg, value, "value", .required = true),
	FIELD(FIELD_UNSIGNED, struct config_seccomp_arg, value_two, "valueTwo"),
	FIELD(FIELD_WORD, struct config_seccomp_arg, op, "op", .required = true,
	      .words = &seccomp_operators),
};

static const struct object arg_table = OBJECT(struct config_seccomp_arg, arg_fields);

static const struct field syscall_fields[] = {
	FIELD(FIELD_STRING_LIST, struct config_syscall, names, "names", .required = true,
	      .check = check_not_empty),
	FIELD(FIELD_WORD, struct config_syscall, action, "action", .required = true,
	      .words = &seccomp_actions),
	FIELD(FIELD_OPTIONAL_UNSIGNED, struct config_syscall, errno_ret, "errnoRet",
	      .max = ERRNO_RET_MAX),
	FIELD(FIELD_OBJECT_LIST, struct config_syscall, args, "args", .object = &arg_table),
};

static const struct object syscall_table = OBJECT(struct config_syscall, syscall_fields);

static const struct field fields[] = {
	FIELD(FIELD_WORD, struct config_seccomp, default_action, "defaultAction", .required = true,
	      .words = &seccomp_actions),
	FIELD(FIELD_OPTIONAL_UNSIGNED, struct config_seccomp, default_errno_ret, "defaultErrnoRet",
	      .max = ERRNO_RET_MAX),
	FIELD(FIELD_WORD_LIST, struct config_seccomp, architectures, "architectures",
	      .words = &seccomp_architectures),
	FIELD(FIELD_FLAGS, struct config_seccomp, flags, "flags", .words = &seccomp_flags),
	FIELD(FIELD_STRING, struct config_seccomp, listener_path, "listenerPath",
	      .check = check_path),
	FIELD(FIELD_STRING, struct config_seccomp, listener_metadata, "listenerMetadata"),
	FIELD(FIELD_OBJECT_LIST, struct config_seccomp, syscalls, "syscalls",
	      .object = &syscall_table),
};

const struct object seccomp_table = OBJECT(struct config_seccomp, fields);
