/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of net.c. dayfly-net is this executable itself, which its first word tells.
 */
#include "host/net.h"

#include "host/cleanup.h"

#include <dayfly/net.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* --- dayfly-net's side, in the other process --- */

/* Every word as it should be, and every descriptor open; nothing else is. Then what --program says. */
static int play(int argc, char **argv)
{
	int life = -1, memory, kick, wake, guests = 0;
	const char *part = "";
	struct stat now;
	char byte;

	for (int i = 1; i < argc; i++) {
		if (sscanf(argv[i], "--guest=%d,%d,%d", &memory, &kick, &wake) == 3) {
			if (fstat(memory, &now) || now.st_size != (off_t)DF_NET_BYTES ||
				fcntl(kick, F_GETFD) < 0 || fcntl(wake, F_GETFD) < 0)
				return 50;
			guests++;
		} else if (sscanf(argv[i], "--life=%d", &life) != 1 &&
			!strncmp(argv[i], "--program=", 10)) {
			part = argv[i] + 10;
		}
	}
	for (int fd = 3, open = 0; fd < 1000; fd++) {
		open += fcntl(fd, F_GETFD) >= 0;
		if (open > 1 + 3 * guests)
			return 51;
	}
	if (!strcmp(part, "fails")) {
		(void)!write(STDERR_FILENO, "because", 7);
		return 1;
	}
	if (strcmp(part, "slow") != 0 && write(life, "", 1) != 1)
		return 52;
	while (read(life, &byte, 1) > 0)
		;
	return 0;
}

/* --- ours --- */

static struct df_net net;

static int begin(void **state)
{
	(void)state;
	net = DF_NET_NONE;
	return 0;
}

static int end(void **state)
{
	(void)state;
	df_net_end(&net);
	df_net_end(&net);
	return 0;
}

static int start(const char *part, unsigned int guests, int errors)
{
	static const char *const rules[] = {"any", "192.0.2.1:80"};
	const struct df_net_options options = {.path = "/proc/self/exe",
		.program = part,
		.rules = rules,
		.rule_count = 2,
		.deployed = true,
		.guests = guests,
		.errors = errors};
	struct df_err err = {0};

	return df_net_start(&net, &options, &err);
}

static bool has_hung_up(int fd)
{
	struct pollfd poll_fd = {.fd = fd};

	return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLHUP);
}

static void serves(void **state)
{
	static const unsigned int counts[] = {1, 2, DF_INSTANCES_MAX};
	struct df_err err = {0};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		int descriptors[DF_START_DESCRIPTORS_MAX];

		assert_int_equal(start("works", counts[i], -1), 0);
		assert_int_equal(df_net_wait(&net, 20000, &err), 0);
		assert_int_equal(df_net_describe(&net, descriptors), 1 + 3 * counts[i]);
		for (size_t n = 0; n < 1 + 3 * counts[i]; n++)
			assert_int_equal(fcntl(descriptors[n], F_GETFD), FD_CLOEXEC);
		df_net_give(&net);
		assert_int_equal(df_net_describe(&net, descriptors), 1);
		assert_false(has_hung_up(net.life));
		assert_int_equal(df_net_heard(&net), 0);
		df_net_end(&net);
		assert_int_equal(net.pid, -1);
	}
}

static void says_why(void **state)
{
	struct df_err err = {0};
	char said[16] = "";
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(start("fails", 1, ends[1]), 0);
	close(ends[1]);
	assert_int_equal(df_net_wait(&net, 20000, &err), -EPIPE);
	assert_int_equal(df_net_heard(&net), -EPIPE);
	assert_int_equal(read(ends[0], said, sizeof(said) - 1), 7);
	assert_string_equal(said, "because");
	close(ends[0]);
}

static void takes_its_time(void **state)
{
	struct df_err err = {0};

	(void)state;
	assert_int_equal(start("slow", 1, -1), 0);
	assert_int_equal(df_net_wait(&net, 10, &err), -ETIMEDOUT);
}

/* Whoever else holds `life` keeps it. */
static void outlives_us(void **state)
{
	struct df_err err = {0};
	DF_CLOSE int other = -1;
	pid_t pid;

	(void)state;
	assert_int_equal(start("works", 1, -1), 0);
	assert_int_equal(df_net_wait(&net, 20000, &err), 0);
	other = fcntl(net.life, F_DUPFD_CLOEXEC, 0);
	pid = net.pid;
	net.pid = -1;
	df_net_end(&net);
	assert_false(has_hung_up(other));
	net.pid = pid;
}

static void is_missing(void **state)
{
	const struct df_net_options options = {
		.path = "/nowhere/dayfly-net", .program = "x", .guests = 1, .errors = -1};
	struct df_err err = {0};

	(void)state;
	assert_int_equal(df_net_start(&net, &options, &err), -ENOENT);
	assert_non_null(strstr(err.text, "was not found"));
	assert_int_equal(net.pid, -1);
	assert_int_equal(net.life, -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(serves),
		TEST(says_why),
		TEST(takes_its_time),
		TEST(outlives_us),
		TEST(is_missing),
	};

	if (!strcmp(argv[0], "dayfly-net"))
		return play(argc, argv);
	/* Whatever we were started with. */
	for (int fd = 3; fd < 1000; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
