// SPDX-License-Identifier: Apache-2.0
/* The monitor's end of the wire (dayfly/wire.h): one message in, with descriptors, and one out. */
#ifndef MONITOR_WIRE_H
#define MONITOR_WIRE_H

#include <dayfly/wire.h>
#include <host/err.h>

#include "net.h"

/* What an instance and its client share, mapped. */
struct slot {
	struct df_control *control; /* the client writes here at any time */
	uint8_t *in; /* read-only */
	uint8_t *out;
	struct net net;
};

struct wire {
	struct df_start start; /* checked */
	int snapshot_fd;
	int root_fd; /* -1: the snapshot holds the root image */
	int net_fd; /* hangs up when dayfly-net ends; -1: no network */
	struct slot slot[DF_INSTANCES_MAX];
};

/* Waits for the client's message and maps the slots. -errno with *err set; -EPIPE: the client is gone. */
int wire_receive(struct wire *w, bool serve, struct df_err *err);
/* Answers. Fills in magic and version. */
void wire_answer(struct df_ready *ready);
/* Answers that nothing was set up. */
void wire_refuse(const struct df_err *err);
/* Returns when the client has closed its end, or dayfly-net has ended. */
void wire_wait(const struct wire *w);

#endif
