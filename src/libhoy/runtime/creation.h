/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container that comes to be: what create and restore have in common before and after its
 * processes are made, and how all of it is taken back.
 */
#ifndef HOY_RUNTIME_CREATION_H
#define HOY_RUNTIME_CREATION_H

#include <hoy/container.h>

#include "base/log.h"
#include "cgroup/driver.h"
#include "runtime/handover.h"
#include "runtime/input.h"
#include "runtime/launch.h"
#include "runtime/leftovers.h"
#include "state/state.h"

/** Everything that one create or restore has in its hands. */
struct creation {
	const struct hoy_context *context;
	const struct hoy_create_options *options;
	const char *id;
	struct log log;
	struct input input;
	int root;
	struct state_dir dir;
	struct state_record record;
	char boot_id[37];
	char created[64];
	struct cgroup cgroup;
	/** Where in it init is cloned, -1 = in the cgroup itself. */
	int leaf;
	/** Root of resctrl, -1 = not asked for. */
	int resctrl;
	/** Of restore only the terminal and what hooks need. */
	struct launch launch;
	/** Connected before anything is made: a dead socket fails early. */
	struct handover handover;
	struct leftovers leftovers;
	/** The directory has its name: destroy_container() is due on failure. */
	bool published;
};

/** Nothing is made or opened yet. @param id  that state_check_id() has accepted */
void creation_begin(struct creation *creation, const struct hoy_context *context, const char *id,
		    const struct hoy_create_options *options);

/** Reads and plans, and checks what can be checked while nothing is made: context, options, id. */
int creation_read(struct creation *creation, struct hoy_error *err);

/** Makes the container's directory under its name, with a complete record, and its cgroup. */
int creation_make(struct creation *creation, struct hoy_error *err);

/** Records init, whose pid is in creation->launch, before it does anything that lasts. */
int creation_note_init(struct creation *creation, struct hoy_error *err);

/** Records that all is done. */
int creation_complete(struct creation *creation, struct hoy_error *err);

/** All of it for create, but for handing out; what fails is taken back. In create.c. */
int creation_run(struct creation *creation, struct hoy_error *err);

/** Takes back whatever there is; the error that counts stays the first one. */
void creation_take_back(struct creation *creation, const struct hoy_error *err);

/** Gives the caller what its options ask for; the process is on its own from now on. */
void creation_hand_out(struct creation *creation);

/** Closes everything; the container is not touched. */
void creation_done(struct creation *creation);

#endif
