/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of prebuilt functions: see params.h. */
#include "functions/common/params.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VARIABLE_MAX 64

static int find(const struct param *table, const char *name, size_t length)
{
	for (int i = 0; table[i].name; i++) {
		if (strlen(table[i].name) == length && memcmp(table[i].name, name, length) == 0)
			return i;
	}
	return -1;
}

/* --- before the wait point --- */

static const char *variable(const struct program *program, const char *name)
{
	char text[VARIABLE_MAX];
	size_t n = strlen(program->prefix);

	memcpy(text, program->prefix, n);
	for (; *name && n < sizeof(text) - 1; name++)
		text[n++] = (char)(*name == '-' ? '_' : toupper((unsigned char)*name));
	text[n] = 0;
	return getenv(text);
}

static void print_help(const struct program *program)
{
	printf("%s: %s\n\n", program->name, program->about);
	for (const struct param *p = program->table; p->name; p++)
		printf("  --%-14s %s%s%s%s\n", p->name, p->help, *p->fallback ? " [" : "",
			p->fallback, *p->fallback ? "]" : "");
	exit(0);
}

static void complain(const struct program *program, const char *what, const char *word)
{
	fprintf(stderr, "%s: %s %s; see %s --help\n", program->name, what, word, program->name);
	exit(2);
}

static void read_flags(struct params *params, const struct program *program, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i], *equals = strchr(word, '=');
		int index;

		if (strcmp(word, "--help") == 0)
			print_help(program);
		if (strncmp(word, "--", 2) != 0)
			complain(program, "cannot use", word);
		word += 2;
		index = find(program->table, word, equals ? (size_t)(equals - word) : strlen(word));
		if (index < 0)
			complain(program, "there is no flag", argv[i]);
		if (!equals && i + 1 == argc)
			complain(program, "a value must follow", argv[i]);
		params->values[index] = equals ? equals + 1 : argv[++i];
	}
}

void params_start(struct params *params, const struct program *program, int argc, char **argv)
{
	params->table = program->table;
	for (unsigned i = 0; i < PARAMS_MAX && program->table[i].name; i++) {
		const char *value = variable(program, program->table[i].name);

		params->values[i] = value ? value : program->table[i].fallback;
	}
	read_flags(params, program, argc, argv);
}

/* --- in an event --- */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place, as forms are encoded. Returns -1 if the value holds a zero byte. */
static int decode(char *text)
{
	char *to = text;

	for (; *text; text++) {
		int high = *text == '%' ? hex(text[1]) : -1;
		int low = high >= 0 ? hex(text[2]) : -1;

		if (low >= 0) {
			*to = (char)(high << 4 | low);
			if (!*to++)
				return -1;
			text += 2;
		} else {
			*to++ = (char)(*text == '+' ? ' ' : *text);
		}
	}
	*to = 0;
	return 0;
}

static int unknown(const struct params *params, const char *name, struct failure *failure)
{
	size_t n;

	fail(failure, 400, "there is no parameter %.40s; there are", name);
	n = strlen(failure->text);
	for (const struct param *p = params->table; p->name; p++) {
		if (!p->fixed && n < sizeof(failure->text))
			n += (size_t)snprintf(failure->text + n, sizeof(failure->text) - n, "%s%s",
				p == params->table ? " " : ", ", p->name);
	}
	return -1;
}

static int take_pair(struct params *params, char *pair, struct failure *failure)
{
	char *equals = strchr(pair, '=');
	int index;

	if (equals)
		*equals = 0;
	if (decode(pair) || (equals && decode(equals + 1)))
		return fail(failure, 400, "the query has a zero byte in it");
	index = find(params->table, pair, strlen(pair));
	if (index < 0)
		return unknown(params, pair, failure);
	if (params->table[index].fixed)
		return fail(failure, 400,
			"%s is set where the function is deployed, not by callers", pair);
	params->values[index] = equals ? equals + 1 : "";
	return 0;
}

static int read_query(struct params *params, const char *query, struct failure *failure)
{
	char *copy = strdup(query), *rest = copy, *pair;

	if (!copy)
		return fail(failure, 500, "out of memory");
	while ((pair = strsep(&rest, "&"))) {
		if (*pair && take_pair(params, pair, failure))
			return -1;
	}
	return 0;
}

int params_event(struct params *params, const struct df_event_view *event, struct failure *failure)
{
	const char *query = df_attribute(event, "http.query");

	for (unsigned i = 0; params->table[i].name; i++) {
		const char *value =
			params->table[i].fixed ? NULL : df_attribute(event, params->table[i].name);

		if (value)
			params->values[i] = value;
	}
	return query ? read_query(params, query, failure) : 0;
}

/* --- values --- */

int params_number(const struct params *params, unsigned index, uint64_t least, uint64_t most,
	uint64_t *number, struct failure *failure)
{
	const char *text = params->values[index];
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno || value < least || value > most)
		return fail(failure, 400, "%s must be a number from %llu to %llu; this is %.40s",
			params->table[index].name, (unsigned long long)least,
			(unsigned long long)most, *text ? text : "empty");
	*number = value;
	return 0;
}

int params_size(const struct params *params, unsigned index, uint64_t most, uint64_t *bytes,
	struct failure *failure)
{
	static const char units[] = "KMG";
	const char *text = params->values[index], *unit;
	char *end;
	unsigned long long value;
	unsigned shift = 0;

	errno = 0;
	value = strtoull(text, &end, 10);
	unit = *end ? strchr(units, *end) : NULL;
	if (unit) {
		shift = 10 * (unsigned)(unit - units + 1);
		end++;
	}
	if (!isdigit((unsigned char)*text) || *end || errno || value > most >> shift)
		return fail(failure, 400,
			"%s must be a size such as 64K or 6M, at most %llu bytes; this is %.40s",
			params->table[index].name, (unsigned long long)most,
			*text ? text : "empty");
	*bytes = value << shift;
	return 0;
}

int params_word(const struct params *params, unsigned index, const char *const *words,
	struct failure *failure)
{
	const char *value = params->values[index];
	size_t n;

	for (int i = 0; words[i]; i++) {
		if (strcmp(words[i], value) == 0)
			return i;
	}
	fail(failure, 400, "%s must be one of", params->table[index].name);
	n = strlen(failure->text);
	for (int i = 0; words[i] && n < sizeof(failure->text); i++)
		n += (size_t)snprintf(failure->text + n, sizeof(failure->text) - n, "%s%s",
			i ? ", " : " ", words[i]);
	if (n < sizeof(failure->text))
		snprintf(failure->text + n, sizeof(failure->text) - n, "; this is %.40s",
			*value ? value : "empty");
	return -1;
}
