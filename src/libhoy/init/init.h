/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Init: the process that becomes the container's. It is a copy-on-write clone of the runtime, sets
 * itself up by the steps of init.c, waits at the start gate and executes the program. Everything
 * in this directory runs after clone: no malloc, no stdio, no locks, no locale, and it reads the
 * plan without ever writing it. Includes: sys/, protocol.h, plan/plan.h, this directory.
 */
#ifndef HOY_INIT_INIT_H
#define HOY_INIT_INIT_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include <hoy/error.h>

#include "plan/plan.h"
#include "protocol.h"

/** Exit statuses for a program that is not there, or cannot be executed (sh(1)). */
#define STATUS_NOT_FOUND      127
#define STATUS_NOT_EXECUTABLE 126

/** A namespace to be joined: one namespace by its file, or several of a process by its pidfd. */
struct launch_join {
	int fd;
	/** CLONE_NEW* flags, for setns(2). */
	uint64_t types;
	/** Configuration path, or "" . */
	const char *at;
};

/** What init is made for. */
enum init_task {
	/** To become a program of the container: with a gate its first one, else a further one. */
	INIT_PROGRAM,
	/** To make plan->mounts in a running container, or to take plan->unmounts out. */
	INIT_MOUNTS,
	INIT_UNMOUNTS,
};

/** The descriptors that the runtime hands to init. All close-on-exec; -1 = none. */
struct launch_fds {
	enum init_task task;
	/** Init's end of the socket to the runtime, and the runtime's end (closed at once). */
	int socket, runtime_socket;
	/** The container's directory with its lock (closed at once). */
	int lock;
	/** The start gate; both -1 for `exec`. */
	int go, result;
	/** The container's cgroup, entered by the clone or by bootstrap. */
	int cgroup;
	/** Bootstrap was cloned into it or has entered it. */
	bool in_cgroup;
	/** The caller's /proc, verified: used where the kernel refuses a private one. */
	int procfs;
	/** `exec` without a mount namespace of the container: its root directory. */
	int exec_root;
	/** Connected seccomp agent. */
	int listener;
	/** Files that take what the hooks of init's own write. */
	int hook_stdout, hook_stderr;
	/** The runtime has narrowed our affinity to its own CPU (runtime/turns.h). */
	bool takes_turns;
	/** Where exactly root.path was when it was checked: device and inode. */
	uint64_t root_device, root_inode;
	struct launch_join *joins;
	size_t joins_len;
	/** One place per bind source (plan->sources_len), filled by init. */
	int *sources;
	/** One place per mount (plan->mounts_len), filled by init for those finished later. */
	int *mounts;
	/** User namespace with the mapping of an idmapped mount, one place per mount; -1 = none. */
	int *idmaps;
	/** Where bootstrap stages idmapped sources, an absolute path of the runtime's own. */
	const char *staging;
	/** The seccomp agent's message, with ten blanks for the pid at each offset. */
	char *listener_state;
	size_t listener_state_len, listener_pid_offsets[2];
};

/** Init's own memory: the only thing it writes. */
struct init {
	const struct plan *plan;
	struct launch_fds *fds;
	/** Mount of the container's root, attached; what all paths are resolved below. */
	int root;
	/** A verified procfs (see procfs.c), opened when first needed. */
	int procfs;
	/** "self" in that procfs; 0 until known. */
	pid_t procfs_pid;
	/** The devpts that was mounted, and the terminal opened in it. */
	int devpts;
	int terminal;
	/** The user namespace that was joined has given up setgroups(2). */
	bool groups_denied;
	/** Every mount that is made stays in fds->mounts. */
	bool keeps_mounts;
	/** Open attr/exec files that take the labels. */
	int apparmor, selinux;
	/** An attached empty read-only tmpfs and an attached /dev/null, to be cloned for masks. */
	int mask_directory, mask_file;
	/** The life line has been let go: errors now go to the gate. */
	bool committed;
	/** Our pid in the runtime's pid namespace, told with the last answer. */
	pid_t pid;
	/** What is executed, found along PATH. */
	char executable[PATH_MAX];
	/** "HOME=..." for the free place in env. */
	char home[PATH_MAX + 8];
};

