// SPDX-License-Identifier: Apache-2.0
/* TCP sockets: what the program asks of them. See tcp.h. */
#include <kernel/net/tcp.h>
#include <lwip/priv/tcp_priv.h>

#define IPPROTO_TCP 6
#define SOL_SOCKET 1
#define TIME_WAITS_MAX 64
#define TAKE_MAX 0xffffu /* lwIP counts in 16 bits what it is told was taken */

/* Options, as linux/tcp.h has them (which lwIP's headers do not go with). */
enum {
	TCP_NODELAY = 1,
	TCP_MAXSEG,
	TCP_CORK,
	TCP_KEEPIDLE,
	TCP_KEEPINTVL,
	TCP_KEEPCNT,
	TCP_SYNCNT,
	TCP_LINGER2,
	TCP_DEFER_ACCEPT,
	TCP_WINDOW_CLAMP,
	TCP_INFO,
	TCP_QUICKACK,
	TCP_USER_TIMEOUT = 18,
	TCP_FASTOPEN = 23,
	TCP_NOTSENT_LOWAT = 25,
	TCP_FASTOPEN_CONNECT = 30,
};

/* --- making --- */

static int ensure_pcb(struct tcp_socket *t)
{
	struct tcp_pcb *pcb;

	if (t->pcb)
		return 0;
	pcb = tcp_new_ip_type(t->s.family == AF_INET ? IPADDR_TYPE_V4
			: t->s.only_v6               ? IPADDR_TYPE_V6
						     : IPADDR_TYPE_ANY);
	if (!pcb)
		return -ENOBUFS;
	tcp_attach(t, pcb);
	return 0;
}

int tcp_socket(int family, struct socket **out)
{
	struct tcp_socket *t = tcp_new_socket(family);

	if (!t)
		return -ENOMEM;
	*out = &t->s;
	return 0;
}

/* --- names --- */

static bool overlap(const ip_addr_t *a, const ip_addr_t *b)
{
	if (ip_addr_isany(a) || ip_addr_isany(b))
		return IP_IS_ANY_TYPE_VAL(*a) || IP_IS_ANY_TYPE_VAL(*b) ||
			IP_IS_V6(a) == IP_IS_V6(b);
	return ip_addr_cmp(a, b);
}

/* lwIP looks at listeners when another one shall listen; Linux refuses the name already. */
static bool is_listened(const struct tcp_socket *t, const ip_addr_t *ip, uint16_t port)
{
	const struct tcp_pcb_listen *l;

	for (l = tcp_listen_pcbs.listen_pcbs; l; l = l->next) {
		const struct tcp_socket *other = l->callback_arg;

		if (l->local_port == port && overlap(&l->local_ip, ip) &&
			!(other && other->s.reuse_port && t->s.reuse_port))
			return true;
	}
	return false;
}

static int try_bind(void *socket, const ip_addr_t *ip, uint16_t port)
{
	struct tcp_socket *t = socket;

	if (is_listened(t, ip, port))
		return -EADDRINUSE;
	return inet_error(tcp_bind(t->pcb, ip, port));
}

/* A port by chance must not be that of a connection whose other end, in this guest, is in TIME-WAIT: it would
 * not answer. */
static int try_any(void *socket, const ip_addr_t *ip, uint16_t port)
{
	const struct tcp_pcb *p;

	for (p = tcp_tw_pcbs; p; p = p->next)
		if (p->remote_port == port)
			return -EADDRINUSE;
	return try_bind(socket, ip, port);
}

static int bind_to(struct tcp_socket *t, struct inet_name *n)
{
	ip_addr_t ip = n->ip;
	int r = ensure_pcb(t);

	if (r)
		return r;
	if (t->s.family == AF_INET6 && !t->s.only_v6 && ip_addr_isany(&ip))
		IP_SET_TYPE_VAL(ip, IPADDR_TYPE_ANY);
	inet_apply_reuse(&t->s, &t->pcb->so_options);
	r = inet_bind_port(t, &ip, &n->port, n->port ? try_bind : try_any);
	if (r)
		return r;
	t->local = *n;
	t->bound = true;
	return 0;
}

static int bind(struct socket *s, const struct address *a)
{
	struct tcp_socket *t = tcp_of(s);
	struct inet_name n;
	int r = inet_from_address(s, a, &n);

	if (r)
		return r;
	if (s->family == AF_INET6 && (a->family != AF_INET6 || (s->only_v6 && IP_IS_V4_VAL(n.ip))))
		return -EINVAL;
	r = inet_check_local(&n.ip);
	if (r)
		return r;
	if (t->bound || t->established || s->listening || s->connecting)
		return -EINVAL;
	return bind_to(t, &n);
}

