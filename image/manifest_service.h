/* SPDX-License-Identifier: Apache-2.0 */
/* Mode service in a manifest: which keys it has and which it has not. For manifest_read.c. */
#ifndef IMAGE_MANIFEST_SERVICE_H
#define IMAGE_MANIFEST_SERVICE_H

#include "image/manifest.h"
#include "image/manifest_yaml.h"

/*
 * Checks what has been read from `root`, and fills in which port is checked if the manifest does not say it. Returns 0, or -EINVAL with *err set
 * as node_fail does.
 */
int manifest_check_service(struct manifest *m, const struct node *root, const char *shown_name,
	struct df_err *err) __attribute__((warn_unused_result));

#endif
