/*
 * sockets_tcp.c - TCP over the loopback interface: connecting, moving data, closing, errors, polling.
 */
#include "sockets.h"

#include <sys/sendfile.h>

static volatile sig_atomic_t broken;

static void on_broken(int number)
{
	(void)number;
	broken++;
}

static void exchange(void)
{
	int fds[2];
	char text[32] = {0};
	say("pair=%s", yes(tcp_pair(AF_INET, fds)));
	say("send=%s", num(write(fds[0], "hello", 5)));
	say("got=%s", num(read(fds[1], text, 31)));
	say("text=%s", text);
	say("back=%s", num(write(fds[1], "good day", 8)));
	say("got=%s", num(read(fds[0], text, 31)));
	say("text=%s", text);
}

static void exchange_v6(void)
{
	int fds[2];
	char text[32] = {0};
	say("pair=%s", yes(tcp_pair(AF_INET6, fds)));
	say("send=%s", num(send(fds[0], "hello", 5, 0)));
	say("got=%s", num(recv(fds[1], text, 31, 0)));
	say("text=%s", text);
}

static void bad_arguments(void)
{
	say("family=%s", rc(socket(99, SOCK_STREAM, 0)));
	say("type=%s", rc(socket(AF_INET, 9, 0)));
	say("protocol=%s", rc(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP)));
	say("flags=%s", rc(socket(AF_INET, SOCK_STREAM | 0x100000, 0)));
	say("pair=%s", rc(socketpair(AF_INET, SOCK_STREAM, 0, (int[2]){0})));
	say("bind=%s", rc(bind(99, NULL, 0)));
	say("not-a-socket=%s", rc(listen(1, 1)));
	say("accept=%s", rc(accept(1, NULL, NULL)));
	say("send=%s", rc(send(1, "x", 1, 0)));
	say("option=%s", rc(getsockopt(1, SOL_SOCKET, SO_TYPE, &(int){0}, &(socklen_t){4})));
}

static void flags_of_new_sockets(void)
{
	int a = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int b = socket(AF_INET, SOCK_STREAM, 0);
	say("a=%d,%d", fcntl(a, F_GETFL), fcntl(a, F_GETFD));
	say("b=%d,%d", fcntl(b, F_GETFL), fcntl(b, F_GETFD));
	struct stat st;
	fstat(a, &st);
	say("mode=%o size=%ld", st.st_mode, (long)st.st_size);
	say("seek=%s", rc(lseek(a, 0, SEEK_SET)));
	char c;
	say("pread=%s", rc(pread(a, &c, 1, 0)));
}

static void bind_errors(void)
{
	union address a, other;
	int fd = bound(AF_INET, SOCK_STREAM, &a);
	say("port=%s", yes(a.in.sin_port != 0));
	say("again=%s", rc(bind(fd, &a.any, sizeof a.in)));
	int second = socket(AF_INET, SOCK_STREAM, 0);
	say("taken=%s", rc(bind(second, &a.any, sizeof a.in)));
	say("short=%s", rc(bind(second, &a.any, 8)));
	loopback(&other, AF_INET);
	other.in.sin_addr.s_addr = htonl(0xc0000201);
	say("foreign=%s", rc(bind(second, &other.any, sizeof other.in)));
	loopback(&other, AF_INET6);
	say("family=%s", rc(bind(second, &other.any, sizeof other.in6)));
	say("pointer=%s", rc(bind(second, (void *)8, sizeof other.in)));
}

static void names(void)
{
	union address a, b;
	socklen_t length = sizeof b;
	int listener = bound(AF_INET, SOCK_STREAM, &a);
	listen(listener, 1);
	int c = socket(AF_INET, SOCK_STREAM, 0);
	say("unbound=%s", rc(getsockname(c, &b.any, &length)));
	say("length=%d family=%d port=%d", (int)length, b.any.sa_family, b.in.sin_port);
	say("peer=%s", rc(getpeername(c, &b.any, &length)));
	connect(c, &a.any, sizeof a.in);
	length = sizeof b;
	union address peer;
	int s = accept(listener, &peer.any, &length);
	say("length=%d", (int)length);
	length = sizeof b;
	getsockname(c, &b.any, &length);
	say("same=%s",
		yes(b.in.sin_port == peer.in.sin_port &&
			b.in.sin_addr.s_addr == peer.in.sin_addr.s_addr));
	length = sizeof b;
	getpeername(c, &b.any, &length);
	say("server=%s", yes(b.in.sin_port == a.in.sin_port));
	length = 4;
	say("cut=%s", rc(getpeername(s, &b.any, &length)));
	say("length=%d", (int)length);
	length = (socklen_t)-1;
	say("negative=%s", rc(getpeername(s, &b.any, &length)));
}

