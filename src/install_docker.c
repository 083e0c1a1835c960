/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hoy in Docker's daemon.json: two members set in the text of the file, so that all else stays as
 * somebody wrote it, blanks included. Runs in the program; touches no file.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json_read.h"
#include "base/string.h"
#include "install.h"
#include "sys/cleanup.h"
#include "sys/error.h"

#define BLANKS "\t\n\r "

/** A member of an object in a text that is known to be JSON. */
struct member {
	/** Its key's first quote; its value. */
	const char *key, *value, *value_end;
	/** Where the value before it ends, or the object's brace. */
	const char *previous_end;
};

/** How the file is laid out. */
struct layout {
	/** One level. */
	char indent[16];
	bool one_line;
};

static const char *skip_blanks(const char *place)
{
	return place + strspn(place, BLANKS);
}

static const char *skip_string(const char *place)
{
	for (place++; *place != '"'; place++)
		place += *place == '\\';
	return place + 1;
}

/** @returns the end of the value that begins here */
static const char *skip_value(const char *place)
{
	unsigned int depth = 0;

	do {
		if (*place == '"') {
			place = skip_string(place);
			continue;
		}
		if (*place == '{' || *place == '[')
			depth++;
		else if (*place == '}' || *place == ']')
			depth--;
		else if (depth == 0)
			return place + strcspn(place, ",]}" BLANKS);
		place++;
	} while (depth > 0);
	return place;
}

/**
 * The member of a name, or, if there is none, the place behind the last one: then key is NULL.
 * @param object  its brace
 */
static struct member find_member(const char *object, const char *name)
{
	struct member member = { .previous_end = object + 1 };
	const char *place = skip_blanks(object + 1);
	size_t len = strlen(name);

	while (*place == '"') {
		const char *key = place;

		place = skip_string(place);
		member.value = skip_blanks(skip_blanks(place) + 1);
		member.value_end = skip_value(member.value);
		if ((size_t)(place - key) == len + 2 && strncmp(key + 1, name, len) == 0) {
			member.key = key;
			return member;
		}
		member.previous_end = member.value_end;
		place = skip_blanks(member.value_end);
		place = *place == ',' ? skip_blanks(place + 1) : place;
	}
	return member;
}

static bool is_empty(const char *object)
{
	return *skip_blanks(object + 1) == '}';
}

/** The first level's blanks are taken for those of all levels. */
static struct layout find_layout(const char *document)
{
	struct layout layout = { .indent = "    " };
	const char *first = skip_blanks(document + 1), *line = first;

	if (*first != '"')
		return layout;
	while (line > document + 1 && line[-1] != '\n')
		line--;
	layout.one_line = line == document + 1;
	if (!layout.one_line && first > line && (size_t)(first - line) < sizeof(layout.indent))
		format_text(layout.indent, sizeof(layout.indent), "%.*s", (int)(first - line),
			    line);
	return layout;
}

static void add_break(struct text *text, const struct layout *layout, unsigned int depth)
{
	if (layout->one_line) {
		text_add(text, " ");
		return;
	}
	text_add(text, "\n");
	while (depth-- > 0)
		text_add(text, layout->indent);
}

/** Sets the member of an object at this depth of a document, in place of the old document. */
static int set_member(char **document, size_t object, unsigned int depth, const char *name,
		      const char *value)
{
	const struct layout layout = find_layout(*document + strcspn(*document, "{"));
	const char *brace = *document + object;
	struct member member = find_member(brace, name);
	autotext struct text text = { 0 };

	if (member.key) {
		text_add_bytes(&text, *document, (size_t)(member.value - *document));
		text_add(&text, value);
		text_add(&text, member.value_end);
	} else {
		text_add_bytes(&text, *document, (size_t)(member.previous_end - *document));
		if (!is_empty(brace))
			text_add(&text, ",");
		add_break(&text, &layout, depth);
		text_add_format(&text, "\"%s\": %s", name, value);
		if (is_empty(brace)) {
			add_break(&text, &layout, depth - 1);
			text_add(&text, skip_blanks(brace + 1));
		} else {
			text_add(&text, member.previous_end);
		}
	}
	free(*document);
	*document = text_take(&text);
	return *document ? 0 : -ENOMEM;
}

/** Takes a member out, with the comma that parted it from its neighbour. */
static int remove_member(char **document, size_t object, const char *name)
{
	const char *brace = *document + object;
	struct member member = find_member(brace, name);
	autotext struct text text = { 0 };
	const char *from = member.previous_end, *to = member.value_end, *next;

	if (!member.key)
		return 0;
	next = skip_blanks(member.value_end);
	if (from == brace + 1 && *next == ',') {
		from = member.key;
		to = skip_blanks(next + 1);
	} else if (from == brace + 1) {
		to = next;
	}
	text_add_bytes(&text, *document, (size_t)(from - *document));
	text_add(&text, to);
	free(*document);
	*document = text_take(&text);
	return *document ? 0 : -ENOMEM;
}

