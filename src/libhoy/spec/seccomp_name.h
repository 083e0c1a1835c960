/* SPDX-License-Identifier: Apache-2.0 */
/* The words of linux.seccomp; values are the kernel's, architectures are libseccomp's tokens. */
#ifndef HOY_SPEC_SECCOMP_NAME_H
#define HOY_SPEC_SECCOMP_NAME_H

#include "spec/word.h"

/** Equal to libseccomp's enum scmp_compare. */
enum seccomp_operator {
	SECCOMP_NE = 1,
	SECCOMP_LT,
	SECCOMP_LE,
	SECCOMP_EQ,
	SECCOMP_GE,
	SECCOMP_GT,
	SECCOMP_MASKED_EQ,
};

/** SCMP_ACT_* -> SECCOMP_RET_* without the errno */
extern const struct vocabulary seccomp_actions;
/** SCMP_CMP_* -> enum seccomp_operator */
extern const struct vocabulary seccomp_operators;
/** SCMP_ARCH_* -> uint32_t tokens; the linked libseccomp may lack the newest */
extern const struct vocabulary seccomp_architectures;
/** SECCOMP_FILTER_FLAG_* */
extern const struct vocabulary seccomp_flags;

#endif
