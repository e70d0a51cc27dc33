/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of slot.c and slot_state.c. A thread plays the monitor, honest or not. */
#include "host/slot.h"
#include "host/slot_state.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define WINDOW (2 * DF_LARGE_SIZE)

static struct df_slot slot;
static struct df_slot_reply reply;
static struct df_err err;
static const struct df_slot_limits no_limits;
/* The monitor's view. */
static uint8_t *monitor_out;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int set_up(void **state)
{
	(void)state;
	err = (struct df_err){0};
	assert_int_equal(df_slot_init(&slot, WINDOW, &err), 0);
	assert_int_equal(df_slot_seal(&slot, WINDOW, WINDOW, &err), 0);
	monitor_out = mmap(NULL, WINDOW, PROT_READ | PROT_WRITE, MAP_SHARED, slot.out_fd, 0);
	assert_ptr_not_equal(monitor_out, MAP_FAILED);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	munmap(monitor_out, WINDOW);
	df_slot_deinit(&slot);
	return 0;
}

static void test_windows(void **state)
{
	struct df_slot other;

	(void)state;
	assert_int_equal(df_slot_window(0), DF_LARGE_SIZE);
	assert_int_equal(df_slot_window(1 << 20), DF_LARGE_SIZE);
	assert_int_equal(df_slot_window((1 << 20) + 1), 2 * DF_LARGE_SIZE);
	assert_int_equal(df_slot_window(DF_WINDOW_MAX - DF_IN_BODY), DF_WINDOW_MAX);
	assert_int_equal(df_slot_window(DF_WINDOW_MAX - DF_IN_BODY + 1), 0);
	assert_int_equal(df_slot_window(UINT64_MAX), 0);
	assert_int_equal(df_slot_init(&other, 4096, &err), -EINVAL);
	df_slot_deinit(&other);
	assert_int_equal(df_slot_init(&other, 2 * DF_WINDOW_MAX, &err), -EINVAL);
	df_slot_deinit(&other);
	df_slot_deinit(&other);
}

/* A body whose size nobody knows beforehand goes into the largest window, which is cut afterwards. */
static void test_cut(void **state)
{
	struct df_slot other;
	uint8_t *in;

	(void)state;
	assert_int_equal(df_slot_init(&other, DF_WINDOW_MAX, &err), 0);
	assert_int_equal(df_slot_put_body(&other, "body", 4), 0);
	assert_int_equal(df_slot_seal(&other, 0, WINDOW, &err), 0);
	assert_int_equal(other.in_bytes, DF_LARGE_SIZE);
	assert_int_equal(lseek(other.in_fd, 0, SEEK_END), DF_LARGE_SIZE);
	in = mmap(NULL, DF_LARGE_SIZE, PROT_READ, MAP_SHARED, other.in_fd, 0);
	assert_ptr_not_equal(in, MAP_FAILED);
	assert_memory_equal(in + DF_IN_BODY, "body", 5);
	munmap(in, DF_LARGE_SIZE);
	df_slot_deinit(&other);

	assert_int_equal(df_slot_init(&other, WINDOW, &err), 0);
	assert_int_equal(df_slot_seal(&other, 2 * WINDOW, WINDOW, &err), -EINVAL);
	assert_int_equal(df_slot_seal(&other, WINDOW, 4096, &err), -EINVAL);
	df_slot_deinit(&other);
}

