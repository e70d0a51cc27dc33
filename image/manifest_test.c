/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of manifests: what is read, every kind of complaint word for word, writing and reading back, and that docs/manifest.md (its
 * path is the argument) has the keys, types, ranges and defaults of the table.
 */
#include "image/manifest.h"

#include "host/cleanup.h"
#include "image/manifest_schema.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image/test_files.h"

static const char *page_path;

#define MANIFEST __attribute__((cleanup(manifest_deinit)))

#define SMALL "name: squeeze\ncommand: [zstd, -19, -c]\n"

#define FULL                                                                            \
	"name: squeeze\n"                                                               \
	"command: [zstd, -19, \"\", 'a b', \"\\t\\\"x\\\\\"]\n"                         \
	"root: ./root\n"                                                                \
	"files: [data, /etc/x:/etc/y]\n"                                                \
	"features: [files, tmp]\n"                                                      \
	"memory: 64M\n"                                                                 \
	"timeout: 1.5s\n"                                                               \
	"boot_timeout: 2m\n"                                                            \
	"mode: fresh\n"                                                                 \
	"concurrency: 3\n"                                                              \
	"workdir: /data\n"                                                              \
	"environment:\n  LEVEL: 19\n  ON: on\n  EMPTY: ''\n"                            \
	"secrets: {KEY: /run/key}\n"                                                    \
	"wait_point: stdio\n"                                                           \
	"reply_type: text/plain; charset=utf-8\n"                                       \
	"egress: [api.internal:443, 10.1.0.0/16:5432]\n"                                \
	"triggers:\n"                                                                   \
	"  - http\n"                                                                    \
	"  - http:\n      path: /thumbs\n      methods: [GET]\n"                        \
	"  - object: {bucket: photos, suffix: .jpg, body: object, events: [removed]}\n" \
	"  - directory:\n      path: in\n"                                              \
	"  - schedule: {every: 5m, missed: all}\n"                                      \
	"  - schedule:\n"                                                               \
	"      cron: '*/5 8-18 1,15 jan-mar,12 mon-fri'\n"                              \
	"      time_zone: Europe/Berlin\n"                                              \
	"  - queue: {name: work, batch: 10}\n"                                          \
	"destinations:\n"                                                               \
	"  success: {object: 'thumbs/{key.stem}.webp'}\n"                               \
	"  failure:\n    webhook: https://example.org/hook?x=1\n    body: reply\n"      \
	"async: {attempts: 5, max_age: 1d}\n"                                           \
	"limits: {request: 1M, reply: 10M, waiting: 0, log: 64K, log_age: 1h}\n"

static void parse(const char *text, struct manifest *m)
{
	struct df_err err = {0};
	int error = manifest_parse(text, strlen(text), "dayfly.yaml", m, &err);

	if (error)
		print_error("%s\n", err.text);
	assert_int_equal(error, 0);
}

static void test_defaults(void **state)
{
	MANIFEST struct manifest m;

	(void)state;
	parse(SMALL, &m);
	assert_string_equal(m.name, "squeeze");
	assert_int_equal(m.command.count, 3);
	assert_string_equal(m.command.items[1], "-19");
	assert_null(m.command.items[3]);
	assert_null(m.root);
	assert_int_equal(m.features, MANIFEST_FILES);
	assert_int_equal(m.memory_bytes, 512 << 20);
	assert_int_equal(m.timeout_ms, 30000);
	assert_int_equal(m.boot_timeout_ms, 30000);
	assert_int_equal(m.mode, MANIFEST_FRESH);
	assert_int_equal(m.concurrency, 16);
	assert_string_equal(m.workdir, "/");
	assert_int_equal(m.wait_point, MANIFEST_WAIT_ANY);
	assert_int_equal(m.port, 80);
	assert_string_equal(m.reply_type, "application/octet-stream");
	assert_int_equal(m.trigger_count, 0);
	assert_int_equal(m.destinations.success.kind, MANIFEST_TO_NOTHING);
	assert_int_equal(m.async.attempts, 3);
	assert_int_equal(m.async.max_age_ms, 6 * 3600000);
	assert_int_equal(m.limits.reply_bytes, 6 << 20);
	assert_int_equal(m.limits.log_age_ms, 7 * 86400000);
}

