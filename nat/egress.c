/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest may reach: see egress.h. */
#include "nat/egress.h"

#include <dayfly/net.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

/* A name is looked up again and again by those who use it; a pin outlives its answer by that much. */
#define PIN_LEAST_S 60u
#define PIN_MOST_S 86400u

int egress_add(struct egress *egress, const char *text, struct df_err *err)
{
	struct df_err why = {0};

	if (egress->rule_count == DF_EGRESS_RULES_MAX)
		return df_err_set(err, -E2BIG, "--net: more than %u rules", DF_EGRESS_RULES_MAX);
	if (df_egress_rule_parse(text, &egress->rule[egress->rule_count], &why))
		return df_err_set(err, why.code, "--net: %s", why.text);
	egress->rule_count++;
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
		const struct df_egress_rule *rule = &egress->rule[i];

		if (rule->kind == DF_EGRESS_ANY ||
			(rule->kind == DF_EGRESS_NAME && same_name(rule->name, name)))
			return true;
	}
	return false;
}

static bool same_address(const struct in6_addr *a, const struct in6_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static struct egress_pin *find_pin(struct egress *egress, const struct df_egress_rule *rule,
	const struct in6_addr *address)
{
	struct egress_pin *oldest = &egress->pin[0];

	for (unsigned int i = 0; i < EGRESS_PINS_MAX; i++) {
		struct egress_pin *pin = &egress->pin[i];

		if (pin->rule == rule && same_address(&pin->address, address))
			return pin;
		if (pin->until_ms < oldest->until_ms)
			oldest = pin;
	}
	return oldest;
}

void egress_pin(struct egress *egress, const char *name, const struct in6_addr *address,
	uint32_t seconds, uint64_t now_ms)
{
	if (seconds < PIN_LEAST_S)
		seconds = PIN_LEAST_S;
	if (seconds > PIN_MOST_S)
		seconds = PIN_MOST_S;
	for (unsigned int i = 0; i < egress->rule_count; i++) {
		const struct df_egress_rule *rule = &egress->rule[i];

		if (rule->kind == DF_EGRESS_NAME && same_name(rule->name, name))
			*find_pin(egress, rule, address) =
				(struct egress_pin){*address, now_ms + seconds * 1000ull, rule};
	}
}

void egress_reset(struct egress *egress)
{
	memset(egress->pin, 0, sizeof(egress->pin));
}

#define V4(a, b, c, d)                                               \
	{                                                            \
		.s6_addr = { [10] = 0xff, 0xff, (a), (b), (c), (d) } \
	}
#define V6(...)                            \
	{                                  \
		.s6_addr = { __VA_ARGS__ } \
	}

/* What is near the host, and what is no single machine. */
static const struct {
	struct in6_addr network;
	unsigned int bits;
} special[] = {
	{V4(0, 0, 0, 0), 96 + 8}, {V4(127, 0, 0, 0), 96 + 8}, {V4(169, 254, 0, 0), 96 + 16},
	{V4(224, 0, 0, 0), 96 + 3},
	{V4(DF_NET_GATEWAY >> 24, DF_NET_GATEWAY >> 16 & 0xff, DF_NET_GATEWAY >> 8 & 0xff, 0),
		96 + 24},
	{V6(0), 96}, /* ::, ::1, and IPv4 in a form that is out of use */
	{V6(0xfe, 0x80), 10}, {V6(0xff), 8}, {V6(DF_NET_PREFIX6), 64},
	{V6(0xfd, 0, 0x0e, 0xc2), 32}, /* 169.254.169.254 of Amazon's cloud, and its neighbours */
	{V6(0xfd, 0x20, 0, 0xce), 32}, /* of Google's */
};

/* Behind these prefixes a translator on the way sees an IPv4 address. */
static const struct {
	struct in6_addr network;
	unsigned int bits, v4_at;
} translated[] = {
	{V6(0, 0x64, 0xff, 0x9b), 96, 12},
	{V6(0x20, 0x02), 16, 2},
};

/* Open only to rules that name an address. */
static bool is_special(const struct egress *egress, const struct in6_addr *address)
{
	for (size_t i = 0; i < sizeof(translated) / sizeof(translated[0]); i++) {
		struct in6_addr v4 = V4(0, 0, 0, 0);

		if (!df_ip_in(address, &translated[i].network, translated[i].bits))
			continue;
		memcpy(&v4.s6_addr[12], &address->s6_addr[translated[i].v4_at], 4);
		return is_special(egress, &v4);
	}
	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++)
		if (df_ip_in(address, &special[i].network, special[i].bits))
			return true;
	return egress->own && own_has(egress->own, address);
}

static bool pinned(const struct egress *egress, const struct df_egress_rule *rule,
	const struct in6_addr *address, uint64_t now_ms)
{
	for (unsigned int i = 0; i < EGRESS_PINS_MAX; i++) {
		const struct egress_pin *pin = &egress->pin[i];

		if (pin->rule == rule && same_address(&pin->address, address) &&
			pin->until_ms > now_ms)
			return true;
	}
	return false;
}

/* ::/0 is all of IPv6, and nothing of IPv4. */
static bool names_address(const struct df_egress_rule *rule, const struct in6_addr *address)
{
	return !IN6_IS_ADDR_V4MAPPED(&rule->address) == !IN6_IS_ADDR_V4MAPPED(address) &&
		df_ip_in(address, &rule->address, rule->bits);
}

bool egress_allows(const struct egress *egress, const struct in6_addr *address, uint16_t port,
	uint64_t now_ms)
{
	bool usual = !is_special(egress, address);

	for (unsigned int i = 0; i < egress->rule_count; i++) {
		const struct df_egress_rule *rule = &egress->rule[i];

		if (rule->port && rule->port != port)
			continue;
		if (rule->kind == DF_EGRESS_ADDRESS && names_address(rule, address))
			return true;
		if (usual &&
			(rule->kind == DF_EGRESS_ANY ||
				(rule->kind == DF_EGRESS_NAME &&
					pinned(egress, rule, address, now_ms))))
			return true;
	}
	return false;
}
