/*
 * system.c - what a program asks about the system and itself: names, ids, limits, randomness, processors.
 */
#include "case.h"

#include <elf.h>
#include <limits.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/utsname.h>

static void names(void)
{
	struct utsname name;
	say("%s", rc(uname(&name)));
	say("sysname=%s machine=%s", name.sysname, name.machine);
	int major = 0, minor = 0;
	say("release-parses=%s", yes(sscanf(name.release, "%d.%d", &major, &minor) == 2));
	/* The C library refuses to run on kernels that say they are too old. */
	say("new-enough=%s", yes(major > 3));
	say("nodename=%s", yes(name.nodename[0] != 0 && strlen(name.nodename) < 65));
	char host[65];
	say("hostname=%s", rc(gethostname(host, sizeof host)));
	say("same=%s", yes(strcmp(host, name.nodename) == 0));
	say("pointer=%s", rc(syscall(SYS_uname, 8L)));
}

static void user_ids(void)
{
	uid_t r, e, s;
	gid_t x, y, z;
	say("%u", getuid());
	say("%u", geteuid());
	say("%u", getgid());
	say("%u", getegid());
	say("%s", rc(getresuid(&r, &e, &s)));
	say("%u%u%u", r, e, s);
	say("%s", rc(getresgid(&x, &y, &z)));
	say("%u%u%u", x, y, z);
	say("setuid-same=%s", rc(setuid(getuid())));
	say("setgid-same=%s", rc(setgid(getgid())));
	say("setresuid-keep=%s", rc(setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1)));
	say("groups=%s", yes(getgroups(0, NULL) >= 0));
	say("secure=%lu", getauxval(AT_SECURE));
}

static void process_ids(void)
{
	say("pid=%s", yes(getpid() > 0));
	say("ppid=%s", yes(getppid() >= 0));
	say("stable=%s", yes(getpid() == getpid()));
	say("tid=%s", yes(gettid() == getpid()));
	say("not-parent=%s", yes(getpid() != getppid()));
	say("pgid=%s", yes(getpgrp() == getpgid(0)));
	say("sid=%s", yes(getsid(0) >= 0));
	say("nobody=%s", rc(getpgid(0x3fffffff)));
	say("set-tid-address=%s", yes(syscall(SYS_set_tid_address, NULL) == gettid()));
}

static void limits_read(void)
{
	static const struct {
		int id;
		const char *name;
	} all[] = {{RLIMIT_NOFILE, "nofile"}, {RLIMIT_STACK, "stack"}, {RLIMIT_AS, "as"},
		{RLIMIT_DATA, "data"}, {RLIMIT_CORE, "core"}, {RLIMIT_CPU, "cpu"},
		{RLIMIT_FSIZE, "fsize"}};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		struct rlimit a, b;
		int x = getrlimit(all[i].id, &a),
		    y = prlimit(0, (enum __rlimit_resource)all[i].id, NULL, &b);
		say("%s:%s%s%s%s", all[i].name, x == 0 ? "ok" : "?", y == 0 ? "ok" : "?",
			a.rlim_cur == b.rlim_cur && a.rlim_max == b.rlim_max ? "same" : "differ",
			a.rlim_cur <= a.rlim_max ? "" : "above");
	}
	struct rlimit limit;
	say("unknown=%s", rc(syscall(SYS_getrlimit, 99L, &limit)));
	getrlimit(RLIMIT_STACK, &limit);
	say("stack-sane=%s", yes(limit.rlim_cur >= 1 << 20));
	say("null=%s", rc(syscall(SYS_getrlimit, RLIMIT_NOFILE, 8L)));
}

static void limits_set(void)
{
	struct rlimit old, limit, back;
	getrlimit(RLIMIT_CORE, &old);
	limit = (struct rlimit){0, old.rlim_max};
	say("core=%s", rc(setrlimit(RLIMIT_CORE, &limit)));
	getrlimit(RLIMIT_CORE, &back);
	say("%lu", (unsigned long)back.rlim_cur);
	limit = (struct rlimit){10, 5};
	say("above-max=%s", rc(setrlimit(RLIMIT_CORE, &limit)));
	getrlimit(RLIMIT_NOFILE, &old);
	limit = (struct rlimit){64, old.rlim_max};
	say("nofile=%s", rc(setrlimit(RLIMIT_NOFILE, &limit)));
	say("sysconf=%ld", sysconf(_SC_OPEN_MAX));
	say("prlimit=%s", rc(prlimit(getpid(), RLIMIT_NOFILE, &old, &back)));
	say("%lu", (unsigned long)back.rlim_cur);
}

