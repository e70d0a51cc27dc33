// SPDX-License-Identifier: Apache-2.0
/*
 * Loading a program: ELF and `#!`, for boot and for execve in place.
 *
 * The executable is a struct file; its segments become private file mappings, all shown in one batch
 * of page-table changes. Everything that can fail is checked before the old program is torn down.
 */
#include <kernel/arch/x86_64/arch.h>
#include <kernel/core/elf.h>
#include <kernel/core/hypercall.h>
#include <kernel/core/program.h>
#include <kernel/core/raw_root.h>
#include <kernel/mm/arena.h>
#include <kernel/mm/map.h>
#include <kernel/mm/rewrite.h>
#include <kernel/mm/user.h>
#include <kernel/time/vdso.h>
#include <linux/auxvec.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/stat.h>

#define PROT_RW (PROT_READ | PROT_WRITE)
#define HEAD_PAGES 1 /* ELF header, program headers and interpreter name are looked for here */
#define HEAD_BYTES (HEAD_PAGES * DF_PAGE_SIZE)
#define SCRIPT_DEPTH 4
#define VECTOR_MAX 4096 /* arguments or variables */
#define RANDOM_BYTES 16
#define BSS_AT_ONCE \
	(1ULL << 20) /* a bss up to this size gets its frames with the first page tables */
#define PATH_BYTES 4096

struct program program;
struct fs_hooks fs_hooks;
struct net_hooks net_hooks;

/* One ELF file to load. */
struct object {
	struct file *file;
	struct elf_info elf;
	gva_t bias; /* added to its addresses */
};

struct load {
	char *head; /* arena frames */
	struct object main, interp;
	char interp_path[ELF_INTERP_MAX];
};

static int open_program(const char *path, struct file **out)
{
	if (boot_info->flags & DF_BOOT_RAW_ROOT && !fs_hooks.open)
		return raw_root_open(path, out);
	if (fs_hooks.open)
		return fs_hooks.open(path, O_RDONLY, 0, out);
	return raw_root_open(path, out);
}

static int read_head(struct load *l, struct file *f)
{
	uint64_t pos = 0;
	int64_t n;

	struct stat st = {.st_mode = S_IXUSR};

	memset(l->head, 0, HEAD_BYTES);
	if (!f->ops->read || !f->ops->frame || (f->ops->stat && f->ops->stat(f, &st)) ||
		!(st.st_mode & 0111))
		return -EACCES;
	n = f->ops->read(f, l->head, HEAD_BYTES, &pos, 0);
	return n < 0 ? (int)n : 0;
}

static int open_object(struct load *l, struct object *o, const char *path)
{
	int r = open_program(path, &o->file);

	if (r)
		return r;
	r = read_head(l, o->file);
	return r ? r : elf_parse(l->head, HEAD_BYTES, &o->elf);
}

/* Chooses addresses: as linked, or anywhere for position-independent files. */
static int choose_bias(struct object *o)
{
	gva_t at;

	if (!o->elf.relocatable) {
		if (!df_va_is_program(o->elf.start, o->elf.end - o->elf.start) ||
			in_arena(o->elf.start))
			return -ENOEXEC;
		return 0;
	}
	at = vma_place(o->elf.end - o->elf.start, DF_PAGE_SIZE);
	o->bias = at - o->elf.start;
	return at ? 0 : -ENOMEM;
}

