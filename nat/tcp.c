/* SPDX-License-Identifier: Apache-2.0 */
/* Connections between guest and host: see tcp.h. */
#include "nat/tcp.h"

#include "host/cleanup.h"
#include "nat/link.h"
#include "nat/loop.h"
#include "nat/stack.h"

#include <errno.h>
#include <lwip/priv/tcp_priv.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define CONNS_MAX 2000u /* of a guest */
#define BACKLOG 1024
#define BUFFER_BYTES TCP_SND_BUF
#define READ_MAX (256u << 10) /* in a row, before others have their turn */
#define WRITE_PARTS 32
#define QUEUE_SPARE 4 /* of lwIP's TCP_SND_QUEUELEN: what one write may need */
#define ACK_MS 10u

struct conn {
	struct source source;
	LIST_ENTRY(conn) place; /* in link->conns, or in `dead` */
	TAILQ_ENTRY(conn) turn; /* in `busy` */
	struct link *link;
	int fd; /* of the host; -1: ended */
	struct tcp_pcb *pcb; /* with the guest; NULL before it was asked, and when it has ended */
	struct pbuf *syn; /* the guest's question, while the host is asked */
	struct ends ends;
	bool open; /* both sides are connected */
	bool is_busy;

	/* From host to guest: a ring, in which the guest has acknowledged what lies before `acked`. Counts of bytes. */
	uint8_t *buffer;
	uint64_t acked, written, filled;
	bool readable; /* there may be more to read */
	bool ending; /* the host has said that it ends */
	bool ended; /* and all was read */
	bool told; /* and the guest knows */

	/* From guest to host. */
	struct pbuf *input;
	uint16_t offset; /* of the first one, what is gone already */
	bool writable;
	bool guest_ended;
	bool shut; /* and the host knows */
};

struct listener {
	struct source source;
	struct link *link;
	int fd;
	uint16_t guest_port;
};

static struct tcp_pcb
	*acceptor; /* of what guests ask for; its port is that of the question in hand */
static TAILQ_HEAD(turns,
	conn) busy = TAILQ_HEAD_INITIALIZER(busy); /* to be looked after in tcp_settle */
static struct conn_list dead = LIST_HEAD_INITIALIZER(dead);
static uint64_t acknowledge_ms; /* when what is not acknowledged shall be; 0: nothing */

static void set_busy(struct conn *conn)
{
	if (conn->is_busy)
		return;
	conn->is_busy = true;
	TAILQ_INSERT_TAIL(&busy, conn, turn);
}

/* --- beginning and end --- */

static void ready(struct source *source, uint32_t events);

static struct conn *conn_new(struct link *link, int fd)
{
	struct conn *conn = link->conn_count < CONNS_MAX ? calloc(1, sizeof(*conn)) : NULL;
	const int on = 1;

	if (!conn)
		return NULL;
	conn->source.ready = ready;
	conn->link = link;
	conn->fd = fd;
	(void)setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof(on));
	link->conn_count++;
	LIST_INSERT_HEAD(&link->conns, conn, place);
	return conn;
}

/* lwIP shall not call for it any more. */
static struct tcp_pcb *detach(struct conn *conn)
{
	struct tcp_pcb *pcb = conn->pcb;

	conn->pcb = NULL;
	if (pcb) {
		tcp_arg(pcb, NULL);
		tcp_recv(pcb, NULL);
		tcp_sent(pcb, NULL);
		tcp_err(pcb, NULL);
	}
	return pcb;
}

/* Its memory goes in tcp_settle, for events that are in hand may name it. */
static void conn_end(struct conn *conn)
{
	if (conn->fd < 0)
		return;
	close(conn->fd);
	conn->fd = -1;
	if (conn->syn)
		pbuf_free(conn->syn);
	if (conn->input)
		pbuf_free(conn->input);
	conn->syn = conn->input = NULL;
	LIST_REMOVE(conn, place);
	conn->link->conn_count--;
	LIST_INSERT_HEAD(&dead, conn, place);
}

/* Both sides learn that something went wrong. */
static void conn_abort(struct conn *conn)
{
	const struct linger at_once = {.l_onoff = 1};
	struct tcp_pcb *pcb = detach(conn);

	if (pcb)
		tcp_abort(pcb);
	if (conn->fd >= 0)
		(void)setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	conn_end(conn);
}

static void bury(void)
{
	struct conn *conn, *next;

	for (conn = LIST_FIRST(&dead); conn; conn = next) {
		next = LIST_NEXT(conn, place);
		if (conn->is_busy)
			continue;
		LIST_REMOVE(conn, place);
		free(conn->buffer);
		free(conn);
	}
}

/* --- from host to guest --- */

