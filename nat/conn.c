/* SPDX-License-Identifier: Apache-2.0 */
/* The life of connections: see conn.h. */
#include "nat/conn.h"

#include "nat/link.h"

#include <lwip/priv/tcp_priv.h>
#include <stdlib.h>
#include <unistd.h>

#define CONNS_MAX 2000u /* of a guest */
#define ACK_MS 10u

static TAILQ_HEAD(turns, conn) busy = TAILQ_HEAD_INITIALIZER(busy);
static struct conn_list dead = LIST_HEAD_INITIALIZER(dead);
static uint64_t acknowledge_ms; /* when what is not acknowledged shall be; 0: nothing */

void conn_set_busy(struct conn *conn)
{
	if (conn->is_busy)
		return;
	conn->is_busy = true;
	TAILQ_INSERT_TAIL(&busy, conn, turn);
}

struct conn *conn_new(struct link *link, int fd)
{
	struct conn *conn = link->conn_count < CONNS_MAX ? calloc(1, sizeof(*conn)) : NULL;
	const int on = 1;

	if (!conn)
		return NULL;
	conn->source.ready = conn_ready;
	conn->link = link;
	conn->fd = fd;
	(void)setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof(on));
	link->conn_count++;
	LIST_INSERT_HEAD(&link->conns, conn, place);
	return conn;
}

struct tcp_pcb *conn_detach(struct conn *conn)
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

void conn_end(struct conn *conn)
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

void conn_abort(struct conn *conn)
{
	const struct linger at_once = {.l_onoff = 1};
	struct tcp_pcb *pcb = conn_detach(conn);

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

/* --- what lwIP says --- */

static err_t received(void *context, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
	struct conn *conn = context;

	(void)pcb, (void)error;
	if (!p)
		conn->guest_ended = true;
	else if (conn->input)
		conn->input_last->next = p;
	else
		conn->input = p;
	for (; p; p = p->next)
		conn->input_last = p;
	conn_set_busy(conn);
	return ERR_OK;
}

static err_t sent(void *context, struct tcp_pcb *pcb, uint16_t bytes)
{
	struct conn *conn = context;

	(void)pcb;
	conn->acked += bytes;
	conn_set_busy(conn);
	return ERR_OK;
}

/* The guest has reset it, or does not answer; lwIP has forgotten it. */
static void failed(void *context, err_t error)
{
	struct conn *conn = context;

	conn->pcb = NULL;
	if (error == ERR_RST && tcp_ask_otherwise(conn))
		return;
	if (error != ERR_CLSD)
		conn_abort(conn);
	else
		conn_set_busy(conn);
}

err_t conn_opened(void *context, struct tcp_pcb *pcb, err_t error)
{
	struct conn *conn = context;

	(void)error;
	if (!conn || conn->pcb != pcb)
		return ERR_VAL;
	conn->open = true;
	conn->readable = conn->writable = true;
	conn_set_busy(conn);
	return ERR_OK;
}

void conn_attach(struct conn *conn, struct tcp_pcb *pcb)
{
	conn->pcb = pcb;
	tcp_arg(pcb, conn);
	tcp_recv(pcb, received);
	tcp_sent(pcb, sent);
	tcp_err(pcb, failed);
	tcp_nagle_disable(pcb);
}

/* --- what there is to do --- */

void conn_ready(struct source *source, uint32_t events)
{
	struct conn *conn = (struct conn *)source;

	if (conn->fd < 0)
		return;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		conn->readable = true;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		conn->ending = true;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		conn->writable = true;
	conn_set_busy(conn);
}

static void look_after(struct conn *conn)
{
	if (conn->fd >= 0 && conn->open)
		pump_to_host(conn);
	if (conn->fd >= 0 && conn->open && conn->pcb)
		pump_to_guest(conn);
	if (conn->fd < 0)
		return;
	/* Both have ended, and the guest has everything: lwIP does the rest by itself. */
	if (conn->guest_ended && conn->told && conn->acked == conn->filled)
		conn_detach(conn);
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