static int name(struct socket *s, bool peer, struct address *a)
{
	struct tcp_socket *t = tcp_of(s);

	if (peer && (!t->established || (!t->pcb && s->error)))
		return -ENOTCONN;
	inet_to_address(s, peer ? &t->peer : &t->local, a);
	return 0;
}

/* --- listening --- */

/* Makes a bound socket a listener. */
static int begin_listening(struct tcp_socket *t)
{
	struct tcp_pcb *pcb;
	err_t err;

	pcb = tcp_listen_with_backlog_and_err(t->pcb, t->backlog, &err);
	t->stands_by = !pcb && err == ERR_USE && t->s.reuse_port;
	if (!pcb && !t->stands_by)
		return inet_error(err);
	if (pcb)
		tcp_attach_listener(t, pcb);
	t->s.listening = true;
	return 0;
}

static int listen(struct socket *s, int backlog)
{
	struct tcp_socket *t = tcp_of(s);
	struct inet_name any = inet_any(s);
	int r;

	/* lwIP counts what waits in 8 bits; Linux lets one more wait than it was told. */
	t->backlog = (uint8_t)min(backlog + 1, 255);
	if (s->listening) {
		if (!t->stands_by)
			tcp_backlog_set(t->pcb, t->backlog);
		return 0;
	}
	if (t->established || s->connecting)
		return -EINVAL;
	r = t->bound ? ensure_pcb(t) : bind_to(t, &any);
	if (r)
		return r;
	return begin_listening(t);
}

static int accept(struct socket *s, struct socket **out)
{
	struct tcp_socket *l = tcp_of(s), *t;

	if (!s->listening)
		return -EINVAL;
	if (list_empty(&l->waiting))
		return -EAGAIN;
	t = list_entry(l->waiting.next, struct tcp_socket, place);
	list_del(&t->place);
	t->listener = NULL;
	if (t->pcb)
		tcp_backlog_accepted(t->pcb);
	*out = &t->s;
	return 0;
}

/* --- connecting --- */

static int begin(struct tcp_socket *t, struct inet_name *to)
{
	struct inet_name any = inet_any(&t->s);
	int r = t->bound ? ensure_pcb(t) : bind_to(t, &any);

	if (r)
		return r;
	t->peer = *to;
	r = inet_error(tcp_connect(t->pcb, &to->ip, to->port, tcp_connected));
	if (r)
		return r;
	ip_addr_copy(t->local.ip, t->pcb->local_ip);
	tcp_apply_options(t);
	t->s.connecting = true;
	stack_run();
	return -EINPROGRESS;
}

static int connect(struct socket *s, const struct address *a)
{
	struct tcp_socket *t = tcp_of(s);
	struct inet_name to;
	int r;

	if (a->used < sizeof(a->family))
		return -EINVAL;
	if (s->listening || t->established)
		return -EISCONN;
	r = inet_from_address(s, a, &to);
	if (r)
		return r;
	if (s->family == AF_INET6 && s->only_v6 && IP_IS_V4_VAL(to.ip))
		return -ENETUNREACH;
	inet_reach(&to);
	r = inet_check_route(&to.ip);
	if (r)
		return r;
	return to.port ? begin(t, &to) : -ECONNREFUSED;
}

static int connected(struct socket *s)
{
	struct tcp_socket *t = tcp_of(s);

	if (s->error)
		return socket_error_take(s);
	if (!t->established && t->pcb)
		return -EINPROGRESS;
	s->connecting = false;
	return t->established ? 0 : -ECONNABORTED;
}

/* --- moving data --- */

static int64_t send(struct socket *s, struct message *m)
{
	struct tcp_socket *t = tcp_of(s);
	int64_t done = 0;
	int r = 0;

	if (s->error)
		return socket_error_take(s);
	if (!t->established)
		return s->connecting ? -EAGAIN : -EPIPE;
	if (!t->pcb)
		return -EPIPE;
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	while (message_left(m)) {
		size_t n = tcp_sndbuf(t->pcb); /* at most 65535: lwIP takes no more */
		const void *from;

		r = message_look(m, &from, &n);
		if (r || !n)
			break;
		/* All or nothing; with small segments it may be too many of them. */
		while (n && tcp_write(t->pcb, from, (uint16_t)n, TCP_WRITE_FLAG_COPY))
			n /= 2;
		if (!n)
			break;
		message_skip(m, n);
		done += (int64_t)n;
	}
	if (done) {
		tcp_output(t->pcb);
		stack_run();
	} else if (!r && m->bytes && (t->pcb->unsent || t->pcb->unacked)) {
		t->no_space = true;
		r = -EAGAIN;
	} else if (!r && m->bytes) {
		r = -ENOBUFS; /* others have the memory, and nothing of ours is under way that would wake us */
	}
	return done ? done : r;
}

