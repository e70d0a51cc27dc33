/* SPDX-License-Identifier: Apache-2.0 */
/* A rule about what a guest may reach: see egress_rule.h. */
#include "host/egress_rule.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Takes a number from `least` to `most` that ends the text. */
static bool take_number(const char *text, unsigned long least, unsigned long most,
	unsigned long *out)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*out = strtoul(text, &end, 10);
	return !errno && !*end && *out >= least && *out <= most;
}

static bool parse_address(char *text, struct df_egress_rule *rule)
{
	char *slash = strchr(text, '/');
	unsigned long bits;
	unsigned int most;

	if (slash)
		*slash = 0;
	if (!df_ip_parse(text, &rule->address))
		return false;
	most = IN6_IS_ADDR_V4MAPPED(&rule->address) ? 32 : 128;
	bits = most;
	if (slash && !take_number(slash + 1, 0, most, &bits))
		return false;
	rule->kind = DF_EGRESS_ADDRESS;
	rule->bits = 128 - most + (unsigned int)bits;
	return true;
}

static bool parse_name(const char *text, struct df_egress_rule *rule)
{
	size_t length = strlen(text);

	if (length == 0 || length > DF_EGRESS_NAME_MAX || *text == '.' || *text == '-')
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!isalnum((unsigned char)text[i]) && !strchr(".-_", text[i]))
			return false;
		rule->name[i] = (char)tolower((unsigned char)text[i]);
	}
	if (rule->name[length - 1] == '.')
		rule->name[length - 1] = 0;
	rule->kind = DF_EGRESS_NAME;
	return true;
}

/* Cuts the port off, and the brackets of an IPv6 address. Returns what is left, NULL: it has another shape. */
static char *take_port(char *text, struct df_egress_rule *rule)
{
	char *first = strchr(text, ':'), *end = first;
	unsigned long port;

	if (*text == '[') {
		end = strchr(text++, ']');
		if (!end || !first || first > end)
			return NULL;
		*end++ = 0;
	} else if (first && strchr(first + 1, ':')) {
		return text; /* an IPv6 address alone */
	}
	if (!end || !*end)
		return text;
	if (*end != ':' || !take_number(end + 1, 1, UINT16_MAX, &port))
		return NULL;
	*end = 0;
	rule->port = (uint16_t)port;
	return text;
}

static bool looks_like_address(const char *text)
{
	return strchr(text, ':') ||
		(isdigit((unsigned char)*text) && strspn(text, "0123456789./") == strlen(text));
}

static bool parse(const char *text, struct df_egress_rule *rule)
{
	char copy[DF_EGRESS_NAME_MAX + 32], *who;

	if (strlen(text) >= sizeof(copy))
		return false;
	strcpy(copy, text);
	who = take_port(copy, rule);
	if (!who)
		return false;
	if (strcmp(who, "any") == 0) {
		rule->kind = DF_EGRESS_ANY;
		return true;
	}
	return looks_like_address(who) ? parse_address(who, rule) : parse_name(who, rule);
}

int df_egress_rule_parse(const char *text, struct df_egress_rule *rule, struct df_err *err)
{
	struct df_egress_rule read = {0};

	if (!parse(text, &read))
		return df_err_set(err, -EINVAL,
			"%.100s is not a rule; one is " DF_EGRESS_RULE_SHAPES, text);
	*rule = read;
	return 0;
}
