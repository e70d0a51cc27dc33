// SPDX-License-Identifier: Apache-2.0
/*
 * Threads begin and end here. Only threads: everything is shared (memory, descriptors, working
 * directory, handlers), so clone wants the flags that say so. A clone that asks for a process of its
 * own (fork, vfork, posix_spawn) is refused with -ENOSYS, and the user is told.
 */
#include <linux/sched.h>
#include <kernel/arch/x86_64/arch.h>
#include <kernel/core/hypercall.h>
#include <kernel/core/ids.h>
#include <kernel/mm/user.h>
#include <kernel/task/task.h>

/* What makes a thread, and not a process, in every thread library. */
#define THREAD_FLAGS ((uint64_t)(CLONE_VM | CLONE_THREAD | CLONE_SIGHAND | CLONE_FS | CLONE_FILES))
#define NAMESPACE_FLAGS                                                                           \
	((uint64_t)(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
		CLONE_NEWPID | CLONE_NEWNET))

struct clone_request {
	uint64_t flags; /* without the exit signal */
	gva_t stack; /* top, 0: go on with the caller's */
	gva_t parent_tid, child_tid, tls;
};

static void tell_once(void)
{
	static bool told;

	if (!told)
		note("the program called clone: a dayfly guest runs a single process, so fork,"
		     " system() and subprocesses do not work");
	told = true;
}

static int check_flags(uint64_t flags)
{
	if ((flags & CLONE_SIGHAND) && !(flags & CLONE_VM))
		return -EINVAL;
	if ((flags & CLONE_THREAD) && !(flags & CLONE_SIGHAND))
		return -EINVAL;
	if ((flags & CLONE_FS) && (flags & (CLONE_NEWNS | CLONE_NEWUSER)))
		return -EINVAL;
	if ((flags & CLONE_THREAD) && (flags & (CLONE_NEWUSER | CLONE_NEWPID | CLONE_PIDFD)))
		return -EINVAL;
	if ((flags & THREAD_FLAGS) != THREAD_FLAGS || (flags & CLONE_VFORK)) {
		tell_once();
		return -ENOSYS;
	}
	return flags & NAMESPACE_FLAGS ? -EPERM : 0;
}

/* The tid is written before the child runs, as the order is free; bad addresses are ignored as on Linux. */
static void put_tid(gva_t address, int tid)
{
	int r = user_put(address, &tid);

	(void)r;
}

static int64_t clone_thread(const struct clone_request *request)
{
	struct frame frame = *current->frame;
	uint64_t fs_base = arch_fs_base();
	struct thread *t;
	int tid;
	int r = check_flags(request->flags);

	if (r)
		return r;
	if (request->flags & CLONE_SETTLS) {
		if (request->tls >= DF_VA_PROGRAM_MAX)
			return -EPERM;
		fs_base = request->tls;
	}
	frame.rax = 0;
	if (request->stack)
		frame.rsp = request->stack;
	r = thread_new(&frame, fs_base, &t);
	if (r)
		return r;
	tid = t->tid;
	/* The signals feature could not make its part: the thread ends before its first instruction. */
	if (signal_hooks.thread_init && !t->signal) {
		t->work |= WORK_EXIT;
		thread_start(t);
		return -ENOMEM;
	}
	if (request->flags & CLONE_PARENT_SETTID)
		put_tid(request->parent_tid, tid);
	if (request->flags & CLONE_CHILD_SETTID)
		put_tid(request->child_tid, tid);
	if (request->flags & CLONE_CHILD_CLEARTID)
		t->clear_tid = request->child_tid;
	thread_start(t);
	return tid;
}

int64_t sys_clone(uint64_t flags, gva_t stack, gva_t parent_tid, gva_t child_tid, gva_t tls)
{
	struct clone_request request = {
		.flags = (flags & 0xffffffff) & ~(uint64_t)(CSIGNAL | CLONE_DETACHED),
		.stack = stack,
		.parent_tid = parent_tid,
		.child_tid = child_tid,
		.tls = tls,
	};

	return clone_thread(&request);
}

/* The part of clone_args behind what we know must be zero: it asks for nothing. */
static int read_clone_args(struct clone_args *args, gva_t from, uint64_t size)
{
	uint8_t byte;

	if (size > DF_PAGE_SIZE)
		return -E2BIG;
	if (size < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	memset(args, 0, sizeof(*args));
	if (user_copy_from(args, (void *)from, min(size, (uint64_t)sizeof(*args))))
		return -EFAULT;
	for (uint64_t i = sizeof(*args); i < size; i++) {
		if (user_get(&byte, from + i))
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	return 0;
}

int64_t sys_clone3(gva_t from, uint64_t size)
{
	struct clone_args args;
	struct clone_request request;
	int r = read_clone_args(&args, from, size);

	if (r)
		return r;
	if (args.set_tid_size > 32 || (!args.set_tid && args.set_tid_size) ||
		(args.set_tid && !args.set_tid_size))
		return -EINVAL;
	if (args.exit_signal & ~(uint64_t)CSIGNAL)
		return -EINVAL;
	if (args.flags & (CLONE_DETACHED | CSIGNAL))
		return -EINVAL;
	if ((args.flags & (CLONE_THREAD | CLONE_PARENT)) && args.exit_signal)
		return -EINVAL;
	if (!args.stack != !args.stack_size)
		return -EINVAL;
	if (args.set_tid_size || (args.flags & CLONE_INTO_CGROUP))
		return -EPERM;
	request = (struct clone_request){
		.flags = args.flags & ~(uint64_t)CLONE_CLEAR_SIGHAND,
		.stack = args.stack + args.stack_size,
		.parent_tid = args.parent_tid,
		.child_tid = args.child_tid,
		.tls = args.tls,
	};
	return clone_thread(&request);
}

int64_t sys_exit_thread(int status)
{
	thread_exit(status & 0xff);
}

int64_t sys_set_tid_address(gva_t tidptr)
{
	current->clear_tid = tidptr;
	return tid_shown(current);
}

/* Whoever joins the thread waits at clear_tid. */
void task_thread_exit(struct thread *t)
{
	const int zero = 0;

	futex_owner_died(t); /* first: what it hands on is no longer t's */
	robust_exit(t);
	if (t->clear_tid) {
		if (user_put(t->clear_tid, &zero) == 0)
			futex_wake(t->clear_tid, 1, ~0u);
		t->clear_tid = 0;
	}
}

/* The others unwind their calls, so that what they hold is given back, and end on their way out. */
void task_exec(void)
{
	struct thread *t;

	list_for_each(t, &thread_list, all) {
		if (t != current) {
			t->work |= WORK_EXIT;
			thread_wake(t);
		}
	}
	while (thread_count > 1)
		thread_yield();
	thread_take_pid();
	current->clear_tid = 0;
	current->robust_list = 0;
}
