/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small files below a directory descriptor: cgroup, procfs and state files. Runs in the runtime
 * and, after the clone, in init: it must not allocate or report. Every name stays beneath the
 * descriptor, on its file system, and passes no symlink, so a procfs file is that file and no
 * other.
 */
#include "sys/file.h"

#include <limits.h>
#include <stdio.h> /* renameat(2) alone */
#include <sys/mman.h>

#include "sys/cleanup.h"
#include "sys/compat.h"
#include "sys/error.h"
#include "sys/fd.h"

static int open_beneath(int dirfd, const char *name, uint64_t flags, mode_t mode)
{
	const struct open_how how = {
		.flags = flags | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW,
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	do
		fd = openat2(dirfd, name, &how, sizeof(how));
	while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

int file_write(int dirfd, const char *name, const void *data, size_t len)
{
	/* Not O_NONBLOCK: memory.max would be set without reclaiming what is above it. */
	autoclose int fd = open_beneath(dirfd, name, O_WRONLY, 0);
	ssize_t written;

	if (fd < 0)
		return fd;
	do
		written = write(fd, data, len);
	while (written < 0 && errno == EINTR);
	if (written < 0)
		return -errno;
	return (size_t)written == len ? 0 : -EIO;
}

int file_write_text(int dirfd, const char *name, const char *text)
{
	return file_write(dirfd, name, text, strlen(text));
}

ssize_t file_read_fd(int fd, char *buffer, size_t size)
{
	size_t len = 0;

	/* Reads into the terminator's place too: only so more than fits is told from just fits. */
	while (len < size) {
		ssize_t got = read(fd, buffer + len, size - len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		len += (size_t)got;
	}
	if (len >= size)
		return -EFBIG;
	buffer[len] = '\0';
	return (ssize_t)len;
}

ssize_t file_read(int dirfd, const char *name, char *buffer, size_t size)
{
	/* O_NONBLOCK: a FIFO in the file's place must not hold us up. */
	autoclose int fd = open_beneath(dirfd, name, O_RDONLY | O_NONBLOCK, 0);
	struct stat stat;

	if (fd < 0)
		return fd;
	if (fstat(fd, &stat) < 0)
		return -errno;
	if (!S_ISREG(stat.st_mode))
		return S_ISDIR(stat.st_mode) ? -EISDIR : -EINVAL;
	return file_read_fd(fd, buffer, size);
}

int file_make(int dirfd, const char *name, const void *data, size_t len, mode_t mode)
{
	autoclose int fd = open_beneath(dirfd, name, O_WRONLY | O_CREAT | O_EXCL, mode);

	if (fd < 0)
		return fd;
	if (fchmod(fd, mode) < 0)
		return -errno;
	return fd_write_all(fd, data, len);
}

int file_replace(int dirfd, const char *name, const void *data, size_t len, mode_t mode)
{
	char temporary[NAME_MAX + 1];
	int r;

	if (strchr(name, '/'))
		return -EINVAL;
	/* By process, so that two who write the same name without a lock cannot mix their bytes. */
	if (format_text(temporary, sizeof(temporary), ".%s.%d", name, (int)getpid()) >=
	    sizeof(temporary))
		return -ENAMETOOLONG;
	r = file_make(dirfd, temporary, data, len, mode);
	/* One left by a process that was killed and had the same pid. */
	if (r == -EEXIST && unlinkat(dirfd, temporary, 0) == 0)
		r = file_make(dirfd, temporary, data, len, mode);
	if (r >= 0 && renameat(dirfd, temporary, dirfd, name) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dirfd, temporary, 0);
	return r;
}

int file_sealed(const char *name, const void *data, size_t len)
{
	autoclose int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	int r;

	/* MFD_NOEXEC_SEAL is new in Linux 6.3, and vm.memfd_noexec=2 demands it from then on. */
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, data, len);
	if (r < 0)
		return r;
	if (lseek(fd, 0, SEEK_SET) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return -errno;
	return take_fd(&fd);
}

/* The decimal number that starts `text` and is ended by a space. */
static int parse_field(const char *text, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	for (; *text >= '0' && *text <= '9'; text++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
			return -ERANGE;
	}
	if (*text != ' ')
		return -EINVAL;
	*ret_value = value;
	return 0;
}

/* Reads PID/stat. @returns field 2 (the name), terminated by its ')', or -errno in *ret_error */
static char *read_stat(int procfd, pid_t pid, char *stat, size_t size, int *ret_error)
{
	char name[32], *field;
	ssize_t len;

	format_text(name, sizeof(name), "%d/stat", (int)pid);
	len = file_read(procfd, name, stat, size);
	/* Field 2 is the program's name in parentheses and may hold any byte, ')' too. */
	field = len < 0 ? NULL : strrchr(stat, ')');
	if (!field)
		*ret_error = len < 0 ? (int)len : -EINVAL;
	return field;
}

/* From the end of field 2 to the number that field `wanted` holds. */
static int stat_field(const char *field, int wanted, uint64_t *ret_value)
{
	for (int number = 2; field && number < wanted; number++) {
		field = strchr(field, ' ');
		field = field ? field + 1 : NULL;
	}
	return field ? parse_field(field, ret_value) : -EINVAL;
}

int file_start_time(int procfd, pid_t pid, uint64_t *ret_start_time)
{
	char stat[1024];
	int error = 0;
	const char *field = read_stat(procfd, pid, stat, sizeof(stat), &error);

	return field ? stat_field(field, 22, ret_start_time) : error;
}

int file_process_is_exiting(int procfd, pid_t pid, const char *name)
{
	/* PF_EXITING of the kernel's task flags (field 9). */
	const uint64_t exiting = 0x4;
	uint64_t flags = 0;
	char stat[1024], *start, *end;
	int r = 0;

	end = read_stat(procfd, pid, stat, sizeof(stat), &r);
	if (!end)
		return r;
	r = stat_field(end, 9, &flags);
	if (r < 0)
		return r;
	start = strchr(stat, '(');
	*end = '\0';
	return start && strcmp(start + 1, name) == 0 && (flags & exiting);
}
