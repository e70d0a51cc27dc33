// SPDX-License-Identifier: Apache-2.0
/* The set of written pages: see written.h. */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "written.h"

int written_enable(struct memory *m, struct df_err *err)
{
	struct kvm_enable_cap cap = {.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
		.args = {KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE}};

	if (ioctl(m->vm_fd, KVM_ENABLE_CAP, &cap))
		return df_err_set(err, -errno,
			"KVM has no dirty log that is cleared by hand (Linux 5.2 and later have): %s",
			df_errno_text(errno));
	m->tracked = true;
	return 0;
}

static uint64_t words_of(uint64_t pages)
{
	return (pages + 63) / 64;
}

/* Zeroed; only what is used of it costs memory. */
static uint64_t *words_new(uint64_t words)
{
	void *p = mmap(NULL, df_page_up(words * sizeof(uint64_t)), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* The map of a slot, made when it is first needed. */
static bool has_map(struct written *w, uint32_t slot)
{
	const struct memory_slot *s = &w->memory->slot[slot];
	uint64_t words = words_of(s->pages);

	if (w->map[slot] || !s->tracked)
		return w->map[slot];
	if (words > w->spare_words)
		return false;
	w->map[slot] = w->spare;
	w->spare += words;
	w->spare_words -= words;
	return true;
}

int written_init(struct written *w, struct memory *m, struct df_err *err)
{
	/* A started word for each slot, and what lies between the regions of the block. */
	uint64_t all = MEMORY_SLOTS_MAX + words_of(DF_SYSTEM_MAX >> DF_PAGE_SHIFT);

	w->memory = m;
	for (enum memory_region r = 0; r < MEMORY_TRACKED; r++)
		all += words_of(m->range[r].max_bytes >> DF_PAGE_SHIFT);
	w->spare = words_new(all);
	w->spare_words = all;
	w->log = words_new(all);
	return w->spare && w->log
		? 0
		: df_err_set(err, -ENOMEM, "no memory for the map of written pages");
}

/* Page tables are put back entry by entry (tables.h): they are marked, so that the log shows nothing new, and not counted. */
static enum memory_region region_of(const struct written *w, uint32_t slot, uint64_t page,
	uint64_t *in_region)
{
	enum memory_region r = memory_region_at(w->memory,
		w->memory->slot[slot].gpa + (page << DF_PAGE_SHIFT), in_region);

	return r == MEMORY_TABLES ? MEMORY_REGIONS : r;
}

static void add(struct written *w, uint32_t slot, uint64_t page)
{
	uint64_t *word = &w->map[slot][page / 64], bit = 1ULL << page % 64, in_region;
	enum memory_region r;

	if (*word & bit)
		return;
	*word |= bit;
	r = region_of(w, slot, page, &in_region);
	if (r == MEMORY_REGIONS)
		return;
	w->count++;
	if (w->listed < WRITTEN_LIST)
		w->list[w->listed++] = in_region << 8 | r;
}

void written_add_host(struct written *w, const void *host, uint64_t bytes)
{
	const uint8_t *p = host;

	for (uint32_t n = 0; n < w->memory->slots; n++) {
		const struct memory_slot *s = &w->memory->slot[n];
		const uint8_t *start = s->host, *end = start + (s->pages << DF_PAGE_SHIFT);
		const uint8_t *from = p > start ? p : start;
		const uint8_t *to = p + bytes < end ? p + bytes : end;

		if (from >= to || !has_map(w, n))
			continue;
		for (uint64_t page = (uint64_t)(from - start) >> DF_PAGE_SHIFT;
			page <= (uint64_t)(to - 1 - start) >> DF_PAGE_SHIFT; page++)
			add(w, n, page);
	}
}

static int collect_slot(struct written *w, uint32_t slot)
{
	struct kvm_dirty_log log = {.slot = slot, .dirty_bitmap = w->log};
	uint64_t words = words_of(w->memory->slot[slot].pages);

	if (!has_map(w, slot))
		return -ENOMEM;
	if (ioctl(w->memory->vm_fd, KVM_GET_DIRTY_LOG, &log))
		return -errno;
	for (uint64_t i = 0; i < words; i++)
		for (uint64_t bits = w->log[i] & ~w->map[slot][i]; bits; bits &= bits - 1)
			add(w, slot, i * 64 + (uint64_t)__builtin_ctzll(bits));
	return 0;
}

int written_collect(struct written *w)
{
	int r = 0;

	for (uint32_t s = 0; s < w->memory->slots && !r; s++)
		if (w->memory->slot[s].tracked)
			r = collect_slot(w, s);
	return r;
}

bool written_has(const struct written *w, enum memory_region r, uint64_t page)
{
	gpa_t gpa = w->memory->range[r].gpa + (page << DF_PAGE_SHIFT);

	for (uint32_t n = 0; n < w->memory->slots && r != MEMORY_TABLES; n++) {
		const struct memory_slot *s = &w->memory->slot[n];
		uint64_t at = (gpa - s->gpa) >> DF_PAGE_SHIFT;

		if (gpa >= s->gpa && at < s->pages)
			return w->map[n] && w->map[n][at / 64] >> at % 64 & 1;
	}
	return false;
}

int written_clear(struct written *w)
{
	for (uint32_t n = 0; n < w->memory->slots; n++) {
		const struct memory_slot *s = &w->memory->slot[n];
		struct kvm_clear_dirty_log clear = {
			.slot = n, .num_pages = (uint32_t)s->pages, .dirty_bitmap = w->map[n]};

		if (!s->tracked || !w->map[n])
			continue;
		if (ioctl(w->memory->vm_fd, KVM_CLEAR_DIRTY_LOG, &clear))
			return -errno;
		memset(w->map[n], 0, words_of(s->pages) * sizeof(uint64_t));
	}
	w->count = w->listed = 0;
	return 0;
}

static void each_in_slot(const struct written *w, uint32_t slot,
	void (*each)(void *, enum memory_region, uint64_t), void *context)
{
	for (uint64_t i = 0; w->map[slot] && i < words_of(w->memory->slot[slot].pages); i++)
		for (uint64_t bits = w->map[slot][i]; bits; bits &= bits - 1) {
			uint64_t in_region, page = i * 64 + (uint64_t)__builtin_ctzll(bits);
			enum memory_region r = region_of(w, slot, page, &in_region);

			if (r != MEMORY_REGIONS)
				each(context, r, in_region);
		}
}

void written_each(const struct written *w, void (*each)(void *, enum memory_region, uint64_t),
	void *context)
{
	if (w->count > w->listed) {
		for (uint32_t s = 0; s < w->memory->slots; s++)
			each_in_slot(w, s, each, context);
		return;
	}
	for (uint32_t i = 0; i < w->listed; i++)
		each(context, (enum memory_region)(w->list[i] & 255), w->list[i] >> 8);
}
