/* SPDX-License-Identifier: Apache-2.0 */
/* Finding an image in a directory: see import_layout.h. */
#include "image/import_layout.h"

#include "host/str.h"
#include "image/import_unpack.h"
#include "image/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_MAX 4
#define TYPE_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define NOTE_IMAGE "io.containerd.image.name" /* docker's own, with the repository */
#define NAMES_BYTES 400

/* --- files --- */

/* Opens a file of the source: a regular one. */
static int open_file(int source, const char *path, struct df_err *err)
{
	DF_CLOSE int fd = open_inside(source, path, O_RDONLY | O_NONBLOCK, 0);
	struct stat now;

	if (fd < 0)
		return df_err_set(err, fd, "%.200s: %s", path, df_errno_text(fd));
	if (fstat(fd, &now) < 0)
		return df_err_set(err, -errno, "%.200s: %s", path, df_errno_text(errno));
	if (!S_ISREG(now.st_mode))
		return df_err_set(err, -EINVAL, "%.200s is no file", path);
	return df_take_fd(&fd);
}

static bool is_there(int source, const char *path)
{
	DF_CLOSE int fd = open_inside(source, path, O_PATH, 0);

	return fd >= 0;
}

static int read_json(int source, const char *path, json_t **json, struct df_err *err)
{
	DF_CLOSE int fd = open_file(source, path, err);
	DF_FREE char *text = NULL;
	json_error_t problem;
	size_t length = 0;
	int error = fd < 0 ? fd : file_read(fd, DOCUMENT_BYTES_MAX, &text, &length);

	if (fd < 0)
		return error;
	if (error < 0)
		return df_err_set(err, error == -EUCLEAN ? -EINVAL : error, "%.200s: %s", path,
			error == -EUCLEAN ? "it is too large" : df_errno_text(error));
	*json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &problem);
	if (!*json)
		return df_err_set(err, -EINVAL, "%.200s is damaged: %s", path, problem.text);
	return 0;
}

static int compare_digest(int fd, const char *digest, const char *path, struct df_err *err)
{
	char found[IMAGE_DIGEST_BYTES];
	uint64_t bytes;
	int error = digest_of_file(fd, found, &bytes);

	if (error < 0)
		return df_err_set(err, error, "%.200s: %s", path, df_errno_text(error));
	if (strcmp(found, digest) != 0)
		return df_err_set(err, -EINVAL, "%.200s is damaged: its SHA-256 is another one",
			path);
	return 0;
}

int layout_open_layer(int source, const struct layout_layer *layer, struct df_err *err)
{
	DF_CLOSE int fd = open_file(source, layer->path, err);
	int error;

	if (fd < 0)
		return fd;
	error = layer->digest[0] ? compare_digest(fd, layer->digest, layer->path, err) : 0;
	return error < 0 ? error : df_take_fd(&fd);
}

/* "blobs/sha256/HEX"; only SHA-256 is known. */
static int blob_name(const json_t *descriptor, char path[96], char digest[IMAGE_DIGEST_BYTES],
	struct df_err *err)
{
	const char *text = json_string_value(json_object_get(descriptor, "digest"));

	if (!text || !digest_is_good(text))
		return df_err_set(err, -EINVAL, "a digest in it is not a SHA-256");
	memcpy(digest, text, IMAGE_DIGEST_BYTES);
	snprintf(path, 96, "blobs/sha256/%s", strchr(digest, ':') + 1);
	return 0;
}

/* A document by its descriptor, compared with its digest. */
static int read_blob(int source, const json_t *descriptor, json_t **json, struct df_err *err)
{
	char path[96], digest[IMAGE_DIGEST_BYTES];
	DF_CLOSE int fd = -1;
	int error = blob_name(descriptor, path, digest, err);

	if (error < 0)
		return error;
	fd = open_file(source, path, err);
	error = fd < 0 ? fd : compare_digest(fd, digest, path, err);
	return error < 0 ? error : read_json(source, path, json, err);
}

/* --- choosing --- */

/* With or without ":latest"; docker writes "docker.io/library/NAME:TAG" as well. */
static bool fits_name(const char *name, const char *reference)
{
	DF_FREE char *latest = df_format("%s:latest", reference);
	DF_FREE char *library = df_format("docker.io/library/%s", reference);

	return name && latest && library &&
		(strcmp(name, reference) == 0 || strcmp(name, latest) == 0 ||
			strcmp(name, library) == 0 ||
			(df_starts_with(name, "docker.io/library/") &&
				strcmp(name + strlen("docker.io/library/"), latest) == 0));
}

