/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors: close-on-exec ranges, waiting with a deadline. Silent functions. */
#ifndef HOY_SYS_FD_H
#define HOY_SYS_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** Marks every descriptor >= first close-on-exec (close_range(2), CLOSE_RANGE_CLOEXEC). */
int fd_cloexec_from(unsigned int first);

/** Closes every descriptor >= first. Between clone and execve only. */
int fd_close_from(unsigned int first);

/** As fd_close_from(), but the descriptors of a list (-1 = none) stay open. */
int fd_close_but(unsigned int first, const int *keep, size_t len);

/** Copies a descriptor with close-on-exec set, to a number >= minimum. */
int fd_dup(int fd, int minimum);

/** CLOCK_MONOTONIC in milliseconds: deadlines are points on this clock; -1 means none. */
int64_t clock_ms(void);

/**
 * Waits until fd has one of `events` (poll(2)) or the deadline has passed.
 * @returns the events seen, 0 at the deadline, or -errno; EINTR is retried
 */
int fd_wait(int fd, short events, int64_t deadline_ms);

/** Writes all of it, retrying EINTR and short writes. */
int fd_write_all(int fd, const void *data, size_t len);

/** True if the two descriptors name the same inode on the same device. */
bool fd_same_inode(int a, int b);

/**
 * Where an open file is, as the link in /proc/self/fd says: a path, or "pipe:[1234]".
 * @returns the length of the text, which is terminated, or -errno
 */
ssize_t fd_path(int fd, char *buffer, size_t size);

/** Sets or clears the controlling-terminal independent O_NONBLOCK flag. */
int fd_set_nonblock(int fd, bool on);

#endif
