/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.resources as writes to files of a cgroup: one table of which member goes to which file,
 * with the conversion where cgroup v2 counts differently. Values that ask for nothing (0, -1,
 * false) become writes that may fail for lack of the file. Runs in the runtime; pure.
 * Spec: config-linux.md#control-groups; the files are those of the kernel's cgroup-v2.rst.
 */
#include <string.h>

#include "plan/build.h"
#include "sys/cleanup.h"
#include "sys/error.h"

/** The kernel's default for cpu.max, in microseconds. */
#define CPU_PERIOD_US 100000

#define AT "linux.resources."

struct row {
	/** Configuration path below linux.resources. */
	const char *at;
	const char *file, *controller;
	int (*add)(struct plan_builder *builder, const struct row *row,
		   const struct config_resources *from);
	/** Would get in the way of the set-up itself. */
	bool late;
};

/* ---- adding writes ---- */

static struct plan_cgroup_write *add(struct plan_builder *builder, const struct row *row,
				     const char *value)
{
	struct plan_cgroup_write *write;

	if (!value)
		return plan_no_memory(builder), NULL;
	write = PLAN_APPEND(builder, builder->plan->cgroup.writes);
	if (!write)
		return NULL;
	write->at = row->at;
	write->file = row->file;
	write->value = value;
	write->controller = row->controller;
	write->late = row->late;
	return write;
}

static int add_text(struct plan_builder *builder, const struct row *row, const char *value)
{
	return add(builder, row, value) ? 0 : -1;
}

/* A value that holds in every new cgroup: written where the file exists, asked of nobody. */
static int add_default(struct plan_builder *builder, const struct row *row, const char *value)
{
	struct plan_cgroup_write *write = add(builder, row, value);

	if (!write)
		return -1;
	write->controller = NULL;
	write->optional = true;
	return 0;
}

static int add_number(struct plan_builder *builder, const struct row *row, uint64_t number)
{
	return add_text(builder, row,
			arena_format(builder->arena, "%llu", (unsigned long long)number));
}

/* ---- memory ---- */

static int add_memory_limit(struct plan_builder *builder, const struct row *row,
			    const struct config_resources *from)
{
	const struct opt_i64 *limit = from->memory ? &from->memory->limit : NULL;

	if (!limit || !limit->set || limit->value == 0)
		return 0;
	return limit->value < 0 ? add_default(builder, row, "max")
				: add_number(builder, row, (uint64_t)limit->value);
}

static int add_memory_reservation(struct plan_builder *builder, const struct row *row,
				  const struct config_resources *from)
{
	const struct opt_i64 *reservation = from->memory ? &from->memory->reservation : NULL;

	if (!reservation || !reservation->set || reservation->value == 0)
		return 0;
	/* No soft limit at all is no protection from reclaim either. */
	return reservation->value < 0 ? add_default(builder, row, "0")
				      : add_number(builder, row, (uint64_t)reservation->value);
}

/* The specification counts memory and swap together, cgroup v2 swap alone. */
static int add_memory_swap(struct plan_builder *builder, const struct row *row,
			   const struct config_resources *from)
{
	int64_t limit, swap;

	if (!from->memory)
		return 0;
	limit = from->memory->limit.set ? from->memory->limit.value : 0;
	swap = from->memory->swap.set ? from->memory->swap.value : 0;
	if (swap < 0 || (swap == 0 && limit < 0))
		return add_default(builder, row, "max");
	if (swap == 0)
		return 0;
	if (limit <= 0)
		return fail_at(builder->err, row->at, 0,
			       "%lld is memory and swap together: it needs memory.limit",
			       (long long)swap);
	if (swap < limit)
		return fail_at(builder->err, row->at, 0,
			       "%lld is memory and swap together: it is below memory.limit %lld",
			       (long long)swap, (long long)limit);
	/* Without swap accounting there is no swap to forbid. */
	return swap == limit ? add_default(builder, row, "0")
			     : add_number(builder, row, (uint64_t)(swap - limit));
}

/* ---- cpu ---- */

/*
 * log2() and 2^x of the mathematics library would be the program's second shared library, a tenth
 * of its start-up time, for this one formula. @param x  >= 1
 */
static double binary_logarithm(double x)
{
	double result = 0;

	for (; x >= 2; x /= 2)
		result++;
	/* Squaring doubles the logarithm: its next binary digit is whether 2 is reached. */
	for (double digit = 0.5; digit > 1e-16; digit /= 2) {
		x *= x;
		if (x >= 2) {
			x /= 2;
			result += digit;
		}
	}
	return result;
}

