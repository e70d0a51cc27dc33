/* SPDX-License-Identifier: Apache-2.0 */
/* What lwIP wants to know about compiler and library: the usual ones. */
#ifndef LWIP_ARCH_CC_H
#define LWIP_ARCH_CC_H

#include <stdlib.h>

#define LWIP_DONT_PROVIDE_BYTEORDER_FUNCTIONS 1 /* <arpa/inet.h> has them */

#define LWIP_PLATFORM_DIAG(x)
#define LWIP_PLATFORM_ASSERT(x) abort()

#endif
