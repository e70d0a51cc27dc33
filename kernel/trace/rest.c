// SPDX-License-Identifier: Apache-2.0
/*
 * Calls whose arguments depend on one another: fcntl, ioctl, prctl, futex, clone, and rt_sigreturn,
 * which has none but something to show.
 */
#include <asm/ioctls.h>
#include <asm/sigcontext.h>
#include <asm/signal.h>
#include <asm/termbits.h>
#include <asm/termios.h>
#include <asm/ucontext.h>
#include <linux/fcntl.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <kernel/mm/user.h>
#include <kernel/trace/print.h>

/* --- fcntl --- */

static void put_lock(struct line *l, gva_t at)
{
	struct flock k;

	if (user_get(&k, at)) {
		line_pointer(l, at);
		return;
	}
	line_put(l, "{l_type=");
	names_put(l, LOCK_TYPE, (uint64_t)k.l_type);
	line_put(l, ", l_whence=");
	names_put(l, WHENCE, (uint64_t)k.l_whence);
	line_put(l, ", l_start=%ld, l_len=%ld}", k.l_start, k.l_len);
}

static void put_fcntl(struct line *l, uint64_t command, uint64_t arg)
{
	names_put(l, FCNTL_COMMAND, command);
	switch ((int)command) {
	case F_GETFD:
	case F_GETFL:
	case F_GETOWN:
	case F_GETSIG:
	case F_GETLEASE:
	case F_GETPIPE_SZ:
	case F_GET_SEALS:
		return;
	default:
		break;
	}
	line_put(l, ", ");
	switch ((int)command) {
	case F_SETFD:
		names_put(l, DESCRIPTOR_FLAGS, arg);
		break;
	case F_SETFL:
		names_put_open(l, arg);
		break;
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		put_lock(l, arg);
		break;
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
	case F_SETPIPE_SZ:
	case F_SETOWN:
		line_put(l, "%d", (int)arg);
		break;
	default:
		line_hex(l, arg);
	}
}

void rest_put_result(struct traced *t)
{
	int command = (int)t->arg[1];

	if (command != F_GETFL && (command != F_GETFD || !t->result)) {
		line_put(&t->line, "%ld", t->result);
		return;
	}
	line_hex(&t->line, (uint64_t)t->result);
	line_put(&t->line, " (flags ");
	if (command == F_GETFL)
		names_put_open(&t->line, (uint64_t)t->result);
	else
		names_put(&t->line, DESCRIPTOR_FLAGS, (uint64_t)t->result);
	line_put(&t->line, ")");
}

/* --- ioctl --- */

static bool put_terminal(struct line *l, gva_t at)
{
	struct termios s;

	if (user_get(&s, at))
		return false;
	line_put(l, "{%s %sopost %sisig %sicanon %secho ...}",
		(s.c_cflag & CBAUD) == B38400 ? "B38400" : "B0", s.c_oflag & OPOST ? "" : "-",
		s.c_lflag & ISIG ? "" : "-", s.c_lflag & ICANON ? "" : "-",
		s.c_lflag & ECHO ? "" : "-");
	return true;
}

static bool put_window(struct line *l, gva_t at)
{
	struct winsize w;

	if (user_get(&w, at))
		return false;
	line_put(l, "{ws_row=%u, ws_col=%u, ws_xpixel=%u, ws_ypixel=%u}", w.ws_row, w.ws_col,
		w.ws_xpixel, w.ws_ypixel);
	return true;
}

static bool put_number(struct line *l, gva_t at)
{
	int v;

	if (user_get(&v, at))
		return false;
	line_put(l, "[%d]", v);
	return true;
}

/* The structure behind an ioctl's argument, if the call was good. */
static bool put_ioctl_data(struct line *l, uint64_t request, gva_t at)
{
	switch (request) {
	case TCGETS:
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return put_terminal(l, at);
	case TIOCGWINSZ:
	case TIOCSWINSZ:
		return put_window(l, at);
	case FIONREAD:
	case FIONBIO:
	case TIOCGPGRP:
	case TIOCSPGRP:
		return put_number(l, at);
	default:
		return false;
	}
}

