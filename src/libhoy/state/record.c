/* SPDX-License-Identifier: Apache-2.0 */
/*
 * struct state_record to state.json and back. One table says what the scalar members are called;
 * lists follow it by hand. Runs in the runtime. Reading trusts nothing: the file may be cut or
 * damaged, and members of a later version are skipped.
 */
#include "state/record.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>

#include "base/json_read.h"
#include "base/json_write.h"
#include "sys/cleanup.h"
#include "sys/error.h"
#include "sys/file.h"

#define STATE_SIZE_MAX (8UL << 20)

enum member_type {
	MEMBER_STRING,
	MEMBER_BOOL,
	MEMBER_INT,
	MEMBER_U32,
	MEMBER_U64,
	/** An enum whose words are listed in the order of its values. */
	MEMBER_WORD,
};

struct member {
	const char *name;
	enum member_type type;
	size_t offset;
	const char *const *words;
};

static const char *const phase_words[] = { "creating", "created", "checkpointed", "deleted", NULL };
static const char *const manager_words[] = { "cgroupfs", "systemd", "disabled", NULL };

#define MEMBER(name, type, member)                                      \
	{                                                               \
		name, type, offsetof(struct state_record, member), NULL \
	}
#define MEMBER_OF(name, words, member)                                          \
	{                                                                       \
		name, MEMBER_WORD, offsetof(struct state_record, member), words \
	}

static const struct member members[] = {
	MEMBER_OF("phase", phase_words, phase),
	MEMBER("id", MEMBER_STRING, id),
	MEMBER("bundle", MEMBER_STRING, bundle),
	MEMBER("rootfs", MEMBER_STRING, rootfs),
	MEMBER("ociVersion", MEMBER_STRING, oci_version),
	MEMBER("created", MEMBER_STRING, created),
	MEMBER("owner", MEMBER_U32, owner),
	MEMBER_OF("cgroupManager", manager_words, cgroup_manager),
	MEMBER("cgroup", MEMBER_STRING, cgroup),
	MEMBER("cgroupInode", MEMBER_U64, cgroup_inode),
	MEMBER("cgroupMadeAbove", MEMBER_U32, cgroup_made_above),
	MEMBER("unit", MEMBER_STRING, unit),
	MEMBER("deviceProgram", MEMBER_U32, device_program),
	MEMBER("pid", MEMBER_INT, pid),
	MEMBER("startTime", MEMBER_U64, start_time),
	MEMBER("pidInode", MEMBER_U64, pid_inode),
	MEMBER("bootId", MEMBER_STRING, boot_id),
	MEMBER("privatePidNamespace", MEMBER_BOOL, private_pid_namespace),
	MEMBER("namespaces", MEMBER_U64, namespaces),
	MEMBER("hasProcess", MEMBER_BOOL, has_process),
	MEMBER("noNewPrivileges", MEMBER_BOOL, no_new_privileges),
	MEMBER("newKeyring", MEMBER_BOOL, new_keyring),
};

/* ---- writing ---- */

static void write_member(struct json_writer *writer, const struct member *member,
			 const struct state_record *record)
{
	const void *value = (const char *)record + member->offset;
	const char *string;

	switch (member->type) {
	case MEMBER_STRING:
		string = *(const char *const *)value;
		json_write_string(writer, member->name, string ? string : "");
		break;
	case MEMBER_BOOL:
		json_write_bool(writer, member->name, *(const bool *)value);
		break;
	case MEMBER_INT:
		json_write_signed(writer, member->name, *(const int *)value);
		break;
	case MEMBER_U32:
		json_write_unsigned(writer, member->name, *(const uint32_t *)value);
		break;
	case MEMBER_U64:
		json_write_unsigned(writer, member->name, *(const uint64_t *)value);
		break;
	case MEMBER_WORD:
		json_write_string(writer, member->name,
				  member->words[*(const unsigned int *)value]);
		break;
	}
}

/** A string that may be NULL is left out then. */
static void write_optional(struct json_writer *writer, const char *key, const char *string)
{
	if (string)
		json_write_string(writer, key, string);
}

static void write_late_writes(struct json_writer *writer, const struct state_record *record)
{
	json_write_list(writer, "lateWrites");
	for (size_t i = 0; i < record->late_writes_len; i++) {
		const struct plan_cgroup_write *write = &record->late_writes[i];

		/* The others hold by now, and a hook may have changed them since. */
		if (!write->late)
			continue;
		json_write_object(writer, NULL);
		write_optional(writer, "at", write->at);
		json_write_string(writer, "file", write->file);
		json_write_string(writer, "value", write->value);
		write_optional(writer, "controller", write->controller);
		json_write_bool(writer, "optional", write->optional);
		json_write_end(writer);
	}
	json_write_end(writer);
}

