/* SPDX-License-Identifier: Apache-2.0 */
/* What a container can be: runtime.md#state, and paused. Runs in the runtime. Data. */
#include "spec/status.h"

#include <hoy/state.h>

static const struct word words[] = {
	{ "created", HOY_CREATED }, { "creating", HOY_CREATING }, { "paused", HOY_PAUSED },
	{ "running", HOY_RUNNING }, { "stopped", HOY_STOPPED },
};

const struct vocabulary status_names = VOCABULARY("status", words);

const char *hoy_status_name(enum hoy_status status)
{
	const char *name = word_name(&status_names, status);

	return name ? name : "unknown";
}
