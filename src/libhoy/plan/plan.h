/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan: what will be done, in kernel terms, as pure data. plan_build() makes it from the
 * configuration, the options and the host; from then on nobody reads the configuration. The
 * runtime and init carry it out and never ask why: absent things are empty lists and defaults.
 * Lists keep the order in which their entries are applied; the order of the concerns among each
 * other is that of steps[] in init/init.c. Every entry knows the configuration path it comes from
 * (`at`), which errors, `explain` and traces name.
 *
 * All memory is in one arena that init (a copy-on-write clone) reads and never writes.
 */
#ifndef HOY_PLAN_PLAN_H
#define HOY_PLAN_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <hoy/container.h>
#include <hoy/error.h>

struct arena;
struct config;
struct host;

/** Longest cpuset handled: the kernel's NR_CPUS limit of the distributions. */
#define PLAN_CPU_WORDS (8192 / 64)

/* ---- namespaces and ids ---- */

struct plan_join {
	const char *at;
	/** CLONE_NEW* */
	uint64_t type;
	/** Path in the runtime's namespaces; the runtime opens it, see struct launch_fds. */
	const char *path;
};

struct plan_id_map {
	uint32_t container_id, host_id, size;
};

struct plan_namespaces {
	/** CLONE_NEW* flags of the namespaces to be made. */
	uint64_t create;
	/** Namespaces to be joined, the user namespace (if any) at its place in the file. */
	struct plan_join *joins;
	size_t joins_len;
	/** CLONE_NEW* flags of all joins. */
	uint64_t joined;
	/** One more process is needed between runtime and init (design: bootstrap). */
	bool bootstrap;
	/** Text for /proc/PID/timens_offsets, or NULL. */
	const char *time_offsets;
	/** Only in the new user namespace is there a right to write them: init does so. */
	bool time_offsets_inside;
	/** A user namespace is made: its maps. */
	struct plan_id_map *uid_maps, *gid_maps;
	size_t uid_maps_len, gid_maps_len;
	/** Maps are written by newuidmap/newgidmap instead of the runtime itself. */
	bool helper_maps;
	/** setgroups(2) is denied: "deny" is written before the gid map, if not by newgidmap. */
	bool deny_setgroups;
	/** In a new or joined user namespace init becomes uid 0, gid 0 of it. */
	bool become_root;
	/** Bring up lo. */
	bool loopback;
	const char *hostname, *domainname;
};

struct plan_net_device {
	const char *at;
	/** Name in the runtime's network namespace, and in the container's ("eth%d": a free one).
	 */
	const char *device, *name;
};

/* ---- mounts ---- */

enum plan_mount_kind {
	/** fsopen(fstype) */
	PLAN_MOUNT_NEW,
	/** open_tree(source) */
	PLAN_MOUNT_BIND,
	/** mount_setattr on what is mounted at the destination already */
	PLAN_MOUNT_REMOUNT,
	/** No mount at all: a symlink whose target is the source (copy-symlink) */
	PLAN_MOUNT_LINK,
};

struct plan_parameter {
	/** fsconfig(2): FSCONFIG_SET_STRING, or FSCONFIG_SET_FLAG where value is NULL. */
	const char *key, *value;
};

/** For mount_setattr(2); recursive ones are applied with AT_RECURSIVE, after the others. */
struct plan_attributes {
	/** MOUNT_ATTR_* */
	uint64_t set, clear;
	uint64_t recursive_set, recursive_clear;
	/** MS_PRIVATE, MS_SLAVE, MS_SHARED or MS_UNBINDABLE; never 0 for a mount that is made. */
	uint64_t propagation;
	bool propagation_recursive;
};

/** Which entry of the proc tree a mount may cover; decided by destination as text. */
enum plan_proc_rule {
	/** Must not land on procfs. */
	PLAN_PROC_NONE,
	/** May land on procfs: lxcfs names, or on /proc itself. */
	PLAN_PROC_ALLOWED,
	/** May land on procfs if the source is procfs too. */
	PLAN_PROC_FROM_PROC,
};

