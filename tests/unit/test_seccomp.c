/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtime/seccomp*.c: profiles are compiled and the programs run in a small interpreter; the search
 * tree is compared with libseccomp's own program; the cache is damaged in every way.
 */
#include "runtime/seccomp.h"

#include "unit.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "runtime/seccomp_cache.h"
#include "runtime/seccomp_tree.h"
#include "spec/seccomp_name.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/file.h"

#define X86_64	 AUDIT_ARCH_X86_64
#define X86	 AUDIT_ARCH_I386
#define X32_BIT	 0x40000000
#define ERRNO(n) (SECCOMP_RET_ERRNO | (n))
#define NAMES(...)                                                                  \
	{                                                                           \
		.items = (char *[]){ __VA_ARGS__, NULL }, .len = COUNT(__VA_ARGS__) \
	}
#define COUNT(...) (sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *))

/* ---- an interpreter ---- */

static bool test_condition(const struct sock_filter *insn, uint32_t value)
{
	switch (BPF_OP(insn->code)) {
	case BPF_JEQ:
		return value == insn->k;
	case BPF_JGT:
		return value > insn->k;
	case BPF_JGE:
		return value >= insn->k;
	default:
		return value & insn->k;
	}
}

static uint32_t run(const struct sock_filter *insns, size_t len, const struct seccomp_data *data)
{
	uint32_t value = 0;

	for (size_t at = 0; at < len; at++) {
		const struct sock_filter *insn = &insns[at];

		switch (insn->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_in_range(insn->k, 0, sizeof(*data) - sizeof(value));
			memcpy(&value, (const char *)data + insn->k, sizeof(value));
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			value &= insn->k;
			break;
		case BPF_RET | BPF_K:
			return insn->k;
		case BPF_JMP | BPF_JA:
			at += insn->k;
			break;
		default:
			assert_int_equal(BPF_CLASS(insn->code), BPF_JMP);
			assert_int_equal(BPF_SRC(insn->code), BPF_K);
			at += test_condition(insn, value) ? insn->jt : insn->jf;
		}
	}
	assert_true(false);
	return 0;
}

static uint32_t run_filter(const struct plan_seccomp *filter, uint32_t arch, uint32_t number,
			   uint64_t first)
{
	const struct seccomp_data data = {
		.nr = (int)number,
		.arch = arch,
		.args = { first, 0, 0, 0, 0, 0 },
	};

	return run(filter->filter, filter->len, &data);
}

/* ---- compiling ---- */

static const struct seccomp_options no_cache = { .cache = -1 };

static struct plan_seccomp compile(struct arena *arena, const struct config_seccomp *config)
{
	struct plan_seccomp filter = { .len = 0 };
	struct hoy_error err = { .code = 0 };

	if (seccomp_compile(config, &no_cache, arena, &filter, &err) < 0)
		print_error("%s: %s\n", err.at, err.text);
	assert_true(filter.len > 0);
	assert_true(filter.len <= BPF_MAXINSNS);
	return filter;
}

/* What a one-syscall profile gives for that syscall (with its first argument) and for another. */
static void check(const struct config_seccomp *config, uint32_t number, uint64_t first,
		  uint32_t expected)
{
	struct arena arena = { .blocks = NULL };
	struct plan_seccomp filter = compile(&arena, config);

	assert_int_equal(run_filter(&filter, X86_64, number, first), expected);
	arena_done(&arena);
}

static int skip_elsewhere(void **state)
{
	if (seccomp_arch_native() == SCMP_ARCH_X86_64)
		return unit_setup(state);
	print_message("skipped: the numbers are those of x86_64\n");
	skip();
	return 0;
}

#define X86_TEST(function) cmocka_unit_test_setup_teardown(function, skip_elsewhere, unit_teardown)

