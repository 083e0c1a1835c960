/* SPDX-License-Identifier: Apache-2.0 */
/* What `hoy install` knows of each engine: its files, and how hoy gets into them and out again. */
#ifndef HOY_INSTALL_H
#define HOY_INSTALL_H

#include <stdbool.h>

#include <hoy/error.h>

/** What engines are told. */
struct install {
	/** The path of hoy as the engine sees it, absolute, of characters that no format escapes.
	 */
	const char *program;
	/** The engine is to take hoy where it is not told otherwise. */
	bool make_default;
};

/**
 * A file of an engine. Both functions compute texts and touch no file. A text is NULL where there
 * is no file; results are released with free().
 */
struct install_target {
	/** Absolute. */
	const char *path;
	/** Serves only to make hoy the default. */
	bool only_default;
	/**
	 * revert() needs to know what was there before, which is kept beside the file: its name
	 * with ".before-hoy".
	 */
	bool needs_before;
	/** A whole file, with the path of hoy as /usr/bin/hoy; for install_apply_file(). */
	const char *text;
	/** What the file becomes by an install, where it is `base` without hoy. */
	int (*apply)(const struct install *install, const struct install_target *target,
		     const char *base, char **ret_text, struct hoy_error *err);
	/** What the file `now`, in which hoy is installed, is without it. */
	int (*revert)(const struct install_target *target, const char *now, const char *before,
		      char **ret_text, struct hoy_error *err);
};

struct install_engine {
	const char *name;
	/** Ends with a row without path. */
	const struct install_target *targets;
	/** What is left to do, or NULL. */
	const char *next;
};

/** Ends with a row without name. */
extern const struct install_engine install_engines[];

/* /etc/containerd/config.toml */
int containerd_apply(const struct install *install, const struct install_target *target,
		     const char *base, char **ret_text, struct hoy_error *err);
int containerd_revert(const struct install_target *target, const char *now, const char *before,
		      char **ret_text, struct hoy_error *err);

/* /etc/docker/daemon.json */
int docker_apply(const struct install *install, const struct install_target *target,
		 const char *base, char **ret_text, struct hoy_error *err);
int docker_revert(const struct install_target *target, const char *now, const char *before,
		  char **ret_text, struct hoy_error *err);

#endif