#define SERVICE                                                                         \
	SMALL "mode: service\negress: [any]\npublish: [8081:80, 0.0.0.0:53:5353/udp]\n" \
	      "health: {path: /healthz, every: 1s, failures: 2}\nrestart: on-failure\nstop_time: 3s\n"

static void check_service(const struct manifest *m)
{
	assert_int_equal(m->mode, MANIFEST_SERVICE);
	assert_int_equal(m->publish.count, 2);
	assert_string_equal(m->publish.items[1], "0.0.0.0:53:5353/udp");
	assert_string_equal(m->health.path, "/healthz");
	assert_int_equal(m->health.port, 80);
	assert_int_equal(m->health.every_ms, 1000);
	assert_int_equal(m->health.timeout_ms, 2000);
	assert_int_equal(m->health.failures, 2);
	assert_int_equal(m->restart, MANIFEST_ON_FAILURE);
	assert_int_equal(m->stop_ms, 3000);
}

/* As it is written, it is read again. */
static void test_service(void **state)
{
	DF_STR struct df_str text = DF_STR_EMPTY;
	MANIFEST struct manifest m, again;

	(void)state;
	parse(SERVICE, &m);
	check_service(&m);
	manifest_write(&m, &text);
	parse(df_str_text(&text), &again);
	check_service(&again);
}

static void check_full(const struct manifest *m)
{
	assert_string_equal(m->command.items[2], "");
	assert_string_equal(m->command.items[4], "\t\"x\\");
	assert_string_equal(m->root, "./root");
	assert_int_equal(m->files.count, 2);
	assert_int_equal(m->features, MANIFEST_FILES | MANIFEST_TMP);
	assert_int_equal(m->memory_bytes, 64 << 20);
	assert_int_equal(m->timeout_ms, 1500);
	assert_int_equal(m->boot_timeout_ms, 120000);
	assert_int_equal(m->environment.count, 3);
	assert_string_equal(m->environment.items[0].value, "19");
	assert_string_equal(m->environment.items[1].value, "on");
	assert_string_equal(m->environment.items[2].value, "");
	assert_string_equal(m->secrets.items[0].name, "KEY");
	assert_int_equal(m->wait_point, MANIFEST_WAIT_STDIO);
	assert_int_equal(m->egress.count, 2);
	assert_string_equal(m->egress.items[1], "10.1.0.0/16:5432");
	assert_int_equal(m->destinations.success.kind, MANIFEST_TO_OBJECT);
	assert_string_equal(m->destinations.success.target, "thumbs/{key.stem}.webp");
	assert_int_equal(m->destinations.failure.kind, MANIFEST_TO_WEBHOOK);
	assert_int_equal(m->destinations.failure.body, MANIFEST_SEND_REPLY);
	assert_int_equal(m->destinations.success.body, MANIFEST_SEND_RECORD);
	assert_int_equal(m->async.attempts, 5);
	assert_int_equal(m->async.backlog, 10000);
	assert_int_equal(m->limits.waiting, 0);
}

static void check_full_triggers(const struct manifest *m)
{
	const struct manifest_trigger *t = m->triggers;

	assert_int_equal(m->trigger_count, 7);
	assert_int_equal(t[0].kind, MANIFEST_HTTP);
	assert_null(t[0].path);
	assert_string_equal(t[1].path, "/thumbs");
	assert_string_equal(t[1].methods.items[0], "GET");
	assert_int_equal(t[2].kind, MANIFEST_OBJECT);
	assert_string_equal(t[2].prefix, "");
	assert_string_equal(t[2].suffix, ".jpg");
	assert_int_equal(t[2].events, MANIFEST_REMOVED);
	assert_int_equal(t[2].body, MANIFEST_BODY_CONTENT);
	assert_string_equal(t[3].pattern, "*");
	assert_int_equal(t[3].body, MANIFEST_BODY_CONTENT);
	assert_int_equal(t[4].every_ms, 300000);
	assert_string_equal(t[4].time_zone, "UTC");
	assert_int_equal(t[4].missed, MANIFEST_MISSED_ALL);
	assert_int_equal(t[5].every_ms, 0);
	assert_string_equal(t[5].cron, "*/5 8-18 1,15 jan-mar,12 mon-fri");
	assert_int_equal(t[5].missed, MANIFEST_MISSED_ONCE);
	assert_string_equal(t[6].queue, "work");
	assert_int_equal(t[6].batch, 10);
}

