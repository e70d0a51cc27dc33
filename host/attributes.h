/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes of events and replies as they travel (dayfly/event.h): "name\0value\0" pairs, one behind the other.
 *
 * A name has 1 to 128 of the characters a-z A-Z 0-9 . _ -; a value any UTF-8 or other bytes but control characters, so that
 * neither can break out of a line of text, a header or a JSON string once it was checked here.
 */
#ifndef HOST_ATTRIBUTES_H
#define HOST_ATTRIBUTES_H

#include "host/str.h"

#include <stdbool.h>
#include <stddef.h>

#define DF_ATTRIBUTE_NAME_MAX 128

/* Appends a pair. Returns 0 or -EINVAL: name or value hold what they may not. (Memory: str->failed.) */
int df_attributes_add(struct df_str *attributes, const char *name, const char *value)
	__attribute__((warn_unused_result));

/*
 * Walks over `length` bytes of unknown origin, which must not change meanwhile. *at is 0 to begin with. Returns 1 with the next
 * pair, 0 at the end, or -EINVAL.
 */
int df_attributes_next(const char *bytes, size_t length, size_t *at, const char **name,
	const char **value) __attribute__((warn_unused_result));

#endif
