// SPDX-License-Identifier: Apache-2.0
/*
 * libdayfly: see dayfly.h. In a microVM with events the kernel answers prctl(DF_PRCTL) (dayfly/sdk.h);
 * where it answers EINVAL we are on plain Linux, and one event is made of standard input.
 *
 * The object must link with glibc and with musl: nothing here may be a symbol of only one of them.
 */
#include "dayfly.h"

#include <dayfly/sdk.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define PREFIX "DF_ATTRIBUTE_"
#define ATTRIBUTES_MAX 65536u
#define PLAIN_REPLY_MAX \
	(256u << 20) /* room that an event on plain Linux has, taken as it is written ... */
#define PLAIN_REPLY_LEAST (1u << 20) /* ... and what it has where memory is short */
#define READ_FIRST 65536u

extern char **environ;

static enum { NOT_ASKED, IN_GUEST, PLAIN } place;
static size_t reply_max;

/* --- plain Linux --- */

/* All of standard input, in memory that is never freed. */
static int read_all(const void **body, size_t *bytes)
{
	size_t room = READ_FIRST, have = 0;
	char *at = malloc(room);

	while (at) {
		ssize_t n = read(0, at + have, room - have);
		char *larger;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			*body = at;
			*bytes = have;
			return n < 0 ? -1 : 0;
		}
		have += (size_t)n;
		if (have < room)
			continue;
		room *= 2;
		larger = realloc(at, room);
		if (!larger)
			free(at);
		at = larger;
	}
	errno = ENOMEM;
	return -1;
}

/* DF_ATTRIBUTE_CONTENT_TYPE=text/plain becomes "content-type\0text/plain\0". */
static int read_environment(const char **attributes, size_t *bytes)
{
	const size_t prefix = sizeof(PREFIX) - 1;
	size_t room = 1;
	char *at;

	for (char **e = environ; e && *e; e++)
		if (!strncmp(*e, PREFIX, prefix))
			room += strlen(*e) + 1;
	at = malloc(room);
	if (!at)
		return -1;
	*attributes = at;
	for (char **e = environ; e && *e; e++) {
		const char *s = *e + prefix;

		if (strncmp(*e, PREFIX, prefix) || *s == '=' || !strchr(s, '='))
			continue;
		for (; *s != '='; s++)
			*at++ = (char)(*s == '_' ? '-' : *s >= 'A' && *s <= 'Z' ? *s | 0x20 : *s);
		*at++ = 0;
		strcpy(at, s + 1);
		at += strlen(at) + 1;
	}
	*bytes = (size_t)(at - *attributes);
	return 0;
}

