/* SPDX-License-Identifier: Apache-2.0 */
/* The S3 interface: connections, bodies, finding the operation. See s3.h; answers are in s3_answer.c. */
#include "daemon/object/s3.h"

#include "daemon/http/access.h"
#include "daemon/http/connection.h"
#include "host/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONNECTION_MEMORY (64u << 10)
#define THREAD_STACK (512u << 10)
/* A body that is refused is read so far, that its sender hears the answer; then the connection is closed. */
#define DISCARD_MAX (64ull << 20)
#define BODY_SLOWEST 65536 /* bytes a second: a large body has more time than a small one */

static struct {
	struct s3_settings settings;
	struct MHD_Daemon *daemon;
	char url[HTTP_URL_BYTES]; /* empty: it was not started */
	unsigned int active; /* atomic: requests that are being handled */
} s3;

struct objects *s3_objects(void)
{
	return s3.settings.objects;
}

/* --- a request's life --- */

static void *begin(void *unused, const char *uri, struct MHD_Connection *connection)
{
	struct s3_request *r = calloc(1, sizeof(*r));

	(void)unused;
	if (!r)
		return NULL;
	r->texts = strdup(uri);
	if (!r->texts) {
		free(r);
		return NULL;
	}
	r->request.connection = connection;
	r->request.face = FACE_NET;
	r->request.body_fd = -1;
	r->request.target = r->texts;
	r->body.fd = -1;
	return r;
}

static void end(void *unused, struct MHD_Connection *connection, void **state,
	enum MHD_RequestTerminationCode code)
{
	struct s3_request *r = *state;

	(void)unused;
	(void)code;
	if (!r)
		return;
	connection_within(connection, CONNECTION_KEPT_S);
	if (r->looked)
		__atomic_sub_fetch(&s3.active, 1, __ATOMIC_SEQ_CST);
	objects_body_abandon(&r->body);
	checksums_deinit(&r->sums);
	chunked_deinit(&r->chunked);
	df_str_deinit(&r->memory);
	target_deinit(&r->target);
	sigv4_forget(&r->identity);
	free(r->texts);
	free(r);
	*state = NULL;
}

/* --- who asks, and for what --- */

/* The bucket that "BUCKET.localhost" names, and the rest of the host's name. */
static const char *split_host(struct s3_request *r, const char *host)
{
	const char *dot = host ? strchr(host, '.') : NULL;

	/* Names below localhost are nobody else's (RFC 6761, 6.3). */
	while (dot && strncasecmp(dot + 1, "localhost", 9) != 0)
		dot = strchr(dot + 1, '.');
	if (!dot || dot == host || (size_t)(dot - host) > OBJECTS_BUCKET_MAX)
		return host;
	memcpy(r->host_bucket, host, (size_t)(dot - host));
	return dot + 1;
}

static bool may_ask(struct s3_request *r)
{
	const char *host = s3_header(r, MHD_HTTP_HEADER_HOST), *origin = s3_header(r, "Origin");

	if (!access_host_ok(&r->request, split_host(r, host)))
		s3_fail(r, 403, "AccessDenied",
			"Host does not name this server; start dayflyd with --host NAME if it should.");
	else if (origin && !access_origin_ok(origin, host))
		s3_fail(r, 403, "AccessDenied",
			"Requests of web pages from other origins are refused.");
	return r->error.status == 0;
}

static bool parse_target(struct s3_request *r)
{
	int result = target_parse(r->request.target, *r->host_bucket ? r->host_bucket : NULL,
		&r->target);

	if (result < 0)
		s3_fail_result(r, result);
	else if (result == TARGET_TOO_MANY)
		s3_fail(r, 400, "InvalidRequest", "The query has too many parameters.");
	else if (result != TARGET_OK)
		s3_fail(r, 400, "InvalidURI", "The request's path or query cannot be decoded.");
	return r->error.status == 0;
}

static bool is_signed(struct s3_request *r)
{
	int result = signed_verify(&r->request, "s3", NULL, &r->identity);
	const struct sigv4_error *error;

	if (result == SIGV4_OK)
		return true;
	if (result < 0) {
		s3_fail_result(r, result);
		return false;
	}
	error = sigv4_error((enum sigv4_result)result);
	s3_fail(r, error->status, error->s3, "%s", error->message);
	return false;
}

static bool names_ok(struct s3_request *r)
{
	const char *bucket = r->target.bucket, *key = r->target.key;

	if (bucket && !objects_bucket_ok(bucket))
		s3_fail(r, 400, "InvalidBucketName", "The specified bucket is not valid.");
	else if (key && strlen(key) > OBJECTS_KEY_MAX)
		s3_fail(r, 400, "KeyTooLongError", "Your key is too long");
	else if (key && !objects_key_ok(key, strlen(key)))
		s3_fail(r, 400, "InvalidArgument", "A key is UTF-8 without control characters.");
	return r->error.status == 0;
}

