// SPDX-License-Identifier: Apache-2.0
/*
 * Inside of the feature `events`: files that are made to be waited for (pipe.c, eventfd.c, timerfd.c)
 * and the calls that wait for files (poll.c, select.c, epoll.c).
 */
#ifndef KERNEL_EVENT_H
#define KERNEL_EVENT_H

#include <asm/fcntl.h>
#include <linux/eventpoll.h>
#include <kernel/core/file.h>
#include <kernel/mm/user.h>
#include <kernel/time/timespec.h>

#define EVENT_IN (EPOLLIN | EPOLLRDNORM)
#define EVENT_OUT (EPOLLOUT | EPOLLWRNORM)

/* --- event.c: what the files have in common --- */

/* New anonymous file as a descriptor. On failure `data` stays the caller's. fd or -errno. */
int event_file_install(const struct file_ops *ops, unsigned flags, void *data) must_check;
/* stat of a file that has no name: st_mode `mode` and a number of its own. */
void event_stat(struct file *f, struct stat *st, unsigned mode);
/* Reads a signal mask argument and puts it into force; no mask: nothing. *pushed tells which. */
int event_mask_push(gva_t mask, uint64_t bytes, bool *pushed) must_check;
void event_mask_pop(bool pushed, bool interrupted);
/* Reads an optional struct timespec as a deadline from now. */
int event_deadline(gva_t timespec, uint64_t *deadline) must_check;
/* What is left until the deadline; and the same written over the program's struct timespec, if any. */
struct timespec64 event_left(uint64_t deadline);
void event_time_left(gva_t timespec, uint64_t deadline);

/* --- poll.c: waiting for several files --- */

struct watch {
	struct file *file; /* referenced; NULL: not watched */
	unsigned wanted; /* EPOLL* */
	unsigned ready; /* result */
};

/* Waits until one of the files is ready. Number that are; 0 at the deadline; -EINTR, -ENOMEM. */
int watch_wait(struct watch *watches, unsigned count, uint64_t deadline) must_check;
/* `count` watches without files, in `few` when they fit. */
struct watch *watches_new(unsigned count, struct watch *few, unsigned few_count);
void watches_free(struct watch *watches, unsigned count, struct watch *few);

int64_t sys_poll(gva_t fds, unsigned count, int timeout_ms);
int64_t sys_ppoll(gva_t fds, unsigned count, gva_t timeout, gva_t mask, uint64_t mask_bytes);

/* --- select.c --- */
int64_t sys_select(int count, gva_t in, gva_t out, gva_t except, gva_t timeout);
int64_t sys_pselect6(int count, gva_t in, gva_t out, gva_t except, gva_t timeout, gva_t mask);

/* --- pipe.c, eventfd.c, timerfd.c --- */
int64_t sys_pipe(gva_t fds);
int64_t sys_pipe2(gva_t fds, int flags);
int64_t sys_tee(int from_fd, int to_fd, uint64_t n, unsigned flags);
int64_t sys_eventfd(unsigned count);
int64_t sys_eventfd2(unsigned count, int flags);
int64_t sys_timerfd_create(int clock, int flags);
int64_t sys_timerfd_settime(int fd, int flags, gva_t new_value, gva_t old_value);
int64_t sys_timerfd_gettime(int fd, gva_t value);

/* --- epoll.c --- */
void epoll_init(void);
int64_t sys_epoll_create(int size);
int64_t sys_epoll_create1(int flags);
int64_t sys_epoll_ctl(int epfd, int op, int fd, gva_t event);
int64_t sys_epoll_wait(int epfd, gva_t events, int max, int timeout_ms);
int64_t sys_epoll_pwait(int epfd, gva_t events, int max, int timeout_ms, gva_t mask,
	uint64_t mask_bytes);
int64_t sys_epoll_pwait2(int epfd, gva_t events, int max, gva_t timeout, gva_t mask,
	uint64_t mask_bytes);

#endif
