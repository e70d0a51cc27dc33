// SPDX-License-Identifier: Apache-2.0
/*
 * One microVM: memory, page tables, the one vCPU, and what the monitor remembers while it runs.
 * Used from one thread, the vCPU's; signal handlers only set the flags marked so.
 */
#ifndef MONITOR_VM_H
#define MONITOR_VM_H

#include <dayfly/boot.h>
#include <linux/kvm.h>
#include <time.h>

#include "kernel_image.h"
#include "memory.h"
#include "options.h"
#include "tables.h"

struct vm {
	const struct options *options;
	int kvm_fd, vm_fd, vcpu_fd;
	struct kvm_run *run;
	uint64_t xcr0;
	struct memory memory;
	struct tables tables;
	struct kernel_image kernel;
	uint64_t system_pages; /* handed out of MEMORY_SYSTEM */

	/* Pages shared with the guest, host addresses. */
	struct df_boot_info *boot;
	struct df_request_page *request; /* the guest writes here at any time: copy before use */

	timer_t tick_timer;
	bool tick_timer_made;

	/* Result. */
	bool ended;
	int exit_status; /* what the monitor exits with */
	uint64_t exits;
	uint64_t start_ns; /* monotonic, when the monitor began */
};

/* Makes the VM with kernel, root image, page tables and boot info; ready to run. */
int vm_create(struct vm *vm, const struct options *o, struct df_err *err);
/* Runs the guest until it ends; vm->exit_status says how. */
void vm_run(struct vm *vm);
/* Plugs `bytes` more of a region and maps them at its window. -ENOMEM at its limit. */
int vm_grow(struct vm *vm, enum df_region region, uint64_t bytes);
/* Ends the instance with a message on standard error and this exit status. */
void vm_end(struct vm *vm, int exit_status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* One hypercall (calls.c). */
void vm_hypercall(struct vm *vm);

/* vCPU registers, MSRs and vector state for the first instruction (vcpu.c). */
int vcpu_create(struct vm *vm, struct df_err *err);
int vcpu_start_state(struct vm *vm, struct df_err *err);
/* Asks for a tick (vector DF_VECTOR_TICK) as soon as the guest can take one. */
void vcpu_request_tick(struct vm *vm);
/* For the test without an I/O bitmap: finishes the pending I/O and lets the guest see #GP. 0 or -errno. */
int vcpu_protection_fault(struct vm *vm);
/* Injects a requested tick if the guest can take it now; else asks KVM for a window. */
void vcpu_inject(struct vm *vm);

/* Fills df_time for now (clock.c). */
int clock_fill(struct vm *vm, struct df_time *t, struct df_err *err);
uint64_t clock_now_ns(void); /* host CLOCK_MONOTONIC, which is the guest's */

/* Host events for the vCPU thread (events.c). */
int events_init(struct vm *vm, struct df_err *err);
/* Arms the tick timer; 0, 0 disarms. */
void events_timer(struct vm *vm, uint64_t deadline_ns, uint64_t interval_ns);
/* Called after an interrupted KVM_RUN or wait: passes signals and ticks on, checks the time limit. */
void events_take(struct vm *vm);
/* True when events_take has something to do. */
bool events_pending(void);
struct pollfd;
/* ppoll that a host event interrupts (-1, EINTR), also one that came just before. */
int events_wait(struct pollfd *fds, unsigned n, const struct timespec *timeout);

#endif
