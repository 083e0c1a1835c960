/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of systemd's manager, org.freedesktop.systemd1(5), over sd-bus. Runs in the runtime.
 * libsystemd is opened by name when the systemd driver is first used, so that nobody else pays for
 * it, and hoy is built without it: what is needed of its interface is declared here.
 */
#include "cgroup/bus.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sys/cleanup.h"
#include "sys/error.h"
#include "sys/fd.h"

#define SERVICE	  "org.freedesktop.systemd1"
#define OBJECT	  "/org/freedesktop/systemd1"
#define MANAGER	  "org.freedesktop.systemd1.Manager"
#define NO_UNIT	  "org.freedesktop.systemd1.NoSuchUnit"
#define UNIT_HERE "org.freedesktop.systemd1.UnitExists"

struct sd_bus_message;
struct sd_bus_slot;

/* As libsystemd has it: sd_bus_error(3). */
struct bus_error {
	const char *name;
	const char *message;
	int need_free;
};

typedef int bus_handler(struct sd_bus_message *message, void *data, struct bus_error *error);

/** The functions of libsystemd, by their names without sd_bus_. */
static struct {
	int (*open_system)(struct sd_bus **ret_bus);
	int (*open_user)(struct sd_bus **ret_bus);
	/** "new" in libsystemd. */
	int (*make)(struct sd_bus **ret_bus);
	int (*set_address)(struct sd_bus *bus, const char *address);
	int (*start)(struct sd_bus *bus);
	int (*is_ready)(struct sd_bus *bus);
	/** Every call was answered, or is given up: nothing is to be flushed, which could wait. */
	struct sd_bus *(*close_unref)(struct sd_bus *bus);
	int (*process)(struct sd_bus *bus, struct sd_bus_message **ret_message);
	int (*wait)(struct sd_bus *bus, uint64_t timeout_us);
	int (*call)(struct sd_bus *bus, struct sd_bus_message *message, uint64_t timeout_us,
		    struct bus_error *ret_error, struct sd_bus_message **ret_reply);
	int (*match_signal)(struct sd_bus *bus, struct sd_bus_slot **ret_slot, const char *sender,
			    const char *path, const char *interface, const char *member,
			    bus_handler *handler, void *data);
	void (*error_free)(struct bus_error *error);
	int (*message_new_method_call)(struct sd_bus *bus, struct sd_bus_message **ret_message,
				       const char *service, const char *path, const char *interface,
				       const char *member);
	struct sd_bus_message *(*message_unref)(struct sd_bus_message *message);
	int (*message_append_basic)(struct sd_bus_message *message, char type, const void *value);
	int (*message_append_array)(struct sd_bus_message *message, char type, const void *bytes,
				    size_t size);
	int (*message_open_container)(struct sd_bus_message *message, char type,
				      const char *contents);
	int (*message_close_container)(struct sd_bus_message *message);
	int (*message_enter_container)(struct sd_bus_message *message, char type,
				       const char *contents);
	int (*message_read_basic)(struct sd_bus_message *message, char type, void *ret_value);
	bool loaded;
} sd;

static const struct {
	const char *name;
	void *function;
} functions[] = {
	{ "sd_bus_open_system", &sd.open_system },
	{ "sd_bus_open_user", &sd.open_user },
	{ "sd_bus_new", &sd.make },
	{ "sd_bus_set_address", &sd.set_address },
	{ "sd_bus_start", &sd.start },
	{ "sd_bus_is_ready", &sd.is_ready },
	{ "sd_bus_close_unref", &sd.close_unref },
	{ "sd_bus_process", &sd.process },
	{ "sd_bus_wait", &sd.wait },
	{ "sd_bus_call", &sd.call },
	{ "sd_bus_match_signal", &sd.match_signal },
	{ "sd_bus_error_free", &sd.error_free },
	{ "sd_bus_message_new_method_call", &sd.message_new_method_call },
	{ "sd_bus_message_unref", &sd.message_unref },
	{ "sd_bus_message_append_basic", &sd.message_append_basic },
	{ "sd_bus_message_append_array", &sd.message_append_array },
	{ "sd_bus_message_open_container", &sd.message_open_container },
	{ "sd_bus_message_close_container", &sd.message_close_container },
	{ "sd_bus_message_enter_container", &sd.message_enter_container },
	{ "sd_bus_message_read_basic", &sd.message_read_basic },
};

