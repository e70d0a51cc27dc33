// SPDX-License-Identifier: Apache-2.0
/* The event itself: its windows, its limits, its clock, its chance. */
#include "leave.h"

#include <dayfly/sdk.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* --- the windows --- */

#define IN ((char *)DF_VA_IN)
#define OUT ((char *)DF_VA_OUT)
#define WINDOW (2ULL << 20) /* the smallest; a larger one has more behind it */

static void in_dirty(void)
{
	/* The body of a dirty event is full of the secret; most of it stays unread. */
	if (!count_secret(IN + DF_IN_BODY, WINDOW - DF_IN_BODY))
		broken("the body does not hold the secret");
	if (!count_secret(IN, DF_IN_BODY))
		broken("the attributes do not hold the secret");
}

/* An event that looks has a body of a few bytes, and no attributes. */
static void in_look(void)
{
	const volatile struct df_boot_info *b = (const volatile void *)DF_VA_BOOT;
	uint64_t body = (b->event.body_bytes + 7) & ~7ULL;
	uint64_t attributes = (b->event.attribute_bytes + 7) & ~7ULL;
	uint64_t end = b->in_bytes, pages = 0;
	char rest[64];

	/* Read: a program may also ask for more than there is. */
	while (read(0, rest, sizeof(rest)) > 0)
		;
	if (!is_zero(IN + DF_IN_BODY + body, end - DF_IN_BODY - body))
		leak("there are bytes behind the body");
	if (!is_zero(IN + attributes, DF_IN_BODY - attributes))
		leak("there are bytes behind the attributes");
	if (count_readable(DF_VA_IN, DF_VA_IN + end, &pages))
		leak("the in window holds the secret");
	if (pages != end / DF_PAGE_SIZE)
		leak("the in window has %lu pages", pages);
	if (writable(DF_VA_IN) || writable(DF_VA_IN + DF_IN_BODY))
		leak("the in window can be written");
}

static void fill_out(void)
{
	const volatile struct df_boot_info *b = (const volatile void *)DF_VA_BOOT;

	fill_secret(OUT, b->out_bytes);
}

/* A reply, a log and attributes that are counted, and bytes everywhere that are not. */
static void out_dirty(void)
{
	char text[4096];

	fill_out();
	memset(text, 's', sizeof(text));
	for (unsigned i = 0; i < 50; i++)
		if (write(1, text, sizeof(text)) != sizeof(text) ||
			(i < 5 && write(2, text, 100) != 100))
			broken("write");
	/* Buffered and never flushed. */
	fwrite(text, 1, 1000, stdout);
	_exit(0);
}

/* Nothing of an earlier reply. What we say ourselves is not written yet. */
static void out_look(void)
{
	const volatile struct df_boot_info *b = (const volatile void *)DF_VA_BOOT;

	if (!is_zero(OUT, b->out_bytes))
		leak("the out window is not empty");
}

static void out_raw_dirty(void)
{
	fill_out();
	request_page()->out.reply_bytes = 100;
	request_page()->out.log_bytes = 100;
	request(DF_CALL_EXIT, 0, 0, 0, 0);
}

/* --- sdk: attributes and status of a reply --- */

static void sdk_dirty(void)
{
	struct df_sdk_event e = {0};
	struct df_sdk_reply reply = {.status = 599,
		.flags = DF_REPLY_BODY,
		.attributes = (uint64_t) "secret\0of this event\0",
		.attribute_bytes = 21,
		.body = (uint64_t) "body of a dirty event",
		.body_bytes = 21};

	if (prctl(DF_PRCTL, DF_PRCTL_NEXT_EVENT, &e, sizeof(e), 0))
		broken("DF_PRCTL_NEXT_EVENT");
	if (!e.attribute_bytes || prctl(DF_PRCTL, DF_PRCTL_REPLY, &reply, sizeof(reply), 0))
		broken("DF_PRCTL_REPLY");
	_exit(3);
}

static void sdk_look(void)
{
	struct df_sdk_event e = {0};

	if (prctl(DF_PRCTL, DF_PRCTL_NEXT_EVENT, &e, sizeof(e), 0))
		broken("DF_PRCTL_NEXT_EVENT");
	if (e.attribute_bytes || e.body_bytes > 16)
		leak("the event has %lu bytes of attributes, %lu of body", e.attribute_bytes,
			e.body_bytes);
	out_look();
}

