/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Says limits, device rules and annotations in systemd's words: systemd.resource-control(5),
 * org.freedesktop.systemd1(5). Runs in the runtime. Pure: reads no file and talks to nobody.
 */
#include "cgroup/systemd_property.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/number.h"
#include "base/string.h"
#include "sys/cleanup.h"
#include "sys/error.h"

/* systemd's word for no limit. */
#define INFINITE UINT64_MAX

#define SECOND_US 1000000
/* cpu.max and systemd have the same default. */
#define CPU_PERIOD_US 100000
/* systemd keeps a CPU quota as whole percents. */
#define CPU_PERCENT_US (SECOND_US / 100)

#define SET_BITS 8192

static struct systemd_property *add(struct systemd_properties *properties, const char *name,
				    const char *type)
{
	struct systemd_property *property;

	if (properties->len == properties->size) {
		size_t size = properties->size ? properties->size * 2 : 16;
		struct systemd_property *items = arena_array(properties->arena,
							     struct systemd_property, size);

		if (!items) {
			properties->failed = true;
			return NULL;
		}
		if (properties->len)
			memcpy(items, properties->items, properties->len * sizeof(*items));
		properties->items = items;
		properties->size = size;
	}
	property = &properties->items[properties->len++];
	*property = (struct systemd_property){ .name = name, .type = type };
	return property;
}

void systemd_add_number(struct systemd_properties *properties, const char *name, const char *type,
			uint64_t number)
{
	struct systemd_property *property = add(properties, name, type);

	if (property)
		property->number = number;
}

static const char **make_strings(struct systemd_properties *properties, size_t len)
{
	const char **strings = arena_array(properties->arena, const char *, len);

	properties->failed |= !strings;
	return strings;
}

/* Takes over the array, which is in the arena. */
static void add_strings(struct systemd_properties *properties, const char *name, const char *type,
			const char **strings, size_t len)
{
	struct systemd_property *property = strings ? add(properties, name, type) : NULL;

	if (!property)
		return;
	property->strings = strings;
	property->len = len;
}

void systemd_add_string(struct systemd_properties *properties, const char *name, const char *string)
{
	const char **strings = make_strings(properties, 1);

	if (strings)
		strings[0] = string;
	add_strings(properties, name, "s", strings, 1);
}

/* ---- limits ---- */

/* A number, or "max". */
static void add_limit(struct systemd_properties *properties, const char *name, const char *value)
{
	uint64_t number = INFINITE;

	if (strcmp(value, "max") == 0 || number_unsigned(value, UINT64_MAX, &number) == 0)
		systemd_add_number(properties, name, "t", number);
}

/* "QUOTA", "QUOTA PERIOD" or "max PERIOD", in microseconds. */
static void add_cpu_quota(struct systemd_properties *properties, const char *name,
			  const char *value)
{
	char quota[24];
	uint64_t number = INFINITE, period = CPU_PERIOD_US;
	size_t len = strcspn(value, " ");

	format_text(quota, sizeof(quota), "%.*s", (int)len, value);
	if (value[len] && number_unsigned(value + len + 1, UINT32_MAX, &period) < 0)
		return;
	if (strcmp(quota, "max") != 0) {
		if (number_unsigned(quota, INT64_MAX / SECOND_US, &number) < 0 || period == 0)
			return;
		number = number * SECOND_US / period;
		number = (number + CPU_PERCENT_US - 1) / CPU_PERCENT_US * CPU_PERCENT_US;
	}
	systemd_add_number(properties, name, "t", number);
	systemd_add_number(properties, "CPUQuotaPeriodUSec", "t", period);
}

struct bits {
	uint8_t bytes[SET_BITS / 8];
	size_t len;
};

static void set_bits(void *data, unsigned int first, unsigned int last)
{
	struct bits *bits = data;

	for (unsigned int bit = first; bit <= last; bit++)
		bits->bytes[bit / 8] |= (uint8_t)(1U << bit % 8);
	if (bits->len < last / 8 + 1)
		bits->len = last / 8 + 1;
}

/* "0-3,7" as bytes of bits. */
static void add_set(struct systemd_properties *properties, const char *name, const char *value)
{
	struct bits bits = { .len = 0 };
	struct systemd_property *property;

	if (number_list(value, SET_BITS - 1, set_bits, &bits) < 0)
		return;
	property = add(properties, name, "ay");
	if (!property)
		return;
	property->bytes = arena_copy(properties->arena, bits.bytes, bits.len);
	property->len = bits.len;
	properties->failed |= !property->bytes;
}

