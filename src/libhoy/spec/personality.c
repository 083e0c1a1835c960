/* SPDX-License-Identifier: Apache-2.0 */
/* Execution domains: config-linux.md#personality, personality(2). Runs in the runtime. Data. */
#include "spec/personality.h"

#include <linux/personality.h>

static const struct word words[] = {
	{ "LINUX", PER_LINUX },
	{ "LINUX32", PER_LINUX32 },
};

const struct vocabulary personality_domains = VOCABULARY("domain", words);
