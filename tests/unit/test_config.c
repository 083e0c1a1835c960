/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config/: what is in struct config after reading, how problems are reported, how places are found.
 * The messages of single fields are tested by tests/config.
 */
#include "unit.h"

#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "base/arena.h"
#include "config/config.h"
#include "spec/seccomp_name.h"

struct told {
	unsigned int problems, warnings;
	char last_problem[256], last_warning[256], last_at[256];
	unsigned int last_line, last_column;
};

static void record(const struct hoy_log_entry *entry, void *data)
{
	struct told *told = data;

	if (entry->is_problem) {
		told->problems++;
		assert_int_equal(entry->level, HOY_LOG_ERROR);
		(void)snprintf(told->last_problem, 256, "%s", entry->message);
	} else {
		told->warnings++;
		assert_int_equal(entry->level, HOY_LOG_WARNING);
		(void)snprintf(told->last_warning, 256, "%s", entry->message);
	}
	(void)snprintf(told->last_at, 256, "%s", entry->at);
	told->last_line = entry->line;
	told->last_column = entry->column;
}

/* What one reading needs and leaves. */
struct reading {
	struct arena arena;
	struct told told;
	struct hoy_error err;
	bool strict;
	struct config *config;
};

static int memory_file(const char *text)
{
	int fd = memfd_create("config", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static int read_text(struct reading *reading, const char *text)
{
	struct config_report report = { record, &reading->told, reading->strict };
	int fd = memory_file(text);
	int result = config_read(fd, "config.json", &reading->arena, &report, &reading->config,
				 &reading->err);

	close(fd);
	return result;
}

static void done(struct reading *reading)
{
	arena_done(&reading->arena);
}

#define MINIMAL "\"ociVersion\":\"1.3.0\",\"root\":{\"path\":\"rootfs\"}"

static void a_minimal_configuration_is_empty(void **state)
{
	struct reading reading = { 0 };
	const struct config *config;

	(void)state;
	assert_int_equal(read_text(&reading, "{" MINIMAL "}"), 0);
	config = reading.config;
	assert_string_equal(config->oci_version, "1.3.0");
	assert_string_equal(config->root->path, "rootfs");
	assert_false(config->root->readonly);
	assert_null(config->process);
	assert_null(config->linux);
	assert_null(config->hooks);
	assert_null(config->hostname);
	assert_int_equal(config->mounts.len, 0);
	assert_string_equal(config->file_name, "config.json");
	assert_int_equal(reading.told.problems + reading.told.warnings, 0);
	done(&reading);
}

static void null_and_empty_are_absent(void **state)
{
	struct reading reading = { 0 };

	(void)state;
	assert_int_equal(
		read_text(&reading,
			  "{" MINIMAL ",\"mounts\":null,\"hooks\":null,\"annotations\":null,"
			  "\"hostname\":\"\",\"process\":{\"cwd\":\"/\",\"args\":[\"a\"],"
			  "\"env\":null,\"capabilities\":null,\"rlimits\":null,"
			  "\"apparmorProfile\":\"\",\"oomScoreAdj\":null,\"user\":{\"uid\":0,"
			  "\"gid\":0,\"umask\":null,\"additionalGids\":null}},"
			  "\"linux\":{\"resources\":null,\"seccomp\":null,\"sysctl\":null,"
			  "\"rootfsPropagation\":\"\",\"cgroupsPath\":\"\"}}"),
		0);
	assert_null(reading.config->hooks);
	assert_null(reading.config->hostname);
	assert_null(reading.config->process->apparmor_profile);
	assert_false(reading.config->process->oom_score_adj.set);
	assert_false(reading.config->process->env.set);
	assert_false(reading.config->process->user.umask.set);
	assert_null(reading.config->linux->resources);
	assert_null(reading.config->linux->cgroups_path);
	assert_int_equal(reading.config->linux->rootfs_propagation, 0);
	assert_int_equal(reading.told.problems + reading.told.warnings, 0);
	done(&reading);
}

static void process_is_read(void **state)
{
	struct reading reading = { 0 };
	const struct config_process *process;

	(void)state;
	assert_int_equal(
		read_text(
			&reading,
			"{" MINIMAL ",\"process\":{\"terminal\":true,\"consoleSize\":{\"height\":"
			"25,\"width\":80},\"user\":{\"uid\":1,\"gid\":2,\"umask\":18,"
			"\"additionalGids\":[3,4294967294]},\"args\":[\"sh\",\"-c\"],"
			"\"env\":[\"A=1\",\"B=\"],\"cwd\":\"/x\",\"capabilities\":{\"bounding\":"
			"[\"CAP_KILL\"],\"ambient\":[]},\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\","
			"\"hard\":18446744073709551615,\"soft\":5}],\"noNewPrivileges\":true,"
			"\"oomScoreAdj\":0,\"scheduler\":{\"policy\":\"SCHED_FIFO\",\"priority\":7,"
			"\"flags\":[\"SCHED_FLAG_RESET_ON_FORK\",\"SCHED_FLAG_KEEP_POLICY\"]},"
			"\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":4},"
			"\"execCPUAffinity\":{\"initial\":\"0-1\",\"final\":\"1\"}}}"),
		0);
	process = reading.config->process;
	assert_true(process->terminal);
	assert_true(process->console_size.set);
	assert_int_equal(process->console_size.height, 25);
	assert_int_equal(process->console_size.width, 80);
	assert_int_equal(process->user.uid, 1);
	assert_int_equal(process->user.gid, 2);
	assert_true(process->user.umask.set);
	assert_int_equal(process->user.umask.value, 022);
	assert_int_equal(process->user.additional_gids.len, 2);
	assert_int_equal(process->user.additional_gids.items[1], 4294967294U);
	assert_string_equal(process->args.items[1], "-c");
	assert_null(process->args.items[2]);
	assert_string_equal(process->env.items[1], "B=");
	assert_string_equal(process->cwd, "/x");
	assert_string_equal(process->capabilities->bounding.items[0], "CAP_KILL");
	assert_true(process->capabilities->ambient.set);
	assert_false(process->capabilities->effective.set);
	assert_int_equal(process->rlimits.items[0].type, RLIMIT_NOFILE);
	assert_true(process->rlimits.items[0].hard == UINT64_MAX);
	assert_int_equal(process->rlimits.items[0].soft, 5);
	assert_true(process->no_new_privileges);
	assert_true(process->oom_score_adj.set);
	assert_int_equal(process->scheduler->policy, SCHED_FIFO);
	assert_int_equal(process->scheduler->priority.value, 7);
	assert_int_equal(process->scheduler->flags, 0x09);
	assert_int_equal(process->io_priority->class, 2);
	assert_int_equal(process->io_priority->priority.value, 4);
	assert_string_equal(process->exec_cpu_affinity.initial, "0-1");
	assert_string_equal(process->exec_cpu_affinity.final, "1");
	done(&reading);
}

static void linux_is_read(void **state)
{
	struct reading reading = { 0 };
	const struct config_linux *linux;

	(void)state;
	assert_int_equal(
		read_text(
			&reading,
			"{" MINIMAL
			",\"hostname\":\"h\",\"annotations\":{\"a.b\":\"c\",\"d\":\"\"},"
			"\"linux\":{\"namespaces\":[{\"type\":\"uts\"},{\"type\":\"time\"},"
			"{\"type\":\"network\",\"path\":\"/n\"},{\"type\":\"user\"}],"
			"\"uidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":10}],"
			"\"gidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":10}],"
			"\"timeOffsets\":{\"boottime\":{\"secs\":-5,\"nanosecs\":6}},"
			"\"devices\":[{\"type\":\"u\",\"path\":\"/dev/x\",\"major\":1,\"minor\":3,"
			"\"fileMode\":8630,\"uid\":7},{\"type\":\"p\",\"path\":\"/f\"}],"
			"\"resources\":{\"devices\":[{\"allow\":false},{\"allow\":true,\"type\":"
			"\"c\","
			"\"major\":1,\"minor\":-1,\"access\":\"rw\"}]},"
			"\"sysctl\":{\"net.x\":\"1\"},\"rootfsPropagation\":\"rslave\","
			"\"maskedPaths\":[\"/proc/x\"],\"readonlyPaths\":[],\"mountLabel\":\"l\","
			"\"personality\":{\"domain\":\"LINUX32\",\"flags\":[]},"
			"\"memoryPolicy\":{\"mode\":\"MPOL_BIND\",\"nodes\":\"0\"}}}"),
		0);
	linux = reading.config->linux;
	assert_int_equal(linux->namespaces.len, 4);
	assert_true(linux->namespaces.items[0].type == CLONE_NEWUTS);
	assert_null(linux->namespaces.items[0].path);
	assert_string_equal(linux->namespaces.items[2].path, "/n");
	assert_int_equal(linux->uid_mappings.items[0].host_id, 1000);
	assert_int_equal(linux->gid_mappings.items[0].size, 10);
	assert_true(linux->boottime.set);
	assert_int_equal(linux->boottime.secs, -5);
	assert_int_equal(linux->boottime.nanosecs, 6);
	assert_false(linux->monotonic.set);
	assert_int_equal(linux->devices.items[0].type, 'c');
	/* 8630 is S_IFCHR | 0666: the type is dropped. */
	assert_int_equal(linux->devices.items[0].file_mode.value, 0666);
	assert_int_equal(linux->devices.items[0].uid.value, 7);
	assert_false(linux->devices.items[0].gid.set);
	assert_int_equal(linux->devices.items[1].type, 'p');
	assert_int_equal(linux->resources->devices.items[0].type, 'a');
	assert_string_equal(linux->resources->devices.items[0].access, "rwm");
	assert_false(linux->resources->devices.items[0].major.set);
	assert_true(linux->resources->devices.items[1].allow);
	assert_string_equal(linux->resources->devices.items[1].access, "rw");
	assert_string_equal(linux->sysctl.items[0].key, "net.x");
	assert_string_equal(linux->sysctl.items[0].value, "1");
	assert_true(linux->rootfs_propagation == MS_SLAVE);
	assert_string_equal(linux->masked_paths.items[0], "/proc/x");
	assert_true(linux->readonly_paths.set);
	assert_true(linux->personality.set);
	assert_int_equal(linux->personality.domain, 8);
	assert_int_equal(linux->memory_policy->mode, 2);
	assert_string_equal(reading.config->annotations.items[0].key, "a.b");
	assert_string_equal(reading.config->annotations.items[1].value, "");
	done(&reading);
}

