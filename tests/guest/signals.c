/*
 * signals.c - delivery, masks, waiting, interruption, the signal frame.
 */
#include "case.h"
#include "fault.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>

static volatile sig_atomic_t caught, order[16];
static siginfo_t last_info;

static void count(int number)
{
	if (caught < 16)
		order[caught] = number;
	caught++;
}

static void keep_info(int number, siginfo_t *info, void *context)
{
	(void)context;
	last_info = *info;
	count(number);
}

static void install(int number, void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
	sigaction(number, &action, NULL);
}

static void install_info(int number, int flags)
{
	struct sigaction action = {.sa_sigaction = keep_info, .sa_flags = flags | SA_SIGINFO};
	sigaction(number, &action, NULL);
	memset(&last_info, 0, sizeof last_info);
}

static void mask(int how, int number)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(how, &set, NULL);
}

static int is_masked(int number)
{
	sigset_t set;
	sigprocmask(SIG_BLOCK, NULL, &set);
	return sigismember(&set, number);
}

static int is_pending(int number)
{
	sigset_t set;
	sigpending(&set);
	return sigismember(&set, number);
}

/*
 * A timer that fires every `ms` milliseconds, so that a signal that comes before the call it is meant to
 * interrupt is followed by another.
 */
static timer_t every_ms(long ms)
{
	timer_t timer;
	struct timespec step = {ms / 1000, ms % 1000 * 1000000};
	struct itimerspec when = {step, step};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
	timer_create(CLOCK_MONOTONIC, &event, &timer);
	timer_settime(timer, 0, &when, NULL);
	return timer;
}

static void raise_and_handle(void)
{
	caught = 0;
	install(SIGUSR1, count, 0);
	say("raise=%d", raise(SIGUSR1));
	say("caught=%d number=%d", (int)caught, (int)order[0]);
	say("kill=%s", rc(kill(getpid(), SIGUSR1)));
	say("caught=%d", (int)caught);
	say("tgkill=%s", rc(syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1)));
	say("tkill=%s", rc(syscall(SYS_tkill, gettid(), SIGUSR1)));
	say("caught=%d", (int)caught);
}

static void kill_errors(void)
{
	say("zero=%s", rc(kill(getpid(), 0)));
	say("number=%s", rc(kill(getpid(), 65)));
	say("minus=%s", rc(kill(getpid(), -1)));
	say("nobody=%s", rc(kill(0x3fffffff, SIGUSR1)));
	say("tgkill=%s", rc(syscall(SYS_tgkill, getpid(), 0x3fffffff, 0)));
	say("tgkill-zero=%s", rc(syscall(SYS_tgkill, 0, gettid(), 0)));
}

static void action_query(void)
{
	struct sigaction action = {.sa_handler = count, .sa_flags = SA_RESTART}, old;
	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGUSR2);
	say("set=%s", rc(sigaction(SIGUSR1, &action, NULL)));
	say("get=%s", rc(sigaction(SIGUSR1, NULL, &old)));
	say("same=%s restart=%s mask=%d", yes(old.sa_handler == count),
		yes((old.sa_flags & SA_RESTART) != 0), sigismember(&old.sa_mask, SIGUSR2));
	say("kill=%s", rc(sigaction(SIGKILL, &action, NULL)));
	say("stop=%s", rc(sigaction(SIGSTOP, &action, NULL)));
	say("kill-get=%s", rc(sigaction(SIGKILL, NULL, &old)));
	say("zero=%s", rc(sigaction(0, NULL, &old)));
	say("65=%s", rc(sigaction(65, NULL, &old)));
	say("size=%s", rc(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4L)));
	sigaction(SIGUSR2, NULL, &old);
	say("default=%s", yes(old.sa_handler == SIG_DFL));
}

