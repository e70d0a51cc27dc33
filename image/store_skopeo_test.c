/* SPDX-License-Identifier: Apache-2.0 */
/* What another program sees in the image store: skopeo inspects and copies it, and leaves the snapshot behind. */
#include "image/store.h"

#include "host/child.h"
#include "host/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image/test_files.h"

#define SKOPEO "/usr/bin/skopeo"
#define SKIPPED 77 /* Meson's exit status for a test that cannot run here */
#define YAML "name: squeeze\ncommand: [zstd]\n"
#define SECRET "a snapshot with a secret in it"

/* Runs it to a good end; its output is for the caller to free. */
static char *skopeo(const char *directory, const char *const *words)
{
	DF_FREE char *home = df_format("HOME=%s", directory);
	char *environment[] = {home, (char *)"PATH=/usr/bin:/bin", NULL};
	const char *arguments[12] = {SKOPEO, "--insecure-policy", "--tmpdir", directory};
	struct df_child child = {.path = SKOPEO,
		.arguments = (char *const *)arguments,
		.environment = environment,
		.output_cap_bytes = 1 << 20,
		.time_limit_ms = 60000};
	struct df_child_result result;
	struct df_err err = {0};
	char *output;

	for (size_t i = 0; words[i]; i++)
		arguments[4 + i] = words[i];
	if (df_child_run(&child, &result, &err) < 0)
		fail_msg("%s", err.text);
	if (result.exit_status)
		fail_msg("skopeo %s: %s", words[0], df_str_text(&result.errors));
	output = strdup(df_str_text(&result.output));
	df_child_result_deinit(&result);
	return output;
}

static void fill(struct image_store *store, const char *directory, struct image_info *image,
	struct image_blob *snapshot)
{
	DF_FREE char *program = put_file(directory, "program", "\177ELF and so on", 0600);
	DF_FREE char *frozen = put_file(directory, "frozen", SECRET, 0600);
	DF_CLOSE int root = open(program, O_RDONLY | O_CLOEXEC);
	DF_CLOSE int memory = open(frozen, O_RDONLY | O_CLOEXEC);
	const struct image_add add = {.name = "squeeze:1",
		.root_fd = root,
		.features = "files,tmp",
		.kernel_build = 7,
		.manifest = YAML,
		.manifest_bytes = strlen(YAML)};
	struct df_err err = {0};

	assert_int_equal(image_store_add(store, &add, image, &err), 0);
	assert_int_equal(image_store_put_snapshot(store, image, "", memory, snapshot, &err), 0);
}

static void never(void *context, const char *text)
{
	(void)context;
	fail_msg("%s", text);
}

/* The copy is a store of ours again, with the same image and no snapshot. */
static void check_copy(const char *path, const struct image_info *image,
	const struct image_blob *snapshot)
{
	struct image_store *store = NULL;
	struct df_err err = {0};
	struct image_info copy;
	struct image_blob blob;
	size_t problems = 1;
	int fd = -1;

	assert_int_equal(image_store_open(path, &store, &err), 0);
	assert_int_equal(image_store_resolve(store, "copied:2", &copy, &err), 0);
	assert_string_equal(copy.digest, image->digest);
	assert_string_equal(copy.features, "files,tmp");
	assert_true(image_store_open_snapshot(store, &copy, "", &fd, &blob, &err) < 0);
	DF_FREE char *frozen = image_store_blob_path(store, snapshot);

	assert_int_equal(access(frozen, F_OK), -1);
	assert_int_equal(image_store_check(store, never, NULL, &problems, &err), 0);
	assert_int_equal(problems, 0);
	image_store_free(store);
}

static void test_skopeo(void **state)
{
	char *directory = make_directory();
	DF_FREE char *path = df_format("%s/images", directory);
	DF_FREE char *copy = df_format("%s/copy", directory);
	DF_FREE char *from = df_format("oci:%s:squeeze:1", path);
	DF_FREE char *to = df_format("oci:%s:copied:2", copy);
	DF_FREE char *shown = NULL, *copied = NULL;
	struct image_store *store = NULL;
	struct df_err err = {0};
	struct image_info image;
	struct image_blob snapshot;

	(void)state;
	assert_int_equal(image_store_open(path, &store, &err), 0);
	fill(store, directory, &image, &snapshot);
	shown = skopeo(directory, (const char *const[]){"inspect", from, NULL});
	assert_non_null(strstr(shown, image.digest));
	assert_non_null(strstr(shown, "\"vnd.dayfly.features\": \"files,tmp\""));
	assert_non_null(strstr(shown, image.layers[IMAGE_ROOT].digest));
	copied = skopeo(directory, (const char *const[]){"copy", from, to, NULL});
	/* skopeo makes directories that a group may write to, where the umask lets it. */
	assert_int_equal(chmod(copy, 0700), 0);
	check_copy(copy, &image, &snapshot);
	image_store_free(store);
	remove_directory(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_skopeo)};

	if (access(SKOPEO, X_OK) < 0) {
		printf("there is no " SKOPEO " (Debian package skopeo)\n");
		return SKIPPED;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
