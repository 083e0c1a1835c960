/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets share: a file from bytes, and what is done with a configuration. */
#include <linux/capability.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/json_read.h"
#include "base/string.h"
#include "fuzz.h"
#include "plan/dump.h"
#include "plan/plan.h"
#include "sys/error.h"

#define ALL_CAPABILITIES ((2ULL << CAP_LAST_CAP) - 1)

const struct host fuzz_hosts[2] = {
	{ .kernel = 6012,
	  .privileged = true,
	  .capabilities = ALL_CAPABILITIES,
	  .bounding = ALL_CAPABILITIES,
	  .has_name = true,
	  .last_capability = CAP_LAST_CAP,
	  .apparmor = true,
	  .cgroup_layout = HOST_CGROUP_UNIFIED,
	  .cgroup_root = "/sys/fs/cgroup",
	  .cgroup_own = "/user.slice" },
	{ .kernel = 5014,
	  .euid = 1000,
	  .egid = 1000,
	  .last_capability = CAP_LAST_CAP,
	  .has_name = true,
	  .selinux = true,
	  .cgroup_layout = HOST_CGROUP_NONE,
	  .subuid = { 100000, 65536 },
	  .subgid = { 100000, 65536 },
	  .has_newuidmap = true,
	  .has_newgidmap = true },
};

static const struct plan_options options[2] = {
	{ .id = "c1", .bundle = "/bundle", .cgroup_manager = HOY_CGROUP_CGROUPFS },
	{ .id = "c1", .bundle = "/bundle", .cgroup_manager = HOY_CGROUP_SYSTEMD, .no_pivot = true },
};

int fuzz_file(const void *data, size_t size)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	MUST(fd >= 0 && ftruncate(fd, 0) == 0);
	MUST(pwrite(fd, data, size, 0) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

void fuzz_check_error(const struct hoy_error *err)
{
	char text[2048];

	MUST(memchr(err->at, 0, sizeof(err->at)) && memchr(err->text, 0, sizeof(err->text)) &&
	     memchr(err->hint, 0, sizeof(err->hint)));
	MUST(err->text[0]);
	(void)hoy_error_format(err, text, sizeof(text));
	MUST(!string_has_control(text));
}

/* What one program prints as JSON another one can read. */
static void check_dump(const struct plan *plan)
{
	const struct json_node *document;
	struct arena arena = { 0 };
	struct hoy_error err = { 0 };
	char *text = plan_dump_text(plan), *json = plan_dump_json(plan);

	MUST(text && json);
	MUST(json_read(json, strlen(json), &arena, &document, &err) == 0);
	free(text);
	free(json);
	arena_done(&arena);
}

static struct plan_source_facts *facts_of(struct arena *arena, const struct config *config)
{
	struct plan_source_facts *facts = arena_array(arena, struct plan_source_facts,
						      config->mounts.len);

	for (size_t i = 0; i < config->mounts.len; i++) {
		const char *source = plan_bind_source(arena, &config->mounts.items[i], "/bundle");

		facts[i].exists = source && strlen(source) % 8 != 7;
		facts[i].is_directory = facts[i].exists && strlen(source) % 2 == 0;
		if (facts[i].exists && plan_keeps_link(&config->mounts.items[i]))
			facts[i].link = "the/target";
	}
	return facts;
}

void fuzz_plan(const struct config *config)
{
	for (size_t i = 0; i < 2; i++) {
		struct hoy_error err = { 0 };
		struct arena arena = { 0 };
		struct plan *plan;
		const struct plan_input input = { .config = config,
						  .options = &options[i],
						  .host = &fuzz_hosts[i],
						  .sources = facts_of(&arena, config) };

		if (plan_build(&arena, &input, &plan, &err) == 0)
			check_dump(plan);
		else
			fuzz_check_error(&err);
		arena_done(&arena);
	}
}

void fuzz_plan_process(const struct config_process *process)
{
	static const struct config config = { .oci_version = "1.0.0" };

	for (size_t i = 0; i < 2; i++) {
		struct hoy_error err = { 0 };
		struct arena arena = { 0 };
		struct plan *plan;
		const struct plan_input input = { .config = &config,
						  .options = &options[i],
						  .host = &fuzz_hosts[i] };

		if (plan_build_exec(&arena, &input, process, &plan, &err) == 0)
			check_dump(plan);
		else
			fuzz_check_error(&err);
		arena_done(&arena);
	}
}

void fuzz_plan_resources(struct config_resources *resources)
{
	struct config_linux platform = { .resources = resources };
	const struct config config = { .oci_version = "1.0.0", .linux = &platform };

	for (size_t i = 0; i < 2; i++) {
		struct hoy_error err = { 0 };
		struct arena arena = { 0 };
		struct plan *plan;
		const struct plan_input input = { .config = &config,
						  .options = &options[i],
						  .host = &fuzz_hosts[i] };

		if (plan_build_cgroup(&arena, &input, &plan, &err) < 0)
			fuzz_check_error(&err);
		arena_done(&arena);
	}
}
