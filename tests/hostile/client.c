// SPDX-License-Identifier: Apache-2.0
/*
 * client: a client of the monitor that breaks the rules of dayfly/wire.h. `client MONITOR SNAPSHOT [CASE...]`
 * serves the snapshot, which holds its root image, once for each case and prints `ok` or `not ok` for it. The
 * monitor may refuse (with a reason) or end (with a status); it may not crash, hang, or answer what is not so.
 */
#include <host/err.h>
#include <host/monitor.h>
#include <host/slot.h>
#include <host/slot_state.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WINDOW (4ULL << 20)
#define ANSWER_MS 5000
#define END_MS 3000

/* What a case changes before the message is sent, and what it does when the monitor is ready. */
struct attempt {
	struct df_start start;
	int fd[DF_START_DESCRIPTORS_MAX];
	unsigned count;
	const void *message; /* instead of `start` */
	size_t message_bytes;
	struct df_slot slot;
	struct df_monitor monitor;
};

struct hostile {
	const char *name;
	void (*change)(struct attempt *a);
	void (*use)(struct attempt *a); /* NULL: the monitor must refuse */
};

static const char *monitor_path, *snapshot_path;
static unsigned failures;
static const char *wrong; /* first thing that went wrong in this case */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* --- messages --- */

static void magic(struct attempt *a)
{
	a->start.magic ^= 1;
}

static void version(struct attempt *a)
{
	a->start.version++;
}

static void no_instance(struct attempt *a)
{
	a->start.instances = 0;
	a->count = 1;
}

static void many_instances(struct attempt *a)
{
	a->start.instances = 17;
}

static void instances_wrap(struct attempt *a)
{
	/* 1 + 3 * this is 4 again, in 32 bits. */
	a->start.instances = 0x55555556;
	a->count = 3;
}

static void two_instances(struct attempt *a)
{
	a->start.instances = 2;
}

static void in_zero(struct attempt *a)
{
	a->start.in_bytes = 0;
}

static void in_odd(struct attempt *a)
{
	a->start.in_bytes = WINDOW - 4096;
}

static void in_huge(struct attempt *a)
{
	a->start.in_bytes = 1ULL << 62;
}

static void in_larger_than_file(struct attempt *a)
{
	a->start.in_bytes = 2 * WINDOW;
}

static void out_larger_than_file(struct attempt *a)
{
	a->start.out_bytes = 2 * WINDOW;
}

static void out_huge(struct attempt *a)
{
	a->start.out_bytes = UINT64_MAX & ~(WINDOW - 1);
}

static void root_missing(struct attempt *a)
{
	a->start.flags |= DF_START_ROOT;
}

static void no_descriptors(struct attempt *a)
{
	a->count = 0;
}

static void few_descriptors(struct attempt *a)
{
	a->count = 3;
}

static void more_descriptors(struct attempt *a)
{
	a->fd[a->count++] = a->slot.in_fd;
}

static void all_descriptors(struct attempt *a)
{
	while (a->count < DF_START_DESCRIPTORS_MAX)
		a->fd[a->count++] = a->slot.in_fd;
}

static void message_short(struct attempt *a)
{
	a->message = &a->start;
	a->message_bytes = 8;
}

static void message_long(struct attempt *a)
{
	static char text[8192];

	memcpy(text, &a->start, sizeof(a->start));
	a->message = text;
	a->message_bytes = sizeof(text);
}

static void message_random(struct attempt *a)
{
	static char text[sizeof(struct df_start)];

	memset(text, 0xa5, sizeof(text));
	a->message = text;
	a->message_bytes = sizeof(text);
}

/* --- descriptors --- */

static void replace(struct attempt *a, unsigned which, int fd)
{
	a->fd[which] = fd;
}

static int plain_file(uint64_t bytes)
{
	char path[] = "/tmp/hostile-client-XXXXXX";
	int fd = mkstemp(path);

	unlink(path);
	return ftruncate(fd, (off_t)bytes) ? -1 : fd;
}

static int unsealed(uint64_t bytes)
{
	int fd = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	return ftruncate(fd, (off_t)bytes) ? -1 : fd;
}

static int pipe_end(void)
{
	int fds[2];

	return pipe2(fds, O_CLOEXEC) ? -1 : fds[0];
}

