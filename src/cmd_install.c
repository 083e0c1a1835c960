/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hoy install: makes an engine use hoy, says what it did, and takes it back. What each file
 * becomes is computed first; then, unless it is a dry run, all of them are written. A record says
 * that hoy is installed for an engine, and which directories were made for that. Runs in the
 * program.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/string.h"
#include "command.h"
#include "install.h"
#include "install_tree.h"
#include "sys/cleanup.h"
#include "sys/error.h"

#define TARGETS_MAX 4
#define RECORDS	    "/var/lib/hoy/install"
#define BEFORE	    ".before-hoy"

/* No format of an engine's configuration escapes any of these. */
#define PROGRAM_BYTES "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._+-@~"

static const char *root;
static bool dry_run, undo, no_default;

const struct option install_options[] = {
	{ "dry-run", 0, OPTION_FLAG, &dry_run, NULL, "only say what would be done", NULL },
	{ "no-default", 0, OPTION_FLAG, &no_default, NULL,
	  "make hoy known to the engine, but not its default", NULL },
	{ "root", 0, OPTION_TEXT, &root, "DIR", "write below DIR instead of /", NULL },
	{ "undo", 0, OPTION_FLAG, &undo, NULL, "put things back as they were", NULL },
	OPTION_END,
};

/** What happens to one file. Texts are NULL where there is no file. */
struct change {
	const struct install_target *target;
	char before_path[PATH_MAX];
	/** The file; what was saved of it; what it is without hoy; what it is to be. */
	char *now, *before, *base, *want;
};

/** One call of the command. */
struct work {
	const struct install_engine *engine;
	struct install install;
	struct tree tree;
	char record_path[PATH_MAX];
	/** NULL as long as hoy is not installed for this engine. */
	char *record;
	struct change changes[TARGETS_MAX];
	size_t changes_len;
};

static bool is_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static int copy(const char *text, char **ret_copy, struct hoy_error *err)
{
	char *copied = text ? strdup(text) : NULL;

	if (text && !copied)
		return fail(err, ENOMEM, "compose the files");
	*ret_copy = copied;
	return 0;
}

/* ---- what is to be done ---- */

/** Whether a file is what an install has made of what was saved, default or not. */
static bool comes_from_before(const struct work *work, const struct change *change)
{
	struct install install = work->install;

	for (int made_default = 0; made_default <= 1; made_default++) {
		autofree char *text = NULL;
		struct hoy_error ignored;

		install.make_default = made_default;
		if (change->now && change->before &&
		    change->target->apply(&install, change->target, change->before, &text,
					  &ignored) == 0 &&
		    is_same(text, change->now))
			return true;
	}
	return false;
}

static int find_base(const struct work *work, struct change *change, struct hoy_error *err)
{
	const struct install_target *target = change->target;

	if (comes_from_before(work, change))
		return copy(change->before, &change->base, err);
	if (change->now && (work->record || !target->needs_before))
		return target->revert(target, change->now, change->before, &change->base, err);
	return copy(change->now, &change->base, err);
}

static int plan_change(const struct work *work, struct change *change, struct hoy_error *err)
{
	const struct install_target *target = change->target;

	format_text(change->before_path, sizeof(change->before_path), "%s" BEFORE, target->path);
	if (tree_read(&work->tree, target->path, &change->now, err) < 0)
		return -1;
	if (target->needs_before &&
	    tree_read(&work->tree, change->before_path, &change->before, err) < 0)
		return -1;
	if (find_base(work, change, err) < 0)
		return -1;
	if (undo || (target->only_default && no_default))
		return copy(change->base, &change->want, err);
	return target->apply(&work->install, target, change->base, &change->want, err);
}

static int plan(struct work *work, struct hoy_error *err)
{
	format_text(work->record_path, sizeof(work->record_path), RECORDS "/%s",
		    work->engine->name);
	if (tree_read(&work->tree, work->record_path, &work->record, err) < 0)
		return -1;
	for (const struct install_target *target = work->engine->targets; target->path; target++) {
		struct change *change = &work->changes[work->changes_len++];

		change->target = target;
		if (plan_change(work, change, err) < 0)
			return -1;
	}
	return 0;
}

