/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespaces and ids from the inside: joining what init itself can join, waiting for the id maps,
 * becoming root of a user namespace, and what belongs to a fresh namespace (lo, the names). Runs in
 * init. Namespaces that are new were made by the clone itself.
 */
#include "init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"

/*
 * What init can join itself; a bootstrap has done it all.
 * Before: anything that belongs to one of them. Spec: config-linux.md#namespaces.
 */
int step_join(struct init *init, struct hoy_error *err)
{
	for (size_t i = 0; i < init->fds->joins_len; i++) {
		const struct launch_join *join = &init->fds->joins[i];

		if (setns(join->fd, (int)join->types) < 0)
			return fail_at(err, join->at, errno, "join the namespace");
	}
	return 0;
}

/*
 * A time namespace whose offsets only this user namespace gives the right to write. Whoever makes
 * one stays outside, but may then join it by its file.
 */
static int enter_time_namespace(struct init *init, struct hoy_error *err)
{
	const char *offsets = init->plan->namespaces.time_offsets;
	const ssize_t len = (ssize_t)strlen(offsets);
	autoclose int file = -1, namespace = -1;
	char name[48];

	if (unshare(CLONE_NEWTIME) < 0)
		return fail(err, errno, "make the time namespace");
	file = procfs_open_self(init, "timens_offsets", O_WRONLY, err);
	if (file < 0)
		return fail_from(err, "linux.timeOffsets");
	if (write(file, offsets, (size_t)len) != len)
		return fail_at(err, "linux.timeOffsets", errno, "write timens_offsets");
	/* A link by its nature, in a procfs that is known to be one. */
	format_text(name, sizeof(name), "%d/ns/time_for_children", (int)init->procfs_pid);
	namespace = openat(init->procfs, name, O_RDONLY | O_CLOEXEC);
	if (namespace < 0 || setns(namespace, CLONE_NEWTIME) < 0)
		return fail_at(err, "linux.timeOffsets", errno, "enter the time namespace");
	return 0;
}

/* Runs in: init. After: the clone. Before: every mount (EOVERFLOW without maps, trap 28). */
int step_id_maps(struct init *init, struct hoy_error *err)
{
	if (!(init->plan->namespaces.create & CLONE_NEWUSER))
		return 0;
	if (init_request(init, REQUEST_ID_MAPS, err) < 0 ||
	    (init->plan->namespaces.time_offsets_inside && enter_time_namespace(init, err) < 0))
		return -1;
	/* Dumpable until now, so that an unprivileged runtime could write the maps (trap 5). */
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return fail(err, errno, "become non-dumpable");
	return 0;
}

/* Drivers that adopt a running process have no cgroup to clone into: ask, then shut the view. */
int step_cgroup(struct init *init, struct hoy_error *err)
{
	if (init->fds->cgroup >= 0 || init->fds->in_cgroup || !init->plan->cgroup.path)
		return 0;
	if (init_request(init, REQUEST_CGROUP, err) < 0)
		return -1;
	if (init->plan->cgroup.unshare_late && unshare(CLONE_NEWCGROUP) < 0)
		return fail(err, errno, "make the cgroup namespace");
	return 0;
}

/* Whether whoever made this user namespace has given up setgroups(2) for it. */
static bool groups_are_denied(struct init *init)
{
	struct hoy_error unused;
	autoclose int fd = procfs_open_self(init, "setgroups", O_RDONLY, &unused);
	char word[8] = "";

	return fd >= 0 && read(fd, word, sizeof(word) - 1) >= 4 && strncmp(word, "deny", 4) == 0;
}

/* Made with ids that nobody has inside, its mqueue would belong to nobody. */
static bool makes_ipc_late(const struct plan_namespaces *namespaces)
{
	return (namespaces->create & CLONE_NEWIPC) && (namespaces->create & CLONE_NEWUSER) &&
	       namespaces->become_root;
}

uint64_t init_clone_flags(const struct plan *plan)
{
	uint64_t flags = plan->namespaces.create;

	if (plan->cgroup.unshare_late)
		flags &= ~(uint64_t)CLONE_NEWCGROUP;
	if (plan->namespaces.time_offsets)
		flags &= ~(uint64_t)CLONE_NEWTIME;
	if (makes_ipc_late(&plan->namespaces))
		flags &= ~(uint64_t)CLONE_NEWIPC;
	return flags;
}

/* After: bind sources are cloned (the new ids may not reach them). Before: mounts, files. */
int step_become_root(struct init *init, struct hoy_error *err)
{
	const struct plan_namespaces *namespaces = &init->plan->namespaces;

	if (!namespaces->become_root)
		return 0;
	if (!namespaces->deny_setgroups && !init->plan->process.keep_groups &&
	    raw_setgroups(0, NULL) < 0) {
		init->groups_denied = groups_are_denied(init);
		if (!init->groups_denied)
			return fail(err, EPERM, "drop the caller's groups in the user namespace");
	}
	if (raw_setresgid(0, 0, 0) < 0)
		return fail_at(err, "linux.gidMappings", errno,
			       "become group 0 of the user namespace: is id 0 mapped?");
	if (raw_setresuid(0, 0, 0) < 0)
		return fail_at(err, "linux.uidMappings", errno,
			       "become user 0 of the user namespace: is id 0 mapped?");
	if (makes_ipc_late(namespaces) && unshare(CLONE_NEWIPC) < 0)
		return fail(err, errno, "make the ipc namespace");
	/* A change of ids has reset both (trap 6). */
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return fail(err, errno, "become non-dumpable");
	return init_lifeline(init->fds, err);
}

/* Spec: nothing; but programs expect a working lo in a new network namespace. */
int step_network(struct init *init, struct hoy_error *err)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	autoclose int fd = -1;

	if (!init->plan->namespaces.loopback)
		return 0;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 && errno == EAFNOSUPPORT)
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(err, errno, "open a socket to bring up lo");
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		return fail(err, errno, "bring up lo");
	return 0;
}

/* After: the network namespace. Before: hooks, which may look for them. */
int step_net_devices(struct init *init, struct hoy_error *err)
{
	return init->plan->net_devices_len ? init_request(init, REQUEST_NET_DEVICES, err) : 0;
}

/* Spec: config.md#hostname, #domainname. The plan has made sure that the uts namespace is ours. */
int step_hostname(struct init *init, struct hoy_error *err)
{
	const struct plan_namespaces *namespaces = &init->plan->namespaces;
	const char *hostname = namespaces->hostname, *domainname = namespaces->domainname;

	if (hostname && sethostname(hostname, strlen(hostname)) < 0)
		return fail_at(err, "hostname", errno, "set hostname '%s'", hostname);
	if (domainname && setdomainname(domainname, strlen(domainname)) < 0)
		return fail_at(err, "domainname", errno, "set domainname '%s'", domainname);
	return 0;
}

/* The session keyring is not part of any namespace: without this the container has the caller's. */
int step_keyring(struct init *init, struct hoy_error *err)
{
	const char *name = init->plan->process.keyring;

	if (!name)
		return 0;
	if (keyctl(KEYCTL_JOIN_SESSION_KEYRING, (unsigned long)name, 0, 0, 0) >= 0)
		return 0;
	if (errno == ENOSYS)
		return 0; /* a kernel without keyrings has none to protect */
	fail(err, errno, "make session keyring '%s'", name);
	return fail_hint(err, errno == EDQUOT
				      ? "the quota kernel.keys.maxkeys of this user is used up"
				      : "--no-new-keyring keeps the caller's keyring");
}
