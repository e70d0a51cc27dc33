// SPDX-License-Identifier: Apache-2.0
/*
 * dayfly-monitor: runs one microVM. Started by `dayfly run` (which becomes it) and by the daemon.
 * Exit status: the program's, 128 + signal, 124 time limit, 125 our own failure.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "freeze.h"
#include "jail.h"
#include "jail_check.h"
#include "outside.h"
#include "report.h"
#include "serve.h"
#include "streams.h"
#include "thaw.h"
#include "vm.h"
#include "watch.h"

static int exit_status(const struct vm *vm)
{
	switch (vm->outcome) {
	case DF_OUTCOME_EXIT:
		return vm->status;
	case DF_OUTCOME_SIGNAL:
		return 128 + vm->status;
	case DF_OUTCOME_WALL_TIME:
		return 124;
	default:
		return 125;
	}
}

/* From here on the monitor can but run its guest. */
static int lock_jail(struct vm *vm, struct df_err *err)
{
	const bool net = vm->net.there;
	struct jail_descriptors d = {.socket = vm->outside,
		.vm = vm->vm_fd,
		.vcpu = vm->vcpu_fd,
		.watch = vm->watch_fd,
		.kick = net ? vm->net.kick_fd : -1,
		.wake = net ? vm->net.wake_fd : -1,
		.life = net ? vm->net.life_fd : -1};
	int r = jail_lock_run(&d, err);

	vm->outside = d.socket;
	vm->vm_fd = vm->memory.vm_fd = d.vm;
	vm->vcpu_fd = d.vcpu;
	vm->watch_fd = d.watch;
	vm->net.kick_fd = d.kick;
	vm->net.wake_fd = d.wake;
	return r;
}

static int set_up(struct vm *vm, const struct options *o, struct df_err *err)
{
	int r = outside_start(o, &vm->outside, err);

	r = r ? r : vm_open(vm, o, err);
	r = r ? r : watch_open(vm, err);
	if (!r && !o->no_jail)
		r = jail_enter_run(err);
	r = r ? r : vm_create(vm, err);
	r = r ? r : events_init(vm, err);
	return r || o->no_jail ? r : lock_jail(vm, err);
}

static int run(int argc, char **argv, char **envp)
{
	static struct vm vm;
	struct options o;
	struct df_err err = {0};

	vm.start_ns = clock_now_ns();
	if (options_parse(&o, argc, argv, envp, &err) || set_up(&vm, &o, &err)) {
		fprintf(stderr, "dayfly: %s\n", err.text);
		return 125;
	}
	vm.boot->boot_tsc = __builtin_ia32_rdtsc();
	vm_run(&vm);
	outside_ask(vm.outside, OUTSIDE_END, NULL);
	streams_restore();
	watch_end(&vm);
	if (o.stats)
		report_stats(&vm);
	fflush(stderr);
	_exit(exit_status(&vm));
}

int main(int argc, char **argv, char **envp)
{
	if (argc >= 2 && !strcmp(argv[1], "run"))
		return run(argc - 2, argv + 2, envp);
	if (argc >= 2 && !strcmp(argv[1], "freeze"))
		return freeze_main(argc - 2, argv + 2, envp);
	if (argc >= 2 && !strcmp(argv[1], "serve"))
		return serve_main(argc - 2, argv + 2);
	if (argc >= 2 && !strcmp(argv[1], "thaw"))
		return thaw_main(argc - 2, argv + 2);
	if (argc >= 2 && !strcmp(argv[1], "check-jail"))
		jail_check_main();
	fprintf(stderr, "dayfly-monitor is started by dayfly; try: dayfly run PROGRAM\n");
	return 125;
}
