/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules for a whole configuration. Runs in the runtime. Pure: what
 * needs the file system or the kernel is found when it is done.
 */
#include "config/validate.h"

#include "sys/compat.h"

const struct config_namespace *config_namespace_find(const struct config *config, uint64_t type)
{
	for (size_t i = 0; config->linux && i < config->linux->namespaces.len; i++)
		if (config->linux->namespaces.items[i].type == type)
			return &config->linux->namespaces.items[i];
	return NULL;
}

/** Without a uts namespace of its own the container would rename the host. */
static void validate_host_names(struct problems *problems, const struct config *config)
{
	if (config_namespace_find(config, CLONE_NEWUTS) ||
	    problem_known(problems, "linux.namespaces") ||
	    (!config->linux && problem_known(problems, "linux")))
		return;
	if (config->hostname)
		problem_at(problems, "hostname", "needs a uts namespace");
	if (config->domainname)
		problem_at(problems, "domainname", "needs a uts namespace");
}

void validate_config(struct problems *problems, const struct config *config)
{
	validate_host_names(problems, config);
	validate_annotations(problems, config);
	validate_mounts(problems, config);
	if (config->process)
		validate_process(problems, config->process);
	validate_linux(problems, config);
}