static void test_all_keys(void **state)
{
	MANIFEST struct manifest m;

	(void)state;
	parse(FULL, &m);
	check_full(&m);
	check_full_triggers(&m);
	assert_int_equal(m.triggers[0].line, 21);
}

static void test_write_and_read(void **state)
{
	DF_STR struct df_str first = DF_STR_EMPTY, second = DF_STR_EMPTY;
	MANIFEST struct manifest m, again;
	struct df_err err = {0};

	(void)state;
	parse(FULL, &m);
	manifest_write(&m, &first);
	parse(df_str_text(&first), &again);
	check_full(&again);
	check_full_triggers(&again);
	manifest_write(&again, &second);
	assert_string_equal(df_str_text(&first), df_str_text(&second));
	assert_int_equal(manifest_check(&m, &err), 0);
}

static void test_write_small(void **state)
{
	DF_STR struct df_str text = DF_STR_EMPTY;
	MANIFEST struct manifest m;

	(void)state;
	parse(SMALL "limits: {reply: 6M}\nmemory: 524288K\n", &m);
	manifest_write(&m, &text);
	/* Defaults are left out, also those that were given. */
	assert_string_equal(df_str_text(&text), SMALL "features: [files]\n");
}

static void test_check(void **state)
{
	MANIFEST struct manifest m;
	struct df_err err = {0};

	(void)state;
	parse(SMALL, &m);
	free(m.name);
	m.name = strdup("a b");
	assert_int_equal(manifest_check(&m, &err), -EINVAL);
	assert_string_equal(err.text,
		"name must be 1 to 64 letters and digits, with single '-' or '_' between them; this is a b");
}

/* --- complaints --- */

