/*
 * fds.c - descriptors: duplication, flags, shared positions, close-on-exec bits.
 */
#include "case.h"

#include <sys/ioctl.h>
#include <sys/resource.h>

/* The status flags that programs care about, as text. */
static const char *flag_text(int flags)
{
	static char text[128];
	int mode = flags & O_ACCMODE;

	if (flags == -1)
		return errno_name(errno);
	snprintf(text, sizeof text, "%s%s%s%s%s%s",
		mode == O_RDONLY           ? "r"
			: mode == O_WRONLY ? "w"
					   : "rw",
		flags & O_APPEND ? "+append" : "", flags & O_NONBLOCK ? "+nonblock" : "",
		flags & O_CREAT ? "+creat" : "", flags & O_TRUNC ? "+trunc" : "",
		flags & O_PATH ? "+path" : "");
	return text;
}

static void dup_shares_position(void)
{
	char text[8] = {0};
	put_file("a", "0123456789");
	int a = open("a", O_RDONLY), b = dup(a);
	say("next=%s", yes(b == a + 1));
	say("read=%s", num(read(a, text, 3)));
	say("pos-of-copy=%s", num(lseek(b, 0, SEEK_CUR)));
	lseek(b, 7, SEEK_SET);
	say("read=%s", num(read(a, text, 5)));
	say("text=%.3s", text);
	close(a);
	say("copy-lives=%s", num(lseek(b, 0, SEEK_CUR)));
}

static void two_opens_do_not_share(void)
{
	char text[8] = {0};
	put_file("a", "0123456789");
	int a = open("a", O_RDONLY), b = open("a", O_RDONLY);
	read(a, text, 4);
	say("pos=%s", num(lseek(a, 0, SEEK_CUR)));
	say("other=%s", num(lseek(b, 0, SEEK_CUR)));
}

static void dup2_cases(void)
{
	put_file("a", "aaa");
	put_file("b", "bbbb");
	int a = open("a", O_RDONLY), b = open("b", O_RDONLY);
	say("same=%s", yes(dup2(a, a) == a));
	say("onto=%s", yes(dup2(a, b) == b));
	say("size=%ld", file_size(b));
	say("far=%s", num(dup2(a, 200)));
	say("size=%ld", file_size(200));
	say("closed=%s", rc(dup2(77, a)));
	say("closed-same=%s", rc(dup2(77, 77)));
	say("negative=%s", rc(dup2(a, -1)));
	say("too-high=%s", rc(dup2(a, 1 << 30)));
	say("a-alive=%ld", file_size(a));
}

static void dup3_cases(void)
{
	put_file("a", "aaa");
	int a = open("a", O_RDONLY);
	say("%s", num(dup3(a, 50, O_CLOEXEC)));
	say("fd-flags=%d", fcntl(50, F_GETFD));
	say("%s", num(dup3(a, 51, 0)));
	say("fd-flags=%d", fcntl(51, F_GETFD));
	say("same=%s", rc(dup3(a, a, 0)));
	say("flags=%s", rc(dup3(a, 52, O_APPEND)));
	say("closed=%s", rc(dup3(77, 78, 0)));
}

static void dup_clears_cloexec(void)
{
	put_file("a", "aaa");
	int a = open("a", O_RDONLY | O_CLOEXEC);
	say("a=%d", fcntl(a, F_GETFD));
	int b = dup(a);
	say("dup=%d", fcntl(b, F_GETFD));
	dup2(a, 60);
	say("dup2=%d", fcntl(60, F_GETFD));
}

static void fcntl_dupfd(void)
{
	put_file("a", "aaa");
	int a = open("a", O_RDONLY);
	say("%s", num(fcntl(a, F_DUPFD, 100)));
	say("%s", num(fcntl(a, F_DUPFD, 100)));
	say("cloexec=%s", num(fcntl(a, F_DUPFD_CLOEXEC, 100)));
	say("flags=%d,%d", fcntl(100, F_GETFD), fcntl(102, F_GETFD));
	close(101);
	say("hole=%s", num(fcntl(a, F_DUPFD, 100)));
	say("negative=%s", rc(fcntl(a, F_DUPFD, -1)));
	say("too-high=%s", rc(fcntl(a, F_DUPFD, 1 << 30)));
}

static void fcntl_fd_flags(void)
{
	put_file("a", "aaa");
	int a = open("a", O_RDONLY);
	say("%s", num(fcntl(a, F_GETFD)));
	say("set=%s", rc(fcntl(a, F_SETFD, FD_CLOEXEC)));
	say("%s", num(fcntl(a, F_GETFD)));
	say("set=%s", rc(fcntl(a, F_SETFD, 0)));
	say("%s", num(fcntl(a, F_GETFD)));
	int c = open("a", O_RDONLY | O_CLOEXEC);
	say("%s", num(fcntl(c, F_GETFD)));
	say("unknown=%s", rc(fcntl(a, 9999, 0)));
}