static void snapshot_null(struct attempt *a)
{
	replace(a, 0, open("/dev/null", O_RDONLY | O_CLOEXEC));
}

static void snapshot_zero(struct attempt *a)
{
	replace(a, 0, open("/dev/zero", O_RDONLY | O_CLOEXEC));
}

static void snapshot_pipe(struct attempt *a)
{
	replace(a, 0, pipe_end());
}

static void snapshot_folder(struct attempt *a)
{
	replace(a, 0, open("/", O_RDONLY | O_CLOEXEC));
}

static void snapshot_empty(struct attempt *a)
{
	replace(a, 0, plain_file(0));
}

static void snapshot_zeros(struct attempt *a)
{
	replace(a, 0, plain_file(1 << 20));
}

static void snapshot_write_only(struct attempt *a)
{
	replace(a, 0, open("/dev/null", O_WRONLY | O_CLOEXEC));
}

static void control_pipe(struct attempt *a)
{
	replace(a, 1, pipe_end());
}

static void control_empty(struct attempt *a)
{
	replace(a, 1, plain_file(0));
}

static void control_unsealed(struct attempt *a)
{
	replace(a, 1, unsealed(4096));
}

static void control_plain_file(struct attempt *a)
{
	replace(a, 1, plain_file(4096));
}

static void in_unsealed(struct attempt *a)
{
	replace(a, 2, unsealed(WINDOW));
}

static void in_plain_file(struct attempt *a)
{
	replace(a, 2, plain_file(WINDOW));
}

static void out_unsealed(struct attempt *a)
{
	replace(a, 3, unsealed(WINDOW));
}

static void out_plain_file(struct attempt *a)
{
	replace(a, 3, plain_file(WINDOW));
}

static void out_read_only(struct attempt *a)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", a->slot.out_fd);
	replace(a, 3, open(path, O_RDONLY | O_CLOEXEC));
}

static void everything_the_same(struct attempt *a)
{
	a->fd[1] = a->fd[2] = a->fd[0];
}

/* --- events --- */

/* Puts the event in and waits until the slot is ours again, or the monitor has ended. */
static void event(struct attempt *a, void (*change)(struct df_control *c))
{
	struct df_control *c = a->slot.control;
	uint64_t start = now_ns();
	struct df_slot_limits limits = {.wall_ns = 1000000000, .cpu_ns = 1000000000};

	if (df_slot_put_body(&a->slot, "look   \n", 8))
		wrong = "the event does not fit";
	df_slot_describe(&a->slot, &limits);
	change(c);
	df_slot_set(c, DF_SIDE_CLIENT, DF_SLOT_EVENT);
	while (df_monitor_is_alive(&a->monitor)) {
		uint32_t state;

		if (!df_slot_wait(c, DF_SIDE_CLIENT, DF_SLOT_EVENT, now_ns() + 50000000, &state) &&
			state != DF_SLOT_EVENT)
			break;
		if (now_ns() - start > ANSWER_MS * 1000000ULL) {
			wrong = "no answer to the event";
			return;
		}
	}
}

static void fine(struct df_control *c)
{
	(void)c;
}

/* The next event, which is an ordinary one, is answered, unless the monitor has ended. */
static void and_then(struct attempt *a)
{
	struct df_slot_reply reply;
	struct df_err err = {0};

	if (!df_monitor_is_alive(&a->monitor))
		return;
	event(a, fine);
	if (!df_monitor_is_alive(&a->monitor))
		return;
	if (df_slot_reply(&a->slot, &reply, &err) || reply.outcome != DF_OUTCOME_EXIT ||
		reply.status)
		wrong = "the next event fails";
}

static void body_max_change(struct df_control *c)
{
	c->body_bytes = UINT64_MAX;
}

static void body_over_change(struct df_control *c)
{
	c->body_bytes = WINDOW - DF_IN_BODY + 1;
}

static void attributes_max_change(struct df_control *c)
{
	c->attribute_bytes = UINT64_MAX - 7;
}

static void attributes_over_change(struct df_control *c)
{
	c->attribute_bytes = DF_IN_BODY + 1;
}

static void attributes_open_change(struct df_control *c)
{
	c->attribute_bytes = 3; /* no zero at the end */
}

static void limits_max_change(struct df_control *c)
{
	c->wall_limit_ns = c->cpu_limit_ns = c->reply_max = c->log_max = UINT64_MAX;
}

