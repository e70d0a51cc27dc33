/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of monitor.c. The monitor is this executable itself, started with a word that says which part to play.
 */
#include "host/monitor.h"

#include "host/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* --- the monitor's side, in the other process --- */

static struct df_start told;
static int given[DF_START_DESCRIPTORS_MAX], given_count;

static void listen_to_client(void)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(given))];
	} control;
	struct iovec part = {&told, sizeof(told)};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *header;

	if (recvmsg(DF_WIRE_SOCKET, &message, 0) != (ssize_t)sizeof(told))
		exit(50);
	header = CMSG_FIRSTHDR(&message);
	if (!header)
		return;
	given_count = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(given, CMSG_DATA(header), (size_t)given_count * sizeof(int));
}

static void say(const void *bytes, size_t length)
{
	if (send(DF_WIRE_SOCKET, bytes, length, 0) != (ssize_t)length)
		exit(51);
}

static void wait_for_end(void)
{
	char byte;

	while (read(DF_WIRE_SOCKET, &byte, 1) > 0)
		;
}

static int count_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 1000; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static int play(const char *part)
{
	struct df_ready ready = {.magic = DF_WIRE_MAGIC, .version = DF_WIRE_VERSION};
	int at_start = count_descriptors();

	if (!strcmp(part, "exit"))
		return 3;
	if (!strcmp(part, "killed"))
		kill(getpid(), SIGKILL);
	if (!strcmp(part, "refuse_early")) {
		ready.error = -EINVAL;
		strcpy(ready.text, "it can not be");
		say(&ready, sizeof(ready));
		return 0;
	}
	if (!strcmp(part, "silent")) {
		wait_for_end();
		return 0;
	}
	if (!strcmp(part, "deaf")) {
		signal(SIGTERM, SIG_IGN);
		for (;;)
			pause();
	}
	listen_to_client();
	if (!strcmp(part, "count")) {
		struct stat file;

		ready.event_pages = (uint64_t)at_start;
		ready.boot_ns = told.instances;
		ready.snapshot_bytes = (uint64_t)given_count;
		ready.setup_ns =
			given_count && fstat(given[0], &file) == 0 ? (uint64_t)file.st_size : 0;
		snprintf(ready.text, sizeof(ready.text), "%s",
			getenv("WORD") ? getenv("WORD") : "");
	} else if (!strcmp(part, "error")) {
		ready.error = -ENOMEM;
		strcpy(ready.text, "there is no memory\nfor it");
	} else if (!strcmp(part, "magic")) {
		ready.magic++;
	} else if (!strcmp(part, "version")) {
		ready.version++;
	} else if (!strcmp(part, "positive")) {
		ready.error = 1;
	} else if (!strcmp(part, "long_log")) {
		ready.log_bytes = UINT32_MAX;
	} else if (!strcmp(part, "endless_text")) {
		memset(ready.text, 'x', sizeof(ready.text));
		ready.error = -EIO;
	} else if (!strcmp(part, "short")) {
		say(&ready, sizeof(ready) - 1);
		wait_for_end();
		return 0;
	} else if (!strcmp(part, "long")) {
		char bytes[sizeof(ready) + 1] = {0};

		memcpy(bytes, &ready, sizeof(ready));
		say(bytes, sizeof(bytes));
		wait_for_end();
		return 0;
	} else if (!strcmp(part, "exit_later")) {
		return 9;
	}
	say(&ready, sizeof(ready));
	wait_for_end();
	return 7;
}

/* --- ours --- */

static struct df_monitor monitor;
static struct df_ready ready;
static struct df_err err;

static int set_up(void **state)
{
	(void)state;
	err = (struct df_err){0};
	monitor = DF_MONITOR_NONE;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	df_monitor_deinit(&monitor);
	df_monitor_deinit(&monitor);
	return 0;
}

static void start(const char *part)
{
	char *const arguments[] = {"monitor", (char *)part, NULL};
	char *const environment[] = {"WORD=given", "ASAN_OPTIONS=detect_leaks=0", NULL};

	if (df_monitor_start(&monitor, "/proc/self/exe", arguments, environment, &err) != 0)
		fail_msg("%s", err.text);
}

static int set_up_as(const char *part)
{
	struct df_start words = {.instances = 5};
	int result;

	start(part);
	result = df_monitor_send(&monitor, &words, NULL, 0, &err);
	return result ? result : df_monitor_receive(&monitor, 20000, &ready, &err);
}

static void complains(const char *text)
{
	if (!strstr(err.text, text))
		fail_msg("\"%s\" is not in: %s", text, err.text);
}

