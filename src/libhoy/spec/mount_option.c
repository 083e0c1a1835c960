/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of config.md#mounts in terms of the mount calls by descriptor. Runs in the runtime.
 * Pure: no file system is looked at. What is not in the table is file system data.
 */
#include "spec/mount_option.h"

#include <string.h>

#include "base/string.h"
#include "sys/cleanup.h"
#include "sys/compat.h"

/*
 * relatime is what the kernel does when nothing else is asked for, so an option that takes
 * "relatime" back has no effect.
 */
const struct mount_option mount_options[] = {
	{ "async", MOUNT_OPTION_SUPERBLOCK, 0, MS_SYNCHRONOUS, 0 },
	{ "atime", MOUNT_OPTION_ATTRIBUTE, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME,
	  MOUNT_ATTR_NOATIME },
	{ "bind", MOUNT_OPTION_BIND, MS_BIND, 0, 0 },
	{ "copy-symlink", MOUNT_OPTION_COPY_SYMLINK, 0, 0, 0 },
	{ "defaults", MOUNT_OPTION_NO_EFFECT, 0, 0, 0 },
	{ "dest-nofollow", MOUNT_OPTION_DESTINATION_NOFOLLOW, 0, 0, 0 },
	{ "dev", MOUNT_OPTION_ATTRIBUTE, 0, MOUNT_ATTR_NODEV, 0 },
	{ "diratime", MOUNT_OPTION_ATTRIBUTE, 0, MOUNT_ATTR_NODIRATIME, 0 },
	{ "dirsync", MOUNT_OPTION_SUPERBLOCK, MS_DIRSYNC, 0, 0 },
	{ "exec", MOUNT_OPTION_ATTRIBUTE, 0, MOUNT_ATTR_NOEXEC, 0 },
	{ "idmap", MOUNT_OPTION_IDMAP, 0, 0, 0 },
	{ "iversion", MOUNT_OPTION_NO_EFFECT, 0, 0, 0 },
	{ "lazytime", MOUNT_OPTION_SUPERBLOCK, MS_LAZYTIME, 0, 0 },
	{ "loud", MOUNT_OPTION_NO_EFFECT, 0, 0, 0 },
	{ "mand", MOUNT_OPTION_SUPERBLOCK, MS_MANDLOCK, 0, 0 },
	{ "noatime", MOUNT_OPTION_ATTRIBUTE, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME, 0 },
	{ "nodev", MOUNT_OPTION_ATTRIBUTE, MOUNT_ATTR_NODEV, 0, 0 },
	{ "nodiratime", MOUNT_OPTION_ATTRIBUTE, MOUNT_ATTR_NODIRATIME, 0, 0 },
	{ "noexec", MOUNT_OPTION_ATTRIBUTE, MOUNT_ATTR_NOEXEC, 0, 0 },
	{ "noiversion", MOUNT_OPTION_NO_EFFECT, 0, 0, 0 },
	{ "nolazytime", MOUNT_OPTION_SUPERBLOCK, 0, MS_LAZYTIME, 0 },
	{ "nomand", MOUNT_OPTION_SUPERBLOCK, 0, MS_MANDLOCK, 0 },
	{ "norelatime", MOUNT_OPTION_NO_EFFECT, 0, 0, 0 },
	{ "nostrictatime", MOUNT_OPTION_ATTRIBUTE, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME,
	  MOUNT_ATTR_STRICTATIME },
	{ "nosuid", MOUNT_OPTION_ATTRIBUTE, MOUNT_ATTR_NOSUID, 0, 0 },
	{ "nosymfollow", MOUNT_OPTION_ATTRIBUTE, MOUNT_ATTR_NOSYMFOLLOW, 0, 0 },
	{ "private", MOUNT_OPTION_PROPAGATION, MS_PRIVATE, 0, 0 },
	{ "ratime", MOUNT_OPTION_ATTRIBUTE_RECURSIVE, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME,
	  MOUNT_ATTR_NOATIME },
	{ "rbind", MOUNT_OPTION_BIND, MS_BIND | MS_REC, 0, 0 },
	{ "rdev", MOUNT_OPTION_ATTRIBUTE_RECURSIVE, 0, MOUNT_ATTR_NODEV, 0 },
	{ "rdiratime", MOUNT_OPTION_ATTRIBUTE_RECURSIVE, 0, MOUNT_ATTR_NODIRATIME, 0 },
	{ "relatime", MOUNT_OPTION_ATTRIBUTE, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME, 0 },
	{ "remount", MOUNT_OPTION_REMOUNT, 0, 0, 0 },
	{ "rexec", MOUNT_OPTION_ATTRIBUTE_RECURSIVE, 0, MOUNT_ATTR_NOEXEC, 0 },
	{ "ridmap", MOUNT_OPTION_IDMAP, AT_RECURSIVE, 0, 0 },
	{ "rnoatime", MOUNT_OPTION_ATTRIBUTE_RECURSIVE, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME, 0 },
	{ "rnodev", MOUNT_OPTION_ATTRIBUTE_RECURSIVE, MOUNT_ATTR_NODEV, 0, 0 },
	{ "rnodiratime", MOUNT_OPTION_ATTRIBUTE_RECURSIVE, MOUNT_ATTR_NODIRATIME, 0, 0 },
	{ "rnoexec", MOUNT_OPTION_ATTRIBUTE_RECURSIVE, MOUNT_ATTR_NOEXEC, 0, 0 },
	{ "rnorelatime", MOUNT_OPTION_NO_EFFECT, 0, 0, 0 },
	{ "rnostrictatime", MOUNT_OPTION_ATTRIBUTE_RECURSIVE, MOUNT_ATTR_RELATIME,
	  MOUNT_ATTR__ATIME, MOUNT_ATTR_STRICTATIME },
	{ "rnosuid", MOUNT_OPTION_ATTRIBUTE_RECURSIVE, MOUNT_ATTR_NOSUID, 0, 0 },
	{ "rnosymfollow", MOUNT_OPTION_ATTRIBUTE_RECURSIVE, MOUNT_ATTR_NOSYMFOLLOW, 0, 0 },
	{ "ro", MOUNT_OPTION_ATTRIBUTE, MOUNT_ATTR_RDONLY, 0, 0 },
	{ "rprivate", MOUNT_OPTION_PROPAGATION, MS_PRIVATE | MS_REC, 0, 0 },
	{ "rrelatime", MOUNT_OPTION_ATTRIBUTE_RECURSIVE, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME,
	  0 },
	{ "rro", MOUNT_OPTION_ATTRIBUTE_RECURSIVE, MOUNT_ATTR_RDONLY, 0, 0 },
	{ "rrw", MOUNT_OPTION_ATTRIBUTE_RECURSIVE, 0, MOUNT_ATTR_RDONLY, 0 },
	{ "rshared", MOUNT_OPTION_PROPAGATION, MS_SHARED | MS_REC, 0, 0 },
	{ "rslave", MOUNT_OPTION_PROPAGATION, MS_SLAVE | MS_REC, 0, 0 },
	{ "rstrictatime", MOUNT_OPTION_ATTRIBUTE_RECURSIVE, MOUNT_ATTR_STRICTATIME,
	  MOUNT_ATTR__ATIME, 0 },
	{ "rsuid", MOUNT_OPTION_ATTRIBUTE_RECURSIVE, 0, MOUNT_ATTR_NOSUID, 0 },
	{ "rsymfollow", MOUNT_OPTION_ATTRIBUTE_RECURSIVE, 0, MOUNT_ATTR_NOSYMFOLLOW, 0 },
	{ "runbindable", MOUNT_OPTION_PROPAGATION, MS_UNBINDABLE | MS_REC, 0, 0 },
	{ "rw", MOUNT_OPTION_ATTRIBUTE, 0, MOUNT_ATTR_RDONLY, 0 },
	{ "shared", MOUNT_OPTION_PROPAGATION, MS_SHARED, 0, 0 },
	{ "silent", MOUNT_OPTION_NO_EFFECT, 0, 0, 0 },
	{ "slave", MOUNT_OPTION_PROPAGATION, MS_SLAVE, 0, 0 },
	{ "src-nofollow", MOUNT_OPTION_SOURCE_NOFOLLOW, 0, 0, 0 },
	{ "strictatime", MOUNT_OPTION_ATTRIBUTE, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME, 0 },
	{ "suid", MOUNT_OPTION_ATTRIBUTE, 0, MOUNT_ATTR_NOSUID, 0 },
	{ "symfollow", MOUNT_OPTION_ATTRIBUTE, 0, MOUNT_ATTR_NOSYMFOLLOW, 0 },
	{ "sync", MOUNT_OPTION_SUPERBLOCK, MS_SYNCHRONOUS, 0, 0 },
	{ "tmpcopyup", MOUNT_OPTION_COPY_UP, 0, 0, 0 },
	{ "unbindable", MOUNT_OPTION_PROPAGATION, MS_UNBINDABLE, 0, 0 },
};

