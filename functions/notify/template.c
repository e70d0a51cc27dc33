/* SPDX-License-Identifier: Apache-2.0 */
/* Templates of notify: see template.h. */
#include "functions/notify/template.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define BODY "body"
#define FIELD "body."
#define DUMP (JSON_COMPACT | JSON_ENCODE_ANY)

/* --- taking apart --- */

static int add_part(struct message_template *t, const struct part *part, struct failure *failure)
{
	if (t->count == PARTS_MAX)
		return fail(failure, 400, "the template has more than %d parts", PARTS_MAX);
	t->parts[t->count++] = *part;
	return 0;
}

static int add_text(struct message_template *t, const char *from, const char *to,
	struct failure *failure)
{
	if (from == to)
		return 0;
	return add_part(t,
		&(struct part){.kind = PART_TEXT, .text = from, .bytes = (size_t)(to - from)},
		failure);
}

/* What stands between the braces: one word, or "json" and one word. */
static int add_place(struct message_template *t, const char *from, const char *to,
	struct failure *failure)
{
	struct part part = {.kind = PART_ATTRIBUTE};
	size_t length;

	while (from < to && isspace((unsigned char)*from))
		from++;
	while (to > from && isspace((unsigned char)to[-1]))
		to--;
	if (to - from > 5 && memcmp(from, "json", 4) == 0 && isspace((unsigned char)from[4])) {
		part.json = true;
		for (from += 5; isspace((unsigned char)*from); from++)
			;
	}
	length = (size_t)(to - from);
	if (length == 0 || length > NAME_MAX_BYTES || strcspn(from, " \t\r\n{}") < length)
		return fail(failure, 400,
			"the template has {{%.*s}}; write {{NAME}} or {{json NAME}}",
			(int)(length < 60 ? length : 60), from);
	if (length == strlen(BODY) && memcmp(from, BODY, length) == 0)
		part.kind = PART_BODY;
	else if (length > strlen(FIELD) && memcmp(from, FIELD, strlen(FIELD)) == 0)
		part.kind = PART_FIELD;
	part.name = strndup(part.kind == PART_FIELD ? from + strlen(FIELD) : from,
		part.kind == PART_FIELD ? length - strlen(FIELD) : length);
	return part.name ? add_part(t, &part, failure) : fail(failure, 500, "out of memory");
}

int template_parse(struct message_template *t, const char *text, struct failure *failure)
{
	const char *open;

	t->count = 0;
	while ((open = strstr(text, "{{"))) {
		const char *close = strstr(open + 2, "}}");

		if (!close)
			return fail(failure, 400, "the template has a {{ without }}: %.60s", open);
		if (add_text(t, text, open, failure) || add_place(t, open + 2, close, failure))
			return -1;
		text = close + 2;
	}
	return add_text(t, text, text + strlen(text), failure);
}

/* --- writing --- */

struct writer {
	char *to;
	size_t max, bytes;
	bool full;
};

static void put(struct writer *w, const char *text, size_t bytes)
{
	if (w->full || bytes > w->max - w->bytes) {
		w->full = true;
		return;
	}
	memcpy(w->to + w->bytes, text, bytes);
	w->bytes += bytes;
}

/* Length of the UTF-8 character at `at`, or 0 if it is none (RFC 3629: no overlong forms, no surrogates). */
static size_t character(const unsigned char *at, const unsigned char *end)
{
	size_t length = *at < 0x80          ? 1
		: *at >= 0xc2 && *at < 0xe0 ? 2
		: *at >= 0xe0 && *at < 0xf0 ? 3
		: *at >= 0xf0 && *at < 0xf5 ? 4
					    : 0;

	if (length == 0 || length > (size_t)(end - at))
		return 0;
	for (size_t i = 1; i < length; i++) {
		if (at[i] >> 6 != 2)
			return 0;
	}
	if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) ||
		(*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] > 0x8f))
		return 0;
	return length;
}

