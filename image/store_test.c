/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the image store: what it holds, several writers at once, and damage of every kind. */
#include "image/store.h"

#include "host/cleanup.h"
#include "image/erofs.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "image/test_files.h"

#define PROGRAM "\177ELF and so on"
#define YAML "name: squeeze\ncommand: [zstd]\n"

struct fixture {
	char *directory; /* a temporary one, for sources */
	char *path; /* the store's, inside */
	struct image_store *store;
	struct df_err err;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->directory = make_directory();
	f->path = df_format("%s/data/images", f->directory);
	if (image_store_open(f->path, &f->store, &f->err) < 0)
		print_error("%s\n", f->err.text);
	*state = f;
	return f->store ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	image_store_free(f->store);
	free(f->path);
	remove_directory(f->directory);
	free(f);
	return 0;
}

static int source_file(const struct fixture *f, const char *text)
{
	DF_FREE char *path = put_file(f->directory, "source", text, 0600);

	return open(path, O_RDONLY | O_CLOEXEC);
}

static int add(struct fixture *f, const char *name, const char *root, struct image_info *image)
{
	DF_CLOSE int fd = source_file(f, root);
	struct image_add what = {.name = name,
		.root_fd = fd,
		.features = "files,tmp",
		.kernel_build = 0x1a2b,
		.manifest = YAML,
		.manifest_bytes = strlen(YAML)};
	int error = image_store_add(f->store, &what, image, &f->err);

	/* Another source next time: the store's link keeps this one. */
	DF_FREE char *path = df_path_join(f->directory, "source");

	unlink(path);
	return error;
}

static char *blob_path(const struct fixture *f, const struct image_blob *blob)
{
	return image_store_blob_path(f->store, blob);
}

static size_t check(struct fixture *f);

/* --- what it holds --- */

static void test_add_and_find(void **state)
{
	struct fixture *f = *state;
	struct image_info image, found;
	DF_FREE char *text = NULL;
	DF_CLOSE int fd = -1;
	char bytes[64] = "";
	size_t length;

	assert_int_equal(add(f, "squeeze", PROGRAM, &image), 0);
	assert_string_equal(image.name, "squeeze:latest");
	assert_string_equal(image.features, "files,tmp");
	assert_int_equal(image.kernel_build, 0x1a2b);
	assert_true(image.created_s > 1700000000);
	assert_true(image.bytes > strlen(PROGRAM) + strlen(YAML));
	assert_int_equal(image_store_resolve(f->store, "squeeze:latest", &found, &f->err), 0);
	assert_string_equal(found.digest, image.digest);
	assert_int_equal(found.bytes, image.bytes);
	assert_true(llabs(found.created_s - image.created_s) <= 1);
	assert_int_equal(image_store_open_layer(f->store, &found, IMAGE_ROOT, &fd, &f->err), 0);
	assert_int_equal(read(fd, bytes, sizeof(bytes)), strlen(PROGRAM));
	assert_string_equal(bytes, PROGRAM);
	assert_int_equal(image_store_read_layer(f->store, &found, IMAGE_MANIFEST, &text, &length,
				 &f->err),
		0);
	assert_string_equal(text, YAML);
	assert_int_equal(length, strlen(YAML));
	assert_int_equal(check(f), 0);
}

static void test_digests(void **state)
{
	struct fixture *f = *state;
	struct image_info image, found;
	char some[16];

	assert_int_equal(add(f, "squeeze:1.0", PROGRAM, &image), 0);
	assert_int_equal(image_store_resolve(f->store, image.digest, &found, &f->err), 0);
	assert_string_equal(found.name, "");
	snprintf(some, sizeof(some), "%.8s", image.digest + strlen("sha256:"));
	assert_int_equal(image_store_resolve(f->store, some, &found, &f->err), 0);
	assert_string_equal(found.digest, image.digest);
	assert_int_equal(image_store_resolve(f->store, "squeeze", &found, &f->err), -ENOENT);
	assert_string_equal(f->err.text, "there is no image squeeze");
	assert_int_equal(image_store_resolve(f->store, "../x", &found, &f->err), -ENOENT);
	/* Without a name it is there until it is collected. */
	assert_int_equal(image_store_remove(f->store, "squeeze:1.0", &f->err), 0);
	assert_int_equal(image_store_remove(f->store, "squeeze:1.0", &f->err), -ENOENT);
	assert_int_equal(image_store_resolve(f->store, image.digest, &found, &f->err), 0);
	assert_int_equal(image_store_tag(f->store, image.digest, "again", &f->err), 0);
	assert_int_equal(image_store_resolve(f->store, "again", &found, &f->err), 0);
	assert_string_equal(found.digest, image.digest);
}

