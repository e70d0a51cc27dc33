/*
 * exec.c - execve in place: the same process goes on with a new program image.
 *
 * Each case replaces the program by itself with `--stage CASE`; the new image describes what it finds, prints
 * the line, and replaces itself again with `--after CASE` to go on. Where execve fails, the case says so.
 */
#include "case.h"

#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>

static const char *stage_name;

/* Replaces the program; returns only on failure. Extra arguments and the environment end with NULL. */
static void stage(const char *name, const char *extra, char *const environment[])
{
	char *arguments[] = {"exec", "--stage", (char *)name, (char *)extra, NULL};
	execve("/proc/self/exe", arguments, environment);
	say("execve=%s", errno_name(errno));
}

static char *no_environment[] = {NULL};

static void arguments(void)
{
	char *environment[] = {"A=1", "EMPTY=", "B=two words", NULL};
	stage("arguments", "an extra  argument", environment);
}

static void arguments_stage(int argc, char **argv)
{
	say("argc=%d %s", argc, argv[argc - 1]);
	say("name=%s", argv[0]);
	for (char **e = environ; *e; e++)
		say("[%s]", *e);
}

static void close_on_exec(void)
{
	put_file("f", "0123456789");
	open("f", O_RDONLY | O_CLOEXEC);
	int kept = open("f", O_RDONLY), also = open("f", O_RDONLY);
	fcntl(also, F_SETFD, FD_CLOEXEC);
	lseek(kept, 4, SEEK_SET);
	stage("close_on_exec", NULL, no_environment);
}

static void close_on_exec_stage(int argc, char **argv)
{
	char text[4] = {0};
	(void)argc;
	(void)argv;
	say("3=%s", rc(fcntl(3, F_GETFD)));
	say("4=%s", rc(fcntl(4, F_GETFD)));
	say("5=%s", rc(fcntl(5, F_GETFD)));
	say("read=%s", num(read(4, text, 3)));
	say("%s", text);
}

static void handler(int number)
{
	(void)number;
}

static void signals(void)
{
	sigset_t set;
	signal(SIGUSR1, handler);
	signal(SIGUSR2, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGRTMIN + 2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGHUP);
	static char alternate[65536];
	sigaltstack(&(stack_t){.ss_sp = alternate, .ss_size = sizeof alternate}, NULL);
	stage("signals", NULL, no_environment);
}

static void signals_stage(int argc, char **argv)
{
	struct sigaction action;
	sigset_t set;
	stack_t stack;
	(void)argc;
	(void)argv;
	sigaction(SIGUSR1, NULL, &action);
	say("handler-gone=%s", yes(action.sa_handler == SIG_DFL));
	sigaction(SIGUSR2, NULL, &action);
	say("ignored-stays=%s", yes(action.sa_handler == SIG_IGN));
	sigprocmask(SIG_BLOCK, NULL, &set);
	say("mask=%d%d%d", sigismember(&set, SIGHUP), sigismember(&set, SIGRTMIN + 2),
		sigismember(&set, SIGTERM));
	sigpending(&set);
	say("pending=%d", sigismember(&set, SIGHUP));
	sigaltstack(NULL, &stack);
	say("stack=%s", yes(stack.ss_flags == SS_DISABLE));
	signal(SIGHUP, SIG_IGN);
}

static void identity(void)
{
	char text[64];
	snprintf(text, sizeof text, "%d %d", getpid(), getppid());
	umask(013);
	stage("identity", text, no_environment);
}

static void identity_stage(int argc, char **argv)
{
	char text[64], target[4096] = {0};
	snprintf(text, sizeof text, "%d %d", getpid(), getppid());
	say("same=%s", yes(argc == 4 && strcmp(text, argv[3]) == 0));
	say("umask=%03o", (unsigned)umask(022));
	ssize_t n = readlink("/proc/self/exe", target, sizeof target - 1);
	char *slash = n > 0 ? strrchr(target, '/') : NULL;
	say("exe=%s", slash ? slash + 1 : "?");
}

static int counter;

static void memory(void)
{
	char text[64];
	counter = 5;
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	snprintf(text, sizeof text, "%lx", (unsigned long)p);
	sbrk(1 << 20);
	stage("memory", text, no_environment);
}

static void memory_stage(int argc, char **argv)
{
	(void)argc;
	unsigned char resident;
	void *old = (void *)strtoul(argv[3], NULL, 16);
	say("data=%d", counter);
	/* The old mapping is gone, or its place was taken by something of the new image. */
	say("mapping-gone=%s",
		yes(mincore(old, 4096, &resident) < 0 || *(volatile char *)old != 99));
	char *p = malloc(1 << 20);
	int bad = 0;
	for (int i = 0; i < 1 << 20; i++)
		bad += p[i] != 0;
	say("fresh=%d", bad);
	free(p);
}

static sem_t never;

static void *sleeper(void *unused)
{
	(void)unused;
	sem_wait(&never);
	return NULL;
}

static void with_other_threads(void)
{
	pthread_t thread;
	sem_init(&never, 0, 0);
	for (int i = 0; i < 3; i++)
		pthread_create(&thread, NULL, sleeper, NULL);
	stage("with_other_threads", NULL, no_environment);
}

static void with_other_threads_stage(int argc, char **argv)
{
	char text[4096];
	(void)argc;
	(void)argv;
	strcpy(text, get_file("/proc/self/status"));
	char *threads = strstr(text, "Threads:\t");
	say("threads=%c%c", threads ? threads[9] : '?', threads && threads[10] == '\n' ? '.' : '?');
	say("tid=%s", yes(gettid() == getpid()));
}

static void *replace(void *unused)
{
	(void)unused;
	stage("from_another_thread", NULL, no_environment);
	return NULL;
}

