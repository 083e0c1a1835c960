/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup/devices.c: the generated eBPF program, run in a small interpreter against the rules
 * evaluated directly, and attached to a cgroup of this machine.
 */
#include "cgroup/devices.h"

#include <errno.h>
#include <sys/sysmacros.h>

#include "cgroup2.h"

#include "sys/cleanup.h"
#include "sys/compat.h"

enum { MKNOD = 1, READ = 2, WRITE = 4 };

#define ALLOW(type, major, minor, access)        \
	{                                        \
		true, type, major, minor, access \
	}
#define DENY(type, major, minor, access)          \
	{                                         \
		false, type, major, minor, access \
	}

/* What the specification says: each bit by the last rule that names it. */
static bool is_allowed(const struct plan_device_rule *rules, size_t len,
		       const struct bpf_cgroup_dev_ctx *context)
{
	char type = (context->access_type & 0xffff) == BPF_DEVCG_DEV_BLOCK ? 'b' : 'c';

	for (unsigned int bit = 1; bit <= WRITE; bit <<= 1) {
		bool allowed = false;

		if (!(context->access_type >> 16 & bit))
			continue;
		for (size_t i = 0; i < len; i++)
			if ((rules[i].type == 'a' || rules[i].type == type) &&
			    (rules[i].major < 0 || rules[i].major == context->major) &&
			    (rules[i].minor < 0 || rules[i].minor == context->minor) &&
			    rules[i].access & bit)
				allowed = rules[i].allow;
		if (!allowed)
			return false;
	}
	return true;
}

static uint32_t load(const struct bpf_cgroup_dev_ctx *context, short offset)
{
	uint32_t value;

	assert_in_range(offset, 0, sizeof(*context) - sizeof(value));
	memcpy(&value, (const char *)context + offset, sizeof(value));
	return value;
}

/* Executes the instructions that the compiler uses; any other fails the test. */
static bool execute(const struct bpf_insn *insns, size_t len,
		    const struct bpf_cgroup_dev_ctx *context)
{
	uint32_t registers[10] = { 0 };

	for (size_t at = 0; at < len; at++) {
		const struct bpf_insn *insn = &insns[at];
		uint32_t *to = &registers[insn->dst_reg], number = (uint32_t)insn->imm;

		switch (insn->code) {
		case BPF_LDX | BPF_MEM | BPF_W:
			assert_int_equal(insn->src_reg, BPF_REG_1);
			*to = load(context, insn->off);
			break;
		case BPF_ALU | BPF_X | BPF_MOV:
			*to = registers[insn->src_reg];
			break;
		case BPF_ALU | BPF_X | BPF_OR:
			*to |= registers[insn->src_reg];
			break;
		case BPF_ALU | BPF_K | BPF_LSH:
			*to <<= number;
			break;
		case BPF_ALU | BPF_K | BPF_MOV:
			*to = number;
			break;
		case BPF_ALU | BPF_K | BPF_AND:
			*to &= number;
			break;
		case BPF_ALU | BPF_K | BPF_RSH:
			*to >>= number;
			break;
		case BPF_JMP32 | BPF_K | BPF_JEQ:
			at += *to == number ? (size_t)insn->off : 0;
			break;
		case BPF_JMP32 | BPF_K | BPF_JNE:
			at += *to != number ? (size_t)insn->off : 0;
			break;
		case BPF_JMP32 | BPF_K | BPF_JSET:
			at += *to & number ? (size_t)insn->off : 0;
			break;
		case BPF_JMP | BPF_JA:
			at += (size_t)insn->off;
			break;
		case BPF_JMP | BPF_EXIT:
			return registers[0];
		default:
			assert_int_equal(insn->code, 0);
		}
	}
	assert_true(false);
	return false;
}

/* Compares every access to a few devices around those that the rules name. */
static void compare(const struct plan_device_rule *rules, size_t len)
{
	static const uint32_t numbers[] = { 0, 1, 2, 3, 5, 136, 4094, 4095 };
	struct bpf_insn *insns = calloc(len * DEVICES_RULE_INSNS + DEVICES_FRAME_INSNS,
					sizeof(*insns));
	int compiled = devices_compile(rules, len, insns);
	size_t count = (size_t)compiled;

	assert_true(compiled > 0 && count <= len * DEVICES_RULE_INSNS + DEVICES_FRAME_INSNS);
	for (size_t i = 0; i < 2 * 8 * ARRAY_LEN(numbers) * ARRAY_LEN(numbers); i++) {
		struct bpf_cgroup_dev_ctx context = {
			.access_type = (i & 1 ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR) |
				       (i >> 1 & 7) << 16,
			.major = numbers[i >> 4 & 7],
			.minor = numbers[i >> 7 & 7],
		};

		if (execute(insns, count, &context) == is_allowed(rules, len, &context))
			continue;
		print_error("access %x of %u:%u\n", context.access_type, context.major,
			    context.minor);
		assert_true(false);
	}
	free(insns);
}

