/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory, the record and the cgroup of a container that comes to be, for create and restore.
 * Runs in the runtime. The record is written ahead of every side effect, and whatever fails
 * afterwards takes all of it back. Spec: runtime.md#create.
 */
#include "runtime/creation.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/json_write.h"
#include "cgroup/leaf.h"
#include "runtime/context.h"
#include "runtime/descriptors.h"
#include "runtime/destroy.h"
#include "runtime/host_mounts.h"
#include "runtime/resctrl.h"
#include "sys/cleanup.h"
#include "sys/error.h"
#include "sys/file.h"

void creation_begin(struct creation *creation, const struct hoy_context *context, const char *id,
		    const struct hoy_create_options *options)
{
	*creation = (struct creation){
		.context = context,
		.options = options,
		.id = id,
		.log = context_log(context),
		.input = INPUT_NONE,
		.root = -1,
		.dir = STATE_DIR_NONE,
		.cgroup = CGROUP_NONE,
		.leaf = -1,
		.resctrl = -1,
		.launch = LAUNCH_NONE,
		.handover = HANDOVER_NONE,
	};
}

/*
 * RFC 3339 with nanoseconds. The calendar is computed here, since gmtime(3) reads the time zone's
 * file first: counted from 1 March of year 0, leap days come last and months follow a formula.
 */
static void format_now(char *buffer, size_t size)
{
	const int64_t day_seconds = 86400, era_days = 146097;
	struct timespec now = { 0 };
	int64_t day, era, of_era, year, of_year, month, second;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	day = now.tv_sec / day_seconds + 719468; /* days from there to 1970 */
	second = now.tv_sec % day_seconds;
	era = day / era_days;
	of_era = day % era_days;
	year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = of_era - (365 * year + year / 4 - year / 100);
	month = (5 * of_year + 2) / 153;
	format_text(buffer, size, "%04lld-%02lld-%02lldT%02lld:%02lld:%02lld.%09ldZ",
		    (long long)(year + era * 400 + (month >= 10)),
		    (long long)(month < 10 ? month + 3 : month - 9),
		    (long long)(of_year - (153 * month + 2) / 5 + 1), (long long)(second / 3600),
		    (long long)(second / 60 % 60), (long long)(second % 60), now.tv_nsec);
}

/* ---- the record ---- */

static void fill_record(struct creation *creation)
{
	const struct plan *plan = creation->input.plan;
	struct state_record *record = &creation->record;

	format_now(creation->created, sizeof(creation->created));
	if (state_boot_id(creation->boot_id) < 0)
		creation->boot_id[0] = '\0';
	*record = (struct state_record){
		.phase = STATE_PHASE_CREATING,
		.id = plan->id,
		.bundle = plan->bundle,
		.rootfs = plan->root.path,
		.oci_version = plan->oci_version,
		.created = creation->created,
		.owner = creation->input.host.euid,
		.cgroup_manager = plan->cgroup.manager,
		.cgroup = "",
		.unit = plan->cgroup.unit ? plan->cgroup.unit : "",
		.boot_id = creation->boot_id,
		.private_pid_namespace = (plan->namespaces.create & CLONE_NEWPID) != 0,
		.namespaces = plan->namespaces.create | plan->namespaces.joined,
		.has_process = plan->process.present,
		.no_new_privileges = plan->process.no_new_privileges,
		.new_keyring = plan->process.keyring != NULL,
		.annotations = plan->annotations,
		.annotations_len = plan->annotations_len,
		.poststart = plan->hooks[PLAN_POSTSTART],
		.poststop = plan->hooks[PLAN_POSTSTOP],
		.late_writes = plan->cgroup.writes,
		.late_writes_len = plan->cgroup.has_late_writes ? plan->cgroup.writes_len : 0,
	};
}

/* The intended cgroup goes into the record before anything can be at that place. */
static int record_cgroup(struct creation *creation, struct hoy_error *err)
{
	const struct plan_cgroup *plan = &creation->input.plan->cgroup;
	char *path;

	if (!plan->path)
		return 0;
	path = arena_format(&creation->input.arena, "%s%s", plan->mount_point, plan->path);
	if (!path)
		return fail(err, ENOMEM, "record the cgroup");
	creation->record.cgroup = path;
	return 0;
}

