// SPDX-License-Identifier: Apache-2.0
/*
 * The few library functions that the kernel uses: memory and string primitives (the names are the C
 * standard's, because the compiler emits calls to them), formatting, and small macros. Kernel
 * addresses only; program memory goes through mm/user.h.
 */
#ifndef KERNEL_LIB_H
#define KERNEL_LIB_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define array_size(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define min(a, b)                       \
	({                              \
		__typeof__(a) a_ = (a); \
		__typeof__(b) b_ = (b); \
		a_ < b_ ? a_ : b_;      \
	})
#define max(a, b)                       \
	({                              \
		__typeof__(a) x_ = (a); \
		__typeof__(b) y_ = (b); \
		x_ > y_ ? x_ : y_;      \
	})
#define must_check __attribute__((warn_unused_result))

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
const char *str_last(const char *s, char c); /* last c in s, or NULL */

/* Formats like snprintf: %s %c %d %i %u %x %X %p %% with width, 0, -, l, ll, z and .*s / .Ns. Always ends with
 * a zero byte when size > 0. Returns the length it wanted. */
int kvsnprintf(char *buf, size_t size, const char *fmt, va_list args);
int ksnprintf(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
