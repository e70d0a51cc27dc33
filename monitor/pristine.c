// SPDX-License-Identifier: Apache-2.0
/* Frozen memory, from a file or from a running VM: see pristine.h. */
#include <base/snapshot.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pristine.h"

/* Fewer zero pages than this between two extents are stored: a mapping costs more than they do. */
#define GAP_PAGES 8

static uint8_t *reserve(uint64_t bytes, int prot)
{
	void *p = mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* --- from a file --- */

/* Header, extents and learned set are copied before they are checked: the file is not ours. */
static int read_head(struct pristine *p, uint64_t file_bytes, struct df_err *err)
{
	uint64_t bytes = ((const struct df_snapshot *)p->map)->data_offset;
	const char *why;
	uint8_t *copy;
	int r = -EUCLEAN;

	if (bytes < sizeof(p->header) || bytes > file_bytes) {
		/* The check says why. */
		bytes = sizeof(p->header) < file_bytes ? sizeof(p->header) : file_bytes;
	}
	/* The check wants to see the true size; behind the copy nothing is read. */
	copy = reserve(df_page_up(file_bytes + 1), PROT_READ | PROT_WRITE);
	if (!copy)
		return df_err_set(err, -ENOMEM, "no address space for the snapshot");
	memcpy(copy, p->map, bytes);
	r = df_snapshot_check(copy, file_bytes, &why);
	if (r)
		return df_err_set(err, r, "%s", why);
	memcpy(&p->header, copy, sizeof(p->header));
	if (p->header.data_offset > bytes)
		return df_err_set(err, -EUCLEAN, "the file changes while it is read");
	p->extents = (const struct df_extent *)(copy + p->header.extents_offset);
	p->learned = (const struct df_page_run *)(copy + p->header.learned_offset);
	return 0;
}

/* Maps the extents of region r at `base`. */
static int map_extents(const struct pristine *p, enum memory_region r, uint8_t *base, int prot,
	int flags)
{
	off_t at = (off_t)p->header.data_offset;

	for (uint32_t i = 0; i < p->header.extent_count; i++) {
		const struct df_extent *e = &p->extents[i];
		uint64_t bytes = (uint64_t)e->pages << DF_PAGE_SHIFT;

		if (e->region == (uint32_t)r &&
			mmap(base + (e->first_page << DF_PAGE_SHIFT), bytes, prot,
				flags | MAP_FIXED, p->fd, at) == MAP_FAILED)
			return -errno;
		at += (off_t)bytes;
	}
	return 0;
}

int pristine_open(struct pristine *p, int fd, struct df_err *err)
{
	struct stat st;
	int r;

	*p = (struct pristine){.fd = fd};
	if (fstat(fd, &st))
		return df_err_set(err, -errno, "can not be read: %s", df_errno_text(errno));
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(p->header))
		return df_err_set(err, -EINVAL, "not a snapshot");
	p->map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p->map == MAP_FAILED)
		return df_err_set(err, -errno, "can not be mapped: %s", df_errno_text(errno));
	r = read_head(p, (uint64_t)st.st_size, err);
	for (enum memory_region i = 0; i < MEMORY_FROZEN && !r; i++) {
		uint64_t bytes = p->header.region[i].bytes;

		if (!bytes)
			continue;
		p->memory[i] = reserve(bytes, PROT_READ);
		r = p->memory[i] ? map_extents(p, i, p->memory[i], PROT_READ, MAP_SHARED) : -ENOMEM;
		if (r)
			df_err_set(err, r, "can not be mapped: %s", df_errno_text(r));
	}
	return r;
}

int pristine_map(const struct pristine *p, enum memory_region r, const struct memory *m,
	struct df_err *err)
{
	int e = map_extents(p, r, m->range[r].host, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_NORESERVE);

	return e ? df_err_set(err, e, "the snapshot can not be mapped: %s", df_errno_text(e)) : 0;
}

/* --- from a running VM --- */

int pristine_reserve(struct pristine *p, const struct memory *m, struct df_err *err)
{
	for (enum memory_region r = 0; r < MEMORY_FROZEN; r++) {
		p->memory[r] = reserve(m->range[r].max_bytes, PROT_READ | PROT_WRITE);
		if (!p->memory[r])
			return df_err_set(err, -ENOMEM, "no address space for a copy of the guest");
	}
	return 0;
}

static bool is_zero(const uint8_t *page)
{
	return !*page && !memcmp(page, page + 1, DF_PAGE_SIZE - 1);
}

static void *pages_in_use(const struct memory *m, enum memory_region r)
{
	unsigned char *map = malloc((m->range[r].bytes >> DF_PAGE_SHIFT) + 1);

	if (map && memory_in_use(m, r, map)) {
		free(map);
		return NULL;
	}
	return map;
}

int pristine_copy(struct pristine *p, const struct memory *m)
{
	for (enum memory_region r = 0; r < MEMORY_FROZEN; r++) {
		const struct memory_range *range = &m->range[r];
		unsigned char *used = pages_in_use(m, r);

		if (!used)
			return -ENOMEM;
		madvise(p->memory[r], range->max_bytes, MADV_DONTNEED);
		for (uint64_t i = 0; i < range->bytes >> DF_PAGE_SHIFT; i++) {
			const uint8_t *page = range->host + (i << DF_PAGE_SHIFT);

			if ((used[i] & 1) && !is_zero(page))
				memcpy(p->memory[r] + (i << DF_PAGE_SHIFT), page, DF_PAGE_SIZE);
		}
		free(used);
		p->header.region[r].bytes = range->bytes;
		p->header.region[r].max_bytes = range->max_bytes;
	}
	return 0;
}

