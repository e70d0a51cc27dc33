/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `dayfly up` and `dayfly down`: dayflyd in the background.
 *
 * The daemon says on standard output, which is a pipe here, that it serves; the pipe's end means that it has given up. Standard error is
 * a file in the state directory, which outlives this process. It is stopped by a request on its socket, and is gone when its lock on the
 * state directory is: no process is signalled by a number that may mean another one by now.
 */
#include "cli/platform/platform.h"

#include "cli/progress.h"
#include "host/cleanup.h"
#include "host/path.h"
#include "host/place.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_LIMIT_MS 120000
#define STOP_LIMIT_S 120
#define LOG_NAME "dayflyd.log"

/* Where the daemon lives. */
struct home {
	char *state, *program, *log;
};

static int find_home(struct home *home, struct df_err *err)
{
	DF_FREE char *state = df_place_state();

	home->state = state ? df_path_absolute(state) : NULL;
	home->program = df_place_program("dayflyd");
	home->log = home->state ? df_path_join(home->state, LOG_NAME) : NULL;
	if (!home->program || !home->log)
		return df_err_set(err, CLI_FAILED, "out of memory");
	return 0;
}

/* As people write it. */
static void print_path(const char *path)
{
	const char *home = getenv("HOME");
	size_t length = home ? strlen(home) : 0;
	bool inside = length > 1 && strncmp(path, home, length) == 0 &&
		(path[length] == '/' || !path[length]);

	printf("%s%s", inside ? "~" : "", path + (inside ? length : 0));
}

static void check_kvm(void)
{
	if (access("/dev/kvm", R_OK | W_OK) < 0)
		dprintf(STDERR_FILENO,
			"dayfly: no function can run without /dev/kvm; `dayfly doctor` says what to do\n");
}

/* --- is there one? --- */

/* 1: no daemon answers. 0: *info is what it says of itself, the caller's to json_decref. */
static int ask_info(json_t **info, struct df_err *err)
{
	int status = client_call("GET", "/info", NULL, info, err);

	return status && err->code == -ECONNREFUSED ? 1 : status;
}

static void print_running(const json_t *info)
{
	printf("dayflyd %s runs already: %s · state in ", member_text(info, "version"),
		member_text(info, "url"));
	print_path(member_text(info, "state"));
	printf(" · /dev/kvm %s\n", access("/dev/kvm", R_OK | W_OK) ? "cannot be used" : "ok");
	if (*member_text(info, "objects"))
		printf("object store (S3): %s\n", member_text(info, "objects"));
}

/* --- up --- */

struct up_options {
	const char *listen;
};

static int set_listen(void *into, const char *value, struct df_err *err)
{
	(void)err;
	((struct up_options *)into)->listen = value;
	return 0;
}

static const struct flag up_flags[] = {
	{"--listen", "ADDRESS:PORT", "where functions are called (default 127.0.0.1:8080)",
		set_listen},
	{0},
};

static const struct page up_page = {"up [FLAGS] [-- FLAGS OF DAYFLYD]",
	"Starts dayflyd in the background and waits until it serves. One that runs already is\n"
	"left alone. `dayfly logs` prints its log; why one did not start is in dayflyd.log of the state\n"
	"directory too.\n",
	0, PAGE_MANY, WORDS_NONE,
	"  dayfly up\n"
	"  dayfly up --listen 127.0.0.1:8081 -- --idle 5m --instances 64\n"};

/* The daemon's command line. NULL without memory. */
static char **make_words(const struct home *home, const struct up_options *how, char **more)
{
	size_t count = 0, at = 0;
	char **words;

	while (more[count])
		count++;
	words = calloc(count + 8, sizeof(*words));
	if (!words)
		return NULL;
	words[at++] = (char *)"dayflyd";
	words[at++] = (char *)"--state";
	words[at++] = home->state;
	/* `dayfly logs` has the lines; our file is for what comes before and after them. */
	words[at++] = (char *)"--log-echo";
	words[at++] = (char *)"none";
	if (how->listen) {
		words[at++] = (char *)"--listen";
		words[at++] = (char *)how->listen;
	}
	memcpy(words + at, more, count * sizeof(*more));
	return words;
}

