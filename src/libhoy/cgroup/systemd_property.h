/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of a systemd unit: limits, device rules and annotations in systemd's words. Pure, and
 * independent of the bus that carries them. Runtime only.
 */
#ifndef HOY_CGROUP_SYSTEMD_PROPERTY_H
#define HOY_CGROUP_SYSTEMD_PROPERTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hoy/error.h>

#include "base/arena.h"
#include "plan/plan.h"

struct systemd_property {
	const char *name;
	/** D-Bus type: one of "b", "i", "u", "x", "t", "s", "as", "ay", "au", "a(ss)". */
	const char *type;
	/** "b", "i", "u", "x", "t", and the only element of "au". */
	uint64_t number;
	/** "s": one; "as": all; "a(ss)": pairs. */
	const char **strings;
	/** Strings, or bytes. */
	size_t len;
	const uint8_t *bytes;
};

/** A list in an arena; `failed` when memory ran out, which the caller checks once. */
struct systemd_properties {
	struct arena *arena;
	struct systemd_property *items;
	size_t len, size;
	bool failed;
};

void systemd_add_number(struct systemd_properties *properties, const char *name, const char *type,
			uint64_t number);
void systemd_add_string(struct systemd_properties *properties, const char *name,
			const char *string);

/**
 * The limits that systemd knows, so that it does not undo them when it applies its own idea of the
 * unit again. All others are left out.
 */
void systemd_add_limits(struct systemd_properties *properties,
			const struct plan_cgroup_write *writes, size_t len, bool late);

/**
 * DevicePolicy and DeviceAllow. systemd cannot express every rule (order, a minor of any major), so
 * that what it is told allows more than the rules where it must, and never less: hoy's own program
 * is what decides.
 * @param devices  text of /proc/devices, where systemd's names for majors are
 */
void systemd_add_devices(struct systemd_properties *properties,
			 const struct plan_device_rule *rules, size_t len, const char *devices);

/**
 * The annotation org.systemd.property.NAME: GVariant text of a string, boolean, 32 or 64 bit
 * integer, or list of strings. NAMESec becomes NAMEUSec in microseconds.
 * @returns 0 or -1 with err set
 */
int systemd_add_annotation(struct systemd_properties *properties, const char *name,
			   const char *text, struct hoy_error *err);

#endif
