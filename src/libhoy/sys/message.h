/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One message = one datagram on a SOCK_SEQPACKET socket, with up to MESSAGE_FDS_MAX descriptors.
 * Nothing received is trusted: lengths are checked by the caller against the message's type,
 * surplus descriptors are closed here. Silent functions.
 */
#ifndef HOY_SYS_MESSAGE_H
#define HOY_SYS_MESSAGE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MESSAGE_FDS_MAX 4

/** A connected pair, both ends close-on-exec. */
int message_pair(int ret_fds[2]);

/** Sends one datagram of at least one byte (MSG_NOSIGNAL). @returns 0 or -errno */
int message_send(int fd, const void *data, size_t len, const int *fds, size_t fds_len);

/**
 * Receives one datagram, waiting until the deadline.
 * @param ret_fds      MESSAGE_FDS_MAX places, or NULL to refuse descriptors; close-on-exec
 * @param ret_fds_len  how many came
 * @returns its length (> 0), -EPIPE at end of file, -ETIMEDOUT, -EMSGSIZE if it was cut, -errno
 */
ssize_t message_receive(int fd, void *data, size_t size, int *ret_fds, size_t *ret_fds_len,
			int64_t deadline_ms);

/**
 * Connects to an AF_UNIX stream socket. A path longer than an address holds (107 bytes) goes
 * through /proc/self/fd and its parent directory.
 * @returns a blocking, close-on-exec socket, -ETIMEDOUT if its backlog stays full, or -errno
 */
int message_connect(const char *path, int64_t deadline_ms);

/**
 * The same for datagrams, where a path that starts with '@' is an abstract name.
 * @returns a close-on-exec socket that does not block, or -errno
 */
int message_connect_datagram(const char *path);

/**
 * Sends a payload of at least one byte with descriptors over a connected stream socket.
 * @returns 0, -ETIMEDOUT, or -errno
 */
int message_send_stream(int fd, const void *data, size_t len, const int *fds, size_t fds_len,
			int64_t deadline_ms);

#endif
