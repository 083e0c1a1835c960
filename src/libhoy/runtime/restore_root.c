/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRIU mounts the container's root itself, but wants it to be a mount whose parent it can see, with
 * all mount points in it. That is made in a mount namespace which belongs to a thread of its own:
 * the caller's mounts are not touched, nothing remains whatever ends us, and what libcriu forks is
 * still the caller's child. Runs in the runtime.
 */
#include "runtime/restore_root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "base/arena.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/path.h"

/** What the thread is given, and what it has found. */
struct view {
	const struct plan *plan;
	/** A directory that is covered, and the one in it where the root goes. */
	const char *stage;
	char place[PATH_MAX];
	const struct criu_request *request;
	struct hoy_error *err;
	/** Binds that are attached while mount points below them are made, -1 = none. */
	int *binds;
	int result;
};

static int attach(int tree, int target)
{
	return move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

/* Somewhere to put things that only this mount namespace has. */
static int mount_stage(const struct view *view, struct hoy_error *err)
{
	autoclose int stage = -1;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return fail(err, errno, "make a mount namespace");
	/* Of the thread alone, as its root and working directory are. */
	(void)umask(0);
	if (mount("none", view->stage, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755") < 0)
		return fail(err, errno, "mount a tmpfs on %s", view->stage);
	stage = open(view->stage, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (stage < 0 || mkdirat(stage, RESTORE_ROOT, 0755) < 0 ||
	    mkdirat(stage, RESTORE_NOTIFY, 0755) < 0)
		return fail(err, errno, "make directories in %s", view->stage);
	return 0;
}

static int mount_root(const struct view *view, struct hoy_error *err)
{
	const struct plan_root *root = &view->plan->root;
	autoclose int tree = -1, place = open(view->place, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (place < 0)
		return fail(err, errno, "open %s", view->place);
	tree = open_tree(AT_FDCWD, root->path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (tree < 0 || attach(tree, place) < 0)
		return fail_at(err, root->at, errno, "mount %s for CRIU", root->path);
	return 0;
}

static bool is_below(const char *path, const char *directory)
{
	size_t len = strlen(directory);

	return strncmp(path, directory, len) == 0 && (path[len] == '/' || directory[1] == '\0');
}

/* CRIU fills these by itself, mount points and all. */
static bool is_in_new_mount(const struct plan *plan, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (plan->mounts[i].kind == PLAN_MOUNT_NEW &&
		    is_below(plan->mounts[index].destination, plan->mounts[i].destination))
			return true;
	return false;
}

static bool has_mounts_below(const struct plan *plan, size_t index)
{
	for (size_t i = index + 1; i < plan->mounts_len; i++)
		if (is_below(plan->mounts[i].destination, plan->mounts[index].destination))
			return true;
	return false;
}

static int make_target(struct view *view, int root, size_t index, struct hoy_error *err)
{
	const struct plan_mount *mount = &view->plan->mounts[index];
	const bool is_bind = mount->kind == PLAN_MOUNT_BIND;
	autoclose int target = path_make_target(root, mount->destination,
						!is_bind || mount->source_is_directory);
	int tree;

	if (target < 0)
		return fail_at(err, mount->at, target, "make the mount point %s",
			       mount->destination);
	if (!is_bind || !has_mounts_below(view->plan, index))
		return 0;
	tree = open_tree(AT_FDCWD, mount->source,
			 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
				 (mount->recursive ? AT_RECURSIVE : 0));
	view->binds[index] = tree;
	if (tree < 0 || attach(tree, target) < 0)
		return fail_at(err, mount->at, errno, "bind %s", mount->source);
	return 0;
}

/* The binds were there for their mount points only: CRIU makes them anew. */
static void detach_binds(const struct view *view)
{
	for (size_t i = view->plan->mounts_len; i > 0; i--) {
		char link[48];

		if (view->binds[i - 1] < 0)
			continue;
		format_text(link, sizeof(link), "/proc/self/fd/%d", view->binds[i - 1]);
		(void)umount2(link, MNT_DETACH);
		cleanup_close(&view->binds[i - 1]);
	}
}

static int make_targets(struct view *view, struct hoy_error *err)
{
	const struct plan *plan = view->plan;
	autoclose int root = open(view->place, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (root < 0)
		return fail(err, errno, "open %s", view->place);
	for (size_t i = 0; r == 0 && i < plan->mounts_len; i++) {
		const enum plan_mount_kind kind = plan->mounts[i].kind;

		if (kind != PLAN_MOUNT_REMOUNT && kind != PLAN_MOUNT_LINK &&
		    !is_in_new_mount(plan, i))
			r = make_target(view, root, i, err);
	}
	detach_binds(view);
	return r;
}

/* CRIU mounts in the directory of its logs, which must be one of this mount namespace then. */
static int reopen(int fd, struct hoy_error *err)
{
	char path[PATH_MAX] = "";
	autoclose int opened = -1;

	(void)fd_path(fd, path, sizeof(path));
	opened = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (opened < 0 || !fd_same_inode(opened, fd))
		return fail(err, opened < 0 ? errno : ESTALE, "open %s again", path);
	return take_fd(&opened);
}

static int run_criu(const struct view *view, struct hoy_error *err)
{
	struct criu_request request = *view->request;
	autoclose int images = reopen(request.images, err), work = -1;

	if (images < 0)
		return -1;
	if (request.work > 0) {
		work = reopen(request.work, err);
		if (work < 0)
			return -1;
	}
	request.images = images;
	request.work = work;
	request.root = view->place;
	return criu_run(&request, err);
}

/* CRIU takes the root as it finds it, whatever it was when it was dumped. */
static int set_readonly(const struct view *view, struct hoy_error *err)
{
	const struct plan_root *root = &view->plan->root;
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	if (root->readonly && mount_setattr(AT_FDCWD, view->place, 0, &attr, sizeof(attr)) < 0)
		return fail_at(err, root->at, errno, "make %s read-only", root->path);
	return 0;
}

static void *run(void *data)
{
	struct view *view = data;

	if (mount_stage(view, view->err) == 0 && mount_root(view, view->err) == 0 &&
	    make_targets(view, view->err) == 0 && set_readonly(view, view->err) == 0)
		view->result = run_criu(view, view->err);
	return NULL;
}

int restore_in_root(const struct plan *plan, const char *stage, const struct criu_request *request,
		    struct hoy_error *err)
{
	struct arena arena = { 0 };
	struct view view = {
		.plan = plan,
		.stage = stage,
		.request = request,
		.err = err,
		.binds = arena_array(&arena, int, plan->mounts_len + 1),
		.result = -1,
	};
	pthread_t thread;
	int r;

	if (!view.binds)
		return fail(err, ENOMEM, "prepare the root for CRIU");
	format_text(view.place, sizeof(view.place), "%s/" RESTORE_ROOT, stage);
	for (size_t i = 0; i < plan->mounts_len; i++)
		view.binds[i] = -1;
	r = pthread_create(&thread, NULL, run, &view);
	if (r == 0)
		(void)pthread_join(thread, NULL);
	arena_done(&arena);
	return r != 0 ? fail(err, r, "make a thread") : view.result;
}
