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

static void send(const char *prefix, const char *text, size_t n)
{
	size_t before = strlen(prefix);

	/* Only now: the page is everybody's. */
	memcpy(request_page->data, prefix, before);
	memcpy(request_page->data + before, text, n);
	hypercall(DF_CALL_LOG, DF_LOG_TRACE, before + n, 0, 0);
}

void trace_send(const struct line *l)
{
	char prefix[24] = "";

	if (thread_count > 1)
		ksnprintf(prefix, sizeof(prefix), "[pid %5d] ", current->tid);
	send(prefix, l->text, l->used);
}

static void send_exit(struct traced *t)
{
	struct line *l = &t->line;

	print_result(t);
	trace_send(l);
	/* The program's own end is announced when it comes. */
	if (thread_count > 1 && t->nr == __NR_exit) {
		l->used = 0;
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
	t.result = table_get()[t.nr](a, b, c, d, e, f);
	print_arguments(&t, &i, true);
	print_result(&t);
	trace_send(&t.line);
	return t.result;
}

static void trace_init(void)
{
	table_wrap(traced_call);
	signals_watch();
}

static const struct feature_call no_calls[] = {};
FEATURE(trace, "", trace_init, no_calls);
