/* SPDX-License-Identifier: Apache-2.0 */
/* `dayfly invoke`: standard input becomes an event, the reply standard output. */
#include "cli/platform/platform.h"

#include "cli/progress.h"
#include "host/cleanup.h"
#include "host/write.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define HEADERS_MAX 128
#define BODY_MAX (1023ull << 20)

struct invoke_options {
	const char *headers[HEADERS_MAX + 8]; /* NULL at the end */
	size_t count;
	bool has_attributes, has_id, has_source, has_type, asynchronous;
};

static int add_header(struct invoke_options *how, char *text, struct df_err *err)
{
	if (!text)
		return df_err_set(err, -ENOMEM, "out of memory");
	if (how->count >= HEADERS_MAX)
		return df_err_set(err, -E2BIG, "there are more than %d attributes", HEADERS_MAX);
	how->headers[how->count++] = text;
	return 0;
}

/* A CloudEvents attribute in binary mode: what HTTP cannot carry is percent-encoded. */
static int add_attribute(struct invoke_options *how, const char *name, int length,
	const char *value, struct df_err *err)
{
	DF_STR struct df_str header = DF_STR_EMPTY;

	df_str_addf(&header, "ce-%.*s: ", length, name);
	for (const char *at = value; *at; at++) {
		if (*at > ' ' && *at < 0x7f && *at != '%' && *at != '"')
			df_str_add_bytes(&header, at, 1);
		else
			df_str_addf(&header, "%%%02x", (unsigned char)*at);
	}
	return add_header(how, df_str_take(&header), err);
}

