/* SPDX-License-Identifier: Apache-2.0 */
/* Writing JSON: see json.h. */
#include "host/json.h"

#include <inttypes.h>
#include <string.h>

/* Length of the UTF-8 character at `at` (Unicode 15, table 3-7), 0 if it is none. */
static size_t character(const unsigned char *at, size_t left)
{
	static const struct {
		unsigned char first, last, low, high; /* of the lead byte; of the byte behind it */
		size_t length;
	} forms[] = {
		{0x00, 0x7f, 0, 0, 1},
		{0xc2, 0xdf, 0x80, 0xbf, 2},
		{0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3},
		{0xee, 0xef, 0x80, 0xbf, 3},
		{0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4},
		{0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (*at < forms[i].first || *at > forms[i].last)
			continue;
		if (left < forms[i].length)
			return 0;
		if (forms[i].length > 1 && (at[1] < forms[i].low || at[1] > forms[i].high))
			return 0;
		for (size_t j = 2; j < forms[i].length; j++) {
			if ((at[j] & 0xc0) != 0x80)
				return 0;
		}
		return forms[i].length;
	}
	return 0;
}

static void add_quoted(struct df_str *json, const unsigned char *at, size_t left)
{
	df_str_add(json, "\"");
	while (left > 0) {
		size_t length = character(at, left);

		if (length == 0)
			df_str_add(json, "\\ufffd");
		else if (*at == '"' || *at == '\\')
			df_str_addf(json, "\\%c", *at);
		else if (*at == '\n')
			df_str_add(json, "\\n");
		else if (*at < 0x20 || *at == 0x7f)
			df_str_addf(json, "\\u%04x", *at);
		else
			df_str_add_bytes(json, at, length);
		at += length ? length : 1;
		left -= length ? length : 1;
	}
	df_str_add(json, "\"");
}

static void begin(struct df_str *json, const char *key)
{
	const char *text = df_str_text(json);

	if (json->length > 0 && !strchr("{[\n", text[json->length - 1]))
		df_str_add(json, ",");
	if (key) {
		add_quoted(json, (const unsigned char *)key, strlen(key));
		df_str_add(json, ":");
	}
}

void df_json_open(struct df_str *json, const char *key, char bracket)
{
	begin(json, key);
	df_str_add_bytes(json, &bracket, 1);
}

void df_json_close(struct df_str *json, char bracket)
{
	df_str_add_bytes(json, &bracket, 1);
}

void df_json_bytes(struct df_str *json, const char *key, const void *bytes, size_t length)
{
	begin(json, key);
	add_quoted(json, bytes, length);
}

void df_json_text(struct df_str *json, const char *key, const char *text)
{
	df_json_bytes(json, key, text, strlen(text));
}

void df_json_number(struct df_str *json, const char *key, uint64_t number)
{
	begin(json, key);
	df_str_addf(json, "%" PRIu64, number);
}

void df_json_bool(struct df_str *json, const char *key, bool value)
{
	begin(json, key);
	df_str_add(json, value ? "true" : "false");
}
