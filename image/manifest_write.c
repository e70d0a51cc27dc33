/* SPDX-License-Identifier: Apache-2.0 */
/* From a manifest to YAML, along the table of keys: see manifest.h. */
#include "host/cleanup.h"
#include "image/manifest.h"
#include "image/manifest_schema.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-"

static void write_keys(struct df_str *out, const struct schema_key *keys, const void *base,
	unsigned int depth);

static void indent(struct df_str *out, unsigned int depth)
{
	df_str_addf(out, "%*s", (int)(2 * depth), "");
}

/*
 * Plain only where every YAML reader takes the characters as they are, in a list too, and where no other reader makes a
 * truth value of them. (A number it may: -19 is nicer to read without quotes.)
 */
static bool can_be_plain(const char *text)
{
	static const char *const words[] = {
		"null", "true", "false", "yes", "no", "on", "off", "y", "n", NULL};

	if (!*text || strspn(text, PLAIN) != strlen(text) || strcmp(text, "-") == 0 ||
		df_starts_with(text, "---") || df_starts_with(text, "..."))
		return false;
	for (size_t i = 0; words[i]; i++) {
		if (strcasecmp(words[i], text) == 0)
			return false;
	}
	return true;
}

/* Double quotes can say everything; UTF-8 goes through as it is. */
void manifest_write_text(const char *text, struct df_str *out)
{
	if (can_be_plain(text)) {
		df_str_add(out, text);
		return;
	}
	df_str_add(out, "\"");
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			df_str_addf(out, "\\%c", *text);
		else if ((unsigned char)*text < 0x20 || *text == 0x7f)
			df_str_addf(out, "\\x%02x", (unsigned int)(unsigned char)*text);
		else
			df_str_add_bytes(out, text, 1);
	}
	df_str_add(out, "\"");
}

static void write_list(struct df_str *out, const struct manifest_list *list)
{
	df_str_add(out, "[");
	for (size_t i = 0; i < list->count; i++) {
		df_str_add(out, i ? ", " : "");
		manifest_write_text(list->items[i], out);
	}
	df_str_add(out, "]");
}

static void write_words(struct df_str *out, const struct schema_key *key, uint32_t bits)
{
	const char *between = "";

	df_str_add(out, "[");
	for (uint32_t i = 0; key->words[i]; i++) {
		if (bits & 1u << i) {
			df_str_addf(out, "%s%s", between, key->words[i]);
			between = ", ";
		}
	}
	df_str_add(out, "]");
}

/* A value that stands behind its key, in one line. Nothing for what is empty or not of that kind. */
static void write_value(struct df_str *out, const struct schema_key *key, const void *value)
{
	char text[MANIFEST_UNITS_BYTES];

	switch (key->type) {
	case SCHEMA_TEXT:
		if (*(char *const *)value)
			manifest_write_text(*(char *const *)value, out);
		break;
	case SCHEMA_NUMBER:
		df_str_addf(out, "%" PRIu64, *(const uint64_t *)value);
		break;
	case SCHEMA_SIZE:
		df_str_add(out, manifest_say_size(*(const uint64_t *)value, text));
		break;
	case SCHEMA_DURATION:
		df_str_add(out, manifest_say_duration(*(const uint64_t *)value, text));
		break;
	case SCHEMA_WORD:
		df_str_add(out, key->words[*(const uint32_t *)value]);
		break;
	case SCHEMA_WORDS:
		write_words(out, key, *(const uint32_t *)value);
		break;
	case SCHEMA_LIST:
		write_list(out, value);
		break;
	default:
		break;
	}
}

/* Is it what would be there without the key? */
static bool is_default(const struct schema_key *key, const void *value)
{
	DF_STR struct df_str text = DF_STR_EMPTY;

	switch (key->type) {
	case SCHEMA_TEXT:
		return !*(char *const *)value ||
			(key->fallback && strcmp(*(char *const *)value, key->fallback) == 0);
	case SCHEMA_LIST:
		return ((const struct manifest_list *)value)->count == 0;
	case SCHEMA_DURATION:
	case SCHEMA_NUMBER:
	case SCHEMA_SIZE:
		if (!key->fallback)
			return *(const uint64_t *)value == 0;
		break;
	case SCHEMA_WORDS:
		/* The list of features is what a reader of the file looks for. */
		if (key->words == manifest_feature_names)
			return false;
		break;
	default:
		break;
	}
	write_value(&text, key, value);
	return strcmp(df_str_text(&text), key->fallback) == 0;
}

