/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the bundle to the plan: everything that create and exec read before anything is made. All
 * of it lives in one arena.
 */
#ifndef HOY_RUNTIME_INPUT_H
#define HOY_RUNTIME_INPUT_H

#include <hoy/container.h>
#include <hoy/error.h>

#include "base/arena.h"
#include "base/log.h"
#include "config/config.h"
#include "host.h"
#include "plan/plan.h"
#include "state/state.h"

struct input {
	struct arena arena;
	struct config *config;
	struct host host;
	struct plan *plan;
};

#define INPUT_NONE ((struct input){ 0 })

/** Reads the bundle and plans the container. @param state_root descriptor, for the filter cache */
int input_read(struct input *input, const struct hoy_context *context, const char *id,
	       const struct hoy_create_options *options, int state_root, struct hoy_error *err);

/** How problems of a configuration are told. */
struct config_report input_report(const struct hoy_context *context);

/** Reads the copy that create saved in the container's directory; its warnings were told then. */
int input_saved(struct input *input, int directory, struct hoy_error *err);

/** What is known of the sources of all mounts; NULL if memory ran out. */
struct plan_source_facts *input_sources(struct input *input, const char *bundle);

/**
 * Plans the container again from the configuration that create has saved in its directory, without
 * the filter and without warnings: to know what it is made of.
 */
int input_plan_saved(struct input *input, const struct hoy_context *context,
		     const struct state_record *record, int directory, struct hoy_error *err);

/** Compiles a filter of the configuration; `ret` stays empty where there is none. */
int input_filter(struct input *input, const struct config *config, const struct log *log,
		 int state_root, struct plan_seccomp *ret, struct hoy_error *err);

/** Of a process without one: daemons that call us may have 0, so only with strict theirs. */
mode_t input_umask(const struct hoy_context *context);

/** Tells the plan's warnings; with strict the first is an error. */
int input_warnings(const struct plan *plan, const struct log *log, bool strict,
		   struct hoy_error *err);

void input_done(struct input *input);

#endif
