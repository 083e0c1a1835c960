/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at the kernel and the caller: version, ids, capabilities, where the cgroup2 tree is, which
 * LSMs are on. Runs in the runtime, in every create, so it makes few system calls: what only an
 * unprivileged caller needs is looked up only for one. Changes nothing.
 */
#include "host.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "base/number.h"
#include "base/string.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/process.h"

/* Our own /proc and /sys: names that this process gives, not a container. */
static ssize_t read_absolute(const char *path, char *buffer, size_t size)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : file_read_fd(fd, buffer, size);
}

#define CGROUP_MOUNT "/sys/fs/cgroup"

/* ---- kernel and caller ---- */

static int probe_kernel(struct host *host, struct hoy_error *err)
{
	struct utsname name;
	unsigned int major, minor;

	if (uname(&name) < 0)
		return fail(err, errno, "uname");
	if (sscanf(name.release, "%u.%u", &major, &minor) != 2)
		return fail(err, 0, "kernel version '%s' is not of the form MAJOR.MINOR",
			    name.release);
	host->kernel = major * 1000 + minor;
	/* A build for tests does everything as on an older kernel. */
	if (HOY_NEWEST_KERNEL > 0 && host->kernel > HOY_NEWEST_KERNEL)
		host->kernel = HOY_NEWEST_KERNEL;
	return 0;
}

static int probe_capabilities(struct host *host, struct hoy_error *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	int value;

	if (capget(&header, data) < 0)
		return fail(err, errno, "capget");
	host->capabilities = (uint64_t)data[1].effective << 32 | data[0].effective;
	/* Asking for each is faster than reading /proc, and tells where they end. */
	for (int i = 0; i < 64; i++) {
		value = prctl(PR_CAPBSET_READ, i, 0, 0, 0);
		if (value < 0 && errno != EINVAL)
			return fail(err, errno, "read the bounding set of capabilities");
		if (value < 0)
			break;
		host->last_capability = i;
		if (value)
			host->bounding |= 1ULL << i;
	}
	return 0;
}

static int probe_user_namespace(struct host *host, struct hoy_error *err)
{
	const int initial = process_in_initial_user_namespace();
	char setgroups[16];

	if (initial < 0)
		return fail(err, initial, "look at /proc/self/ns/user");
	host->in_user_namespace = !initial;
	host->privileged = initial && (host->capabilities & (1ULL << CAP_SYS_ADMIN));
	if (!initial)
		host->setgroups_denied = read_absolute("/proc/self/setgroups", setgroups,
						       sizeof(setgroups)) > 0 &&
					 string_starts(setgroups, "deny");
	return 0;
}

/* ---- cgroups ---- */

