// SPDX-License-Identifier: Apache-2.0
/*
 * wordcount: counts lines, words (runs of letters and digits) and bytes of the event's body, and names the
 * most frequent words. Replies with JSON on standard output. The attribute `top` says how many to name (5).
 */
#include <dayfly.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE 8192u /* words that are told apart, a power of two */
#define WORD_MAX 63

struct word {
	unsigned count;
	char text[WORD_MAX + 1];
};
static struct word table[TABLE];
static unsigned used;

/* Counts a word, lower case, cut at WORD_MAX; when the table is half full, new words are left out. */
static void count(const char *at, size_t bytes)
{
	char text[WORD_MAX + 1];
	unsigned hash = 2166136261u;
	size_t n = bytes < WORD_MAX ? bytes : WORD_MAX;

	for (size_t i = 0; i < n; i++) {
		text[i] = (char)tolower((unsigned char)at[i]);
		hash = (hash ^ (unsigned char)text[i]) * 16777619u;
	}
	text[n] = 0;
	for (unsigned i = hash;; i++) {
		struct word *w = &table[i % TABLE];

		if (w->count && strcmp(w->text, text))
			continue;
		if (!w->count && used == TABLE / 2)
			return;
		if (!w->count++) {
			strcpy(w->text, text);
			used++;
		}
		return;
	}
}

static int by_count(const void *a, const void *b)
{
	const struct word *x = a, *y = b;

	return x->count != y->count ? (x->count < y->count ? 1 : -1) : strcmp(x->text, y->text);
}

static void answer(const struct df_event_view *event)
{
	const char *at = event->body, *end = at + event->body_bytes;
	const char *top = df_attribute(event, "top");
	unsigned named = top ? (unsigned)atoi(top) : 5;
	unsigned long lines = 0, words = 0;

	while (at < end) {
		const char *start = at;

		while (at < end && isalnum((unsigned char)*at))
			at++;
		if (at > start) {
			words++;
			count(start, (size_t)(at - start));
		} else
			lines += *at++ == '\n';
	}
	for (unsigned i = 0, to = 0; i < TABLE; i++)
		if (table[i].count)
			table[to++] = table[i];
	qsort(table, used, sizeof(table[0]), by_count);
	printf("{\"lines\":%lu,\"words\":%lu,\"bytes\":%zu,\"top\":{", lines, words,
		event->body_bytes);
	for (unsigned i = 0; i < named && i < used; i++)
		printf("%s\"%s\":%u", i ? "," : "", table[i].text, table[i].count);
	printf("}}\n");
}

int main(void)
{
	static const char *const json[] = {"datacontenttype", "application/json", NULL};
	struct df_event_view event;

	while (df_next_event(&event) > 0) {
		memset(table, 0, sizeof(table));
		used = 0;
		answer(&event);
		if (df_reply(200, json, NULL, 0))
			return 1;
	}
	return 0;
}
