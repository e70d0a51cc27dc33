// SPDX-License-Identifier: Apache-2.0
/*
 * Attacks on a kernel, its stub and its monitor, made by a program in the ring of its kernel. Each is
 * a function with a name; `attack NAME [SEED]` runs one. tests/hostile/suite knows how each may end.
 * An attack that comes to nothing returns, and then the program says "survived" and exits with 0.
 */
#ifndef HOSTILE_ATTACK_H
#define HOSTILE_ATTACK_H

#include "guest.h"

struct attack {
	const char *name;
	void (*run)(void);
};

/* Tables, each ended by an empty row. */
extern const struct attack attacks_instructions[], attacks_flags[], attacks_memory[],
	attacks_stub[], attacks_requests[], attacks_limits[];

#endif
