/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of sysctls: sysctl(8), and which of them a namespace has of its own: namespaces(7). Runs
 * in the runtime. Pure.
 */
#include "spec/sysctl.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/string.h"
#include "sys/cleanup.h"
#include "sys/compat.h"

/* All others are the host's, or of a namespace that containers must not change them in. */
static const struct {
	const char *path;
	bool is_prefix;
	uint64_t namespace_type;
} namespaced[] = {
	{ "fs/mqueue/", true, CLONE_NEWIPC }, { "kernel/domainname", false, CLONE_NEWUTS },
	{ "kernel/msg", true, CLONE_NEWIPC }, { "kernel/sem", false, CLONE_NEWIPC },
	{ "kernel/shm", true, CLONE_NEWIPC }, { "net/", true, CLONE_NEWNET },
	{ "user/", true, CLONE_NEWUSER },
};

#define KEY_BYTES "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:@+%,"

/** True if each name between slashes is one. */
static bool has_good_names(const char *path)
{
	for (;;) {
		size_t len = strcspn(path, "/");

		if (len == 0 || (len == 1 && path[0] == '.') ||
		    (len == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		if (path[len] == '\0')
			return true;
		path += len + 1;
	}
}

int sysctl_path(const char *key, char *path, size_t size)
{
	size_t len = strlen(key), separator = strcspn(key, "./");
	bool dotted = key[separator] == '.';

	if (len >= size)
		return -ENAMETOOLONG;
	if (!string_is_made_of(key, KEY_BYTES))
		return -EINVAL;
	for (size_t i = 0; i <= len; i++) {
		path[i] = key[i];
		if (dotted && key[i] == '.')
			path[i] = '/';
		else if (dotted && key[i] == '/')
			path[i] = '.';
	}
	return has_good_names(path) ? 0 : -EINVAL;
}

uint64_t sysctl_namespace(const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(namespaced); i++) {
		if (namespaced[i].is_prefix ? string_starts(path, namespaced[i].path)
					    : strcmp(path, namespaced[i].path) == 0)
			return namespaced[i].namespace_type;
	}
	return 0;
}
