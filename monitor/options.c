// SPDX-License-Identifier: Apache-2.0
/*
 * The command line of `dayfly-monitor run`. Written by programs, so it is strict and has no
 * abbreviations; a person uses `dayfly run`.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <host/attributes.h>

#include "options.h"

#define MIB (1024ULL * 1024)

static int parse_number(const char *name, const char *text, uint64_t *out, struct df_err *err)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	if (errno || end == text || *end)
		return df_err_set(err, -EINVAL, "%s %s: not a number", name, text);
	return 0;
}

static int parse_flag(struct options *o, const char *name)
{
	if (!strcmp(name, "--stats"))
		o->stats = true;
	else if (!strcmp(name, "--trace"))
		o->trace = true;
	else if (!strcmp(name, "--no-jail"))
		o->no_jail = true;
	else if (!strcmp(name, "--test-iopl3"))
		o->test_iopl3 = true;
	else
		return 0;
	return 1;
}

static int parse_http(struct options *o, const char *value, struct df_err *err)
{
	int r = parse_number("--http", value, &o->http_port, err);

	if (!r && o->http_port > UINT16_MAX)
		r = df_err_set(err, -EINVAL, "--http %s: not a port", value);
	o->http = true;
	return r;
}

/* Descriptors that are open already. */
static int parse_net(struct options *o, const char *value, struct df_err *err)
{
	char end;

	if (sscanf(value, "%d,%d,%d,%d%c", &o->net.memory_fd, &o->net.kick_fd, &o->net.wake_fd,
		    &o->net.life_fd, &end) != 4)
		return df_err_set(err, -EINVAL, "--net %s: not MEMORY,KICK,WAKE,LIFE", value);
	o->net.there = true;
	return 0;
}

static int parse_value(struct options *o, const char *name, const char *value, struct df_err *err)
{
	if (!strcmp(name, "--kernel"))
		o->kernel = value;
	else if (!strcmp(name, "--root"))
		o->root = value;
	else if (!strcmp(name, "--raw-root"))
		o->root = value, o->raw_root = true;
	else if (!strcmp(name, "--program"))
		o->program = value;
	else if (!strcmp(name, "--cwd"))
		o->cwd = value;
	else if (!strcmp(name, "--host-cache"))
		o->host_cache = value;
	else if (!strcmp(name, "--features"))
		o->features = value;
	else if (!strcmp(name, "--watch"))
		o->watch = value;
	else if (!strcmp(name, "--memory"))
		return parse_number(name, value, &o->memory_bytes, err);
	else if (!strcmp(name, "--http"))
		return parse_http(o, value, err);
	else if (!strcmp(name, "--net"))
		return parse_net(o, value, err);
	else if (!strcmp(name, "--timeout-ms"))
		return parse_number(name, value, &o->timeout_ms, err);
	else
		return df_err_set(err, -EINVAL, "%s: unknown option of dayfly-monitor run", name);
	return 0;
}

/* Tracing and watching are the work of kernel features of that name. */
static int add_observers(struct options *o, struct df_err *err)
{
	static char features[256];
	int n = snprintf(features, sizeof(features), "%s%s%s", o->features,
		o->trace ? ",trace" : "", o->watch ? ",watch" : "");

	if (n >= (int)sizeof(features))
		return df_err_set(err, -EINVAL, "--features %s: too long", o->features);
	o->features = features;
	return 0;
}

int options_parse(struct options *o, int argc, char **argv, char **envp, struct df_err *err)
{
	int i;

	*o = (struct options){.cwd = "/", .features = "", .memory_bytes = 512 * MIB, .envp = envp};
	o->test_iopl3 = getenv("DAYFLY_TEST_IOPL3") != NULL;
	for (i = 0; i < argc && strcmp(argv[i], "--"); i++) {
		int r = parse_flag(o, argv[i]);

		if (r)
			continue;
		if (i + 1 >= argc)
			return df_err_set(err, -EINVAL, "%s: a value is missing", argv[i]);
		r = parse_value(o, argv[i], argv[i + 1], err);
		if (r)
			return r;
		i++;
	}
	if (i + 1 >= argc || !o->kernel || !o->root || !o->program)
		return df_err_set(err, -EINVAL,
			"usage: dayfly-monitor run --kernel FILE --root IMAGE|--raw-root PROGRAM"
			" --program PATH [--memory BYTES] [--features A,B] [--cwd DIR]"
			" [--timeout-ms N] [--host-cache FILE] [--stats] [--trace] [--watch FILE] [--net MEMORY,KICK,WAKE,LIFE] -- ARGV0 [ARG...]");
	if (o->raw_root && strstr(o->features, "files"))
		return df_err_set(err, -EINVAL,
			"--raw-root is no file system: leave out the feature files");
	o->argc = argc - i - 1;
	o->argv = argv + i + 1;
	return o->trace || o->watch ? add_observers(o, err) : 0;
}

int options_parse_serve(struct options *o, int argc, char **argv, struct df_err *err)
{
	*o = (struct options){0};
	for (int i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "--no-jail"))
			o->no_jail = true;
		else if (!strcmp(argv[i], "--host-cache") && i + 1 < argc)
			o->host_cache = argv[++i];
		else
			return df_err_set(err, -EINVAL,
				"usage: dayfly-monitor serve [--no-jail] [--host-cache FILE]");
	}
	return 0;
}

static int add_attribute(struct options *o, const char *pair, struct df_err *err)
{
	const char *equals = strchr(pair, '=');
	char name[DF_ATTRIBUTE_NAME_MAX + 1];

	if (!equals || (size_t)(equals - pair) >= sizeof(name))
		return df_err_set(err, -EINVAL, "--attribute %s: not NAME=VALUE", pair);
	memcpy(name, pair, (size_t)(equals - pair));
	name[equals - pair] = 0;
	if (df_attributes_add(&o->attributes, name, equals + 1))
		return df_err_set(err, -EINVAL, "--attribute %s: characters that may not be", pair);
	return o->attributes.failed ? df_err_set(err, -ENOMEM, "out of memory") : 0;
}

static int thaw_value(struct options *o, const char *name, const char *value, struct df_err *err)
{
	if (!strcmp(name, "--host-cache"))
		o->host_cache = value;
	else if (!strcmp(name, "--wall-ns"))
		return parse_number(name, value, &o->wall_ns, err);
	else if (!strcmp(name, "--cpu-ns"))
		return parse_number(name, value, &o->cpu_ns, err);
	else if (!strcmp(name, "--reply-max"))
		return parse_number(name, value, &o->reply_max, err);
	else if (!strcmp(name, "--log-max"))
		return parse_number(name, value, &o->log_max, err);
	else if (!strcmp(name, "--net"))
		return parse_net(o, value, err);
	else if (!strcmp(name, "--attribute"))
		return add_attribute(o, value, err);
	else
		return df_err_set(err, -EINVAL, "%s: unknown option of dayfly-monitor thaw", name);
	return 0;
}

int options_parse_thaw(struct options *o, int argc, char **argv, struct df_err *err)
{
	*o = (struct options){.attributes = DF_STR_EMPTY};
	for (int i = 0; i < argc; i++) {
		int r = 0;

		if (!strcmp(argv[i], "--no-jail"))
			o->no_jail = true;
		else if (i + 1 == argc)
			o->root = argv[i];
		else
			r = thaw_value(o, argv[i], argv[i + 1], err), i++;
		if (r)
			return r;
	}
	return o->root ? 0
		       : df_err_set(err, -EINVAL, "usage: dayfly-monitor thaw [OPTIONS] SNAPSHOT");
}
