/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Confinement, the last thing init does to itself. Runs in init, in this order: bounding set,
 * keepcaps, groups, gid, uid, effective = permitted; cwd; label; self-check; [gate]; the final
 * capabilities and the ambient set; no_new_privs; seccomp and at once execve. Nothing but execve
 * runs under the container's filter. Every step is fatal.
 * Spec: config.md#user, #linux-process (capabilities, noNewPrivileges, apparmorProfile).
 */
#include "init/init.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"

#define CAPABILITY(number) (1ULL << (number))

struct capability_sets {
	struct __user_cap_data_struct words[2];
};

static struct capability_sets pack(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	return (struct capability_sets){ {
		{ (uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable },
		{ (uint32_t)(effective >> 32), (uint32_t)(permitted >> 32),
		  (uint32_t)(inheritable >> 32) },
	} };
}

static int get_capabilities(struct capability_sets *ret_sets)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };

	return capget(&header, ret_sets->words);
}

static int set_capabilities(const struct capability_sets *sets)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };

	return capset(&header, (cap_user_data_t)sets->words);
}

static uint64_t permitted_of(const struct capability_sets *sets)
{
	return sets->words[0].permitted | (uint64_t)sets->words[1].permitted << 32;
}

int capabilities_use(const struct init *init, bool own, struct hoy_error *err)
{
	struct capability_sets sets;
	uint64_t permitted, effective;

	if (get_capabilities(&sets) < 0)
		return fail(err, errno, "read the capabilities");
	permitted = permitted_of(&sets);
	effective = own ? init->plan->process.capabilities.effective & permitted : permitted;
	sets = pack(effective, permitted, 0);
	if (set_capabilities(&sets) < 0)
		return fail(err, errno, "change the effective capabilities");
	return 0;
}

static int drop_bounding(uint64_t keep, struct hoy_error *err)
{
	for (int capability = 0; capability < 64; capability++) {
		if (keep & CAPABILITY(capability))
			continue;
		if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0)
			continue;
		if (errno == EINVAL)
			return 0; /* past the last one that this kernel knows */
		return fail_at(err, "process.capabilities.bounding", errno, "drop capability %d",
			       capability);
	}
	return 0;
}

static int change_ids(const struct init *init, struct hoy_error *err)
{
	const struct plan_process *process = &init->plan->process;

	/* init->groups_denied: there the caller's groups cannot be dropped, nor can others be had.
	 */
	if (!process->keep_groups && !(init->groups_denied && process->groups_len == 0) &&
	    raw_setgroups(process->groups_len, process->groups) < 0)
		return fail_at(err, "process.user.additionalGids", errno,
			       "set the supplementary groups");
	if (raw_setresgid(process->gid, process->gid, process->gid) < 0)
		return fail_at(err, "process.user.gid", errno, "become group %u",
			       (unsigned int)process->gid);
	if (raw_setresuid(process->uid, process->uid, process->uid) < 0)
		return fail_at(err, "process.user.uid", errno, "become user %u",
			       (unsigned int)process->uid);
	return 0;
}

/* After: all that needs the host's or the namespace's root. */
int step_identity(struct init *init, struct hoy_error *err)
{
	const struct plan_process *process = &init->plan->process;

	if (drop_bounding(process->capabilities.bounding, err) < 0)
		return -1;
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return fail(err, errno, "keep capabilities over the change of user");
	if (change_ids(init, err) < 0)
		return -1;
	/* setresuid has emptied the effective set; loading the filter needs it (trap 8). */
	if (capabilities_use(init, false, err) < 0)
		return -1;
	/* The change of ids has cleared both (trap 6). */
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return fail(err, errno, "become non-dumpable");
	(void)umask(process->umask);
	if (process->set_personality && personality(process->personality) < 0)
		return fail_at(err, "linux.personality", errno, "set personality 0x%lx",
			       process->personality);
	return init_lifeline(init->fds, err);
}

/* A directory outside the root shows as "(unreachable)" (CVE-2024-21626). Spec: config.md (cwd). */
int step_cwd(struct init *init, struct hoy_error *err)
{
	const char *cwd = init->plan->process.cwd;
	char here[PATH_MAX + 16];

	if (!init->plan->process.present)
		return 0;
	if (chdir(cwd) < 0)
		return fail_program(err, "process.cwd", errno, "enter", cwd);
	/* The raw call: the C library would hide what we look for. */
	if (raw_getcwd(here, sizeof(here)) < 0)
		return fail_at(err, "process.cwd", errno, "ask where %s is", cwd);
	if (here[0] != '/')
		return fail_at(err, "process.cwd", 0, "%s lies outside the container's root", cwd);
	return 0;
}

static int write_label(int fd, const char *at, const char *label, struct hoy_error *err)
{
	size_t len = strlen(label);

	if (write(fd, label, len) == (ssize_t)len)
		return 0;
	fail_at(err, at, errno, "set label '%s'", label);
	return err->code == ENOENT ? fail_hint(err, "is this profile or policy loaded?") : -1;
}

