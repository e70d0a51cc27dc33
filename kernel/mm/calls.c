// SPDX-License-Identifier: Apache-2.0
/* Memory system calls: mmap, munmap, mprotect, mremap, brk, madvise and their kin. */
#include <kernel/core/errno.h>
#include <kernel/core/hypercall.h>
#include <kernel/core/program.h>
#include <kernel/mm/arena.h>
#include <kernel/mm/calls.h>
#include <kernel/mm/map.h>
#include <kernel/mm/user.h>
#include <linux/fcntl.h>
#include <linux/mman.h>

#define PROT_RW (PROT_READ | PROT_WRITE)
#define DISCARD_BYTES (4ULL << 20)
#define MAP_KNOWN \
	0x1fffff /* flags that MAP_SHARED_VALIDATE accepts, but for those of special files */
#define LOW_START 0x40000000ULL /* where MAP_32BIT goes */
#define LOW_END 0x80000000ULL

/* What a file must allow for a mapping. */
static int check_file(const struct file *f, unsigned prot, unsigned flags)
{
	unsigned mode = f->flags & O_ACCMODE;

	if (f->flags & O_PATH)
		return -EBADF;
	if (mode == O_WRONLY)
		return -EACCES;
	if ((flags & MAP_TYPE) != MAP_PRIVATE && (prot & PROT_WRITE) && mode != O_RDWR)
		return -EACCES;
	return f->ops->frame ? 0 : -ENODEV;
}

/* Where the mapping goes: exactly at `addr`, or anywhere. Address or -errno. */
static int64_t place(gva_t addr, uint64_t bytes, unsigned flags)
{
	gva_t at;
	int r;

	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		struct vma *v = vma_find(addr, true);

		if (!df_va_is_program(addr, bytes))
			return addr < DF_VA_PROGRAM_MIN ? -EPERM : -ENOMEM;
		if ((flags & MAP_FIXED_NOREPLACE) && v && v->start < addr + bytes)
			return -EEXIST;
		r = vma_unmap(addr, addr + bytes);
		return r ? r : (int64_t)addr;
	}
	if (addr && !(addr & DF_PAGE_MASK) && df_va_is_program(addr, bytes) && !in_arena(addr)) {
		struct vma *v = vma_find(addr, true);

		if (!v || v->start >= addr + bytes)
			return (int64_t)addr;
	}
	if (flags & MAP_32BIT)
		at = vma_gap(LOW_START, LOW_END, bytes);
	else
		at = vma_place(bytes, bytes >= DF_LARGE_SIZE ? DF_LARGE_SIZE : DF_PAGE_SIZE);
	return at ? (int64_t)at : -ENOMEM;
}

/* Anonymous memory at a fixed place inside the arena's window: its own frames, if they are free. */
static int64_t fixed_in_arena(gva_t addr, uint64_t bytes, unsigned prot)
{
	if (addr + bytes > arena_end() || arena_take(addr, bytes >> DF_PAGE_SHIFT))
		return -ENOMEM;
	if (!vma_add(addr, addr + bytes, prot, VMA_LINEAR, NULL, 0)) {
		frames_free((void *)addr, bytes >> DF_PAGE_SHIFT);
		return -ENOMEM;
	}
	if (prot != PROT_RW) {
		map_add(addr, bytes >> DF_PAGE_SHIFT, arena_gpa((void *)addr), prot);
		map_flush();
	}
	return (int64_t)addr;
}

static int64_t map_anonymous(gva_t addr, uint64_t bytes, unsigned prot, unsigned flags)
{
	int64_t at;

	if (!(flags & (MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_32BIT))) {
		/* A hint into the arena is taken when its frames are free. */
		if (in_arena(addr) && fixed_in_arena(addr, bytes, prot) == (int64_t)addr)
			return (int64_t)addr;
		if (!addr || in_arena(addr))
			return vma_anonymous(bytes, prot, 0);
	}
	at = place(addr, bytes, flags);
	if (at < 0)
		return at;
	if (in_arena((gva_t)at))
		return fixed_in_arena((gva_t)at, bytes, prot);
	return vma_add((gva_t)at, (gva_t)at + bytes, prot, 0, NULL, 0) ? at : -ENOMEM;
}

static int64_t map_file(gva_t addr, uint64_t bytes, unsigned prot, unsigned flags, int fd,
	uint64_t offset)
{
	struct file *f = fd_get(fd);
	int64_t at;
	int r;

	if (!f)
		return -EBADF;
	r = check_file(f, prot, flags);
	if (r)
		return r;
	at = place(addr, bytes, flags);
	if (at < 0)
		return at;
	/* The frames of the arena's own window stay reserved below a file that is shown there. */
	if (in_arena((gva_t)at) && arena_take((gva_t)at, bytes >> DF_PAGE_SHIFT))
		return -ENOMEM;
	if (in_arena((gva_t)at)) {
		map_add((gva_t)at, bytes >> DF_PAGE_SHIFT, 0, 0);
		map_flush();
	}
	if (!vma_add((gva_t)at, (gva_t)at + bytes, prot,
		    (flags & MAP_TYPE) == MAP_PRIVATE ? 0 : VMA_SHARED, f, offset))
		return -ENOMEM;
	return at;
}

