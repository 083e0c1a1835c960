/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRIU, by libcriu: what it is asked for as data, and the only code that calls the library. What
 * is asked for is composed by criu_request.c. Runs in the runtime. Spec: criu(8).
 */
#ifndef HOY_RUNTIME_CRIU_H
#define HOY_RUNTIME_CRIU_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <hoy/error.h>

enum criu_action {
	CRIU_DUMP,
	CRIU_PRE_DUMP,
	CRIU_RESTORE,
};

/** As libcriu counts them. */
enum criu_cgroup_mode {
	CRIU_CGROUPS_IGNORE = 0,
	CRIU_CGROUPS_SOFT = 3,
	CRIU_CGROUPS_FULL = 4,
	CRIU_CGROUPS_STRICT = 5,
};

/** A mount that CRIU leaves to us: dump gives it a name, restore finds its source by that. */
struct criu_mount {
	/** dump: mount point in the container, name; restore: name, path on the host. */
	const char *key, *value;
};

/** A descriptor of ours that takes the place of what was dumped under this name. */
struct criu_descriptor {
	int fd;
	const char *key;
};

/** A namespace that restored processes join. */
struct criu_join {
	/** "ipc" */
	const char *type;
	const char *path;
};

/** What CRIU is to do. Whatever is 0, NULL or false is left at CRIU's default. */
struct criu_request {
	enum criu_action action;
	/** Dump: the root of the process tree, in our pid namespace. */
	int pid;
	/** Directories of images and logs; work is 0 where they are the same. */
	int images, work;
	/** Name of the log in the directory of logs. */
	const char *log;
	const char *root, *parent, *freeze_cgroup, *config_file, *lsm_profile, *lsm_mount_context;
	/** Restore: takes the place of the cgroup that was dumped, from the root of cgroup2. */
	const char *cgroup_root;
	enum criu_cgroup_mode cgroup_mode;
	/** cgroup.procs of the cgroup that CRIU itself and all it makes is born into; 0 = ours. */
	int cgroup_procs;
	/** An enum hoy_network_lock: libcriu's numbers. */
	int network_lock;
	/** CLONE_NEWNET or 0. */
	int empty_namespaces;
	const char *page_server;
	int page_server_port;
	bool leave_running, track_memory, tcp_established, tcp_skip_in_flight, tcp_close;
	bool ext_unix_sk, shell_job, file_locks, link_remap, auto_dedup, evasive_devices;
	bool orphan_terminal;
	struct criu_mount *mounts;
	size_t mounts_len;
	/** What is not dumped but found again by its name: "net[INODE]:NAME". */
	const char **externals;
	size_t externals_len;
	/** Restore: must survive an execve. */
	struct criu_descriptor *descriptors;
	size_t descriptors_len;
	struct criu_join *joins;
	size_t joins_len;
	/**
	 * Called at each stage, which CRIU leaves only afterwards; may be NULL.
	 * @param stage     as criu(8) names the actions of scripts
	 * @param pid       the restored root process, 0 where there is none
	 * @param terminal  at "orphan-pts-master": the master, which the callee owns; else -1
	 * @returns 0, or -1 to give up
	 */
	int (*notify)(const char *stage, pid_t pid, int terminal, void *data);
	void *data;
};

/**
 * Has CRIU do it. A failure tells the last errors of CRIU's log, and where that is.
 * @returns 0; for CRIU_RESTORE the pid of the root process, a child of the caller's; or -1
 */
int criu_run(const struct criu_request *request, struct hoy_error *err);

/** Whether CRIU works here: libcriu can be loaded and `criu check` succeeds. */
int criu_check(struct hoy_error *err);

/**
 * Opens (and for a dump makes) the directories of images and logs that the options name.
 * @param ret_work  -1 where it is that of the images
 */
struct hoy_criu_options;
int criu_open_directories(const struct hoy_criu_options *options, bool make, int *ret_images,
			  int *ret_work, struct hoy_error *err);

/* ---- criu_log.c ---- */

/**
 * The last errors of a log of CRIU, without times and places in its sources, "; " between them.
 * @param text  the log or its end
 * @returns their number; 0 leaves the buffer empty
 */
unsigned int criu_log_errors(const char *text, char *buffer, size_t size);

/** Adds the last errors of CRIU's log, and its path, to a failure of `what`. @returns -1 */
int criu_log_fail(int directory, const char *name, const char *what, struct hoy_error *err);

#endif
