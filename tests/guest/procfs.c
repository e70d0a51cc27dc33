/*
 * procfs.c - the files under /proc, /dev and /etc that programs expect to find.
 */
#include "case.h"

#include <dirent.h>
#include <sys/mman.h>
#include <sys/uio.h>

static char text[262144];

/* Reads a file of unknown size whole; the length, or -1. */
static long slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	size_t used = 0;
	ssize_t n = -1;
	if (fd < 0)
		return -1;
	while (used < sizeof text - 1 && (n = read(fd, text + used, sizeof text - 1 - used)) > 0)
		used += (size_t)n;
	close(fd);
	text[used] = 0;
	return n < 0 ? -1 : (long)used;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* Whether a line of `text` starts with `start`. */
static bool has_line(const char *start)
{
	size_t length = strlen(start);
	for (const char *line = text; line && *line;
		line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (strncmp(line, start, length) == 0)
			return true;
	return false;
}

static void self_exe(void)
{
	char path[4096] = {0};
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
	say("absolute=%s name=%s", yes(n > 0 && path[0] == '/'), last_part(path));
	int fd = open("/proc/self/exe", O_RDONLY);
	char magic[4] = {0};
	say("open=%s", rc(fd));
	say("read=%s", num(read(fd, magic, 4)));
	say("elf=%s", yes(memcmp(magic, "\177ELF", 4) == 0));
	struct stat a, b;
	say("stat=%s", rc(stat("/proc/self/exe", &a)));
	say("same=%s", yes(stat(path, &b) == 0 && a.st_size == b.st_size && a.st_ino == b.st_ino));
	say("regular=%s", yes(S_ISREG(a.st_mode)));
	say("lstat=%s", rc(lstat("/proc/self/exe", &a)));
	say("link=%s", yes(S_ISLNK(a.st_mode)));
}

static void self_exe_is_busy(void)
{
	say("write=%s", rc(open("/proc/self/exe", O_WRONLY)));
}

static int global_variable = 1;

static void self_maps(void)
{
	char *heap = malloc(100),
	     *mapping = mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), here;
	void *code = (void *)(uintptr_t)self_maps;
	bool found_code = false, found_data = false, found_heap = false, found_stack = false,
	     found_map = false;
	bool sorted = true, parsed = true, named = false;
	unsigned long previous = 0;
	say("read=%s", yes(slurp("/proc/self/maps") > 0));
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		unsigned long start, end, offset, inode;
		unsigned major, minor;
		char flags[5], path[512] = "";
		if (sscanf(line, "%lx-%lx %4s %lx %x:%x %lu %511s", &start, &end, flags, &offset,
			    &major, &minor, &inode, path) < 7 ||
			start >= end || strlen(flags) != 4) {
			parsed = false;
			continue;
		}
		sorted = sorted && start >= previous;
		previous = end;
		bool writable = flags[0] == 'r' && flags[1] == 'w';
#define INSIDE(p) ((unsigned long)(p) >= start && (unsigned long)(p) < end)
		if (INSIDE(code) && flags[0] == 'r' && flags[1] == '-' && flags[2] == 'x' &&
			flags[3] == 'p') {
			found_code = true;
			named = strcmp(last_part(path), "procfs") == 0 && inode != 0;
		}
		found_data = found_data || (INSIDE(&global_variable) && writable);
		found_heap =
			found_heap || (INSIDE(heap) && writable && strcmp(path, "[heap]") == 0);
		found_stack =
			found_stack || (INSIDE(&here) && writable && strcmp(path, "[stack]") == 0);
		found_map = found_map ||
			(INSIDE(mapping) && strncmp(flags, "r--p", 4) == 0 &&
				INSIDE(mapping + (1 << 20) - 1));
	}
	say("parsed=%s sorted=%s", yes(parsed), yes(sorted));
	say("code=%s named=%s data=%s heap=%s stack=%s mapping=%s", yes(found_code), yes(named),
		yes(found_data), yes(found_heap), yes(found_stack), yes(found_map));
}

static void self_status(void)
{
	char wanted[64];
	say("read=%s", yes(slurp("/proc/self/status") > 0));
	say("name=%s", yes(has_line("Name:\tprocfs\n")));
	snprintf(wanted, sizeof wanted, "Pid:\t%d\n", getpid());
	say("pid=%s", yes(has_line(wanted)));
	snprintf(wanted, sizeof wanted, "PPid:\t%d\n", getppid());
	say("ppid=%s", yes(has_line(wanted)));
	say("uid=%s", yes(has_line("Uid:\t0\t0\t0\t0")));
	say("threads=%s", yes(has_line("Threads:\t1\n")));
	say("state=%s", yes(has_line("State:\tR")));
	say("vmrss=%s vmsize=%s", yes(has_line("VmRSS:")), yes(has_line("VmSize:")));
}

