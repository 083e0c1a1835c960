/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How an operation finds its container: the state root, the directory, the lock, the record, and
 * what the kernel says about it. Runs in the runtime, in libhoy's caller, of which it must not
 * change anything.
 */
#include "runtime/context.h"

#include "sys/cleanup.h"
#include "sys/error.h"
#include "sys/fd.h"

struct log context_log(const struct hoy_context *context)
{
	return (struct log){
		.function = context->log,
		.data = context->log_data,
		.level = context->log_level,
	};
}

static int open_directory(const struct hoy_context *context, const char *id, bool lock,
			  struct container *container, struct hoy_error *err)
{
	int r;

	if (state_check_id(id, err) < 0)
		return -1;
	container->root = state_root_open(context, false, err);
	if (container->root < 0) {
		r = container->root;
		container->root = -1;
		/* Without a state root there is no container of any name. */
		if (r == -ENOENT)
			fail(err, 0, "container %s does not exist", id);
		return r;
	}
	r = state_dir_open(container->root, id, &container->dir, err);
	if (r < 0 || !lock)
		return r;
	return state_dir_lock(&container->dir, id, clock_ms() + CONTAINER_LOCK_MS, err);
}

static int open_container(const struct hoy_context *context, const char *id, bool lock,
			  struct container *ret_container, struct hoy_error *err)
{
	struct container container = CONTAINER_NONE;
	int r = open_directory(context, id, lock, &container, err);

	if (r >= 0)
		r = state_read(&container.dir, &container.arena, &container.record, err);
	if (r >= 0 ? container.record->phase == STATE_PHASE_DELETED
		   : container.dir.fd >= 0 && state_dir_is_gone(&container.dir)) {
		fail(err, 0, "container %s does not exist", id);
		r = -ENOENT;
	}
	if (r < 0) {
		container_done(&container);
		return r;
	}
	*ret_container = container;
	return 0;
}

int container_open(const struct hoy_context *context, const char *id,
		   struct container *ret_container, struct hoy_error *err)
{
	return open_container(context, id, false, ret_container, err);
}

int container_open_locked(const struct hoy_context *context, const char *id,
			  struct container *ret_container, struct hoy_error *err)
{
	return open_container(context, id, true, ret_container, err);
}

void container_done(struct container *container)
{
	state_dir_done(&container->dir);
	cleanup_close(&container->root);
	arena_done(&container->arena);
	*container = CONTAINER_NONE;
}

int container_open_cgroup(const struct state_record *record, struct cgroup *ret_cgroup,
			  struct hoy_error *err)
{
	struct cgroup cgroup = CGROUP_NONE;
	int r = 0;

	/* A cgroup does not outlive its boot; its inode number is given away again by the next. */
	if (record->cgroup[0] != '\0' && record->cgroup_inode != 0 && state_is_of_this_boot(record))
		r = cgroup_open_recorded(record->cgroup, record->cgroup_inode, &cgroup);
	if (r == -ENOTSUP) {
		fail(err, 0, "no cgroup2 tree is mounted where cgroup %s was made", record->cgroup);
		return fail_hint(err, "run the command in the mount namespace that create ran in");
	}
	if (r < 0)
		return fail(err, r, "open cgroup %s", record->cgroup);
	*ret_cgroup = cgroup;
	return 0;
}

int container_status(const struct container *container, enum hoy_status *ret_status, int *ret_pidfd,
		     struct hoy_error *err)
{
	struct cgroup cgroup;
	enum hoy_status status;

	if (state_status(&container->dir, container->record, &status, ret_pidfd, err) < 0)
		return -1;
	if ((status == HOY_CREATED || status == HOY_RUNNING) &&
	    container_open_cgroup(container->record, &cgroup, err) == 0) {
		if (cgroup.fd >= 0 && cgroup_is_frozen(&cgroup) == 1)
			status = HOY_PAUSED;
		cgroup_done(&cgroup);
	}
	*ret_status = status;
	return 0;
}
