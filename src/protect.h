/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the program's own binary, and its memory, out of the reach of containers. */
#ifndef HOY_PROTECT_H
#define HOY_PROTECT_H

#include <hoy/error.h>

/**
 * Parts from the binary, or else executes the program once more, from a copy of its binary that
 * nothing can write: an overlay without upper layer, or else a sealed memfd. In the process that
 * runs from such a copy it returns 0 and forgets that it was marked.
 * @param argv  the program's own, unchanged
 * @returns 0, or -1 if no copy could be made
 */
int protect_binary(char *const *argv, struct hoy_error *err);

/**
 * Makes this process undumpable, and every descriptor above 2 close-on-exec. Without privilege it
 * stays dumpable: the kernel would refuse the id maps of its children.
 */
int protect_process(struct hoy_error *err);

#endif