static void from_another_thread(void)
{
	pthread_t thread;
	pthread_create(&thread, NULL, replace, NULL);
	pthread_join(thread, NULL);
}

static void from_another_thread_stage(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	/* Whoever called, the new image's thread is the main one. */
	say("tid=%s", yes(gettid() == getpid()));
}

/* Writes this program to `path` as an executable file. */
static void copy_self(const char *path)
{
	static char block[65536];
	int in = open("/proc/self/exe", O_RDONLY), out = open(path, O_CREAT | O_WRONLY, 0755);
	ssize_t n;
	while ((n = read(in, block, sizeof block)) > 0)
		write(out, block, (size_t)n);
	close(in);
	close(out);
}

static void copied_file(void)
{
	/* A program that was itself written at run time. */
	copy_self("copy");
	char *arguments[] = {"anything", "--stage", "copied_file", NULL};
	execve("copy", arguments, no_environment);
	say("execve=%s", errno_name(errno));
}

static void copied_file_stage(int argc, char **argv)
{
	char target[4096] = {0};
	(void)argc;
	ssize_t n = readlink("/proc/self/exe", target, sizeof target - 1);
	char *slash = n > 0 ? strrchr(target, '/') : NULL;
	say("argv0=%s exe=%s", argv[0], slash ? slash + 1 : "?");
	say("comm=%s", get_file("/proc/self/comm"));
}

static void script(void)
{
	char text[4200], here[4096];
	getcwd(here, sizeof here);
	copy_self("interpreter");
	snprintf(text, sizeof text, "#! %s/interpreter --stage \nthe rest is for the interpreter\n",
		here);
	put_file("script", text);
	chmod("script", 0755);
	char *arguments[] = {"ignored", "first", "second", NULL};
	execve("./script", arguments, no_environment);
	say("execve=%s", errno_name(errno));
}

static void script_stage(int argc, char **argv)
{
	say("argc=%d", argc);
	for (int i = 3; i < argc; i++)
		say("%s", argv[i]);
}

static void errors(void)
{
	char *arguments[] = {"x", NULL};
	put_file("plain", "not a program\n");
	put_file("empty", "");
	put_file("bad-script", "#!/no/such/interpreter\n");
	put_file("elf", "\177ELF and then nothing of use");
	mkdir("d", 0755);
	symlink("loop", "loop");
	say("missing=%s", rc(execve("none", arguments, no_environment)));
	say("no-x=%s", rc(execve("plain", arguments, no_environment)));
	chmod("plain", 0755);
	chmod("empty", 0755);
	chmod("bad-script", 0755);
	chmod("elf", 0755);
	say("format=%s", rc(execve("plain", arguments, no_environment)));
	say("empty=%s", rc(execve("empty", arguments, no_environment)));
	say("interpreter=%s", rc(execve("bad-script", arguments, no_environment)));
	say("elf=%s", rc(execve("elf", arguments, no_environment)));
	say("directory=%s", rc(execve("d", arguments, no_environment)));
	say("not-a-directory=%s", rc(execve("plain/x", arguments, no_environment)));
	say("loop=%s", rc(execve("loop", arguments, no_environment)));
	say("alive=%s", yes(getpid() > 0));
}

static void too_much(void)
{
	/* One string of more than 32 pages is refused; the caller lives on. */
	static char large[140000];
	memset(large, 'x', sizeof large - 1);
	char *arguments[] = {"x", large, NULL};
	say("%s", rc(execve("/proc/self/exe", arguments, no_environment)));
}

static void long_arguments(void)
{
	static char large[100000];
	memset(large, 'y', sizeof large - 1);
	stage("long_arguments", large, no_environment);
}

static void long_arguments_stage(int argc, char **argv)
{
	size_t wrong = 0, length = strlen(argv[argc - 1]);
	for (size_t i = 0; i < length; i++)
		wrong += argv[argc - 1][i] != 'y';
	say("length=%zu wrong=%zu", length, wrong);
}

static const struct guest_case cases[] = {
	C(arguments),
	C(close_on_exec),
	C(signals),
	C(identity),
	C(memory),
	C(with_other_threads),
	C(from_another_thread),
	C(copied_file),
	C(script),
	C(long_arguments),
	C(errors),
	C(too_much),
};

static const struct {
	const char *name;
	void (*run)(int argc, char **argv);
} stages[] = {
	{"arguments", arguments_stage},
	{"close_on_exec", close_on_exec_stage},
	{"signals", signals_stage},
	{"identity", identity_stage},
	{"memory", memory_stage},
	{"with_other_threads", with_other_threads_stage},
	{"from_another_thread", from_another_thread_stage},
	{"copied_file", copied_file_stage},
	{"./script", script_stage},
	{"long_arguments", long_arguments_stage},
};

int main(int argc, char **argv)
{
	if (argc < 3 || strcmp(argv[1], "--stage") != 0)
		return guest_main(argc, argv, "exec", cases, sizeof cases / sizeof cases[0]);
	stage_name = argv[2];
	for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
		if (strcmp(stages[i].name, stage_name) != 0)
			continue;
		stages[i].run(argc, argv);
		const char *name = strncmp(stage_name, "./", 2) == 0 ? stage_name + 2 : stage_name;
		char line[20000];
		for (size_t k = 0; k < case_used; k++)
			if (case_text[k] == '\n')
				case_text[k] = '|';
		case_write(line,
			(size_t)snprintf(line, sizeof line, "CASE exec.%s %s\n", name, case_text));
		/* Back from the case's own directory. */
		if (chdir("..") < 0)
			return 96;
		char *next[] = {"exec", "--after", (char *)name, NULL};
		execve("/proc/self/exe", next, no_environment);
		return 95;
	}
	return 94;
}
