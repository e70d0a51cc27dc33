/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The EROFS writer: see erofs.h. Format: Linux fs/erofs/erofs_fs.h and Documentation/filesystems/erofs.rst.
 *
 * Layout of the image, in this order:
 *   block 0       1024 bytes of zero, superblock (128 bytes), inodes of 64 bytes from offset 1152 on
 *   ...           directory blocks, link targets and generated texts, contents of files, each from a new block on
 * An inode's number (nid) is its offset divided by 32, the metadata area starting at block 0. 64-byte ("extended")
 * inodes on multiples of 64 never cross a block.
 */
#include "image/erofs.h"

#include "host/cleanup.h"
#include "host/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define INODES_OFFSET 1152
#define NID_SHIFT 5
#define COMPAT_CHECKSUM 1u
#define COMPAT_MTIME 2u
/* Bits of feature_incompat that change nothing for uncompressed images made by mkfs.erofs: none is needed. */
#define INCOMPAT_KNOWN 0u
/* i_format: bit 0: extended inode; bits 1-3: data layout, 0 = flat and plain. */
#define FORMAT_EXTENDED_PLAIN 1
#define SPAN_BYTES (1 << 20)
#define WINDOW_BYTES ((size_t)2 << 20)

struct super_block {
	uint32_t magic;
	uint32_t checksum;
	uint32_t feature_compat;
	uint8_t block_bits;
	uint8_t extra_slots;
	uint16_t root_nid;
	uint64_t inode_count;
	uint64_t build_time;
	uint32_t build_time_ns;
	uint32_t block_count;
	uint32_t meta_block;
	uint32_t xattr_block;
	uint8_t uuid[16];
	uint8_t volume_name[16];
	uint32_t feature_incompat;
	uint8_t unused[44];
};
_Static_assert(sizeof(struct super_block) == 128, "EROFS superblock");

struct inode {
	uint16_t format;
	uint16_t xattr_count;
	uint16_t mode;
	uint16_t unused0;
	uint64_t size;
	uint32_t block;
	uint32_t number;
	uint32_t uid;
	uint32_t gid;
	uint64_t mtime_s;
	uint32_t mtime_ns;
	uint32_t link_count;
	uint8_t unused1[16];
};
_Static_assert(sizeof(struct inode) == 64, "EROFS extended inode");

struct disk_entry {
	uint64_t nid;
	uint16_t name_offset;
	uint8_t type;
	uint8_t unused;
} __attribute__((packed));
_Static_assert(sizeof(struct disk_entry) == 12, "EROFS directory entry");

/* One inode of the image. Tree nodes that are hard links of one host file share one. */
struct item {
	const struct tree_node *node;
	uint32_t link_count;
	uint64_t block;
	uint64_t bytes; /* of the contents in the image */
};

struct entry {
	const char *name;
	const struct tree_node *node;
	size_t parent_item;
};

struct writer {
	const struct tree *tree;
	int fd;
	struct item *items;
	size_t item_count;
	size_t *item_of; /* by position of the node in the tree */
	struct df_map positions; /* path -> &item_of[position] */
	struct entry *entries; /* all names but the top's, sorted by directory, then name */
	size_t entry_count;
	uint64_t next_block;
	uint8_t *filled; /* WINDOW_BYTES of the image, from offset `window` on, not yet written */
	uint64_t window;
	uint64_t written_end; /* behind the highest window written */
	struct df_err *err;
};

static uint64_t blocks_of(uint64_t bytes)
{
	return bytes / EROFS_BLOCK_BYTES + (bytes % EROFS_BLOCK_BYTES != 0);
}

static uint64_t nid_of(size_t item)
{
	return (INODES_OFFSET + item * sizeof(struct inode)) >> NID_SHIFT;
}

