/*
 * sockets_udp.c - UDP over the loopback interface, options that all sockets have, and what interfaces there are.
 */
#include "sockets.h"

#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

static void exchange(void)
{
	union address a, from;
	char text[16] = {0};
	socklen_t length = sizeof from;
	int server = bound(AF_INET, SOCK_DGRAM, &a), client = socket(AF_INET, SOCK_DGRAM, 0);
	say("send=%s", num(sendto(client, "hello", 5, 0, &a.any, sizeof a.in)));
	say("read=%s", num(recvfrom(server, text, 15, 0, &from.any, &length)));
	say("text=%s length=%d", text, (int)length);
	say("from=%x port=%s", ntohl(from.in.sin_addr.s_addr), yes(from.in.sin_port != 0));
	say("back=%s", num(sendto(server, "bye", 3, 0, &from.any, length)));
	say("read=%s", num(read(client, text, 15)));
}

static void exchange_v6(void)
{
	union address a, from;
	char text[64] = {0};
	socklen_t length = sizeof from;
	int server = bound(AF_INET6, SOCK_DGRAM, &a), client = socket(AF_INET6, SOCK_DGRAM, 0);
	say("send=%s", num(sendto(client, "hello", 5, 0, &a.any, sizeof a.in6)));
	say("read=%s", num(recvfrom(server, text, 15, 0, &from.any, &length)));
	say("length=%d from=%s", (int)length,
		inet_ntop(AF_INET6, &from.in6.sin6_addr, text, sizeof text));
}

static void mapped(void)
{
	union address a, from;
	char text[64] = {0};
	socklen_t length = sizeof a;
	int server = socket(AF_INET6, SOCK_DGRAM, 0), client = socket(AF_INET, SOCK_DGRAM, 0);
	memset(&a, 0, sizeof a);
	a.in6.sin6_family = AF_INET6;
	bind(server, &a.any, sizeof a.in6);
	getsockname(server, &a.any, &length);
	loopback(&from, AF_INET);
	from.in.sin_port = a.in6.sin6_port;
	say("send=%s", num(sendto(client, "x", 1, 0, &from.any, sizeof from.in)));
	length = sizeof from;
	say("read=%s", num(recvfrom(server, text, 15, 0, &from.any, &length)));
	say("from=%s", inet_ntop(AF_INET6, &from.in6.sin6_addr, text, sizeof text));
	say("back=%s", num(sendto(server, "y", 1, 0, &from.any, length)));
	say("read=%s", num(read(client, text, 15)));
}

static void boundaries(void)
{
	union address a;
	char text[16] = {0};
	int server = bound(AF_INET, SOCK_DGRAM, &a), client = socket(AF_INET, SOCK_DGRAM, 0);
	connect(client, &a.any, sizeof a.in);
	write(client, "one", 3);
	send(client, "", 0, 0);
	write(client, "three", 5);
	int n = 0;
	ioctl(server, FIONREAD, &n);
	say("next=%d", n);
	say("read=%s", num(read(server, text, 15)));
	say("empty=%s", num(read(server, text, 15)));
	say("whole=%s", num(recv(server, text, 2, MSG_TRUNC | MSG_PEEK)));
	struct iovec v = {text, 2};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	say("cut=%s", num(recvmsg(server, &m, 0)));
	say("trunc=%s", yes(m.msg_flags & MSG_TRUNC));
	say("none=%s", num(recv(server, text, 15, MSG_DONTWAIT)));
}

static void sizes(void)
{
	union address a;
	static char block[70000], back[70000];
	int server = bound(AF_INET, SOCK_DGRAM, &a), client = socket(AF_INET, SOCK_DGRAM, 0);
	connect(client, &a.any, sizeof a.in);
	for (size_t i = 0; i < sizeof block; i++)
		block[i] = (char)(i * 3 >> 2);
	say("large=%s", num(write(client, block, 65507)));
	say("read=%s", num(read(server, back, sizeof back)));
	say("same=%s", yes(!memcmp(block, back, 65507)));
	say("too-large=%s", num(write(client, block, 65508)));
}

