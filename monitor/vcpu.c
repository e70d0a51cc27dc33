// SPDX-License-Identifier: Apache-2.0
/*
 * The vCPU: the state of its first instruction, which is already long mode, ring 3, in the kernel's
 * entry; and ticks, which are injected as external interrupts.
 */
#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "guest_cpuid.h"
#include "vm.h"

#ifndef HWCAP2_FSGSBASE
#define HWCAP2_FSGSBASE 2
#endif
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_SFMASK 0xc0000084
#define FLAGS_MASKED 0x44500 /* AC NT DF TF: cleared by the syscall instruction. IF: see stub.S */

/* The first entry makes a kernel thread, which the jail's limits forbid: have it made before. */
static int first_entry(struct vm *vm, struct df_err *err)
{
	vm->run->immediate_exit = 1;
	if (!ioctl(vm->vcpu_fd, KVM_RUN, 0) || errno != EINTR)
		return df_err_set(err, -EIO, "KVM_RUN: %s", df_errno_text(errno));
	vm->run->immediate_exit = 0;
	return 0;
}

int vcpu_create(struct vm *vm, struct df_err *err)
{
	int bytes = ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	int r;

	vm->vcpu_fd = ioctl(vm->vm_fd, KVM_CREATE_VCPU, 0);
	if (vm->vcpu_fd < 0 || bytes <= 0)
		return df_err_set(err, -errno, "KVM can not make a vCPU: %s", df_errno_text(errno));
	vm->run = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vm->vcpu_fd, 0);
	if (vm->run == MAP_FAILED)
		return df_err_set(err, -errno, "can not map the vCPU: %s", df_errno_text(errno));
	r = cpuid_set(vm->vcpu_fd, err);
	vm->xcr0 = cpuid_xcr0();
	return r ? r : first_entry(vm, err);
}

static struct kvm_segment code_segment(void)
{
	return (struct kvm_segment){.limit = 0xffffffff,
		.selector = DF_CS_USER,
		.type = 11,
		.present = 1,
		.dpl = 3,
		.s = 1,
		.l = 1,
		.g = 1};
}

static struct kvm_segment data_segment(uint16_t selector, uint8_t dpl)
{
	return (struct kvm_segment){.limit = 0xffffffff,
		.selector = selector,
		.type = 3,
		.present = 1,
		.dpl = dpl,
		.db = 1,
		.s = 1,
		.g = 1,
		.unusable = !selector};
}

static int set_sregs(struct vm *vm, struct df_err *err)
{
	struct kvm_sregs s;

	if (ioctl(vm->vcpu_fd, KVM_GET_SREGS, &s))
		return df_err_set(err, -errno, "KVM_GET_SREGS: %s", df_errno_text(errno));
	s.cs = code_segment();
	s.ss = data_segment(DF_SS_USER, 3);
	s.ds = s.es = s.fs = s.gs = data_segment(0, 3);
	s.tr = (struct kvm_segment){.base = DF_VA_TSS,
		.limit = 0x68 + DF_PORT / 8 + 1,
		.selector = DF_TSS_SELECTOR,
		.type = 11,
		.present = 1};
	s.gdt.base = DF_VA_GDT;
	s.gdt.limit = DF_TSS_SELECTOR + 15;
	s.idt.base = DF_VA_IDT;
	s.idt.limit = (DF_VECTOR_TICK + 1) * 16 - 1;
	s.cr0 = 0x80010033; /* PG WP NE ET MP PE; no AM: unaligned access is no fault */
	s.cr3 = tables_root(&vm->tables);
	s.cr4 = 0x10620 | (vm->xcr0 ? 0x40000 : 0); /* PAE OSFXSR OSXMMEXCPT FSGSBASE OSXSAVE */
	s.efer = 0xd01; /* SCE LME LMA NXE */
	if (ioctl(vm->vcpu_fd, KVM_SET_SREGS, &s))
		return df_err_set(err, -errno, "KVM_SET_SREGS: %s", df_errno_text(errno));
	return 0;
}

static int set_msrs(struct vm *vm, gva_t stub_syscall, struct df_err *err)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry[3];
	} msrs = {
		.head.nmsrs = 3,
		.entry =
			{
				/* sysretq loads SS from the high half + 8 and CS from it + 16 */
				{.index = MSR_STAR,
					.data = (uint64_t)(DF_SS_USER - 8) << 48 |
						(uint64_t)DF_CS_KERNEL << 32},
				{.index = MSR_LSTAR, .data = stub_syscall},
				{.index = MSR_SFMASK, .data = FLAGS_MASKED},
			},
	};

	if (ioctl(vm->vcpu_fd, KVM_SET_MSRS, &msrs) != 3)
		return df_err_set(err, -errno, "KVM_SET_MSRS: %s", df_errno_text(errno));
	return 0;
}

