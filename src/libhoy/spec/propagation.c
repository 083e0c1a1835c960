/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Propagation of the root: config-linux.md#rootfs-mount-propagation, and the recursive spellings
 * that engines write. Runs in the runtime. Data.
 */
#include "spec/propagation.h"

#include <sys/mount.h>

static const struct word words[] = {
	{ "private", MS_PRIVATE }, { "rprivate", MS_PRIVATE },	     { "rshared", MS_SHARED },
	{ "rslave", MS_SLAVE },	   { "runbindable", MS_UNBINDABLE }, { "shared", MS_SHARED },
	{ "slave", MS_SLAVE },	   { "unbindable", MS_UNBINDABLE },
};

const struct vocabulary propagation_types = VOCABULARY("propagation", words);
