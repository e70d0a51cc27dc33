// SPDX-License-Identifier: Apache-2.0
/* The table that the entry code indexes: see table.h. */
#include <kernel/core/errno.h>
#include <kernel/core/hypercall.h>
#include <kernel/core/program.h>
#include <kernel/mm/calls.h>
#include <kernel/mm/mm.h>
#include <kernel/sys/calls.h>
#include <kernel/sys/table.h>
#include <asm/unistd_64.h>

#define CALLS 464 /* entry.S knows it (CALL_LIMIT): every number there is, rounded up */

#define FAMILY_UNIX 1 /* AF_UNIX */

/* entry.S knows these names. */
call_handler *first_table[CALLS];
call_handler **call_table = first_table;
uint32_t call_count[CALLS];
extern uint64_t trap_count;

/* Which feature would serve the call: for the message. From calls.def. */
#define CALL(nr, name, feature, state, ...) [nr] = state == ABSENT ? none : feature,
enum { core, files, tmp, tasks, events, signals, net, none };
enum { ABSENT, PARTIAL, FULL, NO_EFFECT };
static const uint8_t feature_of[CALLS] = {
#include <kernel/sys/calls.def>
};
#undef CALL
static const char *const feature_names[] = {
	"core", "files", "tmp", "tasks", "events", "signals", "net", ""};

static uint32_t missed; /* bit n: a call of feature n was made, which is not there */
static uint32_t probed; /* the same for calls that C libraries try at each start and do without */

/* A Unix socket is how glibc asks nscd for a user's name, before it reads /etc/passwd. */
static bool is_probe(uint64_t nr, uint64_t family)
{
	return (nr == __NR_socket && family == FAMILY_UNIX) || nr == __NR_set_robust_list ||
		nr == __NR_rseq || nr == __NR_readlink || nr == __NR_readlinkat ||
		nr == __NR_newfstatat;
}

/* Remembers what is missing; a second process is said at once, since the program may hide its failure. */
static int64_t absent(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t g)
{
	uint64_t nr = current->frame->orig_rax;

	(void)b, (void)c, (void)d, (void)e, (void)g;
	if (call_count[nr] > 1 && nr != __NR_socket)
		return -ENOSYS;
	if (nr == __NR_fork || nr == __NR_vfork || nr == __NR_clone || nr == __NR_clone3)
		note("the program called %s: a dayfly guest runs a single process, so fork, system()"
		     " and subprocesses do not work",
			nr == __NR_fork            ? "fork"
				: nr == __NR_vfork ? "vfork"
						   : "clone");
	else if (feature_of[nr] != none && feature_of[nr] != core)
		*(is_probe(nr, a) ? &probed : &missed) |= 1u << feature_of[nr];
	return -ENOSYS;
}

void table_report_missing(bool failed)
{
	uint32_t said = failed ? missed | probed : missed;

	for (unsigned i = 0; i < array_size(feature_names); i++)
		if (said >> i & 1)
			note("the program made system calls that need the feature %s; add --feature %s",
				feature_names[i], feature_names[i]);
	missed = 0;
}

void table_add(const struct feature_call *calls, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		first_table[calls[i].number] = (call_handler *)calls[i].handler;
}

void table_init(void)
{
	for (unsigned i = 0; i < CALLS; i++)
		first_table[i] = absent;
	table_add(mm_calls, MM_CALLS);
	table_add(io_calls, io_call_count);
	table_add(misc_calls, misc_call_count);
	table_add(time_calls, time_call_count);
}

void table_count(void)
{
	struct df_guest_stats *s = &request_page->stats;

	s->traps = trap_count;
	s->system_calls = s->kinds = 0;
	for (unsigned i = 0; i < CALLS; i++) {
		s->system_calls += call_count[i];
		s->kinds += call_count[i] != 0;
	}
}

call_handler **table_get(void)
{
	return first_table;
}

void table_wrap(call_handler *handler)
{
	call_handler **wrapped = kmalloc(CALLS * sizeof(*wrapped));

	for (unsigned i = 0; wrapped && i < CALLS; i++)
		wrapped[i] = handler;
	if (wrapped)
		call_table = wrapped;
}
