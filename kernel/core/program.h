// SPDX-License-Identifier: Apache-2.0
/*
 * The one program of this guest: what was loaded, how it ends, and the few hooks through which
 * the core reaches the features that it must not name.
 */
#ifndef KERNEL_PROGRAM_H
#define KERNEL_PROGRAM_H

#include <kernel/core/file.h>

struct node;

struct program {
	char *path; /* absolute; what /proc/self/exe shows */
	gva_t args_start, args_end, env_start, env_end; /* string areas on the stack */
	gva_t stack_top, stack_low;
	gva_t brk_start, brk;
	const void *auxv; /* kernel copy of the auxiliary vector */
	size_t auxv_bytes;
};
extern struct program program;

/* Files; NULL while the feature `files` is absent. */
struct fs_hooks {
	/* As open(2), path resolved relative to the working directory. */
	int (*open)(const char *path, int flags, unsigned mode, struct file **out);
	int (*set_cwd)(const char *path);
	/* Before the instance ends: what a failed program may have missed. */
	void (*at_exit)(int status);
	/* Sockets with a path: make the file (-EADDRINUSE: there is one), or find it (-ECONNREFUSED: it is no
	 * socket). *out is a reference, and the same for each path to one file. */
	int (*socket_make)(const char *path, struct node **out);
	int (*socket_find)(const char *path, struct node **out);
	void (*socket_forget)(struct node *n);
};
extern struct fs_hooks fs_hooks;

/* Files of /proc/net. */
enum net_text {
	NET_TEXT_DEV,
	NET_TEXT_IF_INET6,
	NET_TEXT_ROUTE,
	NET_TEXT_TCP,
	NET_TEXT_TCP6,
	NET_TEXT_UDP,
	NET_TEXT_UDP6,
	NET_TEXT_UNIX,
};

/* Sockets; NULL while the feature `net` is absent. */
struct net_hooks {
	/* Writes the file's text as far as `size` reaches. Its length. */
	size_t (*text)(enum net_text which, char *to, size_t size);
};
extern struct net_hooks net_hooks;

/* Ends the instance because of an unhandled signal, with a crash report where Linux would dump core. */
void program_die(int signal, int code, gva_t address) __attribute__((noreturn));

/*
 * Loads the program at `path` with these string vectors (kernel memory, NULL-ended) in place of the
 * current one. On success the current thread's frame starts it. Before the point of no return an
 * error (-ENOENT, -ENOEXEC, -E2BIG, -EACCES ...) leaves everything as it was.
 */
int program_exec(const char *path, char *const argv[], char *const envp[]) must_check;

#endif
