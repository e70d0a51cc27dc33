// SPDX-License-Identifier: Apache-2.0
/*
 * Unix sockets: unix.c has how they begin, are named, connected and ended; unix_data.c what moves through them;
 * unix_name.c where names are found.
 *
 * Invariants: `peer` is where a socket sends to. Between stream (and seqpacket) sockets it is mutual, and ends for
 * both when one is released; a datagram socket can be the peer of many, which therefore are looked for when it
 * is released.
 */
#ifndef KERNEL_UNIX_H
#define KERNEL_UNIX_H

#include <kernel/net/net.h>
#include <linux/un.h>

#define UNIX_PATH offsetof(struct sockaddr_un, sun_path)

struct unix_socket;

/* A name in use. A socket has a reference on its own, and connections on the one that they came by. */
struct unix_name {
	struct list node; /* in unix_name.c's list while `owner` lives */
	unsigned refs;
	struct unix_socket *owner; /* who answers there; NULL: closed */
	struct node *fs; /* path names: the file, referenced */
	struct address address;
};

/* What was sent and has not been received. */
struct packet {
	struct list node;
	size_t bytes, at; /* at: received already */
	struct rights *rights;
	struct unix_name *from; /* with a reference, or NULL */
	char data[];
};

struct unix_socket {
	struct socket s;
	struct unix_name *name; /* or NULL */
	struct unix_socket *peer;
	bool connected; /* once was */
	struct list in;
	size_t in_bytes;
	unsigned in_packets;
	/* Who sleeps or polls until this one has room looks here; NULL: nobody in particular. */
	struct unix_socket *full;
	/* Listeners, and a connection's place among those that wait. */
	struct list waiting, place;
	unsigned waiting_count, backlog;
	struct unix_name *peer_name; /* of a stream peer, which may be gone */
};

static inline struct unix_socket *unix_of(struct socket *s)
{
	return (struct unix_socket *)s;
}

static inline bool is_datagram(const struct unix_socket *u)
{
	return u->s.type == SOCK_DGRAM;
}

/* --- unix_data.c --- */
int64_t unix_send(struct socket *s, struct message *m);
int64_t unix_receive(struct socket *s, struct message *m);
uint64_t unix_queued(struct socket *s);
/* Would u take more from `from`? */
bool unix_has_room(const struct unix_socket *u, const struct unix_socket *from);
void unix_drop_input(struct unix_socket *u);
/* u has room now: tells those who wait for it. */
void unix_wake_senders(struct unix_socket *u);

/* --- unix_name.c --- */
/* The socket that the address names. -ECONNREFUSED, -ENOENT, ... */
int unix_find(const struct address *a, struct unix_socket **out) must_check;
/* Gives u the name in the address; one with a family alone asks for any. */
int unix_bind(struct unix_socket *u, const struct address *a) must_check;
struct unix_name *unix_name_ref(struct unix_name *n); /* NULL-safe */
void unix_name_unref(struct unix_name *n);

#endif
