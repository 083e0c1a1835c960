/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a string of the configuration must look like, for the `check` of a field's row: they return
 * what is wrong, or NULL. Pure.
 */
#ifndef HOY_CONFIG_CHECK_H
#define HOY_CONFIG_CHECK_H

#include <stdbool.h>

/** No control bytes: labels, names of schemata and the like. */
const char *check_printable(const char *string);
/** Not empty, no control bytes, each component and the whole of a length the kernel takes. */
const char *check_path(const char *path);
/** A path that begins with '/'. */
const char *check_absolute_path(const char *path);
/** "NAME=VALUE" with a name. */
const char *check_environment(const char *entry);
/** Not empty, at most 64 bytes, no control bytes. */
const char *check_host_name(const char *name);
/** A list of processors or memory nodes as "0-3,7". */
const char *check_number_list(const char *list);
/** SemVer 2.0.0 of major version 1. */
const char *check_oci_version(const char *version);
/** No ".." components. */
const char *check_cgroups_path(const char *path);
/** Some of "rwm", each at most once. */
const char *check_device_access(const char *access);
/** Name of a network interface, perhaps ending in "%d". */
const char *check_interface(const char *name);
/** "64KB", "2MB", "1GB" */
const char *check_page_size(const char *size);
/** intelRdt.closID: one name, or "/". */
const char *check_clos_id(const char *id);
/** intelRdt.memBwSchema: "MB:..." */
const char *check_memory_bandwidth(const char *schema);
const char *check_not_empty(const char *string);

#endif
