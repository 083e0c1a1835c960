/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes, fills and removes groups of resctrl (Documentation/arch/x86/resctrl in the kernel). Runs
 * in the runtime. But for resctrl_open() it knows no path from the root, so that it can be tested
 * on any directory; it never looks for the file system elsewhere than at its one place.
 */
#include "runtime/resctrl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "sys/cleanup.h"
#include "sys/error.h"
#include "sys/file.h"

#define AT	    "linux.intelRdt"
#define MOUNT_POINT "/sys/fs/resctrl"
/* A group, "mon_groups", a container's id, and a file. */
#define NAME_SIZE 600
/* A line for each resource, in it some bytes for each cache of the machine. */
#define SCHEMATA_SIZE 65536

int resctrl_open(struct hoy_error *err)
{
	autoclose int fd = open(MOUNT_POINT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	if (fd >= 0 && fstatfs(fd, &fs) == 0 && (unsigned long)fs.f_type == RDTGROUP_SUPER_MAGIC)
		return take_fd(&fd);
	fail_at(err, AT, 0, "no resctrl file system is mounted at " MOUNT_POINT);
	return fail_hint(err, "it needs a processor with cache or bandwidth allocation: mount -t "
			      "resctrl resctrl " MOUNT_POINT);
}

/* ---- names ---- */

/* "GROUP/FILE", or with a monitoring group "GROUP/mon_groups/MONITORING/FILE". */
static int name_of(char name[NAME_SIZE], const char *group, const char *monitoring,
		   const char *file)
{
	size_t len = format_text(name, NAME_SIZE, "%s%s%s%s%s", *group ? group : ".",
				 monitoring ? "/mon_groups/" : "", monitoring ? monitoring : "",
				 file ? "/" : "", file ? file : "");

	return len < NAME_SIZE ? 0 : -ENAMETOOLONG;
}

/* What the kernel has to say about the last command that it refused. */
static void add_reason(int resctrl, struct hoy_error *err)
{
	char text[256];
	ssize_t len = file_read(resctrl, "info/last_cmd_status", text, sizeof(text));

	if (len <= 0 || strncmp(text, "ok", 2) == 0)
		return;
	text[strcspn(text, "\n")] = '\0';
	(void)fail_hint(err, "resctrl says: %s", text);
}

/* ---- schemata ---- */

/* The start of the values of a resource ("L3:") in a text of lines, or NULL. */
static const char *find_resource(const char *text, const char *name, size_t len)
{
	while (text && *text) {
		text += strspn(text, " \t\n");
		if (strncmp(text, name, len) == 0 && text[len] == ':')
			return text + len + 1;
		text = strchr(text, '\n');
	}
	return NULL;
}

/* One "ID=VALUE" of a list that ends with its line. */
static bool next_value(const char **list, unsigned int *id, unsigned long long *value)
{
	int used = 0;

	if (sscanf(*list, " %u = %llx %n", id, value, &used) != 2 || used == 0)
		return false;
	*list += used;
	*list += **list == ';';
	return true;
}

static bool has_value(const char *list, unsigned int id, unsigned long long value)
{
	size_t len = list ? strcspn(list, "\n") : 0;
	const char *end = list ? list + len : NULL;
	unsigned long long present_value;
	unsigned int present_id;

	while (list && list < end && next_value(&list, &present_id, &present_value))
		if (present_id == id)
			return present_value == value;
	return false;
}

/* Whether all that a line says holds in a text of lines, however either is written. */
static bool holds(const char *line, const char *present)
{
	const char *name = line + strspn(line, " \t");
	size_t len = strcspn(name, ":");
	const char *list = name + len + 1;
	unsigned long long value;
	unsigned int id;

	if (name[len] != ':')
		return false;
	present = find_resource(present, name, len);
	while (next_value(&list, &id, &value))
		if (!has_value(present, id, value))
			return false;
	return present && *list == '\0';
}

static bool has_compared(const struct plan_intel_rdt *rdt)
{
	for (size_t i = 0; i < rdt->schemata_len; i++)
		if (rdt->schemata[i].is_compared)
			return true;
	return false;
}

static int compare(int resctrl, const struct plan_intel_rdt *rdt, struct hoy_error *err)
{
	char name[NAME_SIZE];
	autofree char *present = calloc(1, SCHEMATA_SIZE);
	ssize_t len;
	int r = name_of(name, rdt->group, NULL, "schemata");

	if (!present)
		return fail(err, ENOMEM, "read schemata");
	len = r < 0 ? r : file_read(resctrl, name, present, SCHEMATA_SIZE);
	if (len < 0)
		return fail_at(err, AT, (int)len, "read %s", name);
	for (size_t i = 0; i < rdt->schemata_len; i++) {
		const struct plan_schema *schema = &rdt->schemata[i];

		if (schema->is_compared && !holds(schema->line, present))
			return fail_at(err, schema->at, 0,
				       "group '%s' exists and its schemata differ from '%s'",
				       rdt->group, schema->line);
	}
	return 0;
}

int resctrl_write(int resctrl, const char *group, const char *at, const char *line,
		  struct hoy_error *err)
{
	char name[NAME_SIZE];
	autofree char *text = NULL;
	int len, r = name_of(name, group, NULL, "schemata");

	/* The kernel refuses a command without its line feed. */
	len = asprintf(&text, "%s\n", line);
	if (len < 0)
		return fail(err, ENOMEM, "write schemata");
	if (r == 0)
		r = file_write(resctrl, name, text, (size_t)len);
	if (r == 0)
		return 0;
	fail_at(err, at, r, "write '%s' to %s", line, name);
	add_reason(resctrl, err);
	return -1;
}

/* Of the resource that a line is about the line that is there now: "L3:0=7f0;1=1f". */
static int read_line(int resctrl, const char *group, const struct plan_schema *schema,
		     char **ret_line, struct hoy_error *err)
{
	const char *name = schema->line + strspn(schema->line, " \t"), *values;
	size_t name_len = strcspn(name, ":");
	autofree char *present = calloc(1, SCHEMATA_SIZE);
	char path[NAME_SIZE];
	ssize_t len;
	int r = name_of(path, group, NULL, "schemata");

	if (!present)
		return fail(err, ENOMEM, "read schemata");
	len = r < 0 ? r : file_read(resctrl, path, present, SCHEMATA_SIZE);
	if (len < 0)
		return fail_at(err, schema->at, (int)len, "read %s", path);
	values = name[name_len] == ':' ? find_resource(present, name, name_len) : NULL;
	if (!values)
		return fail_at(err, schema->at, 0,
			       "'%s' names no resource of this machine: see %s in " MOUNT_POINT,
			       schema->line, path);
	if (asprintf(ret_line, "%.*s:%.*s", (int)name_len, name, (int)strcspn(values, "\n"),
		     values) < 0)
		return fail(err, ENOMEM, "read schemata");
	return 0;
}

void resctrl_put_back(int resctrl, const char *group, const struct resctrl_old *old)
{
	struct hoy_error unimportant;

	for (size_t i = old->len; i-- > 0;)
		(void)resctrl_write(resctrl, group, AT, old->lines[i], &unimportant);
}

void resctrl_old_done(struct resctrl_old *old)
{
	for (size_t i = 0; i < old->len; i++)
		free(old->lines[i]);
	old->len = 0;
}

int resctrl_change(int resctrl, const char *group, const struct plan_schema *schemata, size_t len,
		   struct resctrl_old *old, struct hoy_error *err)
{
	for (size_t i = 0; i < len; i++) {
		if (read_line(resctrl, group, &schemata[i], &old->lines[old->len], err) < 0)
			break;
		old->len++;
		if (resctrl_write(resctrl, group, schemata[i].at, schemata[i].line, err) < 0)
			break;
		if (i + 1 == len)
			return 0;
	}
	if (len > 0)
		resctrl_put_back(resctrl, group, old);
	return len > 0 ? -1 : 0;
}

/* ---- groups ---- */

int resctrl_look(int resctrl, const struct plan_intel_rdt *rdt, bool *ret_exists,
		 struct hoy_error *err)
{
	char name[NAME_SIZE];
	struct stat st;
	bool exists;
	int r = name_of(name, rdt->group, NULL, NULL);

	if (r < 0)
		return fail_at(err, AT ".closID", r, "group '%s'", rdt->group);
	exists = fstatat(resctrl, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (!exists && errno != ENOENT)
		return fail_at(err, AT ".closID", errno, "look for group '%s'", rdt->group);
	if (!exists && rdt->must_exist)
		return fail_at(err, AT ".closID", ENOENT,
			       "group '%s' does not exist, and no schema is given to make it",
			       rdt->group);
	if (exists && has_compared(rdt) && compare(resctrl, rdt, err) < 0)
		return -1;
	*ret_exists = exists;
	return 0;
}

static int make_directory(int resctrl, const char *group, const char *monitoring, const char *at,
			  struct hoy_error *err)
{
	char name[NAME_SIZE];
	int r = name_of(name, group, monitoring, NULL);

	if (r == 0 && mkdirat(resctrl, name, 0755) == 0)
		return 0;
	r = r < 0 ? r : -errno;
	fail_at(err, at, r, "make group %s", name);
	add_reason(resctrl, err);
	if (r == -ENOSPC)
		(void)fail_hint(err, "all groups that this processor has are in use");
	return -1;
}

int resctrl_make(int resctrl, const struct plan_intel_rdt *rdt, const char *id, bool exists,
		 struct state_resctrl *made, struct hoy_error *err)
{
	if (!exists) {
		if (make_directory(resctrl, rdt->group, NULL, AT ".closID", err) < 0)
			return -1;
		made->made_group = rdt->is_own;
	}
	for (size_t i = 0; i < rdt->schemata_len; i++) {
		const struct plan_schema *schema = &rdt->schemata[i];

		if (exists && schema->is_compared)
			continue;
		if (resctrl_write(resctrl, rdt->group, schema->at, schema->line, err) < 0)
			return -1;
	}
	if (!rdt->monitoring)
		return 0;
	if (make_directory(resctrl, rdt->group, id, AT ".enableMonitoring", err) < 0)
		return -1;
	made->made_monitoring = true;
	return 0;
}

static int add_to(int resctrl, const char *group, const char *monitoring, pid_t pid,
		  struct hoy_error *err)
{
	char name[NAME_SIZE], text[16];
	int r = name_of(name, group, monitoring, "tasks");

	format_text(text, sizeof(text), "%d", (int)pid);
	if (r == 0)
		r = file_write_text(resctrl, name, text);
	if (r == 0)
		return 0;
	fail_at(err, AT, r, "write %s to %s", text, name);
	add_reason(resctrl, err);
	return -1;
}

int resctrl_add(int resctrl, const char *group, const char *monitoring, pid_t pid,
		struct hoy_error *err)
{
	if (add_to(resctrl, group, NULL, pid, err) < 0)
		return -1;
	/* A monitoring group takes only who is in the group that it belongs to. */
	return monitoring ? add_to(resctrl, group, monitoring, pid, err) : 0;
}

static int remove_directory(int resctrl, const char *group, const char *monitoring,
			    struct hoy_error *err)
{
	char name[NAME_SIZE];
	int r = name_of(name, group, monitoring, NULL);

	if (r == 0 && unlinkat(resctrl, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = -errno;
	return r < 0 ? fail_at(err, AT, r, "remove group %s", name) : 0;
}

int resctrl_remove(int resctrl, const struct state_resctrl *made, const char *id,
		   struct hoy_error *err)
{
	if (made->made_monitoring && remove_directory(resctrl, made->group, id, err) < 0)
		return -1;
	return made->made_group ? remove_directory(resctrl, made->group, NULL, err) : 0;
}
