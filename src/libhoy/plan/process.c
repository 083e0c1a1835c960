/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's process (or that of `exec`): arguments, environment, ids, limits, labels and
 * the seccomp filter. Capabilities and scheduling have files of their own. Runs in the runtime;
 * pure. Spec: config.md#process, config-linux.md#seccomp, #personality.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>

#include "base/string.h"
#include "plan/build.h"
#include "spec/rlimit.h"
#include "spec/scheduler.h"
#include "sys/compat.h"
#include "sys/error.h"

/** Where execvp(3) looks when PATH is unset. */
#define DEFAULT_PATH "/bin:/usr/bin"

/* ---- environment ---- */

/** Entries by name, so that the last of several is found in one pass. */
struct names {
	const char **slots;
	size_t mask;
};

static size_t hash_name(const char *entry, size_t len)
{
	uint64_t hash = 14695981039346656037ULL;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)entry[i]) * 1099511628211ULL;
	return (size_t)(hash ^ hash >> 32);
}

/* Remembers the name of "NAME=value"; false if it was there already. */
static bool add_name(struct names *names, const char *entry)
{
	size_t len = strcspn(entry, "=");
	size_t slot = hash_name(entry, len) & names->mask;

	for (; names->slots[slot]; slot = (slot + 1) & names->mask)
		if (strncmp(names->slots[slot], entry, len + 1) == 0)
			return false;
	names->slots[slot] = entry;
	return true;
}

/* All entries in the order in which they override each other; three more than the configuration's.
 */
static size_t collect_env(struct plan_builder *builder, const struct string_list *from,
			  const char **entries)
{
	size_t len = 0;

	for (; len < from->len; len++)
		entries[len] = from->items[len];
	if (builder->options->notify_directory)
		entries[len++] = "NOTIFY_SOCKET=" PLAN_NOTIFY_DIRECTORY "/" PLAN_NOTIFY_SOCKET;
	if (builder->options->listen_fds == 0)
		return len;
	/* Socket activation (sd_listen_fds(3)) as the program will see it: it becomes pid 1. */
	entries[len++] = arena_format(builder->arena, "LISTEN_FDS=%u",
				      builder->options->listen_fds);
	entries[len++] = "LISTEN_PID=1";
	return len;
}

static int plan_env(struct plan_builder *builder, const struct string_list *from)
{
	struct plan_process *process = &builder->plan->process;
	const char **entries = arena_array(builder->arena, const char *, from->len + 3);
	char **env = arena_array(builder->arena, char *, from->len + 5);
	struct names names = { .mask = 16 };
	size_t len, first;

	while (names.mask < 2 * from->len + 10)
		names.mask *= 2;
	names.slots = arena_array(builder->arena, const char *, names.mask);
	names.mask--;
	if (!entries || !env || !names.slots)
		return plan_no_memory(builder);
	len = first = collect_env(builder, from, entries);
	if (builder->arena->failed)
		return plan_no_memory(builder);
	/* From the end, as the last one of a name holds. */
	for (size_t i = len; i > 0; i--)
		if (add_name(&names, entries[i - 1]))
			env[--first] = (char *)entries[i - 1];
	process->env = env + first;
	process->env_len = len - first;
	if (add_name(&names, "HOME=")) {
		process->env_home = (int)process->env_len++;
		process->env[process->env_home] = (char *)"HOME=/";
	}
	return 0;
}

static const char *find_env(const struct plan_process *process, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < process->env_len; i++)
		if (strncmp(process->env[i], name, len) == 0 && process->env[i][len] == '=')
			return process->env[i] + len + 1;
	return NULL;
}

/* ---- ids ---- */

static int check_mapped(struct plan_builder *builder, bool is_mapped, const char *at, uint32_t id)
{
	if (is_mapped)
		return 0;
	fail_at(builder->err, at, 0, "id %u is not mapped in the user namespace", id);
	if (builder->platform->uid_mappings.len)
		return -1;
	return fail_hint(builder->err, "more ids need subordinate ones (subuid(5)) and newuidmap");
}

static int plan_groups(struct plan_builder *builder, const struct config_user *user)
{
	struct plan_process *process = &builder->plan->process;
	const struct plan_namespaces *namespaces = &builder->plan->namespaces;
	/* Of a user namespace that is joined only init will know. */
	bool denied = namespaces->deny_setgroups ||
		      (builder->host->setgroups_denied && !(namespaces->joined & CLONE_NEWUSER));

	process->keep_groups = config_annotation_is_on(builder->config, ANNOTATION_KEEP_GROUPS) ||
			       (denied && !user->additional_gids.len);
	if (denied && user->additional_gids.len && !process->keep_groups)
		return fail_at(
			builder->err, "process.user.additionalGids", 0,
			"groups cannot be set: the kernel denies it in a user namespace whose "
			"map an unprivileged user wrote");
	process->groups = arena_array(builder->arena, gid_t, user->additional_gids.len);
	if (!process->groups && user->additional_gids.len)
		return plan_no_memory(builder);
	for (size_t i = 0; i < user->additional_gids.len; i++) {
		uint32_t gid = user->additional_gids.items[i];

		process->groups[i] = gid;
		if (check_mapped(builder, plan_maps_gid(builder, gid),
				 plan_at_item(builder, "process.user.additionalGids", i), gid) < 0)
			return -1;
	}
	process->groups_len = user->additional_gids.len;
	return 0;
}