/* Hands to lwIP what was read and what it takes. It takes it where it lies, until the guest has acknowledged it. */
static bool write_on(struct conn *conn)
{
	while (conn->written < conn->filled) {
		size_t at = conn->written % BUFFER_BYTES;
		size_t bytes = conn->filled - conn->written;

		if (bytes > BUFFER_BYTES - at)
			bytes = BUFFER_BYTES - at;
		if (bytes > TCP_MSS)
			bytes = TCP_MSS;
		if (tcp_sndqueuelen(conn->pcb) + QUEUE_SPARE > TCP_SND_QUEUELEN ||
			tcp_write(conn->pcb, conn->buffer + at, (uint16_t)bytes, 0) != ERR_OK)
			return false;
		conn->written += bytes;
	}
	return true;
}

/* Reads once. False: nothing is there, or nothing may be read now. */
static bool read_more(struct conn *conn)
{
	size_t at, room;
	ssize_t n;

	if (conn->acked == conn->filled)
		conn->acked = conn->written = conn->filled = 0; /* memory that is warm */
	at = conn->filled % BUFFER_BYTES;
	room = BUFFER_BYTES - (size_t)(conn->filled - conn->acked);
	if (room > BUFFER_BYTES - at)
		room = BUFFER_BYTES - at;
	if (!room)
		return false;
	n = recv(conn->fd, conn->buffer + at, room, MSG_DONTWAIT);
	if (n > 0) {
		conn->filled += (size_t)n;
		/* Fewer than could be: there is no more, or the end. */
		conn->readable = (size_t)n == room || conn->ending;
		return true;
	}
	conn->readable = false;
	if (n == 0)
		conn->ended = true;
	else if (errno != EAGAIN && errno != EINTR)
		conn_abort(conn);
	return false;
}

static void pump_in(struct conn *conn)
{
	uint64_t most = conn->filled + READ_MAX;

	if (!conn->buffer && !(conn->buffer = malloc(BUFFER_BYTES))) {
		conn_abort(conn);
		return;
	}
	while (write_on(conn) && conn->readable && conn->filled < most && read_more(conn))
		;
	if (conn->fd < 0)
		return;
	if (conn->readable && conn->filled >= most)
		set_busy(conn);
	if (conn->ended && !conn->told && conn->written == conn->filled) {
		conn->told = true;
		(void)tcp_shutdown(conn->pcb, 0, 1); /* without memory it tries again itself */
	}
	(void)tcp_output(conn->pcb);
}

/* --- from guest to host --- */

static void input_drop(struct conn *conn, size_t bytes)
{
	size_t left = bytes;

	while (conn->input && left >= (size_t)(conn->input->len - conn->offset)) {
		struct pbuf *first = conn->input;

		left -= (size_t)(first->len - conn->offset);
		conn->offset = 0;
		conn->input = first->next;
		first->next = NULL;
		pbuf_free(first);
	}
	conn->offset = (uint16_t)(conn->offset + left);
	while (bytes && conn->pcb) {
		uint16_t part = bytes > UINT16_MAX ? UINT16_MAX : (uint16_t)bytes;

		tcp_recved(conn->pcb, part);
		bytes -= part;
	}
}

/* False: the host takes no more now, or the connection has ended. */
static bool write_once(struct conn *conn)
{
	struct iovec parts[WRITE_PARTS];
	struct msghdr message = {.msg_iov = parts};
	size_t wanted = 0, offset = conn->offset;
	ssize_t n;

	for (struct pbuf *p = conn->input; p && message.msg_iovlen < WRITE_PARTS; p = p->next) {
		parts[message.msg_iovlen++] =
			(struct iovec){(uint8_t *)p->payload + offset, p->len - offset};
		wanted += p->len - offset;
		offset = 0;
	}
	n = sendmsg(conn->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0) {
		conn->writable = false;
		if (errno != EAGAIN && errno != EINTR)
			conn_abort(conn);
		return false;
	}
	if ((size_t)n < wanted)
		conn->writable = false;
	input_drop(conn, (size_t)n);
	return conn->writable;
}

static void pump_out(struct conn *conn)
{
	while (conn->input && conn->writable && write_once(conn))
		;
	if (conn->fd >= 0 && conn->guest_ended && !conn->input && !conn->shut) {
		conn->shut = true;
		(void)shutdown(conn->fd, SHUT_WR);
	}
}

/* --- lwIP's calls --- */

static err_t received(void *context, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
	struct conn *conn = context;

	(void)pcb, (void)error;
	if (!p)
		conn->guest_ended = true;
	else if (conn->input)
		pbuf_cat(conn->input, p);
	else
		conn->input = p;
	set_busy(conn);
	return ERR_OK;
}

static err_t sent(void *context, struct tcp_pcb *pcb, uint16_t bytes)
{
	struct conn *conn = context;

	(void)pcb;
	conn->acked += bytes;
	set_busy(conn);
	return ERR_OK;
}

static err_t ask_guest(struct conn *conn);

/* A server that is published on an address of IPv6 may listen on IPv4 alone: then it is asked by the gateway. */
static bool ask_on_v4(struct conn *conn)
{
	if (conn->open || conn->fd < 0 || IN6_IS_ADDR_V4MAPPED(&conn->ends.outside))
		return false;
	conn->ends.outside = df_ip_v4(DF_NET_GATEWAY);
	return ask_guest(conn) == ERR_OK;
}

