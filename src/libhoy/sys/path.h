/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only resolver of paths inside a container. Everything below the root descriptor is
 * untrusted and may change while we look: paths are resolved by openat2(2) in one call with
 * RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS, and whatever is made is made as one name in a
 * directory descriptor, exclusively and without following: a dangling symlink in the way is
 * -ENOENT. Modes are subject to the umask, which is 0 in init. Silent functions.
 */
#ifndef HOY_SYS_PATH_H
#define HOY_SYS_PATH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * Opens `path` (absolute or relative, both below root) as it would resolve with root as "/".
 * @param flags  of openat2(2), O_CLOEXEC is added; O_NOFOLLOW refuses a final symlink, but with
 *               O_PATH opens the symlink itself
 * @returns a descriptor or -errno; a race (EAGAIN) is retried 128 times within 2 ms each
 */
int path_open(int root, const char *path, uint64_t flags);

/** As path_open(), but any symlink on the way is -ELOOP (what is mounted on /proc and /sys). */
int path_open_strict(int root, const char *path, uint64_t flags);

/** Makes the regular file `path` with `mode` and opens it; -EEXIST if there is anything. */
int path_create(int root, const char *path, uint64_t flags, mode_t mode);

/**
 * Opens the directory `path` below root as O_PATH, making missing components with `mode`, each
 * as one name in its parent's descriptor. Symlinks are followed below root only.
 * @param ret_made  if not NULL: number of directories made
 */
int path_make_dir(int root, const char *path, mode_t mode, unsigned int *ret_made);

/**
 * Opens `path` as O_PATH for use as a mount point; a missing one is made, a directory (0755) or an
 * empty regular file (0644) as asked, its parents 0755. With `directory`, anything else that exists
 * is -ENOTDIR.
 */
int path_make_target(int root, const char *path, bool directory);

/**
 * Splits into parent directory (opened as O_PATH below root, made if `make`) and last name.
 * @param name  at least NAME_MAX + 1 bytes
 * @returns the parent's descriptor, -EINVAL if there is no last name ("/", "..")
 */
int path_open_parent(int root, const char *path, bool make, char *name);

/** True if `path`, "." and ".." and double slashes resolved as text, is "/" or empty. */
bool path_is_root(const char *path);

/**
 * Writes the path with ".", ".." and doubled slashes resolved as text, always starting with "/"
 * and never leaving it. @returns its length or -ENAMETOOLONG
 */
int path_clean(const char *path, char *buffer, size_t size);

/** statfs(2) type of an open file, 0 if unknown. */
long path_fs_type(int fd);

#endif
