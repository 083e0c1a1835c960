/* SPDX-License-Identifier: Apache-2.0 */
/* state/: directories that appear and go at once, records that survive damage, the status. */
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "state/directory.h"
#include "state/state.h"
#include "sys/cleanup.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/process.h"

static unsigned int count_names(int dirfd)
{
	DIR *dir = fdopendir(openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	unsigned int names = 0;

	assert_non_null(dir);
	while (readdir(dir))
		names++;
	closedir(dir);
	return names - 2;
}

/** A container's published and unlocked directory. */
static struct state_dir make_published(int root, const char *id)
{
	struct state_dir dir = STATE_DIR_NONE;
	struct hoy_error err;

	assert_int_equal(state_dir_make(root, id, &dir, &err), 0);
	assert_int_equal(state_dir_publish(&dir, id, &err), 0);
	return dir;
}

static void ids_are_checked(void **state)
{
	char long_id[242];

	(void)state;
	memset(long_id, 'a', sizeof(long_id));
	long_id[241] = '\0';
	assert_false(hoy_id_is_valid(long_id));
	long_id[240] = '\0';
	assert_true(hoy_id_is_valid(long_id));
	assert_true(hoy_id_is_valid("a_B-1.2+"));
	for (const char **id = (const char *[]){ "", ".", "..", ".a", "-a", "a/b", "../x", "a b",
						 "a\n", "\xc3\xa4", NULL };
	     *id; id++)
		assert_false(hoy_id_is_valid(*id));
}

static void a_directory_appears_under_its_id_at_once(void **state)
{
	struct unit *unit = *state;
	struct state_dir dir = STATE_DIR_NONE, other = STATE_DIR_NONE;
	struct hoy_error err;

	assert_int_equal(state_dir_make(unit->dirfd, "c1", &dir, &err), 0);
	assert_int_equal(state_dir_open(unit->dirfd, "c1", &other, &err), -ENOENT);
	assert_string_equal(err.text, "container c1 does not exist");
	assert_int_equal(state_dir_publish(&dir, "c1", &err), 0);
	assert_int_equal(state_dir_open(unit->dirfd, "c1", &other, &err), 0);
	state_dir_done(&other);
	assert_int_equal(state_dir_make(unit->dirfd, "c1", &other, &err), -1);
	assert_string_equal(err.text, "container c1 already exists");
	assert_int_equal(state_dir_remove(&dir, &err), 0);
	state_dir_done(&dir);
	assert_int_equal(count_names(unit->dirfd), 0);
}

static void of_two_makers_one_wins(void **state)
{
	struct unit *unit = *state;
	struct state_dir first = STATE_DIR_NONE, second = STATE_DIR_NONE;
	struct hoy_error err;

	assert_int_equal(state_dir_make(unit->dirfd, "c1", &first, &err), 0);
	assert_int_equal(state_dir_make(unit->dirfd, "c1", &second, &err), 0);
	assert_int_equal(state_dir_publish(&second, "c1", &err), 0);
	assert_int_equal(state_dir_publish(&first, "c1", &err), -1);
	assert_string_equal(err.text, "container c1 already exists");
	assert_int_equal(state_dir_remove(&first, &err), 0);
	assert_int_equal(state_dir_remove(&second, &err), 0);
	state_dir_done(&first);
	state_dir_done(&second);
	assert_int_equal(count_names(unit->dirfd), 0);
}

static void abandoned_directories_are_swept(void **state)
{
	struct unit *unit = *state;
	struct state_dir dead = STATE_DIR_NONE, live = STATE_DIR_NONE, other = STATE_DIR_NONE;
	struct hoy_error err;

	assert_int_equal(state_dir_make(unit->dirfd, "c1", &dead, &err), 0);
	assert_int_equal(mknodat(dead.fd, STATE_FILE, S_IFREG | 0600, 0), 0);
	assert_int_equal(state_dir_make(unit->dirfd, "c1", &live, &err), 0);
	assert_int_equal(state_dir_make(unit->dirfd, "c1.x", &other, &err), 0);
	state_dir_done(&dead);
	state_dir_done(&other);
	state_dir_sweep(unit->dirfd, "c1");
	/* The live one is locked, the other is of another id. */
	assert_int_equal(count_names(unit->dirfd), 2);
	assert_int_equal(state_dir_publish(&live, "c1", &err), 0);
	state_dir_done(&live);
}

static void a_lock_is_waited_for_until_the_deadline(void **state)
{
	struct unit *unit = *state;
	struct state_dir holder = make_published(unit->dirfd, "c1"), waiter = STATE_DIR_NONE;
	struct hoy_error err;

	assert_int_equal(state_dir_open(unit->dirfd, "c1", &waiter, &err), 0);
	assert_int_equal(state_dir_lock(&waiter, "c1", clock_ms() + 20, &err), -EBUSY);
	assert_string_equal(err.text, "container c1 is in use by another command");
	state_dir_done(&holder);
	assert_int_equal(state_dir_lock(&waiter, "c1", clock_ms(), &err), 0);
	state_dir_done(&waiter);
}

static void the_lock_of_a_removed_directory_is_none(void **state)
{
	struct unit *unit = *state;
	struct state_dir holder = make_published(unit->dirfd, "c1"), waiter = STATE_DIR_NONE, again;
	struct hoy_error err;

	assert_int_equal(state_dir_open(unit->dirfd, "c1", &waiter, &err), 0);
	assert_false(state_dir_is_gone(&waiter));
	assert_int_equal(state_dir_remove(&holder, &err), 0);
	state_dir_done(&holder);
	again = make_published(unit->dirfd, "c1");
	assert_int_equal(state_dir_lock(&waiter, "c1", clock_ms(), &err), -ENOENT);
	assert_true(state_dir_is_gone(&waiter));
	state_dir_done(&waiter);
	state_dir_done(&again);
}

static void a_strangers_file_stops_the_removal(void **state)
{
	struct unit *unit = *state;
	struct state_dir dir = make_published(unit->dirfd, "c1");
	struct hoy_error err;

	assert_int_equal(mknodat(dir.fd, STATE_FILE, S_IFREG | 0600, 0), 0);
	assert_int_equal(mknodat(dir.fd, ".state.json.123", S_IFREG | 0600, 0), 0);
	assert_int_equal(mknodat(dir.fd, "diary", S_IFREG | 0600, 0), 0);
	assert_int_equal(state_dir_remove(&dir, &err), -1);
	assert_string_equal(err.text, "diary remains in the state of c1: it was not made by hoy");
	assert_int_equal(count_names(dir.fd), 3);
	assert_false(state_dir_is_gone(&dir));
	assert_int_equal(unlinkat(dir.fd, "diary", 0), 0);
	assert_int_equal(state_dir_remove(&dir, &err), 0);
	state_dir_done(&dir);
}

static void a_symlink_is_no_container(void **state)
{
	struct unit *unit = *state;
	struct state_dir dir = STATE_DIR_NONE;
	struct hoy_error err;

	assert_int_equal(symlinkat("/", unit->dirfd, "c1"), 0);
	assert_int_equal(state_dir_open(unit->dirfd, "c1", &dir, &err), -1);
	assert_int_equal(err.code, ENOTDIR);
}

static void the_root_is_made_private(void **state)
{
	struct unit *unit = *state;
	struct hoy_context context = { 0 };
	struct hoy_error err;
	char path[128];
	struct stat stat;
	int fd;

	snprintf(path, sizeof(path), "%s/a/b", unit->path);
	context.state_root = path;
	assert_int_equal(state_root_open(&context, false, &err), -ENOENT);
	fd = state_root_open(&context, true, &err);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &stat), 0);
	assert_int_equal(stat.st_mode & 07777, 0700);
	assert_int_equal(fchmod(fd, 0777), 0);
	assert_int_equal(state_root_open(&context, false, &err), -1);
	assert_non_null(strstr(err.text, "can be written by other users"));
	close(fd);
	context.state_root = "relative";
	assert_int_equal(state_root_open(&context, true, &err), -1);
}