static void file_size_limit(void)
{
	struct rlimit old, limit;
	getrlimit(RLIMIT_FSIZE, &old);
	limit = (struct rlimit){10, old.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	say("set=%s", rc(setrlimit(RLIMIT_FSIZE, &limit)));
	int fd = open("a", O_CREAT | O_RDWR, 0644);
	say("short=%s", num(write(fd, "0123456789abc", 13)));
	say("full=%s", num(write(fd, "x", 1)));
	say("truncate=%s", rc(ftruncate(fd, 11)));
	setrlimit(RLIMIT_FSIZE, &old);
	say("size=%ld", file_size(fd));
}

static void usage(void)
{
	struct rusage u, thread;
	memset(&u, 0xff, sizeof u);
	say("%s", rc(getrusage(RUSAGE_SELF, &u)));
	say("times=%s",
		yes(u.ru_utime.tv_sec >= 0 && u.ru_utime.tv_usec < 1000000 &&
			u.ru_stime.tv_usec < 1000000));
	say("maxrss=%s", yes(u.ru_maxrss > 0));
	say("thread=%s", rc(getrusage(RUSAGE_THREAD, &thread)));
	say("children=%s", rc(getrusage(RUSAGE_CHILDREN, &u)));
	say("unknown=%s", rc(getrusage((enum __rusage_who)77, &u)));
}

static void randomness(void)
{
	unsigned char a[64] = {0}, b[64] = {0};
	say("%s", num(getrandom(a, 64, 0)));
	say("%s", num(getrandom(b, 64, GRND_NONBLOCK)));
	say("differ=%s", yes(memcmp(a, b, 64) != 0));
	say("random=%s", num(getrandom(a, 16, GRND_RANDOM)));
	say("insecure=%s", num(getrandom(a, 16, GRND_INSECURE)));
	say("zero=%s", num(getrandom(a, 0, 0)));
	say("flags=%s", num(getrandom(a, 16, 0x100)));
	say("both=%s", num(getrandom(a, 16, GRND_RANDOM | GRND_INSECURE)));
	say("pointer=%s", num(syscall(SYS_getrandom, 8L, 16L, 0)));
	static unsigned char large[100000];
	say("large=%s", num(getrandom(large, sizeof large, 0)));
	int counts[256] = {0}, low = 1 << 30, high = 0;
	for (size_t i = 0; i < sizeof large; i++)
		counts[large[i]]++;
	for (int i = 0; i < 256; i++) {
		low = counts[i] < low ? counts[i] : low;
		high = counts[i] > high ? counts[i] : high;
	}
	/* 390 expected of each; seven standard deviations either way. */
	say("spread=%s", yes(low > 250 && high < 530));
	say("entropy=%s", rc(getentropy(a, 32)));
	say("entropy-257=%s", rc(getentropy(large, 257)));
}

static void auxiliary_vector(void)
{
	static const struct {
		unsigned long id;
		const char *name;
	} all[] = {{AT_PHDR, "phdr"}, {AT_PHENT, "phent"}, {AT_PHNUM, "phnum"},
		{AT_PAGESZ, "pagesz"}, {AT_ENTRY, "entry"}, {AT_RANDOM, "random"},
		{AT_EXECFN, "execfn"}, {AT_PLATFORM, "platform"}, {AT_CLKTCK, "clktck"},
		{AT_HWCAP, "hwcap"}, {AT_SYSINFO_EHDR, "vdso"}};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		say("%s:%s", all[i].name, getauxval(all[i].id) ? "there" : "missing");
	say("page=%lu tick=%lu", getauxval(AT_PAGESZ), getauxval(AT_CLKTCK));
	say("uid=%lu,%lu", getauxval(AT_UID), getauxval(AT_EUID));
	say("platform=%s", (const char *)getauxval(AT_PLATFORM));
	const Elf64_Phdr *phdr = (const Elf64_Phdr *)getauxval(AT_PHDR);
	int loads = 0;
	for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++)
		loads += phdr[i].p_type == PT_LOAD;
	say("phent=%lu loads=%s", getauxval(AT_PHENT), yes(loads >= 1));
	const unsigned char *seed = (const unsigned char *)getauxval(AT_RANDOM);
	int nonzero = 0;
	for (int i = 0; i < 16; i++)
		nonzero += seed[i] != 0;
	say("seed=%s", yes(nonzero > 8));
	const char *name = (const char *)getauxval(AT_EXECFN), *slash = strrchr(name, '/');
	say("name=%s", slash ? slash + 1 : name);
	const unsigned char *vdso = (const unsigned char *)getauxval(AT_SYSINFO_EHDR);
	say("vdso-elf=%s", yes(vdso && memcmp(vdso, ELFMAG, 4) == 0));
	say("stack-aligned=%s", yes(((uintptr_t)__builtin_frame_address(0) & 15) == 0));
}

