/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The descriptors that a container got from its caller (stdin, stdout, stderr, and those that were
 * preserved), by the names that CRIU has for them: in the record from `create` on, beside the
 * images after a checkpoint, so that those of restore's caller can take their place.
 */
#ifndef HOY_RUNTIME_DESCRIPTORS_H
#define HOY_RUNTIME_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>

#include <hoy/error.h>

#include "base/arena.h"

/** In the directory of images: a JSON list of names, in the order of the descriptors. */
#define DESCRIPTORS_FILE "descriptors.json"

/**
 * Names of the caller's descriptors 0 to len - 1: "pipe:[INODE]", "socket:[INODE]",
 * "file[MOUNT:INODE]", "tty[RDEV:DEV]"; "" for one that is not open.
 * @returns `len` names, or NULL without memory
 */
const char **descriptors_names(struct arena *arena, size_t len);

/**
 * The name by which restore puts a descriptor in the place of what was dumped. CRIU would open an
 * external file anew by /proc/self/fd, with the flags and the size that the old one had; but before
 * that it looks whether what it calls the file's path, its name without the first character, is
 * inherited, and takes that as it is.
 */
const char *descriptors_inherited(const char *name);

/** Whether a dump must be told that it will find what has this name on the outside. */
bool descriptors_is_external(const char *name);

int descriptors_write(int images, const char *const *names, size_t len, struct hoy_error *err);

/** Reads what descriptors_write() has left; images are not trusted. */
int descriptors_read(int images, struct arena *arena, const char ***ret_names, size_t *ret_len,
		     struct hoy_error *err);

#endif
