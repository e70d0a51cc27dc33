// SPDX-License-Identifier: Apache-2.0
/*
 * Messages: what send and receive calls pass, fetched from the program once, and handed to the kinds as a struct
 * message, from which they take and into which they put bytes.
 */
#include <kernel/net/net.h>

#define IOV_MAX 1024
#define IOV_FEW 8
#define CONTROL_MAX 20480 /* Linux: net.core.optmem_max */
#define MESSAGES_MAX 1024
#define MOVE_MAX 0x7ffff000ULL /* Linux moves no more in one call */
#define SOL_SOCKET 1
#define SCM_RIGHTS 1
#define SCM_CREDENTIALS 2

struct header {
	gva_t name;
	uint32_t name_bytes, pad0;
	gva_t iov;
	uint64_t count;
	gva_t control;
	uint64_t control_bytes;
	uint32_t flags, pad1;
};
_Static_assert(sizeof(struct header) == 56, "struct msghdr");

struct many_header {
	struct header header;
	uint32_t bytes, pad;
};

struct control {
	uint64_t bytes; /* with this */
	int32_t level, type;
};

struct credentials {
	uint32_t pid, uid, gid;
};

/* A message with the vector that it refers to. */
struct fetched {
	struct message m;
	struct iovec few[IOV_FEW], *many;
};

/* --- moving bytes --- */

size_t message_left(const struct message *m)
{
	size_t n = 0;

	for (unsigned i = m->at; i < m->count; i++)
		n += m->iov[i].bytes;
	return n - (m->at < m->count ? m->offset : 0);
}

void message_skip(struct message *m, size_t n)
{
	m->offset += n;
	while (m->at < m->count && m->offset >= m->iov[m->at].bytes) {
		m->offset -= m->iov[m->at].bytes;
		m->at++;
	}
}

static size_t next_part(struct message *m, size_t n, char **place)
{
	message_skip(m, 0);
	if (m->at == m->count)
		return 0;
	*place = (char *)m->iov[m->at].base + m->offset;
	return min(n, m->iov[m->at].bytes - m->offset);
}

static int move(struct message *m, char *mine, size_t n, bool put)
{
	unsigned at = m->at;
	size_t offset = m->offset, part;
	char *place = NULL;

	while (n && (part = next_part(m, n, &place))) {
		if (put ? user_copy_to(place, mine, part) : user_copy_from(mine, place, part)) {
			m->at = at;
			m->offset = offset;
			return -EFAULT;
		}
		message_skip(m, part);
		mine += part;
		n -= part;
	}
	return 0;
}

int message_put(struct message *m, const void *from, size_t n)
{
	return move(m, (char *)from, n, true);
}

int message_take(struct message *m, void *to, size_t n)
{
	return move(m, to, n, false);
}

/* Reads a byte of each page: what is not shown yet is shown now, and stays until another thread runs. */
int message_look(struct message *m, const void **from, size_t *n)
{
	char *place = NULL, byte;
	size_t part = next_part(m, *n, &place);

	for (size_t i = 0; i < part;
		i = df_page_down((gva_t)place + i) + DF_PAGE_SIZE - (gva_t)place)
		if (user_copy_from(&byte, place + i, 1))
			return -EFAULT;
	*from = place;
	*n = part;
	return 0;
}

/* --- addresses --- */

int address_fetch(struct address *a, gva_t from, unsigned bytes)
{
	memset(a, 0, sizeof(*a));
	if (bytes > sizeof(a->bytes))
		return -EINVAL;
	if (bytes && user_copy_from(a->bytes, (void *)from, bytes))
		return -EFAULT;
	a->used = bytes;
	return 0;
}

int address_store(const struct address *a, gva_t to, gva_t length_at)
{
	int room;

	if (user_get(&room, length_at))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	if (user_copy_to((void *)to, a->bytes, min((unsigned)room, a->used)))
		return -EFAULT;
	room = (int)a->used;
	return user_put(length_at, &room) ? -EFAULT : 0;
}

/* --- fetching --- */

