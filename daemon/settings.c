/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's settings: see settings.h. */
#include "daemon/settings.h"

#include "daemon/event/destination.h"
#include "daemon/http/address.h"
#include "host/cleanup.h"
#include "host/path.h"
#include "image/manifest_values.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECOND 1000ull
#define DAY (86400 * SECOND)
#define MIB (1ull << 20)

static const char *const levels[] = {"debug", "info", "warning", "error", NULL};
static const char *const echoes[] = {"all", "own", "none", NULL};
static const char *const auths[] = {"unset", "none", "token", NULL};

static bool is_listen(const char *text)
{
	struct address address;

	return address_parse(text, &address) == 0;
}

static bool is_host(const char *text)
{
	return *text && strlen(text) < 256 &&
		text[strspn(text,
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._[]:")] ==
		'\0';
}

static bool is_network(const char *text)
{
	struct destination_network network;

	return destination_network_parse(text, &network) == 0;
}

/* --- the tables --- */

#define IN(member) .offset = offsetof(struct settings, member)

static const struct schema_key auth_keys[] = {
	{.name = "invoke",
		.type = SCHEMA_WORD,
		IN(auth.invoke),
		.fallback = "unset",
		.words = auths,
		.expected = "none or token"},
	{.name = "metrics",
		.type = SCHEMA_WORD,
		IN(auth.metrics),
		.fallback = "unset",
		.words = auths,
		.expected = "none or token"},
	{0},
};

static const struct schema_key logs_keys[] = {
	{.name = "echo",
		.type = SCHEMA_WORD,
		IN(logs.echo),
		.fallback = "all",
		.words = echoes,
		.expected = "all, own or none"},
	{.name = "quota",
		.type = SCHEMA_SIZE,
		IN(logs.quota_bytes),
		.fallback = "1G",
		.least = MIB,
		.most = UINT64_MAX / 2,
		.expected = "a size such as 256M or 1G"},
	{.name = "age",
		.type = SCHEMA_DURATION,
		IN(logs.age_ms),
		.fallback = "30d",
		.least = SECOND,
		.most = 3660 * DAY,
		.expected = "a duration such as 12h or 30d"},
	{0},
};

static const struct schema_key events_keys[] = {
	{.name = "count",
		.type = SCHEMA_NUMBER,
		IN(events.count),
		.fallback = "1000000",
		.least = 1,
		.most = 100000000,
		.expected = "a number"},
	{.name = "quota",
		.type = SCHEMA_SIZE,
		IN(events.bytes),
		.fallback = "4G",
		.least = MIB,
		.most = UINT64_MAX / 2,
		.expected = "a size such as 256M or 4G"},
	{.name = "dead_age",
		.type = SCHEMA_DURATION,
		IN(events.dead_ms),
		.fallback = "14d",
		.least = SECOND,
		.most = 3660 * DAY,
		.expected = "a duration such as 12h or 14d"},
	{0},
};

static bool is_objects_listen(const char *text)
{
	return strcmp(text, "none") == 0 || is_listen(text);
}

static const struct schema_key objects_keys[] = {
	{.name = "listen",
		.type = SCHEMA_TEXT,
		IN(objects.listen),
		.good = is_objects_listen,
		.expected = "an address and a port such as 127.0.0.1:9000, or none"},
	{.name = "quota",
		.type = SCHEMA_SIZE,
		IN(objects.quota),
		.fallback = "0",
		.most = 1ull << 50,
		.expected = "a size such as 500M or 20G, or 0 for no limit"},
	{0},
};

static const struct schema_key images_keys[] = {
	{.name = "keep",
		.type = SCHEMA_DURATION,
		IN(images.keep_ms),
		.fallback = "7d",
		.most = 3660 * DAY,
		.expected = "a duration such as 12h or 7d"},
	{.name = "quota",
		.type = SCHEMA_SIZE,
		IN(images.quota_bytes),
		.fallback = "0",
		.most = 1ull << 50,
		.expected = "a size such as 500M or 20G, or 0 for no limit"},
	{0},
};

const struct schema_key settings_keys[] = {
	{.name = "listen",
		.type = SCHEMA_TEXT,
		IN(listen),
		.fallback = "127.0.0.1:8080",
		.good = is_listen,
		.expected = "an address and a port such as 127.0.0.1:8080 or [::1]:8080"},
	{.name = "state",
		.type = SCHEMA_TEXT,
		IN(state),
		.good = value_is_path,
		.expected = "a directory"},
	{.name = "hosts",
		.type = SCHEMA_LIST,
		IN(hosts),
		.good = is_host,
		.expected = "a list of names that this machine may be called"},
	{.name = "auth", .type = SCHEMA_SECTION, .keys = auth_keys},
	{.name = "idle",
		.type = SCHEMA_DURATION,
		IN(idle_ms),
		.fallback = "30s",
		.most = DAY,
		.expected = "a duration such as 500ms, 30s or 5m"},
	{.name = "instances",
		.type = SCHEMA_NUMBER,
		IN(instances),
		.fallback = "128",
		.least = 1,
		.most = 4096,
		.expected = "a number"},
	{.name = "prepared",
		.type = SCHEMA_NUMBER,
		IN(prepared),
		.fallback = "2",
		.most = 16,
		.expected = "a number"},
	{.name = "queue",
		.type = SCHEMA_NUMBER,
		IN(queue),
		.fallback = "256",
		.most = 65536,
		.expected = "a number"},
	{.name = "queue_time",
		.type = SCHEMA_DURATION,
		IN(queue_ms),
		.fallback = "10s",
		.most = 600 * SECOND,
		.expected = "a duration such as 500ms or 10s"},
	{.name = "stop_time",
		.type = SCHEMA_DURATION,
		IN(stop_ms),
		.fallback = "30s",
		.most = 3600 * SECOND,
		.expected = "a duration such as 5s or 1m"},
	{.name = "connections",
		.type = SCHEMA_NUMBER,
		IN(connections),
		.fallback = "512",
		.least = 1,
		.most = 16384,
		.expected = "a number"},
	{.name = "body_max",
		.type = SCHEMA_SIZE,
		IN(body_max),
		.fallback = "6M",
		.most = 1023 * MIB,
		.expected = "a size such as 64K or 6M"},
	{.name = "log_level",
		.type = SCHEMA_WORD,
		IN(log_level),
		.fallback = "info",
		.words = levels,
		.expected = "debug, info, warning or error"},
	{.name = "logs", .type = SCHEMA_SECTION, .keys = logs_keys},
	{.name = "events", .type = SCHEMA_SECTION, .keys = events_keys},
	{.name = "images", .type = SCHEMA_SECTION, .keys = images_keys},
	{.name = "webhook_allow",
		.type = SCHEMA_LIST,
		IN(webhook_allow),
		.good = is_network,
		.expected = "a list of networks such as 10.1.0.0/16"},
	{.name = "objects", .type = SCHEMA_SECTION, .keys = objects_keys},
	{0},
};

const struct setting_row settings_rows[] = {
	{"listen", "--listen", "ADDRESS:PORT",
		"where calls are taken (default 127.0.0.1:8080; port 0: any)", false},
	{"state", "--state", "DIR", "functions, events, logs (default ~/.local/share/dayfly)",
		false},
	{"hosts", "--host", "NAME", "a name that this machine may be called; may be repeated",
		true},
	{"auth.invoke", "--auth-invoke", "WORD",
		"who may call functions: none (anyone) or token; needed off loopback", true},
	{"auth.metrics", "--auth-metrics", "WORD", "who may read /metrics: none or token", true},
	{"idle", "--idle", "TIME", "a function's processes end after that long (default 30s)",
		true},
	{"instances", "--instances", "COUNT",
		"microVMs at the same time, of all functions (default 128)", true},
	{"prepared", "--prepared", "COUNT",
		"monitors that wait for a function, 0 to 16 (default 2)", true},
	{"queue", "--queue", "COUNT", "callers that wait for one function (default 256)", true},
	{"queue_time", "--queue-time", "TIME", "how long one waits, at most (default 10s)", true},
	{"stop_time", "--stop-time", "TIME",
		"what runs when the daemon is to stop gets that long (default 30s)", true},
	{"connections", "--connections", "COUNT", "at the same time (default 512)", false},
	{"body_max", "--body-max", "SIZE", "largest body of a request (default 6M)", true},
	{"log_level", "--log-level", "LEVEL", "debug, info, warning or error (default info)", true},
	{"logs.echo", "--log-echo", "WORD",
		"what goes to standard error too: all, own (the daemon's lines) or none", true},
	{"logs.quota", "--log-quota", "SIZE", "kept of all logs together (default 1G)", true},
	{"logs.age", "--log-age", "TIME", "how long lines are kept at most (default 30d)", true},
	{"events.count", "--event-count", "COUNT",
		"asynchronous events and dead letters that are kept (default 1000000)", true},
	{"events.quota", "--event-quota", "SIZE", "their bodies together (default 4G)", true},
	{"events.dead_age", "--dead-age", "TIME", "how long dead letters are kept (default 14d)",
		true},
	{"images.keep", "--image-keep", "TIME",
		"an image's version that no function uses goes that long after the next came (default 7d)",
		true},
	{"images.quota", "--image-quota", "SIZE",
		"all images together; old versions go, then deployments are refused (default 0: no limit)",
		true},
	{"webhook_allow", "--webhook-allow", "NET",
		"addresses that webhooks may reach although they are not public; may be repeated",
		true},
	{"objects.listen", "--object-listen", "ADDRESS:PORT",
		"the object store's S3 interface (default 127.0.0.1:9000; any port if --listen has port 0; none: no store)",
		false},
	{"objects.quota", "--object-quota", "SIZE",
		"all objects together; more are refused (default 0: as the disk allows)", false},
	{0},
};

/* --- the file --- */

static char *usual_file(void)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	/* A relative one is to be ignored, says the specification. */
	if (config && *config == '/')
		return df_path_join(config, "dayfly/dayflyd.yaml");
	return df_path_join(home && *home ? home : "/", ".config/dayfly/dayflyd.yaml");
}

static int read_text(int fd, char *text, size_t *length)
{
	ssize_t got;

	*length = 0;
	while ((got = read(fd, text + *length, SETTINGS_FILE_MAX + 1 - *length)) > 0)
		*length += (size_t)got;
	if (got < 0)
		return -errno;
	return *length > SETTINGS_FILE_MAX ? -EFBIG : 0;
}

static int read_file(struct settings *s, struct df_err *err)
{
	DF_FREE char *usual = s->file ? NULL : usual_file();
	const char *path = s->file ? s->file : usual;
	DF_CLOSE int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	DF_FREE char *text = NULL;
	size_t length = 0;
	int error;

	if (fd < 0 && path && !s->file && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	text = malloc(SETTINGS_FILE_MAX + 1);
	if (!path || !text)
		return df_err_set(err, -ENOMEM, "out of memory");
	error = fd < 0 ? -errno : read_text(fd, text, &length);
	if (error)
		return df_err_set(err, error, "the settings file %s: %s", path,
			df_errno_text(error));
	if (!s->file)
		s->file = df_take_ptr(&usual);
	return schema_read(settings_keys, text, length, s->file, s, err);
}

/* --- the command line --- */

static const struct setting_row *find_flag(const char *word, size_t length)
{
	const struct setting_row *row = settings_rows;

	while (row->name && (strlen(row->flag) != length || strncmp(row->flag, word, length) != 0))
		row++;
	return row->name ? row : NULL;
}

/* Those that have no value, and the file. 1: it is none of them. */
static int read_own_flag(struct settings *s, const char *word)
{
	if (strcmp(word, "--no-jail") == 0)
		s->no_jail = true;
	else if (strcmp(word, "--help") == 0)
		s->help = true;
	else if (strcmp(word, "--version") == 0)
		s->version = true;
	else
		return 1;
	return 0;
}

/* `only_file`: looks for --settings and no other, since the rest comes over what is in the file. */
static int read_flag(struct settings *s, char **argv, int *at, bool only_file, struct df_err *err)
{
	const char *word = argv[*at], *equals = strchr(word, '='), *value;
	size_t length = equals ? (size_t)(equals - word) : strlen(word);
	bool file = length == strlen("--settings") && strncmp(word, "--settings", length) == 0;
	const struct setting_row *row = find_flag(word, length);

	if (!read_own_flag(s, word))
		return 0;
	if (!row && !file)
		return df_err_set(err, -EINVAL, "%s is no flag; dayflyd --help lists them", word);
	value = equals ? equals + 1 : argv[++*at];
	if (!value)
		return df_err_set(err, -EINVAL, "%s needs a value", word);
	if (file) {
		char *copy = only_file ? strdup(value) : NULL;

		if (!only_file)
			return 0;
		free(s->file);
		s->file = copy;
		return copy ? 0 : df_err_set(err, -ENOMEM, "out of memory");
	}
	return only_file ? 0 : schema_set(settings_keys, row->name, value, row->flag, s, err);
}

static int read_flags(int argc, char **argv, bool only_file, struct settings *s, struct df_err *err)
{
	int error = 0;

	for (int i = 1; i < argc && !error; i++)
		error = read_flag(s, argv, &i, only_file, err);
	return error;
}

int settings_read(int argc, char **argv, struct settings *settings, struct df_err *err)
{
	struct settings made = {0};
	int error = schema_init(settings_keys, &made);

	if (error)
		df_err_set(err, error, "out of memory");
	if (!error)
		error = read_flags(argc, argv, true, &made, err);
	if (!error && !made.help && !made.version)
		error = read_file(&made, err);
	if (!error)
		error = read_flags(argc, argv, false, &made, err);
	if (error)
		settings_deinit(&made);
	else
		*settings = made;
	return error;
}

void settings_deinit(struct settings *settings)
{
	schema_free(settings_keys, settings);
	free(settings->file);
	*settings = (struct settings){0};
}

/* --- comparing --- */

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_list(const struct manifest_list *a, const struct manifest_list *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	}
	return true;
}

static bool same(const struct schema_key *key, const struct settings *a, const struct settings *b)
{
	const char *of_a = (const char *)a + key->offset, *of_b = (const char *)b + key->offset;

	switch (key->type) {
	case SCHEMA_TEXT:
		return same_text(*(char *const *)(const void *)of_a,
			*(char *const *)(const void *)of_b);
	case SCHEMA_LIST:
		return same_list((const void *)of_a, (const void *)of_b);
	case SCHEMA_WORD:
		return memcmp(of_a, of_b, sizeof(uint32_t)) == 0;
	default:
		return memcmp(of_a, of_b, sizeof(uint64_t)) == 0;
	}
}

static void compare(const struct schema_key *keys, const char *section, const struct settings *a,
	const struct settings *b, void (*each)(const struct setting_row *row))
{
	for (; keys->name; keys++) {
		DF_FREE char *name = df_format("%s%s%s", section, *section ? "." : "", keys->name);
		const struct setting_row *row = settings_rows;

		if (keys->type == SCHEMA_SECTION) {
			compare(keys->keys, keys->name, a, b, each);
			continue;
		}
		while (name && row->name && strcmp(row->name, name) != 0)
			row++;
		if (row->name && !same(keys, a, b))
			each(row);
	}
}

void settings_compare(const struct settings *before, const struct settings *after,
	void (*each)(const struct setting_row *row))
{
	compare(settings_keys, "", before, after, each);
}

void settings_help(struct df_str *text)
{
	for (const struct setting_row *row = settings_rows; row->name; row++) {
		DF_FREE char *flag = df_format("%s %s", row->flag, row->argument);

		df_str_addf(text, "  %-22s %s\n", flag ? flag : row->flag, row->help);
	}
}
