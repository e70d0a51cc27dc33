/*
 * files.c - regular files: open flags, positions, vectors, sizes, holes, copies.
 */
#include "case.h"

#include <sys/sendfile.h>
#include <sys/uio.h>

static void open_missing(void)
{
	say("%s", rc(open("nothing", O_RDONLY)));
	say("%s", rc(open("", O_RDONLY)));
	say("%s", rc(open("no/dir/file", O_CREAT | O_WRONLY, 0644)));
}

static void open_creat(void)
{
	int fd = open("a", O_CREAT | O_WRONLY, 0640);
	say("%s", rc(fd));
	say("write=%s", num(write(fd, "hello", 5)));
	close(fd);
	struct stat st;
	say("stat=%s", rc(stat("a", &st)));
	say("mode=%o", (unsigned)st.st_mode);
	say("size=%ld", (long)st.st_size);
	say("content=%s", get_file("a"));
}

static void open_excl(void)
{
	say("%s", rc(open("a", O_CREAT | O_EXCL | O_WRONLY, 0644)));
	say("%s", rc(open("a", O_CREAT | O_EXCL | O_WRONLY, 0644)));
	say("%s", rc(open("a", O_CREAT | O_WRONLY, 0644)));
	say("symlink=%s", rc(symlink("target", "l")));
	say("dangling=%s", rc(open("l", O_CREAT | O_EXCL | O_WRONLY, 0644)));
}

static void open_trunc(void)
{
	put_file("a", "some text");
	int fd = open("a", O_WRONLY | O_TRUNC);
	say("%s", rc(fd));
	say("size=%ld", file_size(fd));
	put_file("b", "other text");
	fd = open("b", O_RDWR);
	say("kept=%ld", file_size(fd));
}

static void open_append(void)
{
	put_file("a", "one.");
	int fd = open("a", O_RDWR | O_APPEND);
	say("pos=%s", num(lseek(fd, 0, SEEK_CUR)));
	say("write=%s", num(write(fd, "two.", 4)));
	say("pos=%s", num(lseek(fd, 0, SEEK_CUR)));
	say("seek=%s", num(lseek(fd, 1, SEEK_SET)));
	say("write=%s", num(write(fd, "three", 5)));
	say("pos=%s", num(lseek(fd, 0, SEEK_CUR)));
	/* Linux appends with pwrite too, whatever the offset says. */
	say("pwrite=%s", num(pwrite(fd, "X", 1, 0)));
	say("content=%s", get_file("a"));
}

static void open_append_two(void)
{
	int a = open("f", O_CREAT | O_WRONLY | O_APPEND, 0644);
	int b = open("f", O_WRONLY | O_APPEND);
	for (int i = 0; i < 3; i++) {
		say("a=%s", num(write(a, "a", 1)));
		say("b=%s", num(write(b, "b", 1)));
	}
	say("%s", get_file("f"));
}

static void open_access_modes(void)
{
	char byte = 'x';
	put_file("a", "abc");
	int r = open("a", O_RDONLY), w = open("a", O_WRONLY);
	say("write-to-r=%s", num(write(r, &byte, 1)));
	say("read-of-w=%s", num(read(w, &byte, 1)));
	say("truncate-r=%s", rc(ftruncate(r, 0)));
	say("pread-of-w=%s", num(pread(w, &byte, 1, 0)));
}

static void open_directory_flag(void)
{
	put_file("file", "x");
	mkdir("dir", 0755);
	say("file=%s", rc(open("file", O_RDONLY | O_DIRECTORY)));
	say("dir=%s", rc(open("dir", O_RDONLY | O_DIRECTORY)));
	say("dir-w=%s", rc(open("dir", O_WRONLY)));
	say("dir-rw=%s", rc(open("dir", O_RDWR)));
	say("dir-creat=%s", rc(open("dir", O_RDONLY | O_CREAT, 0644)));
	say("slash=%s", rc(open("file/", O_RDONLY)));
	say("new-slash=%s", rc(open("new/", O_CREAT | O_WRONLY, 0644)));
	int fd = open("dir", O_RDONLY);
	char byte;
	say("read=%s", num(read(fd, &byte, 1)));
}

