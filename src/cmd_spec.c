/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hoy spec: writes a default configuration to start a bundle with. Runs in the program. An
 * existing file is never overwritten.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "sys/cleanup.h"
#include "sys/error.h"
#include "sys/fd.h"

static const char *bundle = ".", *file = "config.json";
static bool rootless;

const struct option spec_options[] = {
	{ "bundle", 'b', OPTION_TEXT, &bundle, "DIR", "where to write it (default: .)", NULL },
	{ "file", 'f', OPTION_TEXT, &file, "FILE", "its name (default: config.json)", NULL },
	{ "rootless", 0, OPTION_FLAG, &rootless, NULL, "for a user without privilege", NULL },
	OPTION_END,
};

int cmd_spec(const struct program *program, char **words, struct hoy_error *err)
{
	autofree char *json = hoy_spec_json(rootless);
	autoclose int dirfd = -1, fd = -1;
	int r;

	(void)program;
	(void)words;
	if (!json)
		return fail(err, ENOMEM, "make the configuration");
	if (strcmp(file, "-") == 0) {
		puts(json);
		return 0;
	}
	dirfd = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return fail(err, errno, "open bundle %s", bundle);
	fd = openat(dirfd, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return fail(err, errno, "make %s", file);
	r = fd_write_all(fd, json, strlen(json));
	if (r == 0)
		r = fd_write_all(fd, "\n", 1);
	return r < 0 ? fail(err, r, "write %s", file) : 0;
}