static void vectors(void)
{
	union address a;
	static char block[9000];
	char one[4] = {0}, two[8] = {0};
	struct iovec out[] = {{(void *)"abc", 3}, {block, 9000}, {(void *)"xyz", 3}},
		     in[] = {{one, 3}, {two, 7}};
	int server = bound(AF_INET, SOCK_DGRAM, &a), client = socket(AF_INET, SOCK_DGRAM, 0);
	connect(client, &a.any, sizeof a.in);
	say("writev=%s", num(writev(client, out, 3)));
	say("one=%s", num(recv(server, block, 1, MSG_TRUNC)));
	write(client, "abcdef", 6);
	say("readv=%s", num(readv(server, in, 2)));
	say("%s %s", one, two);
	say("bad=%s", num(send(client, (void *)8, 5, 0)));
}

static void connecting(void)
{
	union address a, b;
	socklen_t length = sizeof b;
	int server = bound(AF_INET, SOCK_DGRAM, &a), client = socket(AF_INET, SOCK_DGRAM, 0);
	say("unconnected=%s", num(send(client, "x", 1, 0)));
	say("peer=%s", rc(getpeername(client, &b.any, &length)));
	say("connect=%s", rc(connect(client, &a.any, sizeof a.in)));
	length = sizeof b;
	getsockname(client, &b.any, &length);
	say("address=%x port=%s", ntohl(b.in.sin_addr.s_addr), yes(b.in.sin_port != 0));
	say("send=%s", num(send(client, "x", 1, 0)));
	length = sizeof b;
	say("peer=%s", rc(getpeername(client, &b.any, &length)));
	say("same=%s", yes(b.in.sin_port == a.in.sin_port));
	b.any.sa_family = AF_UNSPEC;
	say("undo=%s", rc(connect(client, &b.any, sizeof b.in)));
	say("peer=%s", rc(getpeername(client, &b.any, &length)));
	length = sizeof b;
	getsockname(client, &b.any, &length);
	say("address=%x", ntohl(b.in.sin_addr.s_addr));
	(void)server;
}

static void only_from_the_peer(void)
{
	union address a, b;
	char text[8];
	int server = bound(AF_INET, SOCK_DGRAM, &a), peer = bound(AF_INET, SOCK_DGRAM, &b);
	int stranger = socket(AF_INET, SOCK_DGRAM, 0);
	connect(server, &b.any, sizeof b.in);
	sendto(stranger, "no", 2, 0, &a.any, sizeof a.in);
	sendto(peer, "yes", 3, 0, &a.any, sizeof a.in);
	say("read=%s", num(read(server, text, 8)));
	say("none=%s", num(recv(server, text, 8, MSG_DONTWAIT)));
}

static void refused(void)
{
	union address a;
	char text[8];
	int gone = bound(AF_INET, SOCK_DGRAM, &a), client = socket(AF_INET, SOCK_DGRAM, 0);
	close(gone);
	connect(client, &a.any, sizeof a.in);
	say("send=%s", num(send(client, "x", 1, 0)));
	say("poll=%s", polled_for(client, POLLIN));
	say("read=%s", num(recv(client, text, 8, MSG_DONTWAIT)));
	say("again=%s", num(recv(client, text, 8, MSG_DONTWAIT)));
	send(client, "x", 1, 0);
	polled_for(client, POLLIN);
	say("error=%s", errno_name(option(client, SOL_SOCKET, SO_ERROR)));
	int open = socket(AF_INET, SOCK_DGRAM, 0);
	say("unconnected=%s", num(sendto(open, "x", 1, 0, &a.any, sizeof a.in)));
	say("unconnected=%s", num(sendto(open, "x", 1, 0, &a.any, sizeof a.in)));
}

static void binding(void)
{
	union address a;
	int first = bound(AF_INET, SOCK_DGRAM, &a), second = socket(AF_INET, SOCK_DGRAM, 0);
	int stream = socket(AF_INET, SOCK_STREAM, 0);
	say("taken=%s", rc(bind(second, &a.any, sizeof a.in)));
	say("other-kind=%s", rc(bind(stream, &a.any, sizeof a.in)));
	set_option(first, SOL_SOCKET, SO_REUSEADDR, 1);
	set_option(second, SOL_SOCKET, SO_REUSEADDR, 1);
	say("shared=%s", rc(bind(second, &a.any, sizeof a.in)));
	say("again=%s", rc(bind(first, &a.any, sizeof a.in)));
	say("listen=%s", rc(listen(first, 1)));
	say("accept=%s", rc(accept(first, NULL, NULL)));
	say("shutdown=%s", rc(shutdown(first, SHUT_RD)));
}