static void open_long_names(void)
{
	char name[5000];
	memset(name, 'n', sizeof name);
	name[255] = 0;
	say("255=%s", rc(open(name, O_CREAT | O_WRONLY, 0644)));
	say("unlink=%s", rc(unlink(name)));
	name[255] = 'n';
	name[256] = 0;
	say("256=%s", rc(open(name, O_CREAT | O_WRONLY, 0644)));
	name[256] = 'n';
	name[4999] = 0;
	say("4999=%s", rc(open(name, O_RDONLY)));
	for (int i = 0; i < 4096; i++)
		name[i] = i % 2 ? '/' : '.';
	name[4095] = 0;
	say("4095=%s", rc(open(name, O_RDONLY)));
	name[4095] = '/';
	name[4096] = 0;
	say("4096=%s", rc(open(name, O_RDONLY)));
}

static void open_path_only(void)
{
	char byte;
	struct stat st;
	put_file("a", "abc");
	int fd = open("a", O_PATH);
	say("%s", rc(fd));
	say("read=%s", num(read(fd, &byte, 1)));
	say("fstat=%s", rc(fstat(fd, &st)));
	say("size=%ld", (long)st.st_size);
	say("write=%s", num(write(fd, "x", 1)));
	say("close=%s", rc(close(fd)));
}

static void open_many(void)
{
	int fds[200], opened = 0;
	put_file("a", "abc");
	for (int i = 0; i < 200; i++) {
		fds[i] = open("a", O_RDONLY);
		opened += fds[i] >= 0;
	}
	bool rising = true;
	for (int i = 1; i < 200; i++)
		rising = rising && fds[i] == fds[i - 1] + 1;
	say("opened=%d rising=%s", opened, yes(rising));
	close(fds[50]);
	close(fds[20]);
	say("lowest-first=%s", yes(open("a", O_RDONLY) == fds[20]));
	say("then=%s", yes(open("a", O_RDONLY) == fds[50]));
	for (int i = 0; i < 200; i++)
		close(fds[i]);
}

static void close_twice(void)
{
	put_file("a", "abc");
	int fd = open("a", O_RDONLY);
	say("%s", rc(close(fd)));
	say("%s", rc(close(fd)));
	say("%s", rc(close(-1)));
	say("%s", rc(close(9999)));
}

static void bad_descriptor(void)
{
	char byte = 0;
	struct stat st;
	say("read=%s", rc(read(77, &byte, 1)));
	say("write=%s", rc(write(77, &byte, 1)));
	say("lseek=%s", rc(lseek(77, 0, SEEK_SET)));
	say("fstat=%s", rc(fstat(77, &st)));
	say("fsync=%s", rc(fsync(77)));
	say("dup=%s", rc(dup(77)));
	say("ftruncate=%s", rc(ftruncate(77, 0)));
	say("fcntl=%s", rc(fcntl(77, F_GETFL)));
	say("pread=%s", rc(pread(77, &byte, 1, 0)));
	say("fchdir=%s", rc(fchdir(77)));
	say("ioctl=%s", rc(syscall(SYS_ioctl, 77, 0x5401, 0)));
}

static void read_write_basic(void)
{
	char text[32] = {0};
	int fd = open("a", O_CREAT | O_RDWR, 0644);
	say("write=%s", num(write(fd, "0123456789", 10)));
	say("read-at-end=%s", num(read(fd, text, 5)));
	lseek(fd, 3, SEEK_SET);
	say("read=%s", num(read(fd, text, 4)));
	say("%s", text);
	say("short=%s", num(read(fd, text, 30)));
	say("zero=%s", num(read(fd, text, 0)));
	say("write0=%s", num(write(fd, "", 0)));
	say("size=%ld", file_size(fd));
}