/* ---- the record ---- */

static struct plan_cgroup_write late_writes[] = {
	{ .file = "memory.max", .value = "1", .controller = "memory" },
	{ .at = "linux.resources.pids.limit", .file = "pids.max", .value = "7", .late = true },
	{ .file = "x", .value = "", .controller = "pids", .late = true, .optional = true },
};

static struct plan_hook hooks[] = {
	{ .at = "hooks.poststop[0]",
	  .path = "/bin/true",
	  .args = (char *[]){ "true", "", NULL },
	  .env = (char *[]){ "A=b", NULL },
	  .timeout_ms = 1500 },
	{ .path = "/b", .args = (char *[]){ NULL }, .timeout_ms = -1 },
};

static struct state_record full_record(void)
{
	static const char *mounts[] = { "/a", "/b \"c\"" };
	static struct plan_parameter annotations[] = { { "com.x", "1" }, { "com.y", "" } };

	return (struct state_record){
		.phase = STATE_PHASE_CREATING,
		.id = "c1",
		.bundle = "/b",
		.rootfs = "/b/\n",
		.oci_version = "1.3.0",
		.created = "2026-01-01T00:00:00.000000001Z",
		.owner = 4294967294U,
		.cgroup_manager = HOY_CGROUP_SYSTEMD,
		.cgroup = "/sys/fs/cgroup/hoy/c 1",
		.cgroup_inode = UINT64_MAX,
		.unit = "hoy-c1.scope",
		.device_program = 5,
		.pid = 123,
		.start_time = 18446744073709551615U,
		.pid_inode = 18446744073709551614U,
		.boot_id = "00000000-0000-0000-0000-000000000000",
		.private_pid_namespace = true,
		.namespaces = 0x7e020080,
		.late_writes = late_writes,
		.late_writes_len = ARRAY_LEN(late_writes),
		.has_process = true,
		.host_mounts = mounts,
		.host_mounts_len = 2,
		.resctrl = { .group = "g \n1", .made_monitoring = true },
		.annotations = annotations,
		.annotations_len = 2,
		.poststop = { .items = hooks,
			      .len = 2,
			      .state = "{\"pid\":          }",
			      .state_len = 18,
			      .pid_offset = 7 },
	};
}

