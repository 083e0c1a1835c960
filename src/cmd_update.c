/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hoy update: options, or a file, become the JSON text of a resources object. Runs in the program;
 * what it means is decided by hoy_update() alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/json_write.h"
#include "base/log.h"
#include "base/number.h"
#include "command.h"
#include "sys/cleanup.h"
#include "sys/error.h"

/* No resources object is larger. */
#define FILE_SIZE_MAX (1024 * 1024)

static const char *file;
static struct hoy_update_options line;

enum limit_kind {
	/** Decimal, -1 where there is "no limit". */
	LIMIT_NUMBER,
	/** Bytes with an optional suffix, or -1. */
	LIMIT_SIZE,
	/** As it is: a list of processors or nodes. */
	LIMIT_TEXT,
	/** Has no meaning on cgroup v2. */
	LIMIT_IGNORED,
};

enum {
	BLKIO_WEIGHT,
	CPU_BURST,
	CPU_IDLE,
	CPU_PERIOD,
	CPU_QUOTA,
	CPU_RT_PERIOD,
	CPU_RT_RUNTIME,
	CPU_SHARE,
	CPUSET_CPUS,
	CPUSET_MEMS,
	KERNEL_MEMORY,
	KERNEL_MEMORY_TCP,
	MEMORY,
	MEMORY_RESERVATION,
	MEMORY_SWAP,
	PIDS_LIMIT,
};

/** An option that is a member of resources. */
static struct limit {
	const char *option, *object, *member;
	enum limit_kind kind;
	const char *given;
} limits[] = {
	[BLKIO_WEIGHT] = { "blkio-weight", "blockIO", "weight", LIMIT_NUMBER, NULL },
	[CPU_BURST] = { "cpu-burst", "cpu", "burst", LIMIT_NUMBER, NULL },
	[CPU_IDLE] = { "cpu-idle", "cpu", "idle", LIMIT_NUMBER, NULL },
	[CPU_PERIOD] = { "cpu-period", "cpu", "period", LIMIT_NUMBER, NULL },
	[CPU_QUOTA] = { "cpu-quota", "cpu", "quota", LIMIT_NUMBER, NULL },
	[CPU_RT_PERIOD] = { "cpu-rt-period", "cpu", "realtimePeriod", LIMIT_IGNORED, NULL },
	[CPU_RT_RUNTIME] = { "cpu-rt-runtime", "cpu", "realtimeRuntime", LIMIT_IGNORED, NULL },
	[CPU_SHARE] = { "cpu-share", "cpu", "shares", LIMIT_NUMBER, NULL },
	[CPUSET_CPUS] = { "cpuset-cpus", "cpu", "cpus", LIMIT_TEXT, NULL },
	[CPUSET_MEMS] = { "cpuset-mems", "cpu", "mems", LIMIT_TEXT, NULL },
	[KERNEL_MEMORY] = { "kernel-memory", "memory", "kernel", LIMIT_IGNORED, NULL },
	[KERNEL_MEMORY_TCP] = { "kernel-memory-tcp", "memory", "kernelTCP", LIMIT_IGNORED, NULL },
	[MEMORY] = { "memory", "memory", "limit", LIMIT_SIZE, NULL },
	[MEMORY_RESERVATION] = { "memory-reservation", "memory", "reservation", LIMIT_SIZE, NULL },
	[MEMORY_SWAP] = { "memory-swap", "memory", "swap", LIMIT_SIZE, NULL },
	[PIDS_LIMIT] = { "pids-limit", "pids", "limit", LIMIT_NUMBER, NULL },
};

#define LIMIT(name, index, argument, help)                                       \
	{                                                                        \
		name, 0, OPTION_TEXT, &limits[index].given, argument, help, NULL \
	}

const struct option update_options[] = {
	{ "resources", 'r', OPTION_TEXT, &file, "FILE",
	  "read a resources object, instead of options; - is stdin", NULL },
	LIMIT("blkio-weight", BLKIO_WEIGHT, "WEIGHT", "share of block I/O, 10 to 1000"),
	LIMIT("cpu-burst", CPU_BURST, "US", "time that unused quota may add to a period"),
	LIMIT("cpu-idle", CPU_IDLE, "0|1", "1 runs only when nobody else wants to"),
	LIMIT("cpu-period", CPU_PERIOD, "US", "length of a period"),
	LIMIT("cpu-quota", CPU_QUOTA, "US", "processor time in each period, -1 for no limit"),
	LIMIT("cpu-share", CPU_SHARE, "SHARES", "share of processor time, 2 to 262144"),
	LIMIT("cpuset-cpus", CPUSET_CPUS, "LIST", "processors to run on, 0-3,7"),
	LIMIT("cpuset-mems", CPUSET_MEMS, "LIST", "memory nodes to use"),
	LIMIT("memory", MEMORY, "BYTES", "memory limit, with suffix K, M, G or T, -1 for none"),
	LIMIT("memory-reservation", MEMORY_RESERVATION, "BYTES", "memory kept from reclaim"),
	LIMIT("memory-swap", MEMORY_SWAP, "BYTES", "memory and swap together"),
	LIMIT("pids-limit", PIDS_LIMIT, "COUNT", "processes and threads, -1 for no limit"),
	{ "l3-cache-schema", 0, OPTION_TEXT, &line.l3_cache_schema, "SCHEMA",
	  "share of the third-level cache, by resctrl: L3:0=f", NULL },
	{ "mem-bw-schema", 0, OPTION_TEXT, &line.mem_bw_schema, "SCHEMA",
	  "memory bandwidth, by resctrl: MB:0=50", NULL },
	LIMIT("cpu-rt-period", CPU_RT_PERIOD, "US", "ignored: only cgroup v1 has it"),
	LIMIT("cpu-rt-runtime", CPU_RT_RUNTIME, "US", "ignored: only cgroup v1 has it"),
	LIMIT("kernel-memory", KERNEL_MEMORY, "BYTES", "ignored: only cgroup v1 has it"),
	LIMIT("kernel-memory-tcp", KERNEL_MEMORY_TCP, "BYTES", "ignored: only cgroup v1 has it"),
	OPTION_END,
};

