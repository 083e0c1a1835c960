/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Talking to systemd's manager object over D-Bus, by libsystemd, which is loaded only when it is
 * needed. Every call has a deadline. Runtime only.
 */
#ifndef HOY_CGROUP_BUS_H
#define HOY_CGROUP_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <hoy/error.h>

#include "cgroup/systemd_property.h"

struct sd_bus;

struct bus {
	struct sd_bus *connection;
	/** Point in time (clock_ms()) at which everything must be done. */
	int64_t deadline_ms;
	/** The job that is waited for, "" before its name is known, and how it ended. */
	char job[128], result[32];
};

#define BUS_NONE ((struct bus){ .connection = NULL })

/**
 * Connects to the systemd of the system, or of the calling user.
 * @returns 0, or -1 with an error that says what is missing: the library, systemd, or the bus
 */
int bus_open(bool user, int64_t deadline_ms, struct bus *ret_bus, struct hoy_error *err);

void bus_done(struct bus *bus);

/**
 * Starts a transient unit and waits until it runs.
 * @returns 0, -EEXIST if there is a unit of that name, or -1; err is set for both
 */
int bus_start_unit(struct bus *bus, const char *unit, const struct systemd_properties *properties,
		   struct hoy_error *err);

/** Stops a unit and waits until it has. @returns 0, also if there is no such unit, or -1 */
int bus_stop_unit(struct bus *bus, const char *unit, struct hoy_error *err);

/** Makes systemd forget a unit that has failed. Whether it can is seen by what comes after. */
void bus_reset_failed(struct bus *bus, const char *unit);

/** Changes properties until the next boot. */
int bus_set_properties(struct bus *bus, const char *unit,
		       const struct systemd_properties *properties, struct hoy_error *err);

/** Puts a process into the cgroup of a unit, or into the one at `below` in it ("/" = itself). */
int bus_attach_process(struct bus *bus, const char *unit, const char *below, pid_t pid,
		       struct hoy_error *err);

/**
 * The cgroup of a unit, below the mount point, "/system.slice/x.scope".
 * @param ret_path  of `size` bytes
 */
int bus_control_group(struct bus *bus, const char *unit, char *ret_path, size_t size,
		      struct hoy_error *err);

#endif
