// SPDX-License-Identifier: Apache-2.0
/* One event and no more: see thaw.h. */
#include <errno.h>
#include <fcntl.h>
#include <host/attributes.h>
#include <host/outcome.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest_cpuid.h"
#include "instance.h"
#include "jail.h"
#include "options.h"
#include "thaw.h"

#define READ_PART (1u << 20)
#define ASIDE 48 /* descriptors from here on have no meaning before the jail is locked */

struct thawer {
	struct options options;
	struct pristine pristine;
	struct instance instance;
	struct df_control control;
	struct slot slot;
};

/* Zeroed memory, aligned for large pages. Nobody else sees it. */
static uint8_t *window(uint64_t bytes)
{
	uint8_t *p = mmap(NULL, bytes + DF_LARGE_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p + (-(uint64_t)p & DF_LARGE_MASK);
}

static int read_body(struct thawer *t, struct df_err *err)
{
	uint64_t room = t->pristine.header.in_bytes - DF_IN_BODY, at = 0;
	ssize_t n = 1;

	while (n && at < room) {
		uint64_t part = room - at < READ_PART ? room - at : READ_PART;

		n = read(STDIN_FILENO, t->slot.in + DF_IN_BODY + at, part);
		if (n < 0 && errno != EINTR)
			return df_err_set(err, -errno, "standard input can not be read: %s",
				df_errno_text(errno));
		at += n > 0 ? (uint64_t)n : 0;
	}
	if (at == room && read(STDIN_FILENO, t->control.text, 1) > 0)
		return df_err_set(err, -E2BIG,
			"the event is larger than the %llu MiB that the program was frozen for;"
			" freeze it with a larger --body-max",
			(unsigned long long)room >> 20);
	t->control.body_bytes = at;
	return 0;
}

static int put_attributes(struct thawer *t, struct df_err *err)
{
	const struct df_str *a = &t->options.attributes;

	if (a->length > DF_IN_BODY)
		return df_err_set(err, -E2BIG, "the attributes are too large");
	memcpy(t->slot.in, a->data, a->length);
	t->control.attribute_bytes = a->length;
	return 0;
}

static int make_slot(struct thawer *t, struct df_err *err)
{
	const struct df_snapshot *h = &t->pristine.header;
	int r;

	t->slot.control = &t->control;
	t->slot.in = window(h->in_bytes);
	t->slot.out = window(h->out_bytes);
	if (!t->slot.in || !t->slot.out)
		return df_err_set(err, -ENOMEM, "no memory for the event");
	t->control.wall_limit_ns = t->options.wall_ns;
	t->control.cpu_limit_ns = t->options.cpu_ns;
	t->control.reply_max = t->options.reply_max;
	t->control.log_max = t->options.log_max;
	r = put_attributes(t, err);
	return r ? r : read_body(t, err);
}

/* The jail has one door; here nobody is behind it. */
static int close_door(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	if (pair[0] != DF_WIRE_SOCKET && dup2(pair[0], DF_WIRE_SOCKET) < 0)
		return -errno;
	return 0;
}

/* Inherited descriptors, out of the way of what is opened here: *keep has their bits. */
static int set_aside(struct net *net, uint64_t *keep)
{
	int *const inherited[] = {&net->memory_fd, &net->kick_fd, &net->wake_fd, &net->life_fd};

	*keep = 0;
	for (unsigned i = 0; i < 4 && net->there; i++) {
		int r = jail_place(inherited[i], ASIDE + (int)i);

		if (r)
			return r;
		*keep |= 1ULL << *inherited[i];
	}
	return 0;
}

/* The device, as the client of a server would have sent it. */
static int take_net(struct thawer *t, struct df_err *err)
{
	struct net *net = &t->options.net;
	int r;

	if (!net->there)
		return 0;
	r = jail_place(&net->kick_fd, JAIL_FD_KICK);
	r = r ? r : jail_place(&net->wake_fd, JAIL_FD_WAKE);
	r = r ? r : jail_place(&net->life_fd, JAIL_FD_LIFE);
	if (r)
		return df_err_set(err, r, "dup3: %s", df_errno_text(r));
	r = net_open(net, err);
	t->slot.net = *net;
	return r;
}

static int set_up(struct thawer *t, int argc, char **argv, struct df_err *err)
{
	struct instance_set set = {.pristine = &t->pristine, .once = true};
	int r = options_parse_thaw(&t->options, argc, argv, err), snapshot, kvm_fd = -1;
	uint64_t keep;

	if (r)
		return r;
	r = set_aside(&t->options.net, &keep);
	r = r ? r : close_door();
	snapshot = open(t->options.root, O_RDONLY | O_CLOEXEC);
	if (r || snapshot < 0)
		return df_err_set(err, -errno, "%s: %s", t->options.root, df_errno_text(errno));
	r = vm_open_kvm(&kvm_fd, err);
	r = r ? r : cpuid_load(kvm_fd, t->options.host_cache, err);
	if (!r && !t->options.no_jail)
		r = jail_enter(1ULL << kvm_fd | 1ULL << snapshot | keep, err);
	if (r)
		return r;
	r = pristine_open(&t->pristine, snapshot, err);
	if (!r && !t->pristine.header.root_offset)
		r = df_err_set(err, -EINVAL, "it holds no root image; make it with dayfly freeze");
	r = r ? r : instance_check_host(&t->pristine.header, err);
	if (r) {
		struct df_err why = *err;

		return df_err_set(err, r, "%s: %s", t->options.root, why.text);
	}
	r = make_slot(t, err);
	r = r ? r : take_net(t, err);
	set.root_fd = snapshot;
	set.in_bytes = t->pristine.header.in_bytes;
	set.out_bytes = t->pristine.header.out_bytes;
	r = r ? r : instance_prepare(&t->instance, kvm_fd, 0, err);
	r = r ? r : instance_create(&t->instance, &set, &t->slot, err);
	r = r ? r : instance_attach(&t->instance, err);
	return r || t->options.no_jail ? r : jail_lock(JAIL_THAW, err);
}

int thaw_main(int argc, char **argv)
{
	static struct thawer t;
	static struct df_err err;
	struct df_slot_reply reply;

	if (set_up(&t, argc, argv, &err)) {
		fprintf(stderr, "dayfly: %s\n", err.text);
		return 125;
	}
	t.control.state = DF_SLOT_EVENT;
	if (instance_serve(&t.instance, &err) ||
		df_slot_reply_from(&t.control, t.slot.out, t.pristine.header.out_bytes, &reply,
			&err) ||
		df_outcome_write(&reply, &err)) {
		fprintf(stderr, "dayfly: %s\n", err.text);
		_exit(125);
	}
	_exit(df_outcome_status(&reply));
}
