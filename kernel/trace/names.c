// SPDX-License-Identifier: Apache-2.0
/*
 * Names of numbers: flags and enumerations as the headers of Linux call them. A set of flags is written
 * with bars between them, what has no name as a number.
 *
 * The names lie behind one another, and so do their values; an empty name begins a set. names_init finds
 * where each begins.
 */
#include <asm/ioctls.h>
#include <asm/prctl.h>
#include <linux/close_range.h>
#include <linux/eventpoll.h>
#include <linux/fadvise.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <linux/memfd.h>
#include <linux/mman.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/random.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/signal.h>
#include <linux/stat.h>
#include <linux/time.h>
#include <linux/timerfd.h>
#include <linux/wait.h>
#include <kernel/trace/print.h>

#define FLAGS(kind) (uint32_t)(kind) << 1 | 1,
#define ENUM(kind) (uint32_t)(kind) << 1,
#define N(name) (uint32_t)(name),
#define M(value, text) (uint32_t)(value),
static const uint32_t values[] = {
#include <kernel/trace/names.def>
};
#undef FLAGS
#undef ENUM
#undef N
#undef M

#define FLAGS(kind) "\0"
#define ENUM(kind) "\0"
#define N(name) #name "\0"
#define M(value, text) text "\0"
static const char texts[] =
#include <kernel/trace/names.def>
	;

static struct set {
	const uint32_t *values;
	const char *texts;
	uint16_t count;
	bool flags;
} sets[KIND_SPECIAL - KIND_NAMES];

static const char *next(const char *text)
{
	return text + strlen(text) + 1;
}

void names_init(void)
{
	const char *text = texts;
	struct set *set = NULL;

	for (unsigned i = 0; i < array_size(values); i++, text = next(text)) {
		if (*text) {
			set->count++;
			continue;
		}
		set = &sets[(values[i] >> 1) - KIND_NAMES];
		*set = (struct set){values + i + 1, next(text), 0, values[i] & 1};
	}
}

static void put_enum(struct line *l, enum kind kind, uint64_t value)
{
	const struct set *set = &sets[kind - KIND_NAMES];
	const char *text = set->texts;

	for (unsigned i = 0; i < set->count; i++, text = next(text)) {
		if (set->values[i] == (uint32_t)value) {
			line_put(l, "%s", text);
			return;
		}
	}
	line_hex(l, (uint32_t)value);
}

/* `bar`: something stands before them, so there is a bar before each and nothing for none. */
static void put_flags(struct line *l, enum kind kind, uint64_t value, bool bar)
{
	const struct set *set = &sets[kind - KIND_NAMES];
	const char *text = set->texts;
	bool first = !bar;

	for (unsigned i = 0; i < set->count; i++, text = next(text)) {
		uint32_t v = set->values[i];

		/* The name of zero is for a value of which nothing is left. */
		if (v ? (value & v) != v : value || bar)
			continue;
		line_put(l, "%s%s", first ? "" : "|", text);
		value &= ~(uint64_t)v;
		first = false;
		if (!v)
			return;
	}
	if (value)
		line_put(l, "%s0x%lx", first ? "" : "|", value);
	else if (first)
		line_put(l, "0");
}

void names_put(struct line *l, enum kind kind, uint64_t value)
{
	if (kind == OPEN)
		names_put_open(l, value);
	else if (sets[kind - KIND_NAMES].flags)
		put_flags(l, kind, value, false);
	else
		put_enum(l, kind, value);
}

void names_put_open(struct line *l, uint64_t flags)
{
	put_enum(l, ACCESS_MODE, flags & O_ACCMODE);
	put_flags(l, DESCRIPTOR, (uint32_t)flags & ~(uint32_t)O_ACCMODE, true);
}

void names_put_mode(struct line *l, unsigned mode)
{
	if (mode & S_IFMT) {
		put_enum(l, FILE_TYPE, mode & S_IFMT);
		line_put(l, "|");
	}
	line_put(l, "0%02o", mode & 07777);
}

/* From number 1 on. */
static const char signal_names[][8] = {
	"HUP",
	"INT",
	"QUIT",
	"ILL",
	"TRAP",
	"ABRT",
	"BUS",
	"FPE",
	"KILL",
	"USR1",
	"SEGV",
	"USR2",
	"PIPE",
	"ALRM",
	"TERM",
	"STKFLT",
	"CHLD",
	"CONT",
	"STOP",
	"TSTP",
	"TTIN",
	"TTOU",
	"URG",
	"XCPU",
	"XFSZ",
	"VTALRM",
	"PROF",
	"WINCH",
	"IO",
	"PWR",
	"SYS",
	"RTMIN",
};

static void put_short_signal(struct line *l, unsigned signal)
{
	if (signal <= array_size(signal_names))
		line_put(l, "%.8s", signal_names[signal - 1]);
	else
		line_put(l, "RT_%u", signal - (unsigned)array_size(signal_names));
}

void names_put_signal(struct line *l, int signal)
{
	if (signal < 1 || signal > 64) {
		line_put(l, "%d", signal);
		return;
	}
	line_put(l, "SIG");
	put_short_signal(l, (unsigned)signal);
}

void names_put_signals(struct line *l, uint64_t set)
{
	unsigned count = 0;
	bool first = true;

	for (unsigned i = 0; i < 64; i++)
		count += set >> i & 1;
	if (count > 32) {
		line_put(l, "~");
		set = ~set;
	}
	line_put(l, "[");
	for (unsigned i = 0; i < 64; i++) {
		if (!(set >> i & 1))
			continue;
		line_put(l, "%s", first ? "" : " ");
		put_short_signal(l, i + 1);
		first = false;
	}
	line_put(l, "]");
}
