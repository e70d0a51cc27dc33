/*
 * mm.c - memory: mapping kinds, protections, growing, shrinking, advice, the heap's end.
 */
#include "case.h"
#include "fault.h"

#include <malloc.h>
#include <sys/mman.h>

#define PAGE 4096UL
#define RW (PROT_READ | PROT_WRITE)

static char *anon(size_t length)
{
	void *p = mmap(NULL, length, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

/* "ok" or the errno name of an mmap-like result. */
static const char *mapped(const void *p)
{
	return p == MAP_FAILED ? errno_name(errno) : "ok";
}

static size_t count_not(const char *p, size_t length, char value)
{
	size_t bad = 0;
	for (size_t i = 0; i < length; i++)
		bad += p[i] != value;
	return bad;
}

static int file_of_pages(const char *path, size_t pages)
{
	int fd = open(path, O_CREAT | O_RDWR | O_TRUNC, 0644);
	char page[PAGE];
	for (size_t i = 0; i < pages; i++) {
		memset(page, (int)('a' + i % 26), sizeof page);
		write(fd, page, sizeof page);
	}
	return fd;
}

static void anon_private(void)
{
	char *p = anon(1 << 20);
	say("aligned=%s", yes(((uintptr_t)p & (PAGE - 1)) == 0));
	say("zero=%s", yes(count_not(p, 1 << 20, 0) == 0));
	memset(p, 7, 1 << 20);
	say("kept=%s", yes(count_not(p, 1 << 20, 7) == 0));
	say("unmap=%s", rc(munmap(p, 1 << 20)));
}

static void anon_shared(void)
{
	char *p = mmap(NULL, 3 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	say("%s", mapped(p));
	say("zero=%s", yes(count_not(p, 3 * PAGE, 0) == 0));
	p[2 * PAGE] = 9;
	say("%d", p[2 * PAGE]);
	say("unmap=%s", rc(munmap(p, 3 * PAGE)));
}

static void fresh_after_unmap(void)
{
	/* Memory that comes back from the system is zero, also at the same address. */
	int dirty = 0;
	char *hint = NULL;
	for (int i = 0; i < 20; i++) {
		char *p = mmap(hint, 16 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		dirty += count_not(p, 16 * PAGE, 0) != 0;
		memset(p, 0xee, 16 * PAGE);
		munmap(p, 16 * PAGE);
		hint = p;
	}
	say("dirty=%d", dirty);
}

static void file_private(void)
{
	int fd = file_of_pages("f", 3);
	char *p = mmap(NULL, 3 * PAGE, RW, MAP_PRIVATE, fd, 0);
	say("%s", mapped(p));
	say("%c%c%c", p[0], p[PAGE], p[3 * PAGE - 1]);
	p[PAGE] = 'X';
	char back = 0;
	pread(fd, &back, 1, PAGE);
	say("memory=%c file=%c", p[PAGE], back);
	say("unmap=%s", rc(munmap(p, 3 * PAGE)));
}

static void file_private_readonly(void)
{
	int fd = file_of_pages("f", 3);
	char *p = mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	say("%s", mapped(p));
	say("%c%c", p[0], p[2 * PAGE]);
	FAULT(*(volatile char *)(p + 5) = 1);
	say("write=%s offset=%ld", fault_text(), fault_offset(p));
	say("mprotect=%s", rc(mprotect(p, 3 * PAGE, RW)));
	FAULT(*(volatile char *)(p + 5) = 'Y');
	say("write=%s", fault_text());
	say("file=%c", get_file("f")[5]);
}

static void file_shared(void)
{
	int fd = file_of_pages("f", 3);
	char *p = mmap(NULL, 3 * PAGE, RW, MAP_SHARED, fd, 0), back = 0;
	say("%s", mapped(p));
	p[PAGE + 1] = 'W';
	pread(fd, &back, 1, PAGE + 1);
	say("file=%c", back);
	pwrite(fd, "V", 1, 7);
	say("memory=%c", p[7]);
	say("msync=%s", rc(msync(p, 3 * PAGE, MS_SYNC)));
	char *q = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
	say("second=%c", q[1]);
	p[PAGE + 2] = 'U';
	say("second=%c", q[2]);
	say("unmap=%s", rc(munmap(p, 3 * PAGE)));
	pread(fd, &back, 1, PAGE + 2);
	say("file=%c", back);
}

static void file_shared_after_close(void)
{
	int fd = file_of_pages("f", 1);
	char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	close(fd);
	p[0] = 'Z';
	say("file=%c", get_file("f")[0]);
	unlink("f");
	say("after-unlink=%c", p[0]);
}

static void file_private_sees_earlier_writes(void)
{
	int fd = file_of_pages("f", 1);
	pwrite(fd, "NEW", 3, 0);
	char *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	say("%.3s", p);
}

static void file_offset(void)
{
	int fd = file_of_pages("f", 4);
	char *p = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 2 * PAGE);
	say("%s", mapped(p));
	say("%c%c", p[0], p[PAGE]);
	say("unaligned=%s", mapped(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 100)));
	/* The C library rounds nothing; length is rounded up by the system. */
	char *q = mmap(NULL, 10, PROT_READ, MAP_PRIVATE, fd, PAGE);
	say("rounded=%c", q[PAGE - 1]);
}

static void file_tail_is_zero(void)
{
	put_file("f", "short");
	int fd = open("f", O_RDWR);
	char *p = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
	say("%.5s tail-zero=%s", p, yes(count_not(p + 5, PAGE - 5, 0) == 0));
	char *s = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	s[10] = 'x';
	say("size=%ld", file_size(fd));
	say("content=%s", get_file("f"));
}

static void past_end_of_file(void)
{
	put_file("f", "short");
	int fd = open("f", O_RDWR);
	char *p = mmap(NULL, 3 * PAGE, RW, MAP_SHARED, fd, 0);
	say("%s", mapped(p));
	FAULT((void)*(volatile char *)(p + PAGE + 3));
	say("read=%s offset=%ld", fault_text(), fault_offset(p));
	FAULT(*(volatile char *)(p + 2 * PAGE) = 1);
	say("write=%s offset=%ld", fault_text(), fault_offset(p));
	char *q = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	FAULT((void)*(volatile char *)(q + PAGE));
	say("private=%s offset=%ld", fault_text(), fault_offset(q));
	/* The file grows under the mapping. */
	ftruncate(fd, 2 * PAGE);
	FAULT((void)*(volatile char *)(p + PAGE + 3));
	say("grown=%s", fault_text());
}

static void fixed(void)
{
	char *p = anon(4 * PAGE);
	memset(p, 1, 4 * PAGE);
	char *q = mmap(p + PAGE, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	say("there=%s", yes(q == p + PAGE));
	say("%d%d%d%d", p[0], p[PAGE], p[2 * PAGE], p[3 * PAGE]);
	say("unaligned=%s",
		mapped(mmap(p + 10, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)));
	int fd = file_of_pages("f", 1);
	q = mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
	say("file=%c next=%d", p[0], p[PAGE]);
}

static void fixed_noreplace(void)
{
	char *p = anon(4 * PAGE);
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
	say("taken=%s", mapped(mmap(p + PAGE, PAGE, RW, flags, -1, 0)));
	munmap(p + PAGE, 2 * PAGE);
	say("free=%s", yes(mmap(p + PAGE, 2 * PAGE, RW, flags, -1, 0) == p + PAGE));
	munmap(p + 2 * PAGE, 2 * PAGE);
	say("overlap=%s", mapped(mmap(p + PAGE, 2 * PAGE, RW, flags, -1, 0)));
}

static void hint(void)
{
	char *p = anon(16 * PAGE);
	munmap(p, 16 * PAGE);
	/* A free hint is taken; a taken one is not an error. */
	char *q = mmap(p, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	say("free-hint=%s", yes(q == p));
	char *r = mmap(p, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	say("taken-hint=%s", mapped(r));
	say("moved=%s", yes(r != p));
}

static void reserve_then_commit(void)
{
	char *p =
		mmap(NULL, 64 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	say("%s", mapped(p));
	FAULT((void)*(volatile char *)(p + 100));
	say("read=%s offset=%ld", fault_text(), fault_offset(p));
	say("commit=%s", rc(mprotect(p + (1 << 20), 2 * PAGE, RW)));
	p[(1 << 20) + 5] = 4;
	say("%d", p[(1 << 20) + 5]);
	FAULT(*(volatile char *)(p + (1 << 20) + 2 * PAGE) = 1);
	say("behind=%s", fault_text());
	say("decommit=%s", rc(mprotect(p + (1 << 20), PAGE, PROT_NONE)));
	FAULT((void)*(volatile char *)(p + (1 << 20)));
	say("read=%s", fault_text());
	say("unmap=%s", rc(munmap(p, 64 << 20)));
}

static void gigabyte_untouched(void)
{
	char *p = mmap(NULL, 1UL << 30, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	say("%s", mapped(p));
	p[0] = 1;
	p[(1UL << 30) - 1] = 2;
	p[1UL << 29] = 3;
	say("%d %d %d %d", p[0], p[1UL << 29], p[(1UL << 30) - 1], p[12345678]);
	say("unmap=%s", rc(munmap(p, 1UL << 30)));
	/* Again: what was given back can be had again. */
	for (int i = 0; i < 8; i++) {
		p = mmap(NULL, 1UL << 30, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			break;
		p[i * 1000003] = 1;
		munmap(p, 1UL << 30);
	}
	say("again=%s", mapped(p));
}

static void address_space_reserve(void)
{
	/* What garbage collectors do: reserve a great deal, commit a little. */
	char *p = mmap(NULL, 64UL << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		0);
	say("%s", mapped(p));
	say("commit=%s", rc(mprotect(p + (32UL << 30), PAGE, RW)));
	FAULT(p[32UL << 30] = 1);
	say("write=%s", fault_text());
	say("unmap=%s", rc(munmap(p, 64UL << 30)));
}

static void unmap_middle(void)
{
	char *p = anon(5 * PAGE);
	memset(p, 3, 5 * PAGE);
	say("%s", rc(munmap(p + 2 * PAGE, PAGE)));
	say("%d %d", p[PAGE], p[3 * PAGE]);
	/* The hole can be mapped again and is fresh. */
	char *q = mmap(p + 2 * PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
		-1, 0);
	say("hole=%s fresh=%d", yes(q == p + 2 * PAGE), q[0]);
	say("rest=%s", rc(munmap(p, 5 * PAGE)));
	say("twice=%s", rc(munmap(p, 5 * PAGE)));
}

static void unmap_faults(void)
{
	char *p = anon(3 * PAGE);
	p[PAGE] = 1;
	munmap(p + PAGE, PAGE);
	FAULT((void)*(volatile char *)(p + PAGE));
	say("%s offset=%ld", fault_text(), fault_offset(p));
}

static void unmap_errors(void)
{
	char *p = anon(PAGE);
	say("unaligned=%s", rc(munmap(p + 1, PAGE)));
	say("zero=%s", rc(munmap(p, 0)));
	say("wrapped=%s", rc(munmap(p, (size_t)-1 & ~(PAGE - 1))));
	say("hole=%s", rc(munmap(p + (1 << 20), 0x7fffffffffffffff)));
	p[0] = 1;
	say("alive=%d", p[0]);
}

static void map_errors(void)
{
	int fd = file_of_pages("f", 1), r = open("f", O_RDONLY), w = open("f", O_WRONLY), fds[2];
	pipe(fds);
	mkdir("d", 0755);
	int d = open("d", O_RDONLY);
	say("zero=%s", mapped(mmap(NULL, 0, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
	say("no-kind=%s", mapped(mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0)));
	say("bad-fd=%s", mapped(mmap(NULL, PAGE, RW, MAP_PRIVATE, 77, 0)));
	say("minus-fd=%s", mapped(mmap(NULL, PAGE, RW, MAP_PRIVATE, -1, 0)));
	say("shared-w-of-r=%s", mapped(mmap(NULL, PAGE, RW, MAP_SHARED, r, 0)));
	say("private-w-of-r=%s", mapped(mmap(NULL, PAGE, RW, MAP_PRIVATE, r, 0)));
	say("of-w=%s", mapped(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, w, 0)));
	say("pipe=%s", mapped(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fds[0], 0)));
	say("dir=%s", mapped(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, d, 0)));
	say("huge=%s", mapped(mmap(NULL, 1UL << 60, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
	say("wrapped=%s", mapped(mmap(NULL, (size_t)-5, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
	say("kernel-half=%s",
		mapped(mmap((void *)0xffff800000000000, PAGE, RW,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)));
	say("offset-wraps=%s",
		mapped(mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd,
			(off_t)0x7ffffffffffff000)));
}

static void map_flags(void)
{
	char *p = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE,
		-1, 0);
	say("stack=%s", mapped(p));
	p[0] = 1;
	p = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	say("populate=%s", mapped(p));
	say("zero=%d", p[0]);
	/* With MAP_ANONYMOUS the descriptor is ignored. */
	say("fd-ignored=%s", mapped(mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, 77, 0)));
	say("validate=%s",
		mapped(mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0)));
}

static void map_below_4_gib(void)
{
	char *p = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	say("%s", mapped(p));
	say("low=%s", yes((uintptr_t)p < 1UL << 32));
}

static void protect_steps(void)
{
	char *p = anon(3 * PAGE);
	memset(p, 5, 3 * PAGE);
	say("readonly=%s", rc(mprotect(p + PAGE, PAGE, PROT_READ)));
	say("%d", p[PAGE]);
	FAULT(*(volatile char *)(p + PAGE + 17) = 1);
	say("write=%s offset=%ld", fault_text(), fault_offset(p));
	p[0] = p[2 * PAGE] = 6;
	say("neighbours=%d,%d", p[0], p[2 * PAGE]);
	say("none=%s", rc(mprotect(p + PAGE, PAGE, PROT_NONE)));
	FAULT((void)*(volatile char *)(p + PAGE));
	say("read=%s", fault_text());
	say("back=%s", rc(mprotect(p + PAGE, PAGE, RW)));
	say("kept=%d", p[PAGE + 17]);
}

static void protect_errors(void)
{
	char *p = anon(4 * PAGE);
	munmap(p + 2 * PAGE, PAGE);
	say("unaligned=%s", rc(mprotect(p + 1, PAGE, RW)));
	say("zero=%s", rc(mprotect(p, 0, RW)));
	say("hole=%s", rc(mprotect(p, 4 * PAGE, PROT_READ)));
	say("unknown=%s", rc(mprotect(p, PAGE, 0x100)));
	say("wrapped=%s", rc(mprotect(p, (size_t)-1 & ~(PAGE - 1), PROT_READ)));
	int r = -1, fd = file_of_pages("f", 1);
	close(fd);
	r = open("f", O_RDONLY);
	char *q = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, r, 0);
	say("shared-r=%s", rc(mprotect(q, PAGE, RW)));
}

static void written_code(void)
{
	/* mov $42, %eax; ret - written, then made executable. */
	static const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3};
	unsigned char *p = (unsigned char *)anon(PAGE);
	memcpy(p, code, sizeof code);
	FAULT(((int (*)(void))p)());
	say("not-yet=%s offset=%ld", fault_text(), fault_offset(p));
	say("mprotect=%s", rc(mprotect(p, PAGE, PROT_READ | PROT_EXEC)));
	static volatile int result;
	FAULT(result = ((int (*)(void))p)());
	say("run=%s result=%d", fault_text(), result);
	FAULT(*(volatile unsigned char *)(p + 1) = 43);
	say("write=%s", fault_text());
	say("again=%s", rc(mprotect(p, PAGE, RW)));
	p[1] = 43;
	mprotect(p, PAGE, PROT_READ | PROT_EXEC);
	FAULT(result = ((int (*)(void))p)());
	say("run=%s result=%d", fault_text(), result);
}

static void written_code_with_system_call(void)
{
	/* mov $39 (getpid), %eax; syscall; ret - in memory that the program wrote, called many times. */
	static const unsigned char code[] = {0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3};
	unsigned char *p = (unsigned char *)anon(PAGE);
	memcpy(p, code, sizeof code);
	mprotect(p, PAGE, PROT_READ | PROT_EXEC);
	int same = 0;
	for (int i = 0; i < 100; i++)
		same += ((int (*)(void))p)() == getpid();
	say("same=%d", same);
	/* Replaced by another call (getppid) at the same place. */
	mprotect(p, PAGE, RW);
	memcpy(p, code, sizeof code);
	p[1] = 110;
	mprotect(p, PAGE, PROT_READ | PROT_EXEC);
	same = 0;
	for (int i = 0; i < 100; i++)
		same += ((int (*)(void))p)() == getppid();
	say("same=%d", same);
}

static void text_is_not_writable(void)
{
	FAULT(*(volatile char *)(uintptr_t)text_is_not_writable = 0x90);
	say("%s offset=%ld", fault_text(), fault_offset((void *)(uintptr_t)text_is_not_writable));
	static const char constant[] = "read-only";
	FAULT(*(volatile char *)(uintptr_t)constant = 'x');
	say("rodata=%s %s", fault_text(), constant);
}

static void data_is_not_executable(void)
{
	static unsigned char data[16] = {0xc3};
	unsigned char stack[16] = {0xc3};
	unsigned char *heap = malloc(16);
	heap[0] = 0xc3;
	FAULT(((void (*)(void))data)());
	say("data=%s", fault_text());
	FAULT(((void (*)(void))stack)());
	say("stack=%s", fault_text());
	FAULT(((void (*)(void))heap)());
	say("heap=%s offset=%ld", fault_text(), fault_offset(heap));
	free(heap);
}

static void null_pointer(void)
{
	volatile char *volatile nowhere = NULL;
	FAULT((void)nowhere[0]);
	say("read=%s at=%ld", fault_text(), (long)fault.address);
	FAULT(nowhere[8] = 1);
	say("write=%s at=%ld", fault_text(), (long)fault.address);
	FAULT(((void (*volatile)(void))NULL)());
	say("call=%s at=%ld", fault_text(), (long)fault.address);
	volatile char *volatile wild = (char *)0x8000000000000000;
	FAULT((void)wild[0]);
	say("non-canonical=%s at=%ld", fault_text(), (long)fault.address);
	volatile char *volatile upper = (char *)0xffffffff80000000;
	FAULT((void)upper[0]);
	say("kernel-half=%s same=%s", fault_text(), yes(fault.address == (void *)upper));
}

static void remap_grow(void)
{
	char *p = anon(2 * PAGE);
	memset(p, 4, 2 * PAGE);
	char *q = mremap(p, 2 * PAGE, 300 * PAGE, MREMAP_MAYMOVE);
	say("%s", mapped(q));
	say("kept=%s", yes(count_not(q, 2 * PAGE, 4) == 0));
	say("rest-zero=%s", yes(count_not(q + 2 * PAGE, 298 * PAGE, 0) == 0));
	q[299 * PAGE] = 1;
	q = mremap(q, 300 * PAGE, PAGE, 0);
	say("shrink=%s", mapped(q));
	say("%d", q[0]);
}

static void remap_shrink_faults(void)
{
	char *p = anon(3 * PAGE);
	p[2 * PAGE] = 1;
	say("%s", mapped(mremap(p, 3 * PAGE, PAGE, 0)));
	FAULT((void)*(volatile char *)(p + 2 * PAGE));
	say("behind=%s", fault_text());
	char *q = anon(2 * PAGE), *target = anon(2 * PAGE);
	say("move=%s",
		mapped(mremap(q, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target)));
	FAULT((void)*(volatile char *)q);
	say("old=%s", fault_text());
}

static void remap_in_place(void)
{
	char *p = anon(8 * PAGE);
	p[0] = 1;
	munmap(p + 2 * PAGE, 6 * PAGE);
	say("free-behind=%s", yes(mremap(p, 2 * PAGE, 6 * PAGE, 0) == p));
	p[5 * PAGE] = 2;
	/* Something behind it: can not grow without moving. */
	char *block = mmap(p + 6 * PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	block[0] = 3;
	say("blocked=%s", mapped(mremap(p, 6 * PAGE, 8 * PAGE, 0)));
	say("%d %d %d", p[0], p[5 * PAGE], block[0]);
}

static void remap_fixed(void)
{
	char *p = anon(2 * PAGE), *target = anon(4 * PAGE);
	memset(p, 6, 2 * PAGE);
	memset(target, 1, 4 * PAGE);
	char *q = mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target + PAGE);
	say("there=%s", yes(q == target + PAGE));
	say("%d%d%d%d", target[0], target[PAGE], target[2 * PAGE], target[3 * PAGE]);
	say("no-maymove=%s", mapped(mremap(q, PAGE, PAGE, MREMAP_FIXED, p)));
	say("overlap=%s",
		mapped(mremap(q, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + PAGE)));
}

static void remap_errors(void)
{
	char *p = anon(2 * PAGE);
	say("unaligned=%s", mapped(mremap(p + 1, PAGE, 2 * PAGE, MREMAP_MAYMOVE)));
	say("zero=%s", mapped(mremap(p, PAGE, 0, MREMAP_MAYMOVE)));
	say("flags=%s", mapped(mremap(p, PAGE, PAGE, 64)));
	munmap(p, 2 * PAGE);
	say("unmapped=%s", mapped(mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE)));
}

static void remap_file(void)
{
	int fd = file_of_pages("f", 3);
	char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	char *q = mremap(p, PAGE, 3 * PAGE, MREMAP_MAYMOVE);
	say("%s", mapped(q));
	say("%c%c", q[0], q[2 * PAGE]);
	q[2 * PAGE] = 'R';
	char back = 0;
	pread(fd, &back, 1, 2 * PAGE);
	say("file=%c", back);
}

static void realloc_large(void)
{
	/* The C library uses mremap for these. */
	char *p = malloc(200000);
	memset(p, 1, 200000);
	p = realloc(p, 5000000);
	say("kept=%s", yes(p && count_not(p, 200000, 1) == 0));
	memset(p, 2, 5000000);
	p = realloc(p, 60000);
	say("kept=%s", yes(p && count_not(p, 60000, 2) == 0));
	free(p);
	void *aligned = NULL;
	say("posix_memalign=%d", posix_memalign(&aligned, 65536, 100000));
	say("aligned=%s", yes(((uintptr_t)aligned & 65535) == 0));
	free(aligned);
}

static void heap_end(void)
{
	char *start = sbrk(0);
	say("%s", yes(start != (char *)-1));
	say("grow=%s", yes(sbrk(3 * (intptr_t)PAGE) == start));
	say("zero=%s", yes(count_not(start, 3 * PAGE, 0) == 0));
	memset(start, 9, 3 * PAGE);
	say("end=%s", yes((char *)sbrk(0) == start + 3 * PAGE));
	say("shrink=%s", rc(brk(start)));
	say("end=%s", yes(sbrk(0) == start));
	sbrk((intptr_t)PAGE);
	say("fresh=%d", start[0]);
	say("too-far=%s", rc(brk((void *)0x7fffffffffffffff)));
	/* The raw call answers the unchanged end when it refuses. */
	say("raw=%s", yes((char *)syscall(SYS_brk, 0x7fffffffffffffff) == (char *)sbrk(0)));
	say("below=%s", yes((char *)syscall(SYS_brk, 1L) == (char *)sbrk(0)));
	brk(start);
}

static void heap_many_sizes(void)
{
	static unsigned char *blocks[2000];
	uint32_t seed = 1;
	size_t bad = 0;
	for (int round = 0; round < 20000; round++) {
		seed = seed * 1664525 + 1013904223;
		unsigned index = (seed >> 8) % 2000;
		if (blocks[index]) {
			size_t length = malloc_usable_size(blocks[index]);
			bad += blocks[index][0] != (index & 0xff) ||
				blocks[index][length - 1] != (index & 0xff);
			free(blocks[index]);
			blocks[index] = NULL;
		} else {
			size_t length = 1 +
				(seed >> 5) %
					(seed & 1                  ? 200
							: seed & 2 ? 20000
								   : 300000);
			blocks[index] = malloc(length);
			if (!blocks[index]) {
				bad++;
				continue;
			}
			length = malloc_usable_size(blocks[index]);
			blocks[index][0] = blocks[index][length - 1] = (unsigned char)index;
		}
	}
	for (int i = 0; i < 2000; i++) {
		free(blocks[i]);
		blocks[i] = NULL;
	}
	say("bad=%zu", bad);
}

static void advise_dontneed(void)
{
	char *p = anon(4 * PAGE);
	memset(p, 8, 4 * PAGE);
	say("%s", rc(madvise(p + PAGE, 2 * PAGE, MADV_DONTNEED)));
	say("%d%d%d%d", p[0], p[PAGE], p[2 * PAGE], p[3 * PAGE]);
	p[PAGE] = 7;
	say("%d", p[PAGE]);
	int fd = file_of_pages("f", 1);
	char *q = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
	q[0] = 'X';
	say("file=%s", rc(madvise(q, PAGE, MADV_DONTNEED)));
	say("back-to=%c", q[0]);
}

static void advise_others(void)
{
	char *p = anon(512 * PAGE);
	p[0] = 1;
	say("normal=%s", rc(madvise(p, PAGE, MADV_NORMAL)));
	say("willneed=%s", rc(madvise(p, PAGE, MADV_WILLNEED)));
	say("sequential=%s", rc(madvise(p, PAGE, MADV_SEQUENTIAL)));
	say("random=%s", rc(madvise(p, PAGE, MADV_RANDOM)));
	say("hugepage=%s", rc(madvise(p, 512 * PAGE, MADV_HUGEPAGE)));
	say("nohugepage=%s", rc(madvise(p, 512 * PAGE, MADV_NOHUGEPAGE)));
	say("dontfork=%s", rc(madvise(p, PAGE, MADV_DONTFORK)));
	say("wipeonfork=%s", rc(madvise(p, PAGE, MADV_WIPEONFORK)));
	say("dontdump=%s", rc(madvise(p, PAGE, MADV_DONTDUMP)));
	say("free=%s", rc(madvise(p + PAGE, PAGE, MADV_FREE)));
	say("kept=%d", p[0]);
	say("unaligned=%s", rc(madvise(p + 1, PAGE, MADV_DONTNEED)));
	say("unknown=%s", rc(madvise(p, PAGE, 9999)));
	munmap(p + PAGE, PAGE);
	say("hole=%s", rc(madvise(p, 3 * PAGE, MADV_DONTNEED)));
}

static void residency(void)
{
	unsigned char vector[4] = {0};
	char *p = anon(4 * PAGE);
	memset(p, 1, 4 * PAGE);
	say("%s", rc(mincore(p, 4 * PAGE, vector)));
	say("%d%d%d%d", vector[0] & 1, vector[1] & 1, vector[2] & 1, vector[3] & 1);
	say("unaligned=%s", rc(mincore(p + 1, PAGE, vector)));
	munmap(p, 4 * PAGE);
	say("unmapped=%s", rc(mincore(p, PAGE, vector)));
}

static void locking(void)
{
	char *p = anon(4 * PAGE);
	say("mlock=%s", rc(mlock(p, PAGE)));
	say("mlock2=%s", rc(mlock2(p, PAGE, MLOCK_ONFAULT)));
	say("munlock=%s", rc(munlock(p, PAGE)));
	say("munlockall=%s", rc(munlockall()));
	munmap(p, 4 * PAGE);
	say("unmapped=%s", rc(mlock(p, PAGE)));
}

static void sync_errors(void)
{
	char *p = anon(2 * PAGE);
	say("async=%s", rc(msync(p, PAGE, MS_ASYNC)));
	say("both=%s", rc(msync(p, PAGE, MS_ASYNC | MS_SYNC)));
	say("unaligned=%s", rc(msync(p + 1, PAGE, MS_SYNC)));
	munmap(p, 2 * PAGE);
	say("unmapped=%s", rc(msync(p, PAGE, MS_SYNC)));
}

static void memory_file(void)
{
	int fd = memfd_create("name", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	say("%s", rc(fd));
	say("truncate=%s", rc(ftruncate(fd, 2 * PAGE)));
	char *a = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0),
	     *b = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
	a[PAGE] = 5;
	say("alias=%d", b[PAGE]);
	munmap(a, 2 * PAGE);
	munmap(b, 2 * PAGE);
	say("seals=%d", fcntl(fd, F_GET_SEALS));
	say("seal=%s", rc(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK)));
	say("shrink=%s", rc(ftruncate(fd, PAGE)));
	say("grow=%s", rc(ftruncate(fd, 3 * PAGE)));
}

static void many_mappings(void)
{
	/* 2000 pages, every second one with another protection; then all made one again. */
	char *p = anon(2000 * PAGE);
	int failed = 0, wrong = 0;
	for (size_t i = 0; i < 2000; i += 2)
		failed += mprotect(p + i * PAGE, PAGE, PROT_READ) != 0;
	for (size_t i = 1; i < 2000; i += 2)
		p[i * PAGE] = 1;
	FAULT(*(volatile char *)(p + 1000 * PAGE) = 1);
	say("failed=%d write=%s", failed, fault_text());
	say("join=%s", rc(mprotect(p, 2000 * PAGE, RW)));
	for (size_t i = 0; i < 2000; i++)
		wrong += p[i * PAGE] != (char)(i & 1);
	say("wrong=%d", wrong);
	for (size_t i = 0; i < 2000; i += 3)
		failed += munmap(p + i * PAGE, PAGE) != 0;
	say("unmap=%d", failed);
	say("all=%s", rc(munmap(p, 2000 * PAGE)));
}

static void large_touch(void)
{
	/* 48 MiB written and read back: crosses every large-page border. */
	size_t length = 48 << 20, wrong = 0;
	uint64_t *p = (uint64_t *)anon(length);
	for (size_t i = 0; i < length / 8; i += 64)
		p[i] = i * 0x9e3779b97f4a7c15;
	for (size_t i = 0; i < length / 8; i += 64)
		wrong += p[i] != i * 0x9e3779b97f4a7c15;
	say("wrong=%zu", wrong);
	say("unmap=%s", rc(munmap(p, length)));
}

static const struct guest_case cases[] = {
	C(anon_private),
	C(anon_shared),
	C(fresh_after_unmap),
	C(file_private),
	C(file_private_readonly),
	C(file_shared),
	C(file_shared_after_close),
	C(file_private_sees_earlier_writes),
	C(file_offset),
	C(file_tail_is_zero),
	C(past_end_of_file),
	C(fixed),
	C(fixed_noreplace),
	C(hint),
	C(reserve_then_commit),
	C(gigabyte_untouched),
	C(address_space_reserve),
	C(unmap_middle),
	C(unmap_faults),
	C(unmap_errors),
	C(map_errors),
	C(map_flags),
	C(map_below_4_gib),
	C(protect_steps),
	C(protect_errors),
	C(written_code),
	C(written_code_with_system_call),
	C(text_is_not_writable),
	C(data_is_not_executable),
	C(null_pointer),
	C(remap_grow),
	C(remap_shrink_faults),
	C(remap_in_place),
	C(remap_fixed),
	C(remap_errors),
	C(remap_file),
	C(realloc_large),
	C(heap_end),
	C(heap_many_sizes),
	C(advise_dontneed),
	C(advise_others),
	C(residency),
	C(locking),
	C(sync_errors),
	C(memory_file),
	C(many_mappings),
	C(large_touch),
};

GUEST_MAIN("mm", cases)
