/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fields of linux, but for resources and seccomp: config-linux.md. Runs in the runtime. Data: rules
 * between fields are in validate_linux.c.
 */
#include "config/table.h"

#include <sys/stat.h>

#include "config/check.h"
#include "spec/namespace.h"
#include "spec/personality.h"
#include "spec/propagation.h"
#include "spec/scheduler.h"

/* What a device number of the kernel holds: 12 and 20 bits. */
#define DEVICE_MAJOR_MAX 0xfff
#define DEVICE_MINOR_MAX 0xfffff

static const struct field namespace_fields[] = {
	FIELD(FIELD_WORD, struct config_namespace, type, "type", .required = true,
	      .words = &namespace_types),
	FIELD(FIELD_STRING, struct config_namespace, path, "path", .check = check_absolute_path),
};

static const struct object namespace_table = OBJECT(struct config_namespace, namespace_fields);

static const struct field id_mapping_fields[] = {
	FIELD(FIELD_UNSIGNED, struct config_id_mapping, container_id, "containerID",
	      .required = true, .max = UINT32_MAX),
	FIELD(FIELD_UNSIGNED, struct config_id_mapping, host_id, "hostID", .required = true,
	      .max = UINT32_MAX),
	FIELD(FIELD_UNSIGNED, struct config_id_mapping, size, "size", .required = true, .min = 1,
	      .max = UINT32_MAX),
};

const struct object id_mapping_table = OBJECT(struct config_id_mapping, id_mapping_fields);

static const struct field time_offset_fields[] = {
	FIELD(FIELD_SIGNED, struct config_time_offset, secs, "secs"),
	FIELD(FIELD_UNSIGNED, struct config_time_offset, nanosecs, "nanosecs", .max = 999999999),
};

static const struct object time_offset_table = OBJECT(
	struct config_time_offset, time_offset_fields, .has_set = true,
	.set_offset = offsetof(struct config_time_offset, set));

static const struct field time_offsets_fields[] = {
	FIELD(FIELD_OBJECT, struct config_linux, monotonic, "monotonic",
	      .object = &time_offset_table),
	FIELD(FIELD_OBJECT, struct config_linux, boottime, "boottime",
	      .object = &time_offset_table),
};

/* Names of clocks are a vocabulary: another one asks for something that hoy does not do. */
static const struct object time_offsets_table = OBJECT(struct config_linux, time_offsets_fields,
						       .closed = true);

static const struct word device_words[] = {
	{ "b", 'b' },
	{ "c", 'c' },
	{ "p", 'p' },
	{ "u", 'c' },
};

static const struct vocabulary device_types = VOCABULARY("type of device", device_words);

static const struct field device_fields[] = {
	FIELD(FIELD_WORD, struct config_device, type, "type", .required = true,
	      .words = &device_types),
	FIELD(FIELD_STRING, struct config_device, path, "path", .required = true,
	      .check = check_absolute_path),
	FIELD(FIELD_OPTIONAL_SIGNED, struct config_device, major, "major", .max = DEVICE_MAJOR_MAX),
	FIELD(FIELD_OPTIONAL_SIGNED, struct config_device, minor, "minor", .max = DEVICE_MINOR_MAX),
	FIELD(FIELD_OPTIONAL_UNSIGNED, struct config_device, file_mode, "fileMode", .max = 0777,
	      .drop = S_IFMT),
	FIELD(FIELD_OPTIONAL_UNSIGNED, struct config_device, uid, "uid", .max = ID_MAX),
	FIELD(FIELD_OPTIONAL_UNSIGNED, struct config_device, gid, "gid", .max = ID_MAX),
};

static const struct object device_table = OBJECT(struct config_device, device_fields);

static const struct field net_device_fields[] = {
	FIELD(FIELD_STRING, struct config_net_device, name, "name", .check = check_interface),
};

static const struct object net_device_table = OBJECT(struct config_net_device, net_device_fields);