static void polling(void)
{
	union address a;
	char text[4];
	int server = bound(AF_INET, SOCK_DGRAM, &a), client = socket(AF_INET, SOCK_DGRAM, 0);
	say("idle=%s", polled(server, 0));
	sendto(client, "x", 1, 0, &a.any, sizeof a.in);
	say("ready=%s", polled_for(server, POLLIN));
	read(server, text, 4);
	say("idle=%s", polled(server, 0));
	int ep = epoll_create1(0);
	struct epoll_event e = {.events = EPOLLIN | EPOLLET}, got;
	epoll_ctl(ep, EPOLL_CTL_ADD, server, &e);
	sendto(client, "x", 1, 0, &a.any, sizeof a.in);
	say("edge=%d", epoll_wait(ep, &got, 1, 1000));
	say("same=%d", epoll_wait(ep, &got, 1, 0));
	sendto(client, "y", 1, 0, &a.any, sizeof a.in);
	say("edge=%d", epoll_wait(ep, &got, 1, 1000));
}

static void many_messages(void)
{
	union address a;
	int server = bound(AF_INET, SOCK_DGRAM, &a), client = socket(AF_INET, SOCK_DGRAM, 0);
	char text[4][8] = {"one", "two", "three"}, in[4][8] = {{0}};
	struct mmsghdr m[4] = {0};
	struct iovec v[4];
	connect(client, &a.any, sizeof a.in);
	for (int i = 0; i < 4; i++) {
		v[i] = (struct iovec){text[i], strlen(text[i])};
		m[i].msg_hdr = (struct msghdr){.msg_iov = &v[i], .msg_iovlen = 1};
	}
	say("sent=%s", num(sendmmsg(client, m, 3, 0)));
	say("lengths=%u,%u,%u", m[0].msg_len, m[1].msg_len, m[2].msg_len);
	for (int i = 0; i < 4; i++)
		v[i] = (struct iovec){in[i], 8};
	say("got=%s", num(recvmmsg(server, m, 4, MSG_WAITFORONE, NULL)));
	say("%s %s %s lengths=%u,%u,%u", in[0], in[1], in[2], m[0].msg_len, m[1].msg_len,
		m[2].msg_len);
	say("none=%s", num(recvmmsg(server, m, 4, MSG_DONTWAIT, NULL)));
}

static void overflow(void)
{
	union address a;
	static char block[1024];
	int server = bound(AF_INET, SOCK_DGRAM, &a), client = socket(AF_INET, SOCK_DGRAM, 0),
	    good = 0, got = 0;
	say("set=%s", set_option(server, SOL_SOCKET, SO_RCVBUF, 8192));
	connect(client, &a.any, sizeof a.in);
	for (int i = 0; i < 1000; i++)
		good += write(client, block, sizeof block) == sizeof block;
	while (recv(server, block, sizeof block, MSG_DONTWAIT) > 0)
		got++;
	say("sent=%d some-lost=%s some-kept=%s", good, yes(got < 1000), yes(got > 0));
}

static void receive_timeout(void)
{
	union address a;
	struct timeval t = {0, 20000};
	char c;
	int fd = bound(AF_INET, SOCK_DGRAM, &a);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
	int64_t since = now_ns(CLOCK_MONOTONIC);
	say("read=%s", num(read(fd, &c, 1)));
	say("waited=%s", waited(since, 19000000));
}

static void common_options(void)
{
	static const int switches[] = {SO_REUSEADDR, SO_REUSEPORT, SO_KEEPALIVE, SO_BROADCAST};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	say("type=%d domain=%d protocol=%d", option(fd, SOL_SOCKET, SO_TYPE),
		option(fd, SOL_SOCKET, SO_DOMAIN), option(fd, SOL_SOCKET, SO_PROTOCOL));
	for (size_t i = 0; i < 4; i++) {
		int before = option(fd, SOL_SOCKET, switches[i]);
		set_option(fd, SOL_SOCKET, switches[i], 1);
		say("%d-%d", before, option(fd, SOL_SOCKET, switches[i]));
	}
	set_option(fd, SOL_SOCKET, SO_SNDBUF, 20000);
	set_option(fd, SOL_SOCKET, SO_RCVBUF, 30000);
	say("buffers=%d,%d", option(fd, SOL_SOCKET, SO_SNDBUF), option(fd, SOL_SOCKET, SO_RCVBUF));
	struct linger l = {9, 9};
	socklen_t length = sizeof l;
	getsockopt(fd, SOL_SOCKET, SO_LINGER, &l, &length);
	say("linger=%d,%d,%d", l.l_onoff, l.l_linger, (int)length);
}