static void test_every_action(void **state)
{
	static const struct {
		uint32_t action;
		struct opt_u64 number;
		uint32_t result;
	} cases[] = {
		{ SECCOMP_RET_ALLOW, { false, 0 }, SECCOMP_RET_ALLOW },
		{ SECCOMP_RET_LOG, { false, 0 }, SECCOMP_RET_LOG },
		{ SECCOMP_RET_TRACE, { false, 0 }, SECCOMP_RET_TRACE | EPERM },
		{ SECCOMP_RET_TRACE, { true, 77 }, SECCOMP_RET_TRACE | 77 },
		{ SECCOMP_RET_ERRNO, { false, 0 }, ERRNO(EPERM) },
		{ SECCOMP_RET_ERRNO, { true, 0 }, ERRNO(0) },
		{ SECCOMP_RET_ERRNO, { true, ENOSYS }, ERRNO(ENOSYS) },
		{ SECCOMP_RET_ERRNO, { true, 4094 }, ERRNO(4094) },
		{ SECCOMP_RET_TRAP, { false, 0 }, SECCOMP_RET_TRAP },
		{ SECCOMP_RET_KILL_THREAD, { false, 0 }, SECCOMP_RET_KILL_THREAD },
		{ SECCOMP_RET_KILL_PROCESS, { false, 0 }, SECCOMP_RET_KILL_PROCESS },
		{ SECCOMP_RET_USER_NOTIF, { false, 0 }, SECCOMP_RET_USER_NOTIF },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config_syscall rule = {
			.names = NAMES((char *)"mkdir"),
			.action = cases[i].action,
			.errno_ret = cases[i].number,
		};
		struct config_seccomp config = { .default_action = SECCOMP_RET_ALLOW };

		config.syscalls.items = &rule;
		config.syscalls.len = 1;
		check(&config, SYS_mkdir, 0, cases[i].result);
		check(&config, SYS_rmdir, 0, SECCOMP_RET_ALLOW);
		if (cases[i].action == SECCOMP_RET_USER_NOTIF)
			continue;
		/* And as the default. */
		config.default_action = cases[i].action;
		config.default_errno_ret = cases[i].number;
		rule.action = SECCOMP_RET_ALLOW;
		rule.errno_ret.set = false;
		check(&config, SYS_mkdir, 0, SECCOMP_RET_ALLOW);
		check(&config, SYS_mkdir - 1, 0, cases[i].result);
		config.syscalls.len = 0;
		check(&config, SYS_mkdir, 0, cases[i].result);
	}
}

static bool compare(enum seccomp_operator op, uint64_t arg, uint64_t value, uint64_t two)
{
	switch (op) {
	case SECCOMP_NE:
		return arg != value;
	case SECCOMP_LT:
		return arg < value;
	case SECCOMP_LE:
		return arg <= value;
	case SECCOMP_EQ:
		return arg == value;
	case SECCOMP_GE:
		return arg >= value;
	case SECCOMP_GT:
		return arg > value;
	default:
		return (arg & value) == two;
	}
}

static void test_every_operator(void **state)
{
	static const uint64_t numbers[] = {
		0,
		1,
		2,
		0x7fffffff,
		0xffffffff,
		0x100000000,
		0x100000001,
		0x8000000000000000,
		0x8000000000000001,
		UINT64_MAX - 1,
		UINT64_MAX,
	};

	(void)state;
	for (int op = SECCOMP_NE; op <= SECCOMP_MASKED_EQ; op++)
		for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
			struct arena arena = { .blocks = NULL };
			struct config_seccomp_arg arg = { 0, numbers[i], 1 & numbers[i], op };
			struct config_syscall rule = { .names = NAMES((char *)"personality") };
			struct config_seccomp config = { .default_action = SECCOMP_RET_ALLOW };
			struct plan_seccomp filter;

			rule.action = SECCOMP_RET_ERRNO;
			rule.args.items = &arg;
			rule.args.len = 1;
			config.syscalls.items = &rule;
			config.syscalls.len = 1;
			filter = compile(&arena, &config);
			for (size_t j = 0; j < ARRAY_LEN(numbers); j++)
				assert_int_equal(
					run_filter(&filter, X86_64, SYS_personality, numbers[j]),
					compare(op, numbers[j], arg.value, arg.value_two)
						? ERRNO(EPERM)
						: SECCOMP_RET_ALLOW);
			arena_done(&arena);
		}
}

/* All conditions of a rule must hold; two on one argument are two rules. */
static void test_several_conditions(void **state)
{
	struct config_seccomp_arg args[] = {
		{ 0, 1, 0, SECCOMP_EQ },
		{ 1, 0, 0, SECCOMP_EQ },
	};
	struct config_syscall rule = { .names = NAMES((char *)"socket") };
	struct config_seccomp config = { .default_action = SECCOMP_RET_ERRNO };

	(void)state;
	rule.action = SECCOMP_RET_ALLOW;
	rule.args.items = args;
	rule.args.len = 2;
	config.syscalls.items = &rule;
	config.syscalls.len = 1;
	check(&config, SYS_socket, 1, SECCOMP_RET_ALLOW);
	check(&config, SYS_socket, 2, ERRNO(EPERM));
	args[1].value = 5;
	check(&config, SYS_socket, 1, ERRNO(EPERM));
	args[1].index = 0;
	check(&config, SYS_socket, 1, SECCOMP_RET_ALLOW);
	check(&config, SYS_socket, 5, SECCOMP_RET_ALLOW);
	check(&config, SYS_socket, 0, ERRNO(EPERM));
}