static const struct {
	const char *text, *message;
} bad[] = {
	{"",
		"dayfly.yaml:1: name is missing; it must be 1 to 64 letters and digits, with single "
		"'-' or '_' between them"},
	{"name: x\n",
		"dayfly.yaml:1: command is missing; it must be a list: the program and its "
		"arguments, such as [zstd, -19, -c]"},
	{"- a\n", "dayfly.yaml:1: a manifest is a mapping of keys, such as name: squeeze"},
	{SMALL "memroy: 64M\n", "dayfly.yaml:3: unknown key memroy; did you mean memory?"},
	{SMALL "limits:\n  replay: 1M\n",
		"dayfly.yaml:4: unknown key limits.replay; did you mean reply?"},
	{SMALL "async:\n  colour: red\n",
		"dayfly.yaml:4: unknown key async.colour; there are attempts, max_age, backlog"},
	{SMALL "memory: 12Q\n",
		"dayfly.yaml:3: memory must be a size such as 64M, 512M or 2G; "
		"this is 12Q"},
	{SMALL "memory: [1]\n",
		"dayfly.yaml:3: memory must be a size such as 64M, 512M or 2G; "
		"this is a list"},
	{SMALL "\n\nmemory:\n",
		"dayfly.yaml:5: memory has no value; it must be a size such as "
		"64M, 512M or 2G"},
	{SMALL "memory: 4K\n", "dayfly.yaml:3: memory is 4K; it can be 1M to 64G"},
	{SMALL "timeout: 2h\n", "dayfly.yaml:3: timeout is 2h; it can be 1ms to 1h"},
	{SMALL "timeout: 3\n",
		"dayfly.yaml:3: timeout must be a duration such as 500ms, 3s or 1m; "
		"this is 3"},
	{SMALL "concurrency: 1x\n", "dayfly.yaml:3: concurrency must be a number; this is 1x"},
	{SMALL "concurrency: 0\n", "dayfly.yaml:3: concurrency is 0; it can be 1 to 1000"},
	{SMALL "concurrency: 99999999999999999999\n",
		"dayfly.yaml:3: concurrency must be a number; this is 99999999999999999999"},
	{SMALL "mode: frsh\n",
		"dayfly.yaml:3: mode must be fresh, warm or service; this is frsh; did you mean fresh?"},
	{SMALL "publish: [8080:80]\n", "dayfly.yaml:3: publish is for services; add mode: service"},
	{SMALL "stop_time: 10s\n", "dayfly.yaml:3: stop_time is for services; add mode: service"},
	{SMALL "mode: service\ntimeout: 3s\n",
		"dayfly.yaml:4: timeout is for functions; a service (mode: service) takes no events"},
	{SMALL "mode: service\ntriggers: [http]\n",
		"dayfly.yaml:4: triggers is for functions; a service (mode: service) takes no events"},
	{SMALL "mode: service\npublish: [80]\n",
		"dayfly.yaml:4: publish must be a list of [ADDRESS:]HOST_PORT:GUEST_PORT[/udp], such as "
		"8080:80; this is 80"},
	{SMALL "mode: service\npublish: [53:53/udp]\nhealth: {every: 1s}\n",
		"dayfly.yaml:5: health: a check connects to a port that is published as TCP, and there is "
		"no such; add it to publish, such as publish: [127.0.0.1:8080:80]"},
	{SMALL "mode: service\npublish: [8080:80]\nhealth: {port: 81}\n",
		"dayfly.yaml:5: health: a check connects to a port that is published as TCP, and there is "
		"no such; add it to publish, such as publish: [127.0.0.1:8080:80]"},
	{SMALL "mode: service\npublish: [8080:80]\nhealth: {path: 'a b'}\n",
		"dayfly.yaml:5: health.path must be a path such as /healthz; this is a b"},
	{SMALL "wait_point: lambda\n",
		"dayfly.yaml:3: wait_point lambda is not supported yet; it can be any, stdio, sdk or http"},
	{SMALL "port: 65536\n", "dayfly.yaml:3: port is 65536; it can be 1 to 65535"},
	{SMALL "features:\n - files\n - task\n",
		"dayfly.yaml:5: features must be a list of files, tmp, tasks, events, signals and net; "
		"this is task; did you mean tasks?"},
	{SMALL "features: [tmp]\n",
		"dayfly.yaml:3: features: tmp changes files, so it needs files too"},
	{"name: x\ncommand: zstd -19\n",
		"dayfly.yaml:2: command must be a list: the program and its arguments, such as "
		"[zstd, -19, -c]; this is zstd -19"},
	{"name: x\ncommand: []\n",
		"dayfly.yaml:2: command is empty; it must be a list: the program "
		"and its arguments, such as [zstd, -19, -c]"},
	{"name: x\ncommand: ['']\n", "dayfly.yaml:2: command: the program's name is empty"},
	{"name: a--b\ncommand: [x]\n",
		"dayfly.yaml:1: name must be 1 to 64 letters and digits, with single '-' or '_' "
		"between them; this is a--b"},
	{SMALL "name: twice\n", "dayfly.yaml:3: the key name is there twice (first in line 1)"},
	{SMALL "environment: {1A: x}\n",
		"dayfly.yaml:3: environment.1A: a variable's name has letters, digits and '_', and "
		"no digit in front"},
	{SMALL "environment:\n  A:\n",
		"dayfly.yaml:4: environment.A has no value; write \"\" if it is to be empty"},
	{SMALL "environment:\n  A: [1]\n",
		"dayfly.yaml:4: environment.A must be a text; this is a list"},
	{SMALL "environment: {A: 1}\nsecrets: {A: /f}\n",
		"dayfly.yaml:3: A is both in environment and in secrets"},
	{SMALL "files: ['a:b']\n",
		"dayfly.yaml:3: files must be a list of HOST or HOST:GUEST, GUEST "
		"being an absolute path; this is a:b"},
	{SMALL "workdir: /a/../b\n",
		"dayfly.yaml:3: workdir must be an absolute path in the guest; this is /a/../b"},
	{SMALL "egress: [any, 'a b']\n",
		"dayfly.yaml:3: egress must be a list of rules: any, NAME[:PORT], "
		"ADDRESS[/BITS][:PORT] or [IPV6-ADDRESS[/BITS]]:PORT; this is a b"},
	{SMALL "reply_type: \"a/b\\nX: y\"\n",
		"dayfly.yaml:3: reply_type must be a media type such as image/webp; this is a/b?X: y"},
	{SMALL "triggers:\n  - objekt: {}\n",
		"dayfly.yaml:4: unknown key triggers.objekt; did you mean object?"},
	{SMALL "triggers:\n  - object:\n    bucket: photos\n",
		"dayfly.yaml:4: triggers: a trigger is one of http, object, directory, schedule or "
		"queue, with what belongs to it indented below"},
	{SMALL "triggers:\n  - object: {suffix: x}\n",
		"dayfly.yaml:4: triggers.object.bucket is missing; it must be a bucket's name: 3 to "
		"63 lower-case letters, digits, '-' and '.'"},
	{SMALL "triggers:\n  - object: {bucket: abc, events: []}\n",
		"dayfly.yaml:4: triggers.object.events is empty; it must be a list of created and "
		"removed"},
	{SMALL "triggers:\n  - schedule: {every: 1m, cron: '* * * * *'}\n",
		"dayfly.yaml:4: triggers.schedule needs either cron or every"},
	{SMALL "triggers:\n  - schedule\n",
		"dayfly.yaml:4: triggers.schedule needs either cron or every"},
	{SMALL "triggers:\n  - http: {path: /fn/x}\n",
		"dayfly.yaml:4: triggers.http.path must be a path such as /thumbs (not /fn or another "
		"one of the platform's own); this is /fn/x"},
	{SMALL "triggers: {http: {}}\n",
		"dayfly.yaml:3: triggers must be a list of triggers, each such as \"- http:\"; this "
		"is a mapping"},
	{SMALL "destinations:\n  success: {object: '{bucket}/x'}\n",
		"dayfly.yaml:4: destinations.success.object must be BUCKET/KEY such as "
		"thumbs/{key.stem}.webp, the bucket without {}; this is {bucket}/x"},
	{SMALL "destinations:\n  failure: {webhook: 'http://u:p@h/'}\n",
		"dayfly.yaml:4: destinations.failure.webhook must be an http:// or https:// address "
		"without user and password; this is http://u:p@h/"},
	{SMALL "destinations:\n  success: x\n",
		"dayfly.yaml:4: destinations.success: a destination is one of function, webhook, file "
		"or object, with what belongs to it indented below"},
	{SMALL "destinations:\n  success: {object: abc/x, body: reply}\n",
		"dayfly.yaml:4: destinations.success.body is for a function or a webhook"},
	{SMALL "destinations:\n  success: {function: f, webhook: 'http://a/'}\n",
		"dayfly.yaml:4: destinations.success: it has one target, not two"},
	{SMALL "destinations:\n  success: {function: f, body: all}\n",
		"dayfly.yaml:4: destinations.success.body must be record or reply; this is all"},
	{SMALL "limits: 3\n", "dayfly.yaml:3: limits must be a mapping of keys; this is 3"},
	{SMALL "root: &a x\n",
		"dayfly.yaml:3: anchors (&NAME) are not supported; write the value out"},
	{SMALL "root: *a\n",
		"dayfly.yaml:3: aliases (*NAME) are not supported; write the value out"},
	{SMALL "root: !!str x\n", "dayfly.yaml:3: tags (!NAME) are not supported"},
	{SMALL "? [a]\n: b\n", "dayfly.yaml:3: a key must be a single word"},
	{SMALL "---\nname: y\n", "dayfly.yaml:3: a second document begins here; there can be one"},
	{SMALL "root: \"a\\0b\"\n", "dayfly.yaml:3: a text holds a NUL character"},
	{SMALL "root: \"open\n",
		"dayfly.yaml:4: found unexpected end of stream (while scanning a quoted scalar that "
		"begins in line 3)"},
	{SMALL "root: [[[[[[[[[[[[[x]]]]]]]]]]]]]\n",
		"dayfly.yaml:3: lists and mappings are nested too deep"},
	{"\xff\xfe",
		"dayfly.yaml: it is not a text in UTF-8: invalid leading UTF-8 octet (byte 0)"},
};

