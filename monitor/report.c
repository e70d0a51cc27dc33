// SPDX-License-Identifier: Apache-2.0
/* Reports for the user: see report.h. Each is one write where possible, so that lines stay whole. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "backtrace.h"
#include "outside.h"
#include "report.h"
#include "watch.h"

/* Bytes of the UTF-8 character at p that is fit to be shown; 0: it is none. */
static unsigned character(const unsigned char *p)
{
	unsigned n = *p < 0x80 ? 1
		: *p < 0xc2    ? 0
		: *p < 0xe0    ? 2
		: *p < 0xf0    ? 3
		: *p < 0xf5    ? 4
			       : 0;

	if (n == 1)
		return (*p >= 32 && *p != 127) || *p == '\n' || *p == '\t';
	for (unsigned i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* U+0080 to U+009f are control characters. */
	return n == 2 && *p == 0xc2 && p[1] < 0xa0 ? 0 : n;
}

void report_clean(char *text)
{
	unsigned char *p = (unsigned char *)text;

	while (*p) {
		unsigned n = character(p);

		if (!n)
			*p = '?';
		p += n ? n : 1;
	}
}

void report_log(struct vm *vm, enum df_log_kind kind, const char *text)
{
	char line[DF_DATA_BYTES + 128];

	if (kind == DF_LOG_WATCH) {
		watch_line(vm, text);
		return;
	}
	if (kind == DF_LOG_TRACE)
		snprintf(line, sizeof(line), "%s\n", text);
	else if (kind == DF_LOG_NOTE)
		snprintf(line, sizeof(line), "dayfly: %s\n", text);
	else {
		if (outside_ask(vm->outside, OUTSIDE_MISSING, text))
			outside_receive(vm->outside, line, sizeof(line));
		return;
	}
	report_clean(line);
	vm_say(vm, "%s", line);
}

static void print_regs(struct vm *vm, const struct df_regs *r)
{
	const uint64_t *v = (const uint64_t *)r;
	static const char *const name[] = {"r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10",
		"r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi", "rip", "flg", "rsp"};
	static const int order[] = {10, 5, 11, 12, 13, 14, 4, 17, 9, 8, 7, 6, 3, 2, 1, 0, 15, 16};

	for (unsigned i = 0; i < 18; i++)
		vm_say(vm, "  %-3s %016llx%s", name[order[i]], (unsigned long long)v[order[i]],
			i % 4 == 3 || i == 17 ? "\n" : "");
}

/* The signals that end in a report (kernel/core/program.c: dumps_core). */
static const char *signal_name(uint32_t signal)
{
	static const char *const names[] = {
		[SIGQUIT] = "SIGQUIT",
		[SIGILL] = "SIGILL",
		[SIGTRAP] = "SIGTRAP",
		[SIGABRT] = "SIGABRT",
		[SIGBUS] = "SIGBUS",
		[SIGFPE] = "SIGFPE",
		[SIGSEGV] = "SIGSEGV",
		[SIGXCPU] = "SIGXCPU",
		[SIGXFSZ] = "SIGXFSZ",
		[SIGSYS] = "SIGSYS",
	};

	return signal < sizeof(names) / sizeof(names[0]) ? names[signal] : NULL;
}

/* What the processor objected to, in words. Empty: no exception, the signal was sent. */
static void describe(char *out, size_t size, const struct df_fault *f)
{
	static const char *const words[32] = {
		[0] = "division by zero or overflow",
		[1] = "single step",
		[3] = "breakpoint",
		[4] = "overflow trap",
		[5] = "bound check",
		[6] = "invalid instruction",
		[7] = "no floating-point unit",
		[10] = "invalid task state",
		[11] = "segment not present",
		[12] = "stack segment fault",
		[13] = "privileged instruction or bad address",
		[16] = "floating-point error",
		[17] = "unaligned access",
		[19] = "floating-point error (SSE)",
	};

	*out = 0;
	if (f->vector == 14)
		snprintf(out, size, ": %s address %#llx, %s",
			f->error & 16          ? "executing"
				: f->error & 2 ? "writing"
					       : "reading",
			(unsigned long long)f->address,
			f->signal == SIGBUS    ? "behind the end of the file"
				: f->error & 1 ? "not allowed"
					       : "not mapped");
	else if (f->vector < 32 && words[f->vector])
		snprintf(out, size, ": %s", words[f->vector]);
}

void report_fault(struct vm *vm, const uint8_t *data)
{
	struct df_fault f;
	char maps[DF_DATA_BYTES - sizeof(f) + 1], what[100];

	memcpy(&f, data, sizeof(f));
	memcpy(maps, data + sizeof(f), sizeof(maps) - 1);
	maps[sizeof(maps) - 1] = 0;
	report_clean(maps);
	if (!signal_name(f.signal)) {
		vm_end(vm, DF_OUTCOME_STOPPED, 0,
			"stopped: the guest reported a crash with signal %u", f.signal);
		return;
	}
	describe(what, sizeof(what), &f);
	vm_say(vm, "%s%s died of %s%s\n", vm->has_events ? "" : "dayfly: ", vm->program,
		signal_name(f.signal), what);
	print_regs(vm, &f.regs);
	if (!vm->has_events)
		backtrace_program(vm, &f.regs, maps);
	vm_end(vm, DF_OUTCOME_SIGNAL, (int)f.signal, NULL);
}

void report_panic(struct vm *vm, const uint8_t *data, uint64_t bytes)
{
	char text[512];

	snprintf(text, sizeof(text), "%.*s", (int)(bytes < 500 ? bytes : 500), (const char *)data);
	report_clean(text);
	report_stop(vm, *text ? text : "it could not say why");
}

void report_stop(struct vm *vm, const char *what)
{
	struct df_regs regs;
	struct kvm_regs r;

	vm_end(vm, DF_OUTCOME_STOPPED, 0,
		"the dayfly kernel failed: %s\n"
		"dayfly: unless the program attacks its own kernel this is our fault; please report it with"
		" the lines below",
		what);
	if (ioctl(vm->vcpu_fd, KVM_GET_REGS, &r))
		return;
	regs = (struct df_regs){r.r15, r.r14, r.r13, r.r12, r.rbp, r.rbx, r.r11, r.r10, r.r9, r.r8,
		r.rax, r.rcx, r.rdx, r.rsi, r.rdi, r.rip, r.rflags, r.rsp};
	print_regs(vm, &regs);
	if (!vm->has_events)
		backtrace_kernel(vm, &regs);
}

static double tsc_to_us(const struct df_time *t, uint64_t ticks)
{
	return (double)ticks * (double)t->mult / 4294967296.0 / 1e3;
}

void report_stats(const struct vm *vm)
{
	const struct df_time *t = &vm->boot->time;
	uint64_t now = clock_now_ns(), main_ns, kernel = vm->kernel.pages << DF_PAGE_SHIFT;
	struct df_guest_stats s;

	memcpy(&s, &vm->request->stats, sizeof(s));
	/* When the program got control; a guest that lies only spoils its own line. */
	main_ns = t->monotonic_base_ns + (uint64_t)(tsc_to_us(t, s.main_tsc - t->tsc_base) * 1e3);
	if (!s.main_tsc || main_ns > now || main_ns < vm->start_ns)
		main_ns = now;
	fprintf(stderr,
		"boot %.1f ms · run %.1f ms · %llu system calls (%llu kinds) · %llu exits · kernel %llu KiB"
		" · memory %llu KiB · guest %.0f us · %llu traps · %llu sites rewritten · %llu page faults\n",
		(double)(main_ns - vm->start_ns) / 1e6, (double)(now - main_ns) / 1e6,
		(unsigned long long)s.system_calls, (unsigned long long)s.kinds,
		(unsigned long long)vm->exits, (unsigned long long)kernel >> 10,
		(unsigned long long)memory_resident(&vm->memory) >> 10,
		tsc_to_us(t, s.main_tsc - vm->boot->boot_tsc), (unsigned long long)s.traps,
		(unsigned long long)s.rewritten_sites, (unsigned long long)s.faults);
}