/* Those of the caller that its process gets; a terminal of its own takes the first three. */
static int record_descriptors(struct creation *creation, struct hoy_error *err)
{
	const struct plan_process *process = &creation->input.plan->process;
	size_t len = 3 + (size_t)process->preserve_fds;
	const char **names = descriptors_names(&creation->input.arena, len);

	if (!names)
		return fail(err, ENOMEM, "record the descriptors");
	for (int fd = 0; fd < 3 && process->terminal; fd++)
		names[fd] = "";
	creation->record.descriptors = names;
	creation->record.descriptors_len = len;
	return 0;
}

static int save_config(const struct creation *creation, struct hoy_error *err)
{
	char place[4096];
	autojson struct json_writer writer = { .text = TEXT_IN(place) };
	const char *text;
	int r;

	json_write_node(&writer, NULL, creation->input.config->document);
	text = json_write_text(&writer);
	if (!text)
		return fail(err, ENOMEM, "copy the configuration");
	/* Nobody can see half of it: the directory has no name yet. */
	r = file_make(creation->dir.fd, "config.json", text, strlen(text), 0600);
	return r < 0 ? fail(err, r, "save the configuration") : 0;
}

/* Makes the container's directory, complete, and only then gives it its name. */
static int make_directory(struct creation *creation, struct hoy_error *err)
{
	if (state_dir_make(creation->root, creation->id, &creation->dir, err) < 0)
		return -1;
	fill_record(creation);
	if (record_cgroup(creation, err) < 0 || record_descriptors(creation, err) < 0 ||
	    host_mounts_record(creation->input.plan, &creation->input.arena, &creation->record,
			       err) < 0 ||
	    gate_make(&creation->dir, err) < 0 ||
	    (creation->options->notify && state_dir_make_notify(&creation->dir, err) < 0) ||
	    save_config(creation, err) < 0 ||
	    state_write(&creation->dir, &creation->record, err) < 0 ||
	    state_dir_publish(&creation->dir, creation->id, err) < 0)
		return -1;
	creation->published = true;
	return 0;
}

/* ---- preparation ---- */

static int check_root(struct creation *creation, struct hoy_error *err)
{
	const struct plan_root *root = &creation->input.plan->root;
	struct stat st;

	if (stat(root->path, &st) < 0)
		return fail_at(err, root->at, errno, "open %s", root->path);
	if (!S_ISDIR(st.st_mode))
		return fail_at(err, root->at, ENOTDIR, "open %s", root->path);
	creation->launch.fds.root_device = st.st_dev;
	creation->launch.fds.root_inode = st.st_ino;
	return 0;
}

static int make_cgroup(struct creation *creation, struct hoy_error *err)
{
	const struct plan_cgroup *plan = &creation->input.plan->cgroup;
	const struct cgroup_driver *driver = cgroup_driver_of(plan);

	if (!driver)
		return 0;
	if (driver->prepare(plan, &creation->cgroup, err) < 0) {
		/* It has left nothing: what stands at that place is a stranger's. */
		creation->record.cgroup = "";
		return -1;
	}
	creation->launch.cgroup = &creation->cgroup;
	creation->launch.fds.cgroup = creation->cgroup.fd;
	if (creation->cgroup.fd < 0 && !driver->adopt) {
		creation->record.cgroup = ""; /* optional, and not to be had */
		return state_write(&creation->dir, &creation->record, err);
	}
	creation->record.cgroup_inode = creation->cgroup.inode;
	creation->record.device_program = creation->cgroup.device_program;
	creation->record.cgroup_made_above = creation->cgroup.made_above;
	/* The whole record follows with init's pid; `delete` may have to kill an init before that.
	 */
	if (creation->cgroup.fd < 0)
		return 0;
	if (state_note_cgroup(&creation->dir, &creation->record, err) < 0)
		return -1;
	if (!plan->leaf)
		return 0;
	creation->leaf = leaf_make(&creation->cgroup, plan, 0, err);
	creation->launch.fds.cgroup = creation->leaf;
	return creation->leaf < 0 ? -1 : 0;
}

/* Early, so that a machine without it has nothing to take back. */
static int open_resctrl(struct creation *creation, struct hoy_error *err)
{
	if (!creation->input.plan->intel_rdt.group)
		return 0;
	creation->resctrl = resctrl_open(err);
	return creation->resctrl < 0 ? -1 : 0;
}

