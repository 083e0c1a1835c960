/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of causes: what has failed, with which errno, and what is peculiar about the host or
 * the plan. The first row that fits is told. Runs in the runtime; pure.
 */
#include "plan/causes.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "host.h"
#include "plan/plan.h"
#include "sys/cleanup.h"
#include "sys/compat.h"

/* The id that stands for all that a user namespace does not map. */
#define OVERFLOW_ID 65534

#define APPARMOR                                                                            \
	"kernel.apparmor_restrict_unprivileged_userns is 1: hoy needs an AppArmor profile " \
	"with the rule userns"
#define LOCKED "in a user namespace the flags that a mount came with are locked"

/* ---- what is peculiar ---- */

static bool always(const struct host *host, const struct plan *plan)
{
	(void)host;
	(void)plan;
	return true;
}

static bool makes_user_namespace(const struct host *host, const struct plan *plan)
{
	(void)host;
	return plan->namespaces.create & CLONE_NEWUSER;
}

static bool lives_in_user_namespace(const struct host *host, const struct plan *plan)
{
	return host->in_user_namespace ||
	       ((plan->namespaces.create | plan->namespaces.joined) & CLONE_NEWUSER);
}

static bool has_no_user_namespaces(const struct host *host, const struct plan *plan)
{
	return makes_user_namespace(host, plan) && host->causes.max_user_namespaces == 0;
}

static bool is_switched_off(const struct host *host, const struct plan *plan)
{
	return makes_user_namespace(host, plan) && host->causes.userns_clone_off &&
	       !host->privileged;
}

static bool is_confined_by_apparmor(const struct host *host, const struct plan *plan)
{
	return makes_user_namespace(host, plan) && host->causes.apparmor_restricts &&
	       !host->privileged;
}

static bool is_in_chroot(const struct host *host, const struct plan *plan)
{
	return makes_user_namespace(host, plan) && host->causes.in_chroot;
}

static bool is_not_mapped(const struct host *host, const struct plan *plan)
{
	return makes_user_namespace(host, plan) && host->in_user_namespace &&
	       (host->euid == OVERFLOW_ID || host->egid == OVERFLOW_ID);
}

static bool is_filtered(const struct host *host, const struct plan *plan)
{
	(void)plan;
	return host->causes.has_seccomp;
}

static bool has_no_privilege(const struct host *host, const struct plan *plan)
{
	(void)plan;
	return !host->privileged;
}

static bool has_masked_proc(const struct host *host, const struct plan *plan)
{
	return lives_in_user_namespace(host, plan) && host->causes.proc_is_masked;
}

static bool joins_pid_namespace(const struct host *host, const struct plan *plan)
{
	return lives_in_user_namespace(host, plan) && (plan->namespaces.joined & CLONE_NEWPID);
}

static bool has_no_new_privileges(const struct host *host, const struct plan *plan)
{
	(void)plan;
	return host->causes.no_new_privileges;
}

static bool is_nested(const struct host *host, const struct plan *plan)
{
	(void)plan;
	return host->in_user_namespace;
}

static bool uid_helper_is_powerless(const struct host *host, const struct plan *plan)
{
	(void)plan;
	return !host->causes.newuidmap.is_privileged;
}

static bool gid_helper_is_powerless(const struct host *host, const struct plan *plan)
{
	(void)plan;
	return !host->causes.newgidmap.is_privileged;
}

static bool uid_helper_is_on_nosuid(const struct host *host, const struct plan *plan)
{
	(void)plan;
	return host->causes.newuidmap.on_nosuid;
}

static bool gid_helper_is_on_nosuid(const struct host *host, const struct plan *plan)
{
	(void)plan;
	return host->causes.newgidmap.on_nosuid;
}

static bool has_no_subuids(const struct host *host, const struct plan *plan)
{
	(void)plan;
	return host->subuid.count == 0;
}

static bool has_no_subgids(const struct host *host, const struct plan *plan)
{
	(void)plan;
	return host->subgid.count == 0;
}

static bool has_no_name(const struct host *host, const struct plan *plan)
{
	(void)plan;
	return !host->has_name;
}

/* ---- the table ---- */

