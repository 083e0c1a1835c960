/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files below a root directory, as `hoy install` reads and writes them. */
#ifndef HOY_INSTALL_TREE_H
#define HOY_INSTALL_TREE_H

#include <hoy/error.h>

#include "base/string.h"

struct tree {
	/** What paths start at; symlinks cannot lead out of it. */
	int rootfd;
	/** Stands before a path in messages: "" for the system's own root, without "/" at its end.
	 */
	const char *root;
};

/**
 * Reads a file as text.
 * @param path      absolute, below the root
 * @param ret_text  NULL if there is no such file; else to be released with free()
 */
int tree_read(const struct tree *tree, const char *path, char **ret_text, struct hoy_error *err);

/** Replaces a file, or makes it with mode 0644. Its directory must exist. */
int tree_write(const struct tree *tree, const char *path, const char *text, struct hoy_error *err);

/** Makes the directory of a file where it is missing. @param made  gets what was made, a path a
 * line */
int tree_make_directory_of(const struct tree *tree, const char *path, struct text *made,
			   struct hoy_error *err);

int tree_remove(const struct tree *tree, const char *path, struct hoy_error *err);

/** Removes a directory. One that is in use by now stays. */
int tree_remove_directory(const struct tree *tree, const char *path, struct hoy_error *err);

#endif
