/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json as the specification has it: structs and members are named and ordered as in
 * config.md and config-linux.md of runtime-spec 1.3. Words of the specification are kernel values
 * here (spec/ has the tables). Everything lives in the arena given to config_parse(); absent
 * objects are NULL, absent lists have len 0, absent scalars have set == false. Runs in the runtime
 * only; after plan_build() nobody reads it.
 */
#ifndef HOY_CONFIG_CONFIG_H
#define HOY_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hoy/error.h>
#include <hoy/log.h>

struct arena;
struct json_node;

/* The specification's name for a member; GNU C predefines it as 1. */
#undef linux

struct opt_bool {
	bool set, value;
};

struct opt_i64 {
	bool set;
	int64_t value;
};

struct opt_u64 {
	bool set;
	uint64_t value;
};

/** A list of strings, NULL-terminated; `set` tells an empty list from an absent one. */
struct string_list {
	char **items;
	size_t len;
	bool set;
};

/** An object whose members are free: key, value pairs in the order of the file. */
struct string_map {
	struct string_pair {
		const char *key, *value;
	} * items;
	size_t len;
};

#define CONFIG_LIST(type)    \
	struct {             \
		type *items; \
		size_t len;  \
		bool set;    \
	}

struct config_id_mapping {
	uint32_t container_id, host_id, size;
};

typedef CONFIG_LIST(struct config_id_mapping) config_id_mappings;

struct config_root {
	const char *path;
	bool readonly;
};

struct config_mount {
	const char *destination, *source, *type;
	struct string_list options;
	config_id_mappings uid_mappings, gid_mappings;
};

struct config_user {
	uint32_t uid, gid;
	struct opt_u64 umask;
	CONFIG_LIST(uint32_t) additional_gids;
};

struct config_capabilities {
	struct string_list bounding, permitted, effective, inheritable, ambient;
};

struct config_rlimit {
	/** RLIMIT_*, spec/rlimit */
	int type;
	uint64_t hard, soft;
};

struct config_scheduler {
	/** SCHED_* */
	int policy;
	struct opt_i64 nice, priority;
	/** SCHED_FLAG_* */
	uint64_t flags;
	/** Nanoseconds. */
	struct opt_u64 runtime, deadline, period;
};

struct config_io_priority {
	/** IOPRIO_CLASS_* */
	int class;
	struct opt_i64 priority;
};

struct config_process {
	bool terminal;
	struct {
		bool set;
		uint64_t height, width;
	} console_size;
	struct config_user user;
	struct string_list args;
	struct string_list env;
	const char *cwd;
	struct config_capabilities *capabilities;
	CONFIG_LIST(struct config_rlimit) rlimits;
	bool no_new_privileges;
	const char *apparmor_profile;
	struct opt_i64 oom_score_adj;
	struct config_scheduler *scheduler;
	const char *selinux_label;
	struct config_io_priority *io_priority;
	struct {
		const char *initial, *final;
	} exec_cpu_affinity;
};

struct config_hook {
	const char *path;
	struct string_list args, env;
	/** Seconds, > 0. */
	struct opt_i64 timeout;
};

typedef CONFIG_LIST(struct config_hook) config_hook_list;

struct config_hooks {
	config_hook_list prestart, create_runtime, create_container, start_container, poststart,
		poststop;
};

struct config_namespace {
	/** CLONE_NEW* */
	uint64_t type;
	const char *path;
};

struct config_device {
	/** 'c', 'b', 'p' ('u' is read as 'c') */
	char type;
	const char *path;
	struct opt_i64 major, minor;
	struct opt_u64 file_mode, uid, gid;
};

struct config_net_device {
	/** Name on the host (the key). */
	const char *device;
	/** Name inside, or NULL. */
	const char *name;
};

struct config_device_rule {
	bool allow;
	/** 'a', 'b', 'c' */
	char type;
	struct opt_i64 major, minor;
	/** "rwm" */
	const char *access;
};

struct config_memory {
	struct opt_i64 limit, reservation, swap, kernel, kernel_tcp;
	struct opt_u64 swappiness;
	bool disable_oom_killer;
	bool use_hierarchy;
	bool check_before_update;
};

struct config_cpu {
	struct opt_u64 shares;
	struct opt_i64 quota;
	struct opt_u64 burst, period;
	struct opt_i64 realtime_runtime;
	struct opt_u64 realtime_period;
	const char *cpus, *mems;
	struct opt_i64 idle;
};

struct config_weight_device {
	int64_t major, minor;
	struct opt_u64 weight, leaf_weight;
};

struct config_throttle_device {
	int64_t major, minor;
	uint64_t rate;
};

typedef CONFIG_LIST(struct config_throttle_device) config_throttle_list;

struct config_block_io {
	struct opt_u64 weight, leaf_weight;
	CONFIG_LIST(struct config_weight_device) weight_device;
	config_throttle_list throttle_read_bps_device, throttle_write_bps_device,
		throttle_read_iops_device, throttle_write_iops_device;
};

struct config_hugepage_limit {
	const char *page_size;
	uint64_t limit;
};

struct config_network {
	struct opt_u64 class_id;
	CONFIG_LIST(struct config_priority {
		const char *name;
		uint32_t priority;
	})
	priorities;
};

struct config_rdma {
	const char *device;
	struct opt_u64 hca_handles, hca_objects;
};

struct config_resources {
	CONFIG_LIST(struct config_device_rule) devices;
	struct config_memory *memory;
	struct config_cpu *cpu;
	struct {
		struct opt_i64 limit;
	} * pids;
	struct config_block_io *block_io;
	CONFIG_LIST(struct config_hugepage_limit) hugepage_limits;
	struct config_network *network;
	CONFIG_LIST(struct config_rdma) rdma;
	struct string_map unified;
};

