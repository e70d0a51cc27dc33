// SPDX-License-Identifier: Apache-2.0
/*
 * One traced call on its way to a line of text, and what the parts of the feature `trace` offer each
 * other. A struct traced lives on the kernel stack of the thread that makes the call: another thread may
 * make calls while this one sleeps.
 *
 * Program memory is only read, by the copying routines; what can not be read is shown as an address.
 */
#ifndef KERNEL_TRACE_PRINT_H
#define KERNEL_TRACE_PRINT_H

#include <kernel/core/thread.h>
#include <kernel/trace/kinds.h>

#define LINE_BYTES 1024u
#define STRING_SHOWN 32u /* bytes of a string, and members of an array, that are shown */

/* Text that ends where it would become too long. Always ended by a zero byte. */
struct line {
	unsigned used;
	char text[LINE_BYTES];
};

#define ARGUMENTS 6

struct traced {
	unsigned nr;
	const uint8_t *kinds; /* ARGUMENTS of enum kind */
	uint64_t arg[ARGUMENTS];
	int64_t result; /* 0 until the call is over */
	struct line line;
};

/* line.c */
void line_put(struct line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void line_hex(struct line *l, uint64_t v); /* 0 or 0x... */
void line_pointer(struct line *l, uint64_t v); /* NULL or 0x... */
/* Bytes as a C string in quotes. hex: all of them as numbers. */
void line_quote(struct line *l, const char *bytes, size_t n, bool hex);
/* As many blanks as it takes to reach the column. */
void line_pad(struct line *l, unsigned column);

/* names.c */
void names_init(void);
void names_put(struct line *l, enum kind kind,
	uint64_t value); /* KIND_NAMES <= kind < KIND_SPECIAL */
void names_put_open(struct line *l, uint64_t flags); /* with the access mode */
void names_put_mode(struct line *l, unsigned mode); /* with the type of file */
void names_put_signal(struct line *l, int signal); /* SIG... */
void names_put_signals(struct line *l, uint64_t set); /* [...], and ~[...] when most are in it */
/* NULL: unknown. */
const char *error_name(int number, const char **meaning);

/* memory.c: the memory at argument i. False: can not be read, nothing was written to the line. */
bool memory_put(struct traced *t, unsigned i);
bool memory_put_time(struct line *l, gva_t from, const char *unit);
void memory_put_ready(struct traced *t); /* what poll found, behind its result */
void memory_put_selected(struct traced *t);
void memory_put_siginfo(struct line *l, gva_t from);

/* rest.c: argument i and those behind it */
void rest_put(struct traced *t, unsigned i);
void rest_put_result(struct traced *t); /* of fcntl */

/* print.c */
void print_name(struct traced *t);
/* Arguments from *i on; ends before the first that the call writes unless it is over. */
void print_arguments(struct traced *t, unsigned *i, bool over);
void print_result(struct traced *t);
void print_no_result(struct traced *t, unsigned i); /* of a call that does not come back */

/* trace.c */
void trace_prefix(struct line *l); /* the thread's number where there are several */
void trace_send(const struct line *l);
void trace_unfinished(void); /* sends the call in which the program ends, if there is one */

/* signals.c */
void signals_watch(void);

#endif
