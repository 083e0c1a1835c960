/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiles the device rules to eBPF and attaches the program to a cgroup. Runs in the runtime,
 * which needs CAP_BPF and CAP_NET_ADMIN, or CAP_SYS_ADMIN, in the initial user namespace. Never
 * touches the programs of others on the same cgroup, and needs no raised RLIMIT_MEMLOCK: since
 * Linux 5.11 BPF memory is charged to the memory cgroup.
 */
#include "cgroup/devices.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cgroup/driver.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"

/* The verifier of a loaded machine asks for another try (EAGAIN) when a signal comes in. */
#define LOAD_TRIES 5

#define RESOURCES_DEVICES "linux.resources.devices"

/*
 * Registers of the program. R1 is the context on entry, R0 the verdict.
 *
 * What the kernel's verifier learns from a comparison it carries on, and a program about a dozen
 * devices takes it 270 us if type, major and minor are compared one by one, but 60 us if each rule
 * is one comparison that decides: so the type divides the program in two, and the two numbers are
 * one, as in the kernel's dev_t.
 */
enum {
	VERDICT = BPF_REG_0,
	CONTEXT = BPF_REG_1,
	/* Bits of the access that no rule has allowed so far. */
	ACCESS = BPF_REG_2,
	TYPE = BPF_REG_3,
	MAJOR = BPF_REG_4,
	MINOR = BPF_REG_5,
	NUMBER = BPF_REG_6,
};

/* dev_t of the kernel: 12 bits of major, 20 of minor. */
#define MINOR_BITS 20
#define MAJOR_MAX  4095
#define MINOR_MAX  ((1 << MINOR_BITS) - 1)

#define ACCESS_ALL (BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE)

/* Offsets of jumps to the verdicts at the end, until their places are known. */
enum { TO_ALLOW = -1, TO_DENY = -2 };

/** A program in the making. */
struct program {
	struct bpf_insn *insns;
	size_t len;
};

static void put(struct program *program, struct bpf_insn insn)
{
	program->insns[program->len++] = insn;
}

static void put_load(struct program *program, unsigned char to, size_t offset)
{
	put(program, (struct bpf_insn){
			     .code = BPF_LDX | BPF_MEM | BPF_W,
			     .dst_reg = to & 0xf,
			     .src_reg = CONTEXT,
			     .off = (short)offset,
		     });
}

/* to = to OPERATION number, in 32 bits */
static void put_number(struct program *program, unsigned char operation, unsigned char to,
		       int number)
{
	put(program, (struct bpf_insn){
			     .code = (unsigned char)(BPF_ALU | BPF_K | operation),
			     .dst_reg = to & 0xf,
			     .imm = number,
		     });
}

/* to = to OPERATION from, in 32 bits */
static void put_register(struct program *program, unsigned char operation, unsigned char to,
			 unsigned char from)
{
	put(program, (struct bpf_insn){
			     .code = (unsigned char)(BPF_ALU | BPF_X | operation),
			     .dst_reg = to & 0xf,
			     .src_reg = from & 0xf,
		     });
}

/* A 32-bit comparison: with 64, eBPF would extend the sign of the number. */
static void put_jump(struct program *program, unsigned char operation, unsigned char reg,
		     int number, int offset)
{
	put(program, (struct bpf_insn){
			     .code = (unsigned char)(BPF_JMP32 | BPF_K | operation),
			     .dst_reg = reg & 0xf,
			     .off = (short)offset,
			     .imm = number,
		     });
}

static void put_verdict(struct program *program, bool allow)
{
	put_number(program, BPF_MOV, VERDICT, allow);
	put(program, (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT });
}

static bool is_about(const struct plan_device_rule *rule, char type)
{
	/* A number that no device can have is about none. */
	return (rule->type == 'a' || rule->type == type) && rule->major <= MAJOR_MAX &&
	       rule->minor <= MINOR_MAX;
}

/* True if what the rules before this one say about its type cannot matter. */
static bool is_last_word(const struct plan_device_rule *rule)
{
	return rule->major < 0 && rule->minor < 0 && (rule->access & ACCESS_ALL) == ACCESS_ALL;
}

/* The comparison that tells whether a rule is about a device; false if it is about all. */
static bool find_comparison(const struct plan_device_rule *rule, unsigned char *ret_register,
			    int *ret_number)
{
	if (rule->major < 0 && rule->minor < 0)
		return false;
	*ret_register = rule->major < 0 ? MINOR : rule->minor < 0 ? MAJOR : NUMBER;
	*ret_number = (int)(rule->major < 0   ? rule->minor
			    : rule->minor < 0 ? rule->major
					      : rule->major << MINOR_BITS | rule->minor);
	return true;
}