static int fetch_vector(struct fetched *f, gva_t iov, uint64_t count)
{
	struct iovec *v = f->few;
	uint64_t total = 0;

	f->many = NULL;
	if (count > IOV_MAX)
		return -EMSGSIZE;
	if (count > IOV_FEW) {
		v = f->many = kmalloc(count * sizeof(*v));
		if (!v)
			return -ENOMEM;
	}
	if (count && user_copy_from(v, (void *)iov, count * sizeof(*v)))
		return -EFAULT;
	for (uint64_t i = 0; i < count; i++) {
		if ((int64_t)v[i].bytes < 0)
			return -EINVAL;
		v[i].bytes = min(v[i].bytes, (size_t)(MOVE_MAX - total));
		if (!user_ok(v[i].base, v[i].bytes))
			return -EFAULT;
		total += v[i].bytes;
	}
	f->m.iov = v;
	f->m.count = (unsigned)count;
	f->m.bytes = total;
	return 0;
}

static void fetched_free(struct fetched *f)
{
	kfree(f->many);
	rights_free(f->m.rights);
}

static int fetch_rights(struct message *m, gva_t data, uint64_t bytes)
{
	int *fds, r = -EFAULT;

	if (bytes % sizeof(int) || bytes / sizeof(int) > RIGHTS_MAX || m->rights)
		return -EINVAL;
	if (!bytes)
		return 0;
	fds = kmalloc(bytes);
	if (!fds)
		return -ENOMEM;
	if (!user_copy_from(fds, (void *)data, bytes))
		r = rights_new(fds, (unsigned)(bytes / sizeof(int)), &m->rights);
	kfree(fds);
	return r;
}

/* Credentials can only be the program's own: there is one process, and it is root. */
static int check_credentials(gva_t data, uint64_t bytes)
{
	struct credentials c;

	if (bytes != sizeof(c))
		return -EINVAL;
	return user_get(&c, data) ? -EFAULT : 0;
}

static int fetch_control(struct message *m, gva_t at, uint64_t left, bool local)
{
	struct control c;
	int r = 0;

	if (left > CONTROL_MAX)
		return -ENOBUFS;
	while (r == 0 && left >= sizeof(c)) {
		uint64_t step;

		if (user_get(&c, at))
			return -EFAULT;
		if (c.bytes < sizeof(c) || c.bytes > left)
			return -EINVAL;
		if (local && c.level == SOL_SOCKET) {
			if (c.type == SCM_RIGHTS)
				r = fetch_rights(m, at + sizeof(c), c.bytes - sizeof(c));
			else if (c.type == SCM_CREDENTIALS)
				r = check_credentials(at + sizeof(c), c.bytes - sizeof(c));
			else
				r = -EINVAL;
		}
		step = min(left, (c.bytes + 7) & ~7ULL);
		at += step;
		left -= step;
	}
	return r;
}

/* --- what comes with a received message --- */

struct control_out {
	gva_t at;
	uint64_t left;
	unsigned flags;
};

/* Bytes for one item's data that fit; its header is written. */
static int put_control(struct control_out *o, int type, const void *data, uint64_t bytes)
{
	struct control c = {sizeof(c) + bytes, SOL_SOCKET, type};
	uint64_t step;

	if (o->left < sizeof(c)) {
		o->flags |= MSG_CTRUNC;
		return 0;
	}
	if (o->left < c.bytes) {
		o->flags |= MSG_CTRUNC;
		c.bytes = o->left;
	}
	if (user_put(o->at, &c) ||
		user_copy_to((char *)o->at + sizeof(c), data, c.bytes - sizeof(c)))
		return -EFAULT;
	step = min(o->left, (c.bytes + 7) & ~7ULL);
	o->at += step;
	o->left -= step;
	return 0;
}

/* Makes descriptors of the files that came, as many as there is room to name. */
static int put_rights(struct control_out *o, const struct rights *r, bool cloexec)
{
	uint64_t room = o->left < sizeof(struct control)
		? 0
		: (o->left - sizeof(struct control)) / sizeof(int);
	int fds[RIGHTS_MAX];
	unsigned n;

	for (n = 0; n < r->count && n < room; n++) {
		fds[n] = fd_install(r->file[n], 0, cloexec);
		if (fds[n] < 0)
			break;
		file_ref(r->file[n]);
	}
	if (n < r->count)
		o->flags |= MSG_CTRUNC;
	return n ? put_control(o, SCM_RIGHTS, fds, n * sizeof(int)) : 0;
}

