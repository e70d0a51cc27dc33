/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection: one of the guest with lwIP, and one of the host. What comes in on one goes out on the other (pump.c); who asks for
 * one, and how it is answered, is tcp.c's business.
 */
#ifndef NAT_CONN_H
#define NAT_CONN_H

#include "nat/ends.h"
#include "nat/loop.h"
#include "nat/tcp.h"

#include <lwip/tcp.h>

struct conn {
	struct source source;
	LIST_ENTRY(conn) place; /* in link->conns, or in `dead` */
	TAILQ_ENTRY(conn) turn; /* in `busy` */
	struct link *link;
	int fd; /* of the host; -1: ended */
	struct tcp_pcb *pcb; /* with the guest; NULL before it was asked, and when it has ended */
	struct pbuf *syn; /* the guest's question, while the host is asked */
	struct ends ends;
	bool from_host; /* who asked for it */
	bool open; /* both sides are connected */
	bool is_busy;

	/* From host to guest: a ring, in which the guest has acknowledged what lies before `acked`. Counts of bytes. */
	uint8_t *buffer; /* while there is something in it */
	uint64_t acked, written, filled;
	bool readable; /* there may be more to read */
	bool ending; /* the host has said that it ends */
	bool ended; /* and all was read */
	bool told; /* and the guest knows */

	/* From guest to host. */
	struct pbuf *input,
		*input_last; /* a chain of our own: lwIP counts a chain in 16 bits, and walks along it */
	uint16_t offset; /* of the first one, what is gone already */
	bool writable;
	bool guest_ended;
	bool shut; /* and the host knows */
};

/* Of a socket of the host, which it takes unless it is NULL: no memory, or the guest has too many. */
struct conn *conn_new(struct link *link, int fd) __attribute__((warn_unused_result));

/* From now on lwIP calls for this one. */
void conn_attach(struct conn *conn, struct tcp_pcb *pcb);
/* lwIP shall not call for it any more. Returns what is lwIP's alone then, or NULL. */
struct tcp_pcb *conn_detach(struct conn *conn);

/* For tcp_accept and tcp_connect: the guest is connected. */
err_t conn_opened(void *conn, struct tcp_pcb *pcb, err_t error);

/* The host's side is connected: from now on its events are. */
void conn_ready(struct source *source, uint32_t events);

/* To be looked after in tcp_settle. */
void conn_set_busy(struct conn *conn);

/* Its memory goes in tcp_settle, for events that are in hand may name it. */
void conn_end(struct conn *conn);
/* Both sides learn that something went wrong. */
void conn_abort(struct conn *conn);

/* --- pump.c: moves what can be moved; either may abort the connection --- */

void pump_to_guest(struct conn *conn);
void pump_to_host(struct conn *conn);

#endif
