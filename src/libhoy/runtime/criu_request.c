/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a plan means to CRIU, which dumps whatever it can find inside the container and must be told
 * of all that reaches out of it. Pure: no system call is made here. Runs in the runtime.
 */
#include "runtime/criu_request.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "base/number.h"
#include "spec/namespace.h"
#include "sys/error.h"

#define ANNOTATION_CRIU_CONFIG "org.criu.config"

int criu_request_check(const struct plan *plan, struct hoy_error *err)
{
	if (plan->root.host_mounts) {
		fail_at(err, "linux.namespaces", 0,
			"a container without a mount namespace of its own cannot be checkpointed");
		return fail_hint(err, "its mounts are the host's, which CRIU would dump");
	}
	if (plan->net_devices_len > 0)
		return fail_at(err, plan->net_devices[0].at, 0,
			       "a container with a network device of the host cannot be "
			       "checkpointed");
	for (size_t i = 0; i < plan->namespaces.joins_len; i++) {
		const struct plan_join *join = &plan->namespaces.joins[i];

		if (join->type == CLONE_NEWCGROUP || join->type == CLONE_NEWNS)
			return fail_at(err, join->at, 0,
				       "CRIU cannot restore a container into a %s namespace that "
				       "is there already",
				       join->type == CLONE_NEWNS ? "mount" : "cgroup");
	}
	return 0;
}

void criu_request_options(struct criu_request *request, const struct hoy_criu_options *options)
{
	static const enum criu_cgroup_mode modes[] = {
		[HOY_CRIU_CGROUPS_SOFT] = CRIU_CGROUPS_SOFT,
		[HOY_CRIU_CGROUPS_FULL] = CRIU_CGROUPS_FULL,
		[HOY_CRIU_CGROUPS_STRICT] = CRIU_CGROUPS_STRICT,
		[HOY_CRIU_CGROUPS_IGNORE] = CRIU_CGROUPS_IGNORE,
	};

	request->cgroup_mode = modes[options->cgroups];
	request->network_lock = (int)options->network_lock;
	request->empty_namespaces = options->empty_network ? CLONE_NEWNET : 0;
	request->tcp_established = options->tcp_established;
	request->ext_unix_sk = options->ext_unix_sk;
	request->shell_job = options->shell_job;
	request->file_locks = options->file_locks;
	request->link_remap = options->link_remap;
	request->auto_dedup = options->auto_dedup;
}

static void add_mount(struct criu_request *request, const char *path, const char *name,
		      const char *source)
{
	struct criu_mount *mount = &request->mounts[request->mounts_len++];

	if (request->action == CRIU_RESTORE)
		*mount = (struct criu_mount){ .key = name, .value = source };
	else
		*mount = (struct criu_mount){ .key = path, .value = name };
}

int criu_request_mounts(struct criu_request *request, struct arena *arena, const struct plan *plan,
			struct hoy_error *err)
{
	/* With the masks' one name, and a place for the caller. */
	const size_t max = plan->mounts_len + plan->devices_len + plan->masked_paths_len + 2;

	request->mounts = arena_array(arena, struct criu_mount, max);
	request->mounts_len = 0;
	if (!request->mounts)
		return fail(err, ENOMEM, "list the mounts for CRIU");
	for (size_t i = 0; i < plan->mounts_len; i++) {
		const struct plan_mount *mount = &plan->mounts[i];

		if (mount->kind == PLAN_MOUNT_BIND)
			add_mount(request, mount->destination, mount->destination, mount->source);
	}
	for (size_t i = 0; i < plan->devices_len; i++) {
		const struct plan_device *device = &plan->devices[i];

		if (device->bind_source)
			add_mount(request, device->path, device->path, device->bind_source);
	}
	/* All of them are one and the same file. */
	if (request->action == CRIU_RESTORE && plan->masked_paths_len > 0)
		add_mount(request, NULL, CRIU_MASK_NAME, "/dev/null");
	for (size_t i = 0; request->action != CRIU_RESTORE && i < plan->masked_paths_len; i++)
		add_mount(request, plan->masked_paths[i].path, CRIU_MASK_NAME, NULL);
	return 0;
}

const char *criu_namespace_name(uint64_t type)
{
	/* The names that runc and crun use. */
	if (type == CLONE_NEWNET)
		return "extRootNetNS";
	return type == CLONE_NEWPID ? "extRootPidNS" : NULL;
}

int criu_request_joins(struct criu_request *request, struct arena *arena, const struct plan *plan,
		       struct hoy_error *err)
{
	const struct plan_namespaces *namespaces = &plan->namespaces;

	request->joins = arena_array(arena, struct criu_join, namespaces->joins_len + 1);
	if (!request->joins)
		return fail(err, ENOMEM, "list the namespaces for CRIU");
	for (size_t i = 0; i < namespaces->joins_len; i++) {
		const struct plan_join *join = &namespaces->joins[i];

		if (!criu_namespace_name(join->type))
			request->joins[request->joins_len++] = (struct criu_join){
				.type = namespace_proc_name(join->type),
				.path = join->path,
			};
	}
	return 0;
}

int criu_request_page_server(struct criu_request *request, struct arena *arena, const char *text,
			     struct hoy_error *err)
{
	const char *colon = text ? strrchr(text, ':') : NULL;
	uint64_t port = 0;

	if (!text)
		return 0;
	if (!colon || colon == text || number_unsigned(colon + 1, 65535, &port) < 0 || port == 0)
		return fail(err, EINVAL, "--page-server %s: an address, a colon and a port", text);
	request->page_server = arena_strndup(arena, text, (size_t)(colon - text));
	request->page_server_port = (int)port;
	return request->page_server ? 0 : fail(err, ENOMEM, "--page-server");
}

const char *criu_config_file(const struct plan_parameter *annotations, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (strcmp(annotations[i].key, ANNOTATION_CRIU_CONFIG) == 0)
			return annotations[i].value[0] ? annotations[i].value : NULL;
	return NULL;
}
