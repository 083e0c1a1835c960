/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOY_SPEC_PERSONALITY_H
#define HOY_SPEC_PERSONALITY_H

#include "spec/word.h"

/** linux.personality.domain -> PER_* */
extern const struct vocabulary personality_domains;

#endif
