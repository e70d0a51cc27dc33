/*
 * dirs.c - directories: making, removing, listing, current directory, paths relative to a descriptor.
 */
#include "case.h"

#include <dirent.h>

struct dirent64_raw {
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Says the sorted names in `path` with a letter for the type of each. */
static void say_listing(const char *path)
{
	char *names[64], *copy;
	size_t count = 0;
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir) {
		say("<%s>", errno_name(errno));
		return;
	}
	while ((entry = readdir(dir)) && count < 64)
		if (asprintf(&copy, "%s:%c", entry->d_name,
			    entry->d_type == DT_DIR           ? 'd'
				    : entry->d_type == DT_REG ? 'f'
				    : entry->d_type == DT_LNK ? 'l'
							      : '?') > 0)
			names[count++] = copy;
	closedir(dir);
	qsort(names, count, sizeof names[0], compare_names);
	for (size_t i = 0; i < count; i++) {
		say("%s", names[i]);
		free(names[i]);
	}
}

static void mkdir_rmdir(void)
{
	say("mkdir=%s", rc(mkdir("d", 0755)));
	say("again=%s", rc(mkdir("d", 0755)));
	say("nested=%s", rc(mkdir("d/e/f", 0755)));
	say("slash=%s", rc(mkdir("s/", 0755)));
	put_file("file", "x");
	say("over-file=%s", rc(mkdir("file", 0755)));
	say("in-file=%s", rc(mkdir("file/x", 0755)));
	say("rmdir=%s", rc(rmdir("d")));
	say("gone=%s", rc(rmdir("d")));
	say("file=%s", rc(rmdir("file")));
	say("slash=%s", rc(rmdir("s/")));
	say("empty=%s", rc(mkdir("", 0755)));
	say("dot=%s", rc(mkdir(".", 0755)));
	say("root=%s", rc(mkdir("/", 0755)));
}

static void rmdir_refused(void)
{
	mkdir("d", 0755);
	put_file("d/f", "x");
	say("full=%s", rc(rmdir("d")));
	say("dot=%s", rc(rmdir("d/.")));
	say("dotdot=%s", rc(rmdir("d/..")));
	say("unlink-dir=%s", rc(unlink("d")));
	unlink("d/f");
	say("now=%s", rc(rmdir("d")));
	say("missing=%s", rc(rmdir("nothing")));
}

static void mkdir_mode(void)
{
	struct stat st;
	umask(027);
	mkdir("a", 0777);
	stat("a", &st);
	say("%o", (unsigned)st.st_mode);
	umask(0);
	mkdir("b", 01777);
	stat("b", &st);
	say("%o", (unsigned)st.st_mode);
}

static void link_counts(void)
{
	struct stat st;
	mkdir("d", 0755);
	stat("d", &st);
	say("%lu", (unsigned long)st.st_nlink);
	mkdir("d/a", 0755);
	mkdir("d/b", 0755);
	put_file("d/f", "x");
	stat("d", &st);
	say("%lu", (unsigned long)st.st_nlink);
	rmdir("d/a");
	stat("d", &st);
	say("%lu", (unsigned long)st.st_nlink);
}

static void listing(void)
{
	mkdir("d", 0755);
	say_listing("d");
	put_file("d/file", "x");
	mkdir("d/sub", 0755);
	symlink("file", "d/link");
	say_listing("d");
	unlink("d/file");
	say_listing("d");
	say_listing("nothing");
	put_file("plain", "x");
	say_listing("plain");
}

static void getdents_raw(void)
{
	char buffer[1024];
	mkdir("d", 0755);
	put_file("d/alpha", "x");
	put_file("d/be", "x");
	int fd = open("d", O_RDONLY | O_DIRECTORY);
	long n = syscall(SYS_getdents64, fd, buffer, sizeof buffer), entries = 0, aligned = 1,
	     terminated = 1;
	for (long at = 0; at < n;) {
		struct dirent64_raw *e = (struct dirent64_raw *)(buffer + at);
		entries++;
		aligned = aligned && e->reclen % 8 == 0 && e->ino != 0;
		terminated = terminated && memchr(e->name, 0, e->reclen - 19u) != NULL;
		at += e->reclen;
	}
	say("entries=%ld aligned=%ld terminated=%ld", entries, aligned, terminated);
	say("end=%s", num(syscall(SYS_getdents64, fd, buffer, sizeof buffer)));
	lseek(fd, 0, SEEK_SET);
	say("rewound=%s", yes(syscall(SYS_getdents64, fd, buffer, sizeof buffer) == n));
	lseek(fd, 0, SEEK_SET);
	say("small=%s", rc(syscall(SYS_getdents64, fd, buffer, 10L)));
	int file = open("d/alpha", O_RDONLY);
	say("file=%s", rc(syscall(SYS_getdents64, file, buffer, sizeof buffer)));
}

