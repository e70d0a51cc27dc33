// SPDX-License-Identifier: Apache-2.0
/*
 * Puts a microVM together: KVM objects, the kernel's segments, descriptor tables, page tables, the
 * root image and the boot page. Everything is in place before the first guest instruction; there is
 * no real mode, no firmware and no probing.
 */
#include <base/crc32c.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest_cpuid.h"
#include "streams.h"
#include "vm.h"

#define MIB (1ULL << 20)
#define ARENA_FIRST (16 * MIB)
#define STACK_BYTES (8 * MIB)
#define KHEAP_LEAST (8 * MIB)
#define KSTACK_LEAST (16 * MIB)
#define KHEAP_TOUCHED (16 * DF_PAGE_SIZE)
#define STACK_TOUCHED (4 * DF_PAGE_SIZE)

int vm_open_kvm(int *fd, struct df_err *err)
{
	*fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (*fd < 0 && errno == EACCES)
		return df_err_set(err, -EACCES,
			"no permission to use /dev/kvm; add yourself to its group"
			" (sudo usermod -aG kvm $USER) and log in again");
	if (*fd < 0)
		return df_err_set(err, -errno,
			"no /dev/kvm: %s; dayfly needs hardware virtualization (enable it in"
			" the firmware, load kvm_intel or kvm_amd, or allow nested"
			" virtualization)",
			df_errno_text(errno));
	return 0;
}

static int make_vm(struct vm *vm, struct df_err *err)
{
	vm->vm_fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, 0);
	if (vm->vm_fd < 0)
		return df_err_set(err, -errno, "KVM can not make a virtual machine: %s",
			df_errno_text(errno));
	vm->memory.vm_fd = vm->vm_fd;
	return 0;
}

/* Next `pages` pages of the system region, as guest address. */
static gpa_t system_pages(struct vm *vm, uint64_t pages)
{
	gpa_t gpa = DF_GPA_SYSTEM + (vm->system_pages << DF_PAGE_SHIFT);

	vm->system_pages += pages;
	return gpa;
}

static uint8_t *system_host(const struct vm *vm, gpa_t gpa)
{
	return vm->memory.range[MEMORY_SYSTEM].host + (gpa - DF_GPA_SYSTEM);
}

/*
 * A private copy, though the file could be mapped: KVM brings in the neighbours of a page that the
 * guest touches only where the host's mapping is writable, and an exit costs more than copying eight
 * pages.
 */
static int load_segment(struct vm *vm, const struct kernel_segment *s, struct df_err *err)
{
	gpa_t gpa = system_pages(vm, s->pages);
	uint32_t prot = s->writable ? DF_PROT_READ | DF_PROT_WRITE : DF_PROT_READ | DF_PROT_EXEC;

	if (pread(vm->kernel.fd, system_host(vm, gpa), s->file_bytes, (off_t)s->offset) !=
		(ssize_t)s->file_bytes)
		return df_err_set(err, -EIO, "the kernel image is shorter than it says");
	if (vm->has_events)
		vm->kernel.build = df_crc32c(vm->kernel.build, system_host(vm, gpa), s->file_bytes);
	return tables_map(&vm->tables, s->va, s->pages, gpa, prot, TABLES_USER);
}

static void put_gate(uint64_t *idt, unsigned vector, gva_t handler, unsigned dpl, unsigned ist)
{
	idt[2 * vector] = (handler & 0xffff) | (uint64_t)DF_CS_KERNEL << 16 | (uint64_t)ist << 32 |
		(0x8e00ULL | (uint64_t)dpl << 13) << 32 | (handler & 0xffff0000) << 32;
	idt[2 * vector + 1] = handler >> 32;
}