static void self_cmdline(void)
{
	long length = slurp("/proc/self/cmdline");
	say("terminated=%s", yes(length > 0 && text[length - 1] == 0));
	say("name=%s", last_part(text));
}

static void self_stat(void)
{
	int pid = 0;
	char name[32] = "", state = 0;
	say("read=%s", yes(slurp("/proc/self/stat") > 0));
	say("fields=%d", sscanf(text, "%d (%31[^)]) %c", &pid, name, &state));
	say("pid=%s name=%s state=%c", yes(pid == getpid()), name, state);
	unsigned long size = 0, resident = 0;
	slurp("/proc/self/statm");
	say("statm=%d", sscanf(text, "%lu %lu", &size, &resident));
	say("sane=%s", yes(size >= resident && resident > 0));
}

static void self_fd(void)
{
	put_file("some-file", "content");
	int fd = open("some-file", O_RDONLY), fds[2];
	char path[64], target[4096] = {0};
	pipe(fds);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	say("readlink=%s", yes(readlink(path, target, sizeof target - 1) > 0));
	say("name=%s", last_part(target));
	int again = open(path, O_RDONLY);
	say("open=%s", rc(again));
	char byte = 0;
	say("read=%s", num(read(again, &byte, 1)));
	say("own-position=%s", num(lseek(fd, 0, SEEK_CUR)));
	memset(target, 0, sizeof target);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fds[0]);
	say("pipe=%s",
		yes(readlink(path, target, sizeof target - 1) > 0 &&
			strncmp(target, "pipe:[", 6) == 0));
	say("closed=%s", rc(readlink("/proc/self/fd/99", target, 10)));
	DIR *dir = opendir("/proc/self/fd");
	int seen = 0, own = dir ? dirfd(dir) : -1;
	struct dirent *entry;
	while (dir && (entry = readdir(dir))) {
		int number = atoi(entry->d_name);
		seen += entry->d_name[0] != '.' && number != own;
	}
	say("entries=%d", seen);
	unlink("some-file");
	memset(target, 0, sizeof target);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	readlink(path, target, sizeof target - 1);
	say("unlinked=%s", last_part(target));
}

static void self_links(void)
{
	char target[4096] = {0}, here[4096];
	getcwd(here, sizeof here);
	say("cwd=%s", yes(readlink("/proc/self/cwd", target, sizeof target - 1) > 0));
	say("same=%s", yes(strcmp(target, here) == 0));
	memset(target, 0, sizeof target);
	say("root=%s", yes(readlink("/proc/self/root", target, sizeof target - 1) > 0));
	say("%s", target);
	memset(target, 0, sizeof target);
	readlink("/proc/self", target, sizeof target - 1);
	say("self=%s", yes(atoi(target) == getpid()));
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/status", getpid());
	say("by-pid=%s", yes(slurp(path) > 0));
	say("nobody=%s", rc(open("/proc/999999999/status", O_RDONLY)));
	memset(target, 0, sizeof target);
	say("thread-self=%s", yes(readlink("/proc/thread-self", target, sizeof target - 1) > 0));
}

static void self_environment(void)
{
	long length = slurp("/proc/self/environ");
	say("read=%s", yes(length >= 0));
	bool found = false;
	for (long i = 0; i < length; i += (long)strlen(text + i) + 1)
		found = found || strcmp(text + i, "DAYFLY_TEST=guest") == 0;
	say("found=%s", yes(found == (getenv("DAYFLY_TEST") != NULL)));
}

static void self_task(void)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/self/task/%d", gettid());
	struct stat st;
	say("task=%s", rc(stat(path, &st)));
	say("comm=%s", yes(slurp("/proc/self/comm") > 0));
	say("%s", strtok(text, "\n") ?: "?");
	say("mounts=%s", yes(slurp("/proc/self/mounts") > 0));
	say("root=%s", yes(strstr(text, " / ") != NULL));
	say("limits=%s", yes(slurp("/proc/self/limits") > 0));
	say("open-files=%s", yes(has_line("Max open files")));
	say("cgroup=%s", yes(slurp("/proc/self/cgroup") >= 0));
}