/* Copies what has come and fits, from the start on. Bytes or -EFAULT. */
static int64_t copy_input(struct tcp_socket *t, struct message *m)
{
	size_t offset = t->in_offset, want = message_left(m);
	const struct pbuf *p;
	int64_t done = 0;

	for (p = t->in; p && want; p = p->next) {
		size_t n = min(want, p->len - offset);

		if (m->flags & MSG_TRUNC)
			message_skip(m, n);
		else if (message_put(m, (const char *)p->payload + offset, n))
			return done ? done : -EFAULT;
		want -= n;
		done += (int64_t)n;
		offset = 0;
	}
	return done;
}

static void take_input(struct tcp_socket *t, size_t n)
{
	t->in_bytes -= n;
	t->in_offset += (unsigned)n;
	while (t->in && t->in_offset >= t->in->len) {
		struct pbuf *p = t->in;

		t->in_offset -= p->len;
		t->in = p->next;
		p->next = NULL;
		pbuf_free(p);
	}
	if (!t->in)
		t->in_last = NULL;
	while (n && t->pcb) {
		uint16_t part = (uint16_t)min(n, (size_t)TAKE_MAX);

		tcp_recved(t->pcb, part);
		n -= part;
	}
	stack_run();
}

static int64_t receive(struct socket *s, struct message *m)
{
	struct tcp_socket *t = tcp_of(s);
	int64_t r;

	if (m->flags & MSG_ERRQUEUE)
		return -EAGAIN;
	if (m->flags & MSG_OOB)
		return -EINVAL;
	if (s->listening || (!t->established && !s->connecting))
		return s->error ? socket_error_take(s) : -ENOTCONN;
	if (!t->in_bytes) {
		if (s->error)
			return socket_error_take(s);
		return t->ended || !t->pcb || (s->down & DOWN_READ) ? 0 : -EAGAIN;
	}
	r = copy_input(t, m);
	if (r > 0 && !(m->flags & MSG_PEEK))
		take_input(t, (size_t)r);
	return r;
}

static uint64_t queued(struct socket *s)
{
	return tcp_of(s)->in_bytes;
}

static unsigned poll(struct socket *s)
{
	struct tcp_socket *t = tcp_of(s);
	unsigned events = 0;

	if (s->listening)
		return list_empty(&t->waiting) ? 0 : NET_IN;
	if (s->connecting && !t->established && t->pcb)
		return 0;
	if (!t->established)
		return NET_OUT | EPOLLHUP |
			(s->error || (s->down & DOWN_READ) ? NET_IN | EPOLLRDHUP : 0);
	if (t->in_bytes || t->ended || (s->down & DOWN_READ))
		events |= NET_IN;
	if (t->ended || (s->down & DOWN_READ))
		events |= EPOLLRDHUP;
	if (!t->pcb || (t->ended && (s->down & DOWN_WRITE)) || s->down == (DOWN_READ | DOWN_WRITE))
		events |= EPOLLHUP;
	if (!t->pcb || (s->down & DOWN_WRITE) || tcp_writable(t))
		events |= NET_OUT;
	else
		t->no_space = true;
	return events;
}

/* --- ending --- */

/* Nobody will accept these. */
static void refuse_waiting(struct tcp_socket *l)
{
	while (!list_empty(&l->waiting)) {
		struct tcp_socket *t = list_entry(l->waiting.next, struct tcp_socket, place);

		list_del(&t->place);
		t->s.lingers = true;
		t->s.linger_s = 0;
		t->s.ops->release(&t->s);
	}
}

static void stop_listening(struct tcp_socket *l)
{
	struct tcp_pcb *pcb = tcp_detach(l);
	struct socket *s;

	l->s.listening = false;
	refuse_waiting(l);
	if (pcb)
		tcp_close(pcb);
	if (l->stands_by || !l->s.reuse_port)
		return;
	list_for_each(s, &socket_list, all) {
		struct tcp_socket *t = tcp_of(s);

		if (s->ops != &tcp_ops || !s->listening || !t->stands_by ||
			t->local.port != l->local.port)
			continue;
		if (begin_listening(t))
			t->stands_by = true; /* without memory for it: for nobody */
		if (!t->stands_by)
			break;
	}
}

static int shutdown(struct socket *s, unsigned down)
{
	struct tcp_socket *t = tcp_of(s);

	if (s->listening) {
		if (down & DOWN_READ) {
			stop_listening(t);
			socket_wake_all(s);
		}
		return 0;
	}
	if (!t->established || (!t->pcb && !t->ended)) {
		s->down |= (uint8_t)down; /* as Linux */
		socket_wake_all(s);
		return -ENOTCONN;
	}
	if ((down & DOWN_WRITE) && !(s->down & DOWN_WRITE) && t->pcb) {
		/* Without memory for it now, lwIP tries again at its next tick. */
		tcp_shutdown(t->pcb, 0, 1);
		if (t->ended)
			tcp_detach(t);
	}
	s->down |= (uint8_t)down;
	stack_run();
	socket_wake_all(s);
	return 0;
}