/* GDT, TSS with an I/O bitmap that allows one port, and IDT. */
static void fill_descriptors(struct vm *vm, uint8_t *gdt_page, uint8_t *idt_page)
{
	uint64_t *gdt = (uint64_t *)gdt_page, *idt = (uint64_t *)idt_page;
	uint8_t *tss = gdt_page + (DF_VA_TSS - DF_VA_GDT);
	uint64_t limit = 0x68 + DF_PORT / 8 + 1;

	gdt[DF_CS_KERNEL / 8] = 0x00af9b000000ffff;
	gdt[DF_SS_KERNEL / 8] = 0x00cf93000000ffff;
	gdt[DF_SS_USER / 8] = 0x00cff3000000ffff;
	gdt[DF_CS_USER / 8] = 0x00affb000000ffff;
	gdt[DF_TSS_SELECTOR / 8] = limit | (DF_VA_TSS & 0xffffff) << 16 | 0x8bULL << 40 |
		(DF_VA_TSS >> 24 & 0xff) << 56;
	gdt[DF_TSS_SELECTOR / 8 + 1] = DF_VA_TSS >> 32;
	memcpy(tss + 4, &(uint64_t){DF_VA_TRAP_STACK + DF_TRAP_TOP}, 8);
	memcpy(tss + 0x24, &(uint64_t){DF_VA_TRAP_STACK + DF_TICK_TOP}, 8);
	memcpy(tss + 0x66, &(uint16_t){0x68}, 2);
	memset(tss + 0x68, 0xff, DF_PORT / 8 + 2);
	tss[0x68 + DF_PORT / 8] = 0xfe;
	for (unsigned v = 0; v < 32; v++)
		put_gate(idt, v, vm->kernel.stub_vectors + 16 * v, v == 3 || v == 4 ? 3 : 0, 0);
	put_gate(idt, DF_VECTOR_TICK, vm->kernel.stub_tick, 0, 1);
}

static int map_page(struct vm *vm, gva_t va, gpa_t gpa, uint32_t prot, unsigned flags)
{
	return tables_map(&vm->tables, va, 1, gpa, prot, flags);
}

/* The system pages behind the stub: see dayfly/layout.h. */
static int build_system(struct vm *vm)
{
	const uint32_t rw = DF_PROT_READ | DF_PROT_WRITE;
	gpa_t boot = system_pages(vm, 1), request = system_pages(vm, 1);
	gpa_t gdt = system_pages(vm, 1), idt = system_pages(vm, 1);
	gpa_t stack = system_pages(vm, 1), apply = system_pages(vm, DF_APPLY_PAGES);
	int r;

	vm->boot = (struct df_boot_info *)system_host(vm, boot);
	vm->request = (struct df_request_page *)system_host(vm, request);
	vm->tables.apply = NULL;
	fill_descriptors(vm, system_host(vm, gdt), system_host(vm, idt));
	r = map_page(vm, DF_VA_BOOT, boot, DF_PROT_READ, TABLES_USER);
	r = r ? r : map_page(vm, DF_VA_REQUEST, request, rw, TABLES_USER);
	r = r ? r : map_page(vm, DF_VA_TRAP_FRAME, stack, DF_PROT_READ, TABLES_USER);
	r = r ? r : map_page(vm, DF_VA_TRAP_STACK, stack, rw, 0);
	r = r ? r : map_page(vm, DF_VA_GDT, gdt, rw, 0);
	r = r ? r : map_page(vm, DF_VA_IDT, idt, rw, 0);
	r = r ? r : tables_map(&vm->tables, DF_VA_APPLY, DF_APPLY_PAGES, apply, rw, 0);
	r = r ? r
	      : tables_map(&vm->tables, DF_VA_TABLES,
			vm->memory.range[MEMORY_TABLES].bytes >> DF_PAGE_SHIFT,
			tables_root(&vm->tables), rw, 0);
	if (!r)
		vm->tables.apply = (struct df_apply *)system_host(vm, apply);
	return r;
}

/* The emulation of AMD-V that tests use has no I/O bitmap for a busy TSS: ring 3 gets I/O privilege there. */
static void patch_stub_for_test(struct vm *vm)
{
	const struct kernel_image *k = &vm->kernel;
	gva_t end = k->stub_frames_end < DF_VA_STUB + DF_PAGE_SIZE ? k->stub_frames_end
								   : DF_VA_STUB + DF_PAGE_SIZE;
	gpa_t stub = DF_GPA_SYSTEM;

	for (unsigned i = 0; i < k->segment_count && k->segment[i].va != DF_VA_STUB; i++)
		stub += k->segment[i].pages << DF_PAGE_SHIFT;
	for (gva_t at = k->stub_frames; at >= DF_VA_STUB && at + 40 <= end; at += 40)
		*(uint64_t *)(system_host(vm, stub) + (at - DF_VA_STUB) + 16) |= 0x3000;
}

/* The first pages of the kernel's heap and its first stack. */
static int build_heap(struct vm *vm)
{
	const uint32_t rw = DF_PROT_READ | DF_PROT_WRITE;
	const uint64_t heap = DF_KHEAP_FIRST >> DF_PAGE_SHIFT;
	const uint64_t stack = DF_KSTACK_SIZE >> DF_PAGE_SHIFT;
	int r = tables_map(&vm->tables, DF_VA_KHEAP, heap, system_pages(vm, heap), rw, TABLES_USER);

	return r ? r
		 : tables_map(&vm->tables, DF_VA_KSTACK + DF_KSTACK_STRIDE - DF_KSTACK_SIZE, stack,
			   system_pages(vm, stack), rw, TABLES_USER);
}

