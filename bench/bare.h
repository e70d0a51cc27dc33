/*
 * The least virtual machine that runs code in ring 3, for measuring what this machine's KVM costs without any
 * product around it. One vCPU, one memory slot of BARE_PAGES pages at guest address 0, identity mapped.
 *
 * Everything is checked; a failure says which step and ends the process. Not a library: bench/bare.c and
 * bench/bare-vm.c include it, one process makes one machine.
 */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

/* What lies in which page. Tables, descriptors and TSS are the supervisor's, the rest is ring 3's. */
enum {
	BARE_PML4 = 0x1000,
	BARE_PDPT = 0x2000,
	BARE_PD = 0x3000,
	BARE_PT = 0x4000,
	BARE_GDT = 0x5000,
	BARE_TSS = 0x6000,
	BARE_STUB = 0x7000,
	BARE_CODE = 0x8000,
	BARE_STACK = 0x9000,
	BARE_PAGES = 10,
};

#define BARE_PORT 0x80
#define BARE_CS_RING0 0x10
#define BARE_SS_RING3 0x2b
#define BARE_CS_RING3 0x33

struct bare_vm {
	int vcpu;
	struct kvm_run *run;
	uint8_t *memory;
};

static inline void bare_check(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "%s: %s\n", what, strerror(errno));
		exit(1);
	}
}

/* Page tables: ring 3 may use stub, code and stack. Accessed and Dirty are set in advance. */
static inline void bare_tables(uint8_t *memory)
{
	uint64_t *pt = (uint64_t *)(memory + BARE_PT);

	*(uint64_t *)(memory + BARE_PML4) = BARE_PDPT | 0x27;
	*(uint64_t *)(memory + BARE_PDPT) = BARE_PD | 0x27;
	*(uint64_t *)(memory + BARE_PD) = BARE_PT | 0x27;
	for (uint64_t page = 1; page < BARE_PAGES; page++)
		pt[page] = page << 12 | (page << 12 >= BARE_STUB ? 0x67 : 0x63);
}

/* GDT with flat segments of both rings, and a TSS whose I/O bitmap allows BARE_PORT alone. */
static inline void bare_descriptors(uint8_t *memory)
{
	uint64_t *gdt = (uint64_t *)(memory + BARE_GDT);
	uint8_t *tss = memory + BARE_TSS;

	gdt[BARE_CS_RING0 / 8] = 0x00af9b000000ffff;
	gdt[BARE_CS_RING0 / 8 + 1] = 0x00cf93000000ffff;
	gdt[BARE_SS_RING3 / 8] = 0x00cff3000000ffff;
	gdt[BARE_CS_RING3 / 8] = 0x00affb000000ffff;
	*(uint16_t *)(tss + 0x66) = 0x68;
	memset(tss + 0x68, 0xff, 64);
	tss[0x68 + BARE_PORT / 8] &= (uint8_t) ~(1 << BARE_PORT % 8);
}

/* Long mode, ring 3, system calls on. */
static inline void bare_sregs(struct kvm_sregs *s)
{
	struct kvm_segment code = {.limit = 0xffffffff,
		.selector = BARE_CS_RING3,
		.type = 11,
		.present = 1,
		.dpl = 3,
		.s = 1,
		.l = 1,
		.g = 1};
	struct kvm_segment data = {.limit = 0xffffffff,
		.selector = BARE_SS_RING3,
		.type = 3,
		.present = 1,
		.dpl = 3,
		.db = 1,
		.s = 1,
		.g = 1};
	struct kvm_segment tss = {
		.base = BARE_TSS, .limit = 0x68 + 63, .selector = 0x40, .type = 11, .present = 1};

	s->cs = code;
	s->ss = s->ds = s->es = s->fs = s->gs = data;
	s->tr = tss;
	s->gdt.base = BARE_GDT;
	s->gdt.limit = 0x4f;
	s->cr0 = 0x80050033; /* PG AM WP NE ET MP PE */
	s->cr3 = BARE_PML4;
	s->cr4 = 0x620; /* PAE OSFXSR OSXMMEXCPT */
	s->efer = 0x501; /* SCE LME LMA */
}

/* Makes the machine and copies `code` (at most a page) to where it will start. */
static inline void bare_init(struct bare_vm *vm, const void *code, size_t code_bytes)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	bare_check(kvm >= 0, "open /dev/kvm");
	int fd = ioctl(kvm, KVM_CREATE_VM, 0);
	bare_check(fd >= 0, "KVM_CREATE_VM");

	vm->memory = mmap(NULL, BARE_PAGES << 12, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bare_check(vm->memory != MAP_FAILED, "mmap");
	struct kvm_userspace_memory_region slot = {
		.memory_size = BARE_PAGES << 12, .userspace_addr = (uint64_t)vm->memory};
	bare_check(ioctl(fd, KVM_SET_USER_MEMORY_REGION, &slot) == 0, "KVM_SET_USER_MEMORY_REGION");

	vm->vcpu = ioctl(fd, KVM_CREATE_VCPU, 0);
	bare_check(vm->vcpu >= 0, "KVM_CREATE_VCPU");
	int run_bytes = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	bare_check(run_bytes > 0, "KVM_GET_VCPU_MMAP_SIZE");
	vm->run = mmap(NULL, (size_t)run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vm->vcpu, 0);
	bare_check(vm->run != MAP_FAILED, "mmap of the vCPU");

	bare_tables(vm->memory);
	bare_descriptors(vm->memory);
	memcpy(vm->memory + BARE_CODE, code, code_bytes);

	struct kvm_sregs sregs;
	bare_check(ioctl(vm->vcpu, KVM_GET_SREGS, &sregs) == 0, "KVM_GET_SREGS");
	bare_sregs(&sregs);
	bare_check(ioctl(vm->vcpu, KVM_SET_SREGS, &sregs) == 0, "KVM_SET_SREGS");
	/* QEMU's emulation of AMD-V does not read the I/O bitmap; I/O privilege level 3 serves there. */
	struct kvm_regs regs = {.rip = BARE_CODE, .rsp = BARE_STACK + 0x1000, .rflags = 0x3002};
	bare_check(ioctl(vm->vcpu, KVM_SET_REGS, &regs) == 0, "KVM_SET_REGS");
}

/* Runs until the guest's next OUT to BARE_PORT. Anything else ends the process. */
static inline void bare_run(struct bare_vm *vm)
{
	bare_check(ioctl(vm->vcpu, KVM_RUN, 0) == 0, "KVM_RUN");
	if (vm->run->exit_reason != KVM_EXIT_IO || vm->run->io.port != BARE_PORT) {
		struct kvm_regs regs = {0};
		ioctl(vm->vcpu, KVM_GET_REGS, &regs);
		fprintf(stderr, "unexpected exit %u at %#llx\n", vm->run->exit_reason, regs.rip);
		exit(1);
	}
}

#endif
