/*
 * sockets_unix.c - Unix sockets: pairs, names, streams, datagrams, packets, descriptors in messages.
 */
#include "sockets.h"

#include <stddef.h>

static socklen_t unix_name(union address *a, const char *path)
{
	memset(a, 0, sizeof *a);
	a->un.sun_family = AF_UNIX;
	strncpy(a->un.sun_path, path, sizeof a->un.sun_path - 1);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
}

/* "@name" is an abstract one; without the zero byte at its end. */
static socklen_t abstract_name(union address *a, const char *name)
{
	socklen_t length = unix_name(a, name);

	a->un.sun_path[0] = 0;
	return length - 1;
}

static int listener(const char *path, int type)
{
	union address a;
	int fd = socket(AF_UNIX, type, 0);
	socklen_t length = unix_name(&a, path);

	if (bind(fd, &a.any, length) < 0 || listen(fd, 4) < 0)
		return -1;
	return fd;
}

static int connected(const char *path, int type)
{
	union address a;
	int fd = socket(AF_UNIX, type, 0);
	socklen_t length = unix_name(&a, path);

	return connect(fd, &a.any, length) < 0 ? -1 : fd;
}

static void pair(void)
{
	int fds[2];
	char text[16] = {0};
	say("pair=%s", rc(socketpair(AF_UNIX, SOCK_STREAM, 0, fds)));
	say("order=%s", yes(fds[0] == 3 && fds[1] == 4));
	say("write=%s", num(write(fds[0], "abc", 3)));
	say("write=%s", num(write(fds[0], "def", 3)));
	say("read=%s", num(read(fds[1], text, 15)));
	say("text=%s", text);
	say("back=%s", num(write(fds[1], "x", 1)));
	say("read=%s", num(read(fds[0], text, 15)));
	struct stat st;
	fstat(fds[0], &st);
	say("socket=%s", yes(S_ISSOCK(st.st_mode)));
}

static void pair_arguments(void)
{
	int fds[2];
	say("type=%s", rc(socketpair(AF_UNIX, 77 & 15, 0, fds)));
	say("protocol=%s", rc(socketpair(AF_UNIX, SOCK_STREAM, 6, fds)));
	say("pointer=%s", rc(socketpair(AF_UNIX, SOCK_STREAM, 0, (int *)8)));
	say("flags=%s",
		rc(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds)));
	say("%d,%d", fcntl(fds[0], F_GETFL), fcntl(fds[1], F_GETFD));
	say("next=%d", fds[0]);
}

static void pair_end(void)
{
	int fds[2];
	char text[8];
	signal(SIGPIPE, SIG_IGN);
	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	write(fds[0], "xy", 2);
	close(fds[0]);
	say("poll=%s", polled(fds[1], 0));
	say("read=%s", num(read(fds[1], text, 8)));
	say("end=%s", num(read(fds[1], text, 8)));
	say("write=%s", num(write(fds[1], "x", 1)));
	say("poll=%s", polled(fds[1], 0));
}

static void pair_unread(void)
{
	int fds[2];
	char text[8];
	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	write(fds[0], "xy", 2);
	close(fds[1]);
	say("read=%s", num(read(fds[0], text, 8)));
	say("again=%s", num(read(fds[0], text, 8)));
}

static void pair_half(void)
{
	int fds[2];
	char text[8];
	signal(SIGPIPE, SIG_IGN);
	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	say("shutdown=%s", rc(shutdown(fds[0], SHUT_WR)));
	say("write=%s", num(write(fds[0], "x", 1)));
	say("end=%s", num(read(fds[1], text, 8)));
	say("poll=%s", polled(fds[1], 0));
	say("poll=%s", polled(fds[0], 0));
	say("back=%s", num(write(fds[1], "abc", 3)));
	say("read=%s", num(read(fds[0], text, 8)));
	shutdown(fds[1], SHUT_RDWR);
	say("poll=%s", polled(fds[0], 0));
	say("bad=%s", rc(shutdown(fds[0], 9)));
}

