// SPDX-License-Identifier: Apache-2.0
/*
 * Walks the stack and names what it finds, with libdw: call frame information, symbols (also those of
 * .gnu_debugdata) and lines. Guest memory comes from guest_word(), ELF files from files_find().
 *
 * A chain that goes wrong (a damaged stack, a function without frame information) ends the backtrace
 * with a line that says so. Frames beyond BACKTRACE_FRAMES are counted, up to COUNTED.
 */
#include <elfutils/libdwfl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "helper.h"

#define COUNTED 100000
#define PID 1 /* libdw wants one; it means nothing here */

struct walk {
	const struct backtrace_head *head;
	const struct files *files;
	struct df_regs regs;
	unsigned frames; /* met so far */
	bool cut; /* COUNTED was reached */
	bool called; /* regs.rip is a return address */
};

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Unbuffered: what is known is told even if the next step fails. */
static void say(const char *format, ...)
{
	char line[1024];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (n >= (int)sizeof(line)) {
		n = sizeof(line) - 1;
		line[n - 1] = '\n';
	}
	if (n > 0 && write(1, line, (size_t)n) != n)
		_exit(1);
}

/* --- modules --- */

static const struct backtrace_module *module_at(const struct walk *w, uint64_t pc)
{
	for (unsigned i = 0; i < w->head->module_count; i++)
		if (pc >= w->head->module[i].start && pc < w->head->module[i].end)
			return &w->head->module[i];
	return NULL;
}

static int find_elf(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base,
	char **file_name, Elf **elf)
{
	(void)mod, (void)name, (void)base, (void)file_name;
	*elf = *userdata;
	*userdata = NULL;
	return -1;
}

static int find_debuginfo(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base,
	const char *file_name, const char *link, GElf_Word crc, char **debug_name)
{
	(void)mod, (void)userdata, (void)name, (void)base;
	(void)file_name, (void)link, (void)crc, (void)debug_name;
	return -1;
}

static const Dwfl_Callbacks callbacks = {
	.find_elf = find_elf,
	.find_debuginfo = find_debuginfo,
};

/*
 * Where the segments of the file lie in memory, from the one that m shows. start and end are those
 * of the whole file as libdw computes them.
 */
static bool place(Elf *elf, const struct backtrace_module *m, uint64_t *start, uint64_t *end)
{
	uint64_t low = UINT64_MAX, high = 0, bias = 0;
	bool found = m->offset == BACKTRACE_AS_LINKED;
	size_t count;

	if (elf_getphdrnum(elf, &count))
		return false;
	for (size_t i = 0; i < count && i < 64; i++) {
		GElf_Phdr ph;
		uint64_t align, offset;

		if (!gelf_getphdr(elf, (int)i, &ph) || ph.p_type != PT_LOAD)
			continue;
		align = ph.p_align ? ph.p_align : 1;
		offset = df_page_down(ph.p_offset);
		if (low == UINT64_MAX)
			low = ph.p_vaddr & -align;
		if (ph.p_vaddr + ph.p_memsz > high)
			high = ph.p_vaddr + ph.p_memsz;
		if (!found && (ph.p_flags & PF_X) && m->offset >= offset &&
			m->offset - offset < ph.p_filesz + 4096) {
			bias = m->start - (df_page_down(ph.p_vaddr) + (m->offset - offset));
			found = true;
		}
	}
	*start = low + bias;
	*end = high + bias;
	return found && *end > *start;
}

static void report_module(Dwfl *dwfl, const struct walk *w, const struct backtrace_module *m)
{
	uint64_t bytes, start, end;
	Dwfl_Module *mod;
	void **userdata;
	uint8_t *data;
	Elf *elf;

	if (!files_find(w->files, m->path, &data, &bytes))
		return;
	elf = elf_memory((char *)data, bytes);
	if (!elf)
		return;
	if (elf_kind(elf) != ELF_K_ELF || !place(elf, m, &start, &end)) {
		elf_end(elf);
		return;
	}
	mod = dwfl_addrmodule(dwfl, start) ? NULL : dwfl_report_module(dwfl, m->path, start, end);
	if (!mod) {
		elf_end(elf);
		return;
	}
	dwfl_module_info(mod, &userdata, NULL, NULL, NULL, NULL, NULL, NULL);
	*userdata = elf;
}

/* --- frames --- */

/* From libsupc++, part of the C++ ABI (cxxabi.h is for C++ only). */
char *__cxa_demangle(const char *name, char *buffer, size_t *length, int *status);

/* The name as its language has it. It is never freed: this process is soon gone. */
static const char *plain_name(const char *name)
{
	char *plain = !strncmp(name, "_Z", 2) ? __cxa_demangle(name, NULL, NULL, NULL) : NULL;

	return plain ? plain : name;
}

