// SPDX-License-Identifier: Apache-2.0
/* How the program ends: exits, deadly signals, and the crash report's raw material. */
#include <kernel/core/hypercall.h>
#include <kernel/core/ids.h>
#include <kernel/core/program.h>
#include <kernel/mm/mm.h>
#include <kernel/mm/user.h>
#include <kernel/sys/table.h>
#include <asm/signal.h>

void program_exit(int status, int signal)
{
	/* An event ends with one exit: the rehearsal has said what there is to say. */
	if (boot_info->event.mode != DF_MODE_EVENT || signal) {
		if (fs_hooks.at_exit)
			fs_hooks.at_exit(signal ? 128 + signal : status);
		table_report_missing(status || signal);
		table_count();
	}
	for (;;)
		hypercall(DF_CALL_EXIT, (uint64_t)status & 255, (uint64_t)signal, 0, 0);
}

/* Linux dumps core for these. */
static bool dumps_core(int signal)
{
	switch (signal) {
	case SIGQUIT:
	case SIGILL:
	case SIGTRAP:
	case SIGABRT:
	case SIGBUS:
	case SIGFPE:
	case SIGSEGV:
	case SIGXCPU:
	case SIGXFSZ:
	case SIGSYS:
		return true;
	default:
		return false;
	}
}

/* One line per executable mapping, for finding symbols: start-end offset path. */
static void list_code(char *out, size_t size)
{
	char path[256];
	struct vma *v;
	size_t n = 0;

	out[0] = 0;
	list_for_each(v, &vma_list, node) {
		if (!(v->prot & DF_PROT_EXEC) || n + 300 > size)
			continue;
		if (!v->file || !v->file->ops->path ||
			v->file->ops->path(v->file, path, sizeof(path)) < 0)
			ksnprintf(path, sizeof(path), "[anonymous]");
		n += (size_t)ksnprintf(out + n, size - n, "%lx-%lx %lx %s\n", v->start, v->end,
			v->offset, path);
	}
}

void program_die(int signal, int code, gva_t address)
{
	const struct frame *f = current->frame;
	struct df_fault *d = (struct df_fault *)request_page->data;

	if (!dumps_core(signal))
		program_exit(0, signal);
	if (fs_hooks.at_exit)
		fs_hooks.at_exit(128 + signal);
	table_report_missing(true);
	table_count();
	*d = (struct df_fault){
		.signal = (uint32_t)signal,
		.code = (uint32_t)code,
		.address = address,
		.vector = f->orig_rax == (uint64_t)-1 ? (uint32_t)f->vector : 255,
		.error = (uint32_t)f->error,
		.thread = (uint32_t)tid_shown(current),
		.regs = {f->r15, f->r14, f->r13, f->r12, f->rbp, f->rbx, f->r11, f->r10, f->r9,
			f->r8, f->rax, f->rcx, f->rdx, f->rsi, f->rdi, f->rip, f->rflags, f->rsp},
	};
	list_code((char *)(d + 1), DF_DATA_BYTES - sizeof(*d));
	for (;;)
		hypercall(DF_CALL_FAULT, 0, 0, 0, 0);
}
