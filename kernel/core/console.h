// SPDX-License-Identifier: Apache-2.0
/* The three standard streams as files, over the monitor's descriptors. */
#ifndef KERNEL_CONSOLE_H
#define KERNEL_CONSOLE_H

#include <kernel/core/file.h>

/* Opens descriptors 0-2 as far as the monitor has them. */
void console_init(void);
/* Streams that someone waits for (DF_WAIT_*), and what the monitor found ready. */
unsigned console_interest(void);
void console_ready(unsigned ready);
/* New reference to the console file of a stream (for /dev/stdin, /dev/tty), or NULL. */
struct file *console_file(int stream);

#endif
