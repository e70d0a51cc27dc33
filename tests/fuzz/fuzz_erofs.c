// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target of the EROFS reader: walks whatever the input claims to be. The image is a heap block of just its
 * size, so the address sanitizer sees every byte that is read outside; the walk is bounded by inodes, so a hang
 * is the reader's.
 */
#include <base/erofs.h>

#include <asm/errno.h>
#include <stdlib.h>
#include <string.h>

#define INODES_MAX 60
#define ENTRIES_MAX 300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint8_t sink;

/* Touches the ends of every piece of a file's data. */
static void read_data(const struct erofs *e, const struct erofs_inode *inode)
{
	uint64_t where, n;

	for (uint64_t at = 0; (n = erofs_extent(inode, at, &where)) > 0; at += n) {
		if (n > inode->size)
			abort();
		sink = e->base[where];
		sink = e->base[where + n - 1];
	}
}

static void read_link(const struct erofs *e, const struct erofs_inode *inode)
{
	char *exact = malloc(10);

	erofs_link(e, inode, exact, 10);
	free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t queue[INODES_MAX];
	unsigned queued = 0, entries = 0;
	uint8_t *image = malloc(size ? size : 1);
	struct erofs_entry entry;
	struct erofs_inode inode;
	struct erofs e;

	memcpy(image, data, size);
	if (size > 1024 + 8 + 4)
		image[1024 + 8] &= 0xfe; /* without the checksum, which no change would survive */
	if (erofs_open(&e, image, size) == 0)
		queue[queued++] = e.root_nid;
	for (unsigned i = 0; i < queued; i++) {
		uint64_t pos = 0, nid;
		if (erofs_inode(&e, queue[i], &inode) < 0)
			continue;
		read_data(&e, &inode);
		read_link(&e, &inode);
		erofs_lookup(&e, &inode, "no-such-name", 12, &nid);
		while (entries++ < ENTRIES_MAX && erofs_next(&e, &inode, &pos, &entry) == 1) {
			int r = erofs_lookup(&e, &inode, entry.name, entry.name_bytes, &nid);
			if (r != 0 && r != -ENOENT && r != -EUCLEAN)
				abort();
			if (queued < INODES_MAX)
				queue[queued++] = entry.nid;
		}
	}
	free(image);
	return 0;
}
