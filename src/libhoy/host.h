/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this kernel and this caller can do, probed once and handed to plan_build() as data, so that
 * a plan can be computed (and tested) for any host. Runs in the runtime; changes nothing.
 */
#ifndef HOY_HOST_H
#define HOY_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <hoy/error.h>

enum host_cgroup_layout {
	/** No cgroup2 tree is mounted. */
	HOST_CGROUP_NONE,
	/** cgroup2 at /sys/fs/cgroup. */
	HOST_CGROUP_UNIFIED,
	/** A cgroup2 tree beside v1 controllers (/sys/fs/cgroup/unified or elsewhere). */
	HOST_CGROUP_HYBRID,
};

struct host_id_range {
	uint32_t start, count;
};

/** newuidmap(1) or newgidmap(1). */
struct host_helper {
	/** It has the setuid bit, or file capabilities. */
	bool is_privileged;
	/** It lies on a file system where neither has an effect. */
	bool on_nosuid;
};

/** What can be in the way of an operation that has failed: host_probe_causes(). */
struct host_causes {
	/** user.max_user_namespaces of this user namespace. */
	uint64_t max_user_namespaces;
	/** kernel.unprivileged_userns_clone is 0 (Debian's kernels). */
	bool userns_clone_off;
	/** kernel.apparmor_restrict_unprivileged_userns is 1 (Ubuntu's kernels). */
	bool apparmor_restricts;
	/** Of this process. */
	bool has_seccomp, no_new_privileges, in_chroot;
	/** Something is mounted over parts of /proc, as in a container. */
	bool proc_is_masked;
	struct host_helper newuidmap, newgidmap;
};

struct host {
	/** "6.18.44-..." as major * 1000 + minor: 6018. */
	unsigned int kernel;
	uid_t euid;
	gid_t egid;
	/** CAP_SYS_ADMIN in the initial user namespace, as far as can be seen. */
	bool privileged;
	/** In a user namespace that does not map all ids. */
	bool in_user_namespace;
	/** That has given up setgroups(2), for all made in it too. */
	bool setgroups_denied;
	/** Effective and bounding capabilities as bit masks. */
	uint64_t capabilities, bounding;
	/** Highest capability this kernel knows. */
	int last_capability;
	enum host_cgroup_layout cgroup_layout;
	/** Mount point of the cgroup2 tree, "/sys/fs/cgroup"; "" if none. */
	char cgroup_root[128];
	/** This process' cgroup below it, "/user.slice/..."; "" if none. */
	char cgroup_own[1024];
	bool apparmor, selinux;
	/** The caller has a line in passwd(5), without which newuidmap(1) does nothing. */
	bool has_name;
	/** The caller's subordinate ids (subuid(5), subgid(5)), first range only. */
	struct host_id_range subuid, subgid;
	bool has_newuidmap, has_newgidmap;
	struct host_causes causes;
};

/** Probes the host. The only failures are those of the machine (no /proc). */
int host_probe(struct host *ret_host, struct hoy_error *err);

/** The umask of this process: no system call tells it without changing it. 022 if unknown. */
mode_t host_umask(void);

/**
 * Looks for what may have made an operation fail, and fills host->causes: only once one has, as it
 * costs more than all of host_probe(). What cannot be found out is taken to be as usual.
 */
void host_probe_causes(struct host *host);

#endif
