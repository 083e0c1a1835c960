/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint: has CRIU write the processes of a container to images. Runs in the runtime, under the
 * container's lock. What reaches out of the container comes from the plan of the configuration that
 * create has saved, and from the descriptors in the record. Everything inside is hostile: its paths
 * are only looked at, below its root.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>

#include <hoy/container.h>

#include "runtime/context.h"
#include "runtime/criu_request.h"
#include "runtime/descriptors.h"
#include "runtime/input.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/path.h"
#include "sys/process.h"

#define LOG "dump.log"
/* CRIU has killed them by then; their memory may take a while to go. */
#define END_MS 30000

/** Everything that one checkpoint has in its hands. */
struct dump {
	const struct hoy_checkpoint_options *options;
	struct container container;
	struct input input;
	struct cgroup cgroup;
	/** /proc/PID of init. */
	int proc;
	int pidfd, images, work;
	struct criu_request request;
};

static int check_status(struct dump *dump, struct hoy_error *err)
{
	const char *id = dump->container.record->id;
	enum hoy_status status;

	if (container_status(&dump->container, &status, &dump->pidfd, err) < 0)
		return -1;
	if (status == HOY_RUNNING || status == HOY_PAUSED)
		return 0;
	fail(err, 0, "container not running: %s is %s", id, hoy_status_name(status));
	return status == HOY_CREATED ? fail_hint(err, "start it first") : -1;
}

/* The process is the one that the pidfd stands for as long as that has not ended. */
static int open_init(struct dump *dump, struct hoy_error *err)
{
	char path[32];

	format_text(path, sizeof(path), "/proc/%d", (int)dump->container.record->pid);
	dump->proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dump->proc < 0)
		return fail(err, errno, "open %s", path);
	if (fd_wait(dump->pidfd, POLLIN, 0) != 0)
		return fail(err, 0, "container not running: its process has just ended");
	return 0;
}

/* ---- mounts ---- */

/*
 * CRIU compares mount points, which symlinks of the image may have led elsewhere than the
 * configuration says.
 * @returns the mount point, "" if there is none, or NULL without memory
 */
static const char *find_mount_point(struct arena *arena, int root, const struct criu_mount *mount)
{
	autoclose int fd = path_open(root, mount->key, O_PATH);
	char path[PATH_MAX];
	struct stat st;

	/* Only files are covered by the host's /dev/null; over directories is a tmpfs of its own.
	 */
	if (fd < 0 || fstat(fd, &st) < 0 ||
	    (strcmp(mount->value, CRIU_MASK_NAME) == 0 && !S_ISCHR(st.st_mode)))
		return "";
	if (fd_path(fd, path, sizeof(path)) < 0 || path[0] != '/')
		return "";
	return arena_strdup(arena, path);
}