/* CRC-32C, bit by bit: it covers one block per image. Start ~0, no final inversion, as EROFS has it. */
static uint32_t crc32c(const uint8_t *bytes, size_t length)
{
	uint32_t crc = ~0u;

	for (size_t i = 0; i < length; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return crc;
}

static uint64_t image_end(const struct writer *w)
{
	return w->next_block * EROFS_BLOCK_BYTES;
}

/* Writes the window that is being filled, as far as the image goes. */
static int flush_window(struct writer *w)
{
	uint64_t end = image_end(w), offset = w->window;
	uint64_t left = end - offset < WINDOW_BYTES ? end - offset : WINDOW_BYTES;
	const uint8_t *at = w->filled;

	while (left > 0) {
		ssize_t written = pwrite(w->fd, at, left, (off_t)offset);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return df_err_set(w->err, -errno, "writing the root image failed: %s",
				df_errno_text(errno));
		at += written;
		offset += (uint64_t)written;
		left -= (uint64_t)written;
	}
	w->written_end = offset > w->written_end ? offset : w->written_end;
	return 0;
}

/* Goes on in another window. Links and folders lie between each other, so one may be met again. */
static int open_window(struct writer *w, uint64_t window)
{
	/* Reading where nothing is yet would leave small folios in the page cache. */
	ssize_t got =
		window < w->written_end ? pread(w->fd, w->filled, WINDOW_BYTES, (off_t)window) : 0;

	if (got < 0)
		return df_err_set(w->err, -errno, "reading the new root image failed: %s",
			df_errno_text(errno));
	memset(w->filled + got, 0, WINDOW_BYTES - (size_t)got);
	w->window = window;
	return 0;
}

/*
 * The image is written nearly from its start to its end, in whole aligned windows: the page cache then holds it in
 * large folios, and a guest reads it through 2 MiB mappings.
 */
static int write_all(struct writer *w, const void *bytes, size_t length, uint64_t offset)
{
	const char *at = bytes;

	while (length > 0) {
		uint64_t window = offset & ~(uint64_t)(WINDOW_BYTES - 1);
		size_t here = (size_t)(window + WINDOW_BYTES - offset);

		if (window != w->window) {
			int error = flush_window(w);

			if (error)
				return error;
			error = open_window(w, window);
			if (error)
				return error;
		}
		here = here < length ? here : length;
		memcpy(w->filled + (offset - window), at, here);
		at += here;
		offset += here;
		length -= here;
	}
	return 0;
}

static int no_memory(struct writer *w)
{
	return df_err_set(w->err, -ENOMEM, "packing the root image failed: out of memory");
}

/* Hard links of one host file become hard links of one inode: found by "device:inode" as text. */
static int number_items(struct writer *w)
{
	const struct tree *tree = w->tree;
	struct df_map shared = DF_MAP_EMPTY;
	char **keys = calloc(tree->count, sizeof(*keys));
	int error = keys ? 0 : -ENOMEM;

	for (size_t i = 0; i < tree->count && !error; i++) {
		const struct tree_node *node = tree->nodes[i];
		size_t *known = NULL;

		if (node->type == TREE_FILE && node->shared) {
			keys[i] = df_format("%llu:%llu", (unsigned long long)node->device,
				(unsigned long long)node->inode);
			if (!keys[i]) {
				error = -ENOMEM;
				break;
			}
			known = df_map_get(&shared, keys[i]);
			if (!known)
				error = df_map_put(&shared, keys[i], &w->item_of[i]);
		}
		if (known) {
			w->item_of[i] = *known;
			w->items[*known].link_count++;
		} else {
			w->item_of[i] = w->item_count;
			/* A directory has its name and its "."; each directory inside adds a "..". */
			w->items[w->item_count++] = (struct item){
				.node = node, .link_count = node->type == TREE_DIR ? 2 : 1};
		}
		if (!error)
			error = df_map_put(&w->positions, node->path, &w->item_of[i]);
	}
	for (size_t i = 0; keys && i < tree->count; i++)
		free(keys[i]);
	free(keys);
	df_map_deinit(&shared);
	return error ? no_memory(w) : 0;
}

static size_t item_of_node(const struct writer *w, const struct tree_node *node)
{
	return *(const size_t *)df_map_get(&w->positions, node->path);
}

static int compare_entries(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->parent_item != b->parent_item)
		return a->parent_item < b->parent_item ? -1 : 1;
	/* strcmp compares as unsigned bytes, which is the order that EROFS asks for. */
	return strcmp(a->name, b->name);
}

/* Every directory's names, "." and ".." among them. */
static void list_entries(struct writer *w)
{
	for (size_t i = 0; i < w->tree->count; i++) {
		const struct tree_node *node = w->tree->nodes[i];
		size_t parent = item_of_node(w, node->parent);

		if (node != node->parent) {
			w->entries[w->entry_count++] = (struct entry){node->name, node, parent};
			if (node->type == TREE_DIR)
				w->items[parent].link_count++;
		}
		if (node->type == TREE_DIR) {
			w->entries[w->entry_count++] = (struct entry){".", node, w->item_of[i]};
			w->entries[w->entry_count++] =
				(struct entry){"..", node->parent, w->item_of[i]};
		}
	}
	qsort(w->entries, w->entry_count, sizeof(*w->entries), compare_entries);
}