static int plain_event(struct df_event_view *event)
{
	struct df_event_view e = {.number = 1, .reply_max = PLAIN_REPLY_MAX, .plain = 1};

	if (place == PLAIN)
		return 0;
	do {
		e.reply = mmap(NULL, e.reply_max, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	} while (e.reply == MAP_FAILED && (e.reply_max /= 2) >= PLAIN_REPLY_LEAST);
	if (e.reply == MAP_FAILED || read_all(&e.body, &e.body_bytes) ||
		read_environment(&e.attributes, &e.attribute_bytes))
		return -1;
	*event = e;
	place = PLAIN;
	return 1;
}

static int write_all(int fd, const char *at, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(fd, at, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		at += n;
		bytes -= (size_t)n;
	}
	return 0;
}

/* Status and attributes have no other place to go to: a line of the log. */
static int plain_reply(const struct df_sdk_reply *reply)
{
	const char *at = (const char *)reply->attributes, *end = at + reply->attribute_bytes;

	if (reply->status)
		df_log("reply status %u", reply->status);
	while (at < end) {
		const char *value = at + strlen(at) + 1;

		df_log("reply %s: %s", at, value);
		at = value + strlen(value) + 1;
	}
	if (!(reply->flags & DF_REPLY_BODY))
		return 0;
	return write_all(1, (const char *)reply->body, reply->body_bytes);
}

/* --- both --- */

int df_next_event(struct df_event_view *event)
{
	struct df_sdk_event e;

	fflush(stdout);
	if (place == PLAIN)
		return 0;
	memset(&e, 0, sizeof(e));
	if (prctl(DF_PRCTL, DF_PRCTL_NEXT_EVENT, &e, sizeof(e), 0)) {
		int r = place == NOT_ASKED && errno == EINVAL ? plain_event(event) : -1;

		if (r > 0)
			reply_max = event->reply_max;
		return r;
	}
	place = IN_GUEST;
	reply_max = e.reply_max;
	*event = (struct df_event_view){
		.number = e.number,
		.body = (const void *)e.body,
		.body_bytes = e.body_bytes,
		.attributes = (const char *)e.attributes,
		.attribute_bytes = e.attribute_bytes,
		.reply = (void *)e.reply,
		.reply_max = e.reply_max,
	};
	return 1;
}

const char *df_next_attribute(const struct df_event_view *event, const char *name,
	const char **value)
{
	const char *end = event->attributes + event->attribute_bytes, *at = event->attributes;

	/* Behind a name comes its value, and then the next name. */
	for (int skip = 0; name && skip < 2; skip++) {
		at = skip ? at : name;
		at += strnlen(at, (size_t)(end - at));
		at += at < end;
	}
	if (at >= end)
		return NULL;
	name = at;
	at = memchr(at, 0, (size_t)(end - at));
	/* Pairs are whole; an event that is not so ends here. */
	if (!at || ++at == end || !memchr(at, 0, (size_t)(end - at)))
		return NULL;
	if (value)
		*value = at;
	return name;
}

const char *df_attribute(const struct df_event_view *event, const char *name)
{
	const char *value, *at = NULL;

	while ((at = df_next_attribute(event, at, &value)))
		if (!strcmp(at, name))
			return value;
	return NULL;
}

/* Joins "name", "value", ..., NULL to one block, which the caller frees. 0, -1 with errno. */
static int join(const char *const *attributes, char **block, size_t *bytes)
{
	size_t count = 0, room = 0;
	char *at;

	for (; attributes[count]; count++) {
		size_t n = strlen(attributes[count]) + 1;

		if (count % 2 == 0 && n == 1) {
			errno = EINVAL;
			return -1;
		}
		if (n > ATTRIBUTES_MAX - room) {
			errno = E2BIG;
			return -1;
		}
		room += n;
	}
	if (count % 2) {
		errno = EINVAL;
		return -1;
	}
	at = malloc(room + 1);
	if (!at)
		return -1;
	*block = at;
	*bytes = room;
	for (size_t i = 0; i < count; i++) {
		strcpy(at, attributes[i]);
		at += strlen(at) + 1;
	}
	return 0;
}

int df_reply(int status, const char *const *attributes, const void *body, size_t body_bytes)
{
	struct df_sdk_reply reply = {.status = (uint32_t)status};
	char *block = NULL;
	size_t bytes = 0;
	int r, kept;

	if (status && (status < 100 || status > 599)) {
		errno = EINVAL;
		return -1;
	}
	if (place == NOT_ASKED) {
		errno = EAGAIN;
		return -1;
	}
	if (body && body_bytes > reply_max) {
		errno = E2BIG;
		return -1;
	}
	if (attributes && join(attributes, &block, &bytes))
		return -1;
	reply.attributes = (uint64_t)block;
	reply.attribute_bytes = bytes;
	if (body) {
		reply.flags = DF_REPLY_BODY;
		reply.body = (uint64_t)body;
		reply.body_bytes = body_bytes;
	}
	/* What was printed before comes before. */
	fflush(stdout);
	r = place == PLAIN ? plain_reply(&reply)
			   : prctl(DF_PRCTL, DF_PRCTL_REPLY, &reply, sizeof(reply), 0);
	kept = errno;
	free(block);
	errno = kept;
	return r ? -1 : 0;
}

void df_log(const char *format, ...)
{
	char line[1024], *text = line;
	int n, kept = errno;
	va_list args, again;

	va_start(args, format);
	va_copy(again, args);
	n = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	if (n >= (int)sizeof(line) - 1) {
		text = malloc((size_t)n + 2);
		if (text)
			vsnprintf(text, (size_t)n + 1, format, again);
		else {
			text = line;
			n = (int)sizeof(line) - 2;
		}
	}
	va_end(again);
	if (n >= 0) {
		/* One write, so that lines of threads do not mix. */
		if (!n || text[n - 1] != '\n')
			text[n++] = '\n';
		write_all(2, text, (size_t)n);
	}
	if (text != line)
		free(text);
	errno = kept;
}