static void mapped_addresses(void)
{
	union address a, b;
	int listener = socket(AF_INET6, SOCK_STREAM, 0);
	memset(&a, 0, sizeof a);
	a.in6.sin6_family = AF_INET6;
	say("bind=%s", rc(bind(listener, &a.any, sizeof a.in6)));
	say("listen=%s", rc(listen(listener, 3)));
	socklen_t length = sizeof a;
	getsockname(listener, &a.any, &length);
	int c = socket(AF_INET, SOCK_STREAM, 0);
	loopback(&b, AF_INET);
	b.in.sin_port = a.in6.sin6_port;
	say("connect=%s", rc(connect(c, &b.any, sizeof b.in)));
	length = sizeof b;
	int s = accept(listener, &b.any, &length);
	say("accept=%s", yes(s >= 0));
	char text[64];
	say("from=%s", inet_ntop(AF_INET6, &b.in6.sin6_addr, text, sizeof text));
	length = sizeof b;
	getsockname(s, &b.any, &length);
	say("here=%s", inet_ntop(AF_INET6, &b.in6.sin6_addr, text, sizeof text));
	c = socket(AF_INET6, SOCK_STREAM, 0);
	loopback(&b, AF_INET6);
	b.in6.sin6_port = a.in6.sin6_port;
	say("six=%s", rc(connect(c, &b.any, sizeof b.in6)));
}

static void only_v6(void)
{
	union address a, b;
	int six = socket(AF_INET6, SOCK_STREAM, 0), four = socket(AF_INET, SOCK_STREAM, 0);
	say("set=%s", set_option(six, IPPROTO_IPV6, IPV6_V6ONLY, 1));
	memset(&a, 0, sizeof a);
	a.in6.sin6_family = AF_INET6;
	say("bind=%s", rc(bind(six, &a.any, sizeof a.in6)));
	listen(six, 1);
	socklen_t length = sizeof a;
	getsockname(six, &a.any, &length);
	memset(&b, 0, sizeof b);
	b.in.sin_family = AF_INET;
	b.in.sin_port = a.in6.sin6_port;
	say("other=%s", rc(bind(four, &b.any, sizeof b.in)));
	say("get=%d", option(six, IPPROTO_IPV6, IPV6_V6ONLY));
	int c = socket(AF_INET, SOCK_STREAM, 0);
	loopback(&b, AF_INET);
	b.in.sin_port = a.in6.sin6_port;
	say("connect=%s", rc(connect(c, &b.any, sizeof b.in)));
}

static void connect_to_any(void)
{
	union address a;
	int listener = bound(AF_INET, SOCK_STREAM, &a);
	listen(listener, 1);
	a.in.sin_addr.s_addr = 0;
	int c = socket(AF_INET, SOCK_STREAM, 0);
	say("connect=%s", rc(connect(c, &a.any, sizeof a.in)));
	socklen_t length = sizeof a;
	getpeername(c, &a.any, &length);
	say("peer=%x", ntohl(a.in.sin_addr.s_addr));
}

static void refused(void)
{
	union address a;
	int fd = bound(AF_INET, SOCK_STREAM, &a);
	int c = socket(AF_INET, SOCK_STREAM, 0);
	say("not-listening=%s", rc(connect(c, &a.any, sizeof a.in)));
	close(fd);
	int d = socket(AF_INET, SOCK_STREAM, 0);
	say("closed=%s", rc(connect(d, &a.any, sizeof a.in)));
	say("error=%d", option(d, SOL_SOCKET, SO_ERROR));
	say("poll=%s", polled(d, 0));
}

static void connect_nonblocking(void)
{
	union address a;
	int listener = bound(AF_INET, SOCK_STREAM, &a);
	listen(listener, 1);
	int c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	say("connect=%s", rc(connect(c, &a.any, sizeof a.in)));
	say("poll=%s", polled_for(c, POLLOUT));
	say("error=%d", option(c, SOL_SOCKET, SO_ERROR));
	say("again=%s", rc(connect(c, &a.any, sizeof a.in)));
	say("third=%s", rc(connect(c, &a.any, sizeof a.in)));
	say("read=%s", num(read(c, &(char){0}, 1)));
}

