/* SPDX-License-Identifier: Apache-2.0 */
/* The table of all keys of a manifest: see manifest_schema.h. */
#include "image/manifest_schema.h"

#include "host/egress_rule.h"
#include "image/manifest.h"
#include "image/manifest_values.h"

#include <dayfly/event.h>
#include <dayfly/layout.h>

#define MIB (1ull << 20)
#define SECOND 1000ull
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

const char *const manifest_feature_names[] = {
	"files", "tmp", "tasks", "events", "signals", "net", NULL};
const char *const manifest_trigger_names[] = {
	"http", "object", "directory", "schedule", "queue", NULL};

static const char *const modes[] = {"fresh", "warm", NULL};
static const char *const later_modes[] = {"service", NULL};
static const char *const wait_points[] = {"any", "stdio", "sdk", "http", NULL};
static const char *const later_wait_points[] = {"lambda", NULL};
static const char *const object_events[] = {"created", "removed", NULL};
static const char *const object_bodies[] = {"event", "object", NULL};
static const char *const file_bodies[] = {"event", "file", NULL};
static const char *const destination_bodies[] = {"record", "reply", NULL};
static const char *const missed_ticks[] = {"skip", "once", "all", NULL};

#define IN_TRIGGER(member) .offset = offsetof(struct manifest_trigger, member)

static const struct schema_key http_keys[] = {
	{.name = "path",
		.type = SCHEMA_TEXT,
		IN_TRIGGER(path),
		.good = value_is_route,
		.expected =
			"a path such as /thumbs (not /fn or another one of the platform's own)"},
	{.name = "methods",
		.type = SCHEMA_LIST,
		IN_TRIGGER(methods),
		.good = value_is_method,
		.expected = "a list of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"},
	{0},
};

static const struct schema_key object_keys[] = {
	{.name = "bucket",
		.type = SCHEMA_TEXT,
		.required = true,
		IN_TRIGGER(bucket),
		.good = value_is_bucket,
		.expected = "a bucket's name: 3 to 63 lower-case letters, digits, '-' and '.'"},
	{.name = "events",
		.type = SCHEMA_WORDS,
		IN_TRIGGER(events),
		.fallback = "[created]",
		.least = 1,
		.words = object_events,
		.expected = "a list of created and removed"},
	{.name = "prefix",
		.type = SCHEMA_TEXT,
		IN_TRIGGER(prefix),
		.fallback = "",
		.good = value_is_key_part,
		.expected = "the first characters of keys"},
	{.name = "suffix",
		.type = SCHEMA_TEXT,
		IN_TRIGGER(suffix),
		.fallback = "",
		.good = value_is_key_part,
		.expected = "the last characters of keys"},
	{.name = "body",
		.type = SCHEMA_WORD,
		IN_TRIGGER(body),
		.fallback = "event",
		.words = object_bodies,
		.expected = "event or object"},
	{0},
};

static const struct schema_key directory_keys[] = {
	{.name = "path",
		.type = SCHEMA_TEXT,
		.required = true,
		IN_TRIGGER(path),
		.good = value_is_path,
		.expected = "a directory of the host"},
	{.name = "pattern",
		.type = SCHEMA_TEXT,
		IN_TRIGGER(pattern),
		.fallback = "*",
		.good = value_is_text,
		.expected = "a pattern of file names such as *.jpg"},
	{.name = "body",
		.type = SCHEMA_WORD,
		IN_TRIGGER(body),
		.fallback = "file",
		.words = file_bodies,
		.expected = "event or file"},
	{0},
};

static const struct schema_key schedule_keys[] = {
	{.name = "cron",
		.type = SCHEMA_TEXT,
		IN_TRIGGER(cron),
		.good = value_is_cron,
		.expected = "five fields: minute, hour, day of the month, month, day of the week, "
			    "such as \"*/5 8-18 * * mon-fri\""},
	{.name = "every",
		.type = SCHEMA_DURATION,
		IN_TRIGGER(every_ms),
		.least = SECOND,
		.most = 366 * DAY,
		.expected = "a duration such as 30s, 5m or 1d"},
	{.name = "time_zone",
		.type = SCHEMA_TEXT,
		IN_TRIGGER(time_zone),
		.fallback = "UTC",
		.good = value_is_time_zone,
		.expected = "a time zone such as Europe/Berlin"},
	{.name = "missed",
		.type = SCHEMA_WORD,
		IN_TRIGGER(missed),
		.fallback = "once",
		.words = missed_ticks,
		.expected = "skip, once or all"},
	{0},
};

static const struct schema_key queue_keys[] = {
	{.name = "name",
		.type = SCHEMA_TEXT,
		.required = true,
		IN_TRIGGER(queue),
		.good = manifest_name_is_good,
		.expected =
			"a queue's name: letters and digits, with single '-' or '_' between them"},
	{.name = "batch",
		.type = SCHEMA_NUMBER,
		IN_TRIGGER(batch),
		.fallback = "1",
		.least = 1,
		.most = 1000,
		.expected = "a number"},
	{0},
};

