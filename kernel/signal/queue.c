// SPDX-License-Identifier: Apache-2.0
/*
 * Signals that wait: per thread, and for the program as a whole.
 *
 * A number in a set without a struct queued behind it is a signal whose information is lost because
 * memory or the bound ran out; it is delivered all the same.
 */
#include <kernel/mm/mm.h>
#include <kernel/signal/signal.h>

#define QUEUED_MAX 1024 /* on the heap, over all queues */
#define STANDARD_SIGNALS 31 /* 1-31 do not queue up; the others do */

#define IGNORED_BY_DEFAULT                                                                       \
	(SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGCONT) | SIGNAL_BIT(SIGURG) | SIGNAL_BIT(SIGWINCH) | \
		STOPS)
/* Linux ignores these three, too, in a process group without a parent that could continue it. */
#define STOPS (SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU))
/* Caused by the thread itself: they go first. */
#define SYNCHRONOUS                                                                            \
	(SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGTRAP) | \
		SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGSYS))

struct action actions[SIGNALS];
struct pending shared_pending;
struct wait_queue signal_arrivals;
static unsigned queued_count;

void pending_init(struct pending *p)
{
	p->set = 0;
	list_init(&p->queue);
}

void queue_init(void)
{
	pending_init(&shared_pending);
	wait_queue_init(&signal_arrivals);
}

static void queued_free(struct queued *q)
{
	list_del(&q->node);
	if (q->timer)
		return;
	kfree(q);
	queued_count--;
}

static void forget_in(struct pending *p, uint64_t set)
{
	struct queued *q, *tmp;

	if (!(p->set & set))
		return;
	list_for_each_safe(q, tmp, &p->queue, node) {
		if (SIGNAL_BIT(q->info.si_signo) & set)
			queued_free(q);
	}
	p->set &= ~set;
}

void pending_clear(struct pending *p)
{
	forget_in(p, ~0ULL);
}

void pending_forget(int signal)
{
	struct thread *t;

	forget_in(&shared_pending, SIGNAL_BIT(signal));
	list_for_each(t, &thread_list, all) {
		if (t->signal)
			forget_in(&signals_of(t)->pending, SIGNAL_BIT(signal));
	}
}

static void recount_in(struct pending *p, int signal)
{
	struct queued *q;

	list_for_each(q, &p->queue, node) {
		if (q->info.si_signo == signal)
			return;
	}
	p->set &= ~SIGNAL_BIT(signal);
}

void pending_recount(int signal)
{
	struct thread *t;

	recount_in(&shared_pending, signal);
	list_for_each(t, &thread_list, all) {
		if (t->signal)
			recount_in(&signals_of(t)->pending, signal);
	}
}

bool signal_ignored(int signal)
{
	gva_t handler = action_of(signal)->handler;

	return handler == HANDLER_IGNORE ||
		(handler == HANDLER_DEFAULT && (IGNORED_BY_DEFAULT & SIGNAL_BIT(signal)));
}

uint64_t signal_deliverable(struct thread *t)
{
	struct thread_signals *s = t->signal;
	uint64_t set, result = 0;

	if (!s)
		return 0;
	/* One that is pending and ignored was blocked when it came: it must not interrupt anything. */
	for (set = (s->pending.set | shared_pending.set) & ~s->blocked; set; set &= set - 1) {
		int signal = __builtin_ctzll(set) + 1;

		if (!signal_ignored(signal))
			result |= SIGNAL_BIT(signal);
	}
	return result;
}

static bool wants(struct thread *t, int signal)
{
	struct thread_signals *s = t->signal;

	return s && t->state != THREAD_DEAD && !(t->work & WORK_EXIT) &&
		!(s->blocked & ~s->awaited & SIGNAL_BIT(signal));
}

static void rouse(struct thread *t)
{
	t->work |= WORK_SIGNAL;
	thread_wake(t);
}

/* The first thread takes what is sent to the program, if it can: as Linux does. */
static void rouse_somebody(int signal)
{
	struct thread *t;

	list_for_each(t, &thread_list, all) {
		if (wants(t, signal)) {
			rouse(t);
			return;
		}
	}
}