static void seccomp_and_hooks_are_read(void **state)
{
	struct reading reading = { 0 };
	const struct config_seccomp *seccomp;

	(void)state;
	assert_int_equal(
		read_text(
			&reading,
			"{" MINIMAL
			",\"hooks\":{\"poststop\":[{\"path\":\"/h\",\"args\":[\"h\",\"x\"],"
			"\"timeout\":3}]},\"linux\":{\"seccomp\":{\"defaultAction\":"
			"\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,\"architectures\":["
			"\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\"],\"flags\":["
			"\"SECCOMP_FILTER_FLAG_LOG\",\"SECCOMP_FILTER_FLAG_TSYNC\"],"
			"\"syscalls\":[{\"names\":[\"read\",\"write\"],\"action\":"
			"\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":5,\"value\":"
			"18446744073709551615,\"valueTwo\":1,\"op\":\"SCMP_CMP_MASKED_EQ\"}]}]}}}"),
		0);
	seccomp = reading.config->linux->seccomp;
	assert_true(seccomp->default_action == SECCOMP_RET_ERRNO);
	assert_int_equal(seccomp->default_errno_ret.value, 38);
	assert_int_equal(seccomp->architectures.len, 2);
	assert_true(seccomp->architectures.items[0] == 0xc000003e);
	assert_true(seccomp->flags == (SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_TSYNC));
	assert_string_equal(seccomp->syscalls.items[0].names.items[1], "write");
	assert_true(seccomp->syscalls.items[0].action == SECCOMP_RET_ALLOW);
	assert_true(seccomp->syscalls.items[0].args.items[0].value == UINT64_MAX);
	assert_int_equal(seccomp->syscalls.items[0].args.items[0].op, SECCOMP_MASKED_EQ);
	assert_int_equal(reading.config->hooks->poststop.items[0].timeout.value, 3);
	assert_string_equal(reading.config->hooks->poststop.items[0].args.items[1], "x");
	done(&reading);
}