static uint64_t system_bytes(const struct vm *vm)
{
	return ((vm->kernel.pages + DF_SYSTEM_PAGES) << DF_PAGE_SHIFT) + DF_KHEAP_FIRST +
		DF_KSTACK_SIZE;
}

static int load_kernel(struct vm *vm, struct df_err *err)
{
	/* What every guest touches at once. */
	uint64_t touched = system_bytes(vm) - DF_KSTACK_SIZE - DF_KHEAP_FIRST + KHEAP_TOUCHED;
	int r = 0;

	_Static_assert(DF_KERNEL_MAX + (DF_SYSTEM_PAGES << DF_PAGE_SHIFT) + DF_KHEAP_FIRST +
				DF_KSTACK_SIZE <=
			DF_SYSTEM_MAX,
		"the system region has room");
	memory_touch(&vm->memory, MEMORY_SYSTEM, 0, touched);
	memory_touch(&vm->memory, MEMORY_SYSTEM, system_bytes(vm) - DF_PAGE_SIZE, DF_PAGE_SIZE);
	for (unsigned i = 0; i < vm->kernel.segment_count && !r; i++)
		r = load_segment(vm, &vm->kernel.segment[i], err);
	if (!r && vm->options->test_iopl3)
		patch_stub_for_test(vm);
	r = r ? r : build_system(vm);
	return r ? r : build_heap(vm);
}

static int open_root(struct vm *vm, struct df_err *err)
{
	const struct options *o = vm->options;
	struct stat st;

	vm->root_fd = open(o->root, O_RDONLY | O_CLOEXEC);
	if (vm->root_fd < 0 || fstat(vm->root_fd, &st))
		return df_err_set(err, -errno, "root image %s: %s", o->root, df_errno_text(errno));
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 || (uint64_t)st.st_size > DF_FILES_MAX)
		return df_err_set(err, -EINVAL, "root image %s: not a file of a usable size",
			o->root);
	vm->root_bytes = (uint64_t)st.st_size;
	return 0;
}

static int map_root(struct vm *vm, struct df_err *err)
{
	int r = memory_map_file(&vm->memory, MEMORY_FILES, DF_GPA_FILES, vm->root_fd, 0,
		vm->root_bytes, err);

	if (r)
		return r;
	vm->boot->files_bytes = vm->root_bytes;
	/* The kernel reads files through 2 MiB entries; the end of the last one is beyond the slot, and
	 * beyond what the kernel ever reads. */
	return tables_map(&vm->tables, DF_VA_FILES,
		(vm->memory.range[MEMORY_FILES].bytes + DF_LARGE_MASK) / DF_LARGE_SIZE * 512,
		DF_GPA_FILES, DF_PROT_READ, TABLES_USER);
}

int vm_set_windows(struct vm *vm, uint8_t *in, uint64_t in_bytes, uint8_t *out, uint64_t out_bytes,
	struct df_err *err)
{
	int r = memory_map_window(&vm->memory, MEMORY_IN, DF_GPA_IN, in, in_bytes, err);

	r = r ? r : memory_map_window(&vm->memory, MEMORY_OUT, DF_GPA_OUT, out, out_bytes, err);
	vm->has_events = true;
	return r;
}

/* Entries for the largest windows, whatever is plugged now: those that serve events may differ. */
static int map_windows(struct vm *vm)
{
	uint64_t pages = DF_WINDOW_MAX >> DF_PAGE_SHIFT;
	int r;

	if (!vm->has_events)
		return 0;
	r = tables_map(&vm->tables, DF_VA_IN, pages, DF_GPA_IN, DF_PROT_READ, TABLES_USER);
	return r ? r
		 : tables_map(&vm->tables, DF_VA_OUT, pages, DF_GPA_OUT,
			   DF_PROT_READ | DF_PROT_WRITE, TABLES_USER);
}