static void test_equal_content_once(void **state)
{
	struct fixture *f = *state;
	struct image_info first, second;
	struct image_collected gone;

	assert_int_equal(add(f, "a", PROGRAM, &first), 0);
	assert_int_equal(add(f, "b", PROGRAM, &second), 0);
	assert_string_equal(first.digest, second.digest);
	assert_int_equal(add(f, "b", PROGRAM "!", &second), 0);
	assert_string_not_equal(first.digest, second.digest);
	assert_string_equal(first.layers[IMAGE_KERNEL].digest, second.layers[IMAGE_KERNEL].digest);
	assert_int_equal(image_store_collect(f->store, 0, &gone, &f->err), 0);
	assert_int_equal(gone.blobs, 0);
}

static bool same_file(const char *a, const char *b)
{
	struct stat one, other;

	assert_int_equal(stat(a, &one), 0);
	assert_int_equal(stat(b, &other), 0);
	return one.st_ino == other.st_ino && one.st_dev == other.st_dev;
}

static void test_links(void **state)
{
	struct fixture *f = *state;
	DF_FREE char *path = put_file(f->directory, "root", PROGRAM, 0644);
	DF_FREE char *blob = NULL;
	struct image_info image;
	struct image_add what = {
		.name = "a", .features = "", .manifest = YAML, .manifest_bytes = strlen(YAML)};
	DF_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	what.root_fd = fd;
	what.root_may_change = true;
	assert_int_equal(image_store_add(f->store, &what, &image, &f->err), 0);
	assert_string_equal(image.features, "");
	blob = blob_path(f, &image.layers[IMAGE_ROOT]);
	assert_false(same_file(path, blob));
	assert_int_equal(unlink(blob), 0);
	what.root_may_change = false;
	assert_int_equal(image_store_add(f->store, &what, &image, &f->err), 0);
	assert_true(same_file(path, blob));
	/* What others may write to is copied. */
	assert_int_equal(unlink(blob), 0);
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(image_store_add(f->store, &what, &image, &f->err), 0);
	assert_false(same_file(path, blob));
	assert_int_equal(check(f), 0);
}

/* A file with holes comes out the same, copied. */
static void test_sparse(void **state)
{
	struct fixture *f = *state;
	DF_FREE char *path = put_file(f->directory, "sparse", PROGRAM, 0644);
	struct image_info image;
	struct image_add what = {.name = "a",
		.features = "",
		.manifest = YAML,
		.manifest_bytes = strlen(YAML),
		.root_may_change = true};
	DF_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC);

	assert_int_equal(pwrite(fd, "middle", 6, 5 << 20), 6);
	assert_int_equal(ftruncate(fd, 9 << 20), 0);
	what.root_fd = fd;
	assert_int_equal(image_store_add(f->store, &what, &image, &f->err), 0);
	assert_int_equal(image.layers[IMAGE_ROOT].bytes, 9 << 20);
	assert_int_equal(check(f), 0);
	what.root_may_change = false;
	what.name = "b";
	assert_int_equal(image_store_add(f->store, &what, &image, &f->err), 0);
	assert_int_equal(image_store_resolve(f->store, "a", &image, &f->err), 0);
}

static void test_erofs_root(void **state)
{
	struct fixture *f = *state;
	DF_FREE char *path = put_file(f->directory, "root.erofs", "", 0600);
	DF_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC);
	struct image_info image;
	struct image_add what = {.name = "a",
		.features = "files",
		.manifest = YAML,
		.manifest_bytes = strlen(YAML),
		.root_fd = fd};
	struct tree tree;
	uint64_t bytes;

	assert_int_equal(tree_init(&tree), 0);
	assert_int_equal(tree_add_text(&tree, "/hello", "hello\n"), 0);
	assert_int_equal(erofs_write(&tree, fd, &bytes, &f->err), 0);
	tree_deinit(&tree);
	assert_int_equal(image_store_add(f->store, &what, &image, &f->err), 0);
	assert_int_equal(image.layers[IMAGE_ROOT].bytes, bytes);
	assert_int_equal(add(f, "b", "neither", &image), -EINVAL);
	assert_string_equal(f->err.text, "the root of b is neither an EROFS image nor a program");
}

