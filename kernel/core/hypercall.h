// SPDX-License-Identifier: Apache-2.0
/* The kernel's side of the hypercalls: thin wrappers that fill the request page and exit once. */
#ifndef KERNEL_HYPERCALL_H
#define KERNEL_HYPERCALL_H

#include <dayfly/boot.h>
#include <kernel/core/lib.h>

#define boot_info ((const struct df_boot_info *)DF_VA_BOOT)
#define request_page ((struct df_request_page *)DF_VA_REQUEST)

/* One hypercall with up to four arguments. Result as the monitor wrote it. */
int64_t hypercall(unsigned call, uint64_t a, uint64_t b, uint64_t c, uint64_t d);

/* A note for the user on standard error ("dayfly: ..."). */
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Broken invariant of ours: reports and ends the instance. */
void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
#define kassert(x)                                                       \
	do {                                                             \
		if (unlikely(!(x)))                                      \
			panic("%s:%d: %s", __FILE_NAME__, __LINE__, #x); \
	} while (0)

/* Fresh random bytes (kernel generator, seeded by the monitor). */
void random_bytes(void *buf, size_t n);
/* The next bytes come from the seed that the boot page holds then. */
void random_forget(void);

#endif
