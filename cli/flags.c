/* SPDX-License-Identifier: Apache-2.0 */
/* Flags and their values: see cli.h. */
#include "cli/cli.h"

#include "host/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool flag_may_stand_alone(const struct flag *flag)
{
	return flag->value && strncmp(flag->value, "[=", 2) == 0;
}

/* The flag of this name; *options is then what it sets. */
static const struct flag *find_flag(const struct flag_set *sets, const char *word, size_t length,
	void **options)
{
	for (; sets->flags; sets++) {
		for (const struct flag *flag = sets->flags; flag->name; flag++) {
			if (strlen(flag->name) == length && memcmp(flag->name, word, length) == 0) {
				*options = sets->options;
				return flag;
			}
		}
	}
	return NULL;
}

/* Near enough to be a slip of the fingers: a third of the letters, at most 3. */
static bool is_nearer(const char *word, const char *name, size_t *best)
{
	size_t distance = df_edit_distance(word, name), limit = strlen(name) / 3;

	if (limit > 3)
		limit = 3;
	/* "--mem" for "--memory" is no slip, but clear all the same. */
	if (strlen(word) > 3 && df_starts_with(name, word))
		distance = 1;
	if (distance > limit || distance >= *best)
		return false;
	*best = distance;
	return true;
}

const char *nearest_name(const char *word, const char *const *names)
{
	const char *nearest = NULL;
	size_t best = SIZE_MAX;

	for (; *names; names++) {
		if (is_nearer(word, *names, &best))
			nearest = *names;
	}
	return nearest;
}

static int unknown_flag(const struct flag_set *sets, const char *word, size_t length,
	struct df_err *err)
{
	const char *nearest = NULL;
	size_t best = SIZE_MAX;
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)length, word);
	for (; sets->flags; sets++) {
		for (const struct flag *flag = sets->flags; flag->name; flag++) {
			if (is_nearer(name, flag->name, &best))
				nearest = flag->name;
		}
	}
	df_err_set(err, -EINVAL, "there is no flag %.*s", (int)length, word);
	if (nearest)
		df_err_add(err, "; did you mean %s?", nearest);
	else
		df_err_add(err, "; --help lists those there are");
	return -EINVAL;
}

/* Takes the flag at argv[*at] and its value; *at is then at the next word. */
static int take_flag(const struct flag_set *sets, int argc, char **argv, int *at,
	struct df_err *err)
{
	const char *word = argv[*at], *equals = strchr(word, '='), *value = NULL;
	size_t length = equals ? (size_t)(equals - word) : strlen(word);
	void *options = NULL;
	const struct flag *flag = find_flag(sets, word, length, &options);

	if (!flag)
		return unknown_flag(sets, word, length, err);
	(*at)++;
	if (flag_may_stand_alone(flag)) {
		value = equals ? equals + 1 : NULL; /* may be left out */
	} else if (flag->value) {
		value = equals ? equals + 1 : *at < argc ? argv[(*at)++] : NULL;
		if (!value)
			return df_err_set(err, -EINVAL, "%s needs a value: %s %s", flag->name,
				flag->name, flag->value);
	} else if (equals) {
		return df_err_set(err, -EINVAL, "%s takes no value", flag->name);
	}
	return flag->set(options, value, err);
}

int flags_parse(const struct flag_set *sets, int argc, char **argv, int *next, struct df_err *err)
{
	int at = 1;

	while (at < argc && argv[at][0] == '-' && argv[at][1] != '\0') {
		int error;

		if (strcmp(argv[at], "--") == 0) {
			at++;
			break;
		}
		if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0)
			return FLAGS_HELP;
		error = take_flag(sets, argc, argv, &at, err);
		if (error)
			return error;
	}
	*next = at;
	return 0;
}

void flags_print(const struct flag *flags)
{
	for (; flags->name; flags++) {
		char left[64];

		const char *value = flags->value ? flags->value : "";

		snprintf(left, sizeof(left), "%s%s%s", flags->name,
			*value && !flag_may_stand_alone(flags) ? " " : "", value);
		printf("  %-24s %s\n", left, flags->help);
	}
}

/* Digits at *text; moves behind them. */
static int take_number(const char **text, uint64_t *number)
{
	uint64_t value = 0;
	const char *at = *text;

	for (; *at >= '0' && *at <= '9'; at++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
			return -EINVAL;
	}
	if (at == *text)
		return -EINVAL;
	*text = at;
	*number = value;
	return 0;
}

int parse_size(const char *text, uint64_t *bytes)
{
	static const struct {
		const char *unit;
		unsigned int shift;
	} units[] = {{"", 0}, {"K", 10}, {"k", 10}, {"KiB", 10}, {"M", 20}, {"m", 20}, {"MiB", 20},
		{"G", 30}, {"g", 30}, {"GiB", 30}};
	uint64_t number;

	if (take_number(&text, &number) < 0)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(text, units[i].unit) == 0) {
			if (number == 0 || number > UINT64_MAX >> units[i].shift)
				return -EINVAL;
			*bytes = number << units[i].shift;
			return 0;
		}
	}
	return -EINVAL;
}

int parse_duration_ms(const char *text, uint64_t *ms)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
	const uint64_t most_ms = 30ull * 24 * 3600000;
	uint64_t whole, thousandths = 0, scale = 100;

	if (take_number(&text, &whole) < 0 || whole > most_ms)
		return -EINVAL;
	if (*text == '.') {
		for (text++; *text >= '0' && *text <= '9'; text++) {
			thousandths += (uint64_t)(*text - '0') * scale;
			scale /= 10;
		}
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(text, units[i].unit) == 0) {
			uint64_t total = whole * units[i].ms + thousandths * units[i].ms / 1000;

			if (total == 0 || total > most_ms)
				return -EINVAL;
			*ms = total;
			return 0;
		}
	}
	return -EINVAL;
}
