// SPDX-License-Identifier: Apache-2.0
/*
 * What a jailed `dayfly-monitor run` can not do itself: a second process, forked before anything of the guest's is there, which
 * stays outside the jail and waits at a socket. It answers two questions, about what has failed, and prints the answers on
 * standard error itself: so a monitor that was taken over learns nothing from it, and can have nothing else done.
 *
 *   monitor  OUTSIDE_MISSING and a path: is that file on the host? Then the user is told how to add it
 *   monitor  OUTSIDE_PROGRAM or OUTSIDE_KERNEL: a backtrace. From here on the other end is the helper's (backtrace/wire.h)
 *   outside  one byte: done; 1 behind a backtrace that has lines
 *   monitor  OUTSIDE_END: the guest has ended
 *
 * It ends with the monitor, and after a backtrace. OUTSIDE_END lets it end while the monitor still takes its guest apart.
 */
#ifndef MONITOR_OUTSIDE_H
#define MONITOR_OUTSIDE_H

#include <sys/types.h>

#include "options.h"

#define OUTSIDE_MISSING 'm'
#define OUTSIDE_PROGRAM 'p'
#define OUTSIDE_KERNEL 'k'
#define OUTSIDE_END 'e'
#define OUTSIDE_PATH_MAX 1024

/*
 * Forks it. *socket is our end. Early: a fork costs by the pages that were touched, and what is open is copied. 0, or -errno with
 * *err set.
 */
int outside_start(const struct options *o, int *socket, struct df_err *err)
	__attribute__((warn_unused_result));

/* Asks; text is the path, or NULL. True when that was sent. Socket 0: there is nobody outside. */
bool outside_ask(int socket, char what, const char *text);
/* Waits for a message. Its length; 0 or less: nobody is there any more. */
ssize_t outside_receive(int socket, void *message, size_t size);

#endif
