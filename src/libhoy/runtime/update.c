/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update: other limits for a container. The given resources are merged into the configuration that
 * create saved, the result is planned like any configuration, and what differs is written. Runs in
 * the runtime. A failure puts the old values back.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <hoy/container.h>

#include "base/json_read.h"
#include "base/json_write.h"
#include "base/string.h"
#include "cgroup/driver.h"
#include "runtime/context.h"
#include "runtime/input.h"
#include "runtime/resctrl.h"
#include "sys/cleanup.h"
#include "sys/error.h"
#include "sys/file.h"

/* Longest value of a limit file that is put back. */
#define VALUE_SIZE 4096

/** Everything that one update has in its hands. */
struct updating {
	const struct hoy_context *context;
	const struct hoy_update_options *options;
	struct log log;
	struct container container;
	struct input input;
	/** Root of resctrl, -1 = not asked for; and what was replaced there. */
	int resctrl;
	struct resctrl_old old_schemata;
	/** The merged configuration. */
	char *text;
	struct cgroup cgroup;
	/** What undoes each write, parallel to the plan's writes; NULL = not known. */
	char **replaced;
};

/* ---- merging ---- */

static void write_merged(struct json_writer *writer, const char *key, const struct json_node *base,
			 const struct json_node *change)
{
	if (!base || base->type != JSON_OBJECT || change->type != JSON_OBJECT) {
		json_write_node(writer, key, change);
		return;
	}
	json_write_object(writer, key);
	for (const struct json_node *node = base->children; node; node = node->next) {
		const struct json_node *other = json_member(change, node->key);

		if (other)
			write_merged(writer, node->key, node, other);
		else
			json_write_node(writer, node->key, node);
	}
	for (const struct json_node *node = change->children; node; node = node->next)
		if (!json_member(base, node->key))
			json_write_node(writer, node->key, node);
	json_write_end(writer);
}

static int read_saved(struct updating *updating, const struct json_node **ret_document,
		      struct hoy_error *err)
{
	autoclose int fd = openat(updating->container.dir.fd, "config.json",
				  O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return fail(err, errno, "open the saved configuration");
	return json_read_fd(fd, JSON_SIZE_MAX, "config.json", &updating->input.arena, ret_document,
			    err);
}

static void write_schema(struct json_writer *writer, const char *key, const char *schema)
{
	if (schema)
		json_write_string(writer, key, schema);
}

/* {"linux":{"resources":RESOURCES,"intelRdt":{...}}} */
static char *compose_change(const struct hoy_update_options *options,
			    const struct json_node *resources)
{
	struct json_writer writer = { 0 };

	json_write_object(&writer, NULL);
	json_write_object(&writer, "linux");
	if (resources)
		json_write_node(&writer, "resources", resources);
	if (options->l3_cache_schema || options->mem_bw_schema) {
		json_write_object(&writer, "intelRdt");
		write_schema(&writer, "l3CacheSchema", options->l3_cache_schema);
		write_schema(&writer, "memBwSchema", options->mem_bw_schema);
		json_write_end(&writer);
	}
	json_write_end(&writer);
	json_write_end(&writer);
	return json_write_take(&writer);
}

/* What is asked for over the saved configuration. */
static int merge(struct updating *updating, struct hoy_error *err)
{
	const char *resources = updating->options->resources;
	const struct json_node *saved, *change = NULL;
	struct json_writer writer = { 0 };
	autofree char *wrapped = NULL;

	/* On its own first, so that errors count lines from its own start. */
	if (resources &&
	    json_read(resources, strlen(resources), &updating->input.arena, &change, err) < 0)
		return fail_in(err, "resources");
	if (change && change->type != JSON_OBJECT)
		return fail_at(err, "linux.resources", 0, "an object is needed, not a %s",
			       json_type_name(change->type));
	wrapped = compose_change(updating->options, change);
	if (!wrapped)
		return fail(err, ENOMEM, "merge the resources");
	if (json_read(wrapped, strlen(wrapped), &updating->input.arena, &change, err) < 0 ||
	    read_saved(updating, &saved, err) < 0)
		return -1;
	write_merged(&writer, NULL, saved, change);
	updating->text = json_write_take(&writer);
	return updating->text ? 0 : fail(err, ENOMEM, "merge the resources");
}

static int plan_config(struct updating *updating, int fd, const struct config_report *report,
		       struct plan **ret_plan, struct hoy_error *err)
{
	const struct state_record *record = updating->container.record;
	const struct plan_options options = {
		.id = record->id,
		.bundle = record->bundle,
		.cgroup_manager = record->cgroup_manager,
	};
	struct input *input = &updating->input;
	struct plan_input plan_input = { .options = &options, .host = &input->host };

