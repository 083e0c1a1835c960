/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls and constants that the C library may lack, under their own names. Every #ifdef of
 * the project lives here. Wrappers return -1 and set errno as the C library's would.
 *
 * A wrapper is an inline function compat_NAME behind a macro NAME(), so that it replaces the C
 * library's where there is one: one behaviour with every C library, and init needs the symbol
 * syscall() alone. The headers that may declare NAME are therefore all included here.
 */
#ifndef HOY_SYS_COMPAT_H
#define HOY_SYS_COMPAT_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#if __has_include(<sys/pidfd.h>)
#include <sys/pidfd.h>
#endif

#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
/* musl has it only since 1.2.4. */
#ifndef STATX_BASIC_STATS
#include <linux/stat.h>
#endif

/* Mounts: mount_setattr(2), move_mount(2), fsopen(2). */
#ifndef MOUNT_ATTR_IDMAP
#define MOUNT_ATTR_IDMAP 0x00100000
#endif
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif
#ifndef MOVE_MOUNT_SET_GROUP
#define MOVE_MOUNT_SET_GROUP 0x00000100
#endif
#ifndef MOVE_MOUNT_BENEATH
#define MOVE_MOUNT_BENEATH 0x00000200
#endif
#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x00001000
#endif
#ifndef STATX_ATTR_MOUNT_ROOT
#define STATX_ATTR_MOUNT_ROOT 0x00002000
#endif

/* Processes: clone3(2), waitid(2), close_range(2), memfd_create(2). */
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef PIDFS_MAGIC
#define PIDFS_MAGIC 0x50494446
#endif
#ifndef __WALL
#define __WALL 0x40000000
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 0x4
#endif
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* Terminals: TIOCGPTPEER opens the slave of a pty without a path. */
#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

/* Numbers since Linux 5.1 are the same on every architecture but alpha, which is not supported. */
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_open_tree
#define SYS_open_tree 428
#endif
#ifndef SYS_move_mount
#define SYS_move_mount 429
#endif
#ifndef SYS_fsopen
#define SYS_fsopen 430
#endif
#ifndef SYS_fsconfig
#define SYS_fsconfig 431
#endif
#ifndef SYS_fsmount
#define SYS_fsmount 432
#endif
#ifndef SYS_fspick
#define SYS_fspick 433
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node 450
#endif

/* The ids of 32-bit architectures grew; their first calls still take 16 bits. */
#ifdef SYS_setresuid32
#define COMPAT_SYS_setresuid SYS_setresuid32
#define COMPAT_SYS_setresgid SYS_setresgid32
#define COMPAT_SYS_setgroups SYS_setgroups32
#else
#define COMPAT_SYS_setresuid SYS_setresuid
#define COMPAT_SYS_setresgid SYS_setresgid
#define COMPAT_SYS_setgroups SYS_setgroups
#endif

/** clone3(2) that shares no memory, so that the child may return from here. */
static inline pid_t compat_clone3(struct clone_args *args, size_t size)
{
	return (pid_t)syscall(SYS_clone3, args, size);
}
#define clone3(...) compat_clone3(__VA_ARGS__)

/* <sys/file.h> is hidden by our own header of that name. */
#ifndef LOCK_EX
#define LOCK_SH 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8
#endif

static inline int compat_flock(int fd, int operation)
{
	return (int)syscall(SYS_flock, fd, operation);
}
#define flock(...) compat_flock(__VA_ARGS__)

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

static inline int compat_renameat2(int old_dirfd, const char *old_path, int new_dirfd,
				   const char *new_path, unsigned int flags)
{
	return (int)syscall(SYS_renameat2, old_dirfd, old_path, new_dirfd, new_path, flags);
}
#define renameat2(...) compat_renameat2(__VA_ARGS__)

static inline int compat_openat2(int dirfd, const char *path, const struct open_how *how,
				 size_t size)
{
	return (int)syscall(SYS_openat2, dirfd, path, how, size);
}
#define openat2(...) compat_openat2(__VA_ARGS__)

static inline int compat_statx(int dirfd, const char *path, int flags, unsigned int mask,
			       struct statx *ret_stat)
{
	return (int)syscall(SYS_statx, dirfd, path, flags, mask, ret_stat);
}
#define statx(...) compat_statx(__VA_ARGS__)

static inline int compat_close_range(unsigned int first, unsigned int last, int flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}
#define close_range(...) compat_close_range(__VA_ARGS__)

static inline int compat_pidfd_open(pid_t pid, unsigned int flags)
{
	return (int)syscall(SYS_pidfd_open, pid, flags);
}
#define pidfd_open(...) compat_pidfd_open(__VA_ARGS__)

static inline int compat_pidfd_send_signal(int pidfd, int signal, siginfo_t *info,
					   unsigned int flags)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, info, flags);
}
#define pidfd_send_signal(...) compat_pidfd_send_signal(__VA_ARGS__)

static inline int compat_pidfd_getfd(int pidfd, int target_fd, unsigned int flags)
{
	return (int)syscall(SYS_pidfd_getfd, pidfd, target_fd, flags);
}
#define pidfd_getfd(...) compat_pidfd_getfd(__VA_ARGS__)

static inline int compat_open_tree(int dirfd, const char *path, unsigned int flags)
{
	return (int)syscall(SYS_open_tree, dirfd, path, flags);
}
#define open_tree(...) compat_open_tree(__VA_ARGS__)

