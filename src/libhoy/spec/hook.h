/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOY_SPEC_HOOK_H
#define HOY_SPEC_HOOK_H

#include "spec/word.h"

/** In the order of a container's life. */
enum hook_kind {
	HOOK_PRESTART,
	HOOK_CREATE_RUNTIME,
	HOOK_CREATE_CONTAINER,
	HOOK_START_CONTAINER,
	HOOK_POSTSTART,
	HOOK_POSTSTOP,
	HOOK_KINDS,
};

/** Members of hooks -> enum hook_kind */
extern const struct vocabulary hook_kinds;

#endif
