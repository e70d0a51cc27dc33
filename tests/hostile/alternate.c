// SPDX-License-Identifier: Apache-2.0
/*
 * alternate: a client of the monitor that looks for what one event leaves to another. It freezes a program (or
 * takes a snapshot file), serves it, sends each instance the bodies of --bodies in turn, and judges the replies
 * by their lines (leave.h says what they mean). All instances work at the same time, each one body further than
 * the one before it, so that one looks while another leaves something. A body that does not look comes with many
 * secrets behind it and in an attribute; its outcome is judged by --dirty.
 *
 *	alternate --monitor PATH --kernel FILE --root IMAGE --program PATH [OPTION...] -- ARGV0 [ARG...]
 *	alternate --monitor PATH --snapshot FILE [OPTION...]
 *
 * Every problem is a line on standard output (the first ones); the last line is a summary. 0: no problem.
 */
#include <host/cleanup.h>
#include <host/err.h>
#include <host/monitor.h>
#include <host/slot.h>
#include <host/slot_state.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define SECRET 0x1dcea5c16ebbcef7ULL /* secret() of the guest */
#define PADDING 300000u /* bytes behind "dirty" */
#define WINDOW (4ULL << 20)
#define BODIES_MAX 2048
#define UNIQUE_BITS 22
#define KEYS_MAX 64
#define VALUE_MAX 200
#define PROBLEMS_SHOWN 6
#define NS_PER_S 1000000000ULL
#define LOOK_NS (30 * NS_PER_S)

/* How a dirty event must end. */
enum dirty { DIRTY_LEFT, DIRTY_ENDS, DIRTY_LIMIT, DIRTY_ANY };

struct options {
	const char *monitor, *kernel, *root, *program, *snapshot, *features, *memory, *rehearse;
	char *const *argv;
	char *bodies[BODIES_MAX];
	unsigned body_count, instances;
	uint64_t events, wall_ns;
	bool verify, no_jail;
	enum dirty dirty;
};

/* What a key of the reply's lines was the last time. */
struct key {
	char name[64], value[VALUE_MAX];
	unsigned instance;
	uint64_t number;
};

/* What a process and its children use. */
struct usage {
	uint64_t private_kib, descriptors, threads;
};

static struct options o = {
	.features = "core,files,tmp,tasks,events,signals,freeze",
	.memory = "67108864",
	.instances = 2,
	.events = 30,
	.wall_ns = 30 * NS_PER_S,
	.rehearse = "look",
};
static struct df_slot slots[DF_INSTANCES_MAX];
static struct df_monitor monitor = {.pid = -1, .socket = -1};
static uint64_t event_number;
static const char *event_body = "";
static uint64_t problems, leaks_verified, thaw_ns, run_ns;
static struct key keys[KEYS_MAX];
static unsigned key_count;
static uint64_t *unique; /* hashes, open addressing */