static void stream_fills(void)
{
	int fds[2];
	static char block[4096];
	long sent = 0, got = 0, n;
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds);
	while ((n = write(fds[0], block, sizeof block)) > 0)
		sent += n;
	say("full=%s", rc(n));
	say("some=%s", yes(sent >= 65536));
	say("poll=%s", polled(fds[0], 0));
	while ((n = read(fds[1], block, sizeof block)) > 0)
		got += n;
	say("empty=%s", rc(n));
	say("all=%s", yes(got == sent));
	say("poll=%s", polled(fds[0], 0));
}

static void *drain(void *arg)
{
	static char block[10000];
	long got = 0, n;
	while ((n = read(*(int *)arg, block, sizeof block)) > 0)
		got += n;
	return (void *)got;
}

static void large_write(void)
{
	int fds[2];
	static char block[1 << 20];
	pthread_t thread;
	void *got;
	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	pthread_create(&thread, NULL, drain, &fds[1]);
	say("write=%s", num(write(fds[0], block, sizeof block)));
	close(fds[0]);
	pthread_join(thread, &got);
	say("got=%ld", (long)got);
}

static void peeking(void)
{
	int fds[2];
	char text[16] = {0};
	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	write(fds[0], "abc", 3);
	write(fds[0], "def", 3);
	say("peek=%s", num(recv(fds[1], text, 2, MSG_PEEK)));
	say("text=%s", text);
	say("read=%s", num(recv(fds[1], text, 4, 0)));
	say("text=%s", text);
	say("rest=%s", num(recv(fds[1], text, 4, MSG_DONTWAIT)));
	say("none=%s", num(recv(fds[1], text, 4, MSG_DONTWAIT)));
	int n = 7;
	write(fds[0], "vwxyz", 5);
	ioctl(fds[1], FIONREAD, &n);
	say("queued=%d", n);
}

static void path_names(void)
{
	union address a;
	socklen_t length = sizeof a;
	int fd = listener("sock", SOCK_STREAM);
	say("listener=%s", yes(fd >= 0));
	struct stat st;
	say("stat=%s", rc(stat("sock", &st)));
	say("mode=%o", st.st_mode);
	say("open=%s", rc(open("sock", O_RDWR)));
	getsockname(fd, &a.any, &length);
	say("name=%s length=%d", a.un.sun_path, (int)length);
	int c = connected("sock", SOCK_STREAM);
	say("connected=%s", yes(c >= 0));
	length = sizeof a;
	int s = accept(fd, &a.any, &length);
	say("peer-length=%d", (int)length);
	length = sizeof a;
	getsockname(s, &a.any, &length);
	say("server=%s", a.un.sun_path);
	length = sizeof a;
	getpeername(c, &a.any, &length);
	say("peer=%s", a.un.sun_path);
	say("unlink=%s", rc(unlink("sock")));
	say("works=%s", num(write(c, "x", 1)));
	say("gone=%s", rc(connected("sock", SOCK_STREAM)));
}

static void path_errors(void)
{
	union address a;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	put_file("plain", "x");
	say("none=%s", rc(connect(fd, &a.any, unix_name(&a, "none"))));
	say("plain=%s", rc(connect(fd, &a.any, unix_name(&a, "plain"))));
	say("taken=%s", rc(bind(fd, &a.any, unix_name(&a, "plain"))));
	say("directory=%s", rc(bind(fd, &a.any, unix_name(&a, "no/such"))));
	say("bind=%s", rc(bind(fd, &a.any, unix_name(&a, "mine"))));
	say("again=%s", rc(bind(fd, &a.any, unix_name(&a, "other"))));
	say("not-listening=%s", rc(connected("mine", SOCK_STREAM)));
	int other = socket(AF_UNIX, SOCK_STREAM, 0);
	say("twice=%s", rc(bind(other, &a.any, unix_name(&a, "mine"))));
	close(fd);
	say("dead=%s", rc(connect(other, &a.any, unix_name(&a, "mine"))));
	loopback(&a, AF_INET);
	say("family=%s", rc(bind(other, &a.any, sizeof a.in)));
	say("long=%s", rc(bind(other, &a.any, 200)));
	int packet = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	listener("stream", SOCK_STREAM);
	say("type=%s", rc(connect(packet, &a.any, unix_name(&a, "stream"))));
}

