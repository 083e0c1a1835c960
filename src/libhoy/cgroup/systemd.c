/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lets systemd make the container's cgroup as a scope unit. Runs in the runtime.
 */
#include "cgroup/systemd.h"

#include "sys/error.h"

static int systemd_prepare(const struct plan_cgroup *plan, struct cgroup *ret_cgroup,
			   struct hoy_error *err)
{
	(void)ret_cgroup;
	return fail_at(err, plan->at, 0, "the systemd cgroup manager is not supported yet");
}

const struct cgroup_driver systemd_driver = {
	.name = "systemd",
	.prepare = systemd_prepare,
};