static void test_list(void **state)
{
	struct fixture *f = *state;
	DF_FREE struct image_info *images = NULL;
	DF_FREE char *kernel = NULL;
	struct image_info image;
	size_t count;

	assert_int_equal(image_store_list(f->store, &images, &count, &f->err), 0);
	assert_int_equal(count, 0);
	assert_int_equal(add(f, "b", PROGRAM "b", &image), 0);
	assert_int_equal(add(f, "a:2", PROGRAM "a", &image), 0);
	assert_int_equal(add(f, "a:10", PROGRAM "a", &image), 0);
	assert_int_equal(image_store_list(f->store, &images, &count, &f->err), 0);
	assert_int_equal(count, 3);
	assert_string_equal(images[0].name, "a:10");
	assert_string_equal(images[1].name, "a:2");
	assert_string_equal(images[2].name, "b:latest");
	assert_true(images[2].bytes > 0);
	free(df_take_ptr(&images));
	/* A damaged one is still in the list. */
	kernel = blob_path(f, &image.layers[IMAGE_KERNEL]);
	assert_int_equal(unlink(kernel), 0);
	assert_int_equal(image_store_list(f->store, &images, &count, &f->err), 0);
	assert_int_equal(count, 3);
	assert_string_equal(images[0].digest, image.digest);
	assert_string_equal(images[0].layers[IMAGE_ROOT].digest, "");
}

static void test_names(void **state)
{
	static const char *const good[] = {"a", "a:1", "A-b_c:1.2-3_4"};
	static const char *const wrong[] = {
		"", ":", "a:", ":a", "a/b", "a..b", "a:.", "a:b:c", "-a", "a b", "a:1..2"};
	struct fixture *f = *state;
	struct image_info image;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(image_name_is_good(good[i]));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_false(image_name_is_good(wrong[i]));
		assert_int_equal(add(f, wrong[i], PROGRAM, &image), -EINVAL);
	}
	assert_string_equal(f->err.text,
		"a:1..2 is not a good name of an image; write it like squeeze or squeeze:1.2");
}

/* --- snapshots --- */

static int put_snapshot(struct fixture *f, const struct image_info *image, const char *variant,
	const char *text)
{
	DF_CLOSE int fd = source_file(f, text);
	DF_FREE char *path = df_path_join(f->directory, "source");
	struct image_blob blob;
	int error = image_store_put_snapshot(f->store, image, variant, fd, &blob, &f->err);

	unlink(path);
	return error;
}

static void expect_snapshot(struct fixture *f, const struct image_info *image, const char *variant,
	const char *text)
{
	struct image_blob blob;
	DF_CLOSE int fd = -1;
	char bytes[64] = "";
	int error = image_store_open_snapshot(f->store, image, variant, &fd, &blob, &f->err);

	if (!text) {
		assert_int_equal(error, -ENOENT);
		return;
	}
	assert_int_equal(error, 0);
	assert_int_equal(blob.bytes, strlen(text));
	assert_int_equal(read(fd, bytes, sizeof(bytes)), strlen(text));
	assert_string_equal(bytes, text);
}

static void test_snapshots(void **state)
{
	struct fixture *f = *state;
	struct image_collected gone;
	struct image_info image;

	assert_int_equal(add(f, "a", PROGRAM, &image), 0);
	expect_snapshot(f, &image, "", NULL);
	assert_int_equal(put_snapshot(f, &image, "", "first"), 0);
	assert_int_equal(put_snapshot(f, &image, "other", "secret"), 0);
	assert_int_equal(put_snapshot(f, &image, "", "second"), 0);
	assert_int_equal(put_snapshot(f, &image, "a/b", "x"), -EINVAL);
	expect_snapshot(f, &image, "", "second");
	expect_snapshot(f, &image, "other", "secret");
	/* The replaced one: the snapshot and its manifest. */
	assert_int_equal(image_store_collect(f->store, 0, &gone, &f->err), 0);
	assert_int_equal(gone.blobs, 2);
	expect_snapshot(f, &image, "", "second");
	assert_int_equal(image_store_drop_snapshot(f->store, &image, "", &f->err), 0);
	expect_snapshot(f, &image, "", NULL);
	expect_snapshot(f, &image, "other", "secret");
	assert_int_equal(check(f), 0);
	/* It goes with its image. */
	assert_int_equal(image_store_remove(f->store, "a", &f->err), 0);
	assert_int_equal(image_store_collect(f->store, 0, &gone, &f->err), 0);
	expect_snapshot(f, &image, "other", NULL);
	assert_int_equal(put_snapshot(f, &image, "", "late"), -ENOENT);
	assert_int_equal(check(f), 0);
}