int vm_grow(struct vm *vm, enum df_region region, uint64_t bytes)
{
	static const gva_t window[] = {
		[DF_REGION_ARENA] = DF_VA_ARENA,
		[DF_REGION_KHEAP] = DF_VA_KHEAP + DF_KHEAP_FIRST,
	};
	struct memory_range *range = &vm->memory.range[region];
	uint64_t old = range->bytes;
	struct df_err err;
	int r = memory_plug(&vm->memory, (enum memory_region)region, bytes, &err);

	if (r)
		return r;
	if (region != DF_REGION_KSTACK)
		return tables_map(&vm->tables, window[region] + old, bytes >> DF_PAGE_SHIFT,
			range->gpa + old, DF_PROT_READ | DF_PROT_WRITE, TABLES_USER);
	/* Stacks, from the second on: frames are contiguous, addresses leave a gap below each stack. */
	for (uint64_t at = old; at < range->bytes && !r; at += DF_KSTACK_SIZE) {
		gva_t va = DF_VA_KSTACK + (2 + at / DF_KSTACK_SIZE) * DF_KSTACK_STRIDE -
			DF_KSTACK_SIZE;

		r = tables_map(&vm->tables, va, DF_KSTACK_SIZE >> DF_PAGE_SHIFT, range->gpa + at,
			DF_PROT_READ | DF_PROT_WRITE, TABLES_USER);
	}
	return r;
}

/* The main stack: Linux's default, or a quarter of a small memory. */
static uint64_t stack_bytes(uint64_t memory)
{
	return STACK_BYTES < memory / 4 ? STACK_BYTES : df_page_down(memory / 4);
}

/* What the kernel may use for itself on the program's behalf: a quarter of its memory, on top of it. */
static uint64_t kheap_max(uint64_t memory)
{
	uint64_t bytes = (memory / 4 + KHEAP_LEAST) & ~DF_LARGE_MASK;

	return bytes < DF_KHEAP_MAX ? bytes : DF_KHEAP_MAX & ~DF_LARGE_MASK;
}

/* The kernel stacks of threads: a thousand and more in a small memory. */
static uint64_t kstack_max(uint64_t memory)
{
	uint64_t bytes = (memory / 4 + KSTACK_LEAST) & ~DF_LARGE_MASK;

	return bytes < DF_KSTACK_MAX / 2 ? bytes : DF_KSTACK_MAX / 2 - DF_KSTACK_SIZE;
}

/* Worst case: every page of the arena in a table of its own windows, and some for files. */
static uint64_t tables_max(uint64_t memory)
{
	uint64_t bytes = 2 * MIB + memory / 256 / DF_LARGE_SIZE * DF_LARGE_SIZE;

	return bytes < DF_TABLES_MAX ? bytes : DF_TABLES_MAX;
}

static int build_memory(struct vm *vm, struct df_err *err)
{
	struct memory *m = &vm->memory;
	uint64_t memory = df_page_down(vm->options->memory_bytes);
	uint64_t arena = memory < ARENA_FIRST ? memory : ARENA_FIRST;
	int r = memory_reserve_block(m, tables_max(memory), memory, err);

	r = r ? r : memory_plug_block(m, system_bytes(vm), arena, err);
	r = r ? r : memory_reserve(m, MEMORY_KHEAP, DF_GPA_KHEAP, kheap_max(memory), err);
	r = r ? r : memory_reserve(m, MEMORY_KSTACK, DF_GPA_KSTACK, kstack_max(memory), err);
	r = r ? r : tables_init(&vm->tables, m);
	r = r ? r : load_kernel(vm, err);
	r = r ? r
	      : tables_map(&vm->tables, DF_VA_ARENA, arena >> DF_PAGE_SHIFT, DF_GPA_ARENA,
			DF_PROT_READ | DF_PROT_WRITE, TABLES_USER);
	if (!r)
		memory_touch(m, MEMORY_ARENA, stack_bytes(memory) - STACK_TOUCHED, STACK_TOUCHED);
	r = r ? r : map_windows(vm);
	r = r ? r : net_plug(vm, err);
	r = r ? r : net_show(vm);
	return r ? r : map_root(vm, err);
}

static char *put_string(char *at, const char *end, const char *s)
{
	size_t n = strlen(s) + 1;

	if (!at || n > (size_t)(end - at))
		return NULL;
	memcpy(at, s, n);
	return at + n;
}

/* Path, directory, arguments and environment at the start of the arena, where the kernel finds them. */
static int put_strings(struct vm *vm, uint64_t room, struct df_err *err)
{
	const struct options *o = vm->options;
	char *start = (char *)vm->memory.range[MEMORY_ARENA].host, *end = start + room;
	char *at = put_string(start, end, o->program);

	at = put_string(at, end, o->cwd);
	for (int i = 0; i < o->argc; i++)
		at = put_string(at, end, o->argv[i]);
	vm->boot->argc = (uint32_t)o->argc;
	for (char **e = o->envp; *e; e++, vm->boot->envc++)
		at = put_string(at, end, *e);
	if (!at)
		return df_err_set(err, -E2BIG,
			"arguments and environment are larger than %llu KiB; give more --memory",
			(unsigned long long)room >> 10);
	vm->boot->strings_bytes = (uint64_t)(at - start);
	return 0;
}