/* @param x  >= 0 */
static double power_of_ten(double x)
{
	static const double ln_10 = 2.302585092994045684;
	double term = 1, sum = 1, whole = 1;

	for (; x >= 1; x--)
		whole *= 10;
	for (int i = 1; i < 40; i++) {
		term *= x * ln_10 / i;
		sum += term;
	}
	return whole * sum;
}

/* 2 .. 262144 with 1024 in the middle becomes 1 .. 10000 with 100 there. */
static uint64_t cpu_weight(uint64_t shares)
{
	double l, weight;
	uint64_t rounded;

	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	l = binary_logarithm((double)shares);
	/* Rounded up, but a rounding error must not lift 100 to 101. */
	weight = power_of_ten((l * l + 125 * l) / 612 - 7.0 / 34) - 1e-6;
	rounded = (uint64_t)weight;
	return rounded + (weight > (double)rounded);
}

static int add_cpu_weight(struct plan_builder *builder, const struct row *row,
			  const struct config_resources *from)
{
	const struct config_cpu *cpu = from->cpu;

	if (!cpu || !cpu->shares.set || cpu->shares.value == 0)
		return 0;
	/* The kernel refuses a weight for an idle cgroup. */
	if (cpu->idle.set && cpu->idle.value == 1)
		return 0;
	return add_number(builder, row, cpu_weight(cpu->shares.value));
}

static int add_cpu_idle(struct plan_builder *builder, const struct row *row,
			const struct config_resources *from)
{
	if (!from->cpu || !from->cpu->idle.set)
		return 0;
	return from->cpu->idle.value == 0
		       ? add_default(builder, row, "0")
		       : add_number(builder, row, (uint64_t)from->cpu->idle.value);
}

static int add_cpu_max(struct plan_builder *builder, const struct row *row,
		       const struct config_resources *from)
{
	uint64_t period = from->cpu && from->cpu->period.set ? from->cpu->period.value : 0;
	int64_t quota = from->cpu && from->cpu->quota.set ? from->cpu->quota.value : 0;
	struct row item = *row;
	char number[24] = "max";
	const char *value;

	if (!quota && !period)
		return 0;
	if (!quota)
		item.at = AT "cpu.period";
	if (quota > 0)
		format_text(number, sizeof(number), "%lld", (long long)quota);
	value = period ? arena_format(builder->arena, "%s %llu", number, (unsigned long long)period)
		       : arena_strdup(builder->arena, number);
	return quota <= 0 && (!period || period == CPU_PERIOD_US)
		       ? add_default(builder, &item, value)
		       : add_text(builder, &item, value);
}

static int add_cpu_burst(struct plan_builder *builder, const struct row *row,
			 const struct config_resources *from)
{
	const struct config_cpu *cpu = from->cpu;

	if (!cpu || !cpu->burst.set)
		return 0;
	if (cpu->burst.value == 0)
		return add_default(builder, row, "0");
	return add_number(builder, row, cpu->burst.value);
}

static int add_list(struct plan_builder *builder, const struct row *row, const char *list)
{
	return list && *list ? add_text(builder, row, list) : 0;
}

static int add_cpus(struct plan_builder *builder, const struct row *row,
		    const struct config_resources *from)
{
	return add_list(builder, row, from->cpu ? from->cpu->cpus : NULL);
}

static int add_mems(struct plan_builder *builder, const struct row *row,
		    const struct config_resources *from)
{
	return add_list(builder, row, from->cpu ? from->cpu->mems : NULL);
}

/* ---- block I/O ---- */

/* 10 .. 1000 becomes 1 .. 10000. */
static uint64_t io_weight(uint64_t weight)
{
	return 1 + (weight - 10) * 9999 / 990;
}

/*
 * bfq has a file of its own, with the specification's range. Where it is missing, the weight goes
 * to io.weight, whose range is wider.
 */
static int add_weights(struct plan_builder *builder, const struct row *row, const char *device,
		       uint64_t weight)
{
	struct row bfq = *row;
	struct plan_cgroup_write *write;

	bfq.file = "io.bfq.weight";
	write = add(builder, &bfq,
		    arena_format(builder->arena, "%s%llu", device, (unsigned long long)weight));
	if (!write)
		return -1;
	write->optional = true;
	write = add(builder, row,
		    arena_format(builder->arena, "%s%llu", device,
				 (unsigned long long)io_weight(weight)));
	if (!write)
		return -1;
	write->alternative = true;
	return 0;
}

