/* SPDX-License-Identifier: Apache-2.0 */
/* Connections between guest and host, and who asks for them: see tcp.h. */
#include "nat/tcp.h"

#include "host/cleanup.h"
#include "nat/conn.h"
#include "nat/link.h"
#include "nat/stack.h"

#include <errno.h>
#include <lwip/priv/tcp_priv.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 1024

struct listener {
	struct source source;
	struct link *link;
	int fd;
	uint16_t guest_port;
};

static struct tcp_pcb
	*acceptor; /* of what guests ask for; its port is that of the question in hand */

int tcp_proxy_init(void)
{
	struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);

	if (!pcb || tcp_bind(pcb, IP_ANY_TYPE, 1) != ERR_OK)
		return -ENOMEM;
	acceptor = tcp_listen(pcb);
	if (!acceptor)
		return -ENOMEM;
	tcp_accept(acceptor, conn_opened);
	acceptor->local_port = 0;
	return 0;
}

/* --- the guest asks --- */

/* The host is connected: now lwIP hears the guest's question, and answers it. */
static void answer_guest(struct conn *conn)
{
	struct pbuf *syn = conn->syn;

	conn->syn = NULL;
	acceptor->local_port = conn->ends.outside_port;
	tcp_arg(acceptor, conn);
	stack_input(conn->link->number, syn);
	tcp_arg(acceptor, NULL);
	acceptor->local_port = 0;
	/* A connection that is being made has its context already: it would not tell if it came to nothing. */
	if (tcp_active_pcbs && tcp_active_pcbs->callback_arg == conn)
		conn_attach(conn, tcp_active_pcbs);
	else
		conn_abort(conn);
}

/* The host has answered: it is connected, or why not. */
static void host_answered(struct source *source, uint32_t events)
{
	struct conn *conn = (struct conn *)source;
	int error = 0;
	socklen_t bytes = sizeof(error);

	if (conn->fd < 0 || !(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
		return;
	if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) < 0)
		error = errno;
	if (!error) {
		conn->source.ready = conn_ready;
		answer_guest(conn);
		return;
	}
	if (error != ETIMEDOUT) /* then the guest's own patience is over, too */
		link_refuse(conn->link, conn->syn);
	conn_end(conn);
}

/* That lwIP has not forgotten a connection which ended is no reason to refuse its successor. */
static void forget_old(const struct conn *conn)
{
	const ip_addr_t guest = stack_guest(conn->link->number, &conn->ends.outside);
	const ip_addr_t outside = stack_address(&conn->ends.outside);

	for (struct tcp_pcb *p = tcp_tw_pcbs; p; p = p->next)
		if (p->local_port == conn->ends.outside_port &&
			p->remote_port == conn->ends.guest_port &&
			ip_addr_cmp(&p->remote_ip, &guest) && ip_addr_cmp(&p->local_ip, &outside)) {
			tcp_abort(p);
			return;
		}
}

/* Begins to connect the host. -errno. */
static int ask_host(struct conn *conn)
{
	struct sockaddr_storage to;
	socklen_t size = link_host_name(&conn->ends, &to);

	if (connect(conn->fd, (const struct sockaddr *)&to, size) < 0 && errno != EINPROGRESS)
		return -errno;
	return loop_add(conn->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP, &conn->source);
}

void tcp_begin(struct link *link, const struct ends *ends, struct pbuf *syn)
{
	int fd = socket(IN6_IS_ADDR_V4MAPPED(&ends->outside) ? AF_INET : AF_INET6,
		SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct conn *conn = fd < 0 ? NULL : conn_new(link, fd);

	if (!conn) {
		link_refuse(link, syn);
		pbuf_free(syn);
		df_cleanup_fd(&fd);
		return;
	}
	conn->source.ready = host_answered;
	conn->syn = syn;
	conn->ends = *ends;
	forget_old(conn);
	if (ask_host(conn) < 0) {
		link_refuse(link, syn);
		conn_end(conn);
	}
}

bool tcp_knows(const struct link *link, const struct ends *ends, bool *drop)
{
	const struct conn *conn;

	LIST_FOREACH(conn, &link->conns, place)
	if (ends_same(&conn->ends, ends)) {
		*drop = conn->syn;
		return true;
	}
	return false;
}

/* --- the host asks --- */

static err_t ask_guest(struct conn *conn)
{
	struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
	const ip_addr_t guest = stack_guest(conn->link->number, &conn->ends.outside);
	const ip_addr_t outside = stack_address(&conn->ends.outside);
	err_t error;

	if (!pcb)
		return ERR_MEM;
	conn_attach(conn, pcb);
	error = tcp_bind(pcb, &outside, conn->ends.outside_port);
	if (error == ERR_USE)
		error = tcp_bind(pcb, &outside, 0);
	if (error == ERR_OK)
		error = tcp_connect(pcb, &guest, conn->ends.guest_port, conn_opened);
	conn->ends.outside_port = pcb->local_port;
	return error;
}

/* A server that is published on an address of IPv6 may listen on IPv4 alone: then the gateway asks. */
bool tcp_ask_otherwise(struct conn *conn)
{
	if (!conn->from_host || conn->open || conn->fd < 0 ||
		IN6_IS_ADDR_V4MAPPED(&conn->ends.outside))
		return false;
	conn->ends.outside = df_ip_v4(DF_NET_GATEWAY);
	return ask_guest(conn) == ERR_OK;
}

static void take(const struct listener *listener, int fd, const struct sockaddr_storage *from)
{
	struct conn *conn = conn_new(listener->link, fd);

	if (!conn) {
		close(fd);
		return;
	}
	conn->from_host = true;
	conn->ends = link_guest_view(from, listener->guest_port);
	if (loop_add(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP, &conn->source) < 0 ||
		ask_guest(conn) != ERR_OK)
		conn_abort(conn);
}

static void asked(struct source *source, uint32_t events)
{
	struct listener *listener = (struct listener *)source;
	struct sockaddr_storage from;
	socklen_t bytes = sizeof(from);
	int fd;

	(void)events;
	while ((fd = accept4(listener->fd, (struct sockaddr *)&from, &bytes,
			SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		take(listener, fd, &from);
		bytes = sizeof(from);
	}
}

int tcp_publish(struct link *link, const struct df_publish *published)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	int error;

	if (!listener)
		return -ENOMEM;
	listener->source.ready = asked;
	listener->link = link;
	listener->guest_port = published->guest_port;
	listener->fd = link_open_port(published, SOCK_STREAM);
	error = listener->fd;
	if (error >= 0)
		error = listen(listener->fd, BACKLOG) < 0
			? -errno
			: loop_add(listener->fd, EPOLLIN, &listener->source);
	if (error < 0) {
		df_cleanup_fd(&listener->fd);
		free(listener);
		return error;
	}
	return 0;
}

/* --- the end --- */

void tcp_end_all(struct link *link)
{
	struct tcp_pcb *pcb, *next;
	struct conn *conn;

	while ((conn = LIST_FIRST(&link->conns))) {
		pcb = conn_detach(conn);
		if (pcb)
			tcp_abort(pcb);
		conn_end(conn); /* as when a program ends: what was sent is sent */
	}
	/* Those that lwIP ends by itself. */
	for (pcb = tcp_active_pcbs; pcb; pcb = next) {
		next = pcb->next;
		if (stack_is_guest(link->number, &pcb->remote_ip))
			tcp_abort(pcb);
	}
	for (pcb = tcp_tw_pcbs; pcb; pcb = next) {
		next = pcb->next;
		if (stack_is_guest(link->number, &pcb->remote_ip))
			tcp_abort(pcb);
	}
}
