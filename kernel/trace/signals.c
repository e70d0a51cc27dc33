// SPDX-License-Identifier: Apache-2.0
/*
 * Signals and the program's end in the trace.
 *
 * A delivery is seen from outside: when the hook of the feature `signals` has run, a new stack pointer in
 * the thread's frame means that a handler is about to start, with the signal's number and information as
 * arguments. (Of several signals delivered at once only the last is seen.)
 */
#include <kernel/core/program.h>
#include <kernel/trace/print.h>

static void (*deliver)(void);
static void (*at_exit)(int status);

static void watch_delivery(void)
{
	const struct frame *f = current->frame;
	uint64_t rsp = f->rsp;
	struct line l = {.used = 0};

	deliver();
	if (f->rsp == rsp)
		return;
	trace_prefix(&l);
	line_put(&l, "--- ");
	names_put_signal(&l, (int)f->rdi);
	line_put(&l, " ");
	memory_put_siginfo(&l, f->rsi);
	line_put(&l, " ---");
	trace_send(&l);
}

/* 128 and more: a signal. (A program that exits with such a status by itself looks the same.) */
static void watch_end(int status)
{
	struct line l = {.used = 0};

	trace_unfinished();
	trace_prefix(&l);
	if (status > 128 && status <= 128 + 64) {
		line_put(&l, "+++ killed by ");
		names_put_signal(&l, status - 128);
		line_put(&l, " +++");
	} else {
		line_put(&l, "+++ exited with %d +++", status & 255);
	}
	trace_send(&l);
	if (at_exit)
		at_exit(status);
}

void signals_watch(void)
{
	deliver = signal_hooks.deliver;
	if (deliver)
		signal_hooks.deliver = watch_delivery;
	at_exit = fs_hooks.at_exit;
	fs_hooks.at_exit = watch_end;
}
