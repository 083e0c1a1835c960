/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup/: the cgroupfs driver and what is done to a cgroup, in this machine's cgroup2 tree. */
#include "cgroup/driver.h"

#include "cgroup2.h"

#include <sys/prctl.h>

#include "cgroup/controllers.h"
#include "cgroup/events.h"
#include "sys/cleanup.h"
#include "sys/error.h"

/* Makes a cgroup by the driver. */
static int prepare(const struct plan_cgroup *plan, struct cgroup *ret_cgroup, struct hoy_error *err)
{
	const struct cgroup_driver *driver = cgroup_driver_of(plan);

	memset(err, 0, sizeof(*err));
	assert_non_null(driver);
	assert_string_equal(driver->name, "cgroupfs");
	assert_null(driver->adopt);
	return driver->prepare(plan, ret_cgroup, err);
}

static void test_driver_of(void **state)
{
	struct plan_cgroup plan = { .path = NULL };

	(void)state;
	assert_null(cgroup_driver_of(&plan));
	plan.path = "/x";
	assert_string_equal(cgroup_driver_of(&plan)->name, "cgroupfs");
	plan.manager = HOY_CGROUP_SYSTEMD;
	assert_string_equal(cgroup_driver_of(&plan)->name, "systemd");
	assert_non_null(cgroup_driver_of(&plan)->adopt);
	plan.manager = HOY_CGROUP_DISABLED;
	assert_null(cgroup_driver_of(&plan));
}

static void test_prepare_makes_and_remove_removes(void **state)
{
	autoclose int top = cgroup2_open();
	struct cgroup cgroup = CGROUP_NONE;
	struct hoy_error err;
	char path[256], expected[512];
	struct plan_cgroup plan = cgroup2_plan("a/b/c", path);
	struct stat stat;

	(void)state;
	umask(0077);
	assert_int_equal(prepare(&plan, &cgroup, &err), 0);
	umask(0);
	snprintf(expected, sizeof(expected), "%s%s/a/b/c", cgroup2_mount, cgroup2_top);
	assert_string_equal(cgroup.path, expected);
	assert_int_equal(fstat(cgroup.fd, &stat), 0);
	assert_int_equal(cgroup.inode, stat.st_ino);
	assert_int_equal(stat.st_mode & 0777, 0755);
	assert_int_equal(cgroup.device_program, 0);
	assert_int_equal(cgroup_remove(&cgroup, clock_ms() + 1000), 0);
	assert_int_equal(cgroup.fd, -1);
	assert_false(cgroup2_exists(top, "a/b/c"));
	/* Parents stay. */
	assert_true(cgroup2_exists(top, "a/b"));
	assert_int_equal(cgroup_remove(&cgroup, -1), 0);
}

static void test_prepare_joins_an_empty_cgroup(void **state)
{
	autoclose int top = cgroup2_open();
	struct cgroup cgroup = CGROUP_NONE;
	struct hoy_error err;
	char path[256];
	struct plan_cgroup plan = cgroup2_plan("made", path);

	(void)state;
	assert_int_equal(mkdirat(top, "made", 0700), 0);
	assert_int_equal(file_write_text(top, "made/cgroup.max.depth", "7"), 0);
	assert_int_equal(prepare(&plan, &cgroup, &err), 0);
	assert_int_equal(file_write_text(cgroup.fd, "cgroup.max.depth", "7"), 0);
	assert_int_equal(cgroup_remove(&cgroup, clock_ms() + 1000), 0);
}

