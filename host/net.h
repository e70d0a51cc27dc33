/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting dayfly-net beside a monitor: one process for the guests of one monitor process, each with a device of its own (dayfly/net.h).
 *
 *	df_net_start -> (the monitor is given the devices) -> df_net_wait -> df_net_end
 *
 * It ends when nobody holds `life` any more, and who holds it sees it hang up when dayfly-net has ended. Everything here is
 * O_CLOEXEC. One thread at a time.
 */
#ifndef HOST_NET_H
#define HOST_NET_H

#include "host/err.h"

#include <dayfly/net.h>
#include <dayfly/wire.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define DF_NET_NO_LIMIT UINT32_MAX

/* One guest's: the memory, and two eventfds (monitor/net.h). */
struct df_net_device {
	int memory, kick, wake;
};

struct df_net {
	pid_t pid; /* -1: none, or waited for */
	int life; /* a socket */
	unsigned int guests;
	struct df_net_device device[DF_INSTANCES_MAX];
};

#define DF_NET_NONE ((struct df_net){.pid = -1, .life = -1})

struct df_net_options {
	const char *path; /* of dayfly-net */
	const char *program; /* for messages: who is refused */
	bool deployed; /* messages name the manifest's key, not the flag */
	const char *const *rules; /* host/egress_rule.h */
	size_t rule_count;
	const char *const *published; /* [ADDRESS:]PORT:PORT[/udp]; for a single guest */
	size_t published_count;
	unsigned int guests; /* 1 to DF_INSTANCES_MAX */
	/* A TAP device instead of rules and ports, for a single guest: its descriptor, borrowed, and what the guest is told. NULL: none. */
	const struct df_net_config *tap;
	int tap_fd;
	int errors; /* its standard error; -1: ours */
};

/*
 * Makes the devices and starts it; does not wait. 0, or -errno with *err set, *net being DF_NET_NONE. Ended by df_net_end.
 */
int df_net_start(struct df_net *net, const struct df_net_options *options, struct df_err *err)
	__attribute__((warn_unused_result));

/*
 * Waits until it is jailed and its ports are open. 0, -ETIMEDOUT, or -EPIPE: it has ended and has said why on its standard error.
 * *err is set. Once.
 */
int df_net_wait(struct df_net *net, unsigned int limit_ms, struct df_err *err)
	__attribute__((warn_unused_result));

/* Asks it to say when the first guest takes the next connection to a port that is published: `life` becomes readable then. Does not block. */
void df_net_ask(const struct df_net *net);

/* Why is `life` readable? 1: the guest has taken one. -EPIPE: dayfly-net has ended. 0: for no reason. */
int df_net_heard(const struct df_net *net);

/* What a monitor is sent with DF_START_NET (dayfly/wire.h), behind the rest: returns how many. */
size_t df_net_describe(const struct df_net *net, int *descriptors);

/* For who becomes the monitor: device 0 and `life` stay open over execve. */
void df_net_inherit(const struct df_net *net);

/* The devices are with monitor and dayfly-net: nobody else needs them. */
void df_net_give(struct df_net *net);

/* Closes everything, upon which it ends, and waits for that; then it is killed. Nothing for DF_NET_NONE. */
void df_net_end(struct df_net *net);

#endif