static void put_escaped(struct writer *w, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	const char unicode[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
	const char pair[2] = {'\\',
		(char)(c == '\n'            ? 'n'
				: c == '\t' ? 't'
				: c == '\r' ? 'r'
					    : c)};

	if (c < ' ' && pair[1] == (char)c)
		put(w, unicode, sizeof(unicode));
	else
		put(w, pair, sizeof(pair));
}

/* In quotes. Bytes that are no UTF-8 become U+FFFD. */
static void put_string(struct writer *w, const char *text, size_t bytes)
{
	const unsigned char *at = (const unsigned char *)text, *end = at + bytes;

	put(w, "\"", 1);
	while (at < end) {
		size_t length = character(at, end);

		if (length == 0)
			put(w, "\\ufffd", 6);
		else if (*at < ' ' || *at == '"' || *at == '\\')
			put_escaped(w, *at);
		else
			put(w, (const char *)at, length);
		at += length ? length : 1;
	}
	put(w, "\"", 1);
}

static void put_json(struct writer *w, const json_t *json)
{
	size_t room = w->max - w->bytes;
	size_t bytes = w->full ? 0 : json_dumpb(json, w->to + w->bytes, room, DUMP);

	if (bytes > room)
		w->full = true;
	else
		w->bytes += bytes;
}

/* --- an event --- */

struct filling {
	const struct df_event_view *event;
	struct writer w;
	json_t *body; /* NULL: no JSON, or nobody asked yet */
	bool parsed;
	void (*missing)(const char *name);
};

/* At the first field; texts with a zero in them are allowed, since JSON allows them. */
static const json_t *body_of(struct filling *f)
{
	if (!f->parsed)
		f->body = json_loadb(f->event->body, f->event->body_bytes,
			JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	f->parsed = true;
	return f->body;
}

static const json_t *member(const json_t *json, const char *name, size_t length)
{
	char *end;

	if (json_is_object(json))
		return json_object_getn(json, name, length);
	if (!json_is_array(json) || !isdigit((unsigned char)*name))
		return NULL;
	return json_array_get(json, strtoul(name, &end, 10)) && end == name + length
		? json_array_get(json, strtoul(name, NULL, 10))
		: NULL;
}

static const json_t *field(struct filling *f, const char *path)
{
	const json_t *json = body_of(f);

	for (;;) {
		size_t length = strcspn(path, ".");

		json = member(json, path, length);
		if (!json || !path[length])
			return json;
		path += length + 1;
	}
}

static void fill_missing(struct filling *f, const struct part *part)
{
	if (f->missing)
		f->missing(part->name);
	if (part->json)
		put(&f->w, "null", 4);
}

static void fill_field(struct filling *f, const struct part *part)
{
	const json_t *json = field(f, part->name);

	if (!json)
		fill_missing(f, part);
	else if (json_is_string(json) && !part->json)
		put(&f->w, json_string_value(json), json_string_length(json));
	else
		put_json(&f->w, json);
}

static void fill_body(struct filling *f, const struct part *part)
{
	if (!part->json)
		put(&f->w, f->event->body, f->event->body_bytes);
	else if (body_of(f))
		put_json(&f->w, f->body);
	else
		put_string(&f->w, f->event->body, f->event->body_bytes);
}

static void fill_attribute(struct filling *f, const struct part *part)
{
	const char *value = df_attribute(f->event, part->name);

	if (!value)
		fill_missing(f, part);
	else if (part->json)
		put_string(&f->w, value, strlen(value));
	else
		put(&f->w, value, strlen(value));
}

int template_fill(const struct message_template *t, const struct df_event_view *event, char *to,
	size_t max, size_t *bytes, void (*missing)(const char *name), struct failure *failure)
{
	struct filling f = {.event = event, .w = {.to = to, .max = max}, .missing = missing};

	for (size_t i = 0; i < t->count && !f.w.full; i++) {
		const struct part *part = &t->parts[i];

		switch (part->kind) {
		case PART_TEXT:
			put(&f.w, part->text, part->bytes);
			break;
		case PART_ATTRIBUTE:
			fill_attribute(&f, part);
			break;
		case PART_BODY:
			fill_body(&f, part);
			break;
		case PART_FIELD:
			fill_field(&f, part);
			break;
		}
	}
	json_decref(f.body);
	*bytes = f.w.bytes;
	return f.w.full ? fail(failure, 413, "the message has more than %zu bytes", max) : 0;
}
