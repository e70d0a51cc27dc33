/* SPDX-License-Identifier: Apache-2.0 */
/* `dayfly run`'s own flags: see run_options.h. */
#include "cli/run_options.h"

#include <errno.h>

static int set_timeout(void *into, const char *value, struct df_err *err)
{
	struct run_options *options = into;

	if (parse_duration_ms(value, &options->timeout_ms) < 0)
		return df_err_set(err, -EINVAL,
			"--timeout %s is not a duration; write it like 500ms, 10s or 5m", value);
	return 0;
}

static int set_stats(void *into, const char *value, struct df_err *err)
{
	(void)value;
	(void)err;
	((struct run_options *)into)->stats = true;
	return 0;
}

static int set_trace(void *into, const char *value, struct df_err *err)
{
	(void)value;
	(void)err;
	((struct run_options *)into)->trace = true;
	return 0;
}

static int set_watch(void *into, const char *value, struct df_err *err)
{
	if (!*value)
		return df_err_set(err, -EINVAL, "--watch needs the name of a file");
	((struct run_options *)into)->watch = value;
	return 0;
}

static int set_detach(void *into, const char *value, struct df_err *err)
{
	(void)value;
	(void)err;
	((struct run_options *)into)->detach = true;
	return 0;
}

static int set_name(void *into, const char *value, struct df_err *err)
{
	(void)err;
	((struct run_options *)into)->name = value;
	return 0;
}

const struct flag run_flags[] = {
	{"-d", NULL, "as a service of the daemon: it goes on, and is started again", set_detach},
	{"--name", "NAME", "with -d: what the service is called", set_name},
	{"--timeout", "DURATION", "end the guest after 500ms, 10s, 5m (default: never)",
		set_timeout},
	{"--stats", NULL, "print times and counts on standard error at the end", set_stats},
	{"--trace", NULL, "print every system call on standard error", set_trace},
	{"--watch", "FILE", "write there which features and missing files it wants", set_watch},
	{0},
};

int run_options_check(const struct run_options *options, struct df_err *err)
{
	const char *flag = options->timeout_ms ? "--timeout"
		: options->stats               ? "--stats"
		: options->trace               ? "--trace"
		: options->watch               ? "--watch"
		: options->no_jail             ? "--no-jail"
					       : NULL;

	if (options->detach && flag)
		return df_err_set(err, -EINVAL,
			"%s is for a program that you wait for; leave it out with -d", flag);
	if (options->name && !options->detach)
		return df_err_set(err, -EINVAL,
			"--name is the name of a service, which -d makes of the program");
	return 0;
}
