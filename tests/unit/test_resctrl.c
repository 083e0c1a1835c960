/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtime/resctrl.c on a directory of plain files. What the kernel does is done here: a group that
 * is made has its files at once, one that is removed takes them along, and what is written is
 * noted.
 */
#include "unit.h"

#include <errno.h>

#include "runtime/resctrl.h"
#include "sys/cleanup.h"
#include "sys/error.h"
#include "sys/file.h"

static char written[1024];
/* What mkdir(2) shall fail with. */
static int refusal;

int __real_mkdirat(int dirfd, const char *path, mode_t mode);
int __wrap_mkdirat(int dirfd, const char *path, mode_t mode);
int __real_unlinkat(int dirfd, const char *path, int flags);
int __wrap_unlinkat(int dirfd, const char *path, int flags);
int __real_file_write(int dirfd, const char *name, const void *data, size_t len);
int __wrap_file_write(int dirfd, const char *name, const void *data, size_t len);
int __wrap_file_write_text(int dirfd, const char *name, const char *text);

static const char *const group_files[] = { "schemata", "tasks" };

static void make_file(int dirfd, const char *directory, const char *name, const char *text)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = openat(dirfd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void fill_group(int dirfd, const char *group)
{
	char path[256];

	for (size_t i = 0; i < ARRAY_LEN(group_files); i++)
		make_file(dirfd, group, group_files[i], "");
	snprintf(path, sizeof(path), "%s/mon_groups", group);
	assert_int_equal(__real_mkdirat(dirfd, path, 0755), 0);
}

int __wrap_mkdirat(int dirfd, const char *path, mode_t mode)
{
	int r;

	if (refusal) {
		errno = refusal;
		return -1;
	}
	r = __real_mkdirat(dirfd, path, mode);
	if (r == 0 && strstr(path, "mon_groups"))
		make_file(dirfd, path, "tasks", "");
	else if (r == 0)
		fill_group(dirfd, path);
	return r;
}

int __wrap_unlinkat(int dirfd, const char *path, int flags)
{
	static const char *const files[] = { "schemata", "tasks" };
	char name[256];

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(name, sizeof(name), "%s/%s", path, files[i]);
		(void)__real_unlinkat(dirfd, name, 0);
	}
	snprintf(name, sizeof(name), "%s/mon_groups", path);
	(void)__real_unlinkat(dirfd, name, AT_REMOVEDIR);
	return __real_unlinkat(dirfd, path, flags);
}

static void note(const char *name, const char *text, size_t len)
{
	size_t used = strlen(written);

	snprintf(written + used, sizeof(written) - used, "%s<%.*s;", name, (int)len, text);
}

int __wrap_file_write(int dirfd, const char *name, const void *data, size_t len)
{
	note(name, data, len);
	return __real_file_write(dirfd, name, data, len);
}

int __wrap_file_write_text(int dirfd, const char *name, const char *text)
{
	note(name, text, strlen(text));
	return __real_file_write(dirfd, name, text, strlen(text));
}

/* ---- the tests ---- */

static struct plan_schema lines[] = {
	{ "linux.intelRdt.l3CacheSchema", "L3:0=7f0;1=1f", true },
	{ "linux.intelRdt.memBwSchema", "MB:0=20", true },
	{ "linux.intelRdt.schemata[0]", "L2:0=f", false },
};

static const struct plan_intel_rdt by_id = {
	.group = "c1",
	.is_own = true,
	.monitoring = true,
	.schemata = lines,
	.schemata_len = 3,
};

static int begin(void **state)
{
	const struct unit *unit;

	if (unit_setup(state) < 0)
		return -1;
	unit = *state;
	written[0] = '\0';
	refusal = 0;
	fill_group(unit->dirfd, ".");
	return 0;
}

#define RESCTRL_TEST(function) cmocka_unit_test_setup_teardown(function, begin, unit_teardown)

static bool exists(int dirfd, const char *path)
{
	struct stat st;

	return fstatat(dirfd, path, &st, 0) == 0;
}

