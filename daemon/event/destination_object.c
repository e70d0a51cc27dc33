/* SPDX-License-Identifier: Apache-2.0 */
/* Destinations that are objects, BUCKET/KEY: the key has words, the bucket has none, so an event never chooses that. */
#include "daemon/event/destination_private.h"

#include <errno.h>
#include <string.h>

#define BUCKET_MAX 63u

bool destination_object_ok(const char *name)
{
	size_t bucket = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-");
	const char *at = name + bucket;

	if (bucket < 3 || bucket > BUCKET_MAX || *at++ != '/' || !*at)
		return false;
	for (; *at; at++) {
		size_t length = *at == '{' ? destination_word(at) : 0;

		if ((unsigned char)*at < 0x20 || *at == 0x7f || *at == '}' ||
			(*at == '{' && length == 0))
			return false;
		if (length)
			at += length - 1;
	}
	return true;
}

/* A key is no path: it may have anything in it. */
static void add_value(struct df_str *key, const char *value)
{
	df_str_add(key, value);
}

enum destination_result destination_put_object(const struct destination_settings *settings,
	const char *name, const struct queue_event *event, struct df_err *err)
{
	size_t length = strcspn(name, "/");
	DF_STR struct df_str key = DF_STR_EMPTY;
	char bucket[BUCKET_MAX + 1];
	int error;

	if (!settings->put_object || length > BUCKET_MAX) {
		df_err_set(err, -ENOTSUP, "there is no object store");
		return DESTINATION_REFUSED;
	}
	memcpy(bucket, name, length);
	bucket[length] = '\0';
	error = destination_expand(&key, name + length + 1, event, add_value, err);
	if (error == 0)
		error = settings->put_object(bucket, df_str_text(&key), event, err);
	if (error == 0)
		return DESTINATION_DELIVERED;
	/* What the name is to blame for stays so. A bucket may still be made, a disk emptied. */
	return error == -EINVAL || error == -EFBIG ? DESTINATION_REFUSED : DESTINATION_LATER;
}