static int add_io_weight(struct plan_builder *builder, const struct row *row,
			 const struct config_resources *from)
{
	const struct config_block_io *io = from->block_io;

	if (!io || !io->weight.set || io->weight.value == 0)
		return 0;
	return add_weights(builder, row, "", io->weight.value);
}

static int add_weight_devices(struct plan_builder *builder, const struct row *row,
			      const struct config_resources *from)
{
	const struct config_block_io *io = from->block_io;

	for (size_t i = 0; io && i < io->weight_device.len; i++) {
		const struct config_weight_device *device = &io->weight_device.items[i];
		struct row item = *row;
		const char *number;

		if (!device->weight.set || device->weight.value == 0)
			continue;
		item.at = plan_at_item(builder, row->at, i);
		number = arena_format(builder->arena, "%lld:%lld ", (long long)device->major,
				      (long long)device->minor);
		if (!number)
			return plan_no_memory(builder);
		if (add_weights(builder, &item, number, device->weight.value) < 0)
			return -1;
	}
	return 0;
}

static int add_throttles(struct plan_builder *builder, const struct row *row,
			 const config_throttle_list *list, const char *key)
{
	for (size_t i = 0; i < list->len; i++) {
		const struct config_throttle_device *device = &list->items[i];
		struct row item = *row;
		char rate[24] = "max";
		const char *value;

		item.at = plan_at_item(builder, row->at, i);
		if (device->rate)
			format_text(rate, sizeof(rate), "%llu", (unsigned long long)device->rate);
		value = arena_format(builder->arena, "%lld:%lld %s=%s", (long long)device->major,
				     (long long)device->minor, key, rate);
		if ((device->rate ? add_text(builder, &item, value)
				  : add_default(builder, &item, value)) < 0)
			return -1;
	}
	return 0;
}

static int add_read_bps(struct plan_builder *builder, const struct row *row,
			const struct config_resources *from)
{
	return from->block_io ? add_throttles(builder, row,
					      &from->block_io->throttle_read_bps_device, "rbps")
			      : 0;
}

static int add_write_bps(struct plan_builder *builder, const struct row *row,
			 const struct config_resources *from)
{
	return from->block_io ? add_throttles(builder, row,
					      &from->block_io->throttle_write_bps_device, "wbps")
			      : 0;
}

static int add_read_iops(struct plan_builder *builder, const struct row *row,
			 const struct config_resources *from)
{
	return from->block_io ? add_throttles(builder, row,
					      &from->block_io->throttle_read_iops_device, "riops")
			      : 0;
}

static int add_write_iops(struct plan_builder *builder, const struct row *row,
			  const struct config_resources *from)
{
	return from->block_io ? add_throttles(builder, row,
					      &from->block_io->throttle_write_iops_device, "wiops")
			      : 0;
}

/* ---- huge pages, rdma, pids ---- */

/* "2048KB" as the kernel names its files, in the largest unit: "2MB". Stored only. */
static const char *huge_page_name(struct plan_builder *builder, const char *size)
{
	static const char units[] = "KMG";
	char *end;
	unsigned long long count = strtoull(size, &end, 10);
	size_t unit = strcspn(units, end);

	for (; unit < 2 && count % 1024 == 0; unit++)
		count /= 1024;
	return arena_format(builder->arena, "%llu%cB", count, units[unit]);
}

/* Faults and reservations are limited alike; kernels before 5.7 count only faults. */
static int add_huge_pages(struct plan_builder *builder, const struct row *row,
			  const struct config_resources *from)
{
	for (size_t i = 0; i < from->hugepage_limits.len; i++) {
		const struct config_hugepage_limit *limit = &from->hugepage_limits.items[i];
		struct plan_cgroup_write *write;
		struct row item = *row;
		const char *name = huge_page_name(builder, limit->page_size);

		item.at = plan_at_item(builder, row->at, i);
		if (!name)
			return plan_no_memory(builder);
		item.file = arena_format(builder->arena, "hugetlb.%s.max", name);
		if (add_number(builder, &item, limit->limit) < 0)
			return -1;
		item.file = arena_format(builder->arena, "hugetlb.%s.rsvd.max", name);
		write = add(builder, &item,
			    arena_format(builder->arena, "%llu", (unsigned long long)limit->limit));
		if (!write)
			return -1;
		write->optional = true;
	}
	return 0;
}

