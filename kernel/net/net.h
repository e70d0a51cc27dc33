// SPDX-License-Identifier: Apache-2.0
/*
 * Inside of the feature `net`. A struct socket is what all kinds have in common; a kind (tcp.c, udp.c, unix*.c,
 * netlink.c) embeds it and fills a struct socket_ops. The calls (socket.c, message.c, option.c) check what the
 * program passes, copy it once, and sleep where a kind says -EAGAIN; kinds never sleep and see no program
 * address but through struct message.
 *
 * A socket lives until its file is released; what must outlive it (a TCP connection that is still closing) is
 * the kind's own business.
 */
#ifndef KERNEL_NET_H
#define KERNEL_NET_H

#include <kernel/core/errno.h>
#include <kernel/core/file.h>
#include <kernel/core/hypercall.h>
#include <kernel/mm/mm.h>
#include <kernel/mm/user.h>
#include <kernel/time/timespec.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#define NET_IN (EPOLLIN | EPOLLRDNORM)
#define NET_OUT (EPOLLOUT | EPOLLWRNORM)

/* The C library has these names, the UAPI headers have not. */
enum { SOCK_STREAM = 1, SOCK_DGRAM = 2, SOCK_RAW = 3, SOCK_SEQPACKET = 5 };
#define SOCK_NONBLOCK O_NONBLOCK
#define SOCK_CLOEXEC O_CLOEXEC
#define AF_UNSPEC 0
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define AF_NETLINK 16
enum {
	MSG_OOB = 1,
	MSG_PEEK = 2,
	MSG_DONTROUTE = 4,
	MSG_CTRUNC = 8,
	MSG_TRUNC = 0x20,
	MSG_DONTWAIT = 0x40,
	MSG_EOR = 0x80,
	MSG_WAITALL = 0x100,
	MSG_CONFIRM = 0x800,
	MSG_ERRQUEUE = 0x2000,
	MSG_NOSIGNAL = 0x4000,
	MSG_MORE = 0x8000,
	MSG_WAITFORONE = 0x10000,
	MSG_CMSG_CLOEXEC = 0x40000000,
};
enum { SHUT_RD, SHUT_WR, SHUT_RDWR };
#define DOWN_READ 1u /* bits of socket.down */
#define DOWN_WRITE 2u

#define SOMAXCONN 4096

struct iovec {
	void *base;
	size_t bytes;
};

/* A socket address; large enough for each kind. */
struct address {
	union {
		uint16_t family;
		uint8_t bytes[128];
	};
	unsigned used; /* bytes, 0: none */
};

#define RIGHTS_MAX 253 /* Linux: SCM_MAX_FD */

/* Files on their way in a message. */
struct rights {
	struct list node; /* rights.c's */
	unsigned count;
	struct file *file[]; /* references */
};

struct message {
	const struct iovec *iov; /* program addresses, checked */
	unsigned count;
	size_t bytes; /* of all */
	unsigned at; /* where the next byte goes or comes from: in iov[at], */
	size_t offset; /* so far in */
	unsigned flags; /* MSG_* */
	bool nonblock;
	bool passes_credentials; /* received: SCM_CREDENTIALS are wanted */
	struct address address; /* of the receiver or, filled in, the sender */
	struct rights *
		rights; /* sent: the kind takes them (and clears this); received: the caller frees them */
	unsigned out_flags; /* received: MSG_TRUNC, MSG_CTRUNC, MSG_EOR */
};

struct socket;

struct socket_ops {
	/* All but release, poll, send and receive may be NULL: -EOPNOTSUPP. */
	int (*bind)(struct socket *s, const struct address *a);
	int (*listen)(struct socket *s, int backlog);
	/* A connection that came in, -EAGAIN: none. The caller owns it. */
	int (*accept)(struct socket *s, struct socket **out);
	/* 0: connected. -EINPROGRESS: begun; the rest is told by the queue `writers`. -EAGAIN: not yet begun. */
	int (*connect)(struct socket *s, const struct address *a);
	/* -EINPROGRESS as long as a connection that was begun is neither there nor refused. */
	int (*connected)(struct socket *s);
	/* Bytes taken from or put into the message, at least one if it has any; -EAGAIN. */
	int64_t (*send)(struct socket *s, struct message *m);
	int64_t (*receive)(struct socket *s, struct message *m);
	int (*shutdown)(struct socket *s, unsigned down);
	/* The socket's own address, or its peer's (-ENOTCONN). */
	int (*name)(struct socket *s, bool peer, struct address *a);
	/* Options of the kind: -ENOPROTOOPT. */
	int (*set)(struct socket *s, int level, int option, int value);
	int (*get)(struct socket *s, int level, int option, int *value);
	unsigned (*poll)(struct socket *s);
	uint64_t (*queued)(struct socket *s); /* FIONREAD */
	void (*release)(struct socket *s); /* frees it */
};