/* The library stays: its threads and destructors do not expect to be unloaded. */
static int load_library(struct hoy_error *err)
{
	void *library;

	if (HOY_STATIC) {
		fail(err, 0, "the systemd cgroup manager is not in this build, which is static");
		return fail_hint(err, "use --cgroup-manager cgroupfs, or another build");
	}
	if (sd.loaded)
		return 0;
	library = dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL);
	if (!library) {
		fail(err, 0, "the systemd cgroup manager needs libsystemd: %s", dlerror());
		return fail_hint(err, "install libsystemd, or use --cgroup-manager cgroupfs");
	}
	for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
		void *function = dlsym(library, functions[i].name);

		if (!function)
			return fail(err, 0, "libsystemd has no function %s", functions[i].name);
		memcpy(functions[i].function, &function, sizeof(function));
	}
	sd.loaded = true;
	return 0;
}

static uint64_t left_us(const struct bus *bus)
{
	int64_t left_ms = bus->deadline_ms - clock_ms();

	/* 0 would be "the default" to libsystemd. */
	return left_ms > 0 ? (uint64_t)left_ms * 1000 : 1;
}

/* ---- connecting ---- */

/* systemd's own socket, as systemctl uses it: no bus daemon in between, or needed. */
static int open_private(const char *directory, struct sd_bus **ret_bus)
{
	char address[256];
	struct sd_bus *bus = NULL;
	int r;

	if (format_text(address, sizeof(address), "unix:path=%s/systemd/private", directory) >=
	    sizeof(address))
		return -ENAMETOOLONG;
	r = sd.make(&bus);
	if (r >= 0)
		r = sd.set_address(bus, address);
	if (r >= 0)
		r = sd.start(bus);
	if (r < 0) {
		if (bus)
			sd.close_unref(bus);
		return r;
	}
	*ret_bus = bus;
	return 0;
}

static int connect_to(bool user, struct sd_bus **ret_bus)
{
	const char *directory = user ? getenv("XDG_RUNTIME_DIR") : "/run";
	int r = -ENOENT;

	if (directory && *directory == '/')
		r = open_private(directory, ret_bus);
	if (r < 0)
		r = user ? sd.open_user(ret_bus) : sd.open_system(ret_bus);
	return r;
}

/* One step of what the connection has to do. @returns 0, -ETIMEDOUT or -errno */
static int make_progress(struct bus *bus)
{
	int r = sd.process(bus->connection, NULL);

	if (r != 0)
		return r < 0 ? r : 0;
	if (clock_ms() >= bus->deadline_ms)
		return -ETIMEDOUT;
	r = sd.wait(bus->connection, left_us(bus));
	return r < 0 && r != -EINTR ? r : 0;
}

/* libsystemd would wait 90 seconds, whatever the timeout of the first call is. */
static int wait_until_ready(struct bus *bus)
{
	int r = 0;

	while (r >= 0) {
		r = sd.is_ready(bus->connection);
		if (r > 0)
			return 0;
		if (r == 0)
			r = make_progress(bus);
	}
	return r;
}

int bus_open(bool user, int64_t deadline_ms, struct bus *ret_bus, struct hoy_error *err)
{
	struct bus bus = { .deadline_ms = deadline_ms };
	int r;

	if (load_library(err) < 0)
		return -1;
	r = connect_to(user, &bus.connection);
	if (r >= 0)
		r = wait_until_ready(&bus);
	if (r < 0) {
		bus_done(&bus);
		fail(err, r, "connect to systemd of the %s", user ? "user" : "system");
		return fail_hint(err, user ? "systemd --user must run and XDG_RUNTIME_DIR name its "
					     "directory, or use --cgroup-manager cgroupfs"
					   : "systemd is not running, or has no bus: use "
					     "--cgroup-manager cgroupfs");
	}
	*ret_bus = bus;
	return 0;
}

