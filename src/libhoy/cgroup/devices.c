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

/* Registers of the program. R1 is the context on entry, R0 the verdict. */
enum {
	VERDICT = BPF_REG_0,
	CONTEXT = BPF_REG_1,
	/* Bits of the access that no rule has allowed so far. */
	ACCESS = BPF_REG_2,
	TYPE = BPF_REG_3,
	MAJOR = BPF_REG_4,
	MINOR = BPF_REG_5,
};

#define RESOURCES_DEVICES "linux.resources.devices"

#define ACCESS_ALL (BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE)

static struct bpf_insn load(unsigned char to, size_t offset)
{
	return (struct bpf_insn){
		.code = BPF_LDX | BPF_MEM | BPF_W,
		.dst_reg = to & 0xf,
		.src_reg = CONTEXT,
		.off = (short)offset,
	};
}

static struct bpf_insn alu(unsigned char operation, unsigned char to, int number)
{
	return (struct bpf_insn){
		.code = (unsigned char)(BPF_ALU | BPF_K | operation),
		.dst_reg = to & 0xf,
		.imm = number,
	};
}

static struct bpf_insn copy(unsigned char to, unsigned char from)
{
	return (struct bpf_insn){
		.code = BPF_ALU | BPF_X | BPF_MOV,
		.dst_reg = to & 0xf,
		.src_reg = from & 0xf,
	};
}

/*
 * A 32-bit comparison: device numbers are unsigned 32 bits, and an eBPF immediate would be sign
 * extended to 64.
 */
static struct bpf_insn jump(unsigned char operation, unsigned char reg, int number, size_t over)
{
	return (struct bpf_insn){
		.code = (unsigned char)(BPF_JMP32 | BPF_K | operation),
		.dst_reg = reg & 0xf,
		.off = (short)over,
		.imm = number,
	};
}

static struct bpf_insn skip(size_t over)
{
	return (struct bpf_insn){ .code = BPF_JMP | BPF_JA, .off = (short)over };
}

static struct bpf_insn leave(void)
{
	return (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT };
}

/* True if what the rules before this one say cannot matter. */
static bool is_last_word(const struct plan_device_rule *rule)
{
	return rule->type == 'a' && rule->major < 0 && rule->minor < 0 &&
	       (rule->access & ACCESS_ALL) == ACCESS_ALL;
}

/* The kernel's device numbers have 32 bits: a rule about a larger one is about no device. */
static bool is_about_nothing(const struct plan_device_rule *rule)
{
	return rule->major > UINT32_MAX || rule->minor > UINT32_MAX;
}

static size_t compile_verdict(bool allow, struct bpf_insn *insns)
{
	insns[0] = alu(BPF_MOV, VERDICT, allow);
	insns[1] = leave();
	return 2;
}

/* Takes the allowed bits off those asked for; allows if none is left. */
static size_t compile_allow(int access, struct bpf_insn *insns)
{
	insns[0] = alu(BPF_AND, ACCESS, ~access);
	insns[1] = jump(BPF_JNE, ACCESS, 0, 2);
	return 2 + compile_verdict(true, insns + 2);
}

/* Denies if one of the bits is asked for and still undecided. */
static size_t compile_deny(int access, struct bpf_insn *insns)
{
	insns[0] = jump(BPF_JSET, ACCESS, access, 1);
	insns[1] = skip(2);
	return 2 + compile_verdict(false, insns + 2);
}

/*
 * A rule about all bits decides all that are left, and some always are. Apart from being shorter
 * this spares the verifier the states of ACCESS, which would multiply by the rules.
 */
static size_t compile_action(const struct plan_device_rule *rule, struct bpf_insn *insns)
{
	int access = (int)(rule->access & ACCESS_ALL);

	if (access == ACCESS_ALL)
		return compile_verdict(rule->allow, insns);
	return rule->allow ? compile_allow(access, insns) : compile_deny(access, insns);
}

static size_t compile_rule(const struct plan_device_rule *rule, struct bpf_insn *insns)
{
	int type = rule->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
	size_t conditions = 0, end;

	if (rule->type != 'a')
		insns[conditions++] = jump(BPF_JNE, TYPE, type, 0);
	if (rule->major >= 0)
		insns[conditions++] = jump(BPF_JNE, MAJOR, (int)rule->major, 0);
	if (rule->minor >= 0)
		insns[conditions++] = jump(BPF_JNE, MINOR, (int)rule->minor, 0);
	end = conditions + compile_action(rule, insns + conditions);
	for (size_t i = 0; i < conditions; i++)
		insns[i].off = (short)(end - i - 1);
	return end;
}

/*
 * Takes the access apart: its low 16 bits are the type of the device, the high ones the access.
 * Asking for nothing (a mere look at the inode) is allowed.
 */
static size_t compile_prologue(struct bpf_insn *insns)
{
	insns[0] = load(ACCESS, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	insns[1] = load(MAJOR, offsetof(struct bpf_cgroup_dev_ctx, major));
	insns[2] = load(MINOR, offsetof(struct bpf_cgroup_dev_ctx, minor));
	insns[3] = copy(TYPE, ACCESS);
	insns[4] = alu(BPF_AND, TYPE, 0xffff);
	insns[5] = alu(BPF_RSH, ACCESS, 16);
	insns[6] = alu(BPF_AND, ACCESS, ACCESS_ALL);
	insns[7] = jump(BPF_JNE, ACCESS, 0, 2);
	return 8 + compile_verdict(true, insns + 8);
}

size_t devices_compile(const struct plan_device_rule *rules, size_t len, struct bpf_insn *insns)
{
	size_t count = compile_prologue(insns);

	/* The last match wins, so the last rule is asked first. */
	while (len-- > 0) {
		if (is_last_word(&rules[len]))
			return count + compile_verdict(rules[len].allow, insns + count);
		if (!is_about_nothing(&rules[len]))
			count += compile_rule(&rules[len], insns + count);
	}
	return count + compile_verdict(false, insns + count);
}

/* True if everything is allowed anyway, which needs no program. */
static bool allows_all(const struct plan_device_rule *rules, size_t len)
{
	return len > 0 && rules[len - 1].allow && is_last_word(&rules[len - 1]);
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

	if (old == 0 && allows_all(rules, len)) {
		*ret_id = 0;
		return 0;
	}
	insns = calloc(len * DEVICES_RULE_INSNS + DEVICES_FRAME_INSNS, sizeof(*insns));
	if (!insns)
		return fail_at(err, RESOURCES_DEVICES, ENOMEM, "compile %zu device rules", len);
	return attach_program(cgroup, insns, devices_compile(rules, len, insns), old, ret_id, err);
}
