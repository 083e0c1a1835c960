/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only caller of libcriu. It is opened by name when it is first used, so that nobody else pays
 * for it, and hoy is built without it: what is needed of its interface (criu/criu.h of CRIU 3.16
 * and later) is declared here. A function is looked up when something asks for it, so that an
 * older libcriu lacks only what it cannot do. Runs in the runtime.
 */
#include "runtime/criu.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <hoy/container.h>

#include "base/string.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/process.h"

#define PREFIX	  "criu_local_"
#define LOG_DEBUG 4
/* Where runc and crun look for images that no option names. */
#define IMAGES "checkpoint"
/* `criu check` tries many things of the kernel; under emulation that takes seconds. */
#define CHECK_MS 60000

struct criu_opts;
/** What a notification carries: opaque. */
typedef void *criu_notify_arg;

/** The library, and the functions that every request needs. */
static struct {
	void *library;
	int (*init_opts)(struct criu_opts **ret_opts);
	void (*free_opts)(struct criu_opts *opts);
	int (*set_service_binary)(struct criu_opts *opts, const char *path);
	void (*set_notify_cb)(struct criu_opts *opts, int (*function)(char *, criu_notify_arg));
	int (*notify_pid)(criu_notify_arg argument);
	int (*get_orphan_pts_master_fd)(void);
	int (*dump)(struct criu_opts *opts);
	int (*pre_dump)(struct criu_opts *opts);
	int (*restore_child)(struct criu_opts *opts);
	int (*add_ext_mount)(struct criu_opts *opts, const char *key, const char *value);
	int (*add_external)(struct criu_opts *opts, const char *key);
	int (*add_inherit_fd)(struct criu_opts *opts, int fd, const char *key);
	int (*add_cg_root)(struct criu_opts *opts, const char *controller, const char *path);
} criu;

static const struct {
	const char *name;
	void *function;
} functions[] = {
	{ PREFIX "init_opts", &criu.init_opts },
	{ PREFIX "free_opts", &criu.free_opts },
	{ PREFIX "set_service_binary", &criu.set_service_binary },
	{ PREFIX "set_notify_cb", &criu.set_notify_cb },
	{ "criu_notify_pid", &criu.notify_pid },
	{ "criu_get_orphan_pts_master_fd", &criu.get_orphan_pts_master_fd },
	{ PREFIX "dump", &criu.dump },
	{ PREFIX "pre_dump", &criu.pre_dump },
	{ PREFIX "restore_child", &criu.restore_child },
	{ PREFIX "add_ext_mount", &criu.add_ext_mount },
	{ PREFIX "add_external", &criu.add_external },
	{ PREFIX "add_inherit_fd", &criu.add_inherit_fd },
	{ PREFIX "add_cg_root", &criu.add_cg_root },
};

enum setting_type {
	SETTING_BOOL,
	SETTING_NUMBER,
	SETTING_TEXT,
};

#define SETTING(name, type, member)                                       \
	{                                                                 \
		PREFIX name, type, offsetof(struct criu_request, member), \
	}

/** The functions that set one member of a request each. */
static const struct setting {
	const char *name;
	enum setting_type type;
	size_t offset;
} settings[] = {
	SETTING("set_pid", SETTING_NUMBER, pid),
	SETTING("set_images_dir_fd", SETTING_NUMBER, images),
	SETTING("set_work_dir_fd", SETTING_NUMBER, work),
	SETTING("set_log_file", SETTING_TEXT, log),
	SETTING("set_root", SETTING_TEXT, root),
	SETTING("set_parent_images", SETTING_TEXT, parent),
	SETTING("set_freeze_cgroup", SETTING_TEXT, freeze_cgroup),
	SETTING("set_config_file", SETTING_TEXT, config_file),
	SETTING("set_lsm_profile", SETTING_TEXT, lsm_profile),
	SETTING("set_lsm_mount_context", SETTING_TEXT, lsm_mount_context),
	SETTING("set_network_lock", SETTING_NUMBER, network_lock),
	SETTING("set_empty_ns", SETTING_NUMBER, empty_namespaces),
	SETTING("set_leave_running", SETTING_BOOL, leave_running),
	SETTING("set_track_mem", SETTING_BOOL, track_memory),
	SETTING("set_tcp_established", SETTING_BOOL, tcp_established),
	SETTING("set_tcp_skip_in_flight", SETTING_BOOL, tcp_skip_in_flight),
	SETTING("set_tcp_close", SETTING_BOOL, tcp_close),
	SETTING("set_ext_unix_sk", SETTING_BOOL, ext_unix_sk),
	SETTING("set_shell_job", SETTING_BOOL, shell_job),
	SETTING("set_file_locks", SETTING_BOOL, file_locks),
	SETTING("set_link_remap", SETTING_BOOL, link_remap),
	SETTING("set_auto_dedup", SETTING_BOOL, auto_dedup),
	SETTING("set_evasive_devices", SETTING_BOOL, evasive_devices),
	SETTING("set_orphan_pts_master", SETTING_BOOL, orphan_terminal),
};

