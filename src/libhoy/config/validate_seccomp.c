/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules for linux.seccomp: config-linux.md#seccomp, and what cannot work between the runtime and a
 * listener. Runs in the runtime. Pure: whether libseccomp knows a syscall is its business.
 */
#include "config/validate.h"

#include <linux/seccomp.h>
#include <string.h>

#include "base/string.h"
#include "spec/seccomp_name.h"
#include "sys/cleanup.h"

/* Above it the kernel returns this one instead. */
#define ERRNO_MAX 4095

/*
 * Calls that the container's process makes after the filter is loaded and before its listener can
 * answer, or that the hand-over of the listener needs.
 */
static const char *const never_notified[] = { "execve", "execveat", "write" };

static void validate_errno(struct problems *problems, uint32_t action, const struct opt_u64 *value,
			   const char *at)
{
	if (!value->set)
		return;
	if (action != SECCOMP_RET_ERRNO && action != SECCOMP_RET_TRACE)
		problem_at(problems, at, "%s returns no errno",
			   word_name(&seccomp_actions, action));
	else if (action == SECCOMP_RET_ERRNO && value->value > ERRNO_MAX)
		problem_at(problems, at, "out of range: %llu is above %d",
			   (unsigned long long)value->value, ERRNO_MAX);
}

static void validate_args(struct problems *problems, const struct config_syscall *syscall,
			  const char *at)
{
	uint32_t seen = 0;

	for (size_t i = 0; i < syscall->args.len; i++) {
		uint32_t bit = 1U << syscall->args.items[i].index;

		/* libseccomp cannot combine them. */
		if (seen & bit && !problem_known(problems, at))
			warning_at(problems, AT("%s.args[%zu].index", at, i),
				   "second condition on argument %u: either is enough",
				   syscall->args.items[i].index);
		seen |= bit;
	}
}

static bool has_listener(const struct config *config)
{
	return config->linux->seccomp->listener_path ||
	       config_annotation(config, ANNOTATION_SECCOMP_RECEIVER);
}

static void validate_notify(struct problems *problems, const struct config *config,
			    const struct config_syscall *syscall, const char *at)
{
	if (!has_listener(config) && !problem_known(problems, "linux.seccomp.listenerPath"))
		problem_at(problems, AT("%s.action", at), "SCMP_ACT_NOTIFY needs listenerPath");
	for (size_t i = 0; i < syscall->names.len; i++)
		for (size_t j = 0; j < ARRAY_LEN(never_notified); j++)
			if (strcmp(syscall->names.items[i], never_notified[j]) == 0)
				problem_at(problems, AT("%s.names[%zu]", at, i),
					   "SCMP_ACT_NOTIFY cannot be used for %s",
					   never_notified[j]);
}

static void validate_syscall(struct problems *problems, const struct config *config, size_t i)
{
	const struct config_syscall *syscall = &config->linux->seccomp->syscalls.items[i];
	const char *at = AT("linux.seccomp.syscalls[%zu]", i);

	if (syscall->names.set && syscall->names.len == 0)
		problem_at(problems, AT("%s.names", at), "empty");
	validate_args(problems, syscall, at);
	if (problem_known(problems, AT("%s.action", at)))
		return;
	validate_errno(problems, syscall->action, &syscall->errno_ret, AT("%s.errnoRet", at));
	if (syscall->action == SECCOMP_RET_USER_NOTIF)
		validate_notify(problems, config, syscall, at);
}

void validate_seccomp(struct problems *problems, const struct config *config)
{
	const struct config_seccomp *seccomp = config->linux->seccomp;

	if (!problem_known(problems, "linux.seccomp.defaultAction")) {
		validate_errno(problems, seccomp->default_action, &seccomp->default_errno_ret,
			       "linux.seccomp.defaultErrnoRet");
		if (seccomp->default_action == SECCOMP_RET_USER_NOTIF)
			problem_at(problems, "linux.seccomp.defaultAction",
				   "SCMP_ACT_NOTIFY cannot be the default");
	}
	if (seccomp->listener_metadata && !has_listener(config) &&
	    !problem_known(problems, "linux.seccomp.listenerPath"))
		problem_at(problems, "linux.seccomp.listenerMetadata", "needs listenerPath");
	for (size_t i = 0; i < seccomp->syscalls.len; i++)
		validate_syscall(problems, config, i);
}
