/*
 * pipes.c - pipes: order, end of file, capacity, non-blocking ends, broken pipes, splitting of writes.
 */
#include "case.h"

#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

static volatile sig_atomic_t broken;

static void on_broken(int number)
{
	(void)number;
	broken++;
}

static void basic(void)
{
	int fds[2];
	char text[16] = {0};
	say("%s", rc(pipe(fds)));
	say("order=%s", yes(fds[0] == 3 && fds[1] == 4));
	say("write=%s", num(write(fds[1], "abcdef", 6)));
	say("read=%s", num(read(fds[0], text, 4)));
	say("text=%s", text);
	memset(text, 0, sizeof text);
	say("rest=%s", num(read(fds[0], text, 15)));
	say("text=%s", text);
}

static void end_of_file(void)
{
	int fds[2];
	char text[8];
	pipe(fds);
	write(fds[1], "xy", 2);
	close(fds[1]);
	say("read=%s", num(read(fds[0], text, 8)));
	say("eof=%s", num(read(fds[0], text, 8)));
	say("eof=%s", num(read(fds[0], text, 8)));
}

static void end_of_file_needs_all_writers(void)
{
	int fds[2];
	char text[8];
	pipe2(fds, O_NONBLOCK);
	int copy = dup(fds[1]);
	close(fds[1]);
	say("one-left=%s", num(read(fds[0], text, 8)));
	close(copy);
	say("none-left=%s", num(read(fds[0], text, 8)));
}

static void broken_pipe_error(void)
{
	int fds[2];
	pipe(fds);
	signal(SIGPIPE, SIG_IGN);
	close(fds[0]);
	say("write=%s", num(write(fds[1], "x", 1)));
	say("empty-write=%s", num(write(fds[1], "", 0)));
	struct iovec vector = {(void *)"x", 1};
	say("writev=%s", num(writev(fds[1], &vector, 1)));
}

static void broken_pipe_signal(void)
{
	int fds[2];
	pipe(fds);
	broken = 0;
	signal(SIGPIPE, on_broken);
	close(fds[0]);
	say("write=%s", num(write(fds[1], "x", 1)));
	say("signals=%d", (int)broken);
	say("write=%s", num(write(fds[1], "x", 1)));
	say("signals=%d", (int)broken);
}

static void wrong_end(void)
{
	int fds[2];
	char byte = 0;
	pipe(fds);
	say("write-to-read-end=%s", num(write(fds[0], "x", 1)));
	say("read-of-write-end=%s", num(read(fds[1], &byte, 1)));
	say("lseek=%s", num(lseek(fds[0], 0, SEEK_CUR)));
	say("pread=%s", num(pread(fds[0], &byte, 1, 0)));
	say("pwrite=%s", num(pwrite(fds[1], &byte, 1, 0)));
	say("truncate=%s", rc(ftruncate(fds[1], 0)));
}

static void nonblocking_empty(void)
{
	int fds[2];
	char byte;
	pipe2(fds, O_NONBLOCK);
	say("read=%s", num(read(fds[0], &byte, 1)));
	write(fds[1], "x", 1);
	say("read=%s", num(read(fds[0], &byte, 1)));
	say("read=%s", num(read(fds[0], &byte, 1)));
}

static void nonblocking_full(void)
{
	int fds[2];
	static char block[65536];
	pipe2(fds, O_NONBLOCK);
	size_t total = 0;
	ssize_t n;
	while ((n = write(fds[1], block, 4096)) > 0)
		total += (size_t)n;
	say("total=%zu then=%s", total, errno_name(errno));
	say("byte=%s", num(write(fds[1], "x", 1)));
	say("read=%s", num(read(fds[0], block, 4096)));
	say("room=%s", num(write(fds[1], block, 4096)));
	say("again=%s", num(write(fds[1], block, 4096)));
	int waiting = 0;
	ioctl(fds[0], FIONREAD, &waiting);
	say("waiting=%d", waiting);
}