static void put_ioctl(struct traced *t, unsigned i)
{
	uint64_t request = (uint32_t)t->arg[i], arg = t->arg[i + 1];

	names_put(&t->line, IOCTL_REQUEST, request);
	if (request == FIOCLEX || request == FIONCLEX)
		return;
	line_put(&t->line, ", ");
	if (t->result < 0 || !put_ioctl_data(&t->line, request, arg))
		line_pointer(&t->line, arg);
}

/* --- prctl --- */

static void put_prctl(struct traced *t, unsigned i)
{
	char name[17] = "";
	uint64_t option = t->arg[i], arg = t->arg[i + 1];

	names_put(&t->line, PRCTL_OPTION, option);
	switch ((int)option) {
	case PR_SET_NAME:
	case PR_GET_NAME:
		line_put(&t->line, ", ");
		if (t->result < 0 || user_string(name, arg, 16) == -EFAULT)
			line_pointer(&t->line, arg);
		else
			line_quote(&t->line, name, strlen(name), false);
		break;
	case PR_GET_DUMPABLE:
	case PR_GET_KEEPCAPS:
	case PR_GET_SECCOMP:
	case PR_GET_SECUREBITS:
	case PR_GET_TIMERSLACK:
	case PR_GET_TIMING:
		break;
	case PR_SET_DUMPABLE:
	case PR_SET_TIMERSLACK:
	case PR_CAPBSET_READ:
		line_put(&t->line, ", %lu", arg);
		break;
	default:
		for (unsigned n = 1; n <= 4; n++) {
			line_put(&t->line, t->arg[i + n] < 10 ? ", %lu" : ", 0x%lx", t->arg[i + n]);
		}
	}
}

/* --- futex --- */

static void put_timeout(struct traced *t)
{
	line_put(&t->line, ", ");
	if (!t->arg[3] || !memory_put_time(&t->line, t->arg[3], "nsec"))
		line_pointer(&t->line, t->arg[3]);
}

static void put_bitset(struct traced *t)
{
	if ((uint32_t)t->arg[5] == FUTEX_BITSET_MATCH_ANY)
		line_put(&t->line, ", FUTEX_BITSET_MATCH_ANY");
	else
		line_put(&t->line, ", 0x%x", (uint32_t)t->arg[5]);
}

/* futex(address, operation, value, timeout or second value, second address, third value) */
static void put_futex(struct traced *t)
{
	unsigned operation = (unsigned)t->arg[1] & FUTEX_CMD_MASK;
	struct line *l = &t->line;

	names_put(l, FUTEX_OPERATION, operation);
	line_put(l, "%s%s", t->arg[1] & FUTEX_PRIVATE_FLAG ? "_PRIVATE" : "",
		t->arg[1] & FUTEX_CLOCK_REALTIME ? "|FUTEX_CLOCK_REALTIME" : "");
	switch (operation) {
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		put_timeout(t);
		return;
	case FUTEX_UNLOCK_PI:
	case FUTEX_TRYLOCK_PI:
		return;
	default:
		line_put(l, ", %u", (uint32_t)t->arg[2]);
	}
	switch (operation) {
	case FUTEX_WAKE:
		break;
	case FUTEX_WAKE_BITSET:
		put_bitset(t);
		break;
	case FUTEX_WAIT:
		put_timeout(t);
		break;
	case FUTEX_WAIT_BITSET:
		put_timeout(t);
		put_bitset(t);
		break;
	case FUTEX_REQUEUE:
		line_put(l, ", %u, 0x%lx", (uint32_t)t->arg[3], t->arg[4]);
		break;
	case FUTEX_CMP_REQUEUE:
		line_put(l, ", %u, 0x%lx, %u", (uint32_t)t->arg[3], t->arg[4], (uint32_t)t->arg[5]);
		break;
	default:
		line_put(l, ", %u, 0x%lx, 0x%x", (uint32_t)t->arg[3], t->arg[4],
			(uint32_t)t->arg[5]);
	}
}

