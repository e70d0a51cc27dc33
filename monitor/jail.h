// SPDX-License-Identifier: Apache-2.0
/*
 * The jail of `dayfly-monitor`: what is left to a guest that has broken
 * out of its microVM. docs/jail.md says what is in place and what it costs. Freeze, serve and thaw:
 *
 *   open what has a path (/dev/kvm, for freeze the kernel image and the root image)
 *   jail_enter()       no file system, no privileges, the set-up list of system calls
 *   take the client's descriptors, make VMs, vCPUs, threads, timers, map memory
 *   jail_lock()        only the descriptors below, the narrow list of system calls
 *   run guests
 *
 * `run` reads nothing of a client's before its guest runs, so it needs no set-up list: jail_enter_run(), jail_lock_run().
 *
 * Filters name descriptors by number, so the monitor puts them (dup3) where the numbers below say. A
 * system call that is not on the list kills the whole process with SIGSYS; nothing can catch it.
 */
#ifndef MONITOR_JAIL_H
#define MONITOR_JAIL_H

#include <dayfly/wire.h>
#include <host/err.h>
#include <stdbool.h>
#include <stdint.h>

/* Descriptors that outlive jail_lock(), beside the standard streams. Blocks start at a multiple of their size. */
#define JAIL_FD_SOCKET DF_WIRE_SOCKET
#define JAIL_FD_SNAPSHOT 4 /* JAIL_FREEZE alone */
#define JAIL_FD_WATCH 48 /* JAIL_RUN alone */
#define JAIL_FD_VM 64 /* + instance */
#define JAIL_FD_VCPU 96 /* + instance */
/* Of guests with a network: kick and wake (net.h), and the socket whose end is dayfly-net's. */
#define JAIL_FD_KICK 128 /* + instance */
#define JAIL_FD_WAKE 144 /* + instance */
#define JAIL_FD_LIFE 160

/* What the monitor runs as: `freeze`, `serve`, `thaw` or `run`. */
enum jail_profile { JAIL_FREEZE, JAIL_SERVE, JAIL_THAW, JAIL_RUN };

/*
 * Enters the jail. To be called once, by the only thread, early: nothing has a path afterwards, not even
 * /proc. `keep` has bit n set for each descriptor n (4 to 63) that stays open beside the standard streams and the
 * socket, which must be a connected SOCK_SEQPACKET Unix socket; all others are closed.
 *
 * From here on the set-up list holds: KVM's ioctls, mappings without PROT_EXEC, threads, timers, messages on the
 * socket, reading from and seeking in descriptors, dup3 and close. Nothing can be opened by name, no socket, process
 * or program made, and no other process be sent a signal.
 *
 * 0, or -errno with *err set: the process is half jailed then and should end.
 */
int jail_enter(uint64_t keep, struct df_err *err) __attribute__((warn_unused_result));

/*
 * Locks the jail, for all threads, before the first guest instruction. Closes every descriptor that is not
 * named above (also /dev/kvm) and installs the narrow list: nothing can be made afterwards, neither descriptors
 * nor threads nor VMs. Other threads must have come to their first line, and none may be making a descriptor.
 *
 * The narrow list allows malloc, and fprintf(stderr). It allows tgkill() for threads of this process, but not
 * tkill(), which musl's raise(), abort() and pthread_kill() use.
 *
 * 0, or -errno with *err set: no guest may run then.
 */
int jail_lock(enum jail_profile profile, struct df_err *err) __attribute__((warn_unused_result));

/* Descriptors of `dayfly-monitor run`, beside the standard streams, which are the program's. */
struct jail_descriptors {
	int socket; /* a Unix socket (SOCK_SEQPACKET) to the process outside */
	int vm, vcpu;
	/* -1: none. The file of `--watch`; eventfds of the network, and what dayfly-net lives as long as. */
	int watch, kick, wake, life;
};

/*
 * jail_enter() for JAIL_RUN, once all is open that has a path, and before the first entry of a vCPU, which makes a thread. Closes
 * nothing and installs no list.
 *
 * `dayfly run` must work for everybody: where namespaces can not be made, it goes on without them. All other walls stand.
 * A signal at the end of the parent (PR_SET_PDEATHSIG, of whoever started us) is kept.
 */
int jail_enter_run(struct df_err *err) __attribute__((warn_unused_result));

/*
 * jail_lock() for JAIL_RUN. Moves the descriptors to where filters know them, writes the new numbers to *d, and closes all others.
 */
int jail_lock_run(struct jail_descriptors *d, struct df_err *err)
	__attribute__((warn_unused_result));
/* Moves a descriptor to where the filters know it; *fd is its number then. -errno. */
int jail_place(int *fd, int to) __attribute__((warn_unused_result));

/*
 * With sanitizers, which make system calls of their own, neither list is installed; the rest of the jail is.
 * False then.
 */
bool jail_filters_calls(void);

#endif
