/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules between fields, and values that a rule cannot be told by a table: every violation is told.
 * Pure: no file system, no kernel. Runtime only.
 */
#ifndef HOY_CONFIG_VALIDATE_H
#define HOY_CONFIG_VALIDATE_H

#include "config/problem.h"

void validate_config(struct problems *problems, const struct config *config);
void validate_annotations(struct problems *problems, const struct config *config);
void validate_process(struct problems *problems, const struct config_process *process);
void validate_mounts(struct problems *problems, const struct config *config);
/** `linux` may be NULL in all that take the whole configuration. */
void validate_linux(struct problems *problems, const struct config *config);
void validate_devices(struct problems *problems, const struct config_linux *linux);
void validate_resources(struct problems *problems, const struct config_resources *resources);
void validate_seccomp(struct problems *problems, const struct config *config);
/** @param at  path of the list */
void validate_id_mappings(struct problems *problems, const config_id_mappings *mappings,
			  const char *at);

/** The namespace of that type in the configuration, new or joined, or NULL. */
const struct config_namespace *config_namespace_find(const struct config *config, uint64_t type);

#endif
