/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOY_SPEC_PROPAGATION_H
#define HOY_SPEC_PROPAGATION_H

#include "spec/word.h"

/** linux.rootfsPropagation -> MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE; also "rshared"... */
extern const struct vocabulary propagation_types;

#endif
