/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file to struct config: reading, the field tables, the rules, in this order, each over the whole
 * document, so that all problems are told at once. Runs in the runtime. Must not look at anything
 * but the file.
 */
#include "config/config.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/json_read.h"
#include "config/field.h"
#include "config/table.h"
#include "config/validate.h"
#include "sys/error.h"

/** Reads the file and its fields. @returns 0, also with problems, or -1 when there is no struct */
static int read_fields(struct problems *problems, int fd, const char *file_name,
		       struct arena *arena, const struct object *table, void **ret_struct)
{
	void *target = arena_alloc(arena, 1, table->size);

	if (json_read_fd(fd, JSON_SIZE_MAX, file_name, arena, &problems->document, problems->err) <
	    0)
		return problem_error(problems);
	if (!target || field_read_object(problems, arena, problems->document, table, target) < 0) {
		(void)fail(problems->err, ENOMEM, "read %s", file_name);
		return problem_error(problems);
	}
	*ret_struct = target;
	return 0;
}

int config_read(int fd, const char *file_name, struct arena *arena,
		const struct config_report *report, struct config **ret_config,
		struct hoy_error *err)
{
	struct problems problems;
	struct config *config;
	void *target = NULL;

	problems_begin(&problems, report, "", err);
	if (read_fields(&problems, fd, file_name, arena, &config_table, &target) < 0)
		return -1;
	config = target;
	validate_config(&problems, config);
	if (problems_end(&problems) < 0)
		return -1;
	config->document = problems.document;
	config->file_name = arena_strdup(arena, file_name);
	*ret_config = config;
	return 0;
}

int config_read_process(int fd, const char *file_name, struct arena *arena,
			const struct config_report *report, struct config_process **ret_process,
			struct hoy_error *err)
{
	struct problems problems;
	void *target = NULL;

	problems_begin(&problems, report, "process", err);
	if (read_fields(&problems, fd, file_name, arena, &process_table, &target) < 0)
		return -1;
	validate_process(&problems, target);
	if (problems_end(&problems) < 0)
		return -1;
	*ret_process = target;
	return 0;
}

int config_read_resources(int fd, const char *file_name, struct arena *arena,
			  const struct config_report *report,
			  struct config_resources **ret_resources, struct hoy_error *err)
{
	struct problems problems;
	void *target = NULL;

	problems_begin(&problems, report, "linux.resources", err);
	if (read_fields(&problems, fd, file_name, arena, &resources_table, &target) < 0)
		return -1;
	validate_resources(&problems, target);
	if (problems_end(&problems) < 0)
		return -1;
	*ret_resources = target;
	return 0;
}

/** A list has no table: it is read as the only member of an object. */
static int read_mounts(struct problems *problems, int fd, const char *file_name,
		       struct arena *arena, struct config *config)
{
	static const struct field field = FIELD(FIELD_OBJECT_LIST, struct config, mounts, "mounts",
						.object = &mount_table);
	static const struct object table = { .fields = &field,
					     .len = 1,
					     .size = sizeof(struct config) };
	struct json_node list, object = { .type = JSON_OBJECT, .len = 1, .children = &list };

	if (json_read_fd(fd, JSON_SIZE_MAX, file_name, arena, &problems->document, problems->err) <
	    0)
		return problem_error(problems);
	list = *problems->document;
	list.key = "mounts";
	if (field_read_object(problems, arena, &object, &table, config) < 0) {
		(void)fail(problems->err, ENOMEM, "read %s", file_name);
		return problem_error(problems);
	}
	return 0;
}

int config_read_mounts(int fd, const char *file_name, struct arena *arena,
		       const struct config_report *report, struct config *config,
		       struct hoy_error *err)
{
	struct problems problems;

	problems_begin(&problems, report, "mounts", err);
	if (read_mounts(&problems, fd, file_name, arena, config) < 0)
		return -1;
	validate_mounts(&problems, config);
	return problems_end(&problems);
}

int config_read_mount_points(int fd, const char *file_name, struct arena *arena,
			     const struct config_report *report, struct config *config,
			     struct hoy_error *err)
{
	struct problems problems;

	problems_begin(&problems, report, "mounts", err);
	if (read_mounts(&problems, fd, file_name, arena, config) < 0)
		return -1;
	return problems_end(&problems);
}

void config_locate(const struct config *config, struct hoy_error *err)
{
	const struct json_node *node;

	if (!config->document || err->at[0] == '\0' || err->line != 0)
		return;
	node = problem_find(config->document, "", err->at);
	if (!node)
		return;
	err->line = node->line;
	err->column = node->column;
}
