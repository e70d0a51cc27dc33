/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the finished `dayfly run`: a copy of it beside a stand-in for the monitor, a shell script that prints what
 * it was started with. The executable is named by the variable DAYFLY_CLI.
 */
#include "host/child.h"
#include "host/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image/test_files.h"

#define STAND_IN                                               \
	"#!/bin/sh\n"                                          \
	"echo \"HOME=$HOME LANG=$LANG A=$A SECRET=$SECRET\"\n" \
	"for word; do printf '[%s]' \"$word\"; done; echo\n"

static const char *executable;
static char *directory;
static char *program; /* a script that needs nothing but the shell */
static struct df_child_result result;

static void copy_file(const char *from, const char *to)
{
	DF_CLOSE int in = open(from, O_RDONLY | O_CLOEXEC), out = -1;
	char buffer[65536];
	ssize_t got;

	out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	assert_true(in >= 0 && out >= 0);
	while ((got = read(in, buffer, sizeof(buffer))) > 0)
		assert_int_equal(write(out, buffer, (size_t)got), got);
	assert_int_equal(got, 0);
}

static int set_up(void **state)
{
	DF_FREE char *cli = NULL, *monitor = NULL;

	(void)state;
	directory = make_directory();
	cli = df_path_join(directory, "dayfly");
	copy_file(executable, cli);
	monitor = put_file(directory, "dayfly-monitor", STAND_IN, 0755);
	program = put_file(directory, "program", "#!/bin/sh\n", 0755);
	result = (struct df_child_result){0};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	df_child_result_deinit(&result);
	free(program);
	remove_directory(directory);
	return 0;
}

/* Runs `dayfly` with a NULL-ended list of words. Returns its exit status; the streams are in `result`. */
static int dayfly(const char *const *words)
{
	DF_FREE char *cli = df_path_join(directory, "dayfly");
	DF_FREE char *cache = df_format("XDG_CACHE_HOME=%s/cache", directory);
	DF_FREE char *path = df_format("PATH=%s/shims:%s:/usr/bin:/bin", directory, directory);
	char *const environment[] = {cache, path, "LANG=C.UTF-8", "HOME=/home/x", "SECRET=1",
		/* `dayfly run` frees nothing before it becomes the monitor, or ends. */
		"ASAN_OPTIONS=detect_leaks=0", NULL};
	char *arguments[32] = {"dayfly"};
	const struct df_child child = {
		.path = cli,
		.arguments = arguments,
		.environment = environment,
		.output_cap_bytes = 65536,
		.time_limit_ms = 60000,
	};
	struct df_err err = {0};

	for (size_t i = 0; words[i]; i++)
		arguments[i + 1] = (char *)words[i];
	df_child_result_deinit(&result);
	if (df_child_run(&child, &result, &err) != 0)
		fail_msg("%s", err.text);
	return result.exit_status;
}

#define DAYFLY(...) dayfly((const char *const[]){__VA_ARGS__, NULL})

static void shows(const char *text)
{
	if (!strstr(df_str_text(&result.output), text))
		fail_msg("\"%s\" is not in: %s%s", text, df_str_text(&result.output),
			df_str_text(&result.errors));
}

static void complains(const char *text)
{
	if (!strstr(df_str_text(&result.errors), text))
		fail_msg("\"%s\" is not in: %s", text, df_str_text(&result.errors));
}

static void test_command_line(void **state)
{
	DF_FREE char *path_words = df_format("[--program][%s]", program);

	(void)state;
	assert_int_equal(DAYFLY("run", "--memory", "64M", "--timeout", "2s", "--stats", "--trace",
				 "--workdir", "/data", "--no-feature", "tmp", program, "--", "-x",
				 "--", "a b"),
		0);
	shows("[run][--host-cache][");
	shows("][--kernel][");
	shows("/dayfly-kernel][--root][");
	shows("/cache/dayfly/roots/");
	shows(path_words);
	shows("[--memory][67108864][--features][core,files,tasks,events,signals][--cwd][/data]"
	      "[--timeout-ms][2000][--stats][--trace][--][");
	shows("][-x][--][a b]\n");
}

static void test_environment(void **state)
{
	(void)state;
	assert_int_equal(DAYFLY("run", "--env", "A=1 2", program), 0);
	shows("HOME=/root LANG=C.UTF-8 A=1 2 SECRET=\n");
	assert_int_equal(DAYFLY("run", "--env", "SECRET", program), 0);
	shows(" SECRET=1\n");
}