static void nonblocking_large_write_is_cut(void)
{
	int fds[2];
	static char block[200000];
	pipe2(fds, O_NONBLOCK);
	say("write=%s", num(write(fds[1], block, sizeof block)));
	say("write=%s", num(write(fds[1], block, sizeof block)));
	read(fds[0], block, 5000);
	/* Up to PIPE_BUF it is all or nothing. */
	say("atomic=%s", num(write(fds[1], block, 4096)));
	say("atomic=%s", num(write(fds[1], block, 4096)));
}

static void capacity(void)
{
	int fds[2];
	pipe(fds);
	say("%s", num(fcntl(fds[0], F_GETPIPE_SZ)));
	say("set=%s", num(fcntl(fds[1], F_SETPIPE_SZ, 4096)));
	say("%s", num(fcntl(fds[0], F_GETPIPE_SZ)));
	say("set=%s", num(fcntl(fds[1], F_SETPIPE_SZ, 5000)));
	say("set=%s", num(fcntl(fds[1], F_SETPIPE_SZ, 131072)));
	put_file("a", "x");
	say("file=%s", num(fcntl(open("a", O_RDONLY), F_GETPIPE_SZ)));
}

static void pipe2_flags(void)
{
	int fds[2];
	say("%s", rc(pipe2(fds, O_CLOEXEC | O_NONBLOCK)));
	say("cloexec=%d%d", (int)(fcntl(fds[0], F_GETFD) > 0), (int)(fcntl(fds[1], F_GETFD) > 0));
	say("nonblock=%d", (int)((fcntl(fds[0], F_GETFL) & O_NONBLOCK) != 0));
	say("bad=%s", rc(pipe2(fds, O_APPEND)));
	say("null=%s", rc(syscall(SYS_pipe2, NULL, 0)));
}

static void vectors(void)
{
	int fds[2];
	char a[4] = {0}, b[8] = {0};
	pipe(fds);
	struct iovec out[3] = {{(void *)"ab", 2}, {(void *)"cde", 3}, {(void *)"f", 1}};
	say("writev=%s", num(writev(fds[1], out, 3)));
	struct iovec in[2] = {{a, 3}, {b, 7}};
	say("readv=%s", num(readv(fds[0], in, 2)));
	say("%s/%s", a, b);
}

static void poll_states(void)
{
	int fds[2];
	static char block[65536];
	pipe(fds);
	struct pollfd p[2] = {{fds[0], POLLIN, 0}, {fds[1], POLLOUT, 0}};
	say("empty=%d", poll(p, 2, 0));
	say("%x,%x", p[0].revents, p[1].revents);
	write(fds[1], "x", 1);
	say("some=%d", poll(p, 2, 0));
	say("%x,%x", p[0].revents, p[1].revents);
	write(fds[1], block, 65535);
	say("full=%d", poll(p, 2, 0));
	say("%x,%x", p[0].revents, p[1].revents);
	int writer = fds[1];
	p[1].fd = -1;
	close(writer);
	say("closed=%d", poll(p, 2, 0));
	say("%x,%x", p[0].revents, p[1].revents);
	while (read(fds[0], block, sizeof block) > 0)
		;
	say("drained=%d", poll(p, 1, 0));
	say("%x", p[0].revents);
}

static void poll_no_reader(void)
{
	int fds[2];
	pipe(fds);
	close(fds[0]);
	struct pollfd p = {fds[1], POLLOUT, 0};
	say("%d", poll(&p, 1, 0));
	say("%x", p.revents);
}

static void *feed(void *argument)
{
	int fd = *(int *)argument;
	unsigned char block[3001];
	for (int round = 0; round < 200; round++) {
		for (size_t i = 0; i < sizeof block; i++)
			block[i] = (unsigned char)(round * 7 + (int)i);
		for (size_t done = 0; done < sizeof block;) {
			ssize_t n = write(fd, block + done, sizeof block - done);
			if (n <= 0)
				return NULL;
			done += (size_t)n;
		}
	}
	close(fd);
	return NULL;
}

