/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a plan and the caller's options to what CRIU is asked for: data from data. What only the
 * kernel can tell (inode numbers, where symlinks lead) is filled in by checkpoint.c and restore.c.
 */
#ifndef HOY_RUNTIME_CRIU_REQUEST_H
#define HOY_RUNTIME_CRIU_REQUEST_H

#include <hoy/container.h>

#include "base/arena.h"
#include "plan/plan.h"
#include "runtime/criu.h"

/** What the host's /dev/null over masked files is called in images. */
#define CRIU_MASK_NAME "hoy:null"

/** Whether a container of this plan can be dumped and restored at all. @returns 0 or -1 */
int criu_request_check(const struct plan *plan, struct hoy_error *err);

/** What the options say that checkpoint and restore share. */
void criu_request_options(struct criu_request *request, const struct hoy_criu_options *options);

/**
 * The mounts that come from outside. For a dump the keys are paths of the configuration, as names
 * too, and of every masked path one with the name CRIU_MASK_NAME. There is room for one more.
 */
int criu_request_mounts(struct criu_request *request, struct arena *arena, const struct plan *plan,
			struct hoy_error *err);

/** Restore: the namespaces that CRIU joins by itself. */
int criu_request_joins(struct criu_request *request, struct arena *arena, const struct plan *plan,
		       struct hoy_error *err);

/** What a joined namespace is called in images, "extRootNetNS"; NULL where CRIU joins it itself. */
const char *criu_namespace_name(uint64_t type);

/** Splits "ADDRESS:PORT". */
int criu_request_page_server(struct criu_request *request, struct arena *arena, const char *text,
			     struct hoy_error *err);

/** CRIU's own configuration file for a container with these annotations, NULL = none. */
const char *criu_config_file(const struct plan_parameter *annotations, size_t len);

#endif
