/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a process object, as `exec --process` takes it, and as resources for `update` too. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct config_report report = { 0 };
	struct arena arena = { 0 };
	struct hoy_error err = { 0 };
	struct config_process *process;
	struct config_resources *resources;

	if (config_read_process(fuzz_file(data, size), "process.json", &arena, &report, &process,
				&err) == 0)
		fuzz_plan_process(process);
	else
		fuzz_check_error(&err);
	err = (struct hoy_error){ 0 };
	if (config_read_resources(fuzz_file(data, size), "resources.json", &arena, &report,
				  &resources, &err) == 0) {
		fuzz_plan_resources(resources);
	} else {
		fuzz_check_error(&err);
	}
	arena_done(&arena);
	return 0;
}