static const struct {
	const char *file, *property;
	void (*add)(struct systemd_properties *properties, const char *name, const char *value);
} limits[] = {
	{ "cpu.max", "CPUQuotaPerSecUSec", add_cpu_quota },
	{ "cpu.weight", "CPUWeight", add_limit },
	{ "cpuset.cpus", "AllowedCPUs", add_set },
	{ "cpuset.mems", "AllowedMemoryNodes", add_set },
	{ "io.weight", "IOWeight", add_limit },
	{ "memory.high", "MemoryHigh", add_limit },
	{ "memory.low", "MemoryLow", add_limit },
	{ "memory.max", "MemoryMax", add_limit },
	{ "memory.min", "MemoryMin", add_limit },
	{ "memory.swap.max", "MemorySwapMax", add_limit },
	{ "pids.max", "TasksMax", add_limit },
};

void systemd_add_limits(struct systemd_properties *properties,
			const struct plan_cgroup_write *writes, size_t len, bool late)
{
	for (size_t i = 0; i < len; i++)
		for (size_t j = 0; j < ARRAY_LEN(limits); j++)
			if (writes[i].late == late && strcmp(writes[i].file, limits[j].file) == 0)
				limits[j].add(properties, limits[j].property, writes[i].value);
}

/* ---- devices ---- */

static const char *access_text(unsigned int access)
{
	static const char *const texts[] = { "", "m", "r", "rm", "w", "wm", "rw", "rwm" };

	return texts[access & 7];
}

/* systemd's name of all devices of a major number: its driver's, as /proc/devices has it. */
static const char *name_of_major(struct arena *arena, const char *devices, char type, int64_t major)
{
	const char *section = type == 'b' ? strstr(devices, "Block devices:") : devices;
	const char *kind = type == 'b' ? "block" : "char";
	char wanted[24];

	format_text(wanted, sizeof(wanted), "%lld ", (long long)major);
	for (const char *line = section; line; line = strchr(line, '\n')) {
		line += strspn(line, "\n ");
		if (type == 'c' && string_starts(line, "Block"))
			break;
		if (string_starts(line, wanted)) {
			line += strlen(wanted);
			return arena_format(arena, "%s-%.*s", kind, (int)strcspn(line, "\n"), line);
		}
	}
	/* Nobody drives it: systemd knows no way to name it but by allowing more. */
	return type == 'b' ? "block-*" : "char-*";
}

static const char *device_name(struct arena *arena, const struct plan_device_rule *rule, char type,
			       const char *devices)
{
	if (rule->major < 0)
		return type == 'b' ? "block-*" : "char-*";
	if (rule->minor < 0)
		return name_of_major(arena, devices, type, rule->major);
	return arena_format(arena, "/dev/%s/%lld:%lld", type == 'b' ? "block" : "char",
			    (long long)rule->major, (long long)rule->minor);
}

static bool is_about_all(const struct plan_device_rule *rule)
{
	return rule->type == 'a' && rule->major < 0 && rule->minor < 0 && rule->access == 7;
}

void systemd_add_devices(struct systemd_properties *properties,
			 const struct plan_device_rule *rules, size_t len, const char *devices)
{
	const char **pairs = make_strings(properties, 4 * len + 1);
	size_t first = len, pairs_len = 0;

	/* Only what follows the last rule about everything counts. */
	while (first > 0 && !is_about_all(&rules[first - 1]))
		first--;
	if (first > 0 && rules[first - 1].allow) {
		systemd_add_string(properties, "DevicePolicy", "auto");
		add_strings(properties, "DeviceAllow", "a(ss)", pairs, 0);
		return;
	}
	for (size_t i = first; pairs && i < len; i++)
		for (const char *type = "bc"; *type; type++) {
			if (!rules[i].allow || (rules[i].type != 'a' && rules[i].type != *type))
				continue;
			pairs[pairs_len++] = device_name(properties->arena, &rules[i], *type,
							 devices);
			pairs[pairs_len++] = access_text(rules[i].access);
			properties->failed |= !pairs[pairs_len - 2];
		}
	systemd_add_string(properties, "DevicePolicy", "strict");
	/* An empty list first: with update, systemd would add to the present one. */
	add_strings(properties, "DeviceAllow", "a(ss)", pairs, 0);
	add_strings(properties, "DeviceAllow", "a(ss)", pairs, pairs_len);
}

/* ---- annotations ---- */

/* A quoted string at *text, which moves behind it. NULL if there is none. */
static const char *read_string(struct arena *arena, const char **text)
{
	char quote = **text;
	const char *end;
	char *copy, *to;

	if (quote != '\'' && quote != '"')
		return NULL;
	to = copy = arena_strdup(arena, *text + 1);
	if (!copy)
		return NULL;
	for (end = *text + 1; *end && *end != quote; end++) {
		if (*end == '\\' && end[1])
			end++;
		*to++ = *end;
	}
	if (*end != quote)
		return NULL;
	*to = '\0';
	*text = end + 1;
	return copy;
}

