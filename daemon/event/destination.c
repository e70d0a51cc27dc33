/* SPDX-License-Identifier: Apache-2.0 */
/* Destinations, as texts and as records: see destination.h. */
#include "daemon/event/destination_private.h"

#include "host/cleanup.h"
#include "host/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REPLY_PREFIX "reply:"
#define NAME_MAX_LENGTH 64
#define QUALIFIER_MAX_LENGTH 128
#define DELIVERY_ATTEMPTS 12

/* --- texts --- */

static bool word_ok(const char *text, size_t length, size_t max)
{
	static const char *const allowed =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-$";

	return length > 0 && length <= max && strspn(text, allowed) >= length;
}

/* NAME or NAME:QUALIFIER */
static bool function_ok(const char *text)
{
	size_t name = strcspn(text, ":");

	if (!word_ok(text, name, NAME_MAX_LENGTH) || memchr(text, '$', name))
		return false;
	return !text[name] ||
		word_ok(text + name + 1, strlen(text + name + 1), QUALIFIER_MAX_LENGTH);
}

/* Behind "arn:PARTITION:lambda:REGION:ACCOUNT:function:", or NULL. */
static const char *arn_function(const char *text)
{
	for (int part = 0; part < 6; part++) {
		size_t length = strcspn(text, ":");

		if (!text[length] || (part == 0 && strncmp(text, "arn:", 4) != 0) ||
			(part == 2 && strncmp(text, "lambda:", 7) != 0) ||
			(part == 5 && strncmp(text, "function:", 9) != 0))
			return NULL;
		text += length + 1;
	}
	return text;
}

static int make(enum destination_kind kind, const char *value, struct destination *destination,
	struct df_err *err)
{
	static const struct {
		bool (*ok)(const char *value);
		const char *what;
	} kinds[] = {
		[DESTINATION_FUNCTION] = {function_ok,
			"a function's name, perhaps with :QUALIFIER"},
		[DESTINATION_WEBHOOK] = {destination_url_ok,
			"an http or https URL without user and password"},
		[DESTINATION_FILE] = {destination_file_ok,
			"a file name without '..' and hidden parts, perhaps with words such as {function}, {id} and {date}"},
		[DESTINATION_OBJECT] = {destination_object_ok,
			"BUCKET/KEY, with words such as {key.stem}, {id} and {date} in the key alone"},
	};
	size_t length = strlen(value);

	/* Room for what destination_text puts before it. */
	if (length > DESTINATION_MAX - sizeof(REPLY_PREFIX "function:") || !kinds[kind].ok(value))
		return df_err_set(err, -EINVAL,
			"the destination '%.100s' is not valid: it must be %s", value,
			kinds[kind].what);
	destination->kind = kind;
	destination->reply = false;
	memcpy(destination->value, value, length + 1);
	return 0;
}

static int make_reply(struct destination *destination, struct df_err *err)
{
	if (destination->kind != DESTINATION_FUNCTION && destination->kind != DESTINATION_WEBHOOK)
		return df_err_set(err, -EINVAL,
			"only a function or a webhook can have the reply instead of the record");
	destination->reply = true;
	return 0;
}

int destination_parse(const char *text, struct destination *destination, struct df_err *err)
{
	const char *function = arn_function(text);

	if (df_starts_with(text, REPLY_PREFIX)) {
		text += strlen(REPLY_PREFIX);
		if (df_starts_with(text, REPLY_PREFIX))
			return df_err_set(err, -EINVAL, "the destination says reply: twice");
		return destination_parse(text, destination, err) ? -EINVAL
								 : make_reply(destination, err);
	}
	if (function || df_starts_with(text, "function:"))
		return make(DESTINATION_FUNCTION, function ? function : text + 9, destination, err);
	if (df_starts_with(text, "file:"))
		return make(DESTINATION_FILE, text + 5, destination, err);
	if (df_starts_with(text, "object:"))
		return make(DESTINATION_OBJECT, text + 7, destination, err);
	if (df_starts_with(text, "http://") || df_starts_with(text, "https://"))
		return make(DESTINATION_WEBHOOK, text, destination, err);
	return df_err_set(err, -EINVAL,
		"the destination '%.100s' is not known: it must be function:NAME, the ARN of a function, an http or https URL, file:NAME, or object:BUCKET/KEY",
		text);
}