static int store_control(struct message *m, struct control_out *o)
{
	struct credentials me = {boot_info->pid, 0, 0};
	int r = 0;

	if (m->passes_credentials)
		r = put_control(o, SCM_CREDENTIALS, &me, sizeof(me));
	if (r == 0 && m->rights)
		r = put_rights(o, m->rights, m->flags & MSG_CMSG_CLOEXEC);
	return r;
}

/* --- the calls --- */

static size_t at_most(size_t n, size_t most)
{
	return min(n, most);
}

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

static void set_flags(struct message *m, const struct file *f, unsigned flags)
{
	m->flags = flags;
	m->nonblock = (flags & MSG_DONTWAIT) || (f->flags & O_NONBLOCK);
}

int64_t sys_sendto(int fd, void *buf, size_t n, unsigned flags, gva_t address, unsigned bytes)
{
	struct iovec v = {buf, at_most(n, MOVE_MAX)};
	struct message m = {.iov = &v, .count = 1, .bytes = v.bytes};
	struct socket *s;
	struct file *f;
	int64_t r = find(fd, &f, &s);

	if (r)
		return r;
	set_flags(&m, f, flags);
	if (!user_ok(buf, v.bytes))
		r = -EFAULT;
	else if (address)
		r = address_fetch(&m.address, address, bytes);
	if (r == 0)
		r = socket_send(s, &m);
	file_unref(f);
	return r;
}

int64_t sys_recvfrom(int fd, void *buf, size_t n, unsigned flags, gva_t address, gva_t length)
{
	struct iovec v = {buf, at_most(n, MOVE_MAX)};
	struct message m = {.iov = &v, .count = 1, .bytes = v.bytes};
	struct socket *s;
	struct file *f;
	int64_t r = find(fd, &f, &s);
	int stored;

	if (r)
		return r;
	set_flags(&m, f, flags);
	r = user_ok(buf, v.bytes) ? socket_receive(s, &m) : -EFAULT;
	file_unref(f);
	rights_free(m.rights);
	if (r >= 0 && address) {
		stored = address_store(&m.address, address, length);
		if (stored)
			return stored;
	}
	return r;
}

/* One message: header fetched already, with its flags. */
static int64_t send_one(struct socket *s, struct file *f, const struct header *h, unsigned flags)
{
	struct fetched x = {.m = {.count = 0}};
	int64_t r = fetch_vector(&x, h->iov, h->count);

	set_flags(&x.m, f, flags);
	if (r == 0 && h->name && h->name_bytes)
		r = address_fetch(&x.m.address, h->name,
			min(h->name_bytes, (uint32_t)sizeof(x.m.address.bytes)));
	if (r == 0 && h->control && h->control_bytes)
		r = fetch_control(&x.m, h->control, h->control_bytes, s->family == AF_UNIX);
	if (r == 0)
		r = socket_send(s, &x.m);
	fetched_free(&x);
	return r;
}

int64_t sys_sendmsg(int fd, gva_t header, unsigned flags)
{
	struct header h;
	struct socket *s;
	struct file *f;
	int64_t r = find(fd, &f, &s);

	if (r)
		return r;
	r = user_get(&h, header) ? -EFAULT : send_one(s, f, &h, flags);
	file_unref(f);
	return r;
}

/* Receives into *h, whose lengths and flags are then the received ones. */
static int64_t receive_one(struct socket *s, struct file *f, struct header *h, unsigned flags)
{
	struct fetched x = {.m = {.count = 0}};
	struct control_out o = {h->control, h->control ? h->control_bytes : 0, 0};
	int64_t r = fetch_vector(&x, h->iov, h->count);
	int stored = 0;

	set_flags(&x.m, f, flags);
	if (r == 0)
		r = socket_receive(s, &x.m);
	if (r >= 0)
		stored = store_control(&x.m, &o);
	if (r >= 0 && h->name && stored == 0) {
		uint32_t n = min(h->name_bytes, x.m.address.used);

		stored = (int32_t)h->name_bytes < 0
			? -EINVAL
			: user_copy_to((void *)h->name, x.m.address.bytes, n);
		h->name_bytes = x.m.address.used;
	}
	h->control_bytes = o.at - h->control;
	h->flags = x.m.out_flags | o.flags | (flags & MSG_CMSG_CLOEXEC);
	fetched_free(&x);
	return stored ? stored : r;
}

