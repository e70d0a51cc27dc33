/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of importing: images made here with libarchive, good ones and hostile ones, unpacked by dayfly-import (its path is the
 * argument) in its jail.
 */
#include "image/import.h"

#include "image/store_private.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image/test_files.h"

static const char *helper;

struct fixture {
	char *directory, *source, *target;
	struct manifest manifest;
	struct import_result result;
	struct df_err err;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->directory = make_directory();
	f->source = df_format("%s/source", f->directory);
	f->target = df_format("%s/target", f->directory);
	assert_int_equal(mkdir(f->target, 0755), 0);
	assert_int_equal(manifest_init(&f->manifest), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	manifest_deinit(&f->manifest);
	free(f->source);
	free(f->target);
	remove_directory(f->directory);
	free(f);
	return 0;
}

/* --- making archives --- */

struct member {
	const char *path;
	int type; /* f d l h c: file, directory, symbolic link, hard link, character device */
	mode_t mode;
	const char *text; /* contents, or target */
};

struct bytes {
	char *data;
	size_t length;
};

static struct archive_entry *make_entry(const struct member *m)
{
	struct archive_entry *entry = archive_entry_new();

	archive_entry_set_pathname(entry, m->path);
	archive_entry_set_perm(entry, m->mode ? m->mode : 0644);
	archive_entry_set_mtime(entry, 1000000000, 0);
	archive_entry_set_filetype(entry,
		m->type == 'd'           ? AE_IFDIR
			: m->type == 'l' ? AE_IFLNK
			: m->type == 'c' ? AE_IFCHR
					 : AE_IFREG);
	if (m->type == 'f')
		archive_entry_set_size(entry, (la_int64_t)strlen(m->text));
	if (m->type == 'l')
		archive_entry_set_symlink(entry, m->text);
	if (m->type == 'h')
		archive_entry_set_hardlink(entry, m->text);
	return entry;
}

/* A tar archive; `filter` is 0, 'g' for gzip or 'z' for zstd. */
static struct bytes make_tar(const struct member *members, char filter)
{
	struct bytes tar = {calloc(1, 1 << 20), 0};
	struct archive *a = archive_write_new();

	assert_true(archive_write_set_format_pax_restricted(a) >= ARCHIVE_WARN);
	if (filter == 'g')
		assert_true(archive_write_add_filter_gzip(a) >= ARCHIVE_WARN);
	if (filter == 'z')
		assert_true(archive_write_add_filter_zstd(a) >= ARCHIVE_WARN);
	assert_int_equal(archive_write_open_memory(a, tar.data, 1 << 20, &tar.length), 0);
	for (; members->path; members++) {
		struct archive_entry *entry = make_entry(members);

		assert_true(archive_write_header(a, entry) >= ARCHIVE_WARN);
		if (members->type == 'f')
			archive_write_data(a, members->text, strlen(members->text));
		archive_entry_free(entry);
	}
	assert_int_equal(archive_write_close(a), 0);
	archive_write_free(a);
	return tar;
}

/* --- making images --- */

static void put_bytes(const char *directory, const char *name, const void *data, size_t length)
{
	DF_FREE char *path = put_file(directory, name, "", 0644);
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_int_equal(write(fd, data, length), length);
	close(fd);
}

/* Puts a blob into the layout and gives its descriptor. */
static json_t *put_blob(const struct fixture *f, const char *type, const void *data, size_t length)
{
	struct image_blob blob = {.bytes = length};
	DF_FREE char *name = NULL;

	assert_int_equal(digest_of_bytes(data, length, blob.digest), 0);
	name = df_format("blobs/sha256/%s", blob.digest + strlen("sha256:"));
	put_bytes(f->source, name, data, length);
	return descriptor_make(type, &blob);
}

static json_t *put_json(const struct fixture *f, const char *type, json_t *json)
{
	DF_FREE char *text = json_dumps(json, 0);

	assert_non_null(text);
	json_decref(json);
	return put_blob(f, type, text, strlen(text));
}

#define TYPE_LAYER "application/vnd.oci.image.layer.v1.tar"

static json_t *config_json(const char *machine)
{
	return json_pack("{s:s, s:s, s:{s:[s], s:[s, s], s:[s, s, s], s:s}}", "architecture",
		machine, "os", "linux", "config", "Entrypoint", "/bin/tool", "Cmd", "-c", "", "Env",
		"PATH=/bin", "LEVEL=3", "bad name=x", "WorkingDir", "/data/");
}

/* An OCI layout with the layers, which are freed. */
static void put_image(const struct fixture *f, const char *machine, const char *layer_type,
	struct bytes *layers, size_t count)
{
	json_t *list = json_array(), *manifest, *index;