static void test_prepare_refuses_a_populated_cgroup(void **state)
{
	autoclose int top = cgroup2_open();
	struct cgroup cgroup = CGROUP_NONE;
	struct hoy_error err;
	char path[256];
	struct plan_cgroup plan = cgroup2_plan("full", path);
	int below, pidfd;

	(void)state;
	assert_int_equal(mkdirat(top, "full", 0755), 0);
	assert_int_equal(mkdirat(top, "full/below", 0755), 0);
	below = tree_open_below(top, "full/below");
	pidfd = cgroup2_spawn(below, NULL);
	assert_int_equal(prepare(&plan, &cgroup, &err), -1);
	assert_string_equal(err.at, "linux.cgroupsPath");
	assert_non_null(strstr(err.text, "/full already exists and is not empty"));
	assert_int_equal(cgroup.fd, -1);
	/* Nobody was hurt, nothing removed. */
	assert_int_equal(process_wait(pidfd, 0, NULL), 0);
	assert_int_equal(process_signal(pidfd, SIGKILL), 0);
	assert_int_equal(cgroup2_reap(pidfd), 128 + SIGKILL);
	close(below);
	assert_int_equal(tree_remove_below(top, clock_ms() + 1000), 0);
}

static void test_prepare_refuses_a_frozen_cgroup(void **state)
{
	autoclose int top = cgroup2_open();
	struct cgroup cgroup = CGROUP_NONE;
	struct hoy_error err;
	char path[256];
	struct plan_cgroup plan = cgroup2_plan("ice", path), below;

	(void)state;
	assert_int_equal(mkdirat(top, "ice", 0755), 0);
	assert_int_equal(file_write_text(top, "ice/cgroup.freeze", "1"), 0);
	assert_int_equal(prepare(&plan, &cgroup, &err), -1);
	assert_non_null(strstr(err.text, "/ice is frozen"));
	/* One below it would be frozen as well, and goes again. */
	below = cgroup2_plan("ice/cube", path);
	assert_int_equal(prepare(&below, &cgroup, &err), -1);
	assert_non_null(strstr(err.text, "/ice/cube is frozen"));
	assert_false(cgroup2_exists(top, "ice/cube"));
	assert_int_equal(tree_remove_below(top, clock_ms() + 1000), 0);
}

static void test_prepare_refuses_paths(void **state)
{
	static const char *const names[] = { "",      "a//b", "../x",	      "a/../../..", ".",
					     "a/./b", "a/",   "cgroup.procs", "a\nb" };
	autoclose int top = cgroup2_open();
	struct cgroup cgroup = CGROUP_NONE;
	struct hoy_error err;
	char path[256], long_path[600];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct plan_cgroup plan = cgroup2_plan(names[i], path);

		assert_int_equal(prepare(&plan, &cgroup, &err), -1);
		assert_string_equal(err.at, "linux.cgroupsPath");
		assert_non_null(strstr(err.text, "cgroup"));
	}
	{
		struct plan_cgroup plan = cgroup2_plan("x", path);

		snprintf(long_path, sizeof(long_path), "%s/%0400d", cgroup2_top, 1);
		plan.path = long_path;
		assert_int_equal(prepare(&plan, &cgroup, &err), -1);
		assert_non_null(strstr(err.text, "is not usable"));
		plan.path = "relative";
		assert_int_equal(prepare(&plan, &cgroup, &err), -1);
		assert_non_null(strstr(err.text, "\"relative\" is not usable"));
		plan.path = "/x";
		plan.mount_point = "/proc";
		assert_int_equal(prepare(&plan, &cgroup, &err), -1);
		assert_string_equal(err.text, "/proc is no cgroup2 file system");
	}
	assert_int_equal(tree_remove_below(top, clock_ms() + 1000), 0);
}

static void test_prepare_names_the_limit_of_the_tree(void **state)
{
	autoclose int top = cgroup2_open();
	struct cgroup cgroup = CGROUP_NONE;
	struct hoy_error err;
	char path[256];
	struct plan_cgroup plan = cgroup2_plan("few/leaf", path);

	(void)state;
	assert_int_equal(mkdirat(top, "few", 0755), 0);
	assert_int_equal(file_write_text(top, "few/cgroup.max.descendants", "0"), 0);
	assert_int_equal(prepare(&plan, &cgroup, &err), -1);
	assert_int_equal(err.code, EAGAIN);
	assert_non_null(strstr(err.text, "make cgroup "));
	assert_non_null(strstr(err.hint, "cgroup.max.descendants"));
	assert_int_equal(tree_remove_below(top, clock_ms() + 1000), 0);
}

