/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record of a container and the directory that holds it. Written ahead of every side effect,
 * so that whatever kills the runtime, `delete --force` finds everything and harms no stranger.
 * Runs in the runtime only. Nothing here is ever opened by name from inside a container.
 *
 *   STATE_ROOT/ID/        0700, flock(2)ed by commands that change the container
 *       state.json        struct state_record, replaced as a whole
 *       config.json       the configuration as create read it; exec and update read it
 *       go, result        the start gate
 *       notify/           the container's notify socket, in a directory that it has mounted
 *       cgroup, init      what `delete --force` needs if state.json is damaged
 */
#ifndef HOY_STATE_STATE_H
#define HOY_STATE_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <hoy/container.h>
#include <hoy/state.h>

#include "base/arena.h"
#include "plan/plan.h"

#define STATE_FILE	  "state.json"
#define STATE_CONFIG_FILE "config.json"
#define STATE_NOTIFY	  "notify"

enum state_phase {
	/** Nothing outside the directory may exist but what the record names as intended. */
	STATE_PHASE_CREATING,
	/** create has succeeded; whether the program runs is told by the gate. */
	STATE_PHASE_CREATED,
	/** checkpoint has ended it: restore may take its place. */
	STATE_PHASE_CHECKPOINTED,
	/** Processes, mounts and cgroup are gone; poststop hooks may be running. */
	STATE_PHASE_DELETED,
};

/** A group of resctrl that the container's processes are in. */
struct state_resctrl {
	/** Directory below the file system's root, "" for the root; NULL = none. */
	const char *group;
	/** Made for this container, or about to be: removed with it. */
	bool made_group, made_monitoring;
};

/** What is known of a container. Strings are never NULL unless said; all in one arena. */
struct state_record {
	enum state_phase phase;
	const char *id, *bundle, *rootfs, *oci_version;
	/** RFC 3339 with nanoseconds, UTC. */
	const char *created;
	uid_t owner;

	enum hoy_cgroup_manager cgroup_manager;
	/** Absolute directory in the cgroup2 tree, "" = none. */
	const char *cgroup;
	/** Its inode number once hoy knows that it made it, 0 = only intended. */
	uint64_t cgroup_inode;
	/** Cgroups above it that were made for it. */
	unsigned int cgroup_made_above;
	/** systemd unit, "" = none. */
	const char *unit;
	/** Device program's id for replacement, 0 = none. */
	uint32_t device_program;

	/** Init; 0 = not cloned yet. Valid only with this start time, inode and boot id. */
	pid_t pid;
	uint64_t start_time;
	/** Of its pidfd, 0 = the kernel has no such numbers. Start times count in 10 ms. */
	uint64_t pid_inode;
	const char *boot_id;
	/** Init is pid 1 of a pid namespace of its own: its end is the end of all. */
	bool private_pid_namespace;
	/** CLONE_NEW* flags of the namespaces that differ from the runtime's. */
	uint64_t namespaces;
	struct state_resctrl resctrl;
	/** `start` writes the late ones of them when init asks (see GATE_LIMITS); no others are
	 * kept.
	 */
	struct plan_cgroup_write *late_writes;
	size_t late_writes_len;
	/** The configuration has a process, so `start` is possible. */
	bool has_process;
	bool no_new_privileges;
	/** The container has a session keyring of its own, which `exec` joins. */
	bool new_keyring;

	/** Mounts made in the runtime's own mount namespace, in order, as host_mounts.c writes
	 *  them; delete undoes them in reverse. */
	const char **host_mounts;
	size_t host_mounts_len;

	/** The descriptors that the process has of its caller, by number, in CRIU's words; "" for
	 *  those that are none of his: descriptors.h. */
	const char **descriptors;
	size_t descriptors_len;

	struct plan_parameter *annotations;
	size_t annotations_len;
	/** Only PLAN_START_CONTAINER onwards are kept: poststart and poststop. */
	struct plan_hooks poststart, poststop;
};

/** Fails with the rule in the text if hoy_id_is_valid() is false. */
int state_check_id(const char *id, struct hoy_error *err);

/**
 * The state root; with `make` missing directories are made 0700. One that another user owns, or
 * that all may write, is refused.
 * @returns a descriptor, -ENOENT if there is none, or -1
 */
int state_root_open(const struct hoy_context *context, bool make, struct hoy_error *err);

/** A container's directory, held open and (if locked) flock(2)ed. */
struct state_dir {
	/** The state root; not owned. */
	int root;
	int fd;
	bool locked;
	/** Name under which it now stands below the root. */
	char name[256];
};

#define STATE_DIR_NONE ((struct state_dir){ .root = -1, .fd = -1 })

/**
 * Makes a directory under a temporary name, locked; fails with "already exists" if the id is taken.
 * state_dir_publish() gives it its name (renameat2, RENAME_NOREPLACE).
 */
int state_dir_make(int root, const char *id, struct state_dir *ret_dir, struct hoy_error *err);
int state_dir_publish(struct state_dir *dir, const char *id, struct hoy_error *err);

