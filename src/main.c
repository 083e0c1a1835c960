/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hoy: an OCI container runtime. The program is a thin user of libhoy; it owns what concerns the
 * whole process: arguments, stdio, signals, the protected binary, the exit status.
 *
 * A map of the sources
 *
 *   src/                the command line
 *     main.c            global options, the command, the error, the exit status
 *     command.c         the table of commands; option.c parses and prints tables of options
 *     cmd_NAME.c        one command each; matching.c where an id may be a regular expression
 *     install_NAME.c    files of engines and hoy's place in them; install_tree.c writes them
 *     foreground.c      a process in the foreground; terminal.c copies its terminal
 *     log_file.c        --log, and what goes to stderr
 *     protect.c         keeps containers from the program's binary and memory
 *     leave.c           parts a process from the file it was executed from
 *
 *   src/libhoy/         the library, each layer using only those above it
 *     sys/              system calls, descriptors, paths, processes; safe after a clone
 *     base/             memory, text, numbers, JSON, events
 *     spec/             the specification's words and the kernel's values
 *     config/           config.json as the specification has it
 *     host.c            what this kernel and this caller can do
 *     plan/             what will be done, in kernel terms, as pure data
 *     cgroup/           where a container's cgroup comes from, limits, device rules
 *     state/            the record of a container, its directory and lock, the start gate
 *     init/             what the container's first process does, an ordered table of steps
 *     runtime/          one file per operation, and what the parent does for init
 *
 * A container's life in calls: cmd_create.c -> hoy_create() reads the configuration (config/),
 * asks the host (host.c), computes the plan (plan/), writes the state ahead (state/), makes the
 * cgroup (cgroup/) and clones init (init/), whose requests it answers. hoy_start() opens the gate
 * at which init waits. hoy_delete() takes back what the state records.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/string.h"
#include "command.h"
#include "protect.h"
#include "sys/cleanup.h"
#include "sys/error.h"
#include "sys/process.h"

/* More than most command lines have. */
#define WORDS_FEW 64

static const char *root, *log_path, *log_format = "text", *log_level = "warning";
static const char *cgroup_manager = "cgroupfs", *rootless = "auto";
static bool debug, strict, systemd_cgroup, version;

const struct option global_options[] = {
	{ "root", 0, OPTION_TEXT, &root, "DIR", "state root (default: /run/hoy)", NULL },
	{ "log", 0, OPTION_TEXT, &log_path, "FILE", "append events there", NULL },
	{ "log-format", 0, OPTION_TEXT, &log_format, "FORMAT", "text (default) or json",
	  "text json" },
	{ "log-level", 0, OPTION_TEXT, &log_level, "LEVEL", "error, warning (default), info, debug",
	  "error warning info debug" },
	{ "debug", 0, OPTION_FLAG, &debug, NULL, "the same as --log-level debug", NULL },
	{ "strict", 0, OPTION_FLAG, &strict, NULL, "warnings about the configuration are errors",
	  NULL },
	{ "cgroup-manager", 0, OPTION_TEXT, &cgroup_manager, "MANAGER",
	  "cgroupfs (default), systemd, disabled", "cgroupfs systemd disabled" },
	{ "systemd-cgroup", 0, OPTION_FLAG, &systemd_cgroup, NULL,
	  "the same as --cgroup-manager systemd", NULL },
	{ "rootless", 0, OPTION_TEXT, &rootless, "BOOL", "true, false or auto (default)",
	  "true false auto" },
	{ "version", 'v', OPTION_FLAG, &version, NULL, "print the version", NULL },
	OPTION_END,
};

/** Opens stdin, stdout and stderr where the caller has closed them: their numbers mean something.
 */
static void open_stdio(void)
{
	struct pollfd fds[] = { { .fd = 0 }, { .fd = 1 }, { .fd = 2 } };

	if (poll(fds, ARRAY_LEN(fds), 0) <= 0)
		return;
	for (int fd = 0; fd <= 2; fd++)
		if (fds[fd].revents & POLLNVAL && open("/dev/null", O_RDWR) != fd)
			_exit(1);
}

/** True without privilege on the host, as far as an environment can tell. */
static bool is_unprivileged(void)
{
	const char *user = getenv("USER");

	if (geteuid() != 0)
		return true;
	if (user && strcmp(user, "root") == 0)
		return false;
	return process_in_initial_user_namespace() == 0;
}

/** The state root: --root made absolute, or the default. */
static int find_root(char path[PATH_MAX], struct hoy_error *err)
{
	const char *runtime_dir = getenv("XDG_RUNTIME_DIR");
	char directory[PATH_MAX];
	size_t len;

	if (root && !root[0])
		return fail(err, 0, "--root: the directory is missing");
	if (root && root[0] == '/') {
		len = format_text(path, PATH_MAX, "%s", root);
	} else if (root) {
		if (!getcwd(directory, sizeof(directory)))
			return fail(err, errno, "find the working directory");
		len = format_text(path, PATH_MAX, "%s/%s", directory, root);
	} else if (runtime_dir && runtime_dir[0] && is_unprivileged()) {
		len = format_text(path, PATH_MAX, "%s/hoy", runtime_dir);
	} else {
		len = format_text(path, PATH_MAX, "/run/hoy");
	}
	if (len >= PATH_MAX)
		return fail(err, ENAMETOOLONG, "state root");
	/* Without "/" at the end, behind which a symlink would be followed. */
	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	return 0;
}

