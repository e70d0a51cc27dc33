// SPDX-License-Identifier: Apache-2.0
/*
 * What `dayfly-monitor run` or `freeze` was asked to do. The CLI writes these arguments; the environment of the
 * monitor is the program's.
 */
#ifndef MONITOR_OPTIONS_H
#define MONITOR_OPTIONS_H

#include <host/err.h>
#include <host/str.h>
#include <stdbool.h>
#include <stdint.h>

#include "net.h"

struct options {
	const char *kernel; /* file of the kernel image */
	const char *root; /* root image: EROFS, or with raw_root the program's ELF file */
	const char *program; /* path in the root */
	const char *cwd;
	const char
		*host_cache; /* file for what KVM supports on this host (guest_cpuid.h), or NULL */
	const char *watch; /* file for what the program needs, or NULL */
	const char *features; /* comma-separated, without "core" */
	uint64_t memory_bytes;
	uint64_t timeout_ms; /* 0: none */
	bool raw_root, stats, trace;
	bool no_jail;
	bool http; /* freeze at the wait point of a server, which listens on */
	uint64_t http_port; /* this port; 0: on any */
	/* thaw; the snapshot is `root`. 0: none. */
	uint64_t wall_ns, cpu_ns, reply_max, log_max;
	struct df_str attributes; /* pairs (host/attributes.h) */
	struct net net; /* run */
	bool test_iopl3; /* emulated AMD-V has no I/O bitmap for a busy TSS */
	int argc;
	char **argv; /* the program's, argv[0] first */
	char **envp;
};

/* Reads the command line. -EINVAL with *err set when it is wrong. Strings are borrowed. */
int options_parse(struct options *o, int argc, char **argv, char **envp, struct df_err *err);
/* The same for `dayfly-monitor serve`, which has few. */
int options_parse_serve(struct options *o, int argc, char **argv, struct df_err *err);
/* The same for `dayfly-monitor thaw`. */
int options_parse_thaw(struct options *o, int argc, char **argv, struct df_err *err);

#endif