void bus_done(struct bus *bus)
{
	if (bus->connection)
		sd.close_unref(bus->connection);
	*bus = BUS_NONE;
}

/* ---- messages ---- */

static void message_done(struct sd_bus_message **message)
{
	if (*message)
		sd.message_unref(*message);
}

static void error_done(struct bus_error *error)
{
	sd.error_free(error);
}

#define automessage __attribute__((cleanup(message_done))) struct sd_bus_message *
#define autoerror   __attribute__((cleanup(error_done))) struct bus_error

static int append_strings(struct sd_bus_message *message, const struct systemd_property *property)
{
	int r = sd.message_open_container(message, 'a', "s");

	for (size_t i = 0; r >= 0 && i < property->len; i++)
		r = sd.message_append_basic(message, 's', property->strings[i]);
	return r < 0 ? r : sd.message_close_container(message);
}

static int append_pairs(struct sd_bus_message *message, const struct systemd_property *property)
{
	int r = sd.message_open_container(message, 'a', "(ss)");

	for (size_t i = 0; r >= 0 && i + 1 < property->len; i += 2) {
		r = sd.message_open_container(message, 'r', "ss");
		if (r >= 0)
			r = sd.message_append_basic(message, 's', property->strings[i]);
		if (r >= 0)
			r = sd.message_append_basic(message, 's', property->strings[i + 1]);
		if (r >= 0)
			r = sd.message_close_container(message);
	}
	return r < 0 ? r : sd.message_close_container(message);
}

static int append_value(struct sd_bus_message *message, const struct systemd_property *property)
{
	uint32_t word = (uint32_t)property->number;
	const void *number = &property->number;

	if (strcmp(property->type, "as") == 0)
		return append_strings(message, property);
	if (strcmp(property->type, "a(ss)") == 0)
		return append_pairs(message, property);
	if (strcmp(property->type, "ay") == 0)
		return sd.message_append_array(message, 'y', property->bytes, property->len);
	if (strcmp(property->type, "au") == 0)
		return sd.message_append_array(message, 'u', &word, sizeof(word));
	if (strcmp(property->type, "s") == 0)
		return sd.message_append_basic(message, 's', property->strings[0]);
	/* Booleans are int on sd-bus, the others as wide as their type. */
	if (strchr("biu", *property->type))
		number = &word;
	return sd.message_append_basic(message, *property->type, number);
}

static int append_property(struct sd_bus_message *message, const struct systemd_property *property)
{
	int r = sd.message_open_container(message, 'r', "sv");

	if (r >= 0)
		r = sd.message_append_basic(message, 's', property->name);
	if (r >= 0)
		r = sd.message_open_container(message, 'v', property->type);
	if (r >= 0)
		r = append_value(message, property);
	if (r >= 0)
		r = sd.message_close_container(message);
	return r < 0 ? r : sd.message_close_container(message);
}

static int append_properties(struct sd_bus_message *message,
			     const struct systemd_properties *properties)
{
	int r = sd.message_open_container(message, 'a', "(sv)");

	for (size_t i = 0; r >= 0 && i < properties->len; i++)
		r = append_property(message, &properties->items[i]);
	return r < 0 ? r : sd.message_close_container(message);
}

/* A call of the manager about a unit. */
static int new_call(const struct bus *bus, const char *method, const char *unit,
		    struct sd_bus_message **ret_message)
{
	automessage message = NULL;
	int r = sd.message_new_method_call(bus->connection, &message, SERVICE, OBJECT, MANAGER,
					   method);

	if (r >= 0 && unit)
		r = sd.message_append_basic(message, 's', unit);
	if (r >= 0)
		*ret_message = take_ptr(&message);
	return r;
}

/* A string or object path; the message keeps it. */
static int read_text(struct sd_bus_message *message, char type, const char **ret_text)
{
	int r = sd.message_read_basic(message, type, ret_text);

	return r == 0 ? -EBADMSG : r;
}