static void print_frame(const struct walk *w, Dwfl *dwfl, uint64_t pc, bool at_fault)
{
	/* A return address may lie behind its function's end: look at the call. */
	uint64_t look = pc - !at_fault;
	const struct backtrace_module *m = module_at(w, look);
	Dwfl_Module *mod = dwfl_addrmodule(dwfl, look);
	const char *name = NULL, *file = NULL;
	char source[300] = "";
	GElf_Off offset = 0;
	GElf_Sym symbol;
	Dwfl_Line *line;
	int number = 0;

	if (mod) {
		name = dwfl_module_addrinfo(mod, look, &offset, &symbol, NULL, NULL, NULL);
		line = dwfl_module_getsrc(mod, look);
		file = line ? dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL) : NULL;
	}
	if (file)
		snprintf(source, sizeof(source), " at %.*s:%d", 280, file, number);
	if (name)
		say("  #%-2u %016lx %.400s+%#lx in %.200s%s\n", w->frames, pc, plain_name(name),
			offset + !at_fault, m ? m->path : "?", source);
	else if (m)
		say("  #%-2u %016lx in %.200s+%#lx%s\n", w->frames, pc, m->path,
			pc - m->start + (m->offset == BACKTRACE_AS_LINKED ? 0 : m->offset), source);
	else
		say("  #%-2u %016lx in no file\n", w->frames, pc);
}

static int on_frame(Dwfl_Frame *frame, void *arg)
{
	struct walk *w = arg;
	bool activation = false;
	Dwarf_Addr pc;

	if (!dwfl_frame_pc(frame, &pc, &activation))
		return DWARF_CB_ABORT;
	if (w->frames < BACKTRACE_FRAMES)
		print_frame(w, dwfl_thread_dwfl(dwfl_frame_thread(frame)), pc,
			activation && !(w->called && w->frames == 1));
	if (++w->frames >= COUNTED) {
		w->cut = true;
		return DWARF_CB_ABORT;
	}
	return DWARF_CB_OK;
}

static pid_t next_thread(Dwfl *dwfl, void *arg, void **thread_arg)
{
	(void)dwfl;
	if (*thread_arg)
		return 0;
	*thread_arg = arg;
	return PID;
}

static bool memory_read(Dwfl *dwfl, Dwarf_Addr at, Dwarf_Word *out, void *arg)
{
	uint64_t word;

	(void)dwfl, (void)arg;
	if (!guest_word(at, &word))
		return false;
	*out = word;
	return true;
}

static bool set_registers(Dwfl_Thread *thread, void *arg)
{
	const struct walk *w = arg;
	const struct df_regs *r = &w->regs;
	/* In the order of the ABI's DWARF numbers. */
	const Dwarf_Word words[17] = {r->rax, r->rdx, r->rcx, r->rbx, r->rsi, r->rdi, r->rbp,
		r->rsp, r->r8, r->r9, r->r10, r->r11, r->r12, r->r13, r->r14, r->r15, r->rip};

	return dwfl_thread_state_registers(thread, 0, 17, words);
}

static const Dwfl_Thread_Callbacks thread_callbacks = {
	.next_thread = next_thread,
	.memory_read = memory_read,
	.set_initial_registers = set_registers,
};

/* A jump to nowhere: the caller's address is on the stack, as a `ret` would find it. */
static void leave_nowhere(struct walk *w, Dwfl *dwfl)
{
	uint64_t back;

	if (module_at(w, w->regs.rip) || !guest_word(w->regs.rsp, &back) || !module_at(w, back))
		return;
	print_frame(w, dwfl, w->regs.rip, true);
	w->frames++;
	w->regs.rip = back;
	w->regs.rsp += 8;
	w->called = true;
}

void unwind_print(const struct backtrace_head *head, const struct files *files)
{
	struct walk w = {.head = head, .files = files, .regs = head->regs};
	Dwfl *dwfl = dwfl_begin(&callbacks);
	int r;

	elf_version(EV_CURRENT);
	if (!dwfl)
		return;
	dwfl_report_begin(dwfl);
	for (unsigned i = 0; i < head->module_count; i++)
		report_module(dwfl, &w, &head->module[i]);
	dwfl_report_end(dwfl, NULL, NULL);
	leave_nowhere(&w, dwfl);
	if (!dwfl_attach_state(dwfl, NULL, PID, &thread_callbacks, &w)) {
		print_frame(&w, dwfl, w.regs.rip, true);
		return;
	}
	r = dwfl_getthread_frames(dwfl, PID, on_frame, &w);
	if (w.frames > BACKTRACE_FRAMES)
		say("  ... %s%u more\n", w.cut ? "more than " : "", w.frames - BACKTRACE_FRAMES);
	else if (r < 0 && !w.cut)
		say("  ... the next caller can not be found (%s)\n", dwfl_errmsg(-1));
}
