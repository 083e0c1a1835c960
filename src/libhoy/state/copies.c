/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies of what identifies a container's cgroup and init, for `delete --force` where state.json
 * is lost, or where create was killed before it could be written anew: the targets of symlinks that
 * nobody follows, since a symlink is made with all its text by one system call. Runs in the
 * runtime.
 *
 *     cgroup -> "INODE PATH"    init -> "PID START-TIME INODE PRIVATE BOOT-ID"
 *     mounts -> "NUMBER"        resctrl -> "MADE-GROUP MADE-MONITORING GROUP"
 */
#include <limits.h>
#include <stdio.h>

#include "base/number.h"
#include "base/string.h"
#include "state/directory.h"
#include "state/record.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"

/** The target of a copy. @returns true if there is one */
static bool read_copy(const struct state_dir *dir, const char *name, char text[PATH_MAX])
{
	ssize_t len = readlinkat(dir->fd, name, text, PATH_MAX - 1);

	if (len < 0)
		return false;
	text[len] = '\0';
	return true;
}

static int write_copy(const struct state_dir *dir, const char *name, const char *text)
{
	char temporary[32], present[PATH_MAX];

	if (symlinkat(text, dir->fd, name) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	/* It is there from an earlier write of the record. */
	if (read_copy(dir, name, present) && strcmp(present, text) == 0)
		return 0;
	format_text(temporary, sizeof(temporary), ".%s.%d", name, (int)getpid());
	if (symlinkat(text, dir->fd, temporary) < 0 ||
	    renameat(dir->fd, temporary, dir->fd, name) < 0)
		return -errno;
	return 0;
}

static int write_cgroup(const struct state_dir *dir, const struct state_record *record)
{
	char text[PATH_MAX];

	if (format_text(text, sizeof(text), "%llu %s", (unsigned long long)record->cgroup_inode,
			record->cgroup) >= sizeof(text))
		return -ENAMETOOLONG;
	return write_copy(dir, STATE_COPY_CGROUP, text);
}

int state_note_cgroup(const struct state_dir *dir, const struct state_record *record,
		      struct hoy_error *err)
{
	int r = write_cgroup(dir, record);

	return r < 0 ? fail(err, r, "note cgroup %s", record->cgroup) : 0;
}

static void describe_init(const struct state_record *record, char text[PATH_MAX])
{
	format_text(text, PATH_MAX, "%d %llu %llu %d %s", (int)record->pid,
		    (unsigned long long)record->start_time, (unsigned long long)record->pid_inode,
		    record->private_pid_namespace, record->boot_id);
}

static int write_init(const struct state_dir *dir, const struct state_record *record)
{
	char text[PATH_MAX];

	describe_init(record, text);
	return write_copy(dir, STATE_COPY_INIT, text);
}

int state_note_init(const struct state_dir *dir, const struct state_record *record,
		    struct hoy_error *err)
{
	int r = write_init(dir, record);

	return r < 0 ? fail(err, r, "note process %d", (int)record->pid) : 0;
}

void copies_write(const struct state_dir *dir, const struct state_record *record)
{
	char text[PATH_MAX];

	if (record->phase != STATE_PHASE_CREATING)
		return;
	if (record->cgroup_inode != 0)
		(void)write_cgroup(dir, record);
	if (record->pid != 0)
		(void)write_init(dir, record);
	if (record->host_mounts_len != 0) {
		format_text(text, sizeof(text), "%zu", record->host_mounts_len);
		(void)write_copy(dir, STATE_COPY_MOUNTS, text);
	}
	if (record->resctrl.group) {
		format_text(text, sizeof(text), "%d %d %s", record->resctrl.made_group,
			    record->resctrl.made_monitoring, record->resctrl.group);
		(void)write_copy(dir, STATE_COPY_RESCTRL, text);
	}
}

/** Cuts the next word off at its blank. @returns the word, or NULL at the end */
static char *next_word(char **rest)
{
	return *rest ? strsep(rest, " ") : NULL;
}

static int read_number(char **rest, uint64_t max, uint64_t *ret_number)
{
	const char *word = next_word(rest);

	return word ? number_unsigned(word, max, ret_number) : -EINVAL;
}

static int salvage_cgroup(char *text, struct arena *arena, struct state_record *record)
{
	uint64_t inode;

	if (read_number(&text, UINT64_MAX, &inode) < 0 || !text || text[0] != '/')
		return -EINVAL;
	record->cgroup = arena_strdup(arena, text);
	if (!record->cgroup)
		return -ENOMEM;
	record->cgroup_inode = inode;
	return 0;
}

static int salvage_init(char *text, struct arena *arena, struct state_record *record)
{
	uint64_t pid, start_time, inode, is_private;

	if (read_number(&text, INT32_MAX, &pid) < 0 ||
	    read_number(&text, UINT64_MAX, &start_time) < 0 ||
	    read_number(&text, UINT64_MAX, &inode) < 0 || read_number(&text, 1, &is_private) < 0 ||
	    !text)
		return -EINVAL;
	record->boot_id = arena_strdup(arena, text);
	if (!record->boot_id)
		return -ENOMEM;
	record->pid = (pid_t)pid;
	record->start_time = start_time;
	record->pid_inode = inode;
	record->private_pid_namespace = is_private;
	return 0;
}

static int salvage_resctrl(char *text, struct arena *arena, struct state_resctrl *resctrl)
{
	uint64_t made_group, made_monitoring;

	if (read_number(&text, 1, &made_group) < 0 || read_number(&text, 1, &made_monitoring) < 0 ||
	    !text)
		return -EINVAL;
	resctrl->group = arena_strdup(arena, text);
	if (!resctrl->group)
		return -ENOMEM;
	resctrl->made_group = made_group;
	resctrl->made_monitoring = made_monitoring;
	return 0;
}

/** Reads the copies of what the record does not say. */
static int complete(const struct state_dir *dir, struct arena *arena, struct state_record *record)
{
	char text[PATH_MAX];
	int r = 0;

	if (record->cgroup_inode == 0 && read_copy(dir, STATE_COPY_CGROUP, text))
		r = salvage_cgroup(text, arena, record);
	if (r == 0 && record->pid == 0 && read_copy(dir, STATE_COPY_INIT, text))
		r = salvage_init(text, arena, record);
	if (r == 0 && !record->resctrl.group && read_copy(dir, STATE_COPY_RESCTRL, text))
		r = salvage_resctrl(text, arena, &record->resctrl);
	return r;
}

int copies_complete(const struct state_dir *dir, struct arena *arena, struct state_record *record)
{
	return record->phase == STATE_PHASE_CREATING ? complete(dir, arena, record) : 0;
}

int state_compare_copies(const struct state_dir *dir, const struct state_record *record,
			 struct hoy_error *err)
{
	char present[PATH_MAX], text[PATH_MAX];

	format_text(text, sizeof(text), "%llu %s", (unsigned long long)record->cgroup_inode,
		    record->cgroup);
	if (read_copy(dir, STATE_COPY_CGROUP, present) && strcmp(present, text) != 0)
		return fail(err, 0, "its record names cgroup %s, but a copy of it does not",
			    record->cgroup);
	describe_init(record, text);
	if (read_copy(dir, STATE_COPY_INIT, present) && strcmp(present, text) != 0)
		return fail(err, 0, "its record names process %d, but a copy of it does not",
			    (int)record->pid);
	return 0;
}

int state_salvage(const struct state_dir *dir, struct arena *arena,
		  struct state_record **ret_record, bool *ret_has_mounts)
{
	struct state_record *record = record_new(arena);
	char text[PATH_MAX];
	int r;

	if (!record)
		return -ENOMEM;
	record->id = arena_strdup(arena, dir->name);
	if (!record->id)
		return -ENOMEM;
	r = complete(dir, arena, record);
	if (r < 0)
		return r;
	*ret_has_mounts = read_copy(dir, STATE_COPY_MOUNTS, text);
	*ret_record = record;
	return 0;
}
