// SPDX-License-Identifier: Apache-2.0
/*
 * File data of the writable file system: frames of the arena, listed per page in leaves of 512. A page without a
 * frame is the image's (below lower_bytes) or zero. Frames are taken in runs as long as the arena has them, so
 * that a large write is one copy and a mapping of it can be large.
 *
 * Frames that a mapping may show are not given back before the node ends: a page that is cut off is cleared
 * instead.
 */
#include <kernel/fs/tmp.h>

#include <kernel/fs/image.h>
#include <kernel/mm/mm.h>
#include <kernel/mm/user.h>
#include <linux/falloc.h>
#include <linux/fs.h>

static void *frame_va(uint32_t frame)
{
	return (void *)(DF_VA_ARENA + ((uint64_t)(frame - 1) << DF_PAGE_SHIFT));
}

static uint32_t frame_of(const void *va)
{
	return (uint32_t)(((gva_t)va - DF_VA_ARENA) >> DF_PAGE_SHIFT) + 1;
}

static bool is_frame(uint32_t frame)
{
	return frame != 0 && frame != TMP_HOLE;
}

static uint32_t get(const struct tmp_data *d, uint64_t page)
{
	uint64_t leaf = page / TMP_LEAF_PAGES;

	return leaf < d->leaves && d->leaf[leaf] ? d->leaf[leaf][page % TMP_LEAF_PAGES] : 0;
}

/* Place of the page's number in its leaf, made when it is not there. NULL: no memory. */
static uint32_t *slot(struct tmp_data *d, uint64_t page)
{
	uint64_t leaf = page / TMP_LEAF_PAGES;

	if (leaf >= d->leaves) {
		uint64_t leaves = max(leaf + 1, d->leaves * 2);
		uint32_t **grown =
			leaves < 1ULL << 27 ? kzalloc(leaves * sizeof(uint32_t *)) : NULL;
		if (!grown)
			return NULL;
		memcpy(grown, d->leaf, d->leaves * sizeof(uint32_t *));
		kfree(d->leaf);
		d->leaf = grown;
		d->leaves = leaves;
	}
	if (!d->leaf[leaf]) {
		d->leaf[leaf] = kzalloc(TMP_LEAF_PAGES * sizeof(uint32_t));
		if (!d->leaf[leaf])
			return NULL;
	}
	return &d->leaf[leaf][page % TMP_LEAF_PAGES];
}

/* Pages from `page` on, at most `most`, that are of one kind: consecutive frames, or all without a frame. */
static uint64_t run(const struct tmp_data *d, uint64_t page, uint64_t most)
{
	uint32_t first = get(d, page);
	uint64_t n = 1;

	while (n < most && get(d, page + n) == (is_frame(first) ? first + n : first))
		n++;
	return n;
}

/* Gives frames to at most `most` pages from `page` on, which have none; they read as before: as zero, or as the
 * image where it shows through. Pages done, 0: no memory. */
static uint64_t populate(struct tmp_node *n, uint64_t page, uint64_t most)
{
	struct tmp_data *d = &n->data;
	void *va;

	most = min(most, TMP_LEAF_PAGES - page % TMP_LEAF_PAGES);
	if (!slot(d, page))
		return 0;
	while (!(va = frames_alloc(most)))
		if ((most /= 2) == 0)
			return 0;
	for (uint64_t i = 0; i < most; i++) {
		char *to = (char *)va + (i << DF_PAGE_SHIFT);
		uint64_t offset = (page + i) << DF_PAGE_SHIFT;
		uint32_t *s = slot(d, page + i);
		if (*s == 0 && offset < d->lower_bytes &&
			image_read(&n->lower, to, min(DF_PAGE_SIZE, d->lower_bytes - offset),
				offset) < 0)
			memset(to, 0, DF_PAGE_SIZE); /* can not be: both are the kernel's memory */
		*s = frame_of(to);
	}
	d->pages += most;
	return most;
}

int64_t tmp_read(struct node *node, void *buf, size_t bytes, uint64_t offset)
{
	struct tmp_node *n = tmp_node(node);
	struct tmp_data *d = &n->data;
	size_t done = 0;

	/* relatime: the first read after a change is noted. */
	if (!n->has_lower &&
		(n->atime.s < n->mtime.s ||
			(n->atime.s == n->mtime.s && n->atime.ns <= n->mtime.ns)))
		n->atime = tmp_now();
	if (offset >= n->size)
		return 0;
	bytes = min(bytes, n->size - offset);
	while (done < bytes) {
		uint64_t at = offset + done, page = at >> DF_PAGE_SHIFT,
			 in_page = at & DF_PAGE_MASK;
		uint64_t pages =
			run(d, page, (bytes - done + in_page + DF_PAGE_MASK) >> DF_PAGE_SHIFT);
		size_t piece = min((size_t)((pages << DF_PAGE_SHIFT) - in_page), bytes - done);
		uint32_t frame = get(d, page);
		int r;

		if (is_frame(frame)) {
			r = user_copy_to((char *)buf + done, (char *)frame_va(frame) + in_page,
				piece);
		} else if (frame == 0 && at < d->lower_bytes) {
			piece = min(piece, d->lower_bytes - at);
			r = image_read(&n->lower, (char *)buf + done, piece, at) < 0 ? -EFAULT : 0;
		} else {
			r = user_zero((char *)buf + done, piece);
		}
		if (r < 0)
			return done > 0 ? (int64_t)done : -EFAULT;
		done += piece;
	}
	return (int64_t)done;
}

