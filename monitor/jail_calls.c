// SPDX-License-Identifier: Apache-2.0
/* Installs the filters that were made with the monitor: see jail_calls.h. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "jail_calls.h"
#include "jail_filters.h"

#define LENGTH_MAX 512
#define LENGTH(code) (sizeof(code) / sizeof((code)[0]))
_Static_assert(LENGTH(setup_filter) <= LENGTH_MAX && LENGTH(freeze_filter) <= LENGTH_MAX &&
		LENGTH(serve_filter) <= LENGTH_MAX && LENGTH(thaw_filter) <= LENGTH_MAX &&
		LENGTH(run_filter) <= LENGTH_MAX,
	"install() copies them");

/* From here on a call that is not in `code` ends the process. */
static int install(const struct sock_filter *code, size_t length, unsigned own_pid_at,
	struct df_err *err)
{
	struct sock_filter copy[LENGTH_MAX];
	struct sock_fprog program = {(unsigned short)length, copy};
	long r;

	memcpy(copy, code, length * sizeof(copy[0]));
	copy[own_pid_at].k = (uint32_t)getpid();
	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
	if (r > 0)
		return df_err_set(err, -ESRCH, "thread %ld has another list of system calls", r);
	return r ? df_err_set(err, -errno, "Linux does not take the list of system calls: %s",
			   df_errno_text(errno))
		 : 0;
}

int jail_calls_set_up(struct df_err *err)
{
	return install(setup_filter, LENGTH(setup_filter), setup_own_pid_at, err);
}

int jail_calls_run(enum jail_profile profile, struct df_err *err)
{
	switch (profile) {
	case JAIL_FREEZE:
		return install(freeze_filter, LENGTH(freeze_filter), freeze_own_pid_at, err);
	case JAIL_SERVE:
		return install(serve_filter, LENGTH(serve_filter), serve_own_pid_at, err);
	case JAIL_THAW:
		return install(thaw_filter, LENGTH(thaw_filter), thaw_own_pid_at, err);
	case JAIL_RUN:
		return install(run_filter, LENGTH(run_filter), run_own_pid_at, err);
	}
	return df_err_set(err, -EINVAL, "no such jail");
}

bool jail_calls_filtered(void)
{
	return true;
}
