// SPDX-License-Identifier: Apache-2.0
/* What hostile programs share: hypercalls past the kernel, faults that are survived, chance. */
#ifndef HOSTILE_GUEST_H
#define HOSTILE_GUEST_H

#include <dayfly/boot.h>

extern uint64_t seed; /* from the command line */
uint64_t random_next(void); /* the same sequence for the same seed */

/* A hypercall past the kernel. */
int64_t request(uint32_t call, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
static inline struct df_request_page *request_page(void)
{
	return (struct df_request_page *)DF_VA_REQUEST;
}

/* Calls f with SIGSEGV, SIGILL, SIGBUS, SIGTRAP and SIGFPE caught. The signal, or 0 when it returned. */
int caught(void (*f)(void *), void *arg);
/* Calls f until it returns; after each of these signals, skip first, which must make it get further. */
void caught_again(void (*f)(void *), void (*skip)(void *), void *arg);
/* True when the byte at va can be read, or written (it is written with its own value). */
bool readable(uint64_t va);
bool writable(uint64_t va);

#endif
