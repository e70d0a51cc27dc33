/* SPDX-License-Identifier: Apache-2.0 */
/* Dead letters, on the local face: see docs/reference-http.md. */
#include "daemon/http/faces.h"

#include "daemon/event/async.h"
#include "daemon/clock.h"
#include "host/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 100u

static const char *reason_text(enum queue_reason reason)
{
	switch (reason) {
	case QUEUE_RETRIES_EXHAUSTED:
		return "RetriesExhausted";
	case QUEUE_AGE_EXCEEDED:
		return "EventAgeExceeded";
	default:
		return "Refused";
	}
}

static json_t *describe(const struct queue_event *event)
{
	char put[CLOCK_TEXT_BYTES], dead[CLOCK_TEXT_BYTES];

	return json_pack("{s:I, s:s, s:s, s:s*, s:s, s:i, s:s*, s:s, s:s, s:I}", "id",
		(json_int_t)event->id, "function", event->function, "request_id", event->request_id,
		"target", event->target, "reason", reason_text(event->reason), "attempts",
		(int)event->attempts, "error", event->error, "accepted",
		clock_text(event->put_ms, put), "given_up", clock_text(event->dead_ms, dead),
		"body_bytes", (json_int_t)event->body_bytes);
}

static enum MHD_Result list(struct request *request)
{
	const char *after = http_query(request, "after");
	struct queue_event *events = calloc(PAGE, sizeof(*events));
	json_t *array = json_array();
	int count = events ? queue_list_dead(async_queue(), http_query(request, "function"),
				     after ? strtoull(after, NULL, 10) : 0, events, PAGE)
			   : -ENOMEM;

	for (int i = 0; i < count; i++) {
		(void)json_array_append_new(array, describe(&events[i]));
		queue_event_free(&events[i]);
	}
	free(events);
	if (count >= 0)
		return http_send_json(request, MHD_HTTP_OK, json_pack("{s:o}", "dead", array));
	json_decref(array);
	return http_send_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "Failed",
		"dead letters cannot be read: %s", df_errno_text(count));
}

/* Answers for a call on a letter that returned `error`. */
static enum MHD_Result answer(struct request *request, int error)
{
	if (error == -ENOENT)
		return http_send_error(request, MHD_HTTP_NOT_FOUND, "NotFound",
			"there is no dead letter %s", request->part[0]);
	if (error)
		return http_send_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "Failed", "%s",
			df_errno_text(error));
	return http_send_empty(request, MHD_HTTP_NO_CONTENT);
}

static uint64_t number(const struct request *request)
{
	return strtoull(request->part[0], NULL, 10);
}

static enum MHD_Result body(struct request *request)
{
	struct queue_event event = {0};
	int error = queue_read(async_queue(), number(request), &event);
	enum MHD_Result result;

	if (!error && event.reason == QUEUE_ALIVE)
		error = -ENOENT;
	result = error ? answer(request, error)
		       : http_send_text(request, MHD_HTTP_OK, "application/octet-stream",
				 event.body ? event.body : "", event.body_bytes);
	queue_event_free(&event);
	return result;
}

static enum MHD_Result replay(struct request *request)
{
	return answer(request, queue_replay(async_queue(), number(request)));
}

static enum MHD_Result drop(struct request *request)
{
	return answer(request, queue_delete(async_queue(), number(request)));
}

const struct route face_dead[] = {
	{"GET", "/dead", FACE_LOCAL, list},
	{"GET", "/dead/*", FACE_LOCAL, body},
	{"POST", "/dead/*/replay", FACE_LOCAL, replay},
	{"DELETE", "/dead/*", FACE_LOCAL, drop},
	{0},
};
