/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `--net`: dayfly-net is started beside the monitor. The two share each guest's device, memory (dayfly/net.h) and two eventfds, which the
 * monitor inherits by number, or is sent (event.h).
 */
#ifndef CLI_NET_H
#define CLI_NET_H

#include "cli/program.h"
#include "cli/tap.h"
#include "host/net.h"

#define NET_RULES_MAX 64

struct net_options {
	bool wanted;
	const char *rules[NET_RULES_MAX]; /* what may be reached (nat/egress.h) */
	size_t rule_count;
	const char *published[NET_RULES_MAX]; /* [ADDRESS:]PORT:PORT[/udp] */
	size_t published_count;
	struct tap_options tap;
	int tap_fd; /* once it is open */
};

extern const struct flag net_flags[]; /* for a struct net_options */
extern const struct flag
	net_event_flags[]; /* the same, for guests that answer events: --net[=RULE] alone */

/* Checks what was asked for, opens a TAP device, and adds to the guest's root what it needs. 0, or the exit status with *err set. */
int net_prepare(struct net_options *net, struct program_options *options, struct df_err *err)
	__attribute__((warn_unused_result));

/*
 * Starts dayfly-net for so many guests and waits until it is ready. Ended by df_net_end. 0, or the exit status with *err set (dayfly-net
 * has said why itself if err->code is 0).
 */
int net_start_beside(const struct net_options *net, const char *program, unsigned int guests,
	struct df_net *started, struct df_err *err) __attribute__((warn_unused_result));

/*
 * Starts dayfly-net; it ends with this process, or with what this process becomes. *word is the monitor's value of --net, for
 * the caller to free. 0, or the exit status with *err set (dayfly-net has said why itself if err->code is 0).
 */
int net_start(const struct net_options *net, const char *program, char **word, struct df_err *err)
	__attribute__((warn_unused_result));

#endif
