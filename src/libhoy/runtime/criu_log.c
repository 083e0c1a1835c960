/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What CRIU's log says of a failure: CRIU itself answers with hardly more than a number. Runs in
 * the runtime.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/criu.h"
#include "sys/cleanup.h"
#include "sys/error.h"
#include "sys/fd.h"

/* The last errors are nearer to the cause than what follows from them is long. */
#define ERRORS_MAX 3
/* How much of the end of a log is looked at. */
#define TAIL_SIZE (64 * 1024)

/* "(00.012345) Error (criu/mount.c:123): TEXT", and with a pid before "Error" in a restored task */
static const char *error_of(const char *line, size_t len, size_t *ret_len)
{
	static const char mark[] = "Error (";
	const char *found = memmem(line, len, mark, sizeof(mark) - 1), *text;

	if (!found)
		return NULL;
	text = memmem(found, len - (size_t)(found - line), "): ", 3);
	text = text ? text + 3 : found;
	*ret_len = len - (size_t)(text - line);
	return text;
}

unsigned int criu_log_errors(const char *text, char *buffer, size_t size)
{
	struct {
		const char *text;
		size_t len;
	} errors[ERRORS_MAX];
	unsigned int count = 0, first;
	size_t used = 0, len;

	for (const char *line = text; *line; line += len + (line[len] == '\n')) {
		size_t error_len = 0;
		const char *error;

		len = strcspn(line, "\n");
		error = error_of(line, len, &error_len);
		if (!error)
			continue;
		errors[count % ERRORS_MAX].text = error;
		errors[count++ % ERRORS_MAX].len = error_len;
	}
	first = count > ERRORS_MAX ? count - ERRORS_MAX : 0;
	if (size)
		buffer[0] = '\0';
	for (unsigned int i = first; i < count && used < size; i++)
		used += format_text(buffer + used, size - used, "%s%.*s", i > first ? "; " : "",
				    (int)errors[i % ERRORS_MAX].len, errors[i % ERRORS_MAX].text);
	return count - first;
}

/* @returns the end of a file, terminated, or NULL */
static char *read_tail(int fd)
{
	autofree char *text = malloc(TAIL_SIZE + 1);
	struct stat st;
	ssize_t len;

	if (!text || fstat(fd, &st) < 0)
		return NULL;
	len = pread(fd, text, TAIL_SIZE, st.st_size > TAIL_SIZE ? st.st_size - TAIL_SIZE : 0);
	if (len < 0)
		return NULL;
	text[len] = '\0';
	return take_ptr(&text);
}

int criu_log_fail(int directory, const char *name, const char *what, struct hoy_error *err)
{
	autoclose int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	autofree char *text = fd >= 0 ? read_tail(fd) : NULL;
	char errors[768], path[PATH_MAX];

	if (!text)
		return fail(err, 0, "%s: CRIU failed and left no %s", what, name);
	if (fd_path(directory, path, sizeof(path)) < 0)
		path[0] = '\0';
	if (criu_log_errors(text, errors, sizeof(errors)) == 0)
		fail(err, 0, "%s: CRIU failed", what);
	else
		fail(err, 0, "%s: CRIU failed: %s", what, errors);
	return fail_hint(err, "its log is %s/%s", path, name);
}
