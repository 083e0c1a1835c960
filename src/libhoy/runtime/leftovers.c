/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes back the nodes and links that a failed create has left in the root. Runs in the runtime, on
 * the host's side: the root is hostile, so names are resolved below its descriptor and removed as
 * one name in their directory.
 */
#include "runtime/leftovers.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/cleanup.h"
#include "sys/error.h"
#include "sys/path.h"

static int open_root(const struct plan *plan)
{
	return open(plan->root.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static bool is_missing(int root, const char *path)
{
	autoclose int fd = path_open(root, path, O_PATH | O_NOFOLLOW);

	return fd == -ENOENT;
}

int leftovers_note(struct leftovers *leftovers, const struct plan *plan, struct arena *arena,
		   struct hoy_error *err)
{
	autoclose int root = -1;
	size_t len = 0;

	for (size_t i = 0; i < plan->devices_len; i++)
		len += !plan->devices[i].dev_name;
	for (size_t i = 0; i < plan->links_len; i++)
		len += !plan->links[i].dev_name;
	if (len == 0)
		return 0;
	root = open_root(plan);
	leftovers->paths = arena_array(arena, const char *, len + 1);
	if (root < 0 || !leftovers->paths)
		return fail_at(err, plan->root.at, root < 0 ? errno : ENOMEM, "look into %s",
			       plan->root.path);
	len = 0;
	for (size_t i = 0; i < plan->devices_len; i++)
		if (!plan->devices[i].dev_name && is_missing(root, plan->devices[i].path))
			leftovers->paths[len++] = plan->devices[i].path;
	for (size_t i = 0; i < plan->links_len; i++)
		if (!plan->links[i].dev_name && is_missing(root, plan->links[i].path))
			leftovers->paths[len++] = plan->links[i].path;
	return 0;
}

static void remove_one(int root, const char *path)
{
	autoclose int parent = -1;
	char name[NAME_MAX + 1];
	struct stat st;

	parent = path_open_parent(root, path, false, name);
	if (parent < 0 || fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	/* What init makes is a node, a link, or an empty file to bind onto. */
	if (!S_ISDIR(st.st_mode) && (!S_ISREG(st.st_mode) || st.st_size == 0))
		(void)unlinkat(parent, name, 0);
}

void leftovers_remove(const struct leftovers *leftovers, const struct plan *plan)
{
	autoclose int root = -1;

	if (!leftovers->paths)
		return;
	root = open_root(plan);
	for (size_t i = 0; root >= 0 && leftovers->paths[i]; i++)
		remove_one(root, leftovers->paths[i]);
}
