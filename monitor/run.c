// SPDX-License-Identifier: Apache-2.0
/* The run loop: enter the guest, see why it came out, act. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "report.h"
#include "vm.h"

static void handle_io(struct vm *vm)
{
	const struct kvm_run *run = vm->run;

	if (run->io.port != DF_PORT || run->io.direction != KVM_EXIT_IO_OUT || run->io.size != 1 ||
		run->io.count != 1) {
		/* Only the test that gives ring 3 every port can come here with another one. */
		if (!vm->iopl3 || vcpu_protection_fault(vm))
			vm_end(vm, DF_OUTCOME_STOPPED, 0, "stopped: the guest used I/O port %#x",
				run->io.port);
		return;
	}
	vm_hypercall(vm);
	if (events_pending(vm))
		events_take(vm);
}

static void handle_exit(struct vm *vm)
{
	char what[128];

	switch (vm->run->exit_reason) {
	case KVM_EXIT_IO:
		handle_io(vm);
		return;
	case KVM_EXIT_IRQ_WINDOW_OPEN:
	case KVM_EXIT_INTR:
		return;
	case KVM_EXIT_SHUTDOWN:
		report_stop(vm, "triple fault");
		return;
	case KVM_EXIT_MMIO:
		snprintf(what, sizeof(what), "access to unmapped guest memory at %#llx",
			(unsigned long long)vm->run->mmio.phys_addr);
		report_stop(vm, what);
		return;
	case KVM_EXIT_INTERNAL_ERROR:
		snprintf(what, sizeof(what), "KVM could not emulate an instruction (%u)",
			vm->run->internal.suberror);
		report_stop(vm, what);
		return;
	default:
		snprintf(what, sizeof(what), "unexpected exit %u of KVM", vm->run->exit_reason);
		report_stop(vm, what);
	}
}

void vm_run(struct vm *vm)
{
	while (!vm->ended) {
		vcpu_inject(vm);
		if (ioctl(vm->vcpu_fd, KVM_RUN, 0) == 0) {
			vm->exits++;
			handle_exit(vm);
		} else if (errno == EINTR || errno == EAGAIN) {
			events_take(vm);
		} else {
			char what[128];

			snprintf(what, sizeof(what), "KVM_RUN: %s", strerror(errno));
			report_stop(vm, what);
		}
	}
}
