/*
 * meta.c - what is known about a file: stat fields, modes, times, owners, access checks, statfs.
 */
#include "case.h"

#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/xattr.h>

static void stat_fields(void)
{
	struct stat st;
	put_file("a", "0123456789");
	say("%s", rc(stat("a", &st)));
	say("mode=%o size=%ld links=%lu uid=%u gid=%u", (unsigned)st.st_mode, (long)st.st_size,
		(unsigned long)st.st_nlink, st.st_uid, st.st_gid);
	say("ino=%s blksize=%s blocks=%s rdev=%lu", yes(st.st_ino != 0), yes(st.st_blksize >= 512),
		yes(st.st_blocks > 0), (unsigned long)st.st_rdev);
	int64_t age = now_ns(CLOCK_REALTIME) / 1000000000 - st.st_mtim.tv_sec;
	say("fresh=%s", yes(age >= -1 && age < 60));
	say("same-times=%s", yes(st.st_mtim.tv_sec == st.st_ctim.tv_sec));
	say("missing=%s", rc(stat("none", &st)));
	say("empty=%s", rc(stat("", &st)));
}

static void stat_family_agrees(void)
{
	struct stat a, b, c, d;
	put_file("f", "xyz");
	int fd = open("f", O_RDONLY);
	memset(&a, 0, sizeof a);
	memset(&b, 1, sizeof b);
	memset(&c, 2, sizeof c);
	memset(&d, 3, sizeof d);
	say("%s", rc(stat("f", &a)));
	say("%s", rc(lstat("f", &b)));
	say("%s", rc(fstat(fd, &c)));
	say("%s", rc(fstatat(fd, "", &d, AT_EMPTY_PATH)));
	say("same=%s%s%s", yes(memcmp(&a, &b, 120) == 0), yes(memcmp(&a, &c, 120) == 0),
		yes(memcmp(&a, &d, 120) == 0));
	say("no-flag=%s", rc(fstatat(fd, "", &d, 0)));
	say("flags=%s", rc(fstatat(fd, "", &d, 0x40000)));
}

static void statx_fields(void)
{
	struct statx x;
	struct stat st;
	put_file("a", "0123456789");
	stat("a", &st);
	memset(&x, 0, sizeof x);
	say("%s", rc(statx(AT_FDCWD, "a", 0, STATX_BASIC_STATS, &x)));
	say("mask=%s", yes((x.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS));
	say("mode=%o size=%lu links=%u uid=%u", x.stx_mode, (unsigned long)x.stx_size, x.stx_nlink,
		x.stx_uid);
	say("ino=%s", yes(x.stx_ino == st.st_ino));
	say("dev=%s", yes(makedev(x.stx_dev_major, x.stx_dev_minor) == st.st_dev));
	say("mtime=%s",
		yes(x.stx_mtime.tv_sec == st.st_mtim.tv_sec &&
			x.stx_mtime.tv_nsec == (unsigned)st.st_mtim.tv_nsec));
	say("missing=%s", rc(statx(AT_FDCWD, "none", 0, STATX_BASIC_STATS, &x)));
	int fd = open("a", O_RDONLY);
	say("empty=%s", rc(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &x)));
	say("bad-mask=%s", rc(statx(fd, "", AT_EMPTY_PATH, 0x80000000u, &x)));
	say("bad-flags=%s", rc(statx(fd, "", 0x40000000, STATX_SIZE, &x)));
}

static void stat_kinds(void)
{
	struct stat st;
	int fds[2];
	mkdir("d", 0755);
	stat("d", &st);
	say("dir=%o", (unsigned)st.st_mode);
	pipe(fds);
	say("pipe=%s", rc(fstat(fds[0], &st)));
	say("fifo=%s", yes(S_ISFIFO(st.st_mode)));
	say("mode=%o", (unsigned)st.st_mode & 0777);
	say("size=%ld", (long)st.st_size);
	stat("/dev/null", &st);
	say("null=%s", yes(S_ISCHR(st.st_mode)));
	say("%u:%u", major(st.st_rdev), minor(st.st_rdev));
	stat("/dev/zero", &st);
	say("zero=%u:%u", major(st.st_rdev), minor(st.st_rdev));
	stat("/", &st);
	say("root=%s", yes(S_ISDIR(st.st_mode)));
}

static void inode_identity(void)
{
	struct stat a, b, c;
	put_file("a", "x");
	put_file("b", "x");
	stat("a", &a);
	stat("b", &b);
	rename("a", "c");
	stat("c", &c);
	say("different=%s", yes(a.st_ino != b.st_ino));
	say("kept-by-rename=%s", yes(a.st_ino == c.st_ino && a.st_dev == c.st_dev));
}