static const char *const verbs[] = {
	[CRIU_DUMP] = "dump",
	[CRIU_PRE_DUMP] = "pre-dump",
	[CRIU_RESTORE] = "restore",
};

/** Whose notifications libcriu hands out: it gives its callback nothing to know that by. */
static __thread const struct criu_request *notified;

/* ---- the library ---- */

static int fail_build(struct hoy_error *err)
{
	fail(err, 0, "checkpoint and restore are not in this build%s",
	     HOY_STATIC ? ", which is static" : "");
	return fail_hint(err, "use another build: `hoy --version` says +CRIU where they are");
}

/** Looks a function up. @param place  a pointer to a function */
static int find_function(const char *name, void *place, struct hoy_error *err)
{
	void *function = dlsym(criu.library, name);

	if (!function) {
		fail(err, 0, "libcriu has no function %s", name);
		return fail_hint(err, "a newer CRIU may have it");
	}
	memcpy(place, &function, sizeof(function));
	return 0;
}

/* The library stays, as every library that is opened by name. */
static int load_library(struct hoy_error *err)
{
	if (!HOY_CRIU)
		return fail_build(err);
	if (criu.library)
		return 0;
	criu.library = dlopen("libcriu.so.2", RTLD_NOW | RTLD_LOCAL);
	if (!criu.library) {
		fail(err, 0, "checkpoint and restore need libcriu: %s", dlerror());
		return fail_hint(err, "install CRIU and its library (Debian: criu, libcriu2)");
	}
	for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
		if (find_function(functions[i].name, functions[i].function, err) < 0) {
			(void)dlclose(criu.library);
			criu.library = NULL;
			return -1;
		}
	}
	return 0;
}

/* ---- the program ---- */

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* Engines may leave us no PATH, and without one libcriu looks into no sbin directory. */
static int find_program(char path[PATH_MAX], struct hoy_error *err)
{
	static const char usual[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	const char *lists[] = { getenv("PATH"), usual };

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		size_t len;

		for (const char *place = lists[i]; place && *place; place += len + !!place[len]) {
			len = strcspn(place, ":");
			if (place[0] == '/' &&
			    format_text(path, PATH_MAX, "%.*s/criu", (int)len, place) < PATH_MAX &&
			    is_program(path))
				return 0;
		}
	}
	fail(err, 0, "checkpoint and restore need the program criu, which is not in PATH");
	return fail_hint(err, "install CRIU");
}

static _Noreturn void become_check(const char *path, int output)
{
	char *words[] = { (char *)path, "check", NULL };
	char *environment[] = { NULL };

	if (dup2(output, STDOUT_FILENO) >= 0 && dup2(output, STDERR_FILENO) >= 0 &&
	    fd_cloexec_from(3) == 0 && process_reset_signals() == 0)
		(void)execve(path, words, environment);
	_exit(127);
}

static int fail_check(int output, struct hoy_error *err)
{
	char text[8192], errors[512];
	ssize_t len = pread(output, text, sizeof(text) - 1, 0);

	text[len > 0 ? len : 0] = '\0';
	if (criu_log_errors(text, errors, sizeof(errors)) == 0)
		fail(err, 0, "`criu check` fails");
	else
		fail(err, 0, "`criu check` fails: %s", errors);
	return -1;
}

