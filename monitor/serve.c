// SPDX-License-Identifier: Apache-2.0
/* Instances for a client: see serve.h. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest_cpuid.h"
#include "instance.h"
#include "jail.h"
#include "options.h"
#include "serve.h"

#define STACK_BYTES (64u << 10)

struct server;

/* What a thread is given. */
struct start {
	struct server *server;
	struct instance *instance;
};

struct server {
	struct options options;
	struct wire wire;
	struct pristine pristine;
	struct instance *instance;
	struct start start[DF_INSTANCES_MAX];
	sem_t attached, locked; /* a thread says the first, and waits for the second */
	struct df_err attach_err;
};

static void *instance_thread(void *arg)
{
	const struct start *start = arg;
	struct df_err err = {0};

	if (instance_attach(start->instance, &err))
		start->server->attach_err = err;
	sem_post(&start->server->attached);
	while (sem_wait(&start->server->locked))
		;
	if (!instance_serve(start->instance, &err))
		return NULL;
	/* The client sees the socket close, and what the event that did it was. */
	fprintf(stderr, "dayfly-monitor: %s\n", err.text);
	_exit(1);
}

/* The virtual machine of instance n, and the thread that will serve with it. */
static int prepare(struct server *s, int kvm_fd, unsigned n, struct df_err *err)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int r;

	s->start[n] = (struct start){s, &s->instance[n]};
	r = instance_prepare(&s->instance[n], kvm_fd, n, err);
	if (r)
		return r;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	r = pthread_create(&thread, &attributes, instance_thread, &s->start[n]);
	if (r)
		return df_err_set(err, -r, "no threads: %s", df_errno_text(r));
	while (sem_wait(&s->attached))
		;
	return s->attach_err.code ? df_err_set(err, s->attach_err.code, "%s", s->attach_err.text)
				  : 0;
}

/* What can be done before it is known for whom: the first instance's share. */
static int prepare_first(struct server *s, int kvm_fd, struct df_err *err)
{
	sem_init(&s->attached, 0, 0);
	sem_init(&s->locked, 0, 0);
	s->instance =
		calloc(DF_INSTANCES_MAX, sizeof(*s->instance)); /* takes memory as it is used */
	if (!s->instance)
		return df_err_set(err, -ENOMEM, "out of memory");
	return prepare(s, kvm_fd, 0, err);
}

static int make_instances(struct server *s, int kvm_fd, struct df_err *err)
{
	const struct df_snapshot *h = &s->pristine.header;
	struct instance_set set = {
		.root_fd = h->root_offset ? s->wire.snapshot_fd : s->wire.root_fd,
		.pristine = &s->pristine,
		.in_bytes = s->wire.start.in_bytes,
		.out_bytes = s->wire.start.out_bytes,
		.verify = s->wire.start.flags & DF_START_VERIFY,
		.once = s->wire.start.flags & DF_START_ONCE,
		.warm = s->wire.start.flags & DF_START_WARM,
	};
	int r = 0;

	if (set.root_fd < 0)
		return df_err_set(err, -EINVAL, "the snapshot needs its root image");
	if (DF_OUT_REPLY + h->out.reply_bytes > set.out_bytes)
		return df_err_set(err, -EINVAL,
			"what the program wrote before it was frozen is larger than the slot");
	for (unsigned n = 0; n < s->wire.start.instances && !r; n++) {
		r = n ? prepare(s, kvm_fd, n, err) : 0;
		r = r ? r : instance_create(&s->instance[n], &set, &s->wire.slot[n], err);
	}
	return r;
}

static int set_up(struct server *s, int argc, char **argv, struct df_err *err)
{
	int kvm_fd = -1, r = options_parse_serve(&s->options, argc, argv, err);

	r = r ? r : vm_open_kvm(&kvm_fd, err);
	r = r ? r : cpuid_load(kvm_fd, s->options.host_cache, err);
	if (!r && !s->options.no_jail)
		r = jail_enter(1ULL << kvm_fd, err);
	r = r ? r : prepare_first(s, kvm_fd, err);
	r = r ? r : wire_receive(&s->wire, true, err);
	r = r ? r : pristine_open(&s->pristine, s->wire.snapshot_fd, err);
	r = r ? r : instance_check_host(&s->pristine.header, err);
	r = r ? r : make_instances(s, kvm_fd, err);
	if (!r && !s->options.no_jail)
		r = jail_lock(JAIL_SERVE, err);
	return r;
}

int serve_main(int argc, char **argv)
{
	static struct server s;
	static struct df_err err;
	uint64_t start = clock_now_ns();
	struct df_ready ready = {0};

	/*
	 * Who started us ends us, by closing the socket. A signal of the terminal, or of a service manager, to all of its processes must not
	 * take the events away that it still waits for.
	 */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	if (set_up(&s, argc, argv, &err)) {
		wire_refuse(&err);
		return 1;
	}
	ready.setup_ns = clock_now_ns() - start;
	ready.wait_point = s.pristine.header.wait_point;
	ready.boot_ns = s.pristine.header.boot_ns;
	ready.snapshot_bytes = s.pristine.header.data_bytes;
	ready.event_pages = s.pristine.header.event_pages;
	for (unsigned n = 0; n < s.wire.start.instances; n++)
		sem_post(&s.locked);
	wire_answer(&ready);
	wire_wait(&s.wire);
	_exit(0);
}
