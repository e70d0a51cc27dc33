// SPDX-License-Identifier: Apache-2.0
/*
 * What dayfly-monitor and its one-shot helper dayfly-backtrace say to each other, over one socket (SOCK_SEQPACKET):
 *
 *   monitor  one struct backtrace_head
 *   helper   a guest address (8 bytes), any number of times
 *   monitor  for each: one byte, 1 when the page is there, and then the page's 4096 bytes
 *
 * The backtrace itself goes to the helper's standard output, a line per frame. The helper parses
 * files that may be hostile, so the monitor believes nothing that comes back: addresses are looked up
 * in the guest's page tables, text is capped and cleaned.
 */
#ifndef MONITOR_BACKTRACE_WIRE_H
#define MONITOR_BACKTRACE_WIRE_H

#include <dayfly/hypercall.h>

#define BACKTRACE_MAGIC 0x7462666479616c66ULL
#define BACKTRACE_MODULES 48
#define BACKTRACE_PATH 216
#define BACKTRACE_FRAMES 32 /* shown */
#define BACKTRACE_AS_LINKED UINT64_MAX /* the file's own addresses are the guest's */

struct backtrace_module {
	uint64_t start, end; /* guest addresses of one executable mapping */
	uint64_t offset; /* of its first byte in the file, or BACKTRACE_AS_LINKED */
	char path[BACKTRACE_PATH]; /* in the root image, zero-ended */
};

struct backtrace_head {
	uint64_t magic;
	struct df_regs regs;
	uint64_t module_count;
	struct backtrace_module module[BACKTRACE_MODULES];
};

/* How the helper finds the ELF file of a module: its second argument. */
#define BACKTRACE_RAW "raw" /* the file named is the ELF file of every module */
#define BACKTRACE_IMAGE "image" /* the file named is an EROFS image that holds them */

#endif