static void pread_pwrite(void)
{
	char text[32] = {0};
	int fd = open("a", O_CREAT | O_RDWR, 0644);
	say("pwrite=%s", num(pwrite(fd, "world", 5, 6)));
	say("pwrite=%s", num(pwrite(fd, "hello ", 6, 0)));
	say("pos=%s", num(lseek(fd, 0, SEEK_CUR)));
	say("pread=%s", num(pread(fd, text, 8, 3)));
	say("%s", text);
	say("past=%s", num(pread(fd, text, 8, 100)));
	say("negative=%s", num(pread(fd, text, 8, -1)));
	say("pwrite-negative=%s", num(pwrite(fd, text, 8, -5)));
	say("pos=%s", num(lseek(fd, 0, SEEK_CUR)));
}

static void readv_writev(void)
{
	char a[4] = {0}, b[8] = {0}, c[4] = {0};
	int fd = open("a", O_CREAT | O_RDWR, 0644);
	struct iovec out[4] = {
		{(void *)"abc", 3}, {NULL, 0}, {(void *)"defgh", 5}, {(void *)"ij", 2}};
	say("writev=%s", num(writev(fd, out, 4)));
	lseek(fd, 0, SEEK_SET);
	struct iovec in[3] = {{a, 2}, {b, 5}, {c, 3}};
	say("readv=%s", num(readv(fd, in, 3)));
	say("%s/%s/%s", a, b, c);
	say("eof=%s", num(readv(fd, in, 3)));
	say("none=%s", num(readv(fd, in, 0)));
	say("minus=%s", num(readv(fd, in, -1)));
	say("many=%s", num(readv(fd, in, 1025)));
	in[1].iov_len = (size_t)-1;
	say("huge=%s", num(readv(fd, in, 3)));
}

static void preadv_pwritev(void)
{
	char a[4] = {0}, b[8] = {0};
	int fd = open("a", O_CREAT | O_RDWR, 0644);
	struct iovec out[2] = {{(void *)"abc", 3}, {(void *)"defgh", 5}};
	say("pwritev=%s", num(pwritev(fd, out, 2, 4)));
	struct iovec in[2] = {{a, 3}, {b, 7}};
	say("preadv=%s", num(preadv(fd, in, 2, 5)));
	say("%s/%s", a, b);
	say("pos=%s", num(lseek(fd, 0, SEEK_CUR)));
	say("size=%ld", file_size(fd));
	say("preadv2-at-pos=%s", num(preadv2(fd, in, 1, -1, 0)));
	say("pos=%s", num(lseek(fd, 0, SEEK_CUR)));
}

static void seek_basic(void)
{
	put_file("a", "0123456789");
	int fd = open("a", O_RDWR);
	char byte = 0;
	say("end=%s", num(lseek(fd, 0, SEEK_END)));
	say("end-3=%s", num(lseek(fd, -3, SEEK_END)));
	say("cur+1=%s", num(lseek(fd, 1, SEEK_CUR)));
	say("read=%s", num(read(fd, &byte, 1)));
	say("%c", byte);
	say("before=%s", num(lseek(fd, -20, SEEK_CUR)));
	say("set-1=%s", num(lseek(fd, -1, SEEK_SET)));
	say("whence=%s", num(lseek(fd, 0, 99)));
	say("past=%s", num(lseek(fd, 100, SEEK_SET)));
	say("read=%s", num(read(fd, &byte, 1)));
	say("size=%ld", file_size(fd));
	say("far=%s", num(lseek(fd, 1L << 40, SEEK_SET)));
	/* How far a position may go is the file system's affair; beyond 63 bits it can not. */
	say("over=%s", lseek(fd, INT64_MAX, SEEK_CUR) == -1 ? "refused" : "ok");
	say("still=%s", num(lseek(fd, 0, SEEK_CUR)));
}

static void seek_past_end_write(void)
{
	char text[16];
	int fd = open("a", O_CREAT | O_RDWR, 0644);
	write(fd, "ab", 2);
	lseek(fd, 8, SEEK_SET);
	say("write=%s", num(write(fd, "z", 1)));
	say("size=%ld", file_size(fd));
	memset(text, 'q', sizeof text);
	say("pread=%s", num(pread(fd, text, sizeof text, 0)));
	for (int i = 0; i < 10; i++)
		text[i] = text[i] ? text[i] : '0';
	say("%.9s", text);
}

