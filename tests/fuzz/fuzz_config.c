/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a config.json. */
#include "fuzz.h"

static void note(const struct hoy_log_entry *entry, void *data)
{
	(void)data;
	MUST(entry->message && entry->at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct config_report report = { .log = note };
	struct arena arena = { 0 };
	struct hoy_error err = { 0 };
	struct config *config;

	if (config_read(fuzz_file(data, size), "config.json", &arena, &report, &config, &err) == 0)
		fuzz_plan(config);
	else
		fuzz_check_error(&err);
	arena_done(&arena);
	return 0;
}
