// SPDX-License-Identifier: Apache-2.0
/*
 * UDP sockets. Datagrams that came wait in a list, bounded by SO_RCVBUF; more are lost, as datagrams are.
 */
#include <kernel/net/inet.h>
#include <asm/socket.h>
#include <lwip/udp.h>

#define DATAGRAM_MAX 65507u
#define OVERHEAD 512u /* that a waiting datagram counts for beside its bytes */

struct datagram {
	struct list node;
	struct pbuf *p;
	struct inet_name from;
};

struct udp_socket {
	struct socket s;
	struct udp_pcb *pcb;
	struct inet_name local, peer;
	bool bound, connected;
	/* The program chose them itself: connecting and its end do not change them. */
	bool chose_address, chose_port;
	struct list in;
	size_t in_bytes; /* with overhead */
};

static const struct socket_ops udp_ops;

static struct udp_socket *udp_of(struct socket *s)
{
	return (struct udp_socket *)s;
}

/* lwIP goes by IP's length alone; what UDP says may be less, and counts. False: it is more, or nonsense. */
static bool cut(struct pbuf *p)
{
	const struct udp_hdr *header = (const void *)((const char *)p->payload - UDP_HLEN);
	uint16_t bytes = lwip_ntohs(header->len);

	if (bytes < UDP_HLEN || bytes - UDP_HLEN > p->tot_len)
		return false;
	pbuf_realloc(p, (uint16_t)(bytes - UDP_HLEN));
	return true;
}

/* lwIP: a datagram came. */
static void received(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *ip,
	uint16_t port)
{
	struct udp_socket *u = arg;
	struct datagram *d;

	(void)pcb;
	if (!cut(p) || u->in_bytes + p->tot_len > (size_t)u->s.receive_bytes ||
		(u->s.down & DOWN_READ) || !(d = net_alloc(sizeof(*d)))) {
		pbuf_free(p);
		return;
	}
	d->p = p;
	ip_addr_copy(d->from.ip, *ip);
	d->from.port = port;
	u->in_bytes += p->tot_len + OVERHEAD;
	list_add_tail(&u->in, &d->node);
	socket_wake_readers(&u->s, NET_IN);
}

static void drop(struct udp_socket *u, struct datagram *d)
{
	list_del(&d->node);
	u->in_bytes -= d->p->tot_len + OVERHEAD;
	pbuf_free(d->p);
	net_free(d);
}

static void drop_first(struct udp_socket *u)
{
	drop(u, list_entry(u->in.next, struct datagram, node));
}

void udp_forget_outside(void)
{
	struct list *at, *next;
	struct socket *s;

	list_for_each(s, &socket_list, all) {
		if (s->ops != &udp_ops)
			continue;
		for (at = udp_of(s)->in.next; at != &udp_of(s)->in; at = next) {
			struct datagram *d = list_entry(at, struct datagram, node);

			next = at->next;
			if (device_leads_to(&d->from.ip))
				drop(udp_of(s), d);
		}
	}
}

static int try_bind(void *socket, const ip_addr_t *ip, uint16_t port)
{
	return inet_error(udp_bind(((struct udp_socket *)socket)->pcb, ip, port));
}

static int bind_to(struct udp_socket *u, struct inet_name *n)
{
	ip_addr_t ip = n->ip;
	int r;

	if (u->s.family == AF_INET6 && !u->s.only_v6 && ip_addr_isany(&ip))
		IP_SET_TYPE_VAL(ip, IPADDR_TYPE_ANY);
	r = inet_bind_port(u, &ip, &n->port, try_bind);
	if (r)
		return r;
	u->local = *n;
	u->bound = true;
	return 0;
}

static int ensure_bound(struct udp_socket *u)
{
	struct inet_name any = inet_any(&u->s);

	return u->bound ? 0 : bind_to(u, &any);
}

static int bind(struct socket *s, const struct address *a)
{
	struct udp_socket *u = udp_of(s);
	struct inet_name n;
	int r = inet_from_address(s, a, &n);

	if (r)
		return r;
	if (s->family == AF_INET6 && (a->family != AF_INET6 || (s->only_v6 && IP_IS_V4_VAL(n.ip))))
		return -EINVAL;
	r = inet_check_local(&n.ip);
	if (r)
		return r;
	if (u->bound)
		return -EINVAL;
	r = bind_to(u, &n);
	u->chose_port = r == 0;
	u->chose_address = r == 0 && !ip_addr_isany(&n.ip);
	return r;
}

static int connect(struct socket *s, const struct address *a)
{
	struct udp_socket *u = udp_of(s);
	struct inet_name to;
	int r;

	if (a->used >= sizeof(a->family) && a->family == AF_UNSPEC) {
		udp_disconnect(u->pcb);
		u->connected = false;
		if (!u->chose_address)
			u->local.ip = inet_any(s).ip;
		if (!u->chose_port)
			u->local.port = 0;
		u->bound = u->chose_port;
		return 0;
	}
	r = inet_from_address(s, a, &to);
	if (r)
		return r;
	inet_reach(&to);
	r = inet_check_route(&to.ip);
	if (r == 0)
		r = ensure_bound(u);
	if (r == 0)
		r = inet_error(udp_connect(u->pcb, &to.ip, to.port));
	if (r)
		return r;
	u->peer = to;
	u->connected = true;
	if (!u->chose_address)
		u->local.ip = inet_source(&to.ip);
	return 0;
}

