/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dayfly-net: the network of one guest. It shares the device's memory (dayfly/net.h) with the guest and opens sockets of the host for it,
 * as far as the rules allow (egress.h). Started by `dayfly`, with open descriptors; ends when the monitor does.
 */
#include "nat/jail.h"
#include "nat/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define POLL_MAX 4096

enum { OWN_KICK, OWN_LIFE, OWN_COUNT };

struct nat {
	struct link link;
	int memory_fd, kick_fd, life_fd, ready_fd;
	struct pollfd fds[POLL_MAX];
	unsigned int count;
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

/* [ADDRESS:]HOST_PORT:GUEST_PORT[/udp] */
static int parse_publish(struct link *link, const char *text, struct df_err *err)
{
	struct published *p = &link->published[link->published_count];
	char address[INET_ADDRSTRLEN] = "127.0.0.1", protocol[4] = "tcp", end;
	unsigned int host, guest;
	bool good;

	if (link->published_count == LINK_PUBLISHED_MAX)
		return df_err_set(err, -E2BIG, "-p: more than %u ports", LINK_PUBLISHED_MAX);
	good = sscanf(text, "%15[0-9.]:%5u:%5u%c", address, &host, &guest, &end) == 3 ||
		sscanf(text, "%15[0-9.]:%5u:%5u/%3[a-z]%c", address, &host, &guest, protocol,
			&end) == 4;
	if (!good) {
		strcpy(address, "127.0.0.1");
		good = sscanf(text, "%5u:%5u%c", &host, &guest, &end) == 2 ||
			sscanf(text, "%5u:%5u/%3[a-z]%c", &host, &guest, protocol, &end) == 3;
	}
	if (!good || !host || host > UINT16_MAX || !guest || guest > UINT16_MAX ||
		(strcmp(protocol, "tcp") != 0 && strcmp(protocol, "udp") != 0) ||
		inet_pton(AF_INET, address, &p->address) != 1)
		return df_err_set(err, -EINVAL,
			"-p %.100s: not [ADDRESS:]HOST_PORT:GUEST_PORT[/udp], such as 8080:80",
			text);
	p->udp = strcmp(protocol, "udp") == 0;
	p->host_port = (uint16_t)host;
	p->guest_port = (uint16_t)guest;
	link->published_count++;
	return 0;
}

static int parse(struct nat *nat, int argc, char **argv, struct df_err *err)
{
	static const struct option options[] = {{"memory", 1, NULL, 'm'}, {"kick", 1, NULL, 'k'},
		{"wake", 1, NULL, 'w'}, {"life", 1, NULL, 'l'}, {"ready", 1, NULL, 'r'},
		{"allow", 1, NULL, 'a'}, {"publish", 1, NULL, 'p'}, {"program", 1, NULL, 'n'}, {0}};
	int c, error = 0;

	nat->memory_fd = nat->kick_fd = nat->life_fd = nat->ready_fd = nat->link.wake_fd = -1;
	nat->link.program = "the program";
	while (!error && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'm':
			error = parse_fd(optarg, &nat->memory_fd);
			break;
		case 'k':
			error = parse_fd(optarg, &nat->kick_fd);
			break;
		case 'w':
			error = parse_fd(optarg, &nat->link.wake_fd);
			break;
		case 'l':
			error = parse_fd(optarg, &nat->life_fd);
			break;
		case 'r':
			error = parse_fd(optarg, &nat->ready_fd);
			break;
		case 'a':
			error = egress_add(&nat->link.egress, optarg, err);
			break;
		case 'p':
			error = parse_publish(&nat->link, optarg, err);
			break;
		case 'n':
			nat->link.program = optarg;
			break;
		default:
			error = -EINVAL;
		}
	}
	if (error && err->code)
		return error;
	if (error || optind != argc || nat->memory_fd < 0 || nat->kick_fd < 0 || nat->life_fd < 0 ||
		nat->ready_fd < 0 || nat->link.wake_fd < 0)
		return df_err_set(err, -EINVAL,
			"usage: dayfly-net --memory FD --kick FD --wake FD --life FD --ready FD"
			" [--program NAME] [--allow RULE]... [--publish [ADDRESS:]PORT:PORT[/udp]]...");
	return 0;
}