static bool is_cgroup2(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* The kernel writes blanks, tabs, line feeds and '\' in paths as "\040" and so on. */
static void unescape(char *path)
{
	char *to = path;

	for (const char *from = path; *from; from++) {
		unsigned int byte;

		if (*from == '\\' && sscanf(from, "\\%3o", &byte) == 1) {
			*to++ = (char)byte;
			from += 3;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
}

/* Mount point of a line of mountinfo (proc_pid_mountinfo(5)) if that is a cgroup2 mount. */
static bool read_mount(char *line, char *path, size_t size)
{
	const char *type = strstr(line, " - ");
	char *field = line;

	if (!type || !string_starts(type, " - cgroup2 "))
		return false;
	for (int i = 0; i < 4 && field; i++) {
		field = strchr(field, ' ');
		field = field ? field + 1 : NULL;
	}
	if (!field)
		return false;
	field[strcspn(field, " ")] = '\0';
	unescape(field);
	return format_text(path, size, "%s", field) < size;
}

/* The first cgroup2 mount that no other one covers. */
static void search_mounts(struct host *host)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	autofree char *line = NULL;
	char path[sizeof(host->cgroup_root)];
	size_t size = 0;

	if (!file)
		return;
	while (!host->cgroup_root[0] && getline(&line, &size, file) > 0)
		if (read_mount(line, path, sizeof(path)) && is_cgroup2(path))
			memcpy(host->cgroup_root, path, sizeof(path));
	(void)fclose(file);
}

static void probe_cgroup_mount(struct host *host)
{
	if (is_cgroup2(CGROUP_MOUNT)) {
		host->cgroup_layout = HOST_CGROUP_UNIFIED;
		format_text(host->cgroup_root, sizeof(host->cgroup_root), CGROUP_MOUNT);
		return;
	}
	if (is_cgroup2(CGROUP_MOUNT "/unified"))
		format_text(host->cgroup_root, sizeof(host->cgroup_root), CGROUP_MOUNT "/unified");
	else
		search_mounts(host);
	if (host->cgroup_root[0])
		host->cgroup_layout = HOST_CGROUP_HYBRID;
}

/* The line "0::/path"; there is no path left of a cgroup that was removed meanwhile. */
static void probe_own_cgroup(struct host *host)
{
	char text[16384];
	const char *line;
	int len;

	if (read_absolute("/proc/self/cgroup", text, sizeof(text)) < 0)
		return;
	line = string_starts(text, "0::") ? text : strstr(text, "\n0::");
	line = line ? strchr(line, '/') : NULL;
	if (!line)
		return;
	len = (int)strcspn(line, "\n");
	if ((size_t)len >= sizeof(host->cgroup_own))
		return;
	format_text(host->cgroup_own, sizeof(host->cgroup_own), "%.*s", len, line);
	if (string_ends(host->cgroup_own, " (deleted)"))
		host->cgroup_own[0] = '\0';
}

/* ---- LSMs ---- */

static void probe_lsm(struct host *host)
{
	struct statfs fs;
	char enabled[8];

	host->apparmor = read_absolute("/sys/module/apparmor/parameters/enabled", enabled,
				       sizeof(enabled)) > 0 &&
			 enabled[0] == 'Y';
	host->selinux = statfs("/sys/fs/selinux", &fs) == 0 &&
			(unsigned long)fs.f_type == SELINUX_MAGIC;
}

/* ---- subordinate ids ---- */

/* Name of a user in /etc/passwd. NSS is left alone: it would load libraries into every program. */
static bool find_user_name(uid_t uid, char *name, size_t size)
{
	FILE *file = fopen("/etc/passwd", "re");
	autofree char *line = NULL;
	size_t line_size = 0;
	bool found = false;

	if (!file)
		return false;
	while (!found && getline(&line, &line_size, file) > 0) {
		char *rest = line, *field = strsep(&rest, ":"), *number;
		uint32_t id;

		(void)strsep(&rest, ":");
		number = strsep(&rest, ":");
		found = number && number_uid(number, &id) == 0 && id == uid &&
			format_text(name, size, "%s", field) < size;
	}
	(void)fclose(file);
	return found;
}

/* The first range of a user, named or numbered, in subuid(5) or subgid(5). */
static struct host_id_range find_range(const char *path, uid_t uid, const char *name)
{
	FILE *file = fopen(path, "re");
	struct host_id_range range = { 0 };
	autofree char *line = NULL;
	size_t size = 0;

	if (!file)
		return range;
	while (!range.count && getline(&line, &size, file) > 0) {
		char *rest = line, *user = strsep(&rest, ":"), *first = strsep(&rest, ":");
		uint64_t start, count;
		uint32_t id;

		if (rest)
			rest[strcspn(rest, "\n")] = '\0';
		if (!rest || (strcmp(user, name) != 0 && (number_uid(user, &id) < 0 || id != uid)))
			continue;
		if (number_unsigned(first, UINT32_MAX, &start) == 0 &&
		    number_unsigned(rest, UINT32_MAX - start, &count) == 0)
			range = (struct host_id_range){ (uint32_t)start, (uint32_t)count };
	}
	(void)fclose(file);
	return range;
}

/* As in runtime/maps.c: fixed places, never the caller's PATH. */
static bool find_helper(const char *helper, char path[64])
{
	static const char *const directories[] = { "/usr/bin", "/bin" };

	for (size_t i = 0; i < ARRAY_LEN(directories); i++) {
		format_text(path, 64, "%s/%s", directories[i], helper);
		if (faccessat(AT_FDCWD, path, X_OK, 0) == 0)
			return true;
	}
	return false;
}

static bool is_installed(const char *helper)
{
	char path[64];

	return find_helper(helper, path);
}

static void probe_subordinate_ids(struct host *host)
{
	char name[256] = "";

	host->has_name = find_user_name(host->euid, name, sizeof(name));
	host->subuid = find_range("/etc/subuid", host->euid, name);
	host->subgid = find_range("/etc/subgid", host->euid, name);
	host->has_newuidmap = is_installed("newuidmap");
	host->has_newgidmap = is_installed("newgidmap");
}

int host_probe(struct host *ret_host, struct hoy_error *err)
{
	struct host host = { .euid = geteuid(), .egid = getegid() };

	if (probe_kernel(&host, err) < 0 || probe_capabilities(&host, err) < 0 ||
	    probe_user_namespace(&host, err) < 0)
		return -1;
	probe_cgroup_mount(&host);
	probe_own_cgroup(&host);
	probe_lsm(&host);
	if (host.euid != 0 || !(host.capabilities & (1ULL << CAP_SETUID)))
		probe_subordinate_ids(&host);
	*ret_host = host;
	return 0;
}

/* ---- causes of failures ---- */

/* A number of a file of /proc, or the one given if it cannot be read. */
static uint64_t read_setting(const char *path, uint64_t otherwise)
{
	char text[32];
	uint64_t value;

	if (read_absolute(path, text, sizeof(text)) <= 0)
		return otherwise;
	text[strcspn(text, "\n")] = '\0';
	return number_unsigned(text, UINT64_MAX, &value) < 0 ? otherwise : value;
}

/* The number of a line "KEY:\tNUMBER" of /proc/self/status. */
static unsigned long status_number(const char *status, const char *key, int base,
				   unsigned long otherwise)
{
	const char *line = strstr(status, key);

	return line ? strtoul(line + strlen(key), NULL, base) : otherwise;
}

mode_t host_umask(void)
{
	char status[8192];

	if (read_absolute("/proc/self/status", status, sizeof(status)) <= 0)
		return 022;
	return (mode_t)status_number(status, "\nUmask:", 8, 022);
}

static void probe_process(struct host_causes *causes)
{
	char status[8192];

	if (read_absolute("/proc/self/status", status, sizeof(status)) <= 0)
		return;
	causes->has_seccomp = status_number(status, "\nSeccomp:", 10, 0) != 0;
	causes->no_new_privileges = status_number(status, "\nNoNewPrivs:", 10, 0) != 0;
}

/* What the kernel calls "fully visible": it minds nothing on directories that are always empty. */
static bool covers_proc(const char *point)
{
	return string_starts(point, "/proc/") && strcmp(point, "/proc/sys/fs/binfmt_misc") != 0;
}

static void probe_view(struct host_causes *causes)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	autofree char *line = NULL;
	size_t size = 0;

	if (!file)
		return;
	causes->in_chroot = true;
	while (getline(&line, &size, file) > 0) {
		char *field = line;

		for (int i = 0; i < 4 && field; i++)
			(void)strsep(&field, " ");
		if (!field)
			continue;
		field[strcspn(field, " ")] = '\0';
		if (strcmp(field, "/") == 0)
			causes->in_chroot = false;
		causes->proc_is_masked |= covers_proc(field);
	}
	(void)fclose(file);
}

static struct host_helper probe_helper(const char *name)
{
	struct host_helper helper = { .is_privileged = true };
	struct statfs fs;
	struct stat st;
	char path[64];

	if (!find_helper(name, path) || fstatat(AT_FDCWD, path, &st, 0) < 0)
		return helper;
	helper.is_privileged = ((st.st_mode & S_ISUID) && st.st_uid == 0) ||
			       getxattr(path, "security.capability", NULL, 0) > 0;
	helper.on_nosuid = statfs(path, &fs) == 0 && (fs.f_flags & ST_NOSUID);
	return helper;
}

void host_probe_causes(struct host *host)
{
	struct host_causes *causes = &host->causes;

	causes->max_user_namespaces = read_setting("/proc/sys/user/max_user_namespaces",
						   UINT64_MAX);
	causes->userns_clone_off = read_setting("/proc/sys/kernel/unprivileged_userns_clone", 1) ==
				   0;
	causes->apparmor_restricts =
		read_setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0) != 0;
	probe_process(causes);
	probe_view(causes);
	causes->newuidmap = probe_helper("newuidmap");
	causes->newgidmap = probe_helper("newgidmap");
}