/* The label that execve will take. The files were opened while that was allowed. */
int step_label(struct init *init, struct hoy_error *err)
{
	const struct plan_process *process = &init->plan->process;

	if (init->apparmor >= 0 && write_label(init->apparmor, "process.apparmorProfile",
					       process->apparmor_profile, err) < 0)
		return -1;
	if (init->selinux >= 0 &&
	    write_label(init->selinux, "process.selinuxLabel", process->selinux_label, err) < 0)
		return -1;
	return 0;
}

/* Do we really have the ids that we asked for? Asked of the kernel, against the plan. */
int step_self_check(struct init *init, struct hoy_error *err)
{
	const struct plan_process *process = &init->plan->process;
	uid_t uid[3];
	gid_t gid[3];

	if (syscall(SYS_getresuid, &uid[0], &uid[1], &uid[2]) < 0 ||
	    syscall(SYS_getresgid, &gid[0], &gid[1], &gid[2]) < 0)
		return fail(err, errno, "read the ids");
	for (int i = 0; i < 3; i++)
		if (uid[i] != process->uid || gid[i] != process->gid)
			return fail_at(err, "process.user", 0, "the ids did not change as asked");
	for (int capability = 0; capability < 64; capability++) {
		int kept = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);

		if (kept < 0)
			break;
		if (kept && !(process->capabilities.bounding & CAPABILITY(capability)))
			return fail_at(err, "process.capabilities.bounding", 0,
				       "capability %d is still there", capability);
	}
	if (!process->keep_groups && !init->groups_denied &&
	    syscall(SYS_getgroups, 0, NULL) != (long)process->groups_len)
		return fail_at(err, "process.user.additionalGids", 0,
			       "the supplementary groups did not change as asked");
	return 0;
}

static int raise_ambient(uint64_t ambient, struct hoy_error *err)
{
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return fail_at(err, "process.capabilities.ambient", errno, "clear the set");
	for (int capability = 0; capability < 64; capability++)
		if ((ambient & CAPABILITY(capability)) &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) < 0)
			return fail_at(err, "process.capabilities.ambient", errno,
				       "raise capability %d", capability);
	return 0;
}

/*
 * The final sets. Without no_new_privs the kernel wants CAP_SYS_ADMIN to load the filter, so that
 * one capability stays permitted and effective until execve, which computes both anew from the
 * bounding, inheritable and ambient sets alone (capabilities(7)): nothing of it survives. Thus
 * even then no system call but execve is made under the container's filter.
 */
int step_capabilities(struct init *init, struct hoy_error *err)
{
	const struct plan_process *process = &init->plan->process;
	const struct plan_capabilities *want = &process->capabilities;
	uint64_t loan = 0, have;
	struct capability_sets sets;

	if (get_capabilities(&sets) < 0)
		return fail(err, errno, "read the capabilities");
	have = permitted_of(&sets);
	if (process->seccomp.len && !process->no_new_privileges)
		loan = CAPABILITY(CAP_SYS_ADMIN) & have;
	sets = pack((want->effective & have) | loan, (want->permitted & have) | loan,
		    want->inheritable & have);
	if (set_capabilities(&sets) < 0)
		return fail_at(err, "process.capabilities", errno, "set the capabilities");
	if (raise_ambient(want->ambient, err) < 0)
		return -1;
	if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
		return fail(err, errno, "clear keepcaps");
	return 0;
}

int step_no_new_privileges(struct init *init, struct hoy_error *err)
{
	if (init->plan->process.no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail_at(err, "process.noNewPrivileges", errno, "set no_new_privs");
	return 0;
}

static int load_filter(const struct plan_seccomp *filter, struct hoy_error *err)
{
	struct sock_fprog program = {
		.len = (unsigned short)filter->len,
		.filter = (struct sock_filter *)filter->filter,
	};
	unsigned int flags = (unsigned int)filter->flags;
	int r;

	/* The only other thread is the one that sends the listener: it must stay outside. */
	if (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER)
		flags &= ~(unsigned int)(SECCOMP_FILTER_FLAG_TSYNC |
					 SECCOMP_FILTER_FLAG_TSYNC_ESRCH);
	r = seccomp(SECCOMP_SET_MODE_FILTER, flags, &program);
	if (r < 0) {
		fail_at(err, "linux.seccomp", errno, "load the filter of %zu instructions",
			filter->len);
		return err->code != EACCES ? -1
					   : fail_hint(err, "without CAP_SYS_ADMIN a filter needs "
							    "process.noNewPrivileges");
	}
	return r;
}

/* Does not return but on failure; from the filter on there is only execve (trap 7). */
int step_execute(struct init *init, struct hoy_error *err)
{
	const struct plan_process *process = &init->plan->process;
	const struct plan_seccomp *seccomp = &process->seccomp;
	int listener = -1;

	if (seccomp->len) {
		listener = load_filter(seccomp, err);
		if (listener < 0)
			return -1;
	}
	if (seccomp->flags & SECCOMP_FILTER_FLAG_NEW_LISTENER && seccomp->len)
		listener_hand_over(listener);
	(void)execve(init->executable, process->args, process->env);
	return fail_program(err, "process.args[0]", errno, "execute", init->executable);
}