int64_t tmp_write(struct node *node, const void *buf, size_t bytes, uint64_t offset)
{
	struct tmp_node *n = tmp_node(node);
	struct tmp_data *d = &n->data;
	uint64_t end = offset + bytes;
	size_t done = 0;
	int r = 0;

	if ((n->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) ||
		(end > n->size && (n->seals & F_SEAL_GROW)))
		return -EPERM;
	tmp_modified(n);
	/* What a program wrote is not trusted with its owner's rights any more. The program is root: they stay. */
	while (done < bytes) {
		uint64_t at = offset + done, page = at >> DF_PAGE_SHIFT,
			 in_page = at & DF_PAGE_MASK;
		uint64_t most = ((end + DF_PAGE_MASK) >> DF_PAGE_SHIFT) - page,
			 pages = run(d, page, most);
		size_t piece;

		if (!is_frame(get(d, page))) {
			pages = populate(n, page, pages);
			if (pages == 0) {
				r = -ENOSPC;
				break;
			}
		}
		piece = min((size_t)((pages << DF_PAGE_SHIFT) - in_page), bytes - done);
		r = user_copy_from((char *)frame_va(get(d, page)) + in_page,
			(const char *)buf + done, piece);
		if (r < 0)
			break;
		done += piece;
		n->size = max(n->size, offset + done);
	}
	return done > 0 ? (int64_t)done : r;
}

/* Takes the frames of pages [first, end) away, or clears them when a mapping may show them. They become
 * `mark`: 0 or TMP_HOLE. */
static void discard(struct tmp_data *d, uint64_t first, uint64_t end, uint32_t mark)
{
	uint64_t page = first;

	end = min(end, d->leaves * TMP_LEAF_PAGES);
	while (page < end) {
		uint64_t n;
		uint32_t frame;
		if (!d->leaf[page / TMP_LEAF_PAGES]) {
			page = (page / TMP_LEAF_PAGES + 1) * TMP_LEAF_PAGES;
			continue;
		}
		frame = get(d, page);
		n = run(d, page, min(end - page, TMP_LEAF_PAGES - page % TMP_LEAF_PAGES));
		if (is_frame(frame) && d->mapped) {
			memset(frame_va(frame), 0, n << DF_PAGE_SHIFT);
			page += n;
			continue;
		}
		if (is_frame(frame)) {
			frames_free(frame_va(frame), n);
			d->pages -= n;
		}
		for (uint64_t i = 0; i < n; i++)
			d->leaf[page / TMP_LEAF_PAGES][(page + i) % TMP_LEAF_PAGES] = mark;
		page += n;
	}
}

void tmp_data_free(struct tmp_data *d)
{
	d->mapped = false;
	discard(d, 0, UINT64_MAX, 0);
	for (uint64_t i = 0; i < d->leaves; i++)
		kfree(d->leaf[i]);
	kfree(d->leaf);
}

/* Clears bytes [start, end) of one page if it has a frame. */
static void clear_in_page(struct tmp_data *d, uint64_t start, uint64_t end)
{
	uint32_t frame = get(d, start >> DF_PAGE_SHIFT);

	if (is_frame(frame) && start < end)
		memset((char *)frame_va(frame) + (start & DF_PAGE_MASK), 0, end - start);
}

int tmp_resize(struct node *node, uint64_t size)
{
	struct tmp_node *n = tmp_node(node);
	struct tmp_data *d = &n->data;

	if ((size < n->size && (n->seals & F_SEAL_SHRINK)) ||
		(size > n->size && (n->seals & F_SEAL_GROW)))
		return -EPERM;
	if (size > FILE_BYTES_MAX)
		return -EFBIG;
	tmp_modified(n);
	if (size < n->size) {
		discard(d, df_page_up(size) >> DF_PAGE_SHIFT, UINT64_MAX, 0);
		clear_in_page(d, size, df_page_up(size));
		d->lower_bytes = min(d->lower_bytes, size);
	}
	n->size = size;
	return 0;
}

