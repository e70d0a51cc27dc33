/* SPDX-License-Identifier: Apache-2.0 */
#include "nat/egress.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static uint32_t ip(const char *text)
{
	struct in_addr in;

	assert_int_equal(inet_pton(AF_INET, text, &in), 1);
	return ntohl(in.s_addr);
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
	assert_false(egress_allows(&e, ip("93.184.216.34"), 80, 0));
	assert_false(egress_allows_name(&e, "example.org"));
}

static void addresses(void **state)
{
	struct egress e = {0};

	(void)state;
	add(&e, "10.1.0.0/16:5432");
	add(&e, "192.0.2.7");
	assert_true(egress_allows(&e, ip("10.1.255.3"), 5432, 0));
	assert_false(egress_allows(&e, ip("10.1.255.3"), 5433, 0));
	assert_false(egress_allows(&e, ip("10.2.0.1"), 5432, 0));
	assert_true(egress_allows(&e, ip("192.0.2.7"), 1, 0));
	assert_false(egress_allows(&e, ip("192.0.2.8"), 1, 0));
}

static void any_is_not_the_host(void **state)
{
	struct egress e = {.own = {0x0a000005}, .own_count = 1};
	static const char *const closed[] = {"127.0.0.1", "10.0.2.2", "10.0.2.3", "169.254.169.254",
		"10.0.0.5", "224.0.0.1", "255.255.255.255", "0.0.0.0"};

	(void)state;
	add(&e, "any");
	assert_true(egress_allows(&e, ip("8.8.8.8"), 53, 0));
	assert_true(egress_allows(&e, ip("10.0.0.6"), 80, 0));
	for (unsigned i = 0; i < sizeof(closed) / sizeof(closed[0]); i++)
		assert_false(egress_allows(&e, ip(closed[i]), 80, 0));
	add(&e, "10.0.2.2:5432");
	assert_true(egress_allows(&e, ip("10.0.2.2"), 5432, 0));
	assert_false(egress_allows(&e, ip("10.0.2.2"), 22, 0));
}

static void names_are_pinned(void **state)
{
	struct egress e = {0};

	(void)state;
	add(&e, "API.internal:443");
	assert_true(egress_allows_name(&e, "api.internal"));
	assert_true(egress_allows_name(&e, "api.INTERNAL."));
	assert_false(egress_allows_name(&e, "evil.api.internal"));
	assert_false(egress_allows_name(&e, "api.internal.evil"));
	assert_false(egress_allows(&e, ip("192.0.2.1"), 443, 0));
	egress_pin(&e, "api.internal", ip("192.0.2.1"), 300, 1000);
	assert_true(egress_allows(&e, ip("192.0.2.1"), 443, 1001));
	assert_false(egress_allows(&e, ip("192.0.2.1"), 80, 1001));
	assert_false(egress_allows(&e, ip("192.0.2.1"), 443, 1000 + 300000));
	/* A name that points at the host stays closed. */
	egress_pin(&e, "api.internal", ip("127.0.0.1"), 300, 1000);
	egress_pin(&e, "api.internal", ip("169.254.169.254"), 300, 1000);
	assert_false(egress_allows(&e, ip("127.0.0.1"), 443, 1001));
	assert_false(egress_allows(&e, ip("169.254.169.254"), 443, 1001));
	/* Others' names pin nothing, and a flood of answers ends none but the oldest. */
	egress_pin(&e, "other.internal", ip("192.0.2.2"), 300, 1000);
	assert_false(egress_allows(&e, ip("192.0.2.2"), 443, 1001));
	for (uint32_t i = 0; i < 2 * EGRESS_PINS_MAX; i++)
		egress_pin(&e, "api.internal", ip("198.51.0.0") + i, 300, 2000 + i);
	assert_true(egress_allows(&e, ip("198.51.0.0") + 2 * EGRESS_PINS_MAX - 1, 443, 3000));
	assert_false(egress_allows(&e, ip("192.0.2.1"), 443, 3000));
}

static void wrong_rules(void **state)
{
	static const char *const wrong[] = {"", ":80", "host:", "host:0", "host:65536", "host:80x",
		"10.0.0.0/33", "10.0.0", "1.2.3.4/8/8", "a b", "-x", ".x", "host:-1", "http://x",
		"x:80:90", "1.2.3.256"};
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
		cmocka_unit_test(any_is_not_the_host),
		cmocka_unit_test(names_are_pinned),
		cmocka_unit_test(wrong_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