static void abstract_names(void)
{
	union address a, b;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), other = socket(AF_UNIX, SOCK_STREAM, 0);
	socklen_t length = abstract_name(&a, "@dayfly-test-abstract");
	say("bind=%s", rc(bind(fd, &a.any, length)));
	say("taken=%s", rc(bind(other, &a.any, length)));
	say("listen=%s", rc(listen(fd, 1)));
	say("connect=%s", rc(connect(other, &a.any, length)));
	socklen_t got = sizeof b;
	getpeername(other, &b.any, &got);
	say("same=%s", yes(got == length && !memcmp(&a, &b, length)));
	int third = socket(AF_UNIX, SOCK_STREAM, 0);
	say("longer=%s", rc(connect(third, &a.any, length + 1)));
	close(fd);
	say("free=%s", rc(bind(third, &a.any, length)));
}

static void automatic_name(void)
{
	union address a;
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	sa_family_t family = AF_UNIX;
	say("bind=%s", rc(bind(fd, (struct sockaddr *)&family, sizeof family)));
	socklen_t length = sizeof a;
	getsockname(fd, &a.any, &length);
	say("length=%d first=%d", (int)length, a.un.sun_path[0]);
}

static void not_connected(void)
{
	int stream = socket(AF_UNIX, SOCK_STREAM, 0), packet = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	int datagram = socket(AF_UNIX, SOCK_DGRAM, 0);
	char text[4] = "abc";
	signal(SIGPIPE, SIG_IGN);
	say("read=%s", num(read(stream, text, 4)));
	say("write=%s", num(write(stream, text, 4)));
	say("read=%s", num(read(packet, text, 4)));
	say("write=%s", num(write(packet, text, 4)));
	say("write=%s", num(write(datagram, text, 4)));
	say("listen=%s", rc(listen(stream, 1)));
	say("listen=%s", rc(listen(datagram, 1)));
	say("accept=%s", rc(accept(stream, NULL, NULL)));
	say("accept=%s", rc(accept(datagram, NULL, NULL)));
	say("poll=%s", polled(stream, 0));
	say("poll=%s", polled(datagram, 0));
	union address a;
	say("peer=%s", rc(getpeername(stream, &a.any, &(socklen_t){sizeof a})));
	say("option=%s",
		rc(getsockopt(stream, IPPROTO_TCP, TCP_NODELAY, &(int){0}, &(socklen_t){4})));
}

static void sends_before_accept(void)
{
	int fd = listener("sock", SOCK_STREAM);
	int c = connected("sock", SOCK_STREAM);
	char text[8] = {0};
	say("write=%s", num(write(c, "early", 5)));
	close(c);
	say("poll=%s", polled(fd, 0));
	int s = accept(fd, NULL, NULL);
	say("read=%s", num(read(s, text, 8)));
	say("text=%s", text);
	say("end=%s", num(read(s, text, 8)));
	nonblocking(fd);
	say("none=%s", rc(accept(fd, NULL, NULL)));
}

static void backlog_full(void)
{
	union address a;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), made = 0;
	socklen_t length = unix_name(&a, "sock");
	bind(fd, &a.any, length);
	listen(fd, 2);
	for (int i = 0; i < 10; i++) {
		int c = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(c, &a.any, length) < 0) {
			say("error=%s", errno_name(errno));
			break;
		}
		made++;
	}
	say("made=%d", made);
	close(accept(fd, NULL, NULL));
	int c = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	say("room=%s", rc(connect(c, &a.any, length)));
}