static void problem(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void problem(const char *format, ...)
{
	char line[600];
	va_list args;

	if (problems++ >= PROBLEMS_SHOWN)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = '|';
	printf("event %llu (%s): %s\n", (unsigned long long)event_number, event_body, line);
	fflush(stdout);
}

static void __attribute__((noreturn)) fail(const struct df_err *err, const char *what)
{
	printf("%s: %s\n", what, err->text);
	fflush(stdout);
	df_monitor_deinit(&monitor);
	exit(2);
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* --- lines of a reply --- */

static void must_be_unique(const char *line)
{
	uint64_t h = 0xcbf29ce484222325ULL, at;

	for (const char *c = line; *c; c++)
		h = (h ^ (unsigned char)*c) * 0x100000001b3ULL;
	h = h ? h : 1;
	for (at = h >> (64 - UNIQUE_BITS); unique[at]; at = (at + 1) % (1u << UNIQUE_BITS))
		if (unique[at] == h) {
			problem("came before: %s", line);
			return;
		}
	unique[at] = h;
}

/* The entry of a key; *fresh when there was none. instance: any number where that plays no role. */
static struct key *key_of(const char *name, unsigned instance, bool *fresh)
{
	*fresh = false;
	for (unsigned i = 0; i < key_count; i++)
		if (keys[i].instance == instance && !strcmp(keys[i].name, name))
			return &keys[i];
	if (key_count == KEYS_MAX) {
		printf("too many keys\n");
		exit(2);
	}
	*fresh = true;
	snprintf(keys[key_count].name, sizeof(keys[0].name), "%s", name);
	keys[key_count].instance = instance;
	return &keys[key_count++];
}

/* "same KEY...: VALUE" and "differs KEY VALUE": key and value are parted at the last space. */
static void compare(char *line, unsigned instance, bool same)
{
	char *value = strrchr(line, ' ');
	bool fresh;
	struct key *k;

	if (!value || strlen(value) >= VALUE_MAX) {
		problem("a line without value: %s", line);
		return;
	}
	*value++ = 0;
	k = key_of(line, same ? 0 : instance, &fresh);
	if (!fresh && same != !strcmp(k->value, value))
		problem("%s %s, %s before", line, value, k->value);
	strcpy(k->value, value);
}

static void must_rise(const char *line, unsigned instance)
{
	char name[64];
	unsigned long long value;
	bool fresh;
	struct key *k;

	if (sscanf(line, "rising %40s %llu", name, &value) != 2) {
		problem("a line without number: %s", line);
		return;
	}
	k = key_of(name, instance, &fresh);
	if (!fresh && value < k->number)
		problem("%s went back by %llu", name, (unsigned long long)k->number - value);
	k->number = value;
}

static void must_be_now(const char *line)
{
	uint64_t now = now_ns(CLOCK_REALTIME) / 1000000;
	unsigned long long value;

	if (sscanf(line, "now %*s %llu", &value) != 1 || value > now + 100 || value + 3000 < now)
		problem("%s, it is %llu", line, (unsigned long long)now);
}

static void judge_line(char *line, unsigned instance)
{
	if (!strncmp(line, "leak ", 5) || !strcmp(line, "leaks"))
		problem("%s", line);
	else if (!strncmp(line, "unique ", 7))
		must_be_unique(line);
	else if (!strncmp(line, "differs ", 8))
		compare(line, instance, false);
	else if (!strncmp(line, "same ", 5))
		compare(line, instance, true);
	else if (!strncmp(line, "rising ", 7))
		must_rise(line, instance);
	else if (!strncmp(line, "now ", 4))
		must_be_now(line);
	else if (strcmp(line, "clean"))
		problem("does not belong here: %.100s", line);
}

/* --- outcomes --- */

static bool ends_with(const struct df_slot_reply *reply, const char *word)
{
	size_t n = strlen(word);

	return reply->body_bytes >= n && !memcmp(reply->body + reply->body_bytes - n, word, n);
}

static void judge_look(const struct df_slot_reply *reply, unsigned instance)
{
	char text[16384], *line, *rest = text;
	size_t n = reply->body_bytes < sizeof(text) - 1 ? reply->body_bytes : sizeof(text) - 1;

	if (reply->outcome != DF_OUTCOME_EXIT || reply->status) {
		problem("outcome %d, status %d: %.400s %.*s", reply->outcome, reply->status,
			reply->text, (int)(reply->log_bytes < 200 ? reply->log_bytes : 200),
			(const char *)reply->log);
		return;
	}
	if (reply->log_bytes || reply->attribute_bytes || reply->reply_status)
		problem("%zu bytes of log, %zu of attributes, status %u: %.*s", reply->log_bytes,
			reply->attribute_bytes, reply->reply_status,
			(int)(reply->log_bytes < 200 ? reply->log_bytes : 200),
			(const char *)reply->log);
	memcpy(text, reply->body, n);
	text[n] = 0;
	if (strlen(text) != n)
		problem("the reply holds zeros");
	if (!ends_with(reply, "clean\n") && !ends_with(reply, "leaks\n"))
		problem("the reply has no verdict: %.200s", text);
	while ((line = strsep(&rest, "\n")))
		if (*line)
			judge_line(line, instance);
}

static bool is_limit(enum df_outcome outcome)
{
	return outcome == DF_OUTCOME_WALL_TIME || outcome == DF_OUTCOME_CPU_TIME ||
		outcome == DF_OUTCOME_MEMORY || outcome == DF_OUTCOME_REPLY_SIZE ||
		outcome == DF_OUTCOME_LOG_SIZE;
}

static void judge_dirty(const struct df_slot_reply *reply)
{
	const char *log = (const char *)reply->log;
	bool good = o.dirty == DIRTY_LEFT
		? reply->outcome == DF_OUTCOME_EXIT && !reply->status && ends_with(reply, "left\n")
		: o.dirty == DIRTY_ANY   ? true
		: o.dirty == DIRTY_LIMIT ? is_limit(reply->outcome)
					 : !is_limit(reply->outcome) && reply->status != 77;

	if (!good)
		problem("outcome %d, status %d: %.300s %.*s", reply->outcome, reply->status,
			reply->text, (int)(reply->log_bytes < 200 ? reply->log_bytes : 200), log);
}

/* --- events --- */

static bool is_dirty(const char *body)
{
	return strcmp(body, "look") && strcmp(body, "scan");
}

/* The word and a line end, padded to eight bytes, and secrets behind a dirty one. */
static void put(struct df_slot *slot, const char *word)
{
	static char body[PADDING + 8], attributes[4096];
	size_t length, attribute_bytes = 0;

	length = (size_t)snprintf(body, 100, "%-7.90s\n", word);
	if (is_dirty(word)) {
		for (length = (length + 7) & ~7ULL; length < sizeof(body) - 8; length += 8)
			memcpy(body + length, &(uint64_t){SECRET}, 8);
		/* "secret", padded with more of it so that the value is aligned. */
		memcpy(attributes, "secretx", 8);
		for (attribute_bytes = 8; attribute_bytes < 4000; attribute_bytes += 8)
			memcpy(attributes + attribute_bytes, &(uint64_t){SECRET}, 8);
		attributes[attribute_bytes++] = 0;
	}
	if (df_slot_put_body(slot, body, length) ||
		df_slot_put_attributes(slot, attributes, attribute_bytes)) {
		printf("the event does not fit\n");
		exit(2);
	}
}

static void wait_reply(struct df_slot *slot)
{
	uint64_t start = now_ns(CLOCK_MONOTONIC);
	struct df_err err = {0};

	for (;;) {
		uint64_t now = now_ns(CLOCK_MONOTONIC);
		int r = df_slot_wait_reply(slot, now + NS_PER_S / 10);

		if (!r)
			return;
		if (r == -EPIPE || !df_monitor_is_alive(&monitor)) {
			problem("the monitor gave up");
			df_monitor_ended(&monitor, &err);
			fail(&err, "the monitor");
		}
		if (now - start > o.wall_ns + 2 * LOOK_NS) {
			df_err_set(&err, -ETIMEDOUT, "no reply long after the limit");
			problem("no reply");
			fail(&err, "the monitor");
		}
	}
}

static void start_event(unsigned instance, const char *body)
{
	const uint64_t limit = is_dirty(body) ? o.wall_ns : LOOK_NS;
	const struct df_slot_limits limits = {.wall_ns = limit, .cpu_ns = limit};

	put(&slots[instance], body);
	df_slot_start(&slots[instance], &limits);
}

static void end_event(unsigned instance, const char *body)
{
	struct df_slot_reply reply;
	struct df_err err = {0};

	event_body = body;
	wait_reply(&slots[instance]);
	if (df_slot_reply(&slots[instance], &reply, &err)) {
		problem("%s", err.text);
		return;
	}
	thaw_ns += reply.thaw_ns;
	run_ns += reply.run_ns;
	leaks_verified += reply.leaks;
	if (reply.leaks)
		problem("%u differences after the event before this one", reply.leaks);
	if (!strcmp(body, "both")) {
		if (!ends_with(&reply, "leaks\n"))
			problem("what was left in the same event was not found");
	} else if (is_dirty(body))
		judge_dirty(&reply);
	else
		judge_look(&reply, instance);
}

/* One event for each instance, at the same time. */
static void send_events(uint64_t round)
{
	for (unsigned i = 0; i < o.instances; i++)
		start_event(i, o.bodies[(round + i) % o.body_count]);
	for (unsigned i = 0; i < o.instances; i++) {
		end_event(i, o.bodies[(round + i) % o.body_count]);
		event_number++;
	}
}

/* --- setting up --- */

static void make_slot(struct df_slot *slot)
{
	struct df_err err = {0};

	if (df_slot_init(slot, WINDOW, &err) || df_slot_seal(slot, WINDOW, WINDOW, &err))
		fail(&err, "slot");
}

static int freeze(void)
{
	const struct df_slot_limits limits = {.wall_ns = o.wall_ns, .cpu_ns = o.wall_ns};
	const char *words[64] = {"dayfly-monitor", "freeze", "--kernel", o.kernel, "--root", o.root,
		"--program", o.program, "--features", o.features, "--memory", o.memory};
	struct df_start start = {
		.instances = 1, .in_bytes = WINDOW, .out_bytes = WINDOW, .boot_limit_ms = 10000};
	struct df_slot slot = DF_SLOT_NONE;
	struct df_ready ready;
	struct df_err err = {0};
	char *environment[4] = {"HOME=/"};
	unsigned n = 12, environment_count = 1;
	int fd = memfd_create("snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (o.no_jail)
		words[n++] = "--no-jail";
	if (getenv("DAYFLY_TEST_IOPL3"))
		words[n++] = "--test-iopl3";
	words[n++] = "--";
	for (char *const *a = o.argv; *a && n < 62; a++)
		words[n++] = *a;
	make_slot(&slot);
	put(&slot, o.rehearse);
	df_slot_describe(&slot, &limits);
	/* What is the program's environment, too. */
	for (char **e = environ; *e && environment_count < 3; e++)
		if (strstr(*e, "SAN_OPTIONS="))
			environment[environment_count++] = *e;
	if (df_monitor_start(&monitor, o.monitor, (char *const *)words, environment, &err) ||
		df_monitor_send(&monitor, &start,
			(int[]){fd, slot.control_fd, slot.in_fd, slot.out_fd}, 4, &err) ||
		df_monitor_receive(&monitor, 60000, &ready, &err))
		fail(&err, "freeze");
	df_monitor_deinit(&monitor);
	df_slot_deinit(&slot);
	return fd;
}

static void serve(int snapshot_fd)
{
	const char *words[] = {"dayfly-monitor", "serve", o.no_jail ? "--no-jail" : NULL, NULL};
	struct df_start start = {
		.instances = o.instances,
		.flags = (o.verify ? DF_START_VERIFY : 0) | (o.root ? DF_START_ROOT : 0),
		.in_bytes = WINDOW,
		.out_bytes = WINDOW,
	};
	int fds[DF_START_DESCRIPTORS_MAX], root = -1;
	unsigned n = 0;
	struct df_ready ready;
	struct df_err err = {0};

	fds[n++] = snapshot_fd;
	if (o.root) {
		root = open(o.root, O_RDONLY | O_CLOEXEC);
		fds[n++] = root;
	}
	for (unsigned i = 0; i < o.instances; i++) {
		make_slot(&slots[i]);
		fds[n++] = slots[i].control_fd;
		fds[n++] = slots[i].in_fd;
		fds[n++] = slots[i].out_fd;
	}
	if (df_monitor_start(&monitor, o.monitor, (char *const *)words, environ, &err) ||
		df_monitor_send(&monitor, &start, fds, n, &err) ||
		df_monitor_receive(&monitor, 60000, &ready, &err))
		fail(&err, "serve");
	if (root >= 0)
		close(root);
	close(snapshot_fd);
}

/* --- what the monitor uses --- */

static uint64_t read_field(pid_t pid, const char *file, const char *name)
{
	char path[64], line[256];
	unsigned long long value = 0;
	size_t n = strlen(name);
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, n))
			sscanf(line + n, " %llu", &value);
	if (f)
		fclose(f);
	return value;
}

static void add_usage(struct usage *u, pid_t pid)
{
	char path[64];
	struct dirent *e;
	DIR *d;

	u->private_kib += read_field(pid, "smaps_rollup", "Private_Dirty:") +
		read_field(pid, "smaps_rollup", "Private_Clean:") +
		read_field(pid, "smaps_rollup", "Swap:");
	u->threads += read_field(pid, "status", "Threads:");
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	while (d && (e = readdir(d)))
		u->descriptors += e->d_name[0] != '.';
	if (d)
		closedir(d);
}

/* The monitor and what it became: with a jail there may be a process in between. */
static struct usage usage(void)
{
	struct usage u = {0};
	char path[64];
	int child;
	FILE *f;

	add_usage(&u, monitor.pid);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", monitor.pid, monitor.pid);
	f = fopen(path, "re");
	while (f && fscanf(f, "%d", &child) == 1)
		add_usage(&u, child);
	if (f)
		fclose(f);
	return u;
}

/* --- */

static void split_bodies(char *list)
{
	char *word;

	o.body_count = 0;
	while ((word = strsep(&list, ",")) && o.body_count < BODIES_MAX)
		o.bodies[o.body_count++] = word;
}

static void parse(int argc, char **argv)
{
	static const struct option names[] = {{"monitor", 1, 0, 'm'}, {"kernel", 1, 0, 'k'},
		{"root", 1, 0, 'r'}, {"program", 1, 0, 'p'}, {"snapshot", 1, 0, 's'},
		{"features", 1, 0, 'f'}, {"memory", 1, 0, 'M'}, {"events", 1, 0, 'e'},
		{"instances", 1, 0, 'i'}, {"bodies", 1, 0, 'b'}, {"rehearse", 1, 0, 'R'},
		{"wall-ms", 1, 0, 'w'}, {"dirty", 1, 0, 'd'}, {"verify", 0, 0, 'v'},
		{"no-jail", 0, 0, 'n'}, {0}};
	static char bodies[] = "look,dirty";
	int c;

	split_bodies(bodies);
	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		const char **text = c == 'm' ? &o.monitor
			: c == 'k'           ? &o.kernel
			: c == 'r'           ? &o.root
			: c == 'p'           ? &o.program
			: c == 's'           ? &o.snapshot
			: c == 'f'           ? &o.features
			: c == 'M'           ? &o.memory
			: c == 'R'           ? &o.rehearse
					     : NULL;

		if (text)
			*text = optarg;
		else if (c == 'e')
			o.events = strtoull(optarg, NULL, 10);
		else if (c == 'i')
			o.instances = (unsigned)atoi(optarg);
		else if (c == 'w')
			o.wall_ns = strtoull(optarg, NULL, 10) * 1000000;
		else if (c == 'b')
			split_bodies(optarg);
		else if (c == 'd')
			o.dirty = !strcmp(optarg, "ends")  ? DIRTY_ENDS
				: !strcmp(optarg, "limit") ? DIRTY_LIMIT
				: !strcmp(optarg, "any")   ? DIRTY_ANY
							   : DIRTY_LEFT;
		else if (c == 'v')
			o.verify = true;
		else if (c == 'n')
			o.no_jail = true;
		else
			exit(2);
	}
	o.argv = argv + optind;
	if (!o.monitor || !(o.snapshot || (o.kernel && o.root && o.program && *o.argv)) ||
		!o.body_count || o.instances < 1 || o.instances > DF_INSTANCES_MAX) {
		fprintf(stderr, "alternate: see the head of its source\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct usage before = {0}, after;
	uint64_t growth, turn;
	int fd;

	parse(argc, argv);
	unique = calloc(1u << UNIQUE_BITS, sizeof(*unique));
	fd = o.snapshot ? open(o.snapshot, O_RDONLY | O_CLOEXEC) : freeze();
	if (fd < 0 || !unique) {
		perror("alternate");
		return 2;
	}
	serve(fd);
	/* Whole turns of all bodies, so that what is measured was before the same ones. */
	turn = (uint64_t)o.body_count * o.instances;
	o.events = (o.events + turn - 1) / turn * turn;
	for (uint64_t round = 0; event_number < o.events; round++) {
		send_events(round);
		if (event_number % turn == 0 && event_number >= o.events / 2 && !before.descriptors)
			before = usage();
	}
	event_body = "end";
	after = usage();
	growth =
		after.private_kib > before.private_kib ? after.private_kib - before.private_kib : 0;
	if (!before.descriptors || before.descriptors != after.descriptors ||
		before.threads != after.threads)
		problem("the monitor had %llu descriptors and %llu threads, now %llu and %llu",
			(unsigned long long)before.descriptors, (unsigned long long)before.threads,
			(unsigned long long)after.descriptors, (unsigned long long)after.threads);
	if (o.events >= 1000 && growth > 256)
		problem("the monitor's memory grew by %llu KiB in the second half, to %llu",
			(unsigned long long)growth, (unsigned long long)after.private_kib);
	df_monitor_stop(&monitor, DF_MONITOR_GRACE_MS);
	printf("%llu events, %llu problems, %llu differences; thaw %llu us, run %llu us on average; monitor %llu KiB,"
	       " grew by %llu, %llu descriptors\n",
		(unsigned long long)o.events, (unsigned long long)problems,
		(unsigned long long)leaks_verified, (unsigned long long)(thaw_ns / o.events / 1000),
		(unsigned long long)(run_ns / o.events / 1000),
		(unsigned long long)after.private_kib, (unsigned long long)growth,
		(unsigned long long)after.descriptors);
	return problems != 0;
}
