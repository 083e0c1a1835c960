/* SPDX-License-Identifier: Apache-2.0 */
/* runtime/hooks.c: what a hook gets, and when it has failed. */
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "runtime/hooks.h"
#include "sys/fd.h"
#include "sys/file.h"

static const char state_text[] = "{\"pid\":          ,\"id\":\"c1\"}";

static struct plan_hooks hooks_of(struct plan_hook *items, size_t len)
{
	return (struct plan_hooks){
		.items = items,
		.len = len,
		.state = state_text,
		.state_len = sizeof(state_text) - 1,
		.pid_offset = 7,
	};
}

/** A hook that runs a script of the shell. */
#define SCRIPT(name, script)                                                                   \
	{                                                                                      \
		.at = name, .path = "/bin/sh", .args = (char *[]){ "sh", "-c", script, NULL }, \
		.timeout_ms = -1                                                               \
	}

static int run(struct plan_hook *items, size_t len, struct hoy_error *err)
{
	const struct plan_hooks hooks = hooks_of(items, len);

	return hooks_run(&hooks, "createRuntime", 4711, NULL, err);
}

static void a_hook_reads_the_state_with_the_pid(void **state)
{
	struct unit *unit = *state;
	struct plan_hook hook = SCRIPT("hooks.createRuntime[0]",
				       "cat >state; cat >>state; env >env; "
				       "ls /proc/self/fd | wc -l >fds");
	struct hoy_error err;
	char text[128];

	hook.env = (char *[]){ "PATH=/bin:/usr/bin", NULL };
	assert_int_equal(chdir(unit->path), 0);
	assert_int_equal(run(&hook, 1, &err), 0);
	assert_int_equal(chdir("/"), 0);
	assert_true(file_read(unit->dirfd, "state", text, sizeof(text)) > 0);
	assert_string_equal(text, "{\"pid\":      4711,\"id\":\"c1\"}");
	assert_true(file_read(unit->dirfd, "fds", text, sizeof(text)) > 0);
	/* stdin, stdout, stderr and the directory. */
	assert_string_equal(text, "4\n");
	assert_true(file_read(unit->dirfd, "env", text, sizeof(text)) > 0);
	assert_null(strstr(text, "HOME"));
}

static void without_env_it_gets_ours(void **state)
{
	struct plan_hook hook = SCRIPT("hooks.prestart[0]", "test \"$LEAK\" = 1");
	struct hoy_error err;

	(void)state;
	assert_int_equal(run(&hook, 1, &err), -1);
	assert_int_equal(setenv("LEAK", "1", 1), 0);
	assert_int_equal(run(&hook, 1, &err), 0);
	unsetenv("LEAK");
}

static void the_first_failure_ends_it(void **state)
{
	struct unit *unit = *state;
	struct plan_hook items[] = {
		SCRIPT("hooks.createRuntime[0]", "touch one"),
		SCRIPT("hooks.createRuntime[1]", "echo out of luck >&2; echo no >&1; exit 3"),
		SCRIPT("hooks.createRuntime[2]", "touch three"),
	};
	const struct plan_hooks hooks = hooks_of(items, 3);
	struct hoy_error err;

	assert_int_equal(chdir(unit->path), 0);
	assert_int_equal(run(items, 3, &err), -1);
	assert_string_equal(err.at, "hooks.createRuntime[1]");
	assert_string_equal(err.text,
			    "createRuntime hook 1: /bin/sh exited with status 3: out of luck");
	assert_int_equal(faccessat(unit->dirfd, "one", F_OK, 0), 0);
	assert_int_equal(faccessat(unit->dirfd, "three", F_OK, 0), -1);
	hooks_run_all(&hooks, "poststop", 0, NULL);
	assert_int_equal(faccessat(unit->dirfd, "three", F_OK, 0), 0);
	assert_int_equal(chdir("/"), 0);
}

