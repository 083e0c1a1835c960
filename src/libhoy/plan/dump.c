/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the plan as text or JSON, by one walk over it: what is planned is told completely and in
 * the order in which it is carried out, and twice the same plan is told in the same bytes. Runs in
 * the runtime. Decides nothing.
 */
#include "plan/dump.h"

#include <string.h>
#include <sys/sysmacros.h>

#include "plan/dump_writer.h"
#include "plan/plan.h"
#include "spec/capability.h"
#include "spec/namespace.h"
#include "spec/rlimit.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"

/* ---- lists of numbers ---- */

static void put_ids(struct dump *dump, const char *name, const struct plan_id_map *maps, size_t len)
{
	struct text words = { 0 };

	for (size_t i = 0; i < len; i++)
		text_add_format(&words, "%s%u:%u:%u", i ? "," : "", maps[i].container_id,
				maps[i].host_id, maps[i].size);
	dump_put_words(dump, name, &words);
}

static void put_bits(struct dump *dump, const char *name, const uint64_t *mask, size_t words_len)
{
	struct text words = { 0 };

	for (size_t i = 0; i < words_len * 64; i++)
		if (mask[i / 64] & 1ULL << i % 64)
			text_add_format(&words, "%s%zu", words.len ? "," : "", i);
	dump_put_words(dump, name, &words);
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
		dump_add_word(&words, "atime");
		bits &= ~(uint64_t)MOUNT_ATTR__ATIME;
	}
	for (size_t i = 0; i < ARRAY_LEN(attribute_names); i++)
		if (bits & attribute_names[i].bits)
			dump_add_word(&words, attribute_names[i].name);
	dump_put_words(dump, name, &words);
}

static void put_namespaces(struct dump *dump, const char *name, uint64_t types)
{
	struct text words = { 0 };

	for (size_t i = 0; i < namespace_types.len; i++)
		if (types & namespace_types.words[i].value)
			dump_add_word(&words, namespace_types.words[i].name);
	dump_put_words(dump, name, &words);
}

static void put_capabilities(struct dump *dump, const char *name, uint64_t mask)
{
	struct text words = { 0 };
	char capability[CAPABILITY_NAME_SIZE];

	for (unsigned int i = 0; i < 64; i++)
		if (mask & 1ULL << i && capability_name(i, capability))
			dump_add_word(&words, capability);
	dump_put_words(dump, name, &words);
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
	dump_put_flag(dump, "helperMaps", namespaces->helper_maps);
	dump_put_flag(dump, "denySetgroups", namespaces->deny_setgroups);
	dump_put_flag(dump, "becomeRoot", namespaces->become_root);
}

static void dump_namespaces(struct dump *dump, const struct plan *plan)
{
	const struct plan_namespaces *namespaces = &plan->namespaces;

	dump_begin(dump, "namespaces", "namespaces");
	put_namespaces(dump, "create", namespaces->create);
	put_namespaces(dump, "join", namespaces->joined);
	dump_put_flag(dump, "bootstrap", namespaces->bootstrap);
	dump_put_flag(dump, "staged", plan->staged);
	dump_put_string(dump, "timeOffsets", namespaces->time_offsets);
	dump_put_flag(dump, "timeOffsetsInside", namespaces->time_offsets_inside);
	dump_maps(dump, namespaces);
	dump_put_flag(dump, "loopback", namespaces->loopback);
	dump_put_string(dump, "hostname", namespaces->hostname);
	dump_put_string(dump, "domainname", namespaces->domainname);
	dump_end(dump);
	dump_begin_list(dump, "joins");
	for (size_t i = 0; i < namespaces->joins_len; i++) {
		dump_begin(dump, "join", NULL);
		put_namespaces(dump, "type", namespaces->joins[i].type);
		dump_put_string(dump, "path", namespaces->joins[i].path);
		dump_put_string(dump, "at", namespaces->joins[i].at);
		dump_end(dump);
	}
	dump_end_list(dump);
}