static void getdents_2000(void)
{
	static unsigned char seen[2000];
	char name[64];
	mkdir("d", 0755);
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof name, "d/entry-%04d", i);
		put_file(name, "");
	}
	/* A small buffer makes many calls; no entry may be missing or come twice. */
	char buffer[300];
	int fd = open("d", O_RDONLY | O_DIRECTORY), other = 0;
	long n, calls = 0;
	while ((n = syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0) {
		calls++;
		for (long at = 0; at < n;) {
			struct dirent64_raw *e = (struct dirent64_raw *)(buffer + at);
			int index;
			if (sscanf(e->name, "entry-%d", &index) == 1 && index >= 0 && index < 2000)
				seen[index]++;
			else
				other++;
			at += e->reclen;
		}
	}
	int once = 0;
	for (int i = 0; i < 2000; i++)
		once += seen[i] == 1;
	say("result=%s", num(n));
	say("once=%d", once);
	say("other=%d", other);
	say("many-calls=%s", yes(calls > 100));
	int removed = 0;
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof name, "d/entry-%04d", i);
		removed += unlink(name) == 0;
	}
	say("removed=%d", removed);
	say("rmdir=%s", rc(rmdir("d")));
}

static void remove_while_reading(void)
{
	char name[64];
	int left = 0;
	mkdir("d", 0755);
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof name, "d/n%d", i);
		put_file(name, "");
	}
	/* What rm -r does: unlink each entry as it is read, then remove the directory. */
	DIR *dir = opendir("d");
	struct dirent *entry;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			left += unlinkat(dirfd(dir), entry->d_name, 0) != 0;
	closedir(dir);
	say("failed=%d", left);
	say("rmdir=%s", rc(rmdir("d")));
}

static void seekdir_telldir(void)
{
	mkdir("d", 0755);
	for (int i = 0; i < 20; i++) {
		char name[16];
		snprintf(name, sizeof name, "d/%d", i);
		put_file(name, "");
	}
	DIR *dir = opendir("d");
	for (int i = 0; i < 7; i++)
		readdir(dir);
	long at = telldir(dir);
	char first[256], second[256];
	strcpy(first, readdir(dir)->d_name);
	while (readdir(dir))
		;
	seekdir(dir, at);
	strcpy(second, readdir(dir)->d_name);
	say("same=%s", yes(strcmp(first, second) == 0));
	rewinddir(dir);
	int count = 0;
	while (readdir(dir))
		count++;
	say("count=%d", count);
	closedir(dir);
}

static void change_directory(void)
{
	char start[4096], path[4096];
	getcwd(start, sizeof start);
	size_t length = strlen(start);
	mkdir("d", 0755);
	mkdir("d/e", 0755);
	say("chdir=%s", rc(chdir("d/e")));
	say("cwd=%s", getcwd(path, sizeof path) ? path + length : errno_name(errno));
	put_file("here", "x");
	say("up=%s", rc(chdir("..")));
	say("cwd=%s", getcwd(path, sizeof path) ? path + length : errno_name(errno));
	say("seen=%s", get_file("e/here"));
	say("missing=%s", rc(chdir("nothing")));
	say("file=%s", rc(chdir("e/here")));
	say("back=%s", rc(chdir(start)));
	say("root=%s", rc(chdir("/")));
	say("cwd=%s", getcwd(path, sizeof path));
	say("above-root=%s", rc(chdir("../..")));
	say("cwd=%s", getcwd(path, sizeof path));
}

static void change_directory_fd(void)
{
	char start[4096], path[4096];
	getcwd(start, sizeof start);
	mkdir("d", 0755);
	int here = open(".", O_RDONLY), fd = open("d", O_RDONLY), as_path = open("d", O_PATH);
	say("%s", rc(fchdir(fd)));
	say("cwd=%s", getcwd(path, sizeof path) + strlen(start));
	say("back=%s", rc(fchdir(here)));
	say("cwd=%s.", getcwd(path, sizeof path) + strlen(start));
	say("o_path=%s", rc(fchdir(as_path)));
	put_file("f", "x");
	int file = open("f", O_RDONLY);
	say("file=%s", rc(fchdir(file)));
}

static void getcwd_errors(void)
{
	char path[4096], *allocated;
	getcwd(path, sizeof path);
	char small[2];
	say("small=%s", getcwd(small, sizeof small) ? "ok" : errno_name(errno));
	say("zero=%s", rc(syscall(SYS_getcwd, path, 0L)));
	say("raw-length=%s", yes(syscall(SYS_getcwd, path, sizeof path) == (long)strlen(path) + 1));
	allocated = getcwd(NULL, 0);
	say("allocated=%s", yes(allocated && strcmp(allocated, path) == 0));
	free(allocated);
}