/* req: linux.intelRdt.tasks linux.intelRdt.both-schemas linux.intelRdt.schemata */
/* req: linux.intelRdt.schemata-last linux.intelRdt.closID-unset linux.intelRdt.remove */
/* req: linux.intelRdt.monitoring.create linux.intelRdt.monitoring.delete */
static void a_group_of_our_own_comes_and_goes(void **state)
{
	struct unit *unit = *state;
	struct state_resctrl made = { .group = "c1" };
	struct hoy_error err = { 0 };
	bool is_there = true;

	assert_int_equal(resctrl_look(unit->dirfd, &by_id, &is_there, &err), 0);
	assert_false(is_there);
	assert_int_equal(resctrl_make(unit->dirfd, &by_id, "c1", false, &made, &err), 0);
	assert_int_equal(resctrl_add(unit->dirfd, "c1", "c1", 4711, &err), 0);
	assert_string_equal(written, "c1/schemata<L3:0=7f0;1=1f\n;c1/schemata<MB:0=20\n;"
				     "c1/schemata<L2:0=f\n;c1/tasks<4711;"
				     "c1/mon_groups/c1/tasks<4711;");
	assert_true(made.made_group && made.made_monitoring);
	assert_int_equal(resctrl_remove(unit->dirfd, &made, "c1", &err), 0);
	assert_false(exists(unit->dirfd, "c1"));
	assert_int_equal(resctrl_remove(unit->dirfd, &made, "c1", &err), 0);
}

/* req: linux.intelRdt.closID linux.intelRdt.closID-create linux.intelRdt.either-schema */
/* req: linux.intelRdt.no-remove linux.intelRdt.monitoring.delete */
static void a_named_group_stays_when_the_container_goes(void **state)
{
	const struct plan_intel_rdt rdt = {
		.group = "g1", .monitoring = true, .schemata = lines, .schemata_len = 1
	};
	struct unit *unit = *state;
	struct state_resctrl made = { .group = "g1" };
	struct hoy_error err = { 0 };

	assert_int_equal(resctrl_make(unit->dirfd, &rdt, "c1", false, &made, &err), 0);
	assert_string_equal(written, "g1/schemata<L3:0=7f0;1=1f\n;");
	assert_false(made.made_group);
	assert_true(exists(unit->dirfd, "g1/mon_groups/c1"));
	assert_int_equal(resctrl_remove(unit->dirfd, &made, "c1", &err), 0);
	assert_true(exists(unit->dirfd, "g1"));
	assert_false(exists(unit->dirfd, "g1/mon_groups/c1"));
}

/* req: linux.intelRdt.no-remove */
static void a_group_that_was_there_stays(void **state)
{
	struct unit *unit = *state;
	struct state_resctrl made = { .group = "c1" };
	struct hoy_error err = { 0 };
	bool is_there = false;

	assert_int_equal(mkdirat(unit->dirfd, "c1", 0755), 0);
	assert_int_equal(resctrl_look(unit->dirfd, &by_id, &is_there, &err), -1);
	make_file(unit->dirfd, "c1", "schemata", "L3:0=7f0;1=1f\nMB:0=20\n");
	assert_int_equal(resctrl_look(unit->dirfd, &by_id, &is_there, &err), 0);
	assert_true(is_there);
	assert_int_equal(resctrl_make(unit->dirfd, &by_id, "c1", true, &made, &err), 0);
	assert_false(made.made_group);
}

/* req: linux.intelRdt.closID.root linux.intelRdt.no-schema-no-write */
static void the_root_is_a_group(void **state)
{
	const struct plan_intel_rdt rdt = { .group = "", .must_exist = true, .monitoring = true };
	struct unit *unit = *state;
	struct state_resctrl made = { .group = "" };
	struct hoy_error err = { 0 };
	bool is_there = false;

	assert_int_equal(resctrl_look(unit->dirfd, &rdt, &is_there, &err), 0);
	assert_true(is_there);
	assert_int_equal(resctrl_make(unit->dirfd, &rdt, "c1", true, &made, &err), 0);
	assert_int_equal(resctrl_add(unit->dirfd, "", "c1", 1, &err), 0);
	assert_string_equal(written, "./tasks<1;./mon_groups/c1/tasks<1;");
	assert_int_equal(resctrl_remove(unit->dirfd, &made, "c1", &err), 0);
	assert_true(exists(unit->dirfd, "tasks") && exists(unit->dirfd, "schemata"));
}

