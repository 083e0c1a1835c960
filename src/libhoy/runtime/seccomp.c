/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiles linux.seccomp by libseccomp to the program that init loads. Runs in the runtime. Loads
 * nothing into the kernel; all rules between the fields were checked when the configuration was.
 */
#include "runtime/seccomp.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/seccomp_cache.h"
#include "runtime/seccomp_tree.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/file.h"

/* More than the specification has words for, and the native one. */
#define ARCHITECTURES_MAX 32
#define ARGS_MAX	  6

/** One compilation. */
struct compilation {
	const struct config_seccomp *config;
	const struct seccomp_options *options;
	scmp_filter_ctx context;
	uint32_t default_action;
	/** libseccomp's tokens of all architectures of the filter. */
	uint32_t architectures[ARCHITECTURES_MAX];
	size_t architectures_len;
	/** The highest syscall number that the profile names, per architecture; -1 for none. */
	int64_t newest[ARCHITECTURES_MAX];
};

/** How an architecture numbers its syscalls, where that is not just upwards from some number. */
static const struct numbering {
	/** libseccomp's token, and what the kernel calls it: AUDIT_ARCH_*. */
	uint32_t token, arch;
	/** Numbers set apart, which are not newer than those below them. */
	uint32_t apart_first, apart_end;
	/** Numbers from here on are none of this architecture. */
	uint32_t end;
} numberings[] = {
	{ SCMP_ARCH_X86_64, AUDIT_ARCH_X86_64, 0x40000000, 0x40000000, 0x40000000 },
	/* x32 has calls of its own at 512 to 547. */
	{ SCMP_ARCH_X32, AUDIT_ARCH_X86_64, 0x40000000 + 512, 0x40000000 + 548, UINT32_MAX },
	/* ARM's private calls, such as set_tls. */
	{ SCMP_ARCH_ARM, AUDIT_ARCH_ARM, 0xf0000, 0xf0800, UINT32_MAX },
};

static struct numbering numbering_of(uint32_t token)
{
	/* The number -1 is a tracer's way to skip the call. */
	const struct numbering usual = { token, token, UINT32_MAX, UINT32_MAX, UINT32_MAX };

	for (size_t i = 0; i < ARRAY_LEN(numberings); i++)
		if (numberings[i].token == token)
			return numberings[i];
	return usual;
}

static void release(scmp_filter_ctx *context)
{
	if (*context)
		seccomp_release(*context);
}

/* The kernel's action word with its errno; EPERM is the specification's default. */
static uint32_t with_errno(uint32_t action, const struct opt_u64 *number)
{
	if (action != SECCOMP_RET_ERRNO && action != SECCOMP_RET_TRACE)
		return action;
	return action | (number->set ? (uint32_t)number->value & SECCOMP_RET_DATA : EPERM);
}

/* ---- rules ---- */

static int add_architectures(struct compilation *compilation, struct hoy_error *err)
{
	const struct config_seccomp *config = compilation->config;

	compilation->architectures[compilation->architectures_len++] = seccomp_arch_native();
	for (size_t i = 0; i < config->architectures.len; i++) {
		uint32_t token = config->architectures.items[i];
		char at[64];
		int r = seccomp_arch_add(compilation->context, token);

		/* The native one is there from the start. */
		if (r == -EEXIST)
			continue;
		format_text(at, sizeof(at), "linux.seccomp.architectures[%zu]", i);
		if (r == -EINVAL || r == -EDOM)
			return fail_at(err, at, 0, "libseccomp does not support it");
		if (r < 0)
			return fail_at(err, at, r, "add the architecture to the filter");
		if (compilation->architectures_len < ARCHITECTURES_MAX)
			compilation->architectures[compilation->architectures_len++] = token;
	}
	return 0;
}