static const struct cause {
	enum failure failure;
	/** 0 = any */
	int code;
	bool (*holds)(const struct host *host, const struct plan *plan);
	const char *hint;
} causes[] = {
	{ FAILURE_NAMESPACES, ENOSPC, has_no_user_namespaces,
	  "user.max_user_namespaces is 0: user namespaces are switched off" },
	{ FAILURE_NAMESPACES, ENOSPC, always,
	  "a limit in /proc/sys/user/max_*_namespaces is reached" },
	{ FAILURE_NAMESPACES, EUSERS, always, "user namespaces can be nested 32 deep" },
	{ FAILURE_NAMESPACES, EPERM, is_switched_off,
	  "kernel.unprivileged_userns_clone is 0: only root may make user namespaces" },
	{ FAILURE_NAMESPACES, EPERM, is_confined_by_apparmor, APPARMOR },
	{ FAILURE_NAMESPACES, EPERM, is_in_chroot,
	  "the kernel makes no user namespace in a chroot" },
	{ FAILURE_NAMESPACES, EPERM, is_not_mapped,
	  "the user namespace that hoy runs in does not map its user or group" },
	{ FAILURE_NAMESPACES, EPERM, is_filtered,
	  "hoy runs under a seccomp filter, which may forbid new namespaces" },
	{ FAILURE_NAMESPACES, EPERM, has_no_privilege,
	  "namespaces need CAP_SYS_ADMIN, or a new user namespace" },
	{ FAILURE_ID_MAP, EPERM, is_confined_by_apparmor, APPARMOR },
	{ FAILURE_ID_MAP, EPERM, is_nested,
	  "only ids that are mapped in the user namespace that hoy runs in can be mapped on" },
	{ FAILURE_UID_HELPER, 0, uid_helper_is_powerless,
	  "newuidmap has lost its setuid bit and has no file capabilities: reinstall its package" },
	{ FAILURE_UID_HELPER, 0, uid_helper_is_on_nosuid,
	  "newuidmap lies on a file system that is mounted nosuid" },
	{ FAILURE_UID_HELPER, 0, has_no_new_privileges,
	  "hoy was started with no_new_privs, under which newuidmap has no privilege" },
	{ FAILURE_UID_HELPER, 0, has_no_subuids, "/etc/subuid has no range for this user" },
	{ FAILURE_UID_HELPER, 0, has_no_name,
	  "this user has no line in /etc/passwd, without which newuidmap does nothing" },
	{ FAILURE_UID_HELPER, 0, is_nested,
	  "the ranges of /etc/subuid must be mapped in the user namespace that hoy runs in" },
	{ FAILURE_UID_HELPER, 0, always, "/etc/subuid must give this user every id of the map" },
	{ FAILURE_GID_HELPER, 0, gid_helper_is_powerless,
	  "newgidmap has lost its setuid bit and has no file capabilities: reinstall its package" },
	{ FAILURE_GID_HELPER, 0, gid_helper_is_on_nosuid,
	  "newgidmap lies on a file system that is mounted nosuid" },
	{ FAILURE_GID_HELPER, 0, has_no_new_privileges,
	  "hoy was started with no_new_privs, under which newgidmap has no privilege" },
	{ FAILURE_GID_HELPER, 0, has_no_subgids, "/etc/subgid has no range for this user" },
	{ FAILURE_GID_HELPER, 0, is_nested,
	  "the ranges of /etc/subgid must be mapped in the user namespace that hoy runs in" },
	{ FAILURE_GID_HELPER, 0, always, "/etc/subgid must give this user every id of the map" },
	{ FAILURE_PROC, EPERM, joins_pid_namespace,
	  "only the user namespace that owns a pid namespace gets a /proc of it" },
	{ FAILURE_PROC, EPERM, has_masked_proc,
	  "something is mounted over parts of the caller's /proc, as in a container: the kernel "
	  "gives "
	  "a new one only where a whole one is seen" },
	{ FAILURE_PROC, EPERM, is_confined_by_apparmor, APPARMOR },
	{ FAILURE_PROC, EPERM, is_filtered,
	  "hoy runs under a seccomp filter, which may forbid mounts" },
	{ FAILURE_MOUNT, EPERM, is_confined_by_apparmor, APPARMOR },
	{ FAILURE_MOUNT, EACCES, is_confined_by_apparmor, APPARMOR },
	{ FAILURE_MOUNT, EPERM, is_filtered,
	  "hoy runs under a seccomp filter, which may forbid mounts" },
	{ FAILURE_MOUNT, EPERM, lives_in_user_namespace,
	  "this file system cannot be mounted in a user namespace" },
	{ FAILURE_BIND, EINVAL, lives_in_user_namespace,
	  "in a user namespace what is mounted below the source must come along: use rbind" },
	{ FAILURE_BIND, EPERM, lives_in_user_namespace, LOCKED },
	{ FAILURE_RBIND, EPERM, lives_in_user_namespace, LOCKED },
};

const char *cause_find(const struct host *host, const struct plan *plan, enum failure failure,
		       int code)
{
	for (size_t i = 0; i < ARRAY_LEN(causes); i++)
		if (causes[i].failure == failure && (!causes[i].code || causes[i].code == code) &&
		    causes[i].holds(host, plan))
			return causes[i].hint;
	return NULL;
}
