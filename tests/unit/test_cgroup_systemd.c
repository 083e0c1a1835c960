/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup/systemd*.c, cgroup/bus.c: properties in systemd's words, and scopes made by a real systemd
 * (--user, with no units but one), which runs in a mount namespace and a cgroup of its own.
 */
#include "cgroup/systemd.h"

#include "cgroup2.h"

#include <sched.h>
#include <sys/mount.h>

#include "base/string.h"
#include "cgroup/bus.h"
#include "cgroup/systemd_property.h"
#include "sys/cleanup.h"
#include "sys/error.h"

/* ---- properties ---- */

/* All properties as text, "NAME TYPE VALUE" each. */
static const char *describe(const struct systemd_properties *properties, struct text *text)
{
	text_done(text);
	assert_false(properties->failed);
	for (size_t i = 0; i < properties->len; i++) {
		const struct systemd_property *property = &properties->items[i];

		text_add_format(text, "%s %s", property->name, property->type);
		if (property->bytes)
			for (size_t j = 0; j < property->len; j++)
				text_add_format(text, " %02x", property->bytes[j]);
		else if (property->strings)
			for (size_t j = 0; j < property->len; j++)
				text_add_format(text, " '%s'", property->strings[j]);
		else if (strchr("ix", *property->type))
			text_add_format(text, " %lld", (long long)property->number);
		else if (!strchr(property->type, 'a'))
			text_add_format(text, " %llu", (unsigned long long)property->number);
		text_add(text, "\n");
	}
	text_add(text, "");
	return text->bytes;
}

static void check_limit(const char *file, const char *value, const char *expected)
{
	struct plan_cgroup_write write = { .at = "x", .file = file, .value = value };
	struct arena arena = { .blocks = NULL };
	struct systemd_properties properties = { .arena = &arena };
	autotext struct text text = { .len = 0 };

	systemd_add_limits(&properties, &write, 1, true);
	assert_int_equal(properties.len, 0);
	systemd_add_limits(&properties, &write, 1, false);
	assert_string_equal(describe(&properties, &text), expected);
	arena_done(&arena);
}

static void test_limits(void **state)
{
	(void)state;
	check_limit("memory.max", "1048576", "MemoryMax t 1048576\n");
	check_limit("memory.max", "max", "MemoryMax t 18446744073709551615\n");
	check_limit("memory.low", "0", "MemoryLow t 0\n");
	check_limit("memory.swap.max", "5", "MemorySwapMax t 5\n");
	check_limit("cpu.weight", "100", "CPUWeight t 100\n");
	check_limit("io.weight", "7", "IOWeight t 7\n");
	/* That of one device. */
	check_limit("io.weight", "8:0 7", "");
	check_limit("pids.max", "0", "TasksMax t 0\n");
	check_limit("cpuset.cpus", "0-3,9", "AllowedCPUs ay 0f 02\n");
	check_limit("cpuset.mems", "1", "AllowedMemoryNodes ay 02\n");
	check_limit("cpu.max", "50000",
		    "CPUQuotaPerSecUSec t 500000\nCPUQuotaPeriodUSec t 100000\n");
	check_limit("cpu.max", "1500 10000",
		    "CPUQuotaPerSecUSec t 150000\nCPUQuotaPeriodUSec t 10000\n");
	/* systemd counts whole percents, and less than asked for would be wrong. */
	check_limit("cpu.max", "33333 100000",
		    "CPUQuotaPerSecUSec t 340000\nCPUQuotaPeriodUSec t 100000\n");
	check_limit("cpu.max", "max 50000",
		    "CPUQuotaPerSecUSec t 18446744073709551615\nCPUQuotaPeriodUSec t 50000\n");
	check_limit("hugetlb.2MB.max", "5", "");
}

static const char devices_text[] = "Character devices:\n"
				   "  1 mem\n"
				   "  5 /dev/tty\n"
				   "136 pts\n"
				   "195 nvidia-frontend\n"
				   "\n"
				   "Block devices:\n"
				   "  7 loop\n"
				   "253 virtblk\n";

