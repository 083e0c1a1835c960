/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOY_CONTAINER_H
#define HOY_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hoy/error.h>
#include <hoy/log.h>

#pragma GCC visibility push(default)

/**
 * The operations of the OCI runtime specification (runtime.md#operations) and those that engines
 * expect beside them. libhoy never prints, exits, or changes its caller's process: no umask,
 * signal mask, working directory, environment or subreaper setting is touched. Only while
 * hoy_create(), hoy_start(), hoy_run(), hoy_exec() and hoy_mounts_*() run may the calling thread be
 * kept on one CPU; hooks, the container and the caller afterwards have the affinity they would have
 * had.
 *
 * A caller that lets the container share any namespace with the host should itself run from a
 * binary that the container cannot reach (see libhoy(3), "The runtime's binary").
 */

enum hoy_cgroup_manager {
	HOY_CGROUP_CGROUPFS,
	HOY_CGROUP_SYSTEMD,
	HOY_CGROUP_DISABLED,
};

enum hoy_tristate {
	HOY_AUTO = -1,
	HOY_NO = 0,
	HOY_YES = 1,
};

/** What all operations share. A zeroed struct with state_root set is valid. */
struct hoy_context {
	/** Directory that holds a directory per container; made 0700 if missing. */
	const char *state_root;
	enum hoy_cgroup_manager cgroup_manager;
	/**
	 * To the letter of the specification: every warning about the configuration is an error,
	 * `delete` wants a stopped container, a process without umask has the caller's.
	 */
	bool strict;
	/** Whether to act as for an unprivileged caller. HOY_NO is 0, so set HOY_AUTO to detect. */
	enum hoy_tristate rootless;
	/** Receives log entries up to and including this level; may be NULL. */
	hoy_log_fn *log;
	void *log_data;
	enum hoy_log_level log_level;
};

struct hoy_create_options {
	/** Bundle directory; NULL is the working directory. */
	const char *bundle;
	/** Configuration file; NULL is config.json in the bundle. */
	const char *config_file;
	/** Socket that receives the terminal's master, or NULL. */
	const char *console_socket;
	/** File that receives init's pid, or NULL. */
	const char *pid_file;
	/** Socket that receives a pidfd of init, or NULL. */
	const char *pidfd_socket;
	/** Descriptors 3 .. 3+N-1 stay open in the container's process; they must be open already.
	 */
	unsigned int preserve_fds;
	/** How many socket-activation descriptors (LISTEN_FDS) follow 2; they count as preserved.
	 */
	unsigned int listen_fds;
	bool no_pivot;
	bool no_new_keyring;
	/** The container gets a notify socket of its own ($NOTIFY_SOCKET, sd_notify(3)); what it
	 *  says there hoy_start() or hoy_run() passes on. */
	bool notify;
	/** Foreground terminal: the master is returned in ret_terminal instead of being sent. */
	int *ret_terminal;
	/** A pidfd of init for the caller, who is its parent; may be NULL. */
	int *ret_pidfd;
	/** Init's pid; may be NULL. */
	int *ret_pid;
};

int hoy_create(const struct hoy_context *context, const char *id,
	       const struct hoy_create_options *options, struct hoy_error *err);

/**
 * What hoy_create() would do, as text of one entry a line or as a JSON object; nothing is done. The
 * text is for people, the JSON for programs that know this version.
 * @param id        that the container would have
 * @param ret_text  release with free()
 */
int hoy_explain(const struct hoy_context *context, const char *id,
		const struct hoy_create_options *options, bool as_json, char **ret_text,
		struct hoy_error *err);

/**
 * What hoy_run() knows of a container, so that hoy_container_delete() need not find it out again.
 * It keeps three descriptors and the configuration, and nobody from the container.
 */
struct hoy_container;

struct hoy_start_options {
	/**
	 * The service manager's socket (sd_notify(3)), '@' before an abstract name; NULL for none.
	 * The call then returns when the container, made with `notify`, says that it is ready, or
	 * has ended.
	 */
	const char *notify_socket;
	/** Instead of waiting: the container's notify socket, for hoy_notify(); -1 if it has none.
	 */
	int *ret_notify;
	/** Called before the gate is opened, to prepare for what the process will do; may be NULL.
	 *  It must start no thread or program: it may be kept on one CPU. */
	int (*before)(void *data, struct hoy_error *err);
	void *data;
	/** Set by hoy_run(), not by hoy_start(), if it succeeds: release with
	 *  hoy_container_done(); may be NULL. */
	struct hoy_container **ret_container;
};

/** @param options  may be NULL */
int hoy_start(const struct hoy_context *context, const char *id,
	      const struct hoy_start_options *options, struct hoy_error *err);

