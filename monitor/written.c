// SPDX-License-Identifier: Apache-2.0
/* The set of written pages: see written.h. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "written.h"

#define RING_BYTES (WRITTEN_RING * sizeof(struct kvm_dirty_gfn))

static uint64_t map_bytes(uint64_t region_bytes)
{
	return df_page_up((region_bytes >> DF_PAGE_SHIFT) / 8 + 8);
}

static int enable_rings(int vm_fd)
{
	struct kvm_enable_cap cap = {.cap = KVM_CAP_DIRTY_LOG_RING_ACQ_REL, .args = {RING_BYTES}};

	if (!ioctl(vm_fd, KVM_ENABLE_CAP, &cap))
		return 0;
	cap.cap = KVM_CAP_DIRTY_LOG_RING; /* Linux before 6.1 */
	return ioctl(vm_fd, KVM_ENABLE_CAP, &cap) ? -errno : 0;
}

int written_enable(struct memory *m, struct df_err *err)
{
	int r = enable_rings(m->vm_fd);

	if (r)
		return df_err_set(err, r, "KVM has no dirty rings (Linux 5.11 and later have): %s",
			df_errno_text(r));
	m->tracked = true;
	return 0;
}

int written_init(struct written *w, struct memory *m, struct df_err *err)
{
	w->memory = m;
	w->vm_fd = m->vm_fd;
	for (unsigned i = 0; i < MEMORY_FROZEN; i++) {
		/* Only what is used of a map costs memory. */
		w->map[i] = mmap(NULL, map_bytes(m->range[i].max_bytes), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (w->map[i] == MAP_FAILED)
			return df_err_set(err, -errno, "no memory for the map of written pages");
	}
	return 0;
}

int written_map_ring(struct written *w, int vcpu_fd, struct df_err *err)
{
	w->ring = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu_fd,
		KVM_DIRTY_LOG_PAGE_OFFSET * (off_t)DF_PAGE_SIZE);
	if (w->ring == MAP_FAILED)
		return df_err_set(err, -errno, "can not map the dirty ring: %s",
			df_errno_text(errno));
	return 0;
}

void written_add(struct written *w, enum memory_region r, uint64_t page)
{
	uint64_t *word = &w->map[r][page / 64], bit = 1ULL << page % 64;

	if (*word & bit)
		return;
	*word |= bit;
	w->count++;
	if (w->listed < WRITTEN_LIST)
		w->list[w->listed++] = page << 8 | (uint64_t)r;
}

void written_add_host(struct written *w, const void *host, uint64_t bytes)
{
	const uint8_t *p = host;

	for (enum memory_region r = 0; r < MEMORY_FROZEN && bytes; r++) {
		const struct memory_range *range = &w->memory->range[r];
		uint64_t at = (uint64_t)(p - range->host);

		if (p < range->host || at >= range->plugged)
			continue;
		for (uint64_t page = at >> DF_PAGE_SHIFT; page <= (at + bytes - 1) >> DF_PAGE_SHIFT;
			page++)
			written_add(w, r, page);
		return;
	}
}

void written_collect(struct written *w)
{
	for (;;) {
		struct kvm_dirty_gfn *e = &w->ring[w->next % WRITTEN_RING];
		const struct memory_slot *slot;

		if (!(__atomic_load_n(&e->flags, __ATOMIC_ACQUIRE) & KVM_DIRTY_GFN_F_DIRTY) ||
			w->next - w->reset == WRITTEN_RING)
			return;
		w->next++;
		if (e->slot >= w->memory->slots)
			continue;
		slot = &w->memory->slot[e->slot];
		if (slot->region < MEMORY_FROZEN)
			written_add(w, (enum memory_region)slot->region,
				slot->first_page + e->offset);
	}
}

int written_protect(struct written *w)
{
	for (; w->reset != w->next; w->reset++)
		__atomic_store_n(&w->ring[w->reset % WRITTEN_RING].flags, KVM_DIRTY_GFN_F_RESET,
			__ATOMIC_RELEASE);
	return ioctl(w->vm_fd, KVM_RESET_DIRTY_RINGS, 0) < 0 ? -errno : 0;
}

static void each_in_map(const struct written *w, enum memory_region r,
	void (*each)(void *, enum memory_region, uint64_t), void *context)
{
	uint64_t words = (w->memory->range[r].plugged >> DF_PAGE_SHIFT) / 64 + 1;

	for (uint64_t i = 0; i < words; i++)
		for (uint64_t bits = w->map[r][i]; bits; bits &= bits - 1)
			each(context, r, i * 64 + (uint64_t)__builtin_ctzll(bits));
}

void written_each(const struct written *w, void (*each)(void *, enum memory_region, uint64_t),
	void *context)
{
	if (w->count > w->listed) {
		for (enum memory_region r = 0; r < MEMORY_FROZEN; r++)
			each_in_map(w, r, each, context);
		return;
	}
	for (uint32_t i = 0; i < w->listed; i++)
		each(context, (enum memory_region)(w->list[i] & 255), w->list[i] >> 8);
}

void written_clear(struct written *w)
{
	if (w->count > w->listed) {
		for (enum memory_region r = 0; r < MEMORY_FROZEN; r++)
			madvise(w->map[r], map_bytes(w->memory->range[r].max_bytes), MADV_DONTNEED);
	} else {
		for (uint32_t i = 0; i < w->listed; i++)
			w->map[w->list[i] & 255][(w->list[i] >> 8) / 64] = 0;
	}
	w->count = w->listed = 0;
}