static bool fits(const struct s3_operation *o, const struct s3_request *r)
{
	enum s3_level level = r->target.key ? S3_OBJECT : r->target.bucket ? S3_BUCKET : S3_SERVICE;

	/* HEAD is answered as GET is; libmicrohttpd leaves the body out. */
	return o->level == level && strcmp(o->method, r->request.method) == 0 &&
		(!o->parameter || s3_parameter(r, o->parameter)) &&
		(!o->second || s3_parameter(r, o->second)) &&
		(!o->header || s3_header(r, o->header));
}

static bool find_operation(struct s3_request *r)
{
	for (const struct s3_operation *o = s3_operations; o->handle; o++) {
		if (fits(o, r)) {
			r->operation = o;
			r->kind = o->body;
			return true;
		}
	}
	s3_fail(r, 405, "MethodNotAllowed",
		"The specified method is not allowed against this resource.");
	return false;
}

/* --- what is known of the body before it comes --- */

static bool read_length(struct s3_request *r)
{
	const char *coding = s3_header(r, "content-encoding");
	const char *length = s3_header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
	const char *decoded = s3_header(r, "x-amz-decoded-content-length");

	r->is_chunked = r->identity.payload != SIGV4_PAYLOAD_HASHED &&
		r->identity.payload != SIGV4_PAYLOAD_UNSIGNED;
	r->announced = UINT64_MAX;
	if (!r->is_chunked && coding && strcasestr(coding, "aws-chunked")) {
		s3_fail(r, 400, "InvalidRequest",
			"x-amz-content-sha256 does not say how the body's chunks are signed.");
		return false;
	}
	if (r->is_chunked)
		length = decoded;
	if (!length)
		return true;
	if (strspn(length, "0123456789") != strlen(length) || strlen(length) > 18 || !*length) {
		s3_fail(r, 400, "InvalidArgument", "The length of the body is no number.");
		return false;
	}
	r->announced = strtoull(length, NULL, 10);
	return true;
}

static bool read_md5(struct s3_request *r)
{
	const char *text = s3_header(r, "content-md5");

	r->has_md5 = text != NULL;
	if (text && !checksum_parse(text, sizeof(r->md5), r->md5))
		s3_fail(r, 400, "InvalidDigest", "The Content-MD5 you specified was invalid.");
	return r->error.status == 0;
}

/* The checksum that the client sends, in a header or behind the body. */
static bool read_checksum(struct s3_request *r)
{
	const char *trailer = s3_header(r, "x-amz-trailer");
	unsigned char value[CHECKSUM_BYTES_MAX];

	for (int i = CHECKSUM_NONE + 1; i < CHECKSUM_KINDS; i++) {
		enum checksum_kind kind = (enum checksum_kind)i;
		const char *text = s3_header(r, checksum_header(kind));

		if (!text)
			continue;
		if (r->wanted.kind != CHECKSUM_NONE) {
			s3_fail(r, 400, "InvalidRequest",
				"Expecting a single x-amz-checksum- header. Multiple checksum types are not allowed.");
			return false;
		}
		if (!checksum_parse(text, checksum_bytes(kind), value)) {
			s3_fail(r, 400, "InvalidRequest", "Value for %s header is invalid.",
				checksum_header(kind));
			return false;
		}
		r->wanted.kind = kind;
		strcpy(r->wanted.text, text);
	}
	if (!trailer || r->wanted.kind != CHECKSUM_NONE)
		return true;
	r->wanted.kind = checksum_from_header(trailer);
	r->wanted.in_trailer = true;
	if (r->wanted.kind == CHECKSUM_NONE)
		s3_fail(r, 400, "InvalidRequest",
			"The value specified in the x-amz-trailer header is not supported");
	return r->error.status == 0;
}

static int take(void *user, const void *bytes, size_t length);

static bool begin_body(struct s3_request *r)
{
	unsigned int wanted = r->kind == S3_NO_BODY ? 0 : 1u << CHECKSUM_MD5;
	int result;

	if (!read_length(r) || !read_md5(r))
		return false;
	/* There it is the object's, not the body's. */
	if (r->operation->handle != s3_complete_upload && !read_checksum(r))
		return false;
	if (r->kind == S3_MEMORY && r->announced != UINT64_MAX && r->announced > S3_MEMORY_MAX) {
		s3_fail(r, 400, "MaxMessageLengthExceeded", "Your request was too big.");
		return false;
	}
	if (r->identity.payload == SIGV4_PAYLOAD_HASHED)
		wanted |= 1u << CHECKSUM_SHA256;
	if (r->wanted.kind != CHECKSUM_NONE)
		wanted |= 1u << r->wanted.kind;
	if (r->operation->prepare)
		r->operation->prepare(r);
	if (r->error.status)
		return false;
	/* The operation may want to know another one. */
	result = checksums_init(&r->sums, wanted | r->sums.wanted);
	if (result == 0 && r->is_chunked)
		result = chunked_init(&r->chunked, &r->identity, take, r);
	if (result == 0 && r->kind == S3_FILE)
		result = objects_body_begin(s3_objects(), r->announced, &r->body);
	if (result)
		s3_fail_result(r, result);
	return result == 0;
}

