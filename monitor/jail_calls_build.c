// SPDX-License-Identifier: Apache-2.0
/*
 * A tool of the build: makes the seccomp filters of the monitor from jail_calls.def, with libseccomp.
 *
 *   jail-calls header    a C header with one array of BPF instructions per filter (jail_calls.c installs them)
 *   jail-calls page      the tables of docs/jail.md
 *   jail-calls check     runs the filters on calls that the rows allow, and on calls that differ from those in
 *                           one argument, and compares with what the rows say. Exit status 1 if they differ.
 *
 * So the monitor needs no library and works out nothing when it starts, and the page says what the filters do.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "jail.h"
#include "jail_calls.h"

#ifndef CLONE_DETACHED /* without effect since Linux 2.6.2, but musl sets it */
#define CLONE_DETACHED 0x00400000
#endif

enum when {
	SETUP = 1,
	FREEZE = 2,
	SERVE = 4,
	THAW = 8,
	PROGRAM = 16,
	RUN = FREEZE | SERVE | THAW | PROGRAM
};

/* The values that jail_calls.def uses beside Linux's. */
enum {
	STDOUT = STDOUT_FILENO,
	STDERR = STDERR_FILENO,
	SOCKET = JAIL_FD_SOCKET,
	STREAMS = STDERR_FILENO,
	WATCH = JAIL_FD_WATCH,
	SNAPSHOT = JAIL_FD_SNAPSHOT,
	VM = JAIL_FD_VM,
	VCPU = JAIL_FD_VCPU,
	KICK = JAIL_FD_KICK,
	WAKE = JAIL_FD_WAKE,
	OWN_PID = JAIL_CALLS_OWN_PID,
	THREAD_FLAGS = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
		CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID,
};
_Static_assert(JAIL_FD_VM % DF_INSTANCES_MAX == 0 && JAIL_FD_VCPU % DF_INSTANCES_MAX == 0 &&
		JAIL_FD_KICK % DF_INSTANCES_MAX == 0 && JAIL_FD_WAKE % DF_INSTANCES_MAX == 0 &&
		(DF_INSTANCES_MAX & (DF_INSTANCES_MAX - 1)) == 0,
	"AMONG compares with a mask");

#define ARGUMENTS 6 /* of a system call */
#define ANY "*"

struct argument {
	struct scmp_arg_cmp compare;
	const char *text;
};

struct row {
	enum when when;
	int call;
	const char *name, *why, *error; /* error: how it fails, or NULL */
	uint32_t action;
	struct argument argument[ARGUMENTS]; /* those with a text */
};

