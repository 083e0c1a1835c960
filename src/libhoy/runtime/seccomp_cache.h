/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache of compiled filters: a file per profile below the state root, which holds all that the
 * program was computed from and is compared with it byte by byte. Silent functions; runtime only.
 */
#ifndef HOY_RUNTIME_SECCOMP_CACHE_H
#define HOY_RUNTIME_SECCOMP_CACHE_H

#include <stddef.h>

#include "base/arena.h"
#include "base/string.h"
#include "config/config.h"

/** How many filters are kept. */
#define SECCOMP_CACHE_ENTRIES 64

/**
 * Adds everything that the program depends on: the profile, the versions of hoy's rules and of
 * libseccomp, the architecture, and what the kernel can do.
 */
void seccomp_cache_key(struct text *key, const struct config_seccomp *config,
		       bool fail_unknown_syscall);

/**
 * @param ret_filter  the instructions, in the arena
 * @returns their number; -ENOENT if there is no valid entry, -ENOMEM
 */
int seccomp_cache_load(int cache, const struct text *key, struct arena *arena,
		       const void **ret_filter);

/** Adds an entry and removes the oldest ones that are too many. @returns 0 or -errno */
int seccomp_cache_store(int cache, const struct text *key, const void *filter, size_t len);

#endif
