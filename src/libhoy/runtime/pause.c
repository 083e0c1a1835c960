/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hoy_pause and hoy_resume: the cgroup's freezer. Runs in the runtime, under the container's lock.
 * A freeze that does not complete in time is undone: half a container must not stand still.
 */
#include "runtime/context.h"
#include "sys/cleanup.h"
#include "sys/error.h"
#include "sys/fd.h"

#define FREEZE_MS 10000

static int check_status(const struct container *container, bool frozen, struct hoy_error *err)
{
	const char *id = container->record->id;
	enum hoy_status status;

	if (container_status(container, &status, NULL, err) < 0)
		return -1;
	if (frozen && status == HOY_PAUSED)
		return fail(err, 0, "container %s is already paused", id);
	if (frozen && status != HOY_RUNNING && status != HOY_CREATED)
		return fail(err, 0, "container not running: %s is %s", id, hoy_status_name(status));
	if (!frozen && status != HOY_PAUSED)
		return fail(err, 0, "container not paused: %s is %s", id, hoy_status_name(status));
	return 0;
}

static int freeze(const struct container *container, bool frozen, struct hoy_error *err)
{
	struct cgroup cgroup;
	int r;

	if (check_status(container, frozen, err) < 0 ||
	    container_open_cgroup(container->record, &cgroup, err) < 0)
		return -1;
	if (cgroup.fd < 0)
		return fail(err, 0, "container %s has no cgroup that could be frozen",
			    container->record->id);
	r = cgroup_freeze(&cgroup, frozen, clock_ms() + FREEZE_MS);
	cgroup_done(&cgroup);
	return r < 0 ? fail(err, r, "%s cgroup %s", frozen ? "freeze" : "thaw",
			    container->record->cgroup)
		     : 0;
}

static int open_and_freeze(const struct hoy_context *context, const char *id, bool frozen,
			   struct hoy_error *err)
{
	struct container container;
	int r;

	if (container_open_locked(context, id, &container, err) < 0)
		return -1;
	r = freeze(&container, frozen, err);
	container_done(&container);
	return r;
}

int hoy_pause(const struct hoy_context *context, const char *id, struct hoy_error *err)
{
	return open_and_freeze(context, id, true, err);
}

int hoy_resume(const struct hoy_context *context, const char *id, struct hoy_error *err)
{
	return open_and_freeze(context, id, false, err);
}
