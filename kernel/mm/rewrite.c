// SPDX-License-Identifier: Apache-2.0
/*
 * Rewriting of system-call sites, so that a call that is made often costs a jump and not a trap.
 *
 * A site is looked at only when it traps, so there is no scanning for byte patterns that may be data.
 * Two shapes are rewritten, on a private copy of the page (through its address in the arena):
 *
 *   5-byte mov; syscall        (`mov $nr, %eax`, or between a register and the stack) the mov becomes
 *                              a jmp to a trampoline that does the same and enters the kernel. The
 *                              syscall instruction stays: a jump to it still traps.
 *   syscall; ...; ret; padding the syscall becomes a short jmp to the padding, which jumps on to a
 *                              trampoline. What follows the syscall is decoded up to there, so that
 *                              the padding is known to be padding.
 *
 * Everything else keeps trapping. The 5 or 2 bytes that are replaced never hold the middle of what
 * another thread executes: a thread that was interrupted stands before the mov or at the syscall.
 */
#include <kernel/core/errno.h>
#include <kernel/core/freeze.h>
#include <kernel/core/hypercall.h>
#include <kernel/mm/decode.h>
#include <kernel/mm/map.h>
#include <kernel/mm/rewrite.h>
#include <kernel/mm/user.h>

#define SEEN 64 /* sites whose traps are counted */
#define TRAPS_BEFORE \
	4 /* a copied page costs a hypercall; a site that traps more often is worth it */
#define REFUSED 255
#define SYSCALL_BYTES 2
#define JUMP_BYTES 5
#define MOVED_BYTES JUMP_BYTES
#define SHORT_REACH 127
#define BEFORE_BYTES 8 /* of code that is looked at before the syscall, and from it on */
#define AROUND_BYTES (SYSCALL_BYTES + SHORT_REACH + 2 * INSTRUCTION_MAX + 8)
#define TRAMPOLINE_BYTES 24
#define ENTRY_BYTES 8 /* at the start of a trampoline page: the kernel's entry */
#define REACH 0x7ff00000LL

extern const char syscall_fast[];

struct trampolines {
	struct trampolines *next;
	gva_t va; /* of the page, as the program executes it */
	uint8_t *alias; /* the same page, writable */
	unsigned used;
};

static struct {
	gva_t site;
	uint8_t traps;
} seen[SEEN];

static struct trampolines *pages;

void rewrite_reset(void)
{
	while (pages) {
		struct trampolines *t = pages;

		pages = t->next;
		kfree(t);
	}
	memset(seen, 0, sizeof(seen));
}

/* Address for a page within reach of `site`: in its own neighbourhood or in low memory. */
static gva_t place_near(gva_t site)
{
	gva_t at;

	if (site < (gva_t)REACH)
		return vma_gap(DF_VA_PROGRAM_MIN, (gva_t)REACH, DF_PAGE_SIZE);
	at = vma_place(DF_PAGE_SIZE, DF_PAGE_SIZE);
	if (at && (int64_t)(at - site) > -REACH && (int64_t)(at - site) < REACH)
		return at;
	return vma_gap(df_page_down(site) - (gva_t)REACH / 2, df_page_down(site) + (gva_t)REACH / 2,
		DF_PAGE_SIZE);
}

static struct trampolines *trampolines_new(gva_t site)
{
	struct trampolines *t = kzalloc(sizeof(*t));
	uint64_t entry = (uint64_t)syscall_fast;
	struct vma *v = NULL;

	if (!t)
		return NULL;
	t->va = place_near(site);
	t->alias = frames_alloc(1);
	if (t->va && t->alias)
		v = vma_add(t->va, t->va + DF_PAGE_SIZE, DF_PROT_READ | DF_PROT_EXEC, 0, NULL, 0);
	if (!v || page_set(t->va, page_entry(arena_gpa(t->alias), v->prot, true))) {
		kfree(t);
		return NULL;
	}
	map_add(t->va, 1, arena_gpa(t->alias), v->prot);
	memcpy(t->alias, &entry, sizeof(entry));
	t->used = ENTRY_BYTES;
	t->next = pages;
	pages = t;
	return t;
}