static void seek_data_hole(void)
{
	int fd = open("a", O_CREAT | O_RDWR, 0644);
	pwrite(fd, "x", 1, 0);
	ftruncate(fd, 1 << 20);
	pwrite(fd, "y", 1, 1 << 19);
	say("data0=%s", num(lseek(fd, 0, SEEK_DATA)));
	/* A file system may report holes coarsely; what must hold is order and the virtual hole at the end. */
	long hole = lseek(fd, 0, SEEK_HOLE);
	say("hole-sane=%s", yes(hole >= 4096 && hole <= 1 << 20));
	say("data-at-512k=%s", num(lseek(fd, 1 << 19, SEEK_DATA)));
	say("hole-at-end=%s", num(lseek(fd, (1 << 20) - 1, SEEK_HOLE)));
	say("past=%s", num(lseek(fd, 1 << 20, SEEK_DATA)));
	say("past-hole=%s", num(lseek(fd, 1 << 20, SEEK_HOLE)));
}

static void truncate_grow_shrink(void)
{
	char text[16] = {0};
	put_file("a", "0123456789");
	int fd = open("a", O_RDWR);
	say("shrink=%s", rc(ftruncate(fd, 4)));
	say("size=%ld", file_size(fd));
	say("grow=%s", rc(ftruncate(fd, 8)));
	say("size=%ld", file_size(fd));
	say("pread=%s", num(pread(fd, text, 16, 0)));
	say("%.4s zero=%s", text, yes(memcmp(text + 4, "\0\0\0\0", 4) == 0));
	say("path=%s", rc(truncate("a", 2)));
	say("size=%ld", file_size(fd));
	say("negative=%s", rc(ftruncate(fd, -1)));
	say("missing=%s", rc(truncate("nothing", 0)));
	mkdir("d", 0755);
	say("dir=%s", rc(truncate("d", 0)));
}

static void truncate_clears_tail(void)
{
	/* Data cut off must not come back when the file grows within the same page. */
	char text[4096];
	int fd = open("a", O_CREAT | O_RDWR, 0644);
	memset(text, 'x', sizeof text);
	write(fd, text, sizeof text);
	ftruncate(fd, 100);
	ftruncate(fd, 4096);
	say("pread=%s", num(pread(fd, text, sizeof text, 0)));
	int bad = 0;
	for (int i = 100; i < 4096; i++)
		bad += text[i] != 0;
	say("left-over=%d", bad);
	/* The same with a write behind the end. */
	ftruncate(fd, 50);
	pwrite(fd, "e", 1, 4000);
	pread(fd, text, sizeof text, 0);
	bad = 0;
	for (int i = 50; i < 4000; i++)
		bad += text[i] != 0;
	say("left-over=%d", bad);
}

static void truncate_keeps_position(void)
{
	put_file("a", "0123456789");
	int fd = open("a", O_RDWR);
	lseek(fd, 8, SEEK_SET);
	ftruncate(fd, 3);
	say("pos=%s", num(lseek(fd, 0, SEEK_CUR)));
	say("write=%s", num(write(fd, "x", 1)));
	say("size=%ld", file_size(fd));
}

static void allocate(void)
{
	int fd = open("a", O_CREAT | O_RDWR, 0644);
	say("%s", rc(fallocate(fd, 0, 0, 10000)));
	say("size=%ld", file_size(fd));
	say("keep=%s", rc(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 50000)));
	say("size=%ld", file_size(fd));
	say("posix=%d", posix_fallocate(fd, 0, 20000));
	say("size=%ld", file_size(fd));
	say("negative=%s", rc(fallocate(fd, 0, -1, 10)));
	say("zero=%s", rc(fallocate(fd, 0, 0, 0)));
	int r = open("a", O_RDONLY);
	say("readonly=%s", rc(fallocate(r, 0, 0, 10)));
}

