/* SPDX-License-Identifier: Apache-2.0 */
/* Parts this process from the file that it was executed from. */
#ifndef HOY_LEAVE_H
#define HOY_LEAVE_H

/**
 * Replaces every mapping of the program's file, and the file that /proc/PID/exe names by an empty,
 * sealed one. From then on no process of a container can reach the file through this process or
 * its clones. Call while single-threaded.
 *
 * Costs a tenth of what executing a protected copy does. Needs CAP_SYS_ADMIN or
 * CAP_CHECKPOINT_RESTORE and a kernel with CONFIG_CHECKPOINT_RESTORE.
 * @param argv  main()'s own
 * @returns 0, or -errno: then the file may still be reached, and nothing else has changed
 */
int leave_binary(char *const *argv);

#endif