static void test_last_match_wins(void **state)
{
	static const struct plan_device_rule rules[][4] = {
		{ DENY('a', -1, -1, 7), ALLOW('c', 1, 3, 7), DENY('c', 1, 3, WRITE),
		  ALLOW('b', 1, -1, READ) },
		{ DENY('c', 1, 3, WRITE), ALLOW('c', 1, 3, 7), DENY('a', -1, -1, 7),
		  ALLOW('c', -1, -1, MKNOD) },
		{ ALLOW('a', -1, -1, 7), DENY('b', -1, -1, 7), DENY('c', 5, -1, READ | WRITE),
		  ALLOW('c', -1, 1, READ) },
		{ ALLOW('c', 1, -1, READ), ALLOW('c', -1, 3, WRITE), ALLOW('a', 5, 5, MKNOD),
		  DENY('a', -1, 2, 7) },
		{ ALLOW('a', -1, -1, 7), DENY('a', -1, -1, READ), ALLOW('a', -1, -1, MKNOD),
		  ALLOW('c', 4095, 4094, 7) },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		for (size_t len = 0; len <= ARRAY_LEN(rules[i]); len++)
			compare(rules[i], len);
}

/* The kernel's major has 12 bits and its minor 20: a larger number is not taken for its low bits.
 */
static void test_numbers_too_large_match_nothing(void **state)
{
	static const struct plan_device_rule rules[] = {
		ALLOW('c', 0x100000001, 3, 7), ALLOW('c', 1, 0x100000003, 7),
		ALLOW('c', 4096, 3, 7),	       ALLOW('c', 0, 0x100003, 7),
		DENY('c', 0x100000001, -1, 7), ALLOW('c', -1, 0x100000, 7),
	};

	(void)state;
	compare(rules, ARRAY_LEN(rules));
}

static void test_random_rules(void **state)
{
	static const int64_t numbers[] = { -1, -1, 0, 1, 3, 5, 4095 };
	struct plan_device_rule rules[12];

	(void)state;
	srand(1);
	for (int round = 0; round < 3000; round++) {
		size_t len = (size_t)rand() % (ARRAY_LEN(rules) + 1);

		for (size_t i = 0; i < len; i++)
			rules[i] = (struct plan_device_rule){
				.allow = rand() & 1,
				.type = "abc"[rand() % 3],
				.major = numbers[(size_t)rand() % ARRAY_LEN(numbers)],
				.minor = numbers[(size_t)rand() % ARRAY_LEN(numbers)],
				.access = (unsigned int)rand() % 8,
			};
		compare(rules, len);
	}
}

static void test_rules_before_the_last_word_cost_nothing(void **state)
{
	static const struct plan_device_rule rules[] = {
		DENY('c', 1, 3, 7),
		ALLOW('b', -1, -1, 7),
		DENY('a', -1, -1, 7),
		ALLOW('c', 1, 3, 7),
	};
	static const struct plan_device_rule everything[] = { ALLOW('a', -1, -1, 7) };
	struct bpf_insn all[64], last[64];

	(void)state;
	assert_int_equal(devices_compile(rules, 4, all), devices_compile(rules + 3, 1, last));
	assert_int_equal(devices_compile(rules, 3, all), devices_compile(rules, 0, last));
	/* The verdict that nothing leads to is not there. */
	assert_int_equal(devices_compile(everything, 1, all), devices_compile(rules, 0, last) - 2);
}

/* ---- attached to a cgroup ---- */

/* What a process in the cgroup gets for opening a device: 0 or errno. */
static int try_open(int cgroup, const char *path, int flags)
{
	int pidfd, status;
	pid_t pid = process_clone(0, cgroup, SIGCHLD, &pidfd);

	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = open(path, flags | O_CLOEXEC);

		_exit(fd < 0 ? errno : 0);
	}
	assert_int_equal(process_wait(pidfd, -1, &status), 1);
	close(pidfd);
	return status;
}

