/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOY_SPEC_STATUS_H
#define HOY_SPEC_STATUS_H

#include "spec/word.h"

/** The status of the state document -> enum hoy_status */
extern const struct vocabulary status_names;

#endif
