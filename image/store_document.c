/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON documents of the image store: descriptors, OCI manifests, the kernel selection. Everything read is checked for form before it
 * is used; JSON that is not in order is damage (-EUCLEAN).
 */
#include "host/str.h"
#include "image/store_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int descriptor_parse(const json_t *descriptor, struct image_blob *blob, const char **media_type)
{
	const char *type = json_string_value(json_object_get(descriptor, "mediaType"));
	const char *digest = json_string_value(json_object_get(descriptor, "digest"));
	const json_t *size = json_object_get(descriptor, "size");

	if (!type || !digest || !json_is_integer(size) || json_integer_value(size) < 0 ||
		!digest_is_good(digest))
		return -EUCLEAN;
	memcpy(blob->digest, digest, IMAGE_DIGEST_BYTES);
	blob->bytes = (uint64_t)json_integer_value(size);
	if (media_type)
		*media_type = type;
	return 0;
}

json_t *descriptor_make(const char *media_type, const struct image_blob *blob)
{
	return json_pack("{s:s, s:s, s:I}", "mediaType", media_type, "digest", blob->digest, "size",
		(json_int_t)blob->bytes);
}

const char *annotation_get(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(json_object_get(object, "annotations"), name));
}

int document_put(const struct image_store *store, const json_t *json, struct image_blob *blob)
{
	DF_FREE char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);

	return text ? blob_put_bytes(store, text, strlen(text), blob) : -ENOMEM;
}

int document_read(const struct image_store *store, const struct image_blob *blob, json_t **json,
	struct df_err *err)
{
	DF_FREE char *text = NULL;
	json_error_t problem;
	json_t *made;
	size_t length = 0;
	int error = blob_read(store, blob, &text, &length, err);

	if (error)
		return error;
	made = json_loadb(text, length, JSON_REJECT_DUPLICATES, &problem);
	if (!json_is_object(made)) {
		json_decref(made);
		return df_err_set(err, -EUCLEAN,
			"%s: the blob %.19s is damaged: it is no JSON object", store->path,
			blob->digest);
	}
	*json = made;
	return 0;
}

/* --- images --- */

static bool layer_kind(const char *media_type, enum image_layer *kind)
{
	static const struct {
		const char *type;
		enum image_layer kind;
	} types[] = {{TYPE_ROOT, IMAGE_ROOT}, {TYPE_PROGRAM, IMAGE_ROOT},
		{TYPE_KERNEL, IMAGE_KERNEL}, {TYPE_FUNCTION, IMAGE_MANIFEST}};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(types[i].type, media_type) == 0) {
			*kind = types[i].kind;
			return true;
		}
	}
	return false;
}

/* {"build": "1a2b3c4d", "features": ["files"]} */
static int parse_kernel(const json_t *kernel, struct image_info *image)
{
	const char *build = json_string_value(json_object_get(kernel, "build"));
	const json_t *features = json_object_get(kernel, "features");
	size_t length = 0, i;
	const json_t *feature;
	int used = 0;

	if (!build || sscanf(build, "%8" SCNx32 "%n", &image->kernel_build, &used) != 1 ||
		build[used] || !json_is_array(features))
		return -EUCLEAN;
	image->features[0] = '\0';
	json_array_foreach(features, i, feature)
	{
		const char *name = json_string_value(feature);
		size_t room = sizeof(image->features) - length;
		int n = name ? snprintf(image->features + length, room, "%s%s", i ? "," : "", name)
			     : -1;

		if (n < 0 || (size_t)n >= room)
			return -EUCLEAN;
		length += (size_t)n;
	}
	return 0;
}

static int read_kernel(const struct image_store *store, struct image_info *image,
	struct df_err *err)
{
	const struct image_blob *blob = &image->layers[IMAGE_KERNEL];
	DF_JSON json_t *kernel = NULL;
	int error = document_read(store, blob, &kernel, err);

	if (error == -ENOENT)
		return df_err_set(err, -EUCLEAN, "%s: the image %.19s is damaged: %.19s is missing",
			store->path, image->digest, blob->digest);
	if (error == 0 && parse_kernel(kernel, image) < 0)
		error = df_err_set(err, -EUCLEAN,
			"%s: the blob %.19s is damaged: it is no kernel selection", store->path,
			blob->digest);
	return error;
}

/* Takes the layers of an OCI manifest apart. Each kind comes once. */
static int parse_layers(const json_t *layers, struct image_info *image)
{
	const json_t *layer;
	size_t i;

	json_array_foreach(layers, i, layer)
	{
		struct image_blob blob;
		enum image_layer kind;
		const char *type;

		if (descriptor_parse(layer, &blob, &type) < 0 || !layer_kind(type, &kind) ||
			image->layers[kind].digest[0] ||
			__builtin_add_overflow(image->bytes, blob.bytes, &image->bytes))
			return -EUCLEAN;
		image->layers[kind] = blob;
	}
	for (size_t kind = 0; kind < IMAGE_SNAPSHOT; kind++) {
		if (!image->layers[kind].digest[0])
			return -EUCLEAN;
	}
	return 0;
}

static int parse_image(const json_t *document, struct image_info *image)
{
	const char *artifact = json_string_value(json_object_get(document, "artifactType"));
	struct image_blob config;
	const char *type;

	if (descriptor_parse(json_object_get(document, "config"), &config, &type) < 0)
		return -EUCLEAN;
	if (!artifact || strcmp(artifact, TYPE_IMAGE) != 0)
		return DOCUMENT_FOREIGN;
	if (__builtin_add_overflow(image->bytes, config.bytes, &image->bytes))
		return -EUCLEAN;
	return parse_layers(json_object_get(document, "layers"), image);
}

int image_read(const struct image_store *store, const struct image_blob *manifest,
	struct image_info *image, struct df_err *err)
{
	DF_JSON json_t *document = NULL;
	struct image_info made = {0};
	int error = document_read(store, manifest, &document, err);

	if (error)
		return error;
	memcpy(made.digest, manifest->digest, sizeof(made.digest));
	made.bytes = manifest->bytes == UINT64_MAX ? 0 : manifest->bytes;
	error = parse_image(document, &made);
	if (error == -EUCLEAN)
		return df_err_set(err, error,
			"%s: the image %.19s is damaged: its manifest is not in order", store->path,
			manifest->digest);
	if (error == 0)
		error = read_kernel(store, &made, err);
	if (error == 0)
		*image = made;
	return error;
}
