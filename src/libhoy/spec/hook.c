/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of hooks: config.md#posix-platform-hooks. Runs in the runtime. Data. */
#include "spec/hook.h"

static const struct word words[] = {
	{ "createContainer", HOOK_CREATE_CONTAINER },
	{ "createRuntime", HOOK_CREATE_RUNTIME },
	{ "poststart", HOOK_POSTSTART },
	{ "poststop", HOOK_POSTSTOP },
	{ "prestart", HOOK_PRESTART },
	{ "startContainer", HOOK_START_CONTAINER },
};

const struct vocabulary hook_kinds = VOCABULARY("hook", words);
