/* SPDX-License-Identifier: Apache-2.0 */
#include "nat/egress.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define FIRST 0xc6330000u /* 198.51.0.0 */

static struct in6_addr ip(const char *text)
{
	struct in6_addr in;

	assert_true(df_ip_parse(text, &in));
	return in;
}

static bool allows(const struct egress *e, const char *address, uint16_t port, uint64_t now_ms)
{
	const struct in6_addr in = ip(address);

	return egress_allows(e, &in, port, now_ms);
}

static void pin(struct egress *e, const char *name, const char *address)
{
	const struct in6_addr in = ip(address);

	egress_pin(e, name, &in, 300, 1000);
}

static void add(struct egress *e, const char *rule)
{
	struct df_err err = {0};

	assert_int_equal(egress_add(e, rule, &err), 0);
}

static void closed_unless_opened(void **state)
{
	struct egress e = {0};

	(void)state;
	assert_false(allows(&e, "93.184.216.34", 80, 0));
	assert_false(egress_allows_name(&e, "example.org"));
}

static void addresses(void **state)
{
	struct egress e = {0};

	(void)state;
	add(&e, "10.1.0.0/16:5432");
	add(&e, "192.0.2.7");
	assert_true(allows(&e, "10.1.255.3", 5432, 0));
	assert_false(allows(&e, "10.1.255.3", 5433, 0));
	assert_false(allows(&e, "10.2.0.1", 5432, 0));
	assert_true(allows(&e, "192.0.2.7", 1, 0));
	assert_false(allows(&e, "192.0.2.8", 1, 0));
}

static void addresses_of_ipv6(void **state)
{
	struct egress e = {0};

	(void)state;
	add(&e, "2001:db8:1::/47");
	add(&e, "[2001:db8:5::1]:443");
	add(&e, "[2001:db8:6::/48]:80");
	assert_true(allows(&e, "2001:db8::1", 1, 0));
	assert_true(allows(&e, "2001:db8:1:ffff::1", 1, 0));
	assert_false(allows(&e, "2001:db8:2::1", 1, 0));
	assert_true(allows(&e, "2001:db8:5::1", 443, 0));
	assert_false(allows(&e, "2001:db8:5::1", 80, 0));
	assert_false(allows(&e, "2001:db8:5::2", 443, 0));
	assert_true(allows(&e, "2001:db8:6:7::8", 80, 0));
	assert_false(allows(&e, "2001:db8:6:7::8", 81, 0));
	add(&e, "[::1]:5432");
	assert_true(allows(&e, "::1", 5432, 0));
	assert_false(allows(&e, "::1", 5433, 0));
}

/* All of one family is nothing of the other. */
static void families_are_apart(void **state)
{
	struct egress six = {0}, four = {0};

	(void)state;
	add(&six, "::/0");
	add(&four, "0.0.0.0/0");
	assert_true(allows(&six, "2001:db8::1", 80, 0));
	assert_false(allows(&six, "192.0.2.1", 80, 0));
	assert_true(allows(&four, "192.0.2.1", 80, 0));
	assert_false(allows(&four, "2001:db8::1", 80, 0));
}

static void addresses_as_text(void **state)
{
	char text[DF_IP_TEXT_MAX];
	struct in6_addr in = ip("192.0.2.1");

	(void)state;
	assert_string_equal(df_ip_text(&in, 80, text), "192.0.2.1:80");
	assert_string_equal(df_ip_text(&in, 0, text), "192.0.2.1");
	in = ip("2001:db8::1");
	assert_string_equal(df_ip_text(&in, 65535, text), "[2001:db8::1]:65535");
	assert_string_equal(df_ip_text(&in, 0, text), "2001:db8::1");
	assert_false(df_ip_parse("::ffff:192.0.2.1", &in));
}

