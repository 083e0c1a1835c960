/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the plan for a configuration on a described host, or the error. For the tests of this
 * directory: it asks nothing of the machine it runs on.
 *
 * Usage: plan-dump [--json | --exec | --repeat=N] FILE [NAME=VALUE]...
 * Names: those of struct host and struct plan_options, and file, missing, link for bind sources
 * that are no directory, are not there, or are a symlink; filter for the length of a seccomp
 * program; cause (namespaces:EPERM) to be told why that has failed, in place of the plan.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "config/config.h"
#include "host.h"
#include "plan/causes.h"
#include "plan/dump.h"
#include "plan/plan.h"
#include "spec/capability.h"

#define ALL_CAPABILITIES ((2ULL << CAP_LAST_CAP) - 1)

/** Everything that is not in the file. */
struct situation {
	struct host host;
	struct plan_options options;
	struct plan_seccomp filter;
	/** Bind sources by path. */
	const char *files[16], *missing[16], *links[16];
	size_t files_len, missing_len, links_len;
	bool is_exec, is_json;
	/** "WHAT:ERRNO": in place of the plan, why that has failed. */
	const char *cause;
};

static _Noreturn void die(const char *what, const char *value)
{
	fprintf(stderr, "plan-dump: %s '%s'\n", what, value);
	exit(2);
}

/* ---- NAME=VALUE ---- */

static uint64_t read_capabilities(const char *text)
{
	uint64_t mask = 0;
	char *copy, *rest, *name;

	if (strcmp(text, "all") == 0)
		return ALL_CAPABILITIES;
	if (*text == '-')
		return ALL_CAPABILITIES & ~read_capabilities(text + 1);
	rest = copy = strdup(text);
	while ((name = strsep(&rest, ",")) && *name) {
		int capability = capability_find(name);

		if (capability < 0)
			die("capability", name);
		mask |= 1ULL << capability;
	}
	free(copy);
	return mask;
}

static enum host_cgroup_layout read_layout(const char *text)
{
	if (strcmp(text, "none") == 0)
		return HOST_CGROUP_NONE;
	return strcmp(text, "hybrid") == 0 ? HOST_CGROUP_HYBRID : HOST_CGROUP_UNIFIED;
}

static enum hoy_cgroup_manager read_manager(const char *text)
{
	if (strcmp(text, "systemd") == 0)
		return HOY_CGROUP_SYSTEMD;
	return strcmp(text, "disabled") == 0 ? HOY_CGROUP_DISABLED : HOY_CGROUP_CGROUPFS;
}

static struct host_id_range read_range(const char *text)
{
	struct host_id_range range = { 0 };

	if (sscanf(text, "%u:%u", &range.start, &range.count) != 2)
		die("range", text);
	return range;
}

static bool set_host(struct host *host, const char *name, const char *value)
{
	if (strcmp(name, "kernel") == 0)
		host->kernel = (unsigned int)atoi(value);
	else if (strcmp(name, "euid") == 0)
		host->euid = (uid_t)atoi(value);
	else if (strcmp(name, "egid") == 0)
		host->egid = (gid_t)atoi(value);
	else if (strcmp(name, "privileged") == 0)
		host->privileged = atoi(value);
	else if (strcmp(name, "in_user_namespace") == 0)
		host->in_user_namespace = atoi(value);
	else if (strcmp(name, "setgroups_denied") == 0)
		host->setgroups_denied = atoi(value);
	else if (strcmp(name, "capabilities") == 0)
		host->capabilities = read_capabilities(value);
	else if (strcmp(name, "bounding") == 0)
		host->bounding = read_capabilities(value);
	else if (strcmp(name, "last_capability") == 0)
		host->last_capability = atoi(value);
	else if (strcmp(name, "cgroup_layout") == 0)
		host->cgroup_layout = read_layout(value);
	else if (strcmp(name, "cgroup_root") == 0)
		snprintf(host->cgroup_root, sizeof(host->cgroup_root), "%s", value);
	else if (strcmp(name, "cgroup_own") == 0)
		snprintf(host->cgroup_own, sizeof(host->cgroup_own), "%s", value);
	else if (strcmp(name, "apparmor") == 0)
		host->apparmor = atoi(value);
	else if (strcmp(name, "selinux") == 0)
		host->selinux = atoi(value);
	else if (strcmp(name, "subuid") == 0)
		host->subuid = read_range(value);
	else if (strcmp(name, "subgid") == 0)
		host->subgid = read_range(value);
	else if (strcmp(name, "has_name") == 0)
		host->has_name = atoi(value);
	else if (strcmp(name, "has_newuidmap") == 0)
		host->has_newuidmap = atoi(value);
	else if (strcmp(name, "has_newgidmap") == 0)
		host->has_newgidmap = atoi(value);
	else
		return false;
	return true;
}

