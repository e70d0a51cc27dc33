// SPDX-License-Identifier: Apache-2.0
/* getsockopt and setsockopt: what all sockets have is here, the rest is the kind's. */
#include <kernel/net/net.h>
#include <asm/socket.h>
#include <linux/time_types.h>

#define IPPROTO_TCP 6
#define TCP_INFO 11
#define TCP_CONGESTION 13
#define TCP_INFO_BYTES 104
#define BUFFER_MIN 4608 /* Linux: SOCK_MIN_SNDBUF */
#define BUFFER_MAX (1 << 22)

struct linger {
	int on, seconds;
};

struct timeval64 {
	int64_t tv_sec, tv_usec;
};

static int find(int fd, struct socket **s)
{
	struct file *f = fd_get(fd);

	if (!f || (f->flags & O_PATH))
		return -EBADF;
	*s = socket_of(f);
	return *s ? 0 : -ENOTSOCK;
}

/* Linux doubles what was asked for, for its own overhead, and says so. */
static int buffer_bytes(int value)
{
	int bytes = (int)min((unsigned)value, (unsigned)BUFFER_MAX / 2) * 2;

	return max(bytes, BUFFER_MIN);
}

/* Options that are an int. -ENOPROTOOPT: none of them. */
static int set_common(struct socket *s, int option, int value)
{
	switch (option) {
	case SO_REUSEADDR:
		s->reuse_address = value;
		return 0;
	case SO_REUSEPORT:
		s->reuse_port = value;
		return 0;
	case SO_KEEPALIVE:
		s->keepalive = value;
		return 0;
	case SO_BROADCAST:
		s->broadcast = value;
		return 0;
	case SO_PASSCRED:
		s->passes_credentials = value;
		return 0;
	case SO_SNDBUF:
	case SO_SNDBUFFORCE:
		s->send_bytes = buffer_bytes(value);
		return 0;
	case SO_RCVBUF:
	case SO_RCVBUFFORCE:
		s->receive_bytes = buffer_bytes(value);
		return 0;
	case SO_OOBINLINE:
	case SO_NO_CHECK:
	case SO_PRIORITY:
	case SO_DONTROUTE:
	case SO_RCVLOWAT:
	case SO_BUSY_POLL:
	case SO_INCOMING_CPU:
	case SO_MARK:
	case SO_TIMESTAMP_OLD:
	case SO_TIMESTAMPNS_OLD:
	case SO_ZEROCOPY:
		return 0; /* nothing that a program could see depends on them */
	default:
		return -ENOPROTOOPT;
	}
}

static int set_timeout(struct socket *s, int option, gva_t value, unsigned bytes)
{
	uint64_t *wait = option == SO_SNDTIMEO_OLD || option == SO_SNDTIMEO_NEW
		? &s->send_wait_ns
		: &s->receive_wait_ns;
	struct timeval64 tv;

	if (bytes < sizeof(tv))
		return -EINVAL;
	if (user_get(&tv, value))
		return -EFAULT;
	if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
		return -EDOM;
	/* Linux: a negative time waits for nothing; all zero waits for ever. */
	if (tv.tv_sec < 0)
		*wait = 1;
	else if (tv.tv_sec >= INT64_MAX / (int64_t)NS_PER_S)
		*wait = 0;
	else
		*wait = (uint64_t)tv.tv_sec * NS_PER_S + (uint64_t)tv.tv_usec * 1000;
	return 0;
}

static int set_linger(struct socket *s, gva_t value, unsigned bytes)
{
	struct linger l;

	if (bytes < sizeof(l))
		return -EINVAL;
	if (user_get(&l, value))
		return -EFAULT;
	s->lingers = l.on;
	s->linger_s = l.seconds;
	return 0;
}

static int set_int(struct socket *s, int level, int option, int value)
{
	int r = level == SOL_SOCKET ? set_common(s, option, value) : -ENOPROTOOPT;

	if (r == 0) /* the kind may want to know */
		return s->ops->set ? (s->ops->set(s, level, option, value), 0) : 0;
	if (level == SOL_SOCKET)
		return r;
	return s->ops->set             ? s->ops->set(s, level, option, value)
		: level == IPPROTO_TCP ? -EOPNOTSUPP
				       : -ENOPROTOOPT;
}