int creation_read(struct creation *creation, struct hoy_error *err)
{
	creation->root = state_root_open(creation->context, true, err);
	if (creation->root < 0)
		return -1;
	if (input_read(&creation->input, creation->context, creation->id, creation->options,
		       creation->root, err) < 0)
		return -1;
	creation->launch.plan = creation->input.plan;
	creation->launch.host = &creation->input.host;
	if (check_root(creation, err) < 0 || open_resctrl(creation, err) < 0)
		return -1;
	return leftovers_note(&creation->leftovers, creation->input.plan, &creation->input.arena,
			      err);
}

int creation_make(struct creation *creation, struct hoy_error *err)
{
	return make_directory(creation, err) < 0 || make_cgroup(creation, err) < 0 ? -1 : 0;
}

/* ---- while its process is set up ---- */

/* What is about to be made there is in the record before it is. */
static int enter_resctrl(struct creation *creation, struct hoy_error *err)
{
	const struct plan_intel_rdt *rdt = &creation->input.plan->intel_rdt;
	struct state_resctrl *resctrl = &creation->record.resctrl;
	bool exists;

	if (resctrl_look(creation->resctrl, rdt, &exists, err) < 0)
		return -1;
	resctrl->group = rdt->group;
	resctrl->made_group = !exists && rdt->is_own;
	resctrl->made_monitoring = rdt->monitoring;
	if (state_write(&creation->dir, &creation->record, err) < 0)
		return -1;
	resctrl->made_group = resctrl->made_monitoring = false;
	if (resctrl_make(creation->resctrl, rdt, creation->id, exists, resctrl, err) < 0)
		return -1;
	return resctrl_add(creation->resctrl, rdt->group, rdt->monitoring ? creation->id : NULL,
			   creation->launch.pid, err);
}

int creation_note_init(struct creation *creation, struct hoy_error *err)
{
	const struct launch *launch = &creation->launch;
	int r = state_set_init(&creation->record, launch->procfs, launch->pid, launch->pidfd);

	if (r < 0)
		return fail(err, r, "read init's start time");
	return creation->resctrl < 0 ? state_note_init(&creation->dir, &creation->record, err)
				     : enter_resctrl(creation, err);
}

int creation_complete(struct creation *creation, struct hoy_error *err)
{
	/* A driver that adopts knows the cgroup only now. */
	creation->record.cgroup_inode = creation->cgroup.inode;
	creation->record.device_program = creation->cgroup.device_program;
	if (creation->cgroup.fd >= 0)
		creation->record.cgroup = creation->cgroup.path;
	creation->record.phase = STATE_PHASE_CREATED;
	return state_write(&creation->dir, &creation->record, err);
}

/* ---- the end ---- */

/* A failed hook ends the life cycle like any other: with poststop (runtime.md#lifecycle). */
static bool is_hook_failure(const struct hoy_error *err)
{
	return strncmp(err->at, "hooks.", strlen("hooks.")) == 0;
}

void creation_take_back(struct creation *creation, const struct hoy_error *err)
{
	struct hoy_error second = { 0 };

	if (!creation->launch.hooks_ran && !is_hook_failure(err))
		creation->record.poststop.len = 0;
	launch_done(&creation->launch);
	if (creation->cgroup.fd >= 0) {
		creation->record.cgroup = creation->cgroup.path;
		creation->record.cgroup_inode = creation->cgroup.inode;
	}
	if (creation->input.plan)
		leftovers_remove(&creation->leftovers, creation->context, creation->input.plan);
	if (creation->published &&
	    destroy_container(&creation->dir, &creation->record, &creation->log, &second) < 0)
		log_event(&creation->log, HOY_LOG_WARNING, "clean up: %s", second.text);
	else if (!creation->published && creation->dir.fd >= 0)
		(void)state_dir_remove(&creation->dir, &second);
}

void creation_hand_out(struct creation *creation)
{
	const struct hoy_create_options *options = creation->options;

	netdevice_leave(&creation->launch.net_devices);
	if (options->ret_terminal)
		*options->ret_terminal = take_fd(&creation->launch.terminal);
	if (options->ret_pid)
		*options->ret_pid = creation->launch.pid;
	if (options->ret_pidfd)
		*options->ret_pidfd = take_fd(&creation->launch.pidfd);
	creation->launch.pid = 0; /* init is on its own now */
}

void creation_done(struct creation *creation)
{
	launch_done(&creation->launch);
	handover_done(&creation->handover);
	cgroup_done(&creation->cgroup);
	cleanup_close(&creation->leaf);
	cleanup_close(&creation->resctrl);
	state_dir_done(&creation->dir);
	cleanup_close(&creation->root);
	input_done(&creation->input);
}