static int plan_user(struct plan_builder *builder, const struct config_user *user)
{
	struct plan_process *process = &builder->plan->process;
	uint32_t host_uid;

	process->uid = user->uid;
	process->gid = user->gid;
	process->umask = user->umask.set ? (mode_t)user->umask.value : builder->options->umask;
	if (check_mapped(builder, plan_maps_uid(builder, user->uid, &host_uid), "process.user.uid",
			 user->uid) < 0 ||
	    check_mapped(builder, plan_maps_gid(builder, user->gid), "process.user.gid",
			 user->gid) < 0)
		return -1;
	return plan_groups(builder, user);
}

/* ---- limits, labels, terminal ---- */

static int plan_rlimits(struct plan_builder *builder, const struct config_process *from)
{
	struct plan_process *process = &builder->plan->process;

	for (size_t i = 0; i < from->rlimits.len; i++) {
		struct plan_rlimit *rlimit = PLAN_APPEND(builder, process->rlimits);

		if (!rlimit)
			return -1;
		rlimit->at = plan_at_item(builder, "process.rlimits", i);
		rlimit->type = from->rlimits.items[i].type;
		rlimit->name = word_name(&rlimit_types, (uint64_t)rlimit->type);
		rlimit->soft = from->rlimits.items[i].soft;
		rlimit->hard = from->rlimits.items[i].hard;
	}
	return 0;
}

static int plan_labels(struct plan_builder *builder, const struct config_process *from)
{
	struct plan_process *process = &builder->plan->process;
	const char *profile = from->apparmor_profile, *label = from->selinux_label;

	if (profile && *profile) {
		if (!builder->host->apparmor)
			return fail_at(builder->err, "process.apparmorProfile", 0,
				       "'%s' cannot be applied: AppArmor is not enabled", profile);
		process->apparmor_profile = arena_format(builder->arena, "exec %s", profile);
	}
	if (label && *label) {
		if (!builder->host->selinux)
			return fail_at(builder->err, "process.selinuxLabel", 0,
				       "'%s' cannot be applied: SELinux is not enabled", label);
		process->selinux_label = label;
	}
	return 0;
}

static void plan_terminal(struct plan_builder *builder, const struct config_process *from)
{
	struct plan_process *process = &builder->plan->process;

	process->terminal = from->terminal;
	if (!from->terminal || !from->console_size.set)
		return;
	process->rows = (uint16_t)from->console_size.height;
	process->columns = (uint16_t)from->console_size.width;
}

/* ---- seccomp ---- */

static bool has_notify(const struct config_seccomp *seccomp)
{
	for (size_t i = 0; i < seccomp->syscalls.len; i++)
		if (seccomp->syscalls.items[i].action == SECCOMP_RET_USER_NOTIF)
			return true;
	return false;
}

static void plan_seccomp(struct plan_builder *builder)
{
	const struct config_seccomp *from = builder->platform->seccomp;
	struct plan_seccomp *seccomp = &builder->plan->process.seccomp;

	if (!from || !builder->filter || !builder->filter->len)
		return;
	*seccomp = *builder->filter;
	seccomp->flags |= from->flags;
	/* A listener that nothing reports to is ignored (config-linux.md#seccomp). */
	if (!has_notify(from))
		return;
	seccomp->listener_path = from->listener_path;
	if (!seccomp->listener_path)
		seccomp->listener_path = config_annotation(builder->config,
							   ANNOTATION_SECCOMP_RECEIVER);
	seccomp->listener_metadata = from->listener_metadata;
	seccomp->flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	/* Both flags return a number; the kernel wants to know how to tell the two apart. */
	if (seccomp->flags & SECCOMP_FILTER_FLAG_TSYNC)
		seccomp->flags |= SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
}

/* ---- scheduling ---- */

static void plan_reset_on_fork(struct plan_builder *builder)
{
	const struct config_hooks *hooks = builder->config->hooks;
	struct plan_scheduler *scheduler = &builder->plan->process.scheduler;
	bool is_urgent = scheduler->set && (scheduler->policy == SCHEDULER_FIFO ||
					    scheduler->policy == SCHEDULER_RR ||
					    scheduler->policy == SCHEDULER_DEADLINE);
	bool forks = (hooks && hooks->start_container.len) ||
		     builder->plan->process.seccomp.flags & SECCOMP_FILTER_FLAG_NEW_LISTENER;

	scheduler->reset_on_fork = is_urgent && forks;
}

/* ---- all of it ---- */

static void plan_simple(struct plan_builder *builder, const struct config_process *from)
{
	struct plan_process *process = &builder->plan->process;
	const struct plan_options *options = builder->options;
	const char *path = find_env(process, "PATH");

	process->present = true;
	process->reset_cpus = true;
	process->args = from->args.items;
	process->cwd = from->cwd;
	process->path = path ? path : DEFAULT_PATH;
	process->no_new_privileges = from->no_new_privileges;
	process->set_oom_score_adj = from->oom_score_adj.set;
	process->oom_score_adj = (int)from->oom_score_adj.value;
	process->oom_score_adj_optional = !builder->host->privileged;
	process->set_personality = builder->platform->personality.set;
	process->personality = builder->platform->personality.domain;
	/* Named by the id, so that `exec` joins the same one. */
	process->keyring = options->no_new_keyring ? NULL : builder->plan->id;
	process->preserve_fds = options->preserve_fds > options->listen_fds ? options->preserve_fds
									    : options->listen_fds;
}

int plan_process(struct plan_builder *builder, const struct config_process *from)
{
	if (plan_env(builder, &from->env) < 0 || plan_user(builder, &from->user) < 0 ||
	    plan_rlimits(builder, from) < 0 || plan_labels(builder, from) < 0 ||
	    plan_capabilities(builder, from) < 0 || plan_scheduling(builder, from) < 0)
		return -1;
	plan_terminal(builder, from);
	plan_seccomp(builder);
	plan_reset_on_fork(builder);
	plan_simple(builder, from);
	return 0;
}
