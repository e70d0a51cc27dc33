// SPDX-License-Identifier: Apache-2.0
/*
 * Sockets as files, and the calls that make and connect them. Waiting is here and nowhere else: a kind that can not
 * go on says -EAGAIN, and its queues say when to ask again.
 */
#include <kernel/net/net.h>
#include <asm/signal.h>
#include <kernel/core/feature.h>
#include <kernel/core/program.h>
#include <linux/stat.h>

#define BUFFER_BYTES 212992 /* Linux: net.core.wmem_default, rmem_default */
#define SOCKET_DEV 8
#define TYPE_MASK 0xf
#define TYPE_MAX 10 /* SOCK_PACKET */

struct list socket_list = LIST_INIT(socket_list);

static const struct file_ops socket_file_ops;

/* --- life --- */

void socket_init(struct socket *s, const struct socket_ops *ops, int family, int type, int protocol)
{
	static uint32_t last_number;

	s->ops = ops;
	s->family = (uint16_t)family;
	s->type = (uint16_t)type;
	s->protocol = (uint16_t)protocol;
	s->stream = type == SOCK_STREAM;
	s->send_bytes = s->receive_bytes = BUFFER_BYTES;
	s->number = ++last_number;
	wait_queue_init(&s->readers);
	wait_queue_init(&s->writers);
	list_add_tail(&socket_list, &s->all);
}

void socket_end(struct socket *s)
{
	list_del(&s->all);
	kfree(s);
}

struct socket *socket_of(const struct file *f)
{
	return f->ops == &socket_file_ops ? f->data : NULL;
}

int socket_error_take(struct socket *s)
{
	int e = s->error;

	s->error = 0;
	if (e)
		s->connecting = false;
	return -e;
}

void socket_wake_all(struct socket *s)
{
	wait_queue_wake(&s->readers, NET_IN | EPOLLRDHUP | EPOLLHUP | EPOLLERR);
	wait_queue_wake(&s->writers, NET_OUT | EPOLLHUP | EPOLLERR);
}

/* Gives the socket a file and a descriptor. fd; on failure the socket is gone. */
static int install(struct socket *s, unsigned flags)
{
	struct file *f;
	int r = file_new(&socket_file_ops, O_RDWR | (flags & O_NONBLOCK), s, &f);

	if (r) {
		s->ops->release(s);
		return r;
	}
	s->file = f;
	r = fd_install(f, 0, flags & O_CLOEXEC);
	if (r < 0)
		file_unref(f);
	return r;
}

/* --- waiting --- */

static uint64_t deadline_of(uint64_t wait_ns)
{
	return wait_ns ? deadline_in(wait_ns) : DF_FOREVER;
}

/* Sleeps on q. 0, or how the call ends: Linux starts no call anew that has a timeout. */
static int wait(struct wait_queue *q, uint64_t deadline)
{
	int r = wait_on(q, deadline);

	if (r == -ETIMEDOUT)
		return -EAGAIN;
	return r == -ERESTART && deadline != DF_FOREVER ? -EINTR : r;
}

int64_t socket_receive(struct socket *s, struct message *m)
{
	uint64_t deadline = deadline_of(s->receive_wait_ns);
	bool all = s->stream && (m->flags & MSG_WAITALL) && !(m->flags & MSG_PEEK);
	int64_t r, done = 0;

	if (m->nonblock && device_hooks.arrived)
		device_hooks.arrived();
	for (;;) {
		r = s->ops->receive(s, m);
		if (r > 0)
			done += r;
		if (r == 0 || (r < 0 && r != -EAGAIN))
			break;
		if (r > 0 && (!all || !message_left(m)))
			break;
		if (r > 0)
			continue;
		if ((done && !all) || m->nonblock)
			break;
		r = wait(&s->readers, deadline);
		if (r)
			break;
	}
	return done ? done : r;
}

int64_t socket_send(struct socket *s, struct message *m)
{
	uint64_t deadline = deadline_of(s->send_wait_ns);
	int64_t r, done = 0;

	for (;;) {
		r = s->down & DOWN_WRITE ? -EPIPE : s->ops->send(s, m);
		if (r > 0)
			done += r;
		if (r == 0 || (r < 0 && r != -EAGAIN) || (r > 0 && !message_left(m)))
			break;
		if (r > 0)
			continue;
		if (m->nonblock)
			break;
		r = wait(&s->writers, deadline);
		if (r)
			break;
	}
	if (done)
		return done;
	if (r == -EPIPE && !(m->flags & MSG_NOSIGNAL) && s->type != SOCK_DGRAM)
		signal_post(SIGPIPE);
	return r;
}

/* --- the file --- */

static struct message plain_message(const struct iovec *v, unsigned flags)
{
	return (struct message){
		.iov = v, .count = 1, .bytes = v->bytes, .nonblock = flags & FILE_NONBLOCK};
}

