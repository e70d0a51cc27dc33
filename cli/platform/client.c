/* SPDX-License-Identifier: Apache-2.0 */
/* Asking dayflyd over its Unix socket: see platform.h. One connection, kept between calls. */
#include "cli/platform/platform.h"

#include "host/cleanup.h"
#include "host/path.h"
#include "host/place.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SUGGEST_MAX 4096 /* names that are looked at */
#define REPLY_MAX (1100ull << 20) /* no reply of a function is larger */

static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
	struct df_str *body = context;

	(void)size; /* is 1 */
	if (body->length + count > REPLY_MAX)
		return 0;
	df_str_add_bytes(body, bytes, count);
	return body->failed ? 0 : count;
}

static size_t take_header(char *line, size_t size, size_t count, void *context)
{
	static const char name[] = "x-dayfly-log-after:";
	struct client_reply *reply = context;
	char number[32] = "";

	(void)size;
	if (count > sizeof(name) && strncasecmp(line, name, sizeof(name) - 1) == 0) {
		snprintf(number, sizeof(number), "%.*s", (int)(count - sizeof(name) + 1),
			line + sizeof(name) - 1);
		reply->log_after = strtoull(number, NULL, 10);
	}
	return count;
}

/* The connection, set to what all requests have in common; NULL without memory. */
static CURL *fresh_handle(const char *socket)
{
	static CURL *kept;
	CURL *curl = kept ? kept : curl_easy_init();

	kept = curl;
	if (!curl)
		return NULL;
	curl_easy_reset(curl);
	if (curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket) ||
		curl_easy_setopt(curl, CURLOPT_NOPROXY, "*") ||
		curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http") ||
		curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) ||
		curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L) ||
		curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) ||
		curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header))
		return NULL;
	return curl;
}

static struct curl_slist *make_headers(const struct client_request *request)
{
	struct curl_slist *list = curl_slist_append(NULL, "Expect:"), *longer;

	for (size_t i = 0; list && request->headers && request->headers[i]; i++) {
		longer = curl_slist_append(list, request->headers[i]);
		if (!longer)
			curl_slist_free_all(list);
		list = longer;
	}
	return list;
}

static int explain(CURLcode code, const char *socket, struct df_err *err)
{
	if (code == CURLE_COULDNT_CONNECT) {
		df_err_set(err, -ECONNREFUSED, "no daemon answers at %s; start it: dayfly up",
			socket);
		return CLI_FAILED;
	}
	if (code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR)
		return df_err_set(err, CLI_FAILED, "the daemon ended the connection; does it run?");
	return df_err_set(err, CLI_FAILED, "asking the daemon at %s failed: %s", socket,
		curl_easy_strerror(code));
}

static CURLcode perform(CURL *curl, const struct client_request *request, const char *url,
	struct curl_slist *headers, struct client_reply *reply)
{
	CURLcode code = curl_easy_setopt(curl, CURLOPT_URL, url);

	if (!code && request->body)
		code = curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
	if (!code && request->body)
		code = curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
			(curl_off_t)request->body_bytes);
	if (!code)
		code = curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
	if (!code)
		code = curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	if (!code)
		code = curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply->body);
	if (!code)
		code = curl_easy_setopt(curl, CURLOPT_HEADERDATA, reply);
	if (!code)
		code = curl_easy_perform(curl);
	if (!code)
		code = curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply->status);
	return code;
}

int client_ask(const struct client_request *request, struct client_reply *reply, struct df_err *err)
{
	DF_FREE char *state = df_place_state();
	DF_FREE char *socket = state ? df_path_join(state, "socket") : NULL;
	DF_FREE char *url = df_format("http://dayfly%s", request->path);
	struct curl_slist *headers = make_headers(request);
	CURL *curl = socket ? fresh_handle(socket) : NULL;
	CURLcode code;

	*reply = (struct client_reply){.body = DF_STR_EMPTY};
	if (!url || !headers || !curl) {
		curl_slist_free_all(headers);
		return df_err_set(err, CLI_FAILED, "out of memory, or %s is too long for a socket",
			socket ? socket : "the path");
	}
	code = perform(curl, request, url, headers, reply);
	curl_slist_free_all(headers);
	if (!code)
		return 0;
	df_str_deinit(&reply->body);
	return explain(code, socket, err);
}

int client_refused(const struct client_reply *reply, struct df_err *err)
{
	json_t *json = json_loadb(df_str_text(&reply->body), reply->body.length, 0, NULL);
	const json_t *error = json_object_get(json, "error");
	const char *message = member_text(error, "message");
	const char *id = member_text(error, "request_id");

	df_err_set(err, reply->status == 404 ? -ENOENT : CLI_FAILED, "%s",
		*message ? message : "the daemon refused it");
	if (!*message)
		df_err_add(err, " with status %ld", reply->status);
	if (reply->status >= 502 && *id)
		df_err_add(err, " (request %s)", id);
	json_decref(json);
	return CLI_FAILED;
}

/* Success with or without a body. */
static int read_answer(const struct client_reply *reply, json_t **answer, struct df_err *err)
{
	json_t *json = NULL;

	if (reply->status >= 400)
		return client_refused(reply, err);
	if (reply->body.length) {
		json = json_loadb(df_str_text(&reply->body), reply->body.length, 0, NULL);
		if (!json)
			return df_err_set(err, CLI_FAILED,
				"the daemon's answer is no JSON; is dayflyd of this version?");
	}
	if (answer)
		*answer = json;
	else
		json_decref(json);
	return 0;
}

int client_call(const char *method, const char *path, const json_t *body, json_t **answer,
	struct df_err *err)
{
	static const char *const headers[] = {"content-type: application/json", NULL};
	DF_FREE char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	const struct client_request request = {
		method, path, text, text ? strlen(text) : 0, headers};
	struct client_reply reply;
	int status;

	if (body && !text)
		return df_err_set(err, CLI_FAILED,
			"arguments and variables must be text in UTF-8 to be deployed");
	status = client_ask(&request, &reply, err);
	if (!status) {
		status = read_answer(&reply, answer, err);
		df_str_deinit(&reply.body);
	}
	return status;
}

char *function_path(const char *name, const char *before, struct df_err *err)
{
	const char *const allowed = FUNCTION_LETTERS ":$";
	char *path = *name && !name[strspn(name, allowed)] ? df_format("%s%s", before, name) : NULL;

	if (!path)
		df_err_set(err, CLI_FAILED,
			"%s is no function's name; `dayfly ls` lists those there are", name);
	return path;
}

void suggest_function(const char *name, struct df_err *err)
{
	struct df_err ignored;
	json_t *answer = NULL, *function;
	const char *names[SUGGEST_MAX + 1] = {NULL}, *nearest;
	size_t index, count = 0;

	if (err->code != -ENOENT || client_call("GET", "/functions", NULL, &answer, &ignored))
		return;
	json_array_foreach(json_object_get(answer, "functions"), index, function)
	{
		if (count < SUGGEST_MAX)
			names[count++] = member_text(function, "name");
	}
	nearest = nearest_name(name, names);
	if (nearest)
		df_err_add(err, "; did you mean %s?", nearest);
	json_decref(answer);
}

const char *member_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

uint64_t member_number(const json_t *object, const char *key)
{
	json_int_t number = json_integer_value(json_object_get(object, key));

	return number > 0 ? (uint64_t)number : 0;
}

int print_json(const json_t *json, struct df_err *err)
{
	if (json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY) || putchar('\n') == EOF ||
		fflush(stdout))
		return df_err_set(err, CLI_FAILED, "writing failed: %s", df_errno_text(errno));
	return 0;
}
