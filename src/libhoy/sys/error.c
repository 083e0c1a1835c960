/* SPDX-License-Identifier: Apache-2.0 */
/*
 * struct hoy_error: filling it, adding context to it and printing it, with the small formatter
 * that all of the code below base/ uses. Runs in the runtime and, after the clone, in init: it
 * must not allocate, use stdio or depend on the locale.
 */
#include "sys/error.h"

#include <stdbool.h>
#include <stdint.h>

#include "sys/compat.h"

/* What context may take of a text: the cause behind it is worth more. */
#define CONTEXT_MAX 256

/* Counts all it is given and keeps what fits. */
struct writer {
	char *buffer;
	size_t size;
	size_t len;
};

/* One conversion of a format: %[0width][.precision][length]letter */
struct conversion {
	size_t width;
	size_t precision;
	char length;
	char letter;
};

static void put(struct writer *writer, char byte)
{
	if (writer->len + 1 < writer->size)
		writer->buffer[writer->len] = byte;
	writer->len++;
}

static void put_bytes(struct writer *writer, const char *bytes, size_t len)
{
	const size_t room = writer->len < writer->size ? writer->size - 1 - writer->len : 0;

	if (room > 0)
		memcpy(writer->buffer + writer->len, bytes, len < room ? len : room);
	writer->len += len;
}

static size_t finish(struct writer *writer)
{
	if (writer->size > 0)
		writer->buffer[writer->len < writer->size ? writer->len : writer->size - 1] = '\0';
	return writer->len;
}

