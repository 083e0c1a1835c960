/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to the kernel's routing socket and their answers (netlink(7), rtnetlink(7)). Runs in the
 * process that moves network devices, a clone of the runtime: must not allocate. Trusts the kernel
 * for what it says, not for lengths.
 */
#include "runtime/netlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "sys/cleanup.h"
#include "sys/error.h"

/* The kernel cuts lists into pieces of at most this size. */
#define ANSWER_SIZE 32768

static int set_option(int fd, int option)
{
	const int on = 1;

	return setsockopt(fd, SOL_NETLINK, option, &on, sizeof(on)) < 0 ? -errno : 0;
}

int netlink_open(struct netlink *ret_netlink)
{
	autoclose int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int r;

	if (fd < 0)
		return -errno;
	/* Errors with words, and lists of what was asked for only. */
	r = set_option(fd, NETLINK_EXT_ACK);
	if (r == 0)
		r = set_option(fd, NETLINK_GET_STRICT_CHK);
	if (r < 0)
		return r;
	*ret_netlink = (struct netlink){ .fd = take_fd(&fd) };
	return 0;
}

/* ---- requests ---- */

static void append(struct netlink_request *request, const void *data, size_t len)
{
	size_t used = NLMSG_ALIGN(request->header.nlmsg_len);

	/* One that is too long stays so: netlink_talk() will see it. */
	if (used + len > sizeof(*request)) {
		request->header.nlmsg_len = UINT32_MAX - NLMSG_ALIGNTO;
		return;
	}
	memcpy((char *)request + used, data, len);
	request->header.nlmsg_len = (uint32_t)(used + len);
}

void netlink_begin(struct netlink_request *request, uint16_t type, uint16_t flags,
		   const void *header, size_t len)
{
	memset(request, 0, sizeof(*request));
	request->header = (struct nlmsghdr){
		.nlmsg_len = NLMSG_HDRLEN,
		.nlmsg_type = type,
		.nlmsg_flags = NLM_F_REQUEST | flags,
	};
	append(request, header, len);
}

void netlink_put(struct netlink_request *request, uint16_t type, const void *data, size_t len)
{
	const struct rtattr header = {
		.rta_len = (unsigned short)RTA_LENGTH(len),
		.rta_type = type,
	};

	append(request, &header, sizeof(header));
	append(request, data, len);
}

void netlink_put_u32(struct netlink_request *request, uint16_t type, uint32_t value)
{
	netlink_put(request, type, &value, sizeof(value));
}

void netlink_put_string(struct netlink_request *request, uint16_t type, const char *text)
{
	netlink_put(request, type, text, strlen(text) + 1);
}

/* ---- answers ---- */

static const struct rtattr *find_in(const void *start, size_t len, uint16_t type)
{
	const struct rtattr *attribute = start;

	for (; RTA_OK(attribute, len); attribute = RTA_NEXT(attribute, len))
		if ((attribute->rta_type & NLA_TYPE_MASK) == type)
			return attribute;
	return NULL;
}

const struct rtattr *netlink_find(const struct nlmsghdr *message, size_t header_len, uint16_t type)
{
	size_t skipped = NLMSG_SPACE(header_len);

	if (message->nlmsg_len < skipped)
		return NULL;
	return find_in((const char *)message + skipped, message->nlmsg_len - skipped, type);
}

uint32_t netlink_u32(const struct rtattr *attribute, uint32_t otherwise)
{
	uint32_t value;

	if (!attribute || RTA_PAYLOAD(attribute) < sizeof(value))
		return otherwise;
	memcpy(&value, RTA_DATA(attribute), sizeof(value));
	return value;
}

/* The kernel's own words follow the (cut) copy of the request. */
static void take_text(struct netlink *netlink, const struct nlmsghdr *message,
		      const struct nlmsgerr *error)
{
	size_t skipped = NLMSG_HDRLEN + sizeof(*error);
	const struct rtattr *text;

	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(message->nlmsg_flags & NLM_F_CAPPED))
		skipped += NLMSG_ALIGN(error->msg.nlmsg_len) - NLMSG_HDRLEN;
	if (message->nlmsg_len < skipped)
		return;
	text = find_in((const char *)message + skipped, message->nlmsg_len - skipped,
		       NLMSGERR_ATTR_MSG);
	if (text)
		format_text(netlink->text, sizeof(netlink->text), "%.*s", (int)RTA_PAYLOAD(text),
			    (const char *)RTA_DATA(text));
}

/* @returns 1 when the answer is complete, 0 if there is more, or the error */
static int take_message(struct netlink *netlink, const struct nlmsghdr *message, netlink_each *each,
			void *data)
{
	const struct nlmsgerr *error = NLMSG_DATA(message);
	int r;

	if (message->nlmsg_seq != netlink->sequence)
		return 0;
	if (message->nlmsg_flags & NLM_F_DUMP_INTR)
		return -EINTR;
	switch (message->nlmsg_type) {
	case NLMSG_DONE:
		return 1;
	case NLMSG_ERROR:
		if (message->nlmsg_len < NLMSG_LENGTH(sizeof(*error)))
			return -EBADMSG;
		if (error->error == 0)
			return 1;
		take_text(netlink, message, error);
		return error->error;
	default:
		r = each ? each(message, data) : 0;
		return r < 0 ? r : 0;
	}
}

static int take_answer(struct netlink *netlink, netlink_each *each, void *data)
{
	union {
		struct nlmsghdr header;
		char bytes[ANSWER_SIZE];
	} answer;
	const struct nlmsghdr *message = &answer.header;
	ssize_t received;
	unsigned int len;
	int r;

	do
		received = recv(netlink->fd, &answer, sizeof(answer), MSG_TRUNC);
	while (received < 0 && errno == EINTR);
	if (received < 0)
		return -errno;
	if ((size_t)received > sizeof(answer))
		return -EMSGSIZE;
	for (len = (unsigned int)received; NLMSG_OK(message, len);
	     message = NLMSG_NEXT(message, len)) {
		r = take_message(netlink, message, each, data);
		if (r != 0)
			return r;
	}
	return 0;
}

int netlink_talk(struct netlink *netlink, struct netlink_request *request, netlink_each *each,
		 void *data)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int r = 0;

	netlink->text[0] = '\0';
	if (request->header.nlmsg_len > sizeof(*request))
		return -E2BIG;
	request->header.nlmsg_seq = ++netlink->sequence;
	if ((request->header.nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		request->header.nlmsg_flags |= NLM_F_ACK;
	if (sendto(netlink->fd, request, request->header.nlmsg_len, 0,
		   (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	while (r == 0)
		r = take_answer(netlink, each, data);
	return r < 0 ? r : 0;
}