/* --- limits --- */

static void limit_reply_dirty(void)
{
	static char text[65536];

	for (;;)
		if (write(1, text, sizeof(text)) < 0)
			_exit(5);
}

static void limit_log_dirty(void)
{
	static char text[65536];

	for (;;)
		if (write(2, text, sizeof(text)) < 0)
			_exit(5);
}

static void limit_wall_dirty(void)
{
	for (;;)
		sleep(1000);
}

static void limit_cpu_dirty(void)
{
	for (;;)
		;
}

static void limit_memory_dirty(void)
{
	for (;;) {
		char *p = malloc(1 << 20);

		if (!p)
			_exit(5);
		fill_secret(p, 1 << 20);
	}
}

static void limit_look(void)
{
	char *p = malloc(8 << 20);

	/* The compiler must not know that nothing was written. */
	__asm__ volatile("" : "+r"(p));
	if (!p || count_secret(p, 8 << 20))
		leak("memory is short");
	free(p);
}

/* --- clocks --- */

static struct timespec clock_before[3];
static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME};

static uint64_t ns(struct timespec t)
{
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static bool in_guest;

static void clock_prepare(void)
{
	in_guest = readable(DF_VA_BOOT);
	for (unsigned i = 0; i < 3; i++)
		clock_gettime(clocks[i], &clock_before[i]);
}

static void clock_dirty(void)
{
	struct timespec odd = {1000000000, 0};

	/* On Linux it would work, as root, for all. */
	if (in_guest)
		clock_settime(CLOCK_REALTIME, &odd);
	/* So that the events after this one are a while after the freeze. */
	usleep(150000);
}

static void clock_look(void)
{
	struct timespec now[3], again;

	for (unsigned i = 0; i < 3; i++) {
		clock_gettime(clocks[i], &now[i]);
		if (ns(now[i]) < ns(clock_before[i]))
			leak("clock %u went back by %lu ns since the freeze", i,
				ns(clock_before[i]) - ns(now[i]));
		for (unsigned k = 0; k < 1000; k++) {
			clock_gettime(clocks[i], &again);
			if (ns(again) < ns(now[i]))
				leak("clock %u goes back", i);
			now[i] = again;
		}
	}
	/* Time stands still from the freeze to the thaw, where it is not the time of the day. */
	if (in_guest && ns(now[0]) - ns(clock_before[0]) > 1000000000)
		leak("CLOCK_MONOTONIC went on by %lu ns while frozen",
			ns(now[0]) - ns(clock_before[0]));
	say("rising realtime %lu", ns(now[1]));
	say("rising boottime %lu", ns(now[2]));
	say("rising tsc %llu", __builtin_ia32_rdtsc());
	say("now realtime %lu", ns(now[1]) / 1000000);
	clock_gettime(CLOCK_MONOTONIC, &now[0]);
	usleep(2000);
	clock_gettime(CLOCK_MONOTONIC, &again);
	if (ns(again) - ns(now[0]) < 2000000 || ns(again) - ns(now[0]) > 1000000000)
		leak("2 ms last %lu ns", ns(again) - ns(now[0]));
}

/* --- timers that are armed at the freeze --- */

#define AHEAD_NS 300000000ULL

static int relative_fd, absolute_fd;
static uint64_t relative_due, absolute_due;

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return ns(t);
}

static void armed_prepare(void)
{
	struct itimerspec spec = {.it_value = {.tv_nsec = AHEAD_NS}};

	relative_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	absolute_fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	relative_due = now_ns(CLOCK_MONOTONIC) + AHEAD_NS;
	absolute_due = now_ns(CLOCK_REALTIME) + AHEAD_NS;
	if (timerfd_settime(relative_fd, 0, &spec, NULL))
		broken("timerfd");
	spec.it_value = (struct timespec){
		(time_t)(absolute_due / 1000000000), (long)(absolute_due % 1000000000)};
	if (timerfd_settime(absolute_fd, TFD_TIMER_ABSTIME, &spec, NULL))
		broken("timerfd");
}

