// SPDX-License-Identifier: Apache-2.0
/*
 * The feature `http`: the wait point of a server. The guest is frozen where the program waits for a connection to its
 * port and nothing else is to do; an event is then played to it as an HTTP request over the guest's own TCP, from a
 * connection that only this file knows, and its answer becomes the reply.
 *
 * The answer is read as it comes, while the server runs. When it is complete the event ends as soon as no thread can
 * run: a server may have a line for its log to write behind it.
 */
#include <kernel/core/errno.h>
#include <kernel/core/feature.h>
#include <kernel/core/freeze.h>
#include <kernel/http/reply.h>
#include <kernel/http/request.h>
#include <kernel/net/tcp.h>

#define PORT_TRIES 64
#define TAKE_MAX 0xffffu /* lwIP counts in 16 bits */

static struct {
	struct tcp_pcb *pcb;
	struct http_reply *reply;
	const struct tcp_socket *listener; /* that is waited on */
	char *head;
	size_t head_bytes;
	uint64_t sent; /* of head and body, given to lwIP */
} play;

static void fail(const char *why) __attribute__((noreturn));
static void fail(const char *why)
{
	struct df_out *out = &request_page->out;
	uint64_t limit = min(boot_info->event.log_max, (uint64_t)DF_OUT_LOG_MAX);
	char *to = (char *)(DF_VA_OUT + DF_OUT_LOG) + out->log_bytes;
	uint64_t room = limit - min(out->log_bytes, limit);
	int n = room ? ksnprintf(to, room, "dayfly: the server's answer was refused: %s\n", why)
		     : 0;

	/* For the function's log, behind what the server has said itself. */
	out->log_bytes += min((uint64_t)n, room);
	program_exit(1, 0);
}

/* --- where the server waits --- */

static bool is_wanted(const struct socket *s)
{
	uint16_t port = ((const struct tcp_socket *)s)->local.port;

	return s->listening && s->family != AF_UNIX &&
		(!boot_info->http_port || boot_info->http_port == port);
}

static bool awaited(bool *own)
{
	struct waiter *w;
	struct socket *s;

	play.listener = NULL;
	*own = false; /* who looks at a listener and others is an event loop, perhaps still busy */
	list_for_each(s, &socket_list, all) {
		if (!is_wanted(s))
			continue;
		list_for_each(w, &s->readers.waiters, node) {
			if (event_hooks.awaited && !event_hooks.awaited(w))
				continue;
			play.listener = (struct tcp_socket *)s;
		}
		if (play.listener)
			return true;
	}
	return false;
}

/* --- the answer --- */

static bool take_header(void *to, const char *name, const char *value)
{
	struct df_out *out = &request_page->out;
	static const char prefix[] = "http.header.";
	size_t n = strlen(name), v = strlen(value) + 1, used = out->attribute_bytes;
	char *at = (char *)(DF_VA_OUT + DF_OUT_ATTRIBUTES) + used;

	(void)to;
	/* A rehearsal has its notes there. */
	if (boot_info->event.mode == DF_MODE_REHEARSE || n > 100)
		return true;
	for (size_t i = 0; i < n; i++)
		if (name[i] < '-' || name[i] == '/' ||
			(name[i] > 'Z' && name[i] < 'a' && name[i] != '_') || name[i] > 'z')
			return true; /* a name that attributes can not have */
	for (size_t i = 0; i + 1 < v; i++)
		if (value[i] == '\t')
			return true;
	if (sizeof(prefix) + n + v > DF_OUT_ATTRIBUTES_MAX - used)
		return false;
	memcpy(at, prefix, sizeof(prefix) - 1);
	at += sizeof(prefix) - 1;
	for (size_t i = 0; i < n; i++)
		*at++ = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 'a' - 'A') : name[i];
	*at++ = 0;
	memcpy(at, value, v);
	out->attribute_bytes = (uint32_t)(used + sizeof(prefix) + n + v);
	return true;
}

static bool take_body(void *to, const void *bytes, size_t n)
{
	struct df_out *out = &request_page->out;

	(void)to;
	if (n > event_reply_limit() - out->reply_bytes)
		event_stop(DF_STOP_REPLY_SIZE);
	memcpy((char *)(DF_VA_OUT + DF_OUT_REPLY) + out->reply_bytes, bytes, n);
	out->reply_bytes += n;
	return true;
}

static err_t received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	struct http_reply *r = play.reply;
	const struct pbuf *part;
	size_t taken = 0;

	(void)arg, (void)err;
	if (!p) {
		http_reply_end(r);
	} else {
		for (part = p; part; part = part->next) {
			http_reply_take(r, part->payload, part->len);
			taken += part->len;
		}
		for (; taken; taken -= min(taken, (size_t)TAKE_MAX))
			tcp_recved(pcb, (uint16_t)min(taken, (size_t)TAKE_MAX));
		pbuf_free(p);
	}
	if (r->state == HTTP_BAD)
		fail(r->why);
	if (r->state == HTTP_DONE)
		request_page->out.status = (uint16_t)r->status;
	return ERR_OK;
}

