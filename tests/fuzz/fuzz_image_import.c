/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: what dayfly-import reads, without its jail. The first byte chooses: an archive to be unpacked over a small tree, or
 * index.json or manifest.json of a layout. Whatever it is, nothing may appear beside the tree.
 */
#include "host/write.h"
#include "image/import_layout.h"
#include "image/import_unpack.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In memory: a tree is made and removed for each input. */
static char top[] = "/dev/shm/dayfly-fuzz-XXXXXX";
static int top_fd = -1;

static int remove_entry(const char *path, const struct stat *now, int type, struct FTW *ftw)
{
	(void)now;
	(void)type;
	return ftw->level == 0 ? 0 : remove(path);
}

static void empty_top(void)
{
	if (nftw(top, remove_entry, 16, FTW_DEPTH | FTW_PHYS) < 0)
		abort();
}

static void remove_top(void)
{
	empty_top();
	rmdir(top);
}

static void put(const char *name, const void *bytes, size_t length)
{
	int fd = openat(top_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || df_write(fd, bytes, length) < 0)
		abort();
	close(fd);
}

/* "tree", with a link that leads out of it, and "outside" with a file. */
static int make_tree(void)
{
	if (top_fd < 0) {
		if (!mkdtemp(top) || (top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
			abort();
		atexit(remove_top);
	}
	empty_top();
	if (mkdirat(top_fd, "tree", 0755) < 0 || mkdirat(top_fd, "outside", 0755) < 0 ||
		mkdirat(top_fd, "tree/d", 0755) < 0 ||
		symlinkat("../../outside", top_fd, "tree/d/out") < 0)
		abort();
	put("tree/d/file", "x", 1);
	put("outside/kept", "x", 1);
	return openat(top_fd, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static size_t count_entries(const char *name)
{
	int fd = openat(top_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	size_t count = 0;

	if (!dir)
		abort();
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void unpack(int tree, const uint8_t *data, size_t size)
{
	struct df_err err = {0};
	struct unpack u = {.root = tree,
		.whiteouts = true,
		.bytes_max = 1 << 20,
		.files_max = 100,
		.what = "it",
		.err = &err};
	int fd = memfd_create("input", MFD_CLOEXEC);

	if (fd < 0 || df_write(fd, data, size) < 0)
		abort();
	if (unpack_archive(&u, fd) < 0 && !err.text[0])
		abort();
	close(fd);
}

static void find(int tree, const char *name, const uint8_t *data, size_t size)
{
	struct layout_image image;
	struct df_err err = {0};

	put(name, data, size);
	if (layout_find(tree, NULL, &image, &err) == 0)
		layout_deinit(&image);
	else if (!err.text[0])
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int tree;

	if (size == 0)
		return 0;
	tree = make_tree();
	if (tree < 0)
		abort();
	if (data[0] % 4 == 0)
		find(tree, "tree/index.json", data + 1, size - 1);
	else if (data[0] % 4 == 1)
		find(tree, "tree/manifest.json", data + 1, size - 1);
	else
		unpack(tree, data + 1, size - 1);
	close(tree);
	/* With "." and "..". */
	if (count_entries(".") != 4 || count_entries("outside") != 3)
		abort();
	return 0;
}
