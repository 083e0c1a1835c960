/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ps: which processes a container has. Runs in the runtime; changes nothing. The cgroup knows;
 * without one only init is known for sure.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hoy/container.h>

#include "base/string.h"
#include "cgroup/tree.h"
#include "runtime/context.h"
#include "sys/cleanup.h"
#include "sys/error.h"

struct pids {
	int *items;
	size_t len, size;
};

static int add_pid(struct pids *pids, int pid)
{
	if (pids->len == pids->size) {
		size_t size = pids->size ? pids->size * 2 : 64;
		int *items = realloc(pids->items, size * sizeof(*items));

		if (!items)
			return -ENOMEM;
		pids->items = items;
		pids->size = size;
	}
	pids->items[pids->len++] = pid;
	return 0;
}

/* One cgroup.procs: a pid a line; 0 stands for processes outside our pid namespace. */
static int read_pids(int dirfd, void *data)
{
	autoclose int fd = openat(dirfd, "cgroup.procs", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char buffer[4096];
	ssize_t len;
	int pid = 0;

	if (fd < 0)
		return errno == ENOENT || errno == ENODEV ? 0 : -errno;
	while ((len = read(fd, buffer, sizeof(buffer))) > 0) {
		for (ssize_t i = 0; i < len; i++) {
			if (buffer[i] != '\n')
				pid = pid * 10 + (buffer[i] - '0');
			else if (pid > 0 && add_pid(data, pid) < 0)
				return -ENOMEM;
			if (buffer[i] == '\n')
				pid = 0;
		}
	}
	return len < 0 && errno != ENODEV && errno != EOPNOTSUPP ? -errno : 0;
}

static int compare(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

static int collect(const struct container *container, struct pids *pids, struct hoy_error *err)
{
	const struct state_record *record = container->record;
	struct cgroup cgroup = CGROUP_NONE;
	enum hoy_status status;
	int r;

	if (container_status(container, &status, NULL, err) < 0 ||
	    container_open_cgroup(record, &cgroup, err) < 0)
		return -1;
	if (cgroup.fd >= 0)
		r = tree_visit(cgroup.fd, read_pids, pids);
	else
		r = status == HOY_STOPPED ? 0 : add_pid(pids, record->pid);
	cgroup_done(&cgroup);
	return r < 0 ? fail(err, r, "read the processes of %s", record->id) : 0;
}

int hoy_processes(const struct hoy_context *context, const char *id, int **ret_pids,
		  size_t *ret_len, struct hoy_error *err)
{
	struct container container = CONTAINER_NONE;
	struct pids pids = { 0 };
	int r;

	if (container_open(context, id, &container, err) < 0)
		return -1;
	r = collect(&container, &pids, err);
	container_done(&container);
	if (r < 0) {
		free(pids.items);
		return -1;
	}
	if (pids.len)
		qsort(pids.items, pids.len, sizeof(*pids.items), compare);
	*ret_pids = pids.items;
	*ret_len = pids.len;
	return 0;
}