static bool fits_platform(const json_t *entry)
{
	const json_t *platform = json_object_get(entry, "platform");
	const char *machine = json_string_value(json_object_get(platform, "architecture"));
	const char *system = json_string_value(json_object_get(platform, "os"));

	return !platform ||
		(machine && system && strcmp(machine, "amd64") == 0 &&
			strcmp(system, "linux") == 0);
}

static void add_name(char names[NAMES_BYTES], const char *name)
{
	size_t length = strlen(names);

	snprintf(names + length, NAMES_BYTES - length, "%s%s", length ? ", " : "",
		name ? name : "one without a name");
}

/* There must be one choice exactly. */
static int judge(size_t count, const char *reference, const char *names, struct df_err *err)
{
	if (count == 1)
		return 0;
	if (count > 1)
		return df_err_set(err, -EEXIST, "it holds several images, say which one: %s",
			names);
	if (reference)
		return df_err_set(err, -ENOENT, "it holds no image %.100s, only %s", reference,
			*names ? names : "none at all");
	return df_err_set(err, -EINVAL, "it holds no image");
}

static bool is_choice(const json_t *entry, const char *reference, bool top)
{
	if (!top)
		return fits_platform(entry);
	return !reference || fits_name(annotation_get(entry, NOTE_NAME), reference) ||
		fits_name(annotation_get(entry, NOTE_IMAGE), reference);
}

/* The entry of an index that is meant: by name at the top, by platform below. */
static int choose(const json_t *index, const char *reference, bool top, const json_t **chosen,
	struct df_err *err)
{
	const json_t *entries = json_object_get(index, "manifests"), *entry;
	char names[NAMES_BYTES] = "";
	size_t count = 0, i;

	json_array_foreach(entries, i, entry)
	{
		const char *name = annotation_get(entry, NOTE_IMAGE);

		if (!name)
			name = annotation_get(entry, NOTE_NAME);
		if (top)
			add_name(names, name);
		if (is_choice(entry, reference, top)) {
			*chosen = entry;
			count++;
		}
	}
	if (!top && count == 0)
		return df_err_set(err, -EOPNOTSUPP, "it has no image for Linux on amd64");
	if (!top)
		return 0;
	return judge(count, reference, names, err);
}

/* --- OCI --- */

static int add_layer(struct layout_image *image, const char *path, const char *digest,
	struct df_err *err)
{
	struct layout_layer *layer;

	/* make_layers made room. */
	if (!image->layers)
		return df_err_set(err, -ENOMEM, "out of memory");
	layer = &image->layers[image->layer_count];
	layer->path = strdup(path);
	if (!layer->path)
		return df_err_set(err, -ENOMEM, "out of memory");
	snprintf(layer->digest, sizeof(layer->digest), "%s", digest);
	image->layer_count++;
	return 0;
}

static int make_layers(struct layout_image *image, const json_t *layers, struct df_err *err)
{
	if (!json_is_array(layers) || json_array_size(layers) > LAYOUT_LAYERS_MAX)
		return df_err_set(err, -EINVAL, "its manifest has no layers, or too many");
	image->layers = calloc(json_array_size(layers) + 1, sizeof(*image->layers));
	return image->layers ? 0 : df_err_set(err, -ENOMEM, "out of memory");
}

static int add_oci_layers(struct layout_image *image, const json_t *layers, struct df_err *err)
{
	const json_t *layer;
	size_t i;
	int error = make_layers(image, layers, err);

	json_array_foreach(layers, i, layer)
	{
		const char *type = json_string_value(json_object_get(layer, "mediaType"));
		char path[96], digest[IMAGE_DIGEST_BYTES];

		if (error < 0)
			break;
		if (!type ||
			(!df_starts_with(type, "application/vnd.oci.image.layer.") &&
				!df_starts_with(type, "application/vnd.docker.image.rootfs.")))
			return df_err_set(err, -EOPNOTSUPP,
				"its layer %zu is no file system of a container, but %.100s", i + 1,
				type ? type : "nothing known");
		error = blob_name(layer, path, digest, err);
		if (error == 0)
			error = add_layer(image, path, digest, err);
	}
	return error;
}

static int read_manifest(int source, const json_t *manifest, struct layout_image *image,
	struct df_err *err)
{
	int error = read_blob(source, json_object_get(manifest, "config"), &image->config, err);

	return error < 0 ? error : add_oci_layers(image, json_object_get(manifest, "layers"), err);
}

