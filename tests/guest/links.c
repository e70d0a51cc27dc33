/*
 * links.c - names of files: symbolic and hard links, rename, unlink, files without a name.
 */
#include "case.h"

static long links_of(const char *path)
{
	struct stat st;
	return lstat(path, &st) < 0 ? -1 : (long)st.st_nlink;
}

static const char *target(const char *path)
{
	static char text[4][300];
	static unsigned next;
	char *out = text[next++ % 4];
	ssize_t n = readlink(path, out, sizeof text[0] - 1);

	if (n < 0)
		return errno_name(errno);
	out[n] = 0;
	return out;
}

static void symlink_basic(void)
{
	put_file("f", "content");
	say("symlink=%s", rc(symlink("f", "l")));
	say("target=%s", target("l"));
	say("through=%s", get_file("l"));
	say("again=%s", rc(symlink("g", "l")));
	say("empty=%s", rc(symlink("", "m")));
	struct stat st;
	say("lstat=%s", rc(lstat("l", &st)));
	say("mode=%o size=%ld", (unsigned)st.st_mode, (long)st.st_size);
	say("stat=%s", rc(stat("l", &st)));
	say("mode=%o size=%ld", (unsigned)st.st_mode, (long)st.st_size);
}

static void symlink_dangling(void)
{
	struct stat st;
	symlink("nothing", "l");
	say("open=%s", rc(open("l", O_RDONLY)));
	say("stat=%s", rc(stat("l", &st)));
	say("lstat=%s", rc(lstat("l", &st)));
	say("create=%s", rc(open("l", O_CREAT | O_WRONLY, 0644)));
	say("target-made=%s", rc(access("nothing", F_OK)));
	say("unlink=%s", rc(unlink("l")));
	say("target-stays=%s", rc(access("nothing", F_OK)));
}

static void symlink_loop(void)
{
	struct stat st;
	symlink("b", "a");
	symlink("a", "b");
	say("open=%s", rc(open("a", O_RDONLY)));
	say("stat=%s", rc(stat("a", &st)));
	say("lstat=%s", rc(lstat("a", &st)));
	symlink("self", "self");
	say("self=%s", rc(open("self/x", O_RDONLY)));
	say("create=%s", rc(open("a", O_CREAT | O_WRONLY, 0644)));
}

static void symlink_chain(void)
{
	/* 40 links are followed, 41 are not. */
	char from[16], to[16] = "file";
	put_file("file", "end");
	for (int i = 1; i <= 41; i++) {
		snprintf(from, sizeof from, "l%d", i);
		symlink(to, from);
		strcpy(to, from);
	}
	say("40=%s", rc(open("l40", O_RDONLY)));
	say("41=%s", rc(open("l41", O_RDONLY)));
}

static void symlink_to_directory(void)
{
	struct stat st;
	mkdir("d", 0755);
	put_file("d/f", "inside");
	symlink("d", "l");
	say("%s", get_file("l/f"));
	say("lstat-slash=%s", rc(lstat("l/", &st)));
	say("dir=%s", yes(S_ISDIR(st.st_mode)));
	say("rmdir=%s", rc(rmdir("l")));
	say("mkdir=%s", rc(mkdir("l", 0755)));
	say("up=%s", rc(access("l/../d", F_OK)));
	say("nofollow-dir=%s", rc(open("l", O_RDONLY | O_NOFOLLOW | O_DIRECTORY)));
	symlink("../f", "d/up");
	put_file("f", "outside");
	say("relative=%s", get_file("l/up"));
}

static void readlink_cases(void)
{
	char text[16] = "................";
	symlink("0123456789", "l");
	say("short=%s", num(readlink("l", text, 4)));
	say("text=%.6s", text);
	say("zero=%s", num(readlink("l", text, 0)));
	put_file("f", "x");
	say("file=%s", num(readlink("f", text, 10)));
	say("missing=%s", num(readlink("none", text, 10)));
	int fd = open("l", O_PATH | O_NOFOLLOW);
	say("open=%s", rc(fd));
	say("empty-path=%s", num(readlinkat(fd, "", text, 16)));
}

static void nofollow(void)
{
	put_file("f", "x");
	symlink("f", "l");
	say("link=%s", rc(open("l", O_RDONLY | O_NOFOLLOW)));
	say("file=%s", rc(open("f", O_RDONLY | O_NOFOLLOW)));
	struct stat st;
	say("fstatat=%s", rc(fstatat(AT_FDCWD, "l", &st, AT_SYMLINK_NOFOLLOW)));
	say("link=%s", yes(S_ISLNK(st.st_mode)));
}