/**
 * A step of the set-up.
 * @returns 0, or -1 with err filled
 */
struct step {
	const char *name;
	int (*run)(struct init *init, struct hoy_error *err);
};

/** Does what fds->task says; for a program, the container's init or (fds->go == -1) a further one.
 */
_Noreturn void init_main(const struct plan *plan, struct launch_fds *fds);

/**
 * The process between runtime and init, where the kernel demands one: joins namespaces, clones
 * init as the runtime's own child, tells its pid and exits.
 */
_Noreturn void bootstrap_main(const struct plan *plan, struct launch_fds *fds);

/**
 * CLONE_NEW* flags for the clone of init: the plan's new namespaces but for those that init or
 * bootstrap makes, once the cgroup is entered, offsets can be written, or ids
 * are mapped.
 */
uint64_t init_clone_flags(const struct plan *plan);

/* ---- init.c: talking to the runtime ---- */

/** Sends a request and waits for its answer. */
int init_request(struct init *init, enum message_type type, struct hoy_error *err);
/** Sends a note with up to one descriptor. */
int init_note(const struct launch_fds *fds, enum message_type type, pid_t pid, int fd,
	      struct hoy_error *err);
/** Sends an error to whoever listens (runtime or `start`). */
void init_tell_error(const struct init *init, const struct hoy_error *err);
/** The same, and exits. */
_Noreturn void init_die(struct init *init, struct hoy_error *err);
/** Life line: PDEATHSIG, then checks that the runtime is still there. */
int init_lifeline(const struct launch_fds *fds, struct hoy_error *err);

/* ---- the steps, by file ---- */

/* namespaces.c */
int step_join(struct init *init, struct hoy_error *err);
int step_id_maps(struct init *init, struct hoy_error *err);
int step_cgroup(struct init *init, struct hoy_error *err);
int step_become_root(struct init *init, struct hoy_error *err);
int step_network(struct init *init, struct hoy_error *err);
int step_net_devices(struct init *init, struct hoy_error *err);
int step_hostname(struct init *init, struct hoy_error *err);
int step_keyring(struct init *init, struct hoy_error *err);

/* root.c */
int step_propagation(struct init *init, struct hoy_error *err);
int step_root(struct init *init, struct hoy_error *err);
int step_pivot(struct init *init, struct hoy_error *err);
int step_exec_root(struct init *init, struct hoy_error *err);
int step_root_attributes(struct init *init, struct hoy_error *err);

/* host_views.c */
/** Takes the host's complete procfs and sysfs mounts away, or covers them. */
int hide_host_views(struct init *init, struct hoy_error *err);

/* mounts.c */
int step_shared_sources(struct init *init, struct hoy_error *err);
int step_sources(struct init *init, struct hoy_error *err);
int step_mounts(struct init *init, struct hoy_error *err);
int step_new_mounts(struct init *init, struct hoy_error *err);
int step_late_readonly(struct init *init, struct hoy_error *err);

/* running_mounts.c */
int step_stage(struct init *init, struct hoy_error *err);
int step_join_outer(struct init *init, struct hoy_error *err);
int step_join_inner(struct init *init, struct hoy_error *err);
int step_running_root(struct init *init, struct hoy_error *err);
int step_add_mounts(struct init *init, struct hoy_error *err);
int step_remove_mounts(struct init *init, struct hoy_error *err);
int step_done(struct init *init, struct hoy_error *err);

/* devices.c */
int step_devices(struct init *init, struct hoy_error *err);
int step_links(struct init *init, struct hoy_error *err);
/** Makes the devices and links that lie in a detached /dev tmpfs. */
int devices_fill(const struct plan *plan, int dev, struct hoy_error *err);

/* paths.c */
int step_masked_paths(struct init *init, struct hoy_error *err);
int step_readonly_paths(struct init *init, struct hoy_error *err);

