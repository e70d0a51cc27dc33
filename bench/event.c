// SPDX-License-Identifier: Apache-2.0
/*
 * What an event costs, slot to slot: bench-event MONITOR SNAPSHOT EVENTS BODY [CLIENT-CPU MONITOR-CPU]
 *
 * Starts the monitor on a snapshot that holds its root image, and sends the same event again and again from
 * one thread: the body into the slot, the reply seen, nothing else. BODY is a file or a number of bytes of
 * text. Prints one line of JSON; times in ns. The first events fill page tables and caches, so they are
 * reported apart. A reply that differs from the first ends the measurement.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/monitor.h"
#include "host/slot.h"

#define WARM_UP 300
#define LIMIT_MS 60000u

static void die(const char *what, const struct df_err *err)
{
	fprintf(stderr, "bench-event: %s: %s\n", what, err ? err->text : strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void pin(const char *cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(atoi(cpu), &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity", NULL);
}

static void put_body(struct df_slot *slot, const char *body)
{
	char *end;
	unsigned long bytes = strtoul(body, &end, 10);
	int fd;

	if (!*end) {
		char *text = malloc(bytes + 1);

		memset(text, 'x', bytes);
		if (df_slot_put_body(slot, text, bytes))
			die("body", NULL);
		free(text);
		return;
	}
	fd = open(body, O_RDONLY);
	if (fd < 0 || df_slot_read_body(slot, fd))
		die(body, NULL);
	close(fd);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t quantile(uint64_t *sorted, unsigned count, unsigned permille)
{
	return sorted[(uint64_t)(count - 1) * permille / 1000];
}

int main(int argc, char **argv)
{
	struct df_slot slot = DF_SLOT_NONE;
	struct df_monitor monitor = DF_MONITOR_NONE;
	struct df_start start = {.instances = 1};
	struct df_slot_limits limits = {0};
	struct df_slot_reply reply;
	struct df_ready ready;
	struct df_err err = {0};
	char *words[] = {"dayfly-monitor", "serve", NULL}, *none[] = {NULL};
	unsigned count;
	uint64_t *wall, *thaw, *run, first = 0, pages = 0, first_bytes = 0;
	int fds[4];

	if (argc != 5 && argc != 7) {
		fprintf(stderr,
			"usage: bench-event MONITOR SNAPSHOT EVENTS BODY [CLIENT-CPU MONITOR-CPU]\n");
		return 2;
	}
	count = (unsigned)atoi(argv[3]);
	wall = calloc(3 * count, sizeof(*wall));
	thaw = wall + count;
	run = thaw + count;
	fds[0] = open(argv[2], O_RDONLY | O_CLOEXEC);
	if (fds[0] < 0)
		die(argv[2], NULL);
	if (df_slot_init(&slot, 8u << 20, &err) || df_slot_seal(&slot, 8u << 20, 8u << 20, &err))
		die("slot", &err);
	put_body(&slot, argv[4]);
	if (argc == 7)
		pin(argv[6]);
	if (df_monitor_start(&monitor, argv[1], words, none, &err))
		die("monitor", &err);
	if (argc == 7)
		pin(argv[5]);
	start.in_bytes = start.out_bytes = 8u << 20;
	fds[1] = slot.control_fd;
	fds[2] = slot.in_fd;
	fds[3] = slot.out_fd;
	if (df_monitor_send(&monitor, &start, fds, 4, &err) ||
		df_monitor_receive(&monitor, LIMIT_MS, &ready, &err))
		die("set-up", &err);
	for (unsigned i = 0; i < WARM_UP + count; i++) {
		uint64_t from = now_ns(), took;

		df_slot_start(&slot, &limits);
		if (df_slot_wait_reply(&slot, from + LIMIT_MS * 1000000ull))
			die("no reply", NULL);
		took = now_ns() - from;
		if (df_slot_reply(&slot, &reply, &err))
			die("reply", &err);
		if (reply.outcome != DF_OUTCOME_EXIT || reply.status) {
			fprintf(stderr,
				"bench-event: the program failed: outcome %d, status %d: %s\n%.*s\n",
				reply.outcome, reply.status, reply.text, (int)reply.log_bytes,
				(const char *)reply.log);
			return 1;
		}
		if (!i) {
			first = took;
			first_bytes = reply.body_bytes;
		}
		if (reply.body_bytes != first_bytes) {
			fprintf(stderr, "bench-event: a reply of another size\n");
			return 1;
		}
		pages = reply.pages;
		if (i >= WARM_UP) {
			wall[i - WARM_UP] = took;
			thaw[i - WARM_UP] = reply.thaw_ns;
			run[i - WARM_UP] = reply.run_ns;
		}
	}
	qsort(wall, count, sizeof(*wall), compare);
	qsort(thaw, count, sizeof(*thaw), compare);
	qsort(run, count, sizeof(*run), compare);
	printf("{\"p50\": %llu, \"p99\": %llu, \"max\": %llu, \"first\": %llu, \"thaw_p50\": %llu, \"run_p50\": %llu,"
	       " \"pages\": %llu, \"setup\": %llu, \"reply_bytes\": %llu, \"monitor\": %d}\n",
		(unsigned long long)quantile(wall, count, 500),
		(unsigned long long)quantile(wall, count, 990), (unsigned long long)wall[count - 1],
		(unsigned long long)first, (unsigned long long)quantile(thaw, count, 500),
		(unsigned long long)quantile(run, count, 500), (unsigned long long)pages,
		(unsigned long long)ready.setup_ns, (unsigned long long)first_bytes, monitor.pid);
	df_monitor_stop(&monitor, 1000);
	df_slot_deinit(&slot);
	return 0;
}