static void processor_list(void)
{
	say("cpuinfo=%s", yes(slurp("/proc/cpuinfo") > 0));
	say("processor=%s", yes(has_line("processor\t: 0")));
	say("flags=%s", yes(has_line("flags\t\t:")));
	say("model=%s", yes(has_line("model name\t:")));
	say("vendor=%s", yes(has_line("vendor_id\t:")));
	say("online=%s", yes(slurp("/sys/devices/system/cpu/online") > 0));
	say("from-zero=%s", yes(text[0] == '0'));
}

static void memory_list(void)
{
	unsigned long total = 0;
	say("meminfo=%s", yes(slurp("/proc/meminfo") > 0));
	say("total=%d", sscanf(text, "MemTotal: %lu kB", &total));
	say("sane=%s", yes(total > 1024));
	say("free=%s available=%s", yes(has_line("MemFree:")), yes(has_line("MemAvailable:")));
}

static void system_files(void)
{
	double up = 0, idle = 0;
	say("version=%s", yes(slurp("/proc/version") > 0));
	say("linux=%s", yes(strncmp(text, "Linux version ", 14) == 0));
	slurp("/proc/uptime");
	say("uptime=%s", yes(sscanf(text, "%lf %lf", &up, &idle) == 2 && up > 0));
	slurp("/proc/loadavg");
	say("loadavg=%s", yes(sscanf(text, "%lf %lf", &up, &idle) == 2));
	say("stat=%s", yes(slurp("/proc/stat") > 0));
	say("cpu=%s btime=%s", yes(has_line("cpu ")), yes(has_line("btime ")));
	say("filesystems=%s", yes(slurp("/proc/filesystems") > 0));
	say("ostype=%s",
		yes(slurp("/proc/sys/kernel/ostype") == 6 && strcmp(text, "Linux\n") == 0));
	say("overcommit=%s", yes(slurp("/proc/sys/vm/overcommit_memory") > 0));
	say("pid_max=%s", yes(slurp("/proc/sys/kernel/pid_max") > 0));
	say("missing=%s", rc(open("/proc/no-such-file", O_RDONLY)));
}

static void reading_in_pieces(void)
{
	/* A file that is made when it is read must not change or repeat between small reads. */
	long whole = slurp("/proc/self/limits");
	static char copy[65536];
	memcpy(copy, text, (size_t)(whole < 0 ? 0 : whole));
	int fd = open("/proc/self/limits", O_RDONLY);
	long total = 0;
	bool same = true;
	char piece[7];
	for (ssize_t n; (n = read(fd, piece, sizeof piece)) > 0; total += n)
		same = same && memcmp(copy + total, piece, (size_t)n) == 0;
	say("same=%s length=%s", yes(same), yes(total == whole && whole > 0));
	say("rewind=%s", num(lseek(fd, 0, SEEK_SET)));
	say("read=%s", num(read(fd, piece, 5)));
	say("same=%s", yes(memcmp(copy, piece, 5) == 0));
}

static void device_null_zero_full(void)
{
	char block[64];
	int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR),
	    full = open("/dev/full", O_RDWR);
	say("open=%s%s%s", yes(null >= 0), yes(zero >= 0), yes(full >= 0));
	say("null-read=%s", num(read(null, block, 10)));
	say("null-write=%s", num(write(null, block, 10)));
	memset(block, 1, sizeof block);
	say("zero-read=%s", num(read(zero, block, 64)));
	int bad = 0;
	for (int i = 0; i < 64; i++)
		bad += block[i] != 0;
	say("bad=%d", bad);
	say("zero-write=%s", num(write(zero, block, 10)));
	say("full-read=%s", num(read(full, block, 10)));
	say("full-write=%s", num(write(full, block, 10)));
	say("null-seek=%s", num(lseek(null, 5, SEEK_SET)));
	say("null-truncate=%s", rc(open("/dev/null", O_WRONLY | O_TRUNC | O_CREAT, 0644)));
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
	say("zero-map=%s", p == MAP_FAILED ? errno_name(errno) : yes(p[100] == 0));
	struct iovec v[2] = {{block, 5}, {block, 6}};
	say("writev=%s", num(writev(null, v, 2)));
}

static void device_random(void)
{
	unsigned char a[32], b[32];
	int u = open("/dev/urandom", O_RDONLY), r = open("/dev/random", O_RDONLY);
	say("%s%s", yes(u >= 0), yes(r >= 0));
	say("read=%s", num(read(u, a, 32)));
	say("read=%s", num(read(u, b, 32)));
	say("differ=%s", yes(memcmp(a, b, 32) != 0));
	say("random=%s", num(read(r, b, 32)));
	say("differ=%s", yes(memcmp(a, b, 32) != 0));
	struct stat st;
	fstat(u, &st);
	say("device=%s", yes(S_ISCHR(st.st_mode)));
}