/* procfs.c */
int step_sysctl(struct init *init, struct hoy_error *err);
int step_open_labels(struct init *init, struct hoy_error *err);
/** Opens a file of the verified procfs by a path below it, resolved without any link. */
int procfs_open(struct init *init, const char *path, int flags, struct hoy_error *err);
/** The same for a file of this process: NAME below /proc/self. */
int procfs_open_self(struct init *init, const char *name, int flags, struct hoy_error *err);

/* terminal.c */
int step_terminal(struct init *init, struct hoy_error *err);
int step_console(struct init *init, struct hoy_error *err);
int step_stdio(struct init *init, struct hoy_error *err);

/* hooks.c */
int step_runtime_hooks(struct init *init, struct hoy_error *err);
int step_create_container_hooks(struct init *init, struct hoy_error *err);
int step_start_container_hooks(struct init *init, struct hoy_error *err);

/* process.c */
int step_prepare(struct init *init, struct hoy_error *err);
int step_scheduling(struct init *init, struct hoy_error *err);
int step_scheduler(struct init *init, struct hoy_error *err);
/** The affinity of a further process while it is not yet in the container's cgroup. */
int affinity_before_cgroup(const struct plan *plan, struct hoy_error *err);
int step_make_cwd(struct init *init, struct hoy_error *err);
int step_home(struct init *init, struct hoy_error *err);
int step_rlimits(struct init *init, struct hoy_error *err);
int step_executable(struct init *init, struct hoy_error *err);
int step_descriptors(struct init *init, struct hoy_error *err);

/**
 * Fails for a program that cannot be run, with the status that shells and engines know: 127 if
 * there is none, 126 if it cannot be executed. @returns -1
 */
int fail_program(struct hoy_error *err, const char *at, int code, const char *verb,
		 const char *object);

/* confine.c */
int step_identity(struct init *init, struct hoy_error *err);
int step_cwd(struct init *init, struct hoy_error *err);
int step_label(struct init *init, struct hoy_error *err);
int step_self_check(struct init *init, struct hoy_error *err);
int step_capabilities(struct init *init, struct hoy_error *err);
int step_no_new_privileges(struct init *init, struct hoy_error *err);
int step_execute(struct init *init, struct hoy_error *err);

/* gate.c */
int step_commit(struct init *init, struct hoy_error *err);
int step_gate(struct init *init, struct hoy_error *err);
int step_execing(struct init *init, struct hoy_error *err);

/**
 * Makes effective what the process itself will have (`own`), or all that is permitted. Between
 * identity and the final capabilities.
 */
int capabilities_use(const struct init *init, bool own, struct hoy_error *err);

/* mount_attributes.c */
/** Applies attributes to a mount; locked flags of the source (user namespace) are kept. */
int attributes_apply(int mount, const struct plan_attributes *attributes, bool readonly_late,
		     const char *at, struct hoy_error *err);

/**
 * Whether a new mount has these as soon as fsmount(2) has set its flags: it is private and alone,
 * and there is nothing to be cleared.
 */
bool attributes_are_initial(const struct plan_attributes *attributes);

/** Maps the ids of a detached mount, where the plan wants that. */
int attributes_idmap(const struct launch_fds *fds, const struct plan *plan, size_t index, int mount,
		     struct hoy_error *err);

/* staging.c */
/** Puts idmapped bind sources where init, which may not map ids itself, can clone them. */
int stage_sources(const struct plan *plan, const struct launch_fds *fds, struct hoy_error *err);
/** The path of a staged source below fds->staging. */
void staging_path(const struct launch_fds *fds, size_t index, char *path, size_t size);

/* copy_up.c */
/** Copies what is in one directory into another, ids and modes kept, links not followed. */
int copy_up(int from, int to, const char *at, struct hoy_error *err);

/* listener.c */
int step_listener(struct init *init, struct hoy_error *err);
/** Hands the listener over and waits for the thread; makes no system call. */
void listener_hand_over(int fd);

#endif
