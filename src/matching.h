/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that take a regular expression instead of an id. */
#ifndef HOY_MATCHING_H
#define HOY_MATCHING_H

#include "command.h"

/** What is done to one container. */
typedef int matching_fn(const struct program *program, const char *id, struct hoy_error *err);

/**
 * Calls a function for each container whose id the extended regular expression matches; all of
 * them, whatever becomes of one.
 * @returns 0, or -1 with the first error
 */
int for_each_matching(const struct program *program, const char *pattern, matching_fn *function,
		      struct hoy_error *err);

#endif