/* Guest and host read the same time-stamp counter. Paravirtual KVM has no offset to set: there they
 * are the same anyway. */
static void align_tsc(struct vm *vm)
{
	uint64_t zero = 0;
	struct kvm_device_attr attr = {
		.group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (uint64_t)&zero};

	ioctl(vm->vcpu_fd, KVM_SET_DEVICE_ATTR, &attr);
}

int vcpu_start_state(struct vm *vm, gva_t entry, gva_t stub_syscall, bool iopl3, struct df_err *err)
{
	struct kvm_regs regs = {
		.rip = entry,
		/* Below the place of the first frame, aligned as behind a call. */
		.rsp = DF_VA_KSTACK + DF_KSTACK_STRIDE - 256 - 8,
		.rflags = 0x202 | (iopl3 ? 0x3000 : 0),
	};
	struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs[0] = {.xcr = 0, .value = vm->xcr0}};
	int r = set_sregs(vm, err);

	r = r ? r : set_msrs(vm, stub_syscall, err);
	if (r)
		return r;
	align_tsc(vm);
	if (vm->xcr0 && ioctl(vm->vcpu_fd, KVM_SET_XCRS, &xcrs))
		return df_err_set(err, -errno, "KVM_SET_XCRS: %s", df_errno_text(errno));
	if (ioctl(vm->vcpu_fd, KVM_SET_REGS, &regs))
		return df_err_set(err, -errno, "KVM_SET_REGS: %s", df_errno_text(errno));
	return 0;
}

void vcpu_request_tick(struct vm *vm)
{
	vm->run->request_interrupt_window = 1;
}

void vcpu_inject(struct vm *vm)
{
	struct kvm_interrupt tick = {.irq = DF_VECTOR_TICK};

	if (!vm->run->request_interrupt_window || !vm->run->ready_for_interrupt_injection)
		return;
	vm->run->request_interrupt_window = 0;
	/* The kernel has not taken the last tick's frame yet: it will look at everything then. */
	if (__atomic_exchange_n(&vm->request->tick_pending, 1, __ATOMIC_ACQ_REL))
		return;
	ioctl(vm->vcpu_fd, KVM_INTERRUPT, &tick);
}

int vcpu_protection_fault(struct vm *vm)
{
	struct kvm_vcpu_events events;

	/* The instruction must be over, else KVM would finish it on top of the injected fault. */
	vm->run->immediate_exit = 1;
	if (!ioctl(vm->vcpu_fd, KVM_RUN, 0) || errno != EINTR)
		return -EIO;
	vm->run->immediate_exit = 0;
	if (ioctl(vm->vcpu_fd, KVM_GET_VCPU_EVENTS, &events))
		return -errno;
	events.exception.injected = 1;
	events.exception.nr = 13;
	events.exception.has_error_code = 1;
	events.exception.error_code = 0;
	return ioctl(vm->vcpu_fd, KVM_SET_VCPU_EVENTS, &events) ? -errno : 0;
}

int vcpu_get_regs(struct vm *vm, struct kvm_regs *regs)
{
	/* The `out` must be over: some KVMs leave RIP on it until the next entry. */
	vm->run->immediate_exit = 1;
	if (!ioctl(vm->vcpu_fd, KVM_RUN, 0) || errno != EINTR)
		return -EIO;
	vm->run->immediate_exit = 0;
	return ioctl(vm->vcpu_fd, KVM_GET_REGS, regs) ? -errno : 0;
}

/*
 * On paravirtual KVM data selectors leak from guest to guest and into the monitor, and KVM neither shows
 * nor sets them. Loading them touches the FS base, where the C library's thread pointer is.
 */
void vcpu_clean_selectors(void)
{
	uint64_t fs;

	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE))
		return;
	__asm__ volatile("rdfsbase %0\n\t"
			 "mov %1, %%ds\n\t"
			 "mov %1, %%es\n\t"
			 "mov %1, %%fs\n\t"
			 "mov %1, %%gs\n\t"
			 "wrfsbase %0"
			 : "=&r"(fs)
			 : "r"(0)
			 : "memory");
}