static void ignored(void)
{
	install(SIGUSR1, SIG_IGN, 0);
	say("raise=%d", raise(SIGUSR1));
	/* Default action of these is to ignore. */
	say("chld=%d", raise(SIGCHLD));
	say("winch=%d", raise(SIGWINCH));
	say("urg=%d", raise(SIGURG));
	say("cont=%d", raise(SIGCONT));
	/* A pending signal disappears when it becomes ignored. */
	install(SIGUSR2, count, 0);
	mask(SIG_BLOCK, SIGUSR2);
	raise(SIGUSR2);
	say("pending=%d", is_pending(SIGUSR2));
	install(SIGUSR2, SIG_IGN, 0);
	say("pending=%d", is_pending(SIGUSR2));
}

static void info_fields(void)
{
	install_info(SIGUSR1, 0);
	kill(getpid(), SIGUSR1);
	say("number=%d", last_info.si_signo);
	say("code=%d", last_info.si_code);
	say("pid=%s", yes(last_info.si_pid == getpid()));
	say("uid=%s", yes(last_info.si_uid == getuid()));
	raise(SIGUSR1);
	say("raise-code=%d", last_info.si_code);
	say("queue=%s", rc(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 1234})));
	say("code=%d value=%d", last_info.si_code, last_info.si_value.sival_int);
}

static void masked_until_unmasked(void)
{
	caught = 0;
	install(SIGUSR1, count, 0);
	mask(SIG_BLOCK, SIGUSR1);
	raise(SIGUSR1);
	raise(SIGUSR1);
	say("caught=%d pending=%d", (int)caught, is_pending(SIGUSR1));
	mask(SIG_UNBLOCK, SIGUSR1);
	say("caught=%d pending=%d", (int)caught, is_pending(SIGUSR1));
}

static void realtime_queue(void)
{
	/* Each one arrives, lowest number first, in order for the same number. */
	caught = 0;
	install(SIGRTMIN + 1, count, 0);
	install(SIGRTMIN + 2, count, 0);
	mask(SIG_BLOCK, SIGRTMIN + 1);
	mask(SIG_BLOCK, SIGRTMIN + 2);
	raise(SIGRTMIN + 2);
	raise(SIGRTMIN + 1);
	raise(SIGRTMIN + 1);
	sigset_t both;
	sigemptyset(&both);
	sigaddset(&both, SIGRTMIN + 1);
	sigaddset(&both, SIGRTMIN + 2);
	siginfo_t info;
	for (int i = 0; i < 3; i++)
		say("%s", num(sigwaitinfo(&both, &info) - SIGRTMIN));
	say("caught=%d", (int)caught);
	for (int i = 1; i <= 3; i++)
		sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i});
	for (int i = 0; i < 3; i++) {
		sigwaitinfo(&both, &info);
		say("value=%d", info.si_value.sival_int);
	}
}

static void mask_calls(void)
{
	sigset_t set, old;
	sigfillset(&set);
	say("block-all=%s", rc(sigprocmask(SIG_BLOCK, &set, NULL)));
	sigprocmask(SIG_SETMASK, NULL, &old);
	/* KILL and STOP can not be blocked; the call ignores them. */
	say("kill=%d stop=%d usr1=%d", sigismember(&old, SIGKILL), sigismember(&old, SIGSTOP),
		sigismember(&old, SIGUSR1));
	sigemptyset(&set);
	say("set=%s", rc(sigprocmask(SIG_SETMASK, &set, &old)));
	say("how=%s", rc(sigprocmask(77, &set, NULL)));
	say("how-without-set=%s", rc(sigprocmask(77, NULL, &old)));
	say("size=%s", rc(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 16L)));
	say("now=%d", is_masked(SIGUSR1));
}

static volatile sig_atomic_t seen_mask[3];

static void look_at_mask(int number)
{
	(void)number;
	seen_mask[0] = is_masked(SIGUSR1);
	seen_mask[1] = is_masked(SIGUSR2);
	seen_mask[2] = is_masked(SIGHUP);
}

static void handler_mask(void)
{
	struct sigaction action = {.sa_handler = look_at_mask};
	sigaddset(&action.sa_mask, SIGUSR2);
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	say("%d%d%d", (int)seen_mask[0], (int)seen_mask[1], (int)seen_mask[2]);
	say("after=%d%d", is_masked(SIGUSR1), is_masked(SIGUSR2));
	action.sa_flags = SA_NODEFER;
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	say("nodefer=%d%d%d", (int)seen_mask[0], (int)seen_mask[1], (int)seen_mask[2]);
}