static void assert_hooks(const struct plan_hooks *read, const struct plan_hooks *written)
{
	assert_int_equal(read->len, written->len);
	assert_string_equal(read->state, written->state);
	assert_int_equal(read->state_len, written->state_len);
	assert_int_equal(read->pid_offset, written->pid_offset);
	assert_string_equal(read->items[0].path, "/bin/true");
	assert_string_equal(read->items[0].at, "hooks.poststop[0]");
	assert_string_equal(read->items[0].args[1], "");
	assert_null(read->items[0].args[2]);
	assert_string_equal(read->items[0].env[0], "A=b");
	assert_int_equal(read->items[0].timeout_ms, 1500);
	assert_null(read->items[1].env);
	assert_int_equal(read->items[1].timeout_ms, -1);
}

static void a_record_is_read_as_it_was_written(void **state)
{
	struct unit *unit = *state;
	struct state_dir dir = make_published(unit->dirfd, "c1");
	struct state_record written = full_record(), *read;
	struct arena arena = { 0 };
	struct hoy_error err;

	assert_int_equal(state_write(&dir, &written, &err), 0);
	assert_int_equal(state_read(&dir, &arena, &read, &err), 0);
	assert_int_equal(read->phase, written.phase);
	assert_string_equal(read->rootfs, written.rootfs);
	assert_true(read->owner == written.owner);
	assert_int_equal(read->cgroup_manager, HOY_CGROUP_SYSTEMD);
	assert_string_equal(read->cgroup, written.cgroup);
	assert_true(read->cgroup_inode == UINT64_MAX);
	assert_int_equal(read->pid, 123);
	assert_true(read->start_time == written.start_time);
	assert_true(read->pid_inode == written.pid_inode);
	assert_true(read->private_pid_namespace && read->has_process && !read->no_new_privileges);
	assert_true(read->namespaces == written.namespaces);
	/* What is not late holds already, and is not written again. */
	assert_int_equal(read->late_writes_len, 2);
	assert_string_equal(read->late_writes[0].value, "7");
	assert_true(read->late_writes[0].late && read->late_writes[1].optional);
	assert_null(read->late_writes[1].at);
	assert_int_equal(read->host_mounts_len, 2);
	assert_string_equal(read->host_mounts[1], "/b \"c\"");
	assert_string_equal(read->resctrl.group, "g \n1");
	assert_true(read->resctrl.made_monitoring && !read->resctrl.made_group);
	assert_string_equal(read->annotations[1].key, "com.y");
	assert_int_equal(read->poststart.len, 0);
	assert_hooks(&read->poststop, &written.poststop);
	arena_done(&arena);
	state_dir_done(&dir);
}