static void process_control(void)
{
	char name[17] = {0};
	say("set=%s", rc(prctl(PR_SET_NAME, "a-new-name-cut-here")));
	say("get=%s", rc(prctl(PR_GET_NAME, name)));
	say("%s", name);
	say("dumpable=%s", num(prctl(PR_GET_DUMPABLE)));
	say("set=%s", rc(prctl(PR_SET_DUMPABLE, 0)));
	say("get=%s", num(prctl(PR_GET_DUMPABLE)));
	say("set=%s", rc(prctl(PR_SET_DUMPABLE, 7)));
	say("deathsig=%s", rc(prctl(PR_SET_PDEATHSIG, SIGTERM)));
	int number = 0;
	say("get=%s", rc(prctl(PR_GET_PDEATHSIG, &number)));
	say("%d", number);
	say("slack=%s", yes(prctl(PR_GET_TIMERSLACK) > 0));
	say("unknown=%s", rc(prctl(0x12345, 0, 0, 0, 0)));
	say("pointer=%s", rc(prctl(PR_GET_NAME, 8L)));
}

static void no_new_privileges(void)
{
	say("no-new-privs=%s", num(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)));
	say("set=%s", rc(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)));
	say("get=%s", num(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)));
	say("clear=%s", rc(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0)));
}

static void processors(void)
{
	cpu_set_t set;
	unsigned cpu = 999, node = 999;
	say("%s", rc(sched_getaffinity(0, sizeof set, &set)));
	say("some=%s", yes(CPU_COUNT(&set) >= 1));
	/* The call itself answers the number of bytes it wrote. */
	say("raw=%s", yes(syscall(SYS_sched_getaffinity, 0, sizeof set, &set) >= 8));
	say("small=%s", rc(syscall(SYS_sched_getaffinity, 0, 1L, &set)));
	say("getcpu=%s", rc((long)getcpu(&cpu, &node)));
	say("in-set=%s", yes(CPU_ISSET(cpu, &set)));
	say("sched_getcpu=%s", yes(sched_getcpu() >= 0));
	say("nprocs=%s", yes(get_nprocs() >= 1 && get_nprocs_conf() >= 1));
	say("set=%s", rc(sched_setaffinity(0, sizeof set, &set)));
	CPU_ZERO(&set);
	say("empty=%s", rc(sched_setaffinity(0, sizeof set, &set)));
	say("yield=%s", rc(sched_yield()));
	say("nobody=%s", rc(sched_getaffinity(0x3fffffff, sizeof set, &set)));
}

static void scheduling(void)
{
	struct sched_param parameter = {77};
	say("policy=%s", num(sched_getscheduler(0)));
	say("param=%s", rc(sched_getparam(0, &parameter)));
	say("priority=%d", parameter.sched_priority);
	say("max-fifo=%s", num(sched_get_priority_max(SCHED_FIFO)));
	say("min-fifo=%s", num(sched_get_priority_min(SCHED_FIFO)));
	say("max-other=%s", num(sched_get_priority_max(SCHED_OTHER)));
	say("unknown=%s", rc(sched_get_priority_max(99)));
	errno = 0;
	say("nice=%s", num(getpriority(PRIO_PROCESS, 0)));
	say("keep=%s", rc(setpriority(PRIO_PROCESS, 0, 0)));
}

static void system_information(void)
{
	struct sysinfo info;
	say("%s", rc(sysinfo(&info)));
	say("total=%s free=%s", yes(info.totalram > 1 << 20), yes(info.freeram <= info.totalram));
	say("unit=%s procs=%s", yes(info.mem_unit >= 1), yes(info.procs >= 1));
	say("uptime=%s", yes(info.uptime >= 0));
}

static void unknown_calls(void)
{
	say("%s", rc(syscall(5000L)));
	say("%s", rc(syscall(-7L)));
	say("%s", rc(syscall(0x7fffffffL)));
	say("tuxcall=%s", rc(syscall(184L)));
	say("afs=%s", rc(syscall(183L)));
}

static void membarrier_query(void)
{
	long commands = syscall(SYS_membarrier, 0, 0, 0);
	/* Go and others ask for it; those that are offered must work. */
	say("query=%s", yes(commands >= 0));
	say("private=%s",
		commands > 0 && commands & 16 ? rc(syscall(SYS_membarrier, 16, 0, 0))
					      : "not offered");
	say("flags=%s", rc(syscall(SYS_membarrier, 0, 99, 0)));
}

static void restartable_sequences(void)
{
	/* The C library registers; it must be told the truth either way. */
	static _Alignas(32) char area[32];
	say("%s", rc(syscall(SYS_rseq, area, 7L, 0, 0)));
}

static void controlling_terminal(void)
{
	say("umask=%03o", (unsigned)umask(022));
	say("tty=%s", rc(open("/dev/tty", O_RDWR)));
}

static const struct guest_case cases[] = {
	C(names),
	C(user_ids),
	C(process_ids),
	C(limits_read),
	C(limits_set),
	C(file_size_limit),
	C(usage),
	C(randomness),
	C(auxiliary_vector),
	C(process_control),
	C(no_new_privileges),
	C(processors),
	C(scheduling),
	C(system_information),
	C(unknown_calls),
	C(membarrier_query),
	C(restartable_sequences),
	C(controlling_terminal),
};

GUEST_MAIN("system", cases)