static bool set_cause(struct host_causes *causes, const char *name, const char *value)
{
	const struct {
		const char *name;
		bool *fact;
	} facts[] = {
		{ "apparmor_restricts", &causes->apparmor_restricts },
		{ "has_seccomp", &causes->has_seccomp },
		{ "in_chroot", &causes->in_chroot },
		{ "newgidmap_is_privileged", &causes->newgidmap.is_privileged },
		{ "newgidmap_on_nosuid", &causes->newgidmap.on_nosuid },
		{ "newuidmap_is_privileged", &causes->newuidmap.is_privileged },
		{ "newuidmap_on_nosuid", &causes->newuidmap.on_nosuid },
		{ "no_new_privileges", &causes->no_new_privileges },
		{ "proc_is_masked", &causes->proc_is_masked },
		{ "userns_clone_off", &causes->userns_clone_off },
	};

	if (strcmp(name, "max_user_namespaces") == 0) {
		causes->max_user_namespaces = strtoull(value, NULL, 10);
		return true;
	}
	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
		if (strcmp(name, facts[i].name) != 0)
			continue;
		*facts[i].fact = atoi(value);
		return true;
	}
	return false;
}

static bool set_option(struct plan_options *options, const char *name, const char *value)
{
	if (strcmp(name, "id") == 0)
		options->id = value;
	else if (strcmp(name, "bundle") == 0)
		options->bundle = value;
	else if (strcmp(name, "cgroup_manager") == 0)
		options->cgroup_manager = read_manager(value);
	else if (strcmp(name, "no_pivot") == 0)
		options->no_pivot = atoi(value);
	else if (strcmp(name, "no_new_keyring") == 0)
		options->no_new_keyring = atoi(value);
	else if (strcmp(name, "preserve_fds") == 0)
		options->preserve_fds = (unsigned int)atoi(value);
	else if (strcmp(name, "listen_fds") == 0)
		options->listen_fds = (unsigned int)atoi(value);
	else if (strcmp(name, "notify_directory") == 0)
		options->notify_directory = value;
	else if (strcmp(name, "umask") == 0)
		options->umask = (mode_t)strtoul(value, NULL, 8);
	else
		return false;
	return true;
}

static void set(struct situation *situation, char *assignment)
{
	char *value = strchr(assignment, '=');

	if (!value)
		die("NAME=VALUE expected, got", assignment);
	*value++ = '\0';
	if (strcmp(assignment, "file") == 0 && situation->files_len < 16)
		situation->files[situation->files_len++] = value;
	else if (strcmp(assignment, "missing") == 0 && situation->missing_len < 16)
		situation->missing[situation->missing_len++] = value;
	else if (strcmp(assignment, "link") == 0 && situation->links_len < 16)
		situation->links[situation->links_len++] = value;
	else if (strcmp(assignment, "filter") == 0)
		situation->filter.len = (size_t)atoi(value);
	else if (strcmp(assignment, "cause") == 0)
		situation->cause = value;
	else if (!set_host(&situation->host, assignment, value) &&
		 !set_cause(&situation->host.causes, assignment, value) &&
		 !set_option(&situation->options, assignment, value))
		die("name", assignment);
}

/* ---- the plan ---- */

static bool is_listed(const char *const *paths, size_t len, const char *path)
{
	for (size_t i = 0; i < len; i++)
		if (strcmp(paths[i], path) == 0)
			return true;
	return false;
}

static struct plan_source_facts *facts_of(const struct situation *situation, struct arena *arena,
					  const struct config *config)
{
	struct plan_source_facts *facts = arena_array(arena, struct plan_source_facts,
						      config->mounts.len + 1);

	for (size_t i = 0; i < config->mounts.len; i++) {
		const char *source = plan_bind_source(arena, &config->mounts.items[i],
						      situation->options.bundle);

		if (!source || is_listed(situation->missing, situation->missing_len, source))
			continue;
		facts[i].exists = true;
		if (plan_keeps_link(&config->mounts.items[i]) &&
		    is_listed(situation->links, situation->links_len, source))
			facts[i].link = "the/target";
		facts[i].is_directory = !is_listed(situation->files, situation->files_len, source);
	}
	return facts;
}

static int build(const struct situation *situation, struct arena *arena,
		 const struct config *config, struct plan **ret_plan, struct hoy_error *err)
{
	const struct plan_input input = {
		.config = config,
		.options = &situation->options,
		.host = &situation->host,
		.sources = facts_of(situation, arena, config),
		.filter = &situation->filter,
	};

	if (situation->is_exec)
		return plan_build_exec(arena, &input, config->process, ret_plan, err);
	return plan_build(arena, &input, ret_plan, err);
}

static void print_problem(const struct hoy_log_entry *entry, void *data)
{
	(void)data;
	if (entry->is_problem)
		fprintf(stderr, "config: %s: %s\n", entry->at, entry->message);
}

