/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Annotations that hoy acts on: config.md#annotations leaves their values to whoever defines them.
 * Runs in the runtime. All others are nobody's business but the caller's.
 */
#include "config/validate.h"

#include <string.h>

#include "base/string.h"
#include "config/check.h"
#include "sys/cleanup.h"

const char *config_annotation(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->annotations.len; i++)
		if (strcmp(config->annotations.items[i].key, name) == 0)
			return config->annotations.items[i].value;
	return NULL;
}

bool config_annotation_is_on(const struct config *config, const char *name)
{
	const char *value = config_annotation(config, name);

	return value && strcmp(value, "0") != 0;
}

static const char *check_context(const char *word)
{
	static const char *const words[] = { "context", "defcontext", "fscontext", "rootcontext" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i], word) == 0)
			return NULL;
	return "none of context, defcontext, fscontext, rootcontext";
}

/* The name of a cgroup below another one; empty is none. */
static const char *check_cgroup(const char *path)
{
	if (*path == '\0')
		return NULL;
	if (*path == '/' || string_ends(path, "/") || strstr(path, "//") ||
	    string_has_control(path))
		return "not the name of a cgroup";
	for (const char *name = path; name; name = strchr(name, '/')) {
		size_t len = strcspn(name += *name == '/', "/");

		if ((len == 1 && name[0] == '.') || (len == 2 && strncmp(name, "..", 2) == 0))
			return "not the name of a cgroup";
	}
	return NULL;
}

static const struct {
	const char *name;
	/** @returns what is wrong, or NULL */
	const char *(*check)(const char *value);
} table[] = {
	{ ANNOTATION_DELEGATE_CGROUP, check_cgroup },
	{ ANNOTATION_HOOKS_STDERR, check_absolute_path },
	{ ANNOTATION_HOOKS_STDOUT, check_absolute_path },
	{ ANNOTATION_MOUNT_CONTEXT, check_context },
	{ ANNOTATION_PIDFD_RECEIVER, check_absolute_path },
	{ ANNOTATION_SECCOMP_RECEIVER, check_absolute_path },
	{ ANNOTATION_SYSTEMD_SUBGROUP, check_cgroup },
};

void validate_annotations(struct problems *problems, const struct config *config)
{
	for (size_t i = 0; i < config->annotations.len; i++)
		if (config->annotations.items[i].key[0] == '\0')
			problem_at(problems, AT_MEMBER("annotations", ""), "empty key");
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const char *value = config_annotation(config, table[i].name);
		const char *wrong = value ? table[i].check(value) : NULL;

		if (wrong)
			problem_at(problems, AT_MEMBER("annotations", table[i].name),
				   "%s: '%.200s'", wrong, value);
	}
}
