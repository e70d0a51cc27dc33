/*
 * badptr.c - pointers that a call must refuse with EFAULT, and data that ends where memory ends.
 */
#include "case.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>

#define PAGE 4096

/* Two pages, of which the second is not there: `end` is the border. */
static char *border(void)
{
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(p + PAGE, PAGE, PROT_NONE);
	return p + PAGE;
}

static char *readonly_page(void)
{
	return mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void *const bad_pointers[] = {
	NULL,
	(void *)8,
	(void *)0x7ffffffff000,
	(void *)0x8000000000000000,
	(void *)0xffff800000000000,
	(void *)0xffffffffffffff00,
	(void *)-1,
};
#define BAD (sizeof bad_pointers / sizeof bad_pointers[0])

static void read_into(void)
{
	put_file("f", "0123456789");
	int fd = open("f", O_RDONLY);
	for (size_t i = 0; i < BAD; i++)
		say("%s", rc(read(fd, bad_pointers[i], 4)));
	say("readonly=%s", rc(read(fd, readonly_page(), 4)));
	say("none=%s", rc(read(fd, border(), 4)));
	say("position=%s", num(lseek(fd, 0, SEEK_CUR)));
	/* Nothing to transfer: the pointer does not matter at the end of the file. */
	say("zero=%s", num(read(fd, border(), 0)));
}

static void write_from(void)
{
	int fd = open("f", O_CREAT | O_RDWR, 0644);
	for (size_t i = 0; i < BAD; i++)
		say("%s", rc(write(fd, bad_pointers[i], 4)));
	say("none=%s", rc(write(fd, border(), 4)));
	say("size=%ld", file_size(fd));
}

static void crossing_a_border(void)
{
	/* What fits before the border may be transferred; what is said must be what happened. */
	put_file("f", "0123456789");
	int fd = open("f", O_RDWR);
	char *end = border();
	memset(end - 8, 0, 8);
	ssize_t n = read(fd, end - 4, 8);
	int saved = errno;
	say("read-sane=%s",
		yes((n == -1 && saved == EFAULT) || (n == 4 && memcmp(end - 4, "0123", 4) == 0)));
	long position = lseek(fd, 0, SEEK_CUR);
	say("position-agrees=%s", yes(position == (n < 0 ? 0 : n)));
	lseek(fd, 0, SEEK_SET);
	memcpy(end - 4, "ABCD", 4);
	n = write(fd, end - 4, 8);
	saved = errno;
	position = lseek(fd, 0, SEEK_CUR);
	say("write-sane=%s",
		yes(((n == -1 && saved == EFAULT) || n == 4) && position == (n < 0 ? 0 : n)));
	say("intact=%s", yes(strcmp(get_file("f") + 4, "456789") == 0));
}

static void crossing_in_a_pipe(void)
{
	int fds[2];
	char *end = border();
	pipe(fds);
	memcpy(end - 4, "ABCD", 4);
	say("write=%s", rc(write(fds[1], end, 4)));
	/* The part before the bad address may go through; then it is there, and counted. */
	struct iovec v[2] = {{(void *)"xy", 2}, {end, 4}};
	ssize_t n = writev(fds[1], v, 2);
	int saved = errno;
	char back[8] = {0};
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	ssize_t arrived = read(fds[0], back, 8);
	say("writev-sane=%s",
		yes((n == -1 && saved == EFAULT && arrived == -1) ||
			(n == 2 && arrived == 2 && memcmp(back, "xy", 2) == 0)));
}

static void paths(void)
{
	struct stat st;
	char *end = border();
	for (size_t i = 0; i < BAD; i++) {
		say("%s", rc(syscall(SYS_open, bad_pointers[i], O_RDONLY)));
		say("%s", rc(syscall(SYS_stat, bad_pointers[i], &st)));
	}
	/* A name that runs into the border without an end; and one that ends just before it. */
	memset(end - 6, 'n', 6);
	say("unterminated=%s", rc(open(end - 6, O_RDONLY)));
	end[-1] = 0;
	say("terminated=%s", rc(open(end - 6, O_RDONLY)));
	memcpy(end - 3, "dd", 3);
	say("mkdir=%s", rc(mkdir(end - 3, 0755)));
	say("there=%s", rc(access("dd", F_OK)));
	say("chdir=%s", rc(syscall(SYS_chdir, 8L)));
	say("unlink=%s", rc(syscall(SYS_unlink, 8L)));
	say("rename=%s", rc(syscall(SYS_rename, "dd", 8L)));
	say("symlink=%s", rc(syscall(SYS_symlink, 8L, "x")));
	say("access=%s", rc(syscall(SYS_access, 8L, 0)));
}

static void structures_out(void)
{
	put_file("f", "x");
	int fd = open("f", O_RDONLY);
	char *end = border();
	say("fstat=%s", rc(syscall(SYS_fstat, fd, 8L)));
	say("fstat-border=%s", rc(syscall(SYS_fstat, fd, end - 16)));
	say("fstat-readonly=%s", rc(syscall(SYS_fstat, fd, readonly_page())));
	say("stat=%s", rc(syscall(SYS_stat, "f", 8L)));
	say("fstatat=%s", rc(syscall(SYS_newfstatat, AT_FDCWD, "f", 8L, 0)));
	say("statx=%s", rc(syscall(SYS_statx, AT_FDCWD, "f", 0, 0x7ff, 8L)));
	say("statfs=%s", rc(syscall(SYS_statfs, "f", 8L)));
	say("getcwd=%s", rc(syscall(SYS_getcwd, 8L, 4096L)));
	say("getcwd-border=%s", rc(syscall(SYS_getcwd, end - 2, 4096L)));
	say("readlink=%s", (symlink("target", "l"), rc(syscall(SYS_readlink, "l", 8L, 10L))));
	int dir = open(".", O_RDONLY);
	say("getdents=%s", rc(syscall(SYS_getdents64, dir, 8L, 4096L)));
	say("uname=%s", rc(syscall(SYS_uname, end - 10)));
	say("pipe=%s", rc(syscall(SYS_pipe, 8L)));
	say("getrlimit=%s", rc(syscall(SYS_getrlimit, RLIMIT_NOFILE, 8L)));
	say("getrusage=%s", rc(syscall(SYS_getrusage, 0L, 8L)));
	say("sysinfo=%s", rc(syscall(SYS_sysinfo, 8L)));
	say("times=%s", rc(syscall(SYS_times, 8L)));
	say("getrandom=%s", rc(syscall(SYS_getrandom, end, 16L, 0L)));
	/* The failed pipe call left no descriptors behind. */
	int next = dup(0);
	say("no-leak=%s", yes(next == dir + 1));
}

static void structures_in(void)
{
	int fds[2];
	pipe(fds);
	say("nanosleep=%s", rc(syscall(SYS_nanosleep, 8L, NULL)));
	say("poll=%s", rc(syscall(SYS_poll, 8L, 1L, 0L)));
	say("poll-border=%s", rc(syscall(SYS_poll, border() - 4, 1L, 0L)));
	say("select=%s", rc(syscall(SYS_select, 10L, 8L, NULL, NULL, NULL)));
	say("select-time=%s", rc(syscall(SYS_select, 0L, NULL, NULL, NULL, 8L)));
	say("readv=%s", rc(syscall(SYS_readv, fds[0], 8L, 1L)));
	say("writev=%s", rc(syscall(SYS_writev, fds[1], 8L, 1L)));
	struct iovec bad = {(void *)8, 4};
	say("writev-base=%s", rc(writev(fds[1], &bad, 1)));
	say("sigaction=%s", rc(syscall(SYS_rt_sigaction, SIGUSR1, 8L, NULL, 8L)));
	say("sigaction-old=%s", rc(syscall(SYS_rt_sigaction, SIGUSR1, NULL, 8L, 8L)));
	say("sigprocmask=%s", rc(syscall(SYS_rt_sigprocmask, 0L, 8L, NULL, 8L)));
	say("sigaltstack=%s", rc(syscall(SYS_sigaltstack, 8L, NULL)));
	say("setitimer=%s", rc(syscall(SYS_setitimer, 0L, 8L, NULL)));
	int set = epoll_create1(0);
	say("epoll_ctl=%s", rc(syscall(SYS_epoll_ctl, set, EPOLL_CTL_ADD, fds[0], 8L)));
	say("utimensat=%s", rc(syscall(SYS_utimensat, AT_FDCWD, ".", 8L, 0L)));
	say("setrlimit=%s", rc(syscall(SYS_setrlimit, RLIMIT_CORE, 8L)));
	say("execve=%s", rc(syscall(SYS_execve, 8L, NULL, NULL)));
	char *argv_bad[] = {(char *)8, NULL};
	say("execve-argument=%s", rc(syscall(SYS_execve, "/proc/self/exe", argv_bad, NULL)));
	say("execve-vector=%s", rc(syscall(SYS_execve, "/proc/self/exe", 8L, NULL)));
	say("futex=%s", rc(syscall(SYS_futex, border(), 0L, 0L, NULL, NULL, 0L)));
}

static void copies_of_large_blocks(void)
{
	/* One MiB of memory of which a page in the middle is missing. */
	char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("f", O_CREAT | O_RDWR, 0644);
	memset(p, 'x', 1 << 20);
	mprotect(p + (1 << 19), PAGE, PROT_NONE);
	long n = write(fd, p, 1 << 20);
	/* Linux writes what it could before the hole, in pieces of its own choice. */
	say("write-sane=%s", yes(n == -1 || (n > 0 && n <= 1 << 19)));
	say("size-agrees=%s", yes(file_size(fd) == (n < 0 ? 0 : n)));
	lseek(fd, 0, SEEK_SET);
	ftruncate(fd, 1 << 20);
	n = read(fd, p, 1 << 20);
	say("read-sane=%s", yes(n == -1 || (n > 0 && n <= 1 << 19)));
	say("position-agrees=%s", yes(lseek(fd, 0, SEEK_CUR) == (n < 0 ? 0 : n)));
}

static void huge_lengths(void)
{
	/* Not on the stack: so near the end of the address space a long range would wrap. */
	static char byte, text[16];
	put_file("f", "0123456789");
	int fd = open("f", O_RDWR), fds[2];
	pipe(fds);
	write(fds[1], "abc", 3);
	/* A length is cut, not refused, when only little is there to read; a wrapping one is refused. */
	say("file=%s", num(syscall(SYS_read, fd, text, 0x7fffffffL)));
	say("pipe=%s", num(syscall(SYS_read, fds[0], text, 0x7fffffffL)));
	say("wrapped=%s", rc(syscall(SYS_read, fd, &byte, -1L)));
	say("wrapped-write=%s", rc(syscall(SYS_write, fd, &byte, -1L)));
}

static const struct guest_case cases[] = {
	C(read_into),
	C(write_from),
	C(crossing_a_border),
	C(crossing_in_a_pipe),
	C(paths),
	C(structures_out),
	C(structures_in),
	C(copies_of_large_blocks),
	C(huge_lengths),
};

GUEST_MAIN("badptr", cases)
