// SPDX-License-Identifier: Apache-2.0
/* Regions and slots: see memory.h. */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory.h"

#ifndef MADV_POPULATE_WRITE /* Linux 5.14; not in every C library's headers */
#define MADV_POPULATE_WRITE 23
#endif

/* Slots above this size are worth huge pages; a small program must not pay 2 MiB for one page. */
#define HUGE_FROM (16ULL << 20)

static int slot_set(const struct memory *m, uint32_t slot, gpa_t gpa, void *host, uint64_t bytes,
	uint32_t flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = bytes,
		.userspace_addr = (uint64_t)host,
	};

	return ioctl(m->vm_fd, KVM_SET_USER_MEMORY_REGION, &region) ? -errno : 0;
}

int memory_reserve(struct memory *m, enum memory_region r, gpa_t gpa, uint64_t max_bytes,
	struct df_err *err)
{
	/* Room to align: guest and host addresses agree modulo 2 MiB, so that huge pages can serve. */
	uint8_t *host = mmap(NULL, max_bytes + DF_LARGE_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (host == MAP_FAILED)
		return df_err_set(err, -errno, "can not reserve %llu MiB of address space: %s",
			(unsigned long long)(max_bytes >> 20), df_errno_text(errno));
	host += (gpa - (uint64_t)host) & DF_LARGE_MASK;
	m->range[r] = (struct memory_range){.gpa = gpa, .host = host, .max_bytes = max_bytes};
	return 0;
}

int memory_map_file(struct memory *m, enum memory_region r, gpa_t gpa, int fd, uint64_t offset,
	uint64_t bytes, struct df_err *err)
{
	uint64_t mapped = df_page_up(bytes);
	int e;

	e = memory_reserve(m, r, gpa, mapped, err);
	if (e)
		return e;
	if (mmap(m->range[r].host, mapped, PROT_READ, MAP_SHARED | MAP_FIXED, fd, (off_t)offset) ==
		MAP_FAILED)
		return df_err_set(err, -errno, "can not map the root image: %s",
			df_errno_text(errno));
	/* What has to be read from disk comes in large folios, which the guest's 2 MiB entries then show. */
	madvise(m->range[r].host, mapped, MADV_HUGEPAGE);
	m->range[r].read_only = true;
	return memory_plug(m, r, mapped, err);
}

int memory_map_window(struct memory *m, enum memory_region r, gpa_t gpa, uint8_t *host,
	uint64_t bytes, struct df_err *err)
{
	m->range[r] = (struct memory_range){
		.gpa = gpa, .host = host, .max_bytes = bytes, .read_only = r == MEMORY_IN};
	return memory_plug(m, r, bytes, err);
}

static int slot_plug(const struct memory *m, uint32_t slot)
{
	const struct memory_slot *s = &m->slot[slot];
	uint32_t flags = s->read_only ? KVM_MEM_READONLY : s->tracked ? KVM_MEM_LOG_DIRTY_PAGES : 0;

	return slot_set(m, slot, s->gpa, s->host, s->pages << DF_PAGE_SHIFT, flags);
}

static int slot_add(struct memory *m, gpa_t gpa, uint8_t *host, uint64_t bytes, bool read_only,
	struct df_err *err)
{
	int e;

	if (m->slots == MEMORY_SLOTS_MAX)
		return -ENOMEM;
	m->slot[m->slots] = (struct memory_slot){.gpa = gpa,
		.host = host,
		.pages = bytes >> DF_PAGE_SHIFT,
		.read_only = read_only,
		.tracked = m->tracked && !read_only};
	e = slot_plug(m, m->slots);
	if (e)
		return df_err_set(err, e, "KVM refused %llu KiB of guest memory: %s",
			(unsigned long long)(bytes >> 10), df_errno_text(e));
	m->slots++;
	return 0;
}

int memory_reserve_block(struct memory *m, uint64_t tables_bytes, uint64_t arena_max_bytes,
	struct df_err *err)
{
	const gpa_t start = DF_GPA_TABLES_END - tables_bytes;
	uint8_t *host;
	/* As if it were one region. */
	int e = memory_reserve(m, MEMORY_TABLES, start,
		tables_bytes + DF_SYSTEM_MAX + arena_max_bytes, err);