static void connect_nonblocking_refused(void)
{
	union address a;
	int fd = bound(AF_INET, SOCK_STREAM, &a);
	close(fd);
	int c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	say("connect=%s", rc(connect(c, &a.any, sizeof a.in)));
	struct pollfd p = {.fd = c, .events = POLLOUT | POLLIN | POLLRDHUP};
	poll(&p, 1, 5000);
	say("poll=%s", events_text(p.revents));
	say("error=%d", option(c, SOL_SOCKET, SO_ERROR) == ECONNREFUSED);
	say("again=%d", option(c, SOL_SOCKET, SO_ERROR));
}

static void not_connected(void)
{
	int c = socket(AF_INET, SOCK_STREAM, 0);
	char text[4];
	signal(SIGPIPE, on_broken);
	broken = 0;
	say("read=%s", num(read(c, text, 4)));
	say("write=%s", num(write(c, text, 4)));
	say("signals=%d", (int)broken);
	say("nosignal=%s", num(send(c, text, 4, MSG_NOSIGNAL)));
	say("signals=%d", (int)broken);
	say("shutdown=%s", rc(shutdown(c, SHUT_RDWR)));
	say("accept=%s", rc(accept(c, NULL, NULL)));
	say("poll=%s", polled(c, 0));
	say("peer=%s",
		rc(getpeername(c, (struct sockaddr *)&(union address){0}, &(socklen_t){16})));
}

static void already_connected(void)
{
	int fds[2];
	union address a;
	tcp_pair(AF_INET, fds);
	socklen_t length = sizeof a;
	getpeername(fds[0], &a.any, &length);
	say("connect=%s", rc(connect(fds[0], &a.any, length)));
	say("listen=%s", rc(listen(fds[0], 1)));
	say("bind=%s", rc(bind(fds[0], &a.any, length)));
}

static void listening_socket(void)
{
	union address a;
	int fd = bound(AF_INET, SOCK_STREAM, &a);
	say("before=%d", option(fd, SOL_SOCKET, SO_ACCEPTCONN));
	say("listen=%s", rc(listen(fd, 0)));
	say("after=%d", option(fd, SOL_SOCKET, SO_ACCEPTCONN));
	say("again=%s", rc(listen(fd, 5)));
	char c;
	say("read=%s", num(read(fd, &c, 1)));
	signal(SIGPIPE, SIG_IGN);
	say("write=%s", num(write(fd, &c, 1)));
	say("connect=%s", rc(connect(fd, &a.any, sizeof a.in)));
	say("poll=%s", polled(fd, 0));
	int n;
	say("fionread=%s", rc(ioctl(fd, FIONREAD, &n)));
	int free_port = socket(AF_INET, SOCK_STREAM, 0);
	say("unbound=%s", rc(listen(free_port, 1)));
	socklen_t length = sizeof a;
	getsockname(free_port, &a.any, &length);
	say("port=%s", yes(a.in.sin_port != 0));
}

static void accept_nonblocking(void)
{
	union address a;
	int fd = bound(AF_INET, SOCK_STREAM, &a);
	listen(fd, 5);
	nonblocking(fd);
	say("empty=%s", rc(accept(fd, NULL, NULL)));
	int c = socket(AF_INET, SOCK_STREAM, 0);
	connect(c, &a.any, sizeof a.in);
	say("poll=%s", polled_for(fd, POLLIN));
	int s = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	say("flags=%d,%d", fcntl(s, F_GETFL), fcntl(s, F_GETFD));
	c = socket(AF_INET, SOCK_STREAM, 0);
	connect(c, &a.any, sizeof a.in);
	polled_for(fd, POLLIN);
	s = accept(fd, NULL, NULL);
	say("flags=%d,%d", fcntl(s, F_GETFL), fcntl(s, F_GETFD));
	say("bad=%s", rc(accept4(fd, NULL, NULL, 1)));
}

static void several_wait(void)
{
	union address a;
	int fd = bound(AF_INET, SOCK_STREAM, &a), clients[5];
	char c;
	listen(fd, 8);
	for (int i = 0; i < 5; i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM, 0);
		connect(clients[i], &a.any, sizeof a.in);
		write(clients[i], &"abcde"[i], 1);
	}
	for (int i = 0; i < 5; i++) {
		int s = accept(fd, NULL, NULL);
		read(s, &c, 1);
		say("%c", c);
	}
}

