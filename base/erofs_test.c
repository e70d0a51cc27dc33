// SPDX-License-Identifier: Apache-2.0
/*
 * Tests of the EROFS reader. mkfs.erofs packs a tree that the test makes in a temporary folder; the tree
 * itself, as Linux shows it, is what the reader must find in the image. Then the same images damaged: any
 * answer is right that is not a crash.
 */
#include <base/erofs.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/erofs-test-XXXXXX";
static const char *const variants[] = {
	"-Enoinline_data",
	"-Eforce-inode-extended",
	"-Enoinline_data,force-inode-extended",
	"-T1700000000",
	"-x-1",
};

static void put(const char *name, size_t bytes)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof path, "%s/tree/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	for (size_t i = 0; i < bytes; i++)
		fputc((int)(i * 7 + i / 4096) & 255, f);
	assert_int_equal(fclose(f), 0);
}

static int make_tree(void **state)
{
	char path[PATH_MAX], name[PATH_MAX], target[3000];

	(void)state;
	assert_non_null(mkdtemp(folder));
	for (const char *const *d =
			(const char *const[]){"", "/d", "/d/e", "/empty", "/many", NULL};
		*d; d++) {
		snprintf(path, sizeof path, "%s/tree%s", folder, *d);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	put("none", 0);
	put("one", 1);
	put("block", 4096);
	put("block-and", 4097);
	put("large", 300000);
	put("d/e/file", 100);
	for (int i = 0; i < 500; i++) {
		snprintf(path, sizeof path, "many/%d-%.*d", i, i % 200, i);
		put(path, (size_t)i % 3);
	}
	assert_int_equal(chdir(folder) | chdir("tree"), 0);
	assert_int_equal(link("one", "d/hard"), 0);
	assert_int_equal(symlink("d/e", "link"), 0);
	memset(target, 'x', sizeof target);
	target[sizeof target - 1] = 0;
	assert_int_equal(symlink(target, "long"), 0);
	assert_int_equal(mkfifo("fifo", 0640), 0);
	assert_int_equal(chmod("block", 04711), 0);
	/* mkfs.erofs 1.5 fails on names of 255 bytes. */
	memset(name, 'n', 254);
	name[254] = 0;
	put(name, 5);
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static int remove_tree(void **state)
{
	(void)state;
	return nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Packs the tree and reads the image into memory. */
static uint8_t *pack(const char *option, size_t *size)
{
	char command[PATH_MAX + 200], path[PATH_MAX];
	struct stat st;
	uint8_t *image;
	int fd;

	snprintf(path, sizeof path, "%s/image", folder);
	snprintf(command, sizeof command, "mkfs.erofs --quiet %s %s %s/tree >/dev/null", option,
		path, folder);
	unlink(path);
	assert_int_equal(system(command), 0);
	fd = open(path, O_RDONLY);
	assert_int_equal(fstat(fd, &st), 0);
	image = malloc((size_t)st.st_size);
	assert_int_equal(read(fd, image, (size_t)st.st_size), st.st_size);
	close(fd);
	*size = (size_t)st.st_size;
	return image;
}

/* The content of the image's file is that of the open one. */
static void compare_data(const struct erofs *e, const struct erofs_inode *inode, int fd)
{
	uint64_t at = 0, where, n;
	char buf[8192];

	while ((n = erofs_extent(inode, at, &where)) > 0) {
		n = n < sizeof buf ? n : sizeof buf;
		assert_int_equal(pread(fd, buf, n, (off_t)at), n);
		assert_memory_equal(buf, e->base + where, n);
		at += n;
	}
	assert_int_equal(at, inode->size);
	assert_int_equal(pread(fd, buf, 1, (off_t)at), 0);
}

static void compare(const struct erofs *e, uint64_t nid, int at, const char *name);

/* Same names in both, each of the same type, and no name twice. */
static void compare_dir(const struct erofs *e, const struct erofs_inode *inode, int fd)
{
	struct erofs_entry entry;
	struct dirent *d;
	uint64_t pos = 0, nid;
	unsigned count = 0, real = 0;
	char name[256], before[256] = "";
	DIR *dir;
	int r;

	while ((r = erofs_next(e, inode, &pos, &entry)) == 1) {
		struct stat st;
		memcpy(name, entry.name, entry.name_bytes);
		name[entry.name_bytes] = 0;
		assert_true(strcmp(before, name) < 0);
		strcpy(before, name);
		count++;
		assert_int_equal(fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
		assert_int_equal(entry.type, IFTODT(st.st_mode));
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		compare(e, entry.nid, fd, name);
	}
	assert_int_equal(r, 0);
	dir = fdopendir(dup(fd));
	while ((d = readdir(dir))) {
		real++;
		assert_int_equal(erofs_lookup(e, inode, d->d_name, strlen(d->d_name), &nid), 0);
		snprintf(name, sizeof name, "%.250s!", d->d_name);
		assert_int_equal(erofs_lookup(e, inode, name, strlen(name), &nid), -ENOENT);
	}
	closedir(dir);
	assert_int_equal(count, real);
	assert_int_equal(erofs_lookup(e, inode, "", 0, &nid), -ENOENT);
	assert_int_equal(erofs_lookup(e, inode, "\xff", 1, &nid), -ENOENT);
}

static void compare(const struct erofs *e, uint64_t nid, int at, const char *name)
{
	struct erofs_inode inode;
	struct stat st;
	char target[PATH_MAX], got[PATH_MAX];
	int fd;

	assert_int_equal(erofs_inode(e, nid, &inode), 0);
	assert_int_equal(fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(inode.mode, st.st_mode);
	assert_int_equal(inode.uid, st.st_uid);
	assert_int_equal(inode.gid, st.st_gid);
	assert_int_equal(inode.nlink, st.st_nlink);
	if (S_ISLNK(st.st_mode)) {
		ssize_t n = readlinkat(at, name, target, sizeof target);
		assert_int_equal(erofs_link(e, &inode, got, sizeof got), n);
		assert_memory_equal(got, target, n);
		assert_int_equal(erofs_link(e, &inode, got, 2), n);
	} else if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
		fd = openat(at, name, O_RDONLY);
		assert_true(fd >= 0);
		if (S_ISREG(st.st_mode)) {
			assert_int_equal(inode.size, st.st_size);
			compare_data(e, &inode, fd);
		} else {
			compare_dir(e, &inode, fd);
		}
		close(fd);
	}
}

static void reads_what_was_packed(void **state)
{
	char path[PATH_MAX];

	(void)state;
	snprintf(path, sizeof path, "%s/tree", folder);
	for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
		struct erofs e;
		size_t size;
		uint8_t *image = pack(variants[i], &size);
		assert_int_equal(erofs_open(&e, image, size), 0);
		compare(&e, e.root_nid, AT_FDCWD, path);
		free(image);
	}
}

static void keeps_times(void **state)
{
	struct erofs e;
	struct erofs_inode inode;
	size_t size;
	uint8_t *image;

	(void)state;
	image = pack("-T1700000000", &size);
	assert_int_equal(erofs_open(&e, image, size), 0);
	assert_int_equal(erofs_inode(&e, e.root_nid, &inode), 0);
	assert_int_equal(inode.mtime_s, 1700000000);
	free(image);
}

static void aligns_pages(void **state)
{
	struct erofs e;
	struct erofs_inode inode;
	uint64_t nid, where;
	size_t size;
	uint8_t *image;

	(void)state;
	image = pack("-Enoinline_data", &size);
	assert_int_equal(erofs_open(&e, image, size), 0);
	assert_int_equal(erofs_inode(&e, e.root_nid, &inode), 0);
	assert_int_equal(erofs_lookup(&e, &inode, "block-and", 9, &nid), 0);
	assert_int_equal(erofs_inode(&e, nid, &inode), 0);
	assert_int_equal(erofs_extent(&inode, 0, &where), 4097);
	assert_int_equal(where % 4096, 0);
	assert_int_equal(erofs_extent(&inode, 4097, &where), 0);
	assert_int_equal(erofs_extent(&inode, UINT64_MAX, &where), 0);
	free(image);
}

static void refuses_other_formats(void **state)
{
	struct erofs e;
	size_t size;
	uint8_t *image;

	(void)state;
	image = pack("-Enoinline_data", &size);
	assert_int_equal(erofs_open(&e, image, 4095), -EUCLEAN);
	image[1024 + 8] |= 1; /* has a checksum */
	image[1024 + 64] ^= 1; /* volume name: only the checksum notices */
	assert_int_equal(erofs_open(&e, image, size), -EUCLEAN);
	image[1024 + 8] &= 0xfe;
	assert_int_equal(erofs_open(&e, image, size), 0);
	image[1024 + 12] = 9;
	assert_int_equal(erofs_open(&e, image, size), -EOPNOTSUPP);
	image[1024 + 12] = 12;
	image[1024 + 81] = 1;
	assert_int_equal(erofs_open(&e, image, size), -EOPNOTSUPP);
	image[1024] ^= 1;
	assert_int_equal(erofs_open(&e, image, size), -EUCLEAN);
	free(image);
}

/* Visits all that is reachable, errors and all; `left` bounds the work. */
static void visit(const struct erofs *e, uint64_t nid, unsigned depth, unsigned *left)
{
	struct erofs_inode inode;
	struct erofs_entry entry;
	uint64_t pos = 0, where, other;
	volatile uint8_t sum __attribute__((unused)) = 0;
	char target[16];

	if (*left == 0 || depth > 20 || erofs_inode(e, nid, &inode) < 0)
		return;
	--*left;
	for (uint64_t at = 0, n; (n = erofs_extent(&inode, at, &where)) > 0; at += n)
		sum += e->base[where] + e->base[where + n - 1];
	erofs_link(e, &inode, target, sizeof target);
	erofs_lookup(e, &inode, "many", 4, &other);
	while (*left > 0 && erofs_next(e, &inode, &pos, &entry) == 1) {
		--*left;
		if (entry.name[0] != '.')
			visit(e, entry.nid, depth + 1, left);
	}
}

static void survives_damage(void **state)
{
	unsigned seed = 1;
	size_t size;
	uint8_t *image, *copy;

	(void)state;
	image = pack("", &size);
	image[1024 + 8] &= 0xfe;
	for (int round = 0; round < 3000; round++) {
		struct erofs e;
		unsigned left = 2000;
		size_t cut = round % 4 ? size : 4096 + (size_t)rand_r(&seed) % (size - 4096);
		size_t near = cut - 1024 < 16384 ? cut - 1024 : 16384;
		copy = malloc(cut);
		memcpy(copy, image, cut);
		/* Most of what matters lies in the first blocks. */
		for (int i = 0; i < 1 + round % 20; i++)
			copy[1024 + (size_t)rand_r(&seed) % (round % 3 ? near : cut - 1024)] =
				(uint8_t)rand_r(&seed);
		if (erofs_open(&e, copy, cut) == 0)
			visit(&e, e.root_nid, 0, &left);
		free(copy);
	}
	free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_was_packed),
		cmocka_unit_test(keeps_times),
		cmocka_unit_test(aligns_pages),
		cmocka_unit_test(refuses_other_formats),
		cmocka_unit_test(survives_damage),
	};

	return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
