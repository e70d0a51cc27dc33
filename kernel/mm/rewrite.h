// SPDX-License-Identifier: Apache-2.0
/* Rewriting of system-call sites: the trap becomes a jump to a trampoline. */
#ifndef KERNEL_REWRITE_H
#define KERNEL_REWRITE_H

#include <dayfly/types.h>

/* Called on a trap from the syscall instruction before `next` with call number nr. */
void rewrite_site(gva_t next, uint64_t nr);
/* Rewrites, if it can be done, the site of a call `nr` that trapped in a rehearsal. */
void rewrite_learned(gva_t site, uint64_t nr);
/* Forgets all trampolines (execve). */
void rewrite_reset(void);

#endif
