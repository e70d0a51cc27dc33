// SPDX-License-Identifier: Apache-2.0
/*
 * Tests of the monitor's jail (monitor/jail.h). Each test is a child that enters the jail, as a rule locks it,
 * and does one thing; how it ends is the outcome.
 *
 * Two programs are made of this, both linked as the monitor is, so that calls are those of the monitor's C library.
 * `filters` has the jail as it is. `walls` has it without filters of system calls: there the same deeds must
 * fail for other reasons, or lead nowhere.
 */
#ifndef TESTS_JAIL_H
#define TESTS_JAIL_H

#include <monitor/jail.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define NOBODY 65534
#define KEPT 5 /* a descriptor that some tests keep until the lock */
#define TEXT_MAX 512
#define HIGH (1ULL << 32)
#define P(pointer) ((uint64_t)(uintptr_t)(pointer))

#define KILLED "signal 31" /* SIGSYS */
#define LIVED "exit 0"

/* For functions that tell by their result which line failed. */
#define CHECK(condition)                          \
	do {                                      \
		if (!(condition))                 \
			return __LINE__ % 90 + 1; \
	} while (0)

/* Set by main. */
extern bool have_kvm;
extern bool as_nobody; /* children give up root before they enter the jail */
extern unsigned failures;

/* Prints the verdict on jail.PREFIX.NAME. */
void verdict(bool good, const char *prefix, const char *name, const char *reason);

struct child {
	pid_t pid;
	int socket, errors; /* our ends of its descriptor 3 and of its standard error */
};

/* Forks a child that has a client's socket. Returns 0 in it. */
pid_t start(struct child *c);
/* Waits for its end: "exit 0" or "signal 31", and behind a space what it wrote to standard error. */
void finish(const struct child *c, char text[TEXT_MAX]);

/* In a child. They end it if they fail. enter() gives up root first. */
void give_up_root(void); /* with as_nobody */
void enter(enum jail_profile profile, uint64_t keep); /* JAIL_RUN keeps all until the lock */
void lock(enum jail_profile profile);
/* What a child gives jail_lock_run(), beside the socket and the VM: -1, or what a deed has put there. */
extern struct jail_descriptors given;
/* A VM and a vCPU where the jail expects them. The vCPU returns with EINTR whenever it is run. */
void make_vm(int kvm);
int open_kvm(void);
void move(int from, int to);
/* In a child: from here on nobody in it can make a user namespace. */
void no_user_namespaces(void);

struct deed {
	const char *name;
	void (*before)(void); /* before the jail is entered, or NULL */
	void (*prepare)(void); /* before it is locked, or NULL */
	int (*act)(void); /* in the locked jail; 0 is good */
	const char *want; /* how the child must end, as finish() says it */
	uint64_t keep;
	bool vm; /* needs one: made in the jail, before prepare() */
};

/* Its verdict is jail.PREFIX.NAME. The child finds a message, "ping", in its socket. */
void run_deed(const char *prefix, enum jail_profile profile, const struct deed *d);

/* The parts of the suite. */
void test_forbidden(void); /* what must end the process */
void test_allowed(void); /* what must work */
void test_outside(void); /* how the jail looks from outside, and when it can not be entered */
void test_walls(void); /* what stops a process that no filter stops */

#endif
