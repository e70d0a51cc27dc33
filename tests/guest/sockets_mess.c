/*
 * sockets_mess.c - calls on sockets in no order, with good and bad arguments, from a fixed seed for each case: whatever they
 * answer, the system must be there afterwards. Addresses are the machine's own.
 */
#include "sockets.h"

#include <sys/ioctl.h>

#define SLOTS 48
#define STEPS 30000

static uint64_t state;
static int slots[SLOTS];
static uint16_t ports[8];
static char block[100000];

static unsigned any(unsigned below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)((state >> 11) % below);
}

static int some(void)
{
	return slots[any(SLOTS)];
}

static void keep(int fd)
{
	int *slot = &slots[any(SLOTS)];

	if (fd < 0)
		return;
	nonblocking(fd);
	if (*slot > 2)
		close(*slot);
	*slot = fd;
}

static void *place(void)
{
	void *const bad[] = {NULL, (void *)8, (void *)0x600000000000, (void *)-4096L};

	return any(6) ? block + any(1000) : bad[any(4)];
}

static socklen_t somewhere(union address *a)
{
	unsigned kind = any(4);

	if (kind == 0) {
		memset(a, 0, sizeof *a);
		a->un.sun_family = AF_UNIX;
		snprintf(a->un.sun_path + any(2), 8, "n%u", any(4));
		return any(8) ? 6 : (socklen_t)any(sizeof *a);
	}
	if (kind == 1) {
		memset(a, 0, sizeof *a);
		return 16;
	}
	socklen_t length = loopback(a, kind == 2 ? AF_INET : AF_INET6);
	a->in.sin_port = ports[any(8)];
	return any(8) ? length : (socklen_t)any(length);
}

static void remember_port(int fd)
{
	union address a;
	socklen_t length = sizeof a;

	if (getsockname(fd, &a.any, &length) == 0 && a.any.sa_family != AF_UNIX)
		ports[any(8)] = a.in.sin_port;
}

static void make(void)
{
	static const int families[] = {AF_INET, AF_INET6, AF_UNIX, AF_NETLINK};
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RAW};
	int pair[2];

	if (any(4)) {
		keep(socket(families[any(4)], types[any(4)], 0));
	} else if (socketpair(AF_UNIX, types[any(3)], 0, pair) == 0) {
		keep(pair[0]);
		keep(pair[1]);
	}
}

static void name(int fd)
{
	union address a;
	socklen_t length = somewhere(&a);

	switch (any(5)) {
	case 0:
		if (a.any.sa_family != AF_UNSPEC)
			bind(fd, &a.any, length);
		break;
	case 1:
		listen(fd, (int)any(40) - 1);
		break;
	case 2:
	case 3:
		connect(fd, &a.any, length);
		return;
	default:
		length = any(200);
		getpeername(fd, place(), any(4) ? &length : place());
		return;
	}
	remember_port(fd);
}

static void with_rights(int fd)
{
	char control[128] = {0};
	int three[3] = {some(), some(), some()}, got[8], count;
	struct iovec v[2] = {{block, any(3000)}, {place(), any(100)}};
	struct msghdr m = {.msg_iov = v,
		.msg_iovlen = any(3),
		.msg_control = any(6) ? control : place(),
		.msg_controllen = CMSG_SPACE(sizeof three)};
	struct cmsghdr *c = (struct cmsghdr *)control;

	*c = (struct cmsghdr){
		any(5) ? CMSG_LEN(sizeof three) : any(40), SOL_SOCKET, 1 + (int)any(2)};
	memcpy(CMSG_DATA(c), three, sizeof three);
	if (any(2)) {
		sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
		return;
	}
	m.msg_controllen = any(128);
	if (recvmsg(fd, &m, MSG_DONTWAIT) < 0 || m.msg_control != control)
		return;
	for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		count = c->cmsg_type == SCM_RIGHTS
			? (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int))
			: 0;
		memcpy(got, CMSG_DATA(c), (size_t)count * sizeof(int));
		while (count-- > 0)
			keep(got[count]);
	}
}

static void move(int fd)
{
	unsigned flags = MSG_DONTWAIT | MSG_NOSIGNAL | (any(4) ? 0 : any(0x1000));
	size_t bytes = any(any(3) ? 2000 : sizeof block - 1000);
	union address a;
	socklen_t length;

	switch (any(4)) {
	case 0:
		send(fd, any(8) ? block : place(), bytes, (int)flags);
		break;
	case 1:
		recv(fd, any(8) ? block : place(), bytes, (int)flags);
		break;
	case 2:
		length = somewhere(&a);
		sendto(fd, block, bytes, (int)flags, &a.any, length);
		break;
	default:
		with_rights(fd);
	}
}

static void look(int fd)
{
	struct pollfd p[4];
	int value = (int)any(3);
	socklen_t length = any(20);

	switch (any(4)) {
	case 0:
		for (int i = 0; i < 4; i++)
			p[i] = (struct pollfd){.fd = some(), .events = (short)any(65536)};
		poll(p, 4, any(50) ? 0 : 2);
		break;
	case 1:
		setsockopt(fd, any(3) ? SOL_SOCKET : (int)any(50), (int)any(50),
			any(8) ? &value : place(), any(4) ? sizeof value : length);
		break;
	case 2:
		getsockopt(fd, any(3) ? SOL_SOCKET : (int)any(50), (int)any(50), place(),
			any(8) ? &length : place());
		break;
	default:
		ioctl(fd, FIONREAD, place());
	}
}

static void mess(uint64_t seed)
{
	int fd, *slot;

	state = seed * 2654435761u + 88172645463325252u;
	for (int i = 0; i < SLOTS; i++)
		slots[i] = -1;
	for (int step = 0; step < STEPS; step++) {
		fd = some();
		switch (any(8)) {
		case 0:
			make();
			break;
		case 1:
		case 2:
			name(fd);
			break;
		case 3:
			keep(accept(fd, NULL, NULL));
			break;
		case 4:
		case 5:
			move(fd);
			break;
		case 6:
			look(fd);
			break;
		default:
			slot = &slots[any(SLOTS)];
			if (any(3) && shutdown(fd, (int)any(4)) == 0)
				break;
			if (*slot > 2)
				close(*slot);
			*slot = -1;
		}
	}
	int fds[2];
	char back = 0;
	for (fd = 3; fd < 1000; fd++)
		close(fd);
	say("pair=%s", yes(tcp_pair(AF_INET, fds)));
	write(fds[0], "x", 1);
	say("read=%s", num(read(fds[1], &back, 1)));
}

static void first(void)
{
	mess(1);
}
static void second(void)
{
	mess(2);
}
static void third(void)
{
	mess(3);
}
static void fourth(void)
{
	mess(4);
}

static const struct guest_case cases[] = {C(first), C(second), C(third), C(fourth)};

GUEST_MAIN("sockets_mess", cases)