/* The log of the daemon before this one gets another name. */
static int open_log(const struct home *home, struct df_err *err)
{
	DF_FREE char *before = df_format("%s.1", home->log);
	int fd, error = df_make_dirs(home->state, 0700);

	if (error)
		return df_err_set(err, -1, "cannot make the state directory %s: %s", home->state,
			df_errno_text(error));
	if (before)
		(void)rename(home->log, before);
	fd = open(home->log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		df_err_set(err, CLI_FAILED, "cannot open %s: %s", home->log, df_errno_text(errno));
	return fd;
}

/* A process in a session of its own: Ctrl-C and the end of this terminal are not for it. */
static int spawn(const struct home *home, char **words, int output, int log, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int error;

	sigemptyset(&none);
	if (posix_spawn_file_actions_init(&actions))
		return ENOMEM;
	if (posix_spawnattr_init(&attributes)) {
		posix_spawn_file_actions_destroy(&actions);
		return ENOMEM;
	}
	error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&actions, log, STDERR_FILENO);
	if (!error)
		error = posix_spawnattr_setsigmask(&attributes, &none);
	if (!error)
		error = posix_spawnattr_setflags(&attributes,
			POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
	if (!error)
		error = posix_spawn(pid, home->program, &actions, &attributes, words, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

/* The line by which it says that it serves. Returns 0, -EPIPE if it has ended, -ETIMEDOUT. */
static int read_line(int fd, char *line, size_t size)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	size_t length = 0;

	while (length < size - 1) {
		int ready = poll(&wait, 1, START_LIMIT_MS);
		ssize_t got;

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return -ETIMEDOUT;
		got = read(fd, line + length, 1);
		if (got <= 0)
			return -EPIPE;
		if (line[length] == '\n')
			break;
		length++;
	}
	line[length] = '\0';
	return 0;
}

static bool has_more(int fd)
{
	struct pollfd look = {.fd = fd, .events = POLLIN};

	return poll(&look, 1, 0) > 0 && look.revents & POLLIN;
}

/* The daemon's own words for why it ended: the first line of its log that is no JSON, else the last one. */
static void add_last_words(const struct home *home, struct df_err *err)
{
	static const char own[] = "dayflyd: ";
	DF_FCLOSE FILE *log = fopen(home->log, "re");
	char line[512], words[sizeof(line)] = "it said nothing";
	bool found = false;

	while (log && !found && fgets(line, sizeof(line), log)) {
		found = strncmp(line, own, sizeof(own) - 1) == 0;
		line[strcspn(line, "\n")] = '\0';
		snprintf(words, sizeof(words), "%s", line + (found ? sizeof(own) - 1 : 0));
	}
	df_err_add(err, "%s", words);
}

static int explain_failure(const struct home *home, pid_t pid, struct df_err *err)
{
	json_t *info = NULL;
	struct df_err ignored = {0};
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	/* Another `dayfly up` was faster. */
	if (ask_info(&info, &ignored) == 0) {
		print_running(info);
		json_decref(info);
		return CLI_OK;
	}
	df_err_set(err, CLI_FAILED, "dayflyd did not start: ");
	add_last_words(home, err);
	if (WIFSIGNALED(status))
		df_err_add(err, "; signal %d ended it", WTERMSIG(status));
	df_err_add(err, "; its log is %s", home->log);
	return CLI_FAILED;
}

static int start(const struct home *home, const struct up_options *how, char **more,
	struct df_err *err)
{
	DF_FREE char **words = make_words(home, how, more);
	DF_CLOSE int log = open_log(home, err);
	DF_CLOSE int from = -1;
	char line[512];
	int ends[2], error;
	pid_t pid = -1;

	if (log < 0)
		return CLI_FAILED;
	if (!words || pipe2(ends, O_CLOEXEC) < 0)
		return df_err_set(err, CLI_FAILED, "starting dayflyd failed: %s",
			df_errno_text(errno));
	from = ends[0];
	error = spawn(home, words, ends[1], log, &pid);
	close(ends[1]);
	if (error)
		return df_err_set(err, CLI_FAILED,
			"%s cannot be started: %s; build it with `make build`, or install dayfly again",
			home->program, df_errno_text(error));
	progress_begin("starting dayflyd", NULL);
	error = read_line(from, line, sizeof(line));
	progress_end();
	if (error == -EPIPE)
		return explain_failure(home, pid, err);
	if (error)
		return df_err_set(err, CLI_FAILED,
			"dayflyd (process %d) does not serve after %d s; it goes on trying, its log is %s",
			(int)pid, START_LIMIT_MS / 1000, home->log);
	printf("%s\n", line);
	/* What it says in the same breath: where the object store is. */
	while (has_more(from) && read_line(from, line, sizeof(line)) == 0)
		printf("%s\n", line);
	check_kvm();
	return CLI_OK;
}

static int refuse_state(char **words, struct df_err *err)
{
	for (; *words; words++) {
		if (strncmp(*words, "--state", strlen("--state")) == 0)
			return df_err_set(err, CLI_FAILED,
				"name the state directory in DAYFLY_STATE, where all commands look for it");
	}
	return 0;
}

int command_up(int argc, char **argv)
{
	struct up_options how = {NULL};
	const struct flag_set sets[] = {{up_flags, &how}, {0}};
	struct home home = {NULL};
	json_t *info = NULL;
	struct df_err err = {0};
	int next, status = page_flags(&up_page, sets, argc, argv, &next, &err);

	if (!status)
		status = refuse_state(argv + next, &err);
	if (!status)
		status = find_home(&home, &err);
	if (status)
		return page_end(status, &err);
	status = ask_info(&info, &err);
	if (status == 1)
		status = start(&home, &how, argv + next, &err);
	else if (!status)
		print_running(info);
	json_decref(info);
	return page_end(status, &err);
}

/* --- down --- */

static const struct page down_page = {"down",
	"Stops dayflyd: it takes no more calls, finishes those that run, and ends. Functions stay;\n"
	"they are there again after `dayfly up`. Asynchronous events are kept on disk.\n",
	0, 0, WORDS_NONE, NULL};

static void ignore(int signal)
{
	(void)signal;
}

/* The daemon holds the lock until it has ended. */
static int wait_for_end(const struct home *home, struct df_err *err)
{
	const struct itimerval tick = {{.tv_sec = 1}, {.tv_sec = 1}}, none = {0};
	const struct sigaction action = {.sa_handler = ignore};
	DF_FREE char *path = df_path_join(home->state, "lock");
	DF_CLOSE int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	int error = 0;

	if (fd < 0)
		return df_err_set(err, CLI_FAILED, "%s/lock: %s", home->state,
			df_errno_text(errno));
	progress_begin("stopping dayflyd", NULL);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &tick, NULL);
	for (int seconds = 0; flock(fd, LOCK_SH) < 0 && !error; seconds++) {
		if (errno != EINTR || seconds >= STOP_LIMIT_S)
			error = errno;
	}
	setitimer(ITIMER_REAL, &none, NULL);
	progress_end();
	if (error)
		return df_err_set(err, CLI_FAILED,
			"dayflyd still finishes what runs after %d s; it ends by itself then, its log is %s",
			STOP_LIMIT_S, home->log);
	return 0;
}

int command_down(int argc, char **argv)
{
	const struct flag_set sets[] = {{0}};
	struct home home = {NULL};
	struct df_err err = {0};
	int next, status = page_flags(&down_page, sets, argc, argv, &next, &err);

	if (!status)
		status = find_home(&home, &err);
	if (status)
		return page_end(status, &err);
	status = client_call("POST", "/stop", NULL, NULL, &err);
	if (status && err.code == -ECONNREFUSED) {
		printf("dayflyd does not run\n");
		return CLI_OK;
	}
	if (!status)
		status = wait_for_end(&home, &err);
	if (!status)
		printf("dayflyd has stopped\n");
	return page_end(status, &err);
}
