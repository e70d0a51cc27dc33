/* SPDX-License-Identifier: Apache-2.0 */
/* Targets of requests: see target.h. */
#include "daemon/object/target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes in place up to `end`, and terminates. Returns what is behind the text, or NULL. */
static bool decode(char *text, const char *end, bool plus)
{
	char *out = text;

	for (const char *at = text; at < end; at++) {
		char c = *at;

		if (c == '+' && plus)
			c = ' ';
		if (c == '%') {
			int high = end - at > 2 ? digit(at[1]) : -1;
			int low = high >= 0 ? digit(at[2]) : -1;

			if (low < 0)
				return false;
			c = (char)(high << 4 | low);
			at += 2;
		}
		if (c == '\0')
			return false;
		*out++ = c;
	}
	*out = '\0';
	return true;
}

/* What stands between '&'s. */
static int add_parameter(struct target *target, char *text)
{
	char *end = text + strlen(text), *equals = strchr(text, '=');
	struct target_parameter *parameter;

	if (!*text)
		return TARGET_OK;
	if (target->parameter_count == TARGET_PARAMETERS_MAX)
		return TARGET_TOO_MANY;
	parameter = &target->parameters[target->parameter_count++];
	parameter->name = text;
	parameter->value = equals ? equals + 1 : end;
	if (equals && !decode(equals + 1, end, true))
		return TARGET_URI;
	return decode(text, equals ? equals : end, true) ? TARGET_OK : TARGET_URI;
}

static int parse_query(struct target *target, char *query)
{
	int result = TARGET_OK;

	for (char *part; result == TARGET_OK && (part = strsep(&query, "&"));)
		result = add_parameter(target, part);
	return result;
}

int target_parse(const char *text, const char *bucket, struct target *target)
{
	char *path, *query, *slash;

	*target = (struct target){.bucket = bucket, .memory = strdup(text)};
	if (!target->memory)
		return -ENOMEM;
	path = target->memory;
	if (*path != '/')
		return TARGET_URI;
	query = strchr(path, '?');
	if (query)
		*query++ = '\0';
	path++;
	if (!bucket && *path) {
		slash = strchr(path, '/');
		if (slash)
			*slash++ = '\0';
		if (!decode(path, path + strlen(path), false))
			return TARGET_URI;
		target->bucket = path;
		path = slash ? slash : path + strlen(path);
	}
	if (*path) {
		if (!decode(path, path + strlen(path), false))
			return TARGET_URI;
		target->key = path;
	}
	return query ? parse_query(target, query) : TARGET_OK;
}

void target_deinit(struct target *target)
{
	free(target->memory);
	*target = (struct target){0};
}

const char *target_parameter(const struct target *target, const char *name)
{
	for (size_t i = 0; i < target->parameter_count; i++) {
		if (strcmp(target->parameters[i].name, name) == 0)
			return target->parameters[i].value;
	}
	return NULL;
}
