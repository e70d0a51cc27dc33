// SPDX-License-Identifier: Apache-2.0
/* Checks of a snapshot: see snapshot.h. Each function answers 0 or a negative errno with the reason told. */
#include <base/snapshot.h>

#include <dayfly/layout.h>

#include <asm/errno.h>

#define ROOT_SUMMED 65536u
/* Arithmetic flags, bit 1, which is always set, interrupts, resume, ID. */
#define RFLAGS_HARMLESS 0x210ad7ULL
#define RFLAGS_IOPL 0x3000ULL
#define XSAVE_MIN 576u
#define XSAVE_MAX 65536u
#define TIME_MAX (1ULL << 62)

/* --- reasons --- */

struct text {
	char *at;
	unsigned left; /* without the zero byte */
};

static void add(struct text *t, const char *s)
{
	for (; *s && t->left; t->left--)
		*t->at++ = *s++;
	*t->at = 0;
}

static void add_number(struct text *t, uint64_t n)
{
	char digits[21], *p = digits + sizeof(digits) - 1;

	*p = 0;
	do
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	add(t, p);
}

/* 100 bytes, 12 KiB, 1.3 MiB: one digit behind the point below 10. */
static void add_size(struct text *t, uint64_t bytes)
{
	static const char *const units[] = {" bytes", " KiB", " MiB", " GiB", " TiB"};
	unsigned unit = 0;
	uint64_t whole = bytes, tenth = 0;

	while (whole >= 1024 && unit < 4) {
		tenth = whole % 1024 * 10 / 1024;
		whole /= 1024;
		unit++;
	}
	add_number(t, whole);
	if (unit && whole < 10 && tenth) {
		add(t, ".");
		add_number(t, tenth);
	}
	add(t, units[unit]);
}

static struct text begin(const char **why)
{
	static _Thread_local char line[160];

	*why = line;
	return (struct text){line, sizeof(line) - 1};
}

static int damaged(const char **why, const char *what)
{
	struct text t = begin(why);

	add(&t, "damaged: ");
	add(&t, what);
	return -EUCLEAN;
}

static int cut_off(const char **why, uint64_t there, uint64_t whole)
{
	struct text t = begin(why);

	add(&t, "the file is cut off: ");
	add_size(&t, there);
	if (whole) {
		add(&t, " of ");
		add_size(&t, whole);
	}
	add(&t, " are there");
	return -EUCLEAN;
}

static int other_version(const char **why, const char *what, uint32_t theirs, uint32_t ours)
{
	struct text t = begin(why);

	add(&t, theirs > ours ? "made by a newer dayfly (" : "made by an older dayfly (");
	add(&t, what);
	add(&t, " ");
	add_number(&t, theirs);
	add(&t, ", this one reads ");
	add_number(&t, ours);
	add(&t, ")");
	return -EOPNOTSUPP;
}

/* --- parts --- */

/* True when [offset, offset + bytes) lies in [from, to). */
static bool inside(uint64_t offset, uint64_t bytes, uint64_t from, uint64_t to)
{
	return offset >= from && offset <= to && bytes <= to - offset;
}

static uint32_t header_checksum(const struct df_snapshot *header, const struct df_extent *extents,
	const struct df_page_run *learned)
{
	struct df_snapshot h = *header;
	uint32_t crc;

	h.checksum = 0;
	crc = df_crc32c(0, &h, sizeof(h));
	crc = df_crc32c(crc, extents, h.extent_count * sizeof(struct df_extent));
	return df_crc32c(crc, learned, h.learned_count * sizeof(struct df_page_run));
}

/* Is this a snapshot of our version, all of it there? */
static int check_kind(const struct df_snapshot *h, uint64_t file_bytes, const char **why)
{
	if (h->version != DF_SNAPSHOT_VERSION)
		return other_version(why, "format", h->version, DF_SNAPSHOT_VERSION);
	if (file_bytes < h->file_bytes)
		return cut_off(why, file_bytes, h->file_bytes);
	if (h->header_bytes != sizeof(*h))
		return damaged(why, "its header has a size that it never had");
	return 0;
}

