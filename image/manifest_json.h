/* SPDX-License-Identifier: Apache-2.0 */
/* A manifest as the daemon is told of it: the keys of a deployment (docs/reference-http.md). */
#ifndef IMAGE_MANIFEST_JSON_H
#define IMAGE_MANIFEST_JSON_H

#include "image/manifest.h"

#include <jansson.h>

/*
 * All that a manifest says of a deployment, but for what depends on where the program was found (image, program, command) and on
 * what files of the host hold (secrets). Relative paths in triggers and file destinations become absolute ones, seen from
 * m->directory; without one file destinations stay relative, which the daemon takes for names below its own directory, and a directory
 * trigger is refused. Returns a new reference, or NULL with *err set.
 */
json_t *manifest_json(const struct manifest *m, struct df_err *err)
	__attribute__((warn_unused_result));

#endif
