// SPDX-License-Identifier: Apache-2.0
/* What lwIP tells a TCP socket. Nothing here sleeps, and nothing is told to the program: its calls find it. */
#include <kernel/net/tcp.h>
#include <lwip/priv/tcp_priv.h>

/* As Linux: writable while a third is free. */
#define ROOM_BYTES (TCP_SND_BUF / 3)
#define QUEUE_MOST (TCP_SND_QUEUELEN * 2 / 3)
#define MSS_MIN 48

struct tcp_socket *tcp_new_socket(int family)
{
	struct tcp_socket *t = kzalloc(sizeof(*t));

	if (!t)
		return NULL;
	socket_init(&t->s, &tcp_ops, family, SOCK_STREAM, 6);
	t->keep_idle_s = 7200;
	t->keep_interval_s = 75;
	t->keep_count = 9;
	list_init(&t->waiting);
	list_init(&t->place);
	t->local = t->peer = inet_any(&t->s);
	return t;
}

bool tcp_writable(const struct tcp_socket *t)
{
	return t->pcb && t->pcb->snd_buf > ROOM_BYTES && tcp_sndqueuelen(t->pcb) < QUEUE_MOST;
}

void tcp_drop_input(struct tcp_socket *t)
{
	struct pbuf *p;

	while ((p = t->in)) {
		t->in = p->next;
		p->next = NULL;
		pbuf_free(p);
	}
	t->in_last = NULL;
	t->in_bytes = t->in_offset = 0;
}

/* p NULL: the peer has sent all. */
static err_t received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	struct tcp_socket *t = arg;

	(void)pcb, (void)err;
	if (!p) {
		t->ended = true;
		/* A connection that both sides have closed is lwIP's alone: it frees it without a word. */
		if (t->s.down & DOWN_WRITE)
			tcp_detach(t);
		if (t->s.down & DOWN_WRITE)
			socket_wake_all(&t->s);
		else
			socket_wake_readers(&t->s, NET_IN | EPOLLRDHUP);
		return ERR_OK;
	}
	if (t->in_last)
		t->in_last->next = p;
	else
		t->in = p;
	for (; p; p = p->next) {
		t->in_bytes += p->len;
		t->in_last = p;
	}
	socket_wake_readers(&t->s, NET_IN);
	return ERR_OK;
}

static err_t sent(void *arg, struct tcp_pcb *pcb, u16_t bytes)
{
	struct tcp_socket *t = arg;

	(void)pcb, (void)bytes;
	if (t->no_space && tcp_writable(t)) {
		t->no_space = false;
		socket_wake_writers(&t->s, NET_OUT);
	}
	return ERR_OK;
}

/* A peer that asks for segments of a few bytes would have most of our memory go into headers; the bound is Linux's. */
static void bound_mss(struct tcp_pcb *pcb)
{
	pcb->mss = max(pcb->mss, (uint16_t)MSS_MIN);
}

err_t tcp_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
	struct tcp_socket *t = arg;

	(void)err;
	bound_mss(pcb);
	ip_addr_copy(t->local.ip, pcb->local_ip);
	t->local.port = pcb->local_port;
	t->established = true;
	socket_wake_writers(&t->s, NET_OUT);
	return ERR_OK;
}

/* The connection is gone already. */
static void failed(void *arg, err_t err)
{
	struct tcp_socket *t = arg;

	t->pcb = NULL;
	if (err == ERR_CLSD) {
		t->ended = true;
	} else if (!t->established) {
		t->s.error = err == ERR_RST ? ECONNREFUSED : ETIMEDOUT;
	} else {
		t->s.error = err == ERR_RST ? t->ended ? EPIPE : ECONNRESET : ETIMEDOUT;
		tcp_drop_input(t);
		t->ended = true;
	}
	socket_wake_all(&t->s);
}

static struct tcp_pcb *find_outside(void)
{
	struct tcp_pcb *pcb = tcp_active_pcbs;

	while (pcb && !device_leads_to(&pcb->remote_ip))
		pcb = pcb->next;
	return pcb;
}

void tcp_reset_outside(void)
{
	struct tcp_pcb *pcb;

	while ((pcb = find_outside())) {
		/* One that no program has any more, or not yet, is lwIP's alone. */
		struct tcp_socket *t = pcb->errf == failed ? pcb->callback_arg : NULL;

		tcp_err(pcb, NULL);
		tcp_abort(pcb);
		if (!t)
			continue;
		t->pcb = NULL;
		t->s.error = ECONNRESET;
		t->ended = true;
		tcp_drop_input(t);
		socket_wake_all(&t->s);
	}
}

/* Over the loopback interface there is nothing to gain from waiting for more to send. */
void tcp_apply_options(struct tcp_socket *t)
{
	struct tcp_pcb *pcb = t->pcb;

	if (!pcb || pcb->state == LISTEN)
		return;
	if (t->nodelay || ip_addr_isloopback(&pcb->remote_ip))
		tcp_nagle_disable(pcb);
	else
		tcp_nagle_enable(pcb);
	if (t->s.keepalive)
		ip_set_option(pcb, SOF_KEEPALIVE);
	else
		ip_reset_option(pcb, SOF_KEEPALIVE);
	pcb->keep_idle = (uint32_t)t->keep_idle_s * 1000;
	pcb->keep_intvl = (uint32_t)t->keep_interval_s * 1000;
	pcb->keep_cnt = (uint32_t)t->keep_count;
}