static const char *rdma_limit(struct plan_builder *builder, const char *text, const char *key,
			      const struct opt_u64 *limit)
{
	if (!limit->set || !text)
		return text;
	return arena_format(builder->arena, "%s %s=%llu", text, key,
			    (unsigned long long)limit->value);
}

static int add_rdma(struct plan_builder *builder, const struct row *row,
		    const struct config_resources *from)
{
	for (size_t i = 0; i < from->rdma.len; i++) {
		const struct config_rdma *rdma = &from->rdma.items[i];
		struct row item = *row;
		const char *value = rdma->device;

		item.at = plan_at_member(builder, row->at, rdma->device);
		value = rdma_limit(builder, value, "hca_handle", &rdma->hca_handles);
		value = rdma_limit(builder, value, "hca_object", &rdma->hca_objects);
		if (add_text(builder, &item, value) < 0)
			return -1;
	}
	return 0;
}

static int add_pids(struct plan_builder *builder, const struct row *row,
		    const struct config_resources *from)
{
	if (!from->pids || !from->pids->limit.set)
		return 0;
	return from->pids->limit.value < 0
		       ? add_default(builder, row, "max")
		       : add_number(builder, row, (uint64_t)from->pids->limit.value);
}

/* ---- unified ---- */

/* Controller of a file "CONTROLLER.REST"; NULL for the files that every cgroup has. */
static const char *controller_of(struct plan_builder *builder, const char *file)
{
	const char *name = arena_strndup(builder->arena, file, strcspn(file, "."));

	return name && strcmp(name, "cgroup") == 0 ? NULL : name;
}

/* Files of several lines take one a write(2). */
static int add_lines(struct plan_builder *builder, const struct row *row, const char *text)
{
	do {
		size_t len = strcspn(text, "\n");

		if (add_text(builder, row, arena_strndup(builder->arena, text, len)) < 0)
			return -1;
		text += len + (text[len] == '\n');
	} while (*text);
	return 0;
}

static int add_unified(struct plan_builder *builder, const struct row *row,
		       const struct config_resources *from)
{
	for (size_t i = 0; i < from->unified.len; i++) {
		const char *key = from->unified.items[i].key;
		struct row item = *row;

		item.at = plan_at_member(builder, row->at, key);
		item.file = key;
		item.controller = controller_of(builder, key);
		item.late = strcmp(key, "pids.max") == 0;
		if (add_lines(builder, &item, from->unified.items[i].value) < 0)
			return -1;
	}
	return 0;
}

/* ---- the table ---- */

/** In the order of the writes: burst after quota, what names files itself last. */
static const struct row rows[] = {
	{ AT "memory.limit", "memory.max", "memory", add_memory_limit, false },
	{ AT "memory.swap", "memory.swap.max", "memory", add_memory_swap, false },
	{ AT "memory.reservation", "memory.low", "memory", add_memory_reservation, false },
	{ AT "cpu.idle", "cpu.idle", "cpu", add_cpu_idle, false },
	{ AT "cpu.shares", "cpu.weight", "cpu", add_cpu_weight, false },
	{ AT "cpu.quota", "cpu.max", "cpu", add_cpu_max, false },
	{ AT "cpu.burst", "cpu.max.burst", "cpu", add_cpu_burst, false },
	{ AT "cpu.cpus", "cpuset.cpus", "cpuset", add_cpus, false },
	{ AT "cpu.mems", "cpuset.mems", "cpuset", add_mems, false },
	{ AT "blockIO.weight", "io.weight", "io", add_io_weight, false },
	{ AT "blockIO.weightDevice", "io.weight", "io", add_weight_devices, false },
	{ AT "blockIO.throttleReadBpsDevice", "io.max", "io", add_read_bps, false },
	{ AT "blockIO.throttleWriteBpsDevice", "io.max", "io", add_write_bps, false },
	{ AT "blockIO.throttleReadIOPSDevice", "io.max", "io", add_read_iops, false },
	{ AT "blockIO.throttleWriteIOPSDevice", "io.max", "io", add_write_iops, false },
	{ AT "hugepageLimits", NULL, "hugetlb", add_huge_pages, false },
	{ AT "rdma", "rdma.max", "rdma", add_rdma, false },
	{ AT "pids.limit", "pids.max", "pids", add_pids, true },
	{ AT "unified", NULL, NULL, add_unified, false },
};

int plan_resources(struct plan_builder *builder, const struct config_resources *resources)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].add(builder, &rows[i], resources) < 0)
			return -1;
	return 0;
}