/* --- garbage --- */

/* As who adds an image has it. */
static int hold_lock(struct fixture *f)
{
	DF_FREE char *path = df_format("%s/.lock", f->path);
	int fd = open(path, O_RDWR | O_CLOEXEC);

	assert_int_equal(flock(fd, LOCK_SH), 0);
	return fd;
}

static bool is_listed(struct fixture *f, const char *name)
{
	struct image_info found;

	return image_store_resolve(f->store, name, &found, &f->err) == 0;
}

/* `context` is the digest of the one that is in use. */
static bool is_in_use(void *context, const char *digest)
{
	return context && strcmp(context, digest) == 0;
}

static void test_retire(void **state)
{
	struct fixture *f = *state;
	struct image_info images[6] = {0};
	struct image_retire how = {
		.keep_s = 3600, .in_use = is_in_use, .context = images[2].digest};
	struct image_collected gone;
	uint64_t left;
	int fd;

	for (int i = 1; i <= 5; i++) {
		DF_FREE char *name = df_format("a:v%d", i);
		DF_FREE char *root = df_format(PROGRAM "%d", i);

		assert_int_equal(add(f, name, root, &images[i]), 0);
	}
	assert_int_equal(image_store_tag(f->store, images[3].digest, "a:mine", &f->err), 0);
	assert_int_equal(image_store_tag(f->store, images[5].digest, "a:latest", &f->err), 0);
	/* Nothing is old enough, and there is no quota. */
	assert_int_equal(image_store_retire(f->store, &how, &gone, &left, &f->err), 0);
	assert_int_equal(gone.blobs, 0);
	assert_true(left > 0 && is_listed(f, "a:v1") && is_listed(f, "a:v4"));
	/* A quota that the first one's going meets: the others stay. */
	how.quota_bytes = left - 1;
	assert_int_equal(image_store_retire(f->store, &how, &gone, &left, &f->err), 0);
	assert_true(gone.blobs > 0 && left <= how.quota_bytes);
	assert_false(is_listed(f, "a:v1"));
	assert_true(is_listed(f, "a:v4"));
	/* While somebody adds, who does not wait changes nothing. */
	how.keep_s = how.quota_bytes = 0;
	fd = hold_lock(f);
	assert_int_equal(image_store_retire(f->store, &how, &gone, &left, &f->err), -EWOULDBLOCK);
	assert_true(is_listed(f, "a:v4"));
	close(fd);
	/* In use, tagged, newest: these stay, whatever the age and the quota. */
	how.quota_bytes = 1;
	assert_int_equal(image_store_retire(f->store, &how, &gone, &left, &f->err), 0);
	assert_true(left > how.quota_bytes);
	assert_false(is_listed(f, "a:v4"));
	assert_true(is_listed(f, "a:v2") && is_listed(f, "a:v3") && is_listed(f, "a:mine") &&
		is_listed(f, "a:v5") && is_listed(f, "a:latest"));
	assert_int_equal(check(f), 0);
}