static void test_complaints(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct df_err err = {0};
		struct manifest m;
		int error =
			manifest_parse(bad[i].text, strlen(bad[i].text), "dayfly.yaml", &m, &err);

		if (error != -EINVAL)
			print_error("for:\n%s", bad[i].text);
		assert_int_equal(error, -EINVAL);
		assert_string_equal(err.text, bad[i].message);
		assert_null(m.name);
	}
}

static void test_too_large(void **state)
{
	DF_FREE char *text = calloc(1, MANIFEST_BYTES_MAX + 2);
	struct df_err err = {0};
	struct manifest m;

	(void)state;
	memset(text, '#', MANIFEST_BYTES_MAX + 1);
	assert_int_equal(manifest_parse(text, MANIFEST_BYTES_MAX + 1, "x", &m, &err), -EFBIG);
	assert_string_equal(err.text, "x: it is too large; a manifest can have 256 KiB");
}

/* --- units, names, files --- */

static void test_sizes(void **state)
{
	static const char *const wrong[] = {
		"", "K", "-1", "1.5M", "1KB", "1T", " 1", "1 M", "20000000000G", "0x10"};
	char text[MANIFEST_UNITS_BYTES];
	uint64_t bytes;

	(void)state;
	assert_int_equal(manifest_parse_size("128M", &bytes), 0);
	assert_int_equal(bytes, 128 << 20);
	assert_string_equal(manifest_say_size(bytes, text), "128M");
	assert_int_equal(manifest_parse_size("2GiB", &bytes), 0);
	assert_string_equal(manifest_say_size(bytes, text), "2G");
	assert_int_equal(manifest_parse_size("1000", &bytes), 0);
	assert_string_equal(manifest_say_size(bytes, text), "1000");
	assert_string_equal(manifest_say_size(0, text), "0");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(manifest_parse_size(wrong[i], &bytes), -EINVAL);
}