static void all_problems_are_told_and_the_first_is_the_error(void **state)
{
	struct reading reading = { 0 };

	(void)state;
	assert_int_equal(read_text(&reading, "{" MINIMAL ",\n"
					     "\"hostnam\":\"x\",\n"
					     "\"process\":{\"cwd\":\"x\",\"args\":[],\n"
					     "  \"noNewPrivileges\":1}}"),
			 -1);
	assert_int_equal(reading.told.problems, 3);
	assert_int_equal(reading.told.warnings, 1);
	assert_string_equal(reading.told.last_warning, "unknown, did you mean hostname?");
	assert_string_equal(reading.err.at, "process.cwd");
	assert_string_equal(reading.err.text, "path is not absolute: 'x'");
	assert_int_equal(reading.err.line, 3);
	assert_int_equal(reading.err.column, 18);
	assert_null(reading.config);
	done(&reading);
}

static void strict_makes_problems_of_warnings(void **state)
{
	struct reading reading = { .strict = true };

	(void)state;
	assert_int_equal(read_text(&reading, "{" MINIMAL ",\n \"hostnam\":\"x\"}"), -1);
	assert_int_equal(reading.told.problems, 1);
	assert_int_equal(reading.told.warnings, 0);
	assert_string_equal(reading.err.at, "hostnam");
	assert_int_equal(reading.err.line, 2);
	assert_int_equal(reading.err.column, 2);
	done(&reading);
}

