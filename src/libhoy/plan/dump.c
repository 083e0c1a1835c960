/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the plan as text or JSON, by one walk over it: what is planned is told completely and in
 * the order in which it is carried out, and twice the same plan is told in the same bytes. Runs in
 * the runtime. Decides nothing.
 */
#include "plan/dump.h"

#include <string.h>
#include <sys/sysmacros.h>

#include "base/json_write.h"
#include "plan/plan.h"
#include "spec/capability.h"
#include "spec/namespace.h"
#include "spec/rlimit.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"

/** Where a walk writes to: JSON, or else text. */
struct dump {
	bool is_json;
	struct json_writer json;
	struct text text;
};

/* ---- entries ---- */

static void begin_list(struct dump *dump, const char *name)
{
	if (dump->is_json)
		json_write_list(&dump->json, name);
}

static void end_list(struct dump *dump)
{
	if (dump->is_json)
		json_write_end(&dump->json);
}

/* Begins an entry; `member` is its name in JSON, NULL within a list. */
static void begin(struct dump *dump, const char *word, const char *member)
{
	if (dump->is_json)
		json_write_object(&dump->json, member);
	else
		text_add(&dump->text, word);
}

static void end(struct dump *dump)
{
	if (dump->is_json)
		json_write_end(&dump->json);
	else
		text_add_char(&dump->text, '\n');
}

/* ---- members ---- */

static void add_name(struct dump *dump, const char *name)
{
	text_add_char(&dump->text, ' ');
	text_add(&dump->text, name);
	text_add_char(&dump->text, '=');
}

static void put_string(struct dump *dump, const char *name, const char *value)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789/._-+:,@=%[]";

	if (!value)
		return;
	if (dump->is_json) {
		json_write_string(&dump->json, name, value);
		return;
	}
	add_name(dump, name);
	if (*value && string_is_made_of(value, plain))
		text_add(&dump->text, value);
	else
		json_quote(&dump->text, value);
}

static void put_signed(struct dump *dump, const char *name, int64_t value)
{
	if (dump->is_json) {
		json_write_signed(&dump->json, name, value);
		return;
	}
	add_name(dump, name);
	text_add_format(&dump->text, "%lld", (long long)value);
}

static void put_unsigned(struct dump *dump, const char *name, uint64_t value)
{
	if (dump->is_json) {
		json_write_unsigned(&dump->json, name, value);
		return;
	}
	add_name(dump, name);
	text_add_format(&dump->text, "%llu", (unsigned long long)value);
}

static void put_octal(struct dump *dump, const char *name, mode_t mode)
{
	char digits[16];

	format_text(digits, sizeof(digits), "%04o", mode);
	put_string(dump, name, digits);
}

static void put_flag(struct dump *dump, const char *name, bool flag)
{
	if (!flag)
		return;
	if (dump->is_json) {
		json_write_bool(&dump->json, name, true);
		return;
	}
	text_add_char(&dump->text, ' ');
	text_add(&dump->text, name);
}

static void put_strings(struct dump *dump, const char *name, char *const *strings)
{
	if (!strings)
		return;
	if (dump->is_json) {
		json_write_strings(&dump->json, name, (const char *const *)strings);
		return;
	}
	add_name(dump, name);
	text_add_char(&dump->text, '[');
	for (size_t i = 0; strings[i]; i++) {
		if (i)
			text_add_char(&dump->text, ',');
		json_quote(&dump->text, strings[i]);
	}
	text_add_char(&dump->text, ']');
}

/* Adds a word to a list of words with commas that is told as one string. */
static void add_word(struct text *words, const char *word)
{
	if (words->len)
		text_add_char(words, ',');
	text_add(words, word);
}

static void put_words(struct dump *dump, const char *name, struct text *words)
{
	if (words->failed)
		dump->text.failed = true;
	if (words->len)
		put_string(dump, name, words->bytes);
	text_done(words);
}

static void put_ids(struct dump *dump, const char *name, const struct plan_id_map *maps, size_t len)
{
	struct text words = { 0 };

	for (size_t i = 0; i < len; i++)
		text_add_format(&words, "%s%u:%u:%u", i ? "," : "", maps[i].container_id,
				maps[i].host_id, maps[i].size);
	put_words(dump, name, &words);
}

static void put_bits(struct dump *dump, const char *name, const uint64_t *mask, size_t words_len)
{
	struct text words = { 0 };

	for (size_t i = 0; i < words_len * 64; i++)
		if (mask[i / 64] & 1ULL << i % 64)
			text_add_format(&words, "%s%zu", words.len ? "," : "", i);
	put_words(dump, name, &words);
}