void pristine_compare(const struct pristine *p, const struct memory *m,
	void (*each)(void *, enum memory_region, uint64_t), void *context)
{
	for (enum memory_region r = 0; r < MEMORY_FROZEN; r++) {
		const struct memory_range *range = &m->range[r];
		unsigned char *used = pages_in_use(m, r);

		for (uint64_t i = 0; i < range->bytes >> DF_PAGE_SHIFT; i++)
			/* What is not in use now was not in use then: nothing is discarded meanwhile. */
			if ((!used || (used[i] & 1)) &&
				memcmp(range->host + (i << DF_PAGE_SHIFT), pristine_page(p, r, i),
					DF_PAGE_SIZE))
				each(context, r, i);
		free(used);
	}
}

/* --- to a file --- */

struct extent_list {
	struct df_extent *extent;
	uint32_t count;
	size_t room;
	uint64_t pages;
};

/* Adds a page to the last extent, with the few zero pages between, or begins a new one. */
static int extent_add(struct extent_list *l, enum memory_region r, uint64_t page)
{
	struct df_extent *last = l->count ? &l->extent[l->count - 1] : NULL;

	if (last && last->region == (uint32_t)r &&
		page - (last->first_page + last->pages) < GAP_PAGES) {
		l->pages += page + 1 - (last->first_page + last->pages);
		last->pages = (uint32_t)(page + 1 - last->first_page);
		return 0;
	}
	if (l->count == l->room) {
		struct df_extent *more = realloc(l->extent, (2 * l->room + 64) * sizeof(*more));

		if (!more)
			return -ENOMEM;
		l->extent = more;
		l->room = 2 * l->room + 64;
	}
	l->extent[l->count++] =
		(struct df_extent){.region = (uint32_t)r, .pages = 1, .first_page = page};
	l->pages++;
	return 0;
}

static int find_extents(const struct pristine *p, struct extent_list *l)
{
	for (enum memory_region r = 0; r < MEMORY_FROZEN; r++) {
		uint64_t pages = p->header.region[r].bytes >> DF_PAGE_SHIFT;
		unsigned char *used = malloc(pages + 1);
		int e = used && !mincore(p->memory[r], pages << DF_PAGE_SHIFT, used) ? 0 : -ENOMEM;

		for (uint64_t i = 0; i < pages && !e; i++)
			if ((used[i] & 1) && !is_zero(p->memory[r] + (i << DF_PAGE_SHIFT)))
				e = extent_add(l, r, i);
		free(used);
		if (e)
			return e;
	}
	return 0;
}

static int write_all(int fd, const void *data, uint64_t bytes, uint64_t *offset)
{
	const uint8_t *p = data;

	while (bytes) {
		ssize_t n = pwrite(fd, p, bytes, (off_t)*offset);

		if (n <= 0)
			return n ? -errno : -EIO;
		p += n;
		bytes -= (uint64_t)n;
		*offset += (uint64_t)n;
	}
	return 0;
}

/* The pages, and their checksum. */
static int write_pages(struct pristine *p, int fd, const struct extent_list *l)
{
	uint64_t at = p->header.data_offset;
	uint32_t sum = 0;

	for (uint32_t i = 0; i < l->count; i++) {
		const struct df_extent *e = &l->extent[i];
		const uint8_t *pages = p->memory[e->region] + (e->first_page << DF_PAGE_SHIFT);
		uint64_t bytes = (uint64_t)e->pages << DF_PAGE_SHIFT;
		int r = write_all(fd, pages, bytes, &at);

		if (r)
			return r;
		sum = df_crc32c(sum, pages, bytes);
	}
	p->header.memory_checksum = sum;
	return 0;
}

static int write_file(struct pristine *p, int fd, const struct extent_list *l,
	const struct df_page_run *learned)
{
	struct df_snapshot *h = &p->header;
	uint64_t at = DF_PAGE_SIZE, start = 0;
	int r;

	h->magic = DF_SNAPSHOT_MAGIC;
	h->version = DF_SNAPSHOT_VERSION;
	h->header_bytes = sizeof(*h);
	h->extent_count = l->count;
	h->extents_offset = DF_PAGE_SIZE;
	h->learned_offset = h->extents_offset + l->count * sizeof(struct df_extent);
	h->data_offset =
		df_page_up(h->learned_offset + h->learned_count * sizeof(struct df_page_run));
	h->data_bytes = l->pages << DF_PAGE_SHIFT;
	h->file_bytes = h->data_offset + h->data_bytes;
	r = write_all(fd, l->extent, l->count * sizeof(struct df_extent), &at);
	r = r ? r : write_all(fd, learned, h->learned_count * sizeof(struct df_page_run), &at);
	r = r ? r : write_pages(p, fd, l);
	if (r)
		return r;
	/* Last of all: a file without its header is no snapshot. */
	df_snapshot_seal(h, l->extent, learned);
	return write_all(fd, h, sizeof(*h), &start);
}

int pristine_write(struct pristine *p, int fd, const struct df_page_run *learned,
	uint32_t learned_count, struct df_err *err)
{
	struct extent_list l = {0};
	int r = find_extents(p, &l);

	p->header.learned_count = learned_count;
	r = r ? r : write_file(p, fd, &l, learned);
	free(l.extent);
	if (r)
		return df_err_set(err, r, "the snapshot can not be written: %s", df_errno_text(r));
	return 0;
}
