// SPDX-License-Identifier: Apache-2.0
/*
 * Tests of libdayfly in a guest, whose kernel is played by __wrap_prctl: what the library asks for, and
 * that an event whose attributes are broken leads nowhere. Each test is a process of its own, because the
 * library asks once where it is.
 */
#include "dayfly.h"

#include <dayfly/sdk.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct df_sdk_event next; /* what the kernel says */
static struct df_sdk_reply reply; /* what it was told last */
static char reply_attributes[300];
static int answer_errno; /* of the next prctl, 0: it is done */
static unsigned reply_count;

int __wrap_prctl(int op, unsigned long a, unsigned long b, unsigned long c, unsigned long d);

int __wrap_prctl(int op, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
	assert_int_equal(op, DF_PRCTL);
	assert_int_equal(d, 0);
	if (answer_errno) {
		errno = answer_errno;
		return -1;
	}
	if (a == DF_PRCTL_NEXT_EVENT) {
		assert_int_equal(c, sizeof(struct df_sdk_event));
		memcpy((void *)b, &next, c);
		return 0;
	}
	assert_int_equal(a, DF_PRCTL_REPLY);
	assert_int_equal(c, sizeof(struct df_sdk_reply));
	memcpy(&reply, (void *)b, c);
	assert_true(reply.attribute_bytes <= sizeof(reply_attributes));
	if (reply.attribute_bytes)
		memcpy(reply_attributes, (void *)reply.attributes, reply.attribute_bytes);
	reply_count++;
	return 0;
}