static void print_error(const struct hoy_error *err)
{
	char text[2048];

	(void)hoy_error_format(err, text, sizeof(text));
	printf("error %s\n", text);
	if (err->hint[0])
		printf("hint %s\n", err->hint);
}

/* ---- causes ---- */

static enum failure read_failure(const char *name, size_t len)
{
	static const char *const names[FAILURES] = {
		[FAILURE_NAMESPACES] = "namespaces",
		[FAILURE_ID_MAP] = "idMap",
		[FAILURE_UID_HELPER] = "newuidmap",
		[FAILURE_GID_HELPER] = "newgidmap",
		[FAILURE_PROC] = "proc",
		[FAILURE_MOUNT] = "mount",
		[FAILURE_BIND] = "bind",
		[FAILURE_RBIND] = "rbind",
	};

	for (int i = 0; i < FAILURES; i++)
		if (strlen(names[i]) == len && strncmp(names[i], name, len) == 0)
			return (enum failure)i;
	die("failure", name);
}

static int read_errno(const char *name)
{
	static const struct {
		const char *name;
		int code;
	} codes[] = {
		{ "", 0 },
		{ "EACCES", EACCES },
		{ "EINVAL", EINVAL },
		{ "ENOSPC", ENOSPC },
		{ "EPERM", EPERM },
		{ "EUSERS", EUSERS },
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(codes[i].name, name) == 0)
			return codes[i].code;
	die("errno", name);
}

static void print_cause(const struct situation *situation, const struct plan *plan)
{
	const char *colon = strchr(situation->cause, ':');
	const char *hint = colon ? cause_find(&situation->host, plan,
					      read_failure(situation->cause,
							   (size_t)(colon - situation->cause)),
					      read_errno(colon + 1))
				 : NULL;

	printf("cause %s\n", hint ? hint : "unknown");
}

static int dump(const struct situation *situation, const struct config *config)
{
	struct hoy_error err = { 0 };
	struct arena arena = { 0 };
	struct plan *plan;
	char *text = NULL;

	if (build(situation, &arena, config, &plan, &err) < 0) {
		print_error(&err);
		arena_done(&arena);
		return 1;
	}
	if (situation->cause && !situation->is_json) {
		print_cause(situation, plan);
		arena_done(&arena);
		return 0;
	}
	text = situation->is_json ? plan_dump_json(plan) : plan_dump_text(plan);
	printf("%s%s", text, situation->is_json ? "\n" : "");
	free(text);
	arena_done(&arena);
	return 0;
}

/* Prints the mean time of one planning. */
static int measure(const struct situation *situation, const struct config *config, int repeat)
{
	struct timespec start, end;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (int i = 0; i < repeat; i++) {
		struct hoy_error err = { 0 };
		struct arena arena = { 0 };
		struct plan *plan;

		if (build(situation, &arena, config, &plan, &err) < 0)
			return 1;
		arena_done(&arena);
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%.1f us\n", ((double)(end.tv_sec - start.tv_sec) * 1e6 +
			     (double)(end.tv_nsec - start.tv_nsec) / 1e3) /
				    repeat);
	return 0;
}

/** Root on an ordinary machine. */
static const struct situation ordinary = {
	.host = {
		.kernel = 6012,
		.privileged = true,
		.capabilities = ALL_CAPABILITIES,
		.bounding = ALL_CAPABILITIES,
		.has_name = true,
		.last_capability = CAP_LAST_CAP,
		.cgroup_layout = HOST_CGROUP_UNIFIED,
		.cgroup_root = "/sys/fs/cgroup",
		.cgroup_own = "/user.slice/user-0.slice/session-1.scope",
		.causes = { .max_user_namespaces = 100000,
			    .newuidmap = { .is_privileged = true },
			    .newgidmap = { .is_privileged = true } },
	},
	.options = { .id = "c1", .bundle = "/bundle", .umask = 022 },
};

int main(int argc, char **argv)
{
	struct config_report report = { .log = print_problem };
	struct situation situation = ordinary;
	struct hoy_error err = { 0 };
	struct arena arena = { 0 };
	struct config *config;
	int repeat = 0, fd, result;

	for (; argc > 1 && argv[1][0] == '-'; argc--, argv++) {
		if (strcmp(argv[1], "--json") == 0)
			situation.is_json = true;
		else if (strcmp(argv[1], "--exec") == 0)
			situation.is_exec = true;
		else if (strncmp(argv[1], "--repeat=", 9) == 0)
			repeat = atoi(argv[1] + 9);
		else
			die("option", argv[1]);
	}
	if (argc < 2)
		die("a file is needed after", argv[0]);
	for (int i = 2; i < argc; i++)
		set(&situation, argv[i]);
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0 || config_read(fd, argv[1], &arena, &report, &config, &err) < 0)
		die("cannot read", argv[1]);
	close(fd);
	result = repeat ? measure(&situation, config, repeat) : dump(&situation, config);
	arena_done(&arena);
	return result;
}