static void end_of_stream(void)
{
	int fds[2];
	char text[8];
	tcp_pair(AF_INET, fds);
	write(fds[0], "xy", 2);
	close(fds[0]);
	say("poll=%s", polled_for(fds[1], POLLRDHUP));
	say("read=%s", num(read(fds[1], text, 8)));
	say("end=%s", num(read(fds[1], text, 8)));
	say("end=%s", num(read(fds[1], text, 8)));
	say("poll=%s", polled(fds[1], 0));
}

static void half_close(void)
{
	int fds[2];
	char text[8] = {0};
	tcp_pair(AF_INET, fds);
	signal(SIGPIPE, SIG_IGN);
	say("shutdown=%s", rc(shutdown(fds[0], SHUT_WR)));
	say("write=%s", num(write(fds[0], "x", 1)));
	say("end=%s", num(read(fds[1], text, 8)));
	say("poll=%s", polled(fds[1], 0));
	say("back=%s", num(write(fds[1], "still", 5)));
	say("read=%s", num(read(fds[0], text, 8)));
	say("text=%s", text);
	close(fds[1]);
	say("end=%s", num(read(fds[0], text, 8)));
	say("poll=%s", polled(fds[0], 0));
}

static void shutdown_read(void)
{
	int fds[2];
	char text[8];
	tcp_pair(AF_INET, fds);
	say("shutdown=%s", rc(shutdown(fds[0], SHUT_RD)));
	say("read=%s", num(read(fds[0], text, 8)));
	say("poll=%s", polled(fds[0], 0));
	say("bad=%s", rc(shutdown(fds[0], 7)));
	say("both=%s", rc(shutdown(fds[0], SHUT_RDWR)));
	say("poll=%s", polled(fds[0], 0));
	say("end=%s", num(read(fds[1], text, 8)));
}

static void *shut_later(void *arg)
{
	usleep(50000);
	shutdown(*(int *)arg, SHUT_RDWR);
	return NULL;
}

static void shutdown_wakes_accept(void)
{
	union address a;
	int fd = bound(AF_INET, SOCK_STREAM, &a);
	pthread_t thread;
	listen(fd, 1);
	pthread_create(&thread, NULL, shut_later, &fd);
	say("accept=%s", rc(accept(fd, NULL, NULL)));
	pthread_join(thread, NULL);
	int c = socket(AF_INET, SOCK_STREAM, 0);
	say("connect=%s", rc(connect(c, &a.any, sizeof a.in)));
}

static void shutdown_wakes_read(void)
{
	int fds[2];
	char text[8];
	pthread_t thread;
	tcp_pair(AF_INET, fds);
	pthread_create(&thread, NULL, shut_later, &fds[0]);
	say("read=%s", num(read(fds[0], text, 8)));
	pthread_join(thread, NULL);
}

static void reset_by_unread_data(void)
{
	int fds[2];
	char text[8];
	tcp_pair(AF_INET, fds);
	signal(SIGPIPE, SIG_IGN);
	write(fds[0], "unread", 6);
	polled_for(fds[1], POLLIN);
	close(fds[1]);
	polled_for(fds[0], POLLHUP);
	say("read=%s", num(read(fds[0], text, 8)));
	say("again=%s", num(read(fds[0], text, 8)));
	say("write=%s", num(write(fds[0], "x", 1)));
}

static void reset_by_linger(void)
{
	int fds[2];
	char text[8];
	struct linger l = {1, 0};
	tcp_pair(AF_INET, fds);
	say("set=%s", rc(setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &l, sizeof l)));
	close(fds[1]);
	say("poll=%s", polled_for(fds[0], POLLIN | POLLOUT | POLLRDHUP));
	say("error=%s", errno_name(option(fds[0], SOL_SOCKET, SO_ERROR)));
	say("read=%s", num(read(fds[0], text, 8)));
}

static void write_after_close(void)
{
	int fds[2];
	tcp_pair(AF_INET, fds);
	signal(SIGPIPE, on_broken);
	broken = 0;
	close(fds[1]);
	polled_for(fds[0], POLLRDHUP);
	say("first=%s", num(write(fds[0], "x", 1)));
	polled_for(fds[0], POLLHUP);
	say("second=%s", num(write(fds[0], "x", 1)));
	say("signals=%d", (int)broken);
}

