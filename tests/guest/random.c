/*
 * random.c - long random sequences of file operations, the same ones on both systems: names come and go, links,
 * renames, holes, mappings, open files without a name. The results of each hundred operations are one number in
 * the outcome; with RANDOM_LOG in the environment they are on standard error, one line each, to compare.
 *
 * All happens deep below the case's directory, so that no ".." leads out of it. Left out on purpose: the path of an
 * open file that has several names, and blocks, which differ between file systems.
 */
#include "case.h"

#include <dirent.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

#define OPERATIONS 1500
#define FDS 8

static uint64_t state;
static uint32_t hash;
static unsigned operation;
static int fds[FDS];
static unsigned char bytes[70000];
static char base[4096];

static unsigned pick(unsigned below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33) % below;
}

static uint32_t sum(uint32_t h, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ ((const unsigned char *)p)[i]) * 16777619u;
	return h;
}

/* A result of the running operation. */
__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
	static int log = -1;
	char line[8192];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	hash = sum(hash, line, strlen(line));
	if (log < 0)
		log = getenv("RANDOM_LOG") != NULL;
	if (log)
		fprintf(stderr, "%u %s\n", operation, line);
}

static const char *some_path(void)
{
	static const char *const names[] = {
		"a", "b", "c", "d", "e", "dir", "dir", "sub", "link", ".", "..", "long-name"};
	static char text[8][64];
	static unsigned next;
	char *out = text[next++ % 8];
	unsigned count = 1 + (pick(3) == 0) + (pick(8) == 0);

	out[0] = 0;
	for (unsigned i = 0; i < count; i++) {
		if (i > 0)
			strcat(out, "/");
		strcat(out, names[pick(sizeof names / sizeof names[0])]);
	}
	if (pick(20) == 0)
		strcat(out, "/");
	return out;
}

static void fill(size_t n)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] = (unsigned char)pick(256);
}

static void open_one(int slot, const char *path)
{
	static const int flags[] = {O_RDONLY, O_RDWR, O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_EXCL,
		O_WRONLY | O_TRUNC, O_RDWR | O_CREAT | O_TRUNC, O_RDWR | O_APPEND,
		O_RDONLY | O_NOFOLLOW, O_RDONLY | O_DIRECTORY, O_PATH, O_PATH | O_NOFOLLOW,
		O_RDWR | O_CREAT | O_NOFOLLOW, O_WRONLY | O_CREAT | O_APPEND, O_RDWR | O_CREAT};
	int flag = flags[pick(sizeof flags / sizeof flags[0])];

	close(fds[slot]);
	fds[slot] = open(path, flag, 0666);
	note("open %s %o %s", path, flag, rc(fds[slot]));
}

static void stat_one(const char *path, int flags)
{
	struct stat st;

	if (fstatat(AT_FDCWD, path, &st, flags) < 0)
		note("stat %s %s", path, errno_name(errno));
	else
		note("stat %s %o %lu %ld", path, st.st_mode, (unsigned long)st.st_nlink,
			S_ISDIR(st.st_mode) ? 0 : (long)st.st_size);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *path)
{
	char *names[64], text[4096] = "";
	size_t count = 0;
	struct dirent *e;
	DIR *dir = opendir(path);

	if (!dir) {
		note("list %s %s", path, errno_name(errno));
		return;
	}
	while ((e = readdir(dir)) && count < 64) {
		struct stat st = {0};
		bool known = fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0;
		if (asprintf(&names[count], "%s:%d:%d", e->d_name, e->d_type,
			    known && (st.st_ino == e->d_ino || strcmp(e->d_name, "..") == 0)) > 0)
			count++;
	}
	closedir(dir);
	qsort(names, count, sizeof names[0], by_name);
	for (size_t i = 0; i < count; i++) {
		strcat(strcat(text, " "), names[i]);
		free(names[i]);
	}
	note("list %s%s", path, text);
}

static bool is_plain(int fd, struct stat *st)
{
	return fstat(fd, st) == 0 && S_ISREG(st->st_mode);
}

static void map(int fd)
{
	bool write = pick(2), shared = pick(2);
	struct stat st;
	size_t n;
	unsigned char *m;

	if (!is_plain(fd, &st) || st.st_size < 1)
		return;
	n = st.st_size > 300000 ? 300000 : (size_t)st.st_size;
	m = mmap(NULL, n, PROT_READ | (write ? PROT_WRITE : 0), shared ? MAP_SHARED : MAP_PRIVATE,
		fd, 0);
	if (m == MAP_FAILED) {
		note("mmap %d%d %s", write, shared, errno_name(errno));
		return;
	}
	note("mmap %d%d %x", write, shared, sum(0, m, n));
	for (int i = 0; write && i < 5; i++)
		m[pick((unsigned)n)] = (unsigned char)pick(256);
	note("mapped %x", sum(0, m, n));
	munmap(m, n);
}

static void copy(int from, int to, long offset, size_t n)
{
	off_t in = offset, out = (off_t)pick(20000);

	if (pick(2))
		note("sendfile %s", num(sendfile(to, from, pick(2) ? &in : NULL, n)));
	else if (from != to)
		note("copy %s",
			num(copy_file_range(from, pick(2) ? &in : NULL, to, pick(2) ? &out : NULL,
				n, 0)));
	note("at %ld %ld", (long)in, (long)out);
}