static const char *skip_blanks(const char *text)
{
	return text + strspn(text, " \t");
}

/* ['a', 'b'] */
static int add_list(struct systemd_properties *properties, const char *name, const char *text)
{
	const char **strings = make_strings(properties, strlen(text));
	size_t len = 0;

	if (!strings)
		return -ENOMEM;
	text = skip_blanks(text + 1);
	while (*text != ']') {
		strings[len] = read_string(properties->arena, &text);
		if (!strings[len++])
			return -EINVAL;
		text = skip_blanks(text);
		if (*text == ',')
			text = skip_blanks(text + 1);
		else if (*text != ']')
			return -EINVAL;
	}
	if (text[1] != '\0')
		return -EINVAL;
	add_strings(properties, name, "as", strings, len);
	return 0;
}

static int add_text(struct systemd_properties *properties, const char *name, const char *text)
{
	const char *string = read_string(properties->arena, &text);

	if (!string || *text != '\0')
		return -EINVAL;
	systemd_add_string(properties, name, string);
	return 0;
}

/* A number after its type's name; plain numbers are int32, as GVariant has it. */
static int read_integer(const char *text, const char **ret_type, int64_t *ret_number)
{
	static const struct {
		const char *word, *type;
		int64_t min, max;
	} types[] = {
		{ "int32 ", "i", INT32_MIN, INT32_MAX }, { "uint32 ", "u", 0, UINT32_MAX },
		{ "int64 ", "x", INT64_MIN, INT64_MAX }, { "uint64 ", "t", 0, INT64_MAX },
		{ "", "i", INT32_MIN, INT32_MAX },
	};
	size_t i = 0;

	while (!string_starts(text, types[i].word))
		i++;
	*ret_type = types[i].type;
	return number_signed(skip_blanks(text + strlen(types[i].word)), types[i].min, types[i].max,
			     ret_number);
}

static int add_integer(struct systemd_properties *properties, const char *name, const char *text)
{
	const char *type, *end = strrchr(text, ' ');
	uint64_t large;
	int64_t number;

	/* The upper half of uint64 alone does not fit the signed parser. */
	if (string_starts(text, "uint64 ") && number_unsigned(end + 1, UINT64_MAX, &large) == 0) {
		systemd_add_number(properties, name, "t", large);
		return 0;
	}
	if (read_integer(text, &type, &number) < 0)
		return -EINVAL;
	systemd_add_number(properties, name, type, (uint64_t)number);
	return 0;
}

/* TimeoutStopSec: 5 is TimeoutStopUSec: 5000000 on the bus. */
static int add_seconds(struct systemd_properties *properties, const char *name, const char *text)
{
	const char *bus_name = arena_format(properties->arena, "%.*sUSec",
					    (int)(strlen(name) - strlen("Sec")), name);
	const char *type;
	int64_t seconds;

	if (!bus_name)
		return -ENOMEM;
	if (read_integer(text, &type, &seconds) < 0 || seconds < 0 ||
	    seconds > INT64_MAX / SECOND_US)
		return -EINVAL;
	systemd_add_number(properties, bus_name, "t", (uint64_t)seconds * SECOND_US);
	return 0;
}

static int add_value(struct systemd_properties *properties, const char *name, const char *text)
{
	text = skip_blanks(text);
	if (*text == '[')
		return add_list(properties, name, text);
	if (*text == '\'' || *text == '"')
		return add_text(properties, name, text);
	if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
		systemd_add_number(properties, name, "b", *text == 't');
		return 0;
	}
	if (string_ends(name, "Sec") && !string_ends(name, "USec"))
		return add_seconds(properties, name, text);
	return add_integer(properties, name, text);
}

int systemd_add_annotation(struct systemd_properties *properties, const char *name,
			   const char *text, struct hoy_error *err)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789";
	char at[sizeof(err->at)];
	int r = -EINVAL;

	format_text(at, sizeof(at), "annotations[\"org.systemd.property.%s\"]", name);
	if (!*name || !string_is_made_of(name, letters))
		return fail_at(err, at, 0, "\"%s\" is not the name of a property", name);
	r = add_value(properties, name, text);
	if (r == -EINVAL) {
		fail_at(err, at, 0, "\"%s\" is not a value", text);
		return fail_hint(err, "values are 'text', true, 5, uint32 5, int64 5, uint64 5, or "
				      "['text', 'text']");
	}
	return r < 0 ? fail_at(err, at, r, "read the property") : 0;
}