static void test_collect(void **state)
{
	struct fixture *f = *state;
	DF_FREE char *passing = NULL, *blobs = df_format("%s/blobs/sha256", f->path);
	struct image_info kept, removed, found;
	struct image_collected gone;

	assert_int_equal(add(f, "kept", PROGRAM "1", &kept), 0);
	assert_int_equal(add(f, "removed", PROGRAM "2", &removed), 0);
	assert_int_equal(image_store_remove(f->store, "removed", &f->err), 0);
	passing = put_file(blobs, ".new-0123456789abcdef", "half", 0600);
	assert_int_equal(image_store_collect(f->store, 3600, &gone, &f->err), 0);
	/* Too young, but for what a killed writer left. */
	assert_int_equal(gone.blobs, 1);
	assert_int_equal(access(passing, F_OK), -1);
	assert_int_equal(image_store_resolve(f->store, removed.digest, &found, &f->err), 0);
	assert_int_equal(image_store_collect(f->store, 0, &gone, &f->err), 0);
	/* Root, config and OCI manifest; kernel and function are the other's too. */
	assert_int_equal(gone.blobs, 3);
	assert_int_equal(image_store_resolve(f->store, removed.digest, &found, &f->err), -ENOENT);
	assert_int_equal(image_store_resolve(f->store, "kept", &found, &f->err), 0);
	assert_int_equal(check(f), 0);
}

#define WRITERS 4
#define ROUNDS 8

static void write_many(struct fixture *f, int writer)
{
	for (int round = 0; round < ROUNDS; round++) {
		DF_FREE char *name = df_format("w%d:%d", writer, round);
		DF_FREE char *root = df_format(PROGRAM "%d", (writer + round) % 5);
		DF_FREE char *file = df_format("source-%d", writer);
		DF_FREE char *path = put_file(f->directory, file, root, 0600);
		DF_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
		struct image_info image;
		struct image_add what = {.name = name,
			.root_fd = fd,
			.features = "files",
			.kernel_build = (uint32_t)writer,
			.manifest = name,
			.manifest_bytes = strlen(name)};

		unlink(path);
		if (image_store_add(f->store, &what, &image, &f->err) < 0) {
			print_error("%s\n", f->err.text);
			_exit(1);
		}
	}
	_exit(0);
}

/* Writers in processes of their own, while garbage of any age is collected: nothing that was added is lost. */
static void test_together(void **state)
{
	struct fixture *f = *state;
	DF_FREE struct image_info *images = NULL;
	struct image_collected gone;
	int running = WRITERS, status;
	size_t count;

	for (int i = 0; i < WRITERS; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0)
			write_many(f, i);
	}
	while (running) {
		pid_t ended = waitpid(-1, &status, WNOHANG);

		assert_true(ended >= 0);
		if (ended > 0) {
			assert_int_equal(status, 0);
			running--;
		}
		assert_int_equal(image_store_collect(f->store, 0, &gone, &f->err), 0);
	}
	assert_int_equal(image_store_list(f->store, &images, &count, &f->err), 0);
	assert_int_equal(count, WRITERS * ROUNDS);
	assert_int_equal(check(f), 0);
}

/* A writer that is killed at any moment leaves a good store, in which its name has the old image or the new one. */
static void test_killed(void **state)
{
	struct fixture *f = *state;
	struct image_info image, found;
	struct image_collected gone;

	assert_int_equal(add(f, "a", PROGRAM, &image), 0);
	for (long round = 0; round < 15; round++) {
		const struct timespec moment = {.tv_nsec = (round * 7919 % 40) * 1000000};
		pid_t pid = fork();
		int status;

		assert_true(pid >= 0);
		if (pid == 0) {
			for (char text[] = PROGRAM "a";; text[strlen(PROGRAM)] ^= 1) {
				if (add(f, "a", text, &image) < 0)
					_exit(1);
			}
		}
		nanosleep(&moment, NULL);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(image_store_resolve(f->store, "a", &found, &f->err), 0);
		assert_int_equal(image_store_collect(f->store, 0, &gone, &f->err), 0);
		assert_int_equal(check(f), 0);
	}
}