/* Makes [offset, end) read as zero and gives back the whole pages. */
static int punch(struct tmp_node *n, uint64_t offset, uint64_t end)
{
	struct tmp_data *d = &n->data;
	uint64_t first = df_page_up(offset), last = df_page_down(end);

	if (n->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EPERM;
	/* The ends are parts of pages, which have to be ours first. */
	if (first != offset && offset < n->size && !is_frame(get(d, offset >> DF_PAGE_SHIFT)) &&
		populate(n, offset >> DF_PAGE_SHIFT, 1) == 0)
		return -ENOSPC;
	if (last != end && end < n->size && !is_frame(get(d, end >> DF_PAGE_SHIFT)) &&
		populate(n, end >> DF_PAGE_SHIFT, 1) == 0)
		return -ENOSPC;
	clear_in_page(d, offset, min(first, end));
	if (last >= first && last != end)
		clear_in_page(d, last, end);
	if (first >= last)
		return 0;
	/* Pages of the image need a mark that hides them. */
	for (uint64_t page = first >> DF_PAGE_SHIFT;
		page < last >> DF_PAGE_SHIFT && page << DF_PAGE_SHIFT < d->lower_bytes; page++) {
		uint32_t *s = slot(d, page);
		if (!s)
			return -ENOSPC;
		if (*s == 0)
			*s = TMP_HOLE;
	}
	discard(d, first >> DF_PAGE_SHIFT, last >> DF_PAGE_SHIFT, TMP_HOLE);
	return 0;
}

int tmp_allocate(struct node *node, int mode, uint64_t offset, uint64_t bytes)
{
	struct tmp_node *n = tmp_node(node);
	uint64_t end = offset + bytes, page = offset >> DF_PAGE_SHIFT,
		 last = df_page_up(end) >> DF_PAGE_SHIFT;

	if (end > FILE_BYTES_MAX)
		return -EFBIG;
	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE) || mode == FALLOC_FL_PUNCH_HOLE)
		return -EOPNOTSUPP;
	tmp_modified(n);
	if (mode & FALLOC_FL_PUNCH_HOLE)
		return punch(n, offset, end);
	if (!(mode & FALLOC_FL_KEEP_SIZE) && end > n->size && (n->seals & F_SEAL_GROW))
		return -EPERM;
	if (bytes > mm_free_bytes())
		return -ENOSPC;
	while (page < last) {
		uint64_t pages = run(&n->data, page, last - page);
		if (!is_frame(get(&n->data, page)) &&
			page << DF_PAGE_SHIFT >= n->data.lower_bytes) {
			pages = populate(n, page, pages);
			if (pages == 0)
				return -ENOSPC;
		}
		page += pages;
	}
	if (!(mode & FALLOC_FL_KEEP_SIZE))
		n->size = max(n->size, end);
	return 0;
}

int64_t tmp_hole(struct node *node, uint64_t offset, bool data)
{
	struct tmp_node *n = tmp_node(node);
	struct tmp_data *d = &n->data;

	while (offset < n->size) {
		uint64_t page = offset >> DF_PAGE_SHIFT;
		uint32_t frame = get(d, page);
		bool here = is_frame(frame) || (frame == 0 && offset < d->lower_bytes);
		if (here == data)
			return (int64_t)offset;
		/* A leaf that is not there is a hole of 2 MiB at once, and behind the last one is nothing. */
		if (offset >= d->lower_bytes && page / TMP_LEAF_PAGES >= d->leaves)
			break;
		if (offset >= d->lower_bytes && !d->leaf[page / TMP_LEAF_PAGES])
			page |= TMP_LEAF_PAGES - 1;
		offset = (page + 1) << DF_PAGE_SHIFT;
	}
	return data ? -ENXIO : (int64_t)n->size;
}

/* --- mappings --- */

int tmp_frame(struct node *node, uint64_t index, bool write, gpa_t *gpa)
{
	struct tmp_node *n = tmp_node(node);
	struct tmp_data *d = &n->data;
	uint32_t frame;

	if (index >= df_page_up(n->size) >> DF_PAGE_SHIFT)
		return -ENODATA;
	frame = get(d, index);
	/* A page that is still the image's, whole or up to the end of the data, is shown as it is there. */
	if (frame == 0 && !write && index << DF_PAGE_SHIFT < d->lower_bytes &&
		(d->lower_bytes == n->lower.size ||
			(index + 1) << DF_PAGE_SHIFT <= d->lower_bytes) &&
		image_frames(&n->lower, index, 1, gpa) > 0)
		return 0;
	if (!is_frame(frame) && populate(n, index, 1) == 0)
		return -ENOMEM;
	if (write)
		tmp_hold(n);
	d->mapped = true;
	*gpa = arena_gpa(frame_va(get(d, index)));
	return 0;
}

uint64_t tmp_frames(struct node *node, uint64_t index, uint64_t most, gpa_t *gpa)
{
	struct tmp_node *n = tmp_node(node);
	struct tmp_data *d = &n->data;
	uint64_t pages = df_page_up(n->size) >> DF_PAGE_SHIFT;
	uint32_t frame = get(d, index);

	if (index >= pages)
		return 0;
	most = min(most, pages - index);
	if (is_frame(frame)) {
		d->mapped = true;
		*gpa = arena_gpa(frame_va(frame));
		return run(d, index, most);
	}
	if (!n->has_lower || d->pages > 0 || d->lower_bytes != n->lower.size || d->leaves > 0)
		return 0;
	return image_frames(&n->lower, index, most, gpa);
}
