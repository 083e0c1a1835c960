/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration that `hoy spec` starts a bundle with: a shell with few rights in namespaces of
 * its own. Runs in the runtime. Rootless, a user namespace of one id takes the place of privilege.
 */
#include <hoy/features.h>

#include <stdbool.h>
#include <unistd.h>

#include "base/json_write.h"
#include "runtime/state.h"
#include "sys/cleanup.h"

#define OPTIONS_MAX 10

struct mount {
	const char *destination, *type, *source;
	const char *options[OPTIONS_MAX];
};

/* [0] with privilege, [1] without, where the two differ. */
static const struct mount mounts[] = {
	{ "/proc", "proc", "proc", { NULL } },
	{ "/dev", "tmpfs", "tmpfs", { "nosuid", "strictatime", "mode=755", "size=65536k", NULL } },
};

static const struct mount devpts[2] = {
	{ "/dev/pts",
	  "devpts",
	  "devpts",
	  { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5", NULL } },
	{ "/dev/pts",
	  "devpts",
	  "devpts",
	  { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", NULL } },
};

static const struct mount more_mounts[] = {
	{ "/dev/shm",
	  "tmpfs",
	  "shm",
	  { "nosuid", "noexec", "nodev", "mode=1777", "size=65536k", NULL } },
	{ "/dev/mqueue", "mqueue", "mqueue", { "nosuid", "noexec", "nodev", NULL } },
};

static const struct mount sysfs[2] = {
	{ "/sys", "sysfs", "sysfs", { "nosuid", "noexec", "nodev", "ro", NULL } },
	{ "/sys", "none", "/sys", { "rbind", "nosuid", "noexec", "nodev", "ro", NULL } },
};

static const struct mount cgroupfs = {
	"/sys/fs/cgroup",
	"cgroup",
	"cgroup",
	{ "nosuid", "noexec", "nodev", "relatime", "ro", NULL },
};

static const char *const args[] = { "sh", NULL };
static const char *const env[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"TERM=xterm",
	NULL,
};
static const char *const capabilities[] = {
	"CAP_AUDIT_WRITE",
	"CAP_KILL",
	"CAP_NET_BIND_SERVICE",
	NULL,
};
static const char *const capability_sets[] = { "bounding", "effective", "permitted" };
static const char *const namespaces[2][9] = {
	{ "pid", "network", "ipc", "uts", "mount", "cgroup", NULL },
	{ "pid", "ipc", "uts", "mount", "cgroup", "user", NULL },
};
static const char *const masked_paths[] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/kcore",
	"/proc/keys",
	"/proc/latency_stats",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/proc/sched_debug",
	"/proc/scsi",
	"/sys/firmware",
	"/sys/devices/virtual/powercap",
	NULL,
};
static const char *const readonly_paths[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL,
};

static void write_process(struct json_writer *writer)
{
	json_write_object(writer, "process");
	json_write_bool(writer, "terminal", true);
	json_write_object(writer, "user");
	json_write_unsigned(writer, "uid", 0);
	json_write_unsigned(writer, "gid", 0);
	json_write_end(writer);
	json_write_strings(writer, "args", args);
	json_write_strings(writer, "env", env);
	json_write_string(writer, "cwd", "/");
	json_write_object(writer, "capabilities");
	for (size_t i = 0; i < ARRAY_LEN(capability_sets); i++)
		json_write_strings(writer, capability_sets[i], capabilities);
	json_write_end(writer);
	json_write_list(writer, "rlimits");
	json_write_object(writer, NULL);
	json_write_string(writer, "type", "RLIMIT_NOFILE");
	json_write_unsigned(writer, "hard", 1024);
	json_write_unsigned(writer, "soft", 1024);
	json_write_end(writer);
	json_write_end(writer);
	json_write_bool(writer, "noNewPrivileges", true);
	json_write_end(writer);
}

static void write_mount(struct json_writer *writer, const struct mount *mount)
{
	json_write_object(writer, NULL);
	json_write_string(writer, "destination", mount->destination);
	json_write_string(writer, "type", mount->type);
	json_write_string(writer, "source", mount->source);
	if (mount->options[0])
		json_write_strings(writer, "options", mount->options);
	json_write_end(writer);
}

static void write_mounts(struct json_writer *writer, bool rootless)
{
	json_write_list(writer, "mounts");
	for (size_t i = 0; i < ARRAY_LEN(mounts); i++)
		write_mount(writer, &mounts[i]);
	write_mount(writer, &devpts[rootless]);
	for (size_t i = 0; i < ARRAY_LEN(more_mounts); i++)
		write_mount(writer, &more_mounts[i]);
	write_mount(writer, &sysfs[rootless]);
	write_mount(writer, &cgroupfs);
	json_write_end(writer);
}

/** The caller's own id becomes root inside: the one map that needs no privilege. */
static void write_map(struct json_writer *writer, const char *key, unsigned int host_id)
{
	json_write_list(writer, key);
	json_write_object(writer, NULL);
	json_write_unsigned(writer, "containerID", 0);
	json_write_unsigned(writer, "hostID", host_id);
	json_write_unsigned(writer, "size", 1);
	json_write_end(writer);
	json_write_end(writer);
}

/** All devices but the default ones are denied. */
static void write_resources(struct json_writer *writer)
{
	json_write_object(writer, "resources");
	json_write_list(writer, "devices");
	json_write_object(writer, NULL);
	json_write_bool(writer, "allow", false);
	json_write_string(writer, "access", "rwm");
	json_write_end(writer);
	json_write_end(writer);
	json_write_end(writer);
}

static void write_linux(struct json_writer *writer, bool rootless)
{
	json_write_object(writer, "linux");
	if (rootless) {
		write_map(writer, "uidMappings", geteuid());
		write_map(writer, "gidMappings", getegid());
	} else {
		write_resources(writer);
	}
	json_write_list(writer, "namespaces");
	for (size_t i = 0; namespaces[rootless][i]; i++) {
		json_write_object(writer, NULL);
		json_write_string(writer, "type", namespaces[rootless][i]);
		json_write_end(writer);
	}
	json_write_end(writer);
	json_write_strings(writer, "maskedPaths", masked_paths);
	json_write_strings(writer, "readonlyPaths", readonly_paths);
	json_write_end(writer);
}

char *hoy_spec_json(int rootless)
{
	struct json_writer writer = { .pretty = true };

	json_write_object(&writer, NULL);
	json_write_string(&writer, "ociVersion", SPEC_VERSION);
	write_process(&writer);
	json_write_object(&writer, "root");
	json_write_string(&writer, "path", "rootfs");
	json_write_bool(&writer, "readonly", true);
	json_write_end(&writer);
	json_write_string(&writer, "hostname", "hoy");
	write_mounts(&writer, rootless != 0);
	write_linux(&writer, rootless != 0);
	json_write_end(&writer);
	return json_write_take(&writer);
}
