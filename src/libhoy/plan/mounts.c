/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts[]: what kind of mount an entry is, what is bound or mounted where, and how it propagates.
 * What depends on the type of file system is in mount_types.c. Runs in the runtime; pure.
 * Spec: config.md#mounts.
 */
#include <errno.h>
#include <string.h>

#include "plan/build.h"
#include "spec/mount_option.h"
#include "sys/compat.h"
#include "sys/error.h"

bool plan_is_below(const char *path, const char *directory)
{
	size_t len = strlen(directory);

	if (len == 1)
		return path[1] != '\0';
	return strncmp(path, directory, len) == 0 && path[len] == '/';
}

/* A bind mount is one by its options only: a type "bind" alone says nothing. */
static enum plan_mount_kind kind_of(const struct config_mount *from)
{
	enum plan_mount_kind kind = PLAN_MOUNT_NEW;

	for (size_t i = 0; i < from->options.len; i++) {
		const struct mount_option *option = mount_option_find(from->options.items[i]);

		if (option && option->kind == MOUNT_OPTION_REMOUNT)
			return PLAN_MOUNT_REMOUNT;
		if (option && option->kind == MOUNT_OPTION_BIND)
			kind = PLAN_MOUNT_BIND;
	}
	return kind;
}

static bool has_option(const struct config_mount *mount, enum mount_option_kind kind)
{
	for (size_t i = 0; i < mount->options.len; i++) {
		const struct mount_option *option = mount_option_find(mount->options.items[i]);

		if (option && option->kind == kind)
			return true;
	}
	return false;
}

bool plan_keeps_link(const struct config_mount *mount)
{
	return has_option(mount, MOUNT_OPTION_COPY_SYMLINK) ||
	       has_option(mount, MOUNT_OPTION_SOURCE_NOFOLLOW);
}

const char *plan_bind_source(struct arena *arena, const struct config_mount *mount,
			     const char *bundle)
{
	if (kind_of(mount) != PLAN_MOUNT_BIND || !mount->source)
		return NULL;
	return mount->source[0] == '/' ? mount->source
				       : arena_format(arena, "%s/%s", bundle, mount->source);
}

static int plan_bind(struct plan_builder *builder, const struct config_mount *from,
		     struct plan_mount *mount)
{
	const struct plan_source_facts *facts =
		&builder->sources[from - builder->config->mounts.items];

	mount->source = plan_bind_source(builder->arena, from, builder->options->bundle);
	if (!mount->source)
		return plan_no_memory(builder);
	if (!facts->exists)
		return fail_at(builder->err, mount->at, ENOENT, "bind %s", mount->source);
	mount->source_is_directory = facts->is_directory;
	if (!facts->link)
		return 0;
	if (has_option(from, MOUNT_OPTION_COPY_SYMLINK)) {
		mount->kind = PLAN_MOUNT_LINK;
		mount->source = facts->link;
	} else {
		/* A path that is followed never ends at a link that is mounted there. */
		mount->destination_nofollow = true;
	}
	return 0;
}

/* Every mount that is made gets a propagation of its own, or it would stay a peer of the host's. */
static void default_propagation(const struct plan_builder *builder, struct plan_mount *mount)
{
	struct plan_attributes *attributes = &mount->attributes;
	bool slave = mount->kind == PLAN_MOUNT_BIND &&
		     builder->platform->rootfs_propagation == MS_SLAVE;

	if (attributes->propagation || mount->kind == PLAN_MOUNT_REMOUNT)
		return;
	attributes->propagation = slave ? MS_SLAVE : MS_PRIVATE;
	attributes->propagation_recursive = true;
}

static int plan_mount(struct plan_builder *builder, size_t index)
{
	const struct config_mount *from = &builder->config->mounts.items[index];
	struct plan_mount *mount = PLAN_APPEND(builder, builder->plan->mounts);

	if (!mount)
		return -1;
	mount->at = plan_at_item(builder, "mounts", index);
	mount->kind = kind_of(from);
	mount->source_index = -1;
	mount->destination = plan_clean_path(builder, mount->at, from->destination);
	if (!mount->destination)
		return -1;
	if (mount->kind == PLAN_MOUNT_NEW) {
		mount->fstype = from->type;
		mount->source = from->source;
	}
	if (mount->kind == PLAN_MOUNT_BIND && plan_bind(builder, from, mount) < 0)
		return -1;
	if (mount->kind == PLAN_MOUNT_LINK)
		return 0;
	if (mount->kind == PLAN_MOUNT_REMOUNT && builder->plan->root.host_mounts)
		return fail_at(
			builder->err, mount->at, 0,
			"a remount without a mount namespace would change the host's mounts");
	if (plan_mount_type(builder, mount) < 0 || plan_mount_options(builder, from, mount) < 0 ||
	    plan_mount_finish(builder, from, mount) < 0)
		return -1;
	default_propagation(builder, mount);
	if (mount->kind == PLAN_MOUNT_BIND)
		mount->source_index = (int)builder->plan->sources_len++;
	return 0;
}

static int plan_label(struct plan_builder *builder)
{
	const char *label = builder->platform->mount_label;

	if (!label || !*label)
		return 0;
	if (!builder->host->selinux)
		return fail_at(builder->err, "linux.mountLabel", 0,
			       "'%s' cannot be applied: SELinux is not enabled", label);
	builder->plan->mount_label = label;
	builder->plan->mount_label_option = config_annotation(builder->config,
							      ANNOTATION_MOUNT_CONTEXT);
	if (!builder->plan->mount_label_option)
		builder->plan->mount_label_option = "context";
	return 0;
}