static void put_number(struct writer *writer, uint64_t value, unsigned int base, bool negative,
		       size_t width)
{
	char digits[24];
	size_t len = 0;

	do {
		digits[len++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value > 0);
	if (negative)
		put(writer, '-');
	for (size_t shown = len + negative; shown < width; shown++)
		put(writer, '0');
	while (len > 0)
		put(writer, digits[--len]);
}

static int64_t next_signed(va_list *arguments, char length)
{
	switch (length) {
	case 'l':
		return va_arg(*arguments, long);
	case 'L':
		return va_arg(*arguments, long long);
	case 'z':
		return va_arg(*arguments, ssize_t);
	default:
		return va_arg(*arguments, int);
	}
}

static uint64_t next_unsigned(va_list *arguments, char length)
{
	switch (length) {
	case 'l':
		return va_arg(*arguments, unsigned long);
	case 'L':
		return va_arg(*arguments, unsigned long long);
	case 'z':
		return va_arg(*arguments, size_t);
	default:
		return va_arg(*arguments, unsigned int);
	}
}

/* @returns the place behind the conversion that starts behind its '%' */
static const char *parse_conversion(const char *format, struct conversion *ret_conversion,
				    va_list *arguments)
{
	struct conversion conversion = { .precision = SIZE_MAX };

	while (*format >= '0' && *format <= '9')
		conversion.width = conversion.width * 10 + (size_t)(*format++ - '0');
	if (format[0] == '.' && format[1] == '*') {
		int precision = va_arg(*arguments, int);

		if (precision >= 0)
			conversion.precision = (size_t)precision;
		format += 2;
	}
	if (format[0] == 'l' && format[1] == 'l') {
		conversion.length = 'L';
		format += 2;
	} else if (*format == 'l' || *format == 'z') {
		conversion.length = *format++;
	}
	conversion.letter = *format;
	*ret_conversion = conversion;
	return *format ? format + 1 : format;
}

static void put_conversion(struct writer *writer, const struct conversion *conversion,
			   va_list *arguments)
{
	const char *text;
	int64_t value;

	switch (conversion->letter) {
	case 's':
		text = va_arg(*arguments, const char *);
		text = text ? text : "(null)";
		put_bytes(writer, text, strnlen(text, conversion->precision));
		break;
	case 'c':
		put(writer, (char)va_arg(*arguments, int));
		break;
	case 'd':
		value = next_signed(arguments, conversion->length);
		put_number(writer, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, value < 0,
			   conversion->width);
		break;
	case 'u':
	case 'x':
	case 'o':
		put_number(writer, next_unsigned(arguments, conversion->length),
			   conversion->letter == 'u'   ? 10
			   : conversion->letter == 'x' ? 16
						       : 8,
			   false, conversion->width);
		break;
	case '%':
		put(writer, '%');
		break;
	}
}

size_t format_text_v(char *buffer, size_t size, const char *format, va_list arguments)
{
	struct writer writer = { .buffer = buffer, .size = size };
	struct conversion conversion;
	va_list rest;

	va_copy(rest, arguments);
	while (*format) {
		if (*format != '%') {
			put(&writer, *format++);
			continue;
		}
		format = parse_conversion(format + 1, &conversion, &rest);
		put_conversion(&writer, &conversion, &rest);
	}
	va_end(rest);
	return finish(&writer);
}

size_t format_text(char *buffer, size_t size, const char *format, ...)
{
	va_list arguments;
	size_t len;

	va_start(arguments, format);
	len = format_text_v(buffer, size, format, arguments);
	va_end(arguments);
	return len;
}

/*
 * The length of the UTF-8 sequence (1 to 4) that `text` starts with if it can be shown: no control
 * character of ASCII or Latin-1, nothing overlong, no surrogate. 0: its first byte is to be
 * escaped.
 */
static size_t shown_len(const unsigned char *text)
{
	unsigned char first = text[0];
	size_t len = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

	if (first < 0x80)
		return first >= 0x20 && first != 0x7f;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((first == 0xc2 && text[1] < 0xa0) || (first == 0xe0 && text[1] < 0xa0) ||
	    (first == 0xed && text[1] > 0x9f) || (first == 0xf0 && text[1] < 0x90) ||
	    (first == 0xf4 && text[1] > 0x8f))
		return 0;
	return len;
}

/* Takes off the last character if a cut has left only its first bytes. */
static void trim_cut(char *text)
{
	size_t len = strlen(text);
	size_t start = len;

	while (start > 0 && len - start < 3 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start == 0)
		return;
	start--;
	if ((unsigned char)text[start] >= 0xc2 &&
	    shown_len((const unsigned char *)text + start) == 0)
		text[start] = '\0';
}

static void set_text(char *buffer, size_t size, const char *format, va_list arguments)
	__attribute__((format(printf, 3, 0)));

static void set_text(char *buffer, size_t size, const char *format, va_list arguments)
{
	if (format_text_v(buffer, size, format, arguments) >= size)
		trim_cut(buffer);
}

/* Unsigned on the way: the code of an error that came from init may be INT_MIN. */
static int positive(int code)
{
	return code < 0 ? (int)-(unsigned int)code : code;
}

/* Built apart, so that the arguments may point into the error that is replaced. */
static void set_error(struct hoy_error *err, const char *at, int code, const char *format,
		      va_list arguments) __attribute__((format(printf, 4, 0)));

static void set_error(struct hoy_error *err, const char *at, int code, const char *format,
		      va_list arguments)
{
	struct hoy_error fresh = { .code = positive(code), .status = 1 };

	set_text(fresh.text, sizeof(fresh.text), format, arguments);
	if (format_text(fresh.at, sizeof(fresh.at), "%s", at) >= sizeof(fresh.at))
		trim_cut(fresh.at);
	*err = fresh;
}

int fail(struct hoy_error *err, int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	set_error(err, "", code, format, arguments);
	va_end(arguments);
	return -1;
}

int fail_at(struct hoy_error *err, const char *at, int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	set_error(err, at, code, format, arguments);
	va_end(arguments);
	return -1;
}

int fail_in(struct hoy_error *err, const char *format, ...)
{
	char context[CONTEXT_MAX], text[sizeof(err->text)];
	const char *tail = text;
	const char *cut = "";
	va_list arguments;
	size_t room;

	va_start(arguments, format);
	set_text(context, sizeof(context), format, arguments);
	va_end(arguments);
	memcpy(text, err->text, sizeof(text));
	room = sizeof(text) - 1 - strlen(context) - strlen(": ");
	if (strlen(text) > room) {
		/* The cause stands last, so the middle is what is dropped. */
		cut = "...";
		tail += strlen(text) - (room - strlen(cut));
		while (((unsigned char)*tail & 0xc0) == 0x80)
			tail++;
	}
	format_text(err->text, sizeof(err->text), "%s: %s%s", context, cut, tail);
	return -1;
}

int fail_from(struct hoy_error *err, const char *at)
{
	if (!err->at[0] && format_text(err->at, sizeof(err->at), "%s", at) >= sizeof(err->at))
		trim_cut(err->at);
	return -1;
}

int fail_hint(struct hoy_error *err, const char *format, ...)
{
	va_list arguments;

	if (err->hint[0])
		return -1;
	va_start(arguments, format);
	set_text(err->hint, sizeof(err->hint), format, arguments);
	va_end(arguments);
	return -1;
}

const char *error_words(int code)
{
	const char *words = strerrordesc_np(positive(code));

	return words ? words : "Unknown error";
}

/* Appends the text a whole character or escape at a time. @returns false once one does not fit */
static bool put_shown(struct writer *writer, const char *text)
{
	while (*text) {
		size_t len = shown_len((const unsigned char *)text);
		unsigned char byte = (unsigned char)*text;
		const char escape[] = { '\\', 'x', "0123456789abcdef"[byte >> 4],
					"0123456789abcdef"[byte & 15] };

		if (writer->len + (len > 0 ? len : sizeof(escape)) >= writer->size)
			return false;
		put_bytes(writer, len > 0 ? text : escape, len > 0 ? len : sizeof(escape));
		text += len > 0 ? len : 1;
	}
	return true;
}

int hoy_error_format(const struct hoy_error *err, char *buffer, unsigned long size)
{
	struct writer writer = { .buffer = buffer, .size = size };
	const char *const parts[] = {
		err->at,
		err->at[0] ? ": " : "",
		err->text,
		err->code != 0 ? ": " : "",
		err->code != 0 ? error_words(err->code) : "",
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (!put_shown(&writer, parts[i]))
			break;
	}
	return (int)finish(&writer);
}
