/*
 * process.c - other processes. A dayfly has one process; these calls say so (differences.txt), but what does
 * not need a second process must be as on Linux.
 */
#include "case.h"

#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>

static void fork_call(void)
{
	pid_t child = fork();
	if (child == 0)
		_exit(5);
	say("fork=%s", rc(child));
	int status = 0;
	if (child > 0)
		waitpid(child, &status, 0);
	say("status=%d", status);
}

static void vfork_call(void)
{
	pid_t child = vfork();
	if (child == 0)
		_exit(6);
	say("vfork=%s", rc(child));
	int status = 0;
	if (child > 0)
		waitpid(child, &status, 0);
	say("status=%d", status);
}

static void spawn_call(void)
{
	pid_t child = -1;
	char *arguments[] = {"/proc/self/exe", "--list", NULL}, *environment[] = {NULL};
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	int result = posix_spawn(&child, "/proc/self/exe", &actions, NULL, arguments, environment);
	say("spawn=%s", errno_name(result));
	int status = 0;
	if (result == 0)
		waitpid(child, &status, 0);
	say("status=%d", status);
}

static void wait_without_children(void)
{
	int status;
	say("wait=%s", rc(wait(&status)));
	say("waitpid=%s", rc(waitpid(-1, &status, WNOHANG)));
	say("other=%s", rc(waitpid(0x3fffffff, &status, 0)));
	say("options=%s", rc(waitpid(-1, &status, 0x40000)));
	siginfo_t info;
	say("waitid=%s", rc(waitid(P_ALL, 0, &info, WEXITED | WNOHANG)));
	say("no-kind=%s", rc(waitid(P_ALL, 0, &info, 0)));
}

static void kill_others(void)
{
	say("nobody=%s", rc(kill(0x3fffffff, SIGTERM)));
	say("nobody-zero=%s", rc(kill(0x3fffffff, 0)));
	say("group=%s", rc(kill(-0x3fffffff, 0)));
}

static const struct guest_case cases[] = {
	C(fork_call),
	C(vfork_call),
	C(spawn_call),
	C(wait_without_children),
	C(kill_others),
};

GUEST_MAIN("process", cases)