/* Remembers the number if it is the newest so far, on each architecture. */
static void note_newest(struct compilation *compilation, const char *name)
{
	for (size_t i = 0; i < compilation->architectures_len; i++) {
		struct numbering numbering = numbering_of(compilation->architectures[i]);
		int number = seccomp_syscall_resolve_name_arch(numbering.token, name);

		/* Negative ones are calls that exist elsewhere only. */
		if (number < 0 || ((uint32_t)number >= numbering.apart_first &&
				   (uint32_t)number < numbering.apart_end))
			continue;
		if (number > compilation->newest[i])
			compilation->newest[i] = number;
	}
}

/* Conditions of one rule that must all hold; two on one argument cannot be told to libseccomp. */
static bool has_argument_twice(const struct config_syscall *syscall)
{
	uint32_t seen = 0;

	for (size_t i = 0; i < syscall->args.len; i++) {
		if (seen & 1U << syscall->args.items[i].index)
			return true;
		seen |= 1U << syscall->args.items[i].index;
	}
	return false;
}

static struct scmp_arg_cmp comparison(const struct config_seccomp_arg *arg)
{
	/* enum seccomp_operator has libseccomp's values; for MASKED_EQ the first datum is the mask.
	 */
	return (struct scmp_arg_cmp){
		.arg = arg->index,
		.op = (enum scmp_compare)arg->op,
		.datum_a = arg->value,
		.datum_b = arg->value_two,
	};
}

static int add_rule(scmp_filter_ctx context, const struct config_syscall *syscall, int number)
{
	uint32_t action = with_errno(syscall->action, &syscall->errno_ret);
	struct scmp_arg_cmp args[ARGS_MAX];
	int r = 0;

	if (!has_argument_twice(syscall)) {
		for (size_t i = 0; i < syscall->args.len; i++)
			args[i] = comparison(&syscall->args.items[i]);
		return seccomp_rule_add_array(context, action, number,
					      (unsigned int)syscall->args.len, args);
	}
	/* Each by itself, so either is enough: what engines know from runc. */
	for (size_t i = 0; r >= 0 && i < syscall->args.len; i++) {
		args[0] = comparison(&syscall->args.items[i]);
		r = seccomp_rule_add_array(context, action, number, 1, args);
	}
	return r;
}

static int add_name(struct compilation *compilation, const struct config_syscall *syscall,
		    const char *name, const char *at, struct hoy_error *err)
{
	int number = seccomp_syscall_resolve_name(name);
	int r = 0;

	if (number == __NR_SCMP_ERROR && compilation->options->fail_unknown_syscall)
		return fail_at(err, at, 0, "\"%s\" is no syscall that libseccomp knows", name);
	if (number == __NR_SCMP_ERROR) {
		log_event_at(&compilation->options->log, HOY_LOG_DEBUG, at, 0,
			     "\"%s\" is no syscall that libseccomp knows: ignored", name);
		return 0;
	}
	note_newest(compilation, name);
	/* libseccomp refuses a rule that repeats the default. */
	if (with_errno(syscall->action, &syscall->errno_ret) != compilation->default_action)
		r = add_rule(compilation->context, syscall, number);
	if (r == -EEXIST)
		return fail_at(err, at, 0, "contradicts another rule for \"%s\"", name);
	return r < 0 ? fail_at(err, at, r, "add a rule for \"%s\" to the filter", name) : 0;
}

static int add_rules(struct compilation *compilation, struct hoy_error *err)
{
	for (size_t i = 0; i < compilation->config->syscalls.len; i++) {
		const struct config_syscall *syscall = &compilation->config->syscalls.items[i];

		for (size_t j = 0; j < syscall->names.len; j++) {
			char at[96];

			format_text(at, sizeof(at), "linux.seccomp.syscalls[%zu].names[%zu]", i, j);
			if (add_name(compilation, syscall, syscall->names.items[j], at, err) < 0)
				return -1;
		}
	}
	return 0;
}

/* ---- the program ---- */