struct config_intel_rdt {
	const char *clos_id;
	struct string_list schemata;
	const char *l3_cache_schema, *mem_bw_schema;
	bool enable_monitoring;
};

struct config_seccomp_arg {
	uint32_t index;
	uint64_t value, value_two;
	/** SCMP_CMP_* as enum seccomp_operator of spec/seccomp_name.h */
	int op;
};

struct config_syscall {
	struct string_list names;
	/** SECCOMP_RET_* */
	uint32_t action;
	struct opt_u64 errno_ret;
	CONFIG_LIST(struct config_seccomp_arg) args;
};

struct config_seccomp {
	uint32_t default_action;
	struct opt_u64 default_errno_ret;
	/** Tokens of spec/seccomp_name.h, equal to libseccomp's. */
	CONFIG_LIST(uint32_t) architectures;
	/** SECCOMP_FILTER_FLAG_* */
	uint64_t flags;
	const char *listener_path, *listener_metadata;
	CONFIG_LIST(struct config_syscall) syscalls;
};

struct config_memory_policy {
	/** MPOL_* */
	int mode;
	const char *nodes;
	/** MPOL_F_* */
	uint64_t flags;
};

struct config_time_offset {
	bool set;
	int64_t secs;
	uint32_t nanosecs;
};

struct config_linux {
	CONFIG_LIST(struct config_namespace) namespaces;
	config_id_mappings uid_mappings, gid_mappings;
	struct config_time_offset monotonic, boottime;
	CONFIG_LIST(struct config_device) devices;
	CONFIG_LIST(struct config_net_device) net_devices;
	const char *cgroups_path;
	struct config_resources *resources;
	struct config_intel_rdt *intel_rdt;
	struct config_memory_policy *memory_policy;
	struct string_map sysctl;
	struct config_seccomp *seccomp;
	/** MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE, or 0 if unset. */
	uint64_t rootfs_propagation;
	struct string_list masked_paths, readonly_paths;
	const char *mount_label;
	struct {
		bool set;
		/** PER_* */
		unsigned long domain;
		struct string_list flags;
	} personality;
};

struct config {
	const char *oci_version;
	struct config_root *root;
	CONFIG_LIST(struct config_mount) mounts;
	struct config_process *process;
	const char *hostname, *domainname;
	struct config_hooks *hooks;
	struct string_map annotations;
	struct config_linux *linux;
	/** The parsed file, for config_position(). */
	const struct json_node *document;
	const char *file_name;
};

/** Annotations that hoy acts on; crun has defined them, and engines set them. */
#define ANNOTATION_DELEGATE_CGROUP  "run.oci.delegate-cgroup"
#define ANNOTATION_FAIL_SYSCALL	    "run.oci.seccomp_fail_unknown_syscall"
#define ANNOTATION_HOOKS_STDERR	    "run.oci.hooks.stderr"
#define ANNOTATION_HOOKS_STDOUT	    "run.oci.hooks.stdout"
#define ANNOTATION_KEEP_GROUPS	    "run.oci.keep_original_groups"
#define ANNOTATION_MOUNT_CONTEXT    "run.oci.mount_context_type"
#define ANNOTATION_PIDFD_RECEIVER   "run.oci.pidfd_receiver"
#define ANNOTATION_SECCOMP_RECEIVER "run.oci.seccomp.receiver"
#define ANNOTATION_SYSTEMD_SUBGROUP "run.oci.systemd.subgroup"

/** The value of an annotation, NULL if there is none of that name. */
const char *config_annotation(const struct config *config, const char *name);

/** Whether an annotation says yes: it is there, and not "0". */
bool config_annotation_is_on(const struct config *config, const char *name);

/** How problems of a configuration are told: each one through the callback, as it is found. */
struct config_report {
	hoy_log_fn *log;
	void *log_data;
	bool strict;
};

/**
 * Reads, parses and validates a configuration file. Every problem is reported through `report`
 * with its line, column and path; warnings too (with strict they count as problems).
 * @param fd         open file at offset 0, at most 64 MiB are read
 * @param file_name  as it shall appear in messages
 * @returns 0, or -1 with the first problem in err (its at, line and column filled)
 */
int config_read(int fd, const char *file_name, struct arena *arena,
		const struct config_report *report, struct config **ret_config,
		struct hoy_error *err);

/** As config_read(), for a process object alone (`exec --process`). */
int config_read_process(int fd, const char *file_name, struct arena *arena,
			const struct config_report *report, struct config_process **ret_process,
			struct hoy_error *err);

/** As config_read(), for a resources object alone (`update --resources`). */
int config_read_resources(int fd, const char *file_name, struct arena *arena,
			  const struct config_report *report,
			  struct config_resources **ret_resources, struct hoy_error *err);

/** As config_read(), for a list of mounts alone, which takes the place of config->mounts. */
int config_read_mounts(int fd, const char *file_name, struct arena *arena,
		       const struct config_report *report, struct config *config,
		       struct hoy_error *err);

/** The same for mounts that are only named, not to be made: nothing but destinations is needed. */
int config_read_mount_points(int fd, const char *file_name, struct arena *arena,
			     const struct config_report *report, struct config *config,
			     struct hoy_error *err);

/**
 * Fills line and column of an error that names a configuration path, where the path (or its
 * nearest existing ancestor) stands in the file.
 */
void config_locate(const struct config *config, struct hoy_error *err);

#endif
