/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: from a request to an event's attributes. The input is "METHOD TARGET", lines "NAME: VALUE", an empty line, and the body, which is
 * also read as a CloudEvent in structured mode. Attributes must be whole pairs with names and values that are allowed, whatever
 * the request is. What libmicrohttpd would be asked is answered here (the calls are wrapped).
 */
#include "daemon/http/faces.h"
#include "host/attributes.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LINES_MAX 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int __wrap_MHD_get_connection_values(struct MHD_Connection *connection, enum MHD_ValueKind kind,
	MHD_KeyValueIterator each, void *into);
const char *__wrap_MHD_lookup_connection_value(struct MHD_Connection *connection,
	enum MHD_ValueKind kind, const char *name);
const union MHD_ConnectionInfo *__wrap_MHD_get_connection_info(struct MHD_Connection *connection,
	enum MHD_ConnectionInfoType what, ...);

/* Of main.c, which is not here. */
uint64_t daemon_started_ns;

void daemon_stop(void)
{
}

static struct {
	const char *name[LINES_MAX], *value[LINES_MAX];
	int count;
} headers;

int __wrap_MHD_get_connection_values(struct MHD_Connection *connection, enum MHD_ValueKind kind,
	MHD_KeyValueIterator each, void *into)
{
	(void)connection;
	for (int i = 0; i < headers.count; i++) {
		if (each(into, kind, headers.name[i], headers.value[i]) != MHD_YES)
			break;
	}
	return headers.count;
}

const char *__wrap_MHD_lookup_connection_value(struct MHD_Connection *connection,
	enum MHD_ValueKind kind, const char *name)
{
	(void)connection;
	(void)kind;
	for (int i = 0; i < headers.count; i++) {
		if (strcasecmp(headers.name[i], name) == 0)
			return headers.value[i];
	}
	return NULL;
}

const union MHD_ConnectionInfo *__wrap_MHD_get_connection_info(struct MHD_Connection *connection,
	enum MHD_ConnectionInfoType what, ...)
{
	(void)connection;
	(void)what;
	return NULL;
}

static void check(const struct df_str *attributes)
{
	const char *name, *value;
	size_t at = 0;
	int more;

	while ((more = df_attributes_next(attributes->data, attributes->length, &at, &name,
			&value)) > 0)
		;
	if (more < 0)
		abort();
}

/* Cuts the head into lines; returns where the body begins. */
static char *take_head(char *text)
{
	headers.count = 0;
	for (char *line = strchr(text, '\n'); line; line = strchr(line, '\n')) {
		char *colon;

		*line++ = '\0';
		if (*line == '\n')
			return line + 1;
		colon = strpbrk(line, ":\n");
		if (!colon || *colon == '\n' || headers.count == LINES_MAX)
			continue;
		*colon = '\0';
		headers.name[headers.count] = line;
		headers.value[headers.count++] = colon + 1 + strspn(colon + 1, " ");
		line = colon + 1;
	}
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *body, *space;
	struct df_str attributes = DF_STR_EMPTY;
	struct request request = {.face = FACE_NET, .id = "id-1", .body_fd = -1};
	struct df_err err = {0};
	void *decoded = NULL;
	size_t decoded_bytes = 0;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	body = take_head(text);
	space = strchr(text, ' ');
	if (space)
		*space++ = '\0';
	request.method = text;
	request.target = space ? space : "/";
	face_attributes(&request, "f", request.target, &attributes);
	check(&attributes);
	if (body &&
		face_structured(&request, body, size - (size_t)(body - text), &attributes, &decoded,
			&decoded_bytes, &err) < 0 &&
		!err.text[0])
		abort();
	check(&attributes);
	(void)face_is_structured(&request);
	free(decoded);
	df_str_deinit(&attributes);
	free(text);
	return 0;
}