struct plan_mount {
	const char *at;
	enum plan_mount_kind kind;
	/** Cleaned, absolute inside the container. "/" covers the root itself. */
	const char *destination;
	/** File system type of PLAN_MOUNT_NEW. */
	const char *fstype;
	/** Absolute path on the host of PLAN_MOUNT_BIND; the "source" string of PLAN_MOUNT_NEW. */
	const char *source;
	/** PLAN_MOUNT_NEW: file system parameters in order, "source" not included. */
	struct plan_parameter *parameters;
	size_t parameters_len;
	/** The same as one text, for what fsconfig(2) cannot take (values over 255 bytes). */
	const char *data;
	struct plan_attributes attributes;
	/** PLAN_MOUNT_BIND: with everything mounted below the source. */
	bool recursive;
	/** PLAN_MOUNT_BIND: what the source is, known from the host; the target is made alike. */
	bool source_is_directory;
	/** The destination is resolved without following any symlink. */
	bool no_symlinks;
	/** A destination that is a symlink is covered itself. */
	bool destination_nofollow;
	/** PLAN_MOUNT_BIND: a source that is a symlink is not followed. */
	bool source_nofollow;
	/**
	 * PLAN_MOUNT_BIND: stays a peer of the host's mount, so that what the container mounts in
	 * it appears on the host: asked for by a shared bind under a shared rootfsPropagation.
	 */
	bool shared_with_host;
	/** Contents of the covered directory are copied into the new tmpfs (tmpcopyup). */
	bool copy_up;
	/** tmpfs without mode=: takes the mode of the directory it covers, 1777 if it was made. */
	bool inherit_mode;
	/** Read-only is set by a later action, as something is still created below it. */
	bool readonly_late;
	/** The tmpfs of /dev: default devices and links are made in it before it is attached. */
	bool fill_devices;
	/** A path to be masked or read-only lies in it. */
	bool has_paths;
	/** This is a devpts: the container's terminal is opened in it. */
	bool is_devpts;
	enum plan_proc_rule proc_rule;
	/** Bound instead (recursively if `fallback_recursive`) if the kernel refuses a new instance
	 *  with EPERM or EBUSY, or the source of a bind is not there; NULL for none. Same
	 *  attributes. */
	const char *fallback_source;
	bool fallback_recursive;
	/** Mapping for MOUNT_ATTR_IDMAP; len 0 for none. `idmap_recursive` for ridmap. */
	struct plan_id_map *uid_maps, *gid_maps;
	size_t uid_maps_len, gid_maps_len;
	bool idmap_recursive;
	/** Index into launch_fds.sources for a bind (and for a fall-back), -1 for none. */
	int source_index;
};

/** A mount that is to be taken out of a running container. */
struct plan_unmount {
	const char *at;
	/** Cleaned, absolute inside the container. */
	const char *destination;
	/** What must be mounted there, NULL for anything; and its device and inode. */
	const char *source;
	uint64_t device, inode;
};

struct plan_device {
	const char *at;
	/** Cleaned, absolute inside the container. */
	const char *path;
	/** S_IFCHR, S_IFBLK or S_IFIFO with permission bits. */
	mode_t mode;
	dev_t device;
	uid_t uid;
	gid_t gid;
	/** Bound from the host's node of the same number instead of made (user namespace). */
	const char *bind_source;
	/** Lies directly in the /dev tmpfs: its name there, made before that is attached. */
	const char *dev_name;
	/** A device the specification supplies by default. */
	bool is_default;
};

struct plan_link {
	/** Cleaned, absolute inside the container. */
	const char *path;
	const char *target;
	/** Name below /dev where it can be made in the detached tmpfs, or NULL. */
	const char *dev_name;
};

struct plan_path {
	const char *at;
	/** Cleaned, absolute inside the container. */
	const char *path;
	/** Index of the mount that it lies in, by the name of that; -1 for none. */
	int mount;
};

struct plan_sysctl {
	const char *at;
	/** Path below /proc/sys, "net/ipv4/ip_forward". */
	const char *path;
	const char *value;
};