static int64_t socket_read(struct file *f, void *buf, size_t n, uint64_t *pos, unsigned flags)
{
	struct iovec v = {buf, n};
	struct message m = plain_message(&v, flags);
	int64_t r;

	(void)pos;
	if (!n)
		return 0;
	r = socket_receive(f->data, &m);
	rights_free(m.rights);
	return r;
}

static int64_t socket_write(struct file *f, const void *buf, size_t n, uint64_t *pos,
	unsigned flags)
{
	struct socket *s = f->data;
	struct iovec v = {(void *)buf, n};
	struct message m = plain_message(&v, flags);

	(void)pos;
	return n || !s->stream ? socket_send(s, &m) : 0;
}

static unsigned socket_poll(struct file *f, struct poll_table *pt)
{
	struct socket *s = f->data;

	poll_wait(pt, &s->readers);
	poll_wait(pt, &s->writers);
	return s->ops->poll(s) | (s->error ? EPOLLERR : 0);
}

static int socket_stat(struct file *f, struct stat *st)
{
	const struct socket *s = f->data;

	memset(st, 0, sizeof(*st));
	st->st_dev = SOCKET_DEV;
	st->st_ino = s->number;
	st->st_mode = S_IFSOCK | 0777;
	st->st_nlink = 1;
	st->st_blksize = DF_PAGE_SIZE;
	return 0;
}

static void socket_release(struct file *f)
{
	struct socket *s = f->data;

	s->file = NULL;
	s->ops->release(s);
}

static const struct file_ops socket_file_ops = {
	.kind = "socket",
	.read = socket_read,
	.write = socket_write,
	.poll = socket_poll,
	.stat = socket_stat,
	.ioctl = socket_ioctl,
	.vector = socket_vector,
	.release = socket_release,
};

/* --- the calls --- */

static int make(int family, int type, int protocol, struct socket **out)
{
	switch (family) {
	case AF_UNIX:
		return protocol && protocol != AF_UNIX ? -EPROTONOSUPPORT : unix_socket(type, out);
	case AF_INET:
	case AF_INET6:
		if (type == SOCK_STREAM && (protocol == 0 || protocol == 6))
			return tcp_socket(family, out);
		if (type == SOCK_DGRAM && (protocol == 0 || protocol == 17))
			return udp_socket(family, out);
		return type == SOCK_STREAM || type == SOCK_DGRAM || type == SOCK_RAW
			? -EPROTONOSUPPORT
			: -ESOCKTNOSUPPORT;
	case AF_NETLINK:
		return netlink_socket(type, protocol, out);
	default:
		return -EAFNOSUPPORT;
	}
}

static int check_type(int *type, unsigned *flags)
{
	*flags = (unsigned)*type & ~(unsigned)TYPE_MASK;
	*type &= TYPE_MASK;
	if (*type > TYPE_MAX)
		return -EINVAL;
	return *flags & ~(unsigned)(SOCK_NONBLOCK | SOCK_CLOEXEC) ? -EINVAL : 0;
}

static int64_t sys_socket(int family, int type, int protocol)
{
	struct socket *s;
	unsigned flags;
	int r = check_type(&type, &flags);

	if (r == 0)
		r = make(family, type, protocol, &s);
	return r ? r : install(s, flags);
}

