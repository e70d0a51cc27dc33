/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's name server: passes questions for names that may be asked for on to the host's, and pins what it answers
 * (egress.h). Other questions are refused. Where the host has no way to the world over IPv6, neither has the guest, and IPv6 addresses
 * are answered with none.
 */
#ifndef NAT_DNS_H
#define NAT_DNS_H

#include "nat/egress.h"

#include <netinet/in.h>
#include <stddef.h>

#define DNS_PENDING_MAX 64
#define DNS_MESSAGE_MAX 4096
#define DNS_QUESTION_MAX 512

struct dns_question {
	int fd; /* connected to the host's name server; -1: free */
	uint64_t until_ms;
	uint16_t port; /* the guest's */
	uint16_t type;
	unsigned char sent_id[2]; /* of our question */
	unsigned char message[DNS_QUESTION_MAX]; /* the guest's, up to the end of the question */
	size_t bytes;
	char name[DF_EGRESS_NAME_MAX + 1];
};

struct dns {
	struct egress *egress;
	struct sockaddr_storage server; /* family 0: the host has none */
	socklen_t server_size;
	struct dns_question pending[DNS_PENDING_MAX];
	/* What is for the guest, from its name server's port to `port`. */
	void (*answer)(void *context, uint16_t port, const void *message, size_t bytes);
	void (*refused)(void *context, const char *name);
	/* Calls dns_run when this descriptor can be read, until it is closed. 0 or -errno. */
	int (*watch)(void *context, int fd);
	void *context;
};

/* Reads the host's resolv.conf; the functions and the context are the caller's. */
void dns_init(struct dns *dns, struct egress *egress);
/* A message of the guest, from its port. */
void dns_ask(struct dns *dns, uint16_t port, const void *message, size_t bytes, uint64_t now_ms);
/* What the host's server says to a question: for the guest, if it is an answer to it (true). `message` is changed. */
bool dns_take(struct dns *dns, const struct dns_question *asked, void *message, size_t bytes,
	uint64_t now_ms);
/* Forgets all questions. */
void dns_reset(struct dns *dns);
/* Takes answers that came, forgets questions that are too old. */
void dns_run(struct dns *dns, uint64_t now_ms);

#endif