static void test_durations(void **state)
{
	static const char *const wrong[] = {"", "s", "3", "1.s", "1.2345s", "0.5ms", "-1s", "1 s",
		"99999999999999999999d", "999999999999999d", "1.0001d"};
	char text[MANIFEST_UNITS_BYTES];
	uint64_t ms;

	(void)state;
	assert_int_equal(manifest_parse_duration("1.5s", &ms), 0);
	assert_int_equal(ms, 1500);
	assert_string_equal(manifest_say_duration(ms, text), "1500ms");
	assert_int_equal(manifest_parse_duration("0.5d", &ms), 0);
	assert_string_equal(manifest_say_duration(ms, text), "12h");
	assert_int_equal(manifest_parse_duration("90s", &ms), 0);
	assert_string_equal(manifest_say_duration(ms, text), "90s");
	assert_string_equal(manifest_say_duration(0, text), "0s");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(manifest_parse_duration(wrong[i], &ms), -EINVAL);
}

static void test_cron(void **state)
{
	static const char *const good[] = {"* * * * *", "0 0 1 1 0", "*/15 0-23/2 1,2,3 JAN sun",
		"59 23 31 12 7", "0  4 * * 1-5", "0 12 * * sat-sun", "@daily"};
	static const char *const wrong[] = {"", "* * * *", "* * * * * *", "60 * * * *",
		"* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "5-1 * * * *", "*/0 * * * *",
		"a * * * *", "1, * * * *", "* * * * monday", "@reboot", "0 0 30 2 *",
		"5/10 * * * *"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]) + sizeof(wrong) / sizeof(wrong[0]);
		i++) {
		size_t goods = sizeof(good) / sizeof(good[0]);
		DF_FREE char *text = df_format(SMALL "triggers: [schedule: {cron: '%s'}]\n",
			i < goods ? good[i] : wrong[i - goods]);
		MANIFEST struct manifest m;
		int error = manifest_parse(text, strlen(text), "x", &m, NULL);

		if ((error == 0) != (i < goods))
			print_error("%s", text);
		assert_int_equal(error, i < goods ? 0 : -EINVAL);
	}
}

