/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps compiled seccomp filters in STATE_ROOT/.seccomp, as compiling one takes longer than all the
 * rest of a container's start. Runs in the runtime. Only the directory's owner may have written
 * there; still an entry is taken only if it is whole, made for exactly this profile, and a program
 * of the form that hoy writes. Entries are made under another name and renamed.
 */
#include "runtime/seccomp_cache.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/seccomp.h"
#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/file.h"

/* To be changed with whatever changes the program that a profile gives. */
#define FORMAT "hoyscmp1"

/* Larger profiles are compiled each time. */
#define KEY_MAX (256 * 1024)

/** What a file begins with; the key and the instructions follow. */
struct entry {
	char format[8];
	uint32_t key_len;
	uint32_t insns_len;
	/** hash() of the key and of the instructions: finds the damage that a full disk does. */
	uint64_t sum;
};

int seccomp_cache_open(int state_root)
{
	autoclose int fd = -1;
	struct stat stat;

	if (mkdirat(state_root, ".seccomp", 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(state_root, ".seccomp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &stat) < 0)
		return -errno;
	if (stat.st_uid != geteuid() || stat.st_mode & 022)
		return -EPERM;
	return take_fd(&fd);
}

static uint64_t hash(uint64_t value, const void *data, size_t len)
{
	const unsigned char *bytes = data;

	while (len > 0) {
		size_t part = len < sizeof(uint64_t) ? len : sizeof(uint64_t);
		uint64_t word = 0;

		memcpy(&word, bytes, part);
		value = (value ^ word) * 0x9fb21c651e98df25ULL;
		value ^= value >> 32;
		bytes += part;
		len -= part;
	}
	return value;
}

/* ---- the key ---- */

static void add_number(struct text *key, uint64_t number)
{
	text_add_bytes(key, (const char *)&number, sizeof(number));
}

static void add_errno(struct text *key, const struct opt_u64 *number)
{
	add_number(key, number->set);
	add_number(key, number->set ? number->value : 0);
}

static void add_syscall(struct text *key, const struct config_syscall *syscall)
{
	add_number(key, syscall->action);
	add_errno(key, &syscall->errno_ret);
	add_number(key, syscall->args.len);
	for (size_t i = 0; i < syscall->args.len; i++) {
		add_number(key, syscall->args.items[i].index);
		add_number(key, (uint64_t)syscall->args.items[i].op);
		add_number(key, syscall->args.items[i].value);
		add_number(key, syscall->args.items[i].value_two);
	}
	add_number(key, syscall->names.len);
	for (size_t i = 0; i < syscall->names.len; i++)
		text_add_bytes(key, syscall->names.items[i], strlen(syscall->names.items[i]) + 1);
}

void seccomp_cache_key(struct text *key, const struct config_seccomp *config,
		       bool fail_unknown_syscall)
{
	const struct scmp_version *version = seccomp_version();

	add_number(key, version->major);
	add_number(key, version->minor);
	add_number(key, version->micro);
	add_number(key, seccomp_arch_native());
	add_number(key, seccomp_api_get());
	add_number(key, fail_unknown_syscall);
	add_number(key, config->default_action);
	add_errno(key, &config->default_errno_ret);
	add_number(key, config->architectures.len);
	for (size_t i = 0; i < config->architectures.len; i++)
		add_number(key, config->architectures.items[i]);
	for (size_t i = 0; i < config->syscalls.len; i++)
		add_syscall(key, &config->syscalls.items[i]);
}

/* An entry's file name, "0123456789abcdef". */
static void name_of(const struct text *key, char name[17])
{
	format_text(name, 17, "%016llx", (unsigned long long)hash(0, key->bytes, key->len));
}

/* ---- reading ---- */

static bool is_well_formed(const struct sock_filter *insns, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		const struct sock_filter *insn = &insns[i];
		size_t left = len - i - 1;

		switch (insn->code) {
		case BPF_RET | BPF_K:
			break;
		case BPF_LD | BPF_W | BPF_ABS:
			if (insn->k % 4 || insn->k >= sizeof(struct seccomp_data) || left == 0)
				return false;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			if (left == 0)
				return false;
			break;
		case BPF_JMP | BPF_JA:
			if (insn->k >= left)
				return false;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
		case BPF_JMP | BPF_JGT | BPF_K:
		case BPF_JMP | BPF_JGE | BPF_K:
		case BPF_JMP | BPF_JSET | BPF_K:
			if (insn->jt >= left || insn->jf >= left)
				return false;
			break;
		default:
			return false;
		}
	}
	return len > 0;
}

static bool is_entry_of(const struct entry *entry, size_t size, const struct text *key)
{
	const char *bytes = (const char *)(entry + 1);

	if (size < sizeof(*entry) || memcmp(entry->format, FORMAT, sizeof(entry->format)) != 0 ||
	    entry->key_len != key->len || entry->insns_len > BPF_MAXINSNS ||
	    size != sizeof(*entry) + key->len + entry->insns_len * sizeof(struct sock_filter))
		return false;
	return memcmp(bytes, key->bytes, key->len) == 0 &&
	       hash(0, bytes, size - sizeof(*entry)) == entry->sum;
}

int seccomp_cache_load(int cache, const struct text *key, struct arena *arena,
		       const void **ret_filter)
{
	autofree struct entry *entry = NULL;
	const struct sock_filter *insns;
	size_t room = sizeof(*entry) + key->len + BPF_MAXINSNS * sizeof(*insns) + 1;
	char name[17];
	ssize_t size;

	if (key->len > KEY_MAX)
		return -ENOENT;
	entry = malloc(room);
	if (!entry)
		return -ENOMEM;
	name_of(key, name);
	size = file_read(cache, name, (char *)entry, room);
	if (size < 0 || !is_entry_of(entry, (size_t)size, key))
		return -ENOENT;
	insns = arena_copy(arena, (const char *)(entry + 1) + key->len,
			   entry->insns_len * sizeof(*insns));
	if (!insns)
		return -ENOMEM;
	if (!is_well_formed(insns, entry->insns_len))
		return -ENOENT;
	*ret_filter = insns;
	return (int)entry->insns_len;
}

/* ---- writing ---- */

/* The oldest file of the directory, and how many there are. */
static int find_oldest(int cache, char oldest[NAME_MAX + 1], size_t *ret_count)
{
	int fd = openat(cache, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct timespec oldest_time = { .tv_sec = 0 };
	const struct dirent *file;
	size_t count = 0;
	DIR *directory;

	directory = fd < 0 ? NULL : fdopendir(fd);
	if (!directory) {
		cleanup_close(&fd);
		return -errno;
	}
	while ((file = readdir(directory))) {
		struct stat stat;

		if (fstatat(cache, file->d_name, &stat, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(stat.st_mode))
			continue;
		if (count++ == 0 || stat.st_mtim.tv_sec < oldest_time.tv_sec ||
		    (stat.st_mtim.tv_sec == oldest_time.tv_sec &&
		     stat.st_mtim.tv_nsec < oldest_time.tv_nsec)) {
			oldest_time = stat.st_mtim;
			format_text(oldest, NAME_MAX + 1, "%s", file->d_name);
		}
	}
	closedir(directory);
	*ret_count = count;
	return 0;
}

static int evict(int cache)
{
	for (;;) {
		char oldest[NAME_MAX + 1] = "";
		size_t count = 0;
		int r = find_oldest(cache, oldest, &count);

		if (r < 0 || count <= SECCOMP_CACHE_ENTRIES)
			return r;
		if (unlinkat(cache, oldest, 0) < 0 && errno != ENOENT)
			return -errno;
	}
}

int seccomp_cache_store(int cache, const struct text *key, const void *filter, size_t len)
{
	size_t insns_size = len * sizeof(struct sock_filter);
	size_t size = sizeof(struct entry) + key->len + insns_size;
	autofree struct entry *entry = NULL;
	char name[17];
	char *bytes;
	int r;

	if (key->len > KEY_MAX)
		return -E2BIG;
	entry = malloc(size);
	if (!entry)
		return -ENOMEM;
	bytes = (char *)(entry + 1);
	memcpy(entry->format, FORMAT, sizeof(entry->format));
	entry->key_len = (uint32_t)key->len;
	entry->insns_len = (uint32_t)len;
	memcpy(bytes, key->bytes, key->len);
	memcpy(bytes + key->len, filter, insns_size);
	entry->sum = hash(0, bytes, key->len + insns_size);
	name_of(key, name);
	r = file_replace(cache, name, entry, size, 0600);
	return r < 0 ? r : evict(cache);
}
