/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hoy in containerd's config.toml. Its plugins' sections cannot be given in a drop-in: before
 * version 2, containerd lets an imported file replace a plugin's whole section. So lines go into
 * the file itself, marked in such a way that taking them out gives the file back byte for byte,
 * whatever else was changed meanwhile. Runs in the program; touches no file.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/string.h"
#include "install.h"
#include "sys/cleanup.h"
#include "sys/error.h"

#define BEGIN	      "# BEGIN hoy install containerd"
#define BEGIN_NO_END  BEGIN ", the line above had no line feed"
#define BEGIN_NO_FILE BEGIN ", there was no file"
#define END	      "# END hoy install containerd"

#define DEFAULT_KEY "default_runtime_name"
#define WAS_ABSENT  " # hoy: was absent"
#define WAS	    " # hoy: was: "

/* Longest header of a table that is looked at; ours are far shorter. */
#define HEADER_SIZE 256

/** The section of the plugin that runs containers for Kubernetes, by the file's version. */
static const char *const plugins[] = {
	[2] = "io.containerd.grpc.v1.cri",
	[3] = "io.containerd.cri.v1.runtime",
};

/** What a configuration has. Places are lines in it. */
struct scan {
	int version;
	const char *plugin;
	/** The header of plugins.PLUGIN.containerd, and default_runtime_name below it, or NULL. */
	const char *header, *default_line;
	bool has_runtimes, has_hoy, has_systemd_cgroup, has_inline, has_long_strings;
};

static size_t line_len(const char *line)
{
	const char *end = strchr(line, '\n');

	return end ? (size_t)(end - line) + 1 : strlen(line);
}

static const char *skip_blanks(const char *place)
{
	return place + strspn(place, " \t");
}

/** Copies one part of a dotted key. @returns what follows it, or NULL */
static const char *take_key(const char *place, struct text *path)
{
	size_t len;

	if (*place == '"' || *place == '\'') {
		const char quotes[] = { *place++, '\n', '\0' };

		len = strcspn(place, quotes);
		if (place[len] != quotes[0])
			return NULL;
		text_add_bytes(path, place, len);
		return skip_blanks(place + len + 1);
	}
	len = strcspn(place, " \t.=]\n");
	text_add_bytes(path, place, len);
	return len > 0 ? skip_blanks(place + len) : NULL;
}

/**
 * The parts of a table's header, "[a.'b.c']", or of a key before "=", joined by slashes: "a/b.c".
 * @returns "" for another line
 */
static void read_key(const char *line, bool header, char ret_path[HEADER_SIZE])
{
	autotext struct text path = { 0 };
	const char *place = skip_blanks(line);

	ret_path[0] = '\0';
	if (header && *place++ != '[')
		return;
	place = take_key(skip_blanks(place), &path);
	while (place && *place == '.') {
		text_add(&path, "/");
		place = take_key(skip_blanks(place + 1), &path);
	}
	if (place && *place == (header ? ']' : '=') && path.bytes)
		format_text(ret_path, HEADER_SIZE, "%s", path.bytes);
}

static bool is_key(const char *line, const char *name)
{
	char key[HEADER_SIZE];

	read_key(line, false, key);
	return strcmp(key, name) == 0;
}

/** What comes behind "=" of a line with a key. */
static const char *value_of(const char *line)
{
	return skip_blanks(strchr(line, '=') + 1);
}

static void scan_header(struct scan *scan, const char *line, const char *table, const char *base)
{
	size_t len = strlen(base);

	if (strcmp(table, base) == 0)
		scan->header = line;
	if (strncmp(table, base, len) != 0 || !string_starts(table + len, "/runtimes/"))
		return;
	scan->has_runtimes = true;
	scan->has_hoy = scan->has_hoy || strcmp(table + len, "/runtimes/hoy") == 0;
}

/** Whether a line gives a section of ours in braces, or by a key with dots. */
static bool is_inline(const char *line, const char *table, const char *key, const char *base)
{
	char here[2 * HEADER_SIZE], ours[2 * HEADER_SIZE];

	format_text(here, sizeof(here), "%s%s%s", table, table[0] ? "/" : "", key);
	format_text(ours, sizeof(ours), "%s/runtimes/hoy/options", base);
	if (strchr(key, '/'))
		return string_starts(here, base);
	return string_starts(ours, here) && *value_of(line) == '{';
}

static void scan_key(struct scan *scan, const char *line, const char *table, const char *base)
{
	char key[HEADER_SIZE];

	read_key(line, false, key);
	if (!key[0])
		return;
	if (!table[0] && strcmp(key, "version") == 0)
		scan->version = atoi(value_of(line));
	else if (strcmp(table, base) == 0 && strcmp(key, DEFAULT_KEY) == 0)
		scan->default_line = line;
	else if (strcmp(key, "SystemdCgroup") == 0 && string_starts(value_of(line), "true"))
		scan->has_systemd_cgroup = true;
	/* To such a section no table can be added. */
	if (is_inline(line, table, key, base))
		scan->has_inline = true;
}

static struct scan scan_with(const char *text, int version)
{
	struct scan scan = { .plugin = plugins[version] };
	char base[HEADER_SIZE], table[HEADER_SIZE] = "", header[HEADER_SIZE];

	format_text(base, sizeof(base), "plugins/%s/containerd", scan.plugin);
	for (const char *line = text; *line; line += line_len(line)) {
		read_key(line, true, header);
		if (header[0]) {
			memcpy(table, header, sizeof(table));
			scan_header(&scan, line, table, base);
		} else if (*skip_blanks(line) != '#') {
			scan_key(&scan, line, table, base);
		}
	}
	scan.has_long_strings = strstr(text, "\"\"\"") || strstr(text, "'''");
	return scan;
}