int destination_parse_json(const json_t *json, struct destination *destination, struct df_err *err)
{
	static const struct {
		const char *key;
		enum destination_kind kind;
	} keys[] = {
		{"function", DESTINATION_FUNCTION},
		{"webhook", DESTINATION_WEBHOOK},
		{"file", DESTINATION_FILE},
		{"object", DESTINATION_OBJECT},
	};

	const char *body = json_string_value(json_object_get(json, "body"));

	if (body && strcmp(body, "reply") != 0 && strcmp(body, "record") != 0)
		return df_err_set(err, -EINVAL, "a destination's body is record or reply");
	if (json_is_string(json) && strlen(json_string_value(json)) == json_string_length(json))
		return destination_parse(json_string_value(json), destination, err);
	for (size_t i = 0;
		i < sizeof(keys) / sizeof(keys[0]) && json_object_size(json) == (body ? 2 : 1);
		i++) {
		const json_t *value = json_object_get(json, keys[i].key);

		if (json_is_string(value) &&
			strlen(json_string_value(value)) == json_string_length(value)) {
			if (make(keys[i].kind, json_string_value(value), destination, err))
				return -EINVAL;
			return body && strcmp(body, "reply") == 0 ? make_reply(destination, err)
								  : 0;
		}
	}
	return df_err_set(err, -EINVAL,
		"a destination is a text, or an object with one of the keys 'function', 'webhook', 'file' and 'object'");
}

char *destination_text(const struct destination *destination)
{
	static const char *const prefixes[] = {
		[DESTINATION_FUNCTION] = "function:",
		[DESTINATION_WEBHOOK] = "",
		[DESTINATION_FILE] = "file:",
		[DESTINATION_OBJECT] = "object:",
	};

	return df_format("%s%s%s", destination->reply ? REPLY_PREFIX : "",
		prefixes[destination->kind], destination->value);
}

/* --- records --- */

static void add_time(struct df_str *record, const char *key, uint64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	char date[32] = "", text[48];
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%03uZ", date, (unsigned int)(ms % 1000));
	df_json_text(record, key, text);
}

/* {"base64": "..."} */
static void add_base64(struct df_str *record, const unsigned char *bytes, size_t length)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	df_str_add(record, "{\"base64\":\"");
	for (size_t i = 0; i < length; i += 3) {
		size_t left = length - i;
		uint32_t group = (uint32_t)bytes[i] << 16 |
			(left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
			(left > 2 ? bytes[i + 2] : 0);
		const char four[4] = {letters[group >> 18], letters[group >> 12 & 63],
			left > 1 ? letters[group >> 6 & 63] : '=',
			left > 2 ? letters[group & 63] : '='};

		df_str_add_bytes(record, four, sizeof(four));
	}
	df_str_add(record, "\"}");
}

