/* SPDX-License-Identifier: Apache-2.0 */
/* Moving bytes between guest and host: see conn.h. */
#include "nat/conn.h"

#include <errno.h>
#include <lwip/priv/tcp_priv.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define BUFFER_BYTES TCP_SND_BUF
#define READ_MAX (256u << 10) /* in a row, before others have their turn */
#define WRITE_PARTS 32
#define QUEUE_SPARE 4 /* of lwIP's TCP_SND_QUEUELEN: what one write may need */

/* --- from host to guest --- */

/* Hands to lwIP what was read and what it takes. It takes it where it lies, until the guest has acknowledged it. */
static bool write_on(struct conn *conn)
{
	while (conn->written < conn->filled) {
		size_t at = conn->written % BUFFER_BYTES;
		size_t bytes = conn->filled - conn->written;

		if (bytes > BUFFER_BYTES - at)
			bytes = BUFFER_BYTES - at;
		if (bytes > TCP_MSS)
			bytes = TCP_MSS;
		if (tcp_sndqueuelen(conn->pcb) + QUEUE_SPARE > TCP_SND_QUEUELEN ||
			tcp_write(conn->pcb, conn->buffer + at, (uint16_t)bytes, 0) != ERR_OK)
			return false;
		conn->written += bytes;
	}
	return true;
}

/* Reads once. False: nothing is there, or nothing may be read now. */
static bool read_more(struct conn *conn)
{
	size_t at, room;
	ssize_t n;

	if (conn->acked == conn->filled)
		conn->acked = conn->written = conn->filled = 0; /* memory that is warm */
	at = conn->filled % BUFFER_BYTES;
	room = BUFFER_BYTES - (size_t)(conn->filled - conn->acked);
	if (room > BUFFER_BYTES - at)
		room = BUFFER_BYTES - at;
	if (!room)
		return false;
	n = recv(conn->fd, conn->buffer + at, room, MSG_DONTWAIT);
	if (n > 0) {
		conn->filled += (size_t)n;
		/* Fewer than could be: there is no more, or the end. */
		conn->readable = (size_t)n == room || conn->ending;
		return true;
	}
	conn->readable = false;
	if (n == 0)
		conn->ended = true;
	else if (errno != EAGAIN && errno != EINTR)
		conn_abort(conn);
	return false;
}

void pump_to_guest(struct conn *conn)
{
	uint64_t most = conn->filled + READ_MAX;

	if (conn->readable && !conn->buffer && !(conn->buffer = malloc(BUFFER_BYTES))) {
		conn_abort(conn);
		return;
	}
	while (write_on(conn) && conn->readable && conn->filled < most && read_more(conn))
		;
	if (conn->fd < 0)
		return;
	if (conn->readable && conn->filled >= most)
		conn_set_busy(conn);
	if (conn->ended && !conn->told && conn->written == conn->filled) {
		conn->told = true;
		(void)tcp_shutdown(conn->pcb, 0, 1); /* without memory it tries again itself */
	}
	(void)tcp_output(conn->pcb);
	/* Most connections wait most of the time. */
	if (conn->acked == conn->filled) {
		free(conn->buffer);
		conn->buffer = NULL;
	}
}

/* --- from guest to host --- */

static void input_drop(struct conn *conn, size_t bytes)
{
	size_t left = bytes;

	while (conn->input && left >= (size_t)(conn->input->len - conn->offset)) {
		struct pbuf *first = conn->input;

		left -= (size_t)(first->len - conn->offset);
		conn->offset = 0;
		conn->input = first->next;
		first->next = NULL;
		pbuf_free(first);
	}
	conn->offset = (uint16_t)(conn->offset + left);
	while (bytes && conn->pcb) {
		uint16_t part = bytes > UINT16_MAX ? UINT16_MAX : (uint16_t)bytes;

		tcp_recved(conn->pcb, part);
		bytes -= part;
	}
}

/* False: the host takes no more now, or the connection has ended. */
static bool write_once(struct conn *conn)
{
	struct iovec parts[WRITE_PARTS];
	struct msghdr message = {.msg_iov = parts};
	size_t wanted = 0, offset = conn->offset;
	ssize_t n;

	for (struct pbuf *p = conn->input; p && message.msg_iovlen < WRITE_PARTS; p = p->next) {
		parts[message.msg_iovlen++] =
			(struct iovec){(uint8_t *)p->payload + offset, p->len - offset};
		wanted += p->len - offset;
		offset = 0;
	}
	n = sendmsg(conn->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0) {
		conn->writable = false;
		if (errno != EAGAIN && errno != EINTR)
			conn_abort(conn);
		return false;
	}
	if ((size_t)n < wanted)
		conn->writable = false;
	input_drop(conn, (size_t)n);
	return conn->writable;
}

void pump_to_host(struct conn *conn)
{
	while (conn->input && conn->writable && write_once(conn))
		;
	if (conn->fd >= 0 && conn->guest_ended && !conn->input && !conn->shut) {
		conn->shut = true;
		(void)shutdown(conn->fd, SHUT_WR);
	}
}