/* The guest has reset it, or does not answer; lwIP has forgotten it. */
static void failed(void *context, err_t error)
{
	struct conn *conn = context;

	conn->pcb = NULL;
	if (error == ERR_RST && ask_on_v4(conn))
		return;
	if (error != ERR_CLSD)
		conn_abort(conn);
	else
		set_busy(conn);
}

static err_t opened(void *context, struct tcp_pcb *pcb, err_t error)
{
	struct conn *conn = context;

	(void)error;
	if (!conn || conn->pcb != pcb)
		return ERR_VAL;
	conn->open = true;
	conn->readable = conn->writable = true;
	set_busy(conn);
	return ERR_OK;
}

static void attach(struct conn *conn, struct tcp_pcb *pcb)
{
	conn->pcb = pcb;
	tcp_arg(pcb, conn);
	tcp_recv(pcb, received);
	tcp_sent(pcb, sent);
	tcp_err(pcb, failed);
	tcp_nagle_disable(pcb);
}

int tcp_proxy_init(void)
{
	struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);

	if (!pcb || tcp_bind(pcb, IP_ANY_TYPE, 1) != ERR_OK)
		return -ENOMEM;
	acceptor = tcp_listen(pcb);
	if (!acceptor)
		return -ENOMEM;
	tcp_accept(acceptor, opened);
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
		attach(conn, tcp_active_pcbs);
	else
		conn_abort(conn);
}

/* The host has answered: it is connected, or why not. */
static void host_answered(struct conn *conn)
{
	int error = 0;
	socklen_t bytes = sizeof(error);

	if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) < 0)
		error = errno;
	if (!error) {
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
	attach(conn, pcb);
	error = tcp_bind(pcb, &outside, conn->ends.outside_port);
	if (error == ERR_USE)
		error = tcp_bind(pcb, &outside, 0);
	if (error == ERR_OK)
		error = tcp_connect(pcb, &guest, conn->ends.guest_port, opened);
	conn->ends.outside_port = pcb->local_port;
	return error;
}

static void take(const struct listener *listener, int fd, const struct sockaddr_storage *from)
{
	struct conn *conn = conn_new(listener->link, fd);

	if (!conn) {
		close(fd);
		return;
	}
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

/* --- both --- */

static void ready(struct source *source, uint32_t events)
{
	struct conn *conn = (struct conn *)source;

	if (conn->fd < 0)
		return;
	if (conn->syn) {
		if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
			host_answered(conn);
		return;
	}
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		conn->readable = true;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		conn->ending = true;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		conn->writable = true;
	set_busy(conn);
}

static void look_after(struct conn *conn)
{
	if (conn->fd >= 0 && conn->open)
		pump_out(conn);
	if (conn->fd >= 0 && conn->open && conn->pcb)
		pump_in(conn);
	if (conn->fd < 0)
		return;
	/* Both have ended, and the guest has everything: lwIP does the rest by itself. */
	if (conn->guest_ended && conn->told && conn->acked == conn->filled)
		detach(conn);
	if (conn->shut && !conn->pcb) {
		conn_end(conn);
		return;
	}
	if (!conn->pcb || !(conn->pcb->flags & TF_ACK_DELAY))
		return;
	/* The guest may wait for it before it sends more; while it is awake, it costs it nothing. */
	if (link_guest_is_awake(conn->link)) {
		tcp_ack_now(conn->pcb);
		(void)tcp_output(conn->pcb);
	} else if (!acknowledge_ms) {
		acknowledge_ms = loop_now_ms() + ACK_MS;
	}
}

static void acknowledge(void)
{
	struct tcp_pcb *next;

	for (struct tcp_pcb *p = tcp_active_pcbs; p; p = next) {
		next = p->next;
		if (p->flags & TF_ACK_DELAY) {
			tcp_ack_now(p);
			(void)tcp_output(p);
		}
	}
	acknowledge_ms = 0;
}

void tcp_settle(void)
{
	struct conn *conn, *last = TAILQ_LAST(&busy, turns);

	/* Who is put into the line meanwhile is looked after the next time round. */
	while ((conn = TAILQ_FIRST(&busy))) {
		TAILQ_REMOVE(&busy, conn, turn);
		conn->is_busy = false;
		look_after(conn);
		if (conn == last)
			break;
	}
	if (acknowledge_ms && loop_now_ms() >= acknowledge_ms)
		acknowledge();
	bury();
}

int tcp_timeout(void)
{
	uint64_t now = loop_now_ms();

	if (!TAILQ_EMPTY(&busy))
		return 0;
	if (!acknowledge_ms)
		return -1;
	return acknowledge_ms > now ? (int)(acknowledge_ms - now) : 0;
}

void tcp_end_all(struct link *link)
{
	struct tcp_pcb *pcb, *next;
	struct conn *conn;

	while ((conn = LIST_FIRST(&link->conns))) {
		pcb = detach(conn);
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