int64_t sys_mmap(gva_t addr, uint64_t bytes, unsigned prot, unsigned flags, int fd, uint64_t offset)
{
	unsigned type = flags & MAP_TYPE;

	if (offset & DF_PAGE_MASK || !bytes)
		return -EINVAL;
	if (type != MAP_PRIVATE && type != MAP_SHARED && type != MAP_SHARED_VALIDATE)
		return -EINVAL;
	if (type == MAP_SHARED_VALIDATE &&
		(flags & ~(unsigned)MAP_KNOWN & ~(unsigned)MAP_FIXED_NOREPLACE))
		return -EOPNOTSUPP;
	if (bytes > DF_VA_PROGRAM_MAX)
		return -ENOMEM;
	bytes = df_page_up(bytes);
	if (offset + bytes < offset || offset + bytes > INT64_MAX)
		return -EOVERFLOW;
	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		if (addr & DF_PAGE_MASK)
			return -EINVAL;
	} else {
		addr = df_page_up(addr);
	}
	prot &= PROT_READ | PROT_WRITE | PROT_EXEC;
	if (flags & MAP_HUGETLB)
		return -ENOMEM;
	if (flags & MAP_ANONYMOUS && type == MAP_SHARED_VALIDATE)
		return -EINVAL;
	if (flags & MAP_ANONYMOUS)
		return map_anonymous(addr, bytes, prot, flags);
	return map_file(addr, bytes, prot, flags, fd, offset);
}

static int64_t sys_munmap(gva_t addr, uint64_t bytes)
{
	if ((addr & DF_PAGE_MASK) || !bytes || addr + bytes < addr ||
		addr + bytes > DF_VA_PROGRAM_MAX)
		return -EINVAL;
	return vma_unmap(addr, addr + df_page_up(bytes));
}

/* Gives the pages that are shown the mapping's new protection. The rest follows when touched. */
static int reprotect(struct vma *v)
{
	bool private_file = v->file && !(v->flags & VMA_SHARED);

	if (v->flags & VMA_LINEAR) {
		map_add(v->start, (v->end - v->start) >> DF_PAGE_SHIFT, arena_gpa((void *)v->start),
			v->prot);
		return 0;
	}
	for (gva_t va = v->start; va < v->end; va += DF_PAGE_SIZE) {
		uint32_t e = page_get(va);
		unsigned prot = v->prot;
		int r;

		if (!e)
			continue;
		if (private_file && !(e & PAGE_OWNED))
			prot &= ~(unsigned)PROT_WRITE;
		if (page_prot(e) == prot)
			continue;
		map_add(va, 1, page_gpa(e), prot);
		r = page_set(va, (e & ~PAGE_PROT) | prot << PAGE_PROT_SHIFT);
		if (r)
			return r;
	}
	return 0;
}

/* True when all of [start, end) is mapped. */
static bool covered(gva_t start, gva_t end)
{
	while (start < end) {
		struct vma *v = vma_find(start, false);

		if (!v)
			return false;
		start = v->end;
	}
	return true;
}

int64_t sys_mprotect(gva_t addr, uint64_t bytes, unsigned prot)
{
	gva_t end = addr + df_page_up(bytes);
	struct vma *v;
	int r;

	if ((addr & DF_PAGE_MASK) || (prot & ~7u & ~(PROT_GROWSDOWN | PROT_GROWSUP)))
		return -EINVAL;
	if (end < addr)
		return -ENOMEM;
	if (end == addr)
		return 0;
	prot &= 7;
	if (!covered(addr, end))
		return -ENOMEM;
	r = vma_split(addr);
	if (!r)
		r = vma_split(end);
	for (v = vma_find(addr, false); !r && &v->node != &vma_list && v->start < end;
		v = list_entry(v->node.next, struct vma, node)) {
		if ((v->flags & VMA_WINDOW) ||
			((v->flags & VMA_SHARED) && v->file && (prot & PROT_WRITE) &&
				(v->file->flags & O_ACCMODE) != O_RDWR)) {
			r = -EACCES;
			break;
		}
		if (v->prot == prot)
			continue;
		v->prot = prot;
		r = reprotect(v);
	}
	map_flush();
	return r;
}