static int map_segment(struct object *o, const struct elf_segment *s)
{
	gva_t start = o->bias + df_page_down(s->va), file_end = o->bias + s->va + s->file_bytes;
	gva_t end = df_page_up(o->bias + s->va + s->memory_bytes);
	gva_t map_end = s->file_bytes ? df_page_up(file_end) : start;
	struct vma *v;
	int r = 0;

	if (vma_find(start, true) && vma_find(start, true)->start < end)
		return -ENOEXEC;
	if (map_end > start) {
		v = vma_add(start, map_end, s->prot, 0, o->file,
			s->offset - (s->va & DF_PAGE_MASK));
		if (!v)
			return -ENOMEM;
		/* The rest of the last file page belongs to the bss. */
		if (s->memory_bytes > s->file_bytes && (s->prot & PROT_WRITE) &&
			(file_end & DF_PAGE_MASK))
			r = vma_copy_page(v, df_page_down(file_end), file_end & DF_PAGE_MASK);
		/* A large program is shown as it is used. */
		if (!r && map_end - start <= 1024 * DF_PAGE_SIZE)
			r = vma_populate(v, start, false);
	}
	if (!r && end > map_end) {
		v = vma_add(map_end, end, s->prot, 0, NULL, 0);
		if (!v)
			return -ENOMEM;
		r = end - map_end <= BSS_AT_ONCE ? vma_populate_run(v, map_end, end)
						 : vma_populate(v, map_end, true);
	}
	return r;
}

static int map_object(struct object *o)
{
	for (unsigned i = 0; i < o->elf.segment_count; i++) {
		int r = map_segment(o, &o->elf.segment[i]);

		if (r)
			return r == -ENODATA ? -ENOEXEC : r;
	}
	return 0;
}

/* --- the initial stack --- */

struct aux {
	uint64_t key, value;
};

#define AUX_COUNT 21

static void fill_aux(const struct load *l, struct aux *a, gva_t random, gva_t path, gva_t platform)
{
	const struct object *m = &l->main;
	uint32_t ax = 1, bx, cx = 0, hwcap;

	__asm__("cpuid" : "+a"(ax), "=b"(bx), "+c"(cx), "=d"(hwcap));
	const struct aux all[AUX_COUNT] = {
		{AT_SYSINFO_EHDR, vdso_address()},
		{AT_HWCAP, hwcap},
		{AT_HWCAP2, 2}, /* FSGSBASE works in user space */
		{AT_MINSIGSTKSZ, boot_info->xsave_bytes + 1024},
		{AT_PAGESZ, DF_PAGE_SIZE},
		{AT_CLKTCK, 100},
		{AT_PHDR, m->bias + m->elf.phdr_va},
		{AT_PHENT, m->elf.phdr_bytes},
		{AT_PHNUM, m->elf.phdr_count},
		{AT_BASE, l->interp.file ? l->interp.bias : 0},
		{AT_FLAGS, 0},
		{AT_ENTRY, m->bias + m->elf.entry},
		{AT_UID, 0},
		{AT_EUID, 0},
		{AT_GID, 0},
		{AT_EGID, 0},
		{AT_SECURE, 0},
		{AT_RANDOM, random},
		{AT_EXECFN, path},
		{AT_PLATFORM, platform},
		{AT_NULL, 0},
	};

	memcpy(a, all, sizeof(all));
}

static uint64_t vector_bytes(char *const v[], unsigned *n)
{
	uint64_t bytes = 0;

	for (*n = 0; v[*n]; ++*n)
		bytes += strlen(v[*n]) + 1;
	return bytes;
}

/* Copies the strings to `at` and their addresses, NULL-ended, to `out`. Returns the end of the strings. */
static gva_t put_strings(gva_t at, char *const v[], uint64_t **out)
{
	for (; *v; v++) {
		size_t n = strlen(*v) + 1;

		*(*out)++ = at;
		memcpy((void *)at, *v, n);
		at += n;
	}
	*(*out)++ = 0;
	return at;
}

/*
 * The top of the stack as the ABI says, from high to low: path, environment and argument strings,
 * platform and random bytes, then (lowest, at rsp) argc, argv, envp, auxv. Sizes first, so that
 * everything is written once and in place.
 */