/** Opens an existing container's directory. @returns 0, -ENOENT ("does not exist"), or -1 */
int state_dir_open(int root, const char *id, struct state_dir *ret_dir, struct hoy_error *err);

/**
 * Takes the lock by the deadline and checks that the directory still has its name.
 * @returns 0, -EBUSY at the deadline, -ENOENT if it was deleted meanwhile, or -1
 */
int state_dir_lock(struct state_dir *dir, const char *id, int64_t deadline_ms,
		   struct hoy_error *err);

/**
 * Gives up the lock; the descriptor stays open.
 * @returns what tells state_dir_lock_again() that the record is still the same; to be closed, or -1
 */
int state_dir_unlock(struct state_dir *dir);

/**
 * Takes the lock once more if it is to be had at once; dir->locked says whether it is.
 * @returns 1 if the record is the same as then, -ENOENT if the container was deleted meanwhile,
 * whatever its name stands for now; 0 if it was changed, is another's to change, or cannot be told
 */
int state_dir_lock_again(struct state_dir *dir, int version);

/** Whether it was deleted since it was opened: then what could not be read is no damage. */
bool state_dir_is_gone(const struct state_dir *dir);

/**
 * Removes the directory with all it holds, the id first. A file that hoy does not make is an error
 * and nothing is removed.
 */
int state_dir_remove(struct state_dir *dir, struct hoy_error *err);

/** Removes temporary directories of this id whose maker has died. */
void state_dir_sweep(int root, const char *id);

/** Makes the directory of the notify socket, which anybody may look into. */
int state_dir_make_notify(const struct state_dir *dir, struct hoy_error *err);

/** Closes the descriptor and with it drops the lock. */
void state_dir_done(struct state_dir *dir);

int state_write(const struct state_dir *dir, const struct state_record *record,
		struct hoy_error *err);

/**
 * Notes the cgroup's inode number by one system call, before a process is put into the cgroup;
 * state_read() knows it from then on. The next state_write() has it too.
 */
int state_note_cgroup(const struct state_dir *dir, const struct state_record *record,
		      struct hoy_error *err);

/** Whether an error of state_read() is about the file, and not about our own means to read it. */
bool state_is_damage(const struct hoy_error *err);

/** The same for init, as state_set_init() has it, before init may pass a barrier. */
int state_note_init(const struct state_dir *dir, const struct state_record *record,
		    struct hoy_error *err);

int state_read(const struct state_dir *dir, struct arena *arena, struct state_record **ret_record,
	       struct hoy_error *err);

/**
 * Whether the record says the same of cgroup and init as the copies do that state_write() has left:
 * a record that was changed behind our back can be well formed. @returns 0, or -1
 */
int state_compare_copies(const struct state_dir *dir, const struct state_record *record,
			 struct hoy_error *err);

/**
 * What can be known of a container whose state.json is missing or damaged: cgroup and init, from
 * copies that state_write() leaves beside it. Members that no copy holds are 0 and "".
 * @param ret_has_mounts  mounts in the host's mount namespace were recorded and cannot be told
 */
int state_salvage(const struct state_dir *dir, struct arena *arena,
		  struct state_record **ret_record, bool *ret_has_mounts);

/** This boot's id (/proc/sys/kernel/random/boot_id), 37 bytes. */
int state_boot_id(char buffer[37]);

/** Records who init is: pid, start time, inode. @returns 0 or -errno (silent) */
int state_set_init(struct state_record *record, int procfs, pid_t pid, int pidfd);

/** Whether the container was created since the kernel started; true if that cannot be told. */
bool state_is_of_this_boot(const struct state_record *record);

/**
 * Finds init by pid, start time, inode and boot id.
 * @returns 1 and a pidfd, 0 if it has ended (or never was), -1
 */
int state_find_init(const struct state_record *record, int *ret_pidfd, struct hoy_error *err);

/**
 * The container's present status (runtime.md#state), from the record, the process and the gate.
 * @param ret_pidfd  if not NULL: a pidfd of init, verified by its start time, or -1 if it has ended
 */
int state_status(const struct state_dir *dir, const struct state_record *record,
		 enum hoy_status *ret_status, int *ret_pidfd, struct hoy_error *err);

/* ---- the start gate: gate.c ---- */

/** Makes both FIFOs in the directory. */
int gate_make(const struct state_dir *dir, struct hoy_error *err);

/** Init's ends, opened O_RDWR by the runtime before the clone: go for reading, result for writing.
 */
int gate_open_init(const struct state_dir *dir, int *ret_go, int *ret_result,
		   struct hoy_error *err);

/** `start`'s ends. @returns 0, or -ENXIO if nobody waits at the gate, or -errno (silent) */
int gate_open_start(const struct state_dir *dir, int *ret_go, int *ret_result);

/** Whether init waits at the gate: the difference between created and running. */
bool gate_is_closed(const struct state_dir *dir);

#endif