static void device_standard_streams(void)
{
	char target[64] = {0};
	struct stat st;
	say("fd=%s",
		yes(readlink("/dev/fd", target, sizeof target - 1) > 0 &&
			strcmp(target, "/proc/self/fd") == 0));
	say("stdin=%s", rc(lstat("/dev/stdin", &st)));
	say("link=%s", yes(S_ISLNK(st.st_mode)));
	say("stdout=%s", rc(lstat("/dev/stdout", &st)));
	say("stderr=%s", rc(lstat("/dev/stderr", &st)));
	/* A descriptor through its name: the same pipe. */
	int fds[2];
	char path[32], byte = 0;
	pipe(fds);
	snprintf(path, sizeof path, "/dev/fd/%d", fds[1]);
	int again = open(path, O_WRONLY);
	say("open=%s", rc(again));
	say("write=%s", num(write(again, "q", 1)));
	say("read=%s", num(read(fds[0], &byte, 1)));
	say("%c", byte);
	say("missing=%s", rc(open("/dev/no-such-device", O_RDONLY)));
}

static void shared_memory_object(void)
{
	shm_unlink("/dayfly-test");
	int fd = shm_open("/dayfly-test", O_CREAT | O_EXCL | O_RDWR, 0600);
	say("open=%s", rc(fd));
	say("truncate=%s", rc(ftruncate(fd, 8192)));
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	p[5000] = 42;
	int again = shm_open("/dayfly-test", O_RDWR, 0);
	char byte = 0;
	say("again=%s", rc(again));
	say("pread=%s", num(pread(again, &byte, 1, 5000)));
	say("%d", byte);
	say("exists=%s", rc(shm_open("/dayfly-test", O_CREAT | O_EXCL | O_RDWR, 0600)));
	say("unlink=%s", rc(shm_unlink("/dayfly-test")));
	say("gone=%s", rc(shm_open("/dayfly-test", O_RDWR, 0)));
	p[5001] = 1;
	say("alive=%d", p[5001]);
}

static void etc_files(void)
{
	say("passwd=%s", yes(slurp("/etc/passwd") > 0));
	say("root=%s", yes(has_line("root:x:0:0:")));
	say("group=%s", yes(slurp("/etc/group") > 0));
	say("root=%s", yes(has_line("root:x:0:")));
	say("hosts=%s", yes(slurp("/etc/hosts") > 0));
	say("localhost=%s", yes(strstr(text, "localhost") != NULL));
}

static void zone_and_certificates(void)
{
	/* There if the machine has them; what programs read when they ask for local time or trust a server. */
	say("localtime=%s", rc(access("/etc/localtime", R_OK)));
	long length = slurp("/etc/ssl/certs/ca-certificates.crt");
	say("certificates=%s",
		yes(length > 0 && strncmp(text, "-----BEGIN CERTIFICATE-----", 27) == 0));
	say("resolver=%s", yes(slurp("/etc/nsswitch.conf") > 0));
}

static void root_directories(void)
{
	static const char *const all[] = {"/proc", "/dev", "/etc", "/tmp", "/dev/shm", "/sys"};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		struct stat st;
		int result = stat(all[i], &st);
		say("%s:%s", all[i],
			result < 0                    ? errno_name(errno)
				: S_ISDIR(st.st_mode) ? "dir"
						      : "other");
	}
}

static void proc_is_readonly(void)
{
	say("create=%s", rc(open("/proc/new-file", O_CREAT | O_WRONLY, 0644)));
	say("mkdir=%s", rc(mkdir("/proc/new-dir", 0755)));
	int fd = open("/proc/self/comm", O_WRONLY);
	say("comm=%s", rc(fd));
	say("write=%s", num(write(fd, "renamed", 7)));
	slurp("/proc/self/comm");
	say("%s", strtok(text, "\n") ?: "?");
}

static const struct guest_case cases[] = {
	C(self_exe),
	C(self_exe_is_busy),
	C(self_maps),
	C(self_status),
	C(self_cmdline),
	C(self_stat),
	C(self_fd),
	C(self_links),
	C(self_environment),
	C(self_task),
	C(processor_list),
	C(memory_list),
	C(system_files),
	C(reading_in_pieces),
	C(device_null_zero_full),
	C(device_random),
	C(device_standard_streams),
	C(shared_memory_object),
	C(etc_files),
	C(zone_and_certificates),
	C(root_directories),
	C(proc_is_readonly),
};

GUEST_MAIN("procfs", cases)