/** Whatever the length, a cut file is an error and not a crash or another record. */
static void a_cut_record_is_an_error(void **state)
{
	struct unit *unit = *state;
	struct state_dir dir = make_published(unit->dirfd, "c1");
	struct state_record written = full_record(), *read;
	char text[8192];
	struct hoy_error err;
	ssize_t len;

	assert_int_equal(state_write(&dir, &written, &err), 0);
	len = file_read(dir.fd, STATE_FILE, text, sizeof(text));
	assert_true(len > 500);
	for (ssize_t cut = 0; cut < len; cut++) {
		struct arena arena = { 0 };

		assert_int_equal(file_replace(dir.fd, STATE_FILE, text, (size_t)cut, 0600), 0);
		assert_int_equal(state_read(&dir, &arena, &read, &err), -1);
		assert_non_null(strstr(err.text, "state.json of container c1 cannot be read"));
		assert_non_null(strstr(err.hint, "hoy delete --force c1"));
		arena_done(&arena);
	}
	state_dir_done(&dir);
}

static void unknown_members_are_skipped_and_missing_ones_are_not(void **state)
{
	struct unit *unit = *state;
	struct state_dir dir = make_published(unit->dirfd, "c1");
	struct state_record written = full_record(), *read;
	struct arena arena = { 0 };
	char text[8192], changed[8300];
	struct hoy_error err;

	assert_int_equal(state_write(&dir, &written, &err), 0);
	assert_true(file_read(dir.fd, STATE_FILE, text, sizeof(text)) > 0);
	snprintf(changed, sizeof(changed), "{\"later\":[1],%s", text + 1);
	assert_int_equal(file_replace(dir.fd, STATE_FILE, changed, strlen(changed), 0600), 0);
	assert_int_equal(state_read(&dir, &arena, &read, &err), 0);
	memcpy(strstr(changed, "\"pid\""), "\"pod\"", 5);
	assert_int_equal(file_replace(dir.fd, STATE_FILE, changed, strlen(changed), 0600), 0);
	assert_int_equal(state_read(&dir, &arena, &read, &err), -1);
	assert_non_null(strstr(err.text, "member pid is missing or invalid"));
	arena_done(&arena);
	state_dir_done(&dir);
}

static void the_essentials_survive_the_record(void **state)
{
	struct unit *unit = *state;
	struct state_dir dir = make_published(unit->dirfd, "c1");
	struct state_record written = full_record(), *read;
	struct arena arena = { 0 };
	struct hoy_error err;
	bool has_mounts = false;

	assert_int_equal(state_write(&dir, &written, &err), 0);
	written.pid = 456;
	assert_int_equal(state_write(&dir, &written, &err), 0);
	assert_int_equal(unlinkat(dir.fd, STATE_FILE, 0), 0);
	assert_int_equal(state_salvage(&dir, &arena, &read, &has_mounts), 0);
	assert_string_equal(read->id, "c1");
	assert_string_equal(read->cgroup, written.cgroup);
	assert_true(read->cgroup_inode == written.cgroup_inode);
	assert_int_equal(read->pid, 456);
	assert_true(read->start_time == written.start_time);
	assert_true(read->pid_inode == written.pid_inode);
	assert_string_equal(read->boot_id, written.boot_id);
	assert_true(read->private_pid_namespace);
	assert_string_equal(read->resctrl.group, "g \n1");
	assert_true(read->resctrl.made_monitoring && !read->resctrl.made_group);
	assert_true(has_mounts);
	arena_done(&arena);
	assert_int_equal(state_dir_remove(&dir, &err), 0);
	state_dir_done(&dir);
}

