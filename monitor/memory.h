// SPDX-License-Identifier: Apache-2.0
/*
 * Guest-physical memory: a handful of regions, each a contiguous range of guest addresses over one
 * host mapping, plugged into KVM as memory slots. Regions that grow get a further slot each time, so
 * that what KVM keeps per slot grows with use and not with the size configured.
 *
 * Plugging a slot makes Linux wait until all processors have passed, so there are few: page tables, system region and the
 * first part of the arena, the *block*, lie side by side for guest and host and share one.
 *
 * memory_at() is the only way from a guest address to a host pointer.
 */
#ifndef MONITOR_MEMORY_H
#define MONITOR_MEMORY_H

#include <dayfly/hypercall.h>
#include <dayfly/layout.h>
#include <host/err.h>

enum memory_region {
	MEMORY_ARENA = DF_REGION_ARENA,
	MEMORY_KHEAP = DF_REGION_KHEAP,
	MEMORY_KSTACK = DF_REGION_KSTACK,
	MEMORY_SYSTEM, /* kernel image and system pages */
	MEMORY_TABLES,
	MEMORY_OUT, /* an event's windows: dayfly/event.h */
	MEMORY_IN,
	MEMORY_NET, /* the network device: dayfly/net.h */
	MEMORY_FILES, /* the root image, read-only */
	MEMORY_REGIONS
};

/* Regions in which KVM notes what a guest writes: those below, and this one. */
#define MEMORY_TRACKED (MEMORY_NET + 1)
/* Regions below this are part of a snapshot, with the numbers of enum df_snapshot_region. */
#define MEMORY_FROZEN (MEMORY_OUT + 1)

struct memory_range {
	gpa_t gpa;
	uint8_t *host; /* mapping of max_bytes */
	uint64_t bytes; /* the guest has so much */
	uint64_t plugged; /* KVM has so much: not less */
	uint64_t max_bytes;
	bool read_only;
};

#define MEMORY_SLOTS_MAX 64

struct memory_slot {
	gpa_t gpa;
	uint8_t *host;
	uint64_t pages;
	bool read_only, tracked;
};

struct memory {
	int vm_fd;
	bool tracked; /* KVM notes which pages the guest writes (written.h) */
	uint32_t slots;
	struct memory_slot slot[MEMORY_SLOTS_MAX];
	uint32_t block; /* its slot */
	struct memory_range range[MEMORY_REGIONS];
};

/* Reserves host address space for a region; nothing is plugged or touched. */
int memory_reserve(struct memory *m, enum memory_region r, gpa_t gpa, uint64_t max_bytes,
	struct df_err *err);
/* The same for the block. Its regions are filled by the caller, and then plugged together. */
int memory_reserve_block(struct memory *m, uint64_t tables_bytes, uint64_t arena_max_bytes,
	struct df_err *err);
/* Plugs page tables, system region and the arena's first part as one slot. Sizes are page aligned. */
int memory_plug_block(struct memory *m, uint64_t system_bytes, uint64_t arena_bytes,
	struct df_err *err);
/* Uses a file, mapped read-only and shared from `offset`, as the region; plugs all of it. The mapping
 * is congruent with the guest addresses modulo 2 MiB. */
int memory_map_file(struct memory *m, enum memory_region r, gpa_t gpa, int fd, uint64_t offset,
	uint64_t bytes, struct df_err *err);
/* Uses an event's window, mapped by the caller, as the region; plugs all of it. */
int memory_map_window(struct memory *m, enum memory_region r, gpa_t gpa, uint8_t *host,
	uint64_t bytes, struct df_err *err);
/* Plugs `bytes` more (page aligned, within max_bytes) as one slot. */
int memory_plug(struct memory *m, enum memory_region r, uint64_t bytes, struct df_err *err);
/* Makes the host allocate these pages now, in one go, instead of at each first access. */
void memory_touch(const struct memory *m, enum memory_region r, uint64_t offset, uint64_t bytes);
/* From now on KVM notes which pages the guest writes. 0 or -errno. */
int memory_track(struct memory *m);
/* Deletes and re-adds the block: KVM forgets every shadow of the page tables, and which pages were written. */
int memory_replug_block(struct memory *m);

/* The region that has this guest address plugged, and the page in it; MEMORY_REGIONS: none. */
enum memory_region memory_region_at(const struct memory *m, gpa_t gpa, uint64_t *page);

/* Host pointer for [gpa, gpa + bytes), or NULL unless it lies wholly in the plugged part of one
 * region. `write`: the region must be writable. */
void *memory_at(const struct memory *m, gpa_t gpa, uint64_t bytes, bool write);
/* Bit i of *map: page i of the region is in use by the host. map: one byte a page, as mincore's. */
int memory_in_use(const struct memory *m, enum memory_region r, unsigned char *map);
/* Host pages of guest memory in use, in bytes. The root image does not count. */
uint64_t memory_resident(const struct memory *m);

#endif