static void write_hooks(struct json_writer *writer, const char *key, const struct plan_hooks *hooks)
{
	if (hooks->len == 0)
		return;
	json_write_object(writer, key);
	json_write_string(writer, "state", hooks->state);
	json_write_unsigned(writer, "pidOffset", hooks->pid_offset);
	write_optional(writer, "stdout", hooks->stdout_path);
	write_optional(writer, "stderr", hooks->stderr_path);
	json_write_list(writer, "hooks");
	for (size_t i = 0; i < hooks->len; i++) {
		const struct plan_hook *hook = &hooks->items[i];

		json_write_object(writer, NULL);
		write_optional(writer, "at", hook->at);
		json_write_string(writer, "path", hook->path);
		json_write_strings(writer, "args", (const char *const *)hook->args);
		if (hook->env)
			json_write_strings(writer, "env", (const char *const *)hook->env);
		json_write_signed(writer, "timeoutMs", hook->timeout_ms);
		json_write_end(writer);
	}
	json_write_end(writer);
	json_write_end(writer);
}

static void write_record(struct json_writer *writer, const struct state_record *record)
{
	json_write_object(writer, NULL);
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		write_member(writer, &members[i], record);
	if (record->host_mounts_len > 0) {
		json_write_list(writer, "hostMounts");
		for (size_t i = 0; i < record->host_mounts_len; i++)
			json_write_string(writer, NULL, record->host_mounts[i]);
		json_write_end(writer);
	}
	if (record->descriptors_len > 0) {
		json_write_list(writer, "descriptors");
		for (size_t i = 0; i < record->descriptors_len; i++)
			json_write_string(writer, NULL, record->descriptors[i]);
		json_write_end(writer);
	}
	if (record->resctrl.group) {
		json_write_object(writer, "resctrl");
		json_write_string(writer, "group", record->resctrl.group);
		json_write_bool(writer, "madeGroup", record->resctrl.made_group);
		json_write_bool(writer, "madeMonitoring", record->resctrl.made_monitoring);
		json_write_end(writer);
	}
	if (record->annotations_len > 0) {
		json_write_object(writer, "annotations");
		for (size_t i = 0; i < record->annotations_len; i++)
			json_write_string(writer, record->annotations[i].key,
					  record->annotations[i].value);
		json_write_end(writer);
	}
	if (record->late_writes_len > 0)
		write_late_writes(writer, record);
	write_hooks(writer, "poststart", &record->poststart);
	write_hooks(writer, "poststop", &record->poststop);
	json_write_end(writer);
}

int state_write(const struct state_dir *dir, const struct state_record *record,
		struct hoy_error *err)
{
	/* One without many annotations or limits. */
	char place[2048];
	autojson struct json_writer writer = { .text = TEXT_IN(place) };
	const char *text;
	int r;

	write_record(&writer, record);
	text = json_write_text(&writer);
	if (!text)
		return fail(err, ENOMEM, "write " STATE_FILE);
	copies_write(dir, record);
	/* As long as the directory has no name nobody can see half of the file. */
	r = dir->name[0] == '.' ? file_make(dir->fd, STATE_FILE, text, strlen(text), 0600)
				: file_replace(dir->fd, STATE_FILE, text, strlen(text), 0600);
	return r < 0 ? fail(err, r, "write " STATE_FILE) : 0;
}

/* ---- reading ---- */

static int fail_member(struct hoy_error *err, const char *name)
{
	return fail(err, 0, "member %s is missing or invalid", name);
}