static void a_note_completes_the_record(void **state)
{
	struct unit *unit = *state;
	struct state_dir dir = make_published(unit->dirfd, "c1");
	struct state_record written = full_record(), *read;
	struct arena arena = { 0 };
	struct hoy_error err;

	written.cgroup_inode = 0;
	written.pid = 0;
	written.host_mounts_len = 0;
	assert_int_equal(state_write(&dir, &written, &err), 0);
	written.cgroup_inode = 77;
	assert_int_equal(state_note_cgroup(&dir, &written, &err), 0);
	assert_int_equal(state_read(&dir, &arena, &read, &err), 0);
	assert_int_equal(read->cgroup_inode, 77);
	assert_int_equal(read->pid, 0);
	/* Only while it is being made: later the record says all, also that there is none. */
	written.cgroup_inode = 0;
	written.phase = STATE_PHASE_CREATED;
	assert_int_equal(state_write(&dir, &written, &err), 0);
	assert_int_equal(state_read(&dir, &arena, &read, &err), 0);
	assert_int_equal(read->cgroup_inode, 0);
	arena_done(&arena);
	state_dir_done(&dir);
}

static void nothing_salvaged_is_an_empty_record(void **state)
{
	struct unit *unit = *state;
	struct state_dir dir = make_published(unit->dirfd, "c1");
	struct state_record *read;
	struct arena arena = { 0 };
	bool has_mounts = true;

	assert_int_equal(state_salvage(&dir, &arena, &read, &has_mounts), 0);
	assert_int_equal(read->pid, 0);
	assert_string_equal(read->cgroup, "");
	assert_false(has_mounts);
	assert_int_equal(symlinkat("12 relative", dir.fd, STATE_COPY_CGROUP), 0);
	assert_int_equal(state_salvage(&dir, &arena, &read, &has_mounts), -EINVAL);
	arena_done(&arena);
	state_dir_done(&dir);
}

/* ---- the status ---- */

static struct state_record record_of(pid_t pid, char boot_id[37])
{
	autoclose int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	autoclose int pidfd = process_pidfd_open(pid);
	struct state_record record = full_record();

	assert_int_equal(state_boot_id(boot_id), 0);
	assert_int_equal(strlen(boot_id), 36);
	assert_int_equal(state_set_init(&record, proc, pid, pidfd), 0);
	assert_int_equal(record.pid, pid);
	record.phase = STATE_PHASE_CREATED;
	record.boot_id = boot_id;
	return record;
}

static void assert_status(const struct state_dir *dir, const struct state_record *record,
			  enum hoy_status expected)
{
	enum hoy_status status;
	struct hoy_error err;

	assert_int_equal(state_status(dir, record, &status, NULL, &err), 0);
	assert_int_equal(status, expected);
}

static void the_gate_tells_created_from_running(void **state)
{
	struct unit *unit = *state;
	struct state_dir dir = make_published(unit->dirfd, "c1");
	char boot_id[37];
	struct state_record record = record_of(getpid(), boot_id);
	int go, result, start_go, start_result;
	struct hoy_error err;

	assert_status(&dir, &record, HOY_RUNNING);
	assert_int_equal(gate_make(&dir, &err), 0);
	assert_int_equal(gate_open_start(&dir, &start_go, &start_result), -ENXIO);
	assert_int_equal(gate_open_init(&dir, &go, &result, &err), 0);
	assert_status(&dir, &record, HOY_CREATED);
	assert_int_equal(gate_open_start(&dir, &start_go, &start_result), 0);
	close(go);
	assert_status(&dir, &record, HOY_RUNNING);
	close(result);
	close(start_go);
	close(start_result);
	record.phase = STATE_PHASE_DELETED;
	assert_status(&dir, &record, HOY_STOPPED);
	state_dir_done(&dir);
}