struct socket {
	const struct socket_ops *ops;
	struct file *file; /* not a reference; NULL: nobody has accepted it yet */
	uint16_t family, type, protocol;
	uint8_t down; /* DOWN_* */
	bool listening, connecting;
	bool stream; /* a message has no boundaries */
	bool reuse_address, reuse_port, keepalive, broadcast, passes_credentials, lingers;
	bool only_v6, timestamps;
	int error; /* SO_ERROR: positive, reported once */
	int linger_s;
	int send_bytes, receive_bytes; /* SO_SNDBUF, SO_RCVBUF */
	uint64_t send_wait_ns, receive_wait_ns; /* SO_SNDTIMEO, SO_RCVTIMEO; 0: for ever */
	uint32_t number; /* st_ino */
	struct wait_queue readers, writers;
	struct list all; /* of all sockets: /proc/net */
};

extern struct list socket_list;

/* --- socket.c --- */

/* Makes ready what the kind allocated (zeroed). */
void socket_init(struct socket *s, const struct socket_ops *ops, int family, int type,
	int protocol);
/* Frees it. */
void socket_end(struct socket *s);
/* The socket behind a file, or NULL. */
struct socket *socket_of(const struct file *f);
/* Takes the pending error: 0 or -errno. */
int socket_error_take(struct socket *s);
/* Tells sleepers and pollers. */
static inline void socket_wake_readers(struct socket *s, unsigned events)
{
	wait_queue_wake(&s->readers, events);
}
static inline void socket_wake_writers(struct socket *s, unsigned events)
{
	wait_queue_wake(&s->writers, events);
}
/* Both, because of an end or an error. */
void socket_wake_all(struct socket *s);
/* Sends and receives with the waiting that the socket's options ask for. */
int64_t socket_send(struct socket *s, struct message *m);
int64_t socket_receive(struct socket *s, struct message *m);

/* --- message.c --- */

/* Moves n bytes between the kernel and the next place of the message. 0 or -EFAULT: nothing moved. */
int message_put(struct message *m, const void *from, size_t n) must_check;
int message_take(struct message *m, void *to, size_t n) must_check;
/* The next bytes of the message where the program has them, at most n: readable without a fault until the kernel
 * sleeps. message_skip goes on behind them. -EFAULT. */
int message_look(struct message *m, const void **from, size_t *n) must_check;
void message_skip(struct message *m, size_t n);
size_t message_left(const struct message *m);

int address_fetch(struct address *a, gva_t from, unsigned bytes) must_check;
/* Writes the address where there is room, and its length at length_at. */
int address_store(const struct address *a, gva_t to, gva_t length_at) must_check;

int64_t sys_sendto(int fd, void *buf, size_t n, unsigned flags, gva_t address, unsigned bytes);
int64_t sys_recvfrom(int fd, void *buf, size_t n, unsigned flags, gva_t address, gva_t length);
int64_t sys_sendmsg(int fd, gva_t header, unsigned flags);
int64_t sys_recvmsg(int fd, gva_t header, unsigned flags);
int64_t sys_sendmmsg(int fd, gva_t headers, unsigned count, unsigned flags);
int64_t sys_recvmmsg(int fd, gva_t headers, unsigned count, unsigned flags, gva_t timeout);
int64_t socket_vector(struct file *f, gva_t iov, unsigned count, bool writing);

/* --- rights.c --- */

/* Takes references to these descriptors. */
int rights_new(const int *fds, unsigned count, struct rights **out) must_check;
void rights_free(struct rights *r); /* NULL-safe */

/* --- option.c --- */
int64_t sys_setsockopt(int fd, int level, int option, gva_t value, unsigned bytes);
int64_t sys_getsockopt(int fd, int level, int option, gva_t value, gva_t length);

/* --- ioctl.c --- */
int64_t socket_ioctl(struct file *f, unsigned long request, gva_t arg);
/* The interfaces, for ioctl.c, netlink.c and proc.c. Number 1 is the loopback interface. */
struct interface {
	int index;
	char name[16];
	unsigned flags; /* IFF_* */
	unsigned mtu;
	uint8_t hardware[6];
	uint8_t address[4], prefix;
	uint8_t address6[16], prefix6; /* the one that is reached from afar, if there is one */
};
bool interface_get(int index, struct interface *i);

/* --- proc.c --- */
enum net_text;
size_t net_proc_text(enum net_text which, char *to, size_t size);

/* --- the kinds: a new socket, or -errno --- */
int tcp_socket(int family, struct socket **out) must_check;
int udp_socket(int family, struct socket **out) must_check;
int unix_socket(int type, struct socket **out) must_check;
int unix_pair(int type, struct socket **a, struct socket **b) must_check;
int netlink_socket(int type, int protocol, struct socket **out) must_check;

/* --- stack.c --- */
/* The kernel's heap, as far as all of networking together may use it (lwipopts.h). NULL: no more. */
void *net_alloc(size_t bytes);
void net_free(void *p); /* NULL-safe */
void stack_init(void);
/* The interface to the outside (device.c), if there is one. Takes packets that came: true if there were any. */
bool device_receive(void);
/* After packets were sent: wakes the other side if it sleeps. */
void device_flush(void);
void device_init(void);
/* Delivers what waits on the loopback interface. To be called when a call into lwIP may have sent something. */
void stack_run(void);

#endif
