// SPDX-License-Identifier: Apache-2.0
/*
 * dayfly-monitor: runs one microVM. Started by `dayfly run` (which becomes it) and by the daemon.
 * Exit status: the program's, 128 + signal, 124 time limit, 125 our own failure.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "freeze.h"
#include "jail_check.h"
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

static int run(int argc, char **argv, char **envp)
{
	static struct vm vm;
	struct options o;
	struct df_err err = {0};

	vm.start_ns = clock_now_ns();
	if (options_parse(&o, argc, argv, envp, &err) || vm_open(&vm, &o, &err) ||
		watch_open(&vm, &err) || vm_create(&vm, &err) || events_init(&vm, &err)) {
		fprintf(stderr, "dayfly: %s\n", err.text);
		return 125;
	}
	vm.boot->boot_tsc = __builtin_ia32_rdtsc();
	vm_run(&vm);
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
