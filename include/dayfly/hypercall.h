// SPDX-License-Identifier: Apache-2.0
/*
 * The hypercalls: what a kernel may ask of its monitor.
 *
 * The kernel fills struct df_request at DF_VA_REQUEST and executes one `out` to DF_PORT. The monitor
 * copies the request once, checks the copy, acts on the copy, writes `result` and resumes the guest
 * behind the `out`. Addresses in requests are guest-physical. An invalid request ends the instance.
 *
 * Append-only within a version.
 */
#ifndef DAYFLY_HYPERCALL_H
#define DAYFLY_HYPERCALL_H

#include <dayfly/event.h>
#include <dayfly/layout.h>

#define DF_ABI_VERSION 1

enum df_call {
	DF_CALL_EXIT = 1, /* arg0 exit status 0-255, arg1 signal number or 0. Does not return. */
	DF_CALL_WRITE, /* arg0 stream 0-2, arg1 gpa, arg2 bytes, arg3 deadline. Result bytes or -errno. */
	DF_CALL_READ, /* as DF_CALL_WRITE; result 0 is end of file */
	DF_CALL_SEEK, /* arg0 stream, arg1 offset, arg2 whence. Result offset or -errno. */
	DF_CALL_STAT, /* arg0 stream. Fills df_stream_stat in data. */
	DF_CALL_WAIT, /* arg0 interest (DF_WAIT_*), arg1 deadline. Result ready bits, 0 at the deadline
			 or on a host event. */
	DF_CALL_MAP, /* arg0 number of ranges in data (struct df_map_range[]). Result 0, DF_MAP_APPLY,
			-ENOMEM (no table left). */
	DF_CALL_GROW, /* arg0 enum df_region, arg1 bytes more at least. Result new size or -ENOMEM. */
	DF_CALL_DISCARD, /* arg0 gpa, arg1 bytes, page aligned, in the arena: read as zero from now on */
	DF_CALL_RANDOM, /* arg0 bytes 1-256. Fills data. */
	DF_CALL_TIMER, /* arg0 deadline of the next tick, arg1 interval in ns or 0. 0,0 disarms. */
	DF_CALL_TTY, /* arg0 stream, arg1 ioctl number (TCGETS, TCSETS*, TIOCGWINSZ, TIOCSWINSZ,
			TIOCGPGRP, FIONREAD); structure in data both ways. Result 0 or -errno. */
	DF_CALL_LOG, /* arg0 enum df_log_kind, arg1 bytes of text in data */
	DF_CALL_FAULT, /* a program died of a fault: struct df_fault in data. Does not return. */
	DF_CALL_PANIC, /* the kernel found itself broken: arg0 bytes of text in data. Does not return. */
	DF_CALL_TOUCH, /* arg0 gpa, arg1 bytes in the arena that will be written soon: a hint. */
	DF_CALL_FREEZE, /* arg0 enum df_wait_point. Returns once per event, in a pristine instance: see
			 the event in the boot page. Result: DF_MAP_APPLY, or 0. */
	DF_CALL_THAWED, /* with DF_BOOT_VERIFY: all CPU state is as the program will see it */
	DF_CALL_NEXT, /* in an event with DF_EVENT_WARM: it ends as with exit status 0. Returns, in the same
			 state, when there is another one: see the event in the boot page. */
	DF_CALL_NET_KICK, /* dayfly-net sleeps, and there are packets for it */
	DF_CALL_COUNT
};

/* Deadlines are guest CLOCK_MONOTONIC in ns; DF_FOREVER waits without end, 0 does not wait. */
#define DF_FOREVER UINT64_MAX

#define DF_WAIT_STDIN 1u /* stream 0 can be read */
#define DF_WAIT_STDOUT 2u /* stream 1 can be written */
#define DF_WAIT_STDERR 4u
#define DF_WAIT_NET 8u /* a packet came, or may have */
#define DF_WAIT_KICK 16u /* with DF_WAIT_NET: DF_CALL_NET_KICK first */

#define DF_MAP_APPLY 1 /* the caller must execute `int $4` before it relies on the new mapping */

