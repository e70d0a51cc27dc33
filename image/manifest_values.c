/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand in a manifest: see manifest_values.h; sizes, durations and names: see manifest.h. */
#include "image/manifest_values.h"

#include "host/cron.h"
#include "host/egress_rule.h"
#include "host/publish.h"
#include "host/str.h"
#include "image/manifest.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PATH_BYTES_MAX 4095
#define KEY_BYTES_MAX 1024
#define URL_BYTES_MAX 2048
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define TOKEN LETTERS DIGITS "!#$%&'*+-.^_`|~" /* RFC 9110, 5.6.2 */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter_or_digit(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

static bool has_control(const char *text)
{
	for (; *text; text++) {
		if (is_control(*text))
			return true;
	}
	return false;
}

/* Letters and digits, with single characters of `between` between them. */
static bool is_parted_name(const char *text, size_t most, const char *between)
{
	size_t length = strlen(text);

	if (length == 0 || length > most)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (is_letter_or_digit(text[i]))
			continue;
		if (!strchr(between, text[i]) || i == 0 || !is_letter_or_digit(text[i - 1]) ||
			i + 1 == length)
			return false;
	}
	return true;
}

bool manifest_name_is_good(const char *name)
{
	return is_parted_name(name, MANIFEST_NAME_MAX, "-_");
}

bool value_is_tag(const char *text)
{
	return is_parted_name(text, 63, "-_.");
}

/* --- numbers --- */

/* Takes digits from *text. False: none, or more than 64 bits. */
static bool take_number(const char **text, uint64_t *number)
{
	const char *at = *text;
	uint64_t n = 0;

	if (!is_digit(*at))
		return false;
	for (; is_digit(*at); at++) {
		if (__builtin_mul_overflow(n, 10, &n) ||
			__builtin_add_overflow(n, (uint64_t)(*at - '0'), &n))
			return false;
	}
	*text = at;
	*number = n;
	return true;
}

int value_number(const char *text, uint64_t *number)
{
	uint64_t n;

	if (!take_number(&text, &n) || *text)
		return -EINVAL;
	*number = n;
	return 0;
}

int manifest_parse_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMG";
	unsigned int shift = 0;
	const char *unit;
	uint64_t number;

	if (!take_number(&text, &number))
		return -EINVAL;
	if (*text) {
		unit = strchr(units, toupper((unsigned char)*text));
		if (!unit)
			return -EINVAL;
		shift = 10 * (unsigned int)(unit - units + 1);
		text++;
		/* "KB" is left to those who count in thousands: it is refused. */
		if (*text && strcmp(text, "iB") != 0)
			return -EINVAL;
	}
	if (number > UINT64_MAX >> shift)
		return -EINVAL;
	*bytes = number << shift;
	return 0;
}

static const struct {
	const char *name;
	uint64_t ms;
} time_units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

#define TIME_UNITS (sizeof(time_units) / sizeof(time_units[0]))

/* Up to three digits behind a point, as thousandths. */
static bool take_thousandths(const char **text, uint64_t *thousandths)
{
	uint64_t scale = 100, sum = 0;

	if (**text == '.') {
		(*text)++;
		if (!is_digit(**text))
			return false;
		for (; is_digit(**text); (*text)++, scale /= 10) {
			if (scale == 0)
				return false;
			sum += (uint64_t)(**text - '0') * scale;
		}
	}
	*thousandths = sum;
	return true;
}

int manifest_parse_duration(const char *text, uint64_t *ms)
{
	uint64_t whole, thousandths, part;

	if (!take_number(&text, &whole) || !take_thousandths(&text, &thousandths))
		return -EINVAL;
	for (size_t i = 0; i < TIME_UNITS; i++) {
		if (strcmp(text, time_units[i].name) != 0)
			continue;
		part = thousandths * time_units[i].ms;
		/* Half a millisecond cannot be kept. */
		if (part % 1000 || __builtin_mul_overflow(whole, time_units[i].ms, &whole) ||
			__builtin_add_overflow(whole, part / 1000, &whole))
			return -EINVAL;
		*ms = whole;
		return 0;
	}
	return -EINVAL;
}

const char *manifest_say_size(uint64_t bytes, char text[MANIFEST_UNITS_BYTES])
{
	static const char *const units[] = {"", "K", "M", "G"};
	size_t unit = 0;

	while (bytes && bytes % 1024 == 0 && unit < 3) {
		bytes /= 1024;
		unit++;
	}
	snprintf(text, MANIFEST_UNITS_BYTES, "%" PRIu64 "%s", bytes, units[unit]);
	return text;
}

const char *manifest_say_duration(uint64_t ms, char text[MANIFEST_UNITS_BYTES])
{
	size_t unit = 0;

	while (ms % time_units[unit].ms || (ms == 0 && unit + 2 < TIME_UNITS))
		unit++;
	snprintf(text, MANIFEST_UNITS_BYTES, "%" PRIu64 "%s", ms / time_units[unit].ms,
		time_units[unit].name);
	return text;
}

/* --- paths and names --- */

bool value_is_text(const char *text)
{
	return *text != '\0';
}

bool value_is_path(const char *text)
{
	return *text && strlen(text) <= PATH_BYTES_MAX && !has_control(text);
}

bool value_is_secret(const char *text)
{
	return !*text || value_is_path(text);
}