static void test_names_are_searched(void **state)
{
	DF_FREE char *own = df_format("[--][%s]", program), *shim = NULL;

	(void)state;
	/* Found, but where the guest's PATH does not lead: so called by its path. */
	assert_int_equal(DAYFLY("run", "program"), 0);
	shows(own);
	assert_int_equal(DAYFLY("run", "env"), 0);
	shows("[--program][/usr/bin/env]");
	shows("[--][env]");
	/* The shim stands first on PATH and is passed over. */
	shim = put_file(directory, "shims/env", "#!/bin/sh\n", 0755);
	assert_int_equal(DAYFLY("run", "env"), 0);
	shows("[--program][/usr/bin/env]");
	complains("is a script of a version manager; running ");
}

static void test_not_found(void **state)
{
	(void)state;
	assert_int_equal(DAYFLY("run", "no-such-program"), 127);
	complains("dayfly: no-such-program was not found on PATH\n");
	assert_int_equal(DAYFLY("run", "/no/such/program"), 127);
	complains("dayfly: /no/such/program: no such file or directory\n");
	assert_int_equal(DAYFLY("run", "--file", "/no/such/file", program), 125);
	complains("--file /no/such/file: no such file or directory\n");
}

static void test_cannot_run(void **state)
{
	DF_FREE char *plain = put_file(directory, "plain", "text", 0644);
	DF_FREE char *text = put_file(directory, "text", "text", 0755);

	(void)state;
	assert_int_equal(DAYFLY("run", plain), 126);
	complains(" is not executable; chmod +x ");
	assert_int_equal(DAYFLY("run", text), 126);
	complains("/text is not a program: ");
	assert_int_equal(DAYFLY("run", directory), 126);
	complains(" is a directory\n");
	assert_int_equal(DAYFLY("run", "--no-feature", "files", "/usr/bin/env"), 126);
	complains("/usr/bin/env needs shared libraries");
	assert_int_equal(DAYFLY("run", "--no-feature", "files", program), 126);
	complains("its interpreter needs the feature files");
}

static void test_prepared_root(void **state)
{
	DF_FREE char *root = df_path_join(directory, "root");
	DF_FREE char *file = put_file(directory, "root/usr/bin/tool", "x", 0755);

	(void)state;
	assert_int_equal(DAYFLY("run", "--root", root, "tool"), 0);
	shows("[--program][/usr/bin/tool]");
	assert_int_equal(DAYFLY("run", "--root", root, "--workdir", "/usr", "bin/tool"), 0);
	shows("[--program][/usr/bin/tool]");
	assert_int_equal(DAYFLY("run", "--root", root, "other"), 127);
	complains("other was not found in ");
	assert_int_equal(DAYFLY("run", "--root", program, "x"), 125);
	complains("is neither a directory nor an EROFS image");
}

static void test_usage(void **state)
{
	(void)state;
	assert_int_equal(DAYFLY("run"), 125);
	complains("dayfly: which program?");
	assert_int_equal(DAYFLY("run", "--memroy", "1M", "x"), 125);
	complains("did you mean --memory?");
	assert_int_equal(DAYFLY("rum"), 125);
	complains("did you mean run?");
	assert_int_equal(DAYFLY("run", "--help"), 0);
	shows("--no-feature NAME");
	assert_int_equal(DAYFLY("help", "run"), 0);
	shows("Usage: dayfly run");
	assert_int_equal(DAYFLY("--version"), 0);
	shows("dayfly ");
}

static void test_missing_monitor(void **state)
{
	DF_FREE char *monitor = df_path_join(directory, "dayfly-monitor");

	(void)state;
	assert_int_equal(unlink(monitor), 0);
	assert_int_equal(DAYFLY("run", program), 125);
	complains("dayfly-monitor was not found; build it with `make build`");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_command_line),
		TEST(test_environment),
		TEST(test_names_are_searched),
		TEST(test_not_found),
		TEST(test_cannot_run),
		TEST(test_prepared_root),
		TEST(test_usage),
		TEST(test_missing_monitor),
	};

	executable = getenv("DAYFLY_CLI");
	if (!executable) {
		fprintf(stderr, "DAYFLY_CLI does not name the executable to test\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