	if (config_read(fd, "resources", &input->arena, report, &input->config, err) < 0)
		return -1;
	plan_input.config = input->config;
	return plan_build_cgroup(&input->arena, &plan_input, ret_plan, err);
}

static int make_plan(struct updating *updating, struct hoy_error *err)
{
	const struct hoy_context *context = updating->context;
	const struct config_report report = { context->log, context->log_data, context->strict };
	autoclose int fd = file_sealed("config.json", updating->text, strlen(updating->text));

	if (fd < 0)
		return fail(err, fd, "hold the merged configuration");
	if (host_probe(&updating->input.host, err) < 0)
		return -1;
	return plan_config(updating, fd, &report, &updating->input.plan, err);
}

/* ---- writing ---- */

static int check_memory(const struct updating *updating, struct hoy_error *err)
{
	const uint64_t limit = updating->input.plan->cgroup.check_memory_max;
	char text[32];
	uint64_t used = 0;

	if (!limit || file_read(updating->cgroup.fd, "memory.current", text, sizeof(text)) < 0)
		return 0;
	for (const char *digit = text; *digit >= '0' && *digit <= '9'; digit++)
		used = used * 10 + (uint64_t)(*digit - '0');
	if (used <= limit)
		return 0;
	return fail_at(err, "linux.resources.memory.limit", 0,
		       "%llu bytes are in use, more than the new limit of %llu "
		       "(checkBeforeUpdate)",
		       (unsigned long long)used, (unsigned long long)limit);
}

/* How "no limit" is written for a device in the files that have a line for each. */
static const struct {
	const char *file, *none;
} device_files[] = {
	{ "io.bfq.weight", "default" },
	{ "io.max", "rbps=max wbps=max riops=max wiops=max" },
	{ "io.weight", "default" },
	{ "rdma.max", "hca_handle=max hca_object=max" },
};

/* The start of the line "KEY ..." in a text, or NULL. */
static const char *find_line(const char *text, const char *key, size_t key_len)
{
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, key_len) == 0 && line[key_len] == ' ')
			return line;
	}
	return NULL;
}

/* The kernel refuses to empty a cpuset with processes in it; what an empty one means can be said.
 */
static char *undoing_empty(struct updating *updating, const char *file)
{
	char name[64], text[VALUE_SIZE];

	format_text(name, sizeof(name), "%s.effective", file);
	if (file_read(updating->cgroup.fd, name, text, sizeof(text)) < 0)
		return arena_strdup(&updating->input.arena, "\n");
	return arena_strndup(&updating->input.arena, text, strcspn(text, "\n"));
}

/* What must be written to a file that holds `text` to have that again after a write. */
static char *undoing(struct updating *updating, const struct plan_cgroup_write *write,
		     const char *text)
{
	struct arena *arena = &updating->input.arena;
	const char *value = write->value, *line;
	size_t key_len = strcspn(value, " ");

	for (size_t i = 0; i < ARRAY_LEN(device_files); i++) {
		if (strcmp(device_files[i].file, write->file) != 0 || value[key_len] == '\0' ||
		    strncmp(value, "default", key_len) == 0)
			continue;
		line = find_line(text, value, key_len);
		if (line)
			return arena_strndup(arena, line, strcspn(line, "\n"));
		return arena_format(arena, "%.*s %s", (int)key_len, value, device_files[i].none);
	}
	if (*text == '\0')
		return undoing_empty(updating, write->file);
	if (string_starts(text, "default "))
		text += strlen("default ");
	return arena_strndup(arena, text, strcspn(text, "\n"));
}

