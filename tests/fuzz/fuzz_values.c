/* SPDX-License-Identifier: Apache-2.0 */
/* Input: one text, which each parser of single values gets. */
#include <linux/limits.h>
#include <string.h>

#include "base/json_read.h"
#include "base/json_write.h"
#include "base/number.h"
#include "base/string.h"
#include "cgroup/systemd_property.h"
#include "fuzz.h"
#include "init/passwd.h"
#include "spec/capability.h"
#include "spec/mount_option.h"
#include "spec/signal.h"
#include "spec/sysctl.h"
#include "state/state.h"
#include "sys/path.h"

static void check_numbers(const char *text)
{
	char again[32];
	uint64_t number;
	int64_t integer;
	uint32_t id;

	if (number_unsigned(text, UINT64_MAX, &number) == 0) {
		snprintf(again, sizeof(again), "%llu", (unsigned long long)number);
		MUST(strcmp(again, text + strspn(text, "0") - (number == 0)) == 0);
	}
	if (number_signed(text, INT64_MIN, INT64_MAX, &integer) == 0)
		MUST(string_is_made_of(text + (*text == '-'), "0123456789"));
	if (number_uid(text, &id) == 0)
		MUST(id != UINT32_MAX && string_is_made_of(text, "0123456789"));
	if (number_octal(text, 07777, &id) == 0)
		MUST(id <= 07777 && string_is_made_of(text, "01234567"));
	if (number_size(text, &number) == 0)
		MUST(*text >= '0' && *text <= '9');
	if (number_limit(text, &integer) == 0)
		MUST(integer >= -1);
}

static void check_range(void *data, unsigned int first, unsigned int last)
{
	MUST(first <= last && last <= *(unsigned int *)data);
}

static void check_words(const char *text)
{
	char name[PATH_MAX];
	int signal = signal_find(text);
	unsigned int max = 1023;

	(void)number_list(text, max, check_range, &max);
	MUST(signal < 0 || (signal >= 1 && signal <= 64));
	if (sysctl_path(text, name, sizeof(name)) == 0)
		MUST(*name && *name != '/' && !strstr(name, "/../") && !strstr(name, "//") &&
		     !string_starts(name, "../") && !string_ends(name, "/.."));
	if (capability_find(text) >= 0)
		MUST(string_is_made_of(text,
				       "ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"));
	if (capability_find(text) < 0)
		(void)capability_nearest(text, name);
	if (!mount_option_find(text))
		(void)mount_option_nearest(text);
	if (hoy_id_is_valid(text))
		MUST(!strchr(text, '/') && *text != '.' && strlen(text) <= 240);
}

static void check_paths(const char *text)
{
	char clean[PATH_MAX], again[PATH_MAX];

	if (path_clean(text, clean, sizeof(clean)) < 0)
		return;
	MUST(*clean == '/' && !strstr(clean, "//") && !strstr(clean, "/../") &&
	     !strstr(clean, "/./"));
	MUST(!string_ends(clean, "/..") && !string_ends(clean, "/."));
	MUST((clean[1] == '\0') == path_is_root(text));
	MUST(path_clean(clean, again, sizeof(again)) >= 0 && strcmp(clean, again) == 0);
}

static void check_texts(const char *text)
{
	struct text quoted = { 0 }, again = { 0 }, escaped = { 0 };
	const struct json_node *document;
	struct arena arena = { 0 };
	struct hoy_error err = { 0 };

	text_add_escaped(&escaped, text);
	MUST(!escaped.bytes || !string_has_control(escaped.bytes));
	text_add_char(&quoted, '[');
	json_quote(&quoted, text);
	text_add_char(&quoted, ']');
	MUST(quoted.bytes && json_read(quoted.bytes, quoted.len, &arena, &document, &err) == 0);
	MUST(document->len == 1 && document->children->type == JSON_STRING);
	/* What is no UTF-8 has been replaced; what came back is told the same way again. */
	text_add_char(&again, '[');
	json_quote(&again, document->children->text);
	text_add_char(&again, ']');
	MUST(strcmp(quoted.bytes, again.bytes) == 0);
	text_done(&quoted);
	text_done(&again);
	text_done(&escaped);
	arena_done(&arena);
}

static void check_home(const char *text, size_t len)
{
	struct passwd_scan scan = { .uid = 1000 };

	if (passwd_scan(&scan, text, len))
		MUST(memchr(scan.text, 0, sizeof(scan.text)) && !strchr(scan.text, '\n') &&
		     !strchr(scan.text, ':'));
}

static void check_property(const char *text)
{
	struct arena arena = { 0 };
	struct systemd_properties properties = { .arena = &arena };
	struct hoy_error err = { 0 };

	if (systemd_add_annotation(&properties, "org.systemd.property.ASec", text, &err) < 0)
		fuzz_check_error(&err);
	err = (struct hoy_error){ 0 };
	if (systemd_add_annotation(&properties, text, "'x'", &err) < 0)
		fuzz_check_error(&err);
	arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);

	MUST(text);
	check_numbers(text);
	check_words(text);
	check_paths(text);
	check_texts(text);
	check_property(text);
	check_home(text, strlen(text));
	free(text);
	return 0;
}
