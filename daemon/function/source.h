/* SPDX-License-Identifier: Apache-2.0 */
/* Deploying from the image store (image/store.h): an image's root and manifest become a deployment. */
#ifndef DAEMON_SOURCE_H
#define DAEMON_SOURCE_H

#include "host/err.h"

#include <jansson.h>

struct source {
	char *root_path; /* of the root image */
	json_t *config; /* what the manifest says, as function_config_parse reads it */
	char digest[72]; /* of the image */
};

/*
 * Finds an image by name, "name:tag" or digest, and reads its manifest. Returns 0, -ENOENT, -ENOTSUP (the manifest asks for what there is not yet), -EINVAL
 * or -errno, with *err set. source_deinit may follow in any case.
 */
int source_open(const char *reference, struct source *source, struct df_err *err)
	__attribute__((warn_unused_result));
void source_deinit(struct source *source);

#endif
