/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events: what a container uses, in the shape that engines read, and waiting for the kernel to kill
 * for lack of memory. Runs in the runtime; reads the cgroup's files and changes nothing. A file
 * that the cgroup does not have (its controller is not enabled) leaves its numbers out.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <hoy/container.h>

#include "base/json_write.h"
#include "base/string.h"
#include "runtime/context.h"
#include "sys/cleanup.h"
#include "sys/error.h"
#include "sys/fd.h"
#include "sys/file.h"

#define FILE_SIZE (64 * 1024)

/* ---- reading ---- */

/* @returns whether the file is there; its text is terminated */
static bool read_text(int cgroup, const char *file, char *text, size_t size)
{
	return file_read(cgroup, file, text, size) >= 0;
}

/* A file of one number; "max" counts as `unlimited`. */
static bool read_number(int cgroup, const char *file, uint64_t unlimited, uint64_t *ret_number)
{
	char text[64];

	if (!read_text(cgroup, file, text, sizeof(text)))
		return false;
	*ret_number = string_starts(text, "max") ? unlimited : strtoull(text, NULL, 10);
	return true;
}

/* A flat-keyed text ("key value" a line). */
static uint64_t find_key(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, len) == 0 && line[len] == ' ')
			return strtoull(line + len, NULL, 10);
	}
	return 0;
}

/* ---- writing ---- */

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" */
static void write_pressure_line(struct json_writer *writer, const char *line)
{
	static const char *const keys[] = { "avg10", "avg60", "avg300", "total" };
	char number[32];

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *value = strstr(line, keys[i]);
		size_t len;

		if (!value)
			continue;
		value += strlen(keys[i]) + 1;
		len = strspn(value, "0123456789.");
		if (len == 0 || len >= sizeof(number))
			continue;
		memcpy(number, value, len);
		number[len] = '\0';
		json_write_number_text(writer, keys[i], number);
	}
}

static void write_pressure(struct json_writer *writer, int cgroup, const char *file)
{
	static const char *const kinds[] = { "some", "full" };
	char text[512];

	if (!read_text(cgroup, file, text, sizeof(text)))
		return;
	json_write_object(writer, "psi");
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		char *line = strstr(text, kinds[i]), *end = line ? strchr(line, '\n') : NULL;

		if (!line)
			continue;
		if (end)
			*end = '\0';
		json_write_object(writer, kinds[i]);
		write_pressure_line(writer, line);
		json_write_end(writer);
		if (end)
			*end = '\n';
	}
	json_write_end(writer);
}

static void write_cpu(struct json_writer *writer, int cgroup)
{
	char text[2048] = "";

	json_write_object(writer, "cpu");
	if (read_text(cgroup, "cpu.stat", text, sizeof(text))) {
		json_write_object(writer, "usage");
		json_write_unsigned(writer, "total", find_key(text, "usage_usec") * 1000);
		json_write_unsigned(writer, "kernel", find_key(text, "system_usec") * 1000);
		json_write_unsigned(writer, "user", find_key(text, "user_usec") * 1000);
		json_write_end(writer);
		json_write_object(writer, "throttling");
		json_write_unsigned(writer, "periods", find_key(text, "nr_periods"));
		json_write_unsigned(writer, "throttledPeriods", find_key(text, "nr_throttled"));
		json_write_unsigned(writer, "throttledTime",
				    find_key(text, "throttled_usec") * 1000);
		json_write_end(writer);
	}
	write_pressure(writer, cgroup, "cpu.pressure");
	json_write_end(writer);
}

static void write_cpuset(struct json_writer *writer, int cgroup)
{
	static const char *const files[][2] = {
		{ "cpus", "cpuset.cpus.effective" },
		{ "mems", "cpuset.mems.effective" },
	};
	char text[4096];

	json_write_object(writer, "cpuset");
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (!read_text(cgroup, files[i][1], text, sizeof(text)))
			continue;
		text[strcspn(text, "\n")] = '\0';
		json_write_string(writer, files[i][0], text);
	}
	json_write_end(writer);
}