static void any_is_not_the_host(void **state)
{
	const struct own own = {.address = {ip("10.0.0.5"), ip("2001:db8::5")}, .count = 2};
	struct egress e = {.own = &own};
	static const char *const closed[] = {"127.0.0.1", "10.0.2.2", "10.0.2.3", "169.254.169.254",
		"10.0.0.5", "224.0.0.1", "255.255.255.255", "0.0.0.0", "::", "::1", "::127.0.0.1",
		"fe80::1", "febf::1", "ff02::1", "2001:db8::5", "fd44:6179:666c::2",
		"fd00:ec2::254", "fd20:ce::254", "64:ff9b::127.0.0.1", "64:ff9b::169.254.169.254",
		"64:ff9b::10.0.0.5", "2002:7f00:1::1"};

	(void)state;
	add(&e, "any");
	assert_true(allows(&e, "8.8.8.8", 53, 0));
	assert_true(allows(&e, "10.0.0.6", 80, 0));
	assert_true(allows(&e, "2001:db8::6", 80, 0));
	assert_true(allows(&e, "fd12:3456::1", 80, 0));
	assert_true(allows(&e, "64:ff9b::8.8.8.8", 80, 0));
	for (unsigned i = 0; i < sizeof(closed) / sizeof(closed[0]); i++)
		assert_false(allows(&e, closed[i], 80, 0));
	add(&e, "10.0.2.2:5432");
	assert_true(allows(&e, "10.0.2.2", 5432, 0));
	assert_false(allows(&e, "10.0.2.2", 22, 0));
}

/* A message of netlink about an address, with up to two attributes. Returns its bytes. */
static size_t message(void *to, uint16_t type, uint8_t family, uint16_t first, const char *one,
	uint16_t second, const char *other)
{
	const unsigned int bytes = family == AF_INET ? 4 : 16;
	const uint16_t types[] = {first, second};
	const char *const texts[] = {one, other};
	struct nlmsghdr *m = to;
	struct ifaddrmsg *about = NLMSG_DATA(m);

	memset(to, 0, 128);
	m->nlmsg_type = type;
	m->nlmsg_len = NLMSG_LENGTH(sizeof(*about));
	about->ifa_family = family;
	for (int i = 0; i < 2; i++) {
		struct rtattr *a = (void *)((char *)to + m->nlmsg_len);
		struct in6_addr in;

		if (!texts[i])
			continue;
		in = ip(texts[i]);
		a->rta_type = types[i];
		a->rta_len = (uint16_t)RTA_LENGTH(bytes);
		memcpy(RTA_DATA(a), &in.s6_addr[16 - bytes], bytes);
		m->nlmsg_len += RTA_SPACE(bytes);
	}
	return m->nlmsg_len;
}

static void own_addresses_come_and_go(void **state)
{
	_Alignas(struct nlmsghdr) char m[128];
	static struct own own;
	struct egress e = {.own = &own};

	(void)state;
	add(&e, "any");
	assert_int_equal(own_take(&own, m,
				 message(m, RTM_NEWADDR, AF_INET6, IFA_ADDRESS, "2001:db8::7", 0,
					 NULL)),
		0);
	assert_int_equal(own_take(&own, m,
				 message(m, RTM_NEWADDR, AF_INET, IFA_ADDRESS, "192.0.2.1",
					 IFA_LOCAL, "192.0.2.7")),
		0);
	assert_int_equal(own_take(&own, m,
				 message(m, RTM_NEWADDR, AF_INET, IFA_LOCAL, "192.0.2.9",
					 IFA_ADDRESS, "192.0.2.8")),
		0);
	assert_int_equal(own.count, 3);
	assert_false(allows(&e, "2001:db8::7", 80, 0));
	assert_false(allows(&e, "192.0.2.7", 80, 0));
	assert_false(allows(&e, "192.0.2.9", 80, 0));
	assert_true(allows(&e, "192.0.2.1", 80, 0));
	assert_true(allows(&e, "192.0.2.8", 80, 0));
	assert_int_equal(own_take(&own, m,
				 message(m, RTM_DELADDR, AF_INET6, IFA_ADDRESS, "2001:db8::7", 0,
					 NULL)),
		0);
	assert_true(allows(&e, "2001:db8::7", 80, 0));
	assert_int_equal(own_take(&own, m, message(m, NLMSG_DONE, AF_INET, 0, NULL, 0, NULL)), 1);
	assert_int_equal(own_take(&own, m, message(m, NLMSG_ERROR, AF_INET, 0, NULL, 0, NULL)), -5);
	/* A message that says it is longer than it is, and one that is cut off. */
	assert_int_equal(own_take(&own, m,
				 message(m, RTM_NEWADDR, AF_INET, IFA_LOCAL, "192.0.2.3", 0, NULL) -
					 4),
		0);
	assert_int_equal(own.count, 2);
	own.unknown = true;
	assert_false(allows(&e, "203.0.113.1", 80, 0));
	own.count = OWN_MAX;
	assert_int_equal(own_take(&own, m,
				 message(m, RTM_NEWADDR, AF_INET, IFA_LOCAL, "192.0.2.3", 0, NULL)),
		-7);
}