static void test_rules_may_repeat(void **state)
{
	struct config_syscall rules[] = {
		{ .names = NAMES((char *)"read", (char *)"read"), .action = SECCOMP_RET_ALLOW },
		{ .names = NAMES((char *)"read"), .action = SECCOMP_RET_ALLOW },
		{ .names = NAMES((char *)"write"), .action = SECCOMP_RET_ERRNO },
	};
	struct config_seccomp config = { .default_action = SECCOMP_RET_ERRNO };

	(void)state;
	config.syscalls.items = rules;
	config.syscalls.len = ARRAY_LEN(rules);
	check(&config, SYS_read, 0, SECCOMP_RET_ALLOW);
	check(&config, SYS_write, 0, ERRNO(EPERM));
}

static unsigned int debug_events;

static void count_debug(const struct hoy_log_entry *entry, void *data)
{
	(void)data;
	if (entry->level == HOY_LOG_DEBUG && strstr(entry->message, "no_such_call") &&
	    strcmp(entry->at, "linux.seccomp.syscalls[0].names[0]") == 0)
		debug_events++;
}

static void test_unknown_names(void **state)
{
	struct config_syscall rule = {
		.names = NAMES((char *)"no_such_call", (char *)"mkdir"),
		.action = SECCOMP_RET_ERRNO,
	};
	struct config_seccomp config = { .default_action = SECCOMP_RET_ALLOW };
	struct seccomp_options options = { .cache = -1 };
	struct arena arena = { .blocks = NULL };
	struct plan_seccomp filter = { .len = 0 };
	struct hoy_error err = { .code = 0 };

	(void)state;
	config.syscalls.items = &rule;
	config.syscalls.len = 1;
	options.log.function = count_debug;
	options.log.level = HOY_LOG_DEBUG;
	assert_int_equal(seccomp_compile(&config, &options, &arena, &filter, &err), 0);
	assert_int_equal(debug_events, 1);
	assert_int_equal(run_filter(&filter, X86_64, SYS_mkdir, 0), ERRNO(EPERM));
	options.fail_unknown_syscall = true;
	filter.len = 0;
	assert_int_equal(seccomp_compile(&config, &options, &arena, &filter, &err), -1);
	assert_string_equal(err.at, "linux.seccomp.syscalls[0].names[0]");
	assert_string_equal(err.text, "\"no_such_call\" is no syscall that libseccomp knows");
	assert_int_equal(filter.len, 0);
	arena_done(&arena);
}

static void test_contradiction(void **state)
{
	struct config_seccomp_arg arg = { 0, 1, 0, SECCOMP_EQ };
	struct config_syscall rules[] = {
		{ .names = NAMES((char *)"read"), .action = SECCOMP_RET_ALLOW },
		{ .names = NAMES((char *)"close", (char *)"read"), .action = SECCOMP_RET_LOG },
	};
	struct config_seccomp config = { .default_action = SECCOMP_RET_ERRNO };
	struct arena arena = { .blocks = NULL };
	struct plan_seccomp filter;
	struct hoy_error err = { .code = 0 };

	(void)state;
	config.syscalls.items = rules;
	config.syscalls.len = 2;
	rules[0].args.items = rules[1].args.items = &arg;
	rules[0].args.len = rules[1].args.len = 1;
	assert_int_equal(seccomp_compile(&config, &no_cache, &arena, &filter, &err), -1);
	assert_string_equal(err.at, "linux.seccomp.syscalls[1].names[1]");
	assert_string_equal(err.text, "contradicts another rule for \"read\"");
	arena_done(&arena);
}

static void test_architectures(void **state)
{
	uint32_t both[] = { SCMP_ARCH_X86_64, SCMP_ARCH_X86 }, foreign[] = { 0x1234 };
	struct config_syscall rule = {
		.names = NAMES((char *)"mkdir", (char *)"socketcall"),
		.action = SECCOMP_RET_ERRNO,
	};
	struct config_seccomp config = { .default_action = SECCOMP_RET_ALLOW };
	struct arena arena = { .blocks = NULL };
	struct plan_seccomp filter;
	struct hoy_error err = { .code = 0 };

	(void)state;
	config.syscalls.items = &rule;
	config.syscalls.len = 1;
	filter = compile(&arena, &config);
	assert_int_equal(run_filter(&filter, X86_64, SYS_mkdir, 0), ERRNO(EPERM));
	assert_int_equal(run_filter(&filter, X86, 39, 0), SECCOMP_RET_KILL_THREAD);
	assert_int_equal(run_filter(&filter, X86_64, X32_BIT | SYS_mkdir, 0),
			 SECCOMP_RET_KILL_THREAD);
	assert_int_equal(run_filter(&filter, AUDIT_ARCH_AARCH64, 0, 0), SECCOMP_RET_KILL_THREAD);
	config.architectures.items = both;
	config.architectures.len = 2;
	filter = compile(&arena, &config);
	assert_int_equal(run_filter(&filter, X86_64, SYS_mkdir, 0), ERRNO(EPERM));
	/* mkdir and socketcall of 32-bit x86. */
	assert_int_equal(run_filter(&filter, X86, 39, 0), ERRNO(EPERM));
	assert_int_equal(run_filter(&filter, X86, 102, 0), ERRNO(EPERM));
	assert_int_equal(run_filter(&filter, X86, SYS_mkdir, 0), SECCOMP_RET_ALLOW);
	config.architectures.items = foreign;
	config.architectures.len = 1;
	assert_int_equal(seccomp_compile(&config, &no_cache, &arena, &filter, &err), -1);
	assert_string_equal(err.at, "linux.seccomp.architectures[0]");
	assert_string_equal(err.text, "libseccomp does not support it");
	arena_done(&arena);
}

