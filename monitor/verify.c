// SPDX-License-Identifier: Apache-2.0
/* Is it pristine: see verify.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "verify.h"

struct verify {
	bool seen;
	uint64_t thawed_event; /* the last one that made the call */
	struct kvm_xsave xsave;
	struct kvm_debugregs debug;
	uint64_t fs, gs;
};

static const char *const region_name[] = {
	"arena", "kernel heap", "kernel stacks", "system", "page tables", "out"};

static void leak(struct instance *i, const char *what, uint64_t which)
{
	i->leaks++;
	fprintf(stderr, "dayfly-monitor: not pristine after event %llu: %s %#llx\n",
		(unsigned long long)i->events, what, (unsigned long long)which);
}

/* New with each thaw, and read-only to the guest; see struct df_boot_info. */
static void hide_volatile(struct df_boot_info *b)
{
	memset(&b->time, 0, sizeof(b->time));
	memset(b->random, 0, sizeof(b->random));
	memset(&b->event, 0, sizeof(b->event));
	b->pid = b->flags = 0;
	b->in_bytes = b->out_bytes = 0;
}

/* The boot page, but for what is new with each thaw. */
static bool boot_page_differs(const uint8_t *now, const uint8_t *then)
{
	uint8_t a[DF_PAGE_SIZE] __attribute__((aligned(64)));
	uint8_t b[DF_PAGE_SIZE] __attribute__((aligned(64)));

	memcpy(a, now, sizeof(a));
	memcpy(b, then, sizeof(b));
	hide_volatile((void *)a);
	hide_volatile((void *)b);
	return memcmp(a, b, sizeof(a));
}

static bool page_differs(const struct instance *i, enum memory_region r, uint64_t page)
{
	const uint8_t *now = i->vm.memory.range[r].host + (page << DF_PAGE_SHIFT);
	const uint8_t *then = pristine_page(i->pristine, r, page);
	uint64_t at = page << DF_PAGE_SHIFT;

	if (r == MEMORY_SYSTEM && at == i->pristine->header.boot_page)
		return boot_page_differs(now, then);
	/* Edits that undo those of the event: the thawed kernel takes them first of all. */
	if (r == MEMORY_SYSTEM && i->apply &&
		at - i->pristine->header.apply_page < sizeof(struct df_apply))
		return false;
	return memcmp(now, then, DF_PAGE_SIZE);
}

uint32_t verify_memory(struct instance *i)
{
	const struct memory *m = &i->vm.memory;

	i->leaks = 0;
	for (enum memory_region r = 0; r < MEMORY_OUT; r++)
		for (uint64_t page = 0; page < m->range[r].plugged >> DF_PAGE_SHIFT; page++)
			if (page_differs(i, r, page))
				leak(i, region_name[r], page);
	return i->leaks;
}

/* The windows are put back when the next event comes. */
static void verify_windows(struct instance *i)
{
	static const uint8_t zeros[DF_PAGE_SIZE];

	for (uint64_t at = 0; i->vm.net.there && at < DF_NET_GUEST_BYTES; at += DF_PAGE_SIZE)
		if (memcmp(i->vm.net.memory + at, zeros, DF_PAGE_SIZE))
			leak(i, "network device", at >> DF_PAGE_SHIFT);
	for (uint64_t page = 0; page < i->out_bytes >> DF_PAGE_SHIFT; page++)
		if (page_differs(i, MEMORY_OUT, page))
			leak(i, region_name[MEMORY_OUT], page);
}

static uint64_t first_difference(const void *one, const void *other)
{
	const uint8_t *a = one, *b = other;
	uint64_t at = 0;

	while (a[at] == b[at])
		at++;
	return at;
}

/* Made by each guest after each thaw, just before the program goes on. */
static int thawed(struct vm *vm)
{
	struct instance *i = (struct instance *)((char *)vm - offsetof(struct instance, vm));
	struct verify *v = i->verified;
	struct verify now = {.seen = true};
	struct kvm_sregs s;

	/* Once a thaw: what a program makes of the call later has other registers. */
	if (v->thawed_event == i->events)
		return -EINVAL;
	v->thawed_event = now.thawed_event = i->events;
	if (ioctl(vm->vcpu_fd, KVM_GET_XSAVE, &now.xsave) ||
		ioctl(vm->vcpu_fd, KVM_GET_SREGS, &s) ||
		ioctl(vm->vcpu_fd, KVM_GET_DEBUGREGS, &now.debug))
		return -errno;
	now.fs = s.fs.base;
	now.gs = s.gs.base;
	/* DR6 says what the last debug exception was; no code of ring 3 can read it. */
	now.debug.dr6 = 0;
	if (!v->seen) {
		*v = now;
		return 0;
	}
	if (memcmp(&v->xsave, &now.xsave, sizeof(now.xsave)))
		leak(i, "vector state, byte", first_difference(&v->xsave, &now.xsave));
	if (memcmp(&v->debug, &now.debug, sizeof(now.debug)))
		leak(i, "debug registers", 0);
	if (v->fs != now.fs || v->gs != now.gs)
		leak(i, "FS or GS base", now.fs);
	return 0;
}

int verify_init(struct instance *i, struct df_err *err)
{
	i->verified = calloc(1, sizeof(*i->verified));
	if (!i->verified)
		return df_err_set(err, -ENOMEM, "out of memory");
	i->vm.thawed = thawed;
	return 0;
}

int verify_cpu(struct instance *i)
{
	struct kvm_sync_regs want = i->vm.run->s.regs, have;
	int vcpu = i->vm.vcpu_fd;

	verify_windows(i);
	i->vm.run->immediate_exit = 1;
	i->vm.run->kvm_valid_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS;
	if (!ioctl(vcpu, KVM_RUN, 0) || errno != EINTR)
		return -EIO;
	have = i->vm.run->s.regs;
	i->vm.run->immediate_exit = 0;
	i->vm.run->kvm_valid_regs = 0;
	if (memcmp(&want.regs, &have.regs, sizeof(want.regs)))
		leak(i, "registers, RIP", have.regs.rip);
	if (memcmp(&want.sregs, &have.sregs, sizeof(want.sregs)))
		leak(i, "system registers", 0);
	if (memcmp(&want.events.exception, &have.events.exception, sizeof(want.events.exception)) ||
		memcmp(&want.events.interrupt, &have.events.interrupt,
			sizeof(want.events.interrupt)))
		leak(i, "pending exceptions", 0);
	i->vm.run->s.regs = want;
	return 0;
}