/* A blocked signal is kept: it may be handled by the time it is unblocked. */
bool signal_vanishes(struct thread *t, int signal)
{
	if (!signal_ignored(signal))
		return false;
	if (!t)
		t = list_entry(thread_list.next, struct thread, all);
	return !t->signal || !(signals_of(t)->blocked & SIGNAL_BIT(signal));
}

/* Queues the information, if there is room. */
static int enqueue(struct pending *p, const siginfo_t *info, struct queued *own)
{
	struct queued *q = own;

	if (!q && queued_count < QUEUED_MAX) {
		q = kmalloc(sizeof(*q));
		if (q) {
			q->timer = NULL;
			queued_count++;
		}
	}
	if (q) {
		q->info = *info;
		list_add_tail(&p->queue, &q->node);
	} else if (info->si_signo > STANDARD_SIGNALS && info->si_code != SI_USER &&
		info->si_code != SI_KERNEL) {
		return -EAGAIN;
	}
	p->set |= SIGNAL_BIT(info->si_signo);
	return 0;
}

int signal_send(struct thread *t, const siginfo_t *info, struct queued *own)
{
	struct pending *p = t ? &signals_of(t)->pending : &shared_pending;
	int signal = info->si_signo;
	int r;

	if (signal_vanishes(t, signal))
		return 0;
	if (signal == SIGKILL)
		program_exit(0, SIGKILL);
	/* A timer's own is always queued: its interval goes on when it is taken. */
	if (!own && signal <= STANDARD_SIGNALS && (p->set & SIGNAL_BIT(signal)))
		return 0;
	r = enqueue(p, info, own);
	if (r)
		return r;
	wait_queue_wake(&signal_arrivals, 1 /* EPOLLIN */);
	if (!t)
		rouse_somebody(signal);
	else if (wants(t, signal))
		rouse(t);
	return 0;
}

void signal_send_kernel(int signal)
{
	siginfo_t info = {.si_signo = signal, .si_code = SI_KERNEL};

	(void)signal_send(NULL, &info, NULL);
}

/* Takes the first of these signals out of p. */
static void dequeue(struct pending *p, int signal, siginfo_t *info)
{
	struct queued *q, *tmp, *found = NULL;
	bool more = false;

	list_for_each_safe(q, tmp, &p->queue, node) {
		if (q->info.si_signo != signal)
			continue;
		if (found) {
			more = true;
			break;
		}
		found = q;
	}
	if (!more)
		p->set &= ~SIGNAL_BIT(signal);
	if (!found) {
		*info = (siginfo_t){.si_signo = signal, .si_code = SI_USER};
		return;
	}
	*info = found->info;
	list_del(&found->node);
	if (found->timer)
		posix_timer_taken(found->timer, info);
	else
		queued_free(found);
}

static int lowest(uint64_t set)
{
	if (set & SYNCHRONOUS)
		set &= SYNCHRONOUS;
	return __builtin_ctzll(set) + 1;
}

int signal_take(uint64_t wanted, siginfo_t *info)
{
	struct pending *own = &signals_of(current)->pending;
	int signal;

	if (own->set & wanted) {
		signal = lowest(own->set & wanted);
		dequeue(own, signal, info);
		return signal;
	}
	if (!(shared_pending.set & wanted))
		return 0;
	signal = lowest(shared_pending.set & wanted);
	dequeue(&shared_pending, signal, info);
	if (signal == SIGALRM)
		itimer_taken();
	return signal;
}

void signal_retarget(void)
{
	uint64_t set;

	for (set = shared_pending.set; set; set &= set - 1)
		rouse_somebody(__builtin_ctzll(set) + 1);
}

void signal_set_blocked(uint64_t blocked)
{
	struct thread_signals *s = signals_of(current);
	uint64_t newly = blocked & ~s->blocked;

	s->blocked = blocked & ~UNBLOCKABLE;
	if (signal_deliverable(current))
		current->work |= WORK_SIGNAL;
	if (newly & shared_pending.set)
		signal_retarget();
}