/* Above the newest syscall that the profile names: ENOSYS. Below: the default action. */
static void test_newer_syscalls(void **state)
{
	uint32_t all[] = { SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32 };
	struct config_syscall rule = {
		.names = NAMES((char *)"read", (char *)"openat2"),
		.action = SECCOMP_RET_ALLOW,
	};
	struct config_seccomp config = { .default_action = SECCOMP_RET_ERRNO };
	struct arena arena = { .blocks = NULL };
	struct plan_seccomp filter;

	(void)state;
	config.syscalls.items = &rule;
	config.syscalls.len = 1;
	filter = compile(&arena, &config);
	assert_int_equal(run_filter(&filter, X86_64, SYS_openat2, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(run_filter(&filter, X86_64, SYS_openat2 - 1, 0), ERRNO(EPERM));
	assert_int_equal(run_filter(&filter, X86_64, SYS_openat2 + 1, 0), ERRNO(ENOSYS));
	assert_int_equal(run_filter(&filter, X86_64, X32_BIT - 1, 0), ERRNO(ENOSYS));
	assert_int_equal(run_filter(&filter, X86_64, X32_BIT, 0), SECCOMP_RET_KILL_THREAD);
	assert_int_equal(run_filter(&filter, X86_64, UINT32_MAX, 0), ERRNO(EPERM));
	assert_int_equal(run_filter(&filter, X86, SYS_openat2 + 1, 0), SECCOMP_RET_KILL_THREAD);
	config.architectures.items = all;
	config.architectures.len = 3;
	filter = compile(&arena, &config);
	assert_int_equal(run_filter(&filter, X86, 436, 0), ERRNO(EPERM));
	assert_int_equal(run_filter(&filter, X86, 438, 0), ERRNO(ENOSYS));
	assert_int_equal(run_filter(&filter, X86, UINT32_MAX - 1, 0), ERRNO(ENOSYS));
	assert_int_equal(run_filter(&filter, X86_64, 438, 0), ERRNO(ENOSYS));
	assert_int_equal(run_filter(&filter, X86_64, X32_BIT | 437, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(run_filter(&filter, X86_64, X32_BIT | 436, 0), ERRNO(EPERM));
	assert_int_equal(run_filter(&filter, X86_64, X32_BIT | 438, 0), ERRNO(ENOSYS));
	/* x32's own range is not newer. */
	assert_int_equal(run_filter(&filter, X86_64, X32_BIT | 512, 0), ERRNO(EPERM));
	assert_int_equal(run_filter(&filter, X86_64, X32_BIT | 547, 0), ERRNO(EPERM));
	assert_int_equal(run_filter(&filter, X86_64, X32_BIT | 548, 0), ERRNO(ENOSYS));
	arena_done(&arena);
}

static void test_newer_syscalls_by_default_action(void **state)
{
	static const struct {
		uint32_t action;
		struct opt_u64 number;
		uint32_t newer;
	} cases[] = {
		{ SECCOMP_RET_ERRNO, { true, EACCES }, ERRNO(ENOSYS) },
		{ SECCOMP_RET_KILL_THREAD, { false, 0 }, ERRNO(ENOSYS) },
		{ SECCOMP_RET_KILL_PROCESS, { false, 0 }, ERRNO(ENOSYS) },
		{ SECCOMP_RET_TRAP, { false, 0 }, ERRNO(ENOSYS) },
		{ SECCOMP_RET_TRACE, { true, 1 }, SECCOMP_RET_TRACE | 1 },
		{ SECCOMP_RET_LOG, { false, 0 }, SECCOMP_RET_LOG },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config_syscall rule = { .names = NAMES((char *)"read") };
		struct config_seccomp config = { .default_action = cases[i].action };

		rule.action = SECCOMP_RET_ALLOW;
		config.default_errno_ret = cases[i].number;
		config.syscalls.items = &rule;
		config.syscalls.len = 1;
		check(&config, SYS_write, 0, cases[i].newer);
	}
}

static void test_flags_and_listener(void **state)
{
	struct config_syscall rule = { .names = NAMES((char *)"mkdir") };
	struct config_seccomp config = { .default_action = SECCOMP_RET_ALLOW };
	struct seccomp_options options = { .cache = -1 };
	struct arena arena = { .blocks = NULL };
	struct plan_seccomp filter;
	struct hoy_error err = { .code = 0 };

	(void)state;
	rule.action = SECCOMP_RET_ERRNO;
	config.syscalls.items = &rule;
	config.syscalls.len = 1;
	config.listener_path = "/run/agent";
	config.listener_metadata = "meta";
	config.flags = SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_TSYNC |
		       SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	filter = compile(&arena, &config);
	assert_int_equal(filter.flags, SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_TSYNC |
					       SECCOMP_FILTER_FLAG_SPEC_ALLOW);
	assert_null(filter.listener_path);
	assert_null(filter.listener_metadata);
	rule.action = SECCOMP_RET_USER_NOTIF;
	filter = compile(&arena, &config);
	assert_int_equal(filter.flags, config.flags | SECCOMP_FILTER_FLAG_NEW_LISTENER |
					       SECCOMP_FILTER_FLAG_TSYNC_ESRCH);
	assert_string_equal(filter.listener_path, "/run/agent");
	assert_string_equal(filter.listener_metadata, "meta");
	options.receiver = "/run/other";
	assert_int_equal(seccomp_compile(&config, &options, &arena, &filter, &err), 0);
	assert_string_equal(filter.listener_path, "/run/other");
	config.flags = 1U << 30;
	assert_int_equal(seccomp_compile(&config, &options, &arena, &filter, &err), -1);
	assert_string_equal(err.at, "linux.seccomp.flags");
	arena_done(&arena);
}

/* ---- the search tree against libseccomp's own program ---- */

static int export(scmp_filter_ctx context, struct sock_filter *insns)
{
	autoclose int fd = memfd_create("test", MFD_CLOEXEC);

	assert_int_equal(seccomp_export_bpf(context, fd), 0);
	return (int)(pread(fd, insns, BPF_MAXINSNS * sizeof(*insns), 0) / (ssize_t)sizeof(*insns));
}

static uint64_t random_value(void)
{
	static const uint64_t usual[] = { 0,	      1,	  2,	 10,	     16,
					  0xffffffff, 0x7e020000, 0x100, 0x10000000, UINT64_MAX };
	uint64_t value = (uint64_t)rand() << 40 ^ (uint64_t)rand() << 20 ^ (uint64_t)rand();

	return rand() % 4 ? usual[(size_t)rand() % ARRAY_LEN(usual)] : value;
}

static void compare_programs(const struct sock_filter *a, size_t a_len, const struct sock_filter *b,
			     size_t b_len)
{
	static const uint32_t archs[] = { X86_64,	  X86, AUDIT_ARCH_AARCH64,
					  AUDIT_ARCH_ARM, 0,   UINT32_MAX };

	for (size_t i = 0; i < ARRAY_LEN(archs); i++)
		for (uint32_t n = 0; n < 4 * 700; n++) {
			struct seccomp_data data = { .arch = archs[i] };

			data.nr = (int)(n < 700	   ? n
					: n < 1400 ? X32_BIT | (n - 700)
					: n < 2100 ? UINT32_MAX - (n - 1400)
						   : (uint32_t)rand());
			for (int j = 0; j < 6; j++)
				data.args[j] = random_value();
			if (run(a, a_len, &data) == run(b, b_len, &data))
				continue;
			print_error("arch %x number %x\n", data.arch, (unsigned int)data.nr);
			assert_true(false);
		}
}

/* A random filter of libseccomp. */
static scmp_filter_ctx random_context(void)
{
	static const uint32_t actions[] = { SCMP_ACT_ALLOW,	   SCMP_ACT_LOG,
					    SCMP_ACT_TRAP,	   SCMP_ACT_ERRNO(1),
					    SCMP_ACT_ERRNO(38),	   SCMP_ACT_TRACE(9),
					    SCMP_ACT_KILL_PROCESS, SCMP_ACT_ERRNO(4000) };
	scmp_filter_ctx context = seccomp_init(actions[(size_t)rand() % ARRAY_LEN(actions)]);
	int rules = rand() % 400;

	if (rand() % 2)
		seccomp_arch_add(context, SCMP_ARCH_X86);
	if (rand() % 2)
		seccomp_arch_add(context, SCMP_ARCH_X32);
	seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 1 + (uint32_t)rand() % 2);
	for (int i = 0; i < rules; i++) {
		struct scmp_arg_cmp args[6];
		unsigned int len = rand() % 3 ? 0 : (unsigned int)rand() % 4;

		for (unsigned int j = 0; j < len; j++)
			args[j] = (struct scmp_arg_cmp){ j, (enum scmp_compare)(1 + rand() % 7),
							 random_value(), random_value() };
		/* What contradicts an earlier rule is refused. */
		(void)seccomp_rule_add_array(context, actions[(size_t)rand() % ARRAY_LEN(actions)],
					     rand() % 460, len, args);
	}
	return context;
}

static void test_tree_equals_the_program(void **state)
{
	static struct sock_filter original[BPF_MAXINSNS], tree[BPF_MAXINSNS];

	(void)state;
	srand(2);
	for (int round = 0; round < 40; round++) {
		scmp_filter_ctx context = random_context();
		int len = export(context, original), tree_len;

		assert_true(len > 0);
		tree_len = seccomp_tree(original, (size_t)len, NULL, 0, tree);
		assert_true(tree_len > 0);
		compare_programs(original, (size_t)len, tree, (size_t)tree_len);
		/* What was rewritten can be rewritten again. */
		len = seccomp_tree(tree, (size_t)tree_len, NULL, 0, original);
		assert_true(len > 0);
		compare_programs(original, (size_t)len, tree, (size_t)tree_len);
		seccomp_release(context);
	}
}

static void test_tree_refuses_what_it_does_not_know(void **state)
{
	static const struct sock_filter programs[][3] = {
		/* No end. */
		{ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4),
		  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16) },
		{ BPF_STMT(BPF_JMP | BPF_JA, UINT32_MAX), BPF_STMT(BPF_RET | BPF_K, 0),
		  BPF_STMT(BPF_RET | BPF_K, 0) },
		{ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16), BPF_JUMP(BPF_JMP | BPF_JEQ, 1, 1, 0),
		  BPF_STMT(BPF_RET | BPF_K, 0) },
		/* Other instructions. */
		{ BPF_STMT(BPF_LD | BPF_IMM, 1), BPF_STMT(BPF_RET | BPF_K, 0),
		  BPF_STMT(BPF_RET | BPF_K, 0) },
		{ BPF_STMT(BPF_ST, 0), BPF_STMT(BPF_RET | BPF_K, 0), BPF_STMT(BPF_RET | BPF_K, 0) },
		{ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16), BPF_STMT(BPF_RET | BPF_A, 0),
		  BPF_STMT(BPF_RET | BPF_K, 0) },
		/* Bits of the number. */
		{ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 1),
		  BPF_STMT(BPF_RET | BPF_K, 0) },
	};
	struct sock_filter result[BPF_MAXINSNS];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(programs); i++)
		assert_int_equal(seccomp_tree(programs[i], 3, NULL, 0, result), -ENOTSUP);
	assert_int_equal(seccomp_tree(programs[0], 0, NULL, 0, result), -ENOTSUP);
}