static int read_word(const struct json_node *node, const char *const *words, unsigned int *value)
{
	const char *text = NULL;

	if (json_get_string(node, &text) < 0 || !text)
		return -EINVAL;
	for (unsigned int i = 0; words[i]; i++) {
		if (strcmp(words[i], text) == 0) {
			*value = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int read_member(const struct json_node *node, const struct member *member,
		       struct state_record *record)
{
	void *value = (char *)record + member->offset;
	uint64_t number = 0;
	int64_t integer = 0;
	int r = -EINVAL;

	if (!node)
		return -ENOENT;
	switch (member->type) {
	case MEMBER_STRING:
		return json_get_string(node, value);
	case MEMBER_BOOL:
		return json_get_bool(node, value);
	case MEMBER_U64:
		return json_get_unsigned(node, UINT64_MAX, value);
	case MEMBER_WORD:
		return read_word(node, member->words, value);
	case MEMBER_INT:
		r = json_get_signed(node, 0, INT32_MAX, &integer);
		*(int *)value = (int)integer;
		return r;
	case MEMBER_U32:
		r = json_get_unsigned(node, UINT32_MAX, &number);
		*(uint32_t *)value = (uint32_t)number;
		return r;
	}
	return r;
}

/** Members that may be absent: ret_ then keeps its value. */
static int read_optional(const struct json_node *object, const char *key, const char **ret_string)
{
	const struct json_node *node = json_member(object, key);

	return node ? json_get_string(node, ret_string) : 0;
}

/** Number of items if it is a list (or absent), else -1. */
static ssize_t list_len(const struct json_node *node)
{
	if (!node)
		return 0;
	return node->type == JSON_LIST ? (ssize_t)node->len : -1;
}

static int read_strings(const struct json_node *list, struct arena *arena, char ***ret_strings,
			size_t *ret_len)
{
	ssize_t len = list_len(list);
	size_t i = 0;
	char **strings;

	if (len < 0)
		return -EINVAL;
	strings = arena_array(arena, char *, (size_t)len + 1);
	if (!strings)
		return -ENOMEM;
	for (const struct json_node *node = list ? list->children : NULL; node; node = node->next) {
		if (node->type != JSON_STRING)
			return -EINVAL;
		strings[i++] = (char *)node->text;
	}
	*ret_strings = strings;
	if (ret_len)
		*ret_len = i;
	return 0;
}

static int read_annotations(const struct json_node *object, struct arena *arena,
			    struct state_record *record)
{
	size_t i = 0;

	if (!object)
		return 0;
	if (object->type != JSON_OBJECT)
		return -EINVAL;
	record->annotations = arena_array(arena, struct plan_parameter, object->len);
	if (!record->annotations)
		return -ENOMEM;
	for (const struct json_node *node = object->children; node; node = node->next) {
		if (node->type != JSON_STRING)
			return -EINVAL;
		record->annotations[i++] = (struct plan_parameter){ .key = node->key,
								    .value = node->text };
	}
	record->annotations_len = i;
	return 0;
}

static int read_late_writes(const struct json_node *list, struct arena *arena,
			    struct state_record *record)
{
	ssize_t len = list_len(list);
	struct plan_cgroup_write *write;

	if (len <= 0)
		return len < 0 ? -EINVAL : 0;
	write = record->late_writes = arena_array(arena, struct plan_cgroup_write, (size_t)len);
	if (!write)
		return -ENOMEM;
	for (const struct json_node *node = list->children; node; node = node->next, write++) {
		write->late = true;
		if (read_optional(node, "at", &write->at) < 0 ||
		    json_get_string(json_member(node, "file"), &write->file) < 0 ||
		    json_get_string(json_member(node, "value"), &write->value) < 0 ||
		    read_optional(node, "controller", &write->controller) < 0 ||
		    json_get_bool(json_member(node, "optional"), &write->optional) < 0)
			return -EINVAL;
	}
	record->late_writes_len = (size_t)len;
	return 0;
}

static int read_hook(const struct json_node *node, struct arena *arena, struct plan_hook *hook)
{
	const struct json_node *env = json_member(node, "env");
	int64_t timeout_ms = -1;

	if (read_optional(node, "at", &hook->at) < 0 ||
	    json_get_string(json_member(node, "path"), &hook->path) < 0 ||
	    json_get_signed(json_member(node, "timeoutMs"), -1, INT32_MAX, &timeout_ms) < 0 ||
	    read_strings(json_member(node, "args"), arena, &hook->args, NULL) < 0)
		return -EINVAL;
	hook->timeout_ms = (int)timeout_ms;
	return env ? read_strings(env, arena, &hook->env, NULL) : 0;
}

static int read_hooks(const struct json_node *object, struct arena *arena, struct plan_hooks *hooks)
{
	const struct json_node *list = json_member(object, "hooks");
	ssize_t len = list_len(list);
	uint64_t pid_offset = 0;
	size_t i = 0;

	if (!object)
		return 0;
	if (len < 0 || read_optional(object, "stdout", &hooks->stdout_path) < 0 ||
	    read_optional(object, "stderr", &hooks->stderr_path) < 0 ||
	    json_get_string(json_member(object, "state"), &hooks->state) < 0 ||
	    json_get_unsigned(json_member(object, "pidOffset"), SIZE_MAX, &pid_offset) < 0)
		return -EINVAL;
	hooks->state_len = strlen(hooks->state);
	hooks->pid_offset = pid_offset;
	/* The ten places for the pid lie inside the state, whatever the file says. */
	if (hooks->state_len < 10 || pid_offset > hooks->state_len - 10)
		return -EINVAL;
	hooks->items = arena_array(arena, struct plan_hook, (size_t)len);
	if (!hooks->items)
		return -ENOMEM;
	for (const struct json_node *node = list ? list->children : NULL; node; node = node->next)
		if (read_hook(node, arena, &hooks->items[i++]) < 0)
			return -EINVAL;
	hooks->len = i;
	return 0;
}

static int read_resctrl(const struct json_node *object, struct state_resctrl *resctrl)
{
	if (!object)
		return 0;
	if (json_get_string(json_member(object, "group"), &resctrl->group) < 0 ||
	    json_get_bool(json_member(object, "madeGroup"), &resctrl->made_group) < 0 ||
	    json_get_bool(json_member(object, "madeMonitoring"), &resctrl->made_monitoring) < 0)
		return -EINVAL;
	return 0;
}

static int read_lists(const struct json_node *document, struct arena *arena,
		      struct state_record *record, struct hoy_error *err)
{
	if (read_strings(json_member(document, "hostMounts"), arena, (char ***)&record->host_mounts,
			 &record->host_mounts_len) < 0)
		return fail_member(err, "hostMounts");
	if (read_strings(json_member(document, "descriptors"), arena,
			 (char ***)&record->descriptors, &record->descriptors_len) < 0)
		return fail_member(err, "descriptors");
	if (read_resctrl(json_member(document, "resctrl"), &record->resctrl) < 0)
		return fail_member(err, "resctrl");
	if (read_annotations(json_member(document, "annotations"), arena, record) < 0)
		return fail_member(err, "annotations");
	if (read_late_writes(json_member(document, "lateWrites"), arena, record) < 0)
		return fail_member(err, "lateWrites");
	if (read_hooks(json_member(document, "poststart"), arena, &record->poststart) < 0)
		return fail_member(err, "poststart");
	if (read_hooks(json_member(document, "poststop"), arena, &record->poststop) < 0)
		return fail_member(err, "poststop");
	return 0;
}

struct state_record *record_new(struct arena *arena)
{
	struct state_record *record = arena_new(arena, struct state_record);

	for (size_t i = 0; record && i < ARRAY_LEN(members); i++)
		if (members[i].type == MEMBER_STRING)
			*(const char **)((char *)record + members[i].offset) = "";
	return record;
}

static int read_document(const struct json_node *document, struct arena *arena,
			 struct state_record **ret_record, struct hoy_error *err)
{
	struct state_record *record = record_new(arena);

	if (!record)
		return fail(err, ENOMEM, "allocate the record");
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (read_member(json_member(document, members[i].name), &members[i], record) < 0)
			return fail_member(err, members[i].name);
	if (read_lists(document, arena, record, err) < 0)
		return -1;
	*ret_record = record;
	return 0;
}

static int read_file(const struct state_dir *dir, struct arena *arena,
		     struct state_record **ret_record, struct hoy_error *err)
{
	autoclose int fd = openat(dir->fd, STATE_FILE,
				  O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	const struct json_node *document;
	struct state_record *record = NULL;
	int r;

	if (fd < 0)
		return fail(err, errno, "open");
	if (json_read_fd(fd, STATE_SIZE_MAX, STATE_FILE, arena, &document, err) < 0 ||
	    read_document(document, arena, &record, err) < 0)
		return -1;
	r = copies_complete(dir, arena, record);
	if (r < 0)
		return fail(err, r, "read what was noted beside it");
	*ret_record = record;
	return 0;
}

bool state_is_damage(const struct hoy_error *err)
{
	return err->code != ENOMEM && err->code != EMFILE && err->code != ENFILE;
}

int state_read(const struct state_dir *dir, struct arena *arena, struct state_record **ret_record,
	       struct hoy_error *err)
{
	if (read_file(dir, arena, ret_record, err) == 0)
		return 0;
	/* Places are those of the configuration elsewhere. */
	err->at[0] = '\0';
	err->line = err->column = 0;
	fail_in(err, STATE_FILE " of container %s cannot be read", dir->name);
	if (!state_is_damage(err))
		return -1;
	return fail_hint(err, "hoy delete --force %s ends and removes the container", dir->name);
}
