/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mounts of the configuration, in their order. Runs in init. Each is made detached (fsopen or
 * open_tree), given its final attributes, and only then moved onto a target that was opened below
 * the root: no path of the container is ever given to the kernel as a string.
 * Spec: config.md#mounts.
 */
#include "init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/path.h"

/* fsconfig(2) takes values of at most this length. */
#define PARAMETER_MAX 255

/* @returns a detached clone of a bind source, or of what bootstrap has staged in its place */
static int clone_source(const struct init *init, size_t index, struct hoy_error *err)
{
	const struct plan_mount *mount = &init->plan->mounts[index];
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
	const char *path = mount->source;
	char staged[PATH_MAX];
	int fd;

	if (init->plan->staged && mount->uid_maps_len) {
		staging_path(init->fds, index, staged, sizeof(staged));
		path = staged;
	}
	if (mount->recursive)
		flags |= AT_RECURSIVE;
	if (mount->source_nofollow)
		flags |= AT_SYMLINK_NOFOLLOW;
	fd = open_tree(AT_FDCWD, path, flags);
	if (fd < 0 && errno == ENOENT && mount->fallback_source)
		fd = open_tree(AT_FDCWD, mount->fallback_source, flags);
	return fd >= 0 ? fd : fail_at(err, mount->at, errno, "bind %s", mount->source);
}

/*
 * Bind sources are cloned before the ids change and before any other mount, from the container's
 * own copy of the host's mounts: that keeps the host's flags locked and the host out of reach
 * (trap 1). Runs in: init. After: step_propagation. Before: step_become_root.
 */
static int clone_sources(struct init *init, bool shared, struct hoy_error *err)
{
	const struct plan *plan = init->plan;

	for (size_t i = 0; i < plan->mounts_len; i++) {
		const struct plan_mount *mount = &plan->mounts[i];
		int *source;

		if (mount->source_index < 0 || mount->kind != PLAN_MOUNT_BIND ||
		    mount->shared_with_host != shared)
			continue;
		source = &init->fds->sources[mount->source_index];
		*source = clone_source(init, i, err);
		if (*source < 0)
			return -1;
		if (!plan->staged && attributes_idmap(init->fds, plan, i, *source, err) < 0)
			return -1;
	}
	return 0;
}

/* Before: step_propagation, which ends every relation to the host's mounts. */
int step_shared_sources(struct init *init, struct hoy_error *err)
{
	return clone_sources(init, true, err);
}

int step_sources(struct init *init, struct hoy_error *err)
{
	return clone_sources(init, false, err);
}

/* ---- new file systems ---- */

/* What the file system itself says about the failure, "" if nothing. */
static void read_fs_log(int fs, char *text, size_t size)
{
	ssize_t len = read(fs, text, size - 1);

	text[len > 0 ? len : 0] = '\0';
	/* "e name: message": the severity and the line feed are of no use to the reader. */
	for (char *c = text; *c; c++)
		if (*c == '\n')
			*c = '\0';
	if (text[0] && text[1] == ' ')
		memmove(text, text + 2, strlen(text + 2) + 1);
}

static int fail_fs(int fs, const struct plan_mount *mount, const char *what, const char *key,
		   struct hoy_error *err)
{
	int code = errno;
	char log[256];

	read_fs_log(fs, log, sizeof(log));
	return fail_at(err, mount->at, code, "%s %s%s for %s%s%s", mount->fstype, what, key,
		       mount->destination, log[0] ? ": " : "", log);
}

static bool has_long_parameter(const struct plan_mount *mount)
{
	for (size_t i = 0; i < mount->parameters_len; i++)
		if (mount->parameters[i].value &&
		    strlen(mount->parameters[i].value) > PARAMETER_MAX)
			return true;
	return mount->source && strlen(mount->source) > PARAMETER_MAX;
}