static int64_t sys_socketpair(int family, int type, int protocol, gva_t out)
{
	struct socket *a, *b;
	unsigned flags;
	int fds[2], r = check_type(&type, &flags);

	if (r)
		return r;
	if (family != AF_UNIX)
		return family == AF_INET || family == AF_INET6 ? -EOPNOTSUPP : -EAFNOSUPPORT;
	if (protocol && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	r = unix_pair(type, &a, &b);
	if (r)
		return r;
	fds[0] = install(a, flags);
	if (fds[0] < 0) {
		b->ops->release(b);
		return fds[0];
	}
	fds[1] = install(b, flags);
	if (fds[1] < 0 || user_put(out, &fds)) {
		r = fds[1] < 0 ? fds[1] : -EFAULT;
		fd_close(fds[0]);
		if (fds[1] >= 0)
			fd_close(fds[1]);
		return r;
	}
	return 0;
}

/* The file of a socket, with a reference. */
static int find(int fd, struct file **f, struct socket **s)
{
	*f = fd_get(fd);
	if (!*f || ((*f)->flags & O_PATH))
		return -EBADF;
	*s = socket_of(*f);
	if (!*s)
		return -ENOTSOCK;
	file_ref(*f);
	return 0;
}

static int64_t sys_bind(int fd, gva_t address, unsigned bytes)
{
	struct address a;
	struct socket *s;
	struct file *f;
	int r = find(fd, &f, &s);

	if (r)
		return r;
	r = address_fetch(&a, address, bytes);
	if (r == 0)
		r = s->ops->bind ? s->ops->bind(s, &a) : -EOPNOTSUPP;
	file_unref(f);
	return r;
}

static int64_t sys_listen(int fd, int backlog)
{
	struct socket *s;
	struct file *f;
	int r = find(fd, &f, &s);

	if (r)
		return r;
	if ((unsigned)backlog > SOMAXCONN)
		backlog = SOMAXCONN;
	r = s->ops->listen ? s->ops->listen(s, backlog) : -EOPNOTSUPP;
	file_unref(f);
	return r;
}

/* Waits until the connection that was begun is there. */
static int wait_connected(struct socket *s, bool nonblock)
{
	uint64_t deadline = deadline_of(s->send_wait_ns);
	int r;

	while (!nonblock && (r = s->ops->connected(s)) == -EINPROGRESS) {
		r = wait(&s->writers, deadline);
		if (r)
			return r == -EAGAIN ? -EINPROGRESS : r;
	}
	return nonblock ? -EINPROGRESS : r;
}

static int connect(struct socket *s, const struct address *a, bool nonblock)
{
	uint64_t deadline = deadline_of(s->send_wait_ns);
	int r;

	if (s->connecting) {
		r = s->ops->connected(s);
		if (r == -EINPROGRESS)
			r = nonblock ? -EALREADY : wait_connected(s, false);
		return r;
	}
	/* A Unix listener may have no room. */
	while ((r = s->ops->connect(s, a)) == -EAGAIN && !nonblock) {
		r = wait(&s->writers, deadline);
		if (r)
			return r;
	}
	return r == -EINPROGRESS ? wait_connected(s, nonblock) : r;
}

static int64_t sys_connect(int fd, gva_t address, unsigned bytes)
{
	struct address a;
	struct socket *s;
	struct file *f;
	int r = find(fd, &f, &s);

	if (r)
		return r;
	r = address_fetch(&a, address, bytes);
	if (r == 0)
		r = s->ops->connect ? connect(s, &a, f->flags & O_NONBLOCK) : -EOPNOTSUPP;
	file_unref(f);
	return r;
}

static int accept_one(struct socket *s, bool nonblock, struct socket **out)
{
	uint64_t deadline = deadline_of(s->receive_wait_ns);
	int r;

	if (!s->ops->accept)
		return -EOPNOTSUPP;
	while ((r = s->ops->accept(s, out)) == -EAGAIN && !nonblock) {
		r = wait(&s->readers, deadline);
		if (r)
			return r;
	}
	return r;
}

static int64_t sys_accept4(int fd, gva_t address, gva_t length, int flags)
{
	struct socket *s, *made;
	struct address a = {.used = 0};
	struct file *f;
	int r, new_fd;

	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	r = find(fd, &f, &s);
	if (r)
		return r;
	r = accept_one(s, f->flags & O_NONBLOCK, &made);
	file_unref(f);
	if (r)
		return r;
	if (address && made->ops->name(made, true, &a) == -ENOTCONN)
		memset(&a, 0, sizeof(a));
	new_fd = install(made, (unsigned)flags);
	if (new_fd >= 0 && address) {
		r = address_store(&a, address, length);
		if (r) {
			fd_close(new_fd);
			return r;
		}
	}
	return new_fd;
}

static int64_t sys_accept(int fd, gva_t address, gva_t length)
{
	return sys_accept4(fd, address, length, 0);
}

static int64_t sys_shutdown(int fd, int how)
{
	struct socket *s;
	struct file *f;
	int r = find(fd, &f, &s);

	if (r)
		return r;
	if ((unsigned)how > SHUT_RDWR)
		r = -EINVAL;
	else
		r = s->ops->shutdown ? s->ops->shutdown(s, (unsigned)how + 1) : -EOPNOTSUPP;
	file_unref(f);
	return r;
}

static int64_t name(int fd, gva_t address, gva_t length, bool peer)
{
	struct address a = {.used = 0};
	struct socket *s;
	struct file *f;
	int r = find(fd, &f, &s);

	if (r)
		return r;
	r = s->ops->name(s, peer, &a);
	file_unref(f);
	return r ? r : address_store(&a, address, length);
}

static int64_t sys_getsockname(int fd, gva_t address, gva_t length)
{
	return name(fd, address, length, false);
}

static int64_t sys_getpeername(int fd, gva_t address, gva_t length)
{
	return name(fd, address, length, true);
}

static const struct feature_call socket_calls[] = {
	{41, sys_socket},
	{42, sys_connect},
	{43, sys_accept},
	{44, sys_sendto},
	{45, sys_recvfrom},
	{46, sys_sendmsg},
	{47, sys_recvmsg},
	{48, sys_shutdown},
	{49, sys_bind},
	{50, sys_listen},
	{51, sys_getsockname},
	{52, sys_getpeername},
	{53, sys_socketpair},
	{54, sys_setsockopt},
	{55, sys_getsockopt},
	{288, sys_accept4},
	{299, sys_recvmmsg},
	{307, sys_sendmmsg},
};

static void net_init(void)
{
	stack_init();
	net_hooks.text = net_proc_text;
}

FEATURE(net, "", net_init, socket_calls);