static void ways_to_fail(void **state)
{
	struct plan_hook missing = { .path = "/no/such", .timeout_ms = -1 };
	struct plan_hook no_program = { .path = "/etc/passwd", .timeout_ms = -1 };
	struct plan_hook killed = SCRIPT("x", "kill -9 $$");
	struct hoy_error err;

	(void)state;
	assert_int_equal(run(&missing, 1, &err), -1);
	assert_string_equal(err.text, "createRuntime hook 0: /no/such cannot be executed: No such "
				      "file or directory");
	assert_int_equal(run(&no_program, 1, &err), -1);
	assert_string_equal(err.text, "createRuntime hook 0: /etc/passwd cannot be executed: "
				      "Permission denied");
	assert_int_equal(run(&killed, 1, &err), -1);
	assert_string_equal(err.text, "createRuntime hook 0: /bin/sh was killed by signal 9");
}

static void only_the_end_of_stderr_is_quoted(void **state)
{
	struct plan_hook loud = SCRIPT(
		"x", "head -c 300000 /dev/zero | tr '\\0' a >&2; echo END >&2; exit 1");
	struct hoy_error err;

	(void)state;
	assert_int_equal(run(&loud, 1, &err), -1);
	assert_true(strlen(err.text) < 600);
	assert_string_equal(err.text + strlen(err.text) - 6, "aaaEND");
}

/** A process that was killed may stay a zombie for as long as whoever inherits it likes. */
static bool is_alive(int pid)
{
	char path[32], stat[512];
	int fd;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	len = read(fd, stat, sizeof(stat) - 1);
	close(fd);
	stat[len > 0 ? len : 0] = '\0';
	return len > 0 && !strstr(stat, ") Z ");
}

static void a_timeout_kills_the_group_in_time(void **state)
{
	struct unit *unit = *state;
	struct plan_hook slow = SCRIPT("x", "sleep 60 & echo $! >pid; sleep 61; :");
	struct hoy_error err;
	int64_t start_ms = clock_ms();
	char text[32];

	slow.timeout_ms = 300;
	assert_int_equal(chdir(unit->path), 0);
	assert_int_equal(run(&slow, 1, &err), -1);
	assert_int_equal(chdir("/"), 0);
	assert_true(clock_ms() - start_ms < 5000);
	assert_non_null(strstr(err.text, "was killed at its timeout of"));
	assert_true(file_read(unit->dirfd, "pid", text, sizeof(text)) > 0);
	for (int i = 0; i < 100 && is_alive(atoi(text)); i++)
		usleep(10000);
	assert_false(is_alive(atoi(text)));
}

static void children_in_the_background_delay_nobody(void **state)
{
	struct plan_hook leaves = SCRIPT("x", "sleep 2 &");
	struct hoy_error err;
	int64_t start_ms = clock_ms();

	(void)state;
	assert_int_equal(run(&leaves, 1, &err), 0);
	assert_true(clock_ms() - start_ms < 1500);
}

static void nothing_of_the_caller_changes(void **state)
{
	struct plan_hook hook = SCRIPT("x", "trap '' TERM; umask 777; cd /tmp; exit 0");
	sigset_t before, after;
	struct hoy_error err;
	char cwd[256];

	(void)state;
	sigprocmask(SIG_SETMASK, NULL, &before);
	assert_int_equal(run(&hook, 1, &err), 0);
	sigprocmask(SIG_SETMASK, NULL, &after);
	/* The kernel's set, the rest of the C library's is not filled in. */
	assert_memory_equal(&before, &after, 8);
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(a_hook_reads_the_state_with_the_pid),
		UNIT_TEST(without_env_it_gets_ours),
		UNIT_TEST(the_first_failure_ends_it),
		UNIT_TEST(ways_to_fail),
		UNIT_TEST(only_the_end_of_stderr_is_quoted),
		UNIT_TEST(a_timeout_kills_the_group_in_time),
		UNIT_TEST(children_in_the_background_delay_nobody),
		UNIT_TEST(nothing_of_the_caller_changes),
	};

	return cmocka_run_group_tests_name("hooks", tests, NULL, NULL);
}
