/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What dayfly-net waits for: one epoll set, of which each descriptor has a source. Events are edges: who is told that something can
 * be read reads until there is no more, or remembers it. Closing a descriptor takes it out.
 */
#ifndef NAT_LOOP_H
#define NAT_LOOP_H

#include <stdint.h>
#include <sys/epoll.h>

struct source {
	void (*ready)(struct source *source, uint32_t events); /* EPOLLIN, ... */
};

/* 0 or -errno. */
int loop_init(void) __attribute__((warn_unused_result));

/* The source must live as long as the descriptor is open, and until the loop comes round: see loop_wait. 0 or -errno. */
int loop_add(int fd, uint32_t events, struct source *source) __attribute__((warn_unused_result));

/* Waits up to `timeout_ms` (-1: for ever) and calls those that are ready, also such as were closed by another one's call just before. */
int loop_wait(int timeout_ms) __attribute__((warn_unused_result));

uint64_t loop_now_ns(void); /* CLOCK_MONOTONIC */
static inline uint64_t loop_now_ms(void)
{
	return loop_now_ns() / 1000000;
}

#endif
