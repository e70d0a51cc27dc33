/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Destinations that are webhooks. One request per delivery, on a connection of its own. No proxy, no redirects, no cookies, no credentials; the
 * address is looked at when the socket is made, so what a name resolves to at that moment counts.
 */
#include "daemon/event/destination_private.h"

#include "host/attributes.h"
#include "host/cleanup.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct post {
	const struct destination_settings *settings;
	size_t read; /* bytes of the answer */
	bool refused; /* an address was */
};

int destination_init(void)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -ENOMEM;
}

void destination_deinit(void)
{
	curl_global_cleanup();
}

static bool has_part(CURLU *url, CURLUPart part)
{
	char *text = NULL;
	bool there = curl_url_get(url, part, &text, 0) == CURLUE_OK && *text;

	curl_free(text);
	return there;
}

static bool scheme_ok(CURLU *url)
{
	char *scheme = NULL;
	bool good = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
		(strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);

	curl_free(scheme);
	return good;
}

bool destination_url_ok(const char *text)
{
	CURLU *url = curl_url();
	bool good;

	for (const char *at = text; *at; at++) {
		if ((unsigned char)*at <= 0x20 || (unsigned char)*at >= 0x7f) {
			curl_url_cleanup(url);
			return false;
		}
	}
	good = url && curl_url_set(url, CURLUPART_URL, text, CURLU_DISALLOW_USER) == CURLUE_OK &&
		scheme_ok(url) && has_part(url, CURLUPART_HOST);
	curl_url_cleanup(url);
	return good;
}

static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct post *post = user;

	if (purpose != CURLSOCKTYPE_IPCXN ||
		!destination_address_ok(post->settings, &address->addr)) {
		post->refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* The answer's body is not needed: it is read, so that the other side may finish, up to a limit. */
static size_t skip_answer(char *data, size_t size, size_t count, void *user)
{
	struct post *post = user;

	(void)data;
	post->read += size * count;
	return post->read > DESTINATION_REPLY_MAX ? 0 : size * count;
}

static CURLcode set_options(CURL *curl, struct post *post, const char *url,
	const struct queue_event *event, struct curl_slist *headers)
{
	long timeout = post->settings->timeout_ms ? (long)post->settings->timeout_ms
						  : (long)DESTINATION_TIMEOUT_MS;
	CURLcode bad = CURLE_OK;

	bad |= curl_easy_setopt(curl, CURLOPT_URL, url);
	bad |= curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	bad |= curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	bad |= curl_easy_setopt(curl, CURLOPT_PROXY, "");
	bad |= curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	bad |= curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	bad |= curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout);
	bad |= curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	bad |= curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, post);
	bad |= curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, skip_answer);
	bad |= curl_easy_setopt(curl, CURLOPT_WRITEDATA, post);
	bad |= curl_easy_setopt(curl, CURLOPT_USERAGENT, "dayflyd");
	bad |= curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	bad |= curl_easy_setopt(curl, CURLOPT_POST, 1L);
	bad |= curl_easy_setopt(curl, CURLOPT_POSTFIELDS, event->body ? event->body : "");
	bad |= curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
		(curl_off_t)(event->body ? event->body_bytes : 0));
	return bad;
}

/* What came of it. Redirects and most errors of the 400s would be the same again. */
static enum destination_result judge(CURLcode code, const struct post *post, unsigned int status,
	struct df_err *err)
{
	bool answered = code == CURLE_OK || (code == CURLE_WRITE_ERROR && status);

	if (post->refused && !answered) {
		df_err_set(err, -EPERM,
			"the webhook's address is private, local or reserved; allow it in the daemon's settings if it is meant");
		return DESTINATION_REFUSED;
	}
	if (!answered) {
		df_err_set(err, -EIO, "the webhook did not answer: %s", curl_easy_strerror(code));
		return DESTINATION_LATER;
	}
	if (status >= 200 && status < 300)
		return DESTINATION_DELIVERED;
	df_err_set(err, -EIO, "the webhook answered with status %u%s", status,
		status >= 300 && status < 400 ? "; redirects are not followed" : "");
	return status >= 500 || status == 408 || status == 425 || status == 429
		? DESTINATION_LATER
		: DESTINATION_REFUSED;
}

/* Of the reply, if that is what is sent. NULL: it is a record, or says nothing. */
static const char *reply_type(const struct queue_event *event)
{
	const char *name, *value;
	size_t at = 0;

	while (df_attributes_next(event->attributes, event->attribute_bytes, &at, &name, &value) >
		0) {
		if (strcmp(name, DESTINATION_REPLY_TYPE) == 0)
			return value;
	}
	return NULL;
}

static struct curl_slist *make_headers(const struct queue_event *event)
{
	const char *type = reply_type(event);
	DF_FREE char *id = df_format("x-dayfly-request-id: %s", event->request_id);
	DF_FREE char *content = df_format("content-type: %s", type ? type : "application/json");
	struct curl_slist *list = NULL, *longer;
	const char *const headers[] = {content, "expect:", id};

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		longer = headers[i] ? curl_slist_append(list, headers[i]) : NULL;
		if (!longer) {
			curl_slist_free_all(list);
			return NULL;
		}
		list = longer;
	}
	return list;
}

/* A request id goes into a header. */
static bool id_ok(const char *id)
{
	for (; *id; id++) {
		if ((unsigned char)*id <= 0x20 || (unsigned char)*id >= 0x7f)
			return false;
	}
	return true;
}

enum destination_result destination_post(const struct destination_settings *settings,
	const char *url, const struct queue_event *event, unsigned int *status, struct df_err *err)
{
	struct post post = {.settings = settings};
	struct curl_slist *headers = NULL;
	CURL *curl = NULL;
	CURLcode code = CURLE_OUT_OF_MEMORY;
	long answer = 0;

	if (!id_ok(event->request_id)) {
		df_err_set(err, -EINVAL, "the request id cannot stand in a header");
		return DESTINATION_REFUSED;
	}
	headers = make_headers(event);
	curl = headers ? curl_easy_init() : NULL;
	if (curl && set_options(curl, &post, url, event, headers) == CURLE_OK) {
		code = curl_easy_perform(curl);
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer);
	}
	curl_easy_cleanup(curl);
	curl_slist_free_all(headers);
	*status = answer > 0 ? (unsigned int)answer : 0;
	return judge(code, &post, *status, err);
}