static void names_are_pinned(void **state)
{
	struct egress e = {0};
	struct in6_addr last;

	(void)state;
	add(&e, "API.internal:443");
	assert_true(egress_allows_name(&e, "api.internal"));
	assert_true(egress_allows_name(&e, "api.INTERNAL."));
	assert_false(egress_allows_name(&e, "evil.api.internal"));
	assert_false(egress_allows_name(&e, "api.internal.evil"));
	assert_false(allows(&e, "192.0.2.1", 443, 0));
	pin(&e, "api.internal", "192.0.2.1");
	assert_true(allows(&e, "192.0.2.1", 443, 1001));
	assert_false(allows(&e, "192.0.2.1", 80, 1001));
	assert_false(allows(&e, "192.0.2.1", 443, 1000 + 300000));
	/* A name that points at the host stays closed. */
	pin(&e, "api.internal", "127.0.0.1");
	pin(&e, "api.internal", "169.254.169.254");
	pin(&e, "api.internal", "::1");
	pin(&e, "api.internal", "2001:db8::1");
	assert_true(allows(&e, "2001:db8::1", 443, 1001));
	assert_false(allows(&e, "2001:db8::2", 443, 1001));
	assert_false(allows(&e, "::1", 443, 1001));
	assert_false(allows(&e, "127.0.0.1", 443, 1001));
	assert_false(allows(&e, "169.254.169.254", 443, 1001));
	/* Others' names pin nothing, and a flood of answers ends none but the oldest. */
	pin(&e, "other.internal", "192.0.2.2");
	assert_false(allows(&e, "192.0.2.2", 443, 1001));
	for (uint32_t i = 0; i < 2 * EGRESS_PINS_MAX; i++) {
		last = df_ip_v4(FIRST + i);
		egress_pin(&e, "api.internal", &last, 300, 2000 + i);
	}
	assert_true(egress_allows(&e, &last, 443, 3000));
	assert_false(allows(&e, "192.0.2.1", 443, 3000));
}

static void wrong_rules(void **state)
{
	static const char *const wrong[] = {"", ":80", "host:", "host:0", "host:65536", "host:80x",
		"10.0.0.0/33", "10.0.0", "1.2.3.4/8/8", "a b", "-x", ".x", "host:-1", "http://x",
		"x:80:90", "1.2.3.256", "[::1", "[::1]80", "[::1]:", "[::1]:0", "[x]:80",
		"[1.2.3.4]:80", "::1/129", "::1/", "::ffff:1.2.3.4", "[]:80", "::g", "[::1]:80:90"};
	struct egress e = {0};
	struct df_err err;

	(void)state;
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(egress_add(&e, wrong[i], &err), -22);
	assert_int_equal(e.rule_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(closed_unless_opened),
		cmocka_unit_test(addresses),
		cmocka_unit_test(addresses_of_ipv6),
		cmocka_unit_test(families_are_apart),
		cmocka_unit_test(addresses_as_text),
		cmocka_unit_test(any_is_not_the_host),
		cmocka_unit_test(own_addresses_come_and_go),
		cmocka_unit_test(names_are_pinned),
		cmocka_unit_test(wrong_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
