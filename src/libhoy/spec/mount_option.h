/* SPDX-License-Identifier: Apache-2.0 */
/* mounts[].options in terms of fsconfig(2), mount_setattr(2) and move_mount(2). Pure. */
#ifndef HOY_SPEC_MOUNT_OPTION_H
#define HOY_SPEC_MOUNT_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mount_option_kind {
	/** Accepted without effect: the descriptor-based calls have no such flag. */
	MOUNT_OPTION_NO_EFFECT,
	/** MOUNT_ATTR_* of the mount, by mount_setattr(2). */
	MOUNT_OPTION_ATTRIBUTE,
	/** MOUNT_ATTR_* of the mount and all below it, with AT_RECURSIVE. */
	MOUNT_OPTION_ATTRIBUTE_RECURSIVE,
	/** A flag of the file system: set and clear are MS_*, the name is fsconfig(2)'s. */
	MOUNT_OPTION_SUPERBLOCK,
	/** set is one of MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE, perhaps with MS_REC. */
	MOUNT_OPTION_PROPAGATION,
	/** set is MS_BIND, perhaps with MS_REC. */
	MOUNT_OPTION_BIND,
	MOUNT_OPTION_REMOUNT,
	/** set is 0 or AT_RECURSIVE; "idmap=" and "ridmap=" carry mappings. */
	MOUNT_OPTION_IDMAP,
	/** tmpcopyup: the directory's files are copied into the new tmpfs. */
	MOUNT_OPTION_COPY_UP,
	/** copy-symlink: a source that is a symlink is made anew, not bound. */
	MOUNT_OPTION_COPY_SYMLINK,
	MOUNT_OPTION_SOURCE_NOFOLLOW,
	MOUNT_OPTION_DESTINATION_NOFOLLOW,
};

struct mount_option {
	const char *name;
	enum mount_option_kind kind;
	/** Bits to set and to clear; the access time group is always cleared as a whole. */
	uint64_t set, clear;
	/**
	 * For options that only take a choice of the access time group back ("atime" after
	 * "noatime"): the choice that is meant; they leave another choice as it is.
	 */
	uint64_t undoes;
};

/** Sorted by name. */
extern const struct mount_option mount_options[];
extern const size_t mount_options_len;

/** What mount_setattr(2) shall be given. */
struct mount_attributes {
	uint64_t set, clear;
};

/** The option, "idmap=..." and "ridmap=..." included, or NULL: then it is file system data. */
const struct mount_option *mount_option_find(const char *option);

/**
 * The option that was probably meant by a word, or NULL. Words with '=' and words that file
 * systems are known to take ("userxattr", "newinstance") have none.
 */
const char *mount_option_nearest(const char *option);

/** Adds an option with attributes; of contradicting ones the last holds, as in mount(8). */
void mount_option_fold(struct mount_attributes *attributes, const struct mount_option *option);

#endif
