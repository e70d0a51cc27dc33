/* SPDX-License-Identifier: Apache-2.0 */
/* One epoll set: see loop.h. */
#include "nat/loop.h"

#include <errno.h>
#include <time.h>

#define BATCH 64

static int set = -1;

int loop_init(void)
{
	set = epoll_create1(EPOLL_CLOEXEC);
	return set < 0 ? -errno : 0;
}

int loop_add(int fd, uint32_t events, struct source *source)
{
	struct epoll_event event = {.events = events | EPOLLET, .data.ptr = source};

	return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int loop_wait(int timeout_ms)
{
	struct epoll_event events[BATCH];
	int count = epoll_wait(set, events, BATCH, timeout_ms);

	for (int i = 0; i < count; i++) {
		struct source *source = events[i].data.ptr;

		source->ready(source, events[i].events);
	}
	return count < 0 && errno != EINTR ? -errno : 0;
}

uint64_t loop_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
