/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.seccomp -> the filter program that init loads (config-linux.md#seccomp). libseccomp
 * compiles it, hoy turns the result into a search by ranges of syscall numbers, and keeps it in a
 * cache below the state root. Runtime only.
 */
#ifndef HOY_RUNTIME_SECCOMP_H
#define HOY_RUNTIME_SECCOMP_H

#include <stdbool.h>
#include <stdint.h>

#include <hoy/error.h>

#include "base/arena.h"
#include "base/log.h"
#include "config/config.h"
#include "plan/plan.h"

struct seccomp_options {
	/** Directory from seccomp_cache_open(), or -1 for no cache. */
	int cache;
	/** A syscall name that libseccomp does not know is an error (else it is skipped). */
	bool fail_unknown_syscall;
	/** Socket that receives the listener instead of config->listener_path; NULL for none. */
	const char *receiver;
	/** A zeroed one drops all events. */
	struct log log;
};

/**
 * Compiles a filter, or takes it from the cache.
 *
 * A syscall number above all those that the profile names for its architecture gives ENOSYS where
 * the default action would fail the call with another errno or kill: C libraries try new syscalls
 * and fall back on ENOSYS only.
 *
 * @param config      validated by config_read()
 * @param ret_filter  program, flags for seccomp(2), and where the listener goes (NULL where no rule
 *                    has SCMP_ACT_NOTIFY); its strings are those of the config and the options
 * @returns 0 or -1 with err set and naming the configuration path
 */
int seccomp_compile(const struct config_seccomp *config, const struct seccomp_options *options,
		    struct arena *arena, struct plan_seccomp *ret_filter, struct hoy_error *err);

/** Whether the libseccomp at hand can make a filter for an architecture (spec/seccomp_name.h). */
bool seccomp_supports_architecture(uint32_t token);

/**
 * Opens (and makes) the directory of cached filters below the state root. Silent: whoever gets an
 * error works without a cache.
 * @returns a descriptor or -errno; -EPERM if others may write there
 */
int seccomp_cache_open(int state_root);

#endif
