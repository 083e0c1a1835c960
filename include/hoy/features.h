/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOY_FEATURES_H
#define HOY_FEATURES_H

#pragma GCC visibility push(default)

/** The features document of the specification (features.md) as JSON; release with free(). */
char *hoy_features_json(void);

/** The default configuration that `hoy spec` writes, as JSON; release with free(). */
char *hoy_spec_json(int rootless);

/** Version of this library, "0.1.0". */
const char *hoy_version(void);

/** The commit this library was built from, "unknown" outside a repository. */
const char *hoy_commit(void);

/** What this build can do, one "+NAME" or "-NAME" each, NULL-terminated. */
const char *const *hoy_build_features(void);

#pragma GCC visibility pop

#endif
