/* SPDX-License-Identifier: Apache-2.0 */
/* Signed requests: see signed.h. */
#include "daemon/http/signed.h"

#include "daemon/auth/credentials.h"
#include "daemon/clock.h"
#include "daemon/state.h"
#include "host/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct credentials credentials; /* set once */
static struct sigv4_keys keys = {.lock = PTHREAD_MUTEX_INITIALIZER};

int signed_init(struct df_err *err)
{
	DF_FREE char *path = state_path(SIGNED_CREDENTIALS);

	return path ? credentials_ensure(path, SIGNED_REGION, &credentials, err)
		    : df_err_set(err, -ENOMEM, "out of memory");
}

static int find_secret(void *user, const char *access_key_id, char secret[SIGV4_SECRET_MAX + 1])
{
	(void)user;
	if (strcmp(access_key_id, credentials.access_key_id) != 0)
		return 0;
	snprintf(secret, SIGV4_SECRET_MAX + 1, "%s", credentials.secret);
	return 1;
}

struct header_list {
	struct sigv4_header header[SIGV4_HEADERS_MAX + 1];
	size_t count;
};

static enum MHD_Result note_header(void *into, enum MHD_ValueKind kind, const char *name,
	const char *value)
{
	struct header_list *list = into;

	(void)kind;
	if (list->count <= SIGV4_HEADERS_MAX)
		list->header[list->count++] = (struct sigv4_header){name, value ? value : ""};
	return MHD_YES;
}

int signed_verify(const struct request *request, const char *service, const char *body_sha256,
	struct sigv4_identity *identity)
{
	const char *query = strchr(request->target, '?');
	DF_FREE char *path = query ? strndup(request->target, (size_t)(query - request->target))
				   : strdup(request->target);
	const struct sigv4_verifier verifier = {
		.region = SIGNED_REGION,
		.service = service,
		.now_s = (int64_t)(clock_wall_ms() / 1000),
		.find = find_secret,
		.keys = &keys,
	};
	struct header_list list;
	struct sigv4_request signed_request;

	if (!path)
		return -ENOMEM;
	list.count = 0;
	(void)MHD_get_connection_values(request->connection, MHD_HEADER_KIND, note_header, &list);
	signed_request = (struct sigv4_request){
		.method = request->method,
		.path = path,
		.query = query ? query + 1 : NULL,
		.headers = list.header,
		.header_count = list.count,
		.body_sha256 = body_sha256,
	};
	return sigv4_verify(&verifier, &signed_request, identity);
}
