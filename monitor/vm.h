// SPDX-License-Identifier: Apache-2.0
/*
 * One microVM: memory, page tables, the one vCPU, and what the monitor remembers while it runs.
 * Used from one thread, the vCPU's; signal handlers only set the flags marked so.
 */
#ifndef MONITOR_VM_H
#define MONITOR_VM_H

#include <dayfly/boot.h>
#include <dayfly/wire.h>
#include <linux/kvm.h>
#include <signal.h>
#include <time.h>

#include "kernel_image.h"
#include "memory.h"
#include "options.h"
#include "net.h"
#include "tables.h"
#include "written.h"

/* Timers and flags of one vCPU thread (events.c). */
struct events {
	volatile sig_atomic_t tick_due, limit_due;
	timer_t tick, wall, cpu, again;
	bool tick_made, wall_made, cpu_made, again_made;
	/* When they will come, and the limits of what runs now: ns of the host's monotonic clock, cpu of
	 * the thread's CPU clock; 0: not at all. */
	uint64_t tick_armed, wall_armed, cpu_armed;
	uint64_t wall_deadline, cpu_deadline;
	uint64_t wall_limit, cpu_limit; /* ns, for the message */
	uint64_t unseen_since; /* there are signals that the guest's kernel has not taken yet */
};

struct vm {
	const struct options *options; /* run and freeze; else NULL */
	const char *program; /* its path, for messages */
	int kvm_fd, vm_fd, vcpu_fd;
	int root_fd;
	int outside; /* socket of the process outside the jail (outside.h); 0: none */
	int watch_fd; /* options.watch (watch.c); -1: none */
	unsigned watch_room; /* bytes that may be written to it yet */
	uint64_t root_bytes;
	struct kvm_run *run;
	uint64_t xcr0;
	bool iopl3; /* options.test_iopl3 */
	struct memory memory;
	struct tables tables;
	struct kernel_image kernel;
	uint64_t system_pages; /* handed out of MEMORY_SYSTEM */

	/* Pages shared with the guest, host addresses. */
	struct df_boot_info *boot;
	struct df_request_page *request; /* the guest writes here at any time: copy before use */

	struct events events;
	struct net net;

	/* A guest that is frozen, and thawed for events (DF_BOOT_EVENTS). */
	bool has_events; /* its streams are windows, not ours */
	bool frozen; /* memory is put back after each event */
	bool warm; /* DF_CALL_NEXT is allowed */
	bool waits; /* the guest stands behind that call */
	uint32_t wait_point; /* enum df_wait_point: it stands there; 0: it does not */
	uint64_t boot_log_bytes; /* standard error until it asked to be frozen */
	uint64_t clock_mult; /* df_time.mult of this host */
	uint64_t clock_ahead_ns; /* how far our CLOCK_MONOTONIC is ahead of the guest's */
	struct written *written; /* what to put back, or NULL */
	int (*thawed)(struct vm *vm); /* DF_CALL_THAWED, or NULL: not expected */

	/* Result. */
	bool ended;
	enum df_outcome outcome;
	int status; /* with DF_OUTCOME_EXIT and DF_OUTCOME_SIGNAL */
	uint64_t exits;
	uint64_t start_ns; /* monotonic, when the monitor began */
	/* With has_events: what would else have gone to standard error. */
	char text[DF_CONTROL_TEXT];
	uint32_t text_bytes;
};

/* How much of a region that grows is part of the system region, there from the start. Bytes. */
static inline uint64_t vm_grown_from(enum df_region region)
{
	return region == DF_REGION_KHEAP     ? DF_KHEAP_FIRST
		: region == DF_REGION_KSTACK ? DF_KSTACK_SIZE
					     : 0;
}

/* Opens what has a path: /dev/kvm, kernel and root image. */
int vm_open(struct vm *vm, const struct options *o, struct df_err *err);
/* Makes the VM with kernel, root image, page tables and boot info; ready to run. */
int vm_create(struct vm *vm, struct df_err *err);
/* Shows an event's windows, host memory of the caller, in the guest. Before vm_create. */
int vm_set_windows(struct vm *vm, uint8_t *in, uint64_t in_bytes, uint8_t *out, uint64_t out_bytes,
	struct df_err *err);
/* Opens /dev/kvm. */
int vm_open_kvm(int *fd, struct df_err *err);
/* Runs the guest until it ends; vm->outcome and vm->status say how. */
void vm_run(struct vm *vm);
/* Plugs `bytes` more of a region and maps them at its window. -ENOMEM at its limit. */
int vm_grow(struct vm *vm, enum df_region region, uint64_t bytes);
/* Ends the instance, with a message for the user unless fmt is NULL. */
void vm_end(struct vm *vm, enum df_outcome outcome, int status, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* A line or more for the user: to standard error, or with has_events into vm->text. */
void vm_say(struct vm *vm, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* One hypercall (calls.c). */
void vm_hypercall(struct vm *vm);

/* vCPU registers, MSRs and vector state for the first instruction (vcpu.c). */
int vcpu_create(struct vm *vm, struct df_err *err);
int vcpu_start_state(struct vm *vm, gva_t entry, gva_t stub_syscall, bool iopl3,
	struct df_err *err);
/* Asks for a tick (vector DF_VECTOR_TICK) as soon as the guest can take one. */
void vcpu_request_tick(struct vm *vm);
/* For the test without an I/O bitmap: finishes the pending I/O and lets the guest see #GP. 0 or -errno. */
int vcpu_protection_fault(struct vm *vm);
/* Registers of a vCPU that came out with an `out`, as they are behind it. */
int vcpu_get_regs(struct vm *vm, struct kvm_regs *regs);
/* Before a thawed guest is entered: loads null selectors. */
void vcpu_clean_selectors(void);
/* Injects a requested tick if the guest can take it now; else asks KVM for a window. */
void vcpu_inject(struct vm *vm);

/* Asks KVM how fast the time-stamp counter is (clock.c); clock_fill does it itself. */
int clock_init(struct vm *vm, struct df_err *err);
/* Fills df_time for now. */
int clock_fill(struct vm *vm, struct df_time *t, struct df_err *err);
/* Moves the base of all clocks to the present: they show the same as before. */
void clock_rebase(struct df_time *t);
/* After a thaw: MONOTONIC goes on from its base, the others show the host's time. */
void clock_thaw(struct vm *vm, const struct df_time *frozen, struct df_time *t);
uint64_t clock_now_ns(void); /* host CLOCK_MONOTONIC, which is the guest's */

/*
 * Host events for the vCPU thread (events.c). events_init: for `run`, passes signals on to the program
 * and arms its time limit. events_thread: the calling thread will run this vm.
 */
int events_init(struct vm *vm, struct df_err *err);
int events_thread(struct vm *vm, struct df_err *err);
/* Sets the limits of what runs from now on; 0: none. */
void events_limits(struct vm *vm, uint64_t wall_ns, uint64_t cpu_ns);
/* What ran is over: no ticks, no limits. */
void events_idle(struct vm *vm);
/* Arms the tick timer; 0, 0 disarms. */
void events_timer(struct vm *vm, uint64_t deadline_ns, uint64_t interval_ns);
/* Called after an interrupted KVM_RUN or wait: passes signals and ticks on, checks the limits. */
void events_take(struct vm *vm);
/* True when events_take has something to do. */
bool events_pending(const struct vm *vm);
struct pollfd;
/* ppoll that a host event interrupts (-1, EINTR), also one that came just before. */
int events_wait(const struct vm *vm, struct pollfd *fds, unsigned n,
	const struct timespec *timeout);

#endif
