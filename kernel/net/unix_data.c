// SPDX-License-Identifier: Apache-2.0
/* What moves through Unix sockets: packets, in the receiver's list until it takes them. */
#include <kernel/net/unix.h>

#define PIECE 16384u /* of a stream, in one packet */
#define PACKETS_MAX 512 /* of datagrams: Linux: net.unix.max_dgram_qlen, as distributions set it */

bool unix_has_room(const struct unix_socket *u, const struct unix_socket *from)
{
	return u->in_bytes < (size_t)from->s.send_bytes &&
		!(is_datagram(u) && u->in_packets >= PACKETS_MAX);
}

static void packet_free(struct packet *p)
{
	rights_free(p->rights);
	unix_name_unref(p->from);
	net_free(p);
}

static void drop(struct unix_socket *u, struct packet *p)
{
	list_del(&p->node);
	u->in_packets--;
	packet_free(p);
}

/* Rights may hold this very socket, but not in this list: it is empty when they go. */
void unix_drop_input(struct unix_socket *u)
{
	while (!list_empty(&u->in))
		drop(u, list_entry(u->in.next, struct packet, node));
	u->in_bytes = 0;
}

void unix_wake_senders(struct unix_socket *u)
{
	struct socket *s, *next;

	if (!is_datagram(u) && !u->s.listening) {
		if (u->peer && u->peer->full == u) {
			u->peer->full = NULL;
			socket_wake_writers(&u->peer->s, NET_OUT);
		}
		return;
	}
	list_for_each_safe(s, next, &socket_list, all) {
		if (s->family != AF_UNIX || unix_of(s)->full != u)
			continue;
		unix_of(s)->full = NULL;
		socket_wake_writers(s, NET_OUT);
	}
}

/* --- sending --- */

/* Who gets it. Streams have no choice. */
static int receiver(struct unix_socket *u, const struct message *m, struct unix_socket **to)
{
	int r;

	*to = u->peer;
	if (!is_datagram(u)) {
		if (m->address.used)
			return u->peer ? -EISCONN : -EOPNOTSUPP;
		return u->peer ? 0 : u->connected ? -EPIPE : -ENOTCONN;
	}
	if (m->address.used) {
		r = unix_find(&m->address, to);
		if (r)
			return r;
	} else if (!*to) {
		return u->connected ? -ECONNREFUSED : -ENOTCONN;
	}
	if ((*to)->s.type != u->s.type)
		return -EPROTOTYPE;
	if ((*to)->peer && (*to)->peer != u)
		return -EPERM;
	return (*to)->s.down & DOWN_READ ? -EPIPE : 0;
}

static int put(struct unix_socket *u, struct unix_socket *to, struct message *m, size_t n)
{
	struct packet *p = net_alloc(sizeof(*p) + n);
	int r;

	if (!p)
		return -ENOBUFS;
	r = message_take(m, p->data, n);
	if (r) {
		net_free(p);
		return r;
	}
	p->bytes = n;
	p->at = 0;
	p->rights = m->rights;
	m->rights = NULL;
	p->from = unix_name_ref(u->name);
	list_add_tail(&to->in, &p->node);
	to->in_bytes += n;
	to->in_packets++;
	return 0;
}

int64_t unix_send(struct socket *s, struct message *m)
{
	struct unix_socket *u = unix_of(s), *to;
	int64_t done = 0;
	int r = receiver(u, m, &to);

	if (r)
		return r;
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (s->error && !is_datagram(u))
		return socket_error_take(s);
	if (!s->stream && m->bytes > (size_t)s->send_bytes - 32)
		return -EMSGSIZE;
	do {
		size_t n = s->stream ? min(message_left(m), (size_t)PIECE) : m->bytes;

		if (s->stream && !n)
			break;
		if (!unix_has_room(to, u)) {
			u->full = to;
			r = -EAGAIN;
			break;
		}
		r = put(u, to, m, n);
		if (r)
			break;
		done += (int64_t)n;
	} while (s->stream && message_left(m));
	if (done || !r)
		socket_wake_readers(&to->s, NET_IN);
	return done ? done : r;
}

/* --- receiving --- */

static int nothing(struct unix_socket *u)
{
	if (u->s.error)
		return socket_error_take(&u->s);
	if (is_datagram(u))
		return u->s.down & DOWN_READ ? 0 : -EAGAIN;
	if (!u->connected)
		return u->s.type == SOCK_STREAM ? -EINVAL : -ENOTCONN;
	return u->s.down & DOWN_READ ? 0 : -EAGAIN;
}

static void take_sender(struct message *m, const struct packet *p)
{
	if (p->from)
		m->address = p->from->address;
}

/* One packet, whatever fits of it. */
static int64_t receive_packet(struct unix_socket *u, struct message *m)
{
	struct packet *p = list_entry(u->in.next, struct packet, node);
	size_t bytes = p->bytes, n = min(bytes, m->bytes);

	if (message_put(m, p->data, n))
		return -EFAULT;
	take_sender(m, p);
	if (bytes > n)
		m->out_flags |= MSG_TRUNC;
	if (!(m->flags & MSG_PEEK)) {
		m->rights = p->rights;
		p->rights = NULL;
		u->in_bytes -= bytes;
		drop(u, p);
	}
	return (int64_t)(m->flags & MSG_TRUNC ? bytes : n);
}

/* Bytes of as many packets as there are, up to one with rights. */
static int64_t receive_stream(struct unix_socket *u, struct message *m)
{
	size_t want = message_left(m);
	struct packet *p, *next;
	int64_t done = 0;

	list_for_each_safe(p, next, &u->in, node) {
		size_t n = min(want, p->bytes - p->at);
		bool last = p->rights;

		if (done && !n)
			break;
		if (message_put(m, p->data + p->at, n))
			return done ? done : -EFAULT;
		take_sender(m, p);
		done += (int64_t)n;
		want -= n;
		if (m->flags & MSG_PEEK)
			continue;
		if (last) {
			m->rights = p->rights;
			p->rights = NULL;
		}
		p->at += n;
		u->in_bytes -= n;
		if (p->at == p->bytes)
			drop(u, p);
		if (last || !want)
			break;
	}
	return done;
}

int64_t unix_receive(struct socket *s, struct message *m)
{
	struct unix_socket *u = unix_of(s);
	int64_t r;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (m->flags & MSG_ERRQUEUE)
		return -EAGAIN;
	m->passes_credentials = s->passes_credentials;
	if (list_empty(&u->in))
		return nothing(u);
	/* What a WAITALL has received rights with stays one message. */
	if (s->stream && m->rights)
		return 0;
	r = s->stream ? receive_stream(u, m) : receive_packet(u, m);
	if (r >= 0 && !(m->flags & MSG_PEEK))
		unix_wake_senders(u);
	return r;
}

uint64_t unix_queued(struct socket *s)
{
	struct unix_socket *u = unix_of(s);

	if (s->stream || list_empty(&u->in))
		return u->in_bytes;
	return list_entry(u->in.next, struct packet, node)->bytes;
}
