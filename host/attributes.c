/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of events: see attributes.h. */
#include "host/attributes.h"

#include <errno.h>
#include <string.h>

static bool is_name(const char *name)
{
	const char *const allowed =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t length = strlen(name);

	return length > 0 && length <= DF_ATTRIBUTE_NAME_MAX && strspn(name, allowed) == length;
}

static bool is_value(const char *value)
{
	for (; *value; value++) {
		if ((unsigned char)*value < 0x20 || *value == 0x7f)
			return false;
	}
	return true;
}

int df_attributes_add(struct df_str *attributes, const char *name, const char *value)
{
	if (!is_name(name) || !is_value(value))
		return -EINVAL;
	df_str_add_bytes(attributes, name, strlen(name) + 1);
	df_str_add_bytes(attributes, value, strlen(value) + 1);
	return 0;
}

/* The text at bytes + *at, which must end before `length`; *at is then behind it. */
static const char *take_text(const char *bytes, size_t length, size_t *at)
{
	const char *text = bytes + *at;
	const char *end = *at < length ? memchr(text, '\0', length - *at) : NULL;

	if (!end)
		return NULL;
	*at += (size_t)(end - text) + 1;
	return text;
}

int df_attributes_next(const char *bytes, size_t length, size_t *at, const char **name,
	const char **value)
{
	if (*at == length)
		return 0;
	*name = take_text(bytes, length, at);
	*value = *name ? take_text(bytes, length, at) : NULL;
	return *value && is_name(*name) && is_value(*value) ? 1 : -EINVAL;
}
