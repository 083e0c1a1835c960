/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hoy_delete (runtime.md#delete). Runs in the runtime. Reads no configuration. With force it works
 * from every state, also a damaged one, and reports success only if nothing remains.
 */
#include "runtime/context.h"
#include "runtime/destroy.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/process.h"

/* How long a command may take to notice that its container was killed under it. */
#define BROKEN_LOCK_MS 5000

/** Kills what another command is making or changing, so that this command ends. */
static int kill_under_lock(const struct container *container, struct hoy_error *err)
{
	struct arena arena = { 0 };
	struct cgroup cgroup = CGROUP_NONE;
	struct state_record *record;
	autoclose int pidfd = -1;
	int r = state_read(&container->dir, &arena, &record, err);

	if (r == 0)
		r = container_open_cgroup(record, &cgroup, err);
	if (r == 0)
		r = state_find_init(record, &pidfd, err) < 0 ? -1 : 0;
	if (r == 0 && cgroup.fd >= 0)
		(void)cgroup_kill(&cgroup);
	if (pidfd >= 0)
		(void)process_signal(pidfd, SIGKILL);
	cgroup_done(&cgroup);
	arena_done(&arena);
	return r;
}

static int lock(struct container *container, const char *id, bool force, struct hoy_error *err)
{
	int r = state_dir_lock(&container->dir, id, clock_ms() + CONTAINER_LOCK_MS, err);

	if (r != -EBUSY || !force)
		return r;
	if (kill_under_lock(container, err) < 0)
		return -1;
	r = state_dir_lock(&container->dir, id, clock_ms() + BROKEN_LOCK_MS, err);
	if (r == -EBUSY)
		fail_in(err, "the processes were killed, but the rest remains");
	return r;
}

static int check_status(const struct hoy_context *context, const struct container *container,
			struct hoy_error *err)
{
	enum hoy_status status;

	if (container->record->phase == STATE_PHASE_DELETED)
		return 0;
	if (container_status(container, &status, NULL, err) < 0)
		return -1;
	/* The specification's letter refuses a created one; engines need it (see hoy-delete(8)). */
	if (status == HOY_STOPPED || (status == HOY_CREATED && !context->strict))
		return 0;
	fail(err, 0, "cannot delete container %s that is not stopped: it is %s",
	     container->record->id, hoy_status_name(status));
	return fail_hint(err, "hoy delete --force %s kills it first", container->record->id);
}

/** Deletes a container by what remains readable of its state. */
static int delete_damaged(struct container *container, const struct log *log, struct hoy_error *err)
{
	const struct hoy_error cause = *err;
	bool has_mounts = false;
	int r = state_salvage(&container->dir, &container->arena, &container->record, &has_mounts);

	/* A container that a killed create left has its state.json: this one was tampered with. */
	if (r < 0 || (container->record->cgroup_inode == 0 && container->record->pid == 0)) {
		fail(err, cause.code, "cannot tell what remains of it: %s", cause.text);
		return fail_hint(err,
				 "if none of its processes is left, remove %s from the state root",
				 container->dir.name);
	}
	if (destroy_resources(container->record, log, err) < 0)
		return -1;
	if (has_mounts)
		return fail(err, cause.code, "its mounts in this mount namespace remain: %s",
			    cause.text);
	log_event_at(log, HOY_LOG_WARNING, "", cause.code,
		     "its poststop hooks, if it has any, are not run: %s", cause.text);
	return state_dir_remove(&container->dir, err);
}

static int delete_locked(const struct hoy_context *context, struct container *container, bool force,
			 struct hoy_error *err)
{
	const struct log log = context_log(context);

	if (state_read(&container->dir, &container->arena, &container->record, err) < 0 ||
	    state_compare_copies(&container->dir, container->record, err) < 0)
		return force && state_is_damage(err) ? delete_damaged(container, &log, err) : -1;
	if (!force && check_status(context, container, err) < 0)
		return -1;
	return destroy_container(&container->dir, container->record, &log, err);
}

static int open_and_delete(const struct hoy_context *context, const char *id, bool force,
			   struct hoy_error *err)
{
	struct container container = CONTAINER_NONE;
	int r;

	if (state_check_id(id, err) < 0)
		return -1;
	container.root = state_root_open(context, false, err);
	if (container.root < 0) {
		r = container.root;
		if (r == -ENOENT)
			fail(err, 0, "container %s does not exist", id);
		container.root = -1;
		return r;
	}
	if (force)
		state_dir_sweep(container.root, id);
	r = state_dir_open(container.root, id, &container.dir, err);
	if (r == 0)
		r = lock(&container, id, force, err);
	if (r == 0)
		r = delete_locked(context, &container, force, err);
	container_done(&container);
	return r;
}

int hoy_delete(const struct hoy_context *context, const char *id, bool force, struct hoy_error *err)
{
	int r = open_and_delete(context, id, force, err);

	/* Forced, it is as if it had been deleted before. */
	if (r == -ENOENT && force)
		return 0;
	return r < 0 ? -1 : 0;
}
