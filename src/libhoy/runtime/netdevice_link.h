/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One network device between two network namespaces: remembered, moved, and put back. For the
 * keeper of netdevice.c only; nothing here allocates.
 */
#ifndef HOY_RUNTIME_NETDEVICE_LINK_H
#define HOY_RUNTIME_NETDEVICE_LINK_H

#include <net/if.h>
#include <stdbool.h>

#include <hoy/error.h>

#include "plan/plan.h"
#include "runtime/netlink.h"

/** A network namespace: a socket in it, and the descriptor that names it. */
struct link_place {
	struct netlink netlink;
	int fd;
};

/** Messages of the kernel, one after the other: addresses and routes of devices. */
struct link_memory {
	char *data;
	size_t len, size;
};

/** What a device was like on the host. */
struct link {
	const struct plan_net_device *plan;
	int index;
	bool was_up;
	/** Its messages in the memory. */
	size_t first, end;
	/** Where it is in the container, and under which name; 0 if it is still on the host. */
	int moved_index;
	char moved_name[IFNAMSIZ];
};

/** Looks the device up on the host and remembers its addresses and routes. */
int link_remember(struct link_place *host, struct link_memory *memory, struct link *link,
		  struct hoy_error *err);

/** Moves it, gives it its name and its permanent global addresses, and sets it up. */
int link_move(struct link_place *host, struct link_place *container,
	      const struct link_memory *memory, struct link *link, struct hoy_error *err);

/** Makes everything as it was. */
int link_put_back(struct link_place *host, struct link_place *container,
		  const struct link_memory *memory, const struct link *link, struct hoy_error *err);

#endif