int criu_check(struct hoy_error *err)
{
	autoclose int pidfd = -1, output = -1;
	char path[PATH_MAX];
	int status = 0, r;
	pid_t pid;

	if (load_library(err) < 0 || find_program(path, err) < 0)
		return -1;
	output = memfd_create("criu-check", MFD_CLOEXEC);
	if (output < 0)
		return fail(err, errno, "make a file for the output of `criu check`");
	pid = process_clone(0, -1, SIGCHLD, &pidfd);
	if (pid < 0)
		return fail(err, pid, "start `criu check`");
	if (pid == 0)
		become_check(path, output);
	r = process_wait(pidfd, clock_ms() + CHECK_MS, &status);
	if (r <= 0) {
		process_kill_and_reap(pidfd);
		return fail(err, r < 0 ? r : ETIMEDOUT, "wait for `criu check`");
	}
	return status == 0 ? 0 : fail_check(output, err);
}

/* ---- directories ---- */

static int open_directory(const char *option, const char *path, bool make, struct hoy_error *err)
{
	int fd;

	if (make && mkdirat(AT_FDCWD, path, 0700) < 0 && errno != EEXIST)
		return fail(err, errno, "%s: make %s", option, path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? fail(err, errno, "%s: open %s", option, path) : fd;
}

int criu_open_directories(const struct hoy_criu_options *options, bool make, int *ret_images,
			  int *ret_work, struct hoy_error *err)
{
	const char *path = options->image_path ? options->image_path : IMAGES;
	autoclose int images = open_directory("--image-path", path, make, err);

	if (images < 0)
		return -1;
	if (options->work_path) {
		*ret_work = open_directory("--work-path", options->work_path, true, err);
		if (*ret_work < 0)
			return -1;
	}
	*ret_images = take_fd(&images);
	return 0;
}

/* ---- a request ---- */

static int notify(char *stage, criu_notify_arg argument)
{
	autoclose int terminal = -1;
	int received;

	if (!notified || !notified->notify)
		return 0;
	if (strcmp(stage, "orphan-pts-master") == 0) {
		received = criu.get_orphan_pts_master_fd();
		terminal = received < 0 ? -1 : fd_dup(received, 3);
		cleanup_close(&received);
		if (terminal < 0)
			return -1;
	}
	return notified->notify(stage, criu.notify_pid(argument), take_fd(&terminal),
				notified->data);
}

static int fail_setting(const char *name, int code, struct hoy_error *err)
{
	return fail(err, code < -1 ? code : ENOMEM, "%s", name);
}

static int set(struct criu_opts *opts, const struct setting *setting,
	       const struct criu_request *request, struct hoy_error *err)
{
	const void *value = (const char *)request + setting->offset;
	/* What the others return, if anything, says nothing. */
	void (*set_bool)(struct criu_opts * opts, bool truth) = NULL;
	void (*set_number)(struct criu_opts * opts, int number) = NULL;
	int (*set_text)(struct criu_opts * opts, const char *text) = NULL;
	int r = 0;

	if (setting->type == SETTING_BOOL && *(const bool *)value) {
		if (find_function(setting->name, &set_bool, err) < 0)
			return -1;
		set_bool(opts, true);
	} else if (setting->type == SETTING_NUMBER && *(const int *)value > 0) {
		if (find_function(setting->name, &set_number, err) < 0)
			return -1;
		set_number(opts, *(const int *)value);
	} else if (setting->type == SETTING_TEXT && *(const char *const *)value) {
		if (find_function(setting->name, &set_text, err) < 0)
			return -1;
		r = set_text(opts, *(const char *const *)value);
	}
	return r < 0 ? fail_setting(setting->name, r, err) : 0;
}

static int add_lists(struct criu_opts *opts, const struct criu_request *request,
		     struct hoy_error *err)
{
	int (*join)(struct criu_opts * opts, const char *type, const char *path,
		    const char *extra) = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < request->mounts_len; i++)
		r = criu.add_ext_mount(opts, request->mounts[i].key, request->mounts[i].value);
	for (size_t i = 0; r == 0 && i < request->externals_len; i++)
		r = criu.add_external(opts, request->externals[i]);
	for (size_t i = 0; r == 0 && i < request->descriptors_len; i++)
		r = criu.add_inherit_fd(opts, request->descriptors[i].fd,
					request->descriptors[i].key);
	if (r == 0 && request->joins_len > 0 && find_function(PREFIX "join_ns_add", &join, err) < 0)
		return -1;
	for (size_t i = 0; r == 0 && i < request->joins_len; i++)
		r = join(opts, request->joins[i].type, request->joins[i].path, NULL);
	return r < 0 ? fail_setting("tell CRIU what to find again", r, err) : 0;
}