/* ---- a profile of the usual size ---- */

enum { BIG_NAMES = 360 };

/* Allows most syscalls, as container engines do. Release the names with big_done(). */
struct big {
	char *names[BIG_NAMES];
	uint32_t architectures[3];
	char *clone[1], *personality[1];
	struct config_seccomp_arg args[2];
	struct config_syscall rules[3];
	struct config_seccomp config;
};

static void big_init(struct big *big)
{
	size_t len = 0;

	*big = (struct big){
		.architectures = { SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32 },
		.clone = { (char *)"clone" },
		.personality = { (char *)"personality" },
		.args = { { 0, 0x7e020000, 0, SECCOMP_MASKED_EQ }, { 0, 8, 0, SECCOMP_EQ } },
		.config = { .default_action = SECCOMP_RET_ERRNO },
	};
	for (int number = 0; number < 450 && len < BIG_NAMES; number++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, number);

		if (name && number % 13 && strcmp(name, "clone") != 0 &&
		    strcmp(name, "personality") != 0 && strcmp(name, "mkdir") != 0)
			big->names[len++] = name;
		else
			free(name);
	}
	big->rules[0].names.items = big->names;
	big->rules[0].names.len = len;
	big->rules[1].names.items = big->clone;
	big->rules[1].names.len = 1;
	big->rules[1].args.items = &big->args[0];
	big->rules[1].args.len = 1;
	big->rules[2].names.items = big->personality;
	big->rules[2].names.len = 1;
	big->rules[2].args.items = &big->args[1];
	big->rules[2].args.len = 1;
	for (size_t i = 0; i < ARRAY_LEN(big->rules); i++)
		big->rules[i].action = SECCOMP_RET_ALLOW;
	big->config.architectures.items = big->architectures;
	big->config.architectures.len = ARRAY_LEN(big->architectures);
	big->config.syscalls.items = big->rules;
	big->config.syscalls.len = ARRAY_LEN(big->rules);
}