static void hard_link(void)
{
	put_file("a", "one");
	say("link=%s", rc(link("a", "b")));
	say("counts=%ld,%ld", links_of("a"), links_of("b"));
	put_file("b", "two");
	say("a=%s", get_file("a"));
	struct stat x, y;
	stat("a", &x);
	stat("b", &y);
	say("same-inode=%s", yes(x.st_ino == y.st_ino && x.st_dev == y.st_dev));
	say("unlink=%s", rc(unlink("a")));
	say("count=%ld", links_of("b"));
	say("b=%s", get_file("b"));
}

static void hard_link_errors(void)
{
	put_file("a", "x");
	put_file("b", "y");
	mkdir("d", 0755);
	say("exists=%s", rc(link("a", "b")));
	say("missing=%s", rc(link("none", "c")));
	say("directory=%s", rc(link("d", "e")));
	say("no-parent=%s", rc(link("a", "none/c")));
	symlink("a", "l");
	say("symlink=%s", rc(link("l", "m")));
	struct stat st;
	lstat("m", &st);
	say("is-link=%s", yes(S_ISLNK(st.st_mode)));
	say("follow=%s", rc(linkat(AT_FDCWD, "l", AT_FDCWD, "n", AT_SYMLINK_FOLLOW)));
	lstat("n", &st);
	say("is-file=%s", yes(S_ISREG(st.st_mode)));
	say("flags=%s", rc(linkat(AT_FDCWD, "a", AT_FDCWD, "o", 0x7)));
}

static void unlink_open_file(void)
{
	char text[16] = {0};
	struct stat st;
	put_file("a", "still here");
	int fd = open("a", O_RDWR);
	say("unlink=%s", rc(unlink("a")));
	say("open=%s", rc(open("a", O_RDONLY)));
	say("pread=%s", num(pread(fd, text, 15, 0)));
	say("text=%s", text);
	say("write=%s", num(write(fd, "S", 1)));
	fstat(fd, &st);
	say("links=%lu size=%ld", (unsigned long)st.st_nlink, (long)st.st_size);
	put_file("a", "new");
	say("new=%s", get_file("a"));
	say("old=%ld", file_size(fd));
}

static void unlink_errors(void)
{
	mkdir("d", 0755);
	put_file("f", "x");
	say("missing=%s", rc(unlink("none")));
	say("dir=%s", rc(unlink("d")));
	say("empty=%s", rc(unlink("")));
	say("slash=%s", rc(unlink("f/")));
	say("in-file=%s", rc(unlink("f/x")));
	say("f=%s", rc(unlink("f")));
	say("twice=%s", rc(unlink("f")));
}

static void rename_basic(void)
{
	put_file("a", "A");
	say("%s", rc(rename("a", "b")));
	say("old=%s", rc(access("a", F_OK)));
	say("new=%s", get_file("b"));
	put_file("c", "C");
	say("replace=%s", rc(rename("b", "c")));
	say("c=%s", get_file("c"));
	say("missing=%s", rc(rename("none", "c")));
	say("same=%s", rc(rename("c", "c")));
	say("c=%s", get_file("c"));
	say("no-parent=%s", rc(rename("c", "none/c")));
	say("empty=%s", rc(rename("c", "")));
}

static void rename_keeps_open_file(void)
{
	char text[8] = {0};
	put_file("a", "old");
	put_file("b", "new");
	int fd = open("a", O_RDONLY);
	say("%s", rc(rename("b", "a")));
	say("read=%s", num(read(fd, text, 7)));
	say("held=%s", text);
	say("path=%s", get_file("a"));
}

static void rename_hard_link_twins(void)
{
	/* Both names are the same file: rename does nothing and succeeds. */
	put_file("a", "x");
	link("a", "b");
	say("%s", rc(rename("a", "b")));
	say("a=%s", rc(access("a", F_OK)));
	say("links=%ld", links_of("b"));
}

