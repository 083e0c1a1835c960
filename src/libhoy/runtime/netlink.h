/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much of rtnetlink(7) as moving a network device takes: one request at a time, its answers one
 * by one. Allocates nothing, so that it can be used after a clone. Silent functions.
 */
#ifndef HOY_RUNTIME_NETLINK_H
#define HOY_RUNTIME_NETLINK_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** A socket, bound to the network namespace in which it was opened. */
struct netlink {
	int fd;
	uint32_t sequence;
	/** What the kernel had to say about the last failure, "" if nothing. */
	char text[128];
};

/** A request while it is put together; what does not fit makes netlink_talk() fail. */
struct netlink_request {
	struct nlmsghdr header;
	char body[4096];
};

/** Called for each message of an answer; a negative value ends the exchange with it. */
typedef int netlink_each(const struct nlmsghdr *message, void *data);

/** @returns 0 or -errno */
int netlink_open(struct netlink *ret_netlink);

/** Starts a request of TYPE (RTM_*) with the family's own header. */
void netlink_begin(struct netlink_request *request, uint16_t type, uint16_t flags,
		   const void *header, size_t len);
void netlink_put(struct netlink_request *request, uint16_t type, const void *data, size_t len);
void netlink_put_u32(struct netlink_request *request, uint16_t type, uint32_t value);
void netlink_put_string(struct netlink_request *request, uint16_t type, const char *text);

/**
 * Sends the request and waits for its end.
 * @param each  for what is answered, NULL if nothing is
 * @returns 0, -errno as the kernel says it, -EINTR for a list that changed while it was read, or
 *          what `each` returned
 */
int netlink_talk(struct netlink *netlink, struct netlink_request *request, netlink_each *each,
		 void *data);

/** An attribute of a message that starts with a header of `header_len`. NULL if it has none. */
const struct rtattr *netlink_find(const struct nlmsghdr *message, size_t header_len, uint16_t type);

/** Its value as a number, or the one given if it is none. */
uint32_t netlink_u32(const struct rtattr *attribute, uint32_t otherwise);

#endif