/* How many of the entries from `first` on, all of one directory, fit into one block; *used: the bytes they need. */
static size_t entries_in_block(const struct writer *w, size_t first, size_t *used)
{
	size_t count = 0;

	*used = 0;
	while (first + count < w->entry_count &&
		w->entries[first + count].parent_item == w->entries[first].parent_item) {
		size_t more = sizeof(struct disk_entry) + strlen(w->entries[first + count].name);

		if (*used + more > EROFS_BLOCK_BYTES)
			break;
		*used += more;
		count++;
	}
	return count;
}

/* Gives every directory its size. All blocks but the last one of a directory count as full. */
static void size_directories(struct writer *w)
{
	for (size_t first = 0; first < w->entry_count;) {
		struct item *item = &w->items[w->entries[first].parent_item];
		size_t used, count = entries_in_block(w, first, &used);

		item->bytes = blocks_of(item->bytes) * EROFS_BLOCK_BYTES + used;
		first += count;
	}
}

static void place(struct writer *w, bool files)
{
	for (size_t i = 0; i < w->item_count; i++) {
		struct item *item = &w->items[i];

		/* What lookups read lies together, at the front. */
		if ((item->node->type == TREE_FILE) != files)
			continue;
		if (item->node->type != TREE_DIR)
			item->bytes = item->node->size;
		item->block = item->bytes ? w->next_block : 0;
		w->next_block += blocks_of(item->bytes);
	}
}

static uint16_t mode_of(const struct tree_node *node)
{
	uint32_t type = node->type == TREE_DIR ? S_IFDIR
		: node->type == TREE_LINK      ? S_IFLNK
					       : S_IFREG;

	return (uint16_t)(type | node->mode);
}

static uint8_t entry_type(const struct tree_node *node)
{
	return node->type == TREE_DIR ? 2 : node->type == TREE_LINK ? 7 : 1;
}

/* Superblock and inodes: all of the image before the first directory block. */
static int write_metadata(struct writer *w)
{
	size_t length = INODES_OFFSET + w->item_count * sizeof(struct inode);
	size_t padded = blocks_of(length) * EROFS_BLOCK_BYTES;
	DF_FREE uint8_t *area = calloc(1, padded);
	struct super_block super = {
		.magic = EROFS_SUPER_MAGIC,
		.feature_compat = COMPAT_CHECKSUM | COMPAT_MTIME,
		.block_bits = 12,
		.root_nid = (uint16_t)nid_of(0),
		.inode_count = w->item_count,
		.block_count = (uint32_t)w->next_block,
	};

	if (!area)
		return no_memory(w);
	for (size_t i = 0; i < w->item_count; i++) {
		const struct item *item = &w->items[i];
		struct inode inode = {
			.format = FORMAT_EXTENDED_PLAIN,
			.mode = mode_of(item->node),
			.size = item->bytes,
			.block = (uint32_t)item->block,
			.number = (uint32_t)i + 1,
			.mtime_s = (uint64_t)item->node->mtime_s,
			.mtime_ns = item->node->mtime_ns,
			.link_count = item->link_count,
		};

		memcpy(area + INODES_OFFSET + i * sizeof(inode), &inode, sizeof(inode));
	}
	memcpy(area + EROFS_SUPER_OFFSET, &super, sizeof(super));
	super.checksum = crc32c(area + EROFS_SUPER_OFFSET, EROFS_BLOCK_BYTES - EROFS_SUPER_OFFSET);
	memcpy(area + EROFS_SUPER_OFFSET, &super, sizeof(super));
	return write_all(w, area, padded, 0);
}

static int write_directories(struct writer *w)
{
	size_t previous = SIZE_MAX;
	uint64_t block = 0;

	for (size_t first = 0; first < w->entry_count;) {
		uint8_t area[EROFS_BLOCK_BYTES] = {0};
		size_t directory = w->entries[first].parent_item, used;
		size_t count = entries_in_block(w, first, &used);
		size_t name_offset = count * sizeof(struct disk_entry);
		int error;

		block = directory == previous ? block + 1 : w->items[directory].block;
		previous = directory;
		for (size_t i = 0; i < count; i++) {
			const struct entry *entry = &w->entries[first + i];
			struct disk_entry record = {
				.nid = nid_of(item_of_node(w, entry->node)),
				.name_offset = (uint16_t)name_offset,
				.type = entry_type(entry->node),
			};

			memcpy(area + i * sizeof(record), &record, sizeof(record));
			memcpy(area + name_offset, entry->name, strlen(entry->name));
			name_offset += strlen(entry->name);
		}
		error = write_all(w, area, sizeof(area), block * EROFS_BLOCK_BYTES);
		if (error)
			return error;
		first += count;
	}
	return 0;
}