/* Fails a call, or worse, so that a C library would not fall back to an older one. */
static bool hides_absence(uint32_t action)
{
	switch (action & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ERRNO:
		return (action & SECCOMP_RET_DATA) != ENOSYS;
	case SECCOMP_RET_KILL_PROCESS:
	case SECCOMP_RET_KILL_THREAD:
	case SECCOMP_RET_TRAP:
		return true;
	default:
		return false;
	}
}

static size_t add_override(struct seccomp_override *overrides, size_t len, uint32_t arch,
			   const uint32_t range[2])
{
	if (range[0] >= range[1])
		return len;
	overrides[len] = (struct seccomp_override){
		.arch = arch,
		.first = range[0],
		.end = range[1],
		.result = SECCOMP_RET_ERRNO | ENOSYS,
	};
	return len + 1;
}

/* Syscalls newer than the newest that the profile knows. */
static size_t find_overrides(const struct compilation *compilation,
			     struct seccomp_override overrides[2 * ARCHITECTURES_MAX])
{
	size_t len = 0;

	if (!hides_absence(compilation->default_action))
		return 0;
	for (size_t i = 0; i < compilation->architectures_len; i++) {
		struct numbering numbering = numbering_of(compilation->architectures[i]);
		uint32_t newer = (uint32_t)compilation->newest[i] + 1;
		uint32_t above = newer > numbering.apart_end ? newer : numbering.apart_end;

		/* It names none, so it knows none. */
		if (compilation->newest[i] < 0)
			continue;
		len = add_override(overrides, len, numbering.arch,
				   (uint32_t[]){ newer, numbering.apart_first });
		len = add_override(overrides, len, numbering.arch,
				   (uint32_t[]){ above, numbering.end });
	}
	return len;
}

/* libseccomp 2.5 writes a program only to a descriptor. @returns instructions or -errno */
static int export(scmp_filter_ctx context, struct sock_filter *ret_insns)
{
	autoclose int fd = memfd_create("seccomp", MFD_CLOEXEC);
	size_t size = BPF_MAXINSNS * sizeof(*ret_insns);
	ssize_t len;
	int r;

	if (fd < 0)
		return -errno;
	r = seccomp_export_bpf(context, fd);
	if (r < 0)
		return r;
	len = pread(fd, ret_insns, size, 0);
	if (len < 0)
		return -errno;
	if (lseek(fd, 0, SEEK_END) > (off_t)size)
		return -E2BIG;
	return (int)((size_t)len / sizeof(*ret_insns));
}

static int finish(struct compilation *compilation, struct sock_filter *ret_insns,
		  struct hoy_error *err)
{
	struct seccomp_override overrides[2 * ARCHITECTURES_MAX];
	size_t overrides_len = find_overrides(compilation, overrides);
	autofree struct sock_filter *insns = calloc(BPF_MAXINSNS, sizeof(*insns));
	int len = insns ? export(compilation->context, insns) : -ENOMEM;
	int tree_len;

	if (len < 0)
		return fail_at(err, "linux.seccomp", len, "compile the seccomp filter");
	tree_len = seccomp_tree(insns, (size_t)len, overrides, overrides_len, ret_insns);
	if (tree_len >= 0)
		return tree_len;
	log_event_at(&compilation->options->log, HOY_LOG_WARNING, "linux.seccomp", tree_len,
		     "libseccomp's filter is used as it is: unknown syscalls get the default "
		     "action, not ENOSYS");
	memcpy(ret_insns, insns, (size_t)len * sizeof(*insns));
	return len;
}

/* @returns the number of instructions, or -1 */
static int compile(const struct config_seccomp *config, const struct seccomp_options *options,
		   struct sock_filter *ret_insns, struct hoy_error *err)
{
	uint32_t action = with_errno(config->default_action, &config->default_errno_ret);
	__attribute__((cleanup(release))) scmp_filter_ctx context = seccomp_init(action);
	struct compilation compilation = {
		.config = config,
		.options = options,
		.context = context,
		.default_action = action,
	};