static int build_stack(const struct load *l, const char *path, char *const argv[],
	char *const envp[])
{
	unsigned argc, envc;
	uint64_t args = vector_bytes(argv, &argc), env = vector_bytes(envp, &envc);
	gva_t path_at = program.stack_top - 16 - strlen(path) - 1;
	gva_t small, sp;
	uint64_t *out;

	program.env_start = path_at - env;
	program.args_end = program.env_start;
	program.args_start = program.args_end - args;
	program.env_end = path_at;
	small = (program.args_start - 8 - RANDOM_BYTES) & ~15ULL; /* random bytes, then "x86_64" */
	sp = (small - (1 + argc + 1 + envc + 1) * 8 - AUX_COUNT * sizeof(struct aux)) & ~15ULL;
	out = (uint64_t *)sp;
	*out++ = argc;
	put_strings(program.args_start, argv, &out);
	put_strings(program.env_start, envp, &out);
	memcpy((void *)path_at, path, strlen(path) + 1);
	random_bytes((void *)small, RANDOM_BYTES);
	memcpy((void *)(small + RANDOM_BYTES), "x86_64", 7);
	fill_aux(l, (struct aux *)out, small, path_at, small + RANDOM_BYTES);
	kfree((void *)program.auxv);
	program.auxv_bytes = AUX_COUNT * sizeof(struct aux);
	program.auxv = kmalloc(program.auxv_bytes);
	if (program.auxv)
		memcpy((void *)program.auxv, out, program.auxv_bytes);
	current->frame->rsp = sp;
	return program.auxv ? 0 : -ENOMEM;
}

static void start_at(gva_t entry)
{
	struct frame *f = current->frame;
	uint64_t sp = f->rsp;

	memset(f, 0, sizeof(*f));
	f->orig_rax = (uint64_t)-1;
	f->rip = entry;
	f->rsp = sp;
	f->rflags = 0x202;
	f->cs = arch_cs();
	f->ss = arch_ss();
	arch_set_fs_base(0);
	arch_set_gs_base(0);
	arch_xreset();
	current->work |= WORK_RETURN;
}

static void load_free(struct load *l)
{
	if (l->main.file)
		file_unref(l->main.file);
	if (l->interp.file)
		file_unref(l->interp.file);
	if (l->head)
		frames_free(l->head, HEAD_PAGES);
	kfree(l);
}