static void option_errors(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), value = 1;
	socklen_t length = 4;
	say("unknown=%s", set_option(fd, SOL_SOCKET, 9999, 1));
	say("get=%s", rc(getsockopt(fd, SOL_SOCKET, 9999, &value, &length)));
	say("level=%s", set_option(fd, 9999, 1, 1));
	say("short=%s", rc(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, 2)));
	say("pointer=%s", rc(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, (void *)8, 4)));
	say("read-only=%s", set_option(fd, SOL_SOCKET, SO_TYPE, 1));
	length = 2;
	say("cut=%s", rc(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length)));
	say("length=%d", (int)length);
	say("tcp=%s", set_option(fd, IPPROTO_TCP, 9999, 1));
	int udp = socket(AF_INET, SOCK_DGRAM, 0);
	say("nodelay=%s", set_option(udp, IPPROTO_TCP, TCP_NODELAY, 1));
	say("v6=%s", set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
}

static void tcp_options(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	say("nodelay=%d", option(fd, IPPROTO_TCP, TCP_NODELAY));
	say("set=%s", set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1));
	say("nodelay=%d", option(fd, IPPROTO_TCP, TCP_NODELAY));
	say("idle=%s", set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 30));
	say("interval=%s", set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 5));
	say("count=%s", set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3));
	say("%d,%d,%d", option(fd, IPPROTO_TCP, TCP_KEEPIDLE),
		option(fd, IPPROTO_TCP, TCP_KEEPINTVL), option(fd, IPPROTO_TCP, TCP_KEEPCNT));
	say("zero=%s", set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 0));
	say("cork=%s", set_option(fd, IPPROTO_TCP, TCP_CORK, 1));
	say("cork=%d", option(fd, IPPROTO_TCP, TCP_CORK));
	say("defer=%s", set_option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1));
	struct tcp_info info;
	socklen_t length = 1;
	say("info=%s", rc(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length)));
	say("state=%d", info.tcpi_state);
}

static void defer_and_fast_open(void)
{
	union address a;
	int fd = bound(AF_INET, SOCK_STREAM, &a);
	listen(fd, 1);
	say("fastopen=%s", set_option(fd, IPPROTO_TCP, TCP_FASTOPEN, 5));
	struct tcp_info info;
	socklen_t length = 1;
	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length);
	say("state=%d", info.tcpi_state);
	say("quick=%s", set_option(fd, IPPROTO_TCP, TCP_QUICKACK, 1));
	say("ttl=%d", option(fd, IPPROTO_IP, IP_TTL));
	say("tos=%s", set_option(fd, IPPROTO_IP, IP_TOS, 16));
}

static void loopback_interface(void)
{
	struct ifaddrs *all, *i;
	char text[64];
	int four = 0, six = 0;
	say("getifaddrs=%s", rc(getifaddrs(&all)));
	for (i = all; i; i = i->ifa_next) {
		if (strcmp(i->ifa_name, "lo") != 0 || !i->ifa_addr)
			continue;
		union address *a = (union address *)i->ifa_addr;
		if (a->any.sa_family == AF_INET &&
			a->in.sin_addr.s_addr == htonl(INADDR_LOOPBACK)) {
			four++;
			say("mask=%s",
				inet_ntop(AF_INET, &((union address *)i->ifa_netmask)->in.sin_addr,
					text, sizeof text));
			say("flags=%x", i->ifa_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING));
		}
		six += a->any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr);
	}
	say("four=%d six=%d", four, six);
	freeifaddrs(all);
	say("index=%u", if_nametoindex("lo"));
	say("name=%s", if_indextoname(1, text));
	say("none=%u", if_nametoindex("nothing0"));
}