static void through_a_thread(void)
{
	/* 600 KB through a 64 KiB pipe: both sides have to wait for each other. */
	int fds[2];
	pthread_t thread;
	pipe(fds);
	pthread_create(&thread, NULL, feed, &fds[1]);
	unsigned char block[1999];
	size_t total = 0, wrong = 0;
	for (ssize_t n; (n = read(fds[0], block, sizeof block)) > 0; total += (size_t)n)
		for (ssize_t i = 0; i < n; i++) {
			size_t at = total + (size_t)i;
			wrong += block[i] != (unsigned char)(at / 3001 * 7 + at % 3001);
		}
	pthread_join(thread, NULL);
	say("total=%zu wrong=%zu", total, wrong);
}

static void *late_writer(void *argument)
{
	int *fds = argument;
	char byte;
	read(fds[0], &byte, 1); /* wait until told */
	write(fds[3], "late", 4);
	return NULL;
}

static void blocked_read_wakes(void)
{
	int fds[4];
	char text[8] = {0};
	pthread_t thread;
	pipe(fds);
	pipe(fds + 2);
	pthread_create(&thread, NULL, late_writer, fds);
	write(fds[1], "g", 1);
	say("read=%s", num(read(fds[2], text, 8)));
	say("%s", text);
	pthread_join(thread, NULL);
}

static void *block_until_broken(void *argument)
{
	static char block[65536];
	int fd = *(int *)argument;
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	write(fd, block, sizeof block);
	ssize_t n = write(fd, "x", 1);
	return (void *)(intptr_t)(n < 0 ? errno : 0);
}

static void blocked_write_sees_close(void)
{
	int fds[2], waiting = 0;
	void *result;
	pthread_t thread;
	pipe(fds);
	pthread_create(&thread, NULL, block_until_broken, &fds[1]);
	while (waiting < 65536) /* the writer is at, or about to enter, its blocking write */
		ioctl(fds[0], FIONREAD, &waiting);
	close(fds[0]);
	pthread_join(thread, &result);
	say("%s", errno_name((int)(intptr_t)result));
}

static void fifo_file(void)
{
	char text[8] = {0};
	say("%s", rc(mkfifo("p", 0600)));
	/* Read-write never blocks on Linux. */
	int fd = open("p", O_RDWR);
	say("open=%s", rc(fd));
	say("write=%s", num(write(fd, "fifo", 4)));
	int r = open("p", O_RDONLY | O_NONBLOCK);
	say("read=%s", num(read(r, text, 8)));
	say("%s", text);
	mkfifo("q", 0600);
	say("no-reader=%s", rc(open("q", O_WRONLY | O_NONBLOCK)));
}

static void tee_and_splice(void)
{
	int a[2], b[2];
	char text[8] = {0};
	pipe(a);
	pipe(b);
	put_file("f", "0123456789");
	int fd = open("f", O_RDONLY);
	say("splice-in=%s", num(splice(fd, NULL, a[1], NULL, 6, 0)));
	say("tee=%s", num(tee(a[0], b[1], 4, 0)));
	say("read=%s", num(read(b[0], text, 8)));
	say("%s", text);
	int out = open("g", O_CREAT | O_WRONLY, 0644);
	say("splice-out=%s", num(splice(a[0], NULL, out, NULL, 6, 0)));
	say("%s", get_file("g"));
}

static const struct guest_case cases[] = {
	C(basic),
	C(end_of_file),
	C(end_of_file_needs_all_writers),
	C(broken_pipe_error),
	C(broken_pipe_signal),
	C(wrong_end),
	C(nonblocking_empty),
	C(nonblocking_full),
	C(nonblocking_large_write_is_cut),
	C(capacity),
	C(pipe2_flags),
	C(vectors),
	C(poll_states),
	C(poll_no_reader),
	C(through_a_thread),
	C(blocked_read_wakes),
	C(blocked_write_sees_close),
	C(fifo_file),
	C(tee_and_splice),
};

GUEST_MAIN("pipes", cases)
