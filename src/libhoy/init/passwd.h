/* SPDX-License-Identifier: Apache-2.0 */
/* Finds a user's home in the text of passwd(5), which is the image's and so hostile. */
#ifndef HOY_INIT_PASSWD_H
#define HOY_INIT_PASSWD_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct passwd_scan {
	/** Wanted uid. */
	uid_t uid;
	/** Field counted from 0, text of the present field, whether the line is another's. */
	unsigned int field;
	size_t len;
	bool skip, found;
	/** The home once it is found, terminated. */
	char text[PATH_MAX];
};

/**
 * Reads on in the file; end it with a line feed. No allocation, whatever the length of a line.
 * @returns whether the home is found
 */
bool passwd_scan(struct passwd_scan *scan, const char *bytes, size_t len);

#endif
