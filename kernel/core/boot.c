// SPDX-License-Identifier: Apache-2.0
/*
 * The kernel's first C function, and the order in which its parts come up. The feature `core`.
 */
#include <kernel/arch/x86_64/arch.h>
#include <kernel/core/console.h>
#include <kernel/core/errno.h>
#include <kernel/core/feature.h>
#include <kernel/core/freeze.h>
#include <kernel/core/hypercall.h>
#include <kernel/core/program.h>
#include <kernel/mm/arena.h>
#include <kernel/mm/calls.h>
#include <kernel/mm/mm.h>
#include <kernel/sys/table.h>

void kernel_entry(void) __attribute__((noreturn));

/* The core registers its calls by itself: see init_features. */
static void core_init(void)
{
}

static const struct feature_call no_calls[] = {};
FEATURE(core, "", core_init, no_calls);

static void init_features(void)
{
	table_init();
	for (unsigned i = 0; i < boot_info->feature_count; i++) {
		const struct df_feature_header *h = (const void *)boot_info->feature[i];
		const struct feature *f = (const void *)h->feature;

		table_add(f->calls, f->call_count);
		f->init();
	}
}

static const char *after(const char *s)
{
	return s + strlen(s) + 1;
}

/* Copies the strings that the monitor left at the start of the arena: they are in the stack's way. */
static int start_program(void)
{
	uint64_t bytes = boot_info->strings_bytes;
	unsigned argc = boot_info->argc, envc = boot_info->envc;
	const char *at, *path, *cwd;
	char *copy = kmalloc(bytes), **v = kmalloc((argc + envc + 2) * sizeof(*v));
	int r;

	if (!copy || !v)
		return -ENOMEM;
	memcpy(copy, (const void *)DF_VA_ARENA, bytes);
	memset((void *)DF_VA_ARENA, 0, bytes);
	path = copy;
	cwd = after(path);
	at = after(cwd);
	for (unsigned i = 0; i < argc; i++, at = after(at))
		v[i] = (char *)at;
	v[argc] = NULL;
	for (unsigned i = 0; i < envc; i++, at = after(at))
		v[argc + 1 + i] = (char *)at;
	v[argc + envc + 1] = NULL;
	if (fs_hooks.set_cwd) {
		r = fs_hooks.set_cwd(cwd);
		if (r) {
			note("the working directory %s is not in the root file system", cwd);
			program_exit(126, 0);
		}
	}
	r = program_exec(path, v, v + argc + 1);
	if (r == -ENOENT) {
		note("%s is not in the root file system, or its interpreter is not", path);
		program_exit(127, 0);
	}
	if (r) {
		note("%s can not be run: %s", path,
			r == -ENOEXEC          ? "not a 64-bit x86 ELF program"
				: r == -E2BIG  ? "arguments and environment are too large"
				: r == -ENOMEM ? "out of memory; give it more with --memory"
				: r == -EACCES ? "not a file that can be run"
				: r == -ELOOP  ? "too many levels of scripts or links"
					       : "damaged root image");
		program_exit(126, 0);
	}
	kfree(copy);
	kfree(v);
	return 0;
}

void kernel_entry(void)
{
	arena_init(boot_info->stack_bytes >> DF_PAGE_SHIFT);
	threads_init();
	init_features();
	if (signal_hooks.thread_init)
		signal_hooks.thread_init(current, NULL);
	console_init();
	if (start_program())
		panic("no memory to start");
	if (freeze_hooks.entry)
		freeze_hooks.entry();
	request_page->stats.main_tsc = arch_tsc();
	arch_start();
}
