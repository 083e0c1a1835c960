/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOY_SPEC_NAMESPACE_H
#define HOY_SPEC_NAMESPACE_H

#include "spec/word.h"

/** linux.namespaces[].type -> CLONE_NEW* */
extern const struct vocabulary namespace_types;

/** The name of a namespace below /proc/PID/ns ("mnt", "net"), or NULL. */
const char *namespace_proc_name(uint64_t type);

#endif
