/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOY_SPEC_RLIMIT_H
#define HOY_SPEC_RLIMIT_H

#include "spec/word.h"

/** process.rlimits[].type -> RLIMIT_* */
extern const struct vocabulary rlimit_types;

#endif
