/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the bundle, probes the host, compiles the filter and makes the plan. Runs in the runtime,
 * before anything is made: whatever is wrong so far leaves nothing behind.
 */
#include "runtime/input.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/seccomp.h"
#include "state/state.h"
#include "sys/cleanup.h"
#include "sys/error.h"

struct config_report input_report(const struct hoy_context *context)
{
	return (struct config_report){
		.log = context->log,
		.log_data = context->log_data,
		.strict = context->strict,
	};
}

static char *bundle_path(struct input *input, const char *bundle, struct hoy_error *err)
{
	char path[PATH_MAX], *copy;

	if (!realpath(bundle ? bundle : ".", path)) {
		fail(err, errno, "open the bundle %s", bundle ? bundle : ".");
		return NULL;
	}
	copy = arena_strdup(&input->arena, path);
	if (!copy)
		fail(err, ENOMEM, "read the bundle");
	return copy;
}

static int read_config(struct input *input, const struct hoy_context *context, const char *bundle,
		       const char *file, struct hoy_error *err)
{
	const struct config_report report = input_report(context);
	autoclose int directory = -1, fd = -1;
	const char *name = file ? file : "config.json";

	directory = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return fail(err, errno, "open the bundle %s", bundle);
	/* --config is the caller's path, relative to where he is. */
	fd = openat(file ? AT_FDCWD : directory, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		fail(err, errno, "open %s%s%s", file ? "" : bundle, file ? "" : "/", name);
		return err->code == ENOENT && !file
			       ? fail_hint(err,
					   "a bundle has its config.json at the top; `hoy spec` "
					   "writes one")
			       : -1;
	}
	return config_read(fd, name, &input->arena, &report, &input->config, err);
}

/* @returns 0, or -1 if there is no such file */
static int probe_source(struct arena *arena, const struct config_mount *mount, const char *source,
			struct plan_source_facts *facts)
{
	bool keeps_link = plan_keeps_link(mount);
	char target[PATH_MAX];
	struct stat st;
	ssize_t len;

	if (fstatat(AT_FDCWD, source, &st, keeps_link ? AT_SYMLINK_NOFOLLOW : 0) < 0)
		return -1;
	facts->is_directory = S_ISDIR(st.st_mode);
	facts->device = st.st_dev;
	facts->inode = st.st_ino;
	if (!S_ISLNK(st.st_mode))
		return 0;
	len = readlinkat(AT_FDCWD, source, target, sizeof(target));
	facts->link = len < 0 ? NULL : arena_strndup(arena, target, (size_t)len);
	return facts->link ? 0 : -1;
}

/* A bind of a file needs a file as its target: only the host's side can tell. */
struct plan_source_facts *input_sources(struct input *input, const char *bundle)
{
	const struct config *config = input->config;
	struct plan_source_facts *facts;

	facts = arena_array(&input->arena, struct plan_source_facts, config->mounts.len + 1);
	for (size_t i = 0; facts && i < config->mounts.len; i++) {
		const char *source = plan_bind_source(&input->arena, &config->mounts.items[i],
						      bundle);

		facts[i].exists = source && probe_source(&input->arena, &config->mounts.items[i],
							 source, &facts[i]) == 0;
	}
	return facts;
}