static volatile sig_atomic_t depth, deepest;

static void nest(int number)
{
	depth++;
	if (depth > deepest)
		deepest = depth;
	if (deepest < 5)
		raise(number);
	depth--;
	caught++;
}

static void raise_another(int number)
{
	depth++;
	if (depth > deepest)
		deepest = depth;
	if (caught == 0) {
		caught = 1;
		raise(number);
	} else {
		caught++;
	}
	depth--;
}

static void nesting(void)
{
	caught = depth = deepest = 0;
	install(SIGUSR1, nest, SA_NODEFER);
	raise(SIGUSR1);
	say("deepest=%d caught=%d", (int)deepest, (int)caught);
	/* Without NODEFER the second waits until the first is done. */
	caught = depth = deepest = 0;
	install(SIGUSR1, raise_another, 0);
	raise(SIGUSR1);
	say("deepest=%d caught=%d", (int)deepest, (int)caught);
}

static void reset_on_delivery(void)
{
	struct sigaction old;
	caught = 0;
	install(SIGUSR1, count, SA_RESETHAND);
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &old);
	say("caught=%d default=%s", (int)caught, yes(old.sa_handler == SIG_DFL));
}

static void two_at_once(void)
{
	/* Both become deliverable together: lowest number's handler is entered last, thus finishes first. */
	caught = 0;
	install(SIGUSR1, count, 0);
	install(SIGUSR2, count, 0);
	sigset_t both, none;
	sigemptyset(&none);
	sigemptyset(&both);
	sigaddset(&both, SIGUSR1);
	sigaddset(&both, SIGUSR2);
	sigprocmask(SIG_BLOCK, &both, NULL);
	raise(SIGUSR1);
	raise(SIGUSR2);
	sigprocmask(SIG_SETMASK, &none, NULL);
	say("caught=%d first=%d second=%d", (int)caught, (int)order[0], (int)order[1]);
}

static void suspend(void)
{
	sigset_t none;
	caught = 0;
	install(SIGUSR1, count, 0);
	mask(SIG_BLOCK, SIGUSR1);
	raise(SIGUSR1);
	sigemptyset(&none);
	say("%s", rc(sigsuspend(&none)));
	say("caught=%d masked=%d", (int)caught, is_masked(SIGUSR1));
	install(SIGALRM, count, 0);
	timer_t timer = every_ms(10);
	say("%s", rc(sigsuspend(&none)));
	say("caught=%s", yes(caught > 0));
	timer_delete(timer);
}

static void wait_for_signal(void)
{
	sigset_t set;
	siginfo_t info;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGUSR1);
	say("%s", num(sigwaitinfo(&set, &info)));
	say("code=%d", info.si_code);
	struct timespec limit = {0, 15000000};
	int64_t start = now_ns(CLOCK_MONOTONIC);
	say("timeout=%s", rc(sigtimedwait(&set, &info, &limit)));
	say("waited=%s", waited(start, 15000000));
	limit.tv_nsec = 0;
	say("poll=%s", rc(sigtimedwait(&set, &info, &limit)));
	timer_t timer = every_ms(10);
	say("timer=%s", num(sigwaitinfo(&set, &info)));
	say("code=%d", info.si_code);
	timer_delete(timer);
	raise(SIGUSR1);
	int number = 0;
	say("sigwait=%d", sigwait(&set, &number));
	say("number=%d pending=%d", number, is_pending(SIGUSR1));
}

static void wait_interrupted_by_other(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	caught = 0;
	install(SIGALRM, count, SA_RESTART);
	timer_t timer = every_ms(10);
	say("%s", rc(sigwaitinfo(&set, NULL)));
	say("caught=%s", yes(caught > 0));
	timer_delete(timer);
}

static void read_interrupted(void)
{
	int fds[2];
	char byte;
	pipe(fds);
	caught = 0;
	install(SIGALRM, count, 0);
	timer_t timer = every_ms(10);
	say("%s", rc(read(fds[0], &byte, 1)));
	say("caught=%s", yes(caught > 0));
	timer_delete(timer);
}