static int64_t sys_brk(gva_t brk)
{
	gva_t old_end = df_page_up(program.brk), end = df_page_up(brk);
	struct vma *v;

	if (brk < program.brk_start || brk > DF_VA_ARENA + mm_total_bytes())
		return (int64_t)program.brk;
	if (end > old_end) {
		if (arena_take(old_end, (end - old_end) >> DF_PAGE_SHIFT))
			return (int64_t)program.brk;
		v = vma_find(old_end - 1, false);
		if (v && (v->flags & VMA_HEAP) && v->prot == PROT_RW) {
			v->end = end;
		} else if (!vma_add(old_end, end, PROT_RW, VMA_LINEAR | VMA_HEAP, NULL, 0)) {
			frames_free((void *)old_end, (end - old_end) >> DF_PAGE_SHIFT);
			return (int64_t)program.brk;
		}
	} else if (end < old_end && vma_unmap(end, old_end)) {
		return (int64_t)program.brk;
	}
	program.brk = brk;
	return (int64_t)brk;
}

/* Moves a mapping's contents to `to`, which is mapped for writing. */
static int move_contents(struct vma *v, gva_t to, uint64_t bytes)
{
	if (v->flags & VMA_LINEAR)
		return copy_any((void *)to, (void *)v->start, bytes);
	for (uint64_t at = 0; at < bytes; at += DF_PAGE_SIZE)
		if (page_get(v->start + at) &&
			copy_any((void *)(to + at), (void *)(v->start + at), DF_PAGE_SIZE))
			return -EFAULT;
	return 0;
}

static int64_t remap_move(struct vma *v, uint64_t old_bytes, uint64_t bytes, gva_t to)
{
	uint64_t keep = min(old_bytes, bytes);
	unsigned prot = v->prot;
	int64_t at;
	int r;

	if (v->file) {
		at = to ? (int64_t)to : (int64_t)vma_place(bytes, DF_PAGE_SIZE);
		if (!at ||
			!vma_add((gva_t)at, (gva_t)at + bytes, prot, v->flags, v->file, v->offset))
			return -ENOMEM;
		/* Private copies move as they are. */
		for (gva_t p = 0; p < keep; p += DF_PAGE_SIZE) {
			uint32_t e = page_get(v->start + p);

			if (!(e & PAGE_OWNED))
				continue;
			if (page_set((gva_t)at + p, e & ~PAGE_PROT) || page_set(v->start + p, 0))
				return -ENOMEM;
			map_add(v->start + p, 1, 0, 0);
		}
		map_flush();
	} else {
		at = to ? sys_mmap(to, bytes, PROT_RW, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1,
				  0)
			: vma_anonymous(bytes, PROT_RW, 0);
		if (at < 0)
			return at;
		/* Unreadable memory is read all the same. */
		if (!(prot & PROT_READ))
			sys_mprotect(v->start, v->end - v->start, PROT_READ);
		r = move_contents(v, (gva_t)at, keep);
		if (r)
			return r;
		if (prot != PROT_RW)
			sys_mprotect((gva_t)at, bytes, prot);
	}
	r = vma_unmap(v->start, v->start + old_bytes);
	return r ? r : at;
}

/* Grows a mapping where it is, if the addresses behind it are free. */
static bool grow_in_place(struct vma *v, uint64_t more)
{
	struct vma *next = vma_find(v->end, true);

	if (next && next->start < v->end + more)
		return false;
	if (in_arena(v->start)) {
		if (!(v->flags & VMA_LINEAR) || v->end + more > arena_end() ||
			arena_take(v->end, more >> DF_PAGE_SHIFT))
			return false;
		if (v->prot != PROT_RW) {
			map_add(v->end, more >> DF_PAGE_SHIFT, arena_gpa((void *)v->end), v->prot);
			map_flush();
		}
	} else if (!df_va_is_program(v->start, v->end - v->start + more)) {
		return false;
	}
	v->end += more;
	return true;
}

static int64_t sys_mremap(gva_t old, uint64_t old_bytes, uint64_t bytes, unsigned flags, gva_t to)
{
	struct vma *v;
	int r;

	if ((flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED)) || (old & DF_PAGE_MASK) || !bytes ||
		((flags & MREMAP_FIXED) && !(flags & MREMAP_MAYMOVE)))
		return -EINVAL;
	old_bytes = df_page_up(old_bytes);
	bytes = df_page_up(bytes);
	v = vma_find(old, false);
	if (!old_bytes)
		return -EINVAL;
	if (!v || old + old_bytes > v->end)
		return -EFAULT;
	if (bytes > DF_VA_PROGRAM_MAX)
		return -ENOMEM;
	r = vma_split(old);
	if (!r)
		r = vma_split(old + old_bytes);
	if (r)
		return r;
	v = vma_find(old, false);
	if (flags & MREMAP_FIXED) {
		if ((to & DF_PAGE_MASK) || !df_va_is_program(to, bytes) ||
			(to < old + old_bytes && old < to + bytes))
			return -EINVAL;
		r = vma_unmap(to, to + bytes);
		return r ? r : remap_move(v, old_bytes, bytes, to);
	}
	if (bytes <= old_bytes) {
		r = bytes < old_bytes ? vma_unmap(old + bytes, old + old_bytes) : 0;
		return r ? r : (int64_t)old;
	}
	if (grow_in_place(v, bytes - old_bytes))
		return (int64_t)old;
	return flags & MREMAP_MAYMOVE ? remap_move(v, old_bytes, bytes, 0) : -ENOMEM;
}

