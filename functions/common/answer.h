/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How prebuilt functions answer. In a microVM: df_reply(). As a filter on plain Linux: the body on standard output and exit status 0,
 * or a message on standard error and exit status 1. One thread.
 */
#ifndef FUNCTIONS_COMMON_ANSWER_H
#define FUNCTIONS_COMMON_ANSWER_H

#include <dayfly.h>
#include <stddef.h>

#define FAILURE_TEXT 240

/* Why an event cannot be answered: a status of HTTP, and a sentence for its sender. status 0: nothing has failed. */
struct failure {
	int status;
	char text[FAILURE_TEXT];
};

/* Fills *failure, unless it says something already: the first reason counts. Returns -1. */
int fail(struct failure *failure, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * The reply: `type` is its content type, `more` NULL or names and values of further attributes, NULL at the end (8 at most). Returns
 * the program's exit status.
 */
int answer_body(const struct df_event_view *event, const char *type, const char *const *more,
	const void *body, size_t bytes);

/* The reply to an event that cannot be answered: {"error": {"message": ...}}. Returns the program's exit status. */
int answer_failure(const struct df_event_view *event, const char *program,
	const struct failure *failure);

#endif