static int changed(struct writer *w, const struct tree_node *node)
{
	return df_err_set(w->err, -EAGAIN, "%s was changed while it was being packed; try again",
		node->source);
}

/* Links were resolved when the file was found: one that is on the way now was put there since. */
static int open_source(const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

static int copy_file(struct writer *w, const struct item *item)
{
	const struct tree_node *node = item->node;
	DF_CLOSE int from = open_source(node->source);
	DF_FREE char *buffer = NULL;
	uint64_t done = 0;
	struct stat now;

	if (from < 0)
		return df_err_set(w->err, -errno, "%s could not be read: %s", node->source,
			df_errno_text(errno));
	if (fstat(from, &now) < 0 || !S_ISREG(now.st_mode) || (uint64_t)now.st_size != node->size)
		return changed(w, node);
	buffer = malloc(SPAN_BYTES);
	if (!buffer)
		return no_memory(w);
	while (done < node->size) {
		uint64_t left = node->size - done;
		ssize_t got = pread(from, buffer, left < SPAN_BYTES ? (size_t)left : SPAN_BYTES,
			(off_t)done);
		int error;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return df_err_set(w->err, -errno, "reading %s failed: %s", node->source,
				df_errno_text(errno));
		if (got == 0)
			return changed(w, node);
		error = write_all(w, buffer, (size_t)got, item->block * EROFS_BLOCK_BYTES + done);
		if (error)
			return error;
		done += (uint64_t)got;
	}
	return 0;
}

static int write_contents(struct writer *w)
{
	for (size_t i = 0; i < w->item_count; i++) {
		const struct item *item = &w->items[i];
		int error = 0;

		if (item->bytes == 0 || item->node->type == TREE_DIR)
			continue;
		if (item->node->type == TREE_FILE)
			error = copy_file(w, item);
		else
			error = write_all(w, item->node->source, item->bytes,
				item->block * EROFS_BLOCK_BYTES);
		if (error)
			return error;
	}
	return 0;
}

static int write_image(struct writer *w, uint64_t *image_bytes)
{
	int error = number_items(w);

	if (error)
		return error;
	list_entries(w);
	size_directories(w);
	w->next_block = blocks_of(INODES_OFFSET + w->item_count * sizeof(struct inode));
	place(w, false);
	place(w, true);
	/* Whole windows: the last large folio must be whole, and so must be the memory slot that shows it; a
	 * guest then reaches a small image by one page fault. */
	w->next_block = (w->next_block + WINDOW_BYTES / EROFS_BLOCK_BYTES - 1) /
		(WINDOW_BYTES / EROFS_BLOCK_BYTES) * (WINDOW_BYTES / EROFS_BLOCK_BYTES);
	if (w->next_block > UINT32_MAX)
		return df_err_set(w->err, -EFBIG, "the root file system is larger than 16 TiB");
	error = write_metadata(w);
	if (!error)
		error = write_directories(w);
	if (!error)
		error = write_contents(w);
	if (!error)
		error = flush_window(w);
	/* What no window reached, at the end, reads as zeros. */
	if (!error && ftruncate(w->fd, (off_t)image_end(w)) < 0)
		error = df_err_set(w->err, -errno, "writing the root image failed: %s",
			df_errno_text(errno));
	if (!error)
		*image_bytes = image_end(w);
	return error;
}

int erofs_write(const struct tree *tree, int fd, uint64_t *image_bytes, struct df_err *err)
{
	struct writer w = {.tree = tree, .fd = fd, .err = err};
	int error;

	w.items = calloc(tree->count, sizeof(*w.items));
	w.item_of = calloc(tree->count, sizeof(*w.item_of));
	/* A directory takes three entries: its name, "." and "..". */
	w.entries = calloc(tree->count, 3 * sizeof(*w.entries));
	w.filled = calloc(1, WINDOW_BYTES);
	error = w.items && w.item_of && w.entries && w.filled ? write_image(&w, image_bytes)
							      : no_memory(&w);
	free(w.items);
	free(w.item_of);
	free(w.entries);
	free(w.filled);
	df_map_deinit(&w.positions);
	return error;
}

int erofs_check(int fd, uint64_t file_bytes)
{
	struct super_block super;

	if (pread(fd, &super, sizeof(super), EROFS_SUPER_OFFSET) != sizeof(super) ||
		super.magic != EROFS_SUPER_MAGIC)
		return -EINVAL;
	if (super.block_bits != 12 || (super.feature_incompat & ~INCOMPAT_KNOWN))
		return -ENOTSUP;
	if ((uint64_t)super.block_count * EROFS_BLOCK_BYTES > file_bytes)
		return -EIO;
	return 0;
}
