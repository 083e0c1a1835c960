/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup/controllers.c and limits by cgroupfs.c, where the cgroup2 tree has controllers for
 * children of its root: not on a host that mounts cgroup v1.
 */
#include "cgroup/controllers.h"

#include "cgroup2.h"

#include "sys/cleanup.h"
#include "sys/error.h"

static int open_top(void)
{
	int top = cgroup2_open();
	char list[256];

	if (file_read(top, "cgroup.controllers", list, sizeof(list)) > 0 &&
	    strstr(list, "memory") && strstr(list, "pids"))
		return top;
	close(top);
	print_message("skipped: needs the controllers memory and pids in the cgroup2 tree\n");
	skip();
	return -1;
}

static struct plan_cgroup_write writes[] = {
	{ .at = "linux.resources.memory.limit",
	  .file = "memory.max",
	  .value = "104857600",
	  .controller = "memory" },
	{ .at = "linux.resources.pids.limit",
	  .file = "pids.max",
	  .value = "7",
	  .controller = "pids",
	  .late = true },
};

static int prepare(const char *name, struct cgroup *ret_cgroup, struct hoy_error *err)
{
	char path[256];
	struct plan_cgroup plan = cgroup2_plan(name, path);

	memset(err, 0, sizeof(*err));
	plan.writes = writes;
	plan.writes_len = ARRAY_LEN(writes);
	return cgroup_driver_of(&plan)->prepare(&plan, ret_cgroup, err);
}

static void assert_holds(int dirfd, const char *file, const char *expected)
{
	char text[256];

	assert_true(file_read(dirfd, file, text, sizeof(text)) >= 0);
	text[strcspn(text, "\n")] = '\0';
	assert_string_equal(text, expected);
}

static void test_enabled_down_the_path(void **state)
{
	autoclose int top = open_top();
	struct cgroup cgroup = CGROUP_NONE;
	struct hoy_error err;

	(void)state;
	assert_int_equal(prepare("a/b/leaf", &cgroup, &err), 0);
	assert_holds(top, "cgroup.subtree_control", "memory pids");
	assert_holds(top, "a/cgroup.subtree_control", "memory pids");
	assert_holds(top, "a/b/cgroup.subtree_control", "memory pids");
	assert_holds(cgroup.fd, "cgroup.subtree_control", "");
	assert_holds(cgroup.fd, "memory.max", "104857600");
	assert_holds(cgroup.fd, "pids.max", "max");
	assert_int_equal(cgroup_write_all(cgroup.fd, writes, ARRAY_LEN(writes), true, &err), 0);
	assert_holds(cgroup.fd, "pids.max", "7");
	assert_int_equal(cgroup_oom_kills(&cgroup), 0);
	assert_int_equal(cgroup_remove(&cgroup, clock_ms() + 1000), 0);
	assert_int_equal(tree_remove_below(top, clock_ms() + 1000), 0);
	assert_int_equal(file_write_text(top, "cgroup.subtree_control", "-memory -pids"), 0);
}

static void test_parent_with_processes(void **state)
{
	autoclose int top = open_top();
	struct cgroup cgroup = CGROUP_NONE;
	struct hoy_error err;
	int busy, pidfd;

	(void)state;
	assert_int_equal(mkdirat(top, "busy", 0755), 0);
	busy = tree_open_below(top, "busy");
	pidfd = cgroup2_spawn(busy, NULL);
	assert_int_equal(prepare("busy/leaf", &cgroup, &err), -1);
	assert_int_equal(process_signal(pidfd, SIGKILL), 0);
	(void)cgroup2_reap(pidfd);
	close(busy);
	assert_string_equal(err.at, "linux.resources.memory.limit");
	assert_int_equal(err.code, EBUSY);
	assert_non_null(strstr(err.text, "enable cgroup controller memory in /hoy-test."));
	assert_non_null(strstr(err.text, "/busy"));
	assert_non_null(strstr(err.hint, "no internal processes"));
	assert_false(cgroup2_exists(top, "busy/leaf"));
	assert_int_equal(tree_remove_below(top, clock_ms() + 1000), 0);
	assert_int_equal(file_write_text(top, "cgroup.subtree_control", "-memory -pids"), 0);
}

