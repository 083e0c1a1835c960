/* SPDX-License-Identifier: Apache-2.0 */
/* The public struct hoy_state of a container, for `state` and `list`. */
#ifndef HOY_RUNTIME_STATE_H
#define HOY_RUNTIME_STATE_H

#include <hoy/state.h>

#include "runtime/context.h"

/** Version of the specification that libhoy's documents follow. */
#define SPEC_VERSION "1.3.0"

/** Fills in what the record and the kernel say. Release with hoy_state_done(). */
int state_of_container(const struct container *container, struct hoy_state *ret_state,
		       struct hoy_error *err);

#endif