/* How many device programs are attached to the cgroup, and the ids of the first ones. */
static uint32_t attached(int cgroup, uint32_t ids[8])
{
	union bpf_attr attr = { .query = { .target_fd = (uint32_t)cgroup } };

	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.prog_ids = (uint64_t)(uintptr_t)ids;
	attr.query.prog_cnt = 8;
	assert_int_equal(bpf(BPF_PROG_QUERY, &attr, sizeof(attr)), 0);
	return attr.query.prog_cnt;
}

/* A cgroup for one test. */
static struct cgroup make_cgroup(const char *name, const struct plan_device_rule *rules, size_t len)
{
	struct cgroup cgroup = CGROUP_NONE;
	struct hoy_error err = { .code = 0 };
	char path[256];
	struct plan_cgroup plan = cgroup2_plan(name, path);

	plan.has_device_rules = rules != NULL;
	plan.device_rules = (struct plan_device_rule *)rules;
	plan.device_rules_len = len;
	if (cgroup_driver_of(&plan)->prepare(&plan, &cgroup, &err) < 0)
		print_error("%s: error %d\n", err.text, err.code);
	assert_true(cgroup.fd >= 0);
	return cgroup;
}

static const struct plan_device_rule read_null[] = {
	DENY('a', -1, -1, 7),
	ALLOW('c', 1, 3, READ | WRITE),
	DENY('c', 1, 3, WRITE),
	ALLOW('c', 1, 5, 7),
};

static void test_attached_by_the_driver(void **state)
{
	autoclose int top = cgroup2_open();
	struct cgroup cgroup = make_cgroup("dev", read_null, ARRAY_LEN(read_null));
	uint32_t ids[8];

	(void)state;
	(void)top;
	assert_int_not_equal(cgroup.device_program, 0);
	assert_int_equal(attached(cgroup.fd, ids), 1);
	assert_int_equal(ids[0], cgroup.device_program);
	assert_int_equal(try_open(cgroup.fd, "/dev/null", O_RDONLY), 0);
	assert_int_equal(try_open(cgroup.fd, "/dev/null", O_WRONLY), EPERM);
	assert_int_equal(try_open(cgroup.fd, "/dev/null", O_RDWR), EPERM);
	assert_int_equal(try_open(cgroup.fd, "/dev/zero", O_RDWR), 0);
	assert_int_equal(try_open(cgroup.fd, "/dev/full", O_RDONLY), EPERM);
	assert_int_equal(cgroup_remove(&cgroup, clock_ms() + 1000), 0);
}

static void test_replaced_on_update(void **state)
{
	static const struct plan_device_rule full[] = { ALLOW('c', 1, 7, READ) };
	static const struct plan_device_rule everything[] = { ALLOW('a', -1, -1, 7) };
	autoclose int top = cgroup2_open();
	struct cgroup cgroup = make_cgroup("up", read_null, ARRAY_LEN(read_null));
	struct hoy_error err = { .code = 0 };
	uint32_t ids[8], id = 0, second = 0;

	(void)state;
	(void)top;
	assert_int_equal(
		cgroup_attach_devices(cgroup.fd, full, 1, cgroup.device_program, &id, &err), 0);
	assert_int_not_equal(id, cgroup.device_program);
	assert_int_equal(attached(cgroup.fd, ids), 1);
	assert_int_equal(ids[0], id);
	assert_int_equal(try_open(cgroup.fd, "/dev/null", O_RDONLY), EPERM);
	assert_int_equal(try_open(cgroup.fd, "/dev/full", O_RDONLY), 0);
	/* The old program is gone: the new one comes beside what is there. */
	assert_int_equal(cgroup_attach_devices(cgroup.fd, read_null, 4, cgroup.device_program,
					       &second, &err),
			 0);
	assert_int_equal(attached(cgroup.fd, ids), 2);
	/* Replacing ours keeps the other one. */
	assert_int_equal(cgroup_attach_devices(cgroup.fd, everything, 1, second, &second, &err), 0);
	assert_int_equal(attached(cgroup.fd, ids), 2);
	assert_true(ids[0] == id || ids[1] == id);
	assert_int_equal(try_open(cgroup.fd, "/dev/full", O_RDONLY), 0);
	assert_int_equal(try_open(cgroup.fd, "/dev/null", O_RDONLY), EPERM);
	assert_int_equal(cgroup_remove(&cgroup, clock_ms() + 1000), 0);
}

