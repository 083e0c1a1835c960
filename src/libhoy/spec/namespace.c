/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kinds of namespaces: config-linux.md#namespaces, namespaces(7). Runs in the runtime. Data.
 */
#include "spec/namespace.h"

#include "sys/compat.h"

static const struct word words[] = {
	{ "cgroup", CLONE_NEWCGROUP }, { "ipc", CLONE_NEWIPC }, { "mount", CLONE_NEWNS },
	{ "network", CLONE_NEWNET },   { "pid", CLONE_NEWPID }, { "time", CLONE_NEWTIME },
	{ "user", CLONE_NEWUSER },     { "uts", CLONE_NEWUTS },
};

const struct vocabulary namespace_types = VOCABULARY("namespace type", words);

const char *namespace_proc_name(uint64_t type)
{
	if (type == CLONE_NEWNS)
		return "mnt";
	if (type == CLONE_NEWNET)
		return "net";
	return word_name(&namespace_types, type);
}
