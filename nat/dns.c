/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's name server: see dns.h. */
#include "nat/dns.h"

#include "host/cleanup.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <resolv.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MS 10000u
#define RECEIVE_MAX 64 /* in a row, of one question */

void dns_init(struct dns *dns, struct egress *egress)
{
	struct __res_state state = {0};

	*dns = (struct dns){.egress = egress};
	for (int i = 0; i < DNS_PENDING_MAX; i++)
		dns->pending[i].fd = -1;
	if (res_ninit(&state) < 0)
		return;
	/* The first one, which is of IPv4 or of IPv6. */
	if (state.nscount > 0 && state.nsaddr_list[0].sin_family == AF_INET) {
		dns->server_size = sizeof(state.nsaddr_list[0]);
		memcpy(&dns->server, &state.nsaddr_list[0], dns->server_size);
	} else if (state.nscount > 0 && state._u._ext.nsaddrs[0]) {
		dns->server_size = sizeof(*state._u._ext.nsaddrs[0]);
		memcpy(&dns->server, state._u._ext.nsaddrs[0], dns->server_size);
	}
	res_nclose(&state);
}

/* The one question of a message. */
static bool read_question(const unsigned char *message, size_t bytes, ns_msg *parsed,
	ns_rr *question)
{
	return ns_initparse(message, (int)bytes, parsed) == 0 &&
		ns_msg_count(*parsed, ns_s_qd) == 1 &&
		ns_parserr(parsed, ns_s_qd, 0, question) == 0 &&
		strlen(ns_rr_name(*question)) <= DF_EGRESS_NAME_MAX;
}

/* Where the question section ends; 0: the message has another shape. */
static size_t question_end(const unsigned char *message, size_t bytes)
{
	int skipped =
		bytes > NS_HFIXEDSZ ? dn_skipname(message + NS_HFIXEDSZ, message + bytes) : -1;
	size_t end = NS_HFIXEDSZ + (size_t)(skipped < 0 ? 0 : skipped) + NS_QFIXEDSZ;

	return skipped < 0 || end > bytes ? 0 : end;
}

/* Answers with the question alone and a result. */
static void answer_empty(const struct dns *dns, uint16_t port, const unsigned char *message,
	size_t bytes, unsigned char result)
{
	unsigned char reply[DNS_QUESTION_MAX];
	size_t end = question_end(message, bytes);

	if (!end || end > sizeof(reply))
		return;
	memcpy(reply, message, end);
	reply[2] =
		(unsigned char)(0x80 | (message[2] & 0x79)); /* an answer; opcode and RD as asked */
	reply[3] = (unsigned char)(0x80 | result); /* recursion is available */
	memset(reply + 6, 0, 6);
	dns->answer(dns->context, port, reply, end);
}

static void forget(struct dns_question *asked)
{
	close(asked->fd);
	asked->fd = -1;
}

static struct dns_question *free_place(struct dns *dns)
{
	struct dns_question *oldest = &dns->pending[0];

	for (int i = 0; i < DNS_PENDING_MAX; i++) {
		if (dns->pending[i].fd < 0)
			return &dns->pending[i];
		if (dns->pending[i].until_ms < oldest->until_ms)
			oldest = &dns->pending[i];
	}
	forget(oldest);
	return oldest;
}