/* Whatever fails after the directory was made: it goes, with the parents that were made for it. */
static void test_prepare_leaves_nothing_when_it_fails(void **state)
{
	struct plan_cgroup_write missing[] = {
		{ .at = "linux.resources.unified", .file = "no.such.file", .value = "1" },
	};
	autoclose int top = cgroup2_open();
	struct cgroup cgroup = CGROUP_NONE;
	struct hoy_error err;
	char path[256];
	struct plan_cgroup plan = cgroup2_plan("p/q/r", path);

	(void)state;
	plan.writes = missing;
	plan.writes_len = 1;
	assert_int_equal(mkdirat(top, "p", 0755), 0);
	assert_int_equal(prepare(&plan, &cgroup, &err), -1);
	assert_int_equal(err.code, ENOENT);
	assert_string_equal(err.at, "linux.resources.unified");
	assert_string_equal(err.text, "write no.such.file \"1\"");
	assert_string_equal(err.hint, "this kernel has no such limit");
	assert_true(cgroup2_exists(top, "p"));
	assert_false(cgroup2_exists(top, "p/q"));
	/* What was there before stays. */
	assert_int_equal(mkdirat(top, "p/q", 0755), 0);
	assert_int_equal(mkdirat(top, "p/q/r", 0755), 0);
	assert_int_equal(prepare(&plan, &cgroup, &err), -1);
	assert_true(cgroup2_exists(top, "p/q/r"));
	assert_int_equal(tree_remove_below(top, clock_ms() + 1000), 0);
}

static void test_prepare_names_the_missing_controller(void **state)
{
	struct plan_cgroup_write writes[] = {
		{ .at = "linux.resources.x", .file = "x.max", .value = "1", .controller = "xyz" },
	};
	autoclose int top = cgroup2_open();
	struct cgroup cgroup = CGROUP_NONE;
	struct hoy_error err;
	char path[256];
	struct plan_cgroup plan = cgroup2_plan("c", path);

	(void)state;
	plan.writes = writes;
	plan.writes_len = 1;
	assert_int_equal(prepare(&plan, &cgroup, &err), -1);
	assert_string_equal(err.at, "linux.resources.x");
	assert_int_equal(err.code, 0);
	assert_string_equal(err.text, "cgroup controller xyz is not available in /: "
				      "not compiled into this kernel");
	assert_false(cgroup2_exists(top, "c"));
}

/* The controllers of cgroup v1 on a host in hybrid mode. */
static void test_prepare_names_a_controller_of_v1(void **state)
{
	struct plan_cgroup_write writes[] = {
		{ .at = "linux.resources.memory.limit",
		  .file = "memory.max",
		  .value = "1",
		  .controller = "memory" },
	};
	autoclose int top = cgroup2_open();
	struct cgroup cgroup = CGROUP_NONE;
	struct hoy_error err;
	char path[256];
	struct plan_cgroup plan = cgroup2_plan("c", path);

	(void)state;
	if (access("/sys/fs/cgroup/memory/memory.limit_in_bytes", F_OK) < 0) {
		close(take_fd(&top));
		print_message("skipped: the memory controller is not one of cgroup v1\n");
		skip();
	}
	plan.writes = writes;
	plan.writes_len = 1;
	assert_int_equal(prepare(&plan, &cgroup, &err), -1);
	assert_string_equal(err.text, "cgroup controller memory is not available in /: "
				      "bound to cgroup v1");
	assert_non_null(strstr(err.hint, "systemd.unified_cgroup_hierarchy=1"));
}

