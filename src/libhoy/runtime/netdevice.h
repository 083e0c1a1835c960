/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network devices of the host that become the container's (config-linux.md#network-devices). They
 * are moved by a keeper, a clone of the runtime that lives as long as the container is being made:
 * whatever ends the runtime before that, the keeper puts them back as they were.
 */
#ifndef HOY_RUNTIME_NETDEVICE_H
#define HOY_RUNTIME_NETDEVICE_H

#include <sys/types.h>

#include <hoy/error.h>

#include "base/log.h"
#include "plan/plan.h"

struct netdevice_keeper {
	int socket, pidfd;
};

#define NETDEVICE_KEEPER_NONE ((struct netdevice_keeper){ -1, -1 })

/**
 * Moves the plan's devices into the network namespace of init.
 * @param procfs  a verified /proc in which init is `pid`
 * @returns 0, or -1 with every device where it was
 */
int netdevice_move(const struct plan *plan, int procfs, pid_t pid,
		   struct netdevice_keeper *ret_keeper, struct hoy_error *err);

/** The container is made: the devices are its own. */
void netdevice_leave(struct netdevice_keeper *keeper);

/** It could not be made: the devices go back. Nothing happens after netdevice_leave(). */
void netdevice_put_back(struct netdevice_keeper *keeper, const struct log *log);

#endif
