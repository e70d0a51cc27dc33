// SPDX-License-Identifier: Apache-2.0
/*
 * Reader of uncompressed EROFS images: see erofs.h.
 *
 * An image is a run of 4 KiB blocks. Inodes lie in slots of 32 bytes from the block meta_blkaddr on;
 * the number of a slot is the node id (nid). A file's data is contiguous ("flat"): whole blocks, and
 * with the inline layout the last partial block behind the inode instead. A directory's data is
 * blocks of their own right, each with an array of entries and then their names, sorted by name
 * within and across blocks, which is what the binary searches rely on.
 */
#include <base/erofs.h>

#include <asm/errno.h>

#define SUPER_OFFSET 1024u
#define SUPER_BYTES 128u
#define SUPER_MAGIC 0xe0f5e1e2u
#define COMPAT_CHECKSUM 0x1u
/* Incompatible features that change nothing for uncompressed files: padding of compressed data,
 * chunks (refused per inode), long xattr prefixes. */
#define INCOMPAT_KNOWN (0x1u | 0x4u | 0x40u)

#define SLOT_BYTES 32u
#define ENTRY_BYTES 12u

enum {
	LAYOUT_PLAIN = 0,
	LAYOUT_INLINE = 2,
};

#define TYPE_MASK 0170000u
#define TYPE_FIFO 0010000u
#define TYPE_CHR 0020000u
#define TYPE_DIR 0040000u
#define TYPE_BLK 0060000u
#define TYPE_REG 0100000u
#define TYPE_LNK 0120000u
#define TYPE_SOCK 0140000u

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) | get16(p + 2) << 16;
}

