// SPDX-License-Identifier: Apache-2.0
/*
 * Address types shared by both worlds. A guest address is a number that neither side dereferences
 * without one of the checked translations (monitor/memory.h on the host, mm/ in the kernel).
 */
#ifndef DAYFLY_TYPES_H
#define DAYFLY_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t gpa_t; /* guest-physical address */
typedef uint64_t gva_t; /* guest-virtual address */

#define DF_PAGE_SHIFT 12
#define DF_PAGE_SIZE 4096ULL
#define DF_PAGE_MASK (DF_PAGE_SIZE - 1)
#define DF_LARGE_SHIFT 21
#define DF_LARGE_SIZE (1ULL << DF_LARGE_SHIFT)
#define DF_LARGE_MASK (DF_LARGE_SIZE - 1)

static inline uint64_t df_page_up(uint64_t x)
{
	return (x + DF_PAGE_MASK) & ~DF_PAGE_MASK;
}

static inline uint64_t df_page_down(uint64_t x)
{
	return x & ~DF_PAGE_MASK;
}

#endif
