/* SPDX-License-Identifier: Apache-2.0 */
/* Finding an image in a directory: an OCI image layout, or what `docker save` writes. All of it is hostile and checked. */
#ifndef IMAGE_IMPORT_LAYOUT_H
#define IMAGE_IMPORT_LAYOUT_H

#include "host/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAYOUT_LAYERS_MAX 512

struct layout_layer {
	char *path; /* in the source */
	char digest[72]; /* "sha256:HEX" to compare, or "" */
};

struct layout_image {
	json_t *config;
	struct layout_layer *layers; /* the lowest first */
	size_t layer_count;
};

/*
 * Finds the image `reference` (NULL: the only one) in the directory open as `source`. Errors as import_unpack's. *image is for
 * layout_deinit.
 */
int layout_find(int source, const char *reference, struct layout_image *image, struct df_err *err)
	__attribute__((warn_unused_result));
void layout_deinit(struct layout_image *image);

/* Opens a layer and compares its digest. Returns a descriptor or -errno with *err set. */
int layout_open_layer(int source, const struct layout_layer *layer, struct df_err *err)
	__attribute__((warn_unused_result));

#endif