int64_t sys_setsockopt(int fd, int level, int option, gva_t value, unsigned bytes)
{
	struct socket *s;
	char name[16];
	int v = 0, r = find(fd, &s);

	if (r)
		return r;
	if ((int)bytes < 0)
		return -EINVAL;
	if (level == SOL_SOCKET) {
		switch (option) {
		case SO_LINGER:
			return set_linger(s, value, bytes);
		case SO_RCVTIMEO_OLD:
		case SO_SNDTIMEO_OLD:
		case SO_RCVTIMEO_NEW:
		case SO_SNDTIMEO_NEW:
			return set_timeout(s, option, value, bytes);
		case SO_ATTACH_FILTER:
		case SO_DETACH_FILTER:
		case SO_BINDTODEVICE:
			return -EPERM;
		}
	}
	if (level == IPPROTO_TCP && option == TCP_CONGESTION) {
		memset(name, 0, sizeof(name));
		if (user_copy_from(name, (void *)value, min(bytes, (unsigned)sizeof(name) - 1)))
			return -EFAULT;
		return strcmp(name, "reno") ? -ENOENT : 0;
	}
	/* Some options of IP are a byte where a program likes. */
	if (bytes < sizeof(v) && (level == SOL_SOCKET || level == IPPROTO_TCP || !bytes))
		return -EINVAL;
	if (user_copy_from(&v, (void *)value, min(bytes, (unsigned)sizeof(v))))
		return -EFAULT;
	return set_int(s, level, option, v);
}

/* Writes an option's value as far as there is room, and how long that is. */
static int put_value(gva_t to, gva_t length_at, const void *value, unsigned bytes)
{
	int room;

	if (user_get(&room, length_at))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	bytes = min(bytes, (unsigned)room);
	return user_copy_to((void *)to, value, bytes) || user_put(length_at, &bytes) ? -EFAULT : 0;
}

static int get_common(struct socket *s, int option, int *v)
{
	switch (option) {
	case SO_TYPE:
		*v = s->type;
		return 0;
	case SO_DOMAIN:
		*v = s->family;
		return 0;
	case SO_PROTOCOL:
		*v = s->protocol;
		return 0;
	case SO_ACCEPTCONN:
		*v = s->listening;
		return 0;
	case SO_ERROR:
		*v = -socket_error_take(s);
		return 0;
	case SO_REUSEADDR:
		*v = s->reuse_address;
		return 0;
	case SO_REUSEPORT:
		*v = s->reuse_port;
		return 0;
	case SO_KEEPALIVE:
		*v = s->keepalive;
		return 0;
	case SO_BROADCAST:
		*v = s->broadcast;
		return 0;
	case SO_PASSCRED:
		*v = s->passes_credentials;
		return 0;
	case SO_SNDBUF:
		*v = s->send_bytes;
		return 0;
	case SO_RCVBUF:
		*v = s->receive_bytes;
		return 0;
	case SO_RCVLOWAT:
		*v = 1;
		return 0;
	case SO_OOBINLINE:
	case SO_NO_CHECK:
	case SO_PRIORITY:
	case SO_DONTROUTE:
	case SO_BUSY_POLL:
	case SO_INCOMING_CPU:
	case SO_MARK:
	case SO_TIMESTAMP_OLD:
	case SO_TIMESTAMPNS_OLD:
	case SO_ZEROCOPY:
		*v = 0;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int get_socket(struct socket *s, int option, gva_t value, gva_t length)
{
	struct linger l = {s->lingers, s->linger_s};
	struct {
		uint32_t pid, uid, gid;
	} peer = {boot_info->pid, 0, 0};
	struct timeval64 tv;
	uint64_t ns;
	int v, r;

	switch (option) {
	case SO_LINGER:
		return put_value(value, length, &l, sizeof(l));
	case SO_RCVTIMEO_OLD:
	case SO_SNDTIMEO_OLD:
	case SO_RCVTIMEO_NEW:
	case SO_SNDTIMEO_NEW:
		ns = option == SO_RCVTIMEO_OLD || option == SO_RCVTIMEO_NEW ? s->receive_wait_ns
									    : s->send_wait_ns;
		tv = (struct timeval64){(int64_t)(ns / NS_PER_S), (int64_t)(ns % NS_PER_S / 1000)};
		return put_value(value, length, &tv, sizeof(tv));
	case SO_PEERCRED:
		if (s->family != AF_UNIX)
			peer.pid = 0, peer.uid = peer.gid = UINT32_MAX;
		return put_value(value, length, &peer, sizeof(peer));
	default:
		r = get_common(s, option, &v);
		return r ? r : put_value(value, length, &v, sizeof(v));
	}
}

int64_t sys_getsockopt(int fd, int level, int option, gva_t value, gva_t length)
{
	static const char congestion[16] = "reno";
	uint8_t info[TCP_INFO_BYTES] = {0};
	struct socket *s;
	int v, r = find(fd, &s);

	if (r)
		return r;
	if (level == SOL_SOCKET)
		return get_socket(s, option, value, length);
	if (level == IPPROTO_TCP && option == TCP_CONGESTION && s->protocol == IPPROTO_TCP)
		return put_value(value, length, congestion, sizeof(congestion));
	if (!s->ops->get)
		return level == IPPROTO_TCP || level == 0 ? -EOPNOTSUPP : -ENOPROTOOPT;
	r = s->ops->get(s, level, option, &v);
	if (r)
		return r;
	if (level == IPPROTO_TCP && option == TCP_INFO) {
		info[0] = (uint8_t)v;
		return put_value(value, length, info, sizeof(info));
	}
	return put_value(value, length, &v, sizeof(v));
}
