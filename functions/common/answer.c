/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of prebuilt functions: see answer.h. */
#include "functions/common/answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MORE_MAX 8

int fail(struct failure *failure, int status, const char *format, ...)
{
	va_list args;

	if (failure->status)
		return -1;
	failure->status = status;
	va_start(args, format);
	vsnprintf(failure->text, sizeof(failure->text), format, args);
	va_end(args);
	return -1;
}

static int write_out(const char *at, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(STDOUT_FILENO, at, bytes);

		if (n <= 0) {
			perror("standard output");
			return 1;
		}
		at += n;
		bytes -= (size_t)n;
	}
	return 0;
}

int answer_body(const struct df_event_view *event, const char *type, const char *const *more,
	const void *body, size_t bytes)
{
	const char *attributes[2 + 2 * MORE_MAX + 1] = {
		"datacontenttype", type, "http.header.content-type", type};
	size_t count = 4;

	if (event->plain)
		return write_out(body, bytes);
	for (; more && more[count - 4] && count < sizeof(attributes) / sizeof(attributes[0]) - 1;
		count++)
		attributes[count] = more[count - 4];
	attributes[count] = NULL;
	if (df_reply(200, attributes, body, bytes)) {
		perror("df_reply");
		return 1;
	}
	return 0;
}

/* In place: text becomes what may stand between the quotes of JSON. Bytes beyond ASCII come from nobody's text but ours. */
static size_t add_json(char *into, size_t size, const char *text)
{
	size_t n = 0;

	for (; *text && n + 3 < size; text++) {
		if (*text == '"' || *text == '\\')
			into[n++] = '\\';
		into[n++] = *text >= ' ' && *text < 127 ? *text : '?';
	}
	into[n] = 0;
	return n;
}

int answer_failure(const struct df_event_view *event, const char *program,
	const struct failure *failure)
{
	static const char *const attributes[] = {"datacontenttype", "application/json",
		"http.header.content-type", "application/json", NULL};
	char json[2 * FAILURE_TEXT + 64], escaped[2 * FAILURE_TEXT];
	int length;

	if (event->plain) {
		fprintf(stderr, "%s: %s\n", program, failure->text);
		return 1;
	}
	add_json(escaped, sizeof(escaped), failure->text);
	length = snprintf(json, sizeof(json), "{\"error\":{\"message\":\"%s\"}}\n", escaped);
	df_log("%d: %s", failure->status, failure->text);
	return df_reply(failure->status, attributes, json, (size_t)length) ? 1 : 0;
}
