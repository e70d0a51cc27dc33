/* SPDX-License-Identifier: Apache-2.0 */
/* What handlers use of a request, and how they answer: see http.h. */
#include "daemon/http/http_request.h"

#include "host/json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

const char *http_header(const struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *http_query(const struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

int http_whole_body(struct request *request, const void **bytes)
{
	struct gathering *g = (struct gathering *)request;
	void *map;

	if (request->body_fd >= 0 && !g->mapped) {
		map = mmap(NULL, request->body_bytes, PROT_READ, MAP_PRIVATE, request->body_fd, 0);
		if (map == MAP_FAILED)
			return -errno;
		g->mapped = map;
	}
	*bytes = g->mapped ? g->mapped : request->body ? request->body : "";
	return 0;
}

json_t *http_json_body(struct request *request, enum MHD_Result *result)
{
	json_error_t error;
	const void *bytes = NULL;
	json_t *json;

	if (http_whole_body(request, &bytes)) {
		*result = http_send_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "Failed",
			"the body can not be read");
		return NULL;
	}
	json = json_loadb(bytes, request->body_bytes, JSON_REJECT_DUPLICATES, &error);
	if (!json)
		*result = http_send_error(request, MHD_HTTP_BAD_REQUEST, "BadRequest",
			"the body is no JSON: line %d, column %d: %s", error.line, error.column,
			error.text);
	return json;
}

enum MHD_Result http_send(struct request *request, unsigned int status,
	struct MHD_Response *response)
{
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	(void)MHD_add_response_header(response, HTTP_REQUEST_ID, request->id);
	if (http_is_stopping())
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	result = MHD_queue_response(request->connection, status, response);
	MHD_destroy_response(response);
	return result;
}

enum MHD_Result http_send_empty(struct request *request, unsigned int status)
{
	return http_send(request, status,
		MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT));
}

enum MHD_Result http_send_text(struct request *request, unsigned int status, const char *type,
	const char *text, size_t length)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(length, (void *)text, MHD_RESPMEM_MUST_COPY);

	if (response)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	return http_send(request, status, response);
}

enum MHD_Result http_send_json(struct request *request, unsigned int status, json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	struct MHD_Response *response;

	json_decref(json);
	if (!text)
		return http_send_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "Failed",
			"out of memory");
	response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	if (response)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
			"application/json");
	return http_send(request, status, response);
}

enum MHD_Result http_send_failure(struct request *request, unsigned int status, const char *code,
	const char *message, const struct df_str *output, const char *report)
{
	struct df_str text = DF_STR_EMPTY;
	enum MHD_Result result;

	df_json_open(&text, NULL, '{');
	df_json_open(&text, "error", '{');
	df_json_text(&text, "code", code);
	df_json_text(&text, "message", message);
	df_json_text(&text, "request_id", request->id);
	if (output)
		df_json_bytes(&text, "output", df_str_text(output), output->length);
	if (report)
		df_json_text(&text, "report", report);
	df_json_close(&text, '}');
	df_json_close(&text, '}');
	result = http_send_text(request, status, "application/json", df_str_text(&text),
		text.length);
	df_str_deinit(&text);
	return result;
}

enum MHD_Result http_send_error(struct request *request, unsigned int status, const char *code,
	const char *format, ...)
{
	char message[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	return http_send_failure(request, status, code, message, NULL, NULL);
}