static void check_devices(const struct plan_device_rule *rules, size_t len, const char *expected)
{
	struct arena arena = { .blocks = NULL };
	struct systemd_properties properties = { .arena = &arena };
	autotext struct text text = { .len = 0 };

	systemd_add_devices(&properties, rules, len, devices_text);
	assert_string_equal(describe(&properties, &text), expected);
	arena_done(&arena);
}

static void test_devices(void **state)
{
	static const struct plan_device_rule rules[] = {
		{ true, 'c', 9, 9, 7 },	   { false, 'a', -1, -1, 7 }, { true, 'c', 1, 3, 7 },
		{ false, 'c', 1, 3, 4 },   { true, 'c', 136, -1, 6 }, { true, 'b', 253, -1, 2 },
		{ true, 'c', 200, -1, 7 }, { true, 'a', -1, -1, 1 },  { true, 'c', -1, 5, 2 },
		{ true, 'b', 136, -1, 2 },
	};
	static const struct plan_device_rule everything[] = {
		{ false, 'c', 1, 3, 7 },
		{ true, 'a', -1, -1, 7 },
		{ false, 'c', 1, 3, 4 },
	};

	(void)state;
	check_devices(rules, ARRAY_LEN(rules),
		      "DevicePolicy s 'strict'\n"
		      "DeviceAllow a(ss)\n"
		      "DeviceAllow a(ss) '/dev/char/1:3' 'rwm' 'char-pts' 'rw' 'block-virtblk' 'r' "
		      "'char-*' 'rwm' 'block-*' 'm' 'char-*' 'm' 'char-*' 'r' 'block-*' 'r'\n");
	check_devices(rules, 2, "DevicePolicy s 'strict'\nDeviceAllow a(ss)\nDeviceAllow a(ss)\n");
	check_devices(everything, 3, "DevicePolicy s 'auto'\nDeviceAllow a(ss)\n");
}

static void check_annotation(const char *name, const char *value, const char *expected)
{
	struct arena arena = { .blocks = NULL };
	struct systemd_properties properties = { .arena = &arena };
	autotext struct text text = { .len = 0 };
	struct hoy_error err = { .code = 0 };
	int r = systemd_add_annotation(&properties, name, value, &err);

	if (expected) {
		assert_int_equal(r, 0);
		assert_string_equal(describe(&properties, &text), expected);
	} else {
		char at[300];

		snprintf(at, sizeof(at), "annotations[\"org.systemd.property.%s\"]", name);
		assert_int_equal(r, -1);
		assert_string_equal(err.at, at);
		assert_non_null(strstr(err.text, "is not "));
		assert_int_equal(properties.len, 0);
	}
	arena_done(&arena);
}

static void test_annotations(void **state)
{
	static const char *const wrong[] = {
		"",	     "word",
		"'open",     "'a' 'b'",
		"1.5",	     "uint32 -1",
		"uint32",    "int32 3000000000",
		"[1, 2]",    "['a'",
		"['a' 'b']", "['a'] 'b'",
		"5 ",	     "uint64 18446744073709551616",
		"uint64 ",   "True",
	};

	(void)state;
	check_annotation("KillMode", "'mixed'", "KillMode s 'mixed'\n");
	check_annotation("KillMode", "\"it's\"", "KillMode s 'it's'\n");
	check_annotation("KillMode", "'it\\'s'", "KillMode s 'it's'\n");
	check_annotation("X", "true", "X b 1\n");
	check_annotation("X", "false", "X b 0\n");
	check_annotation("X", "-5", "X i -5\n");
	check_annotation("X", "int32 7", "X i 7\n");
	check_annotation("X", "uint32 4294967295", "X u 4294967295\n");
	check_annotation("X", "int64 -9223372036854775808", "X x -9223372036854775808\n");
	check_annotation("X", "uint64 18446744073709551615", "X t 18446744073709551615\n");
	check_annotation("X", "['a', 'b c']", "X as 'a' 'b c'\n");
	check_annotation("X", "[]", "X as\n");
	check_annotation("TimeoutStopSec", "5", "TimeoutStopUSec t 5000000\n");
	check_annotation("TimeoutStopSec", "uint64 5", "TimeoutStopUSec t 5000000\n");
	check_annotation("TimeoutStopUSec", "uint64 5", "TimeoutStopUSec t 5\n");
	check_annotation("TimeoutStopSec", "-5", NULL);
	check_annotation("", "5", NULL);
	check_annotation("A.B", "5", NULL);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		check_annotation("X", wrong[i], NULL);
}

