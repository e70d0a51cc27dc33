// SPDX-License-Identifier: Apache-2.0
/*
 * Attacks on a kernel, its stub and its monitor, made by a program in the ring of its kernel. Each is
 * a function with a name; `attack NAME [SEED]` runs one. tests/hostile/suite knows how each may end.
 * An attack that comes to nothing returns, and then the program says "survived" and exits with 0.
 */
#ifndef HOSTILE_ATTACK_H
#define HOSTILE_ATTACK_H

#include <dayfly/boot.h>

struct attack {
	const char *name;
	void (*run)(void);
};

/* Tables, each ended by an empty row. */
extern const struct attack attacks_instructions[], attacks_flags[], attacks_memory[],
	attacks_stub[], attacks_requests[], attacks_limits[];

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
/* True when the byte at va can be read, or written (it is written with its own value). */
bool readable(uint64_t va);
bool writable(uint64_t va);

#endif
