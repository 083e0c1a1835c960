/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of state/ share about the directory of a container. */
#ifndef HOY_STATE_DIRECTORY_H
#define HOY_STATE_DIRECTORY_H

#define STATE_GATE_GO	  "go"
#define STATE_GATE_RESULT "result"
/* Symlinks that are never followed: their targets are text, see copies.c. */
#define STATE_COPY_CGROUP  "cgroup"
#define STATE_COPY_INIT	   "init"
#define STATE_COPY_MOUNTS  "mounts"
#define STATE_COPY_RESCTRL "resctrl"

struct dirent;
typedef int directory_function(int dirfd, const struct dirent *entry, void *data);

/**
 * Calls a function for each name in a directory but "." and "..", until it returns < 0. Silent.
 * @param dirfd  open for reading, and read by nobody else meanwhile
 * @returns its last result, or -errno
 */
int directory_each(int dirfd, directory_function *function, void *data);

#endif
