// SPDX-License-Identifier: Apache-2.0
/*
 * The feature `trace`: every system call as a line on standard error, as strace prints it. It is loaded
 * for `dayfly run --trace` only, and last, so that it finds the final handlers.
 *
 * A call is printed when it is over, so that lines of several threads do not mix; what does not come
 * back is printed before. What the C library reads from the vDSO is no call and does not appear.
 */
#include <asm/unistd.h>
#include <kernel/core/feature.h>
#include <kernel/core/hypercall.h>
#include <kernel/sys/table.h>
#include <kernel/trace/print.h>

/* The last call that went into its handler and has not come back, whose it is, and how far it is printed. */
static struct traced *open_call;
static const struct thread *open_thread;
static unsigned open_argument;

void trace_prefix(struct line *l)
{
	if (thread_count > 1)
		line_put(l, "[pid %5d] ", current->tid);
}

void trace_send(const struct line *l)
{
	/* Only now, when the text is complete: the page is everybody's. */
	memcpy(request_page->data, l->text, l->used);
	hypercall(DF_CALL_LOG, DF_LOG_TRACE, l->used, 0, 0);
}

void trace_unfinished(void)
{
	if (!open_call || open_thread != current)
		return;
	print_no_result(open_call, open_argument);
	trace_send(&open_call->line);
}

static void send_exit(struct traced *t)
{
	struct line *l = &t->line;

	print_no_result(t, ARGUMENTS);
	trace_send(l);
	/* The program's own end is announced when it comes. */
	if (thread_count > 1 && t->nr == __NR_exit) {
		l->used = 0;
		trace_prefix(l);
		line_put(l, "+++ exited with %d +++", (int)t->arg[0] & 255);
		trace_send(l);
	}
}

static int64_t traced_call(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	struct traced t;
	unsigned i = 0;

	t.nr = (uint32_t)current->frame->orig_rax;
	t.arg[0] = a;
	t.arg[1] = b;
	t.arg[2] = c;
	t.arg[3] = d;
	t.arg[4] = e;
	t.arg[5] = f;
	t.result = 0;
	print_name(&t);
	print_arguments(&t, &i, false);
	if (t.kinds[0] == STATUS)
		send_exit(&t);
	open_call = t.kinds[0] == STATUS ? NULL : &t;
	open_thread = current;
	open_argument = i;
	t.result = table_get()[t.nr](a, b, c, d, e, f);
	open_call = NULL;
	print_arguments(&t, &i, true);
	print_result(&t);
	trace_send(&t.line);
	return t.result;
}

static void trace_init(void)
{
	names_init();
	table_wrap(traced_call);
	signals_watch();
}

static const struct feature_call no_calls[] = {};
FEATURE(trace, "", trace_init, no_calls);