/* Asks the host's server, from a port and with an id of its own, so that nobody can guess an answer. */
static void pass_on(struct dns *dns, uint16_t port, const unsigned char *message, size_t bytes,
	const ns_rr *question, uint64_t now_ms)
{
	struct dns_question *place;
	unsigned char copy[DNS_MESSAGE_MAX];
	size_t end = question_end(message, bytes);

	memcpy(copy, message, bytes);
	if (!end || end > sizeof(place->message) || getrandom(copy, 2, 0) != 2)
		return;
	place = free_place(dns);
	place->fd = socket(dns->server.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (place->fd < 0)
		return;
	if (connect(place->fd, (const struct sockaddr *)&dns->server, dns->server_size) < 0 ||
		dns->watch(dns->context, place->fd) < 0 ||
		send(place->fd, copy, bytes, MSG_NOSIGNAL) < 0) {
		answer_empty(dns, port, message, bytes, ns_r_servfail);
		forget(place);
		return;
	}
	place->until_ms = now_ms + ANSWER_MS;
	place->port = port;
	place->type = ns_rr_type(*question);
	memcpy(place->message, message, end);
	place->bytes = end;
	memcpy(place->sent_id, copy, 2);
	strcpy(place->name, ns_rr_name(*question));
}

/* A connection of UDP sends nothing; it is refused where no way leads. */
static bool host_has_ipv6(void)
{
	const struct sockaddr_in6 world = {.sin6_family = AF_INET6,
		.sin6_port = htons(NS_DEFAULTPORT),
		.sin6_addr = {.s6_addr = {0x20, [15] = 1}}};
	DF_CLOSE int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && connect(fd, (const struct sockaddr *)&world, sizeof(world)) == 0;
}

void dns_ask(struct dns *dns, uint16_t port, const void *message, size_t bytes, uint64_t now_ms)
{
	ns_msg parsed;
	ns_rr question;

	if (bytes > DNS_MESSAGE_MAX || !read_question(message, bytes, &parsed, &question) ||
		ns_msg_getflag(parsed, ns_f_qr))
		return;
	if (!egress_allows_name(dns->egress, ns_rr_name(question))) {
		dns->refused(dns->context, ns_rr_name(question));
		answer_empty(dns, port, message, bytes, ns_r_refused);
	} else if (!dns->server.ss_family) {
		answer_empty(dns, port, message, bytes, ns_r_servfail);
	} else if (ns_rr_type(question) == ns_t_aaaa && !host_has_ipv6()) {
		answer_empty(dns, port, message, bytes, ns_r_noerror);
	} else {
		pass_on(dns, port, message, bytes, &question, now_ms);
	}
}

/* The address that a record gives. False: none, or one of IPv4 in disguise. */
static bool read_address(const ns_rr *record, struct in6_addr *out)
{
	uint32_t v4;

	if (ns_rr_type(*record) == ns_t_a && ns_rr_rdlen(*record) == sizeof(v4)) {
		memcpy(&v4, ns_rr_rdata(*record), sizeof(v4));
		*out = df_ip_v4(ntohl(v4));
		return true;
	}
	if (ns_rr_type(*record) != ns_t_aaaa || ns_rr_rdlen(*record) != sizeof(*out))
		return false;
	memcpy(out, ns_rr_rdata(*record), sizeof(*out));
	return !IN6_IS_ADDR_V4MAPPED(out);
}

static void pin_answers(const struct dns *dns, const struct dns_question *asked, ns_msg *parsed,
	uint64_t now_ms)
{
	for (int i = 0; i < ns_msg_count(*parsed, ns_s_an); i++) {
		struct in6_addr address;
		ns_rr record;

		if (ns_parserr(parsed, ns_s_an, i, &record) < 0)
			return;
		if (read_address(&record, &address))
			egress_pin(dns->egress, asked->name, &address, ns_rr_ttl(record), now_ms);
	}
}

bool dns_take(struct dns *dns, const struct dns_question *asked, void *message, size_t bytes,
	uint64_t now_ms)
{
	ns_msg parsed;
	ns_rr question;

	if (!read_question(message, bytes, &parsed, &question) ||
		!ns_msg_getflag(parsed, ns_f_qr) || memcmp(message, asked->sent_id, 2) != 0 ||
		ns_rr_type(question) != asked->type ||
		strcasecmp(ns_rr_name(question), asked->name) != 0)
		return false;
	pin_answers(dns, asked, &parsed, now_ms);
	memcpy(message, asked->message, 2);
	dns->answer(dns->context, asked->port, message, bytes);
	return true;
}

/* What is no answer to it does not end a question: whoever guesses its port could do that. */
static void receive(struct dns *dns, struct dns_question *asked, uint64_t now_ms)
{
	unsigned char message[DNS_MESSAGE_MAX];

	for (int i = 0; i < RECEIVE_MAX && asked->fd >= 0; i++) {
		ssize_t n = recv(asked->fd, message, sizeof(message), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0)
			answer_empty(dns, asked->port, asked->message, asked->bytes, ns_r_servfail);
		if (n < 0 || dns_take(dns, asked, message, (size_t)n, now_ms))
			forget(asked);
	}
}

void dns_run(struct dns *dns, uint64_t now_ms)
{
	for (int i = 0; i < DNS_PENDING_MAX; i++) {
		struct dns_question *asked = &dns->pending[i];

		if (asked->fd >= 0)
			receive(dns, asked, now_ms);
		if (asked->fd >= 0 && asked->until_ms < now_ms)
			forget(asked);
	}
}

void dns_reset(struct dns *dns)
{
	for (int i = 0; i < DNS_PENDING_MAX; i++)
		if (dns->pending[i].fd >= 0)
			forget(&dns->pending[i]);
}
