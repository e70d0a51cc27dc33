/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest may reach: see egress.h. */
#include "nat/egress.h"

#include <dayfly/net.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A name is looked up again and again by those who use it; a pin outlives its answer by that much. */
#define PIN_LEAST_S 60u
#define PIN_MOST_S 86400u

static int bad_rule(const char *text, struct df_err *err)
{
	return df_err_set(err, -EINVAL,
		"--net=%.100s: not a rule; it is any, NAME[:PORT], or ADDRESS[/BITS][:PORT]", text);
}

/* Takes a number from 1 to `most` that ends the text. */
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

static bool parse_address(char *text, struct egress_rule *rule)
{
	char *slash = strchr(text, '/');
	unsigned long bits = 32;
	struct in_addr address;

	if (slash) {
		*slash = 0;
		if (!take_number(slash + 1, 0, 32, &bits))
			return false;
	}
	if (inet_pton(AF_INET, text, &address) != 1)
		return false;
	rule->kind = EGRESS_ADDRESS;
	rule->mask = bits ? UINT32_MAX << (32 - bits) : 0;
	rule->address = ntohl(address.s_addr) & rule->mask;
	return true;
}

static bool parse_name(const char *text, struct egress_rule *rule)
{
	size_t length = strlen(text);

	if (length == 0 || length > EGRESS_NAME_MAX || *text == '.' || *text == '-')
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!isalnum((unsigned char)text[i]) && !strchr(".-_", text[i]))
			return false;
		rule->name[i] = (char)tolower((unsigned char)text[i]);
	}
	if (rule->name[length - 1] == '.')
		rule->name[length - 1] = 0;
	rule->kind = EGRESS_NAME;
	return true;
}

int egress_add(struct egress *egress, const char *text, struct df_err *err)
{
	struct egress_rule *rule = &egress->rule[egress->rule_count];
	char copy[EGRESS_NAME_MAX + 32], *colon;
	unsigned long port = 0;

	if (egress->rule_count == EGRESS_RULES_MAX)
		return df_err_set(err, -E2BIG, "--net: more than %u rules", EGRESS_RULES_MAX);
	if (strlen(text) >= sizeof(copy))
		return bad_rule(text, err);
	strcpy(copy, text);
	*rule = (struct egress_rule){0};
	colon = strchr(copy, ':');
	if (colon) {
		*colon = 0;
		if (!take_number(colon + 1, 1, UINT16_MAX, &port))
			return bad_rule(text, err);
	}
	rule->port = (uint16_t)port;
	if (strcmp(copy, "any") == 0)
		rule->kind = EGRESS_ANY;
	else if (isdigit((unsigned char)*copy) && strspn(copy, "0123456789./") == strlen(copy)
			? !parse_address(copy, rule)
			: !parse_name(copy, rule))
		return bad_rule(text, err);
	egress->rule_count++;
	return 0;
}

int egress_find_own(struct egress *egress)
{
	struct ifaddrs *all, *at;

	if (getifaddrs(&all) < 0)
		return -errno;
	for (at = all; at && egress->own_count < sizeof(egress->own) / sizeof(egress->own[0]);
		at = at->ifa_next) {
		const struct sockaddr_in *in = (const void *)at->ifa_addr;

		if (in && in->sin_family == AF_INET)
			egress->own[egress->own_count++] = ntohl(in->sin_addr.s_addr);
	}
	freeifaddrs(all);
	return 0;
}

static bool same_name(const char *a, const char *b)
{
	size_t length = strlen(b);

	if (length && b[length - 1] == '.')
		length--;
	return strlen(a) == length && strncasecmp(a, b, length) == 0;
}

bool egress_allows_name(const struct egress *egress, const char *name)
{
	for (unsigned int i = 0; i < egress->rule_count; i++) {
		const struct egress_rule *rule = &egress->rule[i];

		if (rule->kind == EGRESS_ANY ||
			(rule->kind == EGRESS_NAME && same_name(rule->name, name)))
			return true;
	}
	return false;
}

static struct egress_pin *find_pin(struct egress *egress, const struct egress_rule *rule,
	uint32_t address)
{
	struct egress_pin *oldest = &egress->pin[0];

	for (unsigned int i = 0; i < EGRESS_PINS_MAX; i++) {
		struct egress_pin *pin = &egress->pin[i];

		if (pin->rule == rule && pin->address == address)
			return pin;
		if (pin->until_ms < oldest->until_ms)
			oldest = pin;
	}
	return oldest;
}

void egress_pin(struct egress *egress, const char *name, uint32_t address, uint32_t seconds,
	uint64_t now_ms)
{
	if (seconds < PIN_LEAST_S)
		seconds = PIN_LEAST_S;
	if (seconds > PIN_MOST_S)
		seconds = PIN_MOST_S;
	for (unsigned int i = 0; i < egress->rule_count; i++) {
		const struct egress_rule *rule = &egress->rule[i];

		if (rule->kind == EGRESS_NAME && same_name(rule->name, name))
			*find_pin(egress, rule, address) =
				(struct egress_pin){address, now_ms + seconds * 1000ull, rule};
	}
}

static bool is_host(const struct egress *egress, uint32_t address)
{
	for (unsigned int i = 0; i < egress->own_count; i++)
		if (egress->own[i] == address)
			return true;
	return (address & DF_NET_MASK) == (DF_NET_GATEWAY & DF_NET_MASK);
}

/* Open only to rules that name an address: what is near the host, and what is no single machine. */
static bool is_special(const struct egress *egress, uint32_t address)
{
	return address >> 24 == 127 || address >> 24 == 0 || address >> 16 == 0xa9fe ||
		address >> 28 >= 14 || is_host(egress, address);
}

static bool pinned(const struct egress *egress, const struct egress_rule *rule, uint32_t address,
	uint64_t now_ms)
{
	for (unsigned int i = 0; i < EGRESS_PINS_MAX; i++) {
		const struct egress_pin *pin = &egress->pin[i];

		if (pin->rule == rule && pin->address == address && pin->until_ms > now_ms)
			return true;
	}
	return false;
}

bool egress_allows(const struct egress *egress, uint32_t address, uint16_t port, uint64_t now_ms)
{
	bool special = is_special(egress, address);

	for (unsigned int i = 0; i < egress->rule_count; i++) {
		const struct egress_rule *rule = &egress->rule[i];

		if (rule->port && rule->port != port)
			continue;
		if (rule->kind == EGRESS_ADDRESS ? (address & rule->mask) == rule->address
						 : !special &&
					(rule->kind == EGRESS_ANY ||
						pinned(egress, rule, address, now_ms)))
			return true;
	}
	return false;
}