/* Connections in TIME-WAIT guard against packets that are late, of which there are few over loopback; lwIP looks at
 * all of them for each packet. The latest are the first in its list. */
static void forget_old(void)
{
	struct tcp_pcb *p = tcp_tw_pcbs;

	for (int n = 1; p && n < TIME_WAITS_MAX; n++)
		p = p->next;
	while (p && p->next)
		tcp_abort(p->next);
}

static void release(struct socket *s)
{
	struct tcp_socket *t = tcp_of(s);
	struct tcp_pcb *pcb;

	if (s->listening)
		stop_listening(t);
	pcb = tcp_detach(t);
	if (pcb) {
		/* What the program has not read, the peer must not believe it has. */
		if (t->in_bytes || (s->lingers && !s->linger_s) || tcp_close(pcb))
			tcp_abort(pcb);
	}
	tcp_drop_input(t);
	socket_end(s);
	stack_run();
	forget_old();
}

/* --- options --- */

static int keep(struct tcp_socket *t, int *to, int value, int most)
{
	if (value < 1 || value > most)
		return -EINVAL;
	*to = value;
	tcp_apply_options(t);
	return 0;
}

static int set(struct socket *s, int level, int option, int value)
{
	struct tcp_socket *t = tcp_of(s);

	if (level == SOL_SOCKET) {
		if (t->pcb)
			inet_apply_reuse(s, &t->pcb->so_options);
		tcp_apply_options(t);
		return 0;
	}
	if (level != IPPROTO_TCP)
		return inet_set(s, level, option, value);
	switch (option) {
	case TCP_NODELAY:
		t->nodelay = value;
		tcp_apply_options(t);
		return 0;
	case TCP_CORK:
		t->cork = value;
		return 0;
	case TCP_KEEPIDLE:
		return keep(t, &t->keep_idle_s, value, 32767);
	case TCP_KEEPINTVL:
		return keep(t, &t->keep_interval_s, value, 32767);
	case TCP_KEEPCNT:
		return keep(t, &t->keep_count, value, 127);
	case TCP_MAXSEG:
	case TCP_SYNCNT:
	case TCP_LINGER2:
	case TCP_DEFER_ACCEPT:
	case TCP_WINDOW_CLAMP:
	case TCP_QUICKACK:
	case TCP_USER_TIMEOUT:
	case TCP_FASTOPEN:
	case TCP_NOTSENT_LOWAT:
	case TCP_FASTOPEN_CONNECT:
		return 0; /* how soon, not what */
	default:
		return -ENOPROTOOPT;
	}
}

static int get(struct socket *s, int level, int option, int *value)
{
	struct tcp_socket *t = tcp_of(s);

	if (level != IPPROTO_TCP)
		return inet_get(s, level, option, value);
	*value = 0;
	switch (option) {
	case TCP_NODELAY:
		*value = t->nodelay;
		return 0;
	case TCP_CORK:
		*value = t->cork;
		return 0;
	case TCP_KEEPIDLE:
		*value = t->keep_idle_s;
		return 0;
	case TCP_KEEPINTVL:
		*value = t->keep_interval_s;
		return 0;
	case TCP_KEEPCNT:
		*value = t->keep_count;
		return 0;
	case TCP_MAXSEG:
		*value = t->established && t->pcb ? tcp_mss(t->pcb) : 536;
		return 0;
	case TCP_INFO: /* the first byte: the state, in Linux's numbers */
		*value = s->listening ? 10 : t->established && t->pcb ? t->ended ? 8 : 1 : 7;
		return 0;
	case TCP_SYNCNT:
		*value = 6;
		return 0;
	case TCP_QUICKACK:
		*value = 1;
		return 0;
	case TCP_LINGER2:
		*value = 60;
		return 0;
	case TCP_DEFER_ACCEPT:
	case TCP_WINDOW_CLAMP:
	case TCP_USER_TIMEOUT:
	case TCP_FASTOPEN:
	case TCP_NOTSENT_LOWAT:
	case TCP_FASTOPEN_CONNECT:
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

const struct socket_ops tcp_ops = {
	.bind = bind,
	.listen = listen,
	.accept = accept,
	.connect = connect,
	.connected = connected,
	.send = send,
	.receive = receive,
	.shutdown = shutdown,
	.name = name,
	.set = set,
	.get = get,
	.poll = poll,
	.queued = queued,
	.release = release,
};
