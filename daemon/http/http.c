/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP: listening, gathering, routing. See http.h; answers are in http_send.c. */
#include "daemon/http/http.h"

#include "daemon/http/access.h"
#include "daemon/http/address.h"
#include "daemon/http/connection.h"
#include "daemon/http/http_request.h"
#include "daemon/log.h"
#include "daemon/state.h"
#include "host/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CONNECTION_MEMORY (64u << 10) /* headers have to fit */
#define THREAD_STACK (512u << 10)
#define BACKLOG 1024u
/* A body that is too large is read until it is so many times too large. */
#define REFUSED_FACTOR 4u

static struct {
	struct http_settings settings;
	uint64_t body_max; /* atomic */
	const struct route *const *tables;
	struct MHD_Daemon *net, *local;
	char url[HTTP_URL_BYTES];
	uint64_t seed, counter; /* of request ids; the counter is atomic */
	unsigned int active; /* atomic: requests that are being handled */
	uint64_t
		body_memory; /* atomic: bytes that bodies above HTTP_BODY_MEMORY have been given in memory */
	bool stopping; /* atomic */
} http;

/* --- request ids --- */

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static char *put_hex(char *at, uint64_t number, int digits)
{
	while (digits--)
		*at++ = "0123456789abcdef"[(number >> (4 * digits)) & 15];
	return at;
}

/* Different from each other and from those of other days; not secret. */
void http_make_id(char id[HTTP_REQUEST_ID_BYTES])
{
	uint64_t number = __atomic_add_fetch(&http.counter, 1, __ATOMIC_RELAXED);
	uint64_t high = mix(http.seed + number * 0x9e3779b97f4a7c15ull), low = mix(~high + number);
	char *at = put_hex(id, high >> 32, 8);

	*at++ = '-';
	at = put_hex(at, high >> 16, 4);
	*at++ = '-';
	at = put_hex(at, (high & 0xfff) | 0x4000, 4);
	*at++ = '-';
	at = put_hex(at, (low >> 48 & 0x3fff) | 0x8000, 4);
	*at++ = '-';
	at = put_hex(at, low, 12);
	*at = '\0';
}

static bool id_ok(const char *id)
{
	size_t length = strlen(id);

	return length > 0 && length < HTTP_REQUEST_ID_BYTES &&
		strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") ==
		length;
}

/* --- a request's life --- */

/* Called with the request line, before all else; what it returns is the request's state. */
static void *begin(void *face, const char *uri, struct MHD_Connection *connection)
{
	size_t length = strlen(uri);
	struct gathering *g = calloc(1, sizeof(*g) + 2 * (length + 1));

	if (!g)
		return NULL;
	g->request.connection = connection;
	g->request.face = (enum http_face)(uintptr_t)face;
	g->request.body_fd = -1;
	g->request.target = memcpy(g->texts, uri, length + 1);
	g->path = g->texts + length + 1;
	return g;
}

static void end(void *face, struct MHD_Connection *connection, void **state,
	enum MHD_RequestTerminationCode code)
{
	struct gathering *g = *state;

	(void)face;
	(void)code;
	if (!g)
		return;
	connection_within(connection, CONNECTION_KEPT_S);
	if (g->looked)
		__atomic_sub_fetch(&http.active, 1, __ATOMIC_SEQ_CST);
	if (g->mapped)
		munmap(g->mapped, g->request.body_bytes);
	free(g->memory);
	__atomic_sub_fetch(&http.body_memory, g->granted, __ATOMIC_RELAXED);
	df_cleanup_fd(&g->request.body_fd);
	free(g);
	*state = NULL;
}

/* --- routing --- */

/* Cuts the part at *path off. NULL at the end. */
static char *take_part(char **path)
{
	char *part = *path;
	size_t length;

	while (*part == '/')
		part++;
	if (!*part)
		return NULL;
	length = strcspn(part, "/");
	*path = part + length + (part[length] == '/');
	part[length] = '\0';
	return part;
}

/* `path` is a copy that is cut up. */
static bool match(const char *pattern, char *path, const char *parts[HTTP_PARTS_MAX])
{
	size_t count = 0;

	while (*pattern == '/') {
		size_t length = strcspn(++pattern, "/");
		bool star = *pattern == '*';
		char *part;

		if (strcmp(pattern, "**") == 0) {
			while (*path == '/')
				path++;
			parts[count] = path;
			return true;
		}
		part = take_part(&path);
		if (!part || (!star && (strncmp(pattern, part, length) != 0 || part[length])))
			return false;
		if (star)
			parts[count++] = part;
		pattern += length;
	}
	return take_part(&path) == NULL;
}

