/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rewrites a seccomp program, which asks for one syscall number after the other, as a search tree
 * over ranges of numbers. The kernel runs the program for every number when it is loaded, so a
 * container's start is the faster for it. Runtime only.
 */
#ifndef HOY_RUNTIME_SECCOMP_TREE_H
#define HOY_RUNTIME_SECCOMP_TREE_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

/** Numbers first <= number < end of an architecture that get another result than the program's. */
struct seccomp_override {
	/** AUDIT_ARCH_*, as in struct seccomp_data. */
	uint32_t arch;
	uint32_t first, end;
	/** SECCOMP_RET_* */
	uint32_t result;
};

/**
 * Rewrites a program so that it gives the same result for every struct seccomp_data, but for the
 * overrides. Silent.
 * @param ret_insns  room for BPF_MAXINSNS
 * @returns the number of instructions; -ENOTSUP if the program holds an instruction that libseccomp
 *          is not known to write, -E2BIG if the result is too long, -ENOMEM
 */
int seccomp_tree(const struct sock_filter *insns, size_t len,
		 const struct seccomp_override *overrides, size_t overrides_len,
		 struct sock_filter *ret_insns);

#endif