static void test_write_all_in_order(void **state)
{
	struct plan_cgroup_write writes[] = {
		{ .at = "a", .file = "cgroup.max.depth", .value = "3" },
		{ .at = "b", .file = "absent", .value = "1", .optional = true },
		{ .at = "c", .file = "cgroup.max.descendants", .value = "4", .alternative = true },
		{ .at = "d", .file = "cgroup.max.descendants", .value = "5", .alternative = true },
		{ .at = "e", .file = "cgroup.max.depth", .value = "9", .late = true },
	};
	autoclose int top = cgroup2_open();
	struct hoy_error err = { .code = 0 };
	char text[32];

	(void)state;
	assert_int_equal(mkdirat(top, "w", 0755), 0);
	{
		autoclose int fd = tree_open_below(top, "w");

		assert_int_equal(cgroup_write_all(fd, writes, ARRAY_LEN(writes), false, &err), 0);
		assert_true(file_read(fd, "cgroup.max.depth", text, sizeof(text)) > 0);
		assert_string_equal(text, "3\n");
		assert_true(file_read(fd, "cgroup.max.descendants", text, sizeof(text)) > 0);
		assert_string_equal(text, "4\n");
		assert_int_equal(cgroup_write_all(fd, writes, ARRAY_LEN(writes), true, &err), 0);
		assert_true(file_read(fd, "cgroup.max.depth", text, sizeof(text)) > 0);
		assert_string_equal(text, "9\n");
		writes[0].value = "many";
		assert_int_equal(cgroup_write_all(fd, writes, 1, false, &err), -1);
		assert_string_equal(err.at, "a");
		assert_string_equal(err.text, "write cgroup.max.depth \"many\"");
		assert_int_equal(err.code, EINVAL);
	}
	assert_int_equal(tree_remove_below(top, clock_ms() + 1000), 0);
}