#define WIDE(value) ((scmp_datum_t)(int64_t)(value))
#define COMPARE(n, op, a, b, text)                   \
	{                                            \
		{(n), SCMP_CMP_##op, (a), (b)}, text \
	}
#define IS(n, value) COMPARE(n, EQ, WIDE(value), 0, #value)
#define WORD(n, value) COMPARE(n, MASKED_EQ, UINT32_MAX, (uint32_t)(value), #value)
#define BITS(n, value, free) \
	COMPARE(n, MASKED_EQ, ~(scmp_datum_t)(free), WIDE(value), #value " [+ " #free "]")
#define UPTO(n, value) COMPARE(n, LE, WIDE(value), 0, "up to " #value)
#define AMONG(n, block) \
	COMPARE(n, MASKED_EQ, ~(scmp_datum_t)(DF_INSTANCES_MAX - 1), WIDE(block), "a " #block)
#define CALL(when, name, why, ...) \
	{when, SCMP_SYS(name), #name, why, NULL, SCMP_ACT_ALLOW, {__VA_ARGS__}},
#define REFUSE(when, name, why, error) \
	{when, SCMP_SYS(name), #name, why, #error, SCMP_ACT_ERRNO(error), {{{0}, NULL}}},

static const struct row rows[] = {
#include "jail_calls.def"
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

#define CODE_MAX 4096 /* what Linux takes */
#define SHOWN_MAX 10 /* differences that the check prints */

struct filter {
	enum when when;
	const char *name;
	size_t length, own_pid_at;
	struct sock_filter code[CODE_MAX];
};

/* --- Making the filters --- */

/* All filters of a process have their say, so that of the set-up lets pass what the later ones do; `run` has but one. */
static bool applies(const struct row *row, enum when when)
{
	return when == SETUP ? row->when != PROGRAM : (row->when & when) != 0;
}

static int add_row(scmp_filter_ctx context, const struct row *row)
{
	struct scmp_arg_cmp compare[ARGUMENTS];
	unsigned count = 0;
	int r;

	for (unsigned a = 0; a < ARGUMENTS; a++)
		if (row->argument[a].text)
			compare[count++] = row->argument[a].compare;
	r = seccomp_rule_add_exact_array(context, row->action, row->call, count, compare);
	return r == -EEXIST ? 0 : r;
}

static int add_rows(scmp_filter_ctx context, enum when when)
{
	int r = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	/* A tree instead of a chain: Linux tries a filter on every call there is when it takes it. */
	r = r ? r : seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; i < ROWS && !r; i++) {
		if (applies(&rows[i], when))
			r = add_row(context, &rows[i]);
		if (r)
			fprintf(stderr, "jail-calls: row %zu, %s\n", i + 1, rows[i].name);
	}
	return r;
}

static int read_code(int fd, struct filter *f)
{
	ssize_t bytes = pread(fd, f->code, sizeof(f->code), 0);
	size_t found = 0;

	if (bytes <= 0 || lseek(fd, 0, SEEK_END) != bytes)
		return -E2BIG;
	f->length = (size_t)bytes / sizeof(f->code[0]);
	for (size_t i = 0; i < f->length; i++)
		if (f->code[i].code == (BPF_JMP | BPF_JEQ | BPF_K) && f->code[i].k == OWN_PID) {
			f->own_pid_at = i;
			found++;
		}
	/* jail_calls.c puts the process's id in one place. */
	return found == 1 ? 0 : -EINVAL;
}

static int make(struct filter *f)
{
	scmp_filter_ctx context = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int fd = memfd_create(f->name, MFD_CLOEXEC), r = context && fd >= 0 ? 0 : -ENOMEM;

	r = r ? r : add_rows(context, f->when);
	r = r ? r : seccomp_export_bpf(context, fd);
	r = r ? r : read_code(fd, f);
	if (r)
		fprintf(stderr, "jail-calls: %s: %s\n", f->name, strerror(-r));
	if (fd >= 0)
		close(fd);
	if (context)
		seccomp_release(context);
	return r;
}

static int print_header(const struct filter *f)
{
	printf("static const struct sock_filter %s_filter[] = {\n", f->name);
	for (size_t i = 0; i < f->length; i++)
		printf("\t{%#x, %u, %u, %#x},\n", f->code[i].code, f->code[i].jt, f->code[i].jf,
			f->code[i].k);
	printf("};\nstatic const unsigned %s_own_pid_at = %zu;\n\n", f->name, f->own_pid_at);
	return 0;
}

/* --- The page --- */

/* A bar would end the cell of a table. */
static void print_escaped(const char *text)
{
	for (; *text; text++)
		printf(*text == '|' ? "\\|" : "%c", *text);
}

/* "ioctl(a VCPU, KVM_RUN, 0)". Arguments behind the last that is named are left out. */
static void print_call(const struct row *row)
{
	const char *text[ARGUMENTS] = {ANY, ANY, ANY, ANY, ANY, ANY};
	unsigned count = 0;

	for (unsigned a = 0; a < ARGUMENTS && row->argument[a].text; a++) {
		unsigned n = row->argument[a].compare.arg;

		text[n] = row->argument[a].text;
		count = n >= count ? n + 1 : count;
	}
	printf("`%s", row->name);
	for (unsigned n = 0; n < count; n++) {
		printf("%s", n ? ", " : "(");
		print_escaped(text[n]);
	}
	printf("%s`", count ? ")" : "");
}

/* One line for all rows that say the same call is for the same. */
static void print_line(size_t first, enum when when)
{
	printf("| %s | ", rows[first].why);
	for (size_t i = first; i < ROWS; i++) {
		if (rows[i].when != when || strcmp(rows[i].why, rows[first].why))
			continue;
		printf("%s", i == first ? "" : ", ");
		print_call(&rows[i]);
		if (rows[i].error)
			printf(" (fails with `%s`)", rows[i].error);
	}
	printf(" |\n");
}

static void print_table(const char *title, enum when when)
{
	printf("\n### %s\n\n| what for | system calls |\n|---|---|\n", title);
	for (size_t i = 0; i < ROWS; i++) {
		size_t earlier = 0;

		while (earlier < i &&
			(rows[earlier].when != when || strcmp(rows[earlier].why, rows[i].why)))
			earlier++;
		if (rows[i].when == when && earlier == i)
			print_line(i, when);
	}
}

static int print_page(void)
{
	printf("`STDOUT` is descriptor %d, `STDERR` and `STREAMS` %d, `SOCKET` %d, `SNAPSHOT` %d, `WATCH` %d, a `VM` one of %d to %d,"
	       " a `VCPU` one of %d to %d, a `KICK` one of %d to %d, a `WAKE` one of %d to %d. `*` is anything.\n",
		STDOUT, STDERR, SOCKET, SNAPSHOT, WATCH, VM, VM + DF_INSTANCES_MAX - 1, VCPU,
		VCPU + DF_INSTANCES_MAX - 1, KICK, KICK + DF_INSTANCES_MAX - 1, WAKE,
		WAKE + DF_INSTANCES_MAX - 1);
	print_table("While guests run", RUN);
	print_table("While guests run, in `freeze` alone", FREEZE);
	print_table("While a guest runs, in `thaw` alone", THAW);
	print_table("While a guest runs, in `run` alone", PROGRAM);
	print_table("During the set-up, beside these", SETUP);
	return 0;
}

/* --- The check --- */

/* What the filter answers. The instructions that libseccomp uses, and no others. */
static uint32_t run(const struct filter *f, const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < f->length; pc++) {
		const struct sock_filter *i = &f->code[pc];
		bool yes;

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&a, (const uint8_t *)data + i->k, sizeof(a));
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			continue;
		case BPF_RET | BPF_K:
			return i->k;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			yes = a == i->k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			yes = a > i->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			yes = a >= i->k;
			break;
		default:
			return UINT32_MAX;
		}
		pc += yes ? i->jt : i->jf;
	}
	return UINT32_MAX;
}

static bool argument_holds(const struct scmp_arg_cmp *c, uint64_t value)
{
	switch (c->op) {
	case SCMP_CMP_EQ:
		return value == c->datum_a;
	case SCMP_CMP_LE:
		return value <= c->datum_a;
	case SCMP_CMP_MASKED_EQ:
		return (value & c->datum_a) == c->datum_b;
	default:
		return false;
	}
}

/* What the rows answer. */
static uint32_t expected(enum when when, const struct seccomp_data *data)
{
	for (size_t i = 0; i < ROWS; i++) {
		bool holds = applies(&rows[i], when) && rows[i].call == data->nr;

		for (unsigned a = 0; a < ARGUMENTS && rows[i].argument[a].text && holds; a++) {
			const struct scmp_arg_cmp *c = &rows[i].argument[a].compare;

			holds = argument_holds(c, data->args[c->arg]);
		}
		if (holds)
			return rows[i].action;
	}
	return SCMP_ACT_KILL_PROCESS;
}

static unsigned differs(const struct filter *f, const struct seccomp_data *data)
{
	static unsigned shown;
	uint32_t want =
		data->arch == AUDIT_ARCH_X86_64 ? expected(f->when, data) : SCMP_ACT_KILL_PROCESS;
	uint32_t have = run(f, data);

	if (want == have)
		return 0;
	if (shown++ < SHOWN_MAX)
		fprintf(stderr,
			"%s: call %d (%#llx, %#llx, %#llx, %#llx, %#llx, %#llx): %#x instead of %#x\n",
			f->name, data->nr, data->args[0], data->args[1], data->args[2],
			data->args[3], data->args[4], data->args[5], have, want);
	return 1;
}

/* The call of a row, and all that differ from it in one argument, by one bit or to a value of another row. */
static unsigned check_row(const struct filter *f, const struct row *row)
{
	struct seccomp_data data = {.nr = row->call, .arch = AUDIT_ARCH_X86_64}, other;
	unsigned bad;

	for (unsigned a = 0; a < ARGUMENTS; a++)
		if (row->argument[a].text) {
			const struct scmp_arg_cmp *c = &row->argument[a].compare;

			data.args[c->arg] = c->op == SCMP_CMP_MASKED_EQ ? c->datum_b : c->datum_a;
		}
	bad = differs(f, &data);
	for (unsigned n = 0; n < ARGUMENTS; n++) {
		other = data;
		for (unsigned bit = 0; bit < 64; bit++) {
			other.args[n] = data.args[n] ^ 1ULL << bit;
			bad += differs(f, &other);
		}
		for (size_t i = 0; i < ROWS; i++)
			for (unsigned a = 0; a < ARGUMENTS && rows[i].argument[a].text; a++) {
				other.args[n] = rows[i].argument[a].compare.datum_a;
				bad += differs(f, &other);
				other.args[n] = rows[i].argument[a].compare.datum_b;
				bad += differs(f, &other);
			}
	}
	return bad;
}

static int check(const struct filter *f)
{
	struct seccomp_data data = {.arch = AUDIT_ARCH_X86_64};
	unsigned bad = 0;

	for (size_t i = 0; i < ROWS; i++)
		bad += check_row(f, &rows[i]);
	/* Every call without arguments, also of x32 and i386. */
	for (data.nr = 0; data.nr < 1024; data.nr++) {
		bad += differs(f, &data);
		data.nr |= 0x40000000;
		bad += differs(f, &data);
		data.nr &= ~0x40000000;
		data.arch = AUDIT_ARCH_I386;
		bad += differs(f, &data);
		data.arch = AUDIT_ARCH_X86_64;
	}
	return bad ? -EINVAL : 0;
}

int main(int argc, char **argv)
{
	static struct filter filters[] = {
		{.when = SETUP, .name = "setup"},
		{.when = FREEZE, .name = "freeze"},
		{.when = SERVE, .name = "serve"},
		{.when = THAW, .name = "thaw"},
		{.when = PROGRAM, .name = "run"},
	};
	const char *mode = argc == 2 ? argv[1] : "";
	int (*act)(const struct filter *) = !strcmp(mode, "header") ? print_header
		: !strcmp(mode, "check")                            ? check
								    : NULL;
	int r = 0;

	if (!strcmp(mode, "page")) {
		print_page();
	} else if (!act) {
		fprintf(stderr, "usage: jail-calls header|page|check\n");
		r = -EINVAL;
	}
	for (size_t i = 0; act && i < sizeof(filters) / sizeof(filters[0]) && !r; i++) {
		r = make(&filters[i]);
		r = r ? r : act(&filters[i]);
	}
	return r || fflush(stdout) ? 1 : 0;
}
