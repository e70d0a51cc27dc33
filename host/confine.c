/* SPDX-License-Identifier: Apache-2.0 */
/* Limits, rights, system calls: see confine.h. */
#include "host/confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int confine_limits(const struct confine_limit *limits, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct rlimit limit = {limits[i].most, limits[i].most};

		if (setrlimit(limits[i].which, &limit) < 0)
			return -errno;
	}
	return 0;
}

int confine_rights(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[2] = {{0}};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		(!CONFINE_SANITIZED && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) ||
		syscall(SYS_capset, &header, none) < 0)
		return -errno;
	return 0;
}

static int add_each(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count)
{
	int error = 0;

	for (size_t i = 0; i < count && error == 0; i++)
		error = seccomp_rule_add(filter, action, calls[i], 0);
	return error;
}

static int add_memory(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp no_code = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, no_code);

	return error ? error
		     : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, no_code);
}

static int add_families(scmp_filter_ctx filter, const int *families, size_t count)
{
	int error = 0;

	for (size_t i = 0; i < count && error == 0; i++)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
			SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
	return error;
}

int confine_calls(const struct confine_calls *calls)
{
	scmp_filter_ctx filter;
	int error;

	if (CONFINE_SANITIZED)
		return 0;
	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!filter)
		return -ENOMEM;
	error = add_each(filter, SCMP_ACT_ALLOW, calls->allowed, calls->allowed_count);
	if (error == 0)
		error = add_each(filter, SCMP_ACT_ERRNO(EACCES), calls->denied,
			calls->denied_count);
	if (error == 0)
		error = add_memory(filter);
	if (error == 0)
		error = add_families(filter, calls->families, calls->family_count);
	if (error == 0)
		error = seccomp_load(filter);
	seccomp_release(filter);
	return error;
}
