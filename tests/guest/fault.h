/*
 * fault.h - doing something that may fault and saying how.
 *
 * FAULT(statement) runs the statement with handlers for the synchronous signals on an alternate stack and
 * leaves in `fault` what happened: number 0 when nothing did. For the thread that runs the case.
 */
#ifndef TESTS_GUEST_FAULT_H
#define TESTS_GUEST_FAULT_H

#include "case.h"

#include <setjmp.h>

static struct {
	volatile int number, code;
	void *volatile address;
} fault;
static sigjmp_buf fault_return;
static char fault_stack[65536];

static void fault_handler(int number, siginfo_t *info, void *context)
{
	(void)context;
	fault.number = number;
	fault.code = info->si_code;
	fault.address = info->si_addr;
	siglongjmp(fault_return, 1);
}

static void fault_catch(void)
{
	stack_t stack = {.ss_sp = fault_stack, .ss_size = sizeof fault_stack};
	struct sigaction action = {
		.sa_sigaction = fault_handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	fault.number = fault.code = 0;
	fault.address = NULL;
	sigaltstack(&stack, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGILL, &action, NULL);
	sigaction(SIGFPE, &action, NULL);
	sigaction(SIGTRAP, &action, NULL);
}

#define FAULT(statement)                         \
	do {                                     \
		fault_catch();                   \
		if (!sigsetjmp(fault_return, 1)) \
			statement;               \
	} while (0)

/* "none", or signal and code: "SEGV/MAPERR". */
static inline const char *fault_text(void)
{
	static char text[8][32];
	static unsigned next;
	char *out = text[next++ % 8];
	const char *code = NULL;

	if (fault.number == 0)
		return "none";
	if (fault.number == SIGSEGV)
		code = fault.code == SEGV_MAPERR    ? "MAPERR"
			: fault.code == SEGV_ACCERR ? "ACCERR"
			: fault.code == SI_KERNEL   ? "KERNEL"
						    : NULL;
	if (fault.number == SIGBUS)
		code = fault.code == BUS_ADRERR    ? "ADRERR"
			: fault.code == BUS_ADRALN ? "ADRALN"
						   : NULL;
	if (code)
		snprintf(out, sizeof text[0], "%s/%s", sigabbrev_np(fault.number), code);
	else
		snprintf(out, sizeof text[0], "%s/%d", sigabbrev_np(fault.number), fault.code);
	return out;
}

/* Distance of the reported address from `base`. */
static inline long fault_offset(const void *base)
{
	return (long)((const char *)fault.address - (const char *)base);
}

#endif