static int fill_boot(struct vm *vm, struct df_err *err)
{
	struct df_boot_info *b = vm->boot;
	const struct options *o = vm->options;
	uint64_t memory = vm->memory.range[MEMORY_ARENA].max_bytes;

	b->magic = DF_BOOT_MAGIC;
	b->abi_version = DF_ABI_VERSION;
	b->flags = (o->raw_root ? DF_BOOT_RAW_ROOT : 0) | (vm->has_events ? DF_BOOT_EVENTS : 0) |
		(vm->net.there ? DF_BOOT_NET : 0);
	b->in_bytes = vm->memory.range[MEMORY_IN].bytes;
	b->out_bytes = vm->memory.range[MEMORY_OUT].bytes;
	b->event.reply_max = b->out_bytes - DF_OUT_REPLY;
	b->event.log_max = DF_OUT_LOG_MAX;
	b->arena_bytes = vm->memory.range[MEMORY_ARENA].bytes;
	b->arena_max_bytes = memory;
	b->kheap_bytes = DF_KHEAP_FIRST;
	b->kstack_count = 1;
	b->stack_bytes = stack_bytes(memory);
	b->http_port = (uint32_t)o->http_port;
	b->feature_count = vm->kernel.feature_count;
	memcpy(b->feature, vm->kernel.feature, sizeof(b->feature));
	b->xcr0 = vm->xcr0;
	b->xsave_bytes = cpuid_xsave_bytes(vm->xcr0);
	b->pid = (uint32_t)getpid();
	gethostname(b->host_name, sizeof(b->host_name) - 1);
	if (getrandom(b->random, sizeof(b->random), 0) != sizeof(b->random))
		return df_err_set(err, -EIO, "no random bytes from the host");
	for (int i = 0; i < 3 && !vm->has_events; i++)
		stream_stat(i, &b->stream[i]);
	return put_strings(vm, b->stack_bytes / 2, err);
}

int vm_open(struct vm *vm, const struct options *o, struct df_err *err)
{
	int r;

	vm->options = o;
	vm->program = o->program;
	vm->iopl3 = o->test_iopl3;
	vm->net = o->net;
	if (o->memory_bytes < MIB || o->memory_bytes > DF_ARENA_MAX)
		return df_err_set(err, -EINVAL, "memory must be between 1 MiB and %llu GiB",
			DF_ARENA_MAX >> 30);
	r = kernel_image_open(&vm->kernel, o->kernel, o->features, err);
	r = r ? r : vm_open_kvm(&vm->kvm_fd, err);
	r = r ? r : cpuid_load(vm->kvm_fd, o->host_cache, err);
	r = r ? r : make_vm(vm, err);
	if (!r && vm->net.there)
		r = net_open(&vm->net, err);
	return r ? r : open_root(vm, err);
}

int vm_create(struct vm *vm, struct df_err *err)
{
	int r = build_memory(vm, err);

	r = r ? r : vcpu_create(vm, err);
	r = r ? r : fill_boot(vm, err);
	r = r ? r : clock_fill(vm, &vm->boot->time, err);
	r = r ? r
	      : vcpu_start_state(vm, vm->kernel.entry, vm->kernel.stub_syscall,
			vm->options->test_iopl3, err);
	if (r == -ENOMEM && !err->code)
		df_err_set(err, r, "no room for page tables");
	else if (r && !err->code)
		df_err_set(err, r, "can not set up guest memory: %s", df_errno_text(r));
	return r;
}

static void say(struct vm *vm, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));

static void say(struct vm *vm, const char *fmt, va_list args)
{
	size_t room = sizeof(vm->text) - vm->text_bytes;
	int n;

	if (!vm->has_events) {
		vfprintf(stderr, fmt, args);
		return;
	}
	n = vsnprintf(vm->text + vm->text_bytes, room, fmt, args);
	if (n > 0)
		vm->text_bytes += (uint32_t)((size_t)n < room ? (size_t)n : room - 1);
}

void vm_say(struct vm *vm, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(vm, fmt, args);
	va_end(args);
}

void vm_end(struct vm *vm, enum df_outcome outcome, int status, const char *fmt, ...)
{
	va_list args;

	vm->ended = true;
	vm->outcome = outcome;
	vm->status = status;
	if (!fmt)
		return;
	if (!vm->has_events)
		vm_say(vm, "dayfly: ");
	va_start(args, fmt);
	say(vm, fmt, args);
	va_end(args);
	vm_say(vm, "\n");
}
