/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of config.json itself, root and mounts: config.md. Runs in the runtime. Data. */
#include "config/table.h"

#include "config/check.h"

static const struct field root_fields[] = {
	FIELD(FIELD_STRING, struct config_root, path, "path", .required = true,
	      .check = check_path),
	FIELD(FIELD_BOOL, struct config_root, readonly, "readonly"),
};

static const struct object root_table = OBJECT(struct config_root, root_fields);

static const struct field mount_fields[] = {
	FIELD(FIELD_STRING, struct config_mount, destination, "destination", .required = true,
	      .check = check_path),
	FIELD(FIELD_STRING, struct config_mount, source, "source", .check = check_path),
	FIELD(FIELD_STRING, struct config_mount, type, "type", .check = check_printable),
	FIELD(FIELD_STRING_LIST, struct config_mount, options, "options", .check = check_not_empty),
	FIELD(FIELD_OBJECT_LIST, struct config_mount, uid_mappings, "uidMappings",
	      .object = &id_mapping_table),
	FIELD(FIELD_OBJECT_LIST, struct config_mount, gid_mappings, "gidMappings",
	      .object = &id_mapping_table),
};

const struct object mount_table = OBJECT(struct config_mount, mount_fields);

static const struct field fields[] = {
	FIELD(FIELD_STRING, struct config, oci_version, "ociVersion", .required = true,
	      .check = check_oci_version),
	FIELD(FIELD_OBJECT_POINTER, struct config, root, "root", .required = true,
	      .object = &root_table),
	FIELD(FIELD_OBJECT_LIST, struct config, mounts, "mounts", .object = &mount_table),
	FIELD(FIELD_OBJECT_POINTER, struct config, process, "process", .object = &process_table),
	FIELD(FIELD_STRING, struct config, hostname, "hostname", .check = check_host_name),
	FIELD(FIELD_STRING, struct config, domainname, "domainname", .check = check_host_name),
	FIELD(FIELD_OBJECT_POINTER, struct config, hooks, "hooks", .object = &hooks_table),
	FIELD(FIELD_STRING_MAP, struct config, annotations, "annotations"),
	FIELD(FIELD_OBJECT_POINTER, struct config, linux, "linux", .object = &linux_table),
	/* Other platforms. */
	IGNORED("freebsd"),
	IGNORED("solaris"),
	IGNORED("vm"),
	IGNORED("windows"),
	IGNORED("zos"),
};

const struct object config_table = OBJECT(struct config, fields);