/* What a range of program addresses shall show from now on. */
struct df_map_range {
	uint64_t va; /* page aligned, program addresses only */
	uint64_t pages; /* > 0 */
	uint64_t
		gpa; /* first frame, in the arena or the root image; consecutive. 0 with DF_PROT_NONE */
	uint32_t prot; /* DF_PROT_*; 0 = not accessible */
	uint32_t
		copy_bytes; /* copy so much of `source` into the frames first, at most all of them */
	uint64_t source; /* gpa, in the arena or the root image; 0 without copy_bytes */
};
#define DF_PROT_READ 1u
#define DF_PROT_WRITE 2u
#define DF_PROT_EXEC 4u
#define DF_MAP_RANGES_MAX 76

enum df_region { DF_REGION_ARENA, DF_REGION_KHEAP, DF_REGION_KSTACK, DF_REGION_COUNT };

enum df_log_kind {
	DF_LOG_NOTE, /* for the user: a line on standard error, prefixed */
	DF_LOG_TRACE, /* one traced system call */
	DF_LOG_MISSING, /* path of a file that the program looked for and did not find */
	DF_LOG_WATCH, /* what the program needs, see kernel/watch/watch.c */
	DF_LOG_KIND_COUNT
};

struct df_stream_stat {
	uint32_t mode; /* st_mode */
	uint32_t flags; /* open flags: access mode, O_APPEND, O_NONBLOCK */
	int64_t size;
	uint64_t rdev;
	uint64_t dev, ino;
	int64_t mtime_ns;
};

/* General registers in the order of the kernel's trap frame. */
struct df_regs {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	uint64_t rip, rflags, rsp;
};

struct df_fault {
	uint32_t signal; /* Linux signal number */
	uint32_t code; /* si_code */
	uint64_t address; /* si_addr */
	uint32_t vector,
		error; /* CPU exception and error code; vector 255: no exception (kill, abort) */
	uint32_t thread, reserved;
	struct df_regs regs;
	/* followed in data by a text: "start-end perms offset path" lines of executable mappings,
	 * ended by a zero byte */
};

#define DF_DATA_BYTES 3072

struct df_request {
	uint32_t call; /* enum df_call */
	uint32_t reserved;
	uint64_t arg[4];
	int64_t result;
	uint8_t pad[16];
};
_Static_assert(sizeof(struct df_request) == 64, "one cache line");

/* Counters that the kernel keeps for `--stats`; the monitor prints them and trusts nothing in them. */
struct df_guest_stats {
	uint64_t system_calls; /* all */
	uint64_t traps; /* of which through the `syscall` instruction */
	uint64_t kinds; /* different numbers */
	uint64_t rewritten_sites;
	uint64_t faults; /* page faults that the kernel resolved */
	uint64_t main_tsc; /* time stamp when the program got control first */
	uint64_t frames_used; /* arena pages handed out at most */
};

/* The page at DF_VA_REQUEST. */
struct df_request_page {
	struct df_request request;
	/* Written by the monitor at any time, cleared by the kernel with an atomic exchange. */
	uint64_t host_signals; /* bit n: the monitor got signal n meant for the program */
	uint64_t
		tick_pending; /* monitor: 1 with each tick it injects; kernel: 0 once it took the frame */
	struct df_out out; /* of the event that runs */
	uint64_t reserved[3];
	struct df_guest_stats stats;
	uint8_t pad[512 - 64 - 64 - sizeof(struct df_guest_stats)];
	uint8_t data[DF_DATA_BYTES]; /* arguments and results that are not registers */
	uint8_t rest[512];
};
_Static_assert(sizeof(struct df_request_page) == 4096, "one page");
_Static_assert(sizeof(struct df_map_range) * DF_MAP_RANGES_MAX <= DF_DATA_BYTES, "ranges fit");

/* Page-table edits that the stub applies on `int $4` (supervisor pages; only the monitor fills them). */
#define DF_APPLY_MAX 1364
struct df_apply {
	uint64_t count;
	uint64_t flush; /* not 0: entries of whole tables are among them */
	struct {
		uint64_t entry; /* address of the entry in the DF_VA_TABLES window */
		uint64_t value;
		uint64_t va; /* for invlpg */
	} edit[DF_APPLY_MAX];
};
_Static_assert(sizeof(struct df_apply) <= DF_APPLY_PAGES * DF_PAGE_SIZE, "fits");

#endif
