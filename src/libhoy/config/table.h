/* SPDX-License-Identifier: Apache-2.0 */
/* The field tables, one per object of the specification. */
#ifndef HOY_CONFIG_TABLE_H
#define HOY_CONFIG_TABLE_H

#include "config/field.h"

/** A whole config.json -> struct config */
extern const struct object config_table;
/** mounts[] -> struct config_mount */
extern const struct object mount_table;
/** process -> struct config_process */
extern const struct object process_table;
/** hooks -> struct config_hooks */
extern const struct object hooks_table;
/** linux -> struct config_linux */
extern const struct object linux_table;
/** linux.resources -> struct config_resources */
extern const struct object resources_table;
/** linux.seccomp -> struct config_seccomp */
extern const struct object seccomp_table;
/** linux.uidMappings[] and the like -> struct config_id_mapping */
extern const struct object id_mapping_table;

/** Highest user or group id: the next one means "unchanged" to the kernel. */
#define ID_MAX (UINT32_MAX - 1)

#endif
