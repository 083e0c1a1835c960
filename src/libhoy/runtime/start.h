/* SPDX-License-Identifier: Apache-2.0 */
/* start, for whoever has the container in its hands already. */
#ifndef HOY_RUNTIME_START_H
#define HOY_RUNTIME_START_H

#include "runtime/context.h"

/**
 * Starts a container that is created and locked; one whose gate was opened in vain is destroyed.
 * @param pidfd    init's
 * @param options  may be NULL; while the call waits for readiness the lock is given up
 * @param destroy  whether to destroy it whatever has failed
 */
int start_created(struct container *container, int pidfd, const struct hoy_start_options *options,
		  bool destroy, const struct log *log, struct hoy_error *err);

#endif
