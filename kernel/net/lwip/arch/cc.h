/* SPDX-License-Identifier: Apache-2.0 */
/* What lwIP wants to know about compiler and library: it has the kernel's (kernel/core/lib.h). */
#ifndef LWIP_ARCH_CC_H
#define LWIP_ARCH_CC_H

#define LWIP_NO_INTTYPES_H 1
#define LWIP_NO_UNISTD_H 1
#define LWIP_NO_CTYPE_H 1
#define X8_F "02x"
#define U16_F "u"
#define S16_F "d"
#define X16_F "x"
#define U32_F "u"
#define S32_F "d"
#define X32_F "x"
#define SZT_F "zu"

typedef long ssize_t; /* limits.h has its bound, and nobody the type */

void net_broken(const char *what) __attribute__((noreturn));
#define LWIP_PLATFORM_DIAG(x)
#define LWIP_PLATFORM_ASSERT(x) net_broken(x)

#endif