/* ---- a real systemd ---- */

static char runtime_directory[64];
/* systemd's pid, 0 where there is none to test with. */
static pid_t systemd;

static void write_unit(const char *directory)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/units", directory);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/units/hoy.target", directory);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs("[Unit]\nDescription=nothing\n", file);
	fclose(file);
}

/* Only cgroup2 at /sys/fs/cgroup, and a /run without the machine's own systemd. */
static bool enter_namespace(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	if (strcmp(cgroup2_mount, "/sys/fs/cgroup") != 0 &&
	    (umount2("/sys/fs/cgroup", MNT_DETACH) < 0 ||
	     mount("none", "/sys/fs/cgroup", "cgroup2", 0, NULL) < 0))
		return false;
	strcpy(cgroup2_mount, "/sys/fs/cgroup");
	return mount("none", "/run", "tmpfs", 0, NULL) == 0 && mkdir("/run/systemd", 0755) == 0 &&
	       mkdir("/run/systemd/system", 0755) == 0;
}

static void start_systemd(int cgroup)
{
	char units[128], runtime[128];

	snprintf(runtime, sizeof(runtime), "XDG_RUNTIME_DIR=%s", runtime_directory);
	snprintf(units, sizeof(units), "SYSTEMD_UNIT_PATH=%s/units", runtime_directory);
	systemd = process_clone(0, cgroup, SIGCHLD, NULL);
	if (systemd == 0) {
		char *const arguments[] = { (char *)"systemd", (char *)"--user",
					    (char *)"--unit=hoy.target", NULL };
		char *const environment[] = { runtime,
					      units,
					      (char *)"HOME=/nonexistent",
					      (char *)"PATH=/bin",
					      (char *)"SYSTEMD_GENERATOR_PATH=",
					      (char *)"SYSTEMD_ENVIRONMENT_GENERATOR_PATH=",
					      (char *)"SYSTEMD_LOG_TARGET=console",
					      NULL };
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		for (int fd = 0; fd < 3; fd++)
			(void)dup2(null, fd);
		execve("/lib/systemd/systemd", arguments, environment);
		_exit(127);
	}
}

static int setup(void **state)
{
	char path[512];
	int cgroup;

	cgroup2_find_mount();
	if (geteuid() != 0 || !cgroup2_mount[0] || access("/lib/systemd/systemd", X_OK) < 0 ||
	    !enter_namespace())
		return 0;
	(void)cgroup2_group_setup(state);
	strcpy(runtime_directory, "/run/hoy-test");
	if (mkdir(runtime_directory, 0700) < 0)
		return -1;
	write_unit(runtime_directory);
	snprintf(path, sizeof(path), "%s%s/user@0.service", cgroup2_mount, cgroup2_top);
	if (mkdir(path, 0755) < 0)
		return -1;
	cgroup = tree_open(path);
	start_systemd(cgroup);
	close(cgroup);
	setenv("XDG_RUNTIME_DIR", runtime_directory, 1);
	snprintf(path, sizeof(path), "%s/systemd/private", runtime_directory);
	for (int tries = 0; tries < 200 && access(path, F_OK) < 0; tries++)
		usleep(50000);
	return access(path, F_OK);
}

static int teardown(void **state)
{
	if (systemd > 0) {
		kill(systemd, SIGKILL);
		waitpid(systemd, NULL, 0);
	}
	return runtime_directory[0] ? cgroup2_group_teardown(state) : 0;
}

static void need_systemd(void)
{
	if (systemd > 0)
		return;
	print_message("skipped: needs root, a cgroup2 tree and systemd\n");
	skip();
}

/* A plan for a scope of this systemd. `path` keeps the text. */
static struct plan_cgroup plan_scope(const char *unit, char path[256])
{
	snprintf(path, 256, "%s/user@0.service/hoy.slice/%s", cgroup2_top, unit);
	return (struct plan_cgroup){
		.at = "linux.cgroupsPath",
		.manager = HOY_CGROUP_SYSTEMD,
		.path = path,
		.mount_point = cgroup2_mount,
		.owner = -1,
		.slice = "hoy.slice",
		.unit = unit,
	};
}