static void limits_one_change(struct df_control *c)
{
	c->wall_limit_ns = c->cpu_limit_ns = c->reply_max = c->log_max = 1;
}

static void outcome_change(struct df_control *c)
{
	/* What only the monitor may write. */
	memset(&c->outcome, 0xff, DF_CONTROL_BYTES - offsetof(struct df_control, outcome));
}

static void waiters_change(struct df_control *c)
{
	c->waiters = UINT32_MAX;
}

#define EVENT(name)                               \
	static void name##_use(struct attempt *a) \
	{                                         \
		event(a, name##_change);          \
		and_then(a);                      \
	}
EVENT(body_max)
EVENT(body_over)
EVENT(attributes_max)
EVENT(attributes_over)
EVENT(attributes_open)
EVENT(limits_max)
EVENT(limits_one)
EVENT(outcome)
EVENT(waiters)

/* States that are none, and those that are not the client's to set. */
static void states_use(struct attempt *a)
{
	static const uint32_t states[] = {DF_SLOT_DEAD, 4, 77, UINT32_MAX, DF_SLOT_FREE};

	for (unsigned i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		df_slot_set(a->slot.control, DF_SIDE_CLIENT, states[i]);
		usleep(2000);
	}
	and_then(a);
}

static bool scribbling;

/* Everything that the client can write, changed all the time. */
static void *scribble(void *arg)
{
	struct attempt *a = arg;
	volatile uint64_t *control = (volatile uint64_t *)a->slot.control;
	uint64_t x = 88172645463325252ULL;

	while (__atomic_load_n(&scribbling, __ATOMIC_RELAXED)) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		/* Not the state: it is the main thread's. */
		control[8 + x % (sizeof(struct df_control) / 8 - 8)] = x >> 20 & 1 ? x : x & 0xffff;
		((volatile uint64_t *)a->slot.in)[x % (WINDOW / 8)] = x;
	}
	return NULL;
}

