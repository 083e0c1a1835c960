/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups of resctrl, the kernel's interface to Intel RDT and its like: a directory is a class of
 * service, what is written to its files applies to the processes listed in it. All paths are below
 * a descriptor of the file system's root. Spec: config-linux.md#intelrdt.
 */
#ifndef HOY_RUNTIME_RESCTRL_H
#define HOY_RUNTIME_RESCTRL_H

#include <stdbool.h>
#include <sys/types.h>

#include <hoy/error.h>

#include "plan/plan.h"
#include "state/state.h"

/** l3CacheSchema and memBwSchema. */
#define RESCTRL_CHANGES_MAX 2

/**
 * The mounted file system, checked by its superblock.
 * @returns a descriptor, or -1 with an error that names linux.intelRdt
 */
int resctrl_open(struct hoy_error *err);

/**
 * Whether the plan's group is there already; what must be as it is planned, is compared.
 * @returns 0 with *ret_exists set, or -1
 */
int resctrl_look(int resctrl, const struct plan_intel_rdt *rdt, bool *ret_exists,
		 struct hoy_error *err);

/**
 * Makes what is planned and not there.
 * @param id    the container's, name of its monitoring group
 * @param made  updated as things are made, also on failure
 */
int resctrl_make(int resctrl, const struct plan_intel_rdt *rdt, const char *id, bool exists,
		 struct state_resctrl *made, struct hoy_error *err);

/**
 * Puts a process into a group and, unless that is NULL, into a monitoring group of it.
 * @param group  "" for the root
 */
int resctrl_add(int resctrl, const char *group, const char *monitoring, pid_t pid,
		struct hoy_error *err);

/** Writes one line to the schemata of a group. */
int resctrl_write(int resctrl, const char *group, const char *at, const char *line,
		  struct hoy_error *err);

/** What resctrl_change() has replaced: a line for each that was written. */
struct resctrl_old {
	char *lines[RESCTRL_CHANGES_MAX];
	size_t len;
};

/**
 * Writes at most RESCTRL_CHANGES_MAX lines to the schemata of a group: all of them, or what was
 * there comes back.
 * @param old  resctrl_put_back() writes it, resctrl_old_done() releases it; also on failure
 */
int resctrl_change(int resctrl, const char *group, const struct plan_schema *schemata, size_t len,
		   struct resctrl_old *old, struct hoy_error *err);

void resctrl_put_back(int resctrl, const char *group, const struct resctrl_old *old);
void resctrl_old_done(struct resctrl_old *old);

/** Removes what was made for a container; what is gone already is no error. */
int resctrl_remove(int resctrl, const struct state_resctrl *made, const char *id,
		   struct hoy_error *err);

#endif