static void removed_current_directory(void)
{
	char path[4096];
	mkdir("d", 0755);
	chdir("d");
	say("rmdir=%s", rc(rmdir("../d")));
	say("getcwd=%s", rc(syscall(SYS_getcwd, path, sizeof path)));
	say("create=%s", rc(open("x", O_CREAT | O_WRONLY, 0644)));
	say("open-dot=%s", rc(open(".", O_RDONLY)));
	say("up=%s", rc(chdir("..")));
	say("gone=%s", rc(chdir("d")));
}

static void open_relative(void)
{
	mkdir("d", 0755);
	put_file("d/f", "inside");
	put_file("f", "outside");
	int dir = open("d", O_RDONLY | O_DIRECTORY), fd = openat(dir, "f", O_RDONLY);
	char text[16] = {0};
	say("read=%s", num(read(fd, text, 15)));
	say("text=%s", text);
	say("up=%s", rc(openat(dir, "../f", O_RDONLY)));
	say("missing=%s", rc(openat(dir, "g", O_RDONLY)));
	say("bad-fd=%s", rc(openat(77, "f", O_RDONLY)));
	say("file-fd=%s", rc(openat(fd, "f", O_RDONLY)));
	say("absolute=%s", rc(openat(77, "/", O_RDONLY)));
	say("cwd=%s", rc(openat(AT_FDCWD, "d/f", O_RDONLY)));
	say("mkdirat=%s", rc(mkdirat(dir, "sub", 0755)));
	say("unlinkat=%s", rc(unlinkat(dir, "f", 0)));
	say("unlinkat-dir=%s", rc(unlinkat(dir, "sub", 0)));
	say("removedir=%s", rc(unlinkat(dir, "sub", AT_REMOVEDIR)));
	say("flags=%s", rc(unlinkat(dir, "x", 0x7)));
	say_listing("d");
}

static void path_walk(void)
{
	mkdir("d", 0755);
	mkdir("d/e", 0755);
	put_file("d/f", "x");
	say("double=%s", rc(access("d//e", F_OK)));
	say("dots=%s", rc(access("./d/./e/../f", F_OK)));
	say("slashes=%s", rc(access("d/e///", F_OK)));
	say("file-dot=%s", rc(access("d/f/.", F_OK)));
	say("file-slash=%s", rc(access("d/f/", F_OK)));
	say("file-up=%s", rc(access("d/f/..", F_OK)));
	say("missing-up=%s", rc(access("d/none/../f", F_OK)));
	say("empty=%s", rc(access("", F_OK)));
	say("root-up=%s", rc(access("/../../", F_OK)));
}

static void deep_tree(void)
{
	/* 60 levels deep, made and removed step by step. */
	int made = 0, removed = 0;
	for (int i = 0; i < 60; i++)
		made += mkdir("level", 0755) == 0 && chdir("level") == 0;
	put_file("leaf", "bottom");
	char path[4096];
	say("made=%d", made);
	say("cwd-length=%s", yes(getcwd(path, sizeof path) && strlen(path) > 360));
	unlink("leaf");
	for (int i = 0; i < 60; i++)
		removed += chdir("..") == 0 && rmdir("level") == 0;
	say("removed=%d", removed);
}

static void directory_read_only_ops(void)
{
	mkdir("d", 0755);
	int fd = open("d", O_RDONLY);
	char byte = 0;
	say("write=%s", rc(write(fd, &byte, 1)));
	say("ftruncate=%s", rc(ftruncate(fd, 0)));
	say("pread=%s", rc(pread(fd, &byte, 1, 0)));
	say("fsync=%s", rc(fsync(fd)));
	say("mmap-able=%s", rc(fallocate(fd, 0, 0, 10)));
	struct stat st;
	say("fstat=%s", rc(fstat(fd, &st)));
	say("dir=%s", yes(S_ISDIR(st.st_mode)));
}

static const struct guest_case cases[] = {
	C(mkdir_rmdir),
	C(rmdir_refused),
	C(mkdir_mode),
	C(link_counts),
	C(listing),
	C(getdents_raw),
	C(getdents_2000),
	C(remove_while_reading),
	C(seekdir_telldir),
	C(change_directory),
	C(change_directory_fd),
	C(getcwd_errors),
	C(removed_current_directory),
	C(open_relative),
	C(path_walk),
	C(deep_tree),
	C(directory_read_only_ops),
};

GUEST_MAIN("dirs", cases)