/* --- the body --- */

/* Decoded bytes. 0, or the error is set. */
static int take(void *user, const void *bytes, size_t length)
{
	struct s3_request *r = user;
	int result;

	r->received += length;
	if (r->received > r->announced) {
		s3_fail(r, 400, "IncompleteBody", "The body is longer than was announced.");
		return -1;
	}
	result = checksums_add(&r->sums, bytes, length);
	if (result == 0 && r->kind == S3_FILE)
		result = objects_body_write(&r->body, bytes, length);
	if (result == 0 && r->kind != S3_FILE) {
		if (r->memory.length + length > S3_MEMORY_MAX) {
			s3_fail(r, 400, "MaxMessageLengthExceeded", "Your request was too big.");
			return -1;
		}
		df_str_add_bytes(&r->memory, bytes, length);
		result = r->memory.failed ? -ENOMEM : 0;
	}
	if (result)
		s3_fail_result(r, result);
	return result ? -1 : 0;
}

static void feed(struct s3_request *r, const char *bytes, size_t length)
{
	if (!r->is_chunked) {
		(void)take(r, bytes, length);
		return;
	}
	switch (chunked_feed(&r->chunked, bytes, length)) {
	case CHUNKED_MORE:
	case CHUNKED_STOPPED:
		return;
	case CHUNKED_SIGNATURE:
		s3_fail(r, 403, "SignatureDoesNotMatch",
			"The signature of a chunk of the body does not match.");
		return;
	case CHUNKED_MALFORMED:
		s3_fail(r, 400, "IncompleteBody", "The body is not what aws-chunked allows.");
		return;
	default:
		s3_fail_result(r, -ENOMEM);
	}
}

static enum MHD_Result take_bytes(struct s3_request *r, const char *bytes, size_t *length)
{
	if (r->error.status)
		r->discarded += *length;
	else
		feed(r, bytes, *length);
	*length = 0;
	return r->discarded > DISCARD_MAX ? MHD_NO : MHD_YES;
}

/* --- is it the body that was meant? --- */