/* Header, extents, learned set, pages, root image. */
static int check_places(const struct df_snapshot *h, uint64_t file_bytes, const char **why)
{
	uint64_t extents = h->extent_count * sizeof(struct df_extent);
	uint64_t learned = h->learned_count * sizeof(struct df_page_run);

	if ((h->data_offset | h->data_bytes) & DF_PAGE_MASK ||
		!inside(h->data_offset, h->data_bytes, DF_PAGE_SIZE, h->file_bytes))
		return damaged(why, "its pages are not in the file");
	if (h->extents_offset % 8 ||
		!inside(h->extents_offset, extents, DF_PAGE_SIZE, h->data_offset))
		return damaged(why, "its list of pages is not in the file");
	if (h->learned_offset % 8 ||
		!inside(h->learned_offset, learned, h->extents_offset + extents, h->data_offset))
		return damaged(why, "its list of written pages is not in the file");
	/* A file of its own: its size is what matters. */
	if (!h->root_offset)
		return !h->root_bytes || h->root_bytes > DF_FILES_MAX
			? damaged(why, "its root image has no size")
			: 0;
	if (h->root_offset & DF_LARGE_MASK || h->root_offset < h->file_bytes || !h->root_bytes ||
		h->root_bytes > DF_FILES_MAX || h->root_offset > UINT64_MAX - h->root_bytes)
		return damaged(why, "its root image has no place");
	if (!inside(h->root_offset, h->root_bytes, h->file_bytes, file_bytes))
		return cut_off(why, file_bytes, h->root_offset + h->root_bytes);
	return 0;
}

static int check_regions(const struct df_snapshot *h, const char **why)
{
	static const struct {
		uint64_t least, most, unit;
	} limit[DF_SNAPSHOT_REGIONS] = {
		[DF_SNAPSHOT_ARENA] = {DF_PAGE_SIZE, DF_ARENA_MAX, DF_PAGE_SIZE},
		[DF_SNAPSHOT_KHEAP] = {0, DF_KHEAP_MAX - DF_KHEAP_FIRST, DF_PAGE_SIZE},
		/* Stacks lie side by side, but twice as far apart in their window. */
		[DF_SNAPSHOT_KSTACK] = {0, DF_KSTACK_MAX / 2 - DF_KSTACK_SIZE, DF_KSTACK_SIZE},
		[DF_SNAPSHOT_SYSTEM] = {(2 + DF_APPLY_PAGES) * DF_PAGE_SIZE, DF_SYSTEM_MAX,
			DF_PAGE_SIZE},
		[DF_SNAPSHOT_TABLES] = {DF_PAGE_SIZE, DF_TABLES_MAX, DF_PAGE_SIZE},
		[DF_SNAPSHOT_OUT] = {DF_WINDOW_MIN, DF_WINDOW_MAX, DF_LARGE_SIZE},
	};

	for (unsigned r = 0; r < DF_SNAPSHOT_REGIONS; r++) {
		uint64_t bytes = h->region[r].bytes, max = h->region[r].max_bytes;

		if (bytes < limit[r].least || bytes > max || bytes % limit[r].unit)
			return damaged(why, "a part of its memory has an impossible size");
		if (max > limit[r].most || max & DF_PAGE_MASK)
			return damaged(why, "a part of its memory has an impossible limit");
	}
	if (h->memory_bytes > DF_ARENA_MAX ||
		df_page_down(h->memory_bytes) != h->region[DF_SNAPSHOT_ARENA].max_bytes)
		return damaged(why, "its memory is not as large as it says");
	if (h->tables_used < 1 ||
		h->tables_used > h->region[DF_SNAPSHOT_TABLES].bytes >> DF_PAGE_SHIFT)
		return damaged(why, "its page tables are not in its memory");
	return 0;
}

