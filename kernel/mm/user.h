// SPDX-License-Identifier: Apache-2.0
/*
 * Access to program memory. The only way: these routines survive bad pointers (fault-fixup) and
 * refuse addresses of the kernel. Result 0 or -EFAULT. They may resolve page faults, never sleep.
 * For callers inside the kernel that pass kernel buffers (execve reading a file, sendfile), the
 * _any variants skip the address check.
 */
#ifndef KERNEL_USER_H
#define KERNEL_USER_H

#include <dayfly/layout.h>
#include <kernel/core/errno.h>
#include <kernel/core/lib.h>

int copy_any(void *dst, const void *src, size_t n) must_check; /* no address check */
int zero_any(void *dst, size_t n) must_check;

static inline bool user_ok(const void *p, size_t n)
{
	gva_t va = (gva_t)p;

	return n == 0 ||
		(va + n >= va && va + n <= DF_VA_PROGRAM_MAX + DF_PAGE_SIZE &&
			(va + n <= DF_VA_KERNEL || va >= DF_VA_FILES + 0x8000000000ULL));
}

static inline int must_check user_copy_from(void *dst, const void *src, size_t n)
{
	return user_ok(src, n) ? copy_any(dst, src, n) : -EFAULT;
}

static inline int must_check user_copy_to(void *dst, const void *src, size_t n)
{
	return user_ok(dst, n) ? copy_any(dst, src, n) : -EFAULT;
}

static inline int must_check user_zero(void *dst, size_t n)
{
	return user_ok(dst, n) ? zero_any(dst, n) : -EFAULT;
}

/* Copies a zero-ended string of at most max bytes with its end. Length, -EFAULT, -ENAMETOOLONG. */
int64_t user_string(char *dst, gva_t src, size_t max) must_check;

/* One object: int r = user_get(&ts, ptr); user_put(ptr, &value) */
#define user_get(dst, src) user_copy_from((dst), (const void *)(src), sizeof(*(dst)))
#define user_put(dst, src) user_copy_to((void *)(dst), (src), sizeof(*(src)))

#endif