/* In the order of enum manifest_trigger_kind. */
static const struct schema_key trigger_kinds[] = {
	{.name = "http", .type = SCHEMA_SECTION, .keys = http_keys},
	{.name = "object", .type = SCHEMA_SECTION, .keys = object_keys},
	{.name = "directory", .type = SCHEMA_SECTION, .keys = directory_keys},
	{.name = "schedule", .type = SCHEMA_SECTION, .keys = schedule_keys},
	{.name = "queue", .type = SCHEMA_SECTION, .keys = queue_keys},
	{0},
};

#define IN_DESTINATION .offset = offsetof(struct manifest_destination, target)

/* In the order of enum manifest_destination_kind, which begins with none. */
static const struct schema_key destination_kinds[] = {
	{.name = "function",
		.type = SCHEMA_TEXT,
		IN_DESTINATION,
		.good = manifest_name_is_good,
		.expected = "a function's name"},
	{.name = "webhook",
		.type = SCHEMA_TEXT,
		IN_DESTINATION,
		.good = value_is_url,
		.expected = "an http:// or https:// address without user and password"},
	{.name = "file",
		.type = SCHEMA_TEXT,
		IN_DESTINATION,
		.good = value_is_file_template,
		.expected = "a file of the host such as out/{key.stem}.webp"},
	{.name = "object",
		.type = SCHEMA_TEXT,
		IN_DESTINATION,
		.good = value_is_object_template,
		.expected = "BUCKET/KEY such as thumbs/{key.stem}.webp, the bucket without {}"},
	/* Beside one of the kinds, which it belongs to. */
	{.name = "body",
		.type = SCHEMA_WORD,
		.offset = offsetof(struct manifest_destination, body),
		.fallback = "record",
		.words = destination_bodies,
		.expected = "record or reply"},
	{0},
};

#define IN_MANIFEST(member) .offset = offsetof(struct manifest, member)

static const struct schema_key destinations_keys[] = {
	{.name = "success",
		.type = SCHEMA_DESTINATION,
		IN_MANIFEST(destinations.success),
		.keys = destination_kinds},
	{.name = "failure",
		.type = SCHEMA_DESTINATION,
		IN_MANIFEST(destinations.failure),
		.keys = destination_kinds},
	{0},
};

static const struct schema_key async_keys[] = {
	{.name = "attempts",
		.type = SCHEMA_NUMBER,
		IN_MANIFEST(async.attempts),
		.fallback = "3",
		.least = 1,
		.most = 100,
		.expected = "a number"},
	{.name = "max_age",
		.type = SCHEMA_DURATION,
		IN_MANIFEST(async.max_age_ms),
		.fallback = "6h",
		.least = SECOND,
		.most = 14 * DAY,
		.expected = "a duration such as 10m, 6h or 1d"},
	{.name = "backlog",
		.type = SCHEMA_NUMBER,
		IN_MANIFEST(async.backlog),
		.fallback = "10000",
		.least = 1,
		.most = 10000000,
		.expected = "a number"},
	{0},
};

static const struct schema_key limits_keys[] = {
	{.name = "request",
		.type = SCHEMA_SIZE,
		IN_MANIFEST(limits.request_bytes),
		.fallback = "6M",
		.least = 1,
		.most = DF_WINDOW_MAX - DF_IN_BODY,
		.expected = "a size such as 64K or 6M"},
	{.name = "reply",
		.type = SCHEMA_SIZE,
		IN_MANIFEST(limits.reply_bytes),
		.fallback = "6M",
		.least = 1,
		.most = DF_WINDOW_MAX - DF_OUT_REPLY,
		.expected = "a size such as 64K or 6M"},
	{.name = "waiting",
		.type = SCHEMA_NUMBER,
		IN_MANIFEST(limits.waiting),
		.fallback = "100",
		.least = 0,
		.most = 100000,
		.expected = "a number"},
	{.name = "log",
		.type = SCHEMA_SIZE,
		IN_MANIFEST(limits.log_bytes),
		.fallback = "10M",
		.least = 4096,
		.most = 1024 * MIB,
		.expected = "a size such as 64K or 10M"},
	{.name = "log_age",
		.type = SCHEMA_DURATION,
		IN_MANIFEST(limits.log_age_ms),
		.fallback = "7d",
		.least = SECOND,
		.most = 3660 * DAY,
		.expected = "a duration such as 12h or 7d"},
	{0},
};