static inline int compat_move_mount(int from_dirfd, const char *from, int to_dirfd, const char *to,
				    unsigned int flags)
{
	return (int)syscall(SYS_move_mount, from_dirfd, from, to_dirfd, to, flags);
}
#define move_mount(...) compat_move_mount(__VA_ARGS__)

static inline int compat_mount_setattr(int dirfd, const char *path, unsigned int flags,
				       struct mount_attr *attr, size_t size)
{
	return (int)syscall(SYS_mount_setattr, dirfd, path, flags, attr, size);
}
#define mount_setattr(...) compat_mount_setattr(__VA_ARGS__)

static inline int compat_fsopen(const char *type, unsigned int flags)
{
	return (int)syscall(SYS_fsopen, type, flags);
}
#define fsopen(...) compat_fsopen(__VA_ARGS__)

static inline int compat_fsconfig(int fd, unsigned int command, const char *key, const void *value,
				  int aux)
{
	return (int)syscall(SYS_fsconfig, fd, command, key, value, aux);
}
#define fsconfig(...) compat_fsconfig(__VA_ARGS__)

static inline int compat_fsmount(int fd, unsigned int flags, unsigned int attr_flags)
{
	return (int)syscall(SYS_fsmount, fd, flags, attr_flags);
}
#define fsmount(...) compat_fsmount(__VA_ARGS__)

static inline int compat_fspick(int dirfd, const char *path, unsigned int flags)
{
	return (int)syscall(SYS_fspick, dirfd, path, flags);
}
#define fspick(...) compat_fspick(__VA_ARGS__)

static inline int compat_pivot_root(const char *new_root, const char *put_old)
{
	return (int)syscall(SYS_pivot_root, new_root, put_old);
}
#define pivot_root(...) compat_pivot_root(__VA_ARGS__)

static inline long compat_keyctl(int operation, unsigned long arg2, unsigned long arg3,
				 unsigned long arg4, unsigned long arg5)
{
	return syscall(SYS_keyctl, operation, arg2, arg3, arg4, arg5);
}
#define keyctl(...) compat_keyctl(__VA_ARGS__)

static inline int compat_seccomp(unsigned int operation, unsigned int flags, void *args)
{
	return (int)syscall(SYS_seccomp, operation, flags, args);
}
#define seccomp(...) compat_seccomp(__VA_ARGS__)

/* <linux/bpf.h> has it. */
union bpf_attr;

static inline int compat_bpf(int command, union bpf_attr *attr, unsigned int size)
{
	return (int)syscall(SYS_bpf, command, attr, size);
}
#define bpf(...) compat_bpf(__VA_ARGS__)

static inline int compat_ioprio_set(int which, int who, int ioprio)
{
	return (int)syscall(SYS_ioprio_set, which, who, ioprio);
}
#define ioprio_set(...) compat_ioprio_set(__VA_ARGS__)

static inline long compat_set_mempolicy(int mode, const unsigned long *nodes,
					unsigned long max_node)
{
	return syscall(SYS_set_mempolicy, mode, nodes, max_node);
}
#define set_mempolicy(...) compat_set_mempolicy(__VA_ARGS__)

/* <linux/sched/types.h> cannot be included beside <sched.h>: both define struct sched_param. */
#ifndef SCHED_ATTR_SIZE_VER0
#define SCHED_ATTR_SIZE_VER0 48
#define SCHED_ATTR_SIZE_VER1 56

struct sched_attr {
	uint32_t size;
	uint32_t sched_policy;
	uint64_t sched_flags;
	int32_t sched_nice;
	uint32_t sched_priority;
	uint64_t sched_runtime;
	uint64_t sched_deadline;
	uint64_t sched_period;
	uint32_t sched_util_min;
	uint32_t sched_util_max;
};
#endif

static inline int compat_sched_setattr(pid_t pid, struct sched_attr *attr, unsigned int flags)
{
	return (int)syscall(SYS_sched_setattr, pid, attr, flags);
}
#define sched_setattr(...) compat_sched_setattr(__VA_ARGS__)

/* Both C libraries export these two and leave the declaration to libcap. */
int capget(cap_user_header_t header, cap_user_data_t data);
int capset(cap_user_header_t header, const cap_user_data_t data);

/*
 * Calls whose C library versions do more than the system call: the setters of ids signal every
 * thread of the process that was cloned and take a lock for it, which a cloned child inherits
 * locked; getcwd(3) allocates where the kernel's answer does not start with "/".
 */
static inline int raw_setresuid(uid_t real, uid_t effective, uid_t saved)
{
	return (int)syscall(COMPAT_SYS_setresuid, real, effective, saved);
}

static inline int raw_setresgid(gid_t real, gid_t effective, gid_t saved)
{
	return (int)syscall(COMPAT_SYS_setresgid, real, effective, saved);
}

static inline int raw_setgroups(size_t len, const gid_t *groups)
{
	return (int)syscall(COMPAT_SYS_setgroups, len, groups);
}

/** @returns the length with the final NUL, or -1; unreachable directories start "(unreachable)" */
static inline int raw_getcwd(char *buffer, size_t size)
{
	return (int)syscall(SYS_getcwd, buffer, size);
}

/* glibc's errno words without locale; musl's strerror() is a table behind the program's locale. */
#ifndef __GLIBC__
#define strerrordesc_np strerror
#endif

/* A build with AddressSanitizer: its runtime does not bear what is done to mappings and memory. */
#ifdef __SANITIZE_ADDRESS__
#define BUILT_WITH_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BUILT_WITH_SANITIZER 1
#endif
#endif
#ifndef BUILT_WITH_SANITIZER
#define BUILT_WITH_SANITIZER 0
#endif

#endif
