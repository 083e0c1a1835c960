/* SPDX-License-Identifier: Apache-2.0 */
/* What record.c, which writes and reads state.json, and copies.c share. */
#ifndef HOY_STATE_RECORD_H
#define HOY_STATE_RECORD_H

#include "state/state.h"

/** A record without NULL strings: everything empty, 0 and false. */
struct state_record *record_new(struct arena *arena);

/**
 * Leaves copies of the record's essentials beside state.json while the container is being made.
 * Silent and without result: they only ever help where state.json itself is lost.
 */
void copies_write(const struct state_dir *dir, const struct state_record *record);

/** Fills in what is known of a container whose creator was killed before the record said so. */
int copies_complete(const struct state_dir *dir, struct arena *arena, struct state_record *record);

#endif
