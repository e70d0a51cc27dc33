// SPDX-License-Identifier: Apache-2.0
/*
 * dayfly-monitor: runs one microVM. Started by `dayfly run` (which becomes it) and by the daemon.
 * Exit status: the program's, 128 + signal, 124 time limit, 125 our own failure.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "report.h"
#include "streams.h"
#include "vm.h"

int main(int argc, char **argv, char **envp)
{
	static struct vm vm;
	struct options o;
	struct df_err err = {0};

	vm.start_ns = clock_now_ns();
	if (argc < 2 || strcmp(argv[1], "run")) {
		fprintf(stderr, "dayfly-monitor is started by dayfly; try: dayfly run PROGRAM\n");
		return 125;
	}
	if (options_parse(&o, argc - 2, argv + 2, envp, &err) || vm_create(&vm, &o, &err)) {
		fprintf(stderr, "dayfly: %s\n", err.text);
		return 125;
	}
	vm_run(&vm);
	streams_restore();
	if (o.stats)
		report_stats(&vm);
	fflush(stderr);
	_exit(vm.exit_status);
}