static void chmod_calls(void)
{
	struct stat st;
	put_file("a", "x");
	say("%s", rc(chmod("a", 0600)));
	stat("a", &st);
	say("%o", (unsigned)st.st_mode);
	int fd = open("a", O_RDONLY);
	say("fchmod=%s", rc(fchmod(fd, 04755)));
	stat("a", &st);
	say("%o", (unsigned)st.st_mode);
	say("fchmodat=%s", rc(fchmodat(AT_FDCWD, "a", 0444, 0)));
	stat("a", &st);
	say("%o", (unsigned)st.st_mode);
	say("missing=%s", rc(chmod("none", 0600)));
	symlink("a", "l");
	say("through-link=%s", rc(chmod("l", 0640)));
	stat("a", &st);
	say("%o", (unsigned)st.st_mode);
	lstat("l", &st);
	say("%o", (unsigned)st.st_mode);
}

static void umask_calls(void)
{
	struct stat st;
	say("%03o", (unsigned)umask(077));
	say("%03o", (unsigned)umask(0137));
	close(open("a", O_CREAT | O_WRONLY, 0777));
	stat("a", &st);
	say("mode=%o", (unsigned)st.st_mode);
	umask(0777);
	close(open("b", O_CREAT | O_WRONLY, 0777));
	stat("b", &st);
	say("mode=%o", (unsigned)st.st_mode);
	say("%03o", (unsigned)umask(07022));
	say("%03o", (unsigned)umask(022));
}

static void access_calls(void)
{
	put_file("a", "x");
	chmod("a", 0644);
	say("f=%s", rc(access("a", F_OK)));
	say("r=%s", rc(access("a", R_OK)));
	say("w=%s", rc(access("a", W_OK)));
	say("x=%s", rc(access("a", X_OK)));
	chmod("a", 0100);
	say("x=%s", rc(access("a", X_OK)));
	say("missing=%s", rc(access("none", F_OK)));
	say("mode=%s", rc(access("a", 64)));
	say("faccessat=%s", rc(faccessat(AT_FDCWD, "a", R_OK, 0)));
	say("eaccess=%s", rc(faccessat(AT_FDCWD, "a", R_OK, AT_EACCESS)));
	say("raw2=%s", rc(syscall(439, AT_FDCWD, "a", R_OK, AT_SYMLINK_NOFOLLOW)));
	symlink("none", "l");
	say("dangling=%s", rc(access("l", F_OK)));
	say("nofollow=%s", rc(syscall(439, AT_FDCWD, "l", F_OK, AT_SYMLINK_NOFOLLOW)));
}

static void times_set(void)
{
	struct stat st;
	struct timespec t[2] = {{1000000, 123456789}, {2000000, 987654321}};
	put_file("a", "x");
	say("%s", rc(utimensat(AT_FDCWD, "a", t, 0)));
	stat("a", &st);
	say("a=%ld.%09ld m=%ld.%09ld", st.st_atim.tv_sec, st.st_atim.tv_nsec, st.st_mtim.tv_sec,
		st.st_mtim.tv_nsec);
	t[0].tv_nsec = UTIME_OMIT;
	t[1].tv_nsec = UTIME_NOW;
	say("%s", rc(utimensat(AT_FDCWD, "a", t, 0)));
	stat("a", &st);
	say("a=%ld m-now=%s", st.st_atim.tv_sec, yes(st.st_mtim.tv_sec > 1500000000));
	t[0].tv_nsec = 2000000000;
	say("bad-nsec=%s", rc(utimensat(AT_FDCWD, "a", t, 0)));
	say("missing=%s", rc(utimensat(AT_FDCWD, "none", NULL, 0)));
	int fd = open("a", O_RDONLY);
	struct timespec zero[2] = {{5, 0}, {6, 0}};
	say("futimens=%s", rc(futimens(fd, zero)));
	fstat(fd, &st);
	say("a=%ld m=%ld", st.st_atim.tv_sec, st.st_mtim.tv_sec);
	struct timeval v[2] = {{7, 500000}, {8, 0}};
	say("utimes=%s", rc(utimes("a", v)));
	fstat(fd, &st);
	say("a=%ld.%ld m=%ld", st.st_atim.tv_sec, st.st_atim.tv_nsec, st.st_mtim.tv_sec);
	symlink("a", "l");
	struct timespec link[2] = {{77, 0}, {78, 0}};
	say("nofollow=%s", rc(utimensat(AT_FDCWD, "l", link, AT_SYMLINK_NOFOLLOW)));
	lstat("l", &st);
	say("link-m=%ld", st.st_mtim.tv_sec);
	stat("l", &st);
	say("file-m=%ld", st.st_mtim.tv_sec);
}