/* No room for more than 100 bytes in a file: adding fails, what was there stays. */
static void test_no_room(void **state)
{
	struct fixture *f = *state;
	struct image_info image;
	pid_t pid;
	int status;

	assert_int_equal(add(f, "a", PROGRAM, &image), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		const struct rlimit limit = {100, 100};

		signal(SIGXFSZ, SIG_IGN);
		if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
			_exit(1);
		/* The root is small enough; the OCI manifest is not. */
		_exit(add(f, "b", PROGRAM "!", &image) == -EFBIG &&
					strstr(f->err.text, "the file is too large")
				? 0
				: 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(image_store_resolve(f->store, "b", &image, &f->err), -ENOENT);
	assert_int_equal(image_store_resolve(f->store, "a", &image, &f->err), 0);
	assert_int_equal(check(f), 0);
}

/* --- directories that are something else --- */

static int open_at(struct fixture *f, const char *path)
{
	struct image_store *store = NULL;
	int error = image_store_open(path, &store, &f->err);

	image_store_free(store);
	return error;
}

static void test_open(void **state)
{
	struct fixture *f = *state;
	DF_FREE char *other = df_format("%s/other", f->directory);
	DF_FREE char *file = put_file(other, "letter.txt", "dear", 0600);
	DF_FREE char *layout = NULL, *begun = df_format("%s/begun", f->directory);
	DF_FREE char *index = put_file(begun, "index.json", "{}", 0600);

	assert_int_equal(open_at(f, f->path), 0);
	assert_int_equal(open_at(f, other), -EUCLEAN);
	assert_int_equal(open_at(f, file), -ENOTDIR);
	/* A making that was interrupted is finished. */
	assert_int_equal(chmod(begun, 0700), 0);
	assert_int_equal(open_at(f, begun), 0);
	assert_int_equal(chmod(f->path, 0777), 0);
	assert_int_equal(open_at(f, f->path), -EPERM);
	assert_int_equal(chmod(f->path, 0700), 0);
	layout = put_file(f->path, "oci-layout", "{\"imageLayoutVersion\":\"2.0.0\"}", 0600);
	assert_int_equal(open_at(f, f->path), -ENOTSUP);
	free(put_file(f->path, "oci-layout", "{\"image", 0600));
	assert_int_equal(open_at(f, f->path), -EUCLEAN);
}

/* --- damage --- */

static void count_report(void *context, const char *text)
{
	assert_true(strlen(text) > 0);
	++*(size_t *)context;
}

static size_t check(struct fixture *f)
{
	size_t reports = 0, problems = 99;

	assert_int_equal(image_store_check(f->store, count_report, &reports, &problems, &f->err),
		0);
	assert_int_equal(problems, reports);
	return problems;
}

static void overwrite(const char *path, const char *text)
{
	int fd;

	assert_int_equal(chmod(path, 0600), 0);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void test_damaged_root(void **state)
{
	struct fixture *f = *state;
	DF_FREE char *root = NULL;
	struct image_info image;
	int fd = -1;

	assert_int_equal(add(f, "a", PROGRAM, &image), 0);
	root = blob_path(f, &image.layers[IMAGE_ROOT]);
	/* As long as before: only the check sees it. */
	overwrite(root, "\177ELF and so oN");
	assert_int_equal(image_store_open_layer(f->store, &image, IMAGE_ROOT, &fd, &f->err), 0);
	close(fd);
	assert_int_equal(check(f), 1);
	overwrite(root, "short");
	assert_int_equal(image_store_open_layer(f->store, &image, IMAGE_ROOT, &fd, &f->err),
		-EUCLEAN);
	assert_int_equal(check(f), 1);
	assert_int_equal(unlink(root), 0);
	assert_int_equal(image_store_open_layer(f->store, &image, IMAGE_ROOT, &fd, &f->err),
		-EUCLEAN);
	assert_non_null(strstr(f->err.text, "is missing; deploy it again"));
	assert_int_equal(check(f), 1);
	/* Adding it again mends it. */
	assert_int_equal(add(f, "a", PROGRAM, &image), 0);
	assert_int_equal(check(f), 0);
	assert_int_equal(unlink(root), 0);
	assert_int_equal(symlink("/etc/passwd", root), 0);
	assert_int_equal(image_store_open_layer(f->store, &image, IMAGE_ROOT, &fd, &f->err),
		-EUCLEAN);
}

static void test_damaged_manifest(void **state)
{
	struct fixture *f = *state;
	struct image_collected gone;
	struct image_blob blob = {.bytes = 0};
	DF_FREE char *path = NULL;
	struct image_info image, found;

	assert_int_equal(add(f, "a", PROGRAM, &image), 0);
	memcpy(blob.digest, image.digest, sizeof(blob.digest));
	path = blob_path(f, &blob);
	overwrite(path, "{}");
	assert_int_equal(image_store_resolve(f->store, "a", &found, &f->err), -EUCLEAN);
	assert_non_null(strstr(f->err.text, "is damaged"));
	assert_int_equal(image_store_collect(f->store, 0, &gone, &f->err), -EUCLEAN);
	assert_non_null(strstr(f->err.text, "nothing was removed"));
	/* Its manifest is damaged; what it leads to is not known any more. */
	assert_int_equal(check(f), 2);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(image_store_resolve(f->store, "a", &found, &f->err), -EUCLEAN);
	assert_int_equal(image_store_remove(f->store, "a", &f->err), 0);
	assert_int_equal(image_store_collect(f->store, 0, &gone, &f->err), 0);
	assert_int_equal(check(f), 0);
}

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

#define ENTRY(digest, size) \
	"{\"manifests\":[{\"mediaType\":\"x\",\"digest\":\"sha256:" digest "\",\"size\":" size "}]}"

static const char *const bad_indexes[] = {"", "{", "[]", "{}", "{\"manifests\":3}",
	"{\"manifests\":[3]}", "{\"manifests\":[{}]}", ENTRY("../../x", "1"), ENTRY(ZEROS, "-1")};

static void test_damaged_index(void **state)
{
	struct fixture *f = *state;
	DF_FREE char *path = df_format("%s/index.json", f->path);
	struct image_info image, *images;
	struct image_collected gone;
	size_t count;

	assert_int_equal(add(f, "a", PROGRAM, &image), 0);
	for (size_t i = 0; i < sizeof(bad_indexes) / sizeof(bad_indexes[0]); i++) {
		overwrite(path, bad_indexes[i]);
		assert_int_equal(image_store_resolve(f->store, "a", &image, &f->err), -EUCLEAN);
		assert_non_null(strstr(f->err.text, "index.json is damaged: "));
		assert_int_equal(image_store_list(f->store, &images, &count, &f->err), -EUCLEAN);
		assert_int_equal(image_store_collect(f->store, 0, &gone, &f->err), -EUCLEAN);
		assert_int_equal(add(f, "b", PROGRAM, &image), -EUCLEAN);
		assert_int_equal(check(f), 1);
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(image_store_resolve(f->store, "a", &image, &f->err), -EUCLEAN);
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Everything that reads the index, whatever it says: an error or an answer, nothing else. */
static void read_everything(struct fixture *f)
{
	DF_FREE struct image_info *images = NULL;
	struct image_collected gone;
	struct image_info image;
	struct image_blob blob;
	size_t count, reports = 0, problems;
	int fd = -1;

	if (image_store_resolve(f->store, "a", &image, &f->err) == 0) {
		(void)!image_store_open_layer(f->store, &image, IMAGE_ROOT, &fd, &f->err);
		df_cleanup_fd(&fd);
		fd = -1;
		(void)!image_store_open_snapshot(f->store, &image, "", &fd, &blob, &f->err);
		df_cleanup_fd(&fd);
	}
	(void)!image_store_list(f->store, &images, &count, &f->err);
	(void)!image_store_collect(f->store, 3600, &gone, &f->err);
	(void)!image_store_check(f->store, count_report, &reports, &problems, &f->err);
}

static void test_random_damage(void **state)
{
	static const char odd[] = "{}[]\",:0-9a\\\x80";
	struct fixture *f = *state;
	DF_FREE char *path = df_format("%s/index.json", f->path);
	uint64_t seed = 88172645463325252;
	char text[4096], bad[4096];
	struct image_info image;
	ssize_t length;
	int fd;

	assert_int_equal(add(f, "a", PROGRAM, &image), 0);
	assert_int_equal(put_snapshot(f, &image, "", "frozen"), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	assert_true(length > 0);
	for (int i = 0; i < 200; i++) {
		memcpy(bad, text, (size_t)length);
		bad[length] = '\0';
		for (uint64_t n = 1 + next_random(&seed) % 3; n; n--)
			bad[next_random(&seed) % (size_t)length] =
				odd[next_random(&seed) % (sizeof(odd) - 1)];
		overwrite(path, bad);
		read_everything(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_add_and_find, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_digests, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_equal_content_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_links, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sparse, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_erofs_root, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_list, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_snapshots, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_retire, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_collect, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_together, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_killed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_open, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damaged_root, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damaged_manifest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damaged_index, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_random_damage, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
