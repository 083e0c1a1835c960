/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOY_HOY_H
#define HOY_HOY_H

#include <hoy/container.h>
#include <hoy/error.h>
#include <hoy/features.h>
#include <hoy/log.h>
#include <hoy/state.h>

#endif