/* --- clone --- */

static void put_clone_flags(struct line *l, uint64_t flags, uint64_t signal)
{
	line_put(l, "flags=");
	names_put(l, CLONE_FLAGS, flags);
	if (signal) {
		line_put(l, "|");
		names_put_signal(l, (int)signal);
	}
}

static void put_parent_tid(struct line *l, gva_t at, const char *separator)
{
	int tid;

	if (user_get(&tid, at) == 0)
		line_put(l, "%sparent_tid=[%d]", separator, tid);
}

static void put_clone(struct traced *t)
{
	uint64_t flags = (uint32_t)t->arg[0];
	struct line *l = &t->line;

	line_put(l, "child_stack=");
	line_pointer(l, t->arg[1]);
	line_put(l, ", ");
	put_clone_flags(l, flags & ~(uint64_t)CSIGNAL, flags & CSIGNAL);
	if ((flags & CLONE_PARENT_SETTID) && t->result >= 0)
		put_parent_tid(l, t->arg[2], ", ");
	if (flags & CLONE_SETTLS)
		line_put(l, ", tls=0x%lx", t->arg[4]);
	if (flags & (CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID))
		line_put(l, ", child_tidptr=0x%lx", t->arg[3]);
}

static void put_clone3(struct traced *t)
{
	struct line *l = &t->line;
	struct clone_args a = {0};

	if (user_copy_from(&a, (void *)t->arg[0], min(t->arg[1], (uint64_t)sizeof(a)))) {
		line_pointer(l, t->arg[0]);
	} else {
		line_put(l, "{");
		put_clone_flags(l, a.flags, 0);
		if (a.flags & (CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID))
			line_put(l, ", child_tid=0x%lx", (uint64_t)a.child_tid);
		if (a.flags & CLONE_PARENT_SETTID)
			line_put(l, ", parent_tid=0x%lx", (uint64_t)a.parent_tid);
		line_put(l, ", exit_signal=");
		names_put_signal(l, (int)a.exit_signal);
		line_put(l, ", stack=");
		line_pointer(l, a.stack);
		line_put(l, ", stack_size=");
		line_hex(l, a.stack_size);
		if (a.flags & CLONE_SETTLS)
			line_put(l, ", tls=0x%lx", (uint64_t)a.tls);
		line_put(l, "}");
		if ((a.flags & CLONE_PARENT_SETTID) && t->result >= 0) {
			put_parent_tid(l, a.parent_tid, " => {");
			line_put(l, "}");
		}
	}
	line_put(l, ", %lu", t->arg[1]);
}

/* --- rt_sigreturn --- */

/* The handler's `ret` has taken the restorer's address off the stack: the context lies on top. */
static void put_sigframe(struct traced *t)
{
	struct ucontext *context = (void *)current->frame->rsp;
	uint64_t mask;

	if (user_get(&mask, &context->uc_sigmask))
		return;
	line_put(&t->line, "{mask=");
	names_put_signals(&t->line, mask);
	line_put(&t->line, "}");
}

void rest_put(struct traced *t, unsigned i)
{
	switch (t->kinds[i]) {
	case FCNTL:
		put_fcntl(&t->line, t->arg[i], t->arg[i + 1]);
		break;
	case IOCTL:
		put_ioctl(t, i);
		break;
	case PRCTL:
		put_prctl(t, i);
		break;
	case FUTEX:
		put_futex(t);
		break;
	case CLONE:
		put_clone(t);
		break;
	case CLONE3:
		put_clone3(t);
		break;
	case SIGFRAME:
		put_sigframe(t);
		break;
	}
}