const size_t mount_options_len = ARRAY_LEN(mount_options);

/** Words of file systems that differ by a letter or two from an option above. Sorted. */
static const char *const data_words[] = {
	"i_version", "nodfs", "nossd", "nouuid", "share", "wsync",
};

const struct mount_option *mount_option_find(const char *option)
{
	size_t len = strcspn(option, "="), low = 0, high = mount_options_len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct mount_option *row = &mount_options[middle];
		int order = strncmp(option, row->name, len);

		if (order == 0 && row->name[len] != '\0')
			order = -1;
		if (order == 0)
			return option[len] == '\0' || row->kind == MOUNT_OPTION_IDMAP ? row : NULL;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static bool is_data(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(data_words); i++)
		if (strcmp(word, data_words[i]) == 0)
			return true;
	return false;
}

const char *mount_option_nearest(const char *option)
{
	unsigned int best = string_near(option) + 1;
	const char *nearest = NULL;

	if (strchr(option, '=') || is_data(option))
		return NULL;
	for (size_t i = 0; i < mount_options_len; i++) {
		unsigned int distance = string_distance(option, mount_options[i].name, best - 1);

		if (distance < best) {
			best = distance;
			nearest = mount_options[i].name;
		}
	}
	return nearest;
}

void mount_option_fold(struct mount_attributes *attributes, const struct mount_option *option)
{
	const uint64_t group = MOUNT_ATTR__ATIME;

	if (option->undoes && (attributes->clear & group) &&
	    (attributes->set & group) != option->undoes)
		return;
	attributes->set = (attributes->set & ~option->clear) | option->set;
	/* The kernel takes the access time group only as a whole: its mask stays in `clear`. */
	attributes->clear = (attributes->clear & ~(option->set & ~group)) | option->clear;
}
