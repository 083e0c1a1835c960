/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The eBPF program (BPF_PROG_TYPE_CGROUP_DEVICE) that enforces linux.resources.devices. Attaching
 * it is cgroup_attach_devices() of driver.h. Runtime only.
 */
#ifndef HOY_CGROUP_DEVICES_H
#define HOY_CGROUP_DEVICES_H

#include <linux/bpf.h>
#include <stddef.h>

#include "plan/plan.h"

/** Instructions that one rule takes at most, and those around all rules. */
#define DEVICES_RULE_INSNS  6
#define DEVICES_FRAME_INSNS 18

/**
 * Writes the program: each of the access bits asked for (mknod, read, write) is decided by the
 * last rule that names the device and the bit, and denied where none does; the access is allowed
 * if all its bits are.
 * @param insns  room for len * DEVICES_RULE_INSNS + DEVICES_FRAME_INSNS instructions
 * @returns the number of instructions, or -E2BIG if a jump would be too long
 */
int devices_compile(const struct plan_device_rule *rules, size_t len, struct bpf_insn *insns);

#endif
