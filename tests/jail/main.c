// SPDX-License-Identifier: Apache-2.0
/* Runs the parts of the suite: see jail_test.h. As root twice, the second time as nobody. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "jail_test.h"

bool have_kvm, as_nobody;
unsigned failures;

void verdict(bool good, const char *prefix, const char *name, const char *reason)
{
	const char *program = jail_filters_calls() ? "jail" : "jail.walls";
	const char *who = as_nobody ? "nobody." : "";

	if (good)
		printf("ok %s.%s%s.%s\n", program, who, prefix, name);
	else
		printf("not ok %s.%s%s.%s: %.*s\n", program, who, prefix, name,
			(int)strcspn(reason, "\n"), reason);
	failures += !good;
}

static void nothing(void)
{
	struct child c;
	char text[TEXT_MAX];

	if (!start(&c)) {
		enter(JAIL_SERVE, 0);
		lock(JAIL_SERVE);
		_exit(0);
	}
	finish(&c, text);
	if (strstr(text, "or give --no-jail")) {
		printf("skip jail: %s\n", text);
		_exit(fflush(stdout) ? 1 : 0);
	}
	verdict(!strcmp(text, LIVED), "serve", "nothing", text);
}

static void run_all(void)
{
	nothing();
	if (jail_filters_calls()) {
		test_forbidden();
		test_allowed();
	} else {
		test_walls();
	}
	test_outside();
}

int main(void)
{
	int kvm = open_kvm();

	have_kvm = kvm >= 0;
	if (have_kvm)
		close(kvm);
	else
		printf("skip jail.vm: there is no /dev/kvm\n");
	run_all();
	if (!geteuid()) {
		as_nobody = true;
		run_all();
	}
	return failures || fflush(stdout) ? 1 : 0;
}
