/*
 * clocks.c - clocks and sleeping.
 */
#include "case.h"

#include <sys/time.h>
#include <sys/timex.h>
#include <sys/times.h>

static const struct {
	clockid_t id;
	const char *name;
} ids[] = {
	{CLOCK_REALTIME, "realtime"},
	{CLOCK_MONOTONIC, "monotonic"},
	{CLOCK_PROCESS_CPUTIME_ID, "process"},
	{CLOCK_THREAD_CPUTIME_ID, "thread"},
	{CLOCK_MONOTONIC_RAW, "raw"},
	{CLOCK_REALTIME_COARSE, "realtime-coarse"},
	{CLOCK_MONOTONIC_COARSE, "monotonic-coarse"},
	{CLOCK_BOOTTIME, "boottime"},
	{CLOCK_TAI, "tai"},
};

static void all_rise(void)
{
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		struct timespec t;
		int result = clock_gettime(ids[i].id, &t), back = 0, bad = 0;
		int64_t last = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
		for (int k = 0; k < 2000; k++) {
			clock_gettime(ids[i].id, &t);
			int64_t now = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
			back += now < last;
			bad += t.tv_nsec < 0 || t.tv_nsec >= 1000000000;
			last = now;
		}
		say("%s:%s,%d,%d", ids[i].name, rc(result), back, bad);
	}
}

static void fine_clocks_move(void)
{
	int64_t a = now_ns(CLOCK_MONOTONIC), b = a, c = now_ns(CLOCK_REALTIME), d = c;
	for (int i = 0; i < 100000000 && (b == a || d == c); i++) {
		b = now_ns(CLOCK_MONOTONIC);
		d = now_ns(CLOCK_REALTIME);
	}
	say("monotonic=%s realtime=%s", yes(b > a), yes(d > c));
}

static void resolutions(void)
{
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		struct timespec t = {9, 9};
		int result = clock_getres(ids[i].id, &t);
		/* The coarse clocks' depends on the tick: only its sanity is said. */
		bool coarse = strstr(ids[i].name, "coarse") != NULL;
		say("%s:%s,%s", ids[i].name, rc(result),
			coarse ? yes(t.tv_sec == 0 && t.tv_nsec >= 1 && t.tv_nsec <= 10000000)
			       : yes(t.tv_sec == 0 && t.tv_nsec == 1));
	}
	say("null=%s", rc(clock_getres(CLOCK_MONOTONIC, NULL)));
	say("unknown=%s", rc(clock_getres(77, NULL)));
}

static void raw_call_agrees(void)
{
	/* The call itself and the function that may answer without one. */
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		struct timespec a, b, c;
		clock_gettime(ids[i].id, &a);
		long result = syscall(SYS_clock_gettime, ids[i].id, &b);
		clock_gettime(ids[i].id, &c);
		int64_t x = (int64_t)a.tv_sec * 1000000000 + a.tv_nsec,
			y = (int64_t)b.tv_sec * 1000000000 + b.tv_nsec,
			z = (int64_t)c.tv_sec * 1000000000 + c.tv_nsec;
		say("%s:%s,%s", ids[i].name, rc(result), yes(x <= y && y <= z));
	}
}

static void errors(void)
{
	struct timespec t, bad = {0, 1000000000}, minus = {-1, 0};
	say("unknown=%s", rc(clock_gettime(77, &t)));
	say("minus=%s", rc(syscall(SYS_clock_gettime, -100, &t)));
	say("pointer=%s", rc(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, 8L)));
	say("nsec=%s", rc(nanosleep(&bad, NULL)));
	say("minus=%s", rc(nanosleep(&minus, NULL)));
	say("clock=%s", errno_name(clock_nanosleep(77, 0, &t, NULL)));
	say("thread=%s", errno_name(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &t, NULL)));
	say("null=%s", rc(syscall(SYS_nanosleep, NULL, NULL)));
}

static void wall_clock_family(void)
{
	struct timespec t;
	struct timeval v;
	time_t plain = 0, result;
	clock_gettime(CLOCK_REALTIME, &t);
	say("gettimeofday=%s", rc(gettimeofday(&v, NULL)));
	result = time(&plain);
	say("time=%s", yes(result == plain));
	say("agree=%s,%s", yes(v.tv_sec - t.tv_sec <= 2 && v.tv_sec >= t.tv_sec),
		yes(plain >= t.tv_sec - 1 && plain - t.tv_sec <= 2));
	say("usec=%s", yes(v.tv_usec >= 0 && v.tv_usec < 1000000));
	say("after-2020=%s", yes(t.tv_sec > 1577836800));
	say("raw-time=%s", yes(syscall(SYS_time, NULL) >= t.tv_sec - 1));
	say("raw-gettimeofday=%s", rc(syscall(SYS_gettimeofday, &v, NULL)));
	struct timezone zone = {9, 9};
	say("zone=%s", rc(syscall(SYS_gettimeofday, NULL, &zone)));
}