/** The offset of the document's object, or of its object "runtimes" (0 if there is none). */
static size_t find_object(const char *document, const char *name)
{
	const char *top = document + strspn(document, BLANKS);
	struct member member;

	if (!name)
		return (size_t)(top - document);
	member = find_member(top, name);
	return member.key ? (size_t)(member.value - document) : 0;
}

/** The text, or an empty object where it is blank, which Docker takes for the same. */
static const char *or_empty(const char *text)
{
	return text && *skip_blanks(text) == '\0' ? "{}\n" : text;
}

/** Whether this is a document in which find_member() sees what a reader of JSON sees. */
static int check(const struct install_target *target, const char *text, struct hoy_error *err)
{
	const char *top = skip_blanks(text);
	struct arena arena = { 0 };
	const struct json_node *document, *runtimes;
	int r = json_read(text, strlen(text), &arena, &document, err);

	if (r < 0) {
		fail_in(err, "%s", target->path);
	} else if (document->type != JSON_OBJECT) {
		r = fail(err, 0, "%s holds no object", target->path);
	} else {
		runtimes = json_member(document, "runtimes");
		if (runtimes && runtimes->type != JSON_OBJECT)
			r = fail(err, 0, "%s: runtimes is no object", target->path);
		else if ((runtimes != NULL) != (find_member(top, "runtimes").key != NULL))
			r = fail(err, 0, "%s has names with escapes", target->path);
	}
	arena_done(&arena);
	return r < 0 ? -1 : 0;
}

static int set_all(const struct install *install, char **text)
{
	autotext struct text value = { 0 };
	int r = 0;

	text_add_format(&value, "{ \"path\": \"%s\" }", install->program);
	if (value.failed)
		return -ENOMEM;
	if (!find_object(*text, "runtimes"))
		r = set_member(text, find_object(*text, NULL), 1, "runtimes", "{}");
	if (r == 0)
		r = set_member(text, find_object(*text, "runtimes"), 2, "hoy", value.bytes);
	if (r == 0 && install->make_default)
		r = set_member(text, find_object(*text, NULL), 1, "default-runtime", "\"hoy\"");
	return r;
}

int docker_apply(const struct install *install, const struct install_target *target,
		 const char *base, char **ret_text, struct hoy_error *err)
{
	autofree char *text = strdup(base ? or_empty(base) : "{}\n");

	if (!text)
		return fail(err, ENOMEM, "compose %s", target->path);
	if (check(target, text, err) < 0)
		return -1;
	if (set_all(install, &text) < 0)
		return fail(err, ENOMEM, "compose %s", target->path);
	*ret_text = take_ptr(&text);
	return 0;
}

/** Puts the default back that was there before. */
static int revert_default(char **text, const char *before)
{
	struct member now = find_member(*text + find_object(*text, NULL), "default-runtime");
	struct member then = { 0 };
	autofree char *value = NULL;

	if (!now.key || !string_starts(now.value, "\"hoy\""))
		return 0;
	if (before)
		then = find_member(before + find_object(before, NULL), "default-runtime");
	if (!then.key)
		return remove_member(text, find_object(*text, NULL), "default-runtime");
	value = strndup(then.value, (size_t)(then.value_end - then.value));
	return value ? set_member(text, find_object(*text, NULL), 1, "default-runtime", value)
		     : -ENOMEM;
}

static int revert_all(char **text, const char *before)
{
	bool had_runtimes = before && find_object(before, "runtimes") > 0;
	size_t runtimes;
	int r = revert_default(text, before);

	runtimes = r == 0 ? find_object(*text, "runtimes") : 0;
	if (runtimes)
		r = remove_member(text, runtimes, "hoy");
	if (r == 0 && runtimes && !had_runtimes && is_empty(*text + runtimes))
		r = remove_member(text, find_object(*text, NULL), "runtimes");
	return r;
}

int docker_revert(const struct install_target *target, const char *now, const char *before,
		  char **ret_text, struct hoy_error *err)
{
	autofree char *text = strdup(or_empty(now));

	before = or_empty(before);
	if (!text)
		return fail(err, ENOMEM, "compose %s", target->path);
	if (check(target, text, err) < 0 || (before && check(target, before, err) < 0))
		return -1;
	if (revert_all(&text, before) < 0)
		return fail(err, ENOMEM, "compose %s", target->path);
	/* Nothing is left of a file that did not exist. */
	*ret_text = !before && is_empty(text + find_object(text, NULL)) ? NULL : take_ptr(&text);
	return 0;
}