static void failed(void *arg, err_t err)
{
	(void)arg, (void)err;
	play.pcb = NULL;
	if (play.reply->state != HTTP_DONE)
		fail(play.sent ? "the server reset the connection"
			       : "the server refused the connection");
}

/* --- the request --- */

/* The next part of head or body; NULL: all was given. The body is sent from where the host put it. */
static const char *next_part(size_t *n)
{
	uint64_t body = boot_info->event.body_bytes, at;

	if (play.sent < play.head_bytes) {
		*n = play.head_bytes - (size_t)play.sent;
		return play.head + play.sent;
	}
	at = play.sent - play.head_bytes;
	if (at >= body)
		return NULL;
	*n = (size_t)(body - at);
	return (const char *)(DF_VA_IN + DF_IN_BODY + at);
}

static void send_more(struct tcp_pcb *pcb)
{
	const char *from;
	size_t n;

	while ((from = next_part(&n))) {
		uint16_t part = (uint16_t)min(n, (size_t)tcp_sndbuf(pcb));

		if (!part || tcp_write(pcb, from, part, 0))
			break;
		play.sent += part;
	}
	tcp_output(pcb);
}

static err_t sent(void *arg, struct tcp_pcb *pcb, u16_t bytes)
{
	(void)arg, (void)bytes;
	send_more(pcb);
	return ERR_OK;
}

static err_t connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
	(void)arg, (void)err;
	send_more(pcb);
	return ERR_OK;
}

static void make_head(void)
{
	struct http_event e = {
		.attributes = (const char *)DF_VA_IN,
		.attribute_bytes = (size_t)boot_info->event.attribute_bytes,
		.body_bytes = boot_info->event.body_bytes,
		.port = play.listener->local.port,
	};

	play.reply->no_body = http_request_is_head(&e);
	play.head_bytes = http_request_head(&e, NULL, 0);
	play.head = kmalloc(play.head_bytes);
	if (!play.head)
		fail("there is no memory for the request");
	http_request_head(&e, play.head, play.head_bytes);
}

/* The address that the server listens on, or one that reaches it. */
static struct inet_name server_name(void)
{
	struct inet_name n = play.listener->local;

	if (play.listener->s.family == AF_INET6 && !play.listener->s.only_v6 &&
		ip_addr_isany(&n.ip))
		IP_SET_TYPE_VAL(n.ip, IPADDR_TYPE_V4);
	inet_reach(&n);
	return n;
}

/* A port by chance: the generator has a new seed. */
static err_t bind_any(struct tcp_pcb *pcb)
{
	err_t err = ERR_USE;

	for (int i = 0; i < PORT_TRIES && err == ERR_USE; i++)
		err = tcp_bind(pcb, NULL, TCP_ENSURE_LOCAL_PORT_RANGE(net_random()));
	return err;
}

static bool idle(void)
{
	if (play.reply->state == HTTP_DONE)
		program_exit(0, 0);
	if (timers_next() == DF_FOREVER)
		fail("the server waits for something else and does not answer");
	return false;
}

static bool polled(void)
{
	if (play.reply->state == HTTP_DONE && thread_runnable() == 1)
		program_exit(0, 0);
	return false;
}

static void arrived(void)
{
	struct inet_name to = server_name();

	freeze_hooks.idle = idle;
	freeze_hooks.polled = polled;
	http_reply_begin(play.reply);
	make_head();
	play.pcb = tcp_new_ip_type(IP_GET_TYPE(&to.ip));
	if (!play.pcb)
		fail("there is no memory for the connection");
	tcp_recv(play.pcb, received);
	tcp_sent(play.pcb, sent);
	tcp_err(play.pcb, failed);
	tcp_nagle_disable(play.pcb);
	if ((IP_IS_V4_VAL(to.ip) && bind_any(play.pcb)) ||
		tcp_connect(play.pcb, &to.ip, to.port, connected))
		fail("it could not be connected to");
	stack_run();
}

static const struct http_hooks hooks = {.awaited = awaited, .arrived = arrived};

static void http_init(void)
{
	if (!(boot_info->flags & DF_BOOT_EVENTS))
		return;
	play.reply = kzalloc(sizeof(*play.reply));
	if (!play.reply)
		panic("no memory for the wait point");
	play.reply->header = take_header;
	play.reply->body = take_body;
	http_hooks = &hooks;
}

static const struct feature_call no_calls[] = {};
FEATURE(http, "net", http_init, no_calls);
