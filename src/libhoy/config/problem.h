/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Problems and warnings of a configuration: each is told through the report's callback with path,
 * line and column; the first problem fills the error. Runtime only.
 */
#ifndef HOY_CONFIG_PROBLEM_H
#define HOY_CONFIG_PROBLEM_H

#include <stdbool.h>

#include "base/json_read.h"
#include "config/config.h"

/** So many problems, and so many warnings, are told one by one; the others are counted. */
#define PROBLEMS_TOLD 50

struct problems {
	const struct config_report *report;
	const struct json_node *document;
	/** Where the document stands in a configuration: "" for all of it, "mounts", "process"...
	 */
	const char *prefix;
	struct hoy_error *err;
	unsigned int problems, warnings;
	/** The paths of the problems that were told. */
	char told[PROBLEMS_TOLD][JSON_PATH_SIZE];
};

/** @param prefix  as in struct problems */
void problems_begin(struct problems *problems, const struct config_report *report,
		    const char *prefix, struct hoy_error *err);

/** A problem of the value at a path, or, if there is none, of what should stand there. */
void problem_at(struct problems *problems, const char *at, const char *format, ...)
	__attribute__((cold, format(printf, 3, 4)));

/** A problem of a value of the document. */
void problem_node(struct problems *problems, const struct json_node *node, const char *format, ...)
	__attribute__((cold, format(printf, 3, 4)));

/** Warnings are problems with report->strict. */
void warning_at(struct problems *problems, const char *at, const char *format, ...)
	__attribute__((cold, format(printf, 3, 4)));

/** A warning about a member's name. */
void warning_key(struct problems *problems, const struct json_node *node, const char *format, ...)
	__attribute__((cold, format(printf, 3, 4)));

/** A problem of a member's name. */
void problem_key(struct problems *problems, const struct json_node *node, const char *format, ...)
	__attribute__((cold, format(printf, 3, 4)));

/**
 * True if a problem at or below this path was told: rules that depend on its value are then
 * skipped, so that one mistake is one message.
 */
bool problem_known(const struct problems *problems, const char *at);

/** Tells an error that is set already as the first problem. @returns -1 */
int problem_error(struct problems *problems);

/** Tells how many were left out. @returns 0 if there was no problem, or -1 */
int problems_end(struct problems *problems);

/** The path of a value in the whole configuration. @param path  JSON_PATH_SIZE bytes */
size_t problem_path(const struct problems *problems, const struct json_node *node, char *path);

/** The value at a path, or its nearest ancestor; NULL if the path is not of this document. */
const struct json_node *problem_find(const struct json_node *document, const char *prefix,
				     const char *at);

/** Formats a path into `path`, JSON_PATH_SIZE bytes, as format_text(). @returns it */
const char *path_format(char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Formats the path of a member whose name may hold any characters. @returns path */
const char *path_member(char *path, const char *object, const char *key);

/** A path for one message: AT("linux.namespaces[%zu].type", i). */
#define AT(...)		       path_format((char[JSON_PATH_SIZE]){ 0 }, __VA_ARGS__)
#define AT_MEMBER(object, key) path_member((char[JSON_PATH_SIZE]){ 0 }, object, key)

#endif