static void put_rule(struct program *program, const struct plan_device_rule *rule)
{
	int access = (int)(rule->access & ACCESS_ALL), number = 0;
	unsigned char reg = NUMBER;
	bool compares = find_comparison(rule, &reg, &number);

	/* About all bits: decides whatever is left, and something is. */
	if (compares && access == ACCESS_ALL) {
		put_jump(program, BPF_JEQ, reg, number, rule->allow ? TO_ALLOW : TO_DENY);
		return;
	}
	if (compares)
		put_jump(program, BPF_JNE, reg, number, rule->allow ? 2 : 1);
	if (rule->allow) {
		put_number(program, BPF_AND, ACCESS, ~access);
		put_jump(program, BPF_JEQ, ACCESS, 0, TO_ALLOW);
	} else {
		put_jump(program, BPF_JSET, ACCESS, access, TO_DENY);
	}
}

/* The rules about one type of device. The last match wins, so the last rule is asked first. */
static void put_rules(struct program *program, char type, const struct plan_device_rule *rules,
		      size_t len)
{
	int verdict = TO_DENY;

	while (len-- > 0) {
		if (!is_about(&rules[len], type))
			continue;
		if (is_last_word(&rules[len])) {
			verdict = rules[len].allow ? TO_ALLOW : TO_DENY;
			break;
		}
		put_rule(program, &rules[len]);
	}
	put(program, (struct bpf_insn){ .code = BPF_JMP | BPF_JA, .off = (short)verdict });
}

/*
 * Takes the access apart: its low 16 bits are the type of the device, the high ones the access.
 * Asking for nothing (a mere look at the inode) is allowed.
 */