void tcp_attach(struct tcp_socket *t, struct tcp_pcb *pcb)
{
	t->pcb = pcb;
	tcp_arg(pcb, t);
	tcp_recv(pcb, received);
	tcp_sent(pcb, sent);
	tcp_err(pcb, failed);
	tcp_apply_options(t);
}

struct tcp_pcb *tcp_detach(struct tcp_socket *t)
{
	struct tcp_pcb *pcb = t->pcb;

	t->pcb = NULL;
	if (!pcb)
		return NULL;
	tcp_arg(pcb, NULL);
	if (pcb->state != LISTEN) {
		tcp_recv(pcb, NULL);
		tcp_sent(pcb, NULL);
		tcp_err(pcb, NULL);
	} else {
		tcp_accept(pcb, NULL);
	}
	return pcb;
}

/* Who of those that share the listener's port gets a connection: one who waits, rather than one who does not. */
static struct tcp_socket *choose(struct tcp_socket *l)
{
	struct tcp_socket *best = l;
	struct socket *s;

	if (!l->s.reuse_port)
		return l;
	list_for_each(s, &socket_list, all) {
		struct tcp_socket *t = (struct tcp_socket *)s;

		if (s->ops != &tcp_ops || !s->listening || !t->stands_by ||
			t->local.port != l->local.port || !list_empty(&t->waiting))
			continue;
		if (!list_empty(&best->waiting) || !list_empty(&s->readers.waiters))
			best = t;
	}
	return best;
}

/* A handshake with a listener was completed. */
static err_t came(void *arg, struct tcp_pcb *pcb, err_t err)
{
	struct tcp_socket *l = arg, *t;

	if (!l || !pcb || err)
		return ERR_VAL;
	l = choose(l);
	t = tcp_new_socket(l->s.family);
	if (!t)
		return ERR_MEM; /* lwIP resets the connection */
	t->bound = t->established = true;
	t->listener = l;
	t->nodelay = l->nodelay;
	t->s.keepalive = l->s.keepalive;
	t->s.reuse_address = l->s.reuse_address;
	t->s.reuse_port = l->s.reuse_port;
	t->s.only_v6 = l->s.only_v6;
	t->s.lingers = l->s.lingers;
	t->s.linger_s = l->s.linger_s;
	t->s.send_bytes = l->s.send_bytes;
	t->s.receive_bytes = l->s.receive_bytes;
	t->s.send_wait_ns = l->s.send_wait_ns;
	t->s.receive_wait_ns = l->s.receive_wait_ns;
	t->keep_idle_s = l->keep_idle_s;
	t->keep_interval_s = l->keep_interval_s;
	t->keep_count = l->keep_count;
	ip_addr_copy(t->local.ip, pcb->local_ip);
	t->local.port = pcb->local_port;
	ip_addr_copy(t->peer.ip, pcb->remote_ip);
	t->peer.port = pcb->remote_port;
	bound_mss(pcb);
	tcp_attach(t, pcb);
	tcp_backlog_delayed(pcb);
	list_add_tail(&l->waiting, &t->place);
	socket_wake_readers(&l->s, NET_IN);
	return ERR_OK;
}

void tcp_attach_listener(struct tcp_socket *t, struct tcp_pcb *pcb)
{
	t->pcb = pcb;
	tcp_arg(pcb, t);
	tcp_accept(pcb, came);
}

/* --- before lwIP sees a segment --- */

/* Who began a handshake that nobody completes must not keep others out: of a full queue the oldest one goes. */
static void make_place(const struct tcp_pcb_listen *l)
{
	struct tcp_pcb *p, *oldest = NULL;

	if (l->accepts_pending < l->backlog)
		return;
	for (p = tcp_active_pcbs; p; p = p->next)
		if (p->state == SYN_RCVD && p->listener == l)
			oldest = p; /* the latest are the first in the list */
	if (oldest)
		tcp_abandon(oldest, 0);
}

/* ERR_OK: lwIP may have it. */
signed char net_segment(struct tcp_pcb *pcb, const struct tcp_hdr *header, unsigned bytes)
{
	uint8_t flags = TCPH_FLAGS(header);

	/* Only these may come without an acknowledgement; lwIP would take their data. */
	if (!(flags & (TCP_ACK | TCP_RST | TCP_SYN)))
		return ERR_VAL;
	lwip_take_end(pcb, header, bytes);
	if ((flags & (TCP_ACK | TCP_RST | TCP_SYN)) != TCP_SYN)
		return ERR_OK;
	if (pcb->state == LISTEN)
		make_place((const struct tcp_pcb_listen *)pcb);
	/* The same ports for a new connection: the old one is over (RFC 9293, 3.10.7.4), and the next SYN finds the listener. */
	if (pcb->state == TIME_WAIT && (int32_t)(header->seqno - pcb->rcv_nxt) > 0) {
		tcp_abort(pcb);
		return ERR_ABRT;
	}
	return ERR_OK;
}