static void dump_net_devices(struct dump *dump, const struct plan *plan)
{
	dump_begin_list(dump, "netDevices");
	for (size_t i = 0; i < plan->net_devices_len; i++) {
		dump_begin(dump, "netDevice", NULL);
		dump_put_string(dump, "device", plan->net_devices[i].device);
		dump_put_string(dump, "name", plan->net_devices[i].name);
		dump_put_string(dump, "at", plan->net_devices[i].at);
		dump_end(dump);
	}
	dump_end_list(dump);
}

/* ---- root and mounts ---- */

static void dump_root(struct dump *dump, const struct plan *plan)
{
	const struct plan_root *root = &plan->root;

	dump_begin(dump, "root", "root");
	dump_put_string(dump, "path", root->path);
	dump_put_flag(dump, "readonly", root->readonly);
	dump_put_flag(dump, "hostMounts", root->host_mounts);
	dump_put_flag(dump, "noPivot", root->no_pivot);
	dump_put_string(dump, "oldPropagation", propagation_name(root->old_propagation, true));
	dump_put_string(dump, "propagation", propagation_name(root->propagation, false));
	dump_put_string(dump, "mountLabel", plan->mount_label);
	dump_put_string(dump, "at", root->at);
	dump_end(dump);
}

static void put_parameters(struct dump *dump, const struct plan_mount *mount)
{
	struct text words = { 0 };

	for (size_t i = 0; i < mount->parameters_len; i++) {
		dump_add_word(&words, mount->parameters[i].key);
		if (mount->parameters[i].value)
			text_add_format(&words, "=%s", mount->parameters[i].value);
	}
	dump_put_words(dump, "parameters", &words);
}

static void put_mount_attributes(struct dump *dump, const struct plan_attributes *attributes)
{
	put_attributes(dump, "set", attributes->set);
	put_attributes(dump, "clear", attributes->clear);
	put_attributes(dump, "recursiveSet", attributes->recursive_set);
	put_attributes(dump, "recursiveClear", attributes->recursive_clear);
	dump_put_string(
		dump, "propagation",
		propagation_name(attributes->propagation, attributes->propagation_recursive));
}

static void put_mount_flags(struct dump *dump, const struct plan_mount *mount)
{
	static const char *const rules[] = {
		[PLAN_PROC_ALLOWED] = "allowed",
		[PLAN_PROC_FROM_PROC] = "fromProc",
	};

	dump_put_flag(dump, "noSymlinks", mount->no_symlinks);
	dump_put_flag(dump, "destinationNofollow", mount->destination_nofollow);
	dump_put_flag(dump, "sourceNofollow", mount->source_nofollow);
	dump_put_flag(dump, "sharedWithHost", mount->shared_with_host);
	dump_put_flag(dump, "copyUp", mount->copy_up);
	dump_put_flag(dump, "inheritMode", mount->inherit_mode);
	dump_put_flag(dump, "readonlyLate", mount->readonly_late);
	dump_put_flag(dump, "fillDevices", mount->fill_devices);
	dump_put_flag(dump, "hasPaths", mount->has_paths);
	dump_put_flag(dump, "devpts", mount->is_devpts);
	dump_put_string(dump, "onProc", mount->proc_rule ? rules[mount->proc_rule] : NULL);
	dump_put_string(dump, mount->fallback_recursive ? "fallbackTree" : "fallback",
			mount->fallback_source);
	put_ids(dump, "uidMap", mount->uid_maps, mount->uid_maps_len);
	put_ids(dump, "gidMap", mount->gid_maps, mount->gid_maps_len);
	dump_put_flag(dump, "idmapRecursive", mount->idmap_recursive);
}