static bool check_sha256(struct s3_request *r)
{
	unsigned char value[CHECKSUM_BYTES_MAX];
	char hex[SIGV4_HEX_BYTES];
	struct checksums *sums = &r->sums;
	EVP_MD_CTX *copy;
	bool good;

	if (r->identity.payload != SIGV4_PAYLOAD_HASHED)
		return true;
	/* It may be asked for again, as a checksum. */
	copy = EVP_MD_CTX_new();
	good = copy && EVP_MD_CTX_copy_ex(copy, sums->digest[CHECKSUM_SHA256]) == 1 &&
		EVP_DigestFinal_ex(copy, value, NULL) == 1;
	EVP_MD_CTX_free(copy);
	if (!good) {
		s3_fail_result(r, -EIO);
		return false;
	}
	for (size_t i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", value[i]);
	if (strcmp(hex, r->identity.payload_sha256) != 0)
		s3_fail(r, 400, "XAmzContentSHA256Mismatch",
			"The provided 'x-amz-content-sha256' header does not match what was computed.");
	return r->error.status == 0;
}

static bool check_md5(struct s3_request *r)
{
	unsigned char value[CHECKSUM_BYTES_MAX];

	if (!r->sums.digest[CHECKSUM_MD5])
		return true;
	if (checksums_value(&r->sums, CHECKSUM_MD5, value) != 0) {
		s3_fail_result(r, -EIO);
		return false;
	}
	memcpy(r->computed_md5, value, sizeof(r->computed_md5));
	if (r->has_md5 && memcmp(value, r->md5, sizeof(r->md5)) != 0)
		s3_fail(r, 400, "BadDigest",
			"The Content-MD5 you specified did not match what we received.");
	return r->error.status == 0;
}

/* Leaves the checksum that was computed in r->wanted. */
static bool check_checksum(struct s3_request *r)
{
	enum checksum_kind kind = r->wanted.kind;
	unsigned char value[CHECKSUM_BYTES_MAX];
	char text[CHECKSUM_TEXT_BYTES];
	const char *want = r->wanted.text;

	if (kind == CHECKSUM_NONE)
		return true;
	if (r->wanted.in_trailer)
		want = r->is_chunked ? chunked_trailer(&r->chunked, checksum_header(kind)) : NULL;
	if (!want) {
		s3_fail(r, 400, "MalformedTrailerError",
			"The request contained trailing data that was not well-formed or did not conform to our published schema.");
		return false;
	}
	if (checksums_value(&r->sums, kind, value) != 0) {
		s3_fail_result(r, -EIO);
		return false;
	}
	checksum_text(value, checksum_bytes(kind), text);
	if (strcmp(text, want) != 0) {
		s3_fail(r, 400, "BadDigest",
			"The %s you specified did not match the calculated checksum.",
			checksum_name(kind));
		return false;
	}
	strcpy(r->wanted.text, text);
	return true;
}

static bool check_body(struct s3_request *r)
{
	if (r->is_chunked && !r->chunked.done)
		s3_fail(r, 400, "IncompleteBody", "The body ends before its last chunk.");
	else if (r->announced != UINT64_MAX && r->received != r->announced)
		s3_fail(r, 400, "IncompleteBody",
			"You did not provide the number of bytes specified by the Content-Length HTTP header");
	return r->error.status == 0 && check_sha256(r) && check_md5(r) && check_checksum(r);
}

/* --- the three times that libmicrohttpd calls --- */

static unsigned int body_seconds(const struct s3_request *r)
{
	uint64_t bytes = r->announced < OBJECTS_PUT_MAX ? r->announced : 0;

	return CONNECTION_BODY_S + (unsigned int)(bytes / BODY_SLOWEST);
}

/* The headers are there. */
static enum MHD_Result look(struct s3_request *r, const char *path, const char *method)
{
	r->looked = true;
	__atomic_add_fetch(&s3.active, 1, __ATOMIC_SEQ_CST);
	r->request.method = method;
	r->request.path = path;
	http_make_id(r->request.id);
	/* Where such a body ends nobody knows. */
	if (!http_framing_ok(&r->request))
		return s3_refuse(r, 400, "InvalidRequest",
			"The length of the body is given twice.");
	if (may_ask(r) && parse_target(r) && is_signed(r) && names_ok(r) && find_operation(r))
		(void)begin_body(r);
	connection_within(r->request.connection, body_seconds(r));
	/* Who waits for our word gets it now. */
	if (r->error.status && s3_header(r, MHD_HTTP_HEADER_EXPECT))
		return s3_send_error(r);
	return MHD_YES;
}

static enum MHD_Result handle(void *unused, struct MHD_Connection *connection, const char *path,
	const char *method, const char *version, const char *bytes, size_t *length, void **state)
{
	struct s3_request *r = *state;

	(void)unused;
	(void)version;
	if (!r)
		return MHD_NO;
	if (!r->looked)
		return look(r, path, method);
	if (*length)
		return take_bytes(r, bytes, length);
	connection_within(connection, 0);
	if (r->error.status || !check_body(r))
		return s3_send_error(r);
	return r->operation->handle(r);
}

/* --- starting and stopping --- */

int s3_start(const struct s3_settings *settings, struct df_err *err)
{
	int fd = -1, error;

	s3.settings = *settings;
	error = http_listen(settings->listen, s3.url, &fd, err);
	if (error)
		return error;
	s3.daemon = MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION |
			MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC |
			MHD_USE_ERROR_LOG,
		0, NULL, NULL, handle, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_EXTERNAL_LOGGER, http_complain, NULL, MHD_OPTION_URI_LOG_CALLBACK, begin,
		NULL, MHD_OPTION_NOTIFY_COMPLETED, end, NULL, MHD_OPTION_NOTIFY_CONNECTION,
		connection_changed, NULL, MHD_OPTION_CONNECTION_LIMIT, settings->connections_max,
		MHD_OPTION_CONNECTION_TIMEOUT, settings->idle_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)CONNECTION_MEMORY, MHD_OPTION_THREAD_STACK_SIZE, (size_t)THREAD_STACK,
		MHD_OPTION_END);
	if (s3.daemon)
		return 0;
	df_cleanup_fd(&fd);
	return df_err_set(err, -EIO, "libmicrohttpd did not start");
}

void s3_quiesce(void)
{
	MHD_socket socket = s3.daemon ? MHD_quiesce_daemon(s3.daemon) : MHD_INVALID_SOCKET;

	if (socket != MHD_INVALID_SOCKET)
		close(socket);
}

unsigned int s3_active(void)
{
	return __atomic_load_n(&s3.active, __ATOMIC_SEQ_CST);
}

void s3_stop(void)
{
	if (s3.daemon)
		MHD_stop_daemon(s3.daemon);
	s3.daemon = NULL;
}

const char *s3_url(void)
{
	return s3.url;
}
