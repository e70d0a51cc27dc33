// SPDX-License-Identifier: Apache-2.0
/*
 * Standard streams: see streams.h. The descriptors may be shared with other processes, so their
 * flags are left alone: readiness is asked for before each transfer.
 */
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "streams.h"
#include "vm.h"

static struct {
	bool changed;
	int fd;
	struct termios first;
} terminal;

void stream_stat(int stream, struct df_stream_stat *out)
{
	struct stat st;
	int flags = fcntl(stream, F_GETFL);

	memset(out, 0, sizeof(*out));
	if (flags < 0 || fstat(stream, &st))
		return;
	*out = (struct df_stream_stat){
		.mode = st.st_mode,
		.flags = (uint32_t)flags,
		.size = st.st_size,
		.rdev = st.st_rdev,
		.dev = st.st_dev,
		.ino = st.st_ino,
		.mtime_ns = st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec,
	};
}

/* ppoll until the deadline. 1 ready, 0 not, -EINTR host event. */
static int wait_ready(const struct vm *vm, struct pollfd *fds, unsigned n, uint64_t deadline_ns)
{
	uint64_t now = deadline_ns && deadline_ns != DF_FOREVER ? clock_now_ns() : 0;
	uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
	struct timespec ts = {(time_t)(left / 1000000000), (long)(left % 1000000000)};
	int r;

	if (deadline_ns && events_pending(vm))
		return -EINTR;
	r = events_wait(vm, fds, n, deadline_ns == DF_FOREVER ? NULL : &ts);
	return r < 0 ? -errno : r > 0;
}

static int64_t wait_stream(const struct vm *vm, int stream, short what, uint64_t deadline_ns)
{
	struct pollfd p = {.fd = stream, .events = what};
	int r = wait_ready(vm, &p, 1, deadline_ns);

	return r == 1 ? 0 : r == 0 ? -EAGAIN : r;
}

int64_t stream_read(const struct vm *vm, int stream, void *buf, uint64_t bytes,
	uint64_t deadline_ns)
{
	for (;;) {
		int64_t r = wait_stream(vm, stream, POLLIN, deadline_ns);

		if (r)
			return r;
		r = read(stream, buf, bytes);
		if (r >= 0)
			return r;
		if (errno != EAGAIN || !deadline_ns)
			return -errno;
	}
}

int64_t stream_write(const struct vm *vm, int stream, const void *buf, uint64_t bytes,
	uint64_t deadline_ns)
{
	uint64_t done = 0;

	while (done < bytes || !bytes) {
		int64_t r = wait_stream(vm, stream, POLLOUT, deadline_ns);

		if (!r) {
			r = write(stream, (const char *)buf + done, bytes - done);
			r = r < 0 ? -errno : r;
			if (r == -EAGAIN && deadline_ns)
				continue;
		}
		if (r < 0)
			return done ? (int64_t)done : r;
		done += (uint64_t)r;
		if (!bytes)
			break;
	}
	return (int64_t)done;
}

unsigned streams_wait(const struct vm *vm, unsigned interest, uint64_t deadline_ns)
{
	struct pollfd p[4];
	unsigned ready = 0, n = 0, streams;

	for (int i = 0; i < 3; i++)
		if (interest & (1u << i))
			p[n++] = (struct pollfd){.fd = i, .events = i ? POLLOUT : POLLIN};
	streams = n;
	if (interest & DF_WAIT_NET)
		p[n++] = (struct pollfd){.fd = vm->net.wake_fd, .events = POLLIN};
	if (wait_ready(vm, p, n, deadline_ns) <= 0)
		return 0;
	for (unsigned i = 0; i < streams; i++)
		if (p[i].revents)
			ready |= 1u << p[i].fd;
	if (n > streams && p[streams].revents) {
		net_woken(&vm->net);
		ready |= DF_WAIT_NET;
	}
	return ready;
}

static int64_t set_termios(int stream, uint64_t request, void *data)
{
	struct termios now;

	if (!terminal.changed && !ioctl(stream, TCGETS, &now)) {
		terminal.first = now;
		terminal.fd = stream;
		terminal.changed = true;
	}
	return ioctl(stream, request, data) ? -errno : 0;
}

int64_t stream_tty(int stream, uint64_t request, void *data)
{
	switch (request) {
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return set_termios(stream, request, data);
	case TCGETS:
	case TIOCGWINSZ:
	case FIONREAD:
		return ioctl(stream, request, data) ? -errno : 0;
	default:
		return -ENOTTY;
	}
}

void streams_restore(void)
{
	if (terminal.changed)
		ioctl(terminal.fd, TCSETS, &terminal.first);
}