static void dump_mount(struct dump *dump, const struct plan_mount *mount)
{
	static const char *const kinds[] = {
		[PLAN_MOUNT_NEW] = "new",
		[PLAN_MOUNT_BIND] = "bind",
		[PLAN_MOUNT_REMOUNT] = "remount",
		[PLAN_MOUNT_LINK] = "link",
	};

	dump_begin(dump, "mount", NULL);
	dump_put_string(dump, "destination", mount->destination);
	dump_put_string(dump, "kind", mount->recursive ? "rbind" : kinds[mount->kind]);
	dump_put_string(dump, "fstype", mount->fstype);
	dump_put_string(dump, "source", mount->source);
	if (mount->kind == PLAN_MOUNT_BIND)
		dump_put_string(dump, "type", mount->source_is_directory ? "directory" : "file");
	put_parameters(dump, mount);
	dump_put_flag(dump, "classic", mount->data != NULL);
	put_mount_attributes(dump, &mount->attributes);
	put_mount_flags(dump, mount);
	dump_put_string(dump, "at", mount->at);
	dump_end(dump);
}

static void dump_paths(struct dump *dump, const char *list, const char *word,
		       const struct plan_path *paths, size_t len)
{
	dump_begin_list(dump, list);
	for (size_t i = 0; i < len; i++) {
		dump_begin(dump, word, NULL);
		dump_put_string(dump, "path", paths[i].path);
		dump_put_string(dump, "at", paths[i].at);
		dump_end(dump);
	}
	dump_end_list(dump);
}

static void dump_device(struct dump *dump, const struct plan_device *device)
{
	char number[32];

	dump_begin(dump, "device", NULL);
	dump_put_string(dump, "path", device->path);
	dump_put_string(dump, "type",
			S_ISFIFO(device->mode)	? "p"
			: S_ISBLK(device->mode) ? "b"
						: "c");
	if (!S_ISFIFO(device->mode)) {
		format_text(number, sizeof(number), "%u:%u", major(device->device),
			    minor(device->device));
		dump_put_string(dump, "number", number);
	}
	dump_put_octal(dump, "mode", device->mode & 07777);
	if (device->uid)
		dump_put_unsigned(dump, "uid", device->uid);
	if (device->gid)
		dump_put_unsigned(dump, "gid", device->gid);
	dump_put_string(dump, "bind", device->bind_source);
	dump_put_string(dump, "inDev", device->dev_name);
	dump_put_flag(dump, "default", device->is_default);
	dump_put_string(dump, "at", device->at);
	dump_end(dump);
}

static void dump_files(struct dump *dump, const struct plan *plan)
{
	dump_begin_list(dump, "mounts");
	for (size_t i = 0; i < plan->mounts_len; i++)
		dump_mount(dump, &plan->mounts[i]);
	dump_end_list(dump);
	dump_begin_list(dump, "devices");
	for (size_t i = 0; i < plan->devices_len; i++)
		dump_device(dump, &plan->devices[i]);
	dump_end_list(dump);
	dump_begin_list(dump, "links");
	for (size_t i = 0; i < plan->links_len; i++) {
		dump_begin(dump, "link", NULL);
		dump_put_string(dump, "path", plan->links[i].path);
		dump_put_string(dump, "target", plan->links[i].target);
		dump_put_string(dump, "inDev", plan->links[i].dev_name);
		dump_end(dump);
	}
	dump_end_list(dump);
	dump_paths(dump, "maskedPaths", "masked", plan->masked_paths, plan->masked_paths_len);
	dump_paths(dump, "readonlyPaths", "readonly", plan->readonly_paths,
		   plan->readonly_paths_len);
	dump_begin_list(dump, "sysctls");
	for (size_t i = 0; i < plan->sysctls_len; i++) {
		dump_begin(dump, "sysctl", NULL);
		dump_put_string(dump, "path", plan->sysctls[i].path);
		dump_put_string(dump, "value", plan->sysctls[i].value);
		dump_put_string(dump, "at", plan->sysctls[i].at);
		dump_end(dump);
	}
	dump_end_list(dump);
}

/* ---- process ---- */

static void put_groups(struct dump *dump, const struct plan_process *process)
{
	struct text words = { 0 };

	for (size_t i = 0; i < process->groups_len; i++)
		text_add_format(&words, "%s%u", i ? "," : "", process->groups[i]);
	dump_put_words(dump, "groups", &words);
	dump_put_flag(dump, "keepGroups", process->keep_groups);
}

