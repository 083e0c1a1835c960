/* SPDX-License-Identifier: Apache-2.0 */
/* Fields that are read but not applied yet. Runtime only. */
#ifndef HOY_CONFIG_UNSUPPORTED_H
#define HOY_CONFIG_UNSUPPORTED_H

#include "config/problem.h"

/** Tells each field of the document that asks for something hoy does not do yet. */
void unsupported_tell(struct problems *problems);

#endif