static int fail_call(struct hoy_error *err, int code, const struct bus_error *error,
		     const char *what, const char *unit)
{
	if (error->message)
		return fail(err, -code, "%s systemd unit %s: %s", what, unit, error->message);
	return fail(err, code, "%s systemd unit %s", what, unit);
}

static bool is_error(const struct bus_error *error, const char *name)
{
	return error->name && strcmp(error->name, name) == 0;
}

/* ---- jobs ---- */

/* JobRemoved(id, job, unit, result) */
static int on_job_removed(struct sd_bus_message *message, void *data, struct bus_error *error)
{
	const char *job = NULL, *unit = NULL, *result = NULL;
	struct bus *bus = data;
	uint32_t id;

	(void)error;
	if (sd.message_read_basic(message, 'u', &id) > 0 && read_text(message, 'o', &job) > 0 &&
	    read_text(message, 's', &unit) > 0 && read_text(message, 's', &result) > 0 &&
	    strcmp(job, bus->job) == 0)
		format_text(bus->result, sizeof(bus->result), "%s", result);
	return 0;
}

/* The signal must be awaited before the job exists. It is dropped with the connection. */
static int subscribe(struct bus *bus)
{
	automessage message = NULL;
	automessage reply = NULL;
	int r = sd.match_signal(bus->connection, NULL, SERVICE, OBJECT, MANAGER, "JobRemoved",
				on_job_removed, bus);

	if (r >= 0)
		r = new_call(bus, "Subscribe", NULL, &message);
	if (r >= 0)
		r = sd.call(bus->connection, message, left_us(bus), NULL, &reply);
	return r;
}

/* Waits until the job of that name has ended. @returns 0, -ETIMEDOUT or -errno */
static int wait_for_job(struct bus *bus)
{
	int r = 0;

	while (r >= 0 && !bus->result[0])
		r = make_progress(bus);
	return r;
}

/* Calls a method that answers with a job. @returns 0, -EEXIST, -ENOENT (no such unit), or -1 */
static int run_job(struct bus *bus, struct sd_bus_message *message, const char *what,
		   const char *unit, struct hoy_error *err)
{
	autoerror error = { .name = NULL };
	automessage reply = NULL;
	const char *job = NULL;
	int r = sd.call(bus->connection, message, left_us(bus), &error, &reply);

	if (r < 0) {
		fail_call(err, r, &error, what, unit);
		if (is_error(&error, UNIT_HERE))
			return -EEXIST;
		return is_error(&error, NO_UNIT) ? -ENOENT : -1;
	}
	r = read_text(reply, 'o', &job);
	if (r < 0)
		return fail(err, r, "%s systemd unit %s", what, unit);
	bus->result[0] = '\0';
	format_text(bus->job, sizeof(bus->job), "%s", job);
	r = wait_for_job(bus);
	if (r < 0)
		return fail(err, r, "%s systemd unit %s: wait for its job", what, unit);
	if (strcmp(bus->result, "done") != 0)
		return fail(err, 0, "%s systemd unit %s: its job ended with \"%s\"", what, unit,
			    bus->result);
	return 0;
}

int bus_start_unit(struct bus *bus, const char *unit, const struct systemd_properties *properties,
		   struct hoy_error *err)
{
	automessage message = NULL;
	int r = subscribe(bus);

	if (r >= 0)
		r = new_call(bus, "StartTransientUnit", unit, &message);
	if (r >= 0)
		r = sd.message_append_basic(message, 's', "fail");
	if (r >= 0)
		r = append_properties(message, properties);
	/* No auxiliary units. */
	if (r >= 0)
		r = sd.message_open_container(message, 'a', "(sa(sv))");
	if (r >= 0)
		r = sd.message_close_container(message);
	if (r < 0)
		return fail(err, r, "start systemd unit %s", unit);
	r = run_job(bus, message, "start", unit, err);
	return r == -ENOENT ? -1 : r;
}