static bool allows(const char *methods, const char *method)
{
	size_t length = strlen(method);
	const char *at = methods;

	if (*methods == '*')
		return true;
	while ((at = strstr(at, method))) {
		if ((at == methods || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
			return true;
		at += length;
	}
	return false;
}

/* NULL: *status is 404 or 405. */
static const struct route *find_route(struct gathering *g, const char *path, unsigned int *status)
{
	*status = MHD_HTTP_NOT_FOUND;
	for (const struct route *const *table = http.tables; *table; table++) {
		for (const struct route *route = *table; route->handle; route++) {
			if (!(route->faces & g->request.face) ||
				(*status != MHD_HTTP_NOT_FOUND &&
					strcmp(route->pattern, HTTP_REST) == 0))
				continue;
			strcpy(g->path, path);
			if (!match(route->pattern, g->path, g->request.part))
				continue;
			if (allows(route->methods, g->request.method))
				return route;
			*status = MHD_HTTP_METHOD_NOT_ALLOWED;
		}
	}
	return NULL;
}

/* --- bodies --- */

static uint64_t body_max(void)
{
	return __atomic_load_n(&http.body_max, __ATOMIC_RELAXED);
}

void http_limit_body(uint64_t bytes)
{
	__atomic_store_n(&http.body_max, bytes, __ATOMIC_RELAXED);
}

static uint64_t content_length(const struct request *request)
{
	const char *text = http_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return text ? strtoull(text, NULL, 10) : 0;
}

static int open_spool(void)
{
	DF_FREE char *directory = state_path("spool");
	DF_FREE char *name = NULL;
	int fd = directory ? open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) : -1;

	if (fd >= 0 || !directory)
		return fd;
	name = df_format("%s/body-XXXXXX", directory);
	fd = name ? mkostemp(name, O_CLOEXEC) : -1;
	if (fd >= 0)
		unlink(name);
	return fd;
}

static int write_out(int fd, const void *bytes, size_t length)
{
	const char *at = bytes;

	while (length) {
		ssize_t wrote = write(fd, at, length);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return -errno;
		at += wrote;
		length -= (size_t)wrote;
	}
	return 0;
}

/* From memory to a file. */
static int spool(struct gathering *g)
{
	int error;

	g->request.body_fd = open_spool();
	if (g->request.body_fd < 0)
		return -errno;
	error = write_out(g->request.body_fd, g->memory, g->request.body_bytes);
	free(g->memory);
	g->memory = NULL;
	g->capacity = 0;
	return error;
}

/*
 * How much of the body may be in memory. A large one that says its length may be there as a whole while large ones have
 * HTTP_BODIES_MEMORY together: a file costs about as much again as reading the body does.
 */
static uint64_t memory_max(struct gathering *g)
{
	uint64_t announced = content_length(&g->request);

	if (announced > HTTP_BODY_MEMORY && g->request.body_bytes == 0 && !g->granted) {
		if (__atomic_add_fetch(&http.body_memory, announced, __ATOMIC_RELAXED) <=
			HTTP_BODIES_MEMORY)
			g->granted = announced;
		else
			__atomic_sub_fetch(&http.body_memory, announced, __ATOMIC_RELAXED);
	}
	return g->granted ? g->granted : HTTP_BODY_MEMORY;
}

static int reserve(struct gathering *g, size_t need, uint64_t most)
{
	size_t capacity = g->capacity ? 2 * g->capacity : 4096;
	uint64_t announced = content_length(&g->request);
	char *grown;

	if (need <= g->capacity)
		return 0;
	if (announced && announced <= most)
		capacity = (size_t)announced;
	if (capacity < need)
		capacity = need;
	grown = realloc(g->memory, capacity);
	if (!grown)
		return -ENOMEM;
	g->memory = grown;
	g->capacity = capacity;
	return 0;
}

static int gather(struct gathering *g, const char *bytes, size_t length)
{
	struct request *r = &g->request;
	uint64_t most;
	int error = 0;

	if (r->body_bytes + length > body_max())
		return -E2BIG;
	most = memory_max(g);
	if (r->body_fd < 0 && r->body_bytes + length > most)
		error = spool(g);
	if (!error && r->body_fd >= 0) {
		error = write_out(r->body_fd, bytes, length);
	} else if (!error) {
		error = reserve(g, r->body_bytes + length, most);
		if (!error)
			memcpy(g->memory + r->body_bytes, bytes, length);
	}
	if (!error)
		r->body_bytes += length;
	return error;
}

static enum MHD_Result count_framing(void *into, enum MHD_ValueKind kind, const char *name,
	const char *value)
{
	(void)kind;
	(void)value;
	*(unsigned int *)into += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0 ||
		strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;
	return MHD_YES;
}

/* Where the body ends is said in one way: two readers could understand two requests (RFC 9112, 6.3). */
bool http_framing_ok(const struct request *request)
{
	unsigned int count = 0;

	(void)MHD_get_connection_values(request->connection, MHD_HEADER_KIND, count_framing,
		&count);
	return count <= 1;
}

/* --- the three times that libmicrohttpd calls --- */

static enum MHD_Result too_large(struct request *request)
{
	return http_send_error(request, MHD_HTTP_CONTENT_TOO_LARGE, "TooLarge",
		"the body is larger than this server takes, %llu bytes",
		(unsigned long long)body_max());
}

static enum MHD_Result unauthorized(struct request *request)
{
	json_t *json = json_pack("{s:{s:s, s:s, s:s}}", "error", "code", "Unauthorized", "message",
		"this needs the header Authorization: Bearer TOKEN; the file token in the daemon's state directory has it",
		"request_id", request->id);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	struct MHD_Response *response = MHD_create_response_from_buffer(text ? strlen(text) : 0,
		text, MHD_RESPMEM_MUST_FREE);

	json_decref(json);
	if (response) {
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
			"application/json");
	}
	return http_send(request, MHD_HTTP_UNAUTHORIZED, response);
}