static void big_done(struct big *big)
{
	for (size_t i = 0; i < big->rules[0].names.len; i++)
		free(big->names[i]);
}

/* Loads the program in a child and tries what it allows and denies. */
static void test_loaded_into_the_kernel(void **state)
{
	struct arena arena = { .blocks = NULL };
	struct plan_seccomp filter;
	struct big big;
	int status;
	pid_t pid;

	(void)state;
	big_init(&big);
	filter = compile(&arena, &big.config);
	pid = fork();
	if (pid == 0) {
		struct sock_fprog program = {
			.len = (unsigned short)filter.len,
			.filter = (struct sock_filter *)filter.filter,
		};

		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    seccomp(SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
			_exit(1);
		if (syscall(SYS_getuid) < 0 || syscall(SYS_personality, 8) < 0)
			_exit(2);
		if (syscall(SYS_mkdir, "/nonexistent/x", 0) != -1 || errno != EPERM)
			_exit(3);
		if (syscall(SYS_personality, 9) != -1 || errno != EPERM)
			_exit(4);
		if (syscall(SYS_clone, 0x10000000, 0, 0, 0, 0) != -1 || errno != EPERM)
			_exit(5);
		if (syscall(480) != -1 || errno != ENOSYS)
			_exit(6);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	arena_done(&arena);
	big_done(&big);
}

/* ---- the cache ---- */

static size_t count_entries(int cache, char name[NAME_MAX + 1])
{
	DIR *directory = fdopendir(openat(cache, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	const struct dirent *entry;
	size_t count = 0;

	while ((entry = readdir(directory)))
		if (entry->d_type == DT_REG) {
			count++;
			strcpy(name, entry->d_name);
		}
	closedir(directory);
	return count;
}

static struct plan_seccomp compile_cached(struct arena *arena, const struct config_seccomp *config,
					  int cache)
{
	struct seccomp_options options = { .cache = cache };
	struct plan_seccomp filter = { .len = 0 };
	struct hoy_error err = { .code = 0 };

	assert_int_equal(seccomp_compile(config, &options, arena, &filter, &err), 0);
	return filter;
}

static void assert_same(const struct plan_seccomp *a, const struct plan_seccomp *b)
{
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->filter, b->filter, a->len * sizeof(struct sock_filter));
}

static void test_cache_gives_the_same(void **state)
{
	const struct unit *unit = *state;
	autoclose int cache = seccomp_cache_open(unit->dirfd);
	struct arena arena = { .blocks = NULL };
	struct plan_seccomp fresh, stored, found;
	autotext struct text key = { .len = 0 }, strict_key = { .len = 0 };
	char name[NAME_MAX + 1];
	const void *insns;
	struct big big;

	assert_true(cache >= 0);
	big_init(&big);
	fresh = compile(&arena, &big.config);
	seccomp_cache_key(&key, &big.config, false);
	assert_int_equal(seccomp_cache_load(cache, &key, &arena, &insns), -ENOENT);
	stored = compile_cached(&arena, &big.config, cache);
	assert_int_equal(count_entries(cache, name), 1);
	assert_int_equal(seccomp_cache_load(cache, &key, &arena, &insns), (int)fresh.len);
	found = compile_cached(&arena, &big.config, cache);
	assert_same(&fresh, &stored);
	assert_same(&fresh, &found);
	seccomp_cache_key(&strict_key, &big.config, true);
	assert_int_equal(seccomp_cache_load(cache, &strict_key, &arena, &insns), -ENOENT);
	arena_done(&arena);
	big_done(&big);
}

/* Every difference of the profile is one of the key. */
static void test_cache_key_tells_profiles_apart(void **state)
{
	struct config_seccomp_arg arg = { 0, 1, 2, SECCOMP_EQ };
	struct config_syscall rule = { .names = NAMES((char *)"ab", (char *)"c") };
	struct config_seccomp config = { .default_action = SECCOMP_RET_ERRNO };
	uint32_t arch = SCMP_ARCH_X86;
	struct text keys[12] = { { .len = 0 } };
	size_t len = 0;

	(void)state;
	config.syscalls.items = &rule;
	config.syscalls.len = 1;
	rule.args.items = &arg;
	rule.args.len = 1;
	config.architectures.items = &arch;
	seccomp_cache_key(&keys[len++], &config, false);
	config.default_errno_ret = (struct opt_u64){ true, 0 };
	seccomp_cache_key(&keys[len++], &config, false);
	config.default_errno_ret.value = 1;
	seccomp_cache_key(&keys[len++], &config, false);
	config.default_action = SECCOMP_RET_KILL_PROCESS;
	seccomp_cache_key(&keys[len++], &config, false);
	config.architectures.len = 1;
	seccomp_cache_key(&keys[len++], &config, false);
	rule.action = SECCOMP_RET_ALLOW;
	seccomp_cache_key(&keys[len++], &config, false);
	rule.names.items[0] = (char *)"a";
	seccomp_cache_key(&keys[len++], &config, false);
	rule.names.items[1] = (char *)"bc";
	seccomp_cache_key(&keys[len++], &config, false);
	arg.value++;
	seccomp_cache_key(&keys[len++], &config, false);
	arg.value_two++;
	seccomp_cache_key(&keys[len++], &config, false);
	arg.op = SECCOMP_NE;
	seccomp_cache_key(&keys[len++], &config, false);
	arg.index++;
	seccomp_cache_key(&keys[len++], &config, false);
	for (size_t i = 0; i < len; i++)
		for (size_t j = 0; j < i; j++)
			assert_false(keys[i].len == keys[j].len &&
				     memcmp(keys[i].bytes, keys[j].bytes, keys[i].len) == 0);
	for (size_t i = 0; i < len; i++)
		text_done(&keys[i]);
}

/* Whatever happened to the file, the program is right. */
static void test_cache_survives_damage(void **state)
{
	const struct unit *unit = *state;
	autoclose int cache = seccomp_cache_open(unit->dirfd);
	struct config_syscall rule = { .names = NAMES((char *)"mkdir") };
	struct config_seccomp config = { .default_action = SECCOMP_RET_ALLOW };
	struct arena arena = { .blocks = NULL };
	struct plan_seccomp fresh, found;
	char name[NAME_MAX + 1], bytes[4096];
	ssize_t size;

	rule.action = SECCOMP_RET_ERRNO;
	config.syscalls.items = &rule;
	config.syscalls.len = 1;
	fresh = compile_cached(&arena, &config, cache);
	assert_int_equal(count_entries(cache, name), 1);
	size = file_read(cache, name, bytes, sizeof(bytes));
	assert_true(size > 0);
	for (ssize_t i = 0; i < size; i++) {
		autoclose int fd = openat(cache, name, O_WRONLY | O_CLOEXEC);
		char flipped = (char)(bytes[i] ^ 1 << i % 8);

		assert_int_equal(pwrite(fd, &flipped, 1, i), 1);
		found = compile_cached(&arena, &config, cache);
		assert_same(&fresh, &found);
	}
	for (ssize_t i = 0; i < size; i++) {
		assert_int_equal(file_replace(cache, name, bytes, (size_t)i, 0600), 0);
		found = compile_cached(&arena, &config, cache);
		assert_same(&fresh, &found);
	}
	assert_int_equal(unlinkat(cache, name, 0), 0);
	assert_int_equal(symlinkat("/dev/zero", cache, name), 0);
	found = compile_cached(&arena, &config, cache);
	assert_same(&fresh, &found);
	assert_int_equal(count_entries(cache, name), 1);
	arena_done(&arena);
}

static void test_cache_is_bounded(void **state)
{
	const struct unit *unit = *state;
	autoclose int cache = seccomp_cache_open(unit->dirfd);
	struct config_seccomp config = { .default_action = SECCOMP_RET_ERRNO };
	struct arena arena = { .blocks = NULL };
	char name[NAME_MAX + 1];

	config.default_errno_ret.set = true;
	for (unsigned int i = 0; i < SECCOMP_CACHE_ENTRIES + 10; i++) {
		config.default_errno_ret.value = i;
		(void)compile_cached(&arena, &config, cache);
	}
	assert_int_equal(count_entries(cache, name), SECCOMP_CACHE_ENTRIES);
	arena_done(&arena);
}

static void test_cache_directory_of_others_is_refused(void **state)
{
	const struct unit *unit = *state;
	int fd;

	assert_int_equal(mkdirat(unit->dirfd, ".seccomp", 0777), 0);
	assert_int_equal(fchmodat(unit->dirfd, ".seccomp", 0777, 0), 0);
	assert_int_equal(seccomp_cache_open(unit->dirfd), -EPERM);
	assert_int_equal(fchmodat(unit->dirfd, ".seccomp", 0700, 0), 0);
	fd = seccomp_cache_open(unit->dirfd);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(unlinkat(unit->dirfd, ".seccomp", AT_REMOVEDIR), 0);
	assert_int_equal(symlinkat("/tmp", unit->dirfd, ".seccomp"), 0);
	assert_true(seccomp_cache_open(unit->dirfd) < 0);
	assert_int_equal(unlinkat(unit->dirfd, ".seccomp", 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		X86_TEST(test_every_action),
		X86_TEST(test_every_operator),
		X86_TEST(test_several_conditions),
		X86_TEST(test_rules_may_repeat),
		X86_TEST(test_unknown_names),
		X86_TEST(test_contradiction),
		X86_TEST(test_architectures),
		X86_TEST(test_newer_syscalls),
		X86_TEST(test_newer_syscalls_by_default_action),
		X86_TEST(test_flags_and_listener),
		X86_TEST(test_tree_equals_the_program),
		UNIT_TEST(test_tree_refuses_what_it_does_not_know),
		X86_TEST(test_loaded_into_the_kernel),
		X86_TEST(test_cache_gives_the_same),
		UNIT_TEST(test_cache_key_tells_profiles_apart),
		UNIT_TEST(test_cache_survives_damage),
		UNIT_TEST(test_cache_is_bounded),
		UNIT_TEST(test_cache_directory_of_others_is_refused),
	};

	return cmocka_run_group_tests_name("seccomp", tests, NULL, NULL);
}