static struct trampolines *trampolines_near(gva_t site)
{
	struct trampolines *t;

	for (t = pages; t; t = t->next) {
		int64_t distance = (int64_t)(t->va - site);

		if (distance < REACH && distance > -REACH &&
			t->used + TRAMPOLINE_BYTES <= DF_PAGE_SIZE)
			return t;
	}
	return trampolines_new(site);
}

static uint8_t *put32(uint8_t *p, gva_t va_behind, gva_t target)
{
	uint32_t rel = (uint32_t)(target - va_behind);

	memcpy(p, &rel, 4);
	return p + 4;
}

/* A trampoline for the call that continues at `next`; it begins with the moved instruction, if any. */
static gva_t trampoline_add(gva_t next, const uint8_t *moved)
{
	struct trampolines *t = trampolines_near(next);
	uint8_t *start, *p;
	gva_t va;

	if (!t)
		return 0;
	start = p = t->alias + t->used;
	va = t->va + t->used;
	if (moved) {
		memcpy(p, moved, MOVED_BYTES);
		p += MOVED_BYTES;
	}
	*p++ = 0x48; /* lea next(%rip), %rcx */
	*p++ = 0x8d;
	*p++ = 0x0d;
	p = put32(p, va + (gva_t)(p + 4 - start), next);
	*p++ = 0xff; /* jmp *entry(%rip) */
	*p++ = 0x25;
	put32(p, va + (gva_t)(p + 4 - start), t->va);
	t->used += TRAMPOLINE_BYTES;
	return va;
}

/* Writable address of the code at va, on a page of the program's own. NULL: not possible. */
static uint8_t *writable_code(gva_t va)
{
	struct vma *v = vma_find(va, false);
	uint32_t e;

	if (!v || !(v->prot & DF_PROT_EXEC) || (v->prot & DF_PROT_WRITE) || (v->flags & VMA_SHARED))
		return NULL;
	if (v->flags & VMA_LINEAR)
		return NULL;
	if (!(page_get(va) & PAGE_OWNED)) {
		if (!v->file || vma_copy_page(v, df_page_down(va), DF_PAGE_SIZE))
			return NULL;
		map_flush();
	}
	e = page_get(va);
	return (uint8_t *)arena_va(page_gpa(e)) + (va & DF_PAGE_MASK);
}

/* All of it or nothing; the bytes may lie on two pages. */
static bool put_code(gva_t va, const uint8_t *bytes, unsigned n)
{
	uint8_t *first = writable_code(va), *last = writable_code(va + n - 1);

	if (!first || !last)
		return false;
	for (unsigned i = 0; i < n; i++)
		*((va ^ (va + i)) & ~DF_PAGE_MASK ? last - (n - 1) + i : first + i) = bytes[i];
	return true;
}

static bool page_is_owned(gva_t va)
{
	return page_get(va) & PAGE_OWNED;
}

/* mov $nr, %eax right before the syscall? An REX prefix would make it another instruction. */
static bool follows_mov(const uint8_t *site, uint64_t nr)
{
	uint32_t imm;

	memcpy(&imm, site - 4, 4);
	return site[-5] == 0xb8 && (site[-6] & 0xf0) != 0x40 && imm == nr && nr < 512;
}

/* mov between a 64-bit register and 8-bit offset from rsp right before the syscall, no prefix? */
static bool follows_stack_mov(const uint8_t *site)
{
	const uint8_t *p = site - MOVED_BYTES;

	return (p[0] & 0xf8) == 0x48 && (p[1] == 0x8b || p[1] == 0x89) && (p[2] & 0xc7) == 0x44 &&
		p[3] == 0x24 && p[-1] != 0x66 && (p[-1] & 0xf0) != 0x40 && (p[-1] & 0xfc) != 0xf0;
}

