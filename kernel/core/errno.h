// SPDX-License-Identifier: Apache-2.0
/* Linux error numbers, and the kernel's internal one for calls that a signal interrupted. */
#ifndef KERNEL_ERRNO_H
#define KERNEL_ERRNO_H

#include <asm/errno.h>

/* A blocking call was interrupted: the signal code turns it into -EINTR or restarts the call
 * (SA_RESTART). Never seen by a program. Calls that Linux never restarts return -EINTR themselves. */
#undef ERESTART /* Linux's number is not for programs either, and too close to the real ones */
#define ERESTART 512

#endif
