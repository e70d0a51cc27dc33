/* SPDX-License-Identifier: Apache-2.0 */
/* Who may ask: see access.h. */
#include "daemon/http/access.h"

#include "daemon/auth/token.h"
#include "daemon/http/address.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct {
	char token[TOKEN_BYTES]; /* set once */
	pthread_rwlock_t lock;
	/* protected by lock: */
	char **hosts; /* NULL at the end; or NULL */
	bool invoke_token, metrics_token;
} allowed = {.lock = PTHREAD_RWLOCK_INITIALIZER};

int access_init(const char *path, struct df_err *err)
{
	return token_ensure(path, allowed.token, err);
}

static void free_hosts(char **hosts)
{
	for (size_t i = 0; hosts && hosts[i]; i++)
		free(hosts[i]);
	free(hosts);
}

static char **copy_hosts(const char *const *hosts)
{
	size_t count = 0;
	char **copy;

	while (hosts && hosts[count])
		count++;
	copy = calloc(count + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < count; i++) {
		copy[i] = strdup(hosts[i]);
		if (!copy[i]) {
			free_hosts(copy);
			return NULL;
		}
	}
	return copy;
}

int access_change(const struct access_settings *settings)
{
	char **hosts = copy_hosts(settings->hosts), **old;

	if (!hosts)
		return -ENOMEM;
	pthread_rwlock_wrlock(&allowed.lock);
	old = allowed.hosts;
	allowed.hosts = hosts;
	allowed.invoke_token = settings->invoke_token;
	allowed.metrics_token = settings->metrics_token;
	pthread_rwlock_unlock(&allowed.lock);
	free_hosts(old);
	return 0;
}

void access_deinit(void)
{
	free_hosts(allowed.hosts);
	allowed.hosts = NULL;
	explicit_bzero(allowed.token, sizeof(allowed.token));
}

/* --- Host and Origin --- */

/* Without the port. */
static size_t host_length(const char *host)
{
	const char *colon = *host == '[' ? strchr(host, ']') : strchr(host, ':');

	if (*host == '[')
		return colon ? (size_t)(colon - host) + 1 : strlen(host);
	return colon ? (size_t)(colon - host) : strlen(host);
}

static bool is_host(const char *host, size_t length, const char *name)
{
	return strlen(name) == length && strncasecmp(host, name, length) == 0;
}

static bool is_named(const char *host, size_t length)
{
	bool found = false;

	pthread_rwlock_rdlock(&allowed.lock);
	for (size_t i = 0; allowed.hosts && allowed.hosts[i] && !found; i++)
		found = is_host(host, length, allowed.hosts[i]);
	pthread_rwlock_unlock(&allowed.lock);
	return found;
}

/* The address that the client connected to. Other names can be made to mean it; a number can not. */
static bool is_own_address(const struct request *request, const char *host, size_t length)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct sockaddr_storage own;
	socklen_t size = sizeof(own);
	char text[ADDRESS_TEXT_BYTES];

	if (!info || getsockname(info->connect_fd, (struct sockaddr *)&own, &size) < 0)
		return false;
	return is_host(host, length, address_text((struct sockaddr *)&own, true, text));
}

bool access_host_ok(const struct request *request, const char *host)
{
	size_t length = host ? host_length(host) : 0;

	if (!length)
		return false;
	return is_host(host, length, "127.0.0.1") || is_host(host, length, "localhost") ||
		is_host(host, length, "[::1]") || is_named(host, length) ||
		is_own_address(request, host, length);
}

/* The page that asks came from here. */
bool access_origin_ok(const char *origin, const char *host)
{
	const char *scheme_end = strstr(origin, "://");

	return scheme_end && strcasecmp(scheme_end + 3, host) == 0;
}

const char *access_refusal(const struct request *request)
{
	const char *host, *origin;

	if (request->face == FACE_LOCAL)
		return NULL;
	host = http_header(request, MHD_HTTP_HEADER_HOST);
	if (!access_host_ok(request, host))
		return "Host does not name this server; if it should, add it to the setting hosts (--host NAME)";
	origin = http_header(request, "Origin");
	if (origin && !access_origin_ok(origin, host))
		return "requests of web pages from other origins are refused";
	return NULL;
}

/* --- the token --- */

bool access_is_token(const char *authorization)
{
	return token_matches(allowed.token, authorization);
}

bool access_allowed(const struct request *request, unsigned int faces)
{
	bool asked;

	if (!(faces & (ACCESS_INVOKE | ACCESS_METRICS)) || request->face == FACE_LOCAL)
		return true;
	pthread_rwlock_rdlock(&allowed.lock);
	asked = faces & ACCESS_INVOKE ? allowed.invoke_token : allowed.metrics_token;
	pthread_rwlock_unlock(&allowed.lock);
	return !asked || access_is_token(http_header(request, MHD_HTTP_HEADER_AUTHORIZATION));
}
