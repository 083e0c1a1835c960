/* SPDX-License-Identifier: Apache-2.0 */
/* Processes by pidfd: clone3(2), waiting with a deadline, signals. Silent functions. */
#ifndef HOY_SYS_PROCESS_H
#define HOY_SYS_PROCESS_H

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * clone3(2) without sharing memory: returns twice, as fork(2).
 * @param flags       CLONE_NEW*, CLONE_PARENT
 * @param cgroup      directory descriptor for CLONE_INTO_CGROUP, or -1
 * @param exit_signal SIGCHLD, or 0 with CLONE_PARENT
 * @param ret_pidfd   set in the parent; may be NULL
 * @returns the child's pid in the parent, 0 in the child, or -errno
 */
pid_t process_clone(uint64_t flags, int cgroup, int exit_signal, int *ret_pidfd);

/**
 * Whether our user namespace is the initial one, in which every id is itself (user_namespaces(7)).
 * @returns 1, 0, or -errno where /proc does not tell
 */
int process_in_initial_user_namespace(void);

int process_pidfd_open(pid_t pid);

/** A pidfd's inode number, which no other process of this boot has. @returns 0 before Linux 6.9 */
uint64_t process_inode(int pidfd);

/** pidfd_send_signal(2); -ESRCH if it has ended and been reaped. */
int process_signal(int pidfd, int signal);

/**
 * Waits for a child until the deadline (clock_ms() scale, -1 = none).
 * @param ret_status  as WEXITSTATUS, or 128 + signal; may be NULL
 * @returns 1 when reaped, 0 at the deadline, or -errno (-ECHILD: not ours)
 */
int process_wait(int pidfd, int64_t deadline_ms, int *ret_status);

/** Waits until the process has ended, whoever its parent is. @returns 1, 0 at deadline, -errno */
int process_wait_end(int pidfd, int64_t deadline_ms);

/** Whether it is a child of the calling process that has not been reaped. @returns 1, 0, -errno */
int process_is_child(int pidfd);

/** SIGKILL and reap; for children only, ignores that it may have ended. */
void process_kill_and_reap(int pidfd);

/** Sets all signals to their default and unblocks all. Between clone and execve only. */
int process_reset_signals(void);

/**
 * Lets this process run on every CPU that its cgroup allows: the affinity of whoever has called us
 * (an engine, a monitor) is not meant for containers.
 */
int process_reset_affinity(void);

#endif
