/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dayfly-net: the network of the guests of one monitor process. It shares each device's memory (dayfly/net.h) with its guest and opens sockets
 * of the host for it, as far as the rules allow (egress.h), which are the same for all; or it copies frames between one guest and a TAP device
 * (tap.h). Started with open descriptors (host/net.h); ends
 * when nobody holds the other end of `life`.
 */
#include "nat/jail.h"
#include "nat/link.h"
#include "nat/stack.h"
#include "nat/tap.h"

#include <dayfly/wire.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/futex.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 16384
#define KEEP_BYTES (4 << 20)
/* While a guest is busy it is spared a kick, which costs it more than us a look. */
#define NAP_MS 1
#define NAP_WITHIN_MS 20u

struct guest {
	struct link link;
	struct source kick;
	int memory_fd, kick_fd;
	struct df_net_host *host;
	uint32_t phase; /* of host, as it was last seen */
	bool more; /* packets wait that were too many for one batch */
};

struct nat {
	struct guest *guest;
	unsigned int guests;
	/* For all of them. */
	struct egress egress;
	struct own own;
	struct df_publish published[DF_PUBLISH_MAX];
	unsigned int published_count;
	const char *program;
	bool deployed;
	struct tap tap;
	bool has_tap; /* then links have nothing but their rings */
	struct source life;
	int life_fd;
	bool ended; /* nobody holds the other end of it */
};

static int parse_fd(const char *text, int *fd)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end || n < 3 || n > 1 << 20)
		return -EINVAL;
	*fd = (int)n;
	return 0;
}

/* MEMORY,KICK,WAKE */
static int parse_guest(struct nat *nat, const char *text)
{
	struct guest *guest = &nat->guest[nat->guests];
	int memory, kick, wake;
	char end;

	if (nat->guests == DF_INSTANCES_MAX ||
		sscanf(text, "%d,%d,%d%c", &memory, &kick, &wake, &end) != 3 || memory < 3 ||
		kick < 3 || wake < 3)
		return -EINVAL;
	guest->memory_fd = memory;
	guest->kick_fd = kick;
	guest->link.wake_fd = wake;
	guest->link.number = nat->guests;
	nat->guests++;
	return 0;
}

static int add_publish(struct nat *nat, const char *text, struct df_err *err)
{
	int error;

	if (nat->published_count == DF_PUBLISH_MAX)
		return df_err_set(err, -E2BIG, "-p: more than %d ports", DF_PUBLISH_MAX);
	error = df_publish_parse(text, &nat->published[nat->published_count], err);
	if (!error)
		nat->published_count++;
	return error;
}

static int parse(struct nat *nat, int argc, char **argv, struct df_err *err)
{
	static const struct option options[] = {{"guest", 1, NULL, 'g'}, {"life", 1, NULL, 'l'},
		{"allow", 1, NULL, 'a'}, {"publish", 1, NULL, 'p'}, {"program", 1, NULL, 'n'},
		{"deployed", 0, NULL, 'd'}, {"tap", 1, NULL, 't'}, {0}};
	int c, error = 0;

	nat->life_fd = -1;
	nat->program = "the program";
	while (!error && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'g':
			error = parse_guest(nat, optarg);
			break;
		case 'l':
			error = parse_fd(optarg, &nat->life_fd);
			break;
		case 'a':
			error = egress_add(&nat->egress, optarg, err);
			break;
		case 'p':
			error = add_publish(nat, optarg, err);
			break;
		case 'n':
			nat->program = optarg;
			break;
		case 't':
			error = tap_parse(&nat->tap, optarg, err);
			nat->has_tap = true;
			break;
		case 'd':
			nat->deployed = true;
			break;
		default:
			error = -EINVAL;
		}
	}
	if (error && err->code)
		return error;
	/* A port of the host leads to one guest, and so does a TAP device. */
	if (error || optind != argc || !nat->guests || nat->life_fd < 0 ||
		((nat->published_count || nat->has_tap) && nat->guests > 1))
		return df_err_set(err, -EINVAL,
			"usage: dayfly-net --life FD --guest MEMORY,KICK,WAKE... [--program NAME]"
			" [--deployed] [--allow RULE]... [--publish [ADDRESS:]PORT:PORT[/udp]]..."
			" [--tap FD,MAC,MTU]");
	return 0;
}

