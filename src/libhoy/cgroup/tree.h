/* SPDX-License-Identifier: Apache-2.0 */
/* Directories of the cgroup2 tree, by descriptor. Silent functions; runtime only. */
#ifndef HOY_CGROUP_TREE_H
#define HOY_CGROUP_TREE_H

#include <stdint.h>

/**
 * Opens a directory of the cgroup2 tree by its absolute path, following no symlink.
 * @returns a descriptor, -ENOTSUP if it is a directory of another file system, or -errno
 */
int tree_open(const char *path);

/** Opens a directory below another one; neither symlinks nor mounts are crossed. */
int tree_open_below(int dirfd, const char *path);

/**
 * Calls `visit` with a descriptor of every cgroup below `dirfd` and of `dirfd` itself, parents
 * first. Holds two descriptors however deep the tree is; what is made or removed meanwhile may be
 * missed.
 * @returns 0, or the first negative value that visit() returned, or -errno
 */
int tree_visit(int dirfd, int (*visit)(int dirfd, void *data), void *data);

/**
 * Removes all cgroups below `dirfd`, deepest first, and waits for those whose processes are still
 * ending.
 * @returns 0, -EBUSY if one still holds processes at the deadline, or -errno
 */
int tree_remove_below(int dirfd, int64_t deadline_ms);

#endif