/* The headers are there. May answer at once, with an error; the body is not read then. */
static enum MHD_Result look(struct gathering *g, const char *path, const char *method)
{
	struct request *request = &g->request;
	const char *id, *refused;
	unsigned int status = MHD_HTTP_NOT_FOUND;

	g->looked = true;
	__atomic_add_fetch(&http.active, 1, __ATOMIC_SEQ_CST);
	connection_within(request->connection, CONNECTION_BODY_S);
	request->method = method;
	request->path = path;
	id = http_header(request, HTTP_REQUEST_ID);
	if (id && id_ok(id))
		strcpy(request->id, id);
	else
		http_make_id(request->id);
	if (!http_framing_ok(request))
		return http_send_error(request, MHD_HTTP_BAD_REQUEST, "BadRequest",
			"the length of the body is given twice");
	refused = access_refusal(request);
	if (refused)
		return http_send_error(request, MHD_HTTP_FORBIDDEN, "Forbidden", "%s", refused);
	/* Texts have room for the raw path, which is not shorter. */
	g->route = strlen(path) <= strlen(request->target) ? find_route(g, path, &status) : NULL;
	if (!g->route && status == MHD_HTTP_METHOD_NOT_ALLOWED)
		return http_send_error(request, status, "MethodNotAllowed",
			"%s cannot be used with %s", path, method);
	if (!g->route)
		return http_send_error(request, MHD_HTTP_NOT_FOUND, "NotFound",
			"there is nothing at %s", path);
	if (!access_allowed(request, g->route->faces))
		return unauthorized(request);
	if (content_length(request) <= body_max())
		return MHD_YES;
	/* A client that does not wait for our word is let talk to its end, or it would not hear the answer. */
	g->error = -E2BIG;
	return http_header(request, MHD_HTTP_HEADER_EXPECT) ? too_large(request) : MHD_YES;
}

static enum MHD_Result take_bytes(struct gathering *g, const char *bytes, size_t *length)
{
	if (!g->error)
		g->error = gather(g, bytes, *length);
	/* Thrown away, up to a point. */
	if (g->error)
		g->refused_bytes += *length;
	*length = 0;
	return g->refused_bytes > REFUSED_FACTOR * body_max() ? MHD_NO : MHD_YES;
}

static enum MHD_Result handle(void *face, struct MHD_Connection *connection, const char *path,
	const char *method, const char *version, const char *bytes, size_t *length, void **state)
{
	struct gathering *g = *state;

	(void)face;
	(void)version;
	if (!g)
		return MHD_NO;
	if (!g->looked)
		return look(g, path, method);
	if (*length)
		return take_bytes(g, bytes, length);
	connection_within(connection, 0);
	if (g->error == -E2BIG)
		return too_large(&g->request);
	if (g->error)
		return http_send_error(&g->request, MHD_HTTP_INSUFFICIENT_STORAGE, "Failed",
			"the body could not be kept: %s", df_errno_text(g->error));
	g->request.body = g->memory;
	return g->route->handle(&g->request);
}

bool http_is_stopping(void)
{
	return __atomic_load_n(&http.stopping, __ATOMIC_RELAXED);
}

/* --- starting and stopping --- */

void http_complain(void *unused, const char *format, va_list arguments)
{
	char text[512];

	(void)unused;
	vsnprintf(text, sizeof(text), format, arguments);
	text[strcspn(text, "\n")] = '\0';
	log_line(LOG_LEVEL_DEBUG, "http: %s", text);
}

static struct MHD_Daemon *start_face(enum http_face face, int socket)
{
	void *which = (void *)(uintptr_t)face;

