/* SPDX-License-Identifier: Apache-2.0 */
/* host.c: what it says of this machine against other sources, and of machines made up in children.
 */
#include "unit.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "host.h"
#include "sys/error.h"

static struct unit *current;

/* ---- this machine ---- */

static unsigned long long status_value(const char *key, int base)
{
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long long value = 0;
	char line[256];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, key, strlen(key)) == 0)
			value = strtoull(line + strlen(key), NULL, base);
	fclose(file);
	return value;
}

static struct host probe(void)
{
	struct hoy_error err = { 0 };
	struct host host;

	(void)host_probe(&host, &err);
	assert_string_equal(err.text, "");
	return host;
}

static void test_kernel(void **state)
{
	FILE *file = fopen("/proc/sys/kernel/osrelease", "re");
	unsigned int major, minor;

	(void)state;
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%u.%u", &major, &minor), 2);
	fclose(file);
	assert_int_equal(probe().kernel, major * 1000 + minor);
}

static void test_capabilities(void **state)
{
	struct host host = probe();
	FILE *file = fopen("/proc/sys/kernel/cap_last_cap", "re");
	int last;

	(void)state;
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%d", &last), 1);
	fclose(file);
	assert_int_equal(host.last_capability, last);
	assert_int_equal(host.capabilities, status_value("CapEff:", 16));
	assert_int_equal(host.bounding, status_value("CapBnd:", 16));
	assert_int_equal(host.euid, geteuid());
	assert_int_equal(host.egid, getegid());
}

/* ---- machines made up ---- */

/* What host_probe() says after `prepare` in a child, in namespaces of its own. */
static struct host probe_after(int (*prepare)(void))
{
	struct host host = { 0 };
	int ends[2], status;
	pid_t child;

	if (geteuid() != 0)
		skip();
	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct hoy_error err = { 0 };

		if (unshare(CLONE_NEWNS) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || prepare() < 0)
			_exit(errno == EPERM || errno == ENOENT ? 77 : 1);
		if (host_probe(&host, &err) < 0 ||
		    write(ends[1], &host, sizeof(host)) != sizeof(host))
			_exit(2);
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (read(ends[0], &host, sizeof(host)) != sizeof(host)) {
		close(ends[0]);
		if (WEXITSTATUS(status) == 77)
			skip();
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	close(ends[0]);
	return host;
}

/* An empty directory over the machine's cgroup mounts. */
static int hide_cgroups(void)
{
	return mount("none", "/sys/fs/cgroup", "tmpfs", 0, NULL);
}

static int make_unified(void)
{
	return mount("none", "/sys/fs/cgroup", "cgroup2", 0, NULL);
}

static int make_hybrid(void)
{
	if (hide_cgroups() < 0 || mkdir("/sys/fs/cgroup/unified", 0755) < 0)
		return -1;
	return mount("none", "/sys/fs/cgroup/unified", "cgroup2", 0, NULL);
}

static int make_elsewhere(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/a b", current->path);
	if (hide_cgroups() < 0 || mkdir(path, 0755) < 0)
		return -1;
	return mount("none", path, "cgroup2", 0, NULL);
}

static void test_cgroup_unified(void **state)
{
	struct host host = probe_after(make_unified);

	(void)state;
	assert_int_equal(host.cgroup_layout, HOST_CGROUP_UNIFIED);
	assert_string_equal(host.cgroup_root, "/sys/fs/cgroup");
}

static void test_cgroup_hybrid(void **state)
{
	struct host host = probe_after(make_hybrid);

	(void)state;
	assert_int_equal(host.cgroup_layout, HOST_CGROUP_HYBRID);
	assert_string_equal(host.cgroup_root, "/sys/fs/cgroup/unified");
}

static void test_cgroup_elsewhere(void **state)
{
	char path[128];
	struct host host;

	current = *state;
	host = probe_after(make_elsewhere);
	snprintf(path, sizeof(path), "%s/a b", current->path);
	assert_int_equal(host.cgroup_layout, HOST_CGROUP_HYBRID);
	assert_string_equal(host.cgroup_root, path);
}

static void test_cgroup_hidden(void **state)
{
	struct host host = probe_after(hide_cgroups);

	(void)state;
	assert_int_equal(host.cgroup_layout, HOST_CGROUP_NONE);
	assert_string_equal(host.cgroup_root, "");
}

static int nothing(void)
{
	return 0;
}

static void test_own_cgroup(void **state)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[1024], own[1024] = "";

	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "0::%1023[^\n]", own) == 1)
			break;
	fclose(file);
	assert_string_equal(probe_after(nothing).cgroup_own, own);
}

static int enter_user_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

static void test_user_namespace(void **state)
{
	struct host host = probe_after(enter_user_namespace);

	(void)state;
	assert_true(host.in_user_namespace);
	assert_false(host.privileged);
	/* It has them all, but only there. */
	assert_true(host.capabilities & 1ULL << 21);
}

/* ---- subordinate ids ---- */

static int replace(const char *path, const char *text)
{
	char copy[128];
	int fd;

	snprintf(copy, sizeof(copy), "%s%s", current->path, strrchr(path, '/'));
	fd = open(copy, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -1;
	close(fd);
	return mount(copy, path, NULL, MS_BIND, NULL);
}

static int become_user(void)
{
	if (fchmod(current->dirfd, 0755) < 0 ||
	    replace("/etc/passwd",
		    "root:x:0:0::/:/bin/sh\nbroken\njane:x:4711:4711::/:/bin/sh\n") ||
	    replace("/etc/subuid", "joe:1:1\njane:bad:1\njane:100000:65536\njane:5:5\n") ||
	    replace("/etc/subgid", "4711:200000:4294767295\n"))
		return -1;
	return setresgid(4711, 4711, 4711) < 0 ? -1 : setresuid(4711, 4711, 4711);
}

static void test_subordinate_ids(void **state)
{
	struct host host;

	current = *state;
	host = probe_after(become_user);
	assert_false(host.privileged);
	assert_false(host.in_user_namespace);
	assert_int_equal(host.capabilities, 0);
	assert_int_equal(host.euid, 4711);
	assert_int_equal(host.subuid.start, 100000);
	assert_int_equal(host.subuid.count, 65536);
	assert_int_equal(host.subgid.start, 200000);
	assert_int_equal(host.subgid.count, 4294767295);
	assert_int_equal(host.has_newuidmap, access("/usr/bin/newuidmap", X_OK) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(test_kernel),		  UNIT_TEST(test_capabilities),
		UNIT_TEST(test_cgroup_unified),	  UNIT_TEST(test_cgroup_hybrid),
		UNIT_TEST(test_cgroup_elsewhere), UNIT_TEST(test_cgroup_hidden),
		UNIT_TEST(test_own_cgroup),	  UNIT_TEST(test_user_namespace),
		UNIT_TEST(test_subordinate_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