static void another_process_of_that_pid_is_not_init(void **state)
{
	struct unit *unit = *state;
	struct state_dir dir = make_published(unit->dirfd, "c1");
	char boot_id[37];
	struct state_record record = record_of(getpid(), boot_id);

	record.start_time++;
	assert_status(&dir, &record, HOY_STOPPED);
	record.start_time--;
	assert_status(&dir, &record, HOY_RUNNING);
	if (record.pid_inode != 0) {
		record.pid_inode++;
		assert_status(&dir, &record, HOY_STOPPED);
	}
	/* As an older kernel has left it. */
	record.pid_inode = 0;
	assert_status(&dir, &record, HOY_RUNNING);
	boot_id[0] = boot_id[0] == '0' ? '1' : '0';
	assert_status(&dir, &record, HOY_STOPPED);
	state_dir_done(&dir);
}

static void a_zombie_has_stopped(void **state)
{
	struct unit *unit = *state;
	struct state_dir dir = make_published(unit->dirfd, "c1");
	pid_t pid = fork();
	struct state_record record;
	char boot_id[37];
	siginfo_t info;

	if (pid == 0) {
		/* Should the test fail, nobody else ends it. */
		alarm(20);
		for (;;)
			pause();
	}
	record = record_of(pid, boot_id);
	assert_status(&dir, &record, HOY_RUNNING);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_status(&dir, &record, HOY_STOPPED);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_status(&dir, &record, HOY_STOPPED);
	state_dir_done(&dir);
}

static void creating_needs_a_living_creator(void **state)
{
	struct unit *unit = *state;
	struct state_dir creator = make_published(unit->dirfd, "c1"), reader = STATE_DIR_NONE;
	char boot_id[37];
	struct state_record record = record_of(getpid(), boot_id);
	struct hoy_error err;

	record.phase = STATE_PHASE_CREATING;
	assert_int_equal(state_dir_open(unit->dirfd, "c1", &reader, &err), 0);
	assert_status(&reader, &record, HOY_CREATING);
	state_dir_done(&creator);
	assert_status(&reader, &record, HOY_STOPPED);
	/* Looking takes no lock away. */
	assert_int_equal(state_dir_lock(&reader, "c1", clock_ms(), &err), 0);
	state_dir_done(&reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(ids_are_checked),
		UNIT_TEST(a_directory_appears_under_its_id_at_once),
		UNIT_TEST(of_two_makers_one_wins),
		UNIT_TEST(abandoned_directories_are_swept),
		UNIT_TEST(a_lock_is_waited_for_until_the_deadline),
		UNIT_TEST(the_lock_of_a_removed_directory_is_none),
		UNIT_TEST(a_strangers_file_stops_the_removal),
		UNIT_TEST(a_symlink_is_no_container),
		UNIT_TEST(the_root_is_made_private),
		UNIT_TEST(a_record_is_read_as_it_was_written),
		UNIT_TEST(a_cut_record_is_an_error),
		UNIT_TEST(unknown_members_are_skipped_and_missing_ones_are_not),
		UNIT_TEST(the_essentials_survive_the_record),
		UNIT_TEST(a_note_completes_the_record),
		UNIT_TEST(nothing_salvaged_is_an_empty_record),
		UNIT_TEST(the_gate_tells_created_from_running),
		UNIT_TEST(another_process_of_that_pid_is_not_init),
		UNIT_TEST(a_zombie_has_stopped),
		UNIT_TEST(creating_needs_a_living_creator),
	};

	return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