/**
 * hoy_create() and hoy_start() under one lock: nobody else can come in between, and what the second
 * would have to find out about the container is known. On failure nothing of it is left; what the
 * options of create have handed out by then is the caller's to close.
 * @param start  may be NULL
 */
int hoy_run(const struct hoy_context *context, const char *id,
	    const struct hoy_create_options *create, const struct hoy_start_options *start,
	    struct hoy_error *err);

/**
 * Takes one message of a container's notify socket. Of all that can be said there only READY=1 is
 * passed on, together with MAINPID.
 * @param notify_socket  as in struct hoy_start_options; NULL passes nothing on
 * @param pid            what the service manager shall watch
 * @returns 1 if it was READY=1, 0 for any other or none, -1 if it could not be passed on
 */
int hoy_notify(int fd, const char *notify_socket, int pid, struct hoy_error *err);

struct hoy_kill_options {
	int signal;
	/** Every process of the container, not only init. */
	bool all;
};

int hoy_kill(const struct hoy_context *context, const char *id,
	     const struct hoy_kill_options *options, struct hoy_error *err);

/**
 * @param force  kills a running container first and works from any state, also a damaged one;
 *               a container that does not exist is then no error
 */
int hoy_delete(const struct hoy_context *context, const char *id, bool force,
	       struct hoy_error *err);

/**
 * hoy_delete() by force of what hoy_run() has made, in the same state root. It may have been
 * changed since. If it was deleted already that is no error, and another of the same name is let
 * be. In any case hoy_container_done() is due afterwards.
 */
int hoy_container_delete(const struct hoy_context *context, struct hoy_container *container,
			 struct hoy_error *err);

/** Forgets it; the container is not touched. @param container  may be NULL */
void hoy_container_done(struct hoy_container *container);

struct hoy_exec_options {
	/** JSON file with a process object, or NULL if args is given. */
	const char *process_file;
	/** argv, NULL-terminated, or NULL if process_file is given. */
	char *const *args;
	const char *cwd;
	/** "UID[:GID]" */
	const char *user;
	/** NULL-terminated lists, or NULL. */
	char *const *env;
	char *const *additional_gids;
	char *const *capabilities;
	const char *process_label;
	const char *apparmor;
	const char *console_socket;
	const char *pidfd_socket;
	const char *pid_file;
	/** "[CONTROLLER:]PATH" below the container's cgroup, or NULL. */
	const char *cgroup;
	unsigned int preserve_fds;
	bool terminal;
	bool no_new_privileges;
	bool ignore_paused;
	bool detach;
	int *ret_terminal;
	int *ret_pidfd;
	int *ret_pid;
};

/** Starts one more process in a running container; returns when its program has been executed. */
int hoy_exec(const struct hoy_context *context, const char *id,
	     const struct hoy_exec_options *options, struct hoy_error *err);

int hoy_pause(const struct hoy_context *context, const char *id, struct hoy_error *err);
int hoy_resume(const struct hoy_context *context, const char *id, struct hoy_error *err);

/** What becomes of cgroup settings that CRIU has dumped; it knows the modes by these words. */
enum hoy_criu_cgroups {
	/** Those of cgroups that have to be made: hoy makes the container's own. */
	HOY_CRIU_CGROUPS_SOFT,
	/** All of them, whatever the configuration says. */
	HOY_CRIU_CGROUPS_FULL,
	/** As full, and it is an error if a cgroup is there already. */
	HOY_CRIU_CGROUPS_STRICT,
	/** Processes stay where restore is called. */
	HOY_CRIU_CGROUPS_IGNORE,
};

/** How CRIU keeps packets away from a network namespace that it dumps. */
enum hoy_network_lock {
	/** CRIU's own choice. */
	HOY_NETWORK_LOCK_DEFAULT,
	HOY_NETWORK_LOCK_IPTABLES,
	HOY_NETWORK_LOCK_NFTABLES,
	HOY_NETWORK_LOCK_SKIP,
};

/** What checkpoint and restore share; criu(8) explains the options of the same names. */
struct hoy_criu_options {
	/** Directory of the images; NULL is "checkpoint" in the working directory. */
	const char *image_path;
	/** Directory of logs and statistics; NULL is that of the images. */
	const char *work_path;
	enum hoy_criu_cgroups cgroups;
	enum hoy_network_lock network_lock;
	bool tcp_established;
	bool ext_unix_sk;
	bool shell_job;
	bool file_locks;
	bool link_remap;
	bool auto_dedup;
	/** The network namespace is neither dumped nor filled. */
	bool empty_network;
};