static void move_cwd(const char *path)
{
	char now[4096];

	note("chdir %s %s", path, rc(chdir(path)));
	if (!getcwd(now, sizeof now))
		note("cwd %s", errno_name(errno));
	else
		note("cwd %s", strncmp(now, base, strlen(base)) ? "above" : now + strlen(base));
}

static void on_descriptor(unsigned what, int slot, long offset, size_t n)
{
	static const int modes[] = {
		0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE};
	int fd = fds[slot];
	struct stat st;
	long r;

	switch (what) {
	case 0:
	case 1:
		fill(n);
		note("write %s", num(write(fd, bytes, n)));
		break;
	case 2:
		r = read(fd, bytes, n);
		note("read %s %x", num(r), r > 0 ? sum(0, bytes, (size_t)r) : 0);
		break;
	case 3:
		fill(n);
		note("pwrite %s", num(pwrite(fd, bytes, n, offset)));
		break;
	case 4:
	case 5:
		r = pread(fd, bytes, n, offset);
		note("pread %s %x", num(r), r > 0 ? sum(0, bytes, (size_t)r) : 0);
		break;
	case 6:
		if (is_plain(fd, &st))
			note("lseek %s", num(lseek(fd, pick(3) ? offset : -offset, (int)pick(3))));
		break;
	case 7:
		note("ftruncate %s", rc(ftruncate(fd, offset)));
		break;
	case 8:
		note("fallocate %s", rc(fallocate(fd, modes[pick(3)], offset, (off_t)n + 1)));
		break;
	case 9:
		map(fd);
		break;
	case 10:
		if (fstat(fd, &st) == 0)
			note("fstat %o %lu %ld", st.st_mode, (unsigned long)st.st_nlink,
				S_ISDIR(st.st_mode) ? 0 : (long)st.st_size);
		break;
	default:
		copy(fd, fds[pick(FDS)], offset, n);
	}
}

static void on_path(unsigned what, long offset)
{
	const char *a = some_path(), *b = some_path();
	char target[256];
	ssize_t n;

	switch (what) {
	case 0:
	case 1:
		note("unlink %s %s", a, rc(unlink(a)));
		break;
	case 2:
	case 3:
		note("mkdir %s %s", a, rc(mkdir(a, 0777)));
		break;
	case 4:
		note("rmdir %s %s", a, rc(rmdir(a)));
		break;
	case 5:
	case 6:
		note("rename %s %s %s", a, b, rc(rename(a, b)));
		break;
	case 7:
		note("rename2 %s %s %s", a, b,
			rc(renameat2(AT_FDCWD, a, AT_FDCWD, b,
				pick(2) ? RENAME_EXCHANGE : RENAME_NOREPLACE)));
		break;
	case 8:
		note("link %s %s %s", a, b,
			rc(linkat(AT_FDCWD, a, AT_FDCWD, b, pick(2) ? AT_SYMLINK_FOLLOW : 0)));
		break;
	case 9:
		note("symlink %s %s %s", a, b, rc(symlink(a, b)));
		break;
	case 10:
		stat_one(a, pick(2) ? 0 : AT_SYMLINK_NOFOLLOW);
		break;
	case 11:
		list(a);
		break;
	case 12:
		note("chmod %s %s", a, rc(chmod(a, 0700 | pick(512))));
		break;
	case 13:
		n = readlink(a, target, sizeof target - 1);
		target[n < 0 ? 0 : n] = 0;
		note("readlink %s %s %s", a, num(n), target);
		break;
	case 14:
		note("truncate %s %s", a, rc(truncate(a, offset)));
		break;
	default:
		move_cwd(a);
	}
}

/* Directories above the working one, so that ".." and links made of it stay among ours. */
static bool go_deep(void)
{
	for (int i = 0; i < 12; i++)
		if (mkdir("deep", 0755) < 0 || chdir("deep") < 0)
			return false;
	return getcwd(base, sizeof base) && mkdir("dir", 0755) == 0 &&
		mkdir("dir/sub", 0755) == 0 && put_file("a", "text") && put_file("dir/b", "") &&
		symlink("dir", "link") == 0;
}

static void run(uint64_t seed)
{
	char now[4096];

	state = seed;
	hash = 2166136261u;
	for (int i = 0; i < FDS; i++)
		fds[i] = -1;
	if (!go_deep()) {
		say("no-base");
		return;
	}
	for (operation = 0; operation < OPERATIONS; operation++) {
		unsigned kind = pick(32);
		int slot = (int)pick(FDS);
		long offset = pick(4) ? pick(20000) : pick(3000000);
		size_t n = pick(5) ? pick(5000) : pick(sizeof bytes);

		if (kind < 4) {
			open_one(slot, some_path());
		} else if (kind < 16) {
			while (fds[slot] < 0 && pick(10))
				slot = (slot + 1) % FDS;
			on_descriptor(kind - 4, slot, offset, n);
		} else {
			on_path(kind - 16, offset);
		}
		if (pick(3) == 0 || !getcwd(now, sizeof now) || strncmp(now, base, strlen(base)))
			chdir(base);
		if (operation % 100 == 99)
			say("%x", hash);
	}
}

#define SEED(n)                    \
	static void seed_##n(void) \
	{                          \
		run(n);            \
	}
SEED(1)
SEED(2)
SEED(3)
SEED(4)
SEED(5)
SEED(6)
SEED(7)
SEED(8)

static const struct guest_case cases[] = {
	C(seed_1),
	C(seed_2),
	C(seed_3),
	C(seed_4),
	C(seed_5),
	C(seed_6),
	C(seed_7),
	C(seed_8),
};

GUEST_MAIN("random", cases)