	for (size_t i = 0; i < count; i++) {
		json_array_append_new(list,
			put_blob(f, layer_type, layers[i].data, layers[i].length));
		free(layers[i].data);
	}
	manifest = put_json(f, TYPE_MANIFEST,
		json_pack("{s:i, s:o, s:o}", "schemaVersion", 2, "config",
			put_json(f, "application/vnd.oci.image.config.v1+json",
				config_json(machine)),
			"layers", list));
	index = json_pack("{s:i, s:[o]}", "schemaVersion", 2, "manifests", manifest);
	DF_FREE char *text = json_dumps(index, 0);

	put_bytes(f->source, "index.json", text, strlen(text));
	json_decref(index);
}

static void put_layer(const struct fixture *f, const struct member *members)
{
	struct bytes layer = make_tar(members, 0);

	put_image(f, "amd64", TYPE_LAYER, &layer, 1);
}

static int import_limited(struct fixture *f, uint64_t bytes_max, uint64_t files_max)
{
	const struct import_request request = {.helper = helper,
		.source = f->source,
		.target = f->target,
		.bytes_max = bytes_max,
		.files_max = files_max,
		.time_limit_ms = 60000};

	return import_unpack(&request, &f->manifest, &f->result, &f->err);
}

static void import_good(struct fixture *f)
{
	int error = import_limited(f, 0, 0);

	if (error)
		print_error("%s\n", f->err.text);
	assert_int_equal(error, 0);
}

static void expect_text(const struct fixture *f, const char *name, const char *text)
{
	DF_FREE char *path = df_path_join(f->target, name);
	DF_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char bytes[64] = "";

	if (!text) {
		assert_int_equal(fd, -1);
		return;
	}
	assert_true(fd >= 0);
	assert_true(read(fd, bytes, sizeof(bytes) - 1) >= 0);
	assert_string_equal(bytes, text);
}

/* --- good ones --- */

static const struct member lower[] = {{"bin/", 'd', 0755, ""}, {"bin/tool", 'f', 04755, "tool"},
	{"./etc/keep", 'f', 0, "keep"}, {"etc/gone", 'f', 0, "gone"}, {"etc/dir/x", 'f', 0, "x"},
	{"opaque/old", 'f', 0, "old"}, {"opaque/sub/old", 'f', 0, "old"}, {"closed", 'd', 0555, ""},
	{"closed/inside", 'f', 0, "inside"}, {"usr/lib/a.so", 'f', 0, "library"},
	{"lib", 'l', 0, "/usr/lib"}, {"dev/null", 'c', 0, ""}, {"hard", 'h', 0, "etc/keep"},
	{"n\xc3\xa4me", 'f', 0, "utf"}, {0}};

static const struct member upper[] = {{"etc/.wh.gone", 'f', 0, ""}, {"etc/.wh.dir", 'f', 0, ""},
	{"opaque/new", 'f', 0, "new"}, {"opaque/sub/new", 'f', 0, "new"},
	{"opaque/.wh..wh..opq", 'f', 0, ""}, {"lib/b.so", 'f', 0, "through the link"},
	{"bin/tool", 'f', 0755, "newer"}, {0}};

static void expect_tree(const struct fixture *f)
{
	DF_FREE char *tool = df_path_join(f->target, "bin/tool");
	DF_FREE char *hard = df_path_join(f->target, "hard");
	struct stat now;

	expect_text(f, "bin/tool", "newer");
	expect_text(f, "etc/keep", "keep");
	expect_text(f, "hard", "keep");
	expect_text(f, "etc/gone", NULL);
	expect_text(f, "etc/dir/x", NULL);
	expect_text(f, "opaque/old", NULL);
	expect_text(f, "opaque/sub/old", NULL);
	expect_text(f, "opaque/new", "new");
	expect_text(f, "opaque/sub/new", "new");
	expect_text(f, "opaque/.wh..wh..opq", NULL);
	expect_text(f, "closed/inside", "inside");
	expect_text(f, "usr/lib/a.so", "library");
	/* The absolute link leads to a place inside. */
	expect_text(f, "usr/lib/b.so", "through the link");
	expect_text(f, "n\xc3\xa4me", "utf");
	expect_text(f, "dev/null", NULL);
	assert_int_equal(stat(tool, &now), 0);
	assert_int_equal(now.st_mode & 07777, 0755);
	assert_int_equal(now.st_mtime, 1000000000);
	assert_int_equal(stat(hard, &now), 0);
	assert_int_equal(now.st_nlink, 2);
	assert_int_equal(f->result.skipped, 1);
}

static void expect_manifest(const struct fixture *f)
{
	const struct manifest *m = &f->manifest;

	assert_int_equal(m->command.count, 3);
	assert_string_equal(m->command.items[0], "/bin/tool");
	assert_string_equal(m->command.items[2], "");
	assert_string_equal(m->workdir, "/data");
	assert_int_equal(m->environment.count, 2);
	assert_string_equal(m->environment.items[1].name, "LEVEL");
	assert_string_equal(m->environment.items[1].value, "3");
}

static void test_layout(void **state)
{
	struct fixture *f = *state;
	struct bytes layers[2] = {make_tar(lower, 'g'), make_tar(upper, 'z')};

	put_image(f, "amd64", TYPE_LAYER, layers, 2);
	import_good(f);
	expect_tree(f);
	expect_manifest(f);
}

/* What the manifest says itself stays. */
static void test_manifest_wins(void **state)
{
	struct fixture *f = *state;
	struct manifest_pair *pair = malloc(sizeof(*pair));

	*pair = (struct manifest_pair){strdup("LEVEL"), strdup("9")};
	f->manifest.environment = (struct manifest_pairs){pair, 1};
	free(f->manifest.workdir);
	f->manifest.workdir = strdup("/mine");
	put_layer(f, lower);
	import_good(f);
	assert_string_equal(f->manifest.workdir, "/mine");
	assert_int_equal(f->manifest.environment.count, 2);
	assert_string_equal(f->manifest.environment.items[0].value, "9");
	assert_string_equal(f->manifest.environment.items[1].name, "PATH");
}

/* What `docker save` writes: manifest.json, a config, layers under their names; here in a compressed archive. */
static void test_docker_archive(void **state)
{
	struct fixture *f = *state;
	struct bytes first = make_tar(lower, 0), second = make_tar(upper, 0), whole;
	DF_JSON json_t *json = config_json("amd64");
	DF_FREE char *config = json_dumps(json, 0);
	/* Texts in this helper end at their first NUL, which tar archives are full of: so two steps. */
	const struct member members[] = {
		{"manifest.json", 'f', 0,
			"[{\"Config\":\"c.json\",\"RepoTags\":[\"tool:latest\"],\"Layers\":[]}]"},
		{"c.json", 'f', 0, config}, {0}};

	whole = make_tar(members, 'g');
	put_bytes(f->directory, "source", whole.data, whole.length);
	import_good(f);
	expect_manifest(f);
	assert_int_equal(unlink(f->source), 0);
	put_bytes(f->source, "manifest.json",
		"[{\"Config\":\"c.json\",\"RepoTags\":[\"tool:latest\"],"
		"\"Layers\":[\"1/layer.tar\",\"2.tar\"]}]",
		strlen("[{\"Config\":\"c.json\",\"RepoTags\":[\"tool:latest\"],"
		       "\"Layers\":[\"1/layer.tar\",\"2.tar\"]}]"));
	put_bytes(f->source, "c.json", config, strlen(config));
	put_bytes(f->source, "1/layer.tar", first.data, first.length);
	put_bytes(f->source, "2.tar", second.data, second.length);
	import_good(f);
	expect_tree(f);
	free(first.data);
	free(second.data);
	free(whole.data);
}

/* --- hostile ones --- */

static const struct {
	struct member members[4];
	int error;
	const char *message; /* a part of it */
} hostile[] = {
	{{{"../evil", 'f', 0, "x"}}, -EINVAL, "layer 1: ../evil: refused: \"..\" in a path"},
	{{{"a/../../evil", 'f', 0, "x"}}, -EINVAL, "\"..\" in a path"},
	{{{"/evil", 'f', 0, "x"}}, -EINVAL, "not a relative path"},
	{{{"h", 'h', 0, "../secret"}}, -EINVAL, "\"..\" in a path"},
	{{{"h", 'h', 0, "/etc/passwd"}}, -EINVAL, "not a relative path"},
	{{{"h", 'h', 0, "missing"}}, -EINVAL, "a hard link to what is no file here"},
	{{{"l", 'l', 0, ".."}, {"h", 'h', 0, "l/secret"}}, -EINVAL, "no file here"},
	{{{"d", 'd', 0, ""}, {"h", 'h', 0, "d"}}, -EINVAL, "no file here"},
	{{{"d/.wh...", 'f', 0, ""}}, -EINVAL, "a whiteout of nothing"},
	{{{"d/.wh.", 'f', 0, ""}}, -EINVAL, "a whiteout of nothing"},
	{{{"f", 'f', 0, "x"}, {"f/below", 'f', 0, "x"}}, -ENOTDIR, "not a directory"},
	{{{"l", 'l', 0, "l"}, {"l/x", 'f', 0, "x"}}, -ELOOP, "too many symbolic links"},
};

static void test_hostile(void **state)
{
	struct fixture *f = *state;
	DF_FREE char *secret = put_file(f->directory, "secret", "secret", 0644);
	DF_FREE char *evil = df_path_join(f->directory, "evil");

	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		DF_FREE char *number = df_format("target-%zu", i);
		DF_FREE char *old = f->target;
		int error;

		f->target = df_path_join(f->directory, number);
		assert_int_equal(mkdir(f->target, 0755), 0);
		put_layer(f, hostile[i].members);
		error = import_limited(f, 0, 0);
		if (error != hostile[i].error || !strstr(f->err.text, hostile[i].message))
			fail_msg("%zu: %d %s", i, error, f->err.text);
		assert_int_equal(access(evil, F_OK), -1);
	}
}