static int load_new(struct load **out)
{
	struct load *l = kzalloc(sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->head = frames_alloc(HEAD_PAGES);
	if (!l->head) {
		kfree(l);
		return -ENOMEM;
	}
	*out = l;
	return 0;
}

static unsigned count(char *const v[])
{
	unsigned n = 0;

	while (v[n])
		n++;
	return n;
}

/* Strings and vectors must leave room for the program on its stack. */
static int check_sizes(char *const argv[], char *const envp[])
{
	uint64_t bytes = 0, room = boot_info->stack_bytes / 2;

	if (count(argv) >= VECTOR_MAX || count(envp) >= VECTOR_MAX)
		return -E2BIG;
	for (unsigned i = 0; argv[i]; i++)
		bytes += strlen(argv[i]) + 9;
	for (unsigned i = 0; envp[i]; i++)
		bytes += strlen(envp[i]) + 9;
	return bytes + DF_PAGE_SIZE > room ? -E2BIG : 0;
}

static void set_identity(struct file *f, const char *path)
{
	const char *base = str_last(path, '/');

	char *buf = kmalloc(PATH_BYTES);

	if (!buf)
		return;
	/* What the path led to: it may have been a link, or /proc/self/exe. */
	if (!fs_hooks.open || !f->ops->path || f->ops->path(f, buf, PATH_BYTES) < 0)
		ksnprintf(buf, PATH_BYTES, "%s", path);
	kfree(program.path);
	program.path = buf;
	ksnprintf(current->name, sizeof(current->name), "%s", base ? base + 1 : path);
}

static int replace_program(struct load *l, const char *path, char *const argv[], char *const envp[])
{
	gva_t stack_low = DF_VA_ARENA;
	int r;

	if (task_hooks.exec)
		task_hooks.exec();
	if (signal_hooks.exec)
		signal_hooks.exec();
	fd_close_on_exec();
	rewrite_reset();
	r = vma_unmap(DF_VA_PROGRAM_MIN, DF_VA_PROGRAM_MAX);
	if (r)
		return r;
	program.stack_low = stack_low;
	program.stack_top = stack_low + boot_info->stack_bytes;
	program.brk_start = program.brk = program.stack_top;
	if (!vma_add(stack_low, program.stack_top, PROT_RW, VMA_LINEAR | VMA_STACK, NULL, 0))
		return -ENOMEM;
	set_identity(l->main.file, path);
	r = choose_bias(&l->main);
	r = r ? r : map_object(&l->main);
	if (!r && l->interp.file) {
		r = choose_bias(&l->interp);
		r = r ? r : map_object(&l->interp);
	}
	map_flush();
	return r ? r : build_stack(l, path, argv, envp);
}

/* Opens the program and its interpreter; nothing of the old one is touched. */
static int prepare(struct load *l, const char *path)
{
	int r = open_object(l, &l->main, path);

	if (r || !l->main.elf.interp_bytes)
		return r;
	memcpy(l->interp_path, l->head + l->main.elf.interp_offset, l->main.elf.interp_bytes);
	r = open_object(l, &l->interp, l->interp_path);
	if (r == -ENOENT)
		note("%s, the dynamic linker that %s names, is not in the root file system",
			l->interp_path, path);
	return r;
}

static int exec_elf(struct load *l, const char *path, char *const argv[], char *const envp[])
{
	int r = check_sizes(argv, envp);

	r = r ? r : prepare(l, path);
	if (r)
		return r;
	r = replace_program(l, path, argv, envp);
	if (r) {
		note("%s can not be loaded: %s", path,
			r == -ENOMEM ? "out of memory; give it more with --memory"
				     : "damaged ELF file");
		program_exit(126, 0);
	}
	start_at(l->interp.file ? l->interp.bias + l->interp.elf.entry
				: l->main.bias + l->main.elf.entry);
	return 0;
}

/* Splits "#! interpreter [argument]"; both are ended in place. */
static int script_parse(char *line, char **interp, char **arg)
{
	char *p = line + 2;

	*arg = NULL;
	while (*p == ' ' || *p == '\t')
		p++;
	*interp = p;
	while (*p && *p != ' ' && *p != '\t' && *p != '\n')
		p++;
	if (p == *interp)
		return -ENOEXEC;
	if (*p && *p != '\n') {
		*p++ = 0;
		while (*p == ' ' || *p == '\t')
			p++;
		if (*p && *p != '\n')
			*arg = p;
	}
	for (; *p && *p != '\n'; p++)
		;
	*p = 0;
	/* Spaces at the end do not belong to the argument. */
	while (*arg && p > *arg && (p[-1] == ' ' || p[-1] == '\t'))
		*--p = 0;
	return 0;
}

static int exec_depth(const char *path, char *const argv[], char *const envp[], int depth)
{
	char line[256], *interp, *arg, **args;
	struct load *l;
	unsigned n = 0, argc = count(argv);
	int r = load_new(&l);

	if (r)
		return r;
	r = exec_elf(l, path, argv, envp);
	memcpy(line, l->head, sizeof(line));
	line[sizeof(line) - 1] = 0;
	load_free(l);
	if (r != -ENOEXEC || line[0] != '#' || line[1] != '!')
		return r;
	if (!depth)
		return -ELOOP;
	r = script_parse(line, &interp, &arg);
	args = r ? NULL : kmalloc((argc + 4) * sizeof(*args));
	if (!args)
		return r ? r : -ENOMEM;
	args[n++] = interp;
	if (arg)
		args[n++] = arg;
	args[n++] = (char *)path;
	for (unsigned i = 1; i < argc; i++)
		args[n++] = argv[i];
	args[n] = NULL;
	r = exec_depth(interp, args, envp, depth - 1);
	kfree(args);
	return r;
}

int program_exec(const char *path, char *const argv[], char *const envp[])
{
	return exec_depth(path, argv, envp, SCRIPT_DEPTH);
}