static void put_labels(struct dump *dump, const struct plan_process *process)
{
	dump_put_flag(dump, "noNewPrivileges", process->no_new_privileges);
	if (process->set_oom_score_adj) {
		dump_put_signed(dump, "oomScoreAdj", process->oom_score_adj);
		dump_put_flag(dump, "oomScoreAdjOptional", process->oom_score_adj_optional);
	}
	dump_put_string(dump, "apparmor", process->apparmor_profile);
	dump_put_string(dump, "selinux", process->selinux_label);
	if (process->set_personality)
		dump_put_unsigned(dump, "personality", process->personality);
	dump_put_string(dump, "keyring", process->keyring);
	if (process->preserve_fds)
		dump_put_unsigned(dump, "preserveFds", process->preserve_fds);
}

static void dump_process_members(struct dump *dump, const struct plan_process *process)
{
	dump_begin(dump, "process", "process");
	dump_put_strings(dump, "args", process->args);
	dump_put_string(dump, "path", process->path);
	dump_put_string(dump, "cwd", process->cwd);
	dump_put_unsigned(dump, "uid", process->uid);
	dump_put_unsigned(dump, "gid", process->gid);
	put_groups(dump, process);
	dump_put_octal(dump, "umask", process->umask);
	dump_put_flag(dump, "terminal", process->terminal);
	if (process->rows || process->columns) {
		dump_put_unsigned(dump, "rows", process->rows);
		dump_put_unsigned(dump, "columns", process->columns);
	}
	put_labels(dump, process);
	dump_end(dump);
}

static void dump_env(struct dump *dump, const struct plan_process *process)
{
	dump_begin_list(dump, "env");
	for (size_t i = 0; i < process->env_len; i++) {
		dump_begin(dump, "env", NULL);
		dump_put_string(dump, "entry", process->env[i]);
		dump_put_flag(dump, "home", (int)i == process->env_home);
		dump_end(dump);
	}
	dump_end_list(dump);
}

static void dump_capabilities(struct dump *dump, const struct plan_capabilities *capabilities)
{
	dump_begin(dump, "capabilities", "capabilities");
	put_capabilities(dump, "bounding", capabilities->bounding);
	put_capabilities(dump, "permitted", capabilities->permitted);
	put_capabilities(dump, "effective", capabilities->effective);
	put_capabilities(dump, "inheritable", capabilities->inheritable);
	put_capabilities(dump, "ambient", capabilities->ambient);
	dump_end(dump);
}

static void dump_rlimits(struct dump *dump, const struct plan_process *process)
{
	dump_begin_list(dump, "rlimits");
	for (size_t i = 0; i < process->rlimits_len; i++) {
		const struct plan_rlimit *rlimit = &process->rlimits[i];

		dump_begin(dump, "rlimit", NULL);
		dump_put_string(dump, "type", word_name(&rlimit_types, (uint64_t)rlimit->type));
		dump_put_unsigned(dump, "soft", rlimit->soft);
		dump_put_unsigned(dump, "hard", rlimit->hard);
		dump_put_string(dump, "at", rlimit->at);
		dump_end(dump);
	}
	dump_end_list(dump);
}

static void dump_scheduler(struct dump *dump, const struct plan_scheduler *scheduler)
{
	if (!scheduler->set)
		return;
	dump_begin(dump, "scheduler", "scheduler");
	dump_put_unsigned(dump, "policy", scheduler->policy);
	dump_put_unsigned(dump, "flags", scheduler->flags);
	dump_put_signed(dump, "nice", scheduler->nice);
	dump_put_unsigned(dump, "priority", scheduler->priority);
	dump_put_unsigned(dump, "runtimeNs", scheduler->runtime);
	dump_put_unsigned(dump, "deadlineNs", scheduler->deadline);
	dump_put_unsigned(dump, "periodNs", scheduler->period);
	dump_put_flag(dump, "resetOnFork", scheduler->reset_on_fork);
	dump_end(dump);
}