int bus_stop_unit(struct bus *bus, const char *unit, struct hoy_error *err)
{
	automessage message = NULL;
	int r = subscribe(bus);

	if (r >= 0)
		r = new_call(bus, "StopUnit", unit, &message);
	if (r >= 0)
		r = sd.message_append_basic(message, 's', "replace");
	if (r < 0)
		return fail(err, r, "stop systemd unit %s", unit);
	r = run_job(bus, message, "stop", unit, err);
	if (r == -ENOENT)
		*err = (struct hoy_error){ .code = 0 };
	return r == -ENOENT ? 0 : r;
}

void bus_reset_failed(struct bus *bus, const char *unit)
{
	autoerror error = { .name = NULL };
	automessage message = NULL;
	automessage reply = NULL;

	if (new_call(bus, "ResetFailedUnit", unit, &message) >= 0)
		(void)sd.call(bus->connection, message, left_us(bus), &error, &reply);
}

int bus_set_properties(struct bus *bus, const char *unit,
		       const struct systemd_properties *properties, struct hoy_error *err)
{
	autoerror error = { .name = NULL };
	automessage message = NULL;
	automessage reply = NULL;
	int runtime_only = true;
	int r = new_call(bus, "SetUnitProperties", unit, &message);

	if (r >= 0)
		r = sd.message_append_basic(message, 'b', &runtime_only);
	if (r >= 0)
		r = append_properties(message, properties);
	if (r >= 0)
		r = sd.call(bus->connection, message, left_us(bus), &error, &reply);
	return r < 0 ? fail_call(err, r, &error, "change", unit) : 0;
}

int bus_attach_process(struct bus *bus, const char *unit, const char *below, pid_t pid,
		       struct hoy_error *err)
{
	autoerror error = { .name = NULL };
	automessage message = NULL;
	automessage reply = NULL;
	uint32_t number = (uint32_t)pid;
	int r = new_call(bus, "AttachProcessesToUnit", unit, &message);

	if (r >= 0)
		r = sd.message_append_basic(message, 's', below);
	if (r >= 0)
		r = sd.message_append_array(message, 'u', &number, sizeof(number));
	if (r >= 0)
		r = sd.call(bus->connection, message, left_us(bus), &error, &reply);
	return r < 0 ? fail_call(err, r, &error, "put a process into", unit) : 0;
}

/* The object of a unit in the manager's tree. */
static int get_unit(struct bus *bus, const char *unit, struct bus_error *error,
		    struct sd_bus_message **ret_reply, const char **ret_object)
{
	automessage message = NULL;
	int r = new_call(bus, "GetUnit", unit, &message);

	if (r >= 0)
		r = sd.call(bus->connection, message, left_us(bus), error, ret_reply);
	return r < 0 ? r : read_text(*ret_reply, 'o', ret_object);
}

static int get_property(struct bus *bus, const char *object, const char *interface,
			const char *property, struct sd_bus_message **ret_reply)
{
	automessage message = NULL;
	int r = sd.message_new_method_call(bus->connection, &message, SERVICE, object,
					   "org.freedesktop.DBus.Properties", "Get");

	if (r >= 0)
		r = sd.message_append_basic(message, 's', interface);
	if (r >= 0)
		r = sd.message_append_basic(message, 's', property);
	return r < 0 ? r : sd.call(bus->connection, message, left_us(bus), NULL, ret_reply);
}

int bus_control_group(struct bus *bus, const char *unit, char *ret_path, size_t size,
		      struct hoy_error *err)
{
	autoerror error = { .name = NULL };
	automessage unit_reply = NULL;
	automessage reply = NULL;
	const char *object, *path = NULL;
	int r = get_unit(bus, unit, &error, &unit_reply, &object);

	if (r >= 0)
		r = get_property(bus, object, "org.freedesktop.systemd1.Scope", "ControlGroup",
				 &reply);
	if (r >= 0)
		r = sd.message_enter_container(reply, 'v', "s");
	if (r >= 0)
		r = read_text(reply, 's', &path);
	if (r < 0)
		return fail_call(err, r, &error, "find the cgroup of", unit);
	if (*path != '/' || strlen(path) >= size)
		return fail(err, 0, "systemd unit %s has no cgroup", unit);
	format_text(ret_path, size, "%s", path);
	return 0;
}