static bool is_json(const char *bytes, size_t length)
{
	json_t *json = json_loadb(bytes, length,
		JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
	bool good = json != NULL;

	json_decref(json);
	return good;
}

/* As a JSON string, or in base64 if it is no UTF-8. */
static void add_bytes(struct df_str *record, const char *bytes, size_t length)
{
	json_t *text = json_stringn(bytes, length);
	char *dumped = text ? json_dumps(text, JSON_ENCODE_ANY) : NULL;

	if (dumped)
		df_str_add(record, dumped);
	else
		add_base64(record, (const unsigned char *)bytes, length);
	free(dumped);
	json_decref(text);
}

static void add_payload(struct df_str *record, const char *key, const char *bytes, size_t length)
{
	size_t start, given = length;

	df_str_addf(record, ",\"%s\":", key);
	start = record->length;
	/* A comma is put after it by what follows, unless it ends in a new line. */
	while (length > 0 && strchr(" \t\r\n", bytes[length - 1]) && bytes[length - 1])
		length--;
	if (length == 0)
		df_str_add(record, "null");
	else if (is_json(bytes, length))
		df_str_add_bytes(record, bytes, length);
	else
		add_bytes(record, bytes, length);
	/* A record must fit the queue, or the event that it tells of would never end. */
	if (!record->failed && record->length - start > DESTINATION_PAYLOAD_MAX) {
		df_str_cut(record, start);
		df_str_addf(record, "{\"omitted\":%zu}", given);
	}
}

static const char *condition(enum queue_reason reason)
{
	if (reason == QUEUE_ALIVE)
		return "Success";
	return reason == QUEUE_AGE_EXCEEDED ? "EventAgeExceeded" : "RetriesExhausted";
}

void destination_record(struct df_str *record, const struct destination_outcome *outcome)
{
	const struct queue_event *event = outcome->event;

	df_json_open(record, NULL, '{');
	df_json_text(record, "version", "1.0");
	add_time(record, "timestamp", outcome->now_ms);
	df_json_open(record, "requestContext", '{');
	df_json_text(record, "requestId", event->request_id);
	df_json_text(record, "functionArn", outcome->function_arn);
	df_json_text(record, "condition", condition(outcome->reason));
	df_json_number(record, "approximateInvokeCount", outcome->invocations);
	df_json_close(record, '}');
	add_payload(record, "requestPayload", event->body ? event->body : "",
		event->body ? event->body_bytes : 0);
	if (outcome->status) {
		df_json_open(record, "responseContext", '{');
		df_json_number(record, "statusCode", outcome->status);
		df_json_text(record, "executedVersion", outcome->executed_version);
		if (outcome->function_error)
			df_json_text(record, "functionError", outcome->function_error);
		df_json_close(record, '}');
		add_payload(record, "responsePayload", outcome->reply ? outcome->reply : "",
			outcome->reply ? outcome->reply_bytes : 0);
	}
	df_json_close(record, '}');
}

bool destination_takes_reply(const struct destination *destination, bool success)
{
	return success &&
		(destination->reply || destination->kind == DESTINATION_FILE ||
			destination->kind == DESTINATION_OBJECT);
}

void destination_next(const struct destination *destination, const char *text,
	const struct queue_event *event, const void *body, size_t body_bytes,
	struct queue_event_new *next)
{
	bool to_function = destination->kind == DESTINATION_FUNCTION;
	/* Words of its name. */
	bool named =
		destination->kind == DESTINATION_FILE || destination->kind == DESTINATION_OBJECT;

	*next = (struct queue_event_new){
		.kind = to_function ? QUEUE_EVENT : QUEUE_DELIVERY,
		.function = to_function ? destination->value : event->function,
		.request_id = event->request_id,
		.target = to_function ? NULL : text,
		.attributes = named ? event->attributes : NULL,
		.attribute_bytes = named ? event->attribute_bytes : 0,
		.body = body,
		.body_bytes = body_bytes,
		.attempts_max = to_function ? 0 : DELIVERY_ATTEMPTS,
	};
}

enum destination_result destination_deliver(const struct destination_settings *settings,
	const struct queue_event *event, unsigned int *status, struct df_err *err)
{
	struct destination destination;

	*status = 0;
	if (destination_parse(event->target ? event->target : "", &destination, err) < 0)
		return DESTINATION_REFUSED;
	switch (destination.kind) {
	case DESTINATION_WEBHOOK:
		return destination_post(settings, destination.value, event, status, err);
	case DESTINATION_FILE:
		return destination_write_file(settings, destination.value, event, err);
	case DESTINATION_OBJECT:
		return destination_put_object(settings, destination.value, event, err);
	default:
		df_err_set(err, -EINVAL, "an event for a function is no delivery");
		return DESTINATION_REFUSED;
	}
}
