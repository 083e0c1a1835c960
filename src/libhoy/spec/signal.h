/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOY_SPEC_SIGNAL_H
#define HOY_SPEC_SIGNAL_H

#include "spec/word.h"

/** Names without "SIG" -> numbers, the two ends of the real-time range not included. */
extern const struct vocabulary signal_names;

/**
 * The number of a signal given as "9", "KILL", "SIGKILL", "RTMIN+3" or "SIGRTMAX-2", any case.
 * @returns 1 to 64, or -EINVAL
 */
int signal_find(const char *text);

/**
 * Writes "SIGKILL", "SIGRTMIN+3", or the number where there is no name.
 * @param name  at least 16 bytes
 */
void signal_name(int signal, char name[16]);

#endif