static int find_mounts(struct dump *dump, struct hoy_error *err)
{
	struct criu_request *request = &dump->request;
	autoclose int root = openat(dump->proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	size_t len = 0;

	if (root < 0)
		return fail(err, errno, "open the root of the container");
	if (criu_request_mounts(request, &dump->input.arena, dump->input.plan, err) < 0)
		return -1;
	for (size_t i = 0; i < request->mounts_len; i++) {
		const char *point = find_mount_point(&dump->input.arena, root, &request->mounts[i]);

		if (!point)
			return fail(err, ENOMEM, "list the mounts for CRIU");
		if (!point[0])
			continue;
		request->mounts[len] = request->mounts[i];
		request->mounts[len++].key = point;
	}
	request->mounts_len = len;
	return 0;
}

/* ---- what else is found again on the outside ---- */

static int add_external(struct criu_request *request, const char *text, struct hoy_error *err)
{
	if (!text)
		return fail(err, ENOMEM, "list for CRIU what is outside");
	request->externals[request->externals_len++] = text;
	return 0;
}

static int add_namespace(struct dump *dump, const struct plan_join *join, struct hoy_error *err)
{
	const char *kind = join->type == CLONE_NEWNET ? "net" : "pid";
	const char *name = criu_namespace_name(join->type);
	char path[16];
	struct stat st;

	if (!name)
		return 0;
	format_text(path, sizeof(path), "ns/%s", kind);
	if (fstatat(dump->proc, path, &st, 0) < 0)
		return fail_at(err, join->at, errno, "look at the %s namespace", kind);
	return add_external(&dump->request,
			    arena_format(&dump->input.arena, "%s[%llu]:%s", kind,
					 (unsigned long long)st.st_ino, name),
			    err);
}

static int find_externals(struct dump *dump, struct hoy_error *err)
{
	const struct plan_namespaces *namespaces = &dump->input.plan->namespaces;
	const struct state_record *record = dump->container.record;
	struct criu_request *request = &dump->request;

	request->externals = arena_array(&dump->input.arena, const char *,
					 namespaces->joins_len + record->descriptors_len + 1);
	if (!request->externals)
		return fail(err, ENOMEM, "list for CRIU what is outside");
	for (size_t i = 0; i < namespaces->joins_len; i++)
		if (add_namespace(dump, &namespaces->joins[i], err) < 0)
			return -1;
	for (size_t i = 0; i < record->descriptors_len; i++)
		if (descriptors_is_external(record->descriptors[i]) &&
		    add_external(request, record->descriptors[i], err) < 0)
			return -1;
	return descriptors_write(dump->images, record->descriptors, record->descriptors_len, err);
}

/* ---- the dump ---- */

/* CRIU's own words for a path that is not there are hard to understand. */
static int check_parent(struct dump *dump, struct hoy_error *err)
{
	const char *path = dump->options->parent_path;
	struct stat st;

	if (!path)
		return 0;
	if (path[0] == '/')
		return fail(err, EINVAL, "--parent-path %s: must be relative to the images", path);
	if (fstatat(dump->images, path, &st, 0) < 0 || !S_ISDIR(st.st_mode))
		return fail(err, ENOENT, "--parent-path %s: look for it from the images", path);
	return 0;
}

static int compose(struct dump *dump, struct hoy_error *err)
{
	const struct hoy_checkpoint_options *options = dump->options;
	const struct state_record *record = dump->container.record;
	struct criu_request *request = &dump->request;

	request->action = options->pre_dump ? CRIU_PRE_DUMP : CRIU_DUMP;
	request->pid = record->pid;
	request->images = dump->images;
	request->work = dump->work;
	request->log = LOG;
	request->root = record->rootfs;
	request->parent = options->parent_path;
	request->track_memory = options->pre_dump || options->parent_path;
	request->config_file = criu_config_file(record->annotations, record->annotations_len);
	request->freeze_cgroup = dump->cgroup.fd >= 0 ? dump->cgroup.path : NULL;
	request->leave_running = options->leave_running;
	request->tcp_skip_in_flight = options->tcp_skip_in_flight;
	request->orphan_terminal = true;
	criu_request_options(request, &options->criu);
	if (dump->cgroup.fd < 0)
		request->cgroup_mode = CRIU_CGROUPS_IGNORE;
	if (criu_request_page_server(request, &dump->input.arena, options->page_server, err) < 0)
		return -1;
	return find_mounts(dump, err) < 0 || find_externals(dump, err) < 0 ? -1 : 0;
}

/* The state follows from the process, which CRIU has killed: not before it has gone. */
static int record_end(struct dump *dump, struct hoy_error *err)
{
	struct state_record *record = dump->container.record;
	int r = process_wait_end(dump->pidfd, clock_ms() + END_MS);

	if (r <= 0)
		return fail(err, r < 0 ? r : ETIMEDOUT,
			    "the images are complete, but process %d does not end",
			    (int)record->pid);
	record->phase = STATE_PHASE_CHECKPOINTED;
	return state_write(&dump->container.dir, record, err);
}

static int checkpoint(struct dump *dump, const struct hoy_context *context, struct hoy_error *err)
{
	const struct hoy_checkpoint_options *options = dump->options;
	const struct state_record *record = dump->container.record;

	if (check_status(dump, err) < 0 || open_init(dump, err) < 0 ||
	    container_open_cgroup(record, &dump->cgroup, err) < 0)
		return -1;
	if (input_plan_saved(&dump->input, context, record, dump->container.dir.fd, err) < 0 ||
	    criu_request_check(dump->input.plan, err) < 0 ||
	    criu_open_directories(&options->criu, true, &dump->images, &dump->work, err) < 0 ||
	    check_parent(dump, err) < 0 || compose(dump, err) < 0 ||
	    criu_run(&dump->request, err) < 0)
		return -1;
	return options->leave_running || options->pre_dump ? 0 : record_end(dump, err);
}

int hoy_checkpoint(const struct hoy_context *context, const char *id,
		   const struct hoy_checkpoint_options *options, struct hoy_error *err)
{
	struct dump dump = {
		.options = options,
		.input = INPUT_NONE,
		.cgroup = CGROUP_NONE,
		.proc = -1,
		.pidfd = -1,
		.images = -1,
		.work = -1,
	};
	int r = container_open_locked(context, id, &dump.container, err);

	if (r < 0)
		return -1;
	r = checkpoint(&dump, context, err);
	cgroup_done(&dump.cgroup);
	cleanup_close(&dump.proc);
	cleanup_close(&dump.pidfd);
	cleanup_close(&dump.images);
	cleanup_close(&dump.work);
	input_done(&dump.input);
	container_done(&dump.container);
	return r;
}

int hoy_checkpoint_check(struct hoy_error *err)
{
	return criu_check(err);
}