static int header_store(gva_t to, const struct header *h)
{
	return user_put(to + offsetof(struct header, name_bytes), &h->name_bytes) ||
			user_put(to + offsetof(struct header, control_bytes), &h->control_bytes) ||
			user_put(to + offsetof(struct header, flags), &h->flags)
		? -EFAULT
		: 0;
}

int64_t sys_recvmsg(int fd, gva_t header, unsigned flags)
{
	struct header h;
	struct socket *s;
	struct file *f;
	int64_t r = find(fd, &f, &s);

	if (r)
		return r;
	r = user_get(&h, header) ? -EFAULT : receive_one(s, f, &h, flags);
	file_unref(f);
	return r >= 0 && header_store(header, &h) ? -EFAULT : r;
}

int64_t sys_sendmmsg(int fd, gva_t headers, unsigned count, unsigned flags)
{
	struct many_header h;
	unsigned done = 0;
	struct socket *s;
	struct file *f;
	int64_t r = find(fd, &f, &s);

	if (r)
		return r;
	for (count = min(count, (unsigned)MESSAGES_MAX); done < count; done++) {
		gva_t at = headers + done * sizeof(h);

		r = user_get(&h, at) ? -EFAULT : send_one(s, f, &h.header, flags);
		if (r < 0)
			break;
		h.bytes = (uint32_t)r;
		if (user_put(at + offsetof(struct many_header, bytes), &h.bytes)) {
			r = -EFAULT;
			break;
		}
	}
	file_unref(f);
	return done ? (int64_t)done : r;
}

static int fetch_timeout(gva_t timeout, uint64_t *deadline)
{
	struct timespec64 ts;

	*deadline = DF_FOREVER;
	if (!timeout)
		return 0;
	if (user_get(&ts, timeout))
		return -EFAULT;
	if (!timespec_valid(&ts))
		return -EINVAL;
	*deadline = deadline_in(timespec_to_ns(&ts));
	return 0;
}

/* The timeout is looked at between messages, as on Linux. */
int64_t sys_recvmmsg(int fd, gva_t headers, unsigned count, unsigned flags, gva_t timeout)
{
	struct many_header h;
	unsigned done = 0;
	uint64_t deadline;
	struct socket *s;
	struct file *f;
	int64_t r = fetch_timeout(timeout, &deadline);

	if (r == 0)
		r = find(fd, &f, &s);
	if (r)
		return r;
	for (count = min(count, (unsigned)MESSAGES_MAX); done < count; done++) {
		gva_t at = headers + done * sizeof(h);

		r = user_get(&h, at)
			? -EFAULT
			: receive_one(s, f, &h.header, flags & ~(unsigned)MSG_WAITFORONE);
		if (r < 0)
			break;
		h.bytes = (uint32_t)r;
		if (header_store(at, &h.header) ||
			user_put(at + offsetof(struct many_header, bytes), &h.bytes)) {
			r = -EFAULT;
			break;
		}
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if (clock_monotonic() >= deadline) {
			done++;
			break;
		}
	}
	file_unref(f);
	return done ? (int64_t)done : r;
}

/* readv and writev. */
int64_t socket_vector(struct file *f, gva_t iov, unsigned count, bool writing)
{
	struct fetched x = {.m = {.count = 0}};
	struct socket *s = socket_of(f);
	int64_t r = fetch_vector(&x, iov, count);

	set_flags(&x.m, f, 0);
	if (r == -EMSGSIZE)
		r = -EINVAL;
	if (r == 0 && (x.m.bytes || (writing && !s->stream)))
		r = writing ? socket_send(s, &x.m) : socket_receive(s, &x.m);
	fetched_free(&x);
	return r;
}