static enum hoy_log_level level_of(const char *name)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], name) == 0)
			return (enum hoy_log_level)i;
	return HOY_LOG_WARNING;
}

static int fill_context(struct program *program, char path[PATH_MAX], struct hoy_error *err)
{
	struct hoy_context *context = &program->context;

	if (find_root(path, err) < 0)
		return -1;
	context->state_root = path;
	context->strict = strict;
	context->cgroup_manager = HOY_CGROUP_CGROUPFS;
	if (systemd_cgroup || strcmp(cgroup_manager, "systemd") == 0)
		context->cgroup_manager = HOY_CGROUP_SYSTEMD;
	else if (strcmp(cgroup_manager, "disabled") == 0)
		context->cgroup_manager = HOY_CGROUP_DISABLED;
	context->rootless = HOY_AUTO;
	if (strcmp(rootless, "auto") != 0)
		context->rootless = strcmp(rootless, "true") == 0 ? HOY_YES : HOY_NO;
	context->log = log_file_event;
	context->log_data = program->log;
	context->log_level = program->log->level;
	return 0;
}

static void print_version(void)
{
	const char *const *features = hoy_build_features();

	printf("hoy version %s\ncommit: %s\nspec: 1.3.0\n", hoy_version(), hoy_commit());
	for (size_t i = 0; features[i]; i++)
		printf("%s%s", i > 0 ? " " : "", features[i]);
	putchar('\n');
}

/** What was written to stdout has arrived, or else the command has failed. */
static int finish_output(int status, struct hoy_error *err)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		return fail(err, errno, "write to stdout");
	return status;
}

static int fail_usage(const struct command *command)
{
	command_usage(command, stderr);
	return -1;
}

/** Parses the command's own arguments and runs it. */
static int run_command(const struct command *command, struct program *program, char **arguments,
		       char **words, struct hoy_error *err)
{
	enum option_words mode = command->flags & COMMAND_WORDS_LAST ? OPTION_WORDS_LAST
								     : OPTION_WORDS_ANYWHERE;
	char path[PATH_MAX];
	bool help = false;
	int len = option_parse(command->options, arguments, mode, words, &help, err);
	int status;

	if (help) {
		command_help(command, command->options, stdout);
		if (command->flags & COMMAND_CHECKPOINT && hoy_checkpoint_check(err) < 0)
			return -1;
		return finish_output(0, err);
	}
	if (len >= 0 && (unsigned int)len < command->words_min)
		len = fail(err, 0, "the container's id is missing");
	else if (len >= 0 && (unsigned int)len > command->words_max)
		len = fail(err, 0, "one argument too many: \"%s\"", words[command->words_max]);
	if (len < 0)
		return fail_usage(command);
	if (command->words_min > 0)
		format_text(program->log->command, sizeof(program->log->command), "%s %s",
			    command->name, words[0]);
	if (fill_context(program, path, err) < 0)
		return -1;
	if (command->flags & COMMAND_PROTECTED && protect_process(err) < 0)
		return -1;
	status = command->run(program, words, err);
	if (status == COMMAND_USAGE)
		return fail_usage(command);
	return status < 0 ? -1 : finish_output(status, err);
}

/** Handles the global options and looks the command up. */
static int run_program(char **argv, char **words, struct program *program, struct hoy_error *err)
{
	const struct command *command;
	bool help = false;
	int len = option_parse(global_options, argv + 1, OPTION_WORDS_LAST, words, &help, err);

	if (len < 0)
		return fail_usage(NULL);
	if (help || version) {
		if (help)
			command_help(NULL, global_options, stdout);
		else
			print_version();
		return finish_output(0, err);
	}
	command = len > 0 ? command_find(words[0]) : NULL;
	if (!command) {
		fail(err, 0, len > 0 ? "unknown command %s" : "the command is missing", words[0]);
		return fail_usage(NULL);
	}
	format_text(program->log->command, sizeof(program->log->command), "%s", command->name);
	if (command->flags & COMMAND_PROTECTED && protect_binary(argv, err) < 0)
		return -1;
	program->log->json = strcmp(log_format, "json") == 0;
	program->log->level = debug ? HOY_LOG_DEBUG : level_of(log_level);
	if (log_file_open(program->log, log_path, err) < 0)
		return -1;
	if (program->log->level == HOY_LOG_DEBUG)
		(void)clock_gettime(CLOCK_MONOTONIC, &program->log->started);
	/* The words are overwritten from their start while those behind are read. */
	return run_command(command, program, words + 1, words, err);
}

int main(int argc, char **argv)
{
	struct log_file log = LOG_FILE_NONE;
	struct program program = { .log = &log };
	struct hoy_error err = { .status = 1 };
	char *few[WORDS_FEW + 1] = { NULL };
	char **words = argc <= WORDS_FEW ? few : calloc((size_t)argc + 1, sizeof(*words));
	int status;

	open_stdio();
	if (!words)
		status = fail(&err, ENOMEM, "read the arguments");
	else
		status = run_program(argv, words, &program, &err);
	if (status < 0)
		log_file_fail(&log, &err);
	else
		log_file_succeed(&log);
	if (words != few)
		free(words);
	if (status < 0)
		return err.status > 0 && err.status < 256 ? err.status : 1;
	return status;
}
