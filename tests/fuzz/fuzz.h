/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets share. A target's file has one LLVMFuzzerTestOneInput(). */
#ifndef HOY_FUZZ_H
#define HOY_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "config/config.h"
#include "host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** What must hold whatever the input is. */
#define MUST(condition)                                                                 \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

/** A file with this text, open at its start; the same descriptor each time. */
int fuzz_file(const void *data, size_t size);

/** Root on an ordinary machine, and an ordinary user. */
extern const struct host fuzz_hosts[2];

/** Plans what was read, on each of the hosts; a plan that comes about is printed both ways. */
void fuzz_plan(const struct config *config);
void fuzz_plan_process(const struct config_process *process);
void fuzz_plan_resources(struct config_resources *resources);

/** An error is text that ends and holds nothing that a terminal would take for an order. */
void fuzz_check_error(const struct hoy_error *err);

#endif