static void more_than_fifty_are_counted(void **state)
{
	struct reading reading = { 0 };
	char text[8000];
	size_t len;

	(void)state;
	len = (size_t)sprintf(text, "{" MINIMAL ",\"linux\":{\"maskedPaths\":[\"x\"");
	for (int i = 1; i < 120; i++)
		len += (size_t)sprintf(text + len, ",\"x\"");
	(void)sprintf(text + len, "]}}");
	assert_int_equal(read_text(&reading, text), -1);
	assert_int_equal(reading.told.problems, 51);
	assert_string_equal(reading.told.last_problem, "70 more problems");
	assert_string_equal(reading.told.last_at, "");
	assert_string_equal(reading.err.at, "linux.maskedPaths[0]");
	done(&reading);
}

static void broken_json_is_one_problem(void **state)
{
	struct reading reading = { 0 };

	(void)state;
	assert_int_equal(read_text(&reading, "{" MINIMAL ",}"), -1);
	assert_int_equal(reading.told.problems, 1);
	assert_string_equal(reading.told.last_problem, "trailing comma");
	assert_int_equal(reading.told.last_line, 1);
	assert_int_equal(reading.told.last_column, reading.err.column);
	assert_string_equal(reading.err.text, "trailing comma");
	done(&reading);
}

static void without_a_callback_the_error_is_enough(void **state)
{
	const struct config_report report = { 0 };
	struct arena arena = { 0 };
	struct hoy_error err = { 0 };
	struct config *config = NULL;
	int fd = memory_file("[]");

	(void)state;
	assert_int_equal(config_read(fd, "f", &arena, &report, &config, &err), -1);
	assert_string_equal(err.text, "expected an object, found list");
	assert_null(config);
	close(fd);
	arena_done(&arena);
}

static void parts_are_read_alone_with_whole_paths(void **state)
{
	struct told told = { 0 };
	const struct config_report report = { record, &told, false };
	struct arena arena = { 0 };
	struct hoy_error err = { 0 };
	struct config_process *process;
	struct config_resources *resources;
	int fd = memory_file("{\"args\":[\"a\"],\"cwd\":\"/\"}");

	(void)state;
	assert_int_equal(config_read_process(fd, "p", &arena, &report, &process, &err), 0);
	assert_string_equal(process->args.items[0], "a");
	close(fd);
	fd = memory_file("{\"args\":[\"a\"],\n\"user\":{\"uid\":-1,\"gid\":0},\"cwd\":\"/\"}");
	assert_int_equal(config_read_process(fd, "p", &arena, &report, &process, &err), -1);
	assert_string_equal(err.at, "process.user.uid");
	assert_int_equal(err.line, 2);
	assert_int_equal(err.column, 15);
	close(fd);
	fd = memory_file("{\"memory\":{\"swap\":5}}");
	assert_int_equal(config_read_resources(fd, "r", &arena, &report, &resources, &err), -1);
	assert_string_equal(err.at, "linux.resources.memory.swap");
	assert_string_equal(err.text, "needs a memory limit");
	assert_int_equal(err.column, 19);
	close(fd);
	arena_done(&arena);
}

static void errors_are_located(void **state)
{
	struct reading reading = { 0 };
	struct hoy_error err = { .at = "linux.sysctl[\"net.x\"]" };

	(void)state;
	assert_int_equal(read_text(&reading, "{" MINIMAL ",\n\"linux\":{\"namespaces\":[{\"type\":"
					     "\"network\"}],\n\"sysctl\":{\"net.x\":\"1\"}}}"),
			 0);
	config_locate(reading.config, &err);
	assert_int_equal(err.line, 3);
	assert_int_equal(err.column, 19);
	err = (struct hoy_error){ .at = "linux.namespaces[0].path" };
	config_locate(reading.config, &err);
	assert_int_equal(err.line, 2);
	assert_int_equal(err.column, 24);
	err = (struct hoy_error){ .at = "" };
	config_locate(reading.config, &err);
	assert_int_equal(err.line, 0);
	done(&reading);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(a_minimal_configuration_is_empty),
		UNIT_TEST(null_and_empty_are_absent),
		UNIT_TEST(process_is_read),
		UNIT_TEST(linux_is_read),
		UNIT_TEST(seccomp_and_hooks_are_read),
		UNIT_TEST(all_problems_are_told_and_the_first_is_the_error),
		UNIT_TEST(strict_makes_problems_of_warnings),
		UNIT_TEST(more_than_fifty_are_counted),
		UNIT_TEST(broken_json_is_one_problem),
		UNIT_TEST(without_a_callback_the_error_is_enough),
		UNIT_TEST(parts_are_read_alone_with_whole_paths),
		UNIT_TEST(errors_are_located),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