/* A process that is not in the cgroup yet. */
static int spawn(pid_t *ret_pid)
{
	return cgroup2_spawn(-1, ret_pid);
}

static void adopt(const struct plan_cgroup *plan, pid_t pid, struct cgroup *ret_cgroup)
{
	const struct cgroup_driver *driver = cgroup_driver_of(plan);
	struct hoy_error err = { .code = 0 };

	assert_int_equal(driver->prepare(plan, ret_cgroup, &err), 0);
	assert_int_equal(ret_cgroup->fd, -1);
	if (driver->adopt(plan, pid, ret_cgroup, &err) < 0)
		print_error("%s: %s %s\n", err.at, err.text, strerror(err.code));
	assert_true(ret_cgroup->fd >= 0);
}

static void end(struct cgroup *cgroup, const char *unit, int pidfd)
{
	struct hoy_error err = { .code = 0 };

	assert_int_equal(cgroup_kill(cgroup), 0);
	assert_int_equal(cgroup2_reap(pidfd), 128 + SIGKILL);
	assert_int_equal(cgroup_stop_unit(unit, cgroup->path, clock_ms() + 5000, &err), 0);
	assert_int_equal(cgroup_remove(cgroup, clock_ms() + 1000), 0);
}

/* True if `systemctl show` has the line. */
static bool shows(const char *unit, const char *line)
{
	char command[128], text[512];
	bool found = false;
	FILE *output;

	snprintf(command, sizeof(command), "systemctl --user show %s", unit);
	output = popen(command, "re");
	assert_non_null(output);
	while (fgets(text, sizeof(text), output)) {
		text[strcspn(text, "\n")] = '\0';
		found |= strcmp(text, line) == 0;
	}
	pclose(output);
	return found;
}

static void test_no_systemd(void **state)
{
	const struct unit *unit = *state;
	struct cgroup cgroup = { .fd = 99 };
	struct hoy_error err = { .code = 0 };
	char path[256];
	struct plan_cgroup plan = plan_scope("hoy-none.scope", path);

	need_systemd();
	setenv("XDG_RUNTIME_DIR", unit->path, 1);
	unsetenv("DBUS_SESSION_BUS_ADDRESS");
	assert_int_equal(cgroup_driver_of(&plan)->prepare(&plan, &cgroup, &err), -1);
	setenv("XDG_RUNTIME_DIR", runtime_directory, 1);
	assert_string_equal(err.text, "connect to systemd of the user");
	assert_int_equal(err.code, ENOENT);
	assert_non_null(strstr(err.hint, "systemd --user must run"));
	assert_int_equal(cgroup.fd, 99);
	plan.path = "/system.slice/hoy-none.scope";
	memset(&err, 0, sizeof(err));
	assert_int_equal(cgroup_driver_of(&plan)->prepare(&plan, &cgroup, &err), -1);
	assert_string_equal(err.text, "connect to systemd of the system");
	assert_non_null(strstr(err.hint, "--cgroup-manager cgroupfs"));
}

