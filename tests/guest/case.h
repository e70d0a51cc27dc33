/*
 * case.h - the frame of every guest test program.
 *
 * A program holds a table of cases. Each case observes what the system does and describes it with say();
 * the frame prints it as one line, `CASE <program>.<case> <outcome>`. Nothing here knows what is right:
 * the suite runs the program on Linux first and compares the lines.
 *
 * An outcome must not depend on the machine, the time, addresses, or process ids. Numbers that vary are
 * turned into a statement about them first (`waited=enough`).
 *
 *   PROGRAM                 runs all cases in order
 *   PROGRAM --after CASE    runs those behind CASE (the suite goes on there after a crash or a hang)
 *   PROGRAM --only CASE     runs one
 *   PROGRAM --list          prints the names
 *
 * Each case gets an empty directory of its own as current directory, default signal handling, an empty
 * signal mask, and no descriptor above 2. Output is written with one write(2) per case, so it survives a crash in the next one.
 * say() is for the thread that runs the case.
 */
#ifndef TESTS_GUEST_CASE_H
#define TESTS_GUEST_CASE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The programs do on purpose what these warn of. */
#pragma GCC diagnostic ignored "-Wunused-result"
#pragma GCC diagnostic ignored "-Wnonnull"
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#pragma GCC diagnostic ignored "-Wstringop-overread"

struct guest_case {
	const char *name;
	void (*run)(void);
};

static char case_text[16384];
static size_t case_used;

/*
 * Adds to the outcome of the running case; a space goes between two calls. C does not say in which order
 * arguments are evaluated, so give one call at most one argument that has an effect.
 */
__attribute__((format(printf, 1, 2))) static inline void say(const char *format, ...)
{
	va_list args;

	if (case_used > 0 && case_used < sizeof case_text - 1)
		case_text[case_used++] = ' ';
	va_start(args, format);
	int n = vsnprintf(case_text + case_used, sizeof case_text - case_used, format, args);
	va_end(args);
	if (n > 0)
		case_used += (size_t)n;
	if (case_used > sizeof case_text - 1)
		case_used = sizeof case_text - 1;
}

/* The symbol of an errno value: "ENOENT". */
static inline const char *errno_name(int error)
{
	const char *name = strerrorname_np(error);
	return error == 0 ? "0" : name ? name : "E?";
}

/* "ok", or the errno name when `result` is -1. Reads errno: call it right after the system call. */
static inline const char *rc(long result)
{
	return result == -1 ? errno_name(errno) : "ok";
}

/* The number, or the errno name when `result` is -1. Eight results can be alive at once. */
static inline const char *num(long result)
{
	static char text[8][24];
	static unsigned next;
	char *out = text[next++ % 8];

	if (result == -1)
		return errno_name(errno);
	snprintf(out, sizeof text[0], "%ld", result);
	return out;
}

static inline const char *yes(bool value)
{
	return value ? "yes" : "no";
}

static inline int64_t now_ns(clockid_t id)
{
	struct timespec t = {0};
	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Whether at least `least_ns` and less than 30 s of monotonic time passed since `since_ns`. */
static inline const char *waited(int64_t since_ns, int64_t least_ns)
{
	int64_t passed = now_ns(CLOCK_MONOTONIC) - since_ns;
	return passed < least_ns ? "too-short" : passed > 30000000000 ? "too-long" : "enough";
}

/* Makes file `path` hold `text`; false on any failure. */
static inline bool put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0)
		return false;
	size_t length = strlen(text);
	bool good = write(fd, text, length) == (ssize_t)length;
	close(fd);
	return good;
}

/* The content of `path` (at most 4095 bytes), or the errno name in brackets. */
static inline const char *get_file(const char *path)
{
	static char text[4][4096];
	static unsigned next;
	char *out = text[next++ % 4];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, out, sizeof text[0] - 1);

	if (n < 0)
		snprintf(out, sizeof text[0], "<%s>", errno_name(errno));
	else
		out[n] = 0;
	if (fd >= 0)
		close(fd);
	return out;
}

/* Size of an open file, -1 on failure. */
static inline long file_size(int fd)
{
	struct stat st;
	return fstat(fd, &st) < 0 ? -1 : (long)st.st_size;
}

static inline void case_write(const char *text, size_t length)
{
	while (length > 0) {
		ssize_t n = write(1, text, length);
		if (n <= 0)
			_exit(99);
		text += n;
		length -= (size_t)n;
	}
}

static inline void case_reset(void)
{
	sigset_t none;

	for (int number = 1; number < 65; number++)
		if (number != SIGKILL && number != SIGSTOP && number != 32 && number != 33)
			signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(022);
	for (int fd = 3; fd < 260; fd++)
		close(fd);
}

static inline int guest_main(int argc, char **argv, const char *subject,
	const struct guest_case *cases, size_t count)
{
	const char *only = argc == 3 && strcmp(argv[1], "--only") == 0 ? argv[2] : NULL;
	const char *after = argc == 3 && strcmp(argv[1], "--after") == 0 ? argv[2] : NULL;
	bool list = argc == 2 && strcmp(argv[1], "--list") == 0;
	bool running = after == NULL;
	char line[sizeof case_text + 256];
	char here[4096];
	bool known_here = getcwd(here, sizeof here) != NULL;

	for (size_t i = 0; i < count; i++) {
		const char *name = cases[i].name;
		if (list) {
			case_write(line,
				(size_t)snprintf(line, sizeof line, "%s.%s\n", subject, name));
			continue;
		}
		if (!running) {
			running = strcmp(name, after) == 0;
			continue;
		}
		if (only && strcmp(name, only) != 0)
			continue;
		case_used = 0;
		case_text[0] = 0;
		case_reset();
		char own[256];
		snprintf(own, sizeof own, "case-%s", name);
		if (mkdir(own, 0755) == 0 && chdir(own) < 0)
			_exit(98);
		errno = 0;
		cases[i].run();
		for (size_t k = 0; k < case_used; k++)
			if (case_text[k] == '\n')
				case_text[k] = '|';
		case_write(line,
			(size_t)snprintf(line, sizeof line, "CASE %s.%s %s\n", subject, name,
				case_used ? case_text : "(nothing)"));
		if (known_here && chdir(here) < 0)
			_exit(97);
	}
	return 0;
}

#define GUEST_MAIN(subject, cases)                                                             \
	int main(int argc, char **argv)                                                        \
	{                                                                                      \
		return guest_main(argc, argv, subject, cases, sizeof cases / sizeof cases[0]); \
	}

/* One row of a case table: the function's name is the case's name. */
#define C(function)                 \
	{                           \
#function, function \
	}

#endif
