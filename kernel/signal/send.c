// SPDX-License-Identifier: Apache-2.0
/*
 * Sending: kill and its kin. There is one process; its id, its group, and the ids of its threads are
 * the only addresses that exist.
 */
#include <kernel/core/ids.h>
#include <kernel/signal/signal.h>

struct thread *thread_by_id(int tid)
{
	struct thread *t;

	list_for_each(t, &thread_list, all) {
		if (t->tid == tid_meant(tid) && t->state != THREAD_DEAD && t->signal)
			return t;
	}
	return NULL;
}

/* Signal 0 asks only whether the receiver exists. */
static int send_checked(struct thread *t, int signal, const siginfo_t *info)
{
	if (signal < 0 || signal > SIGNALS)
		return -EINVAL;
	return signal ? signal_send(t, info, NULL) : 0;
}

static siginfo_t sender_info(int signal, int code)
{
	siginfo_t info = {.si_signo = signal, .si_code = code};

	info.si_pid = process_id();
	return info;
}

/* Linux finds a process by the id of any of its threads. */
static bool is_our_process(int pid)
{
	return pid_is_own(pid) || (pid > 0 && thread_by_id(pid));
}

int64_t sys_kill(int pid, int signal)
{
	siginfo_t info = sender_info(signal, SI_USER);

	/* -1 is everybody but us: nobody */
	if (pid == -1 || !(pid == 0 || pid_is_own(-pid) || is_our_process(pid)))
		return -ESRCH;
	return send_checked(NULL, signal, &info);
}

static int64_t send_to_thread(int tid, int signal, const siginfo_t *info)
{
	struct thread *t = thread_by_id(tid);

	return t ? send_checked(t, signal, info) : -ESRCH;
}

int64_t sys_tkill(int tid, int signal)
{
	siginfo_t info = sender_info(signal, SI_TKILL);

	return tid <= 0 ? -EINVAL : send_to_thread(tid, signal, &info);
}

int64_t sys_tgkill(int tgid, int tid, int signal)
{
	siginfo_t info = sender_info(signal, SI_TKILL);

	if (tid <= 0 || tgid <= 0)
		return -EINVAL;
	return pid_is_own(tgid) ? send_to_thread(tid, signal, &info) : -ESRCH;
}

/* Information that looks as if the kernel had made it may be sent to oneself only. */
static int read_info(siginfo_t *info, gva_t from, int signal, int receiver)
{
	if (user_get(info, from))
		return -EFAULT;
	info->si_signo = signal;
	if ((info->si_code >= 0 || info->si_code == SI_TKILL) &&
		tid_meant(receiver) != current->tid)
		return -EPERM;
	return 0;
}

int64_t sys_rt_sigqueueinfo(int pid, int signal, gva_t from)
{
	siginfo_t info;
	int r = read_info(&info, from, signal, pid);

	if (r)
		return r;
	return is_our_process(pid) ? send_checked(NULL, signal, &info) : -ESRCH;
}

int64_t sys_rt_tgsigqueueinfo(int tgid, int tid, int signal, gva_t from)
{
	siginfo_t info;
	int r = read_info(&info, from, signal, tid);

	if (r)
		return r;
	if (tid <= 0 || tgid <= 0)
		return -EINVAL;
	return pid_is_own(tgid) ? send_to_thread(tid, signal, &info) : -ESRCH;
}
