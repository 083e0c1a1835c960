/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fields of linux.resources: config-linux.md#control-groups. Runs in the runtime. Data. Numbers
 * that only the kernel can judge (shares, quotas) have the range of their type.
 */
#include "config/table.h"

#include "config/check.h"

static const struct word device_rule_words[] = {
	{ "a", 'a' },
	{ "b", 'b' },
	{ "c", 'c' },
};

static const struct vocabulary device_rule_types = VOCABULARY("type of devices", device_rule_words);

static const struct field device_rule_fields[] = {
	FIELD(FIELD_BOOL, struct config_device_rule, allow, "allow", .required = true),
	FIELD(FIELD_WORD, struct config_device_rule, type, "type", .keeps_empty = true,
	      .words = &device_rule_types),
	FIELD(FIELD_OPTIONAL_SIGNED, struct config_device_rule, major, "major", .min = -1,
	      .max = UINT32_MAX),
	FIELD(FIELD_OPTIONAL_SIGNED, struct config_device_rule, minor, "minor", .min = -1,
	      .max = UINT32_MAX),
	FIELD(FIELD_STRING, struct config_device_rule, access, "access", .keeps_empty = true,
	      .check = check_device_access),
};

static const struct config_device_rule device_rule_preset = { .type = 'a', .access = "rwm" };

static const struct object device_rule_table = OBJECT(struct config_device_rule, device_rule_fields,
						      .preset = &device_rule_preset);

static const struct field memory_fields[] = {
	FIELD(FIELD_OPTIONAL_SIGNED, struct config_memory, limit, "limit", .min = -1),
	FIELD(FIELD_OPTIONAL_SIGNED, struct config_memory, reservation, "reservation", .min = -1),
	FIELD(FIELD_OPTIONAL_SIGNED, struct config_memory, swap, "swap", .min = -1),
	FIELD(FIELD_OPTIONAL_SIGNED, struct config_memory, kernel, "kernel", .min = -1),
	FIELD(FIELD_OPTIONAL_SIGNED, struct config_memory, kernel_tcp, "kernelTCP", .min = -1),
	FIELD(FIELD_OPTIONAL_UNSIGNED, struct config_memory, swappiness, "swappiness", .max = 100),
	FIELD(FIELD_BOOL, struct config_memory, disable_oom_killer, "disableOOMKiller"),
	FIELD(FIELD_BOOL, struct config_memory, use_hierarchy, "useHierarchy"),
	FIELD(FIELD_BOOL, struct config_memory, check_before_update, "checkBeforeUpdate"),
};

static const struct object memory_table = OBJECT(struct config_memory, memory_fields);

static const struct field cpu_fields[] = {
	FIELD(FIELD_OPTIONAL_UNSIGNED, struct config_cpu, shares, "shares"),
	FIELD(FIELD_OPTIONAL_SIGNED, struct config_cpu, quota, "quota"),
	FIELD(FIELD_OPTIONAL_UNSIGNED, struct config_cpu, burst, "burst"),
	FIELD(FIELD_OPTIONAL_UNSIGNED, struct config_cpu, period, "period"),
	FIELD(FIELD_OPTIONAL_SIGNED, struct config_cpu, realtime_runtime, "realtimeRuntime"),
	FIELD(FIELD_OPTIONAL_UNSIGNED, struct config_cpu, realtime_period, "realtimePeriod"),
	FIELD(FIELD_STRING, struct config_cpu, cpus, "cpus", .check = check_number_list),
	FIELD(FIELD_STRING, struct config_cpu, mems, "mems", .check = check_number_list),
	FIELD(FIELD_OPTIONAL_SIGNED, struct config_cpu, idle, "idle", .max = 1),
};

static const struct object cpu_table = OBJECT(struct config_cpu, cpu_fields);

/* struct config_resources.pids points to a struct without a name. */
#define PIDS __typeof__(*((struct config_resources *)NULL)->pids)

static const struct field pids_fields[] = {
	FIELD(FIELD_OPTIONAL_SIGNED, PIDS, limit, "limit", .required = true),
};

static const struct object pids_table = OBJECT(PIDS, pids_fields);

#define DEVICE_NUMBERS(struct_)                                                            \
	FIELD(FIELD_SIGNED, struct_, major, "major", .required = true, .max = UINT32_MAX), \
		FIELD(FIELD_SIGNED, struct_, minor, "minor", .required = true, .max = UINT32_MAX)