static bool is_index_entry(const json_t *entry)
{
	const char *type = json_string_value(json_object_get(entry, "mediaType"));

	return type && (strcmp(type, TYPE_INDEX) == 0 || strcmp(type, TYPE_DOCKER_LIST) == 0);
}

/* Follows indexes down to a manifest. */
static int find_oci(int source, const char *reference, struct layout_image *image,
	struct df_err *err)
{
	DF_JSON json_t *document = NULL;
	int error = read_json(source, "index.json", &document, err);

	for (unsigned int depth = 0; error == 0 && depth < DEPTH_MAX; depth++) {
		const json_t *entry = NULL;
		json_t *below = NULL;
		bool is_index;

		error = choose(document, reference, depth == 0, &entry, err);
		if (error < 0 || !entry)
			return error;
		is_index = is_index_entry(entry);
		error = read_blob(source, entry, &below, err);
		if (error < 0)
			return error;
		/* The entry is a part of what goes now. */
		json_decref(document);
		document = below;
		if (!is_index)
			return read_manifest(source, document, image, err);
	}
	return error < 0 ? error : df_err_set(err, -EINVAL, "its indexes are nested too deep");
}

/* --- docker save --- */

/* Is this entry of manifest.json meant? Collects all names for the message. */
static bool fits_tags(const json_t *entry, const char *reference, char names[NAMES_BYTES])
{
	const json_t *tags = json_object_get(entry, "RepoTags"), *tag;
	bool fits = !reference;
	size_t i;

	if (json_array_size(tags) == 0)
		add_name(names, NULL);
	json_array_foreach(tags, i, tag)
	{
		add_name(names, json_string_value(tag));
		fits = fits || fits_name(json_string_value(tag), reference);
	}
	return fits;
}

static int find_docker(int source, const char *reference, struct layout_image *image,
	struct df_err *err)
{
	DF_JSON json_t *manifests = NULL;
	const json_t *entry, *chosen = NULL, *layers, *layer;
	char names[NAMES_BYTES] = "";
	size_t count = 0, i;
	const char *config;
	int error = read_json(source, "manifest.json", &manifests, err);

	if (error < 0)
		return error;
	json_array_foreach(manifests, i, entry)
	{
		if (fits_tags(entry, reference, names)) {
			chosen = entry;
			count++;
		}
	}
	error = judge(count, reference, names, err);
	if (error < 0)
		return error;
	config = json_string_value(json_object_get(chosen, "Config"));
	layers = json_object_get(chosen, "Layers");
	if (!config)
		return df_err_set(err, -EINVAL, "manifest.json is damaged: there is no Config");
	error = read_json(source, config, &image->config, err);
	if (error == 0)
		error = make_layers(image, layers, err);
	json_array_foreach(layers, i, layer)
	{
		if (error < 0)
			break;
		if (!json_is_string(layer))
			return df_err_set(err, -EINVAL, "manifest.json is damaged: its Layers");
		error = add_layer(image, json_string_value(layer), "", err);
	}
	return error;
}

/* --- both --- */

static int check_machine(const json_t *config, struct df_err *err)
{
	const char *machine = json_string_value(json_object_get(config, "architecture"));
	const char *system = json_string_value(json_object_get(config, "os"));

	if (machine && strcmp(machine, "amd64") != 0)
		return df_err_set(err, -EOPNOTSUPP,
			"it is made for the processor %.40s; dayfly runs programs for amd64",
			machine);
	if (system && strcmp(system, "linux") != 0)
		return df_err_set(err, -EOPNOTSUPP, "it is made for %.40s, not for Linux", system);
	return 0;
}

int layout_find(int source, const char *reference, struct layout_image *image, struct df_err *err)
{
	struct layout_image made = {0};
	int error;

	if (is_there(source, "index.json"))
		error = find_oci(source, reference, &made, err);
	else if (is_there(source, "manifest.json"))
		error = find_docker(source, reference, &made, err);
	else
		error = df_err_set(err, -EINVAL,
			"it is neither an OCI image layout (index.json) nor what docker save writes "
			"(manifest.json)");
	if (error == 0)
		error = check_machine(made.config, err);
	if (error < 0)
		layout_deinit(&made);
	else
		*image = made;
	return error;
}

void layout_deinit(struct layout_image *image)
{
	json_decref(image->config);
	for (size_t i = 0; i < image->layer_count; i++)
		free(image->layers[i].path);
	free(image->layers);
	*image = (struct layout_image){0};
}