/* Links that lead out are made, but nobody goes through them: what is written "there" is inside. */
static void test_links_stay_inside(void **state)
{
	struct fixture *f = *state;
	DF_FREE char *outside = df_path_join(f->directory, "outside");
	DF_FREE char *kept = put_file(outside, "file", "kept", 0644);
	DF_FREE char *absolute = df_format("%s", outside);
	const struct member members[] = {{"up", 'l', 0, "../../../outside"},
		{"abs", 'l', 0, absolute}, {"outside", 'd', 0755, ""}, {"up/new", 'f', 0, "x"},
		{"up/.wh.file", 'f', 0, ""}, {0}};
	const struct member dangling[] = {{"abs", 'l', 0, absolute}, {"abs/new", 'f', 0, "x"}, {0}};
	DF_FREE char *new_file = df_path_join(outside, "new");

	put_layer(f, members);
	import_good(f);
	expect_text(f, "outside/new", "x");
	assert_int_equal(access(kept, F_OK), 0);
	put_layer(f, dangling);
	assert_true(import_limited(f, 0, 0) < 0);
	assert_int_equal(access(new_file, F_OK), -1);
}

static void test_bounds(void **state)
{
	struct fixture *f = *state;
	const struct member members[] = {
		{"a", 'f', 0, "0123456789"}, {"b", 'f', 0, "0123456789"}, {"c", 'f', 0, ""}, {0}};

	put_layer(f, members);
	assert_int_equal(import_limited(f, 19, 0), -EFBIG);
	assert_non_null(strstr(f->err.text, "larger than allowed"));
	assert_int_equal(import_limited(f, 0, 2), -EFBIG);
	assert_non_null(strstr(f->err.text, "more files than allowed"));
	assert_int_equal(f->manifest.command.count, 0);
	assert_int_equal(import_limited(f, 20, 3), 0);
	assert_int_equal(f->result.bytes, 20);
	assert_int_equal(f->result.files, 3);
}

