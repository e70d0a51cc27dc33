// SPDX-License-Identifier: Apache-2.0
/* Hypercalls, notes and panics: see hypercall.h. */
#include <kernel/arch/x86_64/arch.h>
#include <kernel/core/hypercall.h>

int64_t hypercall(unsigned call, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	struct df_request *q = &request_page->request;

	q->call = call;
	q->arg[0] = a;
	q->arg[1] = b;
	q->arg[2] = c;
	q->arg[3] = d;
	__asm__ volatile("" : : : "memory");
	arch_hypercall();
	__asm__ volatile("" : : : "memory");
	return q->result;
}

static size_t format_data(const char *fmt, va_list args)
{
	int n = kvsnprintf((char *)request_page->data, DF_DATA_BYTES, fmt, args);

	return min((size_t)n, (size_t)DF_DATA_BYTES - 1);
}

void note(const char *fmt, ...)
{
	va_list args;
	size_t n;

	va_start(args, fmt);
	n = format_data(fmt, args);
	va_end(args);
	hypercall(DF_CALL_LOG, DF_LOG_NOTE, n, 0, 0);
}

void panic(const char *fmt, ...)
{
	static bool panicking;
	va_list args;
	size_t n = 0;

	/* A panic in a panic says nothing new, and must not fault for ever. */
	if (!panicking) {
		panicking = true;
		va_start(args, fmt);
		n = format_data(fmt, args);
		va_end(args);
	}
	for (;;)
		hypercall(DF_CALL_PANIC, n, 0, 0, 0);
}