static void dump_placement(struct dump *dump, const struct plan_process *process)
{
	dump_scheduler(dump, &process->scheduler);
	if (process->io_priority < 0 && process->memory_policy < 0 && !process->initial_cpus.set &&
	    !process->final_cpus.set)
		return;
	dump_begin(dump, "placement", "placement");
	if (process->io_priority >= 0)
		dump_put_signed(dump, "ioPriority", process->io_priority);
	if (process->memory_policy >= 0)
		dump_put_signed(dump, "memoryPolicy", process->memory_policy);
	put_bits(dump, "memoryNodes", process->memory_nodes, ARRAY_LEN(process->memory_nodes));
	put_bits(dump, "initialCpus", process->initial_cpus.mask, PLAN_CPU_WORDS);
	put_bits(dump, "finalCpus", process->final_cpus.mask, PLAN_CPU_WORDS);
	dump_end(dump);
}

static void dump_seccomp(struct dump *dump, const struct plan_seccomp *seccomp)
{
	if (!seccomp->len)
		return;
	dump_begin(dump, "seccomp", "seccomp");
	dump_put_unsigned(dump, "instructions", seccomp->len);
	dump_put_unsigned(dump, "flags", seccomp->flags);
	dump_put_string(dump, "listenerPath", seccomp->listener_path);
	dump_put_string(dump, "listenerMetadata", seccomp->listener_metadata);
	dump_end(dump);
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

	dump_begin_list(dump, "hooks");
	for (size_t kind = 0; kind < PLAN_HOOK_KINDS; kind++) {
		const struct plan_hooks *hooks = &plan->hooks[kind];

		for (size_t i = 0; i < hooks->len; i++) {
			dump_begin(dump, "hook", NULL);
			dump_put_string(dump, "kind", kinds[kind]);
			dump_put_string(dump, "path", hooks->items[i].path);
			dump_put_strings(dump, "args", hooks->items[i].args);
			dump_put_strings(dump, "env", hooks->items[i].env);
			if (hooks->items[i].timeout_ms >= 0)
				dump_put_signed(dump, "timeoutMs", hooks->items[i].timeout_ms);
			dump_put_string(dump, "stdout", hooks->stdout_path);
			dump_put_string(dump, "stderr", hooks->stderr_path);
			dump_put_string(dump, "state", hooks->state);
			dump_put_string(dump, "at", hooks->items[i].at);
			dump_end(dump);
		}
	}
	dump_end_list(dump);
}

/* ---- cgroup ---- */

static void put_access(struct dump *dump, const struct plan_device_rule *rule)
{
	char access[4] = "";

	format_text(access, sizeof(access), "%s%s%s", rule->access & 2 ? "r" : "",
		    rule->access & 4 ? "w" : "", rule->access & 1 ? "m" : "");
	dump_put_string(dump, "access", access);
}

static void dump_device_rules(struct dump *dump, const struct plan_cgroup *cgroup)
{
	dump_begin_list(dump, "deviceRules");
	for (size_t i = 0; i < cgroup->device_rules_len; i++) {
		const struct plan_device_rule *rule = &cgroup->device_rules[i];
		const char type[2] = { rule->type, '\0' };

		dump_begin(dump, rule->allow ? "deviceAllow" : "deviceDeny", NULL);
		if (dump->is_json)
			json_write_bool(&dump->json, "allow", rule->allow);
		dump_put_string(dump, "type", type);
		if (rule->major >= 0)
			dump_put_signed(dump, "major", rule->major);
		if (rule->minor >= 0)
			dump_put_signed(dump, "minor", rule->minor);
		put_access(dump, rule);
		dump_end(dump);
	}
	dump_end_list(dump);
}

static void dump_writes(struct dump *dump, const struct plan_cgroup *cgroup)
{
	dump_begin_list(dump, "cgroupWrites");
	for (size_t i = 0; i < cgroup->writes_len; i++) {
		const struct plan_cgroup_write *write = &cgroup->writes[i];

		dump_begin(dump, "write", NULL);
		dump_put_string(dump, "file", write->file);
		dump_put_string(dump, "value", write->value);
		dump_put_string(dump, "controller", write->controller);
		dump_put_flag(dump, "late", write->late);
		dump_put_flag(dump, "optional", write->optional);
		dump_put_flag(dump, "alternative", write->alternative);
		dump_put_string(dump, "at", write->at);
		dump_end(dump);
	}
	dump_end_list(dump);
}

