// SPDX-License-Identifier: Apache-2.0
/*
 * A TCP socket: tcp.c has what the program asks of it, tcp_event.c what lwIP tells.
 *
 * Invariants: `pcb` is lwIP's connection or listener as long as lwIP may tell us about it, and its argument is the
 * socket; NULL before the first use and when the connection has ended in both directions. Received data waits in
 * `in`, pbufs linked one behind the other whatever their tot_len says (it has 16 bits); lwIP's window is opened
 * again as the program takes it.
 */
#ifndef KERNEL_NET_TCP_H
#define KERNEL_NET_TCP_H

#include <kernel/net/inet.h>
#include <lwip/tcp.h>

struct tcp_socket {
	struct socket s;
	struct tcp_pcb *pcb;
	struct inet_name local, peer;
	bool bound;
	bool established; /* the handshake was completed, whatever came later */
	bool ended; /* the peer will send no more */
	bool no_space; /* the program wants to know when there is room */
	bool nodelay, cork;
	int keep_idle_s, keep_interval_s, keep_count;
	struct pbuf *in, *in_last;
	unsigned in_offset; /* taken of the first */
	size_t in_bytes;
	/* Listeners: connections that wait to be accepted; and a connection's place there. */
	struct list waiting, place;
	struct tcp_socket *listener;
	uint8_t backlog;
	/* lwIP knows one listener on a port. Others with SO_REUSEPORT stand by, their `pcb` bound only: they get a share of the
	 * connections, and one of them takes its place when it ends. */
	bool stands_by;
};

static inline struct tcp_socket *tcp_of(struct socket *s)
{
	return (struct tcp_socket *)s;
}

extern const struct socket_ops tcp_ops;

/* --- tcp_event.c --- */
struct tcp_socket *tcp_new_socket(int family);
/* Has lwIP call for this socket: a connection, or a listener. */
void tcp_attach(struct tcp_socket *t, struct tcp_pcb *pcb);
void tcp_attach_listener(struct tcp_socket *t, struct tcp_pcb *pcb);
/* For tcp_connect(). */
err_t tcp_connected(void *arg, struct tcp_pcb *pcb, err_t err);
/* lwIP shall not call any more; it goes on with the connection by itself. */
struct tcp_pcb *tcp_detach(struct tcp_socket *t);
/* Room for a third of the buffer? */
bool tcp_writable(const struct tcp_socket *t);
/* Throws received data away. */
void tcp_drop_input(struct tcp_socket *t);
void tcp_apply_options(struct tcp_socket *t);

#endif