static void allocate_punch(void)
{
	char text[8192];
	int fd = open("a", O_CREAT | O_RDWR, 0644), bad = 0, kept = 0;
	memset(text, 'x', sizeof text);
	write(fd, text, sizeof text);
	say("%s", rc(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1000, 5000)));
	say("no-keep=%s", rc(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10)));
	pread(fd, text, sizeof text, 0);
	for (int i = 0; i < 8192; i++) {
		if (i >= 1000 && i < 6000)
			bad += text[i] != 0;
		else
			kept += text[i] == 'x';
	}
	say("left=%d", bad);
	say("kept=%d", kept);
	say("size=%ld", file_size(fd));
}

static void sparse_blocks(void)
{
	struct stat st;
	int fd = open("a", O_CREAT | O_RDWR, 0644);
	say("%s", rc(ftruncate(fd, 64 << 20)));
	fstat(fd, &st);
	say("size=%ld blocks=%ld", (long)st.st_size, (long)st.st_blocks);
	pwrite(fd, "x", 1, 32 << 20);
	fstat(fd, &st);
	say("after=%s", yes(st.st_blocks > 0 && st.st_blocks < 8192));
	char text[4096];
	say("pread=%s", num(pread(fd, text, 4096, 16 << 20)));
	say("zero=%s", yes(text[0] == 0 && text[4095] == 0));
}

static void send_file(void)
{
	put_file("a", "0123456789");
	int in = open("a", O_RDONLY), out = open("b", O_CREAT | O_RDWR, 0644);
	off_t offset = 3;
	say("%s", num(sendfile(out, in, &offset, 4)));
	say("offset=%ld", (long)offset);
	say("in-pos=%s", num(lseek(in, 0, SEEK_CUR)));
	say("%s", num(sendfile(out, in, NULL, 2)));
	say("in-pos=%s", num(lseek(in, 0, SEEK_CUR)));
	say("rest=%s", num(sendfile(out, in, NULL, 100)));
	say("eof=%s", num(sendfile(out, in, NULL, 100)));
	say("content=%s", get_file("b"));
	int pipefd[2];
	char text[16] = {0};
	pipe(pipefd);
	offset = 0;
	say("to-pipe=%s", num(sendfile(pipefd[1], in, &offset, 5)));
	say("%s", num(read(pipefd[0], text, 15)));
	say("%s", text);
}

static void copy_range(void)
{
	put_file("a", "0123456789");
	int in = open("a", O_RDONLY), out = open("b", O_CREAT | O_RDWR, 0644);
	off_t from = 2, to = 1;
	say("%s", num(copy_file_range(in, &from, out, &to, 4, 0)));
	say("from=%ld", (long)from);
	say("to=%ld", (long)to);
	say("%s", num(copy_file_range(in, NULL, out, NULL, 1, 0)));
	say("pos=%s,%s", num(lseek(in, 0, SEEK_CUR)), num(lseek(out, 0, SEEK_CUR)));
	say("content=%s", get_file("b"));
	say("flags=%s", num(copy_file_range(in, NULL, out, NULL, 1, 7)));
	int r = open("b", O_RDONLY);
	say("readonly=%s", num(copy_file_range(in, NULL, r, NULL, 1, 0)));
	from = 100;
	say("past=%s", num(copy_file_range(in, &from, out, NULL, 4, 0)));
}

static void large_file_content(void)
{
	/* 3 MiB in odd-sized writes, read back in other sizes: exercises page borders. */
	static unsigned char block[7919], back[10007];
	int fd = open("a", O_CREAT | O_RDWR, 0644);
	uint64_t written = 0, sum_in = 0, sum_out = 0, got = 0;
	while (written < 3 << 20) {
		for (size_t i = 0; i < sizeof block; i++) {
			block[i] = (unsigned char)((written + i) * 2654435761u >> 13);
			sum_in = sum_in * 31 + block[i];
		}
		if (write(fd, block, sizeof block) != sizeof block)
			break;
		written += sizeof block;
	}
	lseek(fd, 0, SEEK_SET);
	for (ssize_t n; (n = read(fd, back, sizeof back)) > 0; got += (uint64_t)n)
		for (ssize_t i = 0; i < n; i++)
			sum_out = sum_out * 31 + back[i];
	say("written=%lu got=%lu same=%s", written, got, yes(sum_in == sum_out));
}

