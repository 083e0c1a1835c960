/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process holds on to the file it was executed from in two ways: by its mappings and by the
 * kernel's exe_file. The kernel lets a process name another exe_file (prctl(2), PR_SET_MM_MAP) as
 * soon as nothing of the old one is mapped any more; so the mappings are replaced first: what was
 * written by a copy that mremap(2) moves over it in one step, the rest by the same pages of the
 * same file seen through another mount. The bytes stay the same, so the code that runs here does
 * not notice. What is left are the links in /proc/PID/map_files, which the kernel opens for nobody
 * without CAP_CHECKPOINT_RESTORE on the host, as for the C library of a dynamic build. Runs at
 * the top of the program, single-threaded.
 */
#include "leave.h"

#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* A program has four to six of them. */
#define MAPPINGS_MAX 16
#define PAGE_LEN     ((uintptr_t)sysconf(_SC_PAGESIZE))

struct mapping {
	uintptr_t start, end;
	off_t offset;
	int protection;
	/** May differ from what the file has. */
	bool written;
};

static uintptr_t page_down(uintptr_t address)
{
	return address & ~((uintptr_t)PAGE_LEN - 1);
}

/** Adds a piece of a segment, up to an address, unless it is empty. */
static void add_mapping(struct mapping *mappings, int *len, struct mapping *rest, uintptr_t end,
			int protection)
{
	struct mapping *mapping = &mappings[*len];

	if (end <= rest->start)
		return;
	*mapping = *rest;
	mapping->end = end;
	mapping->protection = protection;
	rest->offset += (off_t)(end - rest->start);
	rest->start = end;
	(*len)++;
}

static int protection_of(const ElfW(Phdr) * segment)
{
	return (segment->p_flags & PF_R ? PROT_READ : 0) |
	       (segment->p_flags & PF_W ? PROT_WRITE : 0) |
	       (segment->p_flags & PF_X ? PROT_EXEC : 0);
}

/*
 * What the kernel, or the dynamic linker, has mapped of the program's file: its segments, of which
 * a written one may start with a part that was made read-only once it was relocated (RELRO). If
 * that is not all, PR_SET_MM_MAP says so (EBUSY). @returns how many, or -errno
 */
static int find_mappings(struct mapping mappings[MAPPINGS_MAX])
{
	const ElfW(Phdr) *segments = (const void *)getauxval(AT_PHDR), *relro = NULL;
	const size_t count = getauxval(AT_PHNUM);
	uintptr_t base = 0;
	int len = 0;

	for (size_t i = 0; i < count; i++) {
		if (segments[i].p_type == PT_PHDR)
			base = (uintptr_t)segments - segments[i].p_vaddr;
		if (segments[i].p_type == PT_GNU_RELRO)
			relro = &segments[i];
	}
	for (size_t i = 0; i < count && len < MAPPINGS_MAX - 1; i++) {
		const ElfW(Phdr) *segment = &segments[i];
		const int protection = protection_of(segment);
		uintptr_t start = base + segment->p_vaddr, end;
		struct mapping rest = { .start = page_down(start),
					.offset = (off_t)page_down(segment->p_offset),
					.written = protection & PROT_WRITE };

		if (segment->p_type != PT_LOAD || segment->p_filesz == 0)
			continue;
		end = page_down(start + segment->p_filesz + PAGE_LEN - 1);
		if (rest.written && relro && relro->p_vaddr == segment->p_vaddr)
			add_mapping(mappings, &len, &rest, page_down(start + relro->p_memsz),
				    PROT_READ);
		add_mapping(mappings, &len, &rest, end, protection);
	}
	return len > 0 && len < MAPPINGS_MAX - 1 ? len : -E2BIG;
}

/*
 * The program's file, opened through a mount of its own that is nowhere attached and read-only: to
 * the kernel that is another file than the one executed. @returns a descriptor or -errno
 */