struct usage {
	uint64_t usage, limit, max, failed;
};

static void write_usage(struct json_writer *writer, const char *key, const struct usage *usage)
{
	json_write_object(writer, key);
	json_write_unsigned(writer, "limit", usage->limit);
	json_write_unsigned(writer, "usage", usage->usage);
	json_write_unsigned(writer, "max", usage->max);
	json_write_unsigned(writer, "failcnt", usage->failed);
	json_write_end(writer);
}

static void write_raw(struct json_writer *writer, const char *stat)
{
	json_write_object(writer, "raw");
	for (const char *line = stat; *line;) {
		size_t len = strcspn(line, "\n"), name = strcspn(line, " ");
		char key[64];

		if (name < len && name < sizeof(key)) {
			memcpy(key, line, name);
			key[name] = '\0';
			json_write_unsigned(writer, key, strtoull(line + name, NULL, 10));
		}
		line += len + (line[len] == '\n');
	}
	json_write_end(writer);
}

/* Readers of version 1 expect memory and swap together in `swap`. */
static void write_swap(struct json_writer *writer, int cgroup, const struct usage *memory)
{
	struct usage swap = { 0 };

	if (!read_number(cgroup, "memory.swap.current", 0, &swap.usage))
		return;
	(void)read_number(cgroup, "memory.swap.max", UINT64_MAX, &swap.limit);
	swap.usage += memory->usage;
	if (swap.limit != UINT64_MAX && memory->limit != UINT64_MAX)
		swap.limit += memory->limit;
	else
		swap.limit = UINT64_MAX;
	write_usage(writer, "swap", &swap);
}

static void write_memory(struct json_writer *writer, int cgroup)
{
	autofree char *stat = calloc(1, FILE_SIZE);
	struct usage memory = { 0 }, kernel = { .limit = UINT64_MAX };
	char events[512] = "";

	json_write_object(writer, "memory");
	if (stat && read_text(cgroup, "memory.stat", stat, FILE_SIZE)) {
		(void)read_number(cgroup, "memory.current", 0, &memory.usage);
		(void)read_number(cgroup, "memory.max", UINT64_MAX, &memory.limit);
		(void)read_number(cgroup, "memory.peak", 0, &memory.max);
		if (read_text(cgroup, "memory.events", events, sizeof(events)))
			memory.failed = find_key(events, "max");
		kernel.usage = find_key(stat, "kernel");
		json_write_unsigned(writer, "cache", find_key(stat, "file"));
		write_usage(writer, "usage", &memory);
		write_swap(writer, cgroup, &memory);
		write_usage(writer, "kernel", &kernel);
		write_raw(writer, stat);
	}
	write_pressure(writer, cgroup, "memory.pressure");
	json_write_end(writer);
}

static void write_pids(struct json_writer *writer, int cgroup)
{
	uint64_t current, limit = 0;

	json_write_object(writer, "pids");
	if (read_number(cgroup, "pids.current", 0, &current)) {
		(void)read_number(cgroup, "pids.max", 0, &limit);
		json_write_unsigned(writer, "current", current);
		json_write_unsigned(writer, "limit", limit);
	}
	json_write_end(writer);
}

static void write_io_entry(struct json_writer *writer, unsigned int major, unsigned int minor,
			   const char *operation, uint64_t value)
{
	json_write_object(writer, NULL);
	json_write_unsigned(writer, "major", major);
	json_write_unsigned(writer, "minor", minor);
	json_write_string(writer, "op", operation);
	json_write_unsigned(writer, "value", value);
	json_write_end(writer);
}