/*
 * Five bytes that nothing executes, within reach of a short jump at the syscall: no-operations behind an
 * instruction that ends the flow. They fill up to an aligned address, so they do not begin at one; what does
 * may be a function that begins with a no-operation. Their offset from the syscall, 0: none.
 */
static unsigned find_padding(const uint8_t *code, gva_t site)
{
	unsigned at = SYSCALL_BYTES, n, end;

	while (at <= SYSCALL_BYTES + SHORT_REACH) {
		bool ends = instruction_ends_flow(code + at);

		n = instruction_length(code + at);
		if (!n)
			return 0;
		at += n;
		if (!ends || at > SYSCALL_BYTES + SHORT_REACH)
			continue;
		for (end = at; end - at < JUMP_BYTES; end += n) {
			n = nop_length(code + end);
			if (!n)
				break;
		}
		if (end - at >= JUMP_BYTES && ((site + at) & 15))
			return at;
	}
	return 0;
}

static bool rewrite_mov(gva_t site, const uint8_t *code)
{
	gva_t target = trampoline_add(site + SYSCALL_BYTES, code - MOVED_BYTES);
	uint8_t jump[JUMP_BYTES] = {0xe9};

	put32(jump + 1, site, target);
	return target && put_code(site - JUMP_BYTES, jump, JUMP_BYTES);
}

static bool rewrite_springboard(gva_t site, unsigned padding)
{
	gva_t target = trampoline_add(site + SYSCALL_BYTES, NULL);
	uint8_t jump[JUMP_BYTES] = {0xe9};
	const uint8_t hop[SYSCALL_BYTES] = {0xeb, (uint8_t)(padding - SYSCALL_BYTES)};

	put32(jump + 1, site + padding + JUMP_BYTES, target);
	return target && put_code(site + padding, jump, JUMP_BYTES) &&
		put_code(site, hop, SYSCALL_BYTES);
}

static bool rewrite(gva_t site, uint64_t nr)
{
	uint8_t code[BEFORE_BYTES + AROUND_BYTES] = {0};
	const uint8_t *at = code + BEFORE_BYTES;
	size_t page = BEFORE_BYTES + (size_t)(DF_PAGE_SIZE - (site & DF_PAGE_MASK));
	unsigned padding;

	/* Behind the page there may be nothing. */
	if (user_copy_from(code, (const void *)(site - BEFORE_BYTES), sizeof(code)) &&
		user_copy_from(code, (const void *)(site - BEFORE_BYTES), min(page, sizeof(code))))
		return false;
	if (at[0] != 0x0f || at[1] != 0x05)
		return false;
	if (follows_mov(at, nr) || follows_stack_mov(at))
		return rewrite_mov(site, at);
	padding = find_padding(at, site);
	return padding && rewrite_springboard(site, padding);
}

void rewrite_learned(gva_t site, uint64_t nr)
{
	if (rewrite(site, nr))
		request_page->stats.rewritten_sites++;
	map_flush();
}

/* Called from entry.S on each trap, before the call itself. */
void rewrite_site(gva_t next, uint64_t nr)
{
	gva_t site = next - 2;
	unsigned i = (unsigned)(site ^ site >> 8) % SEEN;

	if (freeze_hooks.trap && freeze_hooks.trap(site, nr))
		return;
	if (seen[i].site != site) {
		seen[i].site = site;
		seen[i].traps = 0;
	}
	if (seen[i].traps == REFUSED)
		return;
	if (++seen[i].traps < TRAPS_BEFORE && !page_is_owned(site))
		return;
	if (rewrite(site, nr)) {
		request_page->stats.rewritten_sites++;
		current->work |=
			WORK_RETURN; /* iretq also orders the new code before its execution */
		seen[i].site = 0;
	} else {
		seen[i].traps = REFUSED;
	}
	map_flush();
}
