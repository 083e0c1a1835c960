/* SPDX-License-Identifier: Apache-2.0 */
/* runtime/criu*.c: what CRIU is asked for by a plan and options, and what is told of its failures.
 */
#include "unit.h"

#include <dlfcn.h>
#include <errno.h>
#include <sched.h>

#include <hoy/container.h>

#include "runtime/criu_request.h"

/* ---- libcriu, in whose place these write down how they are called ---- */

struct criu_opts {
	int number;
};

static struct criu_opts the_opts;
static char calls[2048];
static bool is_there, is_old;
static int answer;
static int (*notify_function)(char *stage, void *argument);

static void note(const char *format, ...)
{
	size_t len = strlen(calls);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(calls + len, sizeof(calls) - len, format, arguments);
	va_end(arguments);
}

#define FAKE_BOOL(name)                                       \
	static void name(struct criu_opts *opts, bool truth)  \
	{                                                     \
		note("%s%s\n", #name, truth ? "" : " false"); \
		assert_ptr_equal(opts, &the_opts);            \
	}
#define FAKE_NUMBER(name)                                    \
	static void name(struct criu_opts *opts, int number) \
	{                                                    \
		note("%s %d\n", #name, number);              \
		assert_ptr_equal(opts, &the_opts);           \
	}
#define FAKE_TEXT(name)                                           \
	static int name(struct criu_opts *opts, const char *text) \
	{                                                         \
		note("%s %s\n", #name, text);                     \
		assert_ptr_equal(opts, &the_opts);                \
		return 0;                                         \
	}
#define FAKE_PAIR(name)                                                             \
	static int name(struct criu_opts *opts, const char *key, const char *value) \
	{                                                                           \
		note("%s %s %s\n", #name, key, value);                              \
		assert_ptr_equal(opts, &the_opts);                                  \
		return 0;                                                           \
	}

FAKE_BOOL(set_leave_running)
FAKE_BOOL(set_tcp_established)
FAKE_BOOL(set_orphan_pts_master)
FAKE_NUMBER(set_pid)
FAKE_NUMBER(set_images_dir_fd)
FAKE_NUMBER(set_log_level)
FAKE_NUMBER(set_manage_cgroups_mode)
FAKE_NUMBER(set_empty_ns)
FAKE_TEXT(set_root)
FAKE_TEXT(set_log_file)
FAKE_TEXT(set_service_binary)
FAKE_TEXT(add_external)
FAKE_PAIR(add_ext_mount)
FAKE_PAIR(add_cg_root)

static int init_opts(struct criu_opts **ret_opts)
{
	*ret_opts = &the_opts;
	return 0;
}

static void free_opts(struct criu_opts *opts)
{
	assert_ptr_equal(opts, &the_opts);
	note("free\n");
}

static void set_notify_cb(struct criu_opts *opts, int (*function)(char *, void *))
{
	assert_ptr_equal(opts, &the_opts);
	notify_function = function;
}

static int add_inherit_fd(struct criu_opts *opts, int fd, const char *key)
{
	assert_ptr_equal(opts, &the_opts);
	note("add_inherit_fd %d %s\n", fd, key);
	return 0;
}

static int join_ns_add(struct criu_opts *opts, const char *type, const char *path,
		       const char *extra)
{
	assert_ptr_equal(opts, &the_opts);
	assert_null(extra);
	note("join_ns_add %s %s\n", type, path);
	return 0;
}

static int notify_pid(void *argument)
{
	return *(int *)argument;
}

static int no_terminal(void)
{
	return -1;
}

static int dump(struct criu_opts *opts)
{
	assert_ptr_equal(opts, &the_opts);
	note("dump\n");
	return answer;
}

static int restore_child(struct criu_opts *opts)
{
	int pid = 4711;

	assert_ptr_equal(opts, &the_opts);
	note("restore\n");
	return notify_function((char *)"setup-namespaces", &pid) == 0 ? answer : -EBADE;
}

#define ENTRY(name)                               \
	{                                         \
		"criu_local_" #name, (void *)name \
	}

static const struct {
	const char *name;
	void *function;
} library[] = {
	ENTRY(init_opts),
	ENTRY(free_opts),
	ENTRY(set_notify_cb),
	ENTRY(dump),
	ENTRY(restore_child),
	ENTRY(set_leave_running),
	ENTRY(set_tcp_established),
	ENTRY(set_orphan_pts_master),
	ENTRY(set_pid),
	ENTRY(set_images_dir_fd),
	ENTRY(set_log_level),
	ENTRY(set_manage_cgroups_mode),
	ENTRY(set_empty_ns),
	ENTRY(set_root),
	ENTRY(set_log_file),
	ENTRY(set_service_binary),
	ENTRY(add_external),
	ENTRY(add_ext_mount),
	ENTRY(add_cg_root),
	ENTRY(add_inherit_fd),
	ENTRY(join_ns_add),
	{ "criu_local_pre_dump", (void *)dump },
	{ "criu_notify_pid", (void *)notify_pid },
	{ "criu_get_orphan_pts_master_fd", (void *)no_terminal },
};

void *__wrap_dlopen(const char *name, int flags);
void *__wrap_dlsym(void *handle, const char *name);
int __wrap_dlclose(void *handle);
char *__wrap_dlerror(void);

void *__wrap_dlopen(const char *name, int flags)
{
	(void)flags;
	assert_string_equal(name, "libcriu.so.2");
	return is_there ? &the_opts : NULL;
}

void *__wrap_dlsym(void *handle, const char *name)
{
	assert_ptr_equal(handle, &the_opts);
	for (size_t i = 0; i < sizeof(library) / sizeof(*library); i++)
		if (strcmp(library[i].name, name) == 0 &&
		    !(is_old && library[i].function == (void *)join_ns_add))
			return library[i].function;
	return NULL;
}

int __wrap_dlclose(void *handle)
{
	assert_ptr_equal(handle, &the_opts);
	return 0;
}

char *__wrap_dlerror(void)
{
	return (char *)"libcriu.so.2: no such library";
}

/** A program criu in PATH that ends with this script, and a library that answers. */
static void install(const struct unit *unit, const char *script)
{
	int fd = openat(unit->dirfd, "criu", O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0755);

	assert_true(fd >= 0);
	assert_true(dprintf(fd, "#!/bin/sh\n%s\n", script) > 0);
	close(fd);
	assert_int_equal(setenv("PATH", unit->path, 1), 0);
	calls[0] = '\0';
	is_there = true;
	is_old = false;
	answer = 0;
}

/* ---- the library ---- */

/* The first test: later ones have loaded it. */
static void without_a_library_it_says_so(void **state)
{
	const struct criu_request request = { .action = CRIU_DUMP };
	struct hoy_error err;

	(void)state;
	assert_int_equal(criu_run(&request, &err), -1);
	assert_string_equal(err.text, "checkpoint and restore need libcriu: libcriu.so.2: no such "
				      "library");
	assert_non_null(strstr(err.hint, "libcriu2"));
	assert_int_equal(hoy_checkpoint_check(&err), -1);
	assert_non_null(strstr(err.text, "need libcriu"));
}

static void a_check_asks_the_program(void **state)
{
	struct unit *unit = *state;
	struct hoy_error err;

	install(unit, "[ $# = 1 ] && [ $1 = check ]");
	assert_int_equal(hoy_checkpoint_check(&err), 0);
	install(unit, "echo '(00.1) Error (criu/cr-check.c:7): No pidfd support'; exit 1");
	assert_int_equal(hoy_checkpoint_check(&err), -1);
	assert_string_equal(err.text, "`criu check` fails: No pidfd support");
	install(unit, "exit 3");
	assert_int_equal(hoy_checkpoint_check(&err), -1);
	assert_string_equal(err.text, "`criu check` fails");
}

static void a_dump_sets_what_is_asked_for_and_no_more(void **state)
{
	struct unit *unit = *state;
	struct criu_mount mounts[] = { { "/volume", "/data" } };
	const char *externals[] = { "net[1]:extRootNetNS" };
	const struct criu_request request = {
		.action = CRIU_DUMP,
		.pid = 77,
		.images = 99,
		.work = -1,
		.log = "dump.log",
		.root = "/root",
		.leave_running = true,
		.cgroup_mode = CRIU_CGROUPS_SOFT,
		.mounts = mounts,
		.mounts_len = 1,
		.externals = externals,
		.externals_len = 1,
	};
	struct hoy_error err;
	char expected[512];

	install(unit, "");
	assert_int_equal(criu_run(&request, &err), 0);
	snprintf(expected, sizeof(expected),
		 "set_service_binary %s/criu\nset_log_level 4\nset_pid 77\n"
		 "set_images_dir_fd 99\nset_log_file dump.log\nset_root /root\n"
		 "set_leave_running\nset_manage_cgroups_mode 3\nadd_ext_mount /volume /data\n"
		 "add_external net[1]:extRootNetNS\ndump\nfree\n",
		 unit->path);
	assert_string_equal(calls, expected);
}

static int on_stage(const char *stage, pid_t pid, int terminal, void *data)
{
	assert_string_equal(stage, "setup-namespaces");
	assert_int_equal(pid, 4711);
	assert_int_equal(terminal, -1);
	return *(int *)data;
}

static void a_restore_tells_its_stages(void **state)
{
	struct unit *unit = *state;
	struct criu_descriptor descriptors[] = { { 1, "pipe:[5]" } };
	struct criu_join joins[] = { { "ipc", "/proc/1/ns/ipc" } };
	int notified = 0;
	const struct criu_request request = {
		.action = CRIU_RESTORE,
		.images = unit->dirfd,
		.log = "restore.log",
		.cgroup_root = "/hoy/c1",
		.cgroup_mode = CRIU_CGROUPS_IGNORE,
		.descriptors = descriptors,
		.descriptors_len = 1,
		.joins = joins,
		.joins_len = 1,
		.notify = on_stage,
		.data = &notified,
	};
	struct hoy_error err;

	install(unit, "");
	answer = 4711;
	assert_int_equal(criu_run(&request, &err), 4711);
	assert_non_null(strstr(calls, "set_manage_cgroups_mode 0\nadd_cg_root  /hoy/c1\n"
				      "add_inherit_fd 1 pipe:[5]\n"
				      "join_ns_add ipc /proc/1/ns/ipc\nrestore\nfree\n"));
	notified = -1;
	assert_int_equal(criu_run(&request, &err), -1);
	assert_string_equal(err.text, "restore: CRIU failed and left no restore.log");
	/* What an older library lacks is an error only for who wants it. */
	install(unit, "");
	is_old = true;
	assert_int_equal(criu_run(&request, &err), -1);
	assert_string_equal(err.text, "libcriu has no function criu_local_join_ns_add");
}

/* ---- its log ---- */

static void the_last_errors_are_told(void **state)
{
	static const char log[] = "(00.1) Version: 4.1\n"
				  "(00.2) Error (criu/a.c:1): first\n"
				  "(00.3) Warn  (criu/b.c:2): no error\n"
				  "(00.4)      1: Error (criu/c.c:3): a: second (b): c\n"
				  "Error: of ip(8)\n"
				  "(00.5) Error (criu/d.c:4): third\n"
				  "(00.6) Error (criu/e.c:5): fourth";
	char text[128], small[16];

	(void)state;
	assert_int_equal(criu_log_errors(log, text, sizeof(text)), 3);
	assert_string_equal(text, "a: second (b): c; third; fourth");
	assert_int_equal(criu_log_errors(log, small, sizeof(small)), 3);
	assert_string_equal(small, "a: second (b): ");
	assert_int_equal(criu_log_errors("", text, sizeof(text)), 0);
	assert_string_equal(text, "");
	assert_int_equal(criu_log_errors("Error (without end", text, sizeof(text)), 1);
}

static void a_failure_names_the_log(void **state)
{
	struct unit *unit = *state;
	const struct criu_request request = { .action = CRIU_DUMP,
					      .images = unit->dirfd,
					      .log = "dump.log" };
	struct hoy_error err;
	char expected[128];
	int fd;

	install(unit, "");
	answer = -EBADE;
	fd = openat(unit->dirfd, "dump.log", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	/* Longer than what is looked at. */
	for (int i = 0; i < 4000; i++)
		assert_true(dprintf(fd, "(00.1) Error (x.c:1): not the last one\n") > 0);
	for (int i = 0; i < 3; i++)
		assert_true(dprintf(fd, "(00.2) Error (x.c:1): number %d\n", i) > 0);
	close(fd);
	assert_int_equal(criu_run(&request, &err), -1);
	assert_string_equal(err.text, "dump: CRIU failed: number 0; number 1; number 2");
	snprintf(expected, sizeof(expected), "its log is %s/dump.log", unit->path);
	assert_string_equal(err.hint, expected);
}

/* ---- requests ---- */

static struct plan_mount the_mounts[] = {
	{ .at = "mounts[0]", .kind = PLAN_MOUNT_NEW, .destination = "/proc", .fstype = "proc" },
	{ .at = "mounts[1]", .kind = PLAN_MOUNT_BIND, .destination = "/data", .source = "/srv" },
	{ .at = "mounts[2]", .kind = PLAN_MOUNT_REMOUNT, .destination = "/data" },
};
static struct plan_device the_devices[] = {
	{ .path = "/dev/null" },
	{ .path = "/dev/fuse", .bind_source = "/dev/fuse" },
};
static struct plan_path the_masks[] = { { .path = "/proc/keys" }, { .path = "/sys/firmware" } };
static struct plan_join the_joins[] = {
	{ "linux.namespaces[0]", CLONE_NEWNET, "/run/netns/a" },
	{ "linux.namespaces[1]", CLONE_NEWIPC, "/proc/2/ns/ipc" },
	{ "linux.namespaces[2]", CLONE_NEWUTS, "/proc/2/ns/uts" },
};
static const struct plan the_plan = {
	.mounts = the_mounts,
	.mounts_len = 3,
	.devices = the_devices,
	.devices_len = 2,
	.masked_paths = the_masks,
	.masked_paths_len = 2,
	.namespaces = { .joins = the_joins, .joins_len = 3 },
};

static void assert_mounts(const struct criu_request *request, const char *expected)
{
	char text[256] = "";

	for (size_t i = 0; i < request->mounts_len; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s=%s ",
			 request->mounts[i].key, request->mounts[i].value);
	assert_string_equal(text, expected);
}

static void binds_are_named_by_their_destination(void **state)
{
	struct criu_request request = { .action = CRIU_DUMP };
	struct arena arena = { 0 };
	struct hoy_error err;

	(void)state;
	assert_int_equal(criu_request_mounts(&request, &arena, &the_plan, &err), 0);
	assert_mounts(&request, "/data=/data /dev/fuse=/dev/fuse /proc/keys=hoy:null "
				"/sys/firmware=hoy:null ");
	request.action = CRIU_RESTORE;
	assert_int_equal(criu_request_mounts(&request, &arena, &the_plan, &err), 0);
	assert_mounts(&request, "/data=/srv /dev/fuse=/dev/fuse hoy:null=/dev/null ");
	arena_done(&arena);
}

static void joined_namespaces_are_found_again(void **state)
{
	struct criu_request request = { .action = CRIU_RESTORE };
	struct arena arena = { 0 };
	struct hoy_error err;

	(void)state;
	assert_int_equal(criu_request_joins(&request, &arena, &the_plan, &err), 0);
	assert_int_equal(request.joins_len, 2);
	assert_string_equal(request.joins[0].type, "ipc");
	assert_string_equal(request.joins[0].path, "/proc/2/ns/ipc");
	assert_string_equal(request.joins[1].type, "uts");
	assert_string_equal(criu_namespace_name(CLONE_NEWNET), "extRootNetNS");
	assert_string_equal(criu_namespace_name(CLONE_NEWPID), "extRootPidNS");
	assert_null(criu_namespace_name(CLONE_NEWIPC));
	arena_done(&arena);
}

static void some_containers_are_refused(void **state)
{
	struct plan_join join = { "linux.namespaces[4]", CLONE_NEWCGROUP, "/x" };
	struct plan_net_device device = { .at = "linux.netDevices[\"eth0\"]" };
	struct plan plan = the_plan;
	struct hoy_error err;

	(void)state;
	assert_int_equal(criu_request_check(&plan, &err), 0);
	plan.root.host_mounts = true;
	assert_int_equal(criu_request_check(&plan, &err), -1);
	assert_string_equal(err.at, "linux.namespaces");
	plan = the_plan;
	plan.net_devices = &device;
	plan.net_devices_len = 1;
	assert_int_equal(criu_request_check(&plan, &err), -1);
	assert_string_equal(err.at, "linux.netDevices[\"eth0\"]");
	plan = the_plan;
	plan.namespaces.joins = &join;
	plan.namespaces.joins_len = 1;
	assert_int_equal(criu_request_check(&plan, &err), -1);
	assert_string_equal(err.at, "linux.namespaces[4]");
	assert_non_null(strstr(err.text, "cgroup namespace"));
}

static void options_become_settings(void **state)
{
	const struct hoy_criu_options all = {
		.cgroups = HOY_CRIU_CGROUPS_STRICT,
		.network_lock = HOY_NETWORK_LOCK_NFTABLES,
		.tcp_established = true,
		.ext_unix_sk = true,
		.shell_job = true,
		.file_locks = true,
		.link_remap = true,
		.auto_dedup = true,
		.empty_network = true,
	};
	const struct hoy_criu_options none = { 0 };
	struct criu_request request = { 0 };

	(void)state;
	criu_request_options(&request, &all);
	assert_int_equal(request.cgroup_mode, CRIU_CGROUPS_STRICT);
	/* libcriu's number. */
	assert_int_equal(request.network_lock, 2);
	assert_int_equal(request.empty_namespaces, CLONE_NEWNET);
	assert_true(request.tcp_established && request.ext_unix_sk && request.shell_job &&
		    request.file_locks && request.link_remap && request.auto_dedup);
	criu_request_options(&request, &none);
	assert_int_equal(request.cgroup_mode, CRIU_CGROUPS_SOFT);
	assert_int_equal(request.network_lock, 0);
	assert_int_equal(request.empty_namespaces, 0);
	assert_false(request.tcp_established || request.ext_unix_sk || request.shell_job ||
		     request.file_locks || request.link_remap || request.auto_dedup);
}

static void a_page_server_has_an_address_and_a_port(void **state)
{
	struct criu_request request = { 0 };
	struct arena arena = { 0 };
	struct hoy_error err;

	(void)state;
	assert_int_equal(criu_request_page_server(&request, &arena, NULL, &err), 0);
	assert_null(request.page_server);
	assert_int_equal(criu_request_page_server(&request, &arena, "::1:27", &err), 0);
	assert_string_equal(request.page_server, "::1");
	assert_int_equal(request.page_server_port, 27);
	for (const char **text =
		     (const char *[]){ "", "a", ":1", "a:", "a:0", "a:65536", "a:b", NULL };
	     *text; text++) {
		assert_int_equal(criu_request_page_server(&request, &arena, *text, &err), -1);
		assert_non_null(strstr(err.text, "--page-server"));
	}
	arena_done(&arena);
}

static void an_annotation_names_the_configuration(void **state)
{
	struct plan_parameter some[] = { { "a", "b" }, { "org.criu.config", "/etc/x" } };
	struct plan_parameter none[] = { { "org.criu.config", "" } };

	(void)state;
	assert_string_equal(criu_config_file(some, 2), "/etc/x");
	assert_null(criu_config_file(some, 1));
	assert_null(criu_config_file(none, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(without_a_library_it_says_so),
		UNIT_TEST(a_check_asks_the_program),
		UNIT_TEST(a_dump_sets_what_is_asked_for_and_no_more),
		UNIT_TEST(a_restore_tells_its_stages),
		UNIT_TEST(the_last_errors_are_told),
		UNIT_TEST(a_failure_names_the_log),
		UNIT_TEST(binds_are_named_by_their_destination),
		UNIT_TEST(joined_namespaces_are_found_again),
		UNIT_TEST(some_containers_are_refused),
		UNIT_TEST(options_become_settings),
		UNIT_TEST(a_page_server_has_an_address_and_a_port),
		UNIT_TEST(an_annotation_names_the_configuration),
	};

	return cmocka_run_group_tests_name("criu", tests, NULL, NULL);
}
