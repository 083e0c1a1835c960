/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network devices of the host that the container gets, and under which names. Whether they exist
 * and can be moved only the kernel knows. Runs in the runtime; pure.
 * Spec: config-linux.md#network-devices.
 */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>

#include "plan/build.h"
#include "sys/error.h"

/* Two devices cannot have one name; of a template ("eth%d") each gets another one. */
static int check_name(struct plan_builder *builder, const struct plan_net_device *device)
{
	const struct plan *plan = builder->plan;

	for (const struct plan_net_device *other = plan->net_devices; other < device; other++)
		if (strcmp(other->name, device->name) == 0 && !strchr(device->name, '%'))
			return fail_at(builder->err, device->at, EEXIST,
				       "name %s is also that of device %s", device->name,
				       other->device);
	return 0;
}

/* In a user namespace of its own the kernel decides whose the network is. */
static int check_privilege(struct plan_builder *builder)
{
	if (builder->host->capabilities & (1ULL << CAP_NET_ADMIN))
		return 0;
	return fail_at(builder->err, "linux.netDevices", EPERM,
		       "a network device is moved with CAP_NET_ADMIN, which hoy does not have");
}

int plan_net_devices(struct plan_builder *builder)
{
	if (builder->platform->net_devices.len && check_privilege(builder) < 0)
		return -1;
	for (size_t i = 0; i < builder->platform->net_devices.len; i++) {
		const struct config_net_device *from = &builder->platform->net_devices.items[i];
		struct plan_net_device *device = PLAN_APPEND(builder, builder->plan->net_devices);

		if (!device)
			return -1;
		device->at = plan_at_member(builder, "linux.netDevices", from->device);
		device->device = from->device;
		device->name = from->name ? from->name : from->device;
		if (check_name(builder, device) < 0)
			return -1;
	}
	return 0;
}