static void peek(void)
{
	int fds[2];
	char text[16] = {0};
	tcp_pair(AF_INET, fds);
	write(fds[0], "abcdef", 6);
	polled_for(fds[1], POLLIN);
	say("peek=%s", num(recv(fds[1], text, 3, MSG_PEEK)));
	say("text=%s", text);
	say("peek=%s", num(recv(fds[1], text, 15, MSG_PEEK)));
	say("read=%s", num(recv(fds[1], text, 15, 0)));
	say("text=%s", text);
	say("empty=%s", num(recv(fds[1], text, 15, MSG_DONTWAIT)));
	say("peek=%s", num(recv(fds[1], text, 15, MSG_DONTWAIT | MSG_PEEK)));
}

static void *write_slowly(void *arg)
{
	for (int i = 0; i < 4; i++) {
		usleep(10000);
		write(*(int *)arg, "abcd", 4);
	}
	return NULL;
}

static void wait_for_all(void)
{
	int fds[2];
	char text[32] = {0};
	pthread_t thread;
	tcp_pair(AF_INET, fds);
	pthread_create(&thread, NULL, write_slowly, &fds[0]);
	say("all=%s", num(recv(fds[1], text, 16, MSG_WAITALL)));
	say("text=%s", text);
	pthread_join(thread, NULL);
	write(fds[0], "xyz", 3);
	close(fds[0]);
	say("short=%s", num(recv(fds[1], text, 16, MSG_WAITALL)));
}

static void truncating_receive(void)
{
	int fds[2];
	char text[8] = "zzzz";
	tcp_pair(AF_INET, fds);
	write(fds[0], "abcdef", 6);
	polled_for(fds[1], POLLIN);
	say("discard=%s", num(recv(fds[1], text, 4, MSG_TRUNC)));
	say("rest=%s", num(recv(fds[1], text, 8, 0)));
	say("text=%.2s", text);
}

static void fill_until_full(void)
{
	int fds[2];
	static char block[65536];
	long sent = 0, got = 0, n;
	tcp_pair(AF_INET, fds);
	nonblocking(fds[0]);
	while ((n = write(fds[0], block, sizeof block)) > 0)
		sent += n;
	say("full=%s", rc(n));
	say("some=%s", yes(sent >= 65536));
	say("poll=%s", polled(fds[0], 0));
	while (got < sent && (n = read(fds[1], block, sizeof block)) > 0)
		got += n;
	say("all=%s", yes(got == sent));
	say("poll=%s", polled_for(fds[0], POLLOUT));
}

#define BULK (4 << 20)

static void *send_bulk(void *arg)
{
	static unsigned char data[BULK];
	for (int i = 0; i < BULK; i++)
		data[i] = (unsigned char)(i * 7 >> 3);
	long n = write(*(int *)arg, data, BULK);
	shutdown(*(int *)arg, SHUT_WR);
	return (void *)n;
}

static void bulk(void)
{
	int fds[2];
	static unsigned char data[100000];
	pthread_t thread;
	long got = 0, n;
	bool good = true;
	void *sent;
	tcp_pair(AF_INET, fds);
	pthread_create(&thread, NULL, send_bulk, &fds[0]);
	while ((n = read(fds[1], data, sizeof data)) > 0) {
		for (long i = 0; i < n; i++)
			good &= data[i] == (unsigned char)((got + i) * 7 >> 3);
		got += n;
	}
	pthread_join(thread, &sent);
	say("sent=%ld got=%ld good=%s", (long)sent, got, yes(good));
}

static void vectors(void)
{
	int fds[2];
	char a[4] = {0}, b[8] = {0};
	struct iovec out[] = {{(void *)"one", 3}, {(void *)"", 0}, {(void *)"twothree", 8}};
	struct iovec in[] = {{a, 3}, {b, 7}};
	tcp_pair(AF_INET, fds);
	say("writev=%s", num(writev(fds[0], out, 3)));
	polled_for(fds[1], POLLIN);
	say("readv=%s", num(readv(fds[1], in, 2)));
	say("%s %s", a, b);
	struct msghdr m = {.msg_iov = out, .msg_iovlen = 3};
	say("sendmsg=%s", num(sendmsg(fds[0], &m, 0)));
	struct msghdr r = {.msg_iov = in, .msg_iovlen = 2};
	say("recvmsg=%s", num(recvmsg(fds[1], &r, MSG_WAITALL)));
	say("flags=%x", r.msg_flags);
	m.msg_iovlen = 2000;
	say("many=%s", rc(sendmsg(fds[0], &m, 0)));
}