static void datagram_pair(void)
{
	int fds[2];
	char text[16] = {0};
	socketpair(AF_UNIX, SOCK_DGRAM, 0, fds);
	write(fds[0], "one", 3);
	write(fds[0], "", 0);
	write(fds[0], "three", 5);
	say("first=%s", num(read(fds[1], text, 15)));
	say("empty=%s", num(read(fds[1], text, 15)));
	say("cut=%s", num(read(fds[1], text, 2)));
	say("text=%.2s", text);
	say("none=%s", num(recv(fds[1], text, 15, MSG_DONTWAIT)));
	write(fds[0], "abcdef", 6);
	say("length=%s", num(recv(fds[1], text, 2, MSG_TRUNC | MSG_PEEK)));
	struct iovec v = {text, 3};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	say("message=%s", num(recvmsg(fds[1], &m, 0)));
	say("flags=%s", yes(m.msg_flags & MSG_TRUNC));
	close(fds[1]);
	say("gone=%s", num(send(fds[0], "x", 1, MSG_NOSIGNAL)));
}

static void datagram_names(void)
{
	union address a, from;
	socklen_t length;
	char text[16] = {0};
	int server = socket(AF_UNIX, SOCK_DGRAM, 0), client = socket(AF_UNIX, SOCK_DGRAM, 0);
	bind(server, &a.any, unix_name(&a, "server"));
	length = unix_name(&a, "server");
	say("send=%s", num(sendto(client, "hi", 2, 0, &a.any, length)));
	socklen_t got = sizeof from;
	say("read=%s", num(recvfrom(server, text, 15, 0, &from.any, &got)));
	say("unnamed=%d", (int)got);
	bind(client, &from.any, unix_name(&from, "client"));
	unix_name(&a, "server");
	say("send=%s", num(sendto(client, "again", 5, 0, &a.any, length)));
	got = sizeof from;
	say("read=%s", num(recvfrom(server, text, 15, 0, &from.any, &got)));
	say("from=%s length=%d", from.un.sun_path, (int)got);
	say("answer=%s", num(sendto(server, "yes", 3, 0, &from.any, got)));
	say("read=%s", num(read(client, text, 15)));
	unix_name(&a, "nobody");
	say("nobody=%s", num(sendto(client, "x", 1, 0, &a.any, unix_name(&a, "nobody"))));
}

static void datagram_connected(void)
{
	union address a;
	char text[8] = {0};
	int server = socket(AF_UNIX, SOCK_DGRAM, 0), client = socket(AF_UNIX, SOCK_DGRAM, 0);
	int third = socket(AF_UNIX, SOCK_DGRAM, 0);
	bind(server, &a.any, unix_name(&a, "server"));
	say("connect=%s", rc(connect(client, &a.any, unix_name(&a, "server"))));
	say("write=%s", num(write(client, "abc", 3)));
	say("read=%s", num(read(server, text, 8)));
	bind(client, &a.any, unix_name(&a, "client"));
	say("back=%s", rc(connect(server, &a.any, unix_name(&a, "client"))));
	say("stranger=%s", num(sendto(third, "x", 1, 0, &a.any, unix_name(&a, "server"))));
	a.any.sa_family = AF_UNSPEC;
	say("undo=%s", rc(connect(server, &a.any, sizeof(sa_family_t))));
	say("stranger=%s", num(sendto(third, "x", 1, 0, &a.any, unix_name(&a, "server"))));
	close(server);
	say("refused=%s", num(write(client, "x", 1)));
}

static void packets(void)
{
	int fds[2];
	char text[16] = {0};
	socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds);
	say("send=%s", num(write(fds[0], "one", 3)));
	say("send=%s", num(write(fds[0], "two more", 8)));
	struct iovec v = {text, 15};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	say("read=%s", num(recvmsg(fds[1], &m, 0)));
	say("text=%s eor=%s", text, yes(m.msg_flags & MSG_EOR));
	v.iov_len = 3;
	say("cut=%s", num(recvmsg(fds[1], &m, 0)));
	say("trunc=%s", yes(m.msg_flags & MSG_TRUNC));
	close(fds[0]);
	say("end=%s", num(read(fds[1], text, 15)));
	int fd = listener("packets", SOCK_SEQPACKET);
	int c = connected("packets", SOCK_SEQPACKET), s = accept(fd, NULL, NULL);
	write(c, "abc", 3);
	say("through=%s", num(read(s, text, 15)));
}

