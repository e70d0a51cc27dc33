/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the jails of helper programs have in common (dayfly-net, dayfly-import): limits, rights, a list of system calls. In a library of
 * its own (confine_dep), for libseccomp is not for programs that start once per run; the monitor's jail is another (docs/jail.md).
 *
 * Each call returns 0 or -errno; after an error the program must not go on. Once, in a process with one thread.
 */
#ifndef HOST_CONFINE_H
#define HOST_CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>

/* The run-time of the sanitizers does everything that a jail forbids: such a build has limits and no_new_privs alone. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CONFINE_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CONFINE_SANITIZED true
#endif
#endif
#ifndef CONFINE_SANITIZED
#define CONFINE_SANITIZED false
#endif

struct confine_limit {
	int which; /* RLIMIT_... */
	rlim_t most; /* soft and hard */
};

int confine_limits(const struct confine_limit *limits, size_t count)
	__attribute__((warn_unused_result));

/* No capabilities, nothing gained by execve, not dumpable. */
int confine_rights(void) __attribute__((warn_unused_result));

struct confine_calls {
	const int *allowed; /* call numbers, SCMP_SYS(...) */
	size_t allowed_count;
	const int *denied; /* fail with EACCES: what libraries try in passing */
	size_t denied_count;
	const int *families; /* of socket(2) */
	size_t family_count;
};

/* These calls, and memory that holds no code; every other call ends the process. Nothing in a build with sanitizers. */
int confine_calls(const struct confine_calls *calls) __attribute__((warn_unused_result));

#endif
