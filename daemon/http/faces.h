/* SPDX-License-Identifier: Apache-2.0 */
/* The routing tables, one per file face_*.c. */
#ifndef DAEMON_FACES_H
#define DAEMON_FACES_H

#include "daemon/dispatch/dispatch.h"
#include "daemon/http/http.h"

extern const struct route face_invoke[]; /* /fn/NAME, /metrics, /healthz */
extern const struct route face_routes[]; /* paths that triggers name; the last table */
extern const struct route face_manage[]; /* the management of docs/reference-http.md */

extern const struct route face_stats[]; /* what lives and happens now, on the local face */

extern const struct route face_dead[]; /* dead letters, on the local face */

/* What /stop calls; the program's main. */
void daemon_stop(void);

/* When the daemon started (clock_now_ns). */
extern uint64_t daemon_started_ns;

/* Attributes of an HTTP request: http.*, and CloudEvents' in binary mode (face_attributes.c). `rest` is the target behind the function's name. */
void face_attributes(const struct request *request, const char *function, const char *rest,
	struct df_str *attributes);

/*
 * A CloudEvent in structured mode: its attributes are appended, its data becomes *body (to be freed with free). Returns 0, or -EINVAL with *err set.
 */
int face_structured(const struct request *request, const void *bytes, size_t length,
	struct df_str *attributes, void **body, size_t *body_bytes, struct df_err *err)
	__attribute__((warn_unused_result));

/* Is the request such an event? */
bool face_is_structured(const struct request *request);

/* May a header of this name be carried on to the other side? */
bool face_end_to_end(const char *name, size_t length);

/* Takes "NAME" or "NAME:QUALIFIER" apart; the qualifier is empty without one. False: it is no name. */
bool face_name(const char *text, size_t length, char name[FUNCTION_NAME_MAX + 1],
	char qualifier[129]);

#endif