static void test_files(void **state)
{
	char *directory = make_directory();
	DF_FREE char *path = put_file(directory, "dayfly.yaml", SMALL, 0644);
	DF_FREE char *in_directory = NULL, *host = NULL, *guest = NULL, *expected = NULL;
	MANIFEST struct manifest m, none;
	struct df_err err = {0};

	(void)state;
	assert_int_equal(manifest_load(path, &m, &err), 0);
	assert_string_equal(m.directory, directory);
	in_directory = manifest_host_path(&m, "./data//x");
	expected = df_format("%s/data/x", directory);
	assert_string_equal(in_directory, expected);
	assert_int_equal(manifest_file(&m, "data/x", &host, &guest), 0);
	assert_string_equal(host, "data/x");
	assert_string_equal(guest, expected);
	free(df_take_ptr(&host));
	free(df_take_ptr(&guest));
	assert_int_equal(manifest_file(&m, "a:b:/c//d", &host, &guest), 0);
	assert_string_equal(host, "a:b");
	assert_string_equal(guest, "/c/d");
	assert_int_equal(manifest_load("/nonexistent/dayfly.yaml", &none, &err), -ENOENT);
	assert_string_equal(err.text, "/nonexistent/dayfly.yaml: no such file or directory");
	assert_int_equal(manifest_load(directory, &none, &err), -EISDIR);
	remove_directory(directory);
}

/* --- the page --- */

static void say_quantity(const struct schema_key *key, uint64_t quantity, struct df_str *out)
{
	char text[MANIFEST_UNITS_BYTES];

	if (key->type == SCHEMA_SIZE)
		df_str_add(out, manifest_say_size(quantity, text));
	else if (key->type == SCHEMA_DURATION)
		df_str_add(out, manifest_say_duration(quantity, text));
	else
		df_str_addf(out, "%" PRIu64, quantity);
}

/* The first three columns of a key's row. */
static void add_row(struct df_str *rows, const char *prefix, const struct schema_key *key)
{
	df_str_addf(rows, "| `%s%s` | %s", prefix, key->name, schema_type_name(key->type));
	for (size_t i = 0; key->words && key->words[i]; i++)
		df_str_addf(rows, "%s`%s`", i ? ", " : ": ", key->words[i]);
	if (key->most) {
		df_str_add(rows, ", ");
		say_quantity(key, key->least, rows);
		df_str_add(rows, " to ");
		say_quantity(key, key->most, rows);
	}
	if (key->required)
		df_str_add(rows, " | required |\n");
	else if (!key->fallback)
		df_str_add(rows, " | |\n");
	else
		df_str_addf(rows, " | `%s` |\n", *key->fallback ? key->fallback : "\"\"");
}

static void add_rows(struct df_str *rows, const char *prefix, const struct schema_key *keys)
{
	for (const struct schema_key *key = keys; key->name; key++) {
		bool last = !key[1].name;
		DF_FREE char *below = df_format("%s%s.", prefix,
			key->type == SCHEMA_DESTINATION ? "*" : key->name);

		add_row(rows, prefix, key);
		/* Both destinations have the same kinds: they are described once. */
		if (key->keys && (key->type != SCHEMA_DESTINATION || last))
			add_rows(rows, below, key->keys);
	}
}

/* The rows of the page's tables, without their last column. */
static void read_rows(struct df_str *rows)
{
	DF_FCLOSE FILE *page = page_path ? fopen(page_path, "re") : NULL;
	DF_FREE char *line = NULL;
	size_t room = 0;

	assert_non_null(page);
	while (getline(&line, &room, page) > 0) {
		char *end = line;

		if (!df_starts_with(line, "| `"))
			continue;
		for (unsigned int bar = 0; bar < 4 && end; bar++)
			end = strchr(bar ? end + 1 : end, '|');
		assert_non_null(end);
		df_str_add_bytes(rows, line, (size_t)(end - line));
		df_str_add(rows, "|\n");
	}
}

static void test_page(void **state)
{
	DF_STR struct df_str table = DF_STR_EMPTY, page = DF_STR_EMPTY;
	char *save_table = NULL, *save_page = NULL;

	(void)state;
	add_rows(&table, "", manifest_keys);
	read_rows(&page);
	assert_true(table.length > 0 && page.length > 0);
	/* Row by row, so that a failure shows the row. */
	for (char *row = strtok_r(table.data, "\n", &save_table),
		  *written = strtok_r(page.data, "\n", &save_page);
		row || written;
		row = strtok_r(NULL, "\n", &save_table), written = strtok_r(NULL, "\n", &save_page))
		assert_string_equal(written ? written : "(nothing)", row ? row : "(nothing)");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_service),
		cmocka_unit_test(test_all_keys),
		cmocka_unit_test(test_write_and_read),
		cmocka_unit_test(test_write_small),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_complaints),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_cron),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_page),
	};

	page_path = argc > 1 ? argv[1] : NULL;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
