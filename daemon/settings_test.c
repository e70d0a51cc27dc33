/* SPDX-License-Identifier: Apache-2.0 */
/* Settings: that the tables agree with each other and with docs/operation.md (argument 1), reading, comparing. */
#include "daemon/http/address.h"
#include "daemon/settings.h"
#include "host/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *page_path;

static char *read_page(void)
{
	DF_FCLOSE FILE *file = fopen(page_path, "r");
	char *text = calloc(1, 1 << 20);

	assert_non_null(file);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
	return text;
}

static const struct setting_row *find_row(const char *name)
{
	const struct setting_row *row = settings_rows;

	while (row->name && strcmp(row->name, name) != 0)
		row++;
	return row->name ? row : NULL;
}

/* Each key has a flag and a row on the page, with type and default. Returns how many there are. */
static size_t check_keys(const struct schema_key *keys, const char *section, const char *page)
{
	size_t count = 0;

	for (; keys->name; keys++) {
		DF_FREE char *name = df_format("%s%s%s", section, *section ? "." : "", keys->name);
		DF_FREE char *row = NULL;
		const struct setting_row *found;

		if (keys->type == SCHEMA_SECTION) {
			count += check_keys(keys->keys, keys->name, page);
			continue;
		}
		found = find_row(name);
		if (!found)
			fail_msg("%s has no row in settings_rows", name);
		row = df_format("\n| `%s` | `%s` | %s |%s%s | %s|", name, found->flag,
			schema_type_name(keys->type), keys->fallback ? " " : "",
			keys->fallback ? keys->fallback : "", found->live ? "yes " : "");
		if (!strstr(page, row))
			fail_msg("docs/operation.md has no row that begins%s", row);
		count++;
	}
	return count;
}

static void test_tables(void **state)
{
	DF_FREE char *page = read_page();
	size_t rows = 0;

	(void)state;
	while (settings_rows[rows].name)
		rows++;
	assert_int_equal(check_keys(settings_keys, "", page), rows);
}

static int read_words(struct settings *s, struct df_err *err, char *const *words)
{
	int count = 0;

	while (words[count])
		count++;
	return settings_read(count, (char **)words, s, err);
}

#define READ(s, err, ...) \
	read_words(s, err, (char *const[]){(char *)"dayflyd", __VA_ARGS__, (char *)NULL})

static void test_flags(void **state)
{
	struct settings s;
	struct df_err err = {0};

	(void)state;
	setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
	assert_int_equal(READ(&s, &err, (char *)"--idle=2s", (char *)"--host", (char *)"a",
				 (char *)"--host", (char *)"b", (char *)"--body-max", (char *)"1M"),
		0);
	assert_int_equal(s.idle_ms, 2000);
	assert_int_equal(s.body_max, 1 << 20);
	assert_int_equal(s.hosts.count, 2);
	assert_string_equal(s.hosts.items[1], "b");
	assert_null(s.hosts.items[2]);
	assert_int_equal(s.queue, 256);
	assert_null(s.file);
	settings_deinit(&s);
	assert_int_equal(READ(&s, &err, (char *)"--idle"), -EINVAL);
	assert_int_equal(READ(&s, &err, (char *)"--idl=2s"), -EINVAL);
	assert_int_equal(READ(&s, &err, (char *)"--idle=2"), -EINVAL);
	assert_int_equal(READ(&s, &err, (char *)"--settings=/nonexistent"), -ENOENT);
}

static size_t changes;

static void note(const struct setting_row *row)
{
	assert_true(strcmp(row->name, "hosts") == 0 || strcmp(row->name, "auth.invoke") == 0 ||
		strcmp(row->name, "state") == 0 || strcmp(row->name, "logs.quota") == 0);
	changes++;
}

static void test_compare(void **state)
{
	struct settings a, b;
	struct df_err err = {0};

	(void)state;
	assert_int_equal(READ(&a, &err, (char *)"--host=a"), 0);
	assert_int_equal(READ(&b, &err, (char *)"--host=b", (char *)"--auth-invoke=token",
				 (char *)"--state=/x", (char *)"--log-quota=2M"),
		0);
	settings_compare(&a, &b, note);
	assert_int_equal(changes, 4);
	settings_compare(&a, &a, note);
	assert_int_equal(changes, 4);
	settings_deinit(&a);
	settings_deinit(&b);
}

static void test_addresses(void **state)
{
	static const struct {
		const char *text, *shown;
		bool loopback, any;
	} good[] = {
		{"127.0.0.1:0", "127.0.0.1", true, false},
		{"127.9.9.9:65535", "127.9.9.9", true, false},
		{"[::1]:80", "[::1]", true, false},
		{"[::ffff:127.0.0.1]:80", "127.0.0.1", true, false},
		{"0.0.0.0:80", "0.0.0.0", false, true},
		{"[::]:80", "[::]", false, true},
		{"[fd00::1]:80", "[fd00::1]", false, false},
		{"10.0.0.1:80", "10.0.0.1", false, false},
	};
	static const char *const bad[] = {"", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
		"127.0.0.1:-1", "127.0.0.1:8x", "::1:80", "[::1]", "[::1:80", "[::1]80",
		"localhost:80", "[127.0.0.1]:80", "1.2.3:80",
		"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80"};
	char text[ADDRESS_TEXT_BYTES];
	struct address address;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(address_parse(good[i].text, &address), 0);
		assert_string_equal(address_text(&address.as.any, true, text), good[i].shown);
		assert_int_equal(address_is_loopback(&address.as.any), good[i].loopback);
		assert_int_equal(address_is_any(&address.as.any), good[i].any);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(address_parse(bad[i], &address), -EINVAL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_addresses),
	};

	page_path = argc > 1 ? argv[1] : "docs/operation.md";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