static const struct field intel_rdt_fields[] = {
	FIELD(FIELD_STRING, struct config_intel_rdt, clos_id, "closID", .check = check_clos_id),
	FIELD(FIELD_STRING_LIST, struct config_intel_rdt, schemata, "schemata",
	      .check = check_not_empty),
	FIELD(FIELD_STRING, struct config_intel_rdt, l3_cache_schema, "l3CacheSchema",
	      .check = check_printable),
	FIELD(FIELD_STRING, struct config_intel_rdt, mem_bw_schema, "memBwSchema",
	      .check = check_memory_bandwidth),
	FIELD(FIELD_BOOL, struct config_intel_rdt, enable_monitoring, "enableMonitoring"),
	/* Of versions 1.1.0 to 1.2.1. */
	IGNORED("enableCMT"),
	IGNORED("enableMBM"),
};

static const struct object intel_rdt_table = OBJECT(struct config_intel_rdt, intel_rdt_fields);

static const struct field memory_policy_fields[] = {
	FIELD(FIELD_WORD, struct config_memory_policy, mode, "mode", .required = true,
	      .words = &memory_policy_modes),
	FIELD(FIELD_STRING, struct config_memory_policy, nodes, "nodes",
	      .check = check_number_list),
	FIELD(FIELD_FLAGS, struct config_memory_policy, flags, "flags",
	      .words = &memory_policy_flags),
};

static const struct object memory_policy_table = OBJECT(struct config_memory_policy,
							memory_policy_fields);

static const struct field personality_fields[] = {
	FIELD(FIELD_WORD, struct config_linux, personality.domain, "domain", .required = true,
	      .words = &personality_domains),
	FIELD(FIELD_STRING_LIST, struct config_linux, personality.flags, "flags"),
};

/* A part of struct config_linux that has no name of its own. */
static const struct object personality_table = OBJECT(
	struct config_linux, personality_fields, .has_set = true,
	.set_offset = offsetof(struct config_linux, personality.set));

static const struct field fields[] = {
	FIELD(FIELD_OBJECT_LIST, struct config_linux, namespaces, "namespaces",
	      .object = &namespace_table),
	FIELD(FIELD_OBJECT_LIST, struct config_linux, uid_mappings, "uidMappings",
	      .object = &id_mapping_table),
	FIELD(FIELD_OBJECT_LIST, struct config_linux, gid_mappings, "gidMappings",
	      .object = &id_mapping_table),
	{ .name = "timeOffsets", .type = FIELD_OBJECT, .object = &time_offsets_table },
	FIELD(FIELD_OBJECT_LIST, struct config_linux, devices, "devices", .object = &device_table),
	FIELD(FIELD_OBJECT_MAP, struct config_linux, net_devices, "netDevices",
	      .object = &net_device_table),
	FIELD(FIELD_STRING, struct config_linux, cgroups_path, "cgroupsPath",
	      .check = check_cgroups_path),
	FIELD(FIELD_OBJECT_POINTER, struct config_linux, resources, "resources",
	      .object = &resources_table),
	FIELD(FIELD_OBJECT_POINTER, struct config_linux, intel_rdt, "intelRdt",
	      .object = &intel_rdt_table),
	FIELD(FIELD_OBJECT_POINTER, struct config_linux, memory_policy, "memoryPolicy",
	      .object = &memory_policy_table),
	FIELD(FIELD_STRING_MAP, struct config_linux, sysctl, "sysctl"),
	FIELD(FIELD_OBJECT_POINTER, struct config_linux, seccomp, "seccomp",
	      .object = &seccomp_table),
	FIELD(FIELD_WORD, struct config_linux, rootfs_propagation, "rootfsPropagation",
	      .words = &propagation_types),
	FIELD(FIELD_STRING_LIST, struct config_linux, masked_paths, "maskedPaths",
	      .check = check_absolute_path),
	FIELD(FIELD_STRING_LIST, struct config_linux, readonly_paths, "readonlyPaths",
	      .check = check_absolute_path),
	FIELD(FIELD_STRING, struct config_linux, mount_label, "mountLabel",
	      .check = check_printable),
	{ .name = "personality", .type = FIELD_OBJECT, .object = &personality_table },
};

const struct object linux_table = OBJECT(struct config_linux, fields);
