// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target of the monitor's hypercalls, without KVM: a whole VM is made by vm_create() with ioctl()
 * and a few more calls replaced (--wrap, see meson.build), then the input is read as requests.
 *
 * Checked: no access outside guest memory (what lies behind a plugged part is poisoned for the address
 * sanitizer), streams are only given arena memory, and at the end no table shows anything it must not.
 */
#include "monitor/streams.h"
#include "monitor/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
#endif

#define MEMORY (8u << 20)
#define VCPU_BYTES 12288
#define BEHIND 65536u /* poisoned behind each slot */
#define REQUESTS_MAX 200
#define MAPPINGS_MAX 64
#define PAGES_MAX (1u << 22) /* of all MAP requests of an input: so that one stays fast */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct vm vm;
static int root_fd; /* root image */
static char root_path[32];

static struct {
	void *at;
	size_t bytes;
} mappings[MAPPINGS_MAX];
static unsigned mapping_count;
static bool running; /* mappings are the monitor's */

static void check(bool good)
{
	if (!good)
		abort();
}

/* --- what the monitor calls instead of the system --- */

int __real_open64(const char *path, int flags, ...);
void *__real_mmap64(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
void *__wrap_mmap64(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
off_t __wrap_lseek64(int fd, off_t offset, int whence);
int __wrap_timer_create(void);
int __wrap_timer_settime(void);
int __real_sigaction(int signal, const struct sigaction *act, struct sigaction *old);
int __wrap_sigaction(int signal, const struct sigaction *act, struct sigaction *old);

int __wrap_open64(const char *path, int flags, ...)
{
	return __real_open64(strcmp(path, "/dev/kvm") ? path : "/dev/null", flags, 0600);
}

static int vcpu_new(void)
{
	int fd = memfd_create("vcpu", MFD_CLOEXEC);

	check(fd >= 0 && !ftruncate(fd, VCPU_BYTES));
	return fd;
}

static int slot_set(const struct kvm_userspace_memory_region *r)
{
	uint8_t *host = (uint8_t *)r->userspace_addr;

	check(!(r->memory_size & DF_PAGE_MASK) && !(r->guest_phys_addr & DF_PAGE_MASK));
	if (!r->memory_size)
		return 0;
	/* No more than was poisoned: the shadow of a gigabyte would cost memory itself. */
	ASAN_UNPOISON_MEMORY_REGION(host, r->memory_size < BEHIND ? r->memory_size : BEHIND);
	ASAN_POISON_MEMORY_REGION(host + r->memory_size, BEHIND);
	return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	switch (request) {
	case KVM_CREATE_VM:
		return dup(fd);
	case KVM_CREATE_VCPU:
		return vcpu_new();
	case KVM_GET_VCPU_MMAP_SIZE:
		return VCPU_BYTES;
	case KVM_GET_SUPPORTED_CPUID:
		((struct kvm_cpuid2 *)arg)->nent = 0;
		return 0;
	case KVM_GET_SREGS:
		memset(arg, 0, sizeof(struct kvm_sregs));
		return 0;
	case KVM_GET_REGS:
		memset(arg, 0, sizeof(struct kvm_regs));
		return 0;
	case KVM_SET_MSRS:
		return (int)((struct kvm_msrs *)arg)->nmsrs;
	case KVM_GET_TSC_KHZ:
		return 2000000;
	case KVM_RUN:
		/* Nothing runs; who enters for a moment comes out at once. */
		errno = EINTR;
		return -1;
	case KVM_SET_USER_MEMORY_REGION:
		return slot_set(arg);
	default:
		return 0;
	}
}

void *__wrap_mmap64(void *at, size_t bytes, int prot, int flags, int fd, off_t offset)
{
	void *p = __real_mmap64(at, bytes, prot, flags, fd, offset);

	if (running && p != MAP_FAILED && !(flags & MAP_FIXED)) {
		check(mapping_count < MAPPINGS_MAX);
		mappings[mapping_count].at = p;
		mappings[mapping_count++].bytes = bytes;
	}
	return p;
}

off_t __wrap_lseek64(int fd, off_t offset, int whence)
{
	(void)fd, (void)offset, (void)whence;
	errno = ESPIPE;
	return -1;
}

int __wrap_timer_create(void)
{
	return 0;
}

int __wrap_timer_settime(void)
{
	return 0;
}

/* libFuzzer's own alarm comes through here, too. */
int __wrap_sigaction(int signal, const struct sigaction *act, struct sigaction *old)
{
	return signal == SIGALRM ? __real_sigaction(signal, act, old) : 0;
}

/* Stands for streams.c: the buffer must be arena memory, all of it there. */
static void check_buffer(const void *buf, uint64_t bytes)
{
	const struct memory_range *arena = &vm.memory.range[MEMORY_ARENA];
	uint64_t at = (uint64_t)((const uint8_t *)buf - arena->host);

	if (!bytes)
		return;
	check(at < arena->bytes && bytes <= arena->bytes - at);
}

int64_t stream_read(const struct vm *of, int stream, void *buf, uint64_t bytes,
	uint64_t deadline_ns)
{
	(void)of, (void)deadline_ns;
	check(stream >= 0 && stream < 3);
	check_buffer(buf, bytes);
	if (bytes) {
		((volatile uint8_t *)buf)[0] = 1;
		((volatile uint8_t *)buf)[bytes - 1] = 1;
	}
	return (int64_t)bytes;
}

int64_t stream_write(const struct vm *of, int stream, const void *buf, uint64_t bytes,
	uint64_t deadline_ns)
{
	return stream_read(of, stream, (void *)(uintptr_t)buf, bytes, deadline_ns);
}

unsigned streams_wait(const struct vm *of, unsigned interest, uint64_t deadline_ns)
{
	(void)of, (void)deadline_ns;
	check(interest < 8);
	return interest;
}

int64_t stream_tty(int stream, uint64_t request, void *data)
{
	(void)request;
	check(stream >= 0 && stream < 3);
	memset(data, 1, 64);
	return 0;
}

void stream_stat(int stream, struct df_stream_stat *out)
{
	check(stream >= 0 && stream < 3);
	memset(out, 0, sizeof(*out));
}

void streams_restore(void)
{
}

/* --- one VM per input --- */

static void vm_new(void)
{
	static char *argv[] = {"prog", NULL}, *envp[] = {"A=b", NULL};
	static const struct options options = {
		.kernel = KERNEL_PATH,
		.root = root_path,
		.program = "/prog",
		.cwd = "/",
		.features = "files,tmp,tasks,events,signals",
		.memory_bytes = MEMORY,
		.argc = 1,
		.argv = argv,
		.envp = envp,
	};
	struct df_err err = {0};

	memset(&vm, 0, sizeof(vm));
	mapping_count = 0;
	running = true;
	if (vm_open(&vm, &options, &err) || vm_create(&vm, &err) || events_init(&vm, &err)) {
		printf("vm_create: %s\n", err.text);
		abort();
	}
}

static void vm_drop(void)
{
	running = false;
	close(vm.kvm_fd);
	close(vm.vm_fd);
	close(vm.vcpu_fd);
	close(vm.kernel.fd);
	close(vm.root_fd);
	for (int r = 0; r < MEMORY_REGIONS; r++)
		ASAN_UNPOISON_MEMORY_REGION(vm.memory.range[r].host + vm.memory.range[r].bytes,
			BEHIND);
	for (unsigned i = 0; i < mapping_count; i++)
		munmap(mappings[i].at, mappings[i].bytes);
}

/* --- tables: what each window may show --- */

static bool in_region(enum memory_region r, gpa_t gpa, uint64_t bytes)
{
	const struct memory_range *range = &vm.memory.range[r];
	uint64_t end = (range->bytes + DF_LARGE_MASK) & ~DF_LARGE_MASK;

	return gpa >= range->gpa && gpa - range->gpa < end && bytes <= end - (gpa - range->gpa);
}

static void check_leaf(gva_t va, uint64_t entry, uint64_t bytes)
{
	gpa_t gpa = entry & 0x000ffffffffff000 & ~(bytes - 1);
	bool write = entry & 2, user = entry & 4;

	if (df_va_is_program(va, bytes))
		check(user &&
			(in_region(MEMORY_ARENA, gpa, bytes) ||
				(in_region(MEMORY_FILES, gpa, bytes) && !write)));
	else if (va < DF_VA_KHEAP + DF_KHEAP_FIRST ||
		(va >= DF_VA_KSTACK && va < DF_VA_KSTACK + DF_KSTACK_STRIDE))
		check(in_region(MEMORY_SYSTEM, gpa, bytes));
	else if (va < DF_VA_KSTACK)
		check(in_region(MEMORY_KHEAP, gpa, bytes));
	else if (va < DF_VA_TABLES)
		check(in_region(MEMORY_KSTACK, gpa, bytes));
	else if (va < DF_VA_FILES)
		check(in_region(MEMORY_TABLES, gpa, bytes) && !user);
	else
		check(in_region(MEMORY_FILES, gpa, bytes) && !write);
}

static void check_table(gpa_t gpa, gva_t va, int level)
{
	const uint64_t *table = memory_at(&vm.memory, gpa, DF_PAGE_SIZE, false);

	check(table && in_region(MEMORY_TABLES, gpa, DF_PAGE_SIZE));
	for (unsigned i = 0; i < 512; i++) {
		gva_t at = va + ((gva_t)i << (12 + 9 * level));

		if (!(table[i] & 1))
			continue;
		if (!level || (table[i] & 0x80))
			check_leaf(at, table[i], 1ULL << (12 + 9 * level));
		else
			check_table(table[i] & 0x000ffffffffff000, at, level - 1);
	}
}

/* The list that ring 0 will apply: entries of tables, nothing else. */
static void check_apply(void)
{
	const struct df_apply *a = vm.tables.apply;

	check(a->count <= DF_APPLY_MAX);
	for (uint64_t i = 0; i < a->count; i++)
		check(a->edit[i].entry >= DF_VA_TABLES && !(a->edit[i].entry & 7) &&
			a->edit[i].entry - DF_VA_TABLES < vm.memory.range[MEMORY_TABLES].bytes);
}

/* --- the input as requests --- */

struct input {
	const uint8_t *at;
	size_t left;
};

static uint64_t take(struct input *in, unsigned bytes)
{
	uint64_t v = 0;

	if (bytes > in->left)
		bytes = (unsigned)in->left;
	memcpy(&v, in->at, bytes);
	in->at += bytes;
	in->left -= bytes;
	return v;
}

/* Numbers near those that matter. */
static uint64_t take_number(struct input *in)
{
	static const uint64_t bases[] = {0, DF_GPA_SYSTEM, DF_GPA_TABLES_END - DF_PAGE_SIZE,
		DF_GPA_KHEAP, DF_GPA_KSTACK, DF_GPA_ARENA, DF_GPA_FILES, DF_VA_KERNEL, DF_VA_TABLES,
		DF_VA_FILES, DF_VA_MAP, DF_VA_ARENA, DF_VA_PROGRAM_MAX, DF_GPA_ARENA + MEMORY,
		1ULL << 63, 0x5401};
	uint8_t kind = (uint8_t)take(in, 1);

	switch (kind >> 4 & 7) {
	case 0:
		return kind & 15;
	case 1:
		return take(in, 8);
	case 2:
		return bases[kind & 15] + (take(in, 3) << 12);
	case 3:
		return bases[kind & 15] - take(in, 1);
	case 4:
		return take(in, 2);
	case 5:
		return -take(in, 2);
	case 6:
		return take(in, 4);
	default:
		return bases[kind & 15] + take(in, 2);
	}
}

static uint64_t fill_ranges(struct input *in, uint64_t *pages)
{
	struct df_map_range *r = (struct df_map_range *)vm.request->data;
	uint64_t n = take(in, 1) % (DF_MAP_RANGES_MAX + 2);

	for (uint64_t i = 0; i < n && i < DF_MAP_RANGES_MAX; i++) {
		uint32_t flags;

		r[i].va = take_number(in);
		r[i].pages = take_number(in);
		flags = (uint32_t)take(in, 1);
		r[i].prot = flags == 0x88 ? flags : flags & 7;
		r[i].gpa = r[i].prot ? take_number(in) : 0;
		r[i].copy_bytes = flags & 0x10 ? (uint32_t)take_number(in) : 0;
		r[i].source = r[i].copy_bytes ? take_number(in) : 0;
		*pages += r[i].pages;
		if (!in->left)
			return i + 1;
	}
	return n;
}

static bool one_request(struct input *in, uint64_t *pages)
{
	struct df_request *q = &vm.request->request;

	q->call = (uint32_t)take(in, 1);
	if (q->call < 0xf0)
		q->call %= DF_CALL_COUNT + 1;
	for (unsigned i = 0; i < 4; i++)
		q->arg[i] = 0;
	if (q->call == DF_CALL_MAP) {
		q->arg[0] = fill_ranges(in, pages);
		if (*pages > PAGES_MAX)
			return false;
	} else {
		uint64_t bytes = take(in, 1);

		for (unsigned i = 0; i < 4; i++)
			q->arg[i] = take_number(in);
		if (bytes & 1)
			for (unsigned i = 0; i < 40 * (bytes >> 4); i++)
				vm.request->data[i * 5 % DF_DATA_BYTES] = (uint8_t)take(in, 1);
	}
	vm_hypercall(&vm);
	check_apply();
	return !vm.ended;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	uint64_t pages = 0;

	vm_new();
	for (unsigned i = 0; i < REQUESTS_MAX && in.left && one_request(&in, &pages); i++)
		;
	check_table(tables_root(&vm.tables), 0, 3);
	vm_drop();
	return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	root_fd = memfd_create("root", 0);
	check(root_fd >= 0 && !ftruncate(root_fd, 100001));
	snprintf(root_path, sizeof(root_path), "/proc/self/fd/%d", root_fd);
	/* The monitor says much to a user who is not there. */
	stderr = fopen("/dev/null", "w");
	return 0;
}