static void test_nothing_attached_where_all_is_allowed(void **state)
{
	static const struct plan_device_rule rules[] = { DENY('c', 1, 3, 7),
							 ALLOW('a', -1, -1, 7) };
	autoclose int top = cgroup2_open();
	struct cgroup cgroup = make_cgroup("all", rules, ARRAY_LEN(rules));
	uint32_t ids[8];

	(void)state;
	(void)top;
	assert_int_equal(cgroup.device_program, 0);
	assert_int_equal(attached(cgroup.fd, ids), 0);
	assert_int_equal(try_open(cgroup.fd, "/dev/null", O_RDWR), 0);
	assert_int_equal(cgroup_remove(&cgroup, clock_ms() + 1000), 0);
}

static void test_too_many_rules(void **state)
{
	enum { RULES = 40000 };
	struct plan_device_rule *rules = calloc(RULES, sizeof(*rules));
	struct bpf_insn *insns = calloc(RULES * DEVICES_RULE_INSNS + DEVICES_FRAME_INSNS,
					sizeof(*insns));

	(void)state;
	for (int i = 0; i < RULES; i++)
		rules[i] = (struct plan_device_rule)ALLOW('c', 1, i, 7);
	assert_true(devices_compile(rules, 30000, insns) > 30000);
	assert_int_equal(devices_compile(rules, RULES, insns), -E2BIG);
	for (int i = 0; i < RULES; i++)
		rules[i].type = 'b';
	assert_int_equal(devices_compile(rules, RULES, insns), -E2BIG);
	free(insns);
	free(rules);
}

/* As long as the kernel's verifier takes it. */
static void test_many_rules(void **state)
{
	enum { RULES = 1000 };
	autoclose int top = cgroup2_open();
	struct plan_device_rule *rules = calloc(RULES, sizeof(*rules));
	struct cgroup cgroup;

	(void)state;
	(void)top;
	for (int i = 0; i < RULES; i++)
		rules[i] = (struct plan_device_rule){ i % 3 != 0, "cb"[i % 2], i % 50, i,
						      1 + (unsigned int)i % 7 };
	rules[RULES - 1] = (struct plan_device_rule)ALLOW('c', 1, 3, READ);
	cgroup = make_cgroup("many", rules, RULES);
	assert_int_equal(try_open(cgroup.fd, "/dev/null", O_RDONLY), 0);
	assert_int_equal(try_open(cgroup.fd, "/dev/null", O_WRONLY), EPERM);
	assert_int_equal(cgroup_remove(&cgroup, clock_ms() + 1000), 0);
	free(rules);
}

static void test_without_privilege(void **state)
{
	autoclose int top = cgroup2_open();
	struct cgroup cgroup = make_cgroup("nopriv", NULL, 0);
	pid_t pid = fork();
	int status;

	(void)state;
	(void)top;
	if (pid == 0) {
		struct hoy_error err = { .code = 0 };
		uint32_t id = 77;

		if (setresuid(65534, 65534, 65534) < 0)
			_exit(1);
		if (cgroup_attach_devices(cgroup.fd, read_null, 4, 0, &id, &err) != -1 || id != 77)
			_exit(2);
		if (err.code != EPERM || strcmp(err.at, "linux.resources.devices") != 0 ||
		    !strstr(err.text, "load the device program") || !strstr(err.hint, "CAP_BPF"))
			_exit(3);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(cgroup_remove(&cgroup, clock_ms() + 1000), 0);
}

static void test_not_a_cgroup(void **state)
{
	const struct unit *unit = *state;
	autoclose int top = cgroup2_open();
	struct hoy_error err = { .code = 0 };
	uint32_t id = 77;

	(void)top;
	assert_int_equal(cgroup_attach_devices(unit->dirfd, read_null, 4, 0, &id, &err), -1);
	assert_int_equal(id, 77);
	assert_int_equal(err.code, EBADF);
	assert_string_equal(err.text, "attach the device program to the cgroup");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(test_last_match_wins),
		UNIT_TEST(test_numbers_too_large_match_nothing),
		UNIT_TEST(test_random_rules),
		UNIT_TEST(test_rules_before_the_last_word_cost_nothing),
		UNIT_TEST(test_too_many_rules),
		UNIT_TEST(test_attached_by_the_driver),
		UNIT_TEST(test_replaced_on_update),
		UNIT_TEST(test_nothing_attached_where_all_is_allowed),
		UNIT_TEST(test_many_rules),
		UNIT_TEST(test_without_privilege),
		UNIT_TEST(test_not_a_cgroup),
	};

	return cmocka_run_group_tests_name("devices", tests, cgroup2_group_setup,
					   cgroup2_group_teardown);
}
