/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves one network device into a network namespace and back, by rtnetlink(7). Runs in the keeper
 * of netdevice.c: must not allocate. What the kernel keeps by itself in a move (MTU, hardware
 * address, alias) is left alone; what it drops (addresses, routes, the state up) is remembered.
 * Spec: config-linux.md#network-devices.
 */
#include "runtime/netdevice_link.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "sys/cleanup.h"
#include "sys/error.h"

/* A list that changes while it is read is read again. */
#define LIST_TRIES 8

/* Flags of an address that are somebody's wish; the others tell what became of it. */
#define ADDRESS_WISHES                                                               \
	(IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_MCAUTOJOIN | IFA_F_NODAD | \
	 IFA_F_NOPREFIXROUTE)

struct found_link {
	int index;
	unsigned int flags;
	char name[IFNAMSIZ];
};

static int fail_link(const struct link_place *place, const struct link *link, int code,
		     const char *what, struct hoy_error *err)
{
	const char *said = place->netlink.text;

	fail_at(err, link->plan->at, code, "%s%s%s", what, *said ? ": " : "", said);
	if (code == -EPERM)
		return fail_hint(err, "a device is moved with CAP_NET_ADMIN on both sides");
	return -1;
}

/* ---- looking ---- */

static int take_link(const struct nlmsghdr *message, void *data)
{
	const struct ifinfomsg *info = NLMSG_DATA(message);
	const struct rtattr *name = netlink_find(message, sizeof(*info), IFLA_IFNAME);
	struct found_link *found = data;

	if (message->nlmsg_type != RTM_NEWLINK ||
	    message->nlmsg_len < NLMSG_LENGTH(sizeof(*info)) || !name)
		return -EBADMSG;
	found->index = info->ifi_index;
	found->flags = info->ifi_flags;
	format_text(found->name, sizeof(found->name), "%.*s", (int)RTA_PAYLOAD(name),
		    (const char *)RTA_DATA(name));
	return 0;
}