static void scribble_use(struct attempt *a)
{
	pthread_t thread;

	scribbling = true;
	if (pthread_create(&thread, NULL, scribble, a))
		abort();
	for (unsigned i = 0; i < 200 && df_monitor_is_alive(&a->monitor) && !wrong; i++)
		event(a, fine);
	__atomic_store_n(&scribbling, false, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	if (!wrong)
		and_then(a);
}

/* The state, too: events that begin and end while one runs. */
static void flicker_use(struct attempt *a)
{
	for (unsigned i = 0; i < 3000; i++)
		df_slot_set(a->slot.control, DF_SIDE_CLIENT, i * 7 % 4);
	usleep(50000);
}

static void talk_use(struct attempt *a)
{
	char text[5000] = "more";

	for (unsigned i = 0; i < 50; i++)
		(void)!send(a->monitor.socket, text, i * 100, MSG_NOSIGNAL | MSG_DONTWAIT);
	and_then(a);
}

static void leave_use(struct attempt *a)
{
	/* The client goes in the middle of an event. */
	df_slot_start(&a->slot, &(struct df_slot_limits){.wall_ns = 1000000000});
}

static void nothing(struct attempt *a)
{
	(void)a;
}

#define REFUSED(name)             \
	{                         \
#name, name, NULL \
	}
#define USED(name)                         \
	{                                  \
#name, nothing, name##_use \
	}
static const struct hostile cases[] = {REFUSED(magic), REFUSED(version), REFUSED(no_instance),
	REFUSED(many_instances), REFUSED(instances_wrap), REFUSED(two_instances), REFUSED(in_zero),
	REFUSED(in_odd), REFUSED(in_huge), REFUSED(in_larger_than_file),
	REFUSED(out_larger_than_file), REFUSED(out_huge), REFUSED(root_missing),
	REFUSED(no_descriptors), REFUSED(few_descriptors), REFUSED(more_descriptors),
	REFUSED(all_descriptors), REFUSED(message_short), REFUSED(message_long),
	REFUSED(message_random), REFUSED(snapshot_null), REFUSED(snapshot_zero),
	REFUSED(snapshot_pipe), REFUSED(snapshot_folder), REFUSED(snapshot_empty),
	REFUSED(snapshot_zeros), REFUSED(snapshot_write_only), REFUSED(control_pipe),
	REFUSED(control_empty), REFUSED(control_unsealed), REFUSED(control_plain_file),
	REFUSED(in_unsealed), REFUSED(in_plain_file), REFUSED(out_unsealed),
	REFUSED(out_plain_file), REFUSED(out_read_only), REFUSED(everything_the_same),
	USED(body_max), USED(body_over), USED(attributes_max), USED(attributes_over),
	USED(attributes_open), USED(limits_max), USED(limits_one), USED(outcome), USED(waiters),
	USED(states), USED(scribble), USED(flicker), USED(talk), USED(leave)};

static int send_message(struct attempt *a)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(a->fd))];
	} control;
	struct iovec iov = {.iov_base = (void *)(a->message ? a->message : &a->start),
		.iov_len = a->message ? a->message_bytes : sizeof(a->start)};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c;

	if (a->count) {
		memset(&control, 0, sizeof(control));
		h.msg_control = control.bytes;
		h.msg_controllen = CMSG_SPACE(a->count * sizeof(int));
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(a->count * sizeof(int));
		memcpy(CMSG_DATA(c), a->fd, a->count * sizeof(int));
	}
	return sendmsg(a->monitor.socket, &h, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* The monitor ends when the client has gone, and not by a signal. */
static void end(struct attempt *a)
{
	pid_t pid = a->monitor.pid;
	int status = 0;

	close(a->monitor.socket);
	for (unsigned ms = 0; waitpid(pid, &status, WNOHANG) == 0; ms++) {
		if (ms == END_MS) {
			wrong = "the monitor stays when its client has gone";
			kill(pid, SIGKILL);
		}
		usleep(1000);
	}
	if (WIFSIGNALED(status) && !wrong)
		wrong = "the monitor was ended by a signal";
	if (WIFEXITED(status) && WEXITSTATUS(status) > 1)
		wrong = "the monitor ended with a status of its sanitizers";
}

static void run(const struct hostile *h)
{
	const char *words[] = {"dayfly-monitor", "serve", NULL};
	struct attempt a = {.slot = DF_SLOT_NONE, .monitor = DF_MONITOR_NONE};
	struct df_ready ready = {0};
	struct df_err err = {0};
	char why[sizeof(err.text)];
	int r;

	wrong = NULL;
	why[0] = 0;
	a.start = (struct df_start){.magic = DF_WIRE_MAGIC,
		.version = DF_WIRE_VERSION,
		.instances = 1,
		.in_bytes = WINDOW,
		.out_bytes = WINDOW};
	if (df_slot_init(&a.slot, WINDOW, &err) || df_slot_seal(&a.slot, WINDOW, WINDOW, &err) ||
		df_monitor_start(&a.monitor, monitor_path, (char *const *)words, environ, &err)) {
		printf("not ok client.%s: %s\n", h->name, err.text);
		failures++;
		return;
	}
	a.fd[0] = open(snapshot_path, O_RDONLY | O_CLOEXEC);
	a.fd[1] = a.slot.control_fd;
	a.fd[2] = a.slot.in_fd;
	a.fd[3] = a.slot.out_fd;
	a.count = 4;
	h->change(&a);
	if (send_message(&a))
		wrong = "the message could not be sent";
	r = df_monitor_receive(&a.monitor, ANSWER_MS, &ready, &err);
	snprintf(why, sizeof(why), "%s", err.text);
	if (!h->use && !r)
		wrong = "the monitor accepts it";
	else if (!h->use && !ready.error)
		wrong = "the monitor gives no answer that is one";
	else if (h->use && r)
		wrong = "the monitor refuses";
	if (h->use && !r)
		h->use(&a);
	if (a.monitor.pid > 0)
		end(&a);
	df_slot_deinit(&a.slot);
	for (unsigned i = 0; i < a.count; i++)
		if (a.fd[i] > 3)
			close(a.fd[i]);
	if (wrong) {
		failures++;
		printf("not ok client.%s: %s; %s\n", h->name, wrong, why);
	} else
		printf("ok client.%s%s%s\n", h->name, *why ? " # " : "", why);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	monitor_path = argv[1];
	snapshot_path = argv[2];
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool wanted = argc == 3;

		for (int k = 3; k < argc; k++)
			wanted |= !strcmp(argv[k], cases[i].name);
		if (wanted)
			run(&cases[i]);
	}
	return failures != 0;
}
