/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of what the commands about events share: flags, outcomes, numbers for people, names of instruction sets. */
#include "cli/cpu_names.h"
#include "cli/event.h"
#include "host/outcome.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct event_options options;
static struct df_err err;

static int parse(char *const *words)
{
	const struct flag_set sets[] = {{event_limit_flags, &options},
		{event_window_flags, &options}, {event_body_flags, &options},
		{event_boot_flags, &options}, {event_jail_flags, &options},
		{event_json_flags, &options}, {0}};
	int count = 0, next;

	while (words[count])
		count++;
	err = (struct df_err){0};
	df_str_deinit(&options.attributes);
	event_options_init(&options);
	return flags_parse(sets, count, (char **)words, &next, &err);
}

#define WORDS(...) ((char *const[]){"try", __VA_ARGS__, NULL})

static void test_flags(void **state)
{
	(void)state;
	assert_int_equal(parse(WORDS("x")), 0);
	assert_int_equal(options.limits.wall_ns, 0);
	assert_int_equal(event_out_window(&options), 8 << 20);
	assert_int_equal(parse(WORDS("--wall", "1.5s", "--cpu=20ms", "--reply-max", "9M",
				 "--log-max", "64K", "--body-max", "1", "--boot-limit", "2m",
				 "--no-jail", "--json", "--attribute", "type=a.b", "--attribute",
				 "Subject=x=y", "p")),
		0);
	assert_int_equal(options.limits.wall_ns, 1500000000);
	assert_int_equal(options.limits.cpu_ns, 20000000);
	assert_int_equal(options.limits.reply_bytes, 9 << 20);
	assert_int_equal(event_out_window(&options), 10 << 20);
	assert_int_equal(options.limits.log_bytes, 65536);
	assert_int_equal(options.body_bytes, 1);
	assert_int_equal(options.boot_limit_ms, 120000);
	assert_true(options.no_jail && options.json);
	assert_int_equal(options.attributes.length, 5 + 4 + 8 + 4);
	assert_memory_equal(options.attributes.data, "type\0a.b\0Subject\0x=y", 21);
}

static void test_wrong_flags(void **state)
{
	(void)state;
	assert_int_equal(parse(WORDS("--wall", "soon", "p")), -EINVAL);
	assert_string_equal(err.text,
		"--wall soon is not a duration; write it like 500ms, 10s or 5m");
	assert_int_equal(parse(WORDS("--reply-max", "2G", "p")), -EINVAL);
	assert_string_equal(err.text, "--reply-max 2G is too much; the most is 1023 MiB");
	assert_int_equal(parse(WORDS("--log-max", "1M", "p")), -EINVAL);
	assert_string_equal(err.text, "--log-max 1M is too much; the most is 960 KiB");
	assert_int_equal(parse(WORDS("--attribute", "type", "p")), -EINVAL);
	assert_int_equal(parse(WORDS("--attribute", "=x", "p")), -EINVAL);
	assert_int_equal(parse(WORDS("--attribute", "a b=x", "p")), -EINVAL);
	assert_int_equal(parse(WORDS("--attribute", "a=x\r\nb: c", "p")), -EINVAL);
}

static void says(const char *got, const char *want)
{
	assert_string_equal(got, want);
}

static void test_units(void **state)
{
	char text[UNITS_BYTES];

	(void)state;
	says(units_time(0, text), "0.0 us");
	says(units_time(9200, text), "9.2 us");
	says(units_time(9960, text), "10 us");
	says(units_time(61400, text), "61 us");
	says(units_time(999400, text), "999 us");
	says(units_time(999600, text), "1.0 ms");
	says(units_time(2900000, text), "2.9 ms");
	says(units_time(140000000, text), "140 ms");
	says(units_time(999600000, text), "1.0 s");
	says(units_time(75000000000, text), "75 s");
	says(units_size(0, text), "0 bytes");
	says(units_size(1023, text), "1023 bytes");
	says(units_size(1024, text), "1.0 KiB");
	says(units_size(428 << 10, text), "428 KiB");
	says(units_size(1363149, text), "1.3 MiB");
	says(units_size((1 << 20) - 1, text), "1.0 MiB");
	says(units_size(5ull << 40, text), "5.0 TiB");
}

static void test_exit_statuses(void **state)
{
	static const struct {
		enum df_outcome outcome;
		int status, exit_status;
	} rows[] = {{DF_OUTCOME_EXIT, 0, 0}, {DF_OUTCOME_EXIT, 42, 42},
		{DF_OUTCOME_SIGNAL, 11, 139}, {DF_OUTCOME_WALL_TIME, 0, 124},
		{DF_OUTCOME_CPU_TIME, 0, 124}, {DF_OUTCOME_MEMORY, 0, 137},
		{DF_OUTCOME_REPLY_SIZE, 0, 153}, {DF_OUTCOME_LOG_SIZE, 0, 153},
		{DF_OUTCOME_STOPPED, 0, 125}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct df_slot_reply reply = {
			.outcome = rows[i].outcome, .status = rows[i].status};

		assert_int_equal(df_outcome_status(&reply), rows[i].exit_status);
	}
}

static void test_cpu_names(void **state)
{
	uint32_t words[DF_CPU_LEAVES] = {0};
	DF_STR struct df_str text = DF_STR_EMPTY;

	(void)state;
	cpu_names_add(&text, words);
	says(df_str_text(&text), "x86-64");
	df_str_clear(&text);
	cpu_names_add_missing(&text, words);
	says(df_str_text(&text), "");
	/* Level 2, and AES. */
	words[0] = 1u << 0 | 1u << 9 | 1u << 13 | 1u << 19 | 1u << 20 | 1u << 23 | 1u << 25;
	words[5] = 1u << 0;
	cpu_names_add(&text, words);
	says(df_str_text(&text), "x86-64-v2 aes");
	df_str_clear(&text);
	/* One bit short of level 2; what there is of it is named. */
	words[5] = 0;
	words[2] = 1u << 5;
	cpu_names_add(&text, words);
	says(df_str_text(&text), "x86-64 pni ssse3 cx16 sse4_1 sse4_2 popcnt aes avx2");
	df_str_clear(&text);
	/* No processor has AMD's XOP and Intel's AVX-512 FP16. */
	words[4] = 1u << 23;
	words[5] = 1u << 11;
	cpu_names_add_missing(&text, words);
	assert_true(text.length > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_wrong_flags),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_exit_statuses),
		cmocka_unit_test(test_cpu_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