static void large_offset(void)
{
	int fd = open("a", O_CREAT | O_RDWR, 0644);
	char text[4] = {0};
	say("pwrite=%s", num(pwrite(fd, "far", 3, 5L << 30)));
	say("size=%ld", file_size(fd));
	say("pread=%s", num(pread(fd, text, 3, 5L << 30)));
	say("%s", text);
	say("hole=%s", num(pread(fd, text, 1, 3L << 30)));
	say("byte=%d", text[0]);
}

static void sync_calls(void)
{
	int fd = open("a", O_CREAT | O_RDWR, 0644);
	write(fd, "x", 1);
	say("fsync=%s", rc(fsync(fd)));
	say("fdatasync=%s", rc(fdatasync(fd)));
	say("range=%s", rc(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE)));
	say("syncfs=%s", rc(syncfs(fd)));
	sync();
	int pipefd[2];
	pipe(pipefd);
	say("pipe=%s", rc(fsync(pipefd[0])));
	say("advise=%d", posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL));
	say("pipe=%d", posix_fadvise(pipefd[0], 0, 0, POSIX_FADV_NORMAL));
	say("readahead=%s", rc(readahead(fd, 0, 1)));
}

static void stream_io(void)
{
	char line[64];
	FILE *f = fopen("a", "w+");
	for (int i = 0; i < 1000; i++)
		fprintf(f, "line %d\n", i);
	say("tell=%ld", ftell(f));
	fseek(f, 0, SEEK_SET);
	int lines = 0;
	while (fgets(line, sizeof line, f))
		lines++;
	line[strcspn(line, "\n")] = 0;
	say("lines=%d last=%s", lines, line);
	say("close=%d", fclose(f));
	f = fopen("a", "a");
	fputs("tail\n", f);
	fclose(f);
	f = fopen("a", "r");
	fseek(f, -5, SEEK_END);
	say("tail=%s", fgets(line, sizeof line, f) ? line : "?");
	fclose(f);
	say("tmpfile=%s", yes((f = tmpfile()) != NULL));
	char name[] = "tempXXXXXX";
	int fd = mkstemp(name);
	say("mkstemp=%s", yes(fd >= 0 && strlen(name) == 10 && access(name, F_OK) == 0));
}

static void file_locks(void)
{
	put_file("a", "x");
	int fd = open("a", O_RDWR);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	say("setlk=%s", rc(fcntl(fd, F_SETLK, &lock)));
	lock.l_type = F_WRLCK;
	say("getlk=%s", rc(fcntl(fd, F_GETLK, &lock)));
	say("type=%s", lock.l_type == F_UNLCK ? "free" : "held");
	lock.l_type = F_UNLCK;
	say("unlock=%s", rc(fcntl(fd, F_SETLK, &lock)));
	int r = open("a", O_RDONLY);
	lock.l_type = F_WRLCK;
	say("write-lock-on-r=%s", rc(fcntl(r, F_SETLK, &lock)));
}

static const struct guest_case cases[] = {
	C(open_missing),
	C(open_creat),
	C(open_excl),
	C(open_trunc),
	C(open_append),
	C(open_append_two),
	C(open_access_modes),
	C(open_directory_flag),
	C(open_long_names),
	C(open_path_only),
	C(open_many),
	C(close_twice),
	C(bad_descriptor),
	C(read_write_basic),
	C(pread_pwrite),
	C(readv_writev),
	C(preadv_pwritev),
	C(seek_basic),
	C(seek_past_end_write),
	C(seek_data_hole),
	C(truncate_grow_shrink),
	C(truncate_clears_tail),
	C(truncate_keeps_position),
	C(allocate),
	C(allocate_punch),
	C(sparse_blocks),
	C(send_file),
	C(copy_range),
	C(large_file_content),
	C(large_offset),
	C(sync_calls),
	C(stream_io),
	C(file_locks),
};

GUEST_MAIN("files", cases)