const struct schema_key manifest_keys[] = {
	{.name = "name",
		.type = SCHEMA_TEXT,
		.required = true,
		IN_MANIFEST(name),
		.good = manifest_name_is_good,
		.expected = "1 to 64 letters and digits, with single '-' or '_' between them"},
	{.name = "command",
		.type = SCHEMA_LIST,
		.required = true,
		IN_MANIFEST(command),
		.expected = "a list: the program and its arguments, such as [zstd, -19, -c]"},
	{.name = "root",
		.type = SCHEMA_TEXT,
		IN_MANIFEST(root),
		.good = value_is_path,
		.expected = "a directory or an EROFS image of the host"},
	{.name = "files",
		.type = SCHEMA_LIST,
		IN_MANIFEST(files),
		.good = value_is_file,
		.expected = "a list of HOST or HOST:GUEST, GUEST being an absolute path"},
	{.name = "features",
		.type = SCHEMA_WORDS,
		IN_MANIFEST(features),
		.fallback = "[files]",
		.words = manifest_feature_names,
		.expected = "a list of files, tmp, tasks, events, signals and net"},
	{.name = "memory",
		.type = SCHEMA_SIZE,
		IN_MANIFEST(memory_bytes),
		.fallback = "512M",
		.least = MIB,
		.most = DF_ARENA_MAX,
		.expected = "a size such as 64M, 512M or 2G"},
	{.name = "timeout",
		.type = SCHEMA_DURATION,
		IN_MANIFEST(timeout_ms),
		.fallback = "30s",
		.least = 1,
		.most = HOUR,
		.expected = "a duration such as 500ms, 3s or 1m"},
	{.name = "boot_timeout",
		.type = SCHEMA_DURATION,
		IN_MANIFEST(boot_timeout_ms),
		.fallback = "30s",
		.least = 10,
		.most = HOUR,
		.expected = "a duration such as 500ms, 3s or 1m"},
	{.name = "mode",
		.type = SCHEMA_WORD,
		IN_MANIFEST(mode),
		.fallback = "fresh",
		.words = modes,
		.later = later_modes,
		.expected = "fresh or warm"},
	{.name = "concurrency",
		.type = SCHEMA_NUMBER,
		IN_MANIFEST(concurrency),
		.fallback = "16",
		.least = 1,
		.most = 1000,
		.expected = "a number"},
	{.name = "workdir",
		.type = SCHEMA_TEXT,
		IN_MANIFEST(workdir),
		.fallback = "/",
		.good = value_is_guest_path,
		.expected = "an absolute path in the guest"},
	{.name = "environment",
		.type = SCHEMA_PAIRS,
		IN_MANIFEST(environment),
		.expected = "a mapping of variables, NAME: value"},
	{.name = "secrets",
		.type = SCHEMA_PAIRS,
		IN_MANIFEST(secrets),
		.good = value_is_secret,
		.expected = "a mapping of variables, NAME: file that holds the value"},
	{.name = "wait_point",
		.type = SCHEMA_WORD,
		IN_MANIFEST(wait_point),
		.fallback = "any",
		.words = wait_points,
		.later = later_wait_points,
		.expected = "any, stdio, sdk or http"},
	{.name = "port",
		.type = SCHEMA_NUMBER,
		IN_MANIFEST(port),
		.fallback = "80",
		.least = 1,
		.most = UINT16_MAX,
		.expected = "a number"},
	{.name = "egress",
		.type = SCHEMA_LIST,
		IN_MANIFEST(egress),
		.good = value_is_egress,
		.expected = "a list of rules: " DF_EGRESS_RULE_SHAPES},
	{.name = "reply_type",
		.type = SCHEMA_TEXT,
		IN_MANIFEST(reply_type),
		.fallback = "application/octet-stream",
		.good = value_is_media_type,
		.expected = "a media type such as image/webp"},
	{.name = "rehearse",
		.type = SCHEMA_TEXT,
		IN_MANIFEST(rehearse),
		.good = value_is_path,
		.expected = "a file of the host that holds a typical event's body"},
	{.name = "triggers",
		.type = SCHEMA_TRIGGERS,
		IN_MANIFEST(triggers),
		.keys = trigger_kinds,
		.expected = "a list of triggers, each such as \"- http:\""},
	{.name = "destinations", .type = SCHEMA_SECTION, .keys = destinations_keys},
	{.name = "async", .type = SCHEMA_SECTION, .keys = async_keys},
	{.name = "limits", .type = SCHEMA_SECTION, .keys = limits_keys},
	{0},
};

const char *schema_type_name(enum schema_type type)
{
	static const char *const names[] = {
		[SCHEMA_TEXT] = "text",
		[SCHEMA_NUMBER] = "number",
		[SCHEMA_SIZE] = "size",
		[SCHEMA_DURATION] = "duration",
		[SCHEMA_WORD] = "word",
		[SCHEMA_WORDS] = "list of words",
		[SCHEMA_LIST] = "list of texts",
		[SCHEMA_PAIRS] = "mapping of texts",
		[SCHEMA_SECTION] = "mapping",
		[SCHEMA_TRIGGERS] = "list of triggers",
		[SCHEMA_DESTINATION] = "destination",
	};

	return names[type];
}