static void times_follow_changes(void)
{
	struct stat st;
	struct timespec old[2] = {{1000, 0}, {1000, 0}};
	char byte;
	put_file("a", "x");
	utimensat(AT_FDCWD, "a", old, 0);
	int fd = open("a", O_RDWR);
	read(fd, &byte, 1);
	fstat(fd, &st);
	say("m-after-read=%ld", st.st_mtim.tv_sec);
	pwrite(fd, "y", 1, 0);
	fstat(fd, &st);
	say("m-after-write-new=%s", yes(st.st_mtim.tv_sec > 1500000000));
	futimens(fd, old);
	ftruncate(fd, 5);
	fstat(fd, &st);
	say("m-after-truncate-new=%s", yes(st.st_mtim.tv_sec > 1500000000));
	mkdir("d", 0755);
	utimensat(AT_FDCWD, "d", old, 0);
	put_file("d/f", "x");
	stat("d", &st);
	say("dir-m-after-create-new=%s", yes(st.st_mtim.tv_sec > 1500000000));
	utimensat(AT_FDCWD, "d", old, 0);
	unlink("d/f");
	stat("d", &st);
	say("dir-m-after-unlink-new=%s", yes(st.st_mtim.tv_sec > 1500000000));
}

static void owner_calls(void)
{
	struct stat st;
	put_file("a", "x");
	say("keep=%s", rc(chown("a", (uid_t)-1, (gid_t)-1)));
	say("own=%s", rc(chown("a", 1000, 1001)));
	stat("a", &st);
	say("uid=%u gid=%u", st.st_uid, st.st_gid);
	int fd = open("a", O_RDONLY);
	say("fchown=%s", rc(fchown(fd, 0, (gid_t)-1)));
	stat("a", &st);
	say("uid=%u gid=%u", st.st_uid, st.st_gid);
	symlink("a", "l");
	say("lchown=%s", rc(lchown("l", 5, 6)));
	lstat("l", &st);
	say("uid=%u", st.st_uid);
	stat("l", &st);
	say("uid=%u", st.st_uid);
	say("missing=%s", rc(chown("none", 0, 0)));
}

static void file_system(void)
{
	struct statfs s, t;
	struct statvfs v;
	put_file("a", "x");
	say("%s", rc(statfs(".", &s)));
	say("bsize=%s", yes(s.f_bsize >= 512));
	say("namelen=%ld", (long)s.f_namelen);
	say("sane=%s", yes(s.f_blocks == 0 || s.f_bfree <= s.f_blocks));
	int fd = open("a", O_RDONLY);
	say("fstatfs=%s", rc(fstatfs(fd, &t)));
	/* Which file system it is, is the machine's affair; but it is one, and both calls name the same. */
	say("same-type=%s", yes(s.f_type == t.f_type && s.f_type != 0));
	say("vfs=%s", rc(statvfs(".", &v)));
	say("missing=%s", rc(statfs("none", &s)));
	say("bad-fd=%s", rc(fstatfs(77, &s)));
}

static void path_limits(void)
{
	say("name=%ld", pathconf(".", _PC_NAME_MAX));
	say("path=%ld", pathconf(".", _PC_PATH_MAX));
	say("pipe=%ld", pathconf(".", _PC_PIPE_BUF));
	say("open-max=%s", yes(sysconf(_SC_OPEN_MAX) >= 20));
	say("page=%ld", sysconf(_SC_PAGESIZE));
	say("cpus=%s", yes(sysconf(_SC_NPROCESSORS_ONLN) >= 1));
	say("phys=%s", yes(sysconf(_SC_PHYS_PAGES) > 0));
}

static void extended_attributes(void)
{
	char value[8];
	put_file("a", "x");
	/* What programs that copy files ask. Some file systems have no such attributes at all. */
	ssize_t n = getxattr("a", "user.none", value, sizeof value);
	say("get=%s", n == -1 && (errno == ENODATA || errno == EOPNOTSUPP) ? "none" : num(n));
	say("list=%s", num(listxattr("a", value, 0)));
	say("missing=%s", rc(getxattr("none", "user.none", value, sizeof value)));
}

static void device_nodes(void)
{
	say("fifo=%s", rc(mkfifo("p", 0644)));
	struct stat st;
	say("stat=%s", rc(stat("p", &st)));
	say("fifo=%s", yes(S_ISFIFO(st.st_mode)));
	say("regular=%s", rc(mknod("r", S_IFREG | 0600, 0)));
	say("exists=%s", rc(mknod("r", S_IFREG | 0600, 0)));
	say("content=%s.", get_file("r"));
	say("bad-type=%s", rc(mknod("x", 0170000, 0)));
}

static const struct guest_case cases[] = {
	C(stat_fields),
	C(stat_family_agrees),
	C(statx_fields),
	C(stat_kinds),
	C(inode_identity),
	C(chmod_calls),
	C(umask_calls),
	C(access_calls),
	C(times_set),
	C(times_follow_changes),
	C(owner_calls),
	C(file_system),
	C(path_limits),
	C(extended_attributes),
	C(device_nodes),
};

GUEST_MAIN("meta", cases)