/* By name, or where that is NULL by index. */
static int find(struct link_place *place, const char *name, int index, struct found_link *ret_found)
{
	const struct ifinfomsg info = { .ifi_family = AF_UNSPEC, .ifi_index = index };
	struct netlink_request request;

	netlink_begin(&request, RTM_GETLINK, 0, &info, sizeof(info));
	if (name)
		netlink_put_string(&request, IFLA_IFNAME, name);
	netlink_put_u32(&request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return netlink_talk(&place->netlink, &request, take_link, ret_found);
}

static int remember(const struct nlmsghdr *message, struct link_memory *memory)
{
	size_t len = NLMSG_ALIGN(message->nlmsg_len);

	if (len > memory->size - memory->len)
		return -ENOBUFS;
	memcpy(memory->data + memory->len, message, message->nlmsg_len);
	memory->len += len;
	return 0;
}

static int remember_address(const struct nlmsghdr *message, void *data)
{
	return message->nlmsg_type == RTM_NEWADDR ? remember(message, data) : 0;
}

/*
 * What the kernel derives from addresses it will derive again, what routers told it they will tell
 * again, and what lies on several devices stays with the others.
 */
static int remember_route(const struct nlmsghdr *message, void *data)
{
	const struct rtmsg *route = NLMSG_DATA(message);

	if (message->nlmsg_type != RTM_NEWROUTE ||
	    message->nlmsg_len < NLMSG_LENGTH(sizeof(*route)) ||
	    route->rtm_protocol == RTPROT_KERNEL || route->rtm_protocol == RTPROT_RA ||
	    (route->rtm_flags & RTM_F_CLONED) ||
	    netlink_find(message, sizeof(*route), RTA_MULTIPATH) ||
	    netlink_find(message, sizeof(*route), RTA_NH_ID))
		return 0;
	return remember(message, data);
}

static int list_addresses(struct link_place *host, int index, struct link_memory *memory)
{
	const struct ifaddrmsg address = { .ifa_family = AF_UNSPEC, .ifa_index = (uint32_t)index };
	struct netlink_request request;

	netlink_begin(&request, RTM_GETADDR, NLM_F_DUMP, &address, sizeof(address));
	return netlink_talk(&host->netlink, &request, remember_address, memory);
}

static int list_routes(struct link_place *host, int index, unsigned char family,
		       struct link_memory *memory)
{
	const struct rtmsg route = { .rtm_family = family };
	struct netlink_request request;
	int r;

	netlink_begin(&request, RTM_GETROUTE, NLM_F_DUMP, &route, sizeof(route));
	netlink_put_u32(&request, RTA_OIF, (uint32_t)index);
	r = netlink_talk(&host->netlink, &request, remember_route, memory);
	/* A kernel without this family, or a table that does not exist yet: no routes. */
	return r == -EOPNOTSUPP || r == -ENOENT || r == -EAFNOSUPPORT ? 0 : r;
}

static int remember_all(struct link_place *host, int index, struct link_memory *memory)
{
	int r = list_addresses(host, index, memory);

	if (r == 0)
		r = list_routes(host, index, AF_INET, memory);
	if (r == 0)
		r = list_routes(host, index, AF_INET6, memory);
	return r;
}

int link_remember(struct link_place *host, struct link_memory *memory, struct link *link,
		  struct hoy_error *err)
{
	struct found_link found;
	int r = find(host, link->plan->device, 0, &found);

	if (r < 0)
		return fail_link(host, link, r, "find the network device on the host", err);
	link->index = found.index;
	link->was_up = found.flags & IFF_UP;
	link->first = memory->len;
	r = -EINTR;
	for (int i = 0; i < LIST_TRIES && r == -EINTR; i++) {
		memory->len = link->first;
		r = remember_all(host, found.index, memory);
	}
	link->end = memory->len;
	return r < 0 ? fail_link(host, link, r, "read its addresses and routes", err) : 0;
}

/* ---- changing ---- */

static int set_link(struct link_place *place, struct netlink_request *request)
{
	return netlink_talk(&place->netlink, request, NULL, NULL);
}

static int set_up(struct link_place *place, int index)
{
	const struct ifinfomsg info = { .ifi_family = AF_UNSPEC,
					.ifi_index = index,
					.ifi_flags = IFF_UP,
					.ifi_change = IFF_UP };
	struct netlink_request request;

	netlink_begin(&request, RTM_SETLINK, 0, &info, sizeof(info));
	return set_link(place, &request);
}

static int set_name(struct link_place *place, int index, const char *name)
{
	const struct ifinfomsg info = { .ifi_family = AF_UNSPEC, .ifi_index = index };
	struct netlink_request request;

	netlink_begin(&request, RTM_SETLINK, 0, &info, sizeof(info));
	netlink_put_string(&request, IFLA_IFNAME, name);
	return set_link(place, &request);
}

/* A message of the kernel's memory as a request to have the same again. */
static void copy_attributes(struct netlink_request *request, const struct nlmsghdr *message,
			    size_t header_len, const uint16_t *types, size_t types_len)
{
	for (size_t i = 0; i < types_len; i++) {
		const struct rtattr *from = netlink_find(message, header_len, types[i]);

		if (from)
			netlink_put(request, types[i], RTA_DATA(from), RTA_PAYLOAD(from));
	}
}

static uint32_t address_flags(const struct nlmsghdr *message)
{
	const struct ifaddrmsg *address = NLMSG_DATA(message);

	return netlink_u32(netlink_find(message, sizeof(*address), IFA_FLAGS), address->ifa_flags);
}

/* A label begins with the name of the device ("eth0:1") and changes with it. */
static void put_label(struct netlink_request *request, const struct nlmsghdr *message,
		      const char *old_name, const char *name)
{
	const struct rtattr *label = netlink_find(message, sizeof(struct ifaddrmsg), IFA_LABEL);
	size_t old_len = strlen(old_name);
	char text[IFNAMSIZ], rest[IFNAMSIZ];

	if (!label)
		return;
	format_text(text, sizeof(text), "%.*s", (int)RTA_PAYLOAD(label),
		    (const char *)RTA_DATA(label));
	if (strncmp(text, old_name, old_len) != 0 || text[old_len] != ':')
		return;
	format_text(rest, sizeof(rest), "%s", text + old_len);
	if (format_text(text, sizeof(text), "%s%s", name, rest) < sizeof(text))
		netlink_put_string(request, IFA_LABEL, text);
}

static int add_address(struct link_place *place, const struct nlmsghdr *message, int index,
		       const char *old_name, const char *name)
{
	static const uint16_t kept[] = { IFA_LOCAL, IFA_ADDRESS, IFA_BROADCAST, IFA_RT_PRIORITY };
	struct ifaddrmsg address = *(const struct ifaddrmsg *)NLMSG_DATA(message);
	uint32_t flags = address_flags(message);
	struct netlink_request request;

	address.ifa_index = (uint32_t)index;
	address.ifa_flags = 0;
	netlink_begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &address, sizeof(address));
	copy_attributes(&request, message, sizeof(address), kept, ARRAY_LEN(kept));
	netlink_put_u32(&request, IFA_FLAGS, flags & ADDRESS_WISHES);
	put_label(&request, message, old_name, name);
	if (!(flags & IFA_F_PERMANENT))
		copy_attributes(&request, message, sizeof(address),
				&(const uint16_t){ IFA_CACHEINFO }, 1);
	return netlink_talk(&place->netlink, &request, NULL, NULL);
}

