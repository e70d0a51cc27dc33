/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dayfly.h: for programs that want the event itself. Link with libdayfly.a (glibc or musl).
 *
 *	int main(void)
 *	{
 *		struct df_event_view event;
 *
 *		prepare();                        frozen with the program, done once
 *		while (df_next_event(&event) > 0)  here it is frozen, and thawed for every event
 *			df_reply(200, NULL, event.body, event.body_bytes);
 *		return 0;
 *	}
 *
 * Each event is answered by a pristine copy of the program, so the loop never turns twice on dayfly. On
 * plain Linux the same program handles one event: standard input is its body, each environment variable
 * DF_ATTRIBUTE_NAME its attribute "name" (lower case, "_" becomes "-"), and the reply's body goes to
 * standard output.
 *
 * Meant to be called from one thread, except df_log(). See docs/sdk.md.
 */
#ifndef DAYFLY_H
#define DAYFLY_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An event. What it points to can be used until the program ends; only `reply` may be written to. */
struct df_event_view {
	unsigned long long number; /* 1 for the first event of an instance, and so on */
	const void *body;
	size_t body_bytes;
	const char *attributes; /* "name\0value\0" pairs; see df_attribute() */
	size_t attribute_bytes;
	void *reply; /* room for a reply: a body that is built here is not copied by df_reply() */
	size_t reply_max; /* bytes that a reply may have */
	int plain; /* 1 on plain Linux, where the event was made of standard input; else 0 */
};

/*
 * Waits for the next event. 1: *event is filled. 0: there is none any more (on plain Linux after the
 * first; on dayfly the program ends here instead, with status 0 and without its atexit functions). -1:
 * error, see errno. Flushes standard output first, as the end of a program does.
 */
int df_next_event(struct df_event_view *event);

/* The value of an attribute, or NULL when the event has none of that name. */
const char *df_attribute(const struct df_event_view *event, const char *name);

/*
 * All attributes in turn: the next name behind one that this function gave (NULL: the first), or NULL at
 * the end. *value becomes its value, unless `value` is NULL.
 */
const char *df_next_attribute(const struct df_event_view *event, const char *name,
	const char **value);

/*
 * Answers the event. The last answer counts; what a program writes to standard output afterwards follows
 * the body.
 *
 * status      100 to 599 as in HTTP, or 0: none
 * attributes  name, value, name, value, ..., NULL; or NULL for none
 * body        or NULL: the reply is what standard output got
 *
 * 0, or -1 with errno: EINVAL (status, a name without value, an empty name), E2BIG (attributes of more
 * than 64 KiB, body of more than reply_max), EAGAIN (there was no event yet), ENOMEM.
 */
int df_reply(int status, const char *const *attributes, const void *body, size_t body_bytes);

/* Writes a line to the event's log (standard error). A line end is added. */
#ifdef __GNUC__
__attribute__((format(printf, 1, 2)))
#endif
void df_log(const char *format, ...);

#ifdef __cplusplus
}
#endif

#endif