static int set_attribute(void *into, const char *value, struct df_err *err)
{
	static const char prefix[] = "http.header.";
	struct invoke_options *how = into;
	int length = (int)strcspn(value, "=");

	if (!value[length] || !length)
		return df_err_set(err, -EINVAL, "--attribute %s: write it as NAME=VALUE", value);
	if (df_starts_with(value, prefix)) {
		const char *name = value + sizeof(prefix) - 1;

		if (strpbrk(value, "\r\n") ||
			strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") !=
				strcspn(name, "=") ||
			*name == '=')
			return df_err_set(err, -EINVAL, "--attribute %s is no header", value);
		return add_header(how,
			df_format("%.*s: %s", (int)strcspn(name, "="), name, value + length + 1),
			err);
	}
	if ((int)strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789") != length)
		return df_err_set(err, -EINVAL,
			"--attribute %s: a name is lower-case letters and digits, or http.header.NAME",
			value);
	how->has_attributes = true;
	how->has_id = how->has_id || df_starts_with(value, "id=");
	how->has_source = how->has_source || df_starts_with(value, "source=");
	how->has_type = how->has_type || df_starts_with(value, "type=");
	return add_attribute(how, value, length, value + length + 1, err);
}

static int set_async(void *into, const char *value, struct df_err *err)
{
	(void)value;
	(void)err;
	((struct invoke_options *)into)->asynchronous = true;
	return 0;
}

static const struct flag invoke_flags[] = {
	{"--attribute", "NAME=VALUE", "give the event an attribute", set_attribute},
	{"--async", NULL, "only have the event stored; prints its request id", set_async},
	{0},
};

static const struct page page = {"invoke [FLAGS] NAME < BODY > REPLY",
	"Calls a function: standard input is the event's body, standard output gets the reply.\n"
	"NAME:VERSION or NAME:ALIAS calls one version. Exit status 0 if the function answered\n"
	"(with a status below 400), 1 if it failed, 125 if it could not be called.\n",
	1, 1, WORDS_FUNCTIONS, NULL};

/* An event with attributes has these three, says CloudEvents. */
static int complete_attributes(struct invoke_options *how, struct df_err *err)
{
	uint64_t number = 0;
	char id[20];
	int error = 0;

	if (!how->has_attributes)
		return 0;
	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return df_err_set(err, CLI_FAILED, "no random number: %s", df_errno_text(errno));
	snprintf(id, sizeof(id), "%016llx", (unsigned long long)number);
	error = add_header(how, df_format("ce-specversion: 1.0"), err);
	if (!error && !how->has_id)
		error = add_attribute(how, "id", 2, id, err);
	if (!error && !how->has_source)
		error = add_attribute(how, "source", 6, "dayfly-invoke", err);
	if (!error && !how->has_type)
		error = add_attribute(how, "type", 4, "dayfly.invoke", err);
	return error;
}

static int read_body(struct df_str *body, struct df_err *err)
{
	char block[65536];
	ssize_t got = 0;

	if (isatty(STDIN_FILENO)) {
		dprintf(STDERR_FILENO,
			"dayfly: the event's body is empty; give it one with < FILE\n");
		return 0;
	}
	while (!body->failed && body->length <= BODY_MAX) {
		got = read(STDIN_FILENO, block, sizeof(block));
		if (got == 0 || (got < 0 && errno != EINTR))
			break;
		if (got > 0)
			df_str_add_bytes(body, block, (size_t)got);
	}
	if (got < 0 && errno != EBADF)
		return df_err_set(err, CLI_FAILED, "reading the event's body failed: %s",
			df_errno_text(errno));
	if (body->failed || body->length > BODY_MAX)
		return df_err_set(err, CLI_FAILED, "the event's body is larger than 1023 MiB");
	return 0;
}

/* The daemon's errors are JSON with "error"; all else is the function's reply: 0. */
static int explain_failure(const char *name, const struct client_reply *reply, struct df_err *err)
{
	json_t *json = json_loadb(df_str_text(&reply->body), reply->body.length, 0, NULL);
	const json_t *error = json_object_get(json, "error");
	bool failed = reply->status == 502 || reply->status == 504;
	int status = 0;

	if (json_is_object(error) && failed) {
		df_err_set(err, 1, "%s failed: %s (request %s)", name,
			member_text(error, "message"), member_text(error, "request_id"));
		(void)cli_fail(err, 1);
		err->text[0] = '\0';
		print_last_words(member_text(error, "output"));
		status = 1;
	} else if (json_is_object(error)) {
		status = client_refused(reply, err);
		suggest_function(name, err);
	}
	json_decref(json);
	return status;
}

/* What became of it. 1: the function's own failure. */
static int finish(const struct invoke_options *how, const char *name,
	const struct client_reply *reply, struct df_err *err)
{
	int error;

	if (how->asynchronous && reply->status == 202) {
		json_t *json = json_loadb(df_str_text(&reply->body), reply->body.length, 0, NULL);

		printf("%s\n", member_text(json, "request_id"));
		json_decref(json);
		return fflush(stdout) ? CLI_FAILED : 0;
	}
	if (reply->status >= 400) {
		int status = explain_failure(name, reply, err);

		if (status)
			return status;
	}
	error = df_write(STDOUT_FILENO, df_str_text(&reply->body), reply->body.length);
	if (error)
		return df_err_set(err, CLI_FAILED, "writing the reply failed: %s",
			df_errno_text(error));
	if (reply->status < 400)
		return 0;
	df_err_set(err, 1, "the function answered with status %ld", reply->status);
	return 1;
}

static int invoke(struct invoke_options *how, const char *name, struct df_err *err)
{
	DF_FREE char *path = function_path(name, "/fn/", err);
	DF_STR struct df_str body = DF_STR_EMPTY;
	struct client_request request = {.method = "POST", .path = path, .headers = how->headers};
	struct client_reply reply;
	int status = path ? complete_attributes(how, err) : CLI_FAILED;

	if (!status && how->asynchronous)
		status = add_header(how, df_format("prefer: respond-async"), err);
	/* curl would say that the body is a form. */
	if (!status)
		status = add_header(how, df_format("content-type:"), err);
	if (!status)
		status = read_body(&body, err);
	if (status)
		return status;
	request.body = df_str_text(&body);
	request.body_bytes = body.length;
	progress_begin("waiting for", name);
	status = client_ask(&request, &reply, err);
	progress_end();
	if (status)
		return status;
	status = finish(how, name, &reply, err);
	df_str_deinit(&reply.body);
	return status;
}

int command_invoke(int argc, char **argv)
{
	static struct invoke_options how;
	const struct flag_set sets[] = {{invoke_flags, &how}, {0}};
	struct df_err err = {0};
	int next, status = page_flags(&page, sets, argc, argv, &next, &err);

	if (status)
		return page_end(status, &err);
	/* 1 is the function's failure here, and not FLAGS_HELP. */
	status = invoke(&how, argv[next], &err);
	return status ? cli_fail(&err, status < 0 ? CLI_FAILED : status) : CLI_OK;
}
