// SPDX-License-Identifier: Apache-2.0
/*
 * A system call as a line: the name, the arguments, the result. What each call takes stands in its row of
 * sys/calls.def.
 */
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/stat.h>
#include <kernel/core/errno.h>
#include <kernel/trace/print.h>

/* All names in one piece of memory; rows say where in it. */
#define CALL(nr, name, ...) char name[sizeof(#name)];
static const struct names {
#include <kernel/sys/calls.def>
} names = {
#undef CALL
#define CALL(nr, name, ...) #name,
#include <kernel/sys/calls.def>
#undef CALL
};

#define CALL(nr, name, feature, state, note, ...) \
	[nr] = {offsetof(struct names, name) + 1, {__VA_ARGS__}},
static const struct {
	uint16_t name; /* offset + 1, 0: no such call */
	uint8_t kinds[ARGUMENTS];
} rows[] = {
#include <kernel/sys/calls.def>
};
#undef CALL

#define RESULT_COLUMN 39 /* where strace begins it */

static const uint8_t unknown_kinds[ARGUMENTS] = {HEX, HEX, HEX, HEX, HEX, HEX};

void print_name(struct traced *t)
{
	t->line.used = 0;
	trace_prefix(&t->line);
	if (t->nr < array_size(rows) && rows[t->nr].name) {
		t->kinds = rows[t->nr].kinds;
		line_put(&t->line, "%s(", (const char *)&names + rows[t->nr].name - 1);
	} else {
		t->kinds = unknown_kinds;
		line_put(&t->line, "syscall_0x%x(", t->nr);
	}
}

static bool has_kind(const struct traced *t, enum kind kind)
{
	for (unsigned i = 0; i < ARGUMENTS; i++)
		if (t->kinds[i] == kind)
			return true;
	return false;
}

/* --- arguments --- */

static void put_number(struct line *l, enum kind kind, uint64_t v)
{
	switch (kind) {
	case DIRFD:
		if ((int)v == AT_FDCWD)
			line_put(l, "AT_FDCWD");
		else
			line_put(l, "%d", (int)v);
		break;
	case UINT:
		line_put(l, "%u", (uint32_t)v);
		break;
	case LONG:
		line_put(l, "%ld", (int64_t)v);
		break;
	case SIZE:
		line_put(l, "%lu", v);
		break;
	case HEX:
		line_hex(l, v);
		break;
	case DEVICE:
		line_put(l, "makedev(0x%x, 0x%x)", (uint32_t)v >> 8 & 0xfff,
			((uint32_t)v & 0xff) | ((uint32_t)v >> 12 & 0xfff00));
		break;
	case MODE:
	case OPEN_MODE:
	case MASK:
		names_put_mode(l, (uint32_t)v);
		break;
	case SIGNAL:
		names_put_signal(l, (int)v);
		break;
	case POINTER:
	case PLACE:
		line_pointer(l, v);
		break;
	default:
		line_put(l, "%d", (int)v);
	}
}

static void put_memory(struct traced *t, unsigned i)
{
	/* What a failed call was to write has not been written; LEFT only when it was interrupted. */
	bool written = t->kinds[i] >= KIND_WRITTEN;
	bool there = t->kinds[i] == LEFT ? t->result == -EINTR : !written || t->result >= 0;

	if (!t->arg[i] || !there || !memory_put(t, i))
		line_pointer(&t->line, t->arg[i]);
}

/* Arguments that count only with certain values of the one before. */
static bool is_unused(const struct traced *t, unsigned i)
{
	uint64_t before = i ? t->arg[i - 1] : 0;

	switch (t->kinds[i]) {
	case OPEN_MODE:
		return !(before & (O_CREAT | __O_TMPFILE));
	case DEVICE:
		return !S_ISCHR(before) && !S_ISBLK(before);
	case PLACE:
		return i && t->kinds[i - 1] == REMAP && !(before & MREMAP_FIXED);
	default:
		return false;
	}
}

void print_arguments(struct traced *t, unsigned *i, bool over)
{
	for (; *i < ARGUMENTS && t->kinds[*i] != END; ++*i) {
		enum kind kind = t->kinds[*i];

		if (is_unused(t, *i))
			continue;
		if (kind >= KIND_WRITTEN && !over)
			return;
		if (*i)
			line_put(&t->line, ", ");
		if (kind >= KIND_REST || (kind >= KIND_SPECIAL && kind < KIND_READ)) {
			rest_put(t, *i);
			*i = ARGUMENTS;
			return;
		}
		if (kind >= KIND_READ)
			put_memory(t, *i);
		else if (kind >= KIND_NAMES)
			names_put(&t->line, kind, t->arg[*i]);
		else
			put_number(&t->line, kind, t->arg[*i]);
	}
}

/* --- result --- */

static void put_error(struct line *l, int error)
{
	const char *text, *name = error_name(error, &text);

	if (error == ERESTART)
		line_put(l, "? ERESTARTSYS (To be restarted if SA_RESTART is set)");
	else if (error == ERESTARTNOINTR)
		line_put(l, "? ERESTARTNOINTR (To be restarted)");
	else if (name)
		line_put(l, "-1 %s (%s)", name, text);
	else
		line_put(l, "-1 (errno %d)", error);
}

/* What poll and select found stands behind their result. */
static void put_found(struct traced *t)
{
	bool poll = has_kind(t, POLLFDS), select = has_kind(t, FDSET);

	if ((poll || select) && !t->result)
		line_put(&t->line, " (Timeout)");
	else if (poll)
		memory_put_ready(t);
	else if (select)
		memory_put_selected(t);
}

void print_result(struct traced *t)
{
	struct line *l = &t->line;

	line_put(l, ")");
	line_pad(l, RESULT_COLUMN);
	line_put(l, " = ");
	if (t->result < 0 && t->result >= -4095) {
		put_error(l, (int)-t->result);
	} else if (has_kind(t, PLACE)) {
		line_put(l, "0x%lx", t->result);
	} else if (has_kind(t, MASK)) {
		line_put(l, "0%02lo", t->result);
	} else if (has_kind(t, FCNTL)) {
		rest_put_result(t);
	} else {
		line_put(l, "%ld", t->result);
		put_found(t);
	}
}

void print_no_result(struct traced *t, unsigned i)
{
	bool all = i >= ARGUMENTS || t->kinds[i] == END;

	line_put(&t->line, "%s", all ? ")" : " <unfinished ...>)");
	line_pad(&t->line, RESULT_COLUMN);
	line_put(&t->line, " = ?");
}
