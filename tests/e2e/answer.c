/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An event program for tests/e2e/platform: what it answers, and how it fails, is said by the attribute path, or else http.path.
 *
 *	/attributes     the event's attributes, a line each
 *	/status/N       status N
 *	/headers        headers that may be set, and such that may not
 *	/inject         a header with a line break in it
 *	/variable/NAME  a variable of the environment
 *	/count          how many events this instance has had
 *	/fifth          the body; the fifth event of an instance ends the program
 *	/stdin          the body, as standard input has it
 *	/thread         starts a thread that counts milliseconds; /thread/on says whether it goes on
 *	/file/PATH      what the file of the root holds, or nothing
 *	/exit/N, /abort, /spin, /sleep/MS, /log, /large
 *	anything else   the body
 *
 * The attribute lambda.client-context is base64: "ZXhpdA==" (exit) and "c3Bpbg==" (spin).
 */
#include <dayfly.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void sleep_ms(long ms)
{
	const struct timespec time = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&time, NULL);
}

static volatile unsigned milliseconds;

static void *count_time(void *unused)
{
	(void)unused;
	for (;; milliseconds++)
		sleep_ms(1);
	return NULL;
}

static int answer_thread(const char *ms)
{
	unsigned before = milliseconds;
	pthread_t thread;

	if (!*ms && pthread_create(&thread, NULL, count_time, NULL))
		return 1;
	/* On a busy machine it may have its turn late. */
	for (int i = 0; i < 400 && milliseconds == before; i++)
		sleep_ms(1);
	printf("%s", milliseconds > before ? "goes on" : "stands");
	return 0;
}

static int answer_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char buffer[4096];
	size_t got = file ? fread(buffer, 1, sizeof(buffer), file) : 0;

	if (file)
		fclose(file);
	return df_reply(200, NULL, buffer, got);
}

static int answer_stdin(void)
{
	char buffer[4096];
	ssize_t got;

	while ((got = read(0, buffer, sizeof(buffer))) > 0)
		fwrite(buffer, 1, (size_t)got, stdout);
	return got < 0;
}

static void print_attributes(const struct df_event_view *event)
{
	const char *value;

	for (const char *name = NULL; (name = df_next_attribute(event, name, &value));)
		printf("%s=%s\n", name, value);
}

static int answer(const struct df_event_view *event, const char *path)
{
	static const char *const headers[] = {"content-type", "text/x-test", "http.header.x-answer",
		"yes", "http.header.connection", "close", "http.header.content-length", "7",
		"http.header.x-dayfly-request-id", "forged", NULL};
	static const char *const inject[] = {"http.header.x-a", "b\r\nx-injected: yes", NULL};

	if (strcmp(path, "/headers") == 0)
		return df_reply(201, headers, "made", 4);
	if (strcmp(path, "/inject") == 0)
		return df_reply(200, inject, "body", 4);
	if (strncmp(path, "/file/", 6) == 0)
		return answer_file(path + 5);
	if (strncmp(path, "/variable/", 10) == 0)
		return df_reply(200, NULL, getenv(path + 10), strlen(getenv(path + 10)));
	if (strncmp(path, "/status/", 8) == 0)
		return df_reply(atoi(path + 8), NULL, "status", 6);
	if (strncmp(path, "/exit/", 6) == 0)
		exit(atoi(path + 6));
	if (strcmp(path, "/abort") == 0)
		abort();
	while (strcmp(path, "/spin") == 0)
		;
	if (strncmp(path, "/sleep/", 7) == 0)
		sleep_ms(atol(path + 7));
	if (strcmp(path, "/log") == 0)
		df_log("said: %.*s", (int)event->body_bytes, (const char *)event->body);
	if (strcmp(path, "/large") == 0) {
		memset(event->reply, 'x', event->reply_max);
		return df_reply(200, NULL, event->reply, event->reply_max);
	}
	return df_reply(0, NULL, event->body, event->body_bytes);
}

static void obey_context(const char *context)
{
	if (context && strcmp(context, "ZXhpdA==") == 0) {
		df_log("asked to exit");
		exit(3);
	}
	if (context && strcmp(context, "c3Bpbg==") == 0) {
		df_log("asked to spin");
		for (;;)
			;
	}
}

int main(void)
{
	struct df_event_view event;
	unsigned count = 0;

	while (df_next_event(&event) > 0) {
		const char *path = df_attribute(&event, "path");

		path = path ? path : df_attribute(&event, "http.path");
		count++;
		if (path && strcmp(path, "/fifth") == 0 && count == 5)
			exit(0);
		obey_context(df_attribute(&event, "lambda.client-context"));
		if (path && strcmp(path, "/attributes") == 0)
			print_attributes(&event);
		else if (path && strcmp(path, "/count") == 0)
			printf("%u", count);
		else if (path && strcmp(path, "/stdin") == 0 && answer_stdin())
			return 1;
		else if (path && strncmp(path, "/thread", 7) == 0 && answer_thread(path + 7))
			return 1;
		else if (path && (strcmp(path, "/stdin") == 0 || strncmp(path, "/thread", 7) == 0))
			continue;
		else if (answer(&event, path ? path : ""))
			return 1;
	}
	return 0;
}