static void test_scope_with_limits(void **state)
{
	struct plan_cgroup_write writes[] = {
		{ .at = "a", .file = "memory.max", .value = "104857600", .optional = true },
		{ .at = "b", .file = "cpu.max", .value = "20000 100000", .optional = true },
		{ .at = "c", .file = "cgroup.max.depth", .value = "5" },
		{ .at = "d", .file = "pids.max", .value = "77", .late = true, .optional = true },
		{ .at = "e", .file = "cgroup.max.descendants", .value = "6", .late = true },
	};
	struct plan_parameter properties[] = { { "TimeoutStopSec", "5" },
					       { "Documentation", "['man:hoy(8)']" } };
	struct cgroup cgroup = CGROUP_NONE;
	struct hoy_error err = { .code = 0 };
	char path[256], text[32];
	struct plan_cgroup plan = plan_scope("hoy-limits.scope", path);
	pid_t pid;
	int pidfd;

	(void)state;
	need_systemd();
	pidfd = spawn(&pid);
	plan.writes = writes;
	plan.writes_len = ARRAY_LEN(writes);
	plan.properties = properties;
	plan.properties_len = ARRAY_LEN(properties);
	adopt(&plan, pid, &cgroup);
	assert_int_equal(strcmp(cgroup.path + strlen(cgroup2_mount), path), 0);
	assert_true(shows(plan.unit, "ActiveState=active"));
	assert_true(shows(plan.unit, "Delegate=yes"));
	assert_true(shows(plan.unit, "Slice=hoy.slice"));
	assert_true(shows(plan.unit, "MemoryMax=104857600"));
	assert_true(shows(plan.unit, "CPUQuotaPerSecUSec=200ms"));
	assert_true(shows(plan.unit, "TimeoutStopUSec=5s"));
	assert_true(shows(plan.unit, "Documentation=\"man:hoy(8)\""));
	assert_false(shows(plan.unit, "TasksMax=77"));
	assert_true(file_read(cgroup.fd, "cgroup.max.depth", text, sizeof(text)) > 0);
	assert_string_equal(text, "5\n");
	/* Late ones only when they are asked for. */
	assert_int_equal(cgroup_write_late(&cgroup, plan.unit, writes, 5, &err), 0);
	assert_true(shows(plan.unit, "TasksMax=77"));
	assert_true(file_read(cgroup.fd, "cgroup.max.descendants", text, sizeof(text)) > 0);
	assert_string_equal(text, "6\n");
	writes[0].value = "max";
	assert_int_equal(systemd_driver.update(&plan, &cgroup, &err), 0);
	assert_true(shows(plan.unit, "MemoryMax=infinity"));
	end(&cgroup, plan.unit, pidfd);
	assert_true(shows(plan.unit, "LoadState=not-found"));
}

/* What a process in the cgroup gets for reading a device: 0 or errno. */
static int try_read(int cgroup, const char *path)
{
	int pidfd, status;
	pid_t pid = process_clone(0, cgroup, SIGCHLD, &pidfd);

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(open(path, O_RDONLY | O_CLOEXEC) < 0 ? errno : 0);
	assert_int_equal(process_wait(pidfd, -1, &status), 1);
	close(pidfd);
	return status;
}

static void test_device_rules_survive_a_reload(void **state)
{
	static struct plan_device_rule rules[] = {
		{ false, 'a', -1, -1, 7 },
		{ true, 'c', 1, 3, 7 },
		{ true, 'c', 1, 7, 7 },
		{ false, 'c', 1, 7, 2 },
	};
	struct cgroup cgroup = CGROUP_NONE;
	char path[256];
	struct plan_cgroup plan = plan_scope("hoy-devices.scope", path);
	pid_t pid;
	int pidfd;

	(void)state;
	need_systemd();
	pidfd = spawn(&pid);
	plan.has_device_rules = true;
	plan.device_rules = rules;
	plan.device_rules_len = ARRAY_LEN(rules);
	adopt(&plan, pid, &cgroup);
	assert_true(shows(plan.unit, "DevicePolicy=strict"));
	assert_true(shows(plan.unit, "DeviceAllow=/dev/char/1:3 rwm"));
	for (int round = 0; round < 2; round++) {
		assert_int_equal(try_read(cgroup.fd, "/dev/null"), 0);
		assert_int_equal(try_read(cgroup.fd, "/dev/zero"), EPERM);
		assert_int_equal(try_read(cgroup.fd, "/dev/full"), EPERM);
		assert_int_equal(system("systemctl --user daemon-reload"), 0);
	}
	end(&cgroup, plan.unit, pidfd);
}

