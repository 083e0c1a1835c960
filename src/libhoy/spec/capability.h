/* SPDX-License-Identifier: Apache-2.0 */
/* Names of capabilities, by libcap: it is used for nothing else. May allocate: runtime only. */
#ifndef HOY_SPEC_CAPABILITY_H
#define HOY_SPEC_CAPABILITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Room for any name. */
#define CAPABILITY_NAME_SIZE 40

/** The number of a capability named as in capabilities(7), "CAP_CHOWN", any case; or -1. */
int capability_find(const char *name);

/** Writes the name of a capability; false if libcap has none for it. */
bool capability_name(unsigned int capability, char name[CAPABILITY_NAME_SIZE]);

/** How many capabilities this build knows: they are numbered from 0. */
unsigned int capability_count(void);

/** A name that was probably meant; false if there is none. */
bool capability_nearest(const char *name, char nearest[CAPABILITY_NAME_SIZE]);

#endif