static void fcntl_status_flags(void)
{
	int fd = open("a", O_CREAT | O_TRUNC | O_RDWR | O_APPEND, 0644);
	say("%s", flag_text(fcntl(fd, F_GETFL)));
	say("set=%s", rc(fcntl(fd, F_SETFL, O_NONBLOCK)));
	say("%s", flag_text(fcntl(fd, F_GETFL)));
	/* The access mode can not be changed; the call ignores it. */
	say("set=%s", rc(fcntl(fd, F_SETFL, O_APPEND | O_RDONLY)));
	say("%s", flag_text(fcntl(fd, F_GETFL)));
	int w = open("a", O_WRONLY);
	say("%s", flag_text(fcntl(w, F_GETFL)));
	int p = open("a", O_PATH);
	say("%s", flag_text(fcntl(p, F_GETFL)));
}

static void append_flag_set_later(void)
{
	put_file("a", "start.");
	int fd = open("a", O_RDWR);
	say("write=%s", num(write(fd, "S", 1)));
	fcntl(fd, F_SETFL, O_APPEND);
	say("write=%s", num(write(fd, "end", 3)));
	say("%s", get_file("a"));
}

static void flags_shared_by_dup(void)
{
	int fds[2];
	char byte;
	pipe(fds);
	int copy = dup(fds[0]);
	fcntl(copy, F_SETFL, O_NONBLOCK);
	say("%s", flag_text(fcntl(fds[0], F_GETFL)));
	say("read=%s", num(read(fds[0], &byte, 1)));
}

static void ioctl_cloexec(void)
{
	put_file("a", "aaa");
	int a = open("a", O_RDONLY);
	say("set=%s", rc(ioctl(a, FIOCLEX)));
	say("%d", fcntl(a, F_GETFD));
	say("clear=%s", rc(ioctl(a, FIONCLEX)));
	say("%d", fcntl(a, F_GETFD));
}

static void ioctl_nonblock(void)
{
	int fds[2], on = 1, count = -1;
	char byte;
	pipe(fds);
	say("%s", rc(ioctl(fds[0], FIONBIO, &on)));
	say("read=%s", num(read(fds[0], &byte, 1)));
	write(fds[1], "abcde", 5);
	say("fionread=%s", rc(ioctl(fds[0], FIONREAD, &count)));
	say("count=%d", count);
}

static void ioctl_not_a_tty(void)
{
	char buffer[64];
	put_file("a", "aaa");
	int a = open("a", O_RDONLY);
	say("tcgets=%s", rc(ioctl(a, 0x5401 /* TCGETS */, buffer)));
	say("winsize=%s", rc(ioctl(a, TIOCGWINSZ, buffer)));
	say("isatty=%d", isatty(a));
	say("errno=%s", errno_name(errno));
	say("unknown=%s", rc(ioctl(a, 0x12345678, buffer)));
}

static void close_range_call(void)
{
	put_file("a", "aaa");
	for (int i = 0; i < 10; i++)
		open("a", O_RDONLY);
	say("%s", rc(close_range(5, 8, 0)));
	for (int fd = 3; fd < 13; fd++)
		say("%d:%s", fd, fcntl(fd, F_GETFD) < 0 ? "closed" : "open");
	say("cloexec=%s", rc(close_range(9, 10, CLOSE_RANGE_CLOEXEC)));
	say("%d,%d,%d", fcntl(9, F_GETFD), fcntl(10, F_GETFD), fcntl(11, F_GETFD));
	say("reversed=%s", rc(close_range(8, 5, 0)));
	say("flags=%s", rc(close_range(5, 8, 64)));
	say("rest=%s", rc(close_range(3, ~0U, 0)));
	say("%s", rc(fcntl(3, F_GETFD)));
}

static void descriptor_limit(void)
{
	struct rlimit old, small = {20, 20};
	put_file("a", "aaa");
	say("get=%s", rc(getrlimit(RLIMIT_NOFILE, &old)));
	small.rlim_max = old.rlim_max;
	say("set=%s", rc(setrlimit(RLIMIT_NOFILE, &small)));
	int last = -1, fd, opened = 0, fds[2];
	while (opened < 100 && (fd = open("a", O_RDONLY)) >= 0) {
		last = fd;
		opened++;
	}
	say("%s last=%d", errno_name(errno), last);
	say("dup=%s", rc(dup(0)));
	say("pipe=%s", rc(pipe(fds)));
	say("dup2=%s", rc(dup2(0, 20)));
	say("restore=%s", rc(setrlimit(RLIMIT_NOFILE, &old)));
	say("again=%s", rc(open("a", O_RDONLY)));
}

static void standard_descriptors(void)
{
	struct stat st;
	for (int fd = 0; fd < 3; fd++)
		say("%d:%s", fd, rc(fstat(fd, &st)));
	close(0);
	put_file("a", "aaa");
	say("lowest=%s", num(open("a", O_RDONLY)));
}

static const struct guest_case cases[] = {
	C(dup_shares_position),
	C(two_opens_do_not_share),
	C(dup2_cases),
	C(dup3_cases),
	C(dup_clears_cloexec),
	C(fcntl_dupfd),
	C(fcntl_fd_flags),
	C(fcntl_status_flags),
	C(append_flag_set_later),
	C(flags_shared_by_dup),
	C(ioctl_cloexec),
	C(ioctl_nonblock),
	C(ioctl_not_a_tty),
	C(close_range_call),
	C(descriptor_limit),
	C(standard_descriptors),
};

GUEST_MAIN("fds", cases)