/* That it came is all there is to a kick: as an edge it need not be taken back. */
static void kicked(struct source *source, uint32_t events)
{
	(void)source, (void)events;
}

/* Somebody asks when the guest takes a connection (host/net.h), or is gone. */
static void life_ready(struct source *source, uint32_t events)
{
	struct nat *nat = (struct nat *)(void *)((char *)source - offsetof(struct nat, life));
	char bytes[16];

	if ((events & (EPOLLHUP | EPOLLRDHUP | EPOLLERR)) ||
		read(nat->life_fd, bytes, sizeof(bytes)) <= 0)
		nat->ended = true;
	else
		nat->guest[0].link.asked = true;
}

static int map_memory(struct guest *guest, struct df_err *err)
{
	int seals = fcntl(guest->memory_fd, F_GET_SEALS);
	struct stat now;
	void *memory;

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(guest->memory_fd, &now) < 0 ||
		now.st_size != (off_t)DF_NET_BYTES)
		return df_err_set(err, -EINVAL,
			"--guest: the memory is not a sealed file of %llu bytes", DF_NET_BYTES);
	memory = mmap(NULL, DF_NET_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, guest->memory_fd, 0);
	if (memory == MAP_FAILED)
		return df_err_set(err, -errno, "the network's memory cannot be mapped: %s",
			df_errno_text(errno));
	guest->host = (struct df_net_host *)(void *)((char *)memory + DF_NET_GUEST_BYTES);
	net_ring_init(&guest->link.from_guest, memory, DF_NET_TO_HOST);
	net_ring_init(&guest->link.to_guest, memory, DF_NET_TO_GUEST);
	return 0;
}

static int set_up_guest(const struct nat *nat, struct guest *guest, struct df_err *err)
{
	struct link *link = &guest->link;
	int error = map_memory(guest, err);

	if (error)
		return error;
	link->egress = nat->egress;
	memcpy(link->published, nat->published, sizeof(link->published));
	link->published_count = nat->published_count;
	link->program = nat->program;
	link->deployed = nat->deployed;
	guest->kick.ready = kicked;
	error = loop_add(guest->kick_fd, EPOLLIN, &guest->kick);
	return error ? df_err_set(err, error, "--guest: %s", df_errno_text(error))
		     : link_init(link, err);
}

/* There is nothing to open. */
static int set_up_tap(struct nat *nat, struct df_err *err)
{
	struct guest *guest = &nat->guest[0];
	int error = map_memory(guest, err);

	if (error)
		return error;
	nat->tap.from_guest = guest->link.from_guest;
	nat->tap.to_guest = guest->link.to_guest;
	nat->tap.kick_fd = guest->kick_fd;
	nat->tap.wake_fd = guest->link.wake_fd;
	nat->tap.life_fd = nat->life_fd;
	nat->tap.program = nat->program;
	return jail_enter(JAIL_COPIER, err);
}

/* Every connection is a descriptor; what the shell allows at first is few. */
static void raise_limit(void)
{
	struct rlimit now;

	if (getrlimit(RLIMIT_NOFILE, &now) < 0)
		return;
	now.rlim_cur = now.rlim_max < DESCRIPTORS_MAX ? now.rlim_max : DESCRIPTORS_MAX;
	(void)setrlimit(RLIMIT_NOFILE, &now);
}

static int set_up_loop(struct nat *nat, struct df_err *err)
{
	int error = loop_init();

	raise_limit();
	stack_init(link_output);
	if (error == 0)
		error = tcp_proxy_init();
	nat->life.ready = life_ready;
	if (error == 0)
		error = loop_add(nat->life_fd, EPOLLIN | EPOLLRDHUP, &nat->life);
	return error
		? df_err_set(err, error, "dayfly-net cannot be set up: %s", df_errno_text(error))
		: 0;
}

