// SPDX-License-Identifier: Apache-2.0
/*
 * A guest that tries to leave something from one event for the next. `leave HAZARD` prepares, is frozen when
 * it asks for its event, and does what the event's body says:
 *
 *   dirty   leaves what it can
 *   look    looks for what a dirty event may have left
 *   scan    looks, and then for the secret in all memory that it can read
 *   both    dirty and then look, in one event: the look must find it, or it could not fail
 *
 * The reply says what was found, one line each:
 *
 *   leak TEXT            something was left
 *   unique KEY VALUE     must not come twice, in no event of any instance
 *   differs KEY VALUE    must differ from that of the instance's event before
 *   same KEY VALUE       must be the same in all events
 *   rising KEY NUMBER    must not be less than in the event before
 *   now KEY NUMBER       must be the host's real time in ms, to a second or so
 *   clean                nothing more was left
 *   left                 the dirty event did its work
 *
 * All of it runs on Linux, too, but for hazards with HAZARD_GUEST.
 */
#ifndef HOSTILE_LEAVE_H
#define HOSTILE_LEAVE_H

#include "guest.h"

enum {
	HAZARD_GUEST = 1, /* needs a microVM */
	HAZARD_ENDS = 2, /* dirty ends the instance: there is no look in the same event */
	HAZARD_BLIND =
		4, /* the look sees nothing in the same event, for a reason that stands beside it */
	HAZARD_LIMIT = 8, /* a limit ends the dirty event */
};

struct hazard {
	const char *name;
	void (*prepare)(void); /* before the freeze, or NULL */
	void (*dirty)(void);
	void (*look)(void);
	unsigned flags; /* HAZARD_* */
};

/* Tables, each ended by an empty row. */
extern const struct hazard hazards_memory[], hazards_tables[], hazards_kernel[], hazards_cpu[],
	hazards_system[], hazards_event[];

/* Lines of the reply. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void leak(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* How the event's first bytes are read: read(0, ...), unless prepare() sets another. */
extern long (*take)(void *buf, unsigned long bytes);

/*
 * The secret: eight bytes that events write wherever they can. No code or data holds it before an event does,
 * and is_secret() does not either, so that a scan does not find itself.
 */
uint64_t secret(void);
#define SECRET_FACTOR 0x9e3779b97f4a7c15ULL
#define SECRET_PRODUCT 0x1db2c7f66a0d9e43ULL
static inline bool is_secret(uint64_t word)
{
	uint64_t product = word * SECRET_FACTOR;

	/* Or the compiler would compare the word with the secret. */
	__asm__("" : "+r"(product));
	return product == SECRET_PRODUCT;
}

void fill_secret(void *at, uint64_t bytes);
/* How many times the secret stands in memory, at addresses that are a multiple of eight. */
uint64_t count_secret(const void *at, uint64_t bytes);
/* The sum of all that can be read in [from, to), a page at a time; *pages of it. Faults are caught. */
uint64_t count_readable(uint64_t from, uint64_t to, uint64_t *pages);

/* A different number for different contents, for all practical purposes. */
uint64_t hash(const void *at, uint64_t bytes);
/* True when all bytes are zero. */
bool is_zero(const void *at, uint64_t bytes);
/* Ends the program with a message: the test itself does not work. */
void broken(const char *what);

#endif