/* req: linux.intelRdt.closID-preconfigured */
static void a_preconfigured_group_must_exist(void **state)
{
	const struct plan_intel_rdt rdt = { .group = "nope", .must_exist = true };
	struct unit *unit = *state;
	struct state_resctrl made = { .group = "nope" };
	struct hoy_error err = { 0 };
	bool is_there;

	assert_int_equal(resctrl_look(unit->dirfd, &rdt, &is_there, &err), -1);
	assert_string_equal(err.at, "linux.intelRdt.closID");
	assert_non_null(strstr(err.text, "'nope' does not exist"));
	assert_int_equal(mkdirat(unit->dirfd, "nope", 0755), 0);
	assert_int_equal(resctrl_look(unit->dirfd, &rdt, &is_there, &err), 0);
	assert_true(is_there);
	assert_int_equal(resctrl_make(unit->dirfd, &rdt, "c1", true, &made, &err), 0);
	assert_false(made.made_group || made.made_monitoring);
	assert_int_equal(resctrl_add(unit->dirfd, "nope", NULL, 7, &err), 0);
	assert_string_equal(written, "nope/tasks<7;");
}

/* req: linux.intelRdt.closID-compare */
static void schemata_are_compared_by_their_values(void **state)
{
	static const struct {
		const char *present, *line;
		bool is_same;
	} cases[] = {
		{ "    L3:0=7f0;1=1f\n    MB:0= 20;1=100\n", "L3:0=7f0;1=1f", true },
		{ "    L3:0=7f0;1=1f\n    MB:0= 20;1=100\n", "MB:0=20", true },
		{ "L3:0=007F0;1=1f\n", " L3 : 0=7f0", false },
		{ "L3:0=007F0;1=1f\n", "L3: 1 = 1F ; 0 = 7f0", true },
		{ "L3:0=7f0;1=1f\n", "L3:0=7f1", false },
		{ "L3:0=7f0;1=1f\n", "L3:2=7f0", false },
		{ "L3:0=7f0\nMB:1=20\n", "L3:1=20", false },
		{ "MB:0=20\n", "L3:0=20", false },
		{ "L3:0=7f0\n", "L3:0=7f0;x", false },
		{ "L3:0=7f0\n", "L3", false },
		{ "", "L3:0=7f0", false },
	};
	struct unit *unit = *state;
	unsigned int wrong = 0;

	assert_int_equal(mkdirat(unit->dirfd, "g1", 0755), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct plan_schema schema = { "linux.intelRdt.x", cases[i].line, true };
		const struct plan_intel_rdt rdt = { .group = "g1",
						    .schemata = &schema,
						    .schemata_len = 1 };
		struct hoy_error err = { 0 };
		bool is_there;

		make_file(unit->dirfd, "g1", "schemata", cases[i].present);
		if (resctrl_look(unit->dirfd, &rdt, &is_there, &err) == (cases[i].is_same ? 0 : -1))
			continue;
		print_error("'%s' in '%s'\n", cases[i].line, cases[i].present);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

static void a_change_remembers_what_was_there(void **state)
{
	static const struct plan_schema schemata[] = {
		{ "linux.intelRdt.l3CacheSchema", "L3:0=f", false },
		{ "linux.intelRdt.memBwSchema", "MB:0=50", false },
	};
	struct unit *unit = *state;
	struct resctrl_old old = { .len = 0 };
	struct hoy_error err = { 0 };

	assert_int_equal(mkdirat(unit->dirfd, "c1", 0755), 0);
	make_file(unit->dirfd, "c1", "schemata", "    MB:0= 20;1=100\n    L3:0=7f0;1=1f\n");
	assert_int_equal(resctrl_change(unit->dirfd, "c1", schemata, 1, &old, &err), 0);
	assert_string_equal(written, "c1/schemata<L3:0=f\n;");
	assert_int_equal(old.len, 1);
	assert_string_equal(old.lines[0], "L3:0=7f0;1=1f");
	resctrl_put_back(unit->dirfd, "c1", &old);
	assert_string_equal(written, "c1/schemata<L3:0=f\n;c1/schemata<L3:0=7f0;1=1f\n;");
	resctrl_old_done(&old);
	assert_int_equal(old.len, 0);
}

static void a_change_is_all_or_nothing(void **state)
{
	static const char *const wrong[] = { "MB:0=50", "nonsense", "" };
	struct unit *unit = *state;

	assert_int_equal(mkdirat(unit->dirfd, "c1", 0755), 0);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		const struct plan_schema schemata[] = {
			{ "linux.intelRdt.l3CacheSchema", "L3:0=f", false },
			{ "linux.intelRdt.memBwSchema", wrong[i], false },
		};
		struct resctrl_old old = { .len = 0 };
		struct hoy_error err = { 0 };

		make_file(unit->dirfd, "c1", "schemata", "L3:0=7f0;1=1f\n");
		written[0] = '\0';
		assert_int_equal(resctrl_change(unit->dirfd, "c1", schemata, 2, &old, &err), -1);
		assert_string_equal(err.at, "linux.intelRdt.memBwSchema");
		assert_non_null(strstr(err.text, "names no resource"));
		assert_string_equal(written, "c1/schemata<L3:0=f\n;c1/schemata<L3:0=7f0;1=1f\n;");
		resctrl_old_done(&old);
	}
}

static void a_change_of_no_group_is_an_error(void **state)
{
	static const struct plan_schema schema = { "linux.intelRdt.memBwSchema", "MB:0=5", false };
	struct unit *unit = *state;
	struct resctrl_old old = { .len = 0 };
	struct hoy_error err = { 0 };

	assert_int_equal(resctrl_change(unit->dirfd, "gone", &schema, 1, &old, &err), -1);
	assert_string_equal(err.at, "linux.intelRdt.memBwSchema");
	assert_int_equal(err.code, ENOENT);
	assert_string_equal(written, "");
	resctrl_old_done(&old);
}

static void what_the_kernel_says_is_a_hint(void **state)
{
	struct unit *unit = *state;
	struct state_resctrl made = { .group = "c1" };
	struct hoy_error err = { 0 };

	assert_int_equal(__real_mkdirat(unit->dirfd, "info", 0755), 0);
	make_file(unit->dirfd, "info", "last_cmd_status", "out of CLOSIDs\n");
	refusal = ENOSPC;
	assert_int_equal(resctrl_make(unit->dirfd, &by_id, "c1", false, &made, &err), -1);
	assert_string_equal(err.at, "linux.intelRdt.closID");
	assert_int_equal(err.code, ENOSPC);
	assert_string_equal(err.hint, "resctrl says: out of CLOSIDs");
	assert_false(made.made_group);
}

/* req: linux.intelRdt.monitoring.fail */
static void a_monitoring_group_that_cannot_be_made_is_an_error(void **state)
{
	struct unit *unit = *state;
	struct state_resctrl made = { .group = "c1" };
	struct hoy_error err = { 0 };

	assert_int_equal(mkdirat(unit->dirfd, "c1", 0755), 0);
	assert_int_equal(mkdirat(unit->dirfd, "c1/mon_groups/c1", 0755), 0);
	assert_int_equal(resctrl_make(unit->dirfd, &by_id, "c1", true, &made, &err), -1);
	assert_string_equal(err.at, "linux.intelRdt.enableMonitoring");
	assert_false(made.made_monitoring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RESCTRL_TEST(a_group_of_our_own_comes_and_goes),
		RESCTRL_TEST(a_named_group_stays_when_the_container_goes),
		RESCTRL_TEST(a_group_that_was_there_stays),
		RESCTRL_TEST(the_root_is_a_group),
		RESCTRL_TEST(a_preconfigured_group_must_exist),
		RESCTRL_TEST(schemata_are_compared_by_their_values),
		RESCTRL_TEST(a_change_remembers_what_was_there),
		RESCTRL_TEST(a_change_is_all_or_nothing),
		RESCTRL_TEST(a_change_of_no_group_is_an_error),
		RESCTRL_TEST(what_the_kernel_says_is_a_hint),
		RESCTRL_TEST(a_monitoring_group_that_cannot_be_made_is_an_error),
	};

	return cmocka_run_group_tests_name("resctrl", tests, NULL, NULL);
}
