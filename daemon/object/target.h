/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request of S3's is about, as it stands in its target: bucket, key and parameters, decoded. The target is looked at as it came: what
 * a library has decoded in place ends at "%00", and has lost which slashes were slashes.
 */
#ifndef DAEMON_OBJECT_TARGET_H
#define DAEMON_OBJECT_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#define TARGET_PARAMETERS_MAX 64

struct target_parameter {
	const char *name, *value; /* value: "" if there is none */
};

/* Texts are terminated and hold no NUL. */
struct target {
	const char *bucket; /* NULL: the service itself */
	const char *key; /* NULL: the bucket itself */
	struct target_parameter parameters[TARGET_PARAMETERS_MAX];
	size_t parameter_count;
	char *memory; /* its own */
};

enum target_result {
	TARGET_OK,
	TARGET_URI, /* a percent sign without two digits, or %00; not a path */
	TARGET_TOO_MANY, /* parameters */
};

/*
 * Takes "/BUCKET/KEY?NAME=VALUE&..." apart, or "/KEY?..." with `bucket` from the host's name. Returns an enum target_result or -ENOMEM. Freed with
 * target_deinit, whatever it returned. Neither bucket nor key is checked.
 */
int target_parse(const char *text, const char *bucket, struct target *target)
	__attribute__((warn_unused_result));
void target_deinit(struct target *target);

/* A parameter's value; NULL: it is not there. */
const char *target_parameter(const struct target *target, const char *name);

#endif
