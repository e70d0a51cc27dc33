/* SPDX-License-Identifier: Apache-2.0 */
/* From the code that Lambda's clients send to a root image. */
#ifndef DAEMON_LAMBDA_CODE_H
#define DAEMON_LAMBDA_CODE_H

#include "host/err.h"

#include <jansson.h>
#include <stdbool.h>

#define LAMBDA_CODE_MAX (250u << 20) /* unpacked, as at Amazon's */

struct lambda_code {
	char *path; /* of the root image */
	bool temporary; /* it lies in the spool; lambda_code_deinit removes it */
	char sha256[96]; /* of the archive, in base64; of an image its digest */
	json_t *config; /* how it is run, as function_config_parse reads it */
};

/* Where dayfly-unzip is; borrowed. */
void lambda_code_init(const char *unzip_path);

/*
 * Unpacks `bootstrap`, a static executable, from the base64 of a ZIP archive (Code.ZipFile). Returns 0, -EINVAL (the client's fault) or
 * -errno with *err set. lambda_code_deinit may follow in any case.
 */
int lambda_code_unzip(const json_t *zip_file, struct lambda_code *code, struct df_err *err)
	__attribute__((warn_unused_result));

/* The same for an image of the store (Code.ImageUri): its name, with or without a registry's before it. */
int lambda_code_image(const json_t *image_uri, struct lambda_code *code, struct df_err *err)
	__attribute__((warn_unused_result));

void lambda_code_deinit(struct lambda_code *code);

#endif
