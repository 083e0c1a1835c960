/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process between runtime and init, used only where the kernel demands one more: a pid
 * namespace is joined for children only, a user namespace must be entered before what it owns, time
 * offsets must be written before anybody lives in the namespace. Joins, clones init as a child of
 * the runtime (CLONE_PARENT), tells its pid and exits.
 */
#include "init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>

#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/message.h"
#include "sys/process.h"

/* Most namespaces one plan can join. */
#define JOINS_MAX 16

static _Noreturn void bootstrap_die(const struct launch_fds *fds, const struct hoy_error *err)
{
	struct message message = { .type = NOTE_ERROR, .error = *err };

	(void)message_send(fds->socket, &message, sizeof(message), NULL, 0);
	_exit(1);
}

/*
 * Joins everything but the user namespace. What the caller's own user namespace owns can
 * be joined now, what belongs to the user namespace that is joined next answers EPERM now.
 */
static int join_others(const struct launch_fds *fds, bool *joined, bool may_retry,
		       struct hoy_error *err)
{
	for (size_t i = 0; i < fds->joins_len; i++) {
		const struct launch_join *join = &fds->joins[i];

		if (joined[i] || (join->types & CLONE_NEWUSER))
			continue;
		if (setns(join->fd, (int)join->types) == 0)
			joined[i] = true;
		else if (errno != EPERM || !may_retry)
			return fail_at(err, join->at, errno, "join the namespace");
	}
	return 0;
}

static int join_user(const struct launch_fds *fds, bool *ret_joined, struct hoy_error *err)
{
	for (size_t i = 0; i < fds->joins_len; i++) {
		const struct launch_join *join = &fds->joins[i];

		if (!(join->types & CLONE_NEWUSER))
			continue;
		/* With a pidfd this takes all its namespaces at once, owner first. */
		if (setns(join->fd, (int)join->types) < 0)
			return fail_at(err, join->at, errno, "join the user namespace");
		*ret_joined = true;
	}
	return 0;
}

static int join_all(const struct launch_fds *fds, struct hoy_error *err)
{
	bool joined[JOINS_MAX] = { false };
	bool has_user = false;

	if (fds->joins_len > JOINS_MAX)
		return fail(err, E2BIG, "join %zu namespaces", fds->joins_len);
	for (size_t i = 0; i < fds->joins_len; i++)
		has_user = has_user || (fds->joins[i].types & CLONE_NEWUSER);
	if (join_others(fds, joined, has_user, err) < 0)
		return -1;
	if (has_user && join_user(fds, &has_user, err) < 0)
		return -1;
	return join_others(fds, joined, false, err);
}

/*
 * Offsets can be written only while nobody lives in the new time namespace. After: the joins, as a
 * user namespace may give the right to do so.
 */
static int make_time_namespace(const struct plan *plan, const struct launch_fds *fds,
			       struct hoy_error *err)
{
	char name[64], self[24];
	ssize_t len;
	int r;

	if (!plan->namespaces.time_offsets || plan->namespaces.time_offsets_inside)
		return 0;
	if (unshare(CLONE_NEWTIME) < 0)
		return fail(err, errno, "make the time namespace");
	len = readlinkat(fds->procfs, "self", self, sizeof(self) - 1);
	if (len <= 0)
		return fail(err, errno, "find this process in /proc");
	self[len] = '\0';
	format_text(name, sizeof(name), "%s/timens_offsets", self);
	r = file_write_text(fds->procfs, name, plan->namespaces.time_offsets);
	if (r < 0)
		return fail_at(err, "linux.timeOffsets", r, "write timens_offsets");
	return 0;
}

/*
 * Init may be born into a pid namespace with hostile processes, one of which may be allowed to look
 * at it (CAP_SYS_PTRACE) before it can close anything: so nothing that leads to the host is open in
 * bootstrap when it clones. For that reason its cgroup is entered here, and not by that clone.
 * (CVE-2016-9962, CVE-2024-21626)
 */
static int close_host(const struct plan *plan, struct launch_fds *fds, struct hoy_error *err)
{
	const bool in_user_namespace = (plan->namespaces.create | plan->namespaces.joined) &
				       CLONE_NEWUSER;
	/* The host's /proc only where the kernel refuses one of our own (trap 4). */
	const int keep[] = { fds->socket,      fds->go,
			     fds->result,      fds->listener,
			     fds->exec_root,   in_user_namespace ? fds->procfs : -1,
			     fds->hook_stdout, fds->hook_stderr };
	int r;

	r = fd_close_but(3 + plan->process.preserve_fds, keep, ARRAY_LEN(keep));
	if (r < 0)
		return fail(err, r, "close the host's descriptors");
	if (!in_user_namespace)
		fds->procfs = -1;
	fds->cgroup = -1;
	fds->joins_len = 0;
	fds->idmaps = NULL; /* staging has used them */
	return 0;
}

/* Before the cgroup namespace is joined, which would hide it (trap 12). */
static int enter_cgroup(struct launch_fds *fds, struct hoy_error *err)
{
	int r;

	if (fds->cgroup < 0 || fds->in_cgroup)
		return 0;
	r = file_write_text(fds->cgroup, "cgroup.procs", "0");
	if (r < 0)
		return fail(err, r, "enter the container's cgroup");
	fds->in_cgroup = true;
	return 0;
}

static int clone_init(const struct plan *plan, struct launch_fds *fds, struct hoy_error *err)
{
	autoclose int pidfd = -1;
	pid_t pid;

	if (close_host(plan, fds, err) < 0)
		return -1;
	pid = process_clone(init_clone_flags(plan) | CLONE_PARENT, -1, 0, &pidfd);
	if (pid < 0) {
		fail(err, pid, "clone init");
		return pid == -EAGAIN ? fail_hint(err, "pids.max of the cgroup or one above is "
						       "reached")
				      : -1;
	}
	if (pid == 0)
		init_main(plan, fds);
	return init_note(fds, NOTE_CLONED, pid, pidfd, err);
}

_Noreturn void bootstrap_main(const struct plan *plan, struct launch_fds *fds)
{
	struct hoy_error err = { 0 };

	(void)close(fds->runtime_socket);
	fds->runtime_socket = -1;
	if (fds->lock >= 0)
		(void)close(fds->lock);
	fds->lock = -1;
	if (init_lifeline(fds, &err) < 0 || stage_sources(plan, fds, &err) < 0 ||
	    affinity_before_cgroup(plan, &err) < 0 || enter_cgroup(fds, &err) < 0 ||
	    join_all(fds, &err) < 0 || make_time_namespace(plan, fds, &err) < 0 ||
	    clone_init(plan, fds, &err) < 0)
		bootstrap_die(fds, &err);
	_exit(0);
}