static void rename_directories(void)
{
	mkdir("d", 0755);
	put_file("d/f", "x");
	mkdir("empty", 0755);
	mkdir("full", 0755);
	put_file("full/g", "x");
	put_file("file", "x");
	say("move=%s", rc(rename("d", "e")));
	say("inside=%s", get_file("e/f"));
	say("onto-empty=%s", rc(rename("e", "empty")));
	say("inside=%s", get_file("empty/f"));
	say("onto-full=%s", rc(rename("empty", "full")));
	say("onto-file=%s", rc(rename("empty", "file")));
	say("file-onto-dir=%s", rc(rename("file", "empty")));
	say("into-itself=%s", rc(rename("empty", "empty/sub")));
	say("dot=%s", rc(rename("empty/.", "x")));
	say("slash=%s", rc(rename("empty/", "moved/")));
	say("file-slash=%s", rc(rename("file", "file2/")));
}

static void rename_updates_dotdot(void)
{
	struct stat parent, up;
	mkdir("a", 0755);
	mkdir("b", 0755);
	mkdir("a/c", 0755);
	say("a=%ld", links_of("a"));
	say("b=%ld", links_of("b"));
	say("%s", rc(rename("a/c", "b/c")));
	stat("b", &parent);
	stat("b/c/..", &up);
	say("dotdot=%s", yes(parent.st_ino == up.st_ino));
	say("a=%ld", links_of("a"));
	say("b=%ld", links_of("b"));
}

static void rename_flags(void)
{
	put_file("a", "A");
	put_file("b", "B");
	say("noreplace=%s", rc(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE)));
	say("noreplace-new=%s", rc(renameat2(AT_FDCWD, "a", AT_FDCWD, "c", RENAME_NOREPLACE)));
	say("exchange=%s", rc(renameat2(AT_FDCWD, "b", AT_FDCWD, "c", RENAME_EXCHANGE)));
	say("b=%s", get_file("b"));
	say("c=%s", get_file("c"));
	say("exchange-missing=%s", rc(renameat2(AT_FDCWD, "b", AT_FDCWD, "none", RENAME_EXCHANGE)));
	say("both=%s",
		rc(renameat2(AT_FDCWD, "b", AT_FDCWD, "d", RENAME_EXCHANGE | RENAME_NOREPLACE)));
	say("unknown=%s", rc(renameat2(AT_FDCWD, "b", AT_FDCWD, "d", 0x100)));
}

static void rename_symlink(void)
{
	put_file("f", "x");
	symlink("f", "l");
	say("%s", rc(rename("l", "m")));
	say("target=%s", target("m"));
	put_file("g", "y");
	say("onto-link=%s", rc(rename("g", "m")));
	say("f=%s", get_file("f"));
	say("m=%s", get_file("m"));
}

static void unnamed_file(void)
{
	char text[8] = {0}, path[64];
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);
	struct stat st;
	say("%s", rc(fd));
	say("write=%s", num(write(fd, "temp", 4)));
	say("pread=%s", num(pread(fd, text, 7, 0)));
	fstat(fd, &st);
	say("text=%s links=%lu mode=%o", text, (unsigned long)st.st_nlink, (unsigned)st.st_mode);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	say("name-it=%s", rc(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW)));
	say("named=%s", get_file("named"));
	say("readonly=%s", rc(open(".", O_TMPFILE | O_RDONLY, 0600)));
	put_file("f", "x");
	say("on-file=%s", rc(open("f", O_TMPFILE | O_RDWR, 0600)));
}

static void at_links(void)
{
	mkdir("d", 0755);
	put_file("d/f", "inside");
	int dir = open("d", O_RDONLY);
	say("symlinkat=%s", rc(symlinkat("f", dir, "l")));
	char text[16] = {0};
	say("readlinkat=%s", num(readlinkat(dir, "l", text, 15)));
	say("linkat=%s", rc(linkat(dir, "f", dir, "h", 0)));
	say("renameat=%s", rc(renameat(dir, "h", AT_FDCWD, "moved")));
	say("moved=%s", get_file("moved"));
	say("bad-fd=%s", rc(symlinkat("f", 77, "l")));
}

static const struct guest_case cases[] = {
	C(symlink_basic),
	C(symlink_dangling),
	C(symlink_loop),
	C(symlink_chain),
	C(symlink_to_directory),
	C(readlink_cases),
	C(nofollow),
	C(hard_link),
	C(hard_link_errors),
	C(unlink_open_file),
	C(unlink_errors),
	C(rename_basic),
	C(rename_keeps_open_file),
	C(rename_hard_link_twins),
	C(rename_directories),
	C(rename_updates_dotdot),
	C(rename_flags),
	C(rename_symlink),
	C(unnamed_file),
	C(at_links),
};

GUEST_MAIN("links", cases)