static long send_fds(int to, const int *fds, int count, const char *text)
{
	char control[CMSG_SPACE(sizeof(int) * 8)] = {0};
	struct iovec v = {(void *)text, strlen(text)};
	struct msghdr m = {.msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)count);
	return sendmsg(to, &m, 0);
}

/* Number of descriptors that came, put into fds. */
static int receive_fds(int from, int *fds, char *text, size_t room, int flags, int *message_flags)
{
	char control[CMSG_SPACE(sizeof(int) * 8)] = {0};
	struct iovec v = {text, room};
	struct msghdr m = {.msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof control};
	int count = 0;

	memset(text, 0, room);
	if (recvmsg(from, &m, flags) < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), (size_t)count * sizeof(int));
	}
	*message_flags = m.msg_flags;
	return count;
}

static void rights(void)
{
	int fds[2], pipes[2], got[8], flags;
	char text[8];
	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	pipe(pipes);
	say("send=%s", num(send_fds(fds[0], pipes, 2, "ab")));
	close(pipes[0]);
	close(pipes[1]);
	say("count=%d", receive_fds(fds[1], got, text, 7, MSG_CMSG_CLOEXEC, &flags));
	say("text=%s flags=%s", text, yes(!(flags & MSG_CTRUNC)));
	say("new=%s cloexec=%d", yes(got[0] == 5 && got[1] == 6), fcntl(got[0], F_GETFD));
	write(got[1], "through", 7);
	say("read=%s", num(read(got[0], text, 7)));
	say("bad=%s", rc(send_fds(fds[0], (int[]){99}, 1, "x")));
}

static void rights_in_streams(void)
{
	int fds[2], file = open("/dev/null", O_RDONLY), got[8], flags;
	char text[16];
	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	write(fds[0], "before", 6);
	send_fds(fds[0], &file, 1, "with");
	write(fds[0], "after", 5);
	say("count=%d", receive_fds(fds[1], got, text, 15, 0, &flags));
	say("text=%s", text);
	say("count=%d", receive_fds(fds[1], got, text, 15, 0, &flags));
	say("text=%s", text);
	send_fds(fds[0], &file, 1, "one");
	send_fds(fds[0], &file, 1, "two");
	say("count=%d", receive_fds(fds[1], got, text, 15, 0, &flags));
	say("text=%s", text);
	say("count=%d", receive_fds(fds[1], got, text, 15, 0, &flags));
	say("text=%s", text);
	send_fds(fds[0], &file, 1, "lost");
	say("read=%s", num(read(fds[1], text, 15)));
}

