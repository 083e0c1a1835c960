/* SPDX-License-Identifier: Apache-2.0 */
/* The container's notify socket, on the host's side. */
#ifndef HOY_RUNTIME_NOTIFY_H
#define HOY_RUNTIME_NOTIFY_H

#include <hoy/error.h>

#include "state/state.h"

/** Makes the socket. @returns it, -ENOENT if the container was made without, or -1 */
int notify_open(const struct state_dir *dir, struct hoy_error *err);

/**
 * Passes on what the container says until it is ready or has ended, and waits until the service
 * manager has taken notice.
 * @param notify_socket  of the service manager
 */
int notify_wait(int fd, int init, pid_t pid, const char *notify_socket, struct hoy_error *err);

#endif
