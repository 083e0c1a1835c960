/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What single strings of the configuration must look like. Runs in the runtime. Pure: must not
 * look at the file system, nor at any other value of the configuration.
 */
#include "config/check.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "base/number.h"
#include "base/string.h"

/* What sethostname(2) and setdomainname(2) take. */
#define HOST_NAME_LEN_MAX 64
/* IFNAMSIZ without the terminator. */
#define INTERFACE_LEN_MAX 15
/* More than any machine has: the kernel refuses what its own limit is. */
#define NUMBER_IN_LIST_MAX 65535

#define DIGITS	"0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

const char *check_printable(const char *string)
{
	return string_has_control(string) ? "control character" : NULL;
}

const char *check_not_empty(const char *string)
{
	return *string == '\0' ? "empty" : check_printable(string);
}

/* Any byte can be part of a name: a bundle may lie anywhere. */
const char *check_path(const char *path)
{
	if (*path == '\0')
		return "empty";
	if (strlen(path) >= PATH_MAX)
		return "path is too long";
	for (const char *name = path; *name; name += strspn(name, "/")) {
		size_t len = strcspn(name, "/");

		if (len > NAME_MAX)
			return "name in path is too long";
		name += len;
	}
	return NULL;
}

const char *check_absolute_path(const char *path)
{
	const char *wrong = check_path(path);

	if (wrong)
		return wrong;
	return path[0] == '/' ? NULL : "path is not absolute";
}

const char *check_environment(const char *entry)
{
	if (entry[0] == '=')
		return "empty name of a variable";
	return strchr(entry, '=') ? NULL : "no '=' in a variable";
}

const char *check_host_name(const char *name)
{
	if (strlen(name) > HOST_NAME_LEN_MAX)
		return "longer than 64 bytes";
	return check_not_empty(name);
}

const char *check_number_list(const char *list)
{
	return number_list(list, NUMBER_IN_LIST_MAX, NULL, NULL) < 0 ? "no list of numbers" : NULL;
}

/** Moves behind a number of SemVer: digits without a leading zero. */
static bool skip_version_number(const char **place)
{
	size_t len = strspn(*place, DIGITS);

	if (len == 0 || (len > 1 && **place == '0'))
		return false;
	*place += len;
	return true;
}

/**
 * Moves behind dot-separated identifiers up to `end` or the terminator.
 * @param numeric  identifiers of digits alone must have no leading zero
 */
static bool skip_identifiers(const char **place, char end, bool numeric)
{
	for (;;) {
		const char *start = *place;
		size_t len = strspn(start, DIGITS LETTERS "-");

		if (len == 0 ||
		    (numeric && len > 1 && *start == '0' && strspn(start, DIGITS) == len))
			return false;
		*place += len;
		if (**place == '\0' || **place == end)
			return true;
		if (*(*place)++ != '.')
			return false;
	}
}

/** https://semver.org/spec/v2.0.0.html */
static bool is_semver(const char *version)
{
	for (int i = 0; i < 3; i++) {
		if (i > 0 && *version++ != '.')
			return false;
		if (!skip_version_number(&version))
			return false;
	}
	if (*version == '-') {
		version++;
		if (!skip_identifiers(&version, '+', true))
			return false;
	}
	if (*version == '+') {
		version++;
		if (!skip_identifiers(&version, '\0', false))
			return false;
	}
	return *version == '\0';
}

const char *check_oci_version(const char *version)
{
	if (!is_semver(version))
		return "not a version of the form 1.2.3";
	return string_starts(version, "1.") ? NULL : "unsupported version, not 1.x";
}

static bool has_parent_component(const char *path)
{
	for (; *path; path += strspn(path, "/")) {
		size_t len = strcspn(path, "/");

		if (len == 2 && path[0] == '.' && path[1] == '.')
			return true;
		path += len;
	}
	return false;
}

const char *check_cgroups_path(const char *path)
{
	const char *wrong = check_path(path);

	/* /proc/PID/cgroup is read line by line, and systemd's units have no such names. */
	if (!wrong)
		wrong = check_printable(path);
	if (wrong)
		return wrong;
	return has_parent_component(path) ? "'..' in path" : NULL;
}

const char *check_device_access(const char *access)
{
	if (*access == '\0')
		return "empty";
	for (const char *letter = access; *letter; letter++)
		if (!strchr("rwm", *letter) || strchr(letter + 1, *letter))
			return "not made of r, w and m";
	return NULL;
}

const char *check_interface(const char *name)
{
	size_t len = strlen(name);
	const char *percent = strchr(name, '%');

	if (len == 0)
		return "empty";
	if (len > INTERFACE_LEN_MAX)
		return "longer than 15 bytes";
	if (strpbrk(name, "/: \t") || string_has_control(name) || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return "not the name of an interface";
	if (percent && strcmp(percent, "%d") != 0)
		return "'%' without being the last '%d'";
	return NULL;
}

const char *check_page_size(const char *size)
{
	size_t len = strspn(size, DIGITS);

	if (len == 0 || size[0] == '0' || !strchr("KMG", size[len]) || size[len] == '\0' ||
	    strcmp(size + len + 1, "B") != 0)
		return "not a page size like 64KB, 2MB or 1GB";
	return NULL;
}

const char *check_clos_id(const char *id)
{
	const char *wrong = check_not_empty(id);

	if (wrong)
		return wrong;
	if (strcmp(id, "/") == 0)
		return NULL;
	if (strchr(id, '/') || strcmp(id, ".") == 0 || strcmp(id, "..") == 0)
		return "not the name of a directory";
	return NULL;
}

const char *check_memory_bandwidth(const char *schema)
{
	if (!string_starts(schema, "MB:"))
		return "does not begin with MB:";
	return check_printable(schema);
}