/* ---- from options ---- */

static void warn_ignored(const struct program *program, const struct limit *limit, const char *why)
{
	const struct hoy_context *context = &program->context;
	const struct log log = { context->log, context->log_data, context->log_level };

	log_warning(&log, "--%s is ignored: %s", limit->option, why);
}

static int write_limit(struct json_writer *writer, const struct limit *limit, struct hoy_error *err)
{
	int64_t number;
	int r = limit->kind == LIMIT_SIZE
			? number_limit(limit->given, &number)
			: number_signed(limit->given, INT64_MIN, INT64_MAX, &number);

	if (limit->kind == LIMIT_TEXT) {
		json_write_string(writer, limit->member, limit->given);
		return 0;
	}
	if (r < 0)
		return fail(err, r, "option --%s: \"%s\"", limit->option, limit->given);
	json_write_signed(writer, limit->member, number);
	return 0;
}

/** One member of the resources with all that was given for it. @returns how much that was, or -1 */
static int write_object(const struct program *program, struct json_writer *writer,
			const char *object, struct hoy_error *err)
{
	int count = 0;

	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		const struct limit *limit = &limits[i];

		if (strcmp(limit->object, object) != 0 || !limit->given)
			continue;
		if (limit->kind == LIMIT_IGNORED) {
			warn_ignored(program, limit, "cgroup v2 has no such limit");
			continue;
		}
		if (count++ == 0)
			json_write_object(writer, object);
		if (write_limit(writer, limit, err) < 0)
			return -1;
	}
	if (count)
		json_write_end(writer);
	return count;
}

static bool is_any_given(void)
{
	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		if (limits[i].given)
			return true;
	return false;
}

static char *compose(const struct program *program, struct hoy_error *err)
{
	static const char *const objects[] = { "blockIO", "cpu", "memory", "pids" };
	struct json_writer writer = { 0 };
	char *text;

	json_write_object(&writer, NULL);
	for (size_t i = 0; i < ARRAY_LEN(objects); i++)
		if (write_object(program, &writer, objects[i], err) < 0) {
			json_write_done(&writer);
			return NULL;
		}
	json_write_end(&writer);
	text = json_write_take(&writer);
	if (!text)
		fail(err, ENOMEM, "compose the limits");
	return text;
}

/* ---- from a file ---- */

static char *read_all(int fd, const char *name, struct hoy_error *err)
{
	autotext struct text text = { 0 };
	char buffer[4096], *bytes;
	ssize_t len;

	while ((len = read(fd, buffer, sizeof(buffer))) > 0 && text.len <= FILE_SIZE_MAX)
		text_add_bytes(&text, buffer, (size_t)len);
	if (len < 0)
		return fail(err, errno, "read %s", name), NULL;
	if (text.len > FILE_SIZE_MAX)
		return fail(err, EFBIG, "read %s", name), NULL;
	if (text.bytes && strlen(text.bytes) != text.len)
		return fail(err, 0, "%s has a byte of value 0", name), NULL;
	if (text.len == 0 && !text.failed)
		return fail(err, 0, "%s is empty", name), NULL;
	bytes = text_take(&text);
	if (!bytes)
		fail(err, ENOMEM, "read %s", name);
	return bytes;
}

static char *read_file(const struct program *program, struct hoy_error *err)
{
	autoclose int fd = -1;

	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		if (limits[i].given)
			warn_ignored(program, &limits[i], "--resources is given");
	if (strcmp(file, "-") == 0)
		return read_all(STDIN_FILENO, "stdin", err);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(err, errno, "open %s", file), NULL;
	return read_all(fd, file, err);
}

int cmd_update(const struct program *program, char **words, struct hoy_error *err)
{
	autofree char *text = NULL;

	if (file || is_any_given()) {
		text = file ? read_file(program, err) : compose(program, err);
		if (!text)
			return -1;
	} else if (!line.l3_cache_schema && !line.mem_bw_schema) {
		return fail(err, 0, "no limit is given");
	}
	line.resources = text;
	return hoy_update(&program->context, words[0], &line, err);
}