struct plan_root {
	const char *at;
	/** Absolute path in the runtime's mount namespace. */
	const char *path;
	bool readonly;
	/** No mount namespace is made or joined: chroot, no pivot. */
	bool host_mounts;
	/** --no-pivot: move the root over "/" and chroot. */
	bool no_pivot;
	/** Propagation of the root's own mounts: MS_PRIVATE, MS_SLAVE where that is asked for. */
	uint64_t tree_propagation;
	/** Propagation of the whole inherited tree, MS_SLAVE or MS_PRIVATE, with MS_REC implied. */
	uint64_t old_propagation;
	/** Propagation of the new root mount after the pivot; 0 = leave. */
	uint64_t propagation;
};

/* ---- process ---- */

struct plan_rlimit {
	const char *at;
	/** "RLIMIT_NOFILE" */
	const char *name;
	int type;
	uint64_t soft, hard;
};

struct plan_capabilities {
	uint64_t bounding, effective, permitted, inheritable, ambient;
};

/** sched_setattr(2), as the kernel's struct sched_attr. */
struct plan_scheduler {
	bool set;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	/** Nanoseconds. */
	uint64_t runtime, deadline, period;
	/**
	 * Init still has children of its own to make, which a deadline forbids and real time would
	 * starve: until it executes the program SCHED_FLAG_RESET_ON_FORK is set as well.
	 */
	bool reset_on_fork;
};

struct plan_cpus {
	bool set;
	uint64_t mask[PLAN_CPU_WORDS];
};

struct plan_seccomp {
	/** struct sock_filter array; len instructions, 0 for none. */
	const void *filter;
	size_t len;
	/** SECCOMP_FILTER_FLAG_* for seccomp(2), NEW_LISTENER included if wanted. */
	uint64_t flags;
	const char *listener_path, *listener_metadata;
};

struct plan_process {
	/** False: no process in the configuration; `start` is an error. */
	bool present;
	/** argv, NULL-terminated. */
	char **args;
	/** envp without duplicates; env[env_home] is a free place for HOME unless it is -1. */
	char **env;
	size_t env_len;
	int env_home;
	/** Value of PATH for the look-up of args[0]. */
	const char *path;
	const char *cwd;
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t groups_len;
	/** setgroups(2) is not called: denied in the user namespace, or the caller's are kept. */
	bool keep_groups;
	mode_t umask;
	bool terminal;
	uint16_t rows, columns;
	struct plan_capabilities capabilities;
	/** Set by the runtime with prlimit(2), just before the container counts as created. */
	struct plan_rlimit *rlimits;
	size_t rlimits_len;
	bool no_new_privileges;
	bool set_oom_score_adj;
	/** EPERM is no error (unprivileged). */
	bool oom_score_adj_optional;
	int oom_score_adj;
	/** Text for attr/exec under apparmor ("exec PROFILE") or SELinux (the context), or NULL. */
	const char *apparmor_profile, *selinux_label;
	bool set_personality;
	unsigned long personality;
	struct plan_scheduler scheduler;
	/** ioprio_set(2) value, -1 for none. */
	int io_priority;
	/** set_mempolicy(2); mode -1 for none. */
	int memory_policy;
	uint64_t memory_nodes[16];
	bool set_memory_nodes;
	struct plan_cpus initial_cpus, final_cpus;
	/** Neither is set: the process may run where the cgroup lets it, not where its caller runs.
	 */
	bool reset_cpus;
	/** A new session keyring of this name, NULL for none. */
	const char *keyring;
	struct plan_seccomp seccomp;
	/** Descriptors 3 .. 3+N-1 stay open. */
	unsigned int preserve_fds;
};

/* ---- hooks ---- */

struct plan_hook {
	const char *at;
	const char *path;
	/** NULL-terminated. env NULL: the runtime's own environment (runtime hooks only). */
	char **args, **env;
	/** Milliseconds, -1 for none. */
	int timeout_ms;
};