static bool has_dot_dot(const char *path)
{
	for (const char *at = strstr(path, ".."); at; at = strstr(at + 1, "..")) {
		if ((at == path || at[-1] == '/') && (at[2] == '/' || at[2] == '\0'))
			return true;
	}
	return false;
}

bool value_is_guest_path(const char *text)
{
	return *text == '/' && value_is_path(text) && !has_dot_dot(text);
}

bool value_is_file(const char *text)
{
	const char *colon = strrchr(text, ':');

	if (!value_is_path(text) || colon == text)
		return false;
	return !colon || value_is_guest_path(colon + 1);
}

bool value_is_variable(const char *text)
{
	return *text && !is_digit(*text) && strlen(text) <= 255 &&
		strspn(text, LETTERS DIGITS "_") == strlen(text);
}

bool value_is_media_type(const char *text)
{
	size_t type = strspn(text, TOKEN);
	size_t subtype = type && text[type] == '/' ? strspn(text + type + 1, TOKEN) : 0;
	const char *rest = text + type + 1 + subtype;

	if (subtype == 0 || strlen(text) > 255 || (*rest && *rest != ';' && *rest != ' '))
		return false;
	for (; *rest; rest++) {
		if (is_control(*rest) || (unsigned char)*rest >= 0x80)
			return false;
	}
	return true;
}

bool value_is_route(const char *text)
{
	static const char *const taken[] = {"/fn", "/metrics", "/healthz", "/2014-", "/2015-",
		"/2016-", "/2017-", "/2018-", "/2019-", "/2020-", "/2021-"};

	if (*text != '/' || strlen(text) > 255 || has_dot_dot(text) || strstr(text, "//") ||
		strspn(text, LETTERS DIGITS "/-._~") != strlen(text))
		return false;
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		size_t length = strlen(taken[i]);

		if (df_starts_with(text, taken[i]) &&
			(taken[i][length - 1] == '-' || text[length] == '/' || !text[length]))
			return false;
	}
	return true;
}

bool value_is_publish(const char *text)
{
	struct df_publish publish;

	return df_publish_parse(text, &publish, NULL) == 0;
}

bool value_is_url_path(const char *text)
{
	const char *at = text;

	while (*at > ' ' && *at < 0x7f)
		at++;
	return *text == '/' && !*at && at - text <= 1024;
}

static bool is_among(const char *text, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(text, words[i]) == 0)
			return true;
	}
	return false;
}

bool value_is_method(const char *text)
{
	static const char *const methods[] = {
		"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

	return is_among(text, methods, sizeof(methods) / sizeof(methods[0]));
}

bool value_is_bucket(const char *text)
{
	size_t length = strlen(text);

	return length >= 3 && length <= 63 && is_letter_or_digit(text[0]) &&
		is_letter_or_digit(text[length - 1]) && !strstr(text, "..") &&
		strspn(text, "abcdefghijklmnopqrstuvwxyz" DIGITS ".-") == length;
}

bool value_is_key_part(const char *text)
{
	return strlen(text) <= KEY_BYTES_MAX && !has_control(text);
}

bool value_is_egress(const char *text)
{
	struct df_egress_rule rule;

	return df_egress_rule_parse(text, &rule, NULL) == 0;
}

/* --- schedules --- */

bool value_is_cron(const char *text)
{
	struct df_cron cron;

	return df_cron_parse(text, &cron, NULL) == 0;
}

bool value_is_time_zone(const char *text)
{
	size_t length = strlen(text);

	return length && length <= 64 && is_letter_or_digit(text[0]) &&
		is_letter_or_digit(text[length - 1]) && !strstr(text, "//") &&
		strspn(text, LETTERS DIGITS "_+-/") == length;
}

/* --- destinations --- */

bool value_is_url(const char *text)
{
	const char *host = df_starts_with(text, "http://") ? text + 7
		: df_starts_with(text, "https://")         ? text + 8
							   : NULL;
	size_t length = host ? strcspn(host, "/?#") : 0;

	if (length == 0 || host[0] == ':' || strlen(text) > URL_BYTES_MAX ||
		memchr(host, '@', length))
		return false;
	for (; *text; text++) {
		if (*text <= ' ' || *text == 0x7f || *text == '"' || *text == '\\')
			return false;
	}
	return true;
}

/* {placeholders} are lower-case words with points: {key.stem}. */
static bool has_good_placeholders(const char *text)
{
	for (; *text; text++) {
		if (*text == '}')
			return false;
		if (*text == '{') {
			size_t length = strspn(text + 1, "abcdefghijklmnopqrstuvwxyz0123456789_.-");

			if (length == 0 || text[1 + length] != '}')
				return false;
			text += 1 + length;
		}
	}
	return true;
}

bool value_is_file_template(const char *text)
{
	return value_is_path(text) && !df_ends_with(text, "/") && has_good_placeholders(text);
}

bool value_is_object_template(const char *text)
{
	const char *slash = strchr(text, '/');
	char bucket[64];

	if (!slash || slash - text > 63 || !slash[1])
		return false;
	memcpy(bucket, text, (size_t)(slash - text));
	bucket[slash - text] = '\0';
	return value_is_bucket(bucket) && value_is_key_part(slash + 1) &&
		has_good_placeholders(slash + 1);
}