/* After all others, one of which may be on /run. Read-only does not keep anybody from sending. */
static int plan_notify(struct plan_builder *builder)
{
	struct plan_mount *mount;

	if (!builder->options->notify_directory)
		return 0;
	mount = PLAN_APPEND(builder, builder->plan->mounts);
	if (!mount)
		return -1;
	*mount = (struct plan_mount){
		.at = "NOTIFY_SOCKET",
		.kind = PLAN_MOUNT_BIND,
		.destination = PLAN_NOTIFY_DIRECTORY,
		.source = builder->options->notify_directory,
		.source_is_directory = true,
		.source_index = (int)builder->plan->sources_len++,
		.attributes = { .set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
				       MOUNT_ATTR_NOEXEC,
				.propagation = MS_PRIVATE },
	};
	return 0;
}

int plan_mounts(struct plan_builder *builder)
{
	if (plan_label(builder) < 0)
		return -1;
	for (size_t i = 0; i < builder->config->mounts.len; i++)
		if (plan_mount(builder, i) < 0)
			return -1;
	return plan_notify(builder);
}

/* ---- read-only mounts in which something is still to be made ---- */

/* Whether mount points, nodes or links below a mount are made after it. */
static bool is_filled_later(const struct plan_builder *builder, size_t index)
{
	const struct plan *plan = builder->plan;
	const char *destination = plan->mounts[index].destination;

	for (size_t i = index + 1; i < plan->mounts_len; i++)
		if (plan_is_below(plan->mounts[i].destination, destination))
			return true;
	for (size_t i = 0; i < plan->devices_len; i++)
		if (!plan->devices[i].dev_name && plan_is_below(plan->devices[i].path, destination))
			return true;
	for (size_t i = 0; i < plan->links_len; i++)
		if (!plan->links[i].dev_name && plan_is_below(plan->links[i].path, destination))
			return true;
	return builder->config->process && builder->config->process->terminal &&
	       plan_is_below("/dev/console", destination);
}

/*
 * A bind stays read-only from the start: what it needs must exist in its source, which hoy does
 * not write to against the configuration's word. One on "/" is the root, where hoy does.
 */
static bool may_be_late(const struct plan_mount *mount)
{
	uint64_t readonly = mount->attributes.set | mount->attributes.recursive_set;

	return (readonly & MOUNT_ATTR_RDONLY) && !plan_mount_is_fixed(mount) &&
	       (mount->kind != PLAN_MOUNT_BIND || mount->destination[1] == '\0');
}

int plan_mount_order(struct plan_builder *builder)
{
	const bool shared = builder->platform->rootfs_propagation == MS_SHARED;

	for (size_t i = 0; i < builder->plan->mounts_len; i++) {
		struct plan_mount *mount = &builder->plan->mounts[i];

		/* How engines ask for bidirectional volumes: both words, so that one is no
		 * accident. */
		mount->shared_with_host = shared && mount->kind == PLAN_MOUNT_BIND &&
					  mount->attributes.propagation == MS_SHARED;
		if (may_be_late(mount))
			mount->readonly_late = mount->copy_up || mount->fill_devices ||
					       is_filled_later(builder, i);
	}
	return 0;
}

/* ---- in a running container ---- */

static int refuse(struct plan_builder *builder, const struct plan_mount *mount, const char *why)
{
	return fail_at(builder->err, mount->at, 0, "%s in a running container: %s",
		       mount->destination, why);
}

int plan_running_mounts(struct plan_builder *builder)
{
	for (size_t i = 0; i < builder->plan->mounts_len; i++) {
		struct plan_mount *mount = &builder->plan->mounts[i];

		if (mount->kind == PLAN_MOUNT_REMOUNT)
			return refuse(builder, mount, "remount adds no mount");
		if (mount->kind == PLAN_MOUNT_LINK)
			return refuse(builder, mount, "a symlink that is copied is no mount");
		if (mount->destination[1] == '\0')
			return refuse(builder, mount, "its processes would keep the present root");
		if (mount->kind == PLAN_MOUNT_BIND)
			continue;
		/* It shows the pid namespace of who makes it, which hoy stays out of. */
		if (strcmp(mount->fstype, "proc") == 0)
			return refuse(builder, mount, "a new proc would show the host's processes");
		if (mount->data)
			return refuse(builder, mount, "an option has more than 255 bytes");
		/* What the host has in its place is not to be seen once the container is there. */
		mount->fallback_source = NULL;
	}
	return 0;
}

int plan_unmounts(struct plan_builder *builder)
{
	const struct plan_source_facts *facts = builder->sources;

	for (size_t i = 0; i < builder->config->mounts.len; i++) {
		const struct config_mount *from = &builder->config->mounts.items[i];
		struct plan_unmount *unmount = PLAN_APPEND(builder, builder->plan->unmounts);

		if (!unmount)
			return -1;
		unmount->at = plan_at_item(builder, "mounts", i);
		unmount->destination = plan_clean_path(builder, unmount->at, from->destination);
		if (!unmount->destination)
			return -1;
		if (unmount->destination[1] == '\0')
			return fail_at(builder->err, unmount->at, 0, "the root cannot be removed");
		if (!facts[i].exists)
			continue;
		unmount->source = plan_bind_source(builder->arena, from, builder->options->bundle);
		unmount->device = facts[i].device;
		unmount->inode = facts[i].inode;
	}
	return 0;
}