static const struct field weight_device_fields[] = {
	DEVICE_NUMBERS(struct config_weight_device),
	FIELD(FIELD_OPTIONAL_UNSIGNED, struct config_weight_device, weight, "weight",
	      .max = UINT16_MAX),
	FIELD(FIELD_OPTIONAL_UNSIGNED, struct config_weight_device, leaf_weight, "leafWeight",
	      .max = UINT16_MAX),
};

static const struct object weight_device_table = OBJECT(struct config_weight_device,
							weight_device_fields);

static const struct field throttle_device_fields[] = {
	DEVICE_NUMBERS(struct config_throttle_device),
	FIELD(FIELD_UNSIGNED, struct config_throttle_device, rate, "rate", .required = true),
};

static const struct object throttle_device_table = OBJECT(struct config_throttle_device,
							  throttle_device_fields);

#define THROTTLE(member, name)                                         \
	FIELD(FIELD_OBJECT_LIST, struct config_block_io, member, name, \
	      .object = &throttle_device_table)

static const struct field block_io_fields[] = {
	FIELD(FIELD_OPTIONAL_UNSIGNED, struct config_block_io, weight, "weight", .max = UINT16_MAX),
	FIELD(FIELD_OPTIONAL_UNSIGNED, struct config_block_io, leaf_weight, "leafWeight",
	      .max = UINT16_MAX),
	FIELD(FIELD_OBJECT_LIST, struct config_block_io, weight_device, "weightDevice",
	      .object = &weight_device_table),
	THROTTLE(throttle_read_bps_device, "throttleReadBpsDevice"),
	THROTTLE(throttle_write_bps_device, "throttleWriteBpsDevice"),
	THROTTLE(throttle_read_iops_device, "throttleReadIOPSDevice"),
	THROTTLE(throttle_write_iops_device, "throttleWriteIOPSDevice"),
};

static const struct object block_io_table = OBJECT(struct config_block_io, block_io_fields);

static const struct field hugepage_limit_fields[] = {
	FIELD(FIELD_STRING, struct config_hugepage_limit, page_size, "pageSize", .required = true,
	      .check = check_page_size),
	FIELD(FIELD_UNSIGNED, struct config_hugepage_limit, limit, "limit", .required = true),
};

static const struct object hugepage_limit_table = OBJECT(struct config_hugepage_limit,
							 hugepage_limit_fields);

static const struct field priority_fields[] = {
	FIELD(FIELD_STRING, struct config_priority, name, "name", .required = true,
	      .check = check_interface),
	FIELD(FIELD_UNSIGNED, struct config_priority, priority, "priority", .required = true,
	      .max = UINT32_MAX),
};

static const struct object priority_table = OBJECT(struct config_priority, priority_fields);

static const struct field network_fields[] = {
	FIELD(FIELD_OPTIONAL_UNSIGNED, struct config_network, class_id, "classID",
	      .max = UINT32_MAX),
	FIELD(FIELD_OBJECT_LIST, struct config_network, priorities, "priorities",
	      .object = &priority_table),
};

static const struct object network_table = OBJECT(struct config_network, network_fields);

static const struct field rdma_fields[] = {
	FIELD(FIELD_OPTIONAL_UNSIGNED, struct config_rdma, hca_handles, "hcaHandles",
	      .max = UINT32_MAX),
	FIELD(FIELD_OPTIONAL_UNSIGNED, struct config_rdma, hca_objects, "hcaObjects",
	      .max = UINT32_MAX),
};

static const struct object rdma_table = OBJECT(struct config_rdma, rdma_fields);

static const struct field fields[] = {
	FIELD(FIELD_OBJECT_LIST, struct config_resources, devices, "devices",
	      .object = &device_rule_table),
	FIELD(FIELD_OBJECT_POINTER, struct config_resources, memory, "memory",
	      .object = &memory_table),
	FIELD(FIELD_OBJECT_POINTER, struct config_resources, cpu, "cpu", .object = &cpu_table),
	FIELD(FIELD_OBJECT_POINTER, struct config_resources, pids, "pids", .object = &pids_table),
	FIELD(FIELD_OBJECT_POINTER, struct config_resources, block_io, "blockIO",
	      .object = &block_io_table),
	FIELD(FIELD_OBJECT_LIST, struct config_resources, hugepage_limits, "hugepageLimits",
	      .object = &hugepage_limit_table),
	FIELD(FIELD_OBJECT_POINTER, struct config_resources, network, "network",
	      .object = &network_table),
	FIELD(FIELD_OBJECT_MAP, struct config_resources, rdma, "rdma", .object = &rdma_table),
	FIELD(FIELD_STRING_MAP, struct config_resources, unified, "unified"),
};

const struct object resources_table = OBJECT(struct config_resources, fields);
