/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small files named by a directory descriptor and a path below it. Everything is opened
 * O_CLOEXEC|O_NOCTTY, beneath that directory (an absolute path is -EXDEV) and on its file system,
 * and through no symlink at all (-ELOOP, "/proc/self" too). Silent functions.
 */
#ifndef HOY_SYS_FILE_H
#define HOY_SYS_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** Writes `len` bytes in one write(2) to an existing file; a short write is -EIO. */
int file_write(int dirfd, const char *name, const void *data, size_t len);

/** As file_write(), for a string. */
int file_write_text(int dirfd, const char *name, const char *text);

/**
 * Reads a whole small regular or kernel file, at most size - 1 bytes, and terminates it.
 * @returns the length, -EFBIG if there is more, -EISDIR or -EINVAL if it is no file, or -errno
 */
ssize_t file_read(int dirfd, const char *name, char *buffer, size_t size);

/** As file_read(), from an open descriptor at its present offset. */
ssize_t file_read_fd(int fd, char *buffer, size_t size);

/**
 * Makes a file with exactly this mode, whatever the umask. @returns -EEXIST if there is one; on
 * other errors a part of it may be there
 */
int file_make(int dirfd, const char *name, const void *data, size_t len, mode_t mode);

/**
 * Replaces a file as a whole: written under a temporary name beside it, then renamed.
 * @param name  without a slash
 * @param mode  of the new file, whatever the umask
 */
int file_replace(int dirfd, const char *name, const void *data, size_t len, mode_t mode);

/** A sealed memfd holding the data, offset 0 (file hand-over to hooks, seccomp cache). */
int file_sealed(const char *name, const void *data, size_t len);

/** The start time of a process (proc(5), field 22 of stat) from a /proc directory. */
int file_start_time(int procfd, pid_t pid, uint64_t *ret_start_time);

/**
 * Whether a process of this name (proc(5), comm) is on its way out, or a zombie.
 * @returns 1, 0, or -errno
 */
int file_process_is_exiting(int procfd, pid_t pid, const char *name);

#endif