static void interface_calls(void)
{
	struct ifreq q = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	say("flags=%s", rc(ioctl(fd, SIOCGIFFLAGS, &q)));
	say("loopback=%s", yes(q.ifr_flags & IFF_LOOPBACK));
	say("address=%s", rc(ioctl(fd, SIOCGIFADDR, &q)));
	say("%x", ntohl(((struct sockaddr_in *)&q.ifr_addr)->sin_addr.s_addr));
	say("mtu=%s", rc(ioctl(fd, SIOCGIFMTU, &q)));
	say("%d", q.ifr_mtu);
	say("index=%s", rc(ioctl(fd, SIOCGIFINDEX, &q)));
	say("%d", q.ifr_ifindex);
	strcpy(q.ifr_name, "nothing0");
	say("none=%s", rc(ioctl(fd, SIOCGIFFLAGS, &q)));
	struct ifconf conf = {.ifc_len = 0};
	say("count=%s", rc(ioctl(fd, SIOCGIFCONF, &conf)));
	say("some=%s", yes(conf.ifc_len >= (int)sizeof(struct ifreq)));
}

static void netlink(void)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK};
	struct {
		struct nlmsghdr h;
		struct rtgenmsg g;
	} q = {{sizeof q, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 7, 0}, {AF_UNSPEC}};
	static char buffer[32768];
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), links = 0, done = 0;
	say("bind=%s", rc(bind(fd, (struct sockaddr *)&a, sizeof a)));
	socklen_t length = sizeof a;
	getsockname(fd, (struct sockaddr *)&a, &length);
	say("named=%s length=%d", yes(a.nl_pid != 0), (int)length);
	say("send=%s", num(send(fd, &q, sizeof q, 0)));
	while (!done) {
		long n = recv(fd, buffer, sizeof buffer, 0);
		if (n <= 0)
			break;
		for (struct nlmsghdr *h = (void *)buffer; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			links += h->nlmsg_type == RTM_NEWLINK &&
				((struct ifinfomsg *)NLMSG_DATA(h))->ifi_index == 1;
			done |= h->nlmsg_type == NLMSG_DONE;
			if (h->nlmsg_seq != 7 || h->nlmsg_pid != a.nl_pid)
				say("strange");
		}
	}
	say("lo=%d done=%d", links, done);
	say("bad=%s", rc(socket(AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE)));
}

/* Fields 2 to 4 of the line of /proc/net/NAME whose inode is the socket's: with the port as "PORT". */
static const char *proc_line(const char *path, int fd, const union address *a)
{
	static char found[160];
	char line[512], local[64], remote[64], state[8], port[8];
	unsigned long inode;
	struct stat st;
	FILE *f = fopen(path, "r");

	fstat(fd, &st);
	snprintf(port, sizeof port, ":%04X", ntohs(a->in.sin_port));
	strcpy(found, "none");
	while (f && fgets(line, sizeof line, f)) {
		if (sscanf(line, "%*d: %63s %63s %7s %*s %*s %*s %*d %*d %lu", local, remote, state,
			    &inode) != 4 ||
			inode != st.st_ino)
			continue;
		char *at = strstr(local, port);
		if (at)
			strcpy(at, ":PORT");
		snprintf(found, sizeof found, "%s,%s,%s", local, remote, state);
	}
	if (f)
		fclose(f);
	return found;
}

static void proc_files(void)
{
	union address a;
	int tcp = bound(AF_INET, SOCK_STREAM, &a);
	listen(tcp, 1);
	say("tcp=%s", proc_line("/proc/net/tcp", tcp, &a));
	int udp = bound(AF_INET, SOCK_DGRAM, &a);
	say("udp=%s", proc_line("/proc/net/udp", udp, &a));
	int six = bound(AF_INET6, SOCK_DGRAM, &a);
	say("udp6=%s", proc_line("/proc/net/udp6", six, &a));
	say("lo=%s", yes(strstr(get_file("/proc/net/dev"), " lo:") != NULL));
	say("six=%s",
		yes(strstr(get_file("/proc/net/if_inet6"),
			    "00000000000000000000000000000001 01 80 10 80") != NULL));
	char link[64] = {0};
	say("link=%s", num(readlink("/proc/net", link, 63)));
	say("%s", link);
}

static const struct guest_case cases[] = {
	C(exchange),
	C(exchange_v6),
	C(mapped),
	C(boundaries),
	C(sizes),
	C(vectors),
	C(connecting),
	C(only_from_the_peer),
	C(refused),
	C(binding),
	C(polling),
	C(many_messages),
	C(overflow),
	C(receive_timeout),
	C(common_options),
	C(option_errors),
	C(tcp_options),
	C(defer_and_fast_open),
	C(loopback_interface),
	C(interface_calls),
	C(netlink),
	C(proc_files),
};

GUEST_MAIN("sockets_udp", cases)