static int name(struct socket *s, bool peer, struct address *a)
{
	struct udp_socket *u = udp_of(s);

	if (peer && !u->connected)
		return -ENOTCONN;
	inet_to_address(s, peer ? &u->peer : &u->local, a);
	return 0;
}

static int receiver(struct udp_socket *u, const struct message *m, struct inet_name *to)
{
	int r;

	if (!m->address.used) {
		*to = u->peer;
		return u->connected ? 0 : -EDESTADDRREQ;
	}
	r = inet_from_address(&u->s, &m->address, to);
	if (r)
		return r;
	inet_reach(to);
	return to->port ? inet_check_route(&to->ip) : -EINVAL;
}

/* A connected socket learns that nobody listens there; within the guest that is known at once. */
static void note_refused(struct udp_socket *u, const struct inet_name *to)
{
	const struct udp_pcb *p;

	if (!u->connected || inet_check_local(&to->ip))
		return;
	for (p = udp_pcbs; p; p = p->next)
		if (p->local_port == to->port)
			return;
	u->s.error = ECONNREFUSED;
	socket_wake_all(&u->s);
}

static int64_t send(struct socket *s, struct message *m)
{
	struct udp_socket *u = udp_of(s);
	struct inet_name to;
	struct pbuf *p;
	int r = receiver(u, m, &to);

	if (s->error)
		return socket_error_take(s);
	if (r == 0 && m->bytes > DATAGRAM_MAX)
		r = -EMSGSIZE;
	if (r == 0 && (m->flags & MSG_OOB))
		r = -EOPNOTSUPP;
	if (r == 0)
		r = ensure_bound(u);
	if (r)
		return r;
	p = pbuf_alloc(PBUF_TRANSPORT, (uint16_t)m->bytes, PBUF_RAM);
	if (!p)
		return -ENOBUFS;
	r = message_take(m, p->payload, m->bytes);
	if (r == 0)
		r = inet_error(udp_sendto(u->pcb, p, &to.ip, to.port));
	pbuf_free(p);
	if (r)
		return r;
	note_refused(u, &to);
	stack_run();
	return (int64_t)m->bytes;
}

static int64_t receive(struct socket *s, struct message *m)
{
	struct udp_socket *u = udp_of(s);
	size_t left = m->bytes, bytes;
	const struct datagram *d;

	if (m->flags & (MSG_OOB | MSG_ERRQUEUE))
		return m->flags & MSG_OOB ? -EINVAL : -EAGAIN;
	if (list_empty(&u->in)) {
		if (s->error)
			return socket_error_take(s);
		return s->down & DOWN_READ ? 0 : -EAGAIN;
	}
	d = list_entry(u->in.next, struct datagram, node);
	bytes = d->p->tot_len;
	for (const struct pbuf *p = d->p; p && left; p = p->next) {
		size_t n = min(left, (size_t)p->len);

		if (message_put(m, p->payload, n))
			return -EFAULT;
		left -= n;
	}
	if (bytes > m->bytes)
		m->out_flags |= MSG_TRUNC;
	inet_to_address(s, &d->from, &m->address);
	if (!(m->flags & MSG_PEEK))
		drop_first(u);
	return (int64_t)(m->flags & MSG_TRUNC ? bytes : min(bytes, m->bytes));
}

static int shutdown(struct socket *s, unsigned down)
{
	if (!udp_of(s)->connected)
		return -ENOTCONN;
	s->down |= (uint8_t)down;
	socket_wake_all(s);
	return 0;
}

static unsigned poll(struct socket *s)
{
	struct udp_socket *u = udp_of(s);
	unsigned events = NET_OUT;

	if (!list_empty(&u->in) || (s->down & DOWN_READ))
		events |= NET_IN;
	if (s->down & DOWN_READ)
		events |= EPOLLRDHUP;
	if (s->down == (DOWN_READ | DOWN_WRITE))
		events |= EPOLLHUP;
	return events;
}

static uint64_t queued(struct socket *s)
{
	struct udp_socket *u = udp_of(s);

	const struct datagram *first = list_entry(u->in.next, struct datagram, node);

	return list_empty(&u->in) ? 0 : first->p->tot_len;
}

static void release(struct socket *s)
{
	struct udp_socket *u = udp_of(s);

	udp_remove(u->pcb);
	while (!list_empty(&u->in))
		drop_first(u);
	socket_end(s);
}

static int set(struct socket *s, int level, int option, int value)
{
	if (level != SOL_SOCKET)
		return inet_set(s, level, option, value);
	inet_apply_reuse(s, &udp_of(s)->pcb->so_options);
	return 0;
}

static const struct socket_ops udp_ops = {
	.bind = bind,
	.connect = connect,
	.send = send,
	.receive = receive,
	.shutdown = shutdown,
	.name = name,
	.set = set,
	.get = inet_get,
	.poll = poll,
	.queued = queued,
	.release = release,
};

int udp_socket(int family, struct socket **out)
{
	struct udp_socket *u = kzalloc(sizeof(*u));

	if (!u)
		return -ENOMEM;
	u->pcb = udp_new_ip_type(family == AF_INET ? IPADDR_TYPE_V4 : IPADDR_TYPE_ANY);
	if (!u->pcb) {
		kfree(u);
		return -ENOBUFS;
	}
	socket_init(&u->s, &udp_ops, family, SOCK_DGRAM, 17);
	list_init(&u->in);
	u->local = u->peer = inet_any(&u->s);
	udp_recv(u->pcb, received, u);
	*out = &u->s;
	return 0;
}
