/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hoy_explain: what create would do with a bundle, without doing any of it. Runs in the runtime. It
 * reads what create reads and computes the same plan; nothing is made, the state root included.
 */
#include <errno.h>

#include <hoy/container.h>

#include "plan/dump.h"
#include "runtime/input.h"
#include "sys/error.h"

int hoy_explain(const struct hoy_context *context, const char *id,
		const struct hoy_create_options *options, bool as_json, char **ret_text,
		struct hoy_error *err)
{
	struct input input = INPUT_NONE;
	int r = input_read(&input, context, id, options, -1, err);
	char *text = NULL;

	if (r == 0) {
		text = as_json ? plan_dump_json(input.plan) : plan_dump_text(input.plan);
		r = text ? 0 : fail(err, ENOMEM, "print the plan");
	}
	input_done(&input);
	if (r < 0)
		return -1;
	*ret_text = text;
	return 0;
}
