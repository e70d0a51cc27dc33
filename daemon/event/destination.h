/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the results of asynchronous events go: another function, a webhook, or a file.
 *
 * When an event is over, destination_record makes the record that AWS's destinations get, and destination_next the new event that carries it;
 * queue_done or queue_dead store that in the transaction that ends the event, so a record is neither lost nor made without its event's end.
 * For a function it is an ordinary event; for the others a delivery, which a worker hands to destination_deliver and which has its own retries.
 *
 * Texts of destinations come from manifests and from Lambda's API, so they are not trusted: webhooks reach public addresses only (checked when the
 * name is resolved, for every connection), files lie below one directory.
 *
 * Any thread, between destination_init and destination_deinit.
 */
#ifndef DAEMON_DESTINATION_H
#define DAEMON_DESTINATION_H

#include "daemon/event/queue.h"
#include "host/err.h"
#include "host/str.h"

#include <jansson.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DESTINATION_MAX 1024 /* characters of a destination's text */
#define DESTINATION_PAYLOAD_MAX (24u << 20) /* bytes that a payload may have in a record, as JSON */
#define DESTINATION_TIMEOUT_MS 10000
#define DESTINATION_REPLY_MAX 65536 /* bytes of a webhook's answer that are read */

enum destination_kind {
	DESTINATION_FUNCTION,
	DESTINATION_WEBHOOK,
	DESTINATION_FILE,
	DESTINATION_OBJECT
};

struct destination {
	enum destination_kind kind;
	bool reply; /* FUNCTION, WEBHOOK: a successful function's reply is sent, not the record */
	char value[DESTINATION_MAX +
		1]; /* NAME or NAME:QUALIFIER; URL; file name, or BUCKET/KEY, with {words} (docs/async.md) */
};

/*
 * Parses "function:NAME[:QUALIFIER]", the ARN of a function (region and account are not looked at), "http://..." or "https://..." without user and
 * password, "file:NAME", or "object:BUCKET/KEY". Returns 0 or -EINVAL with *err set.
 */
int destination_parse(const char *text, struct destination *destination, struct df_err *err)
	__attribute__((warn_unused_result));

/* The same from JSON: such a text, or {"function": NAME}, {"webhook": URL}, {"file": NAME}, {"object": BUCKET/KEY}. A function and a webhook may have
 * "body": "reply" beside. Returns the same. */
int destination_parse_json(const json_t *json, struct destination *destination, struct df_err *err)
	__attribute__((warn_unused_result));

/* The text that destination_parse reads, of at most DESTINATION_MAX characters. To be freed; NULL without memory. */
char *destination_text(const struct destination *destination) __attribute__((warn_unused_result));

/* How an event ended. */
struct destination_outcome {
	const struct queue_event *event;
	const char *function_arn, *executed_version;
	enum queue_reason reason; /* QUEUE_ALIVE: success */
	unsigned int invocations; /* how often it was tried */
	unsigned int status; /* of the last one; 0: there was none, and what follows is left out */
	const char *function_error; /* "Unhandled", ...; NULL: none */
	const void *reply; /* or NULL */
	size_t reply_bytes;
	uint64_t now_ms; /* since 1970 */
};

/*
 * Appends the record, JSON. Payloads that are JSON are put in as they are, others as a JSON string, and if they are no UTF-8 as
 * {"base64": "..."}; those that are larger than DESTINATION_PAYLOAD_MAX then are {"omitted": BYTES}. Memory: record->failed.
 */
void destination_record(struct df_str *record, const struct destination_outcome *outcome);

/* What is sent there: the reply itself, or the record. A file or an object of a function that succeeded holds what the function made. */
bool destination_takes_reply(const struct destination *destination, bool success);

/*
 * An attribute of events that a function's result caused: through how many functions it came. The one that has gone through DESTINATION_HOPS_MAX causes
 * none any more.
 */
#define DESTINATION_HOPS "dayfly.hops"
#define DESTINATION_HOPS_MAX 8u

/* An attribute of a delivery: the content type of the reply that is its body. */
#define DESTINATION_REPLY_TYPE "dayfly.reply-type"

/*
 * Describes the event that brings `body` (see above) there. `text` is the destination's text (for deliveries) and *event the event that has ended; all is
 * borrowed, by *next too.
 */
void destination_next(const struct destination *destination, const char *text,
	const struct queue_event *event, const void *body, size_t body_bytes,
	struct queue_event_new *next);

/* A range of addresses; IPv4 ones as they are mapped into IPv6 (::ffff:a.b.c.d). */
struct destination_network {
	struct in6_addr address;
	unsigned int bits;
};

/* "10.1.0.0/16", "127.0.0.1", "fd00::/8". Returns 0 or -EINVAL. */
int destination_network_parse(const char *text, struct destination_network *network)
	__attribute__((warn_unused_result));

struct destination_settings {
	int directory_fd; /* below which files with relative names are written; -1: none, they are refused */
	const struct destination_network
		*allowed; /* addresses that webhooks may reach although they are not public */
	size_t allowed_count;
	unsigned int timeout_ms; /* of a webhook; 0: DESTINATION_TIMEOUT_MS */
	/* Puts the delivery's body as an object. Returns 0 or -errno with *err set; NULL: objects are refused. */
	int (*put_object)(const char *bucket, const char *key, const struct queue_event *event,
		struct df_err *err);
};

/* May a webhook connect to this address (AF_INET, AF_INET6)? */
bool destination_address_ok(const struct destination_settings *settings,
	const struct sockaddr *address);

/* Once per process, before threads. Returns 0 or -ENOMEM. */
int destination_init(void) __attribute__((warn_unused_result));
void destination_deinit(void);

enum destination_result {
	DESTINATION_DELIVERED,
	DESTINATION_LATER, /* it failed, and may work later: queue_retry, QUEUE_THROTTLED */
	DESTINATION_REFUSED, /* it will not work: queue_dead, QUEUE_REFUSED */
};

/*
 * Delivers the body of a QUEUE_DELIVERY to its target. Blocks, up to the timeout for a webhook. *err says what went wrong unless it is DELIVERED; *status is the webhook's
 * HTTP status, or 0. The same delivery may come twice: files are replaced, webhooks get the request id in x-dayfly-request-id.
 */
enum destination_result destination_deliver(const struct destination_settings *settings,
	const struct queue_event *event, unsigned int *status, struct df_err *err);

#endif