static int set_up(struct nat *nat, int argc, char **argv, struct df_err *err)
{
	int error = parse(nat, argc, argv, err);

	if (error == 0 && nat->has_tap)
		return set_up_tap(nat, err);
	if (error == 0)
		error = set_up_loop(nat, err);
	if (error == 0)
		error = own_watch(&nat->own, err);
	nat->egress.own = &nat->own;
	for (unsigned int i = 0; i < nat->guests && error == 0; i++)
		error = set_up_guest(nat, &nat->guest[i], err);
	return error ? error : jail_enter(JAIL_SOCKETS, err);
}

/* --- phases: see struct df_net_host --- */

static bool is_open(const struct nat *nat, const struct guest *guest)
{
	/* Who is published may be reached before it has said anything. */
	return (guest->phase & 1) || nat->published_count;
}

/* The event is over, and the monitor waits for us. */
static void settle(struct guest *guest, uint32_t phase)
{
	struct link *link = &guest->link;

	/* What the guest had sent by then goes on its way. */
	while (link_receive(link))
		;
	tcp_settle();
	link_reset(link);
	guest->more = false;
	net_ring_clear(&link->from_guest);
	net_ring_clear(&link->to_guest);
	__atomic_store_n(&guest->host->settled, phase & ~1u, __ATOMIC_SEQ_CST);
	(void)syscall(SYS_futex, &guest->host->settled, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* True: what was waited for is not there any more. */
static bool take_phase(struct guest *guest)
{
	uint32_t phase = __atomic_load_n(&guest->host->phase, __ATOMIC_SEQ_CST);
	bool ended = phase >> 1 != guest->phase >> 1;

	if (ended)
		settle(guest, phase);
	guest->phase = phase;
	return ended;
}

/* Of two times, of which -1 is none. */
static int sooner(int a, int b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* How long the guest's ring need not be looked at, ms; -1: until it says so. */
static int rest(struct guest *guest)
{
	struct link *link = &guest->link;
	const bool naps = loop_now_ms() - link->active_ms < NAP_WITHIN_MS;

	if (guest->more || !net_ring_sleep(&link->from_guest, naps ? DF_NET_NAPS : DF_NET_ASLEEP))
		return 0;
	return naps ? NAP_MS : -1;
}

/* How long nobody has anything to do, ms; -1: until something comes. */
static int idle_ms(struct nat *nat)
{
	int wait = sooner(stack_timeout(), tcp_timeout());

	for (unsigned int i = 0; i < nat->guests; i++) {
		struct guest *guest = &nat->guest[i];

		if (!is_open(nat, guest))
			continue;
		link_flush(&guest->link);
		wait = sooner(wait, rest(guest));
	}
	return wait;
}

/* A guest that breaks its rings has no network any more. */
static void serve(const struct nat *nat, struct guest *guest)
{
	struct link *link = &guest->link;

	if (take_phase(guest) || !is_open(nat, guest))
		return;
	net_ring_awake(&link->from_guest);
	guest->more = link_receive(link);
	if (link->from_guest.broken || link->to_guest.broken)
		link_say_broken(link);
}

static void answer_question(struct nat *nat)
{
	if (!nat->guest[0].link.taken)
		return;
	nat->guest[0].link.taken = false;
	(void)!write(nat->life_fd, "", 1);
}

/* Until the monitor is gone. */
static void run(struct nat *nat)
{
	while (!nat->ended && loop_wait(idle_ms(nat)) == 0) {
		for (unsigned int i = 0; i < nat->guests; i++)
			serve(nat, &nat->guest[i]);
		tcp_settle();
		stack_tick();
		answer_question(nat);
	}
}

int main(int argc, char **argv)
{
	static struct guest guests[DF_INSTANCES_MAX];
	static struct nat nat = {.guest = guests};
	struct df_err err = {0};

	/* Packets come and go: their memory is not to be given back each time. */
	mallopt(M_MMAP_THRESHOLD, KEEP_BYTES);
	mallopt(M_TRIM_THRESHOLD, KEEP_BYTES);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN); /* Ctrl-C is for the program; we end with its monitor */
	if (set_up(&nat, argc, argv, &err)) {
		fprintf(stderr, "dayfly: %s\n", err.text);
		return 1;
	}
	/* Whoever waits for it is told; who is gone is seen in the loop. */
	(void)!write(nat.life_fd, "", 1);
	if (nat.has_tap)
		tap_run(&nat.tap);
	else
		run(&nat);
	return 0;
}