static bool is_any_changed(const struct work *work)
{
	for (size_t i = 0; i < work->changes_len; i++)
		if (!is_same(work->changes[i].now, work->changes[i].want))
			return true;
	return false;
}

/* ---- what was done ---- */

static size_t common_lines(const char *a, const char *b)
{
	size_t len = 0;

	for (size_t i = 0; a[i] && a[i] == b[i]; i++)
		if (a[i] == '\n')
			len = i + 1;
	return len;
}

static void print_lines(char sign, const char *text, const char *end)
{
	while (text < end) {
		const char *feed = memchr(text, '\n', (size_t)(end - text));
		const char *line_end = feed ? feed : end;

		printf("  %c %.*s\n", sign, (int)(line_end - text), text);
		text = line_end + 1;
	}
}

/** Prints what parts two texts, lines that are the same at their start and end left out. */
static void print_difference(const char *now, const char *want)
{
	size_t same = common_lines(now, want);
	const char *now_end = now + strlen(now), *want_end = want + strlen(want);
	const char *now_line = now_end, *want_line = want_end;

	while (now_end > now + same && want_end > want + same && now_end[-1] == want_end[-1]) {
		now_end--;
		want_end--;
		if (*now_end == '\n') {
			now_line = now_end + 1;
			want_line = want_end + 1;
		}
	}
	if (now_end == now + same || want_end == want + same) {
		now_line = now_end;
		want_line = want_end;
	}
	print_lines('-', now + same, now_line);
	print_lines('+', want + same, want_line);
}

static void print_change(const struct work *work, const struct change *change)
{
	const char *verb = undo ? "restore" : "change", *did = undo ? "restored" : "changed";

	if (is_same(change->now, change->want)) {
		if (change->now && !undo)
			printf("unchanged: %s%s\n", work->tree.root, change->target->path);
		return;
	}
	if (!change->now)
		verb = "make", did = "made";
	if (!change->want)
		verb = "remove", did = "removed";
	if (!dry_run) {
		printf("%s: %s%s\n", did, work->tree.root, change->target->path);
		return;
	}
	printf("would %s: %s%s\n", verb, work->tree.root, change->target->path);
	print_difference(change->now ? change->now : "", change->want ? change->want : "");
}

static void print_all(const struct work *work)
{
	for (size_t i = 0; i < work->changes_len; i++)
		print_change(work, &work->changes[i]);
	if (undo && !is_any_changed(work))
		printf("nothing to undo: hoy is not installed for %s\n", work->engine->name);
	if (is_any_changed(work) && work->engine->next && !root)
		printf("%s %s\n", dry_run ? "then run:" : "now run:", work->engine->next);
}

/* ---- the doing ---- */

/** Makes what directories are missing, and writes them down before anything else is done. */
static int make_directories(const struct work *work, struct hoy_error *err)
{
	autotext struct text record = { 0 };
	size_t len;

	text_add_format(&record, "%s",
			work->record ? work->record
				     : "# Written by \"hoy install\" for its --undo: the "
				       "directories that were made.\n");
	len = record.len;
	for (size_t i = 0; i < work->changes_len; i++)
		if (work->changes[i].want &&
		    tree_make_directory_of(&work->tree, work->changes[i].target->path, &record,
					   err) < 0)
			return -1;
	if (work->record && record.len == len)
		return 0;
	if (tree_make_directory_of(&work->tree, work->record_path, &record, err) < 0)
		return -1;
	if (record.failed)
		return fail(err, ENOMEM, "write the record");
	return tree_write(&work->tree, work->record_path, record.bytes, err);
}