static void armed_dirty(void)
{
	struct itimerspec spec = {.it_value = {.tv_sec = 1000}};

	timerfd_settime(relative_fd, 0, &spec, NULL);
	timerfd_settime(absolute_fd, 0, &spec, NULL);
}

/* A timer fires when its clock is there: that of the day has jumped meanwhile, the other has not. */
static void armed_look_at(const char *name, int fd, clockid_t clock, uint64_t due)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int early = poll(&p, 1, 0);
	uint64_t now = now_ns(clock);

	if (early && now < due - 1000000)
		leak("the %s timer fires %lu us early", name, (due - now) / 1000);
	if (now < due)
		poll(NULL, 0, (int)((due - now) / 1000000) + 1);
	now = now_ns(clock);
	if (poll(&p, 1, 50) != 1)
		leak("the %s timer is %lu us late", name, (now_ns(clock) - due) / 1000);
	if (poll(&p, 1, 0) == 1 && now_ns(clock) < due)
		leak("the %s timer fires early", name);
}

static void armed_look(void)
{
	armed_look_at("absolute", absolute_fd, CLOCK_REALTIME, absolute_due);
	armed_look_at("relative", relative_fd, CLOCK_MONOTONIC, relative_due);
}

/* --- chance --- */

static int urandom;
static unsigned pid_before;

static void random_prepare(void)
{
	uint64_t r;

	urandom = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	if (urandom < 0 || read(urandom, &r, 8) != 8 || getrandom(&r, 8, 0) != 8)
		broken("random");
	pid_before = (unsigned)getpid();
}

static void random_dirty(void)
{
	char block[4096];

	for (unsigned i = 0; i < 20; i++)
		if (getrandom(block, sizeof(block), 0) != sizeof(block))
			broken("getrandom");
}

static void random_look(void)
{
	uint64_t r[4];
	char path[] = "/tmp/random-XXXXXX", name[64];
	int fd;

	if (getrandom(r, 16, 0) != 16 || read(urandom, r + 2, 16) != 16)
		broken("random");
	say("unique random %016lx%016lx", r[0], r[1]);
	say("unique random %016lx%016lx", r[2], r[3]);
	fd = open("/dev/random", O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && read(fd, r, 16) == 16)
		say("unique random %016lx%016lx", r[0], r[1]);
	close(fd);
	fd = mkstemp(path);
	say("differs file %s", path);
	unlink(path);
	close(fd);
	say("differs pid %d", getpid());
	if (readable(DF_VA_BOOT) && (unsigned)getpid() == pid_before)
		leak("getpid() is as before the freeze");
	/* The old id stays good. */
	if (kill((pid_t)pid_before, 0) || kill(getpid(), 0))
		leak("kill() does not know %u and %d", pid_before, getpid());
	snprintf(name, sizeof(name), "/proc/%d/stat", getpid());
	if (access(name, F_OK))
		leak("%s is not there", name);
}

#define ROW(name, prepare, flags)                                \
	{                                                        \
#name, prepare, name##_dirty, name##_look, flags \
	}
#define LIMIT(name)                                                                              \
	{                                                                                        \
#name, NULL, name##_dirty, limit_look, HAZARD_GUEST | HAZARD_ENDS | HAZARD_LIMIT \
	}
const struct hazard hazards_event[] = {
	ROW(in, NULL, HAZARD_GUEST | HAZARD_BLIND), /* the body itself is there */
	ROW(out, NULL, HAZARD_GUEST | HAZARD_ENDS),
	{"out_raw", NULL, out_raw_dirty, out_look, HAZARD_GUEST | HAZARD_ENDS},
	ROW(sdk, NULL, HAZARD_GUEST | HAZARD_ENDS), LIMIT(limit_reply), LIMIT(limit_log),
	LIMIT(limit_wall), LIMIT(limit_cpu), LIMIT(limit_memory),
	ROW(clock, clock_prepare, HAZARD_BLIND), /* there is no clock to leave */
	ROW(armed, armed_prepare, 0), ROW(random, random_prepare, HAZARD_BLIND), /* nor chance */
	{0}};
