// SPDX-License-Identifier: Apache-2.0
/* Children that enter the jail: see jail_test.h. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "jail_test.h"

#define OURS 200 /* our own ends of pipes and sockets lie above */
#define ALARM_S 20
#define NOT_THERE 99 /* exit status of a child that has not come to where the test wants it */

void move(int from, int to)
{
	if (from != to) {
		dup2(from, to);
		close(from);
	}
}

static void give_up(const struct df_err *err)
{
	dprintf(STDERR_FILENO, "%s", err->text);
	_exit(NOT_THERE);
}

void give_up_root(void)
{
	static bool done;

	if (!as_nobody || done)
		return;
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
		setresuid(NOBODY, NOBODY, NOBODY))
		_exit(NOT_THERE);
	/* Its files in /proc are nobody's then, as if nobody had started it. */
	prctl(PR_SET_DUMPABLE, 1);
	done = true;
}

void enter(enum jail_profile profile, uint64_t keep)
{
	struct df_err err = {0};

	give_up_root();
	if (profile == JAIL_RUN ? jail_enter_run(&err) : jail_enter(keep, &err))
		give_up(&err);
}

struct jail_descriptors given = {.socket = JAIL_FD_SOCKET,
	.vm = -1,
	.vcpu = -1,
	.watch = -1,
	.kick = -1,
	.wake = -1,
	.life = -1};

static int lock_run(struct df_err *err)
{
	int r = jail_lock_run(&given, err);

	/* It says where they are now. */
	return r ? r : given.socket == JAIL_FD_SOCKET ? 0 : df_err_set(err, -EBADF, "moved");
}

void lock(enum jail_profile profile)
{
	struct df_err err = {0};

	if (profile == JAIL_RUN ? lock_run(&err) : jail_lock(profile, &err))
		give_up(&err);
}

int open_kvm(void)
{
	return open("/dev/kvm", O_RDWR | O_CLOEXEC);
}

void make_vm(int kvm)
{
	int vm = ioctl(kvm, KVM_CREATE_VM, 0), vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	struct kvm_run *run = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);

	if (run == MAP_FAILED)
		_exit(NOT_THERE);
	run->immediate_exit = 1;
	move(vm, JAIL_FD_VM);
	move(vcpu, JAIL_FD_VCPU);
	given.vm = JAIL_FD_VM;
	given.vcpu = JAIL_FD_VCPU;
}

pid_t start(struct child *c)
{
	int sockets[2], pipes[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) ||
		pipe2(pipes, O_CLOEXEC))
		exit(2);
	c->socket = fcntl(sockets[0], F_DUPFD_CLOEXEC, OURS);
	c->errors = fcntl(pipes[0], F_DUPFD_CLOEXEC, OURS);
	close(sockets[0]);
	close(pipes[0]);
	fflush(stdout);
	c->pid = fork();
	if (!c->pid) {
		alarm(ALARM_S);
		close(c->socket);
		close(c->errors);
		move(pipes[1], STDERR_FILENO);
		move(sockets[1], JAIL_FD_SOCKET);
		return 0;
	}
	close(sockets[1]);
	close(pipes[1]);
	return c->pid;
}

void finish(const struct child *c, char text[TEXT_MAX])
{
	int status, at;
	ssize_t n;

	waitpid(c->pid, &status, 0);
	at = WIFSIGNALED(status) ? snprintf(text, TEXT_MAX, "signal %d", WTERMSIG(status))
				 : snprintf(text, TEXT_MAX, "exit %d", WEXITSTATUS(status));
	n = read(c->errors, text + at + 1, (size_t)(TEXT_MAX - at - 2));
	if (n > 0) {
		text[at] = ' ';
		text[at + 1 + n] = 0;
	}
	close(c->socket);
	close(c->errors);
}

void run_deed(const char *prefix, enum jail_profile profile, const struct deed *d)
{
	char text[TEXT_MAX];
	struct child c;

	if (d->vm && !have_kvm)
		return;
	if (!start(&c)) {
		if (d->before)
			d->before();
		if (d->vm)
			move(open_kvm(), KEPT);
		enter(profile, d->keep | (uint64_t)d->vm << KEPT);
		if (d->vm)
			make_vm(KEPT);
		if (d->prepare)
			d->prepare();
		lock(profile);
		_exit(d->act());
	}
	/* Not if it has ended already. */
	(void)send(c.socket, "ping", 4, MSG_NOSIGNAL);
	finish(&c, text);
	verdict(!strcmp(text, d->want), prefix, d->name, text);
}
