/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections: each is one of the guest with lwIP (stack.h) and one of the host, and what comes in on one goes out on the other. Neither side's window
 * opens further than the other side reads.
 */
#ifndef NAT_TCP_H
#define NAT_TCP_H

#include "host/publish.h"
#include "nat/ends.h"

#include <lwip/pbuf.h>
#include <sys/queue.h>

struct link;
struct conn;
LIST_HEAD(conn_list, conn);

/* Before any other. 0 or -ENOMEM. */
int tcp_proxy_init(void) __attribute__((warn_unused_result));

/* Listens on the host for the guest's port; a backlog of its own. Returns 0 or -errno. */
int tcp_publish(struct link *link, const struct df_publish *published)
	__attribute__((warn_unused_result));

/*
 * The guest asks for a connection, which the rules allow: `syn` is its packet, and is taken. The host is asked first; the guest has its
 * answer when the host has answered.
 */
void tcp_begin(struct link *link, const struct ends *ends, struct pbuf *syn);

/* Is there a connection, made or being made, to which a packet with SYN belongs? Then it is for lwIP, or to be dropped (*drop). */
bool tcp_knows(const struct link *link, const struct ends *ends, bool *drop);

/* The guest has refused a connection that the host asks for: true if it is asked in another way. */
bool tcp_ask_otherwise(struct conn *conn);

/* What is left to do when a batch of packets or events is through: writing to the host, acknowledging, freeing. */
void tcp_settle(void);
/* Until that must happen anyway, ms; -1: not. */
int tcp_timeout(void);

/* Ends all connections of a guest. */
void tcp_end_all(struct link *link);

#endif