/* "8:0 rbytes=1 wbytes=2 rios=3 ..." a line */
static void write_io_list(struct json_writer *writer, const char *name, const char *text,
			  const char *const fields[2])
{
	static const char *const operations[] = { "Read", "Write" };

	json_write_list(writer, name);
	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n");
		char *end;
		unsigned int major = (unsigned int)strtoul(line, &end, 10);
		unsigned int minor = *end == ':' ? (unsigned int)strtoul(end + 1, NULL, 10) : 0;

		for (int i = 0; i < 2; i++) {
			const char *field = strstr(line, fields[i]);

			if (field && field < line + len)
				write_io_entry(writer, major, minor, operations[i],
					       strtoull(field + strlen(fields[i]), NULL, 10));
		}
		line += len + (line[len] == '\n');
	}
	json_write_end(writer);
}

static void write_io(struct json_writer *writer, int cgroup)
{
	static const char *const bytes[2] = { " rbytes=", " wbytes=" };
	static const char *const operations[2] = { " rios=", " wios=" };
	autofree char *text = calloc(1, FILE_SIZE);

	json_write_object(writer, "blkio");
	if (text && read_text(cgroup, "io.stat", text, FILE_SIZE)) {
		write_io_list(writer, "ioServiceBytesRecursive", text, bytes);
		write_io_list(writer, "ioServicedRecursive", text, operations);
	}
	write_pressure(writer, cgroup, "io.pressure");
	json_write_end(writer);
}

/* hugetlb.SIZE.current tells which sizes there are. */
static void write_huge_page_size(struct json_writer *writer, int cgroup, const char *size)
{
	struct usage usage = { 0 };
	char file[96], events[128] = "";

	format_text(file, sizeof(file), "hugetlb.%s.current", size);
	(void)read_number(cgroup, file, 0, &usage.usage);
	format_text(file, sizeof(file), "hugetlb.%s.max", size);
	(void)read_number(cgroup, file, UINT64_MAX, &usage.limit);
	format_text(file, sizeof(file), "hugetlb.%s.events", size);
	if (read_text(cgroup, file, events, sizeof(events)))
		usage.failed = find_key(events, "max");
	write_usage(writer, size, &usage);
}