/* Runs the test in a child; cmocka's failures end it with another status. */
static void alone(void (*test)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		test();
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

#define CASE(name)                     \
	static void name##_body(void); \
	static void name(void **state) \
	{                              \
		(void)state;           \
		alone(name##_body);    \
	}                              \
	static void name##_body(void)

static const char attributes[] = "id\0"
				 "7\0"
				 "type\0"
				 "a.b\0"
				 "empty\0"
				 "\0"
				 "last\0"
				 "x";

static void fill(void)
{
	next = (struct df_sdk_event){
		.number = 3,
		.body = (uint64_t) "body",
		.body_bytes = 4,
		.attributes = (uint64_t)attributes,
		.attribute_bytes = sizeof(attributes),
		.reply = 0x7e4000100000,
		.reply_max = 1000,
	};
}

CASE(shows_the_event)
{
	struct df_event_view e;
	const char *value, *name;

	fill();
	assert_int_equal(df_next_event(&e), 1);
	assert_int_equal(e.number, 3);
	assert_string_equal(e.body, "body");
	assert_int_equal(e.body_bytes, 4);
	assert_ptr_equal(e.reply, (void *)0x7e4000100000);
	assert_int_equal(e.reply_max, 1000);
	assert_string_equal(df_attribute(&e, "id"), "7");
	assert_string_equal(df_attribute(&e, "type"), "a.b");
	assert_string_equal(df_attribute(&e, "empty"), "");
	assert_string_equal(df_attribute(&e, "last"), "x");
	assert_null(df_attribute(&e, "7"));
	assert_null(df_attribute(&e, "a.b"));
	assert_null(df_attribute(&e, "typ"));
	assert_null(df_attribute(&e, ""));
	name = df_next_attribute(&e, NULL, NULL);
	assert_string_equal(name, "id");
	name = df_next_attribute(&e, name, &value);
	assert_string_equal(name, "type");
	assert_string_equal(value, "a.b");
	name = df_next_attribute(&e, df_next_attribute(&e, name, NULL), &value);
	assert_string_equal(name, "last");
	assert_null(df_next_attribute(&e, name, &value));
}

/* Every cut of the attributes, in a block of just that size: no name without a whole value. */
CASE(stays_inside_broken_attributes)
{
	for (size_t n = 0; n <= sizeof(attributes); n++) {
		char *copy = malloc(n ? n : 1);
		struct df_event_view e = {.attributes = copy, .attribute_bytes = n};
		const char *name = NULL, *value;
		unsigned found = 0;

		memcpy(copy, attributes, n);
		while ((name = df_next_attribute(&e, name, &value))) {
			assert_true(value + strlen(value) < copy + n);
			found++;
		}
		assert_int_equal(found, (n >= 5) + (n >= 14) + (n >= 21) + (n >= 28));
		assert_null(df_attribute(&e, "none"));
		free(copy);
	}
}

CASE(replies)
{
	const char *two[] = {"a", "1", "bb", "", NULL};
	struct df_event_view e;

	fill();
	assert_int_equal(df_next_event(&e), 1);
	assert_int_equal(df_reply(404, two, "text", 4), 0);
	assert_int_equal(reply.status, 404);
	assert_int_equal(reply.flags, DF_REPLY_BODY);
	assert_int_equal(reply.body_bytes, 4);
	assert_memory_equal((void *)reply.body, "text", 4);
	assert_int_equal(reply.attribute_bytes, 8);
	assert_memory_equal(reply_attributes,
		"a\0"
		"1\0"
		"bb\0",
		8);
	/* No body: what standard output got. An empty one is something else. */
	assert_int_equal(df_reply(0, NULL, NULL, 0), 0);
	assert_int_equal(reply.flags, 0);
	assert_int_equal(reply.attribute_bytes, 0);
	assert_int_equal(df_reply(0, NULL, "", 0), 0);
	assert_int_equal(reply.flags, DF_REPLY_BODY);
	assert_int_equal(df_reply(200, NULL, e.reply, 1000), 0);
	assert_ptr_equal((void *)reply.body, e.reply);
}

static void refused(int error, int status, const char *const *list, const void *body, size_t bytes)
{
	errno = 0;
	assert_int_equal(df_reply(status, list, body, bytes), -1);
	assert_int_equal(errno, error);
}

CASE(refuses)
{
	static char large[70000];
	const char *odd[] = {"a", NULL}, *empty[] = {"a", "b", "", "c", NULL};
	const char *too_much[] = {"a", large, NULL};
	struct df_event_view e;

	memset(large, 'x', sizeof(large) - 1);
	fill();
	refused(EAGAIN, 200, NULL, "", 0);
	assert_int_equal(df_next_event(&e), 1);
	refused(EINVAL, 99, NULL, "", 0);
	refused(EINVAL, 600, NULL, "", 0);
	refused(EINVAL, -1, NULL, "", 0);
	refused(EINVAL, 200, odd, "", 0);
	refused(EINVAL, 200, empty, "", 0);
	refused(E2BIG, 200, too_much, "", 0);
	refused(E2BIG, 200, NULL, large, 1001);
	assert_int_equal(reply_count, 0);
	answer_errno = EFAULT;
	refused(EFAULT, 200, NULL, large, 1000);
	assert_int_equal(df_next_event(&e), -1);
	assert_int_equal(errno, EFAULT);
	/* In a guest, EINVAL does not mean that this is plain Linux after all. */
	answer_errno = EINVAL;
	assert_int_equal(df_next_event(&e), -1);
}

/* What the program printed is out before the kernel is asked: it may not come back. */
CASE(flushes)
{
	struct df_event_view e;
	char got[10] = "";
	int ends[2];

	fill();
	assert_int_equal(pipe(ends), 0);
	fflush(stdout);
	assert_int_equal(dup2(ends[1], 1), 1);
	setvbuf(stdout, NULL, _IOFBF, 4096);
	printf("one");
	assert_int_equal(df_next_event(&e), 1);
	assert_int_equal(read(ends[0], got, 9), 3);
	assert_memory_equal(got, "one", 3);
	printf("two!");
	assert_int_equal(df_reply(200, NULL, NULL, 0), 0);
	assert_int_equal(read(ends[0], got, 9), 4);
}

/* One write for each line, however long, and errno stays. */
CASE(logs)
{
	static char large[5000], got[6000];
	int ends[2];

	memset(large, 'y', sizeof(large) - 1);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(dup2(ends[1], 2), 2);
	errno = 77;
	df_log("%d is %s", 5, "five");
	assert_int_equal(errno, 77);
	assert_int_equal(read(ends[0], got, sizeof(got)), 10);
	assert_memory_equal(got, "5 is five\n", 10);
	df_log("ended\n");
	assert_int_equal(read(ends[0], got, sizeof(got)), 6);
	for (size_t n = 1000; n < 1050; n++) {
		df_log("%.*s", (int)n, large);
		assert_int_equal(read(ends[0], got, sizeof(got)), n + 1);
		assert_memory_equal(got, large, n);
		assert_int_equal(got[n], '\n');
	}
	df_log("%s", large);
	assert_int_equal(read(ends[0], got, sizeof(got)), 5000);
	assert_int_equal(got[4999], '\n');
	df_log("%s", "");
	assert_int_equal(read(ends[0], got, sizeof(got)), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_the_event),
		cmocka_unit_test(stays_inside_broken_attributes),
		cmocka_unit_test(replies),
		cmocka_unit_test(refuses),
		cmocka_unit_test(flushes),
		cmocka_unit_test(logs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
