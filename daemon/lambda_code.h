/* SPDX-License-Identifier: Apache-2.0 */
/* From the code that Lambda's clients send to a root image. */
#ifndef DAEMON_LAMBDA_CODE_H
#define DAEMON_LAMBDA_CODE_H

#include "host/err.h"

#include <jansson.h>

#define LAMBDA_CODE_MAX (250u << 20) /* unpacked, as at Amazon's */

struct lambda_code {
	char *path; /* of a file in the spool; it is removed by lambda_code_deinit */
	char sha256[64]; /* of the archive, in base64 */
};

/* Where dayfly-unzip is; borrowed. */
void lambda_code_init(const char *unzip_path);

/*
 * Unpacks `bootstrap`, a static executable, from the base64 of a ZIP archive (Code.ZipFile). Returns 0, -EINVAL (the client's fault) or
 * -errno with *err set. lambda_code_deinit may follow in any case.
 */
int lambda_code_unzip(const json_t *zip_file, struct lambda_code *code, struct df_err *err)
	__attribute__((warn_unused_result));

void lambda_code_deinit(struct lambda_code *code);

#endif