	if (!context)
		return fail_at(err, "linux.seccomp.defaultAction", 0,
			       "libseccomp or the kernel does not support it");
	for (size_t i = 0; i < ARCHITECTURES_MAX; i++)
		compilation.newest[i] = -1;
	if (add_architectures(&compilation, err) < 0 || add_rules(&compilation, err) < 0)
		return -1;
	return finish(&compilation, ret_insns, err);
}

/* Compiles, and puts the result into the cache if there is one. */
static int compile_and_store(const struct config_seccomp *config,
			     const struct seccomp_options *options, const struct text *key,
			     struct arena *arena, struct plan_seccomp *filter,
			     struct hoy_error *err)
{
	autofree struct sock_filter *insns = calloc(BPF_MAXINSNS, sizeof(*insns));
	int len = insns ? compile(config, options, insns, err) : fail(err, ENOMEM, "compile");
	int r = 0;

	if (len < 0)
		return -1;
	filter->len = (size_t)len;
	filter->filter = arena_copy(arena, insns, filter->len * sizeof(*insns));
	if (!filter->filter)
		return fail(err, ENOMEM, "keep the seccomp filter");
	if (options->cache >= 0)
		r = seccomp_cache_store(options->cache, key, insns, filter->len);
	if (r < 0)
		log_event_at(&options->log, HOY_LOG_DEBUG, "linux.seccomp", r,
			     "keep the filter in the cache");
	return 0;
}

/* ---- flags ---- */

static bool notifies(const struct config_seccomp *config)
{
	for (size_t i = 0; i < config->syscalls.len; i++)
		if (config->syscalls.items[i].action == SECCOMP_RET_USER_NOTIF)
			return true;
	return false;
}

/* Takes over flags and listener, and asks the kernel whether it knows the flags. */
static int set_flags(const struct config_seccomp *config, const struct seccomp_options *options,
		     struct plan_seccomp *filter, struct hoy_error *err)
{
	filter->flags = config->flags;
	if (notifies(config)) {
		filter->listener_path = options->receiver ? options->receiver
							  : config->listener_path;
		filter->listener_metadata = config->listener_metadata;
		filter->flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
		/* Only so can seccomp(2) return both a listener and a thread that was in the way.
		 */
		if (filter->flags & SECCOMP_FILTER_FLAG_TSYNC)
			filter->flags |= SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
	} else {
		/* It is about the listener, and the kernel refuses it without one. */
		filter->flags &= ~(uint64_t)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	}
	/* Without a program a known combination fails later, with EFAULT. */
	if (filter->flags &&
	    seccomp(SECCOMP_SET_MODE_FILTER, (unsigned int)filter->flags, NULL) < 0 &&
	    errno == EINVAL)
		return fail_at(err, "linux.seccomp.flags", 0,
			       "not supported by this kernel in this combination");
	return 0;
}

int seccomp_compile(const struct config_seccomp *config, const struct seccomp_options *options,
		    struct arena *arena, struct plan_seccomp *ret_filter, struct hoy_error *err)
{
	struct plan_seccomp filter = { .len = 0 };
	autotext struct text key = { .len = 0 };
	int len = -ENOENT;

	if (set_flags(config, options, &filter, err) < 0)
		return -1;
	if (options->cache >= 0) {
		seccomp_cache_key(&key, config, options->fail_unknown_syscall);
		if (key.failed)
			return fail(err, ENOMEM, "look for the seccomp filter in the cache");
		len = seccomp_cache_load(options->cache, &key, arena, &filter.filter);
	}
	if (len >= 0)
		filter.len = (size_t)len;
	else if (compile_and_store(config, options, &key, arena, &filter, err) < 0)
		return -1;
	*ret_filter = filter;
	return 0;
}

bool seccomp_supports_architecture(uint32_t token)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r = filter ? seccomp_arch_add(filter, token) : -ENOMEM;

	if (filter)
		seccomp_release(filter);
	return r == 0 || r == -EEXIST;
}
