/* SPDX-License-Identifier: Apache-2.0 */
/* The plan for people and programs to read. Runtime only. */
#ifndef HOY_PLAN_DUMP_H
#define HOY_PLAN_DUMP_H

struct plan;

/**
 * The plan as text, one entry a line: a word that says what it is, then NAME=VALUE for all that is
 * not off or empty; values with other characters than those of paths are quoted as in JSON.
 * Release with free(); NULL if memory ran out.
 */
char *plan_dump_text(const struct plan *plan);

/** The same as a JSON object: one member per kind of entry. */
char *plan_dump_json(const struct plan *plan);

#endif