static int fail_by_hand(struct hoy_error *err, const struct install_target *target, const char *why)
{
	fail(err, 0, "%s %s", target->path, why);
	return fail_hint(err, "add hoy by hand, as contrib/engines/containerd does");
}

/** Reads a configuration; one that cannot be changed safely is an error. */
static int scan_text(const struct install_target *target, const char *text, struct scan *ret_scan,
		     struct hoy_error *err)
{
	struct scan scan = scan_with(text, 2);

	if (scan.version == 0 || scan.version == 1) {
		fail(err, 0, "%s is of version 1", target->path);
		return fail_hint(err, "\"containerd config migrate\" prints it in a newer version");
	}
	if (scan.version != 2 && scan.version != 3)
		return fail_by_hand(err, target, "is of a version that hoy does not know");
	scan = scan_with(text, scan.version);
	if (scan.has_inline)
		return fail_by_hand(err, target, "has the plugin's section in another form");
	if (scan.has_long_strings)
		return fail_by_hand(err, target, "has strings of several lines");
	*ret_scan = scan;
	return 0;
}

static void add_table(struct text *text, const struct scan *scan, const char *rest)
{
	text_add_format(text, "\n[plugins.\"%s\".containerd%s]\n", scan->plugin, rest);
}

/** The lines at the end of the file. */
static void add_block(struct text *text, const struct install *install, const struct scan *scan,
		      const char *base)
{
	size_t len = base ? strlen(base) : 0;

	if (len > 0 && base[len - 1] != '\n')
		text_add(text, "\n" BEGIN_NO_END "\n");
	else
		text_add(text, base ? BEGIN "\n" : BEGIN_NO_FILE "\nversion = 2\n");
	if (install->make_default && !scan->header) {
		add_table(text, scan, "");
		text_add(text, "  " DEFAULT_KEY " = \"hoy\"\n");
	}
	/* containerd adds it by itself only as long as the file names no runtime. */
	if (!scan->has_runtimes) {
		add_table(text, scan, ".runtimes.runc");
		text_add(text, "  runtime_type = \"io.containerd.runc.v2\"\n");
	}
	if (!scan->has_hoy) {
		add_table(text, scan, ".runtimes.hoy");
		text_add(text, "  runtime_type = \"io.containerd.runc.v2\"\n");
		add_table(text, scan, ".runtimes.hoy.options");
		text_add_format(text, "  BinaryName = \"%s\"\n", install->program);
		text_add_format(text, "  SystemdCgroup = %s\n",
				scan->has_systemd_cgroup ? "true" : "false");
	}
	text_add(text, END "\n");
}

/** The file's own lines, with the default where its table is. */
static void add_lines(struct text *text, const struct install *install, const struct scan *scan,
		      const char *base)
{
	size_t len;

	for (const char *line = base; *line; line += len) {
		len = line_len(line);
		if (install->make_default && line == scan->default_line)
			text_add(text, "  " DEFAULT_KEY " = \"hoy\"" WAS);
		text_add_bytes(text, line, len);
		if (!install->make_default || scan->default_line || line != scan->header)
			continue;
		if (line[len - 1] != '\n')
			text_add(text, "\n");
		text_add(text, "  " DEFAULT_KEY " = \"hoy\"" WAS_ABSENT);
		if (line[len - 1] == '\n')
			text_add(text, "\n");
	}
}

int containerd_apply(const struct install *install, const struct install_target *target,
		     const char *base, char **ret_text, struct hoy_error *err)
{
	struct scan scan = { .version = 2, .plugin = plugins[2] };
	autotext struct text text = { 0 };

	if (base && scan_text(target, base, &scan, err) < 0)
		return -1;
	if (base)
		add_lines(&text, install, &scan, base);
	add_block(&text, install, &scan, base);
	*ret_text = text_take(&text);
	return *ret_text ? 0 : fail(err, ENOMEM, "compose %s", target->path);
}

/** Adds a line as it was before. @returns the length of what it is now */
static size_t revert_line(struct text *text, const char *line)
{
	size_t len = line_len(line);
	const char *was;

	if (!is_key(line, DEFAULT_KEY)) {
		text_add_bytes(text, line, len);
		return len;
	}
	was = memmem(line, len, WAS, strlen(WAS));
	if (was) {
		was += strlen(WAS);
		text_add_bytes(text, was, len - (size_t)(was - line));
	} else if (!memmem(line, len, WAS_ABSENT, strlen(WAS_ABSENT))) {
		text_add_bytes(text, line, len);
	}
	return len;
}

int containerd_revert(const struct install_target *target, const char *now, const char *before,
		      char **ret_text, struct hoy_error *err)
{
	autotext struct text text = { 0 };
	bool no_file = false;

	(void)before;
	text_add(&text, "");
	for (const char *line = now; *line;) {
		const char *end = string_starts(line, BEGIN) ? strstr(line, END) : NULL;

		if (!end) {
			line += revert_line(&text, line);
			continue;
		}
		no_file = string_starts(line, BEGIN_NO_FILE);
		if (string_starts(line, BEGIN_NO_END) && text.len > 0)
			text.bytes[--text.len] = '\0';
		line = end + line_len(end);
	}
	if (no_file && text.len == 0 && !text.failed) {
		*ret_text = NULL;
		return 0;
	}
	*ret_text = text_take(&text);
	return *ret_text ? 0 : fail(err, ENOMEM, "compose %s", target->path);
}