int vma_forget(struct vma *v, gva_t start, gva_t end)
{
	if (v->flags & VMA_LINEAR) {
		if (end - start >= DISCARD_BYTES)
			return (int)hypercall(DF_CALL_DISCARD, arena_gpa((void *)start),
				end - start, 0, 0);
		if (v->prot & PROT_WRITE)
			return zero_any((void *)start, end - start);
	}
	if (v->flags & VMA_SHARED)
		return 0;
	for (gva_t va = start; va < end; va += DF_PAGE_SIZE) {
		uint32_t e = page_get(va);

		if (!(e & PAGE_OWNED))
			continue;
		if (!v->file) {
			memset(arena_va(page_gpa(e)), 0, DF_PAGE_SIZE);
			continue;
		}
		map_add(va, 1, 0, 0);
		map_flush();
		frames_free(arena_va(page_gpa(e)), 1);
		if (page_set(va, 0))
			return -ENOMEM;
	}
	return 0;
}

static int64_t advise_range(gva_t addr, gva_t end, int advice)
{
	while (addr < end) {
		struct vma *v = vma_find(addr, false);
		gva_t part;
		int r = 0;

		if (!v)
			return -ENOMEM;
		part = min(end, v->end);
		if (advice == MADV_DONTNEED) {
			r = vma_forget(v, addr, part);
		} else {
			r = vma_split(addr);
			r = r ? r : vma_split(part);
			v = vma_find(addr, false);
			if (v->file || (v->flags & VMA_SHARED))
				return -EINVAL;
			v->flags = advice == MADV_WIPEONFORK ? v->flags | VMA_WIPE
							     : v->flags & ~VMA_WIPE;
		}
		if (r)
			return r;
		addr = part;
	}
	return 0;
}

static int64_t sys_madvise(gva_t addr, uint64_t bytes, int advice)
{
	gva_t end = addr + df_page_up(bytes);

	if ((addr & DF_PAGE_MASK) || end < addr)
		return -EINVAL;
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
		return advise_range(addr, end, advice);
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_FREE:
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		return covered(addr, end) ? 0 : -ENOMEM;
	default:
		return -EINVAL;
	}
}

/* Everything that is mapped is in memory: there is no other place. */
static int64_t sys_mincore(gva_t addr, uint64_t bytes, uint8_t *vec)
{
	static const uint8_t one = 1;
	gva_t end = addr + df_page_up(bytes);

	if (addr & DF_PAGE_MASK)
		return -EINVAL;
	if (end < addr || !covered(addr, end))
		return -ENOMEM;
	for (; addr < end; addr += DF_PAGE_SIZE)
		if (user_put(vec++, &one))
			return -EFAULT;
	return 0;
}

static int64_t sys_msync(gva_t addr, uint64_t bytes, int flags)
{
	gva_t end = addr + df_page_up(bytes);

	if ((addr & DF_PAGE_MASK) || (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) ||
		(flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return -EINVAL;
	return end >= addr && covered(addr, end) ? 0 : -ENOMEM;
}

/* Guest memory is never swapped by the guest: what is mapped stays. */
static int64_t sys_mlock(gva_t addr, uint64_t bytes)
{
	gva_t start = df_page_down(addr), end = df_page_up(addr + bytes);

	return end >= start && covered(start, end) ? 0 : -ENOMEM;
}

static int64_t sys_munlockall(void)
{
	return 0;
}

static int64_t sys_mlockall(int flags)
{
	return flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || !flags ? -EINVAL : 0;
}

const struct feature_call mm_calls[MM_CALLS] = {
	{9, sys_mmap},
	{10, sys_mprotect},
	{11, sys_munmap},
	{12, sys_brk},
	{25, sys_mremap},
	{26, sys_msync},
	{27, sys_mincore},
	{28, sys_madvise},
	{149, sys_mlock},
	{150, sys_mlock},
	{151, sys_mlockall},
	{152, sys_munlockall},
	{325, sys_mlock},
};