static int set_parameters(int fs, const struct plan_mount *mount, const char *mode,
			  struct hoy_error *err)
{
	if (mount->source && fsconfig(fs, FSCONFIG_SET_STRING, "source", mount->source, 0) < 0)
		return fail_fs(fs, mount, "source ", mount->source, err);
	for (size_t i = 0; i < mount->parameters_len; i++) {
		const struct plan_parameter *parameter = &mount->parameters[i];
		unsigned int command = parameter->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;

		if (fsconfig(fs, command, parameter->key, parameter->value, 0) < 0)
			return fail_fs(fs, mount, "option ", parameter->key, err);
	}
	if (mode && fsconfig(fs, FSCONFIG_SET_STRING, "mode", mode, 0) < 0)
		return fail_fs(fs, mount, "option ", "mode", err);
	return 0;
}

/* @returns a detached mount; with *ret_refused the kernel wants no new instance here */
static int make_new(const struct plan_mount *mount, const char *mode, bool *ret_refused,
		    struct hoy_error *err)
{
	uint64_t attributes = mount->attributes.set;
	autoclose int fs = -1;
	int fd;

	if (mount->readonly_late)
		attributes &= ~(uint64_t)MOUNT_ATTR_RDONLY;
	fs = fsopen(mount->fstype, FSOPEN_CLOEXEC);
	if (fs < 0) {
		*ret_refused = errno == EPERM;
		fail_at(err, mount->at, errno, "file system type %s", mount->fstype);
		return errno == ENODEV ? fail_hint(err,
						   "this kernel has no file system '%s', or "
						   "its module is not loaded",
						   mount->fstype)
				       : -1;
	}
	if (set_parameters(fs, mount, mode, err) < 0)
		return -1;
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		*ret_refused = errno == EPERM || errno == EBUSY;
		return fail_fs(fs, mount, "mount", "", err);
	}
	fd = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned int)attributes);
	if (fd < 0) {
		*ret_refused = errno == EPERM || errno == EBUSY;
		return fail_fs(fs, mount, "mount", "", err);
	}
	return fd;
}

/*
 * In a running container: paths among the options are the host's, as they are for create. A tmpfs
 * has none, and may take its mode from what it covers. After: the ids change. Before: the
 * container's mounts are joined.
 */
int step_new_mounts(struct init *init, struct hoy_error *err)
{
	for (size_t i = 0; i < init->plan->mounts_len; i++) {
		const struct plan_mount *mount = &init->plan->mounts[i];
		bool unused;

		if (mount->kind != PLAN_MOUNT_NEW || mount->inherit_mode)
			continue;
		init->fds->mounts[i] = make_new(mount, NULL, &unused, err);
		if (init->fds->mounts[i] < 0)
			return -1;
	}
	return 0;
}