struct plan_hooks {
	struct plan_hook *items;
	size_t len;
	/** Files that take their output, absolute; NULL = none. */
	const char *stdout_path, *stderr_path;
	/** The state for their stdin; the pid is written into the ten blanks at pid_offset. */
	const char *state;
	size_t state_len, pid_offset;
};

enum plan_hook_kind {
	PLAN_PRESTART,
	PLAN_CREATE_RUNTIME,
	PLAN_CREATE_CONTAINER,
	PLAN_START_CONTAINER,
	PLAN_POSTSTART,
	PLAN_POSTSTOP,
	PLAN_HOOK_KINDS,
};

/* ---- resctrl ---- */

struct plan_schema {
	const char *at;
	/** A line for the file schemata. */
	const char *line;
	/** Of a group that is there already it must hold, and is not written. */
	bool is_compared;
};

struct plan_intel_rdt {
	/** Directory below the file system's root, "" for the root itself; NULL = no resctrl. */
	const char *group;
	/** Named by the container's id: removed with it if it had to be made. */
	bool is_own;
	bool must_exist;
	/** A monitoring group named by the container's id. */
	bool monitoring;
	/** In the order of writing. */
	struct plan_schema *schemata;
	size_t schemata_len;
};

/* ---- cgroup ---- */

struct plan_device_rule {
	bool allow;
	/** 'a', 'b', 'c' */
	char type;
	/** -1 = any */
	int64_t major, minor;
	/** Bits: 1 mknod, 2 read, 4 write (BPF_DEVCG_ACC_*). */
	unsigned int access;
};

/** One write to a file of the cgroup, in order. */
struct plan_cgroup_write {
	const char *at;
	/** File name, "memory.max". */
	const char *file;
	const char *value;
	/** Controller that must be enabled, "memory", or NULL. */
	const char *controller;
	/** Written after the last fork of set-up, just before the user's program may run. */
	bool late;
	/** A missing file is no error (optional companion of another file). */
	bool optional;
	/** Written only if the write before it found no file; else as usual. */
	bool alternative;
};

struct plan_cgroup {
	const char *at;
	enum hoy_cgroup_manager manager;
	/** Below the cgroup2 mount, "/hoy/c1"; NULL = no cgroup. systemd: the expected place. */
	const char *path;
	/** Mount point of the cgroup2 tree. */
	const char *mount_point;
	/** Failing to make it is no error: nothing asks for limits, the caller is unprivileged. */
	bool optional;
	/** Controllers to enable down the path, space-separated bits of the writes. */
	struct plan_cgroup_write *writes;
	size_t writes_len;
	/** Refuse an update to fewer bytes than are in use (checkBeforeUpdate); 0 = no check. */
	uint64_t check_memory_max;
	/** One of the writes is late: init asks `start` for them (GATE_LIMITS). */
	bool has_late_writes;
	/** Device program; has_device_rules false = none. */
	bool has_device_rules;
	struct plan_device_rule *device_rules;
	size_t device_rules_len;
	/** init makes its cgroup namespace only after it was adopted (systemd). */
	bool unshare_late;
	/** Where init lives below `path`, "a/b"; NULL = in it. */
	const char *leaf;
	/** chown of the delegated files to this host uid; -1 for none. */
	int64_t owner;
	/** systemd: slice, unit, and properties of annotations (pairs of name and gvariant). */
	const char *slice, *unit;
	struct plan_parameter *properties;
	size_t properties_len;
};

/* ---- all of it ---- */

