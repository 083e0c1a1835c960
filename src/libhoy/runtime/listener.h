/* SPDX-License-Identifier: Apache-2.0 */
/* The seccomp agent: who will be sent the listener, and what is said with it. */
#ifndef HOY_RUNTIME_LISTENER_H
#define HOY_RUNTIME_LISTENER_H

#include "runtime/launch.h"

/**
 * Connects to linux.seccomp.listenerPath, if the plan wants a listener, and composes the message
 * (config-linux.md#container-process-state) with blanks for the pid.
 */
int listener_connect(struct launch *launch, struct arena *arena, struct hoy_error *err);

#endif
