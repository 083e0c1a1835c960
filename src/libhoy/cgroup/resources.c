/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the limits of a cgroup, which the plan holds as file names and values, and hands a cgroup
 * to the user that its container's root is. Runs in the runtime. Computes nothing: a value is
 * written as the plan has it, by one write(2).
 */
#include "cgroup/resources.h"

#include <string.h>

#include "cgroup/driver.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/file.h"

/* Why the kernel refuses a value, where its errno does not say it. */
static const struct {
	int code;
	/* Start of the file's name, "" for all. */
	const char *file;
	const char *hint;
} hints[] = {
	{ ENOENT, "io.bfq.", "the bfq I/O scheduler is not loaded" },
	{ ENOENT, "memory.swap.", "the kernel has no swap accounting (swapaccount=1)" },
	{ ENOENT, "hugetlb.", "the kernel has no huge pages of this size" },
	{ ENOENT, "", "this kernel has no such limit" },
	{ EACCES, "", "this cgroup is not delegated to the user" },
	{ EPERM, "", "this cgroup is not delegated to the user" },
	{ ENODEV, "io.", "there is no block device of this number" },
	{ ENODEV, "", "there is no such device" },
	{ EOPNOTSUPP, "io.", "the I/O scheduler of the device does not support it" },
	{ EBUSY, "memory.", "the memory in use could not be reclaimed" },
	{ EINVAL, "cpuset.", "the parent cgroup or the machine does not have them all" },
	{ ERANGE, "cpuset.", "the machine does not have them all" },
};

static int fail_write(struct hoy_error *err, const struct plan_cgroup_write *write, int code)
{
	fail_at(err, write->at, code, "write %s \"%s\"", write->file, write->value);
	for (size_t i = 0; i < ARRAY_LEN(hints); i++)
		if (hints[i].code == -code &&
		    strncmp(hints[i].file, write->file, strlen(hints[i].file)) == 0)
			return fail_hint(err, "%s", hints[i].hint);
	return -1;
}

int cgroup_write_all(int cgroup, const struct plan_cgroup_write *writes, size_t len, bool late,
		     struct hoy_error *err)
{
	bool was_missing = false;

	for (size_t i = 0; i < len; i++) {
		int r;

		if (writes[i].late != late || (writes[i].alternative && !was_missing))
			continue;
		r = file_write_text(cgroup, writes[i].file, writes[i].value);
		was_missing = r == -ENOENT;
		if (r < 0 && !(was_missing && writes[i].optional))
			return fail_write(err, &writes[i], r);
	}
	return 0;
}

/* The kernel's list of files, one a line; without it the three that cgroup v2 began with. */
static void read_delegate_list(char *list, size_t size)
{
	autoclose int directory = open("/sys/kernel/cgroup", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (directory < 0 || file_read(directory, "delegate", list, size) < 0)
		format_text(list, size, "cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n");
}

int resources_delegate(int cgroup, const struct plan_cgroup *plan, struct hoy_error *err)
{
	uid_t owner = (uid_t)plan->owner;
	char list[4096], *rest, *name;

	if (plan->owner < 0)
		return 0;
	if (fchown(cgroup, owner, (gid_t)-1) < 0)
		return fail_at(err, plan->at, errno, "change the owner of cgroup %s to %u",
			       plan->path, owner);
	read_delegate_list(list, sizeof(list));
	for (name = strtok_r(list, "\n", &rest); name; name = strtok_r(NULL, "\n", &rest)) {
		if (strchr(name, '/'))
			continue;
		if (fchownat(cgroup, name, owner, (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0 &&
		    errno != ENOENT)
			return fail_at(err, plan->at, errno, "change the owner of %s to %u", name,
				       owner);
	}
	return 0;
}