static int restart_fd;

static void write_from_handler(int number)
{
	(void)number;
	caught++;
	write(restart_fd, "r", 1);
}

static void read_restarted(void)
{
	int fds[2];
	char byte = 0;
	pipe(fds);
	caught = 0;
	restart_fd = fds[1];
	install(SIGALRM, write_from_handler, SA_RESTART);
	timer_t timer = every_ms(10);
	say("%s", num(read(fds[0], &byte, 1)));
	say("byte=%c caught=%s", byte, yes(caught > 0));
	timer_delete(timer);
}

static void sleep_interrupted(void)
{
	struct timespec ask = {10, 0}, left = {0, 0};
	caught = 0;
	/* Sleeping is never restarted. */
	install(SIGALRM, count, SA_RESTART);
	timer_t timer = every_ms(20);
	say("%s", rc(nanosleep(&ask, &left)));
	say("caught=%s left=%s", yes(caught > 0), yes(left.tv_sec == 9 && left.tv_nsec > 0));
	left = (struct timespec){0, 0};
	say("clock=%s", errno_name(clock_nanosleep(CLOCK_MONOTONIC, 0, &ask, &left)));
	say("left=%s", yes(left.tv_sec == 9));
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += 10;
	left = (struct timespec){77, 0};
	say("absolute=%s",
		errno_name(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, &left)));
	say("untouched=%s", yes(left.tv_sec == 77));
	timer_delete(timer);
}

static void pausing(void)
{
	caught = 0;
	install(SIGALRM, count, SA_RESTART);
	timer_t timer = every_ms(10);
	say("%s", rc(pause()));
	say("caught=%s", yes(caught > 0));
	timer_delete(timer);
}

static void short_write_interrupted(void)
{
	/* What was written before the signal counts. */
	int fds[2];
	static char block[100000];
	pipe(fds);
	caught = 0;
	install(SIGALRM, count, 0);
	timer_t timer = every_ms(10);
	say("%s", num(write(fds[1], block, sizeof block)));
	say("caught=%s", yes(caught > 0));
	timer_delete(timer);
}

static void fault_kinds(void)
{
	volatile int zero = 0;
	volatile int result = 1;
	FAULT(result = result / zero);
	say("divide=%s", fault_text());
	FAULT(__asm__ volatile("ud2"));
	say("ud2=%s", fault_text());
	FAULT(__asm__ volatile("int3"));
	say("int3=%s", fault_text());
	FAULT(__asm__ volatile("hlt"));
	say("hlt=%s at=%ld", fault_text(), (long)fault.address);
	FAULT(__asm__ volatile("mov %%cr0, %%rax" ::: "rax"));
	say("cr0=%s", fault_text());
	FAULT(__asm__ volatile("rdmsr" ::: "rax", "rdx"));
	say("rdmsr=%s", fault_text());
}

/* The last case: where ring 3 has I/O privilege (tests/svm), interrupts stay off behind it. */
static void io_privilege(void)
{
	FAULT(__asm__ volatile("inb $0x80, %%al" ::: "rax"));
	say("inb=%s", fault_text());
	FAULT(__asm__ volatile("cli"));
	say("cli=%s", fault_text());
}

static void software_interrupts(void)
{
	FAULT(__asm__ volatile("int $0x30"));
	say("int-0x30=%s", fault_text());
	FAULT(__asm__ volatile("int $0x0d"));
	say("int-0x0d=%s", fault_text());
	FAULT(__asm__ volatile("int $0x0e"));
	say("int-0x0e=%s", fault_text());
}

static volatile sig_atomic_t fixed_up;

static void skip_instruction(int number, siginfo_t *info, void *argument)
{
	ucontext_t *context = argument;
	(void)number;
	(void)info;
	context->uc_mcontext.gregs[REG_RIP] += 2; /* ud2 */
	context->uc_mcontext.gregs[REG_RBX] = 4711;
	fixed_up++;
}