static void dump_pairs(struct dump *dump, const char *list, const char *word,
		       const struct plan_parameter *pairs, size_t len)
{
	dump_begin_list(dump, list);
	for (size_t i = 0; i < len; i++) {
		dump_begin(dump, word, NULL);
		dump_put_string(dump, "name", pairs[i].key);
		dump_put_string(dump, "value", pairs[i].value);
		dump_end(dump);
	}
	dump_end_list(dump);
}

static void dump_cgroup(struct dump *dump, const struct plan_cgroup *cgroup)
{
	static const char *const managers[] = {
		[HOY_CGROUP_CGROUPFS] = "cgroupfs",
		[HOY_CGROUP_SYSTEMD] = "systemd",
		[HOY_CGROUP_DISABLED] = "disabled",
	};

	dump_begin(dump, "cgroup", "cgroup");
	dump_put_string(dump, "manager", managers[cgroup->manager]);
	dump_put_string(dump, "path", cgroup->path);
	dump_put_string(dump, "mountPoint", cgroup->mount_point);
	dump_put_flag(dump, "optional", cgroup->optional);
	if (cgroup->owner >= 0)
		dump_put_signed(dump, "owner", cgroup->owner);
	dump_put_string(dump, "leaf", cgroup->leaf);
	dump_put_string(dump, "slice", cgroup->slice);
	dump_put_string(dump, "unit", cgroup->unit);
	dump_put_flag(dump, "unshareLate", cgroup->unshare_late);
	dump_put_flag(dump, "lateWrites", cgroup->has_late_writes);
	dump_end(dump);
	dump_writes(dump, cgroup);
	dump_device_rules(dump, cgroup);
	dump_pairs(dump, "properties", "property", cgroup->properties, cgroup->properties_len);
}

static void dump_intel_rdt(struct dump *dump, const struct plan_intel_rdt *rdt)
{
	if (!rdt->group)
		return;
	dump_begin(dump, "intelRdt", "intelRdt");
	dump_put_string(dump, "group", *rdt->group ? rdt->group : "/");
	dump_put_flag(dump, "own", rdt->is_own);
	dump_put_flag(dump, "mustExist", rdt->must_exist);
	dump_put_flag(dump, "monitoring", rdt->monitoring);
	dump_end(dump);
	dump_begin_list(dump, "schemata");
	for (size_t i = 0; i < rdt->schemata_len; i++) {
		dump_begin(dump, "schema", NULL);
		dump_put_string(dump, "line", rdt->schemata[i].line);
		dump_put_flag(dump, "compared", rdt->schemata[i].is_compared);
		dump_put_string(dump, "at", rdt->schemata[i].at);
		dump_end(dump);
	}
	dump_end_list(dump);
}

/* ---- all of it ---- */

static void dump_plan(struct dump *dump, const struct plan *plan)
{
	dump_begin(dump, "container", "container");
	dump_put_string(dump, "id", plan->id);
	dump_put_string(dump, "bundle", plan->bundle);
	dump_put_string(dump, "ociVersion", plan->oci_version);
	dump_end(dump);
	dump_namespaces(dump, plan);
	dump_net_devices(dump, plan);
	dump_cgroup(dump, &plan->cgroup);
	dump_intel_rdt(dump, &plan->intel_rdt);
	dump_root(dump, plan);
	dump_files(dump, plan);
	dump_process(dump, &plan->process);
	dump_hooks(dump, plan);
	dump_pairs(dump, "annotations", "annotation", plan->annotations, plan->annotations_len);
	dump_begin_list(dump, "warnings");
	for (size_t i = 0; i < plan->warnings_len; i++) {
		dump_begin(dump, "warning", NULL);
		dump_put_string(dump, "text", plan->warnings[i].text);
		dump_put_string(dump, "at", plan->warnings[i].at);
		dump_end(dump);
	}
	dump_end_list(dump);
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
