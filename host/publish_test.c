/* SPDX-License-Identifier: Apache-2.0 */
/* Published ports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "publish.h"

#include <arpa/inet.h>
#include <errno.h>

static bool is(const struct df_publish *p, const char *address)
{
	struct in6_addr want;

	return df_ip_parse(address, &want) && IN6_ARE_ADDR_EQUAL(&want, &p->address);
}

static void good(void **state)
{
	struct df_publish p;

	(void)state;
	assert_int_equal(df_publish_parse("8081:80", &p, NULL), 0);
	assert_int_equal(p.host_port, 8081);
	assert_int_equal(p.guest_port, 80);
	assert_true(is(&p, "127.0.0.1"));
	assert_false(p.udp);
	assert_int_equal(df_publish_parse("0.0.0.0:53:5353/udp", &p, NULL), 0);
	assert_true(is(&p, "0.0.0.0"));
	assert_int_equal(p.host_port, 53);
	assert_int_equal(p.guest_port, 5353);
	assert_true(p.udp);
	assert_int_equal(df_publish_parse("192.168.100.200:65535:1/tcp", &p, NULL), 0);
	assert_int_equal(p.host_port, 65535);
	assert_false(p.udp);
	assert_int_equal(df_publish_parse("[::1]:8080:80", &p, NULL), 0);
	assert_true(is(&p, "::1"));
	assert_int_equal(p.host_port, 8080);
	assert_int_equal(p.guest_port, 80);
	assert_int_equal(df_publish_parse("[::]:53:5353/udp", &p, NULL), 0);
	assert_true(is(&p, "::"));
	assert_true(p.udp);
}

static void bad(void **state)
{
	static const char *const texts[] = {"", ":", "80", "80:", ":80", "80:0", "0:80", "65536:80",
		"80:65536", "80:80/", "80:80/sctp", "80:80/udpx", "80:80x", "x80:80", "-1:80",
		"1.2.3:80:80", "1.2.3.4.5:80:80", "::1:80:80", "localhost:80:80", ":80:80",
		"80 :80", "99999999999999999999:80", "80:80:80:80",
		"127.0.0.1aaaaaaaaaaaaaaaaaaaa:80:80", "[::1]80:80", "[::1:80:80", "[::1]:80",
		"[127.0.0.1]:80:80", "[]:80:80", "[::ffff:127.0.0.1]:80:80", "[::g]:80:80"};
	struct df_publish p = {.host_port = 7};
	struct df_err err;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(df_publish_parse(texts[i], &p, &err), -EINVAL);
		assert_int_equal(p.host_port, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(good), cmocka_unit_test(bad)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
