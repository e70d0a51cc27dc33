/* SPDX-License-Identifier: Apache-2.0 */
/* `dayfly doctor`: what is missing on this machine, and how to get it. Changes nothing but the (empty) cache directory. */
#include "cli/page.h"

#include "host/child.h"
#include "host/cleanup.h"
#include "host/path.h"
#include "host/place.h"
#include "image/roots.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DOCTOR_STATUS 1

static bool report(bool good, const char *what, const char *advice)
{
	printf("%-4s %s\n", good ? "ok" : "BAD", what);
	if (!good && advice)
		printf("     %s\n", advice);
	return good;
}

static bool check_kvm(void)
{
	DF_CLOSE int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int version;

	if (fd < 0 && errno == ENOENT)
		return report(false, "/dev/kvm: not there",
			"Switch on virtualization (VT-x or AMD-V) in the firmware, or nested virtualization in the "
			"cloud or hypervisor this machine runs on; then load kvm_intel or kvm_amd.");
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return report(false, "/dev/kvm: permission denied",
			"Join the group kvm (sudo usermod -aG kvm $USER) and log in again.");
	if (fd < 0)
		return report(false, "/dev/kvm: cannot be opened", df_errno_text(errno));
	version = ioctl(fd, KVM_GET_API_VERSION, 0);
	return report(version == KVM_API_VERSION, "/dev/kvm: usable",
		"This kernel speaks another version of the KVM interface.");
}

static bool check_program(const char *name, int mode)
{
	DF_FREE char *path = df_place_program(name);
	char what[256];
	bool good = path && access(path, mode) == 0;

	snprintf(what, sizeof(what), "%s: %s", name, good ? "found" : "not found");
	return report(good, what, "Build it with `make build`, or install dayfly again.");
}

/* Only the monitor knows, so it tries. */
static bool check_jail(void)
{
	DF_FREE char *path = df_place_program("dayfly-monitor");
	char *const arguments[] = {(char *)"dayfly-monitor", (char *)"check-jail", NULL};
	char *const environment[] = {NULL};
	struct df_child child = {.path = path,
		.arguments = arguments,
		.environment = environment,
		.output_cap_bytes = DF_ERR_TEXT_MAX,
		.time_limit_ms = 5000};
	struct df_child_result result;
	struct df_err err;
	bool good;

	if (!path)
		return report(false, "jail: not tried", "Memory is short.");
	if (df_child_run(&child, &result, &err))
		return report(false, "jail: not tried", err.text);
	good = result.exit_status == 0;
	df_str_cut(&result.errors, strcspn(df_str_text(&result.errors), "\n"));
	report(good, good ? "jail: works" : "jail: does not work", df_str_text(&result.errors));
	df_child_result_deinit(&result);
	return good;
}

static bool check_cache(void)
{
	DF_FREE char *directory = roots_directory();
	char what[512];
	int error = directory ? df_make_dirs(directory, 0700) : -ENOMEM;

	if (!error && access(directory, W_OK | X_OK) < 0)
		error = -errno;
	snprintf(what, sizeof(what), "cache %s: %s", directory ? directory : "",
		error ? df_errno_text(error) : "writable");
	return report(error == 0, what, "Name another place in XDG_CACHE_HOME.");
}

static const struct page page = {"doctor",
	"Checks what dayfly needs and says how to get what is missing.\n"
	"Exit status: 0 when all is well, 1 otherwise.\n",
	0, 0, WORDS_NONE, NULL};

int command_doctor(int argc, char **argv)
{
	const struct flag_set none[] = {{0}};
	struct df_err err;
	int next, result;
	bool good;

	result = page_flags(&page, none, argc, argv, &next, &err);
	if (result)
		return page_end(result, &err);
	good = check_kvm();
	good &= check_program("dayfly-monitor", X_OK);
	good &= check_program("dayfly-kernel", R_OK);
	good &= check_jail();
	good &= check_cache();
	return good ? CLI_OK : DOCTOR_STATUS;
}