static void put_prologue(struct program *program)
{
	put_load(program, ACCESS, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	put_load(program, MAJOR, offsetof(struct bpf_cgroup_dev_ctx, major));
	put_load(program, MINOR, offsetof(struct bpf_cgroup_dev_ctx, minor));
	put_register(program, BPF_MOV, TYPE, ACCESS);
	put_number(program, BPF_AND, TYPE, 0xffff);
	put_number(program, BPF_RSH, ACCESS, 16);
	put_number(program, BPF_AND, ACCESS, ACCESS_ALL);
	put_jump(program, BPF_JEQ, ACCESS, 0, TO_ALLOW);
	put_register(program, BPF_MOV, NUMBER, MAJOR);
	put_number(program, BPF_LSH, NUMBER, MINOR_BITS);
	put_register(program, BPF_OR, NUMBER, MINOR);
}

/* Writes the verdicts that are jumped to (the verifier refuses dead code), and where they are. */
static int put_verdicts(struct program *program)
{
	size_t end = program->len, allow = end, deny;
	bool denies = false;

	put_verdict(program, true);
	deny = program->len;
	for (size_t i = 0; i < end; i++) {
		short *offset = &program->insns[i].off;
		size_t target = *offset == TO_ALLOW ? allow : deny;

		if (*offset >= 0)
			continue;
		if (target - i - 1 > INT16_MAX)
			return -E2BIG;
		denies |= *offset == TO_DENY;
		*offset = (short)(target - i - 1);
	}
	if (denies)
		put_verdict(program, false);
	return (int)program->len;
}

int devices_compile(const struct plan_device_rule *rules, size_t len, struct bpf_insn *insns)
{
	struct program program = { .insns = insns };
	size_t branch;

	put_prologue(&program);
	branch = program.len;
	put_jump(&program, BPF_JEQ, TYPE, BPF_DEVCG_DEV_BLOCK, 0);
	put_rules(&program, 'c', rules, len);
	if (program.len - branch - 1 > INT16_MAX)
		return -E2BIG;
	insns[branch].off = (short)(program.len - branch - 1);
	put_rules(&program, 'b', rules, len);
	return put_verdicts(&program);
}

/* True if everything is allowed anyway, which needs no program. */
static bool allows_all(const struct plan_device_rule *rules, size_t len)
{
	return len > 0 && rules[len - 1].allow && rules[len - 1].type == 'a' &&
	       is_last_word(&rules[len - 1]);
}

/* Pointers are 64-bit numbers in the attributes. */
static uint64_t address(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

/* BPF_PROG_LOAD. @param log  receives the verifier's words; NULL for none */
static int load_program(const struct bpf_insn *insns, size_t len, char *log, size_t log_size)
{
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE };
	int fd;

	attr.insns = address(insns);
	attr.insn_cnt = (uint32_t)len;
	attr.license = address("Apache-2.0");
	format_text(attr.prog_name, sizeof(attr.prog_name), "hoy_devices");
	if (log) {
		attr.log_level = 1;
		attr.log_size = (uint32_t)log_size;
		attr.log_buf = address(log);
	}
	for (int tries = 1;; tries++) {
		fd = bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
		if (fd >= 0 || errno != EAGAIN || tries == LOAD_TRIES)
			return fd < 0 ? -errno : fd;
	}
}

static int fail_denied(struct hoy_error *err, int code)
{
	if (code == -EPERM || code == -EACCES)
		return fail_hint(err,
				 "device rules need CAP_BPF and CAP_NET_ADMIN, or CAP_SYS_ADMIN, "
				 "in the initial user namespace");
	return -1;
}

static const char *last_line(char *text)
{
	size_t len = strlen(text);

	while (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	return strrchr(text, '\n') ? strrchr(text, '\n') + 1 : text;
}

/* The load failed: once more, for the last line that the verifier says. */
static int fail_load(struct hoy_error *err, const struct bpf_insn *insns, size_t len, int code)
{
	char log[8192] = "";
	const char *line;
	int fd = -1;

	if (code != -EPERM)
		fd = load_program(insns, len, log, sizeof(log));
	cleanup_close(&fd);
	line = last_line(log);
	fail_at(err, RESOURCES_DEVICES, code, "load the device program of %zu instructions%s%s",
		len, *line ? ": " : "", line);
	return fail_denied(err, code);
}

static int attach(int cgroup, int program, int replaced)
{
	union bpf_attr attr = { .target_fd = (uint32_t)cgroup };

	attr.attach_bpf_fd = (uint32_t)program;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	if (replaced >= 0) {
		attr.attach_flags |= BPF_F_REPLACE;
		attr.replace_bpf_fd = (uint32_t)replaced;
	}
	return bpf(BPF_PROG_ATTACH, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

static int open_program(uint32_t id)
{
	union bpf_attr attr = { .prog_id = id };
	int fd = bpf(BPF_PROG_GET_FD_BY_ID, &attr, sizeof(attr));

	return fd < 0 ? -errno : fd;
}

/* Attaches in the place of program `old`, or beside what is there if that has gone (or is 0). */
static int attach_instead(int cgroup, int program, uint32_t old)
{
	autoclose int replaced = old ? open_program(old) : -ENOENT;
	int r = replaced;

	if (replaced >= 0)
		r = attach(cgroup, program, replaced);
	/* Somebody else detached ours, as GPU hooks do that put theirs there. */
	return r == -ENOENT ? attach(cgroup, program, -1) : r;
}

static int program_id(int program, uint32_t *ret_id)
{
	struct bpf_prog_info info = { .id = 0 };
	union bpf_attr attr = { .map_type = 0 };

	attr.info.bpf_fd = (uint32_t)program;
	attr.info.info_len = sizeof(info);
	attr.info.info = address(&info);
	if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)) < 0)
		return -errno;
	*ret_id = info.id;
	return 0;
}

static int attach_program(int cgroup, const struct bpf_insn *insns, size_t len, uint32_t old,
			  uint32_t *ret_id, struct hoy_error *err)
{
	autoclose int program = load_program(insns, len, NULL, 0);
	uint32_t id;
	int r = program;

	if (r < 0)
		return fail_load(err, insns, len, r);
	/* The id first: from the attachment on nothing may fail. */
	r = program_id(program, &id);
	if (r >= 0)
		r = attach_instead(cgroup, program, old);
	if (r < 0) {
		fail_at(err, RESOURCES_DEVICES, r, "attach the device program to the cgroup");
		return fail_denied(err, r);
	}
	*ret_id = id;
	return 0;
}

int cgroup_attach_devices(int cgroup, const struct plan_device_rule *rules, size_t len,
			  uint32_t old, uint32_t *ret_id, struct hoy_error *err)
{
	autofree struct bpf_insn *insns = NULL;
	int insns_len = -ENOMEM;

	if (old == 0 && allows_all(rules, len)) {
		*ret_id = 0;
		return 0;
	}
	insns = calloc(len * DEVICES_RULE_INSNS + DEVICES_FRAME_INSNS, sizeof(*insns));
	if (insns)
		insns_len = devices_compile(rules, len, insns);
	if (insns_len < 0)
		return fail_at(err, RESOURCES_DEVICES, insns_len, "compile %zu device rules", len);
	return attach_program(cgroup, insns, (size_t)insns_len, old, ret_id, err);
}