static void bad_pointers(void)
{
	int fds[2];
	char text[8] = {0};
	tcp_pair(AF_INET, fds);
	say("send=%s", rc(send(fds[0], (void *)8, 4, 0)));
	write(fds[0], "abcd", 4);
	polled_for(fds[1], POLLIN);
	say("recv=%s", rc(recv(fds[1], (void *)8, 4, 0)));
	say("kept=%s", num(recv(fds[1], text, 8, 0)));
	say("text=%s", text);
	say("message=%s", rc(sendmsg(fds[0], (void *)8, 0)));
	say("message=%s", rc(recvmsg(fds[1], (void *)8, 0)));
	say("zero=%s", num(send(fds[0], text, 0, 0)));
}

static void send_a_file(void)
{
	int fds[2];
	char text[16] = {0};
	put_file("f", "0123456789");
	int f = open("f", O_RDONLY);
	off_t at = 3;
	tcp_pair(AF_INET, fds);
	say("sendfile=%s", num(sendfile(fds[0], f, &at, 4)));
	say("at=%ld", (long)at);
	say("read=%s", num(recv(fds[1], text, 4, MSG_WAITALL)));
	say("text=%s", text);
	say("rest=%s", num(sendfile(fds[0], f, NULL, 100)));
	say("read=%s", num(recv(fds[1], text, 10, MSG_WAITALL)));
	say("text=%s", text);
}

static void bytes_to_read(void)
{
	int fds[2], n = -1;
	tcp_pair(AF_INET, fds);
	ioctl(fds[1], FIONREAD, &n);
	say("none=%d", n);
	write(fds[0], "abcdefg", 7);
	polled_for(fds[1], POLLIN);
	ioctl(fds[1], FIONREAD, &n);
	say("some=%d", n);
	n = 1;
	say("fionbio=%s", rc(ioctl(fds[1], FIONBIO, &n)));
	say("flags=%d", fcntl(fds[1], F_GETFL));
	say("unknown=%s", rc(ioctl(fds[1], 0x1234, &n)));
}

static void receive_timeout(void)
{
	int fds[2];
	char c;
	struct timeval t = {0, 30000}, got;
	socklen_t length = sizeof got;
	tcp_pair(AF_INET, fds);
	say("set=%s", rc(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t)));
	int64_t since = now_ns(CLOCK_MONOTONIC);
	say("read=%s", num(read(fds[0], &c, 1)));
	say("waited=%s", waited(since, 29000000));
	getsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &got, &length);
	say("get=%d length=%d", got.tv_sec == 0 && got.tv_usec >= 30000 && got.tv_usec < 40000,
		(int)length);
	t.tv_usec = 1000000;
	say("bad=%s", rc(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t)));
	say("short=%s", rc(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &t, 4)));
}

static void reuse_address(void)
{
	union address a;
	int fds[2], fd = bound(AF_INET, SOCK_STREAM, &a);
	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	listen(fd, 1);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	connect(fds[0], &a.any, sizeof a.in);
	fds[1] = accept(fd, NULL, NULL);
	int second = socket(AF_INET, SOCK_STREAM, 0);
	set_option(second, SOL_SOCKET, SO_REUSEADDR, 1);
	say("listening=%s", rc(bind(second, &a.any, sizeof a.in)));
	close(fds[1]);
	close(fd);
	polled_for(fds[0], POLLRDHUP);
	close(fds[0]);
	usleep(20000);
	int third = socket(AF_INET, SOCK_STREAM, 0);
	say("time-wait=%s", rc(bind(third, &a.any, sizeof a.in)));
	set_option(third, SOL_SOCKET, SO_REUSEADDR, 1);
	say("reuse=%s", rc(bind(third, &a.any, sizeof a.in)));
	say("listen=%s", rc(listen(third, 1)));
}