static void handler_changes_registers(void)
{
	struct sigaction action = {.sa_sigaction = skip_instruction, .sa_flags = SA_SIGINFO};
	long rbx = 1;
	fixed_up = 0;
	sigaction(SIGILL, &action, NULL);
	__asm__ volatile("ud2" : "+b"(rbx) : : "memory");
	say("rbx=%ld fixed=%d", rbx, (int)fixed_up);
}

static volatile long context_values[4];

static void look_at_context(int number, siginfo_t *info, void *argument)
{
	ucontext_t *context = argument;
	(void)number;
	(void)info;
	context_values[0] = (long)context->uc_mcontext.gregs[REG_RDI];
	context_values[1] = (long)context->uc_mcontext.gregs[REG_TRAPNO];
	context_values[2] = (long)context->uc_mcontext.gregs[REG_ERR];
	context_values[3] = (long)context->uc_mcontext.gregs[REG_CR2];
	context->uc_mcontext.gregs[REG_RIP] += 3; /* the length of mov %al, (%rbx,%rcx) */
}

static void context_of_a_fault(void)
{
	struct sigaction action = {.sa_sigaction = look_at_context, .sa_flags = SA_SIGINFO};
	sigaction(SIGSEGV, &action, NULL);
	__asm__ volatile("mov %%al, (%%rbx,%%rcx)"
			 :
			 : "D"(0x1234L), "b"(0L), "c"(0x18L)
			 : "memory");
	say("rdi=%lx trap=%ld error=%lx cr2=%lx", context_values[0], context_values[1],
		context_values[2], context_values[3]);
}

static char alternate[65536];
static volatile sig_atomic_t on_alternate, state_inside;

static void check_stack(int number)
{
	char here;
	stack_t stack;
	(void)number;
	on_alternate = &here > alternate && &here < alternate + sizeof alternate;
	sigaltstack(NULL, &stack);
	state_inside = stack.ss_flags;
	caught++;
}

static void alternate_stack(void)
{
	stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate}, old;
	sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
	say("set=%s", rc(sigaltstack(&stack, &old)));
	say("before=%s", yes(old.ss_flags == SS_DISABLE));
	install(SIGUSR1, check_stack, SA_ONSTACK);
	raise(SIGUSR1);
	say("on=%d inside=%d", (int)on_alternate, (int)state_inside);
	install(SIGUSR1, check_stack, 0);
	raise(SIGUSR1);
	say("off=%d inside=%d", (int)on_alternate, (int)state_inside);
	say("small=%s", rc(sigaltstack(&(stack_t){.ss_sp = alternate, .ss_size = 100}, NULL)));
	say("flags=%s",
		rc(sigaltstack(&(stack_t){.ss_sp = alternate, .ss_size = 65536, .ss_flags = 77},
			NULL)));
	sigaltstack(NULL, &old);
	say("kept=%s", yes(old.ss_sp == alternate && old.ss_size == sizeof alternate));
	say("disable=%s", rc(sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL)));
	install(SIGUSR1, check_stack, SA_ONSTACK);
	raise(SIGUSR1);
	say("on=%d", (int)on_alternate);
}

static void change_while_on_it(int number)
{
	(void)number;
	state_inside = sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL) < 0 ? errno : 0;
}

static void alternate_stack_busy(void)
{
	stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
	sigaltstack(&stack, NULL);
	install(SIGUSR1, change_while_on_it, SA_ONSTACK);
	raise(SIGUSR1);
	say("%s", errno_name((int)state_inside));
	sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
}