int input_saved(struct input *input, int directory, struct hoy_error *err)
{
	const struct config_report report = { 0 };
	autoclose int fd = openat(directory, STATE_CONFIG_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return fail(err, errno, "open the saved configuration");
	return config_read(fd, STATE_CONFIG_FILE, &input->arena, &report, &input->config, err);
}

int input_filter(struct input *input, const struct config *config, const struct log *log,
		 int state_root, struct plan_seccomp *ret, struct hoy_error *err)
{
	struct seccomp_options options = { .log = *log };
	autoclose int cache = -1;

	if (!config->linux || !config->linux->seccomp)
		return 0;
	cache = state_root >= 0 ? seccomp_cache_open(state_root) : -1;
	options.cache = cache;
	options.fail_unknown_syscall = config_annotation_is_on(config, ANNOTATION_FAIL_SYSCALL);
	/* The specification's own member comes first. */
	if (!config->linux->seccomp->listener_path)
		options.receiver = config_annotation(config, ANNOTATION_SECCOMP_RECEIVER);
	return seccomp_compile(config->linux->seccomp, &options, &input->arena, ret, err);
}

int input_warnings(const struct plan *plan, const struct log *log, bool strict,
		   struct hoy_error *err)
{
	for (size_t i = 0; i < plan->warnings_len; i++) {
		const struct plan_warning *warning = &plan->warnings[i];

		if (strict)
			return fail_at(err, warning->at, 0, "%s", warning->text);
		log_event_at(log, HOY_LOG_WARNING, warning->at, 0, "%s", warning->text);
	}
	return 0;
}

mode_t input_umask(const struct hoy_context *context)
{
	return context->strict ? host_umask() : 022;
}

static int make_plan(struct input *input, const struct hoy_context *context,
		     const struct plan_options *plan_options, const struct plan_seccomp *filter,
		     struct hoy_error *err)
{
	struct plan_source_facts *sources = input_sources(input, plan_options->bundle);
	const struct plan_input plan_input = {
		.config = input->config,
		.options = plan_options,
		.host = &input->host,
		.sources = sources,
		.filter = filter,
	};

	if (!sources)
		return fail(err, ENOMEM, "plan the container");
	if (host_probe(&input->host, err) < 0)
		return -1;
	if (context->rootless == HOY_YES)
		input->host.privileged = false;
	return plan_build(&input->arena, &plan_input, &input->plan, err);
}

/* Of a directory that will be made below the state root. */
static int notify_directory(struct input *input, const char *id, int state_root,
			    const char **ret_path, struct hoy_error *err)
{
	char link[32], root[PATH_MAX];
	ssize_t len;

	format_text(link, sizeof(link), "/proc/self/fd/%d", state_root);
	len = readlinkat(AT_FDCWD, link, root, sizeof(root) - 1);
	if (len < 0)
		return fail(err, errno, "find the state root");
	root[len] = '\0';
	*ret_path = arena_format(&input->arena, "%s/%s/" STATE_NOTIFY, root, id);
	return *ret_path ? 0 : fail(err, ENOMEM, "plan the container");
}

int input_read(struct input *input, const struct hoy_context *context, const char *id,
	       const struct hoy_create_options *options, int state_root, struct hoy_error *err)
{
	const struct log log = { context->log, context->log_data, context->log_level };
	struct plan_seccomp filter = { 0 };
	struct plan_options plan_options = {
		.id = id,
		.bundle = bundle_path(input, options->bundle, err),
		.cgroup_manager = context->cgroup_manager,
		.no_pivot = options->no_pivot,
		.no_new_keyring = options->no_new_keyring,
		.preserve_fds = options->preserve_fds,
		.listen_fds = options->listen_fds,
		.umask = input_umask(context),
	};

	if (!plan_options.bundle ||
	    read_config(input, context, plan_options.bundle, options->config_file, err) < 0)
		return -1;
	if (options->notify &&
	    notify_directory(input, id, state_root, &plan_options.notify_directory, err) < 0)
		return -1;
	if (input_filter(input, input->config, &log, state_root, &filter, err) < 0 ||
	    make_plan(input, context, &plan_options, &filter, err) < 0 ||
	    input_warnings(input->plan, &log, context->strict, err) < 0) {
		config_locate(input->config, err);
		return -1;
	}
	return 0;
}

int input_plan_saved(struct input *input, const struct hoy_context *context,
		     const struct state_record *record, int directory, struct hoy_error *err)
{
	const bool has_notify = faccessat(directory, STATE_NOTIFY, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	const struct plan_options plan_options = {
		.id = record->id,
		.bundle = record->bundle,
		.cgroup_manager = record->cgroup_manager,
		/* That it has one will do: nothing is mounted by this plan. */
		.notify_directory = has_notify ? "/" : NULL,
	};

	if (input_saved(input, directory, err) < 0)
		return -1;
	return make_plan(input, context, &plan_options, NULL, err);
}

void input_done(struct input *input)
{
	arena_done(&input->arena);
	*input = INPUT_NONE;
}