static ssize_t read_limit(const struct updating *updating, size_t index, char *text, size_t size)
{
	const char *file = updating->input.plan->cgroup.writes[index].file;
	ssize_t len = file_read(updating->cgroup.fd, file, text, size);

	while (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	return len;
}

/* Remembers what the files hold; one that is missing may be there when its controller is. */
static int remember(struct updating *updating, struct hoy_error *err)
{
	const struct plan_cgroup *plan = &updating->input.plan->cgroup;
	char text[VALUE_SIZE];

	for (size_t i = 0; i < plan->writes_len; i++) {
		if (updating->replaced[i] || read_limit(updating, i, text, sizeof(text)) < 0)
			continue;
		updating->replaced[i] = undoing(updating, &plan->writes[i], text);
		if (!updating->replaced[i])
			return fail(err, ENOMEM, "remember %s", plan->writes[i].file);
	}
	return 0;
}

/*
 * The manager was told of the new limits and must not come back to them: it gets the replaced
 * values, and the device rules of the saved configuration.
 */
static void tell_manager(struct updating *updating)
{
	const struct plan_cgroup *plan = &updating->input.plan->cgroup;
	const struct cgroup_driver *driver = cgroup_driver_of(plan);
	const struct config_report silence = { 0 };
	struct plan_cgroup old = *plan;
	struct hoy_error unimportant;
	struct plan *saved;
	autoclose int fd = openat(updating->container.dir.fd, "config.json", O_RDONLY | O_CLOEXEC);

	if (!driver || !driver->update)
		return;
	old.has_device_rules = false;
	if (fd >= 0 && plan_config(updating, fd, &silence, &saved, &unimportant) >= 0)
		old = saved->cgroup;
	old.writes_len = 0;
	old.writes = arena_array(&updating->input.arena, struct plan_cgroup_write,
				 plan->writes_len + 1);
	for (size_t i = 0; old.writes && i < plan->writes_len; i++) {
		const char *value = updating->replaced[i];

		if (!value)
			continue;
		old.writes[old.writes_len] = plan->writes[i];
		old.writes[old.writes_len++].value = value;
	}
	(void)driver->update(&old, &updating->cgroup, &unimportant);
}

static void put_back(struct updating *updating)
{
	const struct plan_cgroup *plan = &updating->input.plan->cgroup;

	tell_manager(updating);
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = plan->writes_len; i-- > 0;)
			if (updating->replaced[i])
				(void)file_write_text(updating->cgroup.fd, plan->writes[i].file,
						      updating->replaced[i]);
}

/* Whether a limit, or its alternative, is another one now. What cannot be read is written. */
static bool is_new(const struct updating *updating, size_t first, size_t count)
{
	const struct plan_cgroup_write *writes = updating->input.plan->cgroup.writes;
	char text[VALUE_SIZE];

	for (size_t i = first; i < first + count; i++)
		if (read_limit(updating, i, text, sizeof(text)) < 0 ||
		    strcmp(text, writes[i].value) != 0)
			return true;
	return false;
}

/*
 * Limits that bound each other (quota and burst) can be refused in the one order and taken in the
 * other, so that what fails is tried once more after the rest.
 */
static int write_changes(const struct updating *updating, struct hoy_error *err)
{
	const struct plan_cgroup *plan = &updating->input.plan->cgroup;
	bool failed = true;

	for (int pass = 0; failed && pass < 2; pass++) {
		size_t count = 0;

		failed = false;
		for (size_t i = 0; i < plan->writes_len; i += count) {
			const struct plan_cgroup_write *writes = &plan->writes[i];

			count = 1;
			while (i + count < plan->writes_len && writes[count].alternative)
				count++;
			if (is_new(updating, i, count) &&
			    cgroup_write_all(updating->cgroup.fd, writes, count, writes->late,
					     err) < 0)
				failed = true;
		}
	}
	return failed ? -1 : 0;
}

static int write_devices(struct updating *updating, struct hoy_error *err)
{
	const struct plan_cgroup *plan = &updating->input.plan->cgroup;
	struct state_record *record = updating->container.record;

	if (!plan->has_device_rules)
		return 0;
	return cgroup_attach_devices(updating->cgroup.fd, plan->device_rules,
				     plan->device_rules_len, record->device_program,
				     &record->device_program, err);
}

static int save(struct updating *updating, struct hoy_error *err)
{
	const struct plan_cgroup *plan = &updating->input.plan->cgroup;
	struct container *container = &updating->container;
	int r;

	/* A created container writes its late limits when it starts: they are the new ones now. */
	container->record->late_writes = plan->writes;
	container->record->late_writes_len = plan->has_late_writes ? plan->writes_len : 0;
	if (state_write(&container->dir, container->record, err) < 0)
		return -1;
	r = file_replace(container->dir.fd, "config.json", updating->text, strlen(updating->text),
			 0600);
	return r < 0 ? fail(err, r, "save the configuration") : 0;
}

