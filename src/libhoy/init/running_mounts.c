/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts of a container that runs already, put in or taken out by a process that joins its
 * namespaces, but for that of pids: no process of the container ever sees it. Runs in init, as
 * described there by mount_steps[] and unmount_steps[]. A mount is named by a descriptor that was
 * opened below the container's root, never by a path.
 */
#include "init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/path.h"

/* What only the host may do to idmapped sources. After: nothing. Before: any namespace. */
int step_stage(struct init *init, struct hoy_error *err)
{
	return stage_sources(init->plan, init->fds, err);
}

/* Joins those of these types. @param may_retry  what answers EPERM is left for another time */
static int join_types(struct init *init, uint64_t types, bool may_retry, struct hoy_error *err)
{
	for (size_t i = 0; i < init->fds->joins_len; i++) {
		struct launch_join *join = &init->fds->joins[i];

		if (join->fd < 0 || !(join->types & types))
			continue;
		if (setns(join->fd, (int)join->types) < 0) {
			if (errno == EPERM && may_retry)
				continue;
			return fail_at(err, join->at, errno, "join the namespace");
		}
		(void)close(join->fd);
		join->fd = -1;
	}
	return 0;
}

/*
 * All namespaces but that of the mounts, of which the host's are copied: the caller's own mounts
 * must not change by what follows. A namespace that the container shares with others may belong to
 * the caller's user namespace, and is joined before that is left.
 */
int step_join_outer(struct init *init, struct hoy_error *err)
{
	const uint64_t others = ~(uint64_t)(CLONE_NEWUSER | CLONE_NEWNS);

	if (join_types(init, others, true, err) < 0 ||
	    join_types(init, CLONE_NEWUSER, false, err) < 0 ||
	    join_types(init, others, false, err) < 0)
		return -1;
	if (unshare(CLONE_NEWNS) < 0)
		return fail(err, errno, "copy the host's mounts");
	return 0;
}

/* After: the sources are cloned and opened, which are the host's. */
int step_join_inner(struct init *init, struct hoy_error *err)
{
	return join_types(init, CLONE_NEWNS, false, err);
}

/* setns(2) has made it our root, whatever the container's first process does with its own. */
int step_running_root(struct init *init, struct hoy_error *err)
{
	init->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return init->root < 0 ? fail(err, errno, "open the container's root") : 0;
}

/* Exactly this mount, with what is mounted in it, though another may cover it. */
static int detach(struct init *init, int mount, struct hoy_error *err)
{
	autoclose int procfs = procfs_open(init, ".", O_PATH | O_DIRECTORY, err);
	char link[48];
	int r = 0;

	if (procfs < 0)
		return -1;
	format_text(link, sizeof(link), "%d/fd/%d", (int)init->procfs_pid, mount);
	if (fchdir(procfs) < 0 || umount2(link, MNT_DETACH) < 0)
		r = fail(err, errno, "unmount");
	if (fchdir(init->root) < 0 && r == 0)
		r = fail(err, errno, "leave /proc");
	return r;
}

/* The first error stays the one to tell. */
static int undo(struct init *init, struct hoy_error *err)
{
	struct hoy_error second = { 0 };
	int r = 0;

	for (size_t i = init->plan->mounts_len; i-- > 0;)
		if (init->fds->mounts[i] >= 0 && detach(init, init->fds->mounts[i], &second) < 0)
			r = -1;
	return r < 0 ? fail_hint(err, "some of the mounts could not be taken back: %s", second.text)
		     : -1;
}

/* All of them, or none. Mount points that had to be made stay. */
int step_add_mounts(struct init *init, struct hoy_error *err)
{
	init->keeps_mounts = true;
	if (step_mounts(init, err) == 0 && step_late_readonly(init, err) == 0)
		return 0;
	return undo(init, err);
}

/* ---- taking out ---- */

/* The uppermost mount at the destination, if it is what is meant. @returns a descriptor */
static int find_mount(const struct init *init, const struct plan_unmount *unmount,
		      struct hoy_error *err)
{
	const char *destination = unmount->destination;
	autoclose int fd = path_open_strict(init->root, destination, O_PATH);
	struct statx found;
	struct stat st;

	if (fd < 0) {
		fail_at(err, unmount->at, fd, "open %s", destination);
		return fd != -ELOOP ? -1
				    : fail_hint(err, "there is a link in it: the path that it "
						     "stands for is needed");
	}
	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &found) < 0 || fstat(fd, &st) < 0)
		return fail_at(err, unmount->at, errno, "look at %s", destination);
	if (!(found.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return fail_at(err, unmount->at, EINVAL, "nothing is mounted at %s", destination);
	if (unmount->source && (st.st_dev != unmount->device || st.st_ino != unmount->inode)) {
		fail_at(err, unmount->at, 0, "what is mounted at %s is not %s", destination,
			unmount->source);
		return fail_hint(err, "an entry without source removes whatever is there");
	}
	return take_fd(&fd);
}

static bool covers(const char *upper, const char *lower)
{
	size_t len = strlen(upper);

	return strncmp(upper, lower, len) == 0 && (lower[len] == '\0' || lower[len] == '/');
}

/* Whether it comes to light only when what was mounted after it is gone. */
static bool is_covered(const struct plan *plan, size_t index)
{
	for (size_t i = index + 1; i < plan->unmounts_len; i++)
		if (covers(plan->unmounts[i].destination, plan->unmounts[index].destination))
			return true;
	return false;
}

/* In reverse, and only if all can be found that can be seen now. */
int step_remove_mounts(struct init *init, struct hoy_error *err)
{
	const struct plan *plan = init->plan;

	for (size_t i = 0; i < plan->unmounts_len; i++) {
		autoclose int mount = -1;

		if (is_covered(plan, i))
			continue;
		mount = find_mount(init, &plan->unmounts[i], err);
		if (mount < 0)
			return -1;
	}
	for (size_t i = plan->unmounts_len; i-- > 0;) {
		autoclose int mount = find_mount(init, &plan->unmounts[i], err);

		if (mount < 0)
			return -1;
		if (detach(init, mount, err) < 0) {
			fail_in(err, "%s", plan->unmounts[i].destination);
			return fail_from(err, plan->unmounts[i].at);
		}
	}
	return 0;
}

int step_done(struct init *init, struct hoy_error *err)
{
	if (init_note(init->fds, NOTE_DONE, 0, -1, err) < 0)
		return -1;
	_exit(0);
}