static void red_zone(void)
{
	/* A loop keeps eight words below rsp while a timer fires at it from outside. */
	uint64_t wrong = 0;
	caught = 0;
	install(SIGALRM, count, 0);
	struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
	setitimer(ITIMER_REAL, &often, NULL);
	while (caught < 20) {
		uint64_t bad;
		__asm__ volatile(
			"mov $0x1122334455667788, %%rax\n"
			"mov %%rax, -8(%%rsp)\n mov %%rax, -16(%%rsp)\n mov %%rax, -64(%%rsp)\n"
			"mov %%rax, -120(%%rsp)\n mov %%rax, -128(%%rsp)\n"
			"mov $20000, %%ecx\n"
			"1: dec %%ecx\n jnz 1b\n"
			"xor %0, %0\n"
			"mov -8(%%rsp), %%rdx\n xor %%rax, %%rdx\n or %%rdx, %0\n"
			"mov -16(%%rsp), %%rdx\n xor %%rax, %%rdx\n or %%rdx, %0\n"
			"mov -64(%%rsp), %%rdx\n xor %%rax, %%rdx\n or %%rdx, %0\n"
			"mov -120(%%rsp), %%rdx\n xor %%rax, %%rdx\n or %%rdx, %0\n"
			"mov -128(%%rsp), %%rdx\n xor %%rax, %%rdx\n or %%rdx, %0\n"
			: "=&r"(bad)
			:
			: "rax", "rcx", "rdx", "memory", "cc");
		wrong += bad != 0;
	}
	setitimer(ITIMER_REAL, &never, NULL);
	say("wrong=%lu", (unsigned long)wrong);
}

static void itimer_interrupts_a_loop(void)
{
	/* No system call in the loop. */
	struct itimerval when = {{0, 0}, {0, 20000}}, never = {{0, 0}, {0, 0}};
	caught = 0;
	install(SIGALRM, count, 0);
	say("set=%s", rc(setitimer(ITIMER_REAL, &when, NULL)));
	while (caught == 0)
		;
	say("real=%d", (int)caught);
	install(SIGVTALRM, count, 0);
	say("set=%s", rc(setitimer(ITIMER_VIRTUAL, &when, NULL)));
	while (caught == 1)
		;
	say("virtual=%d", (int)caught);
	install(SIGPROF, count, 0);
	say("set=%s", rc(setitimer(ITIMER_PROF, &when, NULL)));
	while (caught == 2)
		;
	say("prof=%d last=%d", (int)caught, (int)order[2]);
	setitimer(ITIMER_REAL, &never, NULL);
}

static _Atomic int handler_tid;

static void note_thread(int number)
{
	atomic_store(&handler_tid, gettid());
	count(number);
}

static _Atomic int worker_tid;

static void *interrupted_reader(void *argument)
{
	char byte;
	atomic_store(&worker_tid, gettid());
	read(*(int *)argument, &byte, 1);
	return (void *)(intptr_t)errno;
}

static void thread_directed(void)
{
	int fds[2];
	pthread_t thread;
	void *result;
	pipe(fds);
	caught = 0;
	atomic_store(&worker_tid, 0);
	install(SIGUSR1, note_thread, 0);
	pthread_create(&thread, NULL, interrupted_reader, &fds[0]);
	while (!atomic_load(&worker_tid))
		sched_yield();
	/* The thread may not be in its read yet: go on until it was interrupted there. */
	struct timespec limit;
	do {
		pthread_kill(thread, SIGUSR1);
		clock_gettime(CLOCK_REALTIME, &limit);
		limit.tv_nsec += 5000000;
		limit.tv_sec += limit.tv_nsec / 1000000000;
		limit.tv_nsec %= 1000000000;
	} while (pthread_timedjoin_np(thread, &result, &limit) != 0);
	say("%s", errno_name((int)(intptr_t)result));
	say("caught=%s in-thread=%s", yes(caught >= 1),
		yes(atomic_load(&handler_tid) == atomic_load(&worker_tid)));
}

static void *unblocked_thread(void *argument)
{
	(void)argument;
	mask(SIG_UNBLOCK, SIGUSR2);
	atomic_store(&worker_tid, gettid());
	while (caught == 0)
		sched_yield();
	return NULL;
}

static void process_directed_finds_a_thread(void)
{
	/* The main thread blocks it, so the other one must take it. */
	pthread_t thread;
	caught = 0;
	atomic_store(&worker_tid, 0);
	install(SIGUSR2, note_thread, 0);
	mask(SIG_BLOCK, SIGUSR2);
	pthread_create(&thread, NULL, unblocked_thread, NULL);
	while (!atomic_load(&worker_tid))
		sched_yield();
	say("kill=%s", rc(kill(getpid(), SIGUSR2)));
	pthread_join(thread, NULL);
	say("caught=%d in-thread=%s", (int)caught,
		yes(atomic_load(&handler_tid) == atomic_load(&worker_tid)));
}