struct plan {
	const char *id;
	/** Absolute bundle directory. */
	const char *bundle;
	struct plan_namespaces namespaces;
	struct plan_net_device *net_devices;
	size_t net_devices_len;
	struct plan_root root;
	struct plan_mount *mounts;
	size_t mounts_len;
	/**
	 * Init may not map ids, as it lives in a user namespace: bootstrap clones and maps the
	 * sources of idmapped binds and stages them for init.
	 */
	bool staged;
	/** How many mounts have a source_index. */
	size_t sources_len;
	/** In the order in which they were made. */
	struct plan_unmount *unmounts;
	size_t unmounts_len;
	struct plan_device *devices;
	size_t devices_len;
	struct plan_link *links;
	size_t links_len;
	struct plan_path *masked_paths, *readonly_paths;
	size_t masked_paths_len, readonly_paths_len;
	/** Option of the tmpfs that masks directories: SELinux context, or NULL. */
	const char *mount_label;
	/** Which of the options context=, fscontext=, defcontext=, rootcontext= takes it. */
	const char *mount_label_option;
	struct plan_sysctl *sysctls;
	size_t sysctls_len;
	struct plan_process process;
	struct plan_hooks hooks[PLAN_HOOK_KINDS];
	struct plan_cgroup cgroup;
	struct plan_intel_rdt intel_rdt;
	/** Pairs for the state. */
	struct plan_parameter *annotations;
	size_t annotations_len;
	const char *oci_version;
	/** Warnings found while planning, in order. */
	struct plan_warning {
		const char *at, *text;
	} * warnings;
	size_t warnings_len;
};

/** What the command line adds to the configuration. */
struct plan_options {
	const char *id;
	/** Absolute. */
	const char *bundle;
	enum hoy_cgroup_manager cgroup_manager;
	bool no_pivot, no_new_keyring;
	unsigned int preserve_fds;
	unsigned int listen_fds;
	/** Directory in which `start` makes the container's notify socket, absolute; NULL = none.
	 */
	const char *notify_directory;
	/** Of a process for which the configuration has none. */
	mode_t umask;
};

/** Where the container finds it, as with other runtimes, and what it is called there. */
#define PLAN_NOTIFY_DIRECTORY "/run/notify"
#define PLAN_NOTIFY_SOCKET    "notify.sock"

/** Facts about bind sources, which only the host side can tell; parallel to config->mounts. */
struct plan_source_facts {
	bool exists, is_directory;
	/** Which file it is. */
	uint64_t device, inode;
	/** Where the symlink leads, if it is one and plan_keeps_link(); else NULL. */
	const char *link;
};

/** All that a plan is computed from. */
struct plan_input {
	const struct config *config;
	const struct plan_options *options;
	const struct host *host;
	/** One per config->mounts entry; not used by plan_build_exec(). */
	const struct plan_source_facts *sources;
	/** Compiled seccomp program, len 0 for none; kept by reference. NULL is as len 0. */
	const struct plan_seccomp *filter;
};

/**
 * Computes the plan. Does no I/O and needs no privilege.
 * @returns 0 or -1 with err set and naming the configuration path
 */
int plan_build(struct arena *arena, const struct plan_input *input, struct plan **ret_plan,
	       struct hoy_error *err);

/**
 * What `update` needs of it: plan->cgroup as plan_build() would make it. All else is empty.
 */
int plan_build_cgroup(struct arena *arena, const struct plan_input *input, struct plan **ret_plan,
		      struct hoy_error *err);

/**
 * What `exec` needs of it: a plan for one more process in a container. All else is empty, the
 * namespaces too: the runtime joins those of the container by pidfd.
 */
struct config_process;
int plan_build_exec(struct arena *arena, const struct plan_input *input,
		    const struct config_process *process, struct plan **ret_plan,
		    struct hoy_error *err);

/**
 * What `mounts add` needs of it: plan->mounts and what they need to be made, as plan_build() would
 * have it; what cannot be done in a running container is refused. All else is empty.
 */
int plan_build_mounts(struct arena *arena, const struct plan_input *input, struct plan **ret_plan,
		      struct hoy_error *err);

/** What `mounts remove` needs of it: plan->unmounts. All else is empty. */
int plan_build_unmounts(struct arena *arena, const struct plan_input *input, struct plan **ret_plan,
			struct hoy_error *err);

/**
 * The path whose facts plan_build() wants for an entry of config->mounts, absolute; NULL if the
 * entry is no bind mount (or if the arena is exhausted).
 */
struct config_mount;
const char *plan_bind_source(struct arena *arena, const struct config_mount *mount,
			     const char *bundle);

/** Whether the facts wanted of a source that is a symlink are those of the link itself. */
bool plan_keeps_link(const struct config_mount *mount);

#endif