static void write_huge_pages(struct json_writer *writer, int cgroup)
{
	int fd = openat(cgroup, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	json_write_object(writer, "hugetlb");
	while (directory && (entry = readdir(directory))) {
		const char *name = entry->d_name;
		char size[64];
		size_t len;

		if (!string_starts(name, "hugetlb.") || !string_ends(name, ".current") ||
		    strstr(name, ".rsvd."))
			continue;
		len = strlen(name) - strlen("hugetlb.") - strlen(".current");
		if (len >= sizeof(size))
			continue;
		memcpy(size, name + strlen("hugetlb."), len);
		size[len] = '\0';
		write_huge_page_size(writer, cgroup, size);
	}
	json_write_end(writer);
	if (directory)
		(void)closedir(directory);
	else if (fd >= 0)
		(void)close(fd);
}

static char *compose(int cgroup)
{
	struct json_writer writer = { 0 };

	json_write_object(&writer, NULL);
	write_cpu(&writer, cgroup);
	write_cpuset(&writer, cgroup);
	write_memory(&writer, cgroup);
	write_pids(&writer, cgroup);
	write_io(&writer, cgroup);
	write_huge_pages(&writer, cgroup);
	json_write_object(&writer, "intel_rdt");
	json_write_end(&writer);
	json_write_null(&writer, "network_interfaces");
	json_write_end(&writer);
	return json_write_take(&writer);
}

static int open_running(const struct container *container, struct cgroup *ret_cgroup,
			struct hoy_error *err)
{
	const char *id = container->record->id;
	enum hoy_status status;

	if (container_status(container, &status, NULL, err) < 0)
		return -1;
	if (status == HOY_STOPPED)
		return fail(err, 0, "container %s is stopped: container not running", id);
	if (container_open_cgroup(container->record, ret_cgroup, err) < 0)
		return -1;
	if (ret_cgroup->fd < 0)
		return fail(err, 0, "container %s has no cgroup of its own to read", id);
	return 0;
}

int hoy_statistics(const struct hoy_context *context, const char *id, char **ret_json,
		   struct hoy_error *err)
{
	struct container container = CONTAINER_NONE;
	struct cgroup cgroup = CGROUP_NONE;
	char *json = NULL;
	int r;

	if (container_open(context, id, &container, err) < 0)
		return -1;
	r = open_running(&container, &cgroup, err);
	if (r == 0) {
		json = compose(cgroup.fd);
		if (!json)
			r = fail(err, ENOMEM, "compose the statistics");
	}
	cgroup_done(&cgroup);
	container_done(&container);
	if (r == 0)
		*ret_json = json;
	return r;
}

/* ---- waiting for an OOM kill ---- */

/* @returns 1 after a change, 0 at the deadline, or -1 */
static int wait_change(int watch, int64_t deadline, struct hoy_error *err)
{
	_Alignas(struct inotify_event) char buffer[1024];
	int r = fd_wait(watch, POLLIN, deadline);

	if (r < 0)
		return fail(err, r, "wait for memory events");
	if (r > 0 && read(watch, buffer, sizeof(buffer)) < 0 && errno != EAGAIN)
		return fail(err, errno, "read memory events");
	return r > 0;
}

/* @returns an enum hoy_oom if there is something to tell already, or -1 */
static int look(const struct cgroup *cgroup, uint64_t *kills)
{
	/* In this order: whoever is seen to be gone has been counted. */
	const bool empty = cgroup->fd < 0 || cgroup_wait_empty(cgroup, clock_ms()) != 0;
	const uint64_t now = cgroup_oom_kills(cgroup);
	const bool killed = *kills != HOY_OOM_FROM_NOW && now > *kills;

	*kills = now;
	return killed ? HOY_OOM_KILLED : empty ? HOY_OOM_ENDED : -1;
}

static int wait_oom(const struct cgroup *cgroup, int64_t deadline, uint64_t *kills,
		    struct hoy_error *err)
{
	static const char *const files[] = { "memory.events", "cgroup.events" };
	autoclose int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	int r = watch < 0 ? fail(err, errno, "watch the cgroup's events") : 1;

	for (size_t i = 0; r > 0 && cgroup->fd >= 0 && i < ARRAY_LEN(files); i++) {
		char path[64];

		format_text(path, sizeof(path), "/proc/self/fd/%d/%s", cgroup->fd, files[i]);
		/* Without the memory controller nothing is killed; a removed cgroup has ended. */
		if (inotify_add_watch(watch, path, IN_MODIFY) < 0 && errno != ENOENT)
			r = fail(err, errno, "watch %s", files[i]);
	}
	while (r > 0) {
		int seen = look(cgroup, kills);

		if (seen >= 0)
			return seen;
		r = wait_change(watch, deadline, err);
	}
	return r < 0 ? -1 : HOY_OOM_TIMEOUT;
}

/* Not open_running(): how a container has ended is the question. */
static int open_watched(const struct container *container, struct cgroup *ret_cgroup,
			struct hoy_error *err)
{
	enum hoy_status status;

	if (container_status(container, &status, NULL, err) < 0 ||
	    container_open_cgroup(container->record, ret_cgroup, err) < 0)
		return -1;
	if (ret_cgroup->fd < 0 && status != HOY_STOPPED)
		return fail(err, 0, "container %s has no cgroup of its own to watch",
			    container->record->id);
	return 0;
}

int hoy_wait_oom(const struct hoy_context *context, const char *id, int timeout_ms, uint64_t *kills,
		 struct hoy_error *err)
{
	struct container container = CONTAINER_NONE;
	struct cgroup cgroup = CGROUP_NONE;
	int r = container_open(context, id, &container, err);

	/* Deleted since the last call. */
	if (r == -ENOENT && *kills != HOY_OOM_FROM_NOW)
		return HOY_OOM_ENDED;
	if (r < 0)
		return -1;
	r = open_watched(&container, &cgroup, err);
	if (r == 0)
		r = wait_oom(&cgroup, timeout_ms < 0 ? -1 : clock_ms() + timeout_ms, kills, err);
	cgroup_done(&cgroup);
	container_done(&container);
	return r;
}
