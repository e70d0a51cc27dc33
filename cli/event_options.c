/* SPDX-License-Identifier: Apache-2.0 */
/* Flags about events: see event.h. */
#include "cli/event.h"

#include "host/attributes.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void event_options_init(struct event_options *options)
{
	*options = (struct event_options){
		.limits = {.reply_bytes = EVENT_BODY_DEFAULT},
		.body_bytes = EVENT_BODY_DEFAULT,
		.attributes = DF_STR_EMPTY,
	};
}

static int set_duration(const char *flag, const char *value, uint64_t *ns, struct df_err *err)
{
	uint64_t ms;

	if (parse_duration_ms(value, &ms) < 0)
		return df_err_set(err, -EINVAL,
			"%s %s is not a duration; write it like 500ms, 10s or 5m", flag, value);
	*ns = ms * 1000000;
	return 0;
}

static int set_wall(void *into, const char *value, struct df_err *err)
{
	return set_duration("--wall", value, &((struct event_options *)into)->limits.wall_ns, err);
}

static int set_cpu(void *into, const char *value, struct df_err *err)
{
	return set_duration("--cpu", value, &((struct event_options *)into)->limits.cpu_ns, err);
}

static int set_size(const char *flag, const char *value, uint64_t most, uint64_t *bytes,
	struct df_err *err)
{
	char text[UNITS_BYTES];
	uint64_t size;

	if (parse_size(value, &size) < 0)
		return df_err_set(err, -EINVAL,
			"%s %s is not a size; write it like 64K, 7M or 1000000", flag, value);
	if (size > most)
		return df_err_set(err, -EINVAL, "%s %s is too much; the most is %s", flag, value,
			units_size(most, text));
	*bytes = size;
	return 0;
}

static int set_reply_max(void *into, const char *value, struct df_err *err)
{
	return set_size("--reply-max", value, DF_WINDOW_MAX - DF_OUT_REPLY,
		&((struct event_options *)into)->limits.reply_bytes, err);
}

static int set_log_max(void *into, const char *value, struct df_err *err)
{
	return set_size("--log-max", value, DF_OUT_LOG_MAX,
		&((struct event_options *)into)->limits.log_bytes, err);
}

static int set_body_max(void *into, const char *value, struct df_err *err)
{
	return set_size("--body-max", value, DF_WINDOW_MAX - DF_IN_BODY,
		&((struct event_options *)into)->body_bytes, err);
}

static int set_attribute(void *into, const char *value, struct df_err *err)
{
	struct event_options *options = into;
	const char *equals = strchr(value, '=');
	char name[DF_ATTRIBUTE_NAME_MAX + 1] = "";

	if (!equals)
		return df_err_set(err, -EINVAL, "--attribute %s: write it as NAME=VALUE", value);
	if ((size_t)(equals - value) < sizeof(name)) {
		memcpy(name, value, (size_t)(equals - value));
		name[equals - value] = '\0';
	}
	if (df_attributes_add(&options->attributes, name, equals + 1) < 0)
		return df_err_set(err, -EINVAL,
			"--attribute %s: a name has up to %d letters, digits, '.', '_' and '-', a value no "
			"control characters",
			value, DF_ATTRIBUTE_NAME_MAX);
	if (options->attributes.failed || options->attributes.length > DF_IN_BODY)
		return df_err_set(err, -E2BIG, "the attributes are larger than 1 MiB");
	return 0;
}

static int set_boot_limit(void *into, const char *value, struct df_err *err)
{
	struct event_options *options = into;

	if (parse_duration_ms(value, &options->boot_limit_ms) < 0)
		return df_err_set(err, -EINVAL,
			"--boot-limit %s is not a duration; write it like 10s or 5m", value);
	return 0;
}

static int set_http(void *into, const char *value, struct df_err *err)
{
	char *end;
	unsigned long port = strtoul(value, &end, 10);

	if (*value < '0' || *value > '9' || *end || port > UINT16_MAX)
		return df_err_set(err, -EINVAL,
			"--http %s is not a port; write the number that the server listens on, or 0 for any",
			value);
	((struct event_options *)into)->http = value;
	return 0;
}

static int set_no_jail(void *into, const char *value, struct df_err *err)
{
	(void)value;
	(void)err;
	((struct event_options *)into)->no_jail = true;
	return 0;
}

static int set_json(void *into, const char *value, struct df_err *err)
{
	(void)value;
	(void)err;
	((struct event_options *)into)->json = true;
	return 0;
}

const struct flag event_limit_flags[] = {
	{"--wall", "DURATION", "end an event after 500ms, 10s, 5m (default: never)", set_wall},
	{"--cpu", "DURATION", "end an event after this much processor time", set_cpu},
	{"--log-max", "SIZE", "what it may write to standard error (default 960K)", set_log_max},
	{"--attribute", "NAME=VALUE", "give the event an attribute", set_attribute},
	{0},
};

const struct flag event_window_flags[] = {
	{"--reply-max", "SIZE", "largest reply (default 7M)", set_reply_max},
	{0},
};

const struct flag event_body_flags[] = {
	{"--body-max", "SIZE", "largest body that thawed copies take (default 7M)", set_body_max},
	{0},
};

const struct flag event_boot_flags[] = {
	{"--boot-limit", "DURATION", "time until it must wait for an event (default 30s)",
		set_boot_limit},
	{"--http", "PORT", "it is an HTTP server on this port (0: any): events are requests to it",
		set_http},
	{0},
};

const struct flag event_jail_flags[] = {
	{"--no-jail", NULL, "leave the monitor the rights that you have", set_no_jail},
	{0},
};

const struct flag event_json_flags[] = {
	{"--json", NULL, "print the measurements as JSON", set_json},
	{0},
};

void event_warn_unjailed(const struct event_options *options)
{
	if (options->no_jail)
		dprintf(STDERR_FILENO,
			"dayfly: --no-jail: a guest that broke out of its microVM would have your rights\n");
}

uint64_t event_out_window(const struct event_options *options)
{
	/* set_reply_max has seen to it that there is one. */
	return df_slot_window(options->limits.reply_bytes);
}