static void write_pairs(struct df_str *out, const struct schema_key *key,
	const struct manifest_pairs *pairs, unsigned int depth)
{
	if (pairs->count == 0)
		return;
	indent(out, depth);
	df_str_addf(out, "%s:\n", key->name);
	for (size_t i = 0; i < pairs->count; i++) {
		indent(out, depth + 1);
		manifest_write_text(pairs->items[i].name, out);
		df_str_add(out, ": ");
		manifest_write_text(pairs->items[i].value, out);
		df_str_add(out, "\n");
	}
}

static void write_triggers(struct df_str *out, const struct schema_key *key,
	const struct manifest *m, unsigned int depth)
{
	if (m->trigger_count == 0)
		return;
	indent(out, depth);
	df_str_addf(out, "%s:\n", key->name);
	for (size_t i = 0; i < m->trigger_count; i++) {
		const struct schema_key *kind = &key->keys[m->triggers[i].kind];

		indent(out, depth + 1);
		df_str_addf(out, "- %s:\n", kind->name);
		write_keys(out, kind->keys, &m->triggers[i], depth + 3);
	}
}

static void write_destination(struct df_str *out, const struct schema_key *key,
	const struct manifest_destination *to, unsigned int depth)
{
	if (to->kind == MANIFEST_TO_NOTHING)
		return;
	indent(out, depth);
	df_str_addf(out, "%s:\n", key->name);
	indent(out, depth + 1);
	df_str_addf(out, "%s: ", key->keys[to->kind - 1].name);
	manifest_write_text(to->target, out);
	df_str_add(out, "\n");
	if (to->body == MANIFEST_SEND_REPLY) {
		indent(out, depth + 1);
		df_str_add(out, "body: reply\n");
	}
}

/* The heading comes only with something below it. */
static void write_section(struct df_str *out, const struct schema_key *key, const void *base,
	unsigned int depth)
{
	size_t before = out->length, after;

	indent(out, depth);
	df_str_addf(out, "%s:\n", key->name);
	after = out->length;
	write_keys(out, key->keys, base, depth + 1);
	if (out->length == after)
		df_str_cut(out, before);
}

static void write_line(struct df_str *out, const struct schema_key *key, const void *value,
	unsigned int depth)
{
	indent(out, depth);
	df_str_addf(out, "%s: ", key->name);
	write_value(out, key, value);
	df_str_add(out, "\n");
}

static void write_key(struct df_str *out, const struct schema_key *key, const void *base,
	unsigned int depth)
{
	const void *value = (const char *)base + key->offset;

	switch (key->type) {
	case SCHEMA_PAIRS:
		write_pairs(out, key, value, depth);
		break;
	case SCHEMA_SECTION:
		write_section(out, key, base, depth);
		break;
	case SCHEMA_TRIGGERS:
		write_triggers(out, key, base, depth);
		break;
	case SCHEMA_DESTINATION:
		write_destination(out, key, value, depth);
		break;
	default:
		if (!is_default(key, value))
			write_line(out, key, value, depth);
		break;
	}
}

static void write_keys(struct df_str *out, const struct schema_key *keys, const void *base,
	unsigned int depth)
{
	for (const struct schema_key *key = keys; key->name; key++)
		write_key(out, key, base, depth);
}

void manifest_write(const struct manifest *m, struct df_str *text)
{
	write_keys(text, manifest_keys, m, 0);
}

void manifest_write_key(const struct manifest *m, const char *name, struct df_str *text)
{
	for (const struct schema_key *key = manifest_keys; key->name; key++) {
		if (strcmp(key->name, name) != 0)
			continue;
		if (key->type <= SCHEMA_LIST)
			write_line(text, key, (const char *)m + key->offset, 0);
		else
			write_key(text, key, m, 0);
	}
}
