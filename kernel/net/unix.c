// SPDX-License-Identifier: Apache-2.0
/* Unix sockets: beginning, connecting, ending. See unix.h. */
#include <kernel/net/unix.h>

static const struct socket_ops unix_ops;

static struct unix_socket *new_socket(int type)
{
	struct unix_socket *u = kzalloc(sizeof(*u));

	if (!u)
		return NULL;
	socket_init(&u->s, &unix_ops, AF_UNIX, type, 0);
	list_init(&u->in);
	list_init(&u->waiting);
	list_init(&u->place);
	return u;
}

int unix_socket(int type, struct socket **out)
{
	struct unix_socket *u;

	/* Linux: SOCK_RAW is a way to ask for datagrams. */
	if (type == SOCK_RAW)
		type = SOCK_DGRAM;
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	u = new_socket(type);
	if (!u)
		return -ENOMEM;
	*out = &u->s;
	return 0;
}

static void join(struct unix_socket *a, struct unix_socket *b)
{
	a->peer = b;
	b->peer = a;
	a->connected = b->connected = true;
}

int unix_pair(int type, struct socket **a, struct socket **b)
{
	int r = unix_socket(type, a);

	if (r)
		return r;
	r = unix_socket(type, b);
	if (r)
		(*a)->ops->release(*a);
	else
		join(unix_of(*a), unix_of(*b));
	return r;
}

static int bind(struct socket *s, const struct address *a)
{
	return unix_bind(unix_of(s), a);
}

static int listen(struct socket *s, int backlog)
{
	struct unix_socket *u = unix_of(s);

	if (is_datagram(u))
		return -EOPNOTSUPP;
	if (!u->name || u->connected)
		return -EINVAL;
	u->backlog = (unsigned)backlog;
	s->listening = true;
	unix_wake_senders(u);
	return 0;
}

static int accept(struct socket *s, struct socket **out)
{
	struct unix_socket *l = unix_of(s), *u;

	if (is_datagram(l))
		return -EOPNOTSUPP;
	if (!s->listening)
		return -EINVAL;
	if (list_empty(&l->waiting))
		return s->down & DOWN_READ ? -EINVAL : -EAGAIN;
	u = list_entry(l->waiting.next, struct unix_socket, place);
	list_del(&u->place);
	l->waiting_count--;
	unix_wake_senders(l);
	*out = &u->s;
	return 0;
}

static int connect_datagram(struct unix_socket *u, const struct address *a)
{
	struct unix_socket *to;
	int r;

	if (a->used >= sizeof(a->family) && a->family == AF_UNSPEC) {
		u->peer = NULL;
		u->connected = false;
		return 0;
	}
	r = unix_find(a, &to);
	if (r)
		return r;
	if (!is_datagram(to))
		return -EPROTOTYPE;
	if (to->peer && to->peer != u)
		return -EPERM;
	u->peer = to;
	u->connected = true;
	return 0;
}

static int connect(struct socket *s, const struct address *a)
{
	struct unix_socket *u = unix_of(s), *l, *made;
	int r;

	if (is_datagram(u))
		return connect_datagram(u, a);
	r = unix_find(a, &l);
	if (r)
		return r;
	if (l->s.type != s->type)
		return -EPROTOTYPE;
	if (!l->s.listening || (l->s.down & DOWN_READ))
		return -ECONNREFUSED;
	if (s->listening)
		return -EINVAL;
	if (u->connected)
		return -EISCONN;
	if (l->waiting_count > l->backlog) {
		u->full = l;
		return -EAGAIN;
	}
	made = new_socket(s->type);
	if (!made)
		return -ENOMEM;
	made->name = unix_name_ref(l->name);
	made->peer_name = unix_name_ref(u->name);
	made->s.passes_credentials = l->s.passes_credentials;
	u->peer_name = unix_name_ref(l->name);
	join(u, made);
	list_add_tail(&l->waiting, &made->place);
	l->waiting_count++;
	socket_wake_readers(&l->s, NET_IN);
	return 0;
}

/* A connection is there at once. */
static int connected(struct socket *s)
{
	s->connecting = false;
	return 0;
}

static int name(struct socket *s, bool peer, struct address *a)
{
	struct unix_socket *u = unix_of(s);
	const struct unix_name *n = u->name;

	if (peer) {
		if (!u->peer)
			return -ENOTCONN;
		n = is_datagram(u) ? u->peer->name : u->peer_name;
	}
	memset(a, 0, sizeof(*a));
	a->family = AF_UNIX;
	a->used = UNIX_PATH;
	if (n)
		*a = n->address;
	return 0;
}

static int shutdown(struct socket *s, unsigned down)
{
	struct unix_socket *u = unix_of(s);

	s->down |= (uint8_t)down;
	socket_wake_all(s);
	if (u->peer && !is_datagram(u)) {
		u->peer->s.down |= (uint8_t)((down & DOWN_READ ? DOWN_WRITE : 0) |
			(down & DOWN_WRITE ? DOWN_READ : 0));
		socket_wake_all(&u->peer->s);
	}
	return 0;
}

static unsigned poll(struct socket *s)
{
	struct unix_socket *u = unix_of(s);
	unsigned events = 0;

	if (s->listening)
		return list_empty(&u->waiting) ? 0 : NET_IN;
	if (!list_empty(&u->in) || (s->down & DOWN_READ))
		events |= NET_IN;
	if (s->down & DOWN_READ)
		events |= EPOLLRDHUP;
	if (s->down == (DOWN_READ | DOWN_WRITE) || (!is_datagram(u) && !u->connected))
		events |= EPOLLHUP;
	if (!u->peer || unix_has_room(u->peer, u))
		events |= NET_OUT;
	else
		u->full = u->peer;
	return events;
}

/* Sockets that send to u, or wait for it, can not any more. */
static void leave(struct unix_socket *u, bool lost)
{
	struct socket *s, *next;

	if (u->peer && !is_datagram(u)) {
		struct unix_socket *p = u->peer;

		p->peer = NULL;
		p->full = NULL;
		p->s.down = DOWN_READ | DOWN_WRITE;
		if (lost)
			p->s.error = ECONNRESET;
		socket_wake_all(&p->s);
	}
	list_for_each_safe(s, next, &socket_list, all) {
		struct unix_socket *other = unix_of(s);

		if (s->family != AF_UNIX || (other->peer != u && other->full != u))
			continue;
		if (other->peer == u && is_datagram(other)) {
			other->peer = NULL;
			s->error = ECONNRESET;
		}
		other->full = NULL;
		socket_wake_all(s);
	}
}

static void release(struct socket *s)
{
	struct unix_socket *u = unix_of(s);

	while (!list_empty(&u->waiting)) {
		struct unix_socket *w = list_entry(u->waiting.next, struct unix_socket, place);

		list_del(&w->place);
		if (w->peer)
			w->peer->s.error = ECONNRESET;
		w->s.ops->release(&w->s);
	}
	leave(u, !list_empty(&u->in));
	if (u->name && u->name->owner == u)
		u->name->owner = NULL;
	unix_name_unref(u->name);
	unix_name_unref(u->peer_name);
	u->peer = NULL;
	unix_drop_input(u);
	socket_end(s);
}

static const struct socket_ops unix_ops = {
	.bind = bind,
	.listen = listen,
	.accept = accept,
	.connect = connect,
	.connected = connected,
	.send = unix_send,
	.receive = unix_receive,
	.shutdown = shutdown,
	.name = name,
	.poll = poll,
	.queued = unix_queued,
	.release = release,
};