static int open_aside(void)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	autoclose int exe = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	autoclose int mount = -1;
	char path[32];
	int fd;

	if (exe < 0)
		return -errno;
	mount = open_tree(exe, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (mount < 0 || mount_setattr(mount, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return -errno;
	format_text(path, sizeof(path), "/proc/self/fd/%d", mount);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int map_again(const struct mapping *mapping, int file)
{
	void *place = (void *)mapping->start;

	return mmap(place, mapping->end - mapping->start, mapping->protection,
		    MAP_PRIVATE | MAP_FIXED, file, mapping->offset) == place
		       ? 0
		       : -errno;
}

/*
 * Replaces mappings that lie one behind the other, none of them executable if there are several.
 * Nothing here may write to what is being copied: no allocation, no global of our own.
 */
static int replace(const struct mapping *mappings, int count)
{
	const int writable = PROT_READ | PROT_WRITE;
	void *place = (void *)mappings[0].start;
	const size_t len = mappings[count - 1].end - mappings[0].start;
	void *copy;

	for (int i = 0; i < count; i++)
		if (!(mappings[i].protection & PROT_READ))
			return -EACCES;
	copy = mmap(NULL, len, writable, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (copy == MAP_FAILED)
		return -errno;
	memcpy(copy, place, len);
	/* Code must be executable when it is in its place; several kinds cannot be moved as one. */
	if ((count == 1 && mprotect(copy, len, mappings[0].protection) < 0) ||
	    mremap(copy, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, place) != place) {
		const int code = -errno;

		(void)munmap(copy, len);
		return code;
	}
	for (int i = 0; i < count && count > 1; i++)
		if (mappings[i].protection != writable &&
		    mprotect((void *)mappings[i].start, mappings[i].end - mappings[i].start,
			     mappings[i].protection) < 0)
			return -errno;
	return 0;
}

/* How many written mappings lie one behind the other from the first one on. */
static int count_adjacent(const struct mapping *mappings, int len)
{
	int count = 1;

	while (count < len && mappings[count].written &&
	       mappings[count].start == mappings[count - 1].end &&
	       !((mappings[count].protection | mappings[count - 1].protection) & PROT_EXEC))
		count++;
	return count;
}

/* An empty file that nobody can fill; a descriptor that can write would count as a writer. */
static int open_empty(void)
{
	autoclose int file = memfd_create("hoy", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	char path[32];
	int fd;

	/* MFD_EXEC is new in Linux 6.3, before which there is no other kind. */
	if (file < 0 && errno == EINVAL)
		file = memfd_create("hoy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (file < 0 || fcntl(file, F_ADD_SEALS, SEALS) < 0)
		return -errno;
	format_text(path, sizeof(path), "/proc/self/fd/%d", file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Behind the last one of strings that follow each other in memory, at least `start`. */
static uint64_t end_of(char *const *strings, uint64_t start)
{
	for (; *strings; strings++)
		start = (uintptr_t)*strings + strlen(*strings) + 1;
	return start;
}

/*
 * What PR_SET_MM_MAP wants to be told along with the file: what is so already, the program's parts
 * by whole pages. /proc/self/stat has it too, but costs more than the rest. Only where the heap
 * began is known to nobody: it now begins at its present end, below which it will not shrink.
 */
static int describe_memory(char *const *argv, const struct mapping *mappings, int len,
			   struct prctl_mm_map *map)
{
	char *const *env = argv;
	const uint64_t brk = (uintptr_t)sbrk(0);

	if (!argv[0])
		return -EINVAL;
	while (*env)
		env++;
	/* execve(2) puts the number of arguments on the stack, then them, then the environment. */
	*map = (struct prctl_mm_map){
		.start_stack = (uintptr_t)(argv - 1),
		.start_brk = brk,
		.brk = brk,
		.arg_start = (uintptr_t)argv[0],
		.arg_end = end_of(argv, 0),
	};
	map->env_start = env[1] ? (uintptr_t)env[1] : map->arg_end;
	map->env_end = end_of(env + 1, map->env_start);
	for (int i = 0; i < len; i++) {
		if (mappings[i].protection & PROT_EXEC) {
			map->start_code = mappings[i].start;
			map->end_code = mappings[i].end;
		} else if (mappings[i].written) {
			map->start_data = map->start_data ? map->start_data : mappings[i].start;
			map->end_data = mappings[i].end - 1;
		}
	}
	return 0;
}

int leave_binary(char *const *argv)
{
	struct mapping mappings[MAPPINGS_MAX];
	struct prctl_mm_map map;
	autoclose int empty = -1, aside = -1;
	unsigned int size;
	int count, r;

	if (BUILT_WITH_SANITIZER)
		return -EOPNOTSUPP;
	if (prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0) < 0 || size != sizeof(map))
		return -ENOSYS;
	empty = open_empty();
	count = empty < 0 ? empty : find_mappings(mappings);
	r = count < 0 ? count : describe_memory(argv, mappings, count, &map);
	if (r < 0)
		return r;
	aside = open_aside();
	for (int i = 0, done = 1; r == 0 && i < count; i += done) {
		done = mappings[i].written ? count_adjacent(mappings + i, count - i) : 1;
		if (aside >= 0 && !mappings[i].written)
			r = map_again(&mappings[i], aside);
		else
			r = replace(mappings + i, done);
	}
	if (r < 0)
		return r;
	map.exe_fd = (uint32_t)empty;
	/* The kernel itself makes sure that nothing of the old file is mapped (EBUSY). */
	return prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0) < 0 ? -errno : 0;
}