	return MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
			MHD_USE_POLL | MHD_USE_ITC | MHD_USE_ERROR_LOG,
		0, NULL, NULL, handle, which, MHD_OPTION_LISTEN_SOCKET, socket,
		MHD_OPTION_EXTERNAL_LOGGER, http_complain, NULL, MHD_OPTION_URI_LOG_CALLBACK, begin,
		which, MHD_OPTION_NOTIFY_COMPLETED, end, which, MHD_OPTION_NOTIFY_CONNECTION,
		connection_changed, NULL, MHD_OPTION_CONNECTION_LIMIT,
		http.settings.connections_max, MHD_OPTION_CONNECTION_TIMEOUT, http.settings.idle_s,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
		MHD_OPTION_THREAD_STACK_SIZE, (size_t)THREAD_STACK, MHD_OPTION_END);
}

static void make_url(int fd, char url[HTTP_URL_BYTES])
{
	struct address own = {.length = sizeof(own.as)};
	char text[ADDRESS_TEXT_BYTES];
	in_port_t port;

	(void)getsockname(fd, &own.as.any, &own.length);
	port = own.as.any.sa_family == AF_INET ? own.as.v4.sin_port : own.as.v6.sin6_port;
	snprintf(url, HTTP_URL_BYTES, "http://%s:%u",
		address_is_any(&own.as.any) ? "127.0.0.1" : address_text(&own.as.any, true, text),
		ntohs(port));
}

int http_listen(const char *text, char url[HTTP_URL_BYTES], int *fd, struct df_err *err)
{
	struct address address;
	DF_CLOSE int made = -1;
	int one = 1, zero = 0;

	if (address_parse(text, &address))
		return df_err_set(err, -EINVAL, "%s is no address with a port", text);
	made = socket(address.as.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* [::] is for both families, whatever the system's default is. */
	if (made >= 0 && address.as.any.sa_family == AF_INET6)
		(void)setsockopt(made, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (made < 0 || setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
		bind(made, &address.as.any, address.length) < 0 || listen(made, BACKLOG) < 0) {
		int error = -errno;

		df_err_set(err, error, "listening on %s failed: %s", text, df_errno_text(error));
		if (error == -EADDRINUSE)
			df_err_add(err,
				"; another program has this port, choose one with --listen");
		return error;
	}
	make_url(made, url);
	*fd = df_take_fd(&made);
	return 0;
}

static int listen_local(int *fd, struct df_err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = http.settings.socket_path;
	DF_CLOSE int made = -1;

	if (strlen(path) >= sizeof(address.sun_path))
		return df_err_set(err, -ENAMETOOLONG,
			"%s is too long for a socket; choose a shorter --state", path);
	strcpy(address.sun_path, path);
	made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* The state directory's lock is ours: nobody listens there any more. */
	(void)unlink(path);
	if (made < 0 || bind(made, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		chmod(path, 0700) < 0 || listen(made, BACKLOG) < 0)
		return df_err_set(err, -errno, "listening on %s failed: %s", path,
			df_errno_text(errno));
	*fd = df_take_fd(&made);
	return 0;
}

static int start_both(int net_fd, int local_fd, struct df_err *err)
{
	http.net = start_face(FACE_NET, net_fd);
	http.local = http.net ? start_face(FACE_LOCAL, local_fd) : NULL;
	if (http.local)
		return 0;
	if (http.net)
		MHD_stop_daemon(http.net);
	return df_err_set(err, -EIO, "libmicrohttpd did not start");
}

int http_start(const struct http_settings *settings, const struct route *const *tables,
	struct df_err *err)
{
	int net_fd = -1, local_fd = -1, error;

	http.settings = *settings;
	http.tables = tables;
	if (getrandom(&http.seed, sizeof(http.seed), 0) != sizeof(http.seed))
		return df_err_set(err, -EIO, "there are no random numbers");
	error = http_listen(settings->listen, http.url, &net_fd, err);
	if (!error)
		error = listen_local(&local_fd, err);
	if (!error && connections_init())
		error = df_err_set(err, -EAGAIN, "a thread could not be started");
	if (!error)
		error = start_both(net_fd, local_fd, err);
	if (error) {
		df_cleanup_fd(&net_fd);
		df_cleanup_fd(&local_fd);
	}
	return error;
}

void http_quiesce(void)
{
	MHD_socket net = MHD_quiesce_daemon(http.net), local = MHD_quiesce_daemon(http.local);

	__atomic_store_n(&http.stopping, true, __ATOMIC_RELAXED);
	if (net != MHD_INVALID_SOCKET)
		close(net);
	if (local != MHD_INVALID_SOCKET)
		close(local);
}

unsigned int http_active(void)
{
	return __atomic_load_n(&http.active, __ATOMIC_SEQ_CST);
}

void http_stop(void)
{
	MHD_stop_daemon(http.net);
	MHD_stop_daemon(http.local);
	connections_deinit();
	(void)unlink(http.settings.socket_path);
}

const char *http_url(void)
{
	return http.url;
}
