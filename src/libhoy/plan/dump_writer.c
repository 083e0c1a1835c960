/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both forms of a dump: a line of text for an entry, or an object of JSON. Runs in the runtime.
 * Knows nothing of plans.
 */
#include "plan/dump_writer.h"

#include "sys/error.h"

/* ---- entries ---- */

void dump_begin_list(struct dump *dump, const char *name)
{
	if (dump->is_json)
		json_write_list(&dump->json, name);
}

void dump_end_list(struct dump *dump)
{
	if (dump->is_json)
		json_write_end(&dump->json);
}

void dump_begin(struct dump *dump, const char *word, const char *member)
{
	if (dump->is_json)
		json_write_object(&dump->json, member);
	else
		text_add(&dump->text, word);
}

void dump_end(struct dump *dump)
{
	if (dump->is_json)
		json_write_end(&dump->json);
	else
		text_add_char(&dump->text, '\n');
}

/* ---- members ---- */

static void add_name(struct dump *dump, const char *name)
{
	text_add_char(&dump->text, ' ');
	text_add(&dump->text, name);
	text_add_char(&dump->text, '=');
}

void dump_put_string(struct dump *dump, const char *name, const char *value)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789/._-+:,@=%[]";

	if (!value)
		return;
	if (dump->is_json) {
		json_write_string(&dump->json, name, value);
		return;
	}
	add_name(dump, name);
	if (*value && string_is_made_of(value, plain))
		text_add(&dump->text, value);
	else
		json_quote(&dump->text, value);
}

void dump_put_signed(struct dump *dump, const char *name, int64_t value)
{
	if (dump->is_json) {
		json_write_signed(&dump->json, name, value);
		return;
	}
	add_name(dump, name);
	text_add_format(&dump->text, "%lld", (long long)value);
}

void dump_put_unsigned(struct dump *dump, const char *name, uint64_t value)
{
	if (dump->is_json) {
		json_write_unsigned(&dump->json, name, value);
		return;
	}
	add_name(dump, name);
	text_add_format(&dump->text, "%llu", (unsigned long long)value);
}

void dump_put_octal(struct dump *dump, const char *name, mode_t mode)
{
	char digits[16];

	format_text(digits, sizeof(digits), "%04o", mode);
	dump_put_string(dump, name, digits);
}

void dump_put_flag(struct dump *dump, const char *name, bool flag)
{
	if (!flag)
		return;
	if (dump->is_json) {
		json_write_bool(&dump->json, name, true);
		return;
	}
	text_add_char(&dump->text, ' ');
	text_add(&dump->text, name);
}

void dump_put_strings(struct dump *dump, const char *name, char *const *strings)
{
	if (!strings)
		return;
	if (dump->is_json) {
		json_write_strings(&dump->json, name, (const char *const *)strings);
		return;
	}
	add_name(dump, name);
	text_add_char(&dump->text, '[');
	for (size_t i = 0; strings[i]; i++) {
		if (i)
			text_add_char(&dump->text, ',');
		json_quote(&dump->text, strings[i]);
	}
	text_add_char(&dump->text, ']');
}

void dump_add_word(struct text *words, const char *word)
{
	if (words->len)
		text_add_char(words, ',');
	text_add(words, word);
}

void dump_put_words(struct dump *dump, const char *name, struct text *words)
{
	if (words->failed)
		dump->text.failed = true;
	if (words->len)
		dump_put_string(dump, name, words->bytes);
	text_done(words);
}
