// SPDX-License-Identifier: Apache-2.0
/*
 * Scheduling calls. There is one CPU and one queue, served in turn. Policies and nice values of the
 * ordinary class are kept and reported but change nothing, as nothing competes with the program;
 * real-time policies are refused with -EPERM, as Linux does for a process without CAP_SYS_NICE.
 */
#include <linux/membarrier.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <kernel/core/ids.h>
#include <kernel/mm/user.h>
#include <kernel/task/task.h>

#define SLICE_NS 10000000 /* the core's tick */
#define PRIORITY_MAX 99

static int policy_now = SCHED_NORMAL;
static int nice_now;
static int membarrier_registered; /* MEMBARRIER_CMD_REGISTER_* that were done */

int64_t sys_sched_yield(void)
{
	thread_yield();
	return 0;
}

int64_t sys_sched_getaffinity(int tid, unsigned bytes, gva_t mask)
{
	const uint64_t one_cpu = 1;

	if (bytes < sizeof(one_cpu) || bytes % sizeof(one_cpu))
		return -EINVAL;
	if (!task_find(tid))
		return -ESRCH;
	return user_put(mask, &one_cpu) ? -EFAULT : (int64_t)sizeof(one_cpu);
}

int64_t sys_sched_setaffinity(int tid, unsigned bytes, gva_t mask)
{
	uint64_t cpus = 0;

	if (user_copy_from(&cpus, (void *)mask, min((size_t)bytes, sizeof(cpus))))
		return -EFAULT;
	if (!task_find(tid))
		return -ESRCH;
	return cpus & 1 ? 0 : -EINVAL;
}

int64_t sys_sched_getparam(int tid, gva_t param)
{
	const int priority = 0;

	if (tid < 0 || !param)
		return -EINVAL;
	if (!task_find(tid))
		return -ESRCH;
	return user_put(param, &priority);
}

static int64_t set_policy(int tid, int policy, gva_t param)
{
	int priority;

	if (tid < 0 || !param)
		return -EINVAL;
	if (user_get(&priority, param))
		return -EFAULT;
	if (!task_find(tid))
		return -ESRCH;
	switch (policy & ~SCHED_RESET_ON_FORK) {
	case SCHED_NORMAL:
	case SCHED_BATCH:
	case SCHED_IDLE:
		if (priority != 0)
			return -EINVAL;
		policy_now = policy;
		return 0;
	case SCHED_FIFO:
	case SCHED_RR:
		return priority < 1 || priority > PRIORITY_MAX ? -EINVAL : -EPERM;
	default:
		return -EINVAL;
	}
}

int64_t sys_sched_setparam(int tid, gva_t param)
{
	return set_policy(tid, policy_now, param);
}

int64_t sys_sched_setscheduler(int tid, int policy, gva_t param)
{
	return policy < 0 ? -EINVAL : set_policy(tid, policy, param);
}

int64_t sys_sched_getscheduler(int tid)
{
	if (tid < 0)
		return -EINVAL;
	return task_find(tid) ? policy_now : -ESRCH;
}

static int64_t priority_bound(int policy, int of_real_time)
{
	switch (policy) {
	case SCHED_FIFO:
	case SCHED_RR:
		return of_real_time;
	case SCHED_NORMAL:
	case SCHED_BATCH:
	case SCHED_IDLE:
	case SCHED_DEADLINE:
		return 0;
	default:
		return -EINVAL;
	}
}

int64_t sys_sched_get_priority_max(int policy)
{
	return priority_bound(policy, PRIORITY_MAX);
}

int64_t sys_sched_get_priority_min(int policy)
{
	return priority_bound(policy, 1);
}

int64_t sys_sched_rr_get_interval(int tid, gva_t interval)
{
	const struct timespec64 slice = {0, SLICE_NS};

	if (tid < 0)
		return -EINVAL;
	if (!task_find(tid))
		return -ESRCH;
	return user_put(interval, &slice);
}

/* Process group and session are the process's own; the user is always the one there is. */
static int find_priority_owner(int which, int who)
{
	switch (which) {
	case PRIO_PROCESS:
		return task_find(who) ? 0 : -ESRCH;
	case PRIO_PGRP:
		return who == 0 || pid_is_own(who) ? 0 : -ESRCH;
	case PRIO_USER:
		return who == 0 ? 0 : -ESRCH;
	default:
		return -EINVAL;
	}
}

int64_t sys_getpriority(int which, int who)
{
	int r = find_priority_owner(which, who);

	return r ? r : 20 - nice_now; /* the C library turns it back */
}

int64_t sys_setpriority(int which, int who, int nice)
{
	int r = find_priority_owner(which, who);

	if (r)
		return r;
	nice = nice < -20 ? -20 : nice > 19 ? 19 : nice;
	if (nice < nice_now)
		return -EACCES;
	nice_now = nice;
	return 0;
}

/* With one CPU every thread has seen what the others wrote when it runs: there is nothing to do. */
int64_t sys_membarrier(int command, unsigned flags, int cpu)
{
	const int registrations = MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED |
		MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED |
		MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE;

	(void)cpu;
	if (flags)
		return -EINVAL;
	if (command == MEMBARRIER_CMD_QUERY)
		return registrations | MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED |
			MEMBARRIER_CMD_PRIVATE_EXPEDITED |
			MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE;
	switch (command) {
	case MEMBARRIER_CMD_GLOBAL:
	case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
		return 0;
	case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
		membarrier_registered |= command;
		return 0;
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
		return membarrier_registered & MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED ? 0
											 : -EPERM;
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
		return membarrier_registered & MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE
			? 0
			: -EPERM;
	default:
		return -EINVAL;
	}
}