/** Saves what was there, as long as hoy is there; forgets it afterwards. */
static int carry_out(const struct work *work, const struct change *change, struct hoy_error *err)
{
	const struct tree *tree = &work->tree;
	const char *path = change->target->path;
	bool keep = change->target->needs_before && change->base &&
		    !is_same(change->want, change->base);

	if (keep && !is_same(change->before, change->base) &&
	    tree_write(tree, change->before_path, change->base, err) < 0)
		return -1;
	if (change->want && !is_same(change->now, change->want) &&
	    tree_write(tree, path, change->want, err) < 0)
		return -1;
	if (!change->want && change->now && tree_remove(tree, path, err) < 0)
		return -1;
	if (!keep && change->before && tree_remove(tree, change->before_path, err) < 0)
		return -1;
	return 0;
}

/** Removes what directories were made, those made last first. */
static int remove_directories(const struct work *work, struct hoy_error *err)
{
	static const char *const ours[] = { RECORDS, "/var/lib/hoy" };
	char *line;

	if (!work->record)
		return 0;
	if (tree_remove(&work->tree, work->record_path, err) < 0)
		return -1;
	/* They may have been made for another engine; nobody but hoy uses them. */
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (tree_remove_directory(&work->tree, ours[i], err) < 0)
			return -1;
	while ((line = strrchr(work->record, '\n'))) {
		*line = '\0';
		line = strrchr(work->record, '\n');
		line = line ? line + 1 : work->record;
		if (line[0] == '/' && tree_remove_directory(&work->tree, line, err) < 0)
			return -1;
		if (line == work->record)
			break;
	}
	return 0;
}

static int carry_out_all(const struct work *work, struct hoy_error *err)
{
	if (!undo && make_directories(work, err) < 0)
		return -1;
	for (size_t i = 0; i < work->changes_len; i++)
		if (carry_out(work, &work->changes[i], err) < 0)
			return -1;
	return undo ? remove_directories(work, err) : 0;
}

/* ---- the command ---- */

/** Where this program is, as seen from the root that is written to. */
static int find_program(char path[PATH_MAX], char root_path[PATH_MAX], struct hoy_error *err)
{
	size_t len;

	if (!realpath("/proc/self/exe", path))
		return fail(err, errno, "find the program's own path");
	if (!realpath(root ? root : "/", root_path))
		return fail(err, errno, "find %s", root);
	len = strcmp(root_path, "/") == 0 ? 0 : strlen(root_path);
	if (len > 0 && strncmp(path, root_path, len) == 0 && path[len] == '/')
		memmove(path, path + len, strlen(path + len) + 1);
	root_path[len] = '\0';
	if (!string_is_made_of(path, PROGRAM_BYTES))
		return fail(err, 0, "the program's path cannot be written everywhere: %s", path);
	return 0;
}

static void work_done(struct work *work)
{
	for (size_t i = 0; i < work->changes_len; i++) {
		struct change *change = &work->changes[i];

		free(change->now);
		free(change->before);
		free(change->base);
		free(change->want);
	}
	free(work->record);
}

static const struct install_engine *find_engine(const char *name)
{
	for (const struct install_engine *engine = install_engines; engine->name; engine++)
		if (strcmp(engine->name, name) == 0)
			return engine;
	return NULL;
}

int cmd_install(const struct program *program, char **words, struct hoy_error *err)
{
	char path[PATH_MAX], root_path[PATH_MAX];
	struct work work = { .install = { path, !no_default } };
	autoclose int rootfd = -1;
	int r;

	(void)program;
	work.engine = words[0] ? find_engine(words[0]) : NULL;
	if (!work.engine) {
		(void)fail(err, 0,
			   words[0] ? "unknown engine \"%s\"" : "the engine's name is missing",
			   words[0]);
		return COMMAND_USAGE;
	}
	if (find_program(path, root_path, err) < 0)
		return -1;
	rootfd = open(root ? root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (rootfd < 0)
		return fail(err, errno, "open %s", root);
	work.tree = (struct tree){ rootfd, root_path };
	(void)umask(022);
	r = plan(&work, err);
	if (r == 0 && !dry_run)
		r = carry_out_all(&work, err);
	if (r == 0)
		print_all(&work);
	work_done(&work);
	return r;
}
