// SPDX-License-Identifier: Apache-2.0
/*
 * How much memory a live instance takes, and whether a thousand of them answer.
 *
 *	bench-density bare COUNT                        bare virtual machines that ran one instruction
 *	bench-density dayfly COUNT MONITOR SNAPSHOT     instances that have answered an event
 *
 * Both are spread over processes of 16. Memory is what the whole machine has less afterwards, the host
 * kernel's included, caches not. Prints one line of JSON: bytes per instance, and for dayfly the times of a
 * second round of events, one after the other, in ns.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bare.h"
#include "host/monitor.h"
#include "host/slot.h"

#define PER_PROCESS 16
#define PROCESSES_MAX 256
#define LIMIT_MS 120000u
#define WINDOW (2u << 20)

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t meminfo(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? strtoull(at + strlen(key), NULL, 10) * 1024 : 0;
}

/* Memory that nothing else could have: not free, and not the file cache (which has shared memory in it). */
static uint64_t used_bytes(void)
{
	static char text[8192];
	int fd = open("/proc/meminfo", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	bare_check(n > 0, "/proc/meminfo");
	text[n] = 0;
	return meminfo(text, "MemTotal:") - meminfo(text, "MemFree:") - meminfo(text, "Buffers:") -
		meminfo(text, "\nCached:") - meminfo(text, "SReclaimable:") +
		meminfo(text, "Shmem:");
}

/* --- bare --- */

static const char one_instruction[] = "\xe6\x80\xeb\xfc"; /* out %al, $0x80; jmp to it */

static void bare_process(unsigned count, int ready, int hold)
{
	char byte;

	for (unsigned i = 0; i < count; i++) {
		struct bare_vm *vm = calloc(1, sizeof(*vm));

		bare_init(vm, one_instruction, sizeof(one_instruction));
		bare_run(vm);
	}
	bare_check(write(ready, "", 1) == 1, "pipe");
	(void)!read(hold, &byte, 1);
	_exit(0);
}

static uint64_t bare(unsigned count)
{
	uint64_t before = used_bytes(), after;
	int ready[2], hold[2];
	unsigned processes = 0;
	char byte;

	bare_check(!pipe(ready) && !pipe(hold), "pipe");
	for (unsigned left = count; left; processes++) {
		unsigned part = left < PER_PROCESS ? left : PER_PROCESS;

		if (!fork()) {
			close(hold[1]);
			bare_process(part, ready[1], hold[0]);
		}
		left -= part;
	}
	for (unsigned i = 0; i < processes; i++)
		bare_check(read(ready[0], &byte, 1) == 1, "a child");
	after = used_bytes();
	close(hold[1]);
	while (wait(NULL) > 0)
		;
	return (after - before) / count;
}

/* --- dayfly --- */

static void die(const char *what, const struct df_err *err)
{
	fprintf(stderr, "bench-density: %s: %s\n", what, err->text);
	exit(1);
}

static void start_monitor(struct df_monitor *m, struct df_slot *slots, unsigned count,
	const char *path, int snapshot)
{
	struct df_start start = {.instances = count, .in_bytes = WINDOW, .out_bytes = WINDOW};
	char *words[] = {"dayfly-monitor", "serve", NULL}, *none[] = {NULL};
	int fds[DF_START_DESCRIPTORS_MAX];
	struct df_err err = {0};
	unsigned n = 0;

	fds[n++] = snapshot;
	for (unsigned i = 0; i < count; i++) {
		slots[i] = DF_SLOT_NONE;
		if (df_slot_init(&slots[i], WINDOW, &err) ||
			df_slot_seal(&slots[i], WINDOW, WINDOW, &err))
			die("slot", &err);
		fds[n++] = slots[i].control_fd;
		fds[n++] = slots[i].in_fd;
		fds[n++] = slots[i].out_fd;
	}
	if (df_monitor_start(m, path, words, none, &err) ||
		df_monitor_send(m, &start, fds, n, &err))
		die("monitor", &err);
}

static bool answer(struct df_slot *slot)
{
	const struct df_slot_limits limits = {0};
	struct df_slot_reply reply;
	struct df_err err;

	df_slot_start(slot, &limits);
	return !df_slot_wait_reply(slot, now_ns() + LIMIT_MS * 1000000ull) &&
		!df_slot_reply(slot, &reply, &err) && reply.outcome == DF_OUTCOME_EXIT &&
		!reply.status && reply.body_bytes;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void dayfly(unsigned count, const char *path, const char *snapshot)
{
	static struct df_monitor monitor[PROCESSES_MAX];
	struct df_slot *slots = calloc(count, sizeof(*slots));
	uint64_t *times = calloc(count, sizeof(*times)), before = used_bytes(), after,
		 start = now_ns(), ready;
	unsigned processes = 0, errors = 0;
	int fd = open(snapshot, O_RDONLY | O_CLOEXEC);
	struct df_ready answer_of;
	struct df_err err = {0};

	bare_check(fd >= 0, snapshot);
	for (unsigned left = count; left; processes++) {
		unsigned part = left < PER_PROCESS ? left : PER_PROCESS;

		start_monitor(&monitor[processes], &slots[count - left], part, path, fd);
		if (df_monitor_receive(&monitor[processes], LIMIT_MS, &answer_of, &err))
			die("set-up", &err);
		left -= part;
	}
	for (unsigned i = 0; i < count; i++)
		errors += !answer(&slots[i]);
	ready = now_ns();
	after = used_bytes();
	for (unsigned i = 0; i < count; i++) {
		uint64_t from = now_ns();

		errors += !answer(&slots[i]);
		times[i] = now_ns() - from;
	}
	qsort(times, count, sizeof(*times), compare);
	printf("{\"bytes\": %llu, \"errors\": %u, \"p50\": %llu, \"p99\": %llu, \"setup\": %llu}\n",
		(unsigned long long)((after - before) / count), errors,
		(unsigned long long)times[count / 2],
		(unsigned long long)times[(count - 1) * 99 / 100],
		(unsigned long long)(ready - start));
	for (unsigned i = 0; i < processes; i++)
		df_monitor_stop(&monitor[i], 5000);
}

int main(int argc, char **argv)
{
	struct rlimit files;
	unsigned count = argc > 2 ? (unsigned)atoi(argv[2]) : 0;

	if (!count || count > PROCESSES_MAX * PER_PROCESS ||
		!((argc == 3 && !strcmp(argv[1], "bare")) ||
			(argc == 5 && !strcmp(argv[1], "dayfly")))) {
		fprintf(stderr,
			"usage: bench-density bare COUNT | dayfly COUNT MONITOR SNAPSHOT\n");
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if (argc == 3)
		printf("{\"bytes\": %llu}\n", (unsigned long long)bare(count));
	else
		dayfly(count, argv[3], argv[4]);
	return 0;
}