/* The name of a unit that runs is refused, and that unit is left alone. */
static void test_unit_that_exists(void **state)
{
	struct cgroup cgroup = CGROUP_NONE, second = CGROUP_NONE;
	struct hoy_error err = { .code = 0 };
	char path[256];
	struct plan_cgroup plan = plan_scope("hoy-twice.scope", path);
	int pidfd, second_pidfd;
	pid_t pid;

	(void)state;
	need_systemd();
	pidfd = spawn(&pid);
	adopt(&plan, pid, &cgroup);
	second_pidfd = spawn(&pid);
	assert_int_equal(systemd_driver.adopt(&plan, pid, &second, &err), -1);
	assert_string_equal(err.at, "linux.cgroupsPath");
	assert_non_null(strstr(err.text, "start systemd unit hoy-twice.scope: "));
	assert_non_null(strstr(err.text, "already"));
	assert_int_equal(second.fd, -1);
	assert_int_equal(process_wait(pidfd, 0, NULL), 0);
	/* Once the first has ended, the name is free, though nobody has stopped the unit. */
	assert_int_equal(cgroup_kill(&cgroup), 0);
	assert_int_equal(cgroup2_reap(pidfd), 128 + SIGKILL);
	cgroup_done(&cgroup);
	adopt(&plan, pid, &second);
	/* Nor does a cgroup that was removed before systemd could see it empty. */
	assert_int_equal(kill(systemd, SIGSTOP), 0);
	assert_int_equal(cgroup_kill(&second), 0);
	assert_int_equal(cgroup2_reap(second_pidfd), 128 + SIGKILL);
	assert_int_equal(cgroup_remove(&second, clock_ms() + 1000), 0);
	assert_int_equal(kill(systemd, SIGCONT), 0);
	pidfd = spawn(&pid);
	adopt(&plan, pid, &cgroup);
	end(&cgroup, plan.unit, pidfd);
}

static void test_refusals(void **state)
{
	struct plan_parameter property = { "NoSuchProperty", "5" };
	struct cgroup cgroup = CGROUP_NONE;
	struct hoy_error err = { .code = 0 };
	char path[256];
	struct plan_cgroup plan = plan_scope("hoy-refused.scope", path);
	pid_t pid;
	int pidfd;

	(void)state;
	need_systemd();
	pidfd = spawn(&pid);
	plan.properties = &property;
	plan.properties_len = 1;
	assert_int_equal(systemd_driver.adopt(&plan, pid, &cgroup, &err), -1);
	assert_non_null(strstr(err.text, "NoSuchProperty"));
	memset(&err, 0, sizeof(err));
	property.value = "five";
	assert_int_equal(systemd_driver.adopt(&plan, pid, &cgroup, &err), -1);
	assert_string_equal(err.text, "\"five\" is not a value");
	assert_string_equal(err.at, "annotations[\"org.systemd.property.NoSuchProperty\"]");
	plan.unit = "hoy-refused.slice";
	memset(&err, 0, sizeof(err));
	assert_int_equal(systemd_driver.prepare(&plan, &cgroup, &err), -1);
	assert_non_null(strstr(err.text, "unit hoy-refused.slice is no scope"));
	assert_int_equal(cgroup.fd, -1);
	assert_int_equal(process_signal(pidfd, SIGKILL), 0);
	(void)cgroup2_reap(pidfd);
}

static void test_stop_of_no_unit(void **state)
{
	struct hoy_error err = { .code = 0 };

	(void)state;
	need_systemd();
	assert_int_equal(
		cgroup_stop_unit("hoy-never.scope", "/user@0.service/x", clock_ms() + 5000, &err),
		0);
	assert_int_equal(err.code, 0);
}

/* A systemd that does not answer holds nobody up beyond the deadline. */
static void test_silent_systemd(void **state)
{
	struct hoy_error err = { .code = 0 };
	int64_t start_ms = clock_ms();

	(void)state;
	need_systemd();
	kill(systemd, SIGSTOP);
	assert_int_equal(cgroup_stop_unit("hoy-x.scope", "/user@0.service/x", start_ms + 300, &err),
			 -1);
	kill(systemd, SIGCONT);
	assert_in_range(clock_ms() - start_ms, 250, 3000);
	assert_int_equal(err.code, ETIMEDOUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(test_limits),
		UNIT_TEST(test_devices),
		UNIT_TEST(test_annotations),
		UNIT_TEST(test_no_systemd),
		UNIT_TEST(test_scope_with_limits),
		UNIT_TEST(test_device_rules_survive_a_reload),
		UNIT_TEST(test_unit_that_exists),
		UNIT_TEST(test_refusals),
		UNIT_TEST(test_stop_of_no_unit),
		UNIT_TEST(test_silent_systemd),
	};

	return cmocka_run_group_tests_name("cgroup_systemd", tests, setup, teardown);
}