static void test_descriptors_arrive(void **state)
{
	DF_CLOSE int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct df_start words = {.instances = 2};
	int many[DF_START_DESCRIPTORS_MAX + 1], before = count_descriptors();
	struct stat now;

	(void)state;
	assert_int_equal(fstat(file, &now), 0);
	for (size_t i = 0; i < DF_START_DESCRIPTORS_MAX + 1; i++)
		many[i] = file;
	start("count");
	assert_int_equal(df_monitor_send(&monitor, &words, many, DF_START_DESCRIPTORS_MAX + 1,
				 &err),
		-E2BIG);
	assert_int_equal(df_monitor_send(&monitor, &words, many, DF_START_DESCRIPTORS_MAX, &err),
		0);
	assert_int_equal(df_monitor_receive(&monitor, 20000, &ready, &err), 0);
	assert_int_equal(ready.boot_ns, 2);
	assert_int_equal(ready.snapshot_bytes, DF_START_DESCRIPTORS_MAX);
	assert_int_equal(ready.setup_ns, now.st_size);
	/* 0, 1, 2 and the socket, nothing of ours. */
	assert_int_equal(ready.event_pages, 4);
	assert_string_equal(ready.text, "given");
	assert_true(df_monitor_is_alive(&monitor));
	assert_int_equal(df_monitor_stop(&monitor, 20000), 7);
	assert_false(df_monitor_is_alive(&monitor));
	assert_int_equal(df_monitor_stop(&monitor, 0), -ECHILD);
	assert_int_equal(count_descriptors(), before);
}

static void test_early_end(void **state)
{
	(void)state;
	assert_int_equal(set_up_as("exit"), -EPIPE);
	complains("the monitor ended with status 3");
	assert_int_equal(set_up_as("killed"), -EPIPE);
	complains("the monitor was ended by signal 9");
	assert_int_equal(set_up_as("exit_later"), -EPIPE);
	complains("the monitor ended with status 9");
}

static void test_own_error(void **state)
{
	(void)state;
	assert_int_equal(set_up_as("error"), -ENOMEM);
	complains("there is no memory?for it");
	df_monitor_deinit(&monitor);
	/* Said before it was asked, and with our message unread, or too late for it. */
	for (int i = 0; i < 20; i++) {
		assert_int_equal(set_up_as("refuse_early"), -EINVAL);
		complains("it can not be");
		df_monitor_deinit(&monitor);
	}
	assert_int_equal(set_up_as("endless_text"), -EIO);
	assert_int_equal(strspn(err.text, "x"), sizeof(ready.text) - 1);
}

static void test_impossible_answers(void **state)
{
	static const char *const parts[] = {
		"magic", "version", "positive", "long_log", "short", "long"};

	(void)state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		assert_int_equal(set_up_as(parts[i]), -EPROTO);
		df_monitor_deinit(&monitor);
	}
}

static void test_time_limit(void **state)
{
	(void)state;
	start("silent");
	assert_int_equal(df_monitor_receive(&monitor, 10, &ready, &err), -ETIMEDOUT);
	assert_true(df_monitor_is_alive(&monitor));
	assert_int_equal(df_monitor_stop(&monitor, 20000), 0);
	/* One that does not end is killed. */
	start("deaf");
	assert_int_equal(df_monitor_stop(&monitor, 10), 128 + SIGKILL);
}

static void test_not_there(void **state)
{
	char *const words[] = {"x", NULL};
	int before = count_descriptors();

	(void)state;
	assert_int_equal(df_monitor_start(&monitor, "/no/such/monitor", words, words + 1, &err),
		-ENOENT);
	complains("/no/such/monitor was not found");
	assert_int_equal(monitor.pid, -1);
	assert_int_equal(df_monitor_start(&monitor, "/proc/version", words, words + 1, &err),
		-EACCES);
	assert_int_equal(count_descriptors(), before);
}

/* Some supervisors close the standard streams. */
static void test_closed_streams(void **state)
{
	DF_CLOSE int kept = fcntl(0, F_DUPFD_CLOEXEC, 10);

	(void)state;
	close(0);
	assert_int_equal(set_up_as("count"), 0);
	assert_int_equal(ready.event_pages, 4);
	assert_int_equal(ready.boot_ns, 5);
	df_monitor_deinit(&monitor);
	if (kept >= 0)
		assert_int_equal(dup2(kept, 0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_descriptors_arrive),
		TEST(test_early_end),
		TEST(test_own_error),
		TEST(test_impossible_answers),
		TEST(test_time_limit),
		TEST(test_not_there),
		TEST(test_closed_streams),
	};

	if (argc > 1)
		return play(argv[1]);
	/* What the tests were started with is not ours. */
	for (int fd = 3; fd < 1000; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