static int set_cgroups(struct criu_opts *opts, const struct criu_request *request,
		       struct hoy_error *err)
{
	void (*set_mode)(struct criu_opts * opts, int mode) = NULL;
	int r;

	/* None of the modes is the default. */
	if (find_function(PREFIX "set_manage_cgroups_mode", &set_mode, err) < 0)
		return -1;
	set_mode(opts, request->cgroup_mode);
	if (!request->cgroup_root)
		return 0;
	/* Of cgroup2, whose controllers have no names here; hierarchies of v1 are none of ours. */
	r = criu.add_cg_root(opts, "", request->cgroup_root);
	return r < 0 ? fail_setting("tell CRIU the cgroup", r, err) : 0;
}

static int set_page_server(struct criu_opts *opts, const struct criu_request *request,
			   struct hoy_error *err)
{
	int (*set_server)(struct criu_opts * opts, const char *address, int port) = NULL;
	int r;

	if (!request->page_server)
		return 0;
	if (find_function(PREFIX "set_page_server_address_port", &set_server, err) < 0)
		return -1;
	r = set_server(opts, request->page_server, request->page_server_port);
	return r < 0 ? fail_setting("tell CRIU the page server", r, err) : 0;
}

static int fill_options(struct criu_opts *opts, const char *program,
			const struct criu_request *request, struct hoy_error *err)
{
	void (*set_log_level)(struct criu_opts * opts, int level) = NULL;

	if (criu.set_service_binary(opts, program) < 0)
		return fail(err, ENOMEM, "tell libcriu the program");
	if (find_function(PREFIX "set_log_level", &set_log_level, err) < 0)
		return -1;
	set_log_level(opts, LOG_DEBUG);
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		if (set(opts, &settings[i], request, err) < 0)
			return -1;
	if (set_cgroups(opts, request, err) < 0 || set_page_server(opts, request, err) < 0)
		return -1;
	criu.set_notify_cb(opts, notify);
	return add_lists(opts, request, err);
}

/*
 * In the child that libcriu forks to become CRIU, which answers to nobody if we are killed: in the
 * container's cgroup it ends with that, and so does what it has made so far.
 */
static void enter_cgroup(void)
{
	if (notified && notified->cgroup_procs > 0 && write(notified->cgroup_procs, "0", 1) != 1)
		_exit(127);
}

/* For good, as it cannot be taken back; it does nothing outside of a request. */
static int watch_forks(struct hoy_error *err)
{
	static bool is_watched;
	int r = is_watched ? 0 : pthread_atfork(NULL, NULL, enter_cgroup);

	is_watched = is_watched || r == 0;
	return r == 0 ? 0 : fail(err, r, "prepare a request to CRIU");
}

/* @returns CRIU's answer */
static int call(struct criu_opts *opts, const struct criu_request *request)
{
	int (*const calls[])(struct criu_opts * opts) = {
		[CRIU_DUMP] = criu.dump,
		[CRIU_PRE_DUMP] = criu.pre_dump,
		[CRIU_RESTORE] = criu.restore_child,
	};
	sigset_t child, before;
	int r;

	/* libcriu expects it: the end of what is restored must not be taken for that of CRIU. */
	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	(void)pthread_sigmask(SIG_BLOCK, &child, &before);
	notified = request;
	r = calls[request->action](opts);
	notified = NULL;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

int criu_run(const struct criu_request *request, struct hoy_error *err)
{
	struct criu_opts *opts = NULL;
	/* Some versions of libcriu keep no copy of it. */
	char program[PATH_MAX];
	int r;

	if (load_library(err) < 0 || find_program(program, err) < 0 || watch_forks(err) < 0)
		return -1;
	if (criu.init_opts(&opts) < 0)
		return fail(err, ENOMEM, "prepare a request to CRIU");
	if (fill_options(opts, program, request, err) < 0) {
		criu.free_opts(opts);
		return -1;
	}
	r = call(opts, request);
	criu.free_opts(opts);
	if (r < 0 || (r == 0 && request->action == CRIU_RESTORE))
		return criu_log_fail(request->work > 0 ? request->work : request->images,
				     request->log, verbs[request->action], err);
	return r;
}