static void *own_mask(void *argument)
{
	(void)argument;
	int inherited = is_masked(SIGUSR1);
	mask(SIG_UNBLOCK, SIGUSR1);
	return (void *)(intptr_t)inherited;
}

static void masks_are_per_thread(void)
{
	pthread_t thread;
	void *inherited;
	mask(SIG_BLOCK, SIGUSR1);
	pthread_create(&thread, NULL, own_mask, NULL);
	pthread_join(thread, &inherited);
	say("inherited=%ld still=%d", (long)(intptr_t)inherited, is_masked(SIGUSR1));
	kill(getpid(), SIGUSR1);
	say("pending=%d", is_pending(SIGUSR1));
	install(SIGUSR1, SIG_IGN, 0);
}

static void timer_signal(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
		.sigev_signo = SIGRTMIN + 3,
		.sigev_value.sival_int = 99};
	struct itimerspec when = {{0, 2000000}, {0, 2000000}}, left;
	timer_t timer;
	caught = 0;
	install_info(SIGRTMIN + 3, 0);
	say("create=%s", rc(timer_create(CLOCK_MONOTONIC, &event, &timer)));
	say("set=%s", rc(timer_settime(timer, 0, &when, NULL)));
	while (caught < 3)
		pause();
	say("code=%d value=%d", last_info.si_code, last_info.si_value.sival_int);
	say("get=%s", rc(timer_gettime(timer, &left)));
	say("interval=%ld", left.it_interval.tv_nsec);
	say("overrun=%s", yes(timer_getoverrun(timer) >= 0));
	say("delete=%s", rc(timer_delete(timer)));
	int before = caught;
	struct timespec pause_time = {0, 8000000};
	nanosleep(&pause_time, NULL);
	say("stopped=%s", yes(caught == before));
	say("clock=%s", rc(timer_create(77, &event, &timer)));
	event.sigev_signo = 200;
	say("number=%s", rc(timer_create(CLOCK_MONOTONIC, &event, &timer)));
}

static void timer_overrun(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	/* Long enough that a slow machine asks for the number before the next expiration resets it. */
	struct itimerspec when = {{0, 8000000}, {0, 8000000}};
	timer_t timer;
	caught = 0;
	install_info(SIGUSR1, 0);
	mask(SIG_BLOCK, SIGUSR1);
	timer_create(CLOCK_MONOTONIC, &event, &timer);
	timer_settime(timer, 0, &when, NULL);
	struct timespec pause_time = {0, 160000000};
	nanosleep(&pause_time, NULL);
	when = (struct itimerspec){{0, 0}, {0, 0}};
	/* Delivered once, with the number of those that were missed. */
	mask(SIG_UNBLOCK, SIGUSR1);
	say("many=%s", yes(timer_getoverrun(timer) >= 10));
	timer_settime(timer, 0, &when, NULL);
	timer_delete(timer);
}

static _Atomic int notified;

static void notify(union sigval value)
{
	atomic_store(&notified, value.sival_int);
}

static void timer_thread(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD,
		.sigev_notify_function = notify,
		.sigev_value.sival_int = 31};
	struct itimerspec when = {{0, 0}, {0, 2000000}};
	timer_t timer;
	atomic_store(&notified, 0);
	say("create=%s", rc(timer_create(CLOCK_MONOTONIC, &event, &timer)));
	timer_settime(timer, 0, &when, NULL);
	while (!atomic_load(&notified))
		sched_yield();
	say("value=%d", atomic_load(&notified));
	timer_delete(timer);
}

static void alarm_calls(void)
{
	caught = 0;
	install(SIGALRM, count, 0);
	say("first=%u", alarm(100));
	unsigned left = alarm(1);
	say("left=%s", yes(left == 100 || left == 99));
	pause();
	say("caught=%d none=%u", (int)caught, alarm(0));
	struct itimerval value;
	say("get=%s", rc(getitimer(ITIMER_REAL, &value)));
	say("%ld.%ld", (long)value.it_value.tv_sec, (long)value.it_value.tv_usec);
	say("which=%s", rc(setitimer(77, &value, NULL)));
	value.it_value.tv_usec = 2000000;
	say("usec=%s", rc(setitimer(ITIMER_REAL, &value, NULL)));
}