/* A kernel that does not account for reservations has no file for them. */
/* req: linux.hugepageLimits.fallback */
static void test_huge_pages_without_reservations(void **state)
{
	const struct plan_cgroup_write writes[] = {
		{ .at = "h", .file = "hugetlb.2MB.max", .value = "4194304" },
		{ .at = "h", .file = "hugetlb.2MB.rsvd.max", .value = "4194304", .optional = true },
	};
	const struct unit *unit = *state;
	struct hoy_error err = { .code = 0 };
	char text[32];
	int fd = openat(unit->dirfd, writes[0].file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(cgroup_write_all(unit->dirfd, writes, ARRAY_LEN(writes), false, &err), 0);
	assert_true(file_read(unit->dirfd, writes[0].file, text, sizeof(text)) > 0);
	assert_string_equal(text, "4194304");
	assert_int_equal(faccessat(unit->dirfd, writes[1].file, F_OK, 0), -1);
}

static void test_owner_gets_the_delegated_files_only(void **state)
{
	autoclose int top = cgroup2_open();
	struct cgroup cgroup = CGROUP_NONE;
	struct hoy_error err;
	char path[256];
	struct plan_cgroup plan = cgroup2_plan("owned", path);
	struct stat stat;

	(void)state;
	(void)top;
	plan.owner = 12345;
	assert_int_equal(prepare(&plan, &cgroup, &err), 0);
	assert_int_equal(fstat(cgroup.fd, &stat), 0);
	assert_int_equal(stat.st_uid, 12345);
	assert_int_equal(stat.st_gid, 0);
	assert_int_equal(fstatat(cgroup.fd, "cgroup.procs", &stat, 0), 0);
	assert_int_equal(stat.st_uid, 12345);
	assert_int_equal(fstatat(cgroup.fd, "cgroup.subtree_control", &stat, 0), 0);
	assert_int_equal(stat.st_uid, 12345);
	assert_int_equal(fstatat(cgroup.fd, "cgroup.freeze", &stat, 0), 0);
	assert_int_equal(stat.st_uid, 0);
	assert_int_equal(fstatat(cgroup.fd, "cgroup.max.depth", &stat, 0), 0);
	assert_int_equal(stat.st_uid, 0);
	assert_int_equal(cgroup_remove(&cgroup, clock_ms() + 1000), 0);
}

/* An unprivileged caller: without `optional` an error that names delegation, with it no cgroup. */
static void test_optional_without_privilege(void **state)
{
	autoclose int top = cgroup2_open();
	pid_t pid = fork();
	int status;

	(void)state;
	(void)top;
	assert_true(pid >= 0);
	if (pid == 0) {
		struct cgroup cgroup = { .fd = 99 };
		struct hoy_error err = { .code = 0 };
		char path[256];
		struct plan_cgroup plan = cgroup2_plan("denied", path);

		if (setresuid(65534, 65534, 65534) < 0)
			_exit(1);
		if (prepare(&plan, &cgroup, &err) != -1 || err.code != EACCES ||
		    !strstr(err.hint, "delegated") || cgroup.fd != 99)
			_exit(2);
		plan.optional = true;
		if (prepare(&plan, &cgroup, &err) != 0 || cgroup.fd != -1 || err.code != 0)
			_exit(3);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_open_recorded_checks_the_inode(void **state)
{
	autoclose int top = cgroup2_open();
	struct cgroup cgroup = CGROUP_NONE, found = CGROUP_NONE;
	struct hoy_error err;
	char path[256], removed[sizeof(cgroup.path)];
	struct plan_cgroup plan = cgroup2_plan("rec", path);

	(void)state;
	(void)top;
	assert_int_equal(prepare(&plan, &cgroup, &err), 0);
	assert_int_equal(cgroup_open_recorded(cgroup.path, cgroup.inode, &found), 0);
	assert_true(found.fd >= 0);
	assert_true(fd_same_inode(found.fd, cgroup.fd));
	assert_string_equal(found.path, cgroup.path);
	cgroup_done(&found);
	assert_int_equal(cgroup_open_recorded(cgroup.path, cgroup.inode + 1, &found), 0);
	assert_int_equal(found.fd, -1);
	assert_int_equal(cgroup_open_recorded(cgroup.path, 0, &found), 0);
	assert_int_equal(found.fd, -1);
	assert_int_equal(cgroup_open_recorded("", 1, &found), 0);
	assert_int_equal(found.fd, -1);
	snprintf(removed, sizeof(removed), "%s", cgroup.path);
	assert_int_equal(cgroup_remove(&cgroup, clock_ms() + 1000), 0);
	assert_int_equal(cgroup_open_recorded(removed, 1, &found), 0);
	assert_int_equal(found.fd, -1);
}

static void test_open_recorded_follows_no_symlink(void **state)
{
	const struct unit *unit = *state;
	autoclose int top = cgroup2_open();
	struct cgroup found = CGROUP_NONE;
	char target[512], link[512];
	struct stat stat;

	assert_int_equal(fstat(top, &stat), 0);
	snprintf(target, sizeof(target), "%s%s", cgroup2_mount, cgroup2_top);
	snprintf(link, sizeof(link), "%s/link", unit->path);
	assert_int_equal(symlink(target, link), 0);
	assert_int_equal(cgroup_open_recorded(link, stat.st_ino, &found), -ENOTSUP);
}

static void test_open_recorded_says_nothing_where_there_is_no_tree(void **state)
{
	static const char *const paths[] = { "/proc/self", "/proc/1/no/such", "/no/such/at/all",
					     "/" };
	struct cgroup found = CGROUP_NONE;

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		assert_int_equal(cgroup_open_recorded(paths[i], 1, &found), -ENOTSUP);
}

static void test_remove_intended(void **state)
{
	autoclose int top = cgroup2_open();
	char path[600];
	int fd, pidfd;

	(void)state;
	snprintf(path, sizeof(path), "%s%s/intended", cgroup2_mount, cgroup2_top);
	assert_int_equal(cgroup_remove_intended(""), 0);
	assert_int_equal(cgroup_remove_intended(path), 0);
	assert_int_equal(mkdirat(top, "intended", 0755), 0);
	fd = tree_open_below(top, "intended");
	pidfd = cgroup2_spawn(fd, NULL);
	assert_int_equal(cgroup_remove_intended(path), -EBUSY);
	assert_int_equal(process_wait(pidfd, 0, NULL), 0);
	assert_int_equal(process_signal(pidfd, SIGKILL), 0);
	(void)cgroup2_reap(pidfd);
	assert_int_equal(events_wait(fd, "populated", 0, clock_ms() + 1000), 1);
	close(fd);
	assert_int_equal(cgroup_remove_intended(path), 0);
	assert_false(cgroup2_exists(top, "intended"));
}

/* Keeps forking until it is killed; what it forked does the same. */
static void fork_for_ever(void)
{
	for (;;) {
		if (fork() > 0)
			usleep(2000);
		usleep(500);
	}
}

static void test_kill_reaches_forking_processes_and_sub_cgroups(void **state)
{
	autoclose int top = cgroup2_open();
	struct cgroup cgroup = CGROUP_NONE;
	struct hoy_error err;
	char path[256];
	struct plan_cgroup plan = cgroup2_plan("bomb", path);
	int below, pidfds[4];

	(void)state;
	(void)top;
	assert_int_equal(prepare(&plan, &cgroup, &err), 0);
	assert_int_equal(cgroup_wait_empty(&cgroup, -1), 1);
	assert_int_equal(file_write_text(cgroup.fd, "cgroup.max.depth", "1"), 0);
	assert_int_equal(mkdirat(cgroup.fd, "below", 0755), 0);
	below = tree_open_below(cgroup.fd, "below");
	for (size_t i = 0; i < ARRAY_LEN(pidfds); i++) {
		pid_t pid = process_clone(0, i % 2 ? below : cgroup.fd, SIGCHLD, &pidfds[i]);

		if (pid == 0 && i == 0)
			fork_for_ever();
		if (pid == 0)
			for (;;)
				pause();
	}
	close(below);
	usleep(20000);
	assert_int_equal(cgroup_wait_empty(&cgroup, clock_ms() + 20), 0);
	assert_int_equal(cgroup_remove(&cgroup, clock_ms() + 20), -EBUSY);
	assert_true(cgroup.fd >= 0);
	assert_int_equal(cgroup_kill(&cgroup), 0);
	assert_int_equal(cgroup_wait_empty(&cgroup, clock_ms() + 5000), 1);
	for (size_t i = 0; i < ARRAY_LEN(pidfds); i++)
		assert_int_equal(cgroup2_reap(pidfds[i]), 128 + SIGKILL);
	assert_int_equal(cgroup_remove(&cgroup, clock_ms() + 1000), 0);
}

static void test_operations_on_a_removed_cgroup(void **state)
{
	autoclose int top = cgroup2_open();
	struct cgroup cgroup = CGROUP_NONE;
	struct hoy_error err;
	char path[256];
	struct plan_cgroup plan = cgroup2_plan("gone", path);

	(void)state;
	assert_int_equal(prepare(&plan, &cgroup, &err), 0);
	assert_int_equal(unlinkat(top, "gone", AT_REMOVEDIR), 0);
	assert_int_equal(cgroup_kill(&cgroup), 0);
	assert_int_equal(cgroup_signal(&cgroup, SIGTERM), 0);
	assert_int_equal(cgroup_wait_empty(&cgroup, -1), 1);
	assert_int_equal(cgroup_oom_kills(&cgroup), 0);
	/* A stranger's of the same name stays. */
	assert_int_equal(mkdirat(top, "gone", 0755), 0);
	assert_int_equal(cgroup_remove(&cgroup, clock_ms() + 100), 0);
	assert_true(cgroup2_exists(top, "gone"));
	assert_int_equal(unlinkat(top, "gone", AT_REMOVEDIR), 0);
}

static volatile sig_atomic_t signals;

static void count(int number)
{
	(void)number;
	signals++;
}

/* A child that ends with the number of SIGUSR1 it got until SIGTERM came. */
static int spawn_counter(int cgroup, int ready)
{
	int pidfd;
	pid_t pid = process_clone(0, cgroup, SIGCHLD, &pidfd);

	assert_true(pid >= 0);
	if (pid == 0) {
		struct sigaction action = { .sa_handler = count };
		sigset_t both, none;

		/* One at a time, or the second could come in the middle of counting the first. */
		sigfillset(&action.sa_mask);
		sigemptyset(&none);
		sigemptyset(&both);
		sigaddset(&both, SIGUSR1);
		sigaddset(&both, SIGTERM);
		sigprocmask(SIG_BLOCK, &both, NULL);
		sigaction(SIGUSR1, &action, NULL);
		sigaction(SIGTERM, &action, NULL);
		(void)!write(ready, "x", 1);
		while (signals < 2)
			sigsuspend(&none);
		_exit(signals);
	}
	return pidfd;
}

static void test_signal_reaches_each_process_once(void **state)
{
	enum { EACH = 70 };
	autoclose int top = cgroup2_open();
	struct cgroup cgroup = CGROUP_NONE;
	struct hoy_error err;
	char path[256], byte;
	struct plan_cgroup plan = cgroup2_plan("sig", path);
	int pidfds[2 * EACH], below, ready[2];

	(void)state;
	(void)top;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(prepare(&plan, &cgroup, &err), 0);
	assert_int_equal(mkdirat(cgroup.fd, "below", 0755), 0);
	below = tree_open_below(cgroup.fd, "below");
	for (int i = 0; i < 2 * EACH; i++)
		pidfds[i] = spawn_counter(i % 2 ? below : cgroup.fd, ready[1]);
	for (int i = 0; i < 2 * EACH; i++)
		assert_int_equal(read(ready[0], &byte, 1), 1);
	close(below);
	close(ready[0]);
	close(ready[1]);
	assert_int_equal(cgroup_signal(&cgroup, SIGUSR1), 0);
	assert_int_equal(cgroup_signal(&cgroup, SIGTERM), 0);
	for (int i = 0; i < 2 * EACH; i++)
		assert_int_equal(cgroup2_reap(pidfds[i]), 2);
	assert_int_equal(cgroup_remove(&cgroup, clock_ms() + 1000), 0);
}

static void test_freeze_and_thaw(void **state)
{
	autoclose int top = cgroup2_open();
	struct cgroup cgroup = CGROUP_NONE;
	struct hoy_error err;
	char path[256];
	struct plan_cgroup plan = cgroup2_plan("freeze", path);
	int pidfd;

	(void)state;
	(void)top;
	assert_int_equal(prepare(&plan, &cgroup, &err), 0);
	pidfd = cgroup2_spawn(cgroup.fd, NULL);
	assert_int_equal(cgroup_is_frozen(&cgroup), 0);
	assert_int_equal(cgroup_freeze(&cgroup, true, clock_ms() + 1000), 0);
	assert_int_equal(cgroup_is_frozen(&cgroup), 1);
	assert_int_equal(cgroup_freeze(&cgroup, false, clock_ms() + 1000), 0);
	assert_int_equal(cgroup_is_frozen(&cgroup), 0);
	/* A frozen one can be killed. */
	assert_int_equal(cgroup_freeze(&cgroup, true, clock_ms() + 1000), 0);
	assert_int_equal(cgroup_signal(&cgroup, SIGKILL), 0);
	assert_int_equal(cgroup2_reap(pidfd), 128 + SIGKILL);
	assert_int_equal(cgroup_remove(&cgroup, clock_ms() + 1000), 0);
}

/* What does not freeze in time must not be left half frozen. */
static void test_freeze_that_takes_too_long_is_undone(void **state)
{
	const struct unit *unit = *state;
	struct cgroup cgroup = { .fd = unit->dirfd };
	char text[8] = "";

	close(openat(unit->dirfd, "cgroup.freeze", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	close(openat(unit->dirfd, "cgroup.events", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	assert_int_equal(file_write_text(unit->dirfd, "cgroup.events", "populated 1\nfrozen 0\n"),
			 0);
	assert_int_equal(cgroup_freeze(&cgroup, true, clock_ms() + 50), -ETIMEDOUT);
	assert_true(file_read(unit->dirfd, "cgroup.freeze", text, sizeof(text)) > 0);
	assert_string_equal(text, "0");
}

/* What a payload may leave: deeper than there are descriptors, and wide. */
static void test_remove_deep_and_wide(void **state)
{
	enum { DEPTH = 1500, WIDTH = 200 };
	autoclose int top = cgroup2_open();
	struct cgroup cgroup = CGROUP_NONE;
	struct hoy_error err;
	char path[256], name[16];
	struct plan_cgroup plan = cgroup2_plan("deep", path);
	int fd, next;

	(void)state;
	(void)top;
	assert_int_equal(prepare(&plan, &cgroup, &err), 0);
	fd = tree_open_below(cgroup.fd, ".");
	for (int i = 0; i < DEPTH; i++) {
		if (mkdirat(fd, "d", 0755) < 0)
			break;
		next = tree_open_below(fd, "d");
		assert_true(next >= 0);
		close(fd);
		fd = next;
	}
	close(fd);
	for (int i = 0; i < WIDTH; i++) {
		snprintf(name, sizeof(name), "w%d", i);
		assert_int_equal(mkdirat(cgroup.fd, name, 0755), 0);
		snprintf(name, sizeof(name), "w%d/x", i);
		assert_int_equal(mkdirat(cgroup.fd, name, 0755), 0);
	}
	assert_int_equal(cgroup_signal(&cgroup, SIGTERM), 0);
	assert_int_equal(cgroup_remove(&cgroup, clock_ms() + 20000), 0);
}

/* Others remove the empty parent again and again while we make a cgroup in it. */
static void test_prepare_against_removal_of_the_parent(void **state)
{
	autoclose int top = cgroup2_open();
	struct hoy_error err;
	char path[256];
	struct plan_cgroup plan = cgroup2_plan("shared/mine", path);
	pid_t self = getpid(), pid = fork();

	(void)state;
	if (pid == 0) {
		/* It must not outlive a test that fails. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (getppid() == self)
			(void)unlinkat(top, "shared", AT_REMOVEDIR);
		_exit(0);
	}
	for (int i = 0; i < 300; i++) {
		struct cgroup cgroup = CGROUP_NONE;

		if (prepare(&plan, &cgroup, &err) != 0)
			assert_string_equal(err.text, "");
		assert_int_equal(cgroup_remove(&cgroup, clock_ms() + 1000), 0);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(test_driver_of),
		UNIT_TEST(test_prepare_makes_and_remove_removes),
		UNIT_TEST(test_prepare_joins_an_empty_cgroup),
		UNIT_TEST(test_prepare_refuses_a_populated_cgroup),
		UNIT_TEST(test_prepare_refuses_a_frozen_cgroup),
		UNIT_TEST(test_prepare_refuses_paths),
		UNIT_TEST(test_prepare_names_the_limit_of_the_tree),
		UNIT_TEST(test_prepare_leaves_nothing_when_it_fails),
		UNIT_TEST(test_prepare_names_the_missing_controller),
		UNIT_TEST(test_prepare_names_a_controller_of_v1),
		UNIT_TEST(test_write_all_in_order),
		UNIT_TEST(test_huge_pages_without_reservations),
		UNIT_TEST(test_owner_gets_the_delegated_files_only),
		UNIT_TEST(test_optional_without_privilege),
		UNIT_TEST(test_open_recorded_checks_the_inode),
		UNIT_TEST(test_open_recorded_follows_no_symlink),
		UNIT_TEST(test_open_recorded_says_nothing_where_there_is_no_tree),
		UNIT_TEST(test_remove_intended),
		UNIT_TEST(test_kill_reaches_forking_processes_and_sub_cgroups),
		UNIT_TEST(test_operations_on_a_removed_cgroup),
		UNIT_TEST(test_signal_reaches_each_process_once),
		UNIT_TEST(test_freeze_and_thaw),
		UNIT_TEST(test_freeze_that_takes_too_long_is_undone),
		UNIT_TEST(test_remove_deep_and_wide),
		UNIT_TEST(test_prepare_against_removal_of_the_parent),
	};

	return cmocka_run_group_tests_name("cgroup", tests, cgroup2_group_setup,
					   cgroup2_group_teardown);
}
