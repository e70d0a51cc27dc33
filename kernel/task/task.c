// SPDX-License-Identifier: Apache-2.0
/*
 * The feature `tasks`: its system calls and its hooks. One vCPU runs all threads; they switch when one
 * sleeps or yields, and by the tick while several are runnable (core).
 */
#include <asm/unistd.h>
#include <kernel/core/feature.h>
#include <kernel/core/ids.h>
#include <kernel/task/task.h>

struct thread *task_find(int tid)
{
	struct thread *t;

	if (tid == 0)
		return current;
	list_for_each(t, &thread_list, all) {
		if (t->tid == tid_meant(tid) && t->state != THREAD_DEAD)
			return t;
	}
	return NULL;
}

static const struct feature_call calls[] = {
	{__NR_clone, sys_clone},
	{__NR_clone3, sys_clone3},
	{__NR_exit, sys_exit_thread},
	{__NR_set_tid_address, sys_set_tid_address},
	{__NR_futex, sys_futex},
	{__NR_set_robust_list, sys_set_robust_list},
	{__NR_get_robust_list, sys_get_robust_list},
	{__NR_sched_yield, sys_sched_yield},
	{__NR_sched_getaffinity, sys_sched_getaffinity},
	{__NR_sched_setaffinity, sys_sched_setaffinity},
	{__NR_sched_getparam, sys_sched_getparam},
	{__NR_sched_setparam, sys_sched_setparam},
	{__NR_sched_getscheduler, sys_sched_getscheduler},
	{__NR_sched_setscheduler, sys_sched_setscheduler},
	{__NR_sched_get_priority_max, sys_sched_get_priority_max},
	{__NR_sched_get_priority_min, sys_sched_get_priority_min},
	{__NR_sched_rr_get_interval, sys_sched_rr_get_interval},
	{__NR_getpriority, sys_getpriority},
	{__NR_setpriority, sys_setpriority},
	{__NR_membarrier, sys_membarrier},
};

static void tasks_init(void)
{
	futex_init();
	task_hooks.thread_exit = task_thread_exit;
	task_hooks.exec = task_exec;
}

FEATURE(tasks, "", tasks_init, calls);
