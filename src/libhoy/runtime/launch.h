/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime's side of making a process in a container: clones init (or bootstrap), answers what
 * init asks, and knows nothing of the order of set-up. create and exec use it alike.
 */
#ifndef HOY_RUNTIME_LAUNCH_H
#define HOY_RUNTIME_LAUNCH_H

#include <sys/types.h>

#include <hoy/error.h>

#include "base/arena.h"
#include "base/log.h"
#include "cgroup/driver.h"
#include "host.h"
#include "init/init.h"
#include "plan/causes.h"
#include "plan/plan.h"
#include "runtime/netdevice.h"
#include "runtime/turns.h"

struct launch {
	const struct plan *plan;
	/** For the causes of failures. */
	const struct host *host;
	const struct log *log;
	/** What init gets; the caller sets lock, go, result, exec_root, joins, root identity. */
	struct launch_fds fds;
	/** Our end of the socket. */
	int socket;
	/** Our own /proc, verified. */
	int procfs;
	pid_t pid;
	int pidfd;
	/** With a bootstrap: pid and pidfd are no longer its own, but init's. */
	bool adopted;
	/** What init has said so far, a bit for each type. */
	uint32_t heard;
	/** What init has said before bootstrap told of it, each with its descriptor. */
	struct launch_early {
		uint32_t type;
		int fd;
	} early[2];
	size_t early_len;
	/** `exec`: the pid of the container's init, for the seccomp agent; 0 = init is what we
	 * launch. */
	pid_t container_pid;
	/** The terminal's master once init has sent it. */
	int terminal;
	/**
	 * `exec`: the cgroup that init is moved to as soon as it is known, if bootstrap could not
	 * be cloned into it (fds.cgroup). A move is allowed where a fork inside would exceed
	 * pids.max.
	 */
	struct cgroup_target move_to;
	/** For cgroup drivers that adopt, and to see whether init was killed for lack of memory. */
	struct cgroup *cgroup;
	/** From the clone to the end of launch_serve(), but for hooks and helpers. */
	struct turns turns;
	/** They go on after launch_serve(): the caller opens the gate next. */
	bool keeps_turns;
	/** Puts network devices back unless the container comes to be. */
	struct netdevice_keeper net_devices;
	/** A createContainer or earlier hook has been run: poststop is due if create fails. */
	bool hooks_ran;
	/** Called when init is known (pid, pidfd), before it may pass any barrier. */
	int (*on_cloned)(struct launch *launch, void *data, struct hoy_error *err);
	/** Called when init is set up, just before it is told to outlive us. */
	int (*on_created)(struct launch *launch, void *data, struct hoy_error *err);
	void *data;
};

#define LAUNCH_FDS_NONE                             \
	((struct launch_fds){ .socket = -1,         \
			      .runtime_socket = -1, \
			      .lock = -1,           \
			      .go = -1,             \
			      .result = -1,         \
			      .cgroup = -1,         \
			      .procfs = -1,         \
			      .exec_root = -1,      \
			      .listener = -1,       \
			      .hook_stdout = -1,    \
			      .hook_stderr = -1 })
#define LAUNCH_NONE                                \
	((struct launch){ .fds = LAUNCH_FDS_NONE,  \
			  .socket = -1,            \
			  .procfs = -1,            \
			  .pidfd = -1,             \
			  .terminal = -1,          \
			  .move_to = { .fd = -1 }, \
			  .net_devices = NETDEVICE_KEEPER_NONE })

/** Opens what init will need: the socket pair, /proc, namespaces by path, the seccomp agent. */
int launch_prepare(struct launch *launch, struct arena *arena, struct hoy_error *err);

/** Idmapped sources are staged over the container's directory, in a mount namespace of their own.
 */
int launch_find_staging(struct launch *launch, int directory, struct arena *arena,
			struct hoy_error *err);

/** Clones init. @returns 0 with pid and pidfd set */
int launch_clone(struct launch *launch, struct hoy_error *err);

/**
 * Serves init until it has been committed; for `exec` (no gate) until its program has been
 * executed, for `mounts` until it is done. On failure err is what init or the runtime saw first, or
 * why init died.
 */
int launch_serve(struct launch *launch, struct hoy_error *err);

/** Kills and reaps init unless it was given away; closes everything. */
void launch_done(struct launch *launch);

/** Adds what probably caused an error to it, where that is known: causes.h. @returns -1 */
int launch_explain(const struct launch *launch, enum failure failure, struct hoy_error *err);

/** Writes id maps: maps.c. */
int launch_write_maps(struct launch *launch, struct hoy_error *err);

/** Makes a user namespace for the mapping of each idmapped mount: maps.c. */
int launch_make_idmaps(struct launch *launch, struct hoy_error *err);

/** Opens /proc and makes sure that it is the root of a procfs. @returns a descriptor or -1 */
int launch_open_procfs(struct hoy_error *err);

#endif