static void rights_without_room(void)
{
	int fds[2], file = open("/dev/null", O_RDONLY);
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec v = {&byte, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	socketpair(AF_UNIX, SOCK_DGRAM, 0, fds);
	send_fds(fds[0], (int[]){file, file}, 2, "x");
	say("none=%s", num(recvmsg(fds[1], &m, 0)));
	say("cut=%s control=%d", yes(m.msg_flags & MSG_CTRUNC), (int)m.msg_controllen);
	send_fds(fds[0], (int[]){file, file, file}, 3, "x");
	m.msg_control = control;
	m.msg_controllen = CMSG_LEN(sizeof(int));
	say("one=%s", num(recvmsg(fds[1], &m, 0)));
	say("cut=%s control=%d", yes(m.msg_flags & MSG_CTRUNC), (int)m.msg_controllen);
	say("last=%d", dup(file));
}

static void rights_keep_files_open(void)
{
	int fds[2], ends[2], got[8], flags;
	char text[8];
	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	pipe(ends);
	send_fds(fds[0], &ends[1], 1, "x");
	close(ends[1]);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	say("travels=%s", num(read(ends[0], text, 1)));
	receive_fds(fds[1], got, text, 7, 0, &flags);
	close(got[0]);
	say("closed=%s", num(read(ends[0], text, 1)));
	pipe(ends);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	send_fds(fds[0], &ends[1], 1, "x");
	close(ends[1]);
	close(fds[1]);
	close(fds[0]);
	say("dropped=%s", num(read(ends[0], text, 1)));
}

static void credentials(void)
{
	int fds[2];
	struct ucred c = {0};
	socklen_t length = sizeof c;
	char byte, control[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec v = {&byte, 1};
	struct msghdr m = {.msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof control};
	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	say("get=%s", rc(getsockopt(fds[0], SOL_SOCKET, SO_PEERCRED, &c, &length)));
	say("own=%s uid=%d", yes(c.pid == getpid()), (int)c.uid);
	say("pass=%s", set_option(fds[1], SOL_SOCKET, SO_PASSCRED, 1));
	write(fds[0], "x", 1);
	say("read=%s", num(recvmsg(fds[1], &m, 0)));
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	say("type=%s", yes(h && h->cmsg_type == SCM_CREDENTIALS));
	if (h)
		memcpy(&c, CMSG_DATA(h), sizeof c);
	say("pid=%s", yes(c.pid == getpid()));
}

static void epoll_edges(void)
{
	int fds[2], ep = epoll_create1(0);
	struct epoll_event e = {.events = EPOLLIN | EPOLLET}, got;
	char c;
	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	epoll_ctl(ep, EPOLL_CTL_ADD, fds[1], &e);
	write(fds[0], "ab", 2);
	say("first=%d", epoll_wait(ep, &got, 1, 0));
	say("same=%d", epoll_wait(ep, &got, 1, 0));
	write(fds[0], "c", 1);
	say("new=%d", epoll_wait(ep, &got, 1, 0));
	read(fds[1], &c, 1);
	say("same=%d", epoll_wait(ep, &got, 1, 0));
	close(fds[0]);
	say("end=%d", epoll_wait(ep, &got, 1, 0));
	say("%s", events_text((int)got.events));
}

static void *answer(void *arg)
{
	char text[64];
	long n;
	while ((n = read(*(int *)arg, text, sizeof text)) > 0)
		write(*(int *)arg, text, (size_t)n);
	return NULL;
}

static void ping_pong(void)
{
	int fds[2], good = 0;
	pthread_t thread;
	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	pthread_create(&thread, NULL, answer, &fds[1]);
	for (int i = 0; i < 1000; i++) {
		char c = (char)i, back = 0;
		write(fds[0], &c, 1);
		read(fds[0], &back, 1);
		good += back == c;
	}
	shutdown(fds[0], SHUT_WR);
	pthread_join(thread, NULL);
	say("good=%d", good);
}

static void timeouts(void)
{
	int fds[2];
	char c;
	struct timeval t = {0, 20000};
	static char block[65536];
	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
	setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
	int64_t since = now_ns(CLOCK_MONOTONIC);
	say("read=%s", num(read(fds[0], &c, 1)));
	say("waited=%s", waited(since, 19000000));
	long n;
	while ((n = write(fds[0], block, sizeof block)) == sizeof block)
		;
	say("last=%s", yes(n == -1 ? errno == EAGAIN : n > 0));
}

static const struct guest_case cases[] = {
	C(pair),
	C(pair_arguments),
	C(pair_end),
	C(pair_unread),
	C(pair_half),
	C(stream_fills),
	C(large_write),
	C(peeking),
	C(path_names),
	C(path_errors),
	C(abstract_names),
	C(automatic_name),
	C(not_connected),
	C(sends_before_accept),
	C(backlog_full),
	C(datagram_pair),
	C(datagram_names),
	C(datagram_connected),
	C(packets),
	C(rights),
	C(rights_in_streams),
	C(rights_without_room),
	C(rights_keep_files_open),
	C(credentials),
	C(epoll_edges),
	C(ping_pong),
	C(timeouts),
};

GUEST_MAIN("sockets_unix", cases)