static void expect_error(struct fixture *f, int error, const char *message)
{
	assert_int_equal(import_limited(f, 0, 0), error);
	if (!strstr(f->err.text, message))
		fail_msg("%s", f->err.text);
}

static void test_damaged(void **state)
{
	struct fixture *f = *state;
	struct bytes layer = make_tar(lower, 'g');
	DF_FREE char *path = NULL, *index = df_path_join(f->source, "index.json");
	char digest[IMAGE_DIGEST_BYTES];

	expect_error(f, -ENOENT, "no such file or directory");
	assert_int_equal(mkdir(f->source, 0755), 0);
	expect_error(f, -EINVAL, "neither an OCI image layout");
	/* Cut off: its digest is right, the gzip stream is not. */
	layer.length /= 2;
	assert_int_equal(digest_of_bytes(layer.data, layer.length, digest), 0);
	path = df_format("%s/blobs/sha256/%s", f->source, strchr(digest, ':') + 1);
	put_image(f, "amd64", TYPE_LAYER, &layer, 1);
	expect_error(f, -EINVAL, "layer 1: ");
	assert_int_equal(truncate(path, 10), 0);
	expect_error(f, -EINVAL, "its SHA-256 is another one");
	assert_int_equal(truncate(index, 10), 0);
	expect_error(f, -EINVAL, "index.json is damaged");
	assert_int_equal(truncate(index, 0), 0);
	expect_error(f, -EINVAL, "index.json is damaged");
}

static void test_other_kinds(void **state)
{
	struct fixture *f = *state;
	struct bytes layer = make_tar(lower, 0);

	put_image(f, "arm64", TYPE_LAYER, &layer, 1);
	expect_error(f, -EOPNOTSUPP, "made for the processor arm64");
	layer = make_tar(lower, 0);
	put_image(f, "amd64", "application/vnd.in-toto+json", &layer, 1);
	expect_error(f, -EOPNOTSUPP, "its layer 1 is no file system of a container");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_layout, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_manifest_wins, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_docker_archive, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hostile, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_links_stay_inside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bounds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damaged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_other_kinds, set_up, tear_down),
	};

	helper = argc > 1 ? argv[1] : NULL;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