static uint64_t get64(const uint8_t *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

/* True when [offset, offset + bytes) is inside the image. */
static bool inside(const struct erofs *e, uint64_t offset, uint64_t bytes)
{
	return offset <= e->size && bytes <= e->size - offset;
}

/* CRC-32C of the superblock's block, its checksum field taken as zero; four bits at a time, because
 * this is part of every boot. */
static uint32_t super_checksum(const uint8_t *super, uint32_t bytes)
{
	static const uint32_t table[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
		0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6,
		0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
	uint32_t crc = 0xffffffffu;

	for (uint32_t i = 0; i < bytes; i++) {
		crc ^= i >= 4 && i < 8 ? 0 : super[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return crc;
}

int erofs_open(struct erofs *e, const void *base, uint64_t size)
{
	const uint8_t *super = (const uint8_t *)base + SUPER_OFFSET;

	if (size < EROFS_BLOCK_SIZE || get32(super) != SUPER_MAGIC)
		return -EUCLEAN;
	if (super[12] != 12 || (get32(super + 80) & ~INCOMPAT_KNOWN))
		return -EOPNOTSUPP;
	if ((get32(super + 8) & COMPAT_CHECKSUM) &&
		super_checksum(super, EROFS_BLOCK_SIZE - SUPER_OFFSET) != get32(super + 4))
		return -EUCLEAN;
	*e = (struct erofs){
		.base = base,
		.size = size,
		.meta = (uint64_t)get32(super + 40) * EROFS_BLOCK_SIZE,
		.root_nid = get16(super + 14),
		.build_time_s = get64(super + 24),
		.build_time_ns = get32(super + 32),
		.inode_count = get64(super + 16),
		.block_count = get32(super + 36),
	};
	if (e->build_time_ns >= 1000000000u)
		e->build_time_ns = 0;
	return 0;
}

/* Fills the fields that the two inode formats share in meaning; returns the inode's own bytes. */
static uint32_t decode_inode(const struct erofs *e, const uint8_t *p, struct erofs_inode *out)
{
	out->mode = (uint16_t)get16(p + 4);
	if (!(get16(p) & 1)) {
		out->nlink = get16(p + 6);
		out->size = get32(p + 8);
		out->uid = get16(p + 24);
		out->gid = get16(p + 26);
		out->mtime_s = e->build_time_s;
		out->mtime_ns = e->build_time_ns;
		return 32;
	}
	out->size = get64(p + 8);
	out->uid = get32(p + 24);
	out->gid = get32(p + 28);
	out->mtime_s = get64(p + 32);
	out->mtime_ns = get32(p + 40);
	if (out->mtime_ns >= 1000000000u)
		out->mtime_ns = 0;
	out->nlink = get32(p + 44);
	return 64;
}

/* Finds where the data of a flat file lies and checks that it is there. */
static int place_data(const struct erofs *e, uint32_t format, uint32_t block, uint64_t behind,
	struct erofs_inode *out)
{
	uint64_t tail_bytes = 0;

	if ((format >> 1 & 7) == LAYOUT_INLINE)
		tail_bytes = out->size % EROFS_BLOCK_SIZE;
	else if ((format >> 1 & 7) != LAYOUT_PLAIN)
		return -EOPNOTSUPP;
	out->head_bytes = out->size - tail_bytes;
	out->head = (uint64_t)block * EROFS_BLOCK_SIZE;
	out->tail = behind;
	/* A full last block may be inline as well, when nothing else fits between: not written by mkfs. */
	if (out->head_bytes == 0)
		out->head = 0;
	if (!inside(e, out->head, out->head_bytes) || !inside(e, out->tail, tail_bytes))
		return -EUCLEAN;
	if (tail_bytes > 0 && out->tail % EROFS_BLOCK_SIZE + tail_bytes > EROFS_BLOCK_SIZE)
		return -EUCLEAN;
	return 0;
}

int erofs_inode(const struct erofs *e, uint64_t nid, struct erofs_inode *out)
{
	struct erofs_inode inode = {.nid = nid};
	uint64_t at = e->meta + nid * SLOT_BYTES;
	const uint8_t *p;
	uint32_t format, bytes, xattr_count, u;

	if (nid > e->size / SLOT_BYTES || !inside(e, at, 32))
		return -EUCLEAN;
	p = e->base + at;
	format = get16(p);
	if ((format & 1) && !inside(e, at, 64))
		return -EUCLEAN;
	bytes = decode_inode(e, p, &inode);
	xattr_count = get16(p + 2);
	if (xattr_count > 0)
		bytes += 12 + 4 * (xattr_count - 1);
	u = get32(p + 16);
	switch (inode.mode & TYPE_MASK) {
	case TYPE_REG:
	case TYPE_DIR:
	case TYPE_LNK: {
		int r = place_data(e, format, u, at + bytes, &inode);
		if (r < 0)
			return r;
		break;
	}
	case TYPE_CHR:
	case TYPE_BLK:
		inode.rdev = u;
		__attribute__((fallthrough));
	case TYPE_FIFO:
	case TYPE_SOCK:
		inode.size = 0;
		break;
	default:
		return -EUCLEAN;
	}
	*out = inode;
	return 0;
}

uint64_t erofs_extent(const struct erofs_inode *inode, uint64_t offset, uint64_t *where)
{
	if (offset < inode->head_bytes) {
		*where = inode->head + offset;
		return inode->head_bytes - offset;
	}
	if (offset < inode->size) {
		*where = inode->tail + (offset - inode->head_bytes);
		return inode->size - offset;
	}
	return 0;
}

int erofs_link(const struct erofs *e, const struct erofs_inode *inode, char *buf, size_t size)
{
	uint64_t where, n;

	if ((inode->mode & TYPE_MASK) != TYPE_LNK || inode->size == 0 ||
		inode->size > EROFS_LINK_MAX)
		return -EUCLEAN;
	/* Less than a block is in one piece. */
	n = erofs_extent(inode, 0, &where);
	__builtin_memcpy(buf, e->base + where, n < size ? n : size);
	return (int)inode->size;
}

/* One block of a directory. */
struct dir_block {
	const uint8_t *p;
	uint32_t bytes;
	uint32_t count; /* of entries, > 0 */
};

static int dir_block(const struct erofs *e, const struct erofs_inode *dir, uint64_t index,
	struct dir_block *b)
{
	uint64_t where, n = erofs_extent(dir, index * EROFS_BLOCK_SIZE, &where);
	uint32_t names;

	if (n < ENTRY_BYTES)
		return -EUCLEAN;
	b->p = e->base + where;
	b->bytes = n < EROFS_BLOCK_SIZE ? (uint32_t)n : EROFS_BLOCK_SIZE;
	/* The names begin where the array of entries ends. */
	names = get16(b->p + 8);
	if (names < ENTRY_BYTES || names % ENTRY_BYTES != 0 || names >= b->bytes)
		return -EUCLEAN;
	b->count = names / ENTRY_BYTES;
	return 0;
}

/* Entry i < count of a block. The name of the last one ends with a zero byte or the block. */
static int dir_entry(const struct dir_block *b, uint32_t i, struct erofs_entry *out)
{
	/* EROFS_FT_*: unknown, file, directory, character, block, fifo, socket, symlink, to DT_* */
	static const uint8_t types[8] = {0, 8, 4, 2, 6, 1, 12, 10};
	const uint8_t *p = b->p + (size_t)i * ENTRY_BYTES;
	uint32_t start = get16(p + 8), end = b->bytes;

	if (i + 1 < b->count)
		end = get16(p + ENTRY_BYTES + 8);
	if (start < b->count * ENTRY_BYTES || start >= end || end > b->bytes)
		return -EUCLEAN;
	out->name = (const char *)b->p + start;
	out->nid = get64(p);
	out->type = p[10] < 8 ? types[p[10]] : 0;
	out->name_bytes = 0;
	while (out->name_bytes < end - start && out->name[out->name_bytes] != 0)
		out->name_bytes++;
	return out->name_bytes == 0 || out->name_bytes > EROFS_NAME_MAX ? -EUCLEAN : 0;
}

static int compare(const char *name, size_t bytes, const struct erofs_entry *entry)
{
	size_t common = bytes < entry->name_bytes ? bytes : entry->name_bytes;
	int r = __builtin_memcmp(name, entry->name, common);

	if (r != 0)
		return r;
	return bytes < entry->name_bytes ? -1 : bytes > entry->name_bytes;
}

int erofs_lookup(const struct erofs *e, const struct erofs_inode *dir, const char *name,
	size_t name_bytes, uint64_t *nid)
{
	uint64_t low = 0, high = (dir->size + EROFS_BLOCK_SIZE - 1) / EROFS_BLOCK_SIZE;
	struct dir_block block;
	struct erofs_entry entry;
	uint32_t first, end;
	int r;

	/* The last block whose first name is not above ours. */
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		if ((r = dir_block(e, dir, middle, &block)) < 0 ||
			(r = dir_entry(&block, 0, &entry)) < 0)
			return r;
		if (compare(name, name_bytes, &entry) >= 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return -ENOENT;
	if ((r = dir_block(e, dir, low - 1, &block)) < 0)
		return r;
	for (first = 0, end = block.count; first < end;) {
		uint32_t middle = first + (end - first) / 2;
		if ((r = dir_entry(&block, middle, &entry)) < 0)
			return r;
		r = compare(name, name_bytes, &entry);
		if (r == 0) {
			*nid = entry.nid;
			return 0;
		}
		if (r > 0)
			first = middle + 1;
		else
			end = middle;
	}
	return -ENOENT;
}

int erofs_next(const struct erofs *e, const struct erofs_inode *dir, uint64_t *pos,
	struct erofs_entry *out)
{
	/* A position is the offset of the entry in the directory's data. */
	uint64_t index = *pos / EROFS_BLOCK_SIZE;
	uint64_t i = (*pos % EROFS_BLOCK_SIZE + ENTRY_BYTES - 1) / ENTRY_BYTES;
	struct dir_block block;
	int r;

	for (;; index++, i = 0) {
		if (index >= (dir->size + EROFS_BLOCK_SIZE - 1) / EROFS_BLOCK_SIZE)
			return 0;
		if ((r = dir_block(e, dir, index, &block)) < 0)
			return r;
		if (i < block.count)
			break;
	}
	if ((r = dir_entry(&block, (uint32_t)i, out)) < 0)
		return r;
	*pos = index * EROFS_BLOCK_SIZE + (i + 1) * ENTRY_BYTES;
	return 1;
}