static void shared_port(void)
{
	union address a;
	int fds[3], got = 0;
	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	set_option(fds[0], SOL_SOCKET, SO_REUSEPORT, 1);
	socklen_t length = loopback(&a, AF_INET);
	bind(fds[0], &a.any, length);
	getsockname(fds[0], &a.any, &length);
	fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	say("without=%s", rc(bind(fds[1], &a.any, length)));
	set_option(fds[1], SOL_SOCKET, SO_REUSEPORT, 1);
	say("with=%s", rc(bind(fds[1], &a.any, length)));
	say("listen=%s", rc(listen(fds[0], 30)));
	say("listen=%s", rc(listen(fds[1], 30)));
	say("again=%s", rc(listen(fds[1], 40)));
	for (int i = 0; i < 20; i++)
		say("%s",
			i % 5 ? "." : rc(connect(socket(AF_INET, SOCK_STREAM, 0), &a.any, length)));
	for (int i = 0; i < 2; i++) {
		usleep(10000);
		for (int s; (s = accept(fds[i], NULL, NULL)) >= 0; got++)
			close(s);
	}
	say("accepted=%d", got);
	close(fds[0]);
	int c = socket(AF_INET, SOCK_STREAM, 0);
	say("connect=%s", rc(connect(c, &a.any, length)));
	say("poll=%s", polled_for(fds[1], POLLIN));
	say("accept=%s", yes(accept(fds[1], NULL, NULL) >= 0));
	close(fds[1]);
	fds[2] = socket(AF_INET, SOCK_STREAM, 0);
	say("refused=%s", rc(connect(fds[2], &a.any, length)));
}

static void duplicate_descriptors(void)
{
	int fds[2];
	char text[8] = {0};
	tcp_pair(AF_INET, fds);
	int copy = dup(fds[0]);
	close(fds[0]);
	say("write=%s", num(write(copy, "abc", 3)));
	say("read=%s", num(read(fds[1], text, 8)));
	close(copy);
	say("end=%s", num(read(fds[1], text, 8)));
}

static void edge_triggered(void)
{
	int fds[2], ep = epoll_create1(0), rounds = 0;
	struct epoll_event e = {.events = EPOLLIN | EPOLLET}, got;
	char c;
	tcp_pair(AF_INET, fds);
	epoll_ctl(ep, EPOLL_CTL_ADD, fds[1], &e);
	say("none=%d", epoll_wait(ep, &got, 1, 0));
	write(fds[0], "ab", 2);
	say("first=%d", epoll_wait(ep, &got, 1, 1000));
	say("same=%d", epoll_wait(ep, &got, 1, 0));
	read(fds[1], &c, 1);
	say("same=%d", epoll_wait(ep, &got, 1, 0));
	write(fds[0], "c", 1);
	say("new=%d", epoll_wait(ep, &got, 1, 1000));
	nonblocking(fds[1]);
	while (read(fds[1], &c, 1) > 0)
		rounds++;
	say("left=%d", rounds);
	close(fds[0]);
	say("end=%d", epoll_wait(ep, &got, 1, 1000));
	say("in=%d", (got.events & EPOLLIN) != 0);
}

static void level_triggered(void)
{
	int fds[2], ep = epoll_create1(0);
	struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP}, got;
	char c;
	tcp_pair(AF_INET, fds);
	epoll_ctl(ep, EPOLL_CTL_ADD, fds[1], &e);
	epoll_wait(ep, &got, 1, 1000);
	say("%s", events_text((int)got.events));
	write(fds[0], "ab", 2);
	polled_for(fds[1], POLLIN);
	epoll_wait(ep, &got, 1, 1000);
	say("%s", events_text((int)got.events));
	epoll_wait(ep, &got, 1, 1000);
	say("%s", events_text((int)got.events));
	read(fds[1], &c, 1);
	shutdown(fds[0], SHUT_WR);
	polled_for(fds[1], POLLRDHUP);
	epoll_wait(ep, &got, 1, 1000);
	say("%s", events_text((int)got.events));
}

static void edge_of_room(void)
{
	int fds[2], ep = epoll_create1(0);
	struct epoll_event e = {.events = EPOLLOUT | EPOLLET}, got;
	static char block[65536];
	long sent = 0, n;
	tcp_pair(AF_INET, fds);
	nonblocking(fds[0]);
	epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &e);
	say("first=%d", epoll_wait(ep, &got, 1, 1000));
	say("same=%d", epoll_wait(ep, &got, 1, 0));
	while ((n = write(fds[0], block, sizeof block)) > 0)
		sent += n;
	say("full=%d", epoll_wait(ep, &got, 1, 0));
	while (sent > 0 && (n = read(fds[1], block, sizeof block)) > 0)
		sent -= n;
	say("room=%d", epoll_wait(ep, &got, 1, 5000));
}