static int add_route(struct link_place *place, const struct nlmsghdr *message)
{
	static const uint16_t kept[] = { RTA_DST,     RTA_SRC,	      RTA_GATEWAY, RTA_VIA,
					 RTA_PREFSRC, RTA_PRIORITY,   RTA_METRICS, RTA_TABLE,
					 RTA_OIF,     RTA_ENCAP_TYPE, RTA_ENCAP };
	struct rtmsg route = *(const struct rtmsg *)NLMSG_DATA(message);
	struct netlink_request request;

	route.rtm_flags &= RTNH_F_ONLINK;
	netlink_begin(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, &route, sizeof(route));
	copy_attributes(&request, message, sizeof(route), kept, ARRAY_LEN(kept));
	return netlink_talk(&place->netlink, &request, NULL, NULL);
}

static const struct nlmsghdr *message_at(const struct link_memory *memory, size_t place)
{
	return (const struct nlmsghdr *)(const void *)(memory->data + place);
}

/* ---- there ---- */

static int add_lasting_addresses(struct link_place *container, const struct link_memory *memory,
				 const struct link *link)
{
	for (size_t i = link->first; i < link->end;) {
		const struct nlmsghdr *message = message_at(memory, i);
		const struct ifaddrmsg *address = NLMSG_DATA(message);
		int r = 0;

		if (message->nlmsg_type == RTM_NEWADDR && address->ifa_scope == RT_SCOPE_UNIVERSE &&
		    (address_flags(message) & IFA_F_PERMANENT))
			r = add_address(container, message, link->moved_index, link->plan->device,
					link->moved_name);
		if (r < 0)
			return r;
		i += NLMSG_ALIGN(message->nlmsg_len);
	}
	return 0;
}

/* Under a name that nobody has, so that neither its own nor the wanted one can be in the way. */
static int cross(struct link_place *host, struct link_place *container, struct link *link,
		 struct hoy_error *err)
{
	const struct ifinfomsg info = { .ifi_family = AF_UNSPEC, .ifi_index = link->index };
	struct found_link found;
	struct netlink_request request;
	char name[IFNAMSIZ];
	int r;