static sigjmp_buf jump_back;

static void jump(int number)
{
	(void)number;
	caught++;
	siglongjmp(jump_back, 1);
}

static void leaving_by_longjmp(void)
{
	caught = 0;
	install(SIGUSR1, jump, 0);
	for (volatile int i = 0; i < 3; i++)
		if (sigsetjmp(jump_back, 1) == 0)
			raise(SIGUSR1);
	say("caught=%d masked=%d", (int)caught, is_masked(SIGUSR1));
	/* Without saving the mask, the signal stays blocked. */
	if (sigsetjmp(jump_back, 0) == 0)
		raise(SIGUSR1);
	say("caught=%d masked=%d", (int)caught, is_masked(SIGUSR1));
}

static void commit_page(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	/* The classic lazy commit: make the page accessible and let the instruction run again. */
	mprotect((void *)((uintptr_t)info->si_addr & ~4095UL), 4096, PROT_READ | PROT_WRITE);
	caught++;
}

static void fault_repaired_in_handler(void)
{
	struct sigaction action = {.sa_sigaction = commit_page, .sa_flags = SA_SIGINFO};
	volatile char *p = mmap(NULL, 16 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	caught = 0;
	sigaction(SIGSEGV, &action, NULL);
	for (int i = 0; i < 16; i++)
		p[i * 4096 + 5] = (char)i;
	int sum = 0;
	for (int i = 0; i < 16; i++)
		sum += p[i * 4096 + 5];
	say("caught=%d sum=%d", (int)caught, sum);
}

static void heavy_delivery(void)
{
	caught = 0;
	install(SIGUSR1, count, 0);
	for (int i = 0; i < 10000; i++)
		raise(SIGUSR1);
	say("caught=%d", (int)caught);
}

static void *kill_main(void *argument)
{
	for (int i = 0; i < 200; i++) {
		pthread_kill(*(pthread_t *)argument, SIGUSR1);
		sched_yield();
	}
	return NULL;
}

static void storm_on_a_computation(void)
{
	/* The interrupted arithmetic must come out as if nothing had happened. */
	pthread_t thread, self = pthread_self();
	uint64_t integer = 1;
	double real = 1;
	caught = 0;
	install(SIGUSR1, count, 0);
	pthread_create(&thread, NULL, kill_main, &self);
	for (int i = 0; i < 5000000; i++) {
		integer = integer * 6364136223846793005 + 1442695040888963407;
		real = real * 1.0000001 + 1e-9;
	}
	pthread_join(thread, NULL);
	say("integer=%016lx real=%.12g caught=%s", (unsigned long)integer, real, yes(caught > 0));
}

static const struct guest_case cases[] = {
	C(raise_and_handle),
	C(kill_errors),
	C(action_query),
	C(ignored),
	C(info_fields),
	C(masked_until_unmasked),
	C(realtime_queue),
	C(mask_calls),
	C(handler_mask),
	C(nesting),
	C(reset_on_delivery),
	C(two_at_once),
	C(suspend),
	C(wait_for_signal),
	C(wait_interrupted_by_other),
	C(read_interrupted),
	C(read_restarted),
	C(sleep_interrupted),
	C(pausing),
	C(short_write_interrupted),
	C(fault_kinds),
	C(software_interrupts),
	C(handler_changes_registers),
	C(context_of_a_fault),
	C(alternate_stack),
	C(alternate_stack_busy),
	C(red_zone),
	C(itimer_interrupts_a_loop),
	C(thread_directed),
	C(process_directed_finds_a_thread),
	C(masks_are_per_thread),
	C(timer_signal),
	C(timer_overrun),
	C(timer_thread),
	C(alarm_calls),
	C(leaving_by_longjmp),
	C(fault_repaired_in_handler),
	C(heavy_delivery),
	C(storm_on_a_computation),
	C(io_privilege),
};

GUEST_MAIN("signals", cases)
