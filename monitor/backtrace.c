// SPDX-License-Identifier: Apache-2.0
/*
 * The monitor's half of a backtrace: see backtrace.h. Runs when the instance has ended, in the only
 * thread, in the jail. The helper is started outside of it (outside.h), at the other end of the socket; what comes from there is
 * believed in nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "backtrace.h"
#include "outside.h"

#define PAGES_MAX 100000 /* requests that are served: more than any stack has */

unsigned backtrace_modules(const char *maps, struct backtrace_module *out, unsigned max)
{
	unsigned n = 0;

	for (const char *line = maps; *line && n < max;) {
		struct backtrace_module *m = &out[n];
		size_t length = strcspn(line, "\n"), path;
		char *end;

		memset(m, 0, sizeof(*m));
		m->start = strtoull(line, &end, 16);
		if (*end == '-')
			m->end = strtoull(end + 1, &end, 16);
		if (*end == ' ')
			m->offset = strtoull(end + 1, &end, 16);
		path = *end == ' ' ? (size_t)(end + 1 - line) : length;
		if (path < length && length - path < sizeof(m->path) && m->end > m->start) {
			memcpy(m->path, line + path, length - path);
			n++;
		}
		line += length;
		line += *line == '\n';
	}
	return n;
}

/* One guest page, or that it is not there. A page of a file that shrank meanwhile can not be read: send() finds out without a fault. */
static bool serve_page(const struct vm *vm, gva_t va)
{
	gpa_t gpa;
	const void *page = tables_find(&vm->tables, df_page_down(va), &gpa)
		? memory_at(&vm->memory, gpa, DF_PAGE_SIZE, false)
		: NULL;
	char there = 1;
	struct iovec parts[2] = {{.iov_base = &there, .iov_len = 1},
		{.iov_base = (void *)page, .iov_len = DF_PAGE_SIZE}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

	if (page && sendmsg(vm->outside, &message, MSG_NOSIGNAL) == 1 + (ssize_t)DF_PAGE_SIZE)
		return true;
	there = 0;
	return send(vm->outside, &there, 1, MSG_NOSIGNAL) == 1;
}

/* Serves the helper until its answer is printed. True if there was one. */
static bool serve(const struct vm *vm)
{
	for (unsigned pages = 0; pages < PAGES_MAX; pages++) {
		gva_t va = 0;
		ssize_t n = outside_receive(vm->outside, &va, sizeof(va));

		if (n == 1)
			return va & 1;
		if (n != sizeof(va) || !serve_page(vm, va))
			return false;
	}
	return false;
}

/* One backtrace. False when there is none, and the reader needs to see something else. */
static bool backtrace(const struct vm *vm, const struct backtrace_head *head, char what)
{
	return outside_ask(vm->outside, what, NULL) &&
		send(vm->outside, head, sizeof(*head), MSG_NOSIGNAL) == sizeof(*head) && serve(vm);
}

static void start_head(struct backtrace_head *head, const struct df_regs *regs)
{
	memset(head, 0, sizeof(*head));
	head->magic = BACKTRACE_MAGIC;
	head->regs = *regs;
}

void backtrace_program(struct vm *vm, const struct df_regs *regs, const char *maps)
{
	struct backtrace_head head;

	start_head(&head, regs);
	head.module_count = backtrace_modules(maps, head.module, BACKTRACE_MODULES);
	/* Without the helper the mappings at least let the reader look the addresses up. */
	if (!backtrace(vm, &head, OUTSIDE_PROGRAM))
		fprintf(stderr, "  no backtrace; the code was mapped at\n%s", maps);
}

void backtrace_kernel(struct vm *vm, const struct df_regs *regs)
{
	struct backtrace_head head;

	start_head(&head, regs);
	head.module_count = 1;
	head.module[0].start = DF_VA_KERNEL;
	head.module[0].end = DF_VA_SYSTEM + DF_PAGE_SIZE;
	head.module[0].offset = BACKTRACE_AS_LINKED;
	strcpy(head.module[0].path, "dayfly-kernel");
	(void)backtrace(vm, &head, OUTSIDE_KERNEL);
}
