/* SPDX-License-Identifier: Apache-2.0 */
/* Deploying from the image store (image/store.h): an image's root and manifest become a deployment. */
#ifndef DAEMON_SOURCE_H
#define DAEMON_SOURCE_H

#include "host/err.h"

#include <jansson.h>

struct source {
	char *root_path; /* of the root image */
	json_t *config; /* what the manifest says, as function_config_parse reads it, but for secrets */
	json_t *secrets; /* names of the variables whose values are asked for: an array */
	char digest[72]; /* of the image */
};

/*
 * Finds an image by name, "name:tag" or digest, and reads its manifest. Returns 0, -ENOENT, -EINVAL
 * or -errno, with *err set. source_deinit may follow in any case.
 */
int source_open(const char *reference, struct source *source, struct df_err *err)
	__attribute__((warn_unused_result));
void source_deinit(struct source *source);

/* Are all secrets that the image asks for in a deployment? Returns 0 or -EINVAL with *err set. */
int source_check_secrets(const struct source *source, const json_t *deployment, struct df_err *err)
	__attribute__((warn_unused_result));

#endif