/* What the monitor may not do with the descriptors it gets. */
static void test_seals(void **state)
{
	void *in;

	(void)state;
	in = mmap(NULL, WINDOW, PROT_READ | PROT_WRITE, MAP_SHARED, slot.in_fd, 0);
	assert_ptr_equal(in, MAP_FAILED);
	in = mmap(NULL, WINDOW, PROT_READ, MAP_SHARED, slot.in_fd, 0);
	assert_ptr_not_equal(in, MAP_FAILED);
	assert_int_equal(mprotect(in, WINDOW, PROT_READ | PROT_WRITE), -1);
	munmap(in, WINDOW);
	assert_int_equal(write(slot.in_fd, "x", 1), -1);
	assert_int_equal(ftruncate(slot.in_fd, 4096), -1);
	assert_int_equal(ftruncate(slot.out_fd, 4096), -1);
	assert_int_equal(ftruncate(slot.out_fd, 2 * WINDOW), -1);
	assert_int_equal(ftruncate(slot.control_fd, 0), -1);
	assert_int_equal(fcntl(slot.in_fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	/* We still can write. */
	assert_int_equal(df_slot_put_body(&slot, "abc", 3), 0);
}

static void expect_in(const char *body, size_t zeros)
{
	const uint8_t *at = slot.in + DF_IN_BODY + strlen(body);

	assert_int_equal(slot.body_bytes, strlen(body));
	assert_memory_equal(slot.in + DF_IN_BODY, body, strlen(body));
	for (size_t i = 0; i < zeros; i++)
		assert_int_equal(at[i], 0);
}

static void test_put_wipes(void **state)
{
	static const uint8_t large[WINDOW];

	(void)state;
	assert_int_equal(df_slot_put_body(&slot, "a long secret body", 18), 0);
	assert_int_equal(df_slot_put_body(&slot, "short", 5), 0);
	expect_in("short", 100);
	assert_int_equal(df_slot_put_body(&slot, large, WINDOW - DF_IN_BODY), 0);
	assert_int_equal(df_slot_put_body(&slot, "secret", 6), 0);
	assert_int_equal(df_slot_put_body(&slot, large, WINDOW - DF_IN_BODY + 1), -E2BIG);
	expect_in("", 100);
	assert_int_equal(df_slot_put_attributes(&slot, "name\0value", 11), 0);
	assert_int_equal(df_slot_put_attributes(&slot, "a\0b", 4), 0);
	assert_memory_equal(slot.in, "a\0b\0\0\0\0\0\0\0\0", 11);
	assert_int_equal(df_slot_put_attributes(&slot, large, DF_IN_BODY + 1), -E2BIG);
	assert_int_equal(slot.attribute_bytes, 0);
}

static int read_from_pipe(const void *bytes, size_t length)
{
	int pipe_fds[2], result;

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	assert_int_equal(write(pipe_fds[1], bytes, length), length);
	close(pipe_fds[1]);
	result = df_slot_read_body(&slot, pipe_fds[0]);
	close(pipe_fds[0]);
	return result;
}

static void test_read_body(void **state)
{
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	int file = memfd_create("body", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(df_slot_put_body(&slot, "a long secret body", 18), 0);
	assert_int_equal(read_from_pipe("piped", 5), 0);
	expect_in("piped", 100);
	assert_int_equal(read_from_pipe("", 0), 0);
	expect_in("", 100);
	/* Exactly full, and one byte more. */
	assert_int_equal(ftruncate(file, WINDOW - DF_IN_BODY), 0);
	assert_int_equal(df_slot_read_body(&slot, file), 0);
	assert_int_equal(slot.body_bytes, WINDOW - DF_IN_BODY);
	assert_int_equal(ftruncate(file, WINDOW - DF_IN_BODY + 1), 0);
	assert_int_equal(lseek(file, 0, SEEK_SET), 0);
	assert_int_equal(df_slot_read_body(&slot, file), -E2BIG);
	expect_in("", 100);
	/* An endless file, no file. */
	assert_int_equal(df_slot_read_body(&slot, zero), -E2BIG);
	assert_int_equal(df_slot_read_body(&slot, -1), -EBADF);
	close(file);
	close(zero);
}

/* --- replies --- */

static struct df_control *answer(uint32_t outcome, int32_t status)
{
	struct df_control *control = slot.control;

	control->outcome = outcome;
	control->status = status;
	control->reply_bytes = control->log_bytes = control->attribute_bytes_out = 0;
	control->text_bytes = control->reply_status = 0;
	return control;
}

static void test_reply(void **state)
{
	struct df_control *control = answer(DF_OUTCOME_SIGNAL, 11);

	(void)state;
	df_slot_start(&slot, &no_limits);
	strcpy((char *)monitor_out + DF_OUT_REPLY, "reply");
	strcpy((char *)monitor_out + DF_OUT_LOG, "log");
	control->reply_bytes = 5;
	control->log_bytes = 3;
	control->thaw_ns = 9000;
	control->run_ns = 52000;
	control->pages = 21;
	memset(control->text, 'x', sizeof(control->text));
	control->text_bytes = 4;
	df_slot_set(control, DF_SIDE_MONITOR, DF_SLOT_REPLY);
	assert_int_equal(df_slot_wait_reply(&slot, DF_SLOT_NO_DEADLINE), 0);
	assert_int_equal(df_slot_reply(&slot, &reply, &err), 0);
	assert_int_equal(reply.outcome, DF_OUTCOME_SIGNAL);
	assert_int_equal(reply.status, 11);
	assert_memory_equal(reply.body, "reply", 5);
	assert_int_equal(reply.body_bytes, 5);
	assert_memory_equal(reply.log, "log", 3);
	assert_int_equal(reply.log_bytes, 3);
	assert_string_equal(reply.text, "xxxx");
	assert_int_equal(reply.pages, 21);
	/* Read where it lies. */
	assert_ptr_equal(reply.body, slot.out + DF_OUT_REPLY);
}

static void test_wipe_out(void **state)
{
	(void)state;
	memset(monitor_out + DF_OUT_LOG, 'x', 10000);
	assert_int_equal(slot.out[DF_OUT_LOG + 9999], 'x');
	assert_int_equal(df_slot_wipe_out(&slot, &err), 0);
	for (size_t i = 0; i < 10000; i++)
		assert_int_equal(slot.out[DF_OUT_LOG + i], 0);
}

static void refused(const char *what)
{
	err = (struct df_err){0};
	assert_int_equal(df_slot_reply(&slot, &reply, &err), -EPROTO);
	if (!strstr(err.text, what))
		fail_msg("\"%s\" is not in: %s", what, err.text);
}

static void test_impossible_numbers(void **state)
{
	static const struct {
		uint32_t outcome;
		int32_t status;
	} outcomes[] = {{0, 0}, {DF_OUTCOME_COUNT, 0}, {UINT32_MAX, 0}, {DF_OUTCOME_EXIT, 256},
		{DF_OUTCOME_EXIT, -1}, {DF_OUTCOME_SIGNAL, 0}, {DF_OUTCOME_SIGNAL, 65},
		{DF_OUTCOME_SIGNAL, INT32_MIN}};
	const struct df_slot_limits limits = {.reply_bytes = 100, .log_bytes = 10};

	(void)state;
	df_slot_start(&slot, &no_limits);
	for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
		answer(outcomes[i].outcome, outcomes[i].status);
		refused("outcome");
	}
	answer(DF_OUTCOME_EXIT, 0)->reply_bytes = WINDOW - DF_OUT_REPLY + 1;
	refused("reply");
	answer(DF_OUTCOME_EXIT, 0)->reply_bytes = UINT64_MAX;
	refused("reply");
	answer(DF_OUTCOME_EXIT, 0)->reply_bytes = WINDOW - DF_OUT_REPLY;
	assert_int_equal(df_slot_reply(&slot, &reply, &err), 0);
	answer(DF_OUTCOME_EXIT, 0)->log_bytes = DF_OUT_LOG_MAX + 1;
	refused("log");
	answer(DF_OUTCOME_EXIT, 0)->attribute_bytes_out = DF_OUT_ATTRIBUTES_MAX + 1;
	refused("attributes");
	answer(DF_OUTCOME_EXIT, 0)->text_bytes = DF_CONTROL_TEXT;
	refused("text");
	answer(DF_OUTCOME_EXIT, 0)->reply_status = 65536;
	refused("status");
	/* What the event asked for counts, not what the file holds. */
	df_slot_start(&slot, &limits);
	slot.control->reply_max = UINT64_MAX;
	answer(DF_OUTCOME_EXIT, 0)->reply_bytes = 101;
	refused("reply");
	answer(DF_OUTCOME_EXIT, 0)->log_bytes = 11;
	refused("log");
}

static void test_states(void **state)
{
	(void)state;
	df_slot_start(&slot, &no_limits);
	assert_int_equal(df_slot_wait_reply(&slot, now_ns() + 1000000), -ETIMEDOUT);
	assert_int_equal(df_slot_wait_reply(&slot, 0), -ETIMEDOUT);
	df_slot_set(slot.control, DF_SIDE_MONITOR, DF_SLOT_DEAD);
	assert_int_equal(df_slot_wait_reply(&slot, DF_SLOT_NO_DEADLINE), -EPIPE);
	df_slot_set(slot.control, DF_SIDE_MONITOR, 77);
	assert_int_equal(df_slot_wait_reply(&slot, DF_SLOT_NO_DEADLINE), -EPIPE);
	df_slot_set(slot.control, DF_SIDE_MONITOR, DF_SLOT_FREE);
	assert_int_equal(df_slot_wait_reply(&slot, DF_SLOT_NO_DEADLINE), -EPIPE);
	df_slot_set(slot.control, DF_SIDE_MONITOR, DF_SLOT_REPLY);
	assert_int_equal(df_slot_wait_reply(&slot, 0), 0);
}

/* --- the hand-over --- */

#define ROUNDS 20000

/* Echoes: the reply is the event's number, which only a hand-over in order can give. */
static void *play_monitor(void *unused)
{
	uint32_t state = DF_SLOT_FREE;

	(void)unused;
	for (uint64_t i = 0; i < ROUNDS; i++) {
		while (state != DF_SLOT_EVENT) {
			if (df_slot_wait(slot.control, DF_SIDE_MONITOR, state, DF_SLOT_NO_DEADLINE,
				    &state) != 0)
				return "the monitor's wait ended";
		}
		answer(DF_OUTCOME_EXIT, 0);
		memcpy(monitor_out + DF_OUT_REPLY, slot.in + DF_IN_BODY, sizeof(i));
		slot.control->reply_bytes = slot.control->body_bytes;
		state = DF_SLOT_REPLY;
		df_slot_set(slot.control, DF_SIDE_MONITOR, state);
		/* Both orders: the next event comes while this side is awake, and while it sleeps. */
		if (i % 3 == 0)
			sched_yield();
	}
	return NULL;
}

static void test_hand_over(void **state)
{
	pthread_t monitor;
	void *wrong;

	(void)state;
	assert_int_equal(pthread_create(&monitor, NULL, play_monitor, NULL), 0);
	for (uint64_t i = 0; i < ROUNDS; i++) {
		uint64_t got;

		assert_int_equal(df_slot_put_body(&slot, &i, sizeof(i)), 0);
		df_slot_start(&slot, &no_limits);
		assert_int_equal(df_slot_wait_reply(&slot, now_ns() + 20000000000), 0);
		assert_int_equal(df_slot_reply(&slot, &reply, &err), 0);
		assert_int_equal(reply.body_bytes, sizeof(got));
		memcpy(&got, reply.body, sizeof(got));
		assert_int_equal(got, i);
	}
	assert_int_equal(pthread_join(monitor, &wrong), 0);
	assert_null(wrong);
	assert_int_equal(slot.control->waiters & DF_SIDE_CLIENT, 0);
}

static void on_alarm(int number)
{
	(void)number;
}

static void test_signals_end_a_wait(void **state)
{
	const struct sigaction action = {.sa_handler = on_alarm};
	const struct itimerspec soon = {
		.it_value.tv_nsec = 5000000, .it_interval.tv_nsec = 5000000};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
	timer_t timer;

	(void)state;
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	df_slot_start(&slot, &no_limits);
	assert_int_equal(timer_settime(timer, 0, &soon, NULL), 0);
	assert_int_equal(df_slot_wait_reply(&slot, now_ns() + 20000000000), -EINTR);
	timer_delete(timer);
	signal(SIGALRM, SIG_DFL);
}

/* Changes words of the control page as fast as it can while the client looks at it. */
static void *play_liar(void *stop)
{
	volatile struct df_control *control = slot.control;

	for (uint64_t i = 0; !__atomic_load_n((int *)stop, __ATOMIC_RELAXED); i++) {
		control->outcome = (uint32_t)(i % 10);
		control->reply_bytes = i % 7 ? i % 100 : UINT64_MAX - i;
		control->log_bytes = i % 5 ? i % 100 : i << 40;
		control->attribute_bytes_out = (uint32_t)(i * 31);
		control->text_bytes = (uint32_t)(i % 4000);
		control->waiters = (uint32_t)i;
		control->text[i % DF_CONTROL_TEXT] = (char)i;
	}
	return NULL;
}

static void test_changing_numbers(void **state)
{
	pthread_t liar;
	int stop = 0;

	(void)state;
	df_slot_start(&slot, &no_limits);
	assert_int_equal(pthread_create(&liar, NULL, play_liar, &stop), 0);
	for (int i = 0; i < 50000; i++) {
		if (df_slot_reply(&slot, &reply, &err) != 0)
			continue;
		assert_true(reply.body_bytes <= WINDOW - DF_OUT_REPLY);
		assert_true(reply.log_bytes <= DF_OUT_LOG_MAX);
		assert_true(reply.attribute_bytes <= DF_OUT_ATTRIBUTES_MAX);
		assert_true(memchr(reply.text, 0, sizeof(reply.text)) != NULL);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(liar, NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_windows),
		TEST(test_cut),
		TEST(test_seals),
		TEST(test_put_wipes),
		TEST(test_read_body),
		TEST(test_reply),
		TEST(test_wipe_out),
		TEST(test_impossible_numbers),
		TEST(test_states),
		TEST(test_hand_over),
		TEST(test_signals_end_a_wait),
		TEST(test_changing_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
