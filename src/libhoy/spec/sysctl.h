/* SPDX-License-Identifier: Apache-2.0 */
/* Which sysctls belong to a namespace, so that a container may set them. Pure. */
#ifndef HOY_SPEC_SYSCTL_H
#define HOY_SPEC_SYSCTL_H

#include <stddef.h>
#include <stdint.h>

/**
 * Writes where a sysctl stands below /proc/sys. As in sysctl(8), the first '.' or '/' of the key
 * is its separator, and the other of the two then is part of names: "net.ipv4.conf.eth0/1.mtu" and
 * "net/ipv4/conf/eth0.1/mtu" are the same.
 * @param path  `size` bytes
 * @returns 0, or -EINVAL: an empty name, "." or "..", a byte that no sysctl has; -ENAMETOOLONG
 */
int sysctl_path(const char *key, char *path, size_t size);

/** The kind of namespace that a sysctl, by its path, belongs to: CLONE_NEW*, 0 for the host. */
uint64_t sysctl_namespace(const char *path);

#endif