static int map_memory(struct nat *nat, struct df_err *err)
{
	int seals = fcntl(nat->memory_fd, F_GET_SEALS);
	struct stat now;
	void *memory;

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(nat->memory_fd, &now) < 0 ||
		now.st_size != (off_t)DF_NET_BYTES)
		return df_err_set(err, -EINVAL, "--memory: not a sealed file of %llu bytes",
			DF_NET_BYTES);
	memory = mmap(NULL, DF_NET_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, nat->memory_fd, 0);
	if (memory == MAP_FAILED)
		return df_err_set(err, -errno, "the network's memory cannot be mapped: %s",
			df_errno_text(errno));
	net_ring_init(&nat->link.from_guest, memory, DF_NET_TO_HOST);
	net_ring_init(&nat->link.to_guest, memory, DF_NET_TO_GUEST);
	return 0;
}

static int set_up(struct nat *nat, int argc, char **argv, struct df_err *err)
{
	int error = parse(nat, argc, argv, err);

	if (error == 0)
		error = map_memory(nat, err);
	if (error == 0 && egress_find_own(&nat->link.egress) < 0)
		error = df_err_set(err, -EIO, "the host's addresses cannot be listed");
	if (error == 0) {
		dns_init(&nat->link.dns, &nat->link.egress);
		error = link_init(&nat->link, err);
	}
	return error ? error : jail_enter(err);
}

/* --- the loop --- */

static int add_poll(int fd, int events, void *context)
{
	struct nat *nat = context;
	short what = 0;

	if (nat->count == POLL_MAX)
		return -1;
	what |= events & SLIRP_POLL_IN ? POLLIN : 0;
	what |= events & SLIRP_POLL_OUT ? POLLOUT : 0;
	what |= events & SLIRP_POLL_PRI ? POLLPRI : 0;
	nat->fds[nat->count] = (struct pollfd){fd, what, 0};
	return (int)nat->count++;
}

static int get_events(int index, void *context)
{
	const struct nat *nat = context;
	short seen = index < 0 ? 0 : nat->fds[index].revents;
	int events = 0;

	events |= seen & POLLIN ? SLIRP_POLL_IN : 0;
	events |= seen & POLLOUT ? SLIRP_POLL_OUT : 0;
	events |= seen & POLLPRI ? SLIRP_POLL_PRI : 0;
	events |= seen & POLLERR ? SLIRP_POLL_ERR : 0;
	events |= seen & POLLHUP ? SLIRP_POLL_HUP : 0;
	return events;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Until the monitor is gone. A guest that breaks its rings has no network any more. */
static void run(struct nat *nat)
{
	bool more = false;

	for (;;) {
		unsigned int asked, first;
		uint32_t timeout = 1000;
		uint64_t kicks;

		nat->fds[OWN_KICK] = (struct pollfd){nat->kick_fd, POLLIN, 0};
		nat->fds[OWN_LIFE] = (struct pollfd){nat->life_fd, POLLIN, 0};
		first = OWN_COUNT;
		asked = dns_poll(&nat->link.dns, &nat->fds[first]);
		nat->count = first + asked;
		slirp_pollfds_fill(nat->link.slirp, &timeout, add_poll, nat);
		link_flush(&nat->link);
		if (more || !net_ring_sleep(&nat->link.from_guest))
			timeout = 0;
		if (poll(nat->fds, nat->count, (int)timeout) < 0 && errno != EINTR)
			return;
		net_ring_awake(&nat->link.from_guest);
		if (nat->fds[OWN_LIFE].revents)
			return;
		if (nat->fds[OWN_KICK].revents)
			(void)!read(nat->kick_fd, &kicks, sizeof(kicks));
		slirp_pollfds_poll(nat->link.slirp, 0, get_events, nat);
		dns_run(&nat->link.dns, &nat->fds[first], asked, now_ms());
		more = link_receive(&nat->link);
		if (nat->link.from_guest.broken || nat->link.to_guest.broken) {
			fprintf(stderr, "dayfly: %s: the guest broke its network device\n",
				nat->link.program);
			return;
		}
	}
}

int main(int argc, char **argv)
{
	static struct nat nat;
	struct df_err err = {0};

	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN); /* Ctrl-C is for the program; we end with its monitor */
	if (set_up(&nat, argc, argv, &err)) {
		fprintf(stderr, "dayfly: %s\n", err.text);
		return 1;
	}
	if (write(nat.ready_fd, "", 1) != 1)
		return 1;
	close(nat.ready_fd);
	run(&nat);
	return 0;
}