static void epoll_on_listener(void)
{
	union address a;
	int fd = bound(AF_INET, SOCK_STREAM, &a), ep = epoll_create1(0);
	struct epoll_event e = {.events = EPOLLIN, .data.fd = 77}, got = {0};
	listen(fd, 4);
	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
	say("none=%d", epoll_wait(ep, &got, 1, 0));
	int c = socket(AF_INET, SOCK_STREAM, 0);
	connect(c, &a.any, sizeof a.in);
	say("one=%d", epoll_wait(ep, &got, 1, 1000));
	say("data=%d events=%s", got.data.fd, events_text((int)got.events));
	close(accept(fd, NULL, NULL));
	say("none=%d", epoll_wait(ep, &got, 1, 0));
	close(fd);
	say("gone=%d", epoll_wait(ep, &got, 1, 0));
}

static void *echo_once(void *arg)
{
	int s = accept(*(int *)arg, NULL, NULL);
	char text[64];
	long n;
	while ((n = read(s, text, sizeof text)) > 0)
		write(s, text, (size_t)n);
	close(s);
	return NULL;
}

static void echo_between_threads(void)
{
	union address a;
	int fd = bound(AF_INET, SOCK_STREAM, &a), total = 0;
	pthread_t thread;
	listen(fd, 1);
	pthread_create(&thread, NULL, echo_once, &fd);
	int c = socket(AF_INET, SOCK_STREAM, 0);
	connect(c, &a.any, sizeof a.in);
	for (int i = 0; i < 500; i++) {
		char text[16], back[16] = {0};
		int n = snprintf(text, sizeof text, "line %d", i);
		write(c, text, (size_t)n);
		recv(c, back, (size_t)n, MSG_WAITALL);
		total += strcmp(text, back) == 0;
	}
	shutdown(c, SHUT_WR);
	char end;
	say("echoed=%d end=%s", total, num(read(c, &end, 1)));
	pthread_join(thread, NULL);
}

static void many_connections(void)
{
	int fds[100][2], good = 0;
	for (int i = 0; i < 100; i++)
		good += tcp_pair(AF_INET, fds[i]);
	for (int i = 0; i < 100; i++) {
		char c = (char)i, back = 0;
		write(fds[i][0], &c, 1);
		read(fds[i][1], &back, 1);
		good += back == c;
	}
	say("good=%d", good);
}

static void one_after_the_other(void)
{
	union address a;
	int fd = bound(AF_INET, SOCK_STREAM, &a), good = 0;
	listen(fd, 4);
	for (int i = 0; i < 300; i++) {
		int c = socket(AF_INET, SOCK_STREAM, 0);
		good += connect(c, &a.any, sizeof a.in) == 0;
		int s = accept(fd, NULL, NULL);
		close(i & 1 ? c : s);
		close(i & 1 ? s : c);
	}
	say("good=%d", good);
}

static const struct guest_case cases[] = {
	C(exchange),
	C(exchange_v6),
	C(bad_arguments),
	C(flags_of_new_sockets),
	C(bind_errors),
	C(names),
	C(mapped_addresses),
	C(only_v6),
	C(connect_to_any),
	C(refused),
	C(connect_nonblocking),
	C(connect_nonblocking_refused),
	C(not_connected),
	C(already_connected),
	C(listening_socket),
	C(accept_nonblocking),
	C(several_wait),
	C(end_of_stream),
	C(half_close),
	C(shutdown_read),
	C(shutdown_wakes_accept),
	C(shutdown_wakes_read),
	C(reset_by_unread_data),
	C(reset_by_linger),
	C(write_after_close),
	C(peek),
	C(wait_for_all),
	C(truncating_receive),
	C(fill_until_full),
	C(bulk),
	C(vectors),
	C(bad_pointers),
	C(send_a_file),
	C(bytes_to_read),
	C(receive_timeout),
	C(reuse_address),
	C(shared_port),
	C(duplicate_descriptors),
	C(edge_triggered),
	C(level_triggered),
	C(edge_of_room),
	C(epoll_on_listener),
	C(echo_between_threads),
	C(many_connections),
	C(one_after_the_other),
};

GUEST_MAIN("sockets_tcp", cases)