struct hoy_checkpoint_options {
	struct hoy_criu_options criu;
	/** Images of an earlier pre-dump, relative to image_path, or NULL. */
	const char *parent_path;
	/** "ADDRESS:PORT" of a page server that takes the memory, or NULL. */
	const char *page_server;
	bool leave_running;
	/** Only the memory; the container runs on, and a dump with parent_path is to follow. */
	bool pre_dump;
	bool tcp_skip_in_flight;
};

/**
 * Writes all processes of a running or paused container to images, by CRIU. Unless it is left
 * running (or only pre-dumped) it is stopped afterwards, and the images can take its place:
 * hoy_restore() under the same id needs no hoy_delete() in between.
 */
int hoy_checkpoint(const struct hoy_context *context, const char *id,
		   const struct hoy_checkpoint_options *options, struct hoy_error *err);

struct hoy_restore_options {
	struct hoy_criu_options criu;
	/** Bundle directory; NULL is the working directory. */
	const char *bundle;
	/** Socket that receives the terminal's master, or NULL. */
	const char *console_socket;
	/** File that receives init's pid, or NULL. */
	const char *pid_file;
	/** "TYPE:NAME" for all processes instead of what they had, or NULL. */
	const char *lsm_profile;
	/** SELinux context for all mounts that have one, or NULL. */
	const char *lsm_mount_context;
	/** Descriptors 3 .. 3+N-1 take the place of those that were preserved for create. */
	unsigned int preserve_fds;
	bool tcp_close;
	bool no_pivot;
	/** Foreground terminal: the master is returned in ret_terminal instead of being sent. */
	int *ret_terminal;
	/** A pidfd of init for the caller, who is its parent; may be NULL. */
	int *ret_pidfd;
	/** Init's pid; may be NULL. */
	int *ret_pid;
};

/**
 * Makes a container from a bundle and the images of hoy_checkpoint(): it is running when this
 * returns. Descriptors 0 to 2 of the caller take the place of those that create was given. On
 * failure nothing of it is left.
 */
int hoy_restore(const struct hoy_context *context, const char *id,
		const struct hoy_restore_options *options, struct hoy_error *err);

/**
 * Whether checkpoint and restore are possible here: they are in this build, libcriu can be loaded
 * and `criu check` succeeds. @returns 0, or -1 with the reason
 */
int hoy_checkpoint_check(struct hoy_error *err);

struct hoy_update_options {
	/** JSON text of a linux.resources object, or NULL; what it does not name stays. Lists are
	 *  replaced as a whole. */
	const char *resources;
	/** As in linux.intelRdt, or NULL. */
	const char *l3_cache_schema, *mem_bw_schema;
};

/**
 * Changes limits of a container. Either all of it holds afterwards and is saved with the container,
 * or the old values do.
 */
int hoy_update(const struct hoy_context *context, const char *id,
	       const struct hoy_update_options *options, struct hoy_error *err);

/**
 * Mounts what the file lists (JSON, a list as `mounts` of a configuration) in a running container.
 * If one cannot be mounted, those before it are taken out again.
 */
int hoy_mounts_add(const struct hoy_context *context, const char *id, const char *file,
		   struct hoy_error *err);

/** Takes such mounts out, the last one first. Nothing but `destination` is needed of each. */
int hoy_mounts_remove(const struct hoy_context *context, const char *id, const char *file,
		      struct hoy_error *err);

/**
 * The pids of all processes of a container, as seen here, sorted.
 * @param ret_pids  release with free()
 */
int hoy_processes(const struct hoy_context *context, const char *id, int **ret_pids,
		  size_t *ret_len, struct hoy_error *err);

/** What the container uses, as the `data` member of an event (JSON); release with free(). */
int hoy_statistics(const struct hoy_context *context, const char *id, char **ret_json,
		   struct hoy_error *err);

enum hoy_oom {
	HOY_OOM_TIMEOUT,
	HOY_OOM_KILLED,
	/** No process is left; all kills have been told. */
	HOY_OOM_ENDED,
};

/** No kill is known: what happened before the call does not count. */
#define HOY_OOM_FROM_NOW UINT64_MAX

/**
 * Waits until a process of the container was killed for lack of memory.
 * @param timeout_ms  -1 = none
 * @param kills       how many kills the caller knows of already, or HOY_OOM_FROM_NOW; set to how
 *                    many there are now, for the next call
 * @returns an enum hoy_oom, or -1
 */
int hoy_wait_oom(const struct hoy_context *context, const char *id, int timeout_ms, uint64_t *kills,
		 struct hoy_error *err);

/** Whether an id is acceptable: [A-Za-z0-9_+.-], 1 to 240 bytes, first neither '.' nor '-'. */
bool hoy_id_is_valid(const char *id);

#pragma GCC visibility pop

#endif