/* Values are remembered before the manager sets new ones, and after it has enabled controllers. */
static int change(struct updating *updating, struct hoy_error *err)
{
	const struct plan_cgroup *plan = &updating->input.plan->cgroup;
	const struct cgroup_driver *driver = cgroup_driver_of(plan);

	if (remember(updating, err) < 0 ||
	    (driver && driver->update && driver->update(plan, &updating->cgroup, err) < 0) ||
	    remember(updating, err) < 0 || write_changes(updating, err) < 0 ||
	    write_devices(updating, err) < 0)
		return -1;
	return save(updating, err);
}

static int apply(struct updating *updating, struct hoy_error *err)
{
	const struct plan_cgroup *plan = &updating->input.plan->cgroup;

	updating->replaced = arena_array(&updating->input.arena, char *, plan->writes_len + 1);
	if (!updating->replaced)
		return fail(err, ENOMEM, "update the limits");
	if (check_memory(updating, err) < 0)
		return -1;
	if (change(updating, err) < 0) {
		put_back(updating);
		return -1;
	}
	return 0;
}

/* ---- resctrl ---- */

static int open_resctrl(struct updating *updating, struct hoy_error *err)
{
	const struct hoy_update_options *options = updating->options;
	const struct state_record *record = updating->container.record;

	if (!options->l3_cache_schema && !options->mem_bw_schema)
		return 0;
	updating->resctrl = resctrl_open(err);
	if (updating->resctrl < 0)
		return -1;
	if (record->resctrl.group)
		return 0;
	fail_at(err, "linux.intelRdt", 0, "container %s is in no group of resctrl", record->id);
	return fail_hint(err, "only one that is made with linux.intelRdt has its own");
}

static int change_schemata(struct updating *updating, struct hoy_error *err)
{
	const struct hoy_update_options *options = updating->options;
	const struct state_record *record = updating->container.record;
	struct plan_schema schemata[RESCTRL_CHANGES_MAX];
	size_t len = 0;

	if (options->l3_cache_schema)
		schemata[len++] = (struct plan_schema){ .at = "linux.intelRdt.l3CacheSchema",
							.line = options->l3_cache_schema };
	if (options->mem_bw_schema)
		schemata[len++] = (struct plan_schema){ .at = "linux.intelRdt.memBwSchema",
							.line = options->mem_bw_schema };
	return resctrl_change(updating->resctrl, record->resctrl.group, schemata, len,
			      &updating->old_schemata, err);
}

static int change_all(struct updating *updating, struct hoy_error *err)
{
	int r;

	if (updating->resctrl >= 0 && change_schemata(updating, err) < 0)
		return -1;
	r = updating->options->resources ? apply(updating, err) : save(updating, err);
	if (r < 0 && updating->resctrl >= 0)
		resctrl_put_back(updating->resctrl, updating->container.record->resctrl.group,
				 &updating->old_schemata);
	return r;
}

static int update(struct updating *updating, struct hoy_error *err)
{
	const struct state_record *record = updating->container.record;
	enum hoy_status status;

	if (container_status(&updating->container, &status, NULL, err) < 0)
		return -1;
	if (status == HOY_STOPPED || status == HOY_CREATING)
		return fail(err, 0, "container %s is %s: container not running", record->id,
			    hoy_status_name(status));
	if (open_resctrl(updating, err) < 0 || merge(updating, err) < 0 ||
	    make_plan(updating, err) < 0 ||
	    input_warnings(updating->input.plan, &updating->log, updating->context->strict, err) <
		    0 ||
	    container_open_cgroup(record, &updating->cgroup, err) < 0)
		return -1;
	if (updating->options->resources && updating->cgroup.fd < 0)
		return fail(err, 0, "container %s has no cgroup of its own to limit", record->id);
	return change_all(updating, err);
}

int hoy_update(const struct hoy_context *context, const char *id,
	       const struct hoy_update_options *options, struct hoy_error *err)
{
	struct updating updating = {
		.context = context,
		.options = options,
		.log = context_log(context),
		.resctrl = -1,
		.container = CONTAINER_NONE,
		.input = INPUT_NONE,
		.cgroup = CGROUP_NONE,
	};
	int r;

	if (container_open_locked(context, id, &updating.container, err) < 0)
		return -1;
	r = update(&updating, err);
	resctrl_old_done(&updating.old_schemata);
	cleanup_close(&updating.resctrl);
	free(updating.text);
	cgroup_done(&updating.cgroup);
	container_done(&updating.container);
	input_done(&updating.input);
	return r < 0 ? -1 : 0;
}