static int check_windows(const struct df_snapshot *h, const char **why)
{
	if (h->in_bytes & DF_LARGE_MASK || h->in_bytes < DF_WINDOW_MIN ||
		h->in_bytes > DF_WINDOW_MAX || h->out_bytes != h->region[DF_SNAPSHOT_OUT].bytes ||
		h->out_bytes != h->region[DF_SNAPSHOT_OUT].max_bytes)
		return damaged(why, "its windows for events have an impossible size");
	if (h->out.reply_bytes > h->out_bytes - DF_OUT_REPLY || h->out.log_bytes > DF_OUT_LOG_MAX ||
		h->out.attribute_bytes > DF_OUT_ATTRIBUTES_MAX || h->out.stopped > DF_STOP_MEMORY)
		return damaged(why, "it has more output than fits");
	return 0;
}

/* One of the three pages that monitor and kernel share. */
static bool are_system_pages(const struct df_snapshot *h, uint64_t offset, uint64_t pages)
{
	uint64_t bytes = h->region[DF_SNAPSHOT_SYSTEM].bytes, need = pages << DF_PAGE_SHIFT;

	return !(offset & DF_PAGE_MASK) && need <= bytes && offset <= bytes - need;
}

/* Is [a, a + pages) apart from the page at b? */
static bool apart(uint64_t a, uint64_t pages, uint64_t b)
{
	return b < a || b - a >= pages << DF_PAGE_SHIFT;
}

static bool is_address(gva_t va)
{
	return df_va_is_program(va, 1) || (va >= DF_VA_KERNEL && va < DF_VA_TABLES);
}

static int check_cpu(const struct df_snapshot *h, const char **why)
{
	uint64_t rflags = RFLAGS_HARMLESS | (h->flags & DF_SNAPSHOT_IOPL3 ? RFLAGS_IOPL : 0);

	if (!are_system_pages(h, h->boot_page, 1) || !are_system_pages(h, h->request_page, 1) ||
		!are_system_pages(h, h->apply_page, DF_APPLY_PAGES) ||
		h->boot_page == h->request_page ||
		!apart(h->apply_page, DF_APPLY_PAGES, h->boot_page) ||
		!apart(h->apply_page, DF_APPLY_PAGES, h->request_page) ||
		h->stub_syscall < DF_VA_STUB || h->stub_syscall >= DF_VA_STUB + DF_PAGE_SIZE)
		return damaged(why, "the kernel's pages are not where they can be");
	if (!is_address(h->rip) || !is_address(h->rsp) || h->rflags & ~rflags)
		return damaged(why, "its processor state is impossible");
	/* x87 and SSE are always there; bit 63 is reserved for ever. */
	if ((h->xcr0 & 3) != 3 || h->xcr0 >> 63 || h->xsave_bytes < XSAVE_MIN ||
		h->xsave_bytes > XSAVE_MAX)
		return damaged(why, "its vector state is impossible");
	return 0;
}

static bool ends(const char *s, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		if (!s[i])
			return true;
	return false;
}

static int check_program(const struct df_snapshot *h, const char **why)
{
	if (h->flags & ~(DF_SNAPSHOT_IOPL3 | DF_SNAPSHOT_NET) || h->reserved)
		return damaged(why, "it has a flag that nobody knows");
	if (h->wait_point < 1 || h->wait_point >= DF_WAIT_POINT_COUNT || h->pid > INT32_MAX)
		return damaged(why, "the place where it was frozen is impossible");
	if (h->monotonic_ns > TIME_MAX || h->boot_ns > TIME_MAX)
		return damaged(why, "its time is impossible");
	if (!ends(h->program, sizeof(h->program)) || !ends(h->features, sizeof(h->features)))
		return damaged(why, "a text in it has no end");
	for (const char *f = h->features; *f; f++)
		if (*f != ',' && (*f < 'a' || *f > 'z') && (*f < '0' || *f > '9'))
			return damaged(why, "its features have impossible names");
	return 0;
}

/* Extents and learned runs have the same form. */
_Static_assert(sizeof(struct df_extent) == sizeof(struct df_page_run) &&
		offsetof(struct df_extent, pages) == offsetof(struct df_page_run, pages) &&
		offsetof(struct df_extent, first_page) == offsetof(struct df_page_run, first_page),
	"one loop for both");