	if (e)
		return e;
	host = m->range[MEMORY_TABLES].host;
	m->range[MEMORY_TABLES].max_bytes = tables_bytes;
	m->range[MEMORY_SYSTEM] = (struct memory_range){.gpa = DF_GPA_SYSTEM,
		.host = host + (DF_GPA_SYSTEM - start),
		.max_bytes = DF_SYSTEM_MAX};
	m->range[MEMORY_ARENA] = (struct memory_range){.gpa = DF_GPA_ARENA,
		.host = host + (DF_GPA_ARENA - start),
		.max_bytes = arena_max_bytes};
	return 0;
}

static int plug_whole(struct memory_range *range, uint64_t bytes)
{
	if (bytes > range->max_bytes)
		return -ENOMEM;
	range->bytes = range->plugged = bytes;
	return 0;
}

int memory_plug_block(struct memory *m, uint64_t system_bytes, uint64_t arena_bytes,
	struct df_err *err)
{
	struct memory_range *tables = &m->range[MEMORY_TABLES];
	int e = plug_whole(tables, tables->max_bytes);

	e = e ? e : plug_whole(&m->range[MEMORY_SYSTEM], system_bytes);
	e = e ? e : plug_whole(&m->range[MEMORY_ARENA], arena_bytes);
	m->block = m->slots;
	return e ? e
		 : slot_add(m, tables->gpa, tables->host, DF_GPA_ARENA + arena_bytes - tables->gpa,
			   false, err);
}

static int plug_slot(struct memory *m, enum memory_region r, uint64_t bytes, struct df_err *err)
{
	struct memory_range *range = &m->range[r];
	uint8_t *host = range->host + range->plugged;
	int e;

	if (r == MEMORY_ARENA && bytes >= HUGE_FROM)
		madvise(host, bytes, MADV_HUGEPAGE);
	e = slot_add(m, range->gpa + range->plugged, host, bytes, range->read_only, err);
	if (!e)
		range->plugged += bytes;
	return e;
}

int memory_plug(struct memory *m, enum memory_region r, uint64_t bytes, struct df_err *err)
{
	struct memory_range *range = &m->range[r];
	int e = 0;

	if (bytes > range->max_bytes - range->bytes)
		return -ENOMEM;
	/* What an earlier event plugged stays plugged. */
	if (range->bytes + bytes > range->plugged)
		e = plug_slot(m, r, range->bytes + bytes - range->plugged, err);
	if (!e)
		range->bytes += bytes;
	return e;
}

int memory_track(struct memory *m)
{
	int e = 0;

	m->tracked = true;
	for (uint32_t n = 0; n < m->slots && !e; n++) {
		m->slot[n].tracked = !m->slot[n].read_only;
		if (m->slot[n].tracked)
			e = slot_plug(m, n);
	}
	return e;
}

void memory_touch(const struct memory *m, enum memory_region r, uint64_t offset, uint64_t bytes)
{
	/* Only an optimisation: an old kernel without it allocates later. */
	madvise(m->range[r].host + offset, bytes, MADV_POPULATE_WRITE);
}

int memory_replug_block(struct memory *m)
{
	const struct memory_slot *s = &m->slot[m->block];
	int e = slot_set(m, m->block, s->gpa, s->host, 0, 0);

	return e ? e : slot_plug(m, m->block);
}

enum memory_region memory_region_at(const struct memory *m, gpa_t gpa, uint64_t *page)
{
	enum memory_region r = 0;

	while (r < MEMORY_REGIONS &&
		(gpa < m->range[r].gpa || gpa - m->range[r].gpa >= m->range[r].plugged))
		r++;
	*page = r < MEMORY_REGIONS ? (gpa - m->range[r].gpa) >> DF_PAGE_SHIFT : 0;
	return r;
}

void *memory_at(const struct memory *m, gpa_t gpa, uint64_t bytes, bool write)
{
	for (int r = 0; r < MEMORY_REGIONS; r++) {
		const struct memory_range *range = &m->range[r];

		if (gpa < range->gpa || gpa - range->gpa >= range->bytes)
			continue;
		if (bytes > range->bytes - (gpa - range->gpa) || (write && range->read_only))
			return NULL;
		return range->host + (gpa - range->gpa);
	}
	return NULL;
}

int memory_in_use(const struct memory *m, enum memory_region r, unsigned char *map)
{
	return mincore(m->range[r].host, m->range[r].bytes, map) ? -errno : 0;
}

static uint64_t range_resident(const struct memory *m, enum memory_region r)
{
	uint64_t pages = m->range[r].bytes >> DF_PAGE_SHIFT, used = 0;
	unsigned char *map = pages ? malloc(pages) : NULL;

	if (map && !memory_in_use(m, r, map))
		for (uint64_t i = 0; i < pages; i++)
			used += map[i] & 1;
	free(map);
	return used << DF_PAGE_SHIFT;
}

uint64_t memory_resident(const struct memory *m)
{
	uint64_t used = 0;

	for (enum memory_region r = 0; r < MEMORY_FROZEN; r++)
		used += range_resident(m, r);
	return used;
}