/* ---- masks by name ---- */

static const struct {
	uint64_t bits;
	const char *name;
} attribute_names[] = {
	{ MOUNT_ATTR_RDONLY, "ro" },
	{ MOUNT_ATTR_NOSUID, "nosuid" },
	{ MOUNT_ATTR_NODEV, "nodev" },
	{ MOUNT_ATTR_NOEXEC, "noexec" },
	{ MOUNT_ATTR_NOATIME, "noatime" },
	{ MOUNT_ATTR_STRICTATIME, "strictatime" },
	{ MOUNT_ATTR_NODIRATIME, "nodiratime" },
	{ MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow" },
};

static void put_attributes(struct dump *dump, const char *name, uint64_t bits)
{
	struct text words = { 0 };

	/* The mask of the access time group is there only to be cleared as a whole. */
	if ((bits & MOUNT_ATTR__ATIME) == MOUNT_ATTR__ATIME) {
		add_word(&words, "atime");
		bits &= ~(uint64_t)MOUNT_ATTR__ATIME;
	}
	for (size_t i = 0; i < ARRAY_LEN(attribute_names); i++)
		if (bits & attribute_names[i].bits)
			add_word(&words, attribute_names[i].name);
	put_words(dump, name, &words);
}

static void put_namespaces(struct dump *dump, const char *name, uint64_t types)
{
	struct text words = { 0 };

	for (size_t i = 0; i < namespace_types.len; i++)
		if (types & namespace_types.words[i].value)
			add_word(&words, namespace_types.words[i].name);
	put_words(dump, name, &words);
}

static void put_capabilities(struct dump *dump, const char *name, uint64_t mask)
{
	struct text words = { 0 };
	char capability[CAPABILITY_NAME_SIZE];

	for (unsigned int i = 0; i < 64; i++)
		if (mask & 1ULL << i && capability_name(i, capability))
			add_word(&words, capability);
	put_words(dump, name, &words);
}

static const char *propagation_name(uint64_t propagation, bool recursive)
{
	switch (propagation) {
	case MS_PRIVATE:
		return recursive ? "rprivate" : "private";
	case MS_SLAVE:
		return recursive ? "rslave" : "slave";
	case MS_SHARED:
		return recursive ? "rshared" : "shared";
	case MS_UNBINDABLE:
		return recursive ? "runbindable" : "unbindable";
	}
	return NULL;
}

/* ---- namespaces ---- */

static void dump_maps(struct dump *dump, const struct plan_namespaces *namespaces)
{
	put_ids(dump, "uidMap", namespaces->uid_maps, namespaces->uid_maps_len);
	put_ids(dump, "gidMap", namespaces->gid_maps, namespaces->gid_maps_len);
	put_flag(dump, "helperMaps", namespaces->helper_maps);
	put_flag(dump, "denySetgroups", namespaces->deny_setgroups);
	put_flag(dump, "becomeRoot", namespaces->become_root);
}

static void dump_namespaces(struct dump *dump, const struct plan *plan)
{
	const struct plan_namespaces *namespaces = &plan->namespaces;

	begin(dump, "namespaces", "namespaces");
	put_namespaces(dump, "create", namespaces->create);
	put_namespaces(dump, "join", namespaces->joined);
	put_flag(dump, "bootstrap", namespaces->bootstrap);
	put_string(dump, "timeOffsets", namespaces->time_offsets);
	dump_maps(dump, namespaces);
	put_flag(dump, "loopback", namespaces->loopback);
	put_string(dump, "hostname", namespaces->hostname);
	put_string(dump, "domainname", namespaces->domainname);
	end(dump);
	begin_list(dump, "joins");
	for (size_t i = 0; i < namespaces->joins_len; i++) {
		begin(dump, "join", NULL);
		put_namespaces(dump, "type", namespaces->joins[i].type);
		put_string(dump, "path", namespaces->joins[i].path);
		put_string(dump, "at", namespaces->joins[i].at);
		end(dump);
	}
	end_list(dump);
}

/* ---- root and mounts ---- */

static void dump_root(struct dump *dump, const struct plan *plan)
{
	const struct plan_root *root = &plan->root;

	begin(dump, "root", "root");
	put_string(dump, "path", root->path);
	put_flag(dump, "readonly", root->readonly);
	put_flag(dump, "hostMounts", root->host_mounts);
	put_flag(dump, "noPivot", root->no_pivot);
	put_string(dump, "oldPropagation", propagation_name(root->old_propagation, true));
	put_string(dump, "propagation", propagation_name(root->propagation, false));
	put_string(dump, "mountLabel", plan->mount_label);
	put_string(dump, "at", root->at);
	end(dump);
}

static void put_parameters(struct dump *dump, const struct plan_mount *mount)
{
	struct text words = { 0 };

	for (size_t i = 0; i < mount->parameters_len; i++) {
		add_word(&words, mount->parameters[i].key);
		if (mount->parameters[i].value)
			text_add_format(&words, "=%s", mount->parameters[i].value);
	}
	put_words(dump, "parameters", &words);
}

static void put_mount_attributes(struct dump *dump, const struct plan_attributes *attributes)
{
	put_attributes(dump, "set", attributes->set);
	put_attributes(dump, "clear", attributes->clear);
	put_attributes(dump, "recursiveSet", attributes->recursive_set);
	put_attributes(dump, "recursiveClear", attributes->recursive_clear);
	put_string(dump, "propagation",
		   propagation_name(attributes->propagation, attributes->propagation_recursive));
}

static void put_mount_flags(struct dump *dump, const struct plan_mount *mount)
{
	static const char *const rules[] = {
		[PLAN_PROC_ALLOWED] = "allowed",
		[PLAN_PROC_FROM_PROC] = "fromProc",
	};

	put_flag(dump, "noSymlinks", mount->no_symlinks);
	put_flag(dump, "sourceNofollow", mount->source_nofollow);
	put_flag(dump, "copyUp", mount->copy_up);
	put_flag(dump, "inheritMode", mount->inherit_mode);
	put_flag(dump, "readonlyLate", mount->readonly_late);
	put_flag(dump, "fillDevices", mount->fill_devices);
	put_flag(dump, "devpts", mount->is_devpts);
	put_string(dump, "onProc", mount->proc_rule ? rules[mount->proc_rule] : NULL);
	put_string(dump, mount->fallback_recursive ? "fallbackTree" : "fallback",
		   mount->fallback_source);
	put_ids(dump, "uidMap", mount->uid_maps, mount->uid_maps_len);
	put_ids(dump, "gidMap", mount->gid_maps, mount->gid_maps_len);
	put_flag(dump, "idmapRecursive", mount->idmap_recursive);
}

static void dump_mount(struct dump *dump, const struct plan_mount *mount)
{
	static const char *const kinds[] = {
		[PLAN_MOUNT_NEW] = "new",
		[PLAN_MOUNT_BIND] = "bind",
		[PLAN_MOUNT_REMOUNT] = "remount",
	};

	begin(dump, "mount", NULL);
	put_string(dump, "destination", mount->destination);
	put_string(dump, "kind", mount->recursive ? "rbind" : kinds[mount->kind]);
	put_string(dump, "fstype", mount->fstype);
	put_string(dump, "source", mount->source);
	if (mount->kind == PLAN_MOUNT_BIND)
		put_string(dump, "type", mount->source_is_directory ? "directory" : "file");
	put_parameters(dump, mount);
	put_flag(dump, "classic", mount->data != NULL);
	put_mount_attributes(dump, &mount->attributes);
	put_mount_flags(dump, mount);
	put_string(dump, "at", mount->at);
	end(dump);
}

static void dump_paths(struct dump *dump, const char *list, const char *word,
		       const struct plan_path *paths, size_t len)
{
	begin_list(dump, list);
	for (size_t i = 0; i < len; i++) {
		begin(dump, word, NULL);
		put_string(dump, "path", paths[i].path);
		put_string(dump, "at", paths[i].at);
		end(dump);
	}
	end_list(dump);
}

static void dump_device(struct dump *dump, const struct plan_device *device)
{
	char number[32];

	begin(dump, "device", NULL);
	put_string(dump, "path", device->path);
	put_string(dump, "type",
		   S_ISFIFO(device->mode) ? "p" : S_ISBLK(device->mode) ? "b" : "c");
	if (!S_ISFIFO(device->mode)) {
		format_text(number, sizeof(number), "%u:%u", major(device->device),
			    minor(device->device));
		put_string(dump, "number", number);
	}
	put_octal(dump, "mode", device->mode & 07777);
	if (device->uid)
		put_unsigned(dump, "uid", device->uid);
	if (device->gid)
		put_unsigned(dump, "gid", device->gid);
	put_string(dump, "bind", device->bind_source);
	put_string(dump, "inDev", device->dev_name);
	put_flag(dump, "default", device->is_default);
	put_string(dump, "at", device->at);
	end(dump);
}

static void dump_files(struct dump *dump, const struct plan *plan)
{
	begin_list(dump, "mounts");
	for (size_t i = 0; i < plan->mounts_len; i++)
		dump_mount(dump, &plan->mounts[i]);
	end_list(dump);
	begin_list(dump, "devices");
	for (size_t i = 0; i < plan->devices_len; i++)
		dump_device(dump, &plan->devices[i]);
	end_list(dump);
	begin_list(dump, "links");
	for (size_t i = 0; i < plan->links_len; i++) {
		begin(dump, "link", NULL);
		put_string(dump, "path", plan->links[i].path);
		put_string(dump, "target", plan->links[i].target);
		put_string(dump, "inDev", plan->links[i].dev_name);
		end(dump);
	}
	end_list(dump);
	dump_paths(dump, "maskedPaths", "masked", plan->masked_paths, plan->masked_paths_len);
	dump_paths(dump, "readonlyPaths", "readonly", plan->readonly_paths,
		   plan->readonly_paths_len);
	begin_list(dump, "sysctls");
	for (size_t i = 0; i < plan->sysctls_len; i++) {
		begin(dump, "sysctl", NULL);
		put_string(dump, "path", plan->sysctls[i].path);
		put_string(dump, "value", plan->sysctls[i].value);
		put_string(dump, "at", plan->sysctls[i].at);
		end(dump);
	}
	end_list(dump);
}

/* ---- process ---- */

static void put_groups(struct dump *dump, const struct plan_process *process)
{
	struct text words = { 0 };

	for (size_t i = 0; i < process->groups_len; i++)
		text_add_format(&words, "%s%u", i ? "," : "", process->groups[i]);
	put_words(dump, "groups", &words);
	put_flag(dump, "keepGroups", process->keep_groups);
}

static void put_labels(struct dump *dump, const struct plan_process *process)
{
	put_flag(dump, "noNewPrivileges", process->no_new_privileges);
	if (process->set_oom_score_adj) {
		put_signed(dump, "oomScoreAdj", process->oom_score_adj);
		put_flag(dump, "oomScoreAdjOptional", process->oom_score_adj_optional);
	}
	put_string(dump, "apparmor", process->apparmor_profile);
	put_string(dump, "selinux", process->selinux_label);
	if (process->set_personality)
		put_unsigned(dump, "personality", process->personality);
	put_string(dump, "keyring", process->keyring);
	if (process->preserve_fds)
		put_unsigned(dump, "preserveFds", process->preserve_fds);
}

static void dump_process_members(struct dump *dump, const struct plan_process *process)
{
	begin(dump, "process", "process");
	put_strings(dump, "args", process->args);
	put_string(dump, "path", process->path);
	put_string(dump, "cwd", process->cwd);
	put_unsigned(dump, "uid", process->uid);
	put_unsigned(dump, "gid", process->gid);
	put_groups(dump, process);
	put_octal(dump, "umask", process->umask);
	put_flag(dump, "terminal", process->terminal);
	if (process->rows || process->columns) {
		put_unsigned(dump, "rows", process->rows);
		put_unsigned(dump, "columns", process->columns);
	}
	put_labels(dump, process);
	end(dump);
}

static void dump_env(struct dump *dump, const struct plan_process *process)
{
	begin_list(dump, "env");
	for (size_t i = 0; i < process->env_len; i++) {
		begin(dump, "env", NULL);
		put_string(dump, "entry", process->env[i]);
		put_flag(dump, "home", (int)i == process->env_home);
		end(dump);
	}
	end_list(dump);
}

static void dump_capabilities(struct dump *dump, const struct plan_capabilities *capabilities)
{
	begin(dump, "capabilities", "capabilities");
	put_capabilities(dump, "bounding", capabilities->bounding);
	put_capabilities(dump, "permitted", capabilities->permitted);
	put_capabilities(dump, "effective", capabilities->effective);
	put_capabilities(dump, "inheritable", capabilities->inheritable);
	put_capabilities(dump, "ambient", capabilities->ambient);
	end(dump);
}

static void dump_rlimits(struct dump *dump, const struct plan_process *process)
{
	begin_list(dump, "rlimits");
	for (size_t i = 0; i < process->rlimits_len; i++) {
		const struct plan_rlimit *rlimit = &process->rlimits[i];

		begin(dump, "rlimit", NULL);
		put_string(dump, "type", word_name(&rlimit_types, (uint64_t)rlimit->type));
		put_unsigned(dump, "soft", rlimit->soft);
		put_unsigned(dump, "hard", rlimit->hard);
		put_string(dump, "at", rlimit->at);
		end(dump);
	}
	end_list(dump);
}

static void dump_scheduler(struct dump *dump, const struct plan_scheduler *scheduler)
{
	if (!scheduler->set)
		return;
	begin(dump, "scheduler", "scheduler");
	put_unsigned(dump, "policy", scheduler->policy);
	put_unsigned(dump, "flags", scheduler->flags);
	put_signed(dump, "nice", scheduler->nice);
	put_unsigned(dump, "priority", scheduler->priority);
	put_unsigned(dump, "runtimeNs", scheduler->runtime);
	put_unsigned(dump, "deadlineNs", scheduler->deadline);
	put_unsigned(dump, "periodNs", scheduler->period);
	end(dump);
}

static void dump_placement(struct dump *dump, const struct plan_process *process)
{
	dump_scheduler(dump, &process->scheduler);
	if (process->io_priority < 0 && process->memory_policy < 0 && !process->initial_cpus.set &&
	    !process->final_cpus.set)
		return;
	begin(dump, "placement", "placement");
	if (process->io_priority >= 0)
		put_signed(dump, "ioPriority", process->io_priority);
	if (process->memory_policy >= 0)
		put_signed(dump, "memoryPolicy", process->memory_policy);
	put_bits(dump, "memoryNodes", process->memory_nodes, ARRAY_LEN(process->memory_nodes));
	put_bits(dump, "initialCpus", process->initial_cpus.mask, PLAN_CPU_WORDS);
	put_bits(dump, "finalCpus", process->final_cpus.mask, PLAN_CPU_WORDS);
	end(dump);
}

static void dump_seccomp(struct dump *dump, const struct plan_seccomp *seccomp)
{
	if (!seccomp->len)
		return;
	begin(dump, "seccomp", "seccomp");
	put_unsigned(dump, "instructions", seccomp->len);
	put_unsigned(dump, "flags", seccomp->flags);
	put_string(dump, "listenerPath", seccomp->listener_path);
	put_string(dump, "listenerMetadata", seccomp->listener_metadata);
	end(dump);
}

static void dump_process(struct dump *dump, const struct plan_process *process)
{
	if (!process->present)
		return;
	dump_process_members(dump, process);
	dump_env(dump, process);
	dump_capabilities(dump, &process->capabilities);
	dump_rlimits(dump, process);
	dump_placement(dump, process);
	dump_seccomp(dump, &process->seccomp);
}

/* ---- hooks ---- */

static void dump_hooks(struct dump *dump, const struct plan *plan)
{
	static const char *const kinds[] = {
		[PLAN_PRESTART] = "prestart",
		[PLAN_CREATE_RUNTIME] = "createRuntime",
		[PLAN_CREATE_CONTAINER] = "createContainer",
		[PLAN_START_CONTAINER] = "startContainer",
		[PLAN_POSTSTART] = "poststart",
		[PLAN_POSTSTOP] = "poststop",
	};

	begin_list(dump, "hooks");
	for (size_t kind = 0; kind < PLAN_HOOK_KINDS; kind++) {
		const struct plan_hooks *hooks = &plan->hooks[kind];

		for (size_t i = 0; i < hooks->len; i++) {
			begin(dump, "hook", NULL);
			put_string(dump, "kind", kinds[kind]);
			put_string(dump, "path", hooks->items[i].path);
			put_strings(dump, "args", hooks->items[i].args);
			put_strings(dump, "env", hooks->items[i].env);
			if (hooks->items[i].timeout_ms >= 0)
				put_signed(dump, "timeoutMs", hooks->items[i].timeout_ms);
			put_string(dump, "state", hooks->state);
			put_string(dump, "at", hooks->items[i].at);
			end(dump);
		}
	}
	end_list(dump);
}

/* ---- cgroup ---- */

static void put_access(struct dump *dump, const struct plan_device_rule *rule)
{
	char access[4] = "";

	format_text(access, sizeof(access), "%s%s%s", rule->access & 2 ? "r" : "",
		    rule->access & 4 ? "w" : "", rule->access & 1 ? "m" : "");
	put_string(dump, "access", access);
}

static void dump_device_rules(struct dump *dump, const struct plan_cgroup *cgroup)
{
	begin_list(dump, "deviceRules");
	for (size_t i = 0; i < cgroup->device_rules_len; i++) {
		const struct plan_device_rule *rule = &cgroup->device_rules[i];
		const char type[2] = { rule->type, '\0' };

		begin(dump, rule->allow ? "deviceAllow" : "deviceDeny", NULL);
		if (dump->is_json)
			json_write_bool(&dump->json, "allow", rule->allow);
		put_string(dump, "type", type);
		if (rule->major >= 0)
			put_signed(dump, "major", rule->major);
		if (rule->minor >= 0)
			put_signed(dump, "minor", rule->minor);
		put_access(dump, rule);
		end(dump);
	}
	end_list(dump);
}

static void dump_writes(struct dump *dump, const struct plan_cgroup *cgroup)
{
	begin_list(dump, "cgroupWrites");
	for (size_t i = 0; i < cgroup->writes_len; i++) {
		const struct plan_cgroup_write *write = &cgroup->writes[i];

		begin(dump, "write", NULL);
		put_string(dump, "file", write->file);
		put_string(dump, "value", write->value);
		put_string(dump, "controller", write->controller);
		put_flag(dump, "late", write->late);
		put_flag(dump, "optional", write->optional);
		put_flag(dump, "alternative", write->alternative);
		put_string(dump, "at", write->at);
		end(dump);
	}
	end_list(dump);
}

static void dump_pairs(struct dump *dump, const char *list, const char *word,
		       const struct plan_parameter *pairs, size_t len)
{
	begin_list(dump, list);
	for (size_t i = 0; i < len; i++) {
		begin(dump, word, NULL);
		put_string(dump, "name", pairs[i].key);
		put_string(dump, "value", pairs[i].value);
		end(dump);
	}
	end_list(dump);
}

static void dump_cgroup(struct dump *dump, const struct plan_cgroup *cgroup)
{
	static const char *const managers[] = {
		[HOY_CGROUP_CGROUPFS] = "cgroupfs",
		[HOY_CGROUP_SYSTEMD] = "systemd",
		[HOY_CGROUP_DISABLED] = "disabled",
	};

	begin(dump, "cgroup", "cgroup");
	put_string(dump, "manager", managers[cgroup->manager]);
	put_string(dump, "path", cgroup->path);
	put_string(dump, "mountPoint", cgroup->mount_point);
	put_flag(dump, "optional", cgroup->optional);
	if (cgroup->owner >= 0)
		put_signed(dump, "owner", cgroup->owner);
	put_string(dump, "slice", cgroup->slice);
	put_string(dump, "unit", cgroup->unit);
	put_flag(dump, "unshareLate", cgroup->unshare_late);
	put_flag(dump, "lateWrites", cgroup->has_late_writes);
	end(dump);
	dump_writes(dump, cgroup);
	dump_device_rules(dump, cgroup);
	dump_pairs(dump, "properties", "property", cgroup->properties, cgroup->properties_len);
}

/* ---- all of it ---- */

static void dump_plan(struct dump *dump, const struct plan *plan)
{
	begin(dump, "container", "container");
	put_string(dump, "id", plan->id);
	put_string(dump, "bundle", plan->bundle);
	put_string(dump, "ociVersion", plan->oci_version);
	end(dump);
	dump_namespaces(dump, plan);
	dump_cgroup(dump, &plan->cgroup);
	dump_root(dump, plan);
	dump_files(dump, plan);
	dump_process(dump, &plan->process);
	dump_hooks(dump, plan);
	dump_pairs(dump, "annotations", "annotation", plan->annotations, plan->annotations_len);
	begin_list(dump, "warnings");
	for (size_t i = 0; i < plan->warnings_len; i++) {
		begin(dump, "warning", NULL);
		put_string(dump, "text", plan->warnings[i].text);
		put_string(dump, "at", plan->warnings[i].at);
		end(dump);
	}
	end_list(dump);
}

char *plan_dump_text(const struct plan *plan)
{
	struct dump dump = { 0 };

	dump_plan(&dump, plan);
	return text_take(&dump.text);
}

char *plan_dump_json(const struct plan *plan)
{
	struct dump dump = { .is_json = true };

	json_write_object(&dump.json, NULL);
	dump_plan(&dump, plan);
	json_write_end(&dump.json);
	return json_write_take(&dump.json);
}
