/* SPDX-License-Identifier: Apache-2.0 */
/*
 * library STATE-ROOT BUNDLE CASE: runs containers by libhoy as a program of somebody else would,
 * one that lives on afterwards. Prints what it finds, a line each.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hoy/hoy.h>

#define ID "c1"

static struct hoy_context context = { .rootless = HOY_AUTO };
static struct hoy_error err;
static struct hoy_create_options options;
static struct hoy_container *container;
static int pid;

static void tell(const char *what, int result)
{
	char message[1024];

	if (result < 0) {
		(void)hoy_error_format(&err, message, sizeof(message));
		printf("%s: %s\n", what, message);
		memset(&err, 0, sizeof(err));
	} else {
		printf("%s: %d\n", what, result);
	}
	(void)fflush(stdout);
}

/* An empty file in the bundle. */
static void make(const char *name)
{
	char path[4096];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", options.bundle, name);
	file = fopen(path, "we");
	if (file)
		(void)fclose(file);
}

static int count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	while (directory && readdir(directory))
		count++;
	if (directory)
		(void)closedir(directory);
	return count;
}

static int run(void)
{
	/* Nobody listens there; the call waits for the container's end all the same. */
	const struct hoy_start_options start = {
		.ret_container = &container,
		.notify_socket = options.notify ? "@hoy-test-nobody" : NULL,
	};

	return hoy_run(&context, ID, &options, &start, &err);
}

static void wait_and_delete(void)
{
	int status = -1;

	tell("wait", waitpid(pid, &status, 0) == pid ? WEXITSTATUS(status) : -1);
	tell("delete", hoy_container_delete(&context, container, &err));
	hoy_container_done(container);
}

/* Nobody is left to wait for, and nothing is left open. */
static void tell_rest(int descriptors)
{
	tell("children", waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD ? 0 : 1);
	tell("descriptors", count_descriptors() - descriptors);
}

static void run_twice(void)
{
	for (int i = 0; i < 2; i++) {
		tell("run", run());
		wait_and_delete();
	}
}

/* Without what hoy_run() knows, as before there was hoy_container_delete(). */
static void run_and_forget(void)
{
	tell("run", hoy_run(&context, ID, &options, NULL, &err));
	tell("wait", waitpid(pid, NULL, 0) == pid ? 0 : -1);
	tell("delete", hoy_delete(&context, ID, false, &err));
}

static void run_in_vain(void)
{
	tell("run", run());
	tell("container", container ? 1 : 0);
	hoy_container_done(NULL);
}

static void change_meanwhile(void)
{
	const struct hoy_update_options update = {
		.resources = "{\"devices\": [{\"allow\": false, \"access\": \"rwm\"}]}"
	};

	tell("run", run());
	tell("update", hoy_update(&context, ID, &update, &err));
	make("rootfs/go");
	wait_and_delete();
}

/* Something in its state that hoy does not remove. Nobody else has to wait for who found it. */
static void fail_to_delete(void)
{
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/" ID "/stranger", context.state_root);
	tell("run", run());
	tell("wait", waitpid(pid, NULL, 0) == pid ? 0 : -1);
	tell("mkdir", mkdir(path, 0700));
	tell("delete", hoy_container_delete(&context, container, &err));
	tell("delete by name", hoy_delete(&context, ID, true, &err));
	tell("rmdir", rmdir(path));
	tell("delete", hoy_container_delete(&context, container, &err));
	hoy_container_done(container);
}

/* A caller's own container is deleted by another, and one of the same name made. */
static void replace_meanwhile(void)
{
	struct hoy_state state = { 0 };
	int first;

	tell("run", run());
	first = pid;
	tell("delete", hoy_delete(&context, ID, true, &err));
	tell("wait", waitpid(first, NULL, 0) == first ? 0 : -1);
	tell("create", hoy_create(&context, ID, &options, &err));
	for (int i = 0; i < 3; i++)
		tell("delete what was", hoy_container_delete(&context, container, &err));
	hoy_container_done(container);
	tell("state", hoy_state(&context, ID, &state, &err));
	tell("still created", state.status == HOY_CREATED);
	hoy_state_done(&state);
	tell("delete", hoy_delete(&context, ID, true, &err));
	(void)waitpid(pid, NULL, 0);
}

static void notify_and_replace(void)
{
	options.notify = true;
	replace_meanwhile();
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*function)(void);
	} cases[] = {
		{ "twice", run_twice },		  { "forget", run_and_forget },
		{ "in vain", run_in_vain },	  { "change", change_meanwhile },
		{ "replace", replace_meanwhile }, { "notify", notify_and_replace },
		{ "stranger", fail_to_delete },
	};
	const int descriptors = count_descriptors();

	if (argc != 4)
		return 2;
	context.state_root = argv[1];
	options.bundle = argv[2];
	options.ret_pid = &pid;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (strcmp(cases[i].name, argv[3]) == 0)
			cases[i].function();
	tell_rest(descriptors);
	return 0;
}
