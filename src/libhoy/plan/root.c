/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root file system, and the paths in it that are masked or made read-only. Runs in the
 * runtime; pure. Spec: config.md#root, config-linux.md#rootfs-mount-propagation, #masked-paths.
 */
#include <string.h>

#include "plan/build.h"
#include "sys/compat.h"

/*
 * The inherited tree never stays a peer of the host: it is at most a slave. What makes the root
 * visible to mounts inside (shared) or closed to binds is set when the root stands on its own.
 */
static void choose_propagation(struct plan_root *root, uint64_t wanted)
{
	root->old_propagation = wanted == MS_PRIVATE ? MS_PRIVATE : MS_SLAVE;
	root->tree_propagation = wanted == MS_SLAVE ? MS_SLAVE : MS_PRIVATE;
	if (wanted == MS_SHARED || wanted == MS_UNBINDABLE)
		root->propagation = wanted;
}

int plan_root(struct plan_builder *builder)
{
	const struct config_root *from = builder->config->root;
	struct plan_root *root = &builder->plan->root;

	root->at = "root.path";
	root->path = from->path[0] == '/' ? arena_strdup(builder->arena, from->path)
					  : arena_format(builder->arena, "%s/%s",
							 builder->options->bundle, from->path);
	root->readonly = from->readonly;
	root->host_mounts = !plan_has_own(builder, CLONE_NEWNS);
	root->no_pivot = builder->options->no_pivot && !root->host_mounts;
	choose_propagation(root, builder->platform->rootfs_propagation);
	return 0;
}

/* The last mount on the path or above it: what lies below is seen in that one. */
static int mount_of(struct plan *plan, const char *path)
{
	for (size_t i = plan->mounts_len; i > 0; i--) {
		struct plan_mount *mount = &plan->mounts[i - 1];

		if (mount->kind == PLAN_MOUNT_LINK || mount->kind == PLAN_MOUNT_REMOUNT)
			continue;
		if (!plan_is_below(path, mount->destination) &&
		    strcmp(path, mount->destination) != 0)
			continue;
		/* One on "/" is the root itself from then on. */
		if (mount->destination[1] == '\0')
			return -1;
		mount->has_paths = true;
		return (int)(i - 1);
	}
	return -1;
}

static int copy_paths(struct plan_builder *builder, const char *list,
		      const struct string_list *from, struct plan_path **ret_paths, size_t *ret_len)
{
	struct plan_path *paths = arena_array(builder->arena, struct plan_path, from->len);

	if (!paths && from->len)
		return plan_no_memory(builder);
	for (size_t i = 0; i < from->len; i++) {
		paths[i].at = plan_at_item(builder, list, i);
		paths[i].path = plan_clean_path(builder, paths[i].at, from->items[i]);
		if (!paths[i].path)
			return -1;
		paths[i].mount = mount_of(builder->plan, paths[i].path);
	}
	*ret_paths = paths;
	*ret_len = from->len;
	return 0;
}

int plan_paths(struct plan_builder *builder)
{
	const struct config_linux *platform = builder->platform;
	struct plan *plan = builder->plan;

	if (copy_paths(builder, "linux.maskedPaths", &platform->masked_paths, &plan->masked_paths,
		       &plan->masked_paths_len) < 0)
		return -1;
	return copy_paths(builder, "linux.readonlyPaths", &platform->readonly_paths,
			  &plan->readonly_paths, &plan->readonly_paths_len);
}