	format_text(name, sizeof(name), "hoy-%d", (int)getpid());
	netlink_begin(&request, RTM_SETLINK, 0, &info, sizeof(info));
	netlink_put_u32(&request, IFLA_NET_NS_FD, (uint32_t)container->fd);
	netlink_put_string(&request, IFLA_IFNAME, name);
	r = set_link(host, &request);
	if (r < 0)
		return fail_link(host, link, r, "move the network device", err);
	/* The kernel may have given it another index. */
	r = find(container, name, 0, &found);
	if (r < 0)
		return fail_link(container, link, r, "find the network device after its move", err);
	link->moved_index = found.index;
	return 0;
}

static int give_name(struct link_place *container, struct link *link, struct hoy_error *err)
{
	const char *name = link->plan->name;
	struct found_link found;
	int r = set_name(container, link->moved_index, name);

	if (r == -EEXIST)
		return fail_at(err, link->plan->at, r,
			       "the network namespace of the container has a device %s", name);
	/* "eth%d" is for the kernel to complete. */
	if (r == 0)
		r = find(container, NULL, link->moved_index, &found);
	if (r < 0)
		return fail_link(container, link, r, "rename the network device", err);
	memcpy(link->moved_name, found.name, sizeof(found.name));
	return 0;
}

int link_move(struct link_place *host, struct link_place *container,
	      const struct link_memory *memory, struct link *link, struct hoy_error *err)
{
	int r;

	if (cross(host, container, link, err) < 0 || give_name(container, link, err) < 0)
		return -1;
	r = add_lasting_addresses(container, memory, link);
	if (r < 0)
		return fail_link(container, link, r, "add its addresses in the container", err);
	r = set_up(container, link->moved_index);
	return r < 0 ? fail_link(container, link, r, "set up the network device", err) : 0;
}

/* ---- and back ---- */

static int restore_messages(struct link_place *host, const struct link_memory *memory,
			    const struct link *link, uint16_t type)
{
	for (size_t i = link->first; i < link->end;) {
		const struct nlmsghdr *message = message_at(memory, i);
		const char *name = link->plan->device;
		int r = 0;

		i += NLMSG_ALIGN(message->nlmsg_len);
		if (message->nlmsg_type != type)
			continue;
		/* Temporary addresses are the kernel's own invention. */
		if (type == RTM_NEWROUTE)
			r = add_route(host, message);
		else if (!(address_flags(message) & IFA_F_TEMPORARY) ||
			 ((const struct ifaddrmsg *)NLMSG_DATA(message))->ifa_family != AF_INET6)
			r = add_address(host, message, link->index, name, name);
		if (r < 0 && r != -EEXIST)
			return r;
	}
	return 0;
}

static int restore_state(struct link_place *host, const struct link_memory *memory,
			 const struct link *link)
{
	int r = restore_messages(host, memory, link, RTM_NEWADDR);

	if (r < 0 || !link->was_up)
		return r;
	r = set_up(host, link->index);
	/* Routes exist only on a device that is up. */
	return r < 0 ? r : restore_messages(host, memory, link, RTM_NEWROUTE);
}

int link_put_back(struct link_place *host, struct link_place *container,
		  const struct link_memory *memory, const struct link *link, struct hoy_error *err)
{
	const struct ifinfomsg info = { .ifi_family = AF_UNSPEC, .ifi_index = link->moved_index };
	struct netlink_request request;
	int r;

	if (!link->moved_index)
		return 0;
	netlink_begin(&request, RTM_SETLINK, 0, &info, sizeof(info));
	netlink_put_u32(&request, IFLA_NET_NS_FD, (uint32_t)host->fd);
	netlink_put_string(&request, IFLA_IFNAME, link->plan->device);
	netlink_put_u32(&request, IFLA_NEW_IFINDEX, (uint32_t)link->index);
	r = set_link(container, &request);
	if (r < 0)
		return fail_link(container, link, r, "move the network device back", err);
	r = restore_state(host, memory, link);
	return r < 0 ? fail_link(host, link, r, "restore the network device", err) : 0;
}