static void test_threaded_parent(void **state)
{
	autoclose int top = open_top();
	struct cgroup cgroup = CGROUP_NONE;
	struct hoy_error err;

	(void)state;
	assert_int_equal(mkdirat(top, "domain", 0755), 0);
	assert_int_equal(mkdirat(top, "domain/threaded", 0755), 0);
	assert_int_equal(file_write_text(top, "domain/threaded/cgroup.type", "threaded"), 0);
	assert_int_equal(prepare("domain/threaded/leaf", &cgroup, &err), -1);
	assert_string_equal(err.at, "linux.resources.memory.limit");
	assert_non_null(strstr(err.text, "cgroup controller memory"));
	assert_false(cgroup2_exists(top, "domain/threaded/leaf"));
	assert_int_equal(tree_remove_below(top, clock_ms() + 1000), 0);
	(void)file_write_text(top, "cgroup.subtree_control", "-memory -pids");
}

static void test_refused_value(void **state)
{
	autoclose int top = open_top();
	struct cgroup cgroup = CGROUP_NONE;
	struct hoy_error err;

	(void)state;
	writes[0].value = "much";
	assert_int_equal(prepare("x/leaf", &cgroup, &err), -1);
	writes[0].value = "104857600";
	assert_string_equal(err.at, "linux.resources.memory.limit");
	assert_string_equal(err.text, "write memory.max \"much\"");
	assert_int_equal(err.code, EINVAL);
	assert_false(cgroup2_exists(top, "x"));
	(void)file_write_text(top, "cgroup.subtree_control", "-memory -pids");
}

/* A user who owns a part of the tree, yet whose cgroups above do not pass the controllers on. */
static void test_not_delegated(void **state)
{
	autoclose int top = open_top();
	pid_t pid;
	int status;

	(void)state;
	assert_int_equal(mkdirat(top, "user", 0755), 0);
	assert_int_equal(fchownat(top, "user", 65534, 65534, 0), 0);
	assert_int_equal(fchownat(top, "user/cgroup.subtree_control", 65534, 65534, 0), 0);
	pid = fork();
	if (pid == 0) {
		struct cgroup cgroup = CGROUP_NONE;
		struct hoy_error err;

		if (setresuid(65534, 65534, 65534) < 0)
			_exit(1);
		if (prepare("user/leaf", &cgroup, &err) != -1 || err.code != EACCES)
			_exit(2);
		if (!strstr(err.text, "enable cgroup controller memory in /hoy-test.") ||
		    !strstr(err.hint, "not delegated"))
			_exit(3);
		_exit(cgroup2_exists(top, "user/leaf") ? 4 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* With them it works. */
	assert_int_equal(file_write_text(top, "cgroup.subtree_control", "+memory +pids"), 0);
	pid = fork();
	if (pid == 0) {
		struct cgroup cgroup = CGROUP_NONE;
		struct hoy_error err;

		if (setresuid(65534, 65534, 65534) < 0)
			_exit(1);
		if (prepare("user/leaf", &cgroup, &err) < 0)
			_exit(2);
		_exit(cgroup_remove(&cgroup, clock_ms() + 1000) < 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(tree_remove_below(top, clock_ms() + 1000), 0);
	assert_int_equal(file_write_text(top, "cgroup.subtree_control", "-memory -pids"), 0);
}

/* An existing cgroup that has given its controllers to its children cannot take a process. */
static void test_joined_cgroup_with_controllers_below(void **state)
{
	autoclose int top = open_top();
	struct cgroup cgroup = CGROUP_NONE;
	struct hoy_error err;

	(void)state;
	assert_int_equal(file_write_text(top, "cgroup.subtree_control", "+memory +pids"), 0);
	assert_int_equal(mkdirat(top, "inner", 0755), 0);
	assert_int_equal(file_write_text(top, "inner/cgroup.subtree_control", "+memory"), 0);
	assert_int_equal(prepare("inner", &cgroup, &err), -1);
	assert_non_null(strstr(err.text, "/inner already exists and has sub-cgroups with"));
	assert_int_equal(tree_remove_below(top, clock_ms() + 1000), 0);
	assert_int_equal(file_write_text(top, "cgroup.subtree_control", "-memory -pids"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(test_enabled_down_the_path),
		UNIT_TEST(test_parent_with_processes),
		UNIT_TEST(test_threaded_parent),
		UNIT_TEST(test_refused_value),
		UNIT_TEST(test_not_delegated),
		UNIT_TEST(test_joined_cgroup_with_controllers_below),
	};

	return cmocka_run_group_tests_name("cgroup_controllers", tests, cgroup2_group_setup,
					   cgroup2_group_teardown);
}
