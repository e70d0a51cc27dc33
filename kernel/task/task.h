// SPDX-License-Identifier: Apache-2.0
/*
 * Inside of the feature `tasks`. A thread is a struct thread of the core (core/thread.h); this
 * feature makes and ends them (clone.c), lets them wait for each other (futex.c), cleans up the
 * locks of those that die (robust.c) and answers questions about scheduling (sched.c).
 */
#ifndef KERNEL_TASK_H
#define KERNEL_TASK_H

#include <kernel/core/thread.h>
#include <kernel/time/timespec.h>

/* The living thread with this id, 0 meaning the current one. NULL: none. */
struct thread *task_find(int tid);

/* --- futex.c --- */
void futex_init(void);
/* Wakes up to `count` threads that wait at uaddr. Number woken. */
int futex_wake(gva_t uaddr, int count, uint32_t bitset);
/* Hands on every priority-inheritance lock that the dying thread t owns and others wait for. */
void futex_owner_died(struct thread *t);
int64_t sys_futex(gva_t uaddr, int op, uint32_t val, gva_t timeout, gva_t uaddr2, uint32_t val3);

/* --- robust.c --- */
void robust_exit(struct thread *t);
int64_t sys_set_robust_list(gva_t head, uint64_t bytes);
int64_t sys_get_robust_list(int tid, gva_t head_out, gva_t bytes_out);

/* --- clone.c --- */
void task_thread_exit(struct thread *t);
void task_exec(void);
int64_t sys_clone(uint64_t flags, gva_t stack, gva_t parent_tid, gva_t child_tid, gva_t tls);
int64_t sys_clone3(gva_t args, uint64_t size);
int64_t sys_exit_thread(int status);
int64_t sys_set_tid_address(gva_t tidptr);

/* --- sched.c --- */
int64_t sys_sched_yield(void);
int64_t sys_sched_getaffinity(int tid, unsigned bytes, gva_t mask);
int64_t sys_sched_setaffinity(int tid, unsigned bytes, gva_t mask);
int64_t sys_sched_getparam(int tid, gva_t param);
int64_t sys_sched_setparam(int tid, gva_t param);
int64_t sys_sched_getscheduler(int tid);
int64_t sys_sched_setscheduler(int tid, int policy, gva_t param);
int64_t sys_sched_get_priority_max(int policy);
int64_t sys_sched_get_priority_min(int policy);
int64_t sys_sched_rr_get_interval(int tid, gva_t interval);
int64_t sys_getpriority(int which, int who);
int64_t sys_setpriority(int which, int who, int nice);
int64_t sys_membarrier(int command, unsigned flags, int cpu);

#endif
