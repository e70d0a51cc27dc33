// SPDX-License-Identifier: Apache-2.0
/* The monitor's end of the wire: see wire.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "jail.h"
#include "wire.h"

struct message {
	struct df_start start;
	int fd[DF_START_DESCRIPTORS_MAX];
	unsigned count;
};

static int receive(struct message *m, struct df_err *err)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(m->fd))];
	} control;
	struct iovec iov = {.iov_base = &m->start, .iov_len = sizeof(m->start)};
	struct msghdr h = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *c;
	ssize_t n;

	do
		n = recvmsg(DF_WIRE_SOCKET, &h, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return df_err_set(err, n ? -errno : -EPIPE, "no message from the client");
	c = CMSG_FIRSTHDR(&h);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		m->count = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(m->fd, CMSG_DATA(c), m->count * sizeof(int));
	}
	if (n != sizeof(m->start) || (h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return df_err_set(err, -EPROTO, "a message of the wrong size");
	return 0;
}

static bool window_ok(uint64_t bytes)
{
	return bytes >= DF_WINDOW_MIN && bytes <= DF_WINDOW_MAX && !(bytes & DF_LARGE_MASK);
}

static int check(const struct message *m, bool serve, struct df_err *err)
{
	const struct df_start *s = &m->start;
	unsigned wanted = 1 + ((s->flags & DF_START_ROOT) ? 1 : 0) + 3 * s->instances +
		((s->flags & DF_START_NET) ? 1 + 3 * s->instances : 0);

	if (s->magic != DF_WIRE_MAGIC || s->version != DF_WIRE_VERSION)
		return df_err_set(err, -EPROTO,
			"client and monitor are of different versions (%u and %u)", s->version,
			DF_WIRE_VERSION);
	if (!s->instances || s->instances > (serve ? DF_INSTANCES_MAX : 1) ||
		!window_ok(s->in_bytes) || !window_ok(s->out_bytes) || m->count != wanted ||
		(!serve && (s->flags & DF_START_ROOT)))
		return df_err_set(err, -EPROTO, "an impossible message");
	return 0;
}

/* Maps a file of the client's, aligned for large pages. It must not shrink under us. */
static void *map_file(int fd, uint64_t bytes, int prot)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	uint8_t *p;

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &st) || (uint64_t)st.st_size < bytes)
		return NULL;
	p = mmap(NULL, bytes + DF_LARGE_SIZE, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	p += -(uint64_t)p & DF_LARGE_MASK;
	return mmap(p, bytes, prot, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED ? NULL : p;
}

static int map_slot(struct slot *s, const int fd[3], const struct df_start *start)
{
	s->control = map_file(fd[0], DF_CONTROL_BYTES, PROT_READ | PROT_WRITE);
	s->in = map_file(fd[1], start->in_bytes, PROT_READ);
	s->out = map_file(fd[2], start->out_bytes, PROT_READ | PROT_WRITE);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	return s->control && s->in && s->out ? 0 : -EINVAL;
}

/* What is left of it are three descriptors, where the filters know them. */
static int take_device(struct net *net, const int fd[3], unsigned index, struct df_err *err)
{
	int r;

	*net = (struct net){.there = true, .memory_fd = fd[0], .kick_fd = fd[1], .wake_fd = fd[2]};
	r = jail_place(&net->kick_fd, JAIL_FD_KICK + (int)index);
	r = r ? r : jail_place(&net->wake_fd, JAIL_FD_WAKE + (int)index);
	return r ? df_err_set(err, r, "dup3: %s", df_errno_text(r)) : net_open(net, err);
}

static int take_network(struct wire *w, const int *fd, struct df_err *err)
{
	int r = 0;

	w->net_fd = *fd++;
	if (jail_place(&w->net_fd, JAIL_FD_LIFE))
		return df_err_set(err, -errno, "dup3: %s", df_errno_text(errno));
	for (unsigned i = 0; i < w->start.instances && !r; i++, fd += 3)
		r = take_device(&w->slot[i].net, fd, i, err);
	return r;
}

int wire_receive(struct wire *w, bool serve, struct df_err *err)
{
	struct message m = {0};
	unsigned next = 1;
	int r = receive(&m, err);

	r = r ? r : check(&m, serve, err);
	if (r)
		return r;
	w->start = m.start;
	w->snapshot_fd = m.fd[0];
	w->root_fd = (m.start.flags & DF_START_ROOT) ? m.fd[next++] : -1;
	for (unsigned i = 0; i < m.start.instances; i++, next += 3)
		if (map_slot(&w->slot[i], &m.fd[next], &m.start))
			return df_err_set(err, -EINVAL,
				"slot %u: files that can not be mapped, or are not sealed", i);
	w->net_fd = -1;
	return (m.start.flags & DF_START_NET) ? take_network(w, &m.fd[next], err) : 0;
}

void wire_answer(struct df_ready *ready)
{
	ready->magic = DF_WIRE_MAGIC;
	ready->version = DF_WIRE_VERSION;
	/* Who does not listen any more has closed the socket, which ends us. */
	(void)!send(DF_WIRE_SOCKET, ready, sizeof(*ready), MSG_NOSIGNAL);
}

void wire_refuse(const struct df_err *err)
{
	struct df_ready ready = {.error = err->code ? err->code : -EIO};

	snprintf(ready.text, sizeof(ready.text), "%s", err->text);
	wire_answer(&ready);
}

void wire_wait(const struct wire *w)
{
	/* Of dayfly-net only its end is of interest; what it says is for the client. */
	struct pollfd fds[2] = {
		{.fd = DF_WIRE_SOCKET, .events = POLLIN}, {.fd = w->net_fd, .events = 0}};
	char byte;
	ssize_t n = 1;

	while (n > 0 || (n < 0 && errno == EINTR)) {
		n = poll(fds, 2, -1);
		if (n > 0 && fds[1].revents) {
			return;
		}
		if (n > 0 && fds[0].revents)
			n = read(DF_WIRE_SOCKET, &byte, 1);
	}
}