/* Read-only is meant for all of it: with a new instance nothing would be mounted in it. */
static int bind_fallback(const struct plan_mount *mount, struct hoy_error *err)
{
	struct mount_attr attr = { .attr_set = mount->attributes.set & MOUNT_ATTR_RDONLY };
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
	autoclose int fd = -1;

	if (mount->fallback_recursive)
		flags |= AT_RECURSIVE;
	fd = open_tree(AT_FDCWD, mount->fallback_source, flags);
	if (fd < 0)
		return fail_at(err, mount->at, errno, "bind %s in place of a new %s",
			       mount->fallback_source, mount->fstype);
	if (mount->fallback_recursive && attr.attr_set &&
	    mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return fail_at(err, mount->at, errno, "make what is mounted in %s read-only",
			       mount->fallback_source);
	return take_fd(&fd);
}

/*
 * mount(2), for values that fsconfig(2) cannot take. The target is named through the verified
 * procfs and our own descriptor, never by a path of the container.
 */
static int mount_classic(struct init *init, const struct plan_mount *wanted, int target,
			 struct hoy_error *err)
{
	char link[48];
	int here, procfs, r;

	procfs = procfs_open(init, ".", O_PATH | O_DIRECTORY, err);
	if (procfs < 0)
		return fail_in(err, "mount with long options");
	here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	format_text(link, sizeof(link), "%d/fd/%d", (int)init->procfs_pid, target);
	r = here < 0 ? -1 : fchdir(procfs);
	if (r == 0)
		r = mount(wanted->source ? wanted->source : wanted->fstype, link, wanted->fstype, 0,
			  wanted->data);
	if (r < 0)
		fail_at(err, wanted->at, errno, "mount %s on %s", wanted->fstype,
			wanted->destination);
	(void)close(procfs);
	if (here >= 0 && (fchdir(here) < 0 || close(here) < 0) && r == 0)
		r = fail(err, errno, "return to the working directory");
	return r;
}

/* ---- targets ---- */

/* Attributes of the covered directory, for tmpfs without mode= (an existing one keeps its mode). */
static void covered_mode(int target, bool made, char *mode, size_t size)
{
	struct stat st;

	if (made || fstat(target, &st) < 0)
		format_text(mode, size, "1777");
	else
		format_text(mode, size, "%o", (unsigned int)st.st_mode & 07777);
}

static int open_target(const struct init *init, const struct plan_mount *mount, bool *ret_made,
		       struct hoy_error *err)
{
	bool directory = mount->kind != PLAN_MOUNT_BIND || mount->source_is_directory;
	uint64_t flags = O_PATH | (mount->destination_nofollow ? O_NOFOLLOW : 0);
	int fd;

	*ret_made = false;
	if (mount->no_symlinks)
		fd = path_open_strict(init->root, mount->destination, flags | O_DIRECTORY);
	else
		fd = path_open(init->root, mount->destination, flags);
	if (fd == -ENOENT && mount->kind != PLAN_MOUNT_REMOUNT) {
		*ret_made = true;
		fd = path_make_target(init->root, mount->destination, directory);
		/* Making follows links below the root, so what was made is opened anew. */
		if (fd >= 0 && mount->no_symlinks) {
			(void)close(fd);
			fd = path_open_strict(init->root, mount->destination, flags | O_DIRECTORY);
		}
	}
	if (fd < 0) {
		fail_at(err, mount->at, fd, "open the mount point %s", mount->destination);
		return mount->no_symlinks && (fd == -ELOOP || fd == -ENOTDIR)
			       ? fail_hint(err,
					   "%s must be a real directory in the root, not a link",
					   mount->destination)
			       : -1;
	}
	return fd;
}

/* A mount over part of /proc could hide what labels and masks rely on (CVE-2019-16884 and kin). */
static int check_proc_rule(const struct plan_mount *mount, int target, int source,
			   struct hoy_error *err)
{
	long type = path_fs_type(target);

	if (type == 0)
		return fail_at(err, mount->at, errno, "ask what %s is on", mount->destination);
	if (type != PROC_SUPER_MAGIC)
		return 0;
	if (mount->proc_rule == PLAN_PROC_ALLOWED)
		return 0;
	if (mount->proc_rule == PLAN_PROC_FROM_PROC && source >= 0 &&
	    path_fs_type(source) == PROC_SUPER_MAGIC)
		return 0;
	return fail_at(err, mount->at, 0, "%s lies in /proc: only files of /proc may cover it",
		       mount->destination);
}

/* ---- one mount ---- */

/* The kernel says EINVAL where only one of the two is a directory. */
static int fail_attach(const struct plan_mount *mount, int code, int fd, int target,
		       struct hoy_error *err)
{
	struct stat source, point;

	if (code != EINVAL || fstat(fd, &source) < 0 || fstat(target, &point) < 0 ||
	    S_ISDIR(source.st_mode) == S_ISDIR(point.st_mode))
		return fail_at(err, mount->at, code, "attach to %s", mount->destination);
	fail_at(err, mount->at, ENOTDIR, "attach %s to %s, which is %s",
		S_ISDIR(source.st_mode) ? "a directory" : "a file", mount->destination,
		S_ISDIR(point.st_mode) ? "a directory" : "a file");
	return fail_hint(err, "source and destination must both be directories, or neither");
}

static int attach(const struct init *init, const struct plan_mount *mount, int fd, int target,
		  struct hoy_error *err)
{
	uint64_t flags = O_PATH | (mount->destination_nofollow ? O_NOFOLLOW : 0);
	struct statx wanted, found;
	autoclose int check = -1;

	if (move_mount(fd, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return fail_attach(mount, errno, fd, target, err);
	if (path_is_root(mount->destination))
		return 0; /* covers the descriptor itself: there is no way to be led astray */
	/* Whoever can rename in a shared volume must not have made us attach somewhere else. */
	check = path_open(init->root, mount->destination, flags);
	if (check < 0 || statx(check, "", AT_EMPTY_PATH, STATX_MNT_ID, &found) < 0 ||
	    statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &wanted) < 0)
		return fail_at(err, mount->at, check < 0 ? check : errno,
			       "look at what is mounted at %s", mount->destination);
	if (wanted.stx_mnt_id != found.stx_mnt_id)
		return fail_at(err, mount->at, 0, "%s was replaced while it was mounted",
			       mount->destination);
	return 0;
}

static int fill_new(const struct init *init, const struct plan_mount *mount, int fd, int target,
		    struct hoy_error *err)
{
	if (mount->copy_up && copy_up(target, fd, mount->at, err) < 0)
		return -1;
	if (mount->fill_devices && devices_fill(init->plan, fd, err) < 0)
		return -1;
	return 0;
}

/* @returns a detached mount with all its attributes */
static int make_detached(struct init *init, size_t index, int target, const char *mode,
			 struct hoy_error *err)
{
	const struct plan_mount *mount = &init->plan->mounts[index];
	autoclose int fd = -1;
	bool refused = false, is_new = false;

	if (mount->kind == PLAN_MOUNT_BIND) {
		fd = take_fd(&init->fds->sources[mount->source_index]);
	} else if (init->fds->mounts[index] >= 0) {
		fd = take_fd(&init->fds->mounts[index]);
	} else {
		fd = make_new(mount, mode, &refused, err);
		is_new = fd >= 0;
		if (fd < 0 && !(refused && mount->fallback_source))
			return -1;
		if (fd < 0)
			fd = bind_fallback(mount, err);
	}
	if (fd < 0)
		return -1;
	if (check_proc_rule(mount, target, fd, err) < 0)
		return -1;
	/* fsmount(2) has given a new one its flags. */
	if (!(is_new && attributes_are_initial(&mount->attributes)) &&
	    attributes_apply(fd, &mount->attributes, mount->readonly_late, mount->at, err) < 0)
		return -1;
	if (mount->kind == PLAN_MOUNT_NEW && !refused &&
	    (attributes_idmap(init->fds, init->plan, index, fd, err) < 0 ||
	     fill_new(init, mount, fd, target, err) < 0))
		return -1;
	return take_fd(&fd);
}

static int remount(const struct plan_mount *mount, int target, struct hoy_error *err)
{
	struct statx st;

	if (statx(target, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0)
		return fail_at(err, mount->at, errno, "look at %s", mount->destination);
	if (!(st.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return fail_at(err, mount->at, EINVAL, "remount: nothing is mounted at %s",
			       mount->destination);
	return attributes_apply(target, &mount->attributes, mount->readonly_late, mount->at, err);
}

static int mount_long(struct init *init, const struct plan_mount *mount, int target,
		      struct hoy_error *err)
{
	struct statx covered, found;
	autoclose int fd = -1;

	if (check_proc_rule(mount, target, -1, err) < 0 ||
	    mount_classic(init, mount, target, err) < 0)
		return -1;
	fd = path_open(init->root, mount->destination, O_PATH);
	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &found) < 0 ||
	    statx(target, "", AT_EMPTY_PATH, STATX_MNT_ID, &covered) < 0)
		return fail_at(err, mount->at, fd < 0 ? fd : errno, "open what is mounted at %s",
			       mount->destination);
	/* Neither what it covers, nor what someone has put in that one's place. */
	if (!(found.stx_attributes & STATX_ATTR_MOUNT_ROOT) ||
	    found.stx_mnt_id == covered.stx_mnt_id)
		return fail_at(err, mount->at, 0, "%s was replaced while it was mounted",
			       mount->destination);
	if (attributes_apply(fd, &mount->attributes, mount->readonly_late, mount->at, err) < 0)
		return -1;
	return take_fd(&fd);
}

/* Keeps the mount's descriptor where a later step needs it. */
static void keep(struct init *init, size_t index, int *fd)
{
	const struct plan_mount *mount = &init->plan->mounts[index];

	if (mount->is_devpts && init->devpts < 0)
		init->devpts = fcntl(*fd, F_DUPFD_CLOEXEC, 3);
	if (mount->readonly_late || mount->has_paths || init->keeps_mounts)
		init->fds->mounts[index] = take_fd(fd);
	/* A mount over "/" is the root from now on. */
	if (mount->destination[1] == '\0' && mount->kind != PLAN_MOUNT_REMOUNT) {
		(void)close(init->root);
		init->root = fcntl(init->fds->mounts[index] >= 0 ? init->fds->mounts[index] : *fd,
				   F_DUPFD_CLOEXEC, 3);
	}
}

/* copy-symlink. Whatever else is at that place is not replaced. */
static int make_link(const struct init *init, const struct plan_mount *link, struct hoy_error *err)
{
	char name[NAME_MAX + 1], present[PATH_MAX];
	autoclose int parent = -1;
	ssize_t len;
	int code;

	parent = path_open_parent(init->root, link->destination, true, name);
	if (parent < 0)
		return fail_at(err, link->at, parent, "open the directory of %s",
			       link->destination);
	if (symlinkat(link->source, parent, name) == 0)
		return 0;
	code = errno;
	len = readlinkat(parent, name, present, sizeof(present));
	if (len >= 0 && (size_t)len == strlen(link->source) &&
	    memcmp(present, link->source, (size_t)len) == 0)
		return 0;
	return fail_at(err, link->at, code, "link %s to %s", link->destination, link->source);
}

static int make_mount(struct init *init, size_t index, struct hoy_error *err)
{
	const struct plan_mount *mount = &init->plan->mounts[index];
	autoclose int target = -1, fd = -1;
	char mode[8] = "";
	bool made;
	int r = 0;

	if (mount->kind == PLAN_MOUNT_LINK)
		return make_link(init, mount, err);
	target = open_target(init, mount, &made, err);
	if (target < 0)
		return -1;
	if (mount->kind == PLAN_MOUNT_REMOUNT)
		fd = remount(mount, target, err) < 0 ? -1 : take_fd(&target);
	else if (mount->kind == PLAN_MOUNT_NEW && has_long_parameter(mount))
		fd = mount_long(init, mount, target, err);
	else {
		if (mount->inherit_mode)
			covered_mode(target, made, mode, sizeof(mode));
		fd = make_detached(init, index, target, mode[0] ? mode : NULL, err);
		if (fd >= 0)
			r = attach(init, mount, fd, target, err);
	}
	if (fd < 0)
		return -1;
	/* Also where it has landed elsewhere: it may have to be taken away again. */
	keep(init, index, &fd);
	return r;
}

int step_mounts(struct init *init, struct hoy_error *err)
{
	for (size_t i = 0; i < init->plan->mounts_len; i++)
		if (make_mount(init, i, err) < 0)
			return -1;
	return 0;
}

/* After: everything that creates something in a mount. */
int step_late_readonly(struct init *init, struct hoy_error *err)
{
	for (size_t i = 0; i < init->plan->mounts_len; i++) {
		const struct plan_mount *mount = &init->plan->mounts[i];
		struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
		unsigned int flags = AT_EMPTY_PATH;

		if (!mount->readonly_late)
			continue;
		if (mount->attributes.recursive_set & MOUNT_ATTR_RDONLY)
			flags |= AT_RECURSIVE;
		if (mount_setattr(init->fds->mounts[i], "", flags, &attr, sizeof(attr)) < 0)
			return fail_at(err, mount->at, errno, "make %s read-only",
				       mount->destination);
	}
	return 0;
}