static void relations(void)
{
	int64_t mono = now_ns(CLOCK_MONOTONIC), boot = now_ns(CLOCK_BOOTTIME);
	say("boot>=mono=%s", yes(boot >= mono));
	int64_t raw = now_ns(CLOCK_MONOTONIC_RAW);
	say("raw-close=%s", yes(raw > 0));
	int64_t coarse = now_ns(CLOCK_MONOTONIC_COARSE), fine = now_ns(CLOCK_MONOTONIC);
	say("coarse-behind=%s", yes(coarse <= fine && fine - coarse < 1000000000));
}

static void sleeping(void)
{
	struct timespec ask = {0, 20000000}, left = {7, 7};
	int64_t start = now_ns(CLOCK_MONOTONIC);
	say("nanosleep=%s", rc(nanosleep(&ask, &left)));
	say("waited=%s left-untouched=%s", waited(start, 20000000), yes(left.tv_sec == 7));
	start = now_ns(CLOCK_MONOTONIC);
	say("relative=%s", errno_name(clock_nanosleep(CLOCK_MONOTONIC, 0, &ask, NULL)));
	say("waited=%s", waited(start, 20000000));
	int64_t target = now_ns(CLOCK_MONOTONIC) + 15000000;
	struct timespec until = {target / 1000000000, target % 1000000000};
	say("absolute=%s",
		errno_name(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL)));
	say("reached=%s", yes(now_ns(CLOCK_MONOTONIC) >= target));
	until.tv_sec = 1;
	say("past=%s", errno_name(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL)));
	target = now_ns(CLOCK_REALTIME) + 10000000;
	until = (struct timespec){target / 1000000000, target % 1000000000};
	say("wall=%s", errno_name(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL)));
	ask.tv_nsec = 0;
	say("zero=%s", rc(nanosleep(&ask, NULL)));
	start = now_ns(CLOCK_MONOTONIC);
	say("usleep=%s", rc(usleep(5000)));
	say("waited=%s", waited(start, 5000000));
}

static void processor_time(void)
{
	struct tms buffer;
	int64_t process = now_ns(CLOCK_PROCESS_CPUTIME_ID),
		thread = now_ns(CLOCK_THREAD_CPUTIME_ID);
	volatile unsigned long sum = 0;
	for (unsigned long i = 0; i < 20000000; i++)
		sum += i;
	say("process=%s", yes(now_ns(CLOCK_PROCESS_CPUTIME_ID) - process > 1000000));
	say("thread=%s", yes(now_ns(CLOCK_THREAD_CPUTIME_ID) - thread > 1000000));
	say("times=%s", rc(times(&buffer)));
	say("clock=%s", yes(clock() > 0));
	/* Sleeping uses next to none of it. */
	struct timespec ask = {0, 100000000};
	process = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	nanosleep(&ask, NULL);
	say("idle=%s", yes(now_ns(CLOCK_PROCESS_CPUTIME_ID) - process < 60000000));
}

static void calendar(void)
{
	time_t when = 1700000000;
	struct tm tm;
	char text[64];
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", gmtime_r(&when, &tm));
	say("%s", text);
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	strftime(text, sizeof text, "%H:%M:%S%z", localtime_r(&when, &tm));
	say("%s", text);
	say("mktime=%ld", (long)mktime(&tm));
}

static void setting_is_refused_or_done(void)
{
	struct timespec bad = {0, 2000000000};
	say("nsec=%s", rc(clock_settime(CLOCK_REALTIME, &bad)));
	say("monotonic=%s", rc(clock_settime(CLOCK_MONOTONIC, &(struct timespec){1, 0})));
}

static const struct guest_case cases[] = {
	C(all_rise),
	C(fine_clocks_move),
	C(resolutions),
	C(raw_call_agrees),
	C(errors),
	C(wall_clock_family),
	C(relations),
	C(sleeping),
	C(processor_time),
	C(calendar),
	C(setting_is_refused_or_done),
};

GUEST_MAIN("clocks", cases)