/* Runs of pages, in order, apart, within their regions. *pages: how many in all. */
static bool runs_good(const struct df_snapshot *h, const uint8_t *at, uint32_t count,
	uint64_t *pages)
{
	uint32_t region = 0;
	uint64_t free_page = 0;

	*pages = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct df_page_run run;
		uint64_t limit;

		__builtin_memcpy(&run, at + i * sizeof(run), sizeof(run));
		if (run.region >= DF_SNAPSHOT_REGIONS || run.region < region)
			return false;
		if (run.region > region)
			free_page = 0;
		region = run.region;
		limit = h->region[region].bytes >> DF_PAGE_SHIFT;
		if (!run.pages || run.first_page < free_page ||
			!inside(run.first_page, run.pages, 0, limit))
			return false;
		free_page = run.first_page + run.pages;
		*pages += run.pages;
	}
	return true;
}

static int check_runs(const struct df_snapshot *h, const uint8_t *map, const char **why)
{
	uint64_t pages;

	if (!runs_good(h, map + h->extents_offset, h->extent_count, &pages) ||
		pages != h->data_bytes >> DF_PAGE_SHIFT)
		return damaged(why, "its list of pages contradicts itself");
	if (!runs_good(h, map + h->learned_offset, h->learned_count, &pages))
		return damaged(why, "its list of written pages contradicts itself");
	return 0;
}

/* --- what others call --- */

int df_snapshot_check(const void *map, uint64_t file_bytes, const char **why)
{
	const uint8_t *bytes = map;
	struct df_snapshot h;
	int r;

	if (file_bytes >= sizeof(h.magic))
		__builtin_memcpy(&h.magic, bytes, sizeof(h.magic));
	if (file_bytes < sizeof(h.magic) || h.magic != DF_SNAPSHOT_MAGIC) {
		*why = file_bytes ? "not a snapshot" : "not a snapshot: the file is empty";
		return -EINVAL;
	}
	if (file_bytes < DF_PAGE_SIZE)
		return cut_off(why, file_bytes, 0);
	__builtin_memcpy(&h, bytes, sizeof(h));
	r = check_kind(&h, file_bytes, why);
	r = r ? r : check_places(&h, file_bytes, why);
	if (r)
		return r;
	if (h.checksum !=
		header_checksum(&h, (const struct df_extent *)(bytes + h.extents_offset),
			(const struct df_page_run *)(bytes + h.learned_offset)))
		return damaged(why, "the checksum of its header is wrong");
	if (h.abi_version != DF_ABI_VERSION)
		return other_version(why, "kernel interface", h.abi_version, DF_ABI_VERSION);
	r = check_regions(&h, why);
	r = r ? r : check_windows(&h, why);
	r = r ? r : check_cpu(&h, why);
	r = r ? r : check_program(&h, why);
	return r ? r : check_runs(&h, bytes, why);
}

int df_snapshot_check_memory(const void *map, uint64_t file_bytes, const char **why)
{
	struct df_snapshot h;

	if (file_bytes < sizeof(h))
		return cut_off(why, file_bytes, 0);
	__builtin_memcpy(&h, map, sizeof(h));
	if (!inside(h.data_offset, h.data_bytes, DF_PAGE_SIZE, file_bytes))
		return damaged(why, "its pages are not in the file");
	if (h.memory_checksum != df_crc32c(0, (const uint8_t *)map + h.data_offset, h.data_bytes))
		return damaged(why, "the checksum of its memory is wrong");
	return 0;
}

uint32_t df_snapshot_root_checksum(const void *root, uint64_t root_bytes)
{
	return df_crc32c(0, root, root_bytes < ROOT_SUMMED ? root_bytes : ROOT_SUMMED);
}

void df_snapshot_seal(struct df_snapshot *header, const struct df_extent *extents,
	const struct df_page_run *learned)
{
	header->checksum = header_checksum(header, extents, learned);
}
