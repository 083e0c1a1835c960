/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user's home out of the image's passwd(5): name:password:uid:gid:comment:HOME:shell. Runs in
 * init; looks at bytes only, opens nothing, allocates nothing.
 */
#include "init/passwd.h"

#include <stdint.h>

static bool is_uid(const char *text, size_t len, uid_t uid)
{
	uint64_t value = 0;

	if (len == 0 || len > 10)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	return value == uid;
}

static void end_field(struct passwd_scan *scan)
{
	if (scan->field == 2)
		scan->skip = !is_uid(scan->text, scan->len, scan->uid);
	if (scan->field == 5 && !scan->skip && scan->len > 0 && scan->len < sizeof(scan->text)) {
		scan->text[scan->len] = '\0';
		scan->found = true;
	}
	scan->field++;
	scan->len = 0;
}

/* One byte of passwd(5): name:password:uid:gid:comment:HOME:shell. @returns true when done */
static bool scan_byte(struct passwd_scan *scan, char c)
{
	if (c == ':' || c == '\n') {
		end_field(scan);
		if (c == '\n') {
			scan->field = 0;
			scan->skip = false;
		}
		return scan->found;
	}
	if (scan->len < sizeof(scan->text))
		scan->text[scan->len++] = c;
	return false;
}

bool passwd_scan(struct passwd_scan *scan, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (scan_byte(scan, bytes[i]))
			return true;
	return false;
}
